//! `selfsame.lock`: what `resolve` chose and `fetch` may bring.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use selfsame_core::{Digest, Platform, Profile};
use selfsame_definition::document::{self, Field, Table};
use selfsame_definition::{Name, TextError};

use crate::print::{Printer, quoted};
use crate::purl::Purl;
use selfsame_core::Day;

/// The one version of the format that is read and written.
pub(crate) const VERSION: u64 = 1;

/// Every input that a definition names and that no lock of its own ecosystem pins (Cargo.lock, package-lock.json).
///
/// ```toml
/// # selfsame.lock: every input by content. Written by `selfsame lock`; commit it.
/// version = 1
/// profile = 1
///
/// [[input]]
/// name = "source"
/// kind = "crate"
/// asked = "pkg:cargo/ripgrep@14.1.1"
/// as_of = "2026-11-20"
/// parts = [
///   { purl = "pkg:cargo/ripgrep@14.1.1", sha256 = "0c5e2bd2...", size = 246000, claim = "registry-checksum" },
/// ]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What decides bytes.
    pub profile: Profile,
    /// Inputs by name.
    pub inputs: BTreeMap<Name, Locked>,
}

/// One input: what was asked for, and the files that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// What kind of content it is, and so how it is laid out and where it is looked for.
    pub kind: InputKind,
    /// What the definition asked for, in one line. A lock made for another line is stale.
    pub asked: String,
    /// When it was chosen.
    pub as_of: Day,
    /// What is taken out of a root file system when its maintainer scripts have run, in this order; none for other inputs.
    pub normalisers: Vec<Normaliser>,
    /// Its files, sorted by package URL and digest; at least one.
    pub parts: Vec<Part>,
}

/// One file, by content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// How it is called.
    pub purl: Purl,
    /// What it is.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// Who vouched for it when it was locked.
    pub claim: Claim,
    /// What it is to its input, where that is not one of many alike: `manifest`, `config`, `layer`, `submodule`.
    pub role: Option<String>,
    /// What it is for, where an input has parts for several.
    pub platform: Option<Platform>,
    /// `NAME@VERSION` of the source package that it was built from.
    pub source: Option<String>,
}

/// The kinds of locked content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A tar archive that the definition names as its source.
    Archive,
    /// A `.crate` of a registry.
    Crate,
    /// Debian packages.
    Deb,
    /// An image: manifest, config and layers.
    Oci,
    /// Wheels and source distributions.
    Pypi,
    /// Packages of npm.
    Npm,
    /// Modules of Go.
    Go,
    /// One file.
    File,
    /// The files of a commit, as one tar.
    Git,
}

/// What one normaliser takes out of a configured root file system: docs/inputs/deb.md says which files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Normaliser {
    /// Apt's caches and lists.
    AptCaches,
    /// Debconf's copies of its own files.
    DebconfBackups,
    /// Dpkg's copies of its own files.
    DpkgBackups,
    /// What `ldconfig` remembers of files' times and inodes.
    LdconfigCache,
    /// Logs.
    Logs,
    /// The number of a machine.
    MachineId,
    /// Indexes of manual pages, with times.
    ManIndexes,
    /// Seeds for random numbers.
    RandomSeeds,
    /// What scripts left in `/run`.
    RunFiles,
    /// Private keys that would be the same in every image.
    ServerKeys,
}

impl Normaliser {
    /// Those of profile 1, in their order. A lock may have fewer, never others.
    pub const ALL: [Self; 10] = [
        Self::AptCaches,
        Self::DebconfBackups,
        Self::DpkgBackups,
        Self::LdconfigCache,
        Self::Logs,
        Self::MachineId,
        Self::ManIndexes,
        Self::RandomSeeds,
        Self::RunFiles,
        Self::ServerKeys,
    ];
}

