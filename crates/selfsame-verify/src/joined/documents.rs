//! The documents about an index: one signature, one inventory that closes all, and the provenance of what was built together.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::text::quote;
use selfsame_attest::{Bundle, Inventory, InventoryDocument, Provenance, Statement};
use selfsame_core::{Day, Digest, uri};
use selfsame_log::Histories;
use selfsame_oci::layout;

use super::{JoinedFault, JoinedFiles, Joining};
use crate::checks::log::Entries;
use crate::checks::stamps::{Stamps, seen};
use crate::checks::{LATER, SignedRebuild, Stands, note, relaxation_names};
use crate::files::ReleaseFiles;
use crate::trust::{Signed, Trust, TrustedKey};
use crate::verdict::Unlisted;
use crate::verified::Evidence;

/// What trusted keys say about an index, each a whole.
pub(super) struct Closed<'a> {
    /// What the first of them says, in the order of the trust.
    pub(super) joining: Joining,
    /// Whether somebody asked for exactly these platforms at once.
    pub(super) asked_together: bool,
    /// What time stamp authorities say of its documents.
    pub(super) stamps: Vec<String>,
    /// Who joined the parts, by who they are: a key's name for each identity.
    pub(super) joiners: BTreeMap<&'a str, &'a str>,
    /// Who did not, though its key signed something about the index, and why.
    pub(super) fallen: Vec<String>,
    /// Rebuild statements about the index by trusted keys.
    pub(super) rebuilds: Vec<SignedRebuild<'a>>,
    /// What else is there about the index.
    pub(super) unlisted: Vec<Unlisted>,
}

/// The check that a no is of, and why.
type Refusal = (&'static str, String);

/// What one key signed about the index.
#[derive(Default)]
struct Set {
    by_type: BTreeMap<String, Vec<(Statement, Digest)>>,
    /// What a log that is asked for says against one of them.
    unlogged: Option<String>,
    /// The logs that they are in.
    histories: Histories,
    /// What is wrong with a time stamp of one of them.
    unstamped: Option<String>,
    /// What authorities say of them.
    stamps: Vec<String>,
    /// The day on which witnesses saw the inventory.
    seen: Option<Day>,
}

/// All documents about the index, each read once and forgotten unless a trusted key signed it.
#[derive(Default)]
struct Documents<'a> {
    /// By the key's place in the trust.
    sets: BTreeMap<usize, Set>,
    rebuilds: Vec<SignedRebuild<'a>>,
    notes: Vec<Note>,
}

/// What is said of a document that does not join.
struct Note {
    /// The place of the key that signed it.
    by: Option<usize>,
    /// For whom that key does not join.
    others: Unlisted,
    /// For whom it does.
    own: Option<Unlisted>,
}

impl<'a> Documents<'a> {
    fn read(release: &dyn ReleaseFiles, files: &JoinedFiles, trust: &'a Trust) -> Result<Self, JoinedFault> {
        let mut documents = Self::default();
        for layer in &files.joining {
            let bytes = JoinedFiles::document(release, layer)?;
            documents.add(&layout::blob_path(layer.digest), &bytes, files.index.digest, trust);
        }
        Ok(documents)
    }

    fn add(&mut self, file: &str, bytes: &[u8], index: Digest, trust: &'a Trust) {
        let Ok(bundle) = Bundle::parse(bytes) else {
            let others = note(file, None, "not a bundle that is read");
            return self.notes.push(Note { by: None, others, own: None });
        };
        let by = format!("by key {}, or not a statement by the signer", quote(bundle.key_id()));
        let others = note(file, None, &by);
        let signed = trust.keys().iter().enumerate().find_map(|(by, key)| Some((by, bundle.verify(&key.key).ok()?)));
        let Some((by, statement)) = signed else {
            return self.notes.push(Note { by: None, others, own: None });
        };
        let trusted = &trust.keys()[by];
        let kind = statement.predicate_type.as_str();
        let (later, about) = (LATER.contains(&kind), statement.is_about(index));
        // What its signer may add after the inventory is in no list.
        let own = match () {
            () if later => Some(note(file, Some(kind), "by the release's signer, made after the inventory")),
            () if !about => Some(note(file, Some(kind), "about something else than the index")),
            () => None,
        };
        if own.is_none() {
            let set = self.sets.entry(by).or_default();
            let entries = Entries::of(&bundle, &trusted.key, trust);
            if !trust.logs().is_empty() && set.unlogged.is_none() {
                set.unlogged = entries.refusal().map(|refusal| refusal.to_string());
            }
            set.histories.merge(&entries.histories);
            let stamps = Stamps::of(&bundle, trust);
            if set.unstamped.is_none() {
                set.unstamped = stamps.refusal();
            }
            if kind == uri::INVENTORY {
                set.seen = seen(&entries, &stamps);
            }
            set.stamps.extend(stamps.found);
            set.by_type.entry(kind.to_owned()).or_default().push((statement, bundle.payload_digest()));
        } else if kind == uri::REBUILD {
            let by = seen(&Entries::of(&bundle, &trusted.key, trust), &Stamps::of(&bundle, trust));
            self.rebuilds.push((trusted, statement, by));
        }
        self.notes.push(Note { by: Some(by), others, own });
    }
}

