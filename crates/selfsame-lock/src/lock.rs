//! `selfsame.lock`: what `resolve` chose and `fetch` may bring.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use selfsame_core::{Digest, Profile};
use selfsame_definition::document::{self, Field, Table};
use selfsame_definition::{Name, TextError};

use crate::print::Printer;
use crate::purl::Purl;

/// The one version of the format that is read and written.
pub(crate) const VERSION: u64 = 1;

/// Every input that a definition names and that is not pinned by a lock of its own ecosystem (Cargo.lock).
///
/// ```toml
/// # selfsame.lock: every input by content. Written by `selfsame lock`; commit it.
/// version = 1
/// profile = 1
///
/// [[input]]
/// name = "source"
/// kind = "crate"
/// purl = "pkg:cargo/ripgrep@14.1.1"
/// sha256 = "0c5e2bd2a2ec3e9d8a0c..."
/// size = 246000
/// claim = "registry-checksum"
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What decides bytes.
    pub profile: Profile,
    /// Inputs by name.
    pub inputs: BTreeMap<Name, LockedInput>,
}

/// One input, by content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedInput {
    /// What kind of file it is, and so how it is unpacked and where it is looked for.
    pub kind: InputKind,
    /// How it is called.
    pub purl: Purl,
    /// What it is.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
    /// Who vouched for it when it was locked.
    pub claim: Claim,
}

/// The kinds of locked files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A tar archive that the definition names.
    Archive,
    /// A `.crate` of a registry.
    Crate,
}

/// Who vouched for the digest of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The author: the digest stands in the definition.
    Definition,
    /// The registry's index.
    RegistryChecksum,
    /// A server's certificate, once.
    TlsOnly,
    /// Nobody: fetched without encryption.
    Plaintext,
    /// A file of this machine, when the lock was written.
    LocalFile,
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
                let table = table.only(&["name", "kind", "purl", "sha256", "size", "claim"])?;
                let name_field = table.need("name")?;
                let name: Name = name_field.parsed()?;
                let input = LockedInput {
                    kind: table.need("kind")?.parsed()?,
                    purl: table.need("purl")?.parsed()?,
                    sha256: read_digest(&table.need("sha256")?)?,
                    size: table.need("size")?.integer()?,
                    claim: table.need("claim")?.parsed()?,
                };
                if inputs.insert(name.clone(), input).is_some() {
                    return Err(name_field.fault(format!("input `{name}` stands twice")));
                }
            }
            Ok(Self { profile, inputs })
        })
    }
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
            out.string("purl", input.purl.as_str());
            out.string("sha256", &input.sha256.hex());
            out.integer("size", input.size);
            out.string("claim", input.claim.name());
        }
        f.write_str(&out.finish())
    }
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

words!(InputKind { Archive = "archive", Crate = "crate" });
words!(Claim {
    Definition = "definition",
    RegistryChecksum = "registry-checksum",
    TlsOnly = "tls-only",
    Plaintext = "plaintext",
    LocalFile = "local-file",
});