/// Who vouched for the digest of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// The author: the digest stands in the definition.
    Definition,
    /// The lock of its own ecosystem, in the source.
    EcosystemLock,
    /// A signed Release file of a distribution.
    SignedRelease,
    /// The registry's index.
    RegistryChecksum,
    /// The index of a package index, without a signature.
    IndexHash,
    /// The manifest of an image, which names its blobs.
    ManifestDigest,
    /// A commit of git, which names its files.
    GitCommit,
    /// A server's certificate, once.
    TlsOnly,
    /// Nobody: fetched without encryption.
    Plaintext,
    /// A file of this machine, when the lock was written.
    LocalFile,
}

impl Locked {
    /// The bytes of all its parts.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.size))
    }
}

impl Part {
    /// A part with nothing but what every part has.
    #[must_use]
    pub const fn new(purl: Purl, sha256: Digest, size: u64, claim: Claim) -> Self {
        Self { purl, sha256, size, claim, role: None, platform: None, source: None }
    }
}

impl Lock {
    /// The name of the file.
    pub const FILE_NAME: &str = "selfsame.lock";

    /// A lock without inputs: all that a path source needs.
    #[must_use]
    pub const fn empty(profile: Profile) -> Self {
        Self { profile, inputs: BTreeMap::new() }
    }

    /// Parses `selfsame.lock`: unknown keys and unknown versions are refused.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        document::parse(text, |table| {
            // The version first: a newer one has keys that this program does not know.
            check_version(&table)?;
            let table = table.only(&["version", "profile", "input"])?;
            let profile = read_profile(&table.need("profile")?)?;
            let mut inputs = BTreeMap::new();
            for table in table.field("input").map(|field| field.tables()).transpose()?.unwrap_or_default() {
                let table = table.only(&["name", "kind", "asked", "as_of", "normalisers", "parts"])?;
                let name_field = table.need("name")?;
                let name: Name = name_field.parsed()?;
                let input = Locked {
                    kind: table.need("kind")?.parsed()?,
                    asked: table.need("asked")?.filled()?.to_owned(),
                    as_of: table.need("as_of")?.parsed()?,
                    normalisers: table
                        .field("normalisers")
                        .map(|it| read_normalisers(&it))
                        .transpose()?
                        .unwrap_or_default(),
                    parts: read_parts(&table.need("parts")?)?,
                };
                if inputs.insert(name.clone(), input).is_some() {
                    return Err(name_field.fault(format!("input `{name}` stands twice")));
                }
            }
            Ok(Self { profile, inputs })
        })
    }

    /// Every part with the name of its input.
    pub fn parts(&self) -> impl Iterator<Item = (&Name, &Part)> {
        self.inputs.iter().flat_map(|(name, input)| input.parts.iter().map(move |part| (name, part)))
    }
}

fn read_normalisers(field: &Field<'_, '_>) -> Result<Vec<Normaliser>, TextError> {
    let mut normalisers: Vec<Normaliser> = Vec::new();
    for word in field.list()? {
        let normaliser = word.parsed()?;
        if normalisers.last().is_some_and(|last| *last >= normaliser) {
            return Err(word.fault("a normaliser stands twice or out of order; they are sorted"));
        }
        normalisers.push(normaliser);
    }
    Ok(normalisers)
}

fn read_parts(field: &Field<'_, '_>) -> Result<Vec<Part>, TextError> {
    let mut parts: Vec<Part> = Vec::new();
    for table in field.tables()? {
        let table = table.only(&["purl", "sha256", "size", "claim", "role", "platform", "source"])?;
        let text = |key| table.field(key).map(|field| field.filled().map(str::to_owned)).transpose();
        let part = Part {
            purl: table.need("purl")?.parsed()?,
            sha256: read_digest(&table.need("sha256")?)?,
            size: table.need("size")?.integer()?,
            claim: table.need("claim")?.parsed()?,
            role: text("role")?,
            platform: table.field("platform").map(|field| field.parsed()).transpose()?,
            source: text("source")?,
        };
        if parts.last().is_some_and(|last| *last >= part) {
            let message = format!("`{}` stands twice or out of order; parts are sorted", part.purl);
            return Err(table.need("purl")?.fault(message));
        }
        parts.push(part);
    }
    if parts.is_empty() {
        return Err(field.fault(format!("`{}` is empty; an input has content", field.name())));
    }
    Ok(parts)
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Printer::new("selfsame.lock: every input by content. Written by `selfsame lock`; commit it.");
        out.integer("version", VERSION);
        out.integer("profile", u64::from(self.profile.number()));
        for (name, input) in &self.inputs {
            out.item("input");
            out.string("name", name.as_str());
            out.string("kind", input.kind.name());
            out.string("asked", &input.asked);
            out.string("as_of", &input.as_of.to_string());
            let normalisers: Vec<String> = input.normalisers.iter().map(|it| it.name().to_owned()).collect();
            out.strings("normalisers", &normalisers);
            let mut parts: Vec<&Part> = input.parts.iter().collect();
            parts.sort_unstable();
            out.lines("parts", parts.into_iter().map(print_part));
        }
        f.write_str(&out.finish())
    }
}

