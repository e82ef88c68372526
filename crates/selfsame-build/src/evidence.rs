//! From a build to signed evidence: four statements, four bundles, one inventory that closes the set.

use selfsame_attest::{
    Bundle, Inventory, InventoryDocument, SignError, Signer, Statement, Subject, release_id, sign_statement,
};
use selfsame_core::{Digest, uri};

use crate::build::Built;
use crate::provenance::provenance_of;

/// The signed documents of a release, in the order in which index.json lists them.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Provenance, SBOM, cosign's signature, inventory.
    pub bundles: Vec<SignedDocument>,
    /// The digest of the inventory's payload: the release's identity, whoever signed it.
    pub release_id: Digest,
}

/// One statement in its bundle.
#[derive(Clone, Debug)]
pub struct SignedDocument {
    /// What it claims.
    pub predicate_type: String,
    /// SHA-256 of the payload: what a rebuild compares.
    pub payload: Digest,
    /// The bundle's bytes.
    pub bundle: Vec<u8>,
}

/// The statements of a release, unsigned: a pure function of the build. The inventory is the last.
#[must_use]
pub fn statements(built: &Built, not_checked_because: Option<&str>) -> Vec<Statement> {
    let subject = subject(built);
    let sbom = serde_json::from_slice(&built.sbom).expect("an SBOM of our own is an object");
    let mut statements = vec![
        Statement::new(vec![subject.clone()], &provenance_of(&built.record)),
        Statement::raw(vec![subject.clone()], uri::CYCLONEDX, sbom),
        Statement::cosign_sign(vec![subject.clone()]),
    ];
    let documents = statements
        .iter()
        .map(|statement| InventoryDocument {
            predicate_type: statement.predicate_type.clone(),
            sha256: Digest::of(&statement.to_payload()),
        })
        .collect();
    statements.push(Statement::new(vec![subject], &Inventory::new(documents, not_checked_because)));
    statements
}

/// The subject of every statement: the image, by the digest of its manifest.
#[must_use]
pub fn subject(built: &Built) -> Subject {
    let request = &built.record.request;
    Subject::new(format!("{}:{}", request.name, request.version), built.record.image.manifest.digest)
}

/// Signs all of them, or none.
pub fn sign(statements: &[Statement], signer: &dyn Signer) -> Result<Evidence, SignError> {
    let mut bundles = Vec::with_capacity(statements.len());
    for statement in statements {
        let bundle: Bundle = sign_statement(statement, signer)?;
        bundles.push(SignedDocument {
            predicate_type: statement.predicate_type.clone(),
            payload: bundle.payload_digest(),
            bundle: bundle.to_bytes(),
        });
    }
    let inventory = statements.last().expect("a release has an inventory");
    Ok(Evidence { bundles, release_id: release_id(&inventory.to_payload()) })
}
