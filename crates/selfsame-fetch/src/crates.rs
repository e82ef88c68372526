//! The crates of a Cargo.lock: found, fetched, and laid out as a directory source for an offline cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use selfsame_core::{Digest, RelPath};
use selfsame_http::Environment;
use selfsame_lock::{Purl, PurlError};
use selfsame_store::{PublishError, Staging, Store, StoreError};
use selfsame_tree::{Entry, Kind, Tree, TreeError};
use serde::Deserialize;

use crate::archive::{ArchiveError, Limits, unpack_archive};
use crate::cargo::{self, CargoError};
use crate::cargo_lock::{self, CargoLock, CargoLockError, LockedCrate};
use crate::{memo, parallel};

mod asked;

pub(crate) use asked::ask;

/// The largest manifest or configuration file that is read.
const MANIFEST_BYTES: u64 = 4 << 20;
/// The largest `.crate`.
const CRATE_BYTES: u64 = 1 << 30;

/// The crates that a Cargo.lock pins: all in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateSet {
    /// By name, then version as text.
    pub crates: Vec<CrateInput>,
    /// The source ids of their registries, as Cargo.lock has them: `registry+https://...` or `sparse+https://...`.
    pub registries: BTreeSet<String>,
}

/// One crate, by content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrateInput {
    /// `serde`
    pub name: String,
    /// `1.0.228`
    pub version: String,
    /// Of the `.crate` file, as Cargo.lock has it.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// `pkg:cargo/serde@1.0.228`
    pub purl: Purl,
    /// Whether Cargo.lock names another registry for it than the one that everybody can ask.
    pub is_private: bool,
}

/// Why crates are not there, or cannot be laid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CratesError {
    /// The source has no such Cargo.lock.
    #[error("the source has no `{path}`; a Rust program needs one, for its checksums")]
    NoLock {
        /// Where it was looked for.
        path: RelPath,
    },
    /// The Cargo.lock names what no checksum pins.
    #[error(transparent)]
    Lock(#[from] CargoLockError),
    /// A package that Cargo.lock has without a source and that is not in the source.
    #[error("crate `{name}` is a path dependency, and no manifest in the source has that name")]
    Outside {
        /// The crate.
        name: String,
    },
    /// A manifest or Cargo.lock that is too large or not UTF-8.
    #[error("`{path}` in the source {fault}")]
    Manifest {
        /// Where.
        path: RelPath,
        /// The rest of the sentence.
        fault: String,
    },
    /// Not in the store, not in cargo's cache, and the network may not be used.
    #[error("not here, and the network may not be used: {}", list(crates))]
    Offline {
        /// `NAME@VERSION` each.
        crates: Vec<String>,
    },
    /// Cargo ran and left no such file.
    #[error("cargo fetched no {}", list(crates))]
    NotFetched {
        /// `NAME@VERSION` each.
        crates: Vec<String>,
    },
    /// Cargo's file is another one than was locked.
    #[error("crate `{name}` {version} is not the file that was locked: locked {locked}, found {found}")]
    Mismatch {
        /// The crate.
        name: String,
        /// Its version.
        version: String,
        /// By Cargo.lock.
        locked: Digest,
        /// In cargo's cache.
        found: Digest,
    },
    /// A name that makes no package URL.
    #[error(transparent)]
    Purl(#[from] PurlError),
    /// Cargo failed.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// A `.crate` cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The crates make no tree.
    #[error("the crates make no tree")]
    Tree {
        /// Why.
        source: TreeError,
    },
    /// The store failed.
    #[error("crates could not be stored")]
    Store {
        /// Why.
        source: StoreError,
    },
    /// No place for cargo to work in.
    #[error("no folder for cargo to work in")]
    Folder {
        /// Why.
        source: PublishError,
    },
    /// The disk failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl CratesError {
    /// Whether the same may succeed later: the network failed, nothing was answered.
    #[must_use]
    pub const fn retry_may_help(&self) -> bool {
        matches!(self, Self::Cargo(CargoError::Network { .. }))
    }
}

/// The first few, and how many more.
fn list(crates: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = crates.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match crates.len().checked_sub(SHOWN + 1) {
        None => shown,
        Some(more) => format!("{shown} and {} more", more + 1),
    }
}

impl From<StoreError> for CratesError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}

/// The digests of the crates that a Cargo.lock of the source pins; none of them is looked for.
pub fn pinned_crates(source: &Tree, lock_path: &RelPath, store: &Store) -> Result<BTreeSet<Digest>, CratesError> {
    let text = read_text(source, lock_path, store, cargo_lock::LIMIT_BYTES)?;
    Ok(cargo_lock::locked_crates(&text.ok_or_else(|| CratesError::NoLock { path: lock_path.clone() })?)?)
}

