//! Values that passed: they can only be had from a verdict.

use std::collections::BTreeMap;
use std::ops::Deref;

use selfsame_attest::{Inventory, Provenance, PublicKey};
use selfsame_core::Digest;

use crate::sbom::Sbom;

/// A value out of a release that passed every check of its verdict's depth.
///
/// Nothing outside this crate can make one, so a function that takes a `Verified<T>` cannot be called with something
/// that nobody looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value alone, for those who need no proof any more.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The signed documents of one release.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The digest of the image manifest.
    pub image: Digest,
    /// The SHA-256 of the inventory's payload.
    pub release_id: Digest,
    /// The key that signed all of them.
    pub signer: PublicKey,
    /// What was built from what.
    pub provenance: Provenance,
    /// The CycloneDX document.
    pub sbom: Sbom,
    /// The closed list.
    pub inventory: Inventory,
    /// SHA-256 of each DSSE payload by predicate type: what a rebuild compares.
    pub payloads: BTreeMap<String, Digest>,
    /// SHA-256 of each bundle without its log entries, by predicate type: what a rebuild with the same key compares as well.
    pub bundles: BTreeMap<String, Digest>,
}
