//! Why there is no image.

use std::io;
use std::path::PathBuf;

use selfsame_core::{Digest, Platform};
use selfsame_oci::{ApplyError, DocumentError, ReadError, SelectError};
use selfsame_registry::{ReferenceError, RegistryError};
use selfsame_store::StoreError;

/// Why an image could not be chosen, brought or laid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OciError {
    /// The definition's text is no reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The registry gave no image.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The layout or archive is not there, or cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither a layout nor an archive.
    #[error("`{}` {fault}", path.display())]
    NotOne {
        /// Where.
        path: PathBuf,
        /// The rest of the sentence.
        fault: String,
    },
    /// The archive's tar is refused.
    #[error("archive `{}` cannot be read", path.display())]
    Archive {
        /// Where.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// A document of the image is refused.
    #[error("image of input `{input}`")]
    Document {
        /// The input.
        input: String,
        /// Which document, and why.
        source: DocumentError,
    },
    /// No image is meant, or several are.
    #[error("input `{input}`")]
    Select {
        /// The input.
        input: String,
        /// What there is.
        source: SelectError,
    },
    /// A blob that the image names is not there.
    #[error("input `{input}`: `{}` lacks {digest}, which the image names", path.display())]
    Lacks {
        /// The input.
        input: String,
        /// The layout or archive.
        path: PathBuf,
        /// The blob.
        digest: Digest,
    },
    /// A blob that is not what its name or descriptor says.
    #[error("input `{input}`: expected {expected} of {expected_bytes} bytes, found {found} of {found_bytes} bytes")]
    OtherBytes {
        /// The input.
        input: String,
        /// As announced.
        expected: Digest,
        /// As announced.
        expected_bytes: u64,
        /// As found.
        found: Digest,
        /// As found.
        found_bytes: u64,
    },
    /// Indexes within indexes, deeper than is read.
    #[error("input `{input}`: more than {limit} indexes within one another")]
    TooDeep {
        /// The input.
        input: String,
        /// How many are read.
        limit: usize,
    },
    /// The image is for another platform than its index or the definition says.
    #[error("input `{input}`: image {manifest} is for {there}, not for {wanted}")]
    Platform {
        /// The input.
        input: String,
        /// Its manifest.
        manifest: Digest,
        /// As its config says.
        there: Platform,
        /// As was asked for.
        wanted: Platform,
    },
    /// An artifact where an image should be.
    #[error("input `{input}`: {manifest} is no image: its config is of the media type `{}`", media_type.escape_debug())]
    NoImage {
        /// The input.
        input: String,
        /// Its manifest.
        manifest: Digest,
        /// Of its config.
        media_type: String,
    },
    /// A layer is refused.
    #[error("input `{input}`: layer {digest}")]
    Layer {
        /// The input.
        input: String,
        /// As stored.
        digest: Digest,
        /// Why.
        source: ReadError,
    },
    /// A layer holds another tar than the config says.
    #[error("input `{input}`: layer {digest} holds the tar {found}; the config says {expected}")]
    DiffId {
        /// The input.
        input: String,
        /// As stored.
        digest: Digest,
        /// By the config.
        expected: Digest,
        /// As found.
        found: Digest,
    },
    /// Layers that do not go on top of one another.
    #[error("image of input `{input}`")]
    Apply {
        /// The input.
        input: String,
        /// Which, and why.
        source: ApplyError,
    },
    /// A manifest of a lock that names what the lock does not.
    #[error("input `{input}`: manifest {manifest} names {digest}, which is not among the locked parts")]
    NotAmongParts {
        /// The input.
        input: String,
        /// The manifest.
        manifest: Digest,
        /// What it names.
        digest: Digest,
    },
    /// Where the image was, it no longer is.
    #[error("input `{input}`: {digest} is no longer there")]
    Gone {
        /// The input.
        input: String,
        /// The locked blob.
        digest: Digest,
    },
    /// The store failed.
    #[error("image could not be stored")]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
}

impl OciError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn retry_may_help(&self) -> bool {
        matches!(self, Self::Registry(error) if error.retry_may_help())
    }
}