/// What trusted keys that signed a whole set say. Documents by keys that are not trusted count for nothing.
///
/// `parts` are the releases of each platform that stand, each by another signer.
pub(super) fn closed<'a>(
    release: &dyn ReleaseFiles,
    files: &JoinedFiles,
    trust: &'a Trust,
    parts: &[Vec<Stands>],
) -> Result<Closed<'a>, (&'static str, JoinedFault)> {
    let read = Documents::read(release, files, trust).map_err(|fault| ("signature", fault))?;
    let Documents { sets, rebuilds, notes } = read;
    let mut fault = ("signature", "no trusted key signed what joins the parts".to_owned());
    let (mut first, mut joiners, mut fallen) = (None, BTreeMap::new(), Vec::new());
    for (place, set) in sets {
        let trusted = &trust.keys()[place];
        match by_key(files, trusted, set, parts) {
            Ok(joined) => {
                joiners.entry(trusted.identity.as_str()).or_insert(trusted.name.as_str());
                first.get_or_insert((place, joined));
            }
            Err(refusal) => {
                fallen.push(format!("{}: {}", quote(&trusted.name), refusal.1));
                fault = refusal;
            }
        }
    }
    let Some((place, (joining, asked_together, stamps))) = first else {
        return Err((fault.0, JoinedFault::Refused(fault.1)));
    };
    let told = |note: Note| if note.by == Some(place) { note.own } else { Some(note.others) };
    let unlisted = notes.into_iter().filter_map(told).collect();
    Ok(Closed { joining, asked_together, stamps, joiners, fallen, rebuilds, unlisted })
}

/// What one key joins, if it counts for that.
fn by_key(
    files: &JoinedFiles,
    trusted: &TrustedKey,
    set: Set,
    parts: &[Vec<Stands>],
) -> Result<(Joining, bool, Vec<String>), Refusal> {
    let Set { by_type, unlogged, mut histories, unstamped, stamps, seen } = set;
    let may_not = by_type.keys().find(|kind| !trusted.may_sign(kind)).cloned();
    // Of a platform that several signed, the release that this key lists, its own before others'.
    let inventories = by_type.get(uri::INVENTORY).into_iter().flatten();
    let lists: Vec<Inventory> = inventories.filter_map(|(list, _)| list.predicate_as().ok()).collect();
    let listed = |release: Digest| lists.iter().flat_map(|list| &list.documents).any(|it| it.sha256 == release);
    let of_part = |all: &'_ [Stands]| {
        let order = |(_, it): &(usize, &Stands)| {
            (!listed(it.evidence.release_id), it.evidence.signer.fingerprint() != trusted.key.fingerprint())
        };
        all.iter().enumerate().min_by_key(order).map(|(place, _)| place)
    };
    let parts: Vec<&Stands> = parts.iter().filter_map(|all| all.get(of_part(all)?)).collect();
    for part in &parts {
        histories.merge(&part.histories);
    }
    let parts: Vec<&Evidence> = parts.into_iter().map(|part| &part.evidence).collect();
    let (joining, asked_together) = whole(files, &trusted.key, by_type, &parts)?;
    let name = quote(&trusted.name);
    let signed = Signed { release: Some(joining.release_id), by: seen };
    if let Err(why) = trusted.standing.counts(signed) {
        return Err(("signature", format!("the key `{name}` {why}")));
    }
    if let Some(kind) = may_not {
        return Err(("signature", format!("the key `{name}` may not sign `{}`", quote(&kind))));
    }
    // A key whose builders somebody listed joins what comes from them.
    if trusted.builder_ids.is_some() {
        for part in &parts {
            let (builder, relaxed) = (&part.provenance.run_details.builder.id, relaxation_names(&part.provenance));
            if !trusted.accepted_builder_ids(!relaxed.is_empty()).contains(builder) {
                let builder = quote(builder);
                return Err((
                    "signature",
                    format!("the key `{name}` does not speak for the builder `{builder}` of a part"),
                ));
            }
        }
    }
    match (unlogged, histories.fork()) {
        (Some(refusal), _) => Err(("log", format!("a document that joins the parts {refusal}"))),
        (None, Some(fork)) => Err(("log", fork.to_string())),
        (None, None) => match unstamped {
            Some(refusal) => Err(("time-stamps", format!("a document that joins the parts {refusal}"))),
            None => Ok((joining, asked_together, stamps)),
        },
    }
}

/// What a key's documents join, whoever may use the key.
fn whole(
    files: &JoinedFiles,
    key: &selfsame_attest::PublicKey,
    by_type: BTreeMap<String, Vec<(Statement, Digest)>>,
    parts: &[&Evidence],
) -> Result<(Joining, bool), Refusal> {
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
            return Ok((joining, asked_together));
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
