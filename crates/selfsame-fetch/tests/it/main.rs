//! Sources on real disks with real repositories, and fetching with real programs.
#![expect(clippy::disallowed_methods, reason = "tests hand the process environment to the code under test")]

mod archive;
mod disk;
mod inputs;
mod network;
mod source;

use std::path::Path;
use std::sync::LazyLock;

use selfsame_core::{Platform, SourceEpoch};
use selfsame_fetch::{Context, Environment};
use selfsame_lock::Day;
use selfsame_store::Store;

/// A context of a fixed day, for this machine's platform.
fn context<'a>(folder: &'a Path, environment: &'a Environment, store: &'a Store, offline: bool) -> Context<'a> {
    static NATIVE: LazyLock<Platform> = LazyLock::new(Platform::native);
    let today = Day::of(SourceEpoch::new(1_795_132_800).expect("a day of 2026"));
    Context { folder, environment, store, platform: &NATIVE, platforms: &[], offline, today }
}
