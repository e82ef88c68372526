//! `[input.NAME]`, and the toolchains that are inputs: content from elsewhere, by kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use selfsame_core::suggest::nearest;
use selfsame_core::{Digest, RelPath};

use crate::document::{Field, Table, TextError, clip};
use crate::name::Name;
use crate::source::{ArchiveLocation, read_location, read_sha256, read_strip, relative};

/// Content from elsewhere. What it is stands in the lock; where it is had from is this machine's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSpec {
    /// `deb = ["gcc"]`: Debian packages with what they depend on, as a root file system.
    Deb(DebSpec),
    /// `oci = "NAME:TAG"`: the root file system of an image.
    Oci(OciSpec),
    /// `pypi = "requirements.txt"` or `pypi = ["flask==3.1.3"]`: wheels and source distributions.
    Pypi(PypiSpec),
    /// `npm = "package-lock.json"`: the packages that it pins.
    Npm(NpmSpec),
    /// `go = "go.sum"`: the modules that it pins.
    Go(GoSpec),
    /// `file = "https://…"`: one file, or the archive that it is.
    File(FileSpec),
    /// `git = "https://…"`: the files of a commit.
    Git(GitSpec),
}

/// Debian packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebSpec {
    /// Names, or `NAME=VERSION`; sorted, each once, at least one.
    pub packages: Vec<String>,
    /// `bookworm`; without it the suites that this machine's apt names.
    pub suite: Option<String>,
    /// How packages become a root file system.
    pub rootfs: Rootfs,
    /// Whether packages marked essential come too. Always so where maintainer scripts run.
    pub essential: bool,
    /// Whether recommended packages come too.
    pub recommends: bool,
}

/// How packages become a root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rootfs {
    /// Files as they are packed; no maintainer script runs.
    Unpacked,
    /// Maintainer scripts run, in the sandbox.
    Configured,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OciSpec {
    /// `NAME:TAG`, `HOST/NAME@sha256:…`: from a registry.
    Registry {
        /// As written.
        reference: String,
    },
    /// `oci:PATH[:TAG]`: an OCI image layout, a folder or a tar.
    Layout {
        /// Relative to the definition's folder.
        path: String,
        /// Which image of it; needed where there are several.
        tag: Option<String>,
    },
    /// `docker-archive:PATH[:NAME:TAG]`: what `docker save` writes.
    DockerArchive {
        /// Relative to the definition's folder.
        path: String,
        /// Which image of it.
        name: Option<String>,
    },
}

/// Python distributions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PypiSpec {
    /// Which.
    pub from: PypiFrom,
    /// `3.11`: the Python that wheels have to fit. Without it only wheels that fit every Python 3 do.
    pub python: Option<String>,
}

/// What says which distributions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PypiFrom {
    /// A file of the source: hashed requirements, or a uv.lock.
    Pins(RelPath),
    /// `NAME==VERSION`, sorted; exactly these, without what they depend on.
    Packages(Vec<String>),
}

/// Packages of npm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpmSpec {
    /// The package-lock.json, in the source.
    pub lock: RelPath,
}

/// Modules of Go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoSpec {
    /// The go.sum, in the source.
    pub sum: RelPath,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Where the author found it.
    pub location: ArchiveLocation,
    /// Its digest, if the author vouches for it.
    pub sha256: Option<Digest>,
    /// Whether it is an archive whose files are wanted.
    pub unpack: bool,
    /// How many leading path components are removed when it is unpacked.
    pub strip: u32,
    /// Whether it gets mode 0755.
    pub executable: bool,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSpec {
    /// `https://…`, `ssh://…`, or a path relative to the definition's folder.
    pub repository: String,
    /// Which commit.
    pub at: GitRef,
    /// Whether submodules come too.
    pub submodules: bool,
}

/// What names a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitRef {
    /// 40 or 64 hex digits.
    Commit(String),
    /// Resolved when the lock is written.
    Tag(String),
    /// Resolved when the lock is written.
    Branch(String),
}

