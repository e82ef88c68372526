//! The inventory: the closed list of a release's evidence. docs/inventory/v1.md.

use selfsame_core::{Digest, uri};

use super::{Predicate, null_is_empty};

/// `{"checked":true,"documents":[{"predicateType":"https://slsa.dev/provenance/v1","sha256":"<hex>"},...]}`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Whether each action ran twice under variation and gave equal output before this was signed.
    pub checked: bool,
    /// Why not, when not: `--no-check`, `development key`. Empty when checked.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub not_checked_because: String,
    /// Every evidence document but this one, sorted by predicate type, then digest.
    pub documents: Vec<InventoryDocument>,
}

/// One evidence document, by the digest of its DSSE payload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryDocument {
    /// Its predicate type.
    pub predicate_type: String,
    /// SHA-256 of the payload, 64 lowercase hex digits.
    #[serde(with = "hex_digest")]
    pub sha256: Digest,
}

impl Predicate for Inventory {
    const TYPE: &'static str = uri::INVENTORY;
}

impl Inventory {
    /// An inventory of these documents, which it sorts. `not_checked_because` is the reason, or nothing if the release
    /// was checked.
    #[must_use]
    pub fn new(mut documents: Vec<InventoryDocument>, not_checked_because: Option<&str>) -> Self {
        documents.sort();
        Self {
            checked: not_checked_because.is_none(),
            not_checked_because: not_checked_because.unwrap_or_default().to_owned(),
            documents,
        }
    }
}

/// The identity of a release: the SHA-256 of its inventory's payload bytes.
///
/// Independent of key and signature, so two builders of one release agree on it.
#[must_use]
pub fn release_id(inventory_payload: &[u8]) -> Digest {
    Digest::of(inventory_payload)
}

mod hex_digest {
    use selfsame_core::Digest;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Digest::from_hex(&text).map_err(serde::de::Error::custom)
    }
}
