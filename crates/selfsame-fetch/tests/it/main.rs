//! Sources on real disks with real repositories, and fetching with real programs.
#![expect(clippy::disallowed_methods, reason = "tests hand the process environment to the code under test")]

mod archive;
mod deb;
mod deb_archive;
mod disk;
mod inputs;
mod network;
mod source;

use std::path::Path;

use selfsame_core::{Platform, SourceEpoch};
use selfsame_fetch::{Context, Environment};
use selfsame_http::{Client, Options};
use selfsame_lock::Day;
use selfsame_store::Store;

/// What a context borrows.
pub(crate) struct World<'a> {
    folder: &'a Path,
    environment: &'a Environment,
    store: &'a Store,
    platform: Platform,
    http: Client,
}

impl<'a> World<'a> {
    fn new(folder: &'a Path, environment: &'a Environment, store: &'a Store) -> Self {
        let http = Client::new(environment, Options::default()).expect("a client");
        Self { folder, environment, store, platform: Platform::native(), http }
    }

    /// A context of a fixed day, for this machine's platform.
    fn context(&self, offline: bool) -> Context<'_> {
        let Self { folder, environment, store, platform, http } = self;
        let today = Day::of(SourceEpoch::new(1_795_132_800).expect("a day of 2026"));
        Context {
            folder,
            environment,
            http,
            store,
            platform,
            platforms: &[],
            offline,
            today,
            progress: &selfsame_fetch::Silent,
        }
    }
}