/// One line, so that a changed part is one changed line.
fn print_part(part: &Part) -> String {
    let mut line = format!(
        "{{ purl = {}, sha256 = \"{}\", size = {}, claim = \"{}\"",
        quoted(part.purl.as_str()),
        part.sha256.hex(),
        part.size,
        part.claim.name()
    );
    let platform = part.platform.as_ref().map(ToString::to_string);
    for (key, value) in [("role", &part.role), ("platform", &platform), ("source", &part.source)] {
        if let Some(value) = value {
            line.push_str(&format!(", {key} = {}", quoted(value)));
        }
    }
    line + " }"
}

pub(crate) fn check_version(table: &Table<'_, '_>) -> Result<(), TextError> {
    let field = table.need("version")?;
    match field.integer()? {
        VERSION => Ok(()),
        0 => Err(field.fault("`version` is 0; the first one is 1")),
        newer => Err(field.fault(format!(
            "a lock of version {newer}; this selfsame reads version {VERSION}, one that reads version {newer} is needed"
        ))),
    }
}

fn read_profile(field: &Field<'_, '_>) -> Result<Profile, TextError> {
    let number = field.integer()?;
    let known = u32::try_from(number).ok().and_then(Profile::known);
    known.ok_or_else(|| {
        let current = Profile::CURRENT.number();
        field.fault(format!("profile {number} is not known here; this selfsame builds with profile {current}"))
    })
}

/// 64 hex digits without the algorithm, as other locks have them.
pub(crate) fn read_digest(field: &Field<'_, '_>) -> Result<Digest, TextError> {
    let digest = Digest::from_hex(field.string()?);
    digest.map_err(|_| field.fault(format!("`{}` is not 64 lowercase hex digits", field.name())))
}

/// A text that is none of the words that may stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is none of {known}")]
pub struct WordError {
    word: String,
    known: String,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word in the lock.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $type {
            type Err = $crate::lock::WordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $(if text == $word { return Ok(Self::$variant); })+
                Err($crate::lock::word_error(text, &[$($word),+]))
            }
        }
    };
}
pub(crate) use words;

pub(crate) fn word_error(text: &str, known: &[&str]) -> WordError {
    WordError { word: text.chars().take(80).flat_map(char::escape_debug).collect(), known: known.join(", ") }
}

words!(InputKind {
    Archive = "archive",
    Crate = "crate",
    Deb = "deb",
    Oci = "oci",
    Pypi = "pypi",
    Npm = "npm",
    Go = "go",
    File = "file",
    Git = "git",
});
words!(Normaliser {
    AptCaches = "apt-caches",
    DebconfBackups = "debconf-backups",
    DpkgBackups = "dpkg-backups",
    LdconfigCache = "ldconfig-cache",
    Logs = "logs",
    MachineId = "machine-id",
    ManIndexes = "man-indexes",
    RandomSeeds = "random-seeds",
    RunFiles = "run-files",
    ServerKeys = "server-keys",
});
words!(Claim {
    Definition = "definition",
    EcosystemLock = "ecosystem-lock",
    SignedRelease = "signed-release",
    RegistryChecksum = "registry-checksum",
    IndexHash = "index-hash",
    ManifestDigest = "manifest-digest",
    GitCommit = "git-commit",
    TlsOnly = "tls-only",
    Plaintext = "plaintext",
    LocalFile = "local-file",
});
