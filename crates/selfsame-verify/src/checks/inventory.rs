//! The closed list, and the documents that it lists as one value.

use std::collections::BTreeSet;

use selfsame_attest::{Inventory, InventoryDocument};
use selfsame_core::uri;

use super::documents::{Documents, type_name};
use super::image::Image;
use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// The `inventory` row.
pub(super) fn check(documents: &mut Documents<'_>, image: &Image, rows: &mut Rows) -> Option<Evidence> {
    const ID: CheckId = CheckId::Inventory;
    let document = documents.by_type.get(uri::INVENTORY)?;
    let inventory: Inventory =
        document.statement.predicate_as().map_err(|error| rows.fail(ID, error.to_string(), Vec::new())).ok()?;
    let release_id = document.payload;

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
        false => format!("not run twice: {}", selfsame_attest::text::quote(&inventory.not_checked_because)),
    };
    rows.pass(ID, vec![Fact::new("release", release_id.to_string()), Fact::new("checked", checked)]);

    let provenance = documents.by_type.get(uri::PROVENANCE)?.statement.predicate_as();
    let provenance = provenance.map_err(|error| rows.fail(CheckId::BuildType, error.to_string(), Vec::new())).ok()?;
    let digests = |of: fn(&super::documents::Document) -> selfsame_core::Digest| {
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
        sbom: std::mem::take(&mut documents.by_type.get_mut(uri::CYCLONEDX)?.statement.predicate),
    })
}
