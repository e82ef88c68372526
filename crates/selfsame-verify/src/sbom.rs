//! The CycloneDX document of a release, as text: it may be most of what was signed.

use std::sync::Arc;

use serde_json::{Map, Value};

use selfsame_attest::StatementText;
use selfsame_core::json::{Node, Objects};

/// A CycloneDX document in the payload that it was signed in. A copy costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sbom(Arc<StatementText<'static>>);

impl Sbom {
    pub(crate) fn new(statement: StatementText<'static>) -> Self {
        Self(Arc::new(statement))
    }

    /// The value of one of its fields.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<Node<'_>> {
        self.0.predicate()?.get(field)
    }

    /// The objects in the array under `field`; none where there is no array.
    #[must_use]
    pub fn objects(&self, field: &str) -> Objects<'_> {
        self.0.predicate().map(|predicate| predicate.objects(field)).unwrap_or_default()
    }

    /// The document apart from its text: many times as large.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        self.0.predicate().map(|predicate| predicate.to_map()).unwrap_or_default()
    }
}
