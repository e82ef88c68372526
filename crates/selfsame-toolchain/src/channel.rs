//! The channel manifest that rustup keeps inside each toolchain: versions, and where each component's archive lies.

use std::collections::BTreeMap;
use std::path::Path;

use selfsame_core::Digest;

use crate::ToolchainError;

/// Where it lies below a toolchain.
pub(crate) const PLACE: &str = "lib/rustlib/multirust-channel-manifest.toml";

/// The part of a channel manifest, version 2, that names packages. Other keys are rustup's affair.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Channel {
    pkg: BTreeMap<String, Pkg>,
    #[serde(default)]
    renames: BTreeMap<String, Rename>,
}

#[derive(Debug, serde::Deserialize)]
struct Pkg {
    version: String,
    #[serde(default)]
    target: BTreeMap<String, Target>,
}

#[derive(Debug, serde::Deserialize)]
struct Target {
    #[serde(default)]
    available: bool,
    url: Option<String>,
    hash: Option<String>,
    xz_url: Option<String>,
    xz_hash: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
struct Rename {
    to: String,
}

/// A component's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    pub(crate) url: String,
    pub(crate) sha256: Digest,
}

impl Channel {
    /// Reads the manifest of a toolchain folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, ToolchainError> {
        const LIMIT: u64 = 64 << 20;
        let path = folder.join(PLACE);
        let malformed = |fault: String| ToolchainError::Malformed { path: path.clone(), fault };
        let unread = |source| ToolchainError::Read { path: path.clone(), source };
        let size = std::fs::metadata(&path).map_err(unread)?.len();
        if size > LIMIT {
            return Err(malformed("is larger than 64 MiB".to_owned()));
        }
        let text = std::fs::read_to_string(&path).map_err(unread)?;
        toml::from_str(&text).map_err(|error| malformed(format!("is no channel manifest: {}", error.message())))
    }

    /// `1.95.0`, or `1.97.0-nightly`: the first word of rustc's version.
    pub(crate) fn rustc_version(&self) -> Option<&str> {
        self.version("rustc")
    }

    /// The first word of a package's version.
    pub(crate) fn version(&self, package: &str) -> Option<&str> {
        self.pkg.get(package)?.version.split(' ').next().filter(|version| !version.is_empty())
    }

    /// The name that a component has in this channel: `clippy` may be `clippy-preview`.
    pub(crate) fn renamed<'a>(&'a self, component: &'a str) -> &'a str {
        self.renames.get(component).map_or(component, |rename| rename.to.as_str())
    }

    /// Whether the channel has a package of this name.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.pkg.contains_key(package)
    }

    /// The archive of a package for a target, xz where there is one. Some packages are for all targets, `*`.
    pub(crate) fn archive(&self, package: &str, target: &str) -> Option<Archive> {
        let targets = &self.pkg.get(package)?.target;
        let target = targets.get(target).or_else(|| targets.get("*")).filter(|target| target.available)?;
        let xz = target.xz_url.as_ref().zip(target.xz_hash.as_ref());
        let (url, hash) = xz.or_else(|| target.url.as_ref().zip(target.hash.as_ref()))?;
        Some(Archive { url: url.clone(), sha256: Digest::from_hex(hash).ok()? })
    }
}
