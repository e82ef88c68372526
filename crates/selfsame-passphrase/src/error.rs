//! Why a locked key stays locked.

use std::fmt;

use selfsame_attest::PemError;

use crate::MOST_PASSPHRASE_BYTES;
use crate::costs::{MOST_ITERATIONS, MOST_MEMORY};

/// Why a key was not opened, or not locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockedKeyError {
    /// Not one PEM block of a known kind.
    #[error("{0}")]
    Pem(PemError),
    /// Not the structure that its label promises, or one in a form that is not read.
    #[error("the `{label}` block {fault}")]
    Shape {
        /// The block's label.
        label: &'static str,
        /// The rest of the sentence.
        fault: String,
    },
    /// More work than any key is worth: a mistake, or an attack.
    #[error(
        "the key asks for {asked} before it opens; at most {MOST_ITERATIONS} iterations of PBKDF2 and {} MiB for scrypt are spent",
        MOST_MEMORY >> 20
    )]
    Cost {
        /// What it asks for.
        asked: String,
    },
    /// The passphrase does not fit, or what it locks was changed: nobody can tell which.
    #[error("the passphrase is wrong, or the key file is damaged")]
    NotOpened,
    /// A passphrase that nothing is locked with, or that none can be.
    #[error("{0}")]
    Passphrase(Wrong),
}

/// What is wrong with a passphrase itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// No letter at all.
    Empty,
    /// Longer than [`MOST_PASSPHRASE_BYTES`].
    TooLong,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the passphrase is empty"),
            Self::TooLong => write!(f, "the passphrase has more than {MOST_PASSPHRASE_BYTES} bytes"),
        }
    }
}
