//! The documents about an index: one signature, one inventory that closes all, and the provenance of what was built together.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::text::quote;
use selfsame_attest::{Bundle, Inventory, InventoryDocument, Provenance, Statement};
use selfsame_core::{Day, Digest, SourceEpoch, uri};

use super::{JoinedFiles, Joining};
use crate::checks::log::Entries;
use crate::checks::{LATER, note};
use crate::trust::{Signed, Trust};
use crate::verdict::Unlisted;
use crate::verified::Evidence;

/// What one trusted key says about an index, whole.
pub(super) struct Closed {
    pub(super) joining: Joining,
    /// Whether somebody asked for exactly these platforms at once.
    pub(super) asked_together: bool,
    /// What else is there about the index.
    pub(super) unlisted: Vec<Unlisted>,
}

/// The check that a fault is of, and the fault.
type Refusal = (&'static str, String);

/// What the first trusted key that signed a whole set says. Documents by keys that are not trusted count for nothing.
pub(super) fn closed(files: &JoinedFiles, trust: &Trust, parts: &[&Evidence]) -> Result<Closed, Refusal> {
    let mut fault = ("signature", "no trusted key signed what joins the parts".to_owned());
    for trusted in trust.keys() {
        let mut by_type: BTreeMap<String, Vec<(Statement, Digest)>> = BTreeMap::new();
        let (mut unlogged, mut seen) = (None, None);
        let mut unlisted = Vec::new();
        for (file, bytes) in &files.joining {
            let Ok(bundle) = Bundle::parse(bytes) else {
                unlisted.push(note(file, None, "not a bundle that is read"));
                continue;
            };
            let Ok(statement) = bundle.verify(&trusted.key) else {
                let by = format!("by key {}, or not a statement by the signer", quote(bundle.key_id()));
                unlisted.push(note(file, None, &by));
                continue;
            };
            let kind = statement.predicate_type.as_str();
            // What its signer may add after the inventory is in no list.
            if LATER.contains(&kind) {
                unlisted.push(note(file, Some(kind), "by the release's signer, made after the inventory"));
            } else if !statement.is_about(files.index.digest) {
                unlisted.push(note(file, Some(kind), "about something else than the index"));
            } else {
                let entries = Entries::of(&bundle, &trusted.key, trust);
                unlogged = unlogged.or(entries.refusal().filter(|_| !trust.logs().is_empty()));
                if kind == uri::INVENTORY && entries.fault.is_none() {
                    seen = entries.seen.and_then(SourceEpoch::new).map(Day::of);
                }
                let of_type = by_type.entry(statement.predicate_type.clone()).or_default();
                of_type.push((statement, bundle.payload_digest()));
            }
        }
        if by_type.is_empty() {
            continue;
        }
        let may_not = by_type.keys().find(|kind| !trusted.may_sign(kind)).cloned();
        match by_key(files, &trusted.key, by_type, parts) {
            Ok(closed) => {
                let signed = Signed { release: Some(closed.joining.release_id), by: seen };
                let name = quote(&trusted.name);
                match (trusted.standing.counts(signed), may_not, unlogged) {
                    (Ok(_), None, None) => return Ok(Closed { unlisted, ..closed }),
                    (Err(why), ..) => fault = ("signature", format!("the key `{name}` {why}")),
                    (_, Some(kind), _) => {
                        fault = ("signature", format!("the key `{name}` may not sign `{}`", quote(&kind)))
                    }
                    (.., Some(refusal)) => fault = ("log", format!("a document that joins the parts {refusal}")),
                }
            }
            Err(refusal) => fault = refusal,
        }
    }
    Err(fault)
}

fn by_key(
    files: &JoinedFiles,
    key: &selfsame_attest::PublicKey,
    by_type: BTreeMap<String, Vec<(Statement, Digest)>>,
    parts: &[&Evidence],
) -> Result<Closed, Refusal> {
    if let Some((kind, _)) = by_type.iter().find(|(_, documents)| documents.len() > 1) {
        return Err((
            "signature",
            format!("there are two documents of type `{}` about the index", kind.escape_debug()),
        ));
    }
    let mut once: BTreeMap<String, (Statement, Digest)> =
        by_type.into_iter().filter_map(|(kind, documents)| Some((kind, documents.into_iter().next()?))).collect();
    let payloads: BTreeMap<String, Digest> = once.iter().map(|(kind, (_, payload))| (kind.clone(), *payload)).collect();
    if !once.contains_key(uri::COSIGN_SIGN) {
        return Err(("signature", "no image signature about the index by its signer".to_owned()));
    }
    let provenance = provenance(files, key, once.remove(uri::PROVENANCE).map(|(statement, _)| statement), parts)
        .map_err(|fault| ("platforms", fault))?;
    let (list, release_id) =
        once.remove(uri::INVENTORY).ok_or_else(|| ("inventory", "no inventory joins the parts".to_owned()))?;
    let inventory: Inventory = list.predicate_as().map_err(|error| ("inventory", error.to_string()))?;
    let named = |kind: &str, sha256: Digest| InventoryDocument { predicate_type: kind.to_owned(), sha256 };
    let mut present: BTreeSet<_> = parts.iter().map(|part| named(uri::INVENTORY, part.release_id)).collect();
    let own = payloads.iter().filter(|(kind, _)| kind.as_str() != uri::INVENTORY);
    present.extend(own.map(|(kind, payload)| named(kind, *payload)));
    let listed: BTreeSet<_> = inventory.documents.iter().cloned().collect();
    let known = [uri::COSIGN_SIGN, uri::PROVENANCE, uri::INVENTORY];
    let strange = payloads.keys().find(|kind| !known.contains(&kind.as_str()));
    let fault = match () {
        () if strange.is_some() => "its signer signed a document about the index that no release has",
        () if listed.len() != inventory.documents.len() => "the joining inventory lists a document twice",
        () if listed != present => {
            "the joining inventory does not list exactly what joins the parts, and the inventories of the parts"
        }
        () if inventory.checked != inventory.not_checked_because.is_empty() => {
            "the joining inventory says both that the actions were checked and why not"
        }
        () if inventory.checked && parts.iter().any(|part| !part.inventory.checked) => {
            "the joining inventory says that all was checked, and a part was not"
        }
        () => {
            let index = files.index.digest;
            let asked_together = provenance.is_some();
            let (signer, run_record) = (key.clone(), None);
            let joining = Joining { index, release_id, signer, inventory, provenance, payloads, run_record };
            return Ok(Closed { joining, asked_together, unlisted: Vec::new() });
        }
    };
    Err(("inventory", fault.to_owned()))
}

/// The provenance of all, where a part says that it was asked for among several: then there are exactly those, all by one
/// key. Where none says so there is none.
fn provenance(
    files: &JoinedFiles,
    key: &selfsame_attest::PublicKey,
    statement: Option<Statement>,
    parts: &[&Evidence],
) -> Result<Option<Provenance>, String> {
    let together =
        parts.iter().any(|part| part.provenance.build_definition.external_parameters.contains_key("platforms"));
    let (statement, together) = match (statement, together) {
        (None, false) => return Ok(None),
        (Some(_), false) => return Err("there is provenance of platforms that nobody asked for together".to_owned()),
        (statement, true) => {
            let each: Vec<&Provenance> = parts.iter().map(|part| &part.provenance).collect();
            let together = Provenance::of_several(&each).map_err(|fault| format!("the platforms {fault}"))?;
            (statement.ok_or("no provenance of all platforms by the index's signer")?, together)
        }
    };
    if parts.iter().any(|part| part.signer.fingerprint() != key.fingerprint()) {
        return Err("platforms that were asked for together are by another key than their index".to_owned());
    }
    let found: Provenance = statement.predicate_as().map_err(|error| error.to_string())?;
    if found != together {
        return Err("the provenance of all platforms says something else than those of each".to_owned());
    }
    let subjects = statement.subjects.iter().map(|subject| subject.digest.sha256());
    let wanted = parts.iter().map(|part| part.image).chain([files.index.digest]).map(Some);
    if subjects.clone().collect::<BTreeSet<_>>() != wanted.collect() || subjects.count() != parts.len() + 1 {
        return Err("the provenance of all platforms is about other images than those of the index".to_owned());
    }
    Ok(Some(found))
}
