//! Sources and locked inputs: bound from disk, or fetched and checked.
//!
//! What may choose is [`resolve`], and it writes a lock; [`fetch`] brings what a lock names or nothing. Everything ends
//! in the store under its digest. Where bytes come from is this machine's configuration, which cargo and git read
//! themselves; it is in no lock. Reads no environment: an [`Environment`] is an argument.
#![forbid(unsafe_code)]

mod archive;
mod bring;
mod cargo;
mod cargo_lock;
mod context;
mod crates;
#[cfg(test)]
mod fuzz;
mod git;
mod installed;
mod kinds;
mod link;
mod listing;
mod look;
mod memo;
mod obtainable;
mod parallel;
mod resolve;
mod secret;
mod source;
mod source_error;

pub use archive::{ArchiveError, Limits, unpack_archive};
pub use cargo::CargoError;
pub use cargo_lock::{CargoLockError, locked_crates};
pub use context::{Context, Described, FetchProgress, Silent};
pub use crates::{CrateInput, CrateSet, CratesError, fetch_crates, fetch_pinned, pinned_crates, vendor_tree};
pub use kinds::deb::DebInputError;
pub use kinds::git::GitError;
pub use kinds::oci::{LayerFile, OciError, OciImage};
pub use kinds::pinned::PackagesError;
pub use kinds::{
    describe_input, fetch_input, input_image, input_tree, pinned_again, pinned_among, pinned_input, pins_key,
    resolve_input, toolchain_tree,
};
pub use obtainable::{Obtainable, obtainable};
pub use resolve::{FetchError, fetch, resolve, source_tree};
pub use secret::SecretLike;
pub use selfsame_http::{Environment, HttpError};
pub use source::{BoundSource, GitFacts, SourceRequest, bind};
pub use source_error::SourceError;
