//! What a release is a function of, beside the key: everything that was bound and locked, by digest.

use std::collections::BTreeMap;

use selfsame_core::{Digest, Level, Platform, Profile, SourceEpoch};

/// The arguments of a build. Two equal requests make equal releases, or one of them is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The release's name.
    pub name: String,
    /// The release's version.
    pub version: String,
    /// The bytes of `selfsame.toml`.
    pub definition: Digest,
    /// The bytes of `selfsame.lock`, where there is one.
    pub lock: Option<Digest>,
    /// The bytes of `selfsame.host.lock`, where a toolchain was captured.
    pub host_lock: Option<Digest>,
    /// What is built.
    pub source: Source,
    /// Toolchains taken from the host, by name.
    pub toolchains: BTreeMap<String, ToolchainInput>,
    /// Inputs, and toolchains that are inputs, by name.
    pub inputs: BTreeMap<String, InputSet>,
    /// The crates that the source's Cargo.lock pins, sorted by name and version.
    pub crates: Vec<CrateInput>,
    /// The one time that the build may see.
    pub epoch: SourceEpoch,
    /// Everything else that decides bytes.
    pub profile: Profile,
    /// The level asked for.
    pub level: Level,
    /// What the image is for.
    pub platform: Platform,
    /// All that were asked for together, sorted by their names, where those are several; this one is among them.
    pub platforms: Vec<Platform>,
    /// What the actions run on.
    pub build_platform: Platform,
    /// Named exceptions from the level, with the reason that was given.
    pub relaxations: BTreeMap<String, String>,
    /// Who vouches for it.
    pub builder_id: String,
}

/// The source, bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The tree that actions see.
    pub tree: Digest,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a source came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder. The commit stands here only if the tree equals it.
    Path {
        /// 40 or 64 hex digits.
        commit: Option<String>,
        /// Whether it held changes that no commit has.
        dirty: bool,
    },
    /// An archive or crate of the lock, unpacked.
    Locked {
        /// Its identity.
        purl: String,
        /// Of the archive.
        sha256: Digest,
    },
}

/// A captured toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainInput {
    /// Its tree, paths from the sandbox's root.
    pub tree: Digest,
    /// How it was had.
    pub kind: ToolchainKind,
}

/// How a toolchain was had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolchainKind {
    /// Files of the host, by observation.
    Captured,
    /// Components of an installed rustup toolchain.
    Rustup {
        /// As its channel manifest names them.
        components: Vec<Component>,
    },
}

/// A component of a rustup toolchain: what its channel manifest says of the archive it was installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// `rustc`.
    pub name: String,
    /// Where the channel publishes it.
    pub url: String,
    /// Of the archive there.
    pub sha256: Digest,
}

/// An input of the definition: its parts, and the tree that they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSet {
    /// The kind's word: `deb`.
    pub kind: String,
    /// What actions see; of a root file system that is configured, what its maintainer scripts begin with.
    pub tree: Digest,
    /// Where maintainer scripts configure it: the names of the normalisers that come behind them.
    pub configured: Option<Vec<String>>,
    /// What was locked, or pinned by a file of the source; sorted.
    pub parts: Vec<InputPart>,
}

/// One file of an input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputPart {
    /// Its package URL.
    pub purl: String,
    /// Its content.
    pub sha256: Digest,
    /// What it is to its input, where parts are not alike: `manifest`, `config`, `layer`.
    pub role: Option<String>,
    /// What it is for, where an input has parts for several.
    pub platform: Option<String>,
}

/// A crate of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrateInput {
    /// `memchr`.
    pub name: String,
    /// `2.7.4`.
    pub version: String,
    /// Of the `.crate` file: the checksum in Cargo.lock.
    pub sha256: Digest,
    /// Whether Cargo.lock names another registry for it than the one that everybody can ask. Which one is each machine's
    /// own affair.
    pub is_private: bool,
}

impl CrateInput {
    /// `pkg:cargo/memchr@2.7.4`. Build metadata in a version (`1.0.0+2`) is percent-encoded as purl wants it.
    #[must_use]
    pub fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }
}
