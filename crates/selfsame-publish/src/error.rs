//! Why a release was not moved, as facts.

use std::io;

use selfsame_core::Digest;
use selfsame_registry::RegistryError;
use selfsame_store::StoreError;

use crate::outline::OutlineError;

/// Why a release was not pushed or pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The registry did not do it, or what it gave was refused.
    #[error("{source}")]
    Registry {
        /// What it was.
        source: RegistryError,
    },
    /// The release is not whole.
    #[error("{source}")]
    Release {
        /// What is missing.
        source: OutlineError,
    },
    /// A file of the release could not be read meanwhile.
    #[error("`{name}` of the release cannot be read")]
    File {
        /// Which.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The store failed.
    #[error("{source}")]
    Store {
        /// Why.
        source: StoreError,
    },
    /// Everything was sent, and the registry does not list it.
    #[error("{host} has the documents of {image} and does not list {missing} of them as its referrers")]
    NotListed {
        /// The registry.
        host: String,
        /// What they are about.
        image: Digest,
        /// How many are not listed.
        missing: usize,
    },
    /// A digest was asked for, and the release has another.
    #[error("the reference names {asked}, and the release is {found}")]
    OtherImage {
        /// By the reference.
        asked: Digest,
        /// Of the release.
        found: Digest,
    },
    /// The reference has a tag and a digest, and the tag names something else now.
    #[error("the tag `{tag}` names {found}, and the reference says {asked}")]
    TagAndDigest {
        /// The tag.
        tag: String,
        /// By the reference.
        asked: Digest,
        /// By the registry.
        found: Digest,
    },
    /// Not all that the registry lists about an image was looked at, and what was is no complete release.
    #[error("more is attached to {image} than is looked at: {left_out} documents were left out; without them {fault}")]
    TooManyReferrers {
        /// What they are about.
        image: Digest,
        /// How many were left out.
        left_out: usize,
        /// What is missing without them.
        fault: String,
    },
    /// The reference names what refers to an image, or something that no release is made of.
    #[error("{found} is no image that could be a release: {fault}")]
    NotAnImage {
        /// Its digest.
        found: Digest,
        /// What it is.
        fault: String,
    },
}

impl PublishError {
    /// Whether the same may succeed later, as it is.
    #[must_use]
    pub fn retry_may_help(&self) -> bool {
        matches!(self, Self::Registry { source } if source.retry_may_help())
    }
}

impl From<RegistryError> for PublishError {
    fn from(source: RegistryError) -> Self {
        Self::Registry { source }
    }
}

impl From<OutlineError> for PublishError {
    fn from(source: OutlineError) -> Self {
        Self::Release { source }
    }
}

impl From<StoreError> for PublishError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}