/// Brings every registry crate of a Cargo.lock into the store: from there, from cargo's own cache, or by `cargo fetch`,
/// which then reads this machine's configuration. Each is checked against Cargo.lock's checksum.
///
/// `source` is bound or unpacked, so that its blobs are in the store; `lock_path` is where its Cargo.lock lies.
pub fn fetch_crates(
    source: &Tree,
    lock_path: &RelPath,
    environment: &Environment,
    store: &Store,
    offline: bool,
) -> Result<CrateSet, CratesError> {
    let text = read_text(source, lock_path, store, cargo_lock::LIMIT_BYTES)?;
    let lock = CargoLock::parse(&text.ok_or_else(|| CratesError::NoLock { path: lock_path.clone() })?)?;
    refuse_outsiders(source, &lock, store)?;

    let mut missing = Vec::new();
    for ((name, version), locked) in &lock.registry {
        if !store.has(&locked.sha256) && !from_cache(environment, name, version, &locked.sha256, store)? {
            missing.push((name, version, locked.sha256));
        }
    }
    let names = |missing: &[(&String, &String, Digest)]| {
        missing.iter().map(|(name, version, _)| format!("{name}@{version}")).collect::<Vec<_>>()
    };
    if !missing.is_empty() {
        if offline {
            return Err(CratesError::Offline { crates: names(&missing) });
        }
        run_cargo_fetch(source, lock_path, environment, store)?;
        let mut absent = Vec::new();
        for (name, version, sha256) in missing {
            if from_cache(environment, name, version, &sha256, store)? {
                continue;
            }
            if let Some(found) = cargo::cached_digests(environment, name, version).first() {
                let (name, version) = (name.clone(), version.clone());
                return Err(CratesError::Mismatch { name, version, locked: sha256, found: *found });
            }
            absent.push((name, version, sha256));
        }
        if !absent.is_empty() {
            return Err(CratesError::NotFetched { crates: names(&absent) });
        }
    }

    let mut crates = Vec::with_capacity(lock.registry.len());
    for ((name, version), locked) in &lock.registry {
        let size = store.blob_size(&locked.sha256)?;
        let size = size.ok_or(StoreError::Absent { digest: locked.sha256 })?;
        let purl = Purl::cargo(name, version)?;
        let is_private = locked.registry != CRATES_IO;
        let (name, version) = (name.clone(), version.clone());
        crates.push(CrateInput { name, version, sha256: locked.sha256, size, purl, is_private });
    }
    let registries = lock.registry.into_values().map(|locked| locked.registry).collect();
    Ok(CrateSet { crates, registries })
}

/// Brings the crates of a stranger's Cargo.lock, by checksum, without believing the stranger anything else: cargo sees
/// a package of our own that names these versions, none of the source's manifests and none of its configuration, which
/// could send it, with this machine's credentials, to any address. What is not from the registry that cargo asks without
/// being told is not asked for.
///
/// Gives how many crates there are. They are in the store then.
pub fn fetch_pinned(
    source: &Tree,
    lock_path: &RelPath,
    environment: &Environment,
    store: &Store,
) -> Result<usize, CratesError> {
    let text = read_text(source, lock_path, store, cargo_lock::LIMIT_BYTES)?;
    let lock = CargoLock::parse(&text.ok_or_else(|| CratesError::NoLock { path: lock_path.clone() })?)?;
    let absent = |locked: &BTreeMap<(String, String), LockedCrate>| -> Result<Vec<String>, CratesError> {
        let mut absent = Vec::new();
        for ((name, version), LockedCrate { sha256, .. }) in locked {
            if !store.has(sha256) && !from_cache(environment, name, version, sha256, store)? {
                absent.push(format!("{name}@{version}"));
            }
        }
        Ok(absent)
    };
    let public: BTreeMap<_, _> = lock.registry.iter().filter(|(_, krate)| krate.registry == CRATES_IO).collect();
    if !absent(&lock.registry)?.is_empty() {
        let staging =
            Staging::beside(&store.root().join("tmp/cargo")).map_err(|source| CratesError::Folder { source })?;
        let folder = staging.create_dir().map_err(|source| CratesError::Folder { source })?;
        let (manifest, cargo_lock) = pinning(&public);
        for (name, content) in [("Cargo.toml", manifest), ("Cargo.lock", cargo_lock), ("lib.rs", String::new())] {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(|source| CratesError::Io { operation: "write", path, source })?;
        }
        cargo::run(&folder, &["fetch"], environment)?;
    }
    let absent = absent(&lock.registry)?;
    if absent.is_empty() { Ok(lock.registry.len()) } else { Err(CratesError::NotFetched { crates: absent }) }
}

