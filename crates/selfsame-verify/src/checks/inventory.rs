//! The closed list, and the documents that it lists as one value.

use std::collections::BTreeSet;

use selfsame_attest::text::quote;
use selfsame_attest::{Inventory, InventoryDocument};
use selfsame_core::{Digest, uri};

use super::documents::{Document, Documents, type_name};
use super::image::Image;
use crate::rows::Rows;
use crate::trust::Signed;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// The rows `inventory` and `key`.
pub(super) fn check(documents: &mut Documents<'_>, image: &Image, rows: &mut Rows) -> Option<Evidence> {
    const ID: CheckId = CheckId::Inventory;
    let document = documents.by_type.get(uri::INVENTORY)?;
    let inventory: Inventory =
        document.statement.predicate_as().map_err(|error| rows.fail(ID, error.to_string(), Vec::new())).ok()?;
    let release_id = document.payload;
    key(documents, release_id, rows);

    let present: BTreeSet<InventoryDocument> = documents
        .by_type
        .iter()
        .filter(|(predicate_type, _)| *predicate_type != uri::INVENTORY)
        .map(|(predicate_type, document)| InventoryDocument {
            predicate_type: predicate_type.clone(),
            sha256: document.payload,
        })
        .collect();
    let listed: BTreeSet<InventoryDocument> = inventory.documents.iter().cloned().collect();
    let facts = |it: &InventoryDocument| vec![Fact::new("payload", it.sha256.to_string())];
    if let Some(missing) = listed.difference(&present).next() {
        let name = type_name(&missing.predicate_type);
        rows.fail(ID, format!("the inventory lists another {name} than the one that is there"), facts(missing));
    }
    if let Some(extra) = present.difference(&listed).next() {
        rows.fail(ID, format!("the {} is not in the inventory", type_name(&extra.predicate_type)), facts(extra));
    }
    if inventory.documents.len() != listed.len() {
        rows.fail(ID, "the inventory lists a document twice", Vec::new());
    }
    if inventory.checked != inventory.not_checked_because.is_empty() {
        rows.fail(ID, "the inventory says both that the actions were checked and why not", Vec::new());
    }
    let checked = match inventory.checked {
        true => "each action ran twice and gave equal output".to_owned(),
        false => format!("not run twice: {}", quote(&inventory.not_checked_because)),
    };
    rows.pass(ID, vec![Fact::new("release", release_id.to_string()), Fact::new("checked", checked)]);

    let provenance = documents.by_type.get(uri::PROVENANCE)?.statement.predicate_as();
    let provenance = provenance.map_err(|error| rows.fail(CheckId::BuildType, error.to_string(), Vec::new())).ok()?;
    let digests = |of: fn(&Document) -> Digest| {
        documents.by_type.iter().map(|(predicate_type, document)| (predicate_type.clone(), of(document))).collect()
    };
    Some(Evidence {
        image: image.descriptor.digest,
        release_id,
        signer: documents.signer.key.clone(),
        provenance,
        inventory,
        payloads: digests(|document| document.payload),
        bundles: digests(|document| document.bundle),
        // Moved, not copied: it may be most of the release's documents.
        sbom: documents.by_type.get_mut(uri::CYCLONEDX)?.sbom.take()?,
    })
}

/// The `key` row: whether the signer's key counts for this release, and may sign what it signed.
///
/// What is shown to have been signed in time is the inventory: it names every other payload.
fn key(documents: &Documents<'_>, release_id: Digest, rows: &mut Rows) {
    const ID: CheckId = CheckId::Key;
    let signer = documents.signer;
    let facts = |told: &str| {
        vec![
            Fact::new("key", signer.key.key_id()),
            Fact::new("name", quote(&signer.name)),
            Fact::new("held by", quote(&signer.identity)),
            Fact::new("standing", told),
        ]
    };
    let by = documents.by_type.get(uri::INVENTORY).and_then(Document::seen);
    let standing = signer.standing.counts(Signed { release: Some(release_id), by });
    match standing {
        Err(fault) => rows.fail(ID, format!("the key `{}` {fault}", quote(&signer.name)), facts(&fault)),
        Ok(told) => {
            if let Some(kind) = documents.by_type.keys().find(|kind| !signer.may_sign(kind)) {
                let reason = format!("the key `{}` may not sign this: {}", quote(&signer.name), type_name(kind));
                return rows.fail(ID, reason, facts(&told));
            }
            rows.pass(ID, facts(&told));
        }
    }
}
