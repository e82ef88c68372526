//! Determinism levels: how much of the machine a build can still see.

use std::fmt;
use std::str::FromStr;

/// A level of docs/profile/v1.md. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No undeclared input: namespaces, no network, a fixed environment.
    Isolated,
    /// The default: fixed `/proc`, random files, ids, address layout and modification times on top.
    Normalized,
    /// Clocks, directory order and randomness answered by a supervisor. Not built by this version.
    Deterministic,
    /// One thread at a time. Not built by this version.
    Serialized,
}

impl Level {
    /// All of them, weakest first.
    pub const ALL: [Self; 4] = [Self::Isolated, Self::Normalized, Self::Deterministic, Self::Serialized];

    /// The word used in flags, locks and provenance.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Normalized => "normalized",
            Self::Deterministic => "deterministic",
            Self::Serialized => "serialized",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for Level {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| LevelError { text: text.chars().take(80).collect() })
    }
}

/// A word that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a level; there are isolated, normalized, deterministic and serialized")]
pub struct LevelError {
    /// The word.
    pub text: String,
}