/// A package that depends on exactly these crates, and a Cargo.lock that has their checksums: so cargo takes versions
/// that were withdrawn since, and refuses other files. Names and versions were checked when they were parsed.
fn pinning(crates: &BTreeMap<&(String, String), &LockedCrate>) -> (String, String) {
    let mut manifest = String::from(
        "[package]\nname = \"selfsame-fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\npublish = false\n\n\
         [workspace]\n\n[lib]\npath = \"lib.rs\"\n\n[dependencies]\n",
    );
    let mut lock = String::from("version = 3\n");
    for (number, ((name, version), LockedCrate { sha256, .. })) in crates.iter().enumerate() {
        manifest +=
            &format!("c{number} = {{ package = \"{name}\", version = \"={version}\", default-features = false }}\n");
        lock += &format!(
            "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{CRATES_IO}\"\nchecksum = \"{}\"\n",
            sha256.hex()
        );
    }
    (manifest, lock)
}

/// A crate from cargo's cache into the store, if it is there.
pub(crate) fn from_cache(
    environment: &Environment,
    name: &str,
    version: &str,
    sha256: &Digest,
    store: &Store,
) -> Result<bool, StoreError> {
    let Some(path) = cargo::cached(environment, name, version, sha256) else { return Ok(false) };
    let (stored, _) = store.put_file(&path, false)?;
    Ok(stored == *sha256)
}

/// Packages without a source have to be in the source: some manifest there has their name.
fn refuse_outsiders(source: &Tree, lock: &CargoLock, store: &Store) -> Result<(), CratesError> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Option<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
    }
    let mut outside = lock.local.clone();
    for (path, _) in source.iter().filter(|(path, _)| path.file_name() == "Cargo.toml") {
        if outside.is_empty() {
            break;
        }
        let Some(text) = read_text(source, path, store, MANIFEST_BYTES)? else { continue };
        // A manifest that cannot be parsed, in a test's folder say, is cargo's affair if it is one of the workspace.
        if let Ok(Manifest { package: Some(package) }) = toml::from_str(&text) {
            outside.remove(&package.name);
        }
    }
    match outside.into_iter().next() {
        Some(name) => Err(CratesError::Outside { name }),
        None => Ok(()),
    }
}

/// Runs `cargo fetch --locked` on a copy of what it looks at: manifests, the lock, the registries of the project's own
/// configuration, and empty files for all Rust sources, since a manifest without its targets is refused. Nothing else
/// of the project is there, so nothing of it can run.
fn run_cargo_fetch(
    source: &Tree,
    lock_path: &RelPath,
    environment: &Environment,
    store: &Store,
) -> Result<(), CratesError> {
    let staging = Staging::beside(&store.root().join("tmp/cargo")).map_err(|source| CratesError::Folder { source })?;
    let folder = staging.create_dir().map_err(|source| CratesError::Folder { source })?;
    let write = |path: &str, content: &[u8]| {
        let target = folder.join(path);
        let failed = |source| CratesError::Io { operation: "write", path: target.clone(), source };
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::write(&target, content).map_err(failed)
    };
    for (path, entry) in source.iter() {
        let name = path.file_name();
        if !matches!(entry.kind, Kind::File { .. }) {
            continue;
        }
        if name == "Cargo.toml" || path == lock_path {
            if let Some(text) = read_text(source, path, store, cargo_lock::LIMIT_BYTES)? {
                write(path.as_str(), text.as_bytes())?;
            }
        } else if name.ends_with(".rs") {
            write(path.as_str(), b"")?;
        } else if matches!(name, "config.toml" | "config")
            && path.parent().is_some_and(|parent| parent.file_name() == ".cargo")
            && let Some(text) = read_text(source, path, store, MANIFEST_BYTES)?
        {
            write(path.as_str(), registries_only(&text).as_bytes())?;
        }
    }
    let below = lock_path.parent().unwrap_or(RelPath::root());
    cargo::run(&folder.join(below.as_str()), &["fetch", "--locked"], environment)?;
    Ok(())
}

/// Of a cargo configuration, where registries are, and nothing that names a program to be run.
fn registries_only(text: &str) -> String {
    let Ok(mut config) = toml::from_str::<toml::Table>(text) else { return String::new() };
    config.retain(|key, _| matches!(key, "source" | "registries" | "registry"));
    for (key, kept) in [("registries", &["index"][..]), ("registry", &["default"][..])] {
        let Some(toml::Value::Table(table)) = config.get_mut(key) else { continue };
        if key == "registry" {
            table.retain(|name, _| kept.contains(&name));
            continue;
        }
        for (_, registry) in table.iter_mut() {
            if let toml::Value::Table(registry) = registry {
                registry.retain(|name, _| kept.contains(&name));
            }
        }
    }
    toml::to_string(&config).unwrap_or_default()
}

