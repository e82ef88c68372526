//! What every kind of input is resolved, fetched and laid out with.

use std::path::Path;

use selfsame_core::Platform;
use selfsame_lock::Day;
use selfsame_store::Store;

use selfsame_http::Environment;

/// The world as far as an input may know it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The folder of the definition: its relative paths start here.
    pub folder: &'a Path,
    /// How this machine's programs are configured.
    pub environment: &'a Environment,
    /// Where everything ends.
    pub store: &'a Store,
    /// What the content is for: an input may have parts for several.
    pub platform: &'a Platform,
    /// All platforms that the image is for; the one above among them, or none where only that is meant.
    pub platforms: &'a [Platform],
    /// Whether the network may not be used.
    pub offline: bool,
    /// The day, for locks.
    pub today: Day,
}

/// What is known about a package that an input holds, for the SBOM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its package URL.
    pub purl: String,
    /// `libc6`.
    pub name: String,
    /// `2.36-9`.
    pub version: String,
    /// Licences as the package states them, SPDX expressions or names.
    pub licenses: Vec<String>,
    /// Who makes it, if it says so.
    pub supplier: Option<String>,
    /// Its paths in the input's tree, where the package or its database lists them.
    pub files: Vec<selfsame_core::RelPath>,
    /// The package URLs of what it depends on, as far as they are in the same input.
    pub depends_on: Vec<String>,
}
