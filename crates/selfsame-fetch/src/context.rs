//! What every kind of input is resolved, fetched and laid out with.

use std::path::Path;
use std::sync::LazyLock;

use selfsame_core::Platform;
use selfsame_definition::{Base, Definition};
use selfsame_http::{Client, Environment};
use selfsame_lock::Day;
use selfsame_store::Store;

/// The world as far as an input may know it.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The folder of the definition: its relative paths start here.
    pub folder: &'a Path,
    /// How this machine's programs are configured.
    pub environment: &'a Environment,
    /// Asks other machines; knows this one's mirrors ([`Client::origins`]).
    pub http: &'a Client,
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
    /// Is told what comes.
    pub progress: &'a dyn FetchProgress,
}

/// What this program runs on, and so what toolchains are for.
static NATIVE: LazyLock<Platform> = LazyLock::new(Platform::native);

impl Context<'_> {
    /// The context of one input: a toolchain is for this machine, everything else for what is built for.
    #[must_use]
    pub fn of(&self, definition: &Definition, input: &str) -> Self {
        let is_toolchain = definition.toolchains.keys().any(|name| name.as_str() == input);
        let is_base = matches!(&definition.image.base, Base::Input(name) if name.as_str() == input);
        match is_toolchain && !is_base {
            true => Context { platform: &NATIVE, platforms: &[], ..*self },
            false => *self,
        }
    }
}

/// Is told what comes, by several threads at once.
pub trait FetchProgress: Sync {
    /// So many files of an input are about to be asked for; how large they are together, where that is known of all.
    fn expect(&self, input: &str, files: u64, size: Option<u64>);
    /// So many bytes more have come.
    fn bytes(&self, count: u64);
    /// So many bytes that came were for nothing: a file is begun again, or given up.
    fn lost(&self, count: u64);
    /// A host gave a file. Not for the lock: where bytes come from is each machine's own affair.
    fn host(&self, host: &str) {
        _ = host;
    }
    /// What a person should know about a file that was chosen.
    fn warn(&self, about: &str) {
        _ = about;
    }
    /// A file is in the store.
    fn came(&self, input: &str, purl: &str, size: u64);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl FetchProgress for Silent {
    fn expect(&self, _: &str, _: u64, _: Option<u64>) {}
    fn bytes(&self, _: u64) {}
    fn lost(&self, _: u64) {}
    fn came(&self, _: &str, _: &str, _: u64) {}
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