impl InputSpec {
    /// The word of its kind: the key in the definition, and the kind in the lock.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Deb(_) => "deb",
            Self::Oci(_) => "oci",
            Self::Pypi(_) => "pypi",
            Self::Npm(_) => "npm",
            Self::Go(_) => "go",
            Self::File(_) => "file",
            Self::Git(_) => "git",
        }
    }

    /// Whether it is a root file system: what a toolchain or an image may stand on.
    #[must_use]
    pub const fn is_rootfs(&self) -> bool {
        matches!(self, Self::Deb(_) | Self::Oci(_))
    }

    /// The file of the source that pins its content, where its ecosystem's own lock does and ours need not.
    #[must_use]
    pub const fn pins(&self) -> Option<&RelPath> {
        match self {
            Self::Pypi(PypiSpec { from: PypiFrom::Pins(path), .. }) => Some(path),
            Self::Npm(npm) => Some(&npm.lock),
            Self::Go(go) => Some(&go.sum),
            _ => None,
        }
    }

    /// What is asked for, in one line: two inputs that ask for the same say the same, and a lock made for another line
    /// is stale. Neither where bytes are had from nor what is done with them afterwards stands in it.
    #[must_use]
    pub fn asked(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Deb(deb) => {
                text.push_str(&deb.packages.join(" "));
                for (said, word) in [(deb.essential, "essential"), (deb.recommends, "recommends")] {
                    if said {
                        _ = write!(text, "; {word}");
                    }
                }
                if let Some(suite) = &deb.suite {
                    _ = write!(text, "; suite {suite}");
                }
                if deb.rootfs == Rootfs::Configured {
                    text.push_str("; configured");
                }
            }
            Self::Oci(OciSpec::Registry { reference }) => text.push_str(reference),
            Self::Oci(OciSpec::Layout { path, tag }) => {
                _ = write!(text, "oci:{path}{}", tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default());
            }
            Self::Oci(OciSpec::DockerArchive { path, name }) => {
                let name = name.as_ref().map(|name| format!(":{name}")).unwrap_or_default();
                _ = write!(text, "docker-archive:{path}{name}");
            }
            Self::Pypi(pypi) => {
                match &pypi.from {
                    PypiFrom::Pins(path) => text.push_str(path.as_str()),
                    PypiFrom::Packages(packages) => text.push_str(&packages.join(" ")),
                }
                if let Some(python) = &pypi.python {
                    _ = write!(text, "; python {python}");
                }
            }
            Self::Npm(npm) => text.push_str(npm.lock.as_str()),
            Self::Go(go) => text.push_str(go.sum.as_str()),
            // A change of mirror is no change of input: the name is. The digest is compared by itself.
            Self::File(file) => text.push_str(file.location.file_name()),
            Self::Git(git) => {
                // The name of the repository, not its place: that may be a mirror's.
                let name = git.repository.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                text.push_str(name.strip_suffix(".git").unwrap_or(name));
                match &git.at {
                    GitRef::Commit(commit) => _ = write!(text, "; commit {commit}"),
                    GitRef::Tag(tag) => _ = write!(text, "; tag {tag}"),
                    GitRef::Branch(branch) => _ = write!(text, "; branch {branch}"),
                }
                if !git.submodules {
                    text.push_str("; without submodules");
                }
            }
        }
        text
    }
}

/// The keys that name a kind.
pub(crate) const KINDS: [&str; 7] = ["deb", "oci", "pypi", "npm", "go", "file", "git"];
/// The keys that go with one kind only.
const OPTIONS: [(&str, &str); 13] = [
    ("suite", "deb"),
    ("rootfs", "deb"),
    ("essential", "deb"),
    ("recommends", "deb"),
    ("python", "pypi"),
    ("sha256", "file"),
    ("unpack", "file"),
    ("strip", "file"),
    ("executable", "file"),
    ("commit", "git"),
    ("tag", "git"),
    ("branch", "git"),
    ("submodules", "git"),
];

/// The key that keeps an input out of what is given away, of whatever kind it is.
pub(crate) const PRIVATE: &str = "private";

