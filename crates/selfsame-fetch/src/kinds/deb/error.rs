//! Why packages gave no input.

use std::io;
use std::path::PathBuf;

use selfsame_core::{Platform, RelPath};
use selfsame_deb::{DebError, SourcesError};
use selfsame_http::HttpError;
use selfsame_tree::TreeError;

/// Why Debian packages could not be chosen, brought or laid out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebInputError {
    /// No apt.
    #[error("`apt-get` is not on this machine, and it is what chooses packages for a lock")]
    NoApt,
    /// Apt failed.
    #[error("apt-get {command} failed: {message}")]
    Apt {
        /// `update`, `install`.
        command: &'static str,
        /// Its errors, in one line.
        message: String,
        /// Whether they speak of the network.
        network: bool,
    },
    /// Apt did not end.
    #[error("apt-get {command} did not end within {limit_secs} s")]
    TooSlow {
        /// `update`, `install`.
        command: &'static str,
        /// How long was waited.
        limit_secs: u64,
    },
    /// Apt said something that cannot be understood.
    #[error("apt-get printed `{}`, which is no file with a SHA-256", line.escape_debug())]
    Line {
        /// The beginning of the line.
        line: String,
    },
    /// A file of sources cannot be understood.
    #[error("apt's sources in `{}` cannot be read", path.display())]
    Sources {
        /// Where.
        path: PathBuf,
        /// Why.
        source: SourcesError,
    },
    /// Nowhere to get packages from.
    #[error("apt on this machine names no source of packages over http or https")]
    NoSources,
    /// No source has the suite.
    #[error("apt's sources on this machine name no suite that `{suite}` could be had from; they name {}", known.join(", "))]
    NoSuite {
        /// As the definition has it.
        suite: String,
        /// Those that are named.
        known: Vec<String>,
    },
    /// Debian has no name for it.
    #[error("there are no Debian packages for `{platform}`")]
    Platform {
        /// The platform.
        platform: Platform,
    },
    /// Something that is no package's name.
    #[error("`{}` is not NAME or NAME=VERSION of a package", text.escape_debug())]
    Name {
        /// As the definition has it.
        text: String,
    },
    /// What was asked for is not among what was chosen.
    #[error("apt chose no package `{package}`")]
    NotChosen {
        /// As the definition has it.
        package: String,
    },
    /// A file from a place that is not asked.
    #[error("apt would have `{file}` from `{uri}`, which is neither http nor https")]
    Scheme {
        /// Its name.
        file: String,
        /// The place.
        uri: String,
    },
    /// A package that is refused.
    #[error("package `{package}` is refused")]
    Package {
        /// `gcc 4:12.2.0-3`, or its file name.
        package: String,
        /// Why.
        source: DebError,
    },
    /// A package that says that it is another one.
    #[error("package `{package}` says of itself that it is `{says}`")]
    Disagrees {
        /// What the lock or apt calls it.
        package: String,
        /// What its control file says.
        says: String,
    },
    /// Nowhere to ask for a package.
    #[error(
        "there is no place to ask for `{purl}`: no apt with sources on this machine, and no upstream for its origin"
    )]
    NoPlace {
        /// `gcc 4:12.2.0-3`
        purl: String,
    },
    /// Versions that none of this machine's archives has any more.
    #[error("no archive of this machine has {} any more", some(packages))]
    Dropped {
        /// `gcc 4:12.2.0-3` each.
        packages: Vec<String>,
        /// What was said of the first that was asked for.
        source: Box<HttpError>,
    },
    /// Two packages want one path.
    #[error("`{path}` is in `{one}` and, different, in `{other}`, and neither says that it replaces the other")]
    Conflict {
        /// In the root file system.
        path: RelPath,
        /// A package.
        one: String,
        /// Another package, or the same.
        other: String,
    },
    /// Links of several packages that lead nowhere.
    #[error("`{path}` of `{package}` lies behind links that never end")]
    Links {
        /// In the package.
        path: RelPath,
        /// The package.
        package: String,
    },
    /// What the packages hold makes no tree.
    #[error("the packages make no root file system")]
    Tree {
        /// Why.
        source: TreeError,
    },
    /// Maintainer scripts are asked for, and what runs them is not there.
    #[error("maintainer scripts need `/{path}`, which none of the packages has")]
    NoConfigurer {
        /// `usr/bin/dpkg`.
        path: RelPath,
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

/// The first few, and how many more.
fn some(packages: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = packages.iter().take(SHOWN).map(|package| format!("`{package}`")).collect();
    match packages.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl DebInputError {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn retry_may_help(&self) -> bool {
        matches!(self, Self::Apt { network: true, .. } | Self::TooSlow { .. })
    }
}
