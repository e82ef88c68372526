//! Python: hashed requirements files, `uv.lock`, index pages, wheels' metadata, pip's settings.

mod config;
mod metadata;
mod record;
mod requirements;
mod simple;
mod uv_lock;

use std::collections::BTreeSet;

use selfsame_core::Digest;

use crate::version::Version;

pub use config::{PipConfig, PipSettings};
pub use metadata::{Dependency, Metadata};
pub use record::{Record, RecordEntry};
pub use requirements::{Formats, Include, Requirement, Requirements};
pub use simple::{IndexFile, IndexPage, resolve_url};
pub use uv_lock::UvLock;

/// One version of a package, by the digests of the files that may be it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Normal (PEP 503): `markupsafe`.
    pub name: String,
    /// The one version.
    pub version: Version,
    /// Whichever file is taken has one of these.
    pub sha256: BTreeSet<Digest>,
    /// The files by name, where the lock names them (`uv.lock` does, requirements files do not).
    pub files: Vec<PinnedFile>,
    /// Where it stands, for messages: `line 12 of requirements.txt`.
    pub place: String,
}

/// A file that a lock names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedFile {
    /// `flask-3.1.3-py3-none-any.whl`
    pub name: String,
    /// Of the file.
    pub sha256: Digest,
    /// In bytes, where the lock says it.
    pub size_bytes: Option<u64>,
}

/// A package's name in its normal form (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`.
#[must_use]
pub fn normal_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.push(c.to_ascii_lowercase()),
        }
    }
    normal
}

/// Whether a name is one (PEP 508): letters, digits, `-`, `_` and `.`, and at both ends a letter or digit.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    name.len() <= 128
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(normal_name("Ruamel__.YAML-clib"), "ruamel-yaml-clib");
        assert!(is_name("A1.b-c_d") && is_name("x"));
        for name in ["", "-a", "a-", "a b", "a/b", "é", "a@b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
