//! Everything that an SBOM is made of: what the driver knows after a build, as values.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, Platform, Profile, Sha512Digest, SourceEpoch};

/// One image for one platform, what went into it, and how it was made.
///
/// The order of the lists does not count, except that of [`Facts::steps`], [`Part::authors`] and [`Step::command`].
#[derive(Clone, Debug)]
pub struct Facts {
    /// The application's name, from the definition.
    pub name: String,
    /// Its version, from the definition.
    pub version: String,
    /// Its licence, from the definition: an SPDX expression.
    pub license: Option<String>,
    /// Its package URL; `pkg:generic/NAME@VERSION` where none is given.
    pub purl: Option<String>,
    /// Who publishes it, as far as the definition says.
    pub publisher: Publisher,
    /// The document's timestamp.
    pub epoch: SourceEpoch,
    /// What the image is for.
    pub platform: Platform,
    /// The profile whose evidence mapping this is.
    pub profile: Profile,
    /// The digest of the image manifest that the document describes, where it is known.
    pub image: Option<Digest>,
    /// Every regular file of the image, each path once.
    pub files: Vec<ImageFile>,
    /// Packages of which something is in the image.
    pub shipped: Vec<Part>,
    /// Packages that took part in the build only: procedural macros, build scripts, compilers.
    pub build_only: Vec<Part>,
    /// Who needs whom. The application needs each image file without being told.
    pub edges: Vec<Edge>,
    /// Whether all that a node needs is in `edges`. A node that is not named here is [`Completeness::Unknown`].
    pub completeness: BTreeMap<Node, Completeness>,
    /// What the build read, as the lock names it.
    pub inputs: Vec<Input>,
    /// The actions, in the order in which they ran.
    pub steps: Vec<Step>,
}

/// Who publishes the application. Nothing is required; nothing is made up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publisher {
    /// `Example Ltd`.
    pub name: Option<String>,
    /// A web page.
    pub url: Option<String>,
    /// An address for everything.
    pub email: Option<String>,
    /// Where vulnerabilities are reported: an address or a web page.
    pub security_contact: Option<String>,
}

/// A person or organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// Its name.
    pub name: Option<String>,
    /// A web page.
    pub url: Option<String>,
    /// An address.
    pub email: Option<String>,
}

/// A regular file of the image.
#[derive(Clone, Debug)]
pub struct ImageFile {
    /// Where it is in the image: absolute, `/bin/hello`.
    pub path: String,
    /// Of its content.
    pub sha256: Digest,
    /// Of its content.
    pub sha512: Sha512Digest,
    /// In bytes.
    pub size: u64,
    /// What sort of file it is, as BSI TR-03183-2 asks.
    pub form: Form,
    /// The action output it was taken from: `compile:hello`.
    pub origin: Option<String>,
    /// The diffID of the layer that holds it.
    pub layer: Option<Digest>,
    /// The modification time that it has in that layer, if a date can say it.
    pub modified: Option<SourceEpoch>,
    /// Whether others made it: it is of the image's base, and the publisher is not its manufacturer.
    pub by_others: bool,
}

/// The three yes-or-no properties of a file in BSI TR-03183-2, sections 8.1.4 to 8.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// A program, a library or a script.
    pub executable: bool,
    /// A combination of several files. Compression alone makes none.
    pub archive: bool,
    /// What it holds can still be told apart, as in a tar or zip.
    pub structured: bool,
}

impl Form {
    /// The form of a file with this executable bit whose content begins with `head` (512 bytes are enough).
    ///
    /// A shared library is executable without the bit, as the guideline counts it. A compressed file counts as what
    /// it looks like from outside, so `x.tar.gz` is told by its name.
    #[must_use]
    pub fn of(path: &str, executable_bit: bool, head: &[u8]) -> Self {
        const ARCHIVE_MAGIC: [&[u8]; 4] = [b"!<arch>\n", b"PK\x03\x04", b"PK\x05\x06", b"070701"];
        const ARCHIVE_NAMES: [&str; 6] = [".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2", ".crate"];
        let archive = ARCHIVE_MAGIC.iter().any(|magic| head.starts_with(magic))
            || head.get(257..262) == Some(b"ustar")
            || ARCHIVE_NAMES.iter().any(|name| path.ends_with(name));
        let program = head.starts_with(b"\x7fELF") && head.get(16) != Some(&1) || head.starts_with(b"#!");
        Self { executable: executable_bit || program, archive, structured: archive }
    }
}