/// Every key that an input may have.
pub(crate) fn keys() -> Vec<&'static str> {
    KINDS.into_iter().chain(OPTIONS.map(|(key, _)| key)).chain([PRIVATE]).collect()
}

/// The names in `[input]` or `[toolchain]` beside which `private = true` stands.
pub(crate) fn read_private(field: Option<&Field<'_, '_>>) -> Result<BTreeSet<Name>, TextError> {
    let mut private = BTreeSet::new();
    let Some(field) = field else { return Ok(private) };
    for (key, value) in field.table()?.fields() {
        let Some(said) = value.table()?.field(PRIVATE) else { continue };
        let name = key.as_str().parse().map_err(|error| key.fault(format!("input: {error}")))?;
        if said.boolean()? {
            private.insert(name);
        }
    }
    Ok(private)
}

/// `[input]`: names and what they are.
pub(crate) fn read_all(field: Option<&Field<'_, '_>>) -> Result<BTreeMap<Name, InputSpec>, TextError> {
    let mut inputs = BTreeMap::new();
    let Some(field) = field else { return Ok(inputs) };
    for (key, value) in field.table()?.fields() {
        let name: Name = key.as_str().parse().map_err(|error| key.fault(format!("input: {error}")))?;
        if let "source" | "cargo" | "scratch" = name.as_str() {
            let message = format!("an input may not be named `{name}`: that is selfsame's own word");
            return Err(key.fault(message));
        }
        let table = value.table()?.only(&keys())?;
        let spec = read(&table)?;
        inputs.insert(name, spec.ok_or_else(|| table.fault(needs_kind(value.name())))?);
    }
    Ok(inputs)
}

fn needs_kind(name: &str) -> String {
    format!("`{name}` has no kind; one of {} is wanted", KINDS.join(", "))
}

/// The input that a table states; nothing where no key of it names a kind.
pub(crate) fn read(table: &Table<'_, '_>) -> Result<Option<InputSpec>, TextError> {
    let mut stated = KINDS.iter().filter_map(|kind| Some((*kind, table.field(kind)?)));
    let Some((kind, field)) = stated.next() else { return Ok(None) };
    if let Some((other, second)) = stated.next() {
        return Err(second.fault(format!("`{other}` beside `{kind}`; an input is of one kind")));
    }
    for (key, of) in OPTIONS {
        if of != kind
            && let Some(field) = table.field(key)
        {
            return Err(field.fault(format!("`{}` goes with `{of}`, not with `{kind}`", field.name())));
        }
    }
    Ok(Some(match kind {
        "deb" => InputSpec::Deb(read_deb(table, &field)?),
        "oci" => InputSpec::Oci(read_oci(&field)?),
        "pypi" => InputSpec::Pypi(read_pypi(table, &field)?),
        "npm" => InputSpec::Npm(NpmSpec { lock: in_source(&field)? }),
        "go" => InputSpec::Go(GoSpec { sum: in_source(&field)? }),
        "file" => InputSpec::File(read_file(table, &field)?),
        _ => InputSpec::Git(read_git(table, &field)?),
    }))
}

fn flag(table: &Table<'_, '_>, key: &str, default: bool) -> Result<bool, TextError> {
    table.field(key).map_or(Ok(default), |field| field.boolean())
}

/// A list of words that `fits`, sorted, each once, at least one.
fn words(field: &Field<'_, '_>, what: &str, fits: impl Fn(&str) -> bool) -> Result<Vec<String>, TextError> {
    let mut words: Vec<String> = Vec::new();
    for item in field.list()? {
        let word = item.filled()?;
        if word.len() > 256 || !fits(word) {
            return Err(item.fault(format!("`{}` is not {what}", clip(word))));
        }
        if words.iter().any(|known| known == word) {
            return Err(item.fault(format!("`{word}` stands twice")));
        }
        words.push(word.to_owned());
    }
    if words.is_empty() {
        return Err(field.fault(format!("`{}` is empty", field.name())));
    }
    words.sort_unstable();
    Ok(words)
}

