//! Why a toolchain could not be recorded.

use std::io;
use std::path::PathBuf;

use selfsame_lock::PurlError;
use selfsame_store::StoreError;
use selfsame_tree::TreeError;

/// Why a toolchain could not be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolchainError {
    /// A named root whose name is not one component of a path.
    #[error("`{name}` cannot be the name of a toolchain; one path component is wanted")]
    Name {
        /// The name.
        name: String,
    },
    /// Something that must be read could not be.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// On the host.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database, manifest or list that is not what it should be.
    #[error("`{}` {fault}", path.display())]
    Malformed {
        /// On the host.
        path: PathBuf,
        /// The rest of the sentence.
        fault: String,
    },
    /// A recorded tool needs more files than a toolchain may have.
    #[error("`{folder}` holds more than {limit} files")]
    TooMany {
        /// The folder being recorded.
        folder: String,
        /// The limit.
        limit: usize,
    },
    /// `rpm` could not be asked.
    #[error("`rpm -qa` failed: {said}")]
    Rpm {
        /// Its last line, or what the system said.
        said: String,
    },
    /// The store did not take a file; its error names which.
    #[error("the store did not take a file of the toolchain")]
    Store(#[from] StoreError),
    /// A package whose name or version cannot be written as a package URL.
    #[error("package `{name}` {version} has no package URL")]
    Purl {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// Why.
        source: PurlError,
    },
    /// The recorded files do not make a tree.
    #[error("the recorded files do not make a tree")]
    Tree(#[from] TreeError),
    /// No rustup toolchain has this name or this version.
    #[error("rustup has no toolchain `{name}` in `{}`", home.display())]
    NoToolchain {
        /// As asked for.
        name: String,
        /// `RUSTUP_HOME`.
        home: PathBuf,
        /// The toolchains that are there.
        found: Vec<String>,
    },
    /// A toolchain folder that is a link to somewhere else: not from a channel, so nothing says what it is.
    #[error("rustup toolchain `{name}` is linked to `{}`, not installed from a channel", target.display())]
    Linked {
        /// Its folder's name.
        name: String,
        /// Where the link leads.
        target: PathBuf,
    },
    /// A toolchain folder whose compiler is not of the version in its name.
    #[error("rustup toolchain `{name}` holds rustc {version}")]
    Version {
        /// As asked for.
        name: String,
        /// What its channel manifest says.
        version: String,
    },
    /// A component that is not installed.
    #[error("component `{component}` is not installed in rustup toolchain `{name}`")]
    NoComponent {
        /// As asked for.
        component: String,
        /// The toolchain.
        name: String,
        /// The components that are there.
        found: Vec<String>,
    },
}
