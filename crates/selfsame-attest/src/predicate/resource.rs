//! in-toto `ResourceDescriptor`: a thing by URI, name and digest.

use std::collections::BTreeMap;

use serde_json::Value;

use super::null_is_empty;
use crate::digest_set::DigestSet;

/// `{"digest":{"sha256":"..."},"name":"zlib","uri":"pkg:deb/debian/zlib1g@1.3"}`, every field optional.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDescriptor {
    /// What it is: a purl, a git URL. Empty when not given.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// Its content.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "DigestSet::is_empty")]
    pub digest: DigestSet,
    /// A name that is unique where it stands. Empty when not given.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its media type. Empty when not given.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Where it was had from, when that differs from `uri`. Empty when not given.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub download_location: String,
    /// Anything else.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}