fn read_deb(table: &Table<'_, '_>, field: &Field<'_, '_>) -> Result<DebSpec, TextError> {
    // Debian Policy 5.6.1 and 5.6.12.
    let name = |text: &str| {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
        text.len() > 1 && text.bytes().all(letter) && text.as_bytes()[0].is_ascii_alphanumeric()
    };
    let version = |text: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".+-~:".contains(&byte);
        text.bytes().all(letter) && text.starts_with(|c: char| c.is_ascii_digit())
    };
    let fits = |word: &str| match word.split_once('=') {
        Some((package, at)) => name(package) && version(at),
        None => name(word),
    };
    let packages = words(field, "the name of a Debian package; like `gcc` or `gcc=4:12.2.0-3`", fits)?;
    let suite = table.field("suite").map(|field| {
        let text = field.filled()?;
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() > 64 || !text.bytes().all(letter) || text.starts_with('-') {
            return Err(field.fault(format!("`{}` is not a suite; like `bookworm`", clip(text))));
        }
        Ok(text.to_owned())
    });
    let rootfs = match table.field("rootfs") {
        None => Rootfs::Unpacked,
        Some(field) => match field.string()? {
            "unpacked" => Rootfs::Unpacked,
            "configured" => Rootfs::Configured,
            other => {
                let message = format!("rootfs `{}` is neither `unpacked` nor `configured`", clip(other));
                return Err(field.fault_with(message, nearest(other, ["unpacked", "configured"])));
            }
        },
    };
    Ok(DebSpec {
        packages,
        suite: suite.transpose()?,
        essential: flag(table, "essential", rootfs == Rootfs::Configured)?,
        rootfs,
        recommends: flag(table, "recommends", false)?,
    })
}

fn read_oci(field: &Field<'_, '_>) -> Result<OciSpec, TextError> {
    let text = field.filled()?;
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) || text.len() > 1024 {
        return Err(field.fault(format!("`{}` is not the name of an image", field.name())));
    }
    let local = |rest: &str| -> Result<(String, Option<String>), TextError> {
        let (path, name) = rest.split_once(':').map_or((rest, None), |(path, name)| (path, Some(name.to_owned())));
        if path.is_empty() || name.as_ref().is_some_and(String::is_empty) {
            return Err(field.fault(format!("`{}` is not `KIND:PATH` or `KIND:PATH:NAME`", field.name())));
        }
        if path.starts_with('/') {
            let message = format!("`{}` is absolute; a path relative to the definition's folder is wanted", clip(path));
            return Err(field.fault(message));
        }
        Ok((path.to_owned(), name))
    };
    if let Some(rest) = text.strip_prefix("oci:") {
        let (path, tag) = local(rest)?;
        return Ok(OciSpec::Layout { path, tag });
    }
    if let Some(rest) = text.strip_prefix("docker-archive:") {
        let (path, name) = local(rest)?;
        return Ok(OciSpec::DockerArchive { path, name });
    }
    if text.contains("://") || text.starts_with(['.', '/']) {
        let message = format!(
            "`{}` is not an image; `NAME:TAG` of a registry, `oci:PATH` or `docker-archive:PATH` is wanted",
            clip(text)
        );
        return Err(field.fault(message));
    }
    Ok(OciSpec::Registry { reference: text.to_owned() })
}

fn read_pypi(table: &Table<'_, '_>, field: &Field<'_, '_>) -> Result<PypiSpec, TextError> {
    let from = if field.string().is_ok() {
        PypiFrom::Pins(in_source(field)?)
    } else {
        let word = |text: &str, more: &[u8]| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
            !text.is_empty() && text.bytes().all(letter) && text.as_bytes()[0].is_ascii_alphanumeric()
        };
        let fits = |text: &str| {
            text.split_once("==").is_some_and(|(name, version)| word(name, b"._-") && word(version, b".!+-_"))
        };
        PypiFrom::Packages(words(field, "a distribution by exact version; like `flask==3.1.3`", fits)?)
    };
    let python = table.field("python").map(|field| {
        let text = field.filled()?;
        let minor = text.strip_prefix("3.").and_then(|minor| minor.parse::<u8>().ok());
        match minor {
            Some(minor) if format!("3.{minor}") == text => Ok(text.to_owned()),
            _ => Err(field.fault(format!("`{}` is not a Python like \"3.11\"", clip(text)))),
        }
    });
    Ok(PypiSpec { from, python: python.transpose()? })
}

