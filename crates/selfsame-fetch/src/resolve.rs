//! From a definition to a lock, and from a lock to files in the store.

use std::path::{Path, PathBuf};

use selfsame_core::{Digest, Hasher, Profile};
use selfsame_definition::{ArchiveLocation, Definition, InputSpec, Name, Rootfs, SourceOrigin};
use selfsame_http::{Download, Environment, HttpError};
use selfsame_lock::{Claim, InputKind, Lock, Locked, Normaliser, Part, Purl, PurlError, wanted};
use selfsame_store::{PublishError, Staging, Store, StoreError};
use selfsame_tree::Tree;

use crate::archive::{ArchiveError, Limits, unpack_archive};
use crate::cargo::{self, CargoError};
use crate::cargo_lock::{CargoLock, CargoLockError};
use crate::context::Context;
use crate::crates::from_cache;
use crate::kinds::deb::DebInputError;
use crate::kinds::git::GitError;
use crate::kinds::oci::OciError;
use crate::kinds::pinned::PackagesError;
use crate::kinds::{fetch_input, missing, resolve_input};

/// The largest archive that is downloaded or read.
const ARCHIVE_BYTES: u64 = 8 << 30;

/// Why an input could not be chosen or brought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The file is another one than the definition or the lock says.
    #[error(
        "input `{input}` is not the file that was {by}: expected {expected}, found {found} of {found_bytes} bytes in {place}"
    )]
    Mismatch {
        /// `source`
        input: String,
        /// `stated in the definition` or `locked`.
        by: &'static str,
        /// By the definition or the lock.
        expected: Digest,
        /// What came.
        found: Digest,
        /// How much came.
        found_bytes: u64,
        /// A file, an address, or the registry.
        place: String,
    },
    /// The digest is the locked one, the size is not: somebody changed the lock by hand.
    #[error("input `{input}` has {found} bytes, {locked} are locked with the same digest")]
    Size {
        /// `source`
        input: String,
        /// By the lock.
        locked: u64,
        /// What came.
        found: u64,
    },
    /// Not in the store, and the network may not be used.
    #[error("input `{input}` ({}) is not here, and the network may not be used", purl.plain())]
    Offline {
        /// `source`
        input: String,
        /// What it is.
        purl: Purl,
    },
    /// No place is known where it could be had.
    #[error("input `{input}`: nothing says where {} is to be had", purl.plain())]
    Nowhere {
        /// Its name.
        input: String,
        /// What it is.
        purl: Purl,
    },
    /// A kind that this version cannot bring.
    #[error("input `{input}`: `{kind}` is not available in this version")]
    Unavailable {
        /// Its name.
        input: String,
        /// Its kind.
        kind: &'static str,
    },
    /// The lock names no such input; it does not answer the definition.
    #[error("input `{input}` is not in the lock")]
    NotLocked {
        /// `source`
        input: String,
    },
    /// An archive that should be a file of this machine.
    #[error("archive `{}` cannot be read", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
    /// The last part of an address or path that cannot be a file's name.
    #[error("input `{input}`: `{file_name}` {fault}")]
    FileName {
        /// Its name.
        input: String,
        /// The last part.
        file_name: String,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// The registry has no such crate.
    #[error("the registry gave no crate `{name}` {version}")]
    NoCrate {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
    /// The server did not give the file.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Debian packages gave no input.
    #[error(transparent)]
    Deb(#[from] DebInputError),
    /// Packages of Python, npm or Go.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// A repository gave no input.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Cargo failed.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// What cargo wrote cannot be used.
    #[error(transparent)]
    CargoLock(#[from] CargoLockError),
    /// An image could not be chosen, brought or read.
    #[error(transparent)]
    Oci(#[from] OciError),
    /// A name that makes no package URL.
    #[error(transparent)]
    Purl(#[from] PurlError),
    /// An archive cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store failed.
    #[error("input could not be stored")]
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
    /// What went wrong with an input, where the fault itself does not name it.
    #[error("input `{input}`: {source}")]
    In {
        /// Its name.
        input: String,
        /// What.
        source: Box<FetchError>,
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

impl FetchError {
    /// Whether the same may succeed later: the network failed or a server was busy, and nothing was answered.
    #[must_use]
    pub fn retry_may_help(&self) -> bool {
        match self {
            Self::In { source, .. } => source.retry_may_help(),
            Self::Http(error) => error.retry_may_help(),
            Self::Oci(error) => error.retry_may_help(),
            Self::Deb(error) => error.retry_may_help(),
            Self::Git(error) => error.retry_may_help(),
            Self::Packages(error) => error.retry_may_help(),
            Self::Cargo(CargoError::Network { .. }) => true,
            _ => false,
        }
    }
}

impl FetchError {
    /// This fault, told as one of an input.
    #[must_use]
    pub fn of(self, input: &str) -> Self {
        match self {
            Self::Http(_) | Self::Deb(_) | Self::Packages(_) | Self::Purl(_) | Self::Oci(OciError::Registry(_)) => {
                Self::In { input: input.to_owned(), source: Box::new(self) }
            }
            other => other,
        }
    }
}

impl From<StoreError> for FetchError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}

/// Chooses: the lock for a definition, with everything it names in the store. Uses the network where it must.
///
/// Of a path source nothing is locked, nor of inputs that a file of the source pins. A file whose digest the definition
/// states and the store has is not asked for. Of `before` is kept what `keep` says and what still answers.
pub fn resolve(
    definition: &Definition,
    before: Option<&Lock>,
    keep: impl Fn(&Name) -> bool,
    cx: &Context<'_>,
) -> Result<Lock, FetchError> {
    let mut lock = Lock::empty(Profile::CURRENT);
    for (name, wanted) in wanted(definition)? {
        let known = before.and_then(|before| before.inputs.get(&name)).filter(|known| wanted.is(known) && keep(&name));
        if let Some(known) = known {
            lock.inputs.insert(name, known.clone());
            continue;
        }
        let mut parts = match (&wanted.purl, definition.input(name.as_str())) {
            (Some(purl), _) => vec![resolve_source(definition, &name, purl, wanted.sha256, cx)?],
            (None, Some(spec)) => resolve_input(name.as_str(), spec, &cx.of(definition, name.as_str()))
                .map_err(|error| error.of(name.as_str()))?,
            (None, None) => return Err(FetchError::NotLocked { input: name.to_string() }),
        };
        parts.sort_unstable();
        parts.dedup();
        let normalisers = match definition.input(name.as_str()) {
            Some(InputSpec::Deb(deb)) if deb.rootfs == Rootfs::Configured => Normaliser::ALL.to_vec(),
            _ => Vec::new(),
        };
        lock.inputs
            .insert(name, Locked { kind: wanted.kind, asked: wanted.asked, as_of: cx.today, normalisers, parts });
    }
    Ok(lock)
}

fn resolve_source(
    definition: &Definition,
    name: &Name,
    purl: &Purl,
    stated: Option<Digest>,
    cx: &Context<'_>,
) -> Result<Part, FetchError> {
    let Context { environment, store, .. } = *cx;
    match &definition.source.origin {
        SourceOrigin::Path { .. } => Err(FetchError::NotLocked { input: name.to_string() }),
        SourceOrigin::Archive { location, .. } => {
            let known = stated.map(|sha256| Ok((sha256, store.blob_size(&sha256)?)));
            let known = known.transpose().map_err(|source| FetchError::Store { source })?;
            let (found, size) = match known {
                Some((sha256, Some(size))) => (sha256, size),
                _ => bring(location, cx, None)?,
            };
            check(name.as_str(), "stated in the definition", stated, (found, size), location.as_str())?;
            let claim = match location {
                _ if stated.is_some() => Claim::Definition,
                ArchiveLocation::Path(_) => Claim::LocalFile,
                ArchiveLocation::Url(url) if url.starts_with("https://") => Claim::TlsOnly,
                ArchiveLocation::Url(_) => Claim::Plaintext,
            };
            Ok(Part::new(purl.clone(), found, size, claim))
        }
        SourceOrigin::Crate { name, version } => {
            let sha256 = registry_checksum(name, version, environment, store)?;
            let size = bring_crate(name, version, &sha256, environment, store)?;
            Ok(Part::new(purl.clone(), sha256, size, Claim::RegistryChecksum))
        }
    }
}

/// Brings what a lock names into the store and chooses nothing: other bytes are refused. What the store has is not
/// asked for, so that a full store needs no network.
///
/// `lock` answers `definition` ([`selfsame_lock::answers`]); the definition says where an archive may be had.
pub fn fetch(definition: &Definition, lock: &Lock, cx: &Context<'_>) -> Result<(), FetchError> {
    let (mut files, mut sets) = (Vec::new(), Vec::new());
    for (name, input) in &lock.inputs {
        if missing(&input.parts, cx)?.is_empty() {
            continue;
        }
        // A file is one connection. The parts of the others come by several.
        let is_file = matches!(input.kind, InputKind::File | InputKind::Archive);
        if is_file { &mut files } else { &mut sets }.push((name, input));
    }
    crate::bring::each(&files, |(name, input)| fetch_one(definition, name, input, cx))?;
    sets.into_iter().try_for_each(|(name, input)| fetch_one(definition, name, input, cx))
}

fn fetch_one(definition: &Definition, name: &Name, input: &Locked, cx: &Context<'_>) -> Result<(), FetchError> {
    let Context { environment, store, offline, .. } = *cx;
    if let Some(spec) = definition.input(name.as_str()) {
        return fetch_input(name.as_str(), spec, &input.parts, &cx.of(definition, name.as_str()));
    }
    let [part] = input.parts.as_slice() else { return Err(FetchError::NotLocked { input: name.to_string() }) };
    let away = || FetchError::Offline { input: name.to_string(), purl: part.purl.clone() };
    match (&definition.source.origin, input.kind) {
        (SourceOrigin::Archive { location, .. }, InputKind::Archive) => {
            if offline && matches!(location, ArchiveLocation::Url(_)) {
                return Err(away());
            }
            let expected = Some((&part.sha256, part.size));
            let found = bring(location, cx, expected)?;
            check_locked(name.as_str(), part, found, location.as_str())
        }
        (SourceOrigin::Crate { name, version }, InputKind::Crate) => {
            if from_cache(environment, name, version, &part.sha256, store)? {
                return Ok(());
            }
            if offline {
                return Err(away());
            }
            bring_crate(name, version, &part.sha256, environment, store).map(|_| ())
        }
        _ => Err(FetchError::NotLocked { input: name.to_string() }),
    }
}

/// The tree of an archive or crate source, unpacked from the store; nothing for a path source, which is bound instead.
pub fn source_tree(definition: &Definition, lock: &Lock, store: &Store) -> Result<Option<Tree>, FetchError> {
    let strip = match &definition.source.origin {
        SourceOrigin::Path { .. } => return Ok(None),
        SourceOrigin::Archive { strip, .. } => *strip,
        // `NAME-VERSION/`
        SourceOrigin::Crate { .. } => 1,
    };
    let part = lock.inputs.get("source").and_then(|input| input.parts.first());
    let part = part.ok_or_else(|| FetchError::NotLocked { input: "source".to_owned() })?;
    Ok(Some(unpack_archive(store, &part.sha256, part.purl.as_str(), strip, Limits::SOURCE)?))
}

pub(crate) fn check(
    input: &str,
    by: &'static str,
    expected: Option<Digest>,
    (found, found_bytes): (Digest, u64),
    place: &str,
) -> Result<(), FetchError> {
    match expected {
        Some(expected) if expected != found => {
            let (input, place) = (input.to_owned(), format!("`{place}`"));
            Err(FetchError::Mismatch { input, by, expected, found, found_bytes, place })
        }
        _ => Ok(()),
    }
}

/// Checks that what came is what is locked, by digest and size.
pub(crate) fn check_locked(input: &str, part: &Part, found: (Digest, u64), place: &str) -> Result<(), FetchError> {
    check(input, "locked", Some(part.sha256), found, place)?;
    let (locked, found) = (part.size, found.1);
    if locked == found { Ok(()) } else { Err(FetchError::Size { input: input.to_owned(), locked, found }) }
}

/// An archive from where the definition says it is. Where it is locked nothing else is stored: what is found instead is
/// told and forgotten.
pub(crate) fn bring(
    location: &ArchiveLocation,
    cx: &Context<'_>,
    expected: Option<(&Digest, u64)>,
) -> Result<(Digest, u64), FetchError> {
    match location {
        ArchiveLocation::Path(path) => {
            let path = cx.folder.join(path);
            if let Some((wanted, _)) = expected
                && let Some(other) = digest_of(&path).filter(|(found, _)| found != wanted)
            {
                return Ok(other);
            }
            cx.store.put_file(&path, false).map_err(|source| FetchError::File { path, source })
        }
        ArchiveLocation::Url(url) => {
            let mut download = Download::new(url, ARCHIVE_BYTES);
            // The lock says so where nothing but the connection vouches.
            download.plain_http = true;
            download.expected = expected.map(|(digest, size)| (*digest, size));
            cx.progress.expect(location.file_name(), 1, expected.map(|(_, size)| size));
            match crate::bring::download(&download, cx) {
                Err(HttpError::OtherBytes { found, found_bytes, .. }) => Ok((found, found_bytes)),
                done => done.map_err(FetchError::from).inspect(|(_, size)| {
                    cx.progress.came(location.file_name(), location.as_str(), *size);
                }),
            }
        }
    }
}

/// What a regular file holds; nothing where it cannot be read, which storing it then says better.
fn digest_of(path: &Path) -> Option<(Digest, u64)> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Hasher::of_reader(std::fs::File::open(path).ok()?).ok()
}

/// The checksum that the registry's index has for a version. Cargo reads the index.
fn registry_checksum(
    name: &str,
    version: &str,
    environment: &Environment,
    store: &Store,
) -> Result<Digest, FetchError> {
    let project = Project::of(name, version, store)?;
    cargo::run(&project.folder, &["generate-lockfile"], environment)?;
    let lock_path = project.folder.join("Cargo.lock");
    let text = std::fs::read_to_string(&lock_path).map_err(|source| FetchError::Io {
        operation: "read",
        path: lock_path,
        source,
    })?;
    let lock = CargoLock::parse(&text)?;
    let found = lock.registry.get(&(name.to_owned(), version.to_owned()));
    let absent = || FetchError::NoCrate { name: name.to_owned(), version: version.to_owned() };
    found.map(|locked| locked.sha256).ok_or_else(absent)
}

/// A crate's file by its checksum: from the store, from cargo's cache, or by `cargo fetch`. Gives its size.
fn bring_crate(
    name: &str,
    version: &str,
    sha256: &Digest,
    environment: &Environment,
    store: &Store,
) -> Result<u64, FetchError> {
    if !store.has(sha256) && !from_cache(environment, name, version, sha256, store)? {
        let project = Project::of(name, version, store)?;
        cargo::run(&project.folder, &["fetch"], environment)?;
        if !from_cache(environment, name, version, sha256, store)? {
            let absent = || FetchError::NoCrate { name: name.to_owned(), version: version.to_owned() };
            let found = *cargo::cached_digests(environment, name, version).first().ok_or_else(absent)?;
            let place = "the registry".to_owned();
            let (input, by, expected) = (format!("{name}@{version}"), "locked", *sha256);
            return Err(FetchError::Mismatch { input, by, expected, found, found_bytes: 0, place });
        }
    }
    store.blob_size(sha256)?.ok_or_else(|| StoreError::Absent { digest: *sha256 }.into())
}

/// A package in a temporary folder that depends on one crate and nothing else.
struct Project {
    folder: PathBuf,
    _staging: Staging,
}

impl Project {
    fn of(name: &str, version: &str, store: &Store) -> Result<Self, FetchError> {
        let failed = |source| FetchError::Folder { source };
        let staging = Staging::beside(&store.root().join("tmp/cargo")).map_err(failed)?;
        let folder = staging.create_dir().map_err(failed)?;
        let manifest = format!(
            "[package]\nname = \"selfsame-resolve\"\nversion = \"0.0.0\"\nedition = \"2021\"\npublish = false\n\n\
             [workspace]\n\n[lib]\npath = \"lib.rs\"\n\n\
             [dependencies]\nwanted = {{ package = \"{name}\", version = \"={version}\", default-features = false }}\n"
        );
        for (file, content) in [("Cargo.toml", manifest.as_str()), ("lib.rs", "")] {
            let path = folder.join(file);
            std::fs::write(&path, content).map_err(|source| FetchError::Io { operation: "write", path, source })?;
        }
        Ok(Self { folder, _staging: staging })
    }
}
