//! What can go wrong with a store, as facts.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use selfsame_core::Digest;
use selfsame_tree::TextError;

/// Why the store could not do what was asked. Nothing partial is left behind by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The root exists and is a file, a link to one, or a device.
    #[error("store `{}` is not a folder", path.display())]
    NotAFolder {
        /// The root.
        path: PathBuf,
    },
    /// The root is a folder that holds something, and no store.
    #[error("`{}` is not a store: it holds `{stranger}` and no `version` file", path.display())]
    NotAStore {
        /// The root.
        path: PathBuf,
        /// One entry that no store has.
        stranger: String,
    },
    /// The store was written by another version of selfsame.
    #[error("store `{}` has version `{found}`; this selfsame reads `{known}`", path.display())]
    Version {
        /// The root.
        path: PathBuf,
        /// The beginning of its `version` file.
        found: String,
        /// What that file should say.
        known: &'static str,
    },
    /// The file system is mounted read-only.
    #[error("`{}` is on a read-only file system", path.display())]
    ReadOnly {
        /// What could not be written.
        path: PathBuf,
    },
    /// The invoking user may not.
    #[error("no permission to {operation} `{}`", path.display())]
    Permission {
        /// A verb: `read`, `create`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
    },
    /// No space, no inodes or no quota left. What was being written is gone again.
    #[error("no space left to {operation} `{}`", path.display())]
    Full {
        /// A verb.
        operation: &'static str,
        /// The file that did not fit.
        path: PathBuf,
    },
    /// Another process uses the store, and garbage can only be collected alone.
    #[error("store `{}` is in use by another process", path.display())]
    Busy {
        /// The root.
        path: PathBuf,
    },
    /// A blob is not in the store.
    #[error("{digest} is not in the store")]
    Absent {
        /// The blob.
        digest: Digest,
    },
    /// A blob's bytes are not what its name says. It was moved to `corrupt/`, so that it can be had anew.
    #[error("blob {digest} is damaged in the store: its {size_bytes} bytes are {found}")]
    Corrupt {
        /// Its name.
        digest: Digest,
        /// How many bytes the file had.
        size_bytes: u64,
        /// The digest of those bytes.
        found: Digest,
    },
    /// A blob is whole, and has not as many bytes as a tree says.
    #[error("blob {digest} has {size_bytes} bytes, not {expected_bytes}")]
    WrongSize {
        /// Its name.
        digest: Digest,
        /// How many it has.
        size_bytes: u64,
        /// How many the tree says.
        expected_bytes: u64,
    },
    /// Bytes to be stored are not the ones that were announced. They were discarded.
    #[error("expected {expected} of {expected_bytes} bytes, got {found} of {found_bytes}")]
    Unexpected {
        /// Announced.
        expected: Digest,
        /// Announced.
        expected_bytes: u64,
        /// What came; of the first `expected_bytes + 1` bytes where more came.
        found: Digest,
        /// How many came, reading stopped one byte behind the announced size.
        found_bytes: u64,
    },
    /// More bytes than the caller wants in memory.
    #[error("{digest} has {size_bytes} bytes; at most {limit_bytes} are read")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A blob with the right digest is no tree.
    #[error("{digest} is not a tree")]
    NotATree {
        /// The blob.
        digest: Digest,
        /// Where its text is wrong.
        source: TextError,
    },
    /// Something else than a regular file was to be stored.
    #[error("`{}` is not a regular file", path.display())]
    NotRegular {
        /// Where.
        path: PathBuf,
    },
    /// A file got another size or time while it was read.
    #[error("`{}` changed while it was read", path.display())]
    Changing {
        /// Where.
        path: PathBuf,
    },
    /// A folder that should be new or empty holds something.
    #[error("`{}` exists and is not an empty folder", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The reader that was to be stored failed; no fault of the store.
    #[error("the bytes to be stored could not be read")]
    Source {
        /// What it said.
        source: io::Error,
    },
    /// The disk failed in another way.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Sorts a system error at `path` into one of the named kinds.
    pub(crate) fn io(operation: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        let (source, path) = (error.into(), path.to_owned());
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { operation, path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::PermissionDenied => Self::Permission { operation, path },
            _ => Self::Io { operation, path, source },
        }
    }
}
