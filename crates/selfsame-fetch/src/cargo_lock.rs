//! Cargo.lock, as far as fetching needs it: registry crates by checksum.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::Digest;
use serde::Deserialize;

/// The largest Cargo.lock that is read.
pub(crate) const LIMIT_BYTES: u64 = 16 << 20;

/// The packages of a Cargo.lock by where they come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CargoLock {
    /// Name and version to checksum and the registry's source id.
    pub(crate) registry: BTreeMap<(String, String), LockedCrate>,
    /// Names of packages without a source: members of the workspace, or path dependencies.
    pub(crate) local: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockedCrate {
    pub(crate) sha256: Digest,
    pub(crate) registry: String,
}

/// The digests of the crates that a Cargo.lock names, for whoever decides what stays in a store.
pub fn locked_crates(text: &str) -> Result<BTreeSet<Digest>, CargoLockError> {
    Ok(CargoLock::parse(text)?.registry.into_values().map(|locked| locked.sha256).collect())
}

/// Why a Cargo.lock cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CargoLockError {
    /// Not TOML, or not of the shape.
    #[error("Cargo.lock cannot be read: {message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// A version that came later.
    #[error("Cargo.lock has version {version}; versions 3 and 4 are read")]
    Version {
        /// Its version.
        version: u64,
    },
    /// A dependency from a git repository.
    #[error("crate `{name}` {version} comes from git (`{source_id}`); crates from registries can be fetched")]
    Git {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
        /// As Cargo.lock has it.
        source_id: String,
    },
    /// Another kind of source.
    #[error("crate `{name}` {version} comes from `{source_id}`; crates from registries can be fetched")]
    Source {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
        /// As Cargo.lock has it.
        source_id: String,
    },
    /// No checksum, or one that is none.
    #[error("crate `{name}` {version} has no checksum in Cargo.lock")]
    Checksum {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
    },
    /// A name or version that is none.
    #[error("Cargo.lock names a crate `{name}` {version}, which is no proper name and version")]
    Name {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
    },
    /// Two registries have another crate by the same name and version.
    #[error("crate `{name}` {version} comes from two registries with two checksums; only one can be vendored")]
    Twice {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
    },
}

#[derive(Deserialize)]
struct Wire {
    version: Option<u64>,
    #[serde(default)]
    package: Vec<WirePackage>,
}

#[derive(Deserialize)]
struct WirePackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl CargoLock {
    /// Parses the text of a Cargo.lock. What cannot be pinned by a checksum is refused by name.
    pub(crate) fn parse(text: &str) -> Result<Self, CargoLockError> {
        let wire: Wire =
            toml::from_str(text).map_err(|error| CargoLockError::Syntax { message: error.message().to_owned() })?;
        // No version is the second format, which has checksums in the same place.
        if let Some(version) = wire.version.filter(|version| !(3..=4).contains(version)) {
            return Err(CargoLockError::Version { version });
        }
        let mut lock = Self::default();
        for WirePackage { name, version, source, checksum } in wire.package {
            if !is_name(&name) || !is_version(&version) {
                let clip = |text: String| text.chars().take(80).flat_map(char::escape_debug).collect();
                return Err(CargoLockError::Name { name: clip(name), version: clip(version) });
            }
            let Some(source_id) = source else {
                lock.local.insert(name);
                continue;
            };
            if source_id.starts_with("git+") {
                return Err(CargoLockError::Git { name, version, source_id });
            }
            if !source_id.starts_with("registry+") && !source_id.starts_with("sparse+") {
                return Err(CargoLockError::Source { name, version, source_id });
            }
            let sha256 = checksum.and_then(|checksum| Digest::from_hex(&checksum).ok());
            let Some(sha256) = sha256 else { return Err(CargoLockError::Checksum { name, version }) };
            let locked = LockedCrate { sha256, registry: source_id };
            let key = (name, version);
            if let Some(other) = lock.registry.get(&key)
                && other.sha256 != sha256
            {
                let (name, version) = key;
                return Err(CargoLockError::Twice { name, version });
            }
            lock.registry.insert(key, locked);
        }
        Ok(lock)
    }
}

/// Names become parts of paths, so no more is let through than cargo itself does.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_version(version: &str) -> bool {
    (1..=128).contains(&version.len())
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    fn package(name: &str, version: &str, rest: &str) -> String {
        format!("[[package]]\nname = {name:?}\nversion = {version:?}\n{rest}\n")
    }

    fn from(source: &str) -> String {
        format!("source = \"{source}\"\nchecksum = \"{}\"", Digest::of(b"x").hex())
    }

    #[track_caller]
    fn refused(text: &str, because: &str) {
        let error = CargoLock::parse(text).expect_err(because).to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn reads_what_cargo_writes() {
        for head in ["version = 3\n", "version = 4\n", ""] {
            let text = format!(
                "# generated\n{head}{}{}{}[metadata]\nx = 1\n",
                package("a", "1.0.0+meta", &format!("{}\ndependencies = [\"b\"]", from(CRATES_IO))),
                package("b", "2.0.0-rc.1", &from("sparse+https://registry.example/index/")),
                package("me", "0.0.0", "")
            );
            let lock = CargoLock::parse(&text).unwrap();
            assert_eq!(lock.local, ["me".to_owned()].into());
            assert_eq!(lock.registry.len(), 2);
            assert_eq!(lock.registry[&("a".to_owned(), "1.0.0+meta".to_owned())].registry, CRATES_IO);
        }
    }

    #[test]
    fn what_no_checksum_pins_is_refused_by_name() {
        refused(&package("g", "1.0.0", &from("git+https://e.example/g?rev=1#abc")), "`g` 1.0.0 comes from git");
        refused(&package("d", "1.0.0", &from("directory+file:///x")), "`d` 1.0.0 comes from `directory+");
        refused(&package("c", "1.0.0", &format!("source = \"{CRATES_IO}\"")), "`c` 1.0.0 has no checksum");
        refused(&package("c", "1.0.0", &format!("source = \"{CRATES_IO}\"\nchecksum = \"x\"")), "has no checksum");
        refused(&package("../c", "1.0.0", &from(CRATES_IO)), "no proper name");
        refused(&package("c", "../1", &from(CRATES_IO)), "no proper name");
        refused("version = 5", "has version 5");
        refused("package = 1", "cannot be read");
        let other = from("sparse+https://x/").replace("checksum = \"2", "checksum = \"3");
        refused(&(package("c", "1.0.0", &from(CRATES_IO)) + &package("c", "1.0.0", &other)), "two registries");
    }
}
