//! Sources on real disks with real repositories, and fetching with real programs.
#![expect(clippy::disallowed_methods, reason = "tests hand the process environment to the code under test")]

mod archive;
mod disk;
mod inputs;
mod network;
mod source;
