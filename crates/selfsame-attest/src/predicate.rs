//! The claims that selfsame makes and reads, one file each.
//!
//! Reading ignores unknown fields and takes null for absent, as in-toto demands; writing leaves empty fields out.

pub mod inventory;
pub mod provenance;
pub mod rebuild;
pub mod resource;
pub mod rotation;
pub mod run_record;
mod several;
pub mod summary;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::text;

/// A typed claim under its URI.
pub trait Predicate: Serialize + DeserializeOwned {
    /// The predicate type.
    const TYPE: &'static str;

    /// The JSON object.
    ///
    /// # Panics
    /// Never for the types of this crate: they serialise to objects.
    #[must_use]
    fn to_json(&self) -> Map<String, Value> {
        match serde_json::to_value(self).expect("a predicate of ours serialises") {
            Value::Object(fields) => fields,
            other => unreachable!("a predicate of ours is an object, not {other}"),
        }
    }

    /// Reads the JSON object.
    fn parse(predicate: &Map<String, Value>) -> Result<Self, PredicateError> {
        // Deserialising by reference: an SBOM may have megabytes.
        Self::deserialize(predicate)
            .map_err(|error| PredicateError { predicate_type: Self::TYPE, fault: text::quote(&error.to_string()) })
    }
}

/// A predicate without a required field or with one of the wrong kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a predicate of type `{predicate_type}` is not well formed: {fault}")]
pub struct PredicateError {
    /// Its type.
    pub predicate_type: &'static str,
    /// What is wrong with it.
    pub fault: String,
}

/// Null, absent and empty are the same (in-toto README, "Parsing rules").
fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