fn read_text(source: &Tree, path: &RelPath, store: &Store, limit: u64) -> Result<Option<String>, CratesError> {
    let Some((digest, size)) = source.content(path.as_str()) else { return Ok(None) };
    let fault = |fault: String| CratesError::Manifest { path: path.clone(), fault };
    if size > limit {
        return Err(fault(format!("has {size} bytes; at most {limit} are read")));
    }
    let bytes = store.read_blob(&digest, limit)?;
    String::from_utf8(bytes).map(Some).map_err(|_| fault("is not UTF-8".to_owned()))
}

/// The tree of `CARGO_HOME` for an offline build: `config.toml`, and each crate at `vendor/NAME-VERSION/`.
///
/// `mount` is where the tree will be, absolute: `/inputs/cargo`. The configuration stands in for every registry that
/// Cargo.lock names; a project that replaces crates-io itself keeps its own way. Files are in the store, and the
/// tree's text too.
pub fn vendor_tree(set: &CrateSet, mount: &str, store: &Store) -> Result<Tree, CratesError> {
    let config = config(set, mount);
    let key = Digest::of(vendor_key(set, &config).as_bytes());
    if let Some(tree) = memo::recall(store, &key)? {
        return Ok(tree);
    }
    let trees = parallel::try_map(&set.crates, |input| {
        if input.size > CRATE_BYTES {
            return Err(CratesError::Store {
                source: StoreError::TooLarge { digest: input.sha256, size_bytes: input.size, limit_bytes: CRATE_BYTES },
            });
        }
        let name = format!("{}-{}.crate", input.name, input.version);
        Ok(unpack_archive(store, &input.sha256, &name, 1, Limits::SOURCE)?)
    })?;
    let mut entries: BTreeMap<RelPath, Entry> = BTreeMap::new();
    let own = |text: &str| -> Result<Entry, CratesError> {
        Ok(Entry::file(store.put_bytes(text.as_bytes(), false)?, text.len() as u64, false))
    };
    let failed = |source| CratesError::Tree { source };
    for (input, tree) in set.crates.iter().zip(trees) {
        let place = |below: &str| {
            let path = format!("vendor/{}-{}{below}", input.name, input.version);
            RelPath::new(path)
                .map_err(|error| CratesError::Manifest { path: RelPath::root(), fault: error.to_string() })
        };
        let tree = tree.below(&place("")?).map_err(failed)?;
        entries.extend(tree.iter().map(|(path, entry)| (path.clone(), entry.clone())));
        // Without a list of files cargo checks none: the tree's digest does. The package's checksum has to be there
        // and to be the one of Cargo.lock.
        let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", input.sha256.hex());
        entries.insert(place("/.cargo-checksum.json")?, own(&checksum)?);
    }
    let root = |name: &str| {
        RelPath::new(name).map_err(|error| CratesError::Manifest { path: RelPath::root(), fault: error.to_string() })
    };
    entries.insert(root("config.toml")?, own(&config)?);
    if set.crates.is_empty() {
        entries.insert(root("vendor")?, Entry::directory());
    }
    let tree = Tree::from_entries(entries).map_err(failed)?;
    memo::note(store, &key, &tree)?;
    Ok(tree)
}

/// Changing what vendoring does changes this text.
fn vendor_key(set: &CrateSet, config: &str) -> String {
    let crates = set.crates.iter().map(|input| format!("{}@{} {}\n", input.name, input.version, input.sha256));
    format!("selfsame-vendor v1\n{}{config}", crates.collect::<String>())
}

/// The index of crates.io, as every Cargo.lock names it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn config(set: &CrateSet, mount: &str) -> String {
    let mut config = String::from("[source.crates-io]\nreplace-with = \"selfsame\"\n\n");
    for registry in set.registries.iter().filter(|registry| *registry != CRATES_IO) {
        // cargo's name for a sparse registry keeps `sparse+`, the one for a git index has no prefix.
        let url = registry.strip_prefix("registry+").unwrap_or(registry);
        let url = toml::Value::String(url.to_owned());
        config += &format!("[source.{url}]\nregistry = {url}\nreplace-with = \"selfsame\"\n\n");
    }
    let vendor = toml::Value::String(format!("{mount}/vendor"));
    config += &format!("[source.selfsame]\ndirectory = {vendor}\n\n[net]\noffline = true\n");
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The package that is fetched for a stranger names crates and nothing of the stranger's: no address, no path.
    #[test]
    fn a_strangers_crates_are_asked_for_by_version_alone() {
        let sha256 = Digest::of(b"x");
        let locked = LockedCrate { sha256, registry: CRATES_IO.to_owned() };
        let key = ("memchr".to_owned(), "2.7.4".to_owned());
        let (manifest, lock) = pinning(&BTreeMap::from([(&key, &locked)]));
        let dependency = "c0 = { package = \"memchr\", version = \"=2.7.4\", default-features = false }\n";
        assert!(manifest.ends_with(dependency), "{manifest}");
        assert_eq!(CargoLock::parse(&lock).unwrap().registry[&key], locked);
    }
}
