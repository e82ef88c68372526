//! What the kinds have in common whose content the lock of another ecosystem pins: files by name and hash.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use selfsame_core::{Digest, RelPath};
use selfsame_http::{Client, Environment, HttpError, Options};
use selfsame_lock::{Claim, Part, PurlError};
use selfsame_pins::PinsError;
use selfsame_pins::marker::TargetError;
use selfsame_pins::zip::ReadAt;
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Tree, TreeError};

use crate::context::Context;

/// The largest package.
pub(crate) const PACKAGE_BYTES: u64 = 4 << 30;
/// The largest answer of a registry that is not a package.
pub(crate) const PAGE_BYTES: u64 = 64 << 20;
/// The largest lock of another ecosystem, and the largest file of settings.
const LOCK_BYTES: u64 = 64 << 20;
const SETTINGS_BYTES: u64 = 1 << 20;
/// How many downloads run at once.
const DOWNLOADS: usize = 8;

/// Why the packages of a Python, npm or Go input are not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackagesError {
    /// The source has no such lock.
    #[error("the source has no `{path}`")]
    NoLock {
        /// Where it was looked for.
        path: RelPath,
    },
    /// The lock is too large or not UTF-8, or includes what it may not.
    #[error("`{path}` in the source {fault}")]
    Source {
        /// Where.
        path: RelPath,
        /// The rest of the sentence.
        fault: String,
    },
    /// The lock pins less than it should, or cannot be read.
    #[error("`{path}`: {source}")]
    Pins {
        /// Where it lies in the source.
        path: RelPath,
        /// Why.
        source: PinsError,
    },
    /// Neither its own tools nor origins.toml say where to get packages.
    #[error("no origin for {packages}: neither {tool}'s configuration nor `[origin.{origin}]` names one")]
    NoOrigin {
        /// `Python packages`
        packages: &'static str,
        /// `pip`
        tool: &'static str,
        /// `pypi`
        origin: &'static str,
    },
    /// A file of settings that cannot be read.
    #[error("settings `{}` cannot be read", path.display())]
    Settings {
        /// Where.
        path: PathBuf,
        /// Why.
        source: PinsError,
    },
    /// No such version.
    #[error("{package} is in none of the configured places")]
    NotFound {
        /// `flask==3.1.3`
        package: String,
    },
    /// There are files of that version, and none for this Python and machine.
    #[error("{package} has no file for {target}")]
    NoFit {
        /// `flask==3.1.3`
        package: String,
        /// `Python 3.11 on linux/amd64`
        target: String,
    },
    /// A module that this machine's go asks no proxy for.
    #[error("module `{module}` is private by `{pattern}` of {by}: no proxy is asked for it")]
    Private {
        /// `git.corp.example/lib@v1.0.0`
        module: String,
        /// `GOPRIVATE`
        by: &'static str,
        /// `*.corp.example`
        pattern: String,
    },
    /// What came is not what was pinned.
    #[error("{package} is not what {by} pins: {expected} is pinned, {found} is in {place}")]
    Mismatch {
        /// `flask==3.1.3`
        package: String,
        /// `line 12 of requirements.txt`
        by: String,
        /// A hash, or how many.
        expected: String,
        /// A hash.
        found: String,
        /// An address.
        place: String,
    },
    /// Not in the store, and the network may not be used.
    #[error("not here, and the network may not be used: {}", list(packages))]
    Offline {
        /// `flask==3.1.3` each.
        packages: Vec<String>,
    },
    /// A part that is called by no name of its kind: a lock that was edited.
    #[error("`{purl}` names no {what}")]
    Name {
        /// The part.
        purl: String,
        /// `file of a Python package`
        what: &'static str,
    },
    /// A platform or Python that files cannot be chosen for.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A package that is not what its own lists say, or cannot be unpacked.
    #[error("package `{package}` {fault}")]
    Package {
        /// Its file.
        package: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// The server did not give it.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A name that makes no package URL.
    #[error(transparent)]
    Purl(#[from] PurlError),
    /// The packages make no tree.
    #[error("the packages make no tree")]
    Tree {
        /// Why.
        #[from]
        source: TreeError,
    },
    /// The store failed.
    #[error("packages could not be stored")]
    Store {
        /// Why.
        #[from]
        source: StoreError,
    },
    /// The disk failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PackagesError {
    /// Whether the same may succeed later: the network failed, nothing was answered.
    #[must_use]
    pub const fn retry_may_help(&self) -> bool {
        matches!(self, Self::Http(error) if error.retry_may_help())
    }

    pub(crate) fn package(package: &str, fault: impl Into<String>) -> Self {
        Self::Package { package: package.to_owned(), fault: fault.into() }
    }
}

/// The first few, and how many more.
fn list(packages: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = packages.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match packages.len().checked_sub(SHOWN + 1) {
        None => shown,
        Some(more) => format!("{shown} and {} more", more + 1),
    }
}

/// The text of a lock in the source.
pub(crate) fn source_text(source: &Tree, path: &RelPath, store: &Store) -> Result<String, PackagesError> {
    let fault = |fault: String| PackagesError::Source { path: path.clone(), fault };
    let content = source.content(path.as_str()).ok_or_else(|| PackagesError::NoLock { path: path.clone() })?;
    if content.1 > LOCK_BYTES {
        return Err(fault(format!("has {} bytes; at most {LOCK_BYTES} are read", content.1)));
    }
    let bytes = store.read_blob(&content.0, LOCK_BYTES)?;
    String::from_utf8(bytes).map_err(|_| fault("is not UTF-8".to_owned()))
}

/// A variable of the environment that is UTF-8.
pub(crate) fn variable(environment: &Environment, name: &str) -> Option<String> {
    environment.variable(name)?.to_str().map(str::to_owned)
}

/// A file of settings, if it is there.
pub(crate) fn settings(path: &Path) -> Result<Option<String>, PackagesError> {
    let failed = |source| PackagesError::Io { operation: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        // A home that is not ours, or none at all, has no settings for us.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, SETTINGS_BYTES), &mut bytes).map_err(failed)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// What one of this machine's tools says on standard output. Nothing where it is not there or fails.
pub(crate) fn ask_tool(program: &str, arguments: &[&str], environment: &Environment) -> Option<String> {
    let mut command = Command::new(program);
    command.env_clear().envs(&environment.variables).env("LC_ALL", "C").env("NO_COLOR", "1").env("COLUMNS", "1000");
    command.args(arguments).current_dir("/");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The client, with certificates and a proxy that a tool's own settings name beside the environment's.
pub(crate) fn client(cx: &Context<'_>, cert: Option<&str>, proxy: Option<&str>) -> Result<Client, PackagesError> {
    let said = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let proxy = proxy.filter(|_| said.iter().all(|name| cx.environment.variable(name).is_none()));
    if cert.is_none() && proxy.is_none() {
        return Ok(cx.http.clone());
    }
    let mut environment = cx.environment.clone();
    for name in ["https_proxy", "http_proxy"] {
        if let Some(proxy) = proxy {
            environment.variables.insert(name.into(), proxy.into());
        }
    }
    let mut options: Options = cx.http.options().clone();
    options.ca_files.extend(cert.map(PathBuf::from));
    Ok(Client::new(&environment, options)?)
}

/// The user and password in an address for another address of the same server.
pub(crate) fn same_server(url: &str, other: &str) -> bool {
    let server = |url: &str| {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?.to_ascii_lowercase();
        Some((scheme.to_ascii_lowercase(), host))
    };
    server(url).is_some() && server(url) == server(other)
}

/// Files that somebody says are what is pinned. All of them are in the store.
#[derive(Clone, Copy)]
pub(crate) struct Claimed<'a> {
    pub(crate) parts: &'a [Part],
    /// Whether what answers a pin is to be known the next time.
    pub(crate) to_note: bool,
}

impl Claimed<'_> {
    pub(crate) const NOTHING: Claimed<'static> = Claimed { parts: &[], to_note: false };
}

/// What has to come: nothing where the size is not known.
pub(super) fn expected(part: &Part) -> Option<(Digest, u64)> {
    has_size(part).then_some((part.sha256, part.size))
}

/// Whether the size of a part is known. Of what a file of a source pins, one of size 0 is not: a provenance has no sizes. A
/// lock has.
fn has_size(part: &Part) -> bool {
    part.size != 0 || part.claim != Claim::EcosystemLock
}

/// Refuses a file that came for a part without a size and is another one.
pub(super) fn is_what_was_meant(part: &Part, found: Digest, place: &str) -> Result<(), PackagesError> {
    if found == part.sha256 {
        return Ok(());
    }
    Err(PackagesError::Mismatch {
        package: part.purl.plain(),
        by: "the lock".to_owned(),
        expected: part.sha256.to_string(),
        found: found.to_string(),
        place: place.to_owned(),
    })
}

/// The parts that the store lacks; an error where nobody may be asked for them.
pub(super) fn missing<'a>(parts: &'a [Part], cx: &Context<'_>) -> Result<Vec<&'a Part>, PackagesError> {
    let mut missing = Vec::new();
    for part in parts {
        if cx.store.blob_size(&part.sha256)?.is_none_or(|size| has_size(part) && size != part.size) {
            missing.push(part);
        }
    }
    if cx.offline && !missing.is_empty() {
        return Err(PackagesError::Offline { packages: missing.iter().map(|part| part.purl.plain()).collect() });
    }
    Ok(missing)
}

/// Brings parts, some at once, and says how far that is.
pub(super) fn bring(
    name: &str,
    missing: &[&Part],
    cx: &Context<'_>,
    one: impl Fn(&Part) -> Result<(), PackagesError> + Sync,
) -> Result<(), PackagesError> {
    let size = missing.iter().fold(0_u64, |sum, part| sum.saturating_add(part.size));
    cx.progress.expect(name, missing.len() as u64, Some(size));
    concurrently(missing, |part| {
        one(part)?;
        cx.progress.came(name, part.purl.as_str(), part.size);
        Ok(())
    })?;
    Ok(())
}

/// Does the same for many on several threads that mostly wait, and gives the results in the items' order, or the first
/// failure in that order among those that were tried.
pub(crate) fn concurrently<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, PackagesError> + Sync,
) -> Result<Vec<R>, PackagesError> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    std::thread::scope(|scope| {
        for _ in 0..DOWNLOADS.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    if result.is_err() {
                        next.store(items.len(), Ordering::Relaxed);
                    }
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What is noted under `key`: a file's digest, size and name. Only where the store has the file still.
pub(crate) fn recall(store: &Store, key: &Digest) -> Result<Option<(Digest, u64, String)>, PackagesError> {
    let Some(note) = store.action_result(key)? else { return Ok(None) };
    let note = String::from_utf8_lossy(&note).into_owned();
    let parse = |note: &str| {
        let (digest, rest) = note.split_once(' ')?;
        let (size, name) = rest.split_once(' ')?;
        Some((digest.parse::<Digest>().ok()?, size.parse::<u64>().ok()?, name.to_owned()))
    };
    let Some((digest, size, name)) = parse(&note) else { return Ok(None) };
    Ok((store.blob_size(&digest)? == Some(size)).then_some((digest, size, name)))
}

/// Notes which file answered `key`, so that the next time nobody is asked.
pub(crate) fn note(store: &Store, key: &Digest, file: (Digest, u64), name: &str) -> Result<(), PackagesError> {
    Ok(store.put_action_result(key, format!("{} {} {name}", file.0, file.1).as_bytes())?)
}

/// A blob as a file that is read anywhere; checked before.
pub(crate) struct BlobFile {
    file: File,
    size_bytes: u64,
}

impl BlobFile {
    /// Opens a blob, hashed once in the life of this process.
    pub(crate) fn open(store: &Store, digest: &Digest, size_bytes: u64) -> Result<Self, PackagesError> {
        let paths = store.checked_paths(&[(*digest, size_bytes, false)].into())?;
        let path = paths.into_values().next().ok_or(StoreError::Absent { digest: *digest })?;
        let file = File::open(&path).map_err(|source| PackagesError::Io { operation: "read", path, source })?;
        Ok(Self { file, size_bytes })
    }
}

impl ReadAt for BlobFile {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// The value of a qualifier of a package URL, decoded.
pub(crate) fn qualifier(purl: &str, key: &str) -> Option<String> {
    let (_, qualifiers) = purl.split('#').next()?.split_once('?')?;
    let value = qualifiers.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    decoded(value)
}

/// Type, namespace, name and version of a package URL, decoded.
pub(crate) fn purl_parts(purl: &str) -> Option<(String, String)> {
    let rest = purl.strip_prefix("pkg:")?;
    let rest = rest.split(['?', '#']).next()?;
    let (_, rest) = rest.split_once('/')?;
    let (name, version) = rest.rsplit_once('@')?;
    Some((decoded(name)?, decoded(version)?))
}

pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

pub(crate) mod tarball;
#[cfg(test)]
pub(crate) mod world;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls() {
        let purl = "pkg:npm/%40babel/core@7.0.0-rc.1%2Bx?name=JSON%20S&x=y";
        assert_eq!(purl_parts(purl), Some(("@babel/core".to_owned(), "7.0.0-rc.1+x".to_owned())));
        assert_eq!(qualifier(purl, "name").as_deref(), Some("JSON S"));
        assert_eq!(qualifier(purl, "nam"), None);
        assert_eq!(purl_parts("pkg:x"), None);
    }

    #[test]
    fn servers() {
        assert!(same_server("https://u:p@a.example/simple", "https://A.example/files/x"));
        assert!(!same_server("https://u:p@a.example/simple", "https://a.example.evil.example/"));
        assert!(!same_server("https://a.example", "http://a.example"));
        assert!(!same_server("x", "x"));
    }

    #[test]
    fn order_is_kept_and_the_first_failure_named() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(concurrently(&items, |n| Ok(n * 2)).unwrap(), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        let failed = concurrently(&items, |n| if *n == 50 { Err(PackagesError::package("x", "y")) } else { Ok(()) });
        assert_eq!(failed.unwrap_err().to_string(), "package `x` y");
        assert_eq!(concurrently(&[] as &[u32], |_| Ok(())).unwrap(), []);
    }
}