fn read_file(table: &Table<'_, '_>, field: &Field<'_, '_>) -> Result<FileSpec, TextError> {
    let unpack = flag(table, "unpack", false)?;
    for (key, wanted) in [("strip", true), ("executable", false)] {
        if let Some(field) = table.field(key).filter(|_| unpack != wanted) {
            let word = if wanted { "goes with `unpack = true`" } else { "does not go with `unpack = true`" };
            return Err(field.fault(format!("`{}` {word}", field.name())));
        }
    }
    Ok(FileSpec {
        location: read_location(field)?,
        sha256: table.field("sha256").map(|field| read_sha256(&field)).transpose()?,
        unpack,
        strip: read_strip(table)?,
        executable: flag(table, "executable", false)?,
    })
}

fn read_git(table: &Table<'_, '_>, field: &Field<'_, '_>) -> Result<GitSpec, TextError> {
    let text = field.filled()?;
    let repository = match text.split_once("://") {
        Some(("https" | "http" | "ssh", rest)) => {
            let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
            if authority.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(field.fault(format!("`{}` is not a URL", field.name())));
            }
            let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
            if user.contains(':') || !user.is_empty() && !text.starts_with("ssh://") {
                return Err(field.fault(format!(
                    "`{}` holds a user name or password; those belong into git's configuration",
                    field.name()
                )));
            }
            text.to_owned()
        }
        Some((scheme, _)) => {
            let message =
                format!("`{}` has the scheme `{}`; https, http and ssh are known", field.name(), clip(scheme));
            return Err(field.fault(message));
        }
        None if text.starts_with('-') || text.contains("::") || text.chars().any(char::is_control) => {
            return Err(field.fault(format!("`{}` is neither a URL nor a path", field.name())));
        }
        None if text.contains('@') && text.contains(':') => {
            return Err(field.fault(format!("`{}` is written like ssh's shorthand; use `ssh://…`", field.name())));
        }
        None => relative(field)?,
    };
    let ways = ["commit", "tag", "branch"].map(|key| (key, table.field(key)));
    let mut stated = ways.iter().filter_map(|(key, field)| Some((*key, field.as_ref()?)));
    let Some((key, named)) = stated.next() else {
        return Err(field.fault(format!("`{}` needs one of commit, tag, branch", field.name())));
    };
    if let Some((other, second)) = stated.next() {
        return Err(second.fault(format!("`{other}` beside `{key}`; one of them is wanted")));
    }
    let word = named.filled()?;
    let at = match key {
        "commit" => {
            let hex = word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            if !hex || !matches!(word.len(), 40 | 64) {
                return Err(named.fault(format!("`{}` is not a whole commit id of 40 or 64 hex digits", clip(word))));
            }
            GitRef::Commit(word.to_owned())
        }
        _ => {
            // git-check-ref-format(1), the part that could be taken for something else.
            let bad = word.starts_with(['-', '/', '.']) || word.ends_with(['/', '.']) || word.ends_with(".lock");
            let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
            if bad || word.contains("..") || word.contains("@{") || word.chars().any(odd) || word.len() > 256 {
                return Err(named.fault(format!("`{}` is not the name of a {key}", clip(word))));
            }
            if key == "tag" { GitRef::Tag(word.to_owned()) } else { GitRef::Branch(word.to_owned()) }
        }
    };
    Ok(GitSpec { repository, at, submodules: flag(table, "submodules", true)? })
}

/// A path in the source.
fn in_source(field: &Field<'_, '_>) -> Result<RelPath, TextError> {
    let path: RelPath = field.parsed()?;
    if path.is_root() {
        return Err(field.fault(format!("`{}` is the source itself; a file of it is wanted", field.name())));
    }
    Ok(path)
}
