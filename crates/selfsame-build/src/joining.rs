//! What joins the releases of one image for several platforms: documents about the index. docs/release/joined.md.

use selfsame_attest::{Inventory, InventoryDocument, Provenance, Statement, Subject};
use selfsame_core::{Digest, Platform, uri};

use crate::build::Built;
use crate::error::BuildError;
use crate::evidence::Evidence;
use crate::provenance::provenance_of;

/// One platform's release, as what joins it names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// What it is for.
    pub platform: Platform,
    /// Of its manifest.
    pub image: Digest,
    /// The digest of its inventory's payload.
    pub release_id: Digest,
}

impl Joined {
    /// A part that was built and signed.
    #[must_use]
    pub fn of(built: &Built, evidence: &Evidence) -> Self {
        let record = &built.record;
        let platform = record.request.platform.clone();
        Self { platform, image: record.image.manifest.digest, release_id: evidence.release_id }
    }
}

/// The provenance of builds that were asked for together.
pub fn provenance_of_several(parts: &[&Built]) -> Result<Provenance, BuildError> {
    let each: Vec<Provenance> = parts.iter().map(|built| provenance_of(&built.record)).collect();
    let each: Vec<&Provenance> = each.iter().collect();
    Provenance::of_several(&each).map_err(|fault| BuildError::Index { fault: format!("they {fault}") })
}

/// The statements that join parts under an index, unsigned; the inventory is the last. Provenance is there only where
/// the parts were built together.
#[must_use]
pub fn joining_statements(
    name: &str,
    index: Digest,
    parts: &[Joined],
    provenance: Option<&Provenance>,
    not_checked_because: Option<&str>,
) -> Vec<Statement> {
    let subject = || Subject::new(name, index);
    let mut statements = Vec::new();
    if let Some(provenance) = provenance {
        let image = |part: &Joined| Subject::new(format!("{name} {}", part.platform), part.image);
        let subjects = std::iter::once(subject()).chain(parts.iter().map(image)).collect();
        statements.push(Statement::new(subjects, provenance));
    }
    statements.push(Statement::cosign_sign(vec![subject()]));
    let own = statements
        .iter()
        .map(|statement| (statement.predicate_type.clone(), Digest::of(&statement.to_payload())))
        .map(|(predicate_type, sha256)| InventoryDocument { predicate_type, sha256 });
    let inventory =
        |part: &Joined| InventoryDocument { predicate_type: uri::INVENTORY.to_owned(), sha256: part.release_id };
    let documents = own.chain(parts.iter().map(inventory)).collect();
    statements.push(Statement::new(vec![subject()], &Inventory::new(documents, not_checked_because)));
    statements
}
