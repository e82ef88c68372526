//! What can go wrong with a log's folder, as facts.

use std::io;
use std::path::{Path, PathBuf};

use selfsame_core::Digest;
use selfsame_log::{BodyError, CheckpointError, LogKeyError, LogSignerError, ProofError};

use crate::publish::PublishError;

/// Why a log could not do what was asked. The checkpoint that was there is there still, and holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogFolderError {
    /// A folder without what every log has.
    #[error("`{}` is not a log: it has no file `{missing}`", path.display())]
    NotALog {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// The key that the folder names.
    #[error("`{}` is not the key of a log: {fault}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: LogKeyError,
    },
    /// The checkpoint.
    #[error("`{}`: {fault}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: CheckpointError,
    },
    /// Another writer has the lock, and kept it.
    #[error("the log `{}` is being written by another process", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody wrote since the checkpoint was read.
    #[error("the log `{}` has grown meanwhile", path.display())]
    Moved {
        /// The folder.
        path: PathBuf,
    },
    /// The signer is not this log's.
    #[error("the key is not the one of the log `{}`", path.display())]
    WrongSigner {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is missing, or whose length is not what its place asks for.
    #[error("the log's file `{}` is missing or damaged", path.display())]
    NotATile {
        /// The file.
        path: PathBuf,
    },
    /// The tiles are not those that were signed.
    #[error("the tiles of the log `{}` give another root than its checkpoint", path.display())]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// Of the tiles.
        root: Digest,
        /// In the checkpoint.
        signed: Digest,
    },
    /// A proof out of the tiles does not hold.
    #[error("the tiles of the log `{}` do not agree with its checkpoint: {fault}", path.display())]
    Proof {
        /// The folder.
        path: PathBuf,
        /// Which.
        fault: ProofError,
    },
    /// There is no such entry.
    #[error("there is no entry {index} in a log of {size}")]
    NoEntry {
        /// The place.
        index: u64,
        /// Entries in the log.
        size: u64,
    },
    /// An entry of a kind that no bundle can carry.
    #[error("entry {index}: {fault}")]
    Body {
        /// Its place.
        index: u64,
        /// What is wrong with it.
        fault: BodyError,
    },
    /// An entry that no log takes.
    #[error("an entry of a log has at most {most_bytes} bytes")]
    TooLong {
        /// The limit.
        most_bytes: usize,
    },
    /// The checkpoint could not be signed.
    #[error("{0}")]
    Sign(LogSignerError),
    /// The folder could not be made.
    #[error("{0}")]
    Publish(PublishError),
    /// The disk.
    #[error("cannot {operation} `{}`: {source}", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl LogFolderError {
    pub(super) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }
}