/// What sort of package a part is, which decides its CycloneDX type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// Code that is linked or loaded: `library`.
    Library,
    /// A program: `application`.
    Application,
    /// A file or folder that no package claims: `file`.
    File,
}

/// A package: something with a name, a version and a package URL that somebody publishes.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its package URL, in canonical form: `pkg:cargo/memchr@2.7.4`.
    pub purl: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is.
    pub kind: PartKind,
    /// The file in which it is published: `memchr-2.7.4.crate`.
    pub filename: Option<String>,
    /// Of that file.
    pub sha256: Option<Digest>,
    /// Of that file.
    pub sha512: Option<Sha512Digest>,
    /// The licence that its authors declare: an SPDX expression, an old spelling of one, or any text.
    pub license: Option<String>,
    /// Who distributes it, where the lock or the package says so.
    pub supplier: Option<Entity>,
    /// Who wrote it: `Name <address>`, `Name` or an address.
    pub authors: Vec<String>,
    /// One sentence.
    pub description: Option<String>,
    /// Its web page.
    pub homepage: Option<String>,
    /// Its source repository.
    pub repository: Option<String>,
    /// The features it was built with.
    pub features: BTreeSet<String>,
    /// Taken from the building machine by observation.
    pub captured: bool,
    /// In the image, and named by no lock: the package itself says what it is.
    pub unlocked: bool,
    /// Where the build's own files name it, `Cargo.lock`, and where in the image it does.
    pub locations: BTreeSet<String>,
}

impl Part {
    /// A part of which only the three names are known.
    #[must_use]
    pub fn new(kind: PartKind, purl: impl Into<String>, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            purl: purl.into(),
            name: name.into(),
            version: version.into(),
            kind,
            filename: None,
            sha256: None,
            sha512: None,
            license: None,
            supplier: None,
            authors: Vec::new(),
            description: None,
            homepage: None,
            repository: None,
            features: BTreeSet::new(),
            captured: false,
            unlocked: false,
            locations: BTreeSet::new(),
        }
    }
}

/// One thing in the graph of who needs whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The application itself.
    Application,
    /// A file of the image, by its absolute path.
    File(String),
    /// A shipped part, by its purl.
    Shipped(String),
    /// A build-only part, by its purl.
    BuildOnly(String),
}

/// `from` needs `to`, directly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The one that needs.
    pub from: Node,
    /// The one that is needed.
    pub to: Node,
}

/// Whether all that a node needs is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Completeness {
    /// Nothing is missing.
    Complete,
    /// Something is known to be missing.
    Incomplete,
    /// Nobody looked.
    Unknown,
}

/// Something the build read.
#[derive(Clone, Debug)]
pub struct Input {
    /// As the provenance's `resolvedDependencies` name it: a package URL or another URI.
    pub uri: String,
    /// For people: `memchr-2.7.4.crate`.
    pub name: String,
    /// Of the file, or of the tree.
    pub sha256: Digest,
    /// In bytes, where it is one file.
    pub size: Option<u64>,
    /// Taken from the building machine by observation.
    pub captured: bool,
}

/// One action.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name in the definition.
    pub name: String,
    /// What it ran.
    pub command: Vec<String>,
    /// The action digest: its identity, with everything that it could see.
    pub action: Digest,
    /// The digest of the tree that it left.
    pub output: Digest,
}

/// Facts that contradict each other or that no SBOM can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// A package URL that is none.
    #[error("`{purl}` is not a package URL: {fault}")]
    Purl {
        /// The text.
        purl: String,
        /// What the parser says.
        fault: String,
    },
    /// Two components with one identity.
    #[error("`{reference}` stands twice in the SBOM's facts, with different content")]
    Twice {
        /// The bom-ref.
        reference: String,
    },
    /// An edge or a completeness that names nothing.
    #[error("`{reference}` is needed by the dependency graph and is no component")]
    Dangling {
        /// The bom-ref.
        reference: String,
    },
    /// A publisher's address without `@`, or a web page that is not a URL.
    #[error("publisher: `{text}` is not {wanted}")]
    Publisher {
        /// The text.
        text: String,
        /// What it should be, with an article.
        wanted: &'static str,
    },
    /// A file's path that is not absolute.
    #[error("image file `{path}` is not an absolute path")]
    Path {
        /// The path.
        path: String,
    },
}
