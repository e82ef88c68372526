//! Writes elsewhere: releases to a registry, and the store that machines share.
//!
//! Knows what a complete release is and moves nothing less; never judges signatures, which is the verifier's work. Reads
//! no environment and asks no clock. docs/push.md and docs/store/shared.md say what is written where.
#![forbid(unsafe_code)]

mod absent;
mod complete;
mod cosign;
mod error;
mod outline;
mod parallel;
mod pins;
mod pull;
mod push;
mod remote;
mod results;
mod shared;
mod shared_folder;
mod shared_registry;

#[cfg(test)]
mod tests;

pub use absent::absent;
pub use cosign::{CosignSignature, cosign_payload};
pub use error::PublishError;
pub use outline::{Item, Outline, OutlineError};
pub use parallel::{Progress, Silent};
pub use pins::{KeptPin, KeptPins};
pub use pull::{Pull, Pulled, pull, pull_image};
pub use push::{Push, Pushed, push};
pub use remote::RemoteRelease;
pub use results::{KeptResult, MOST_FILES};
pub use shared::{SharedError, SharedStore};

/// The largest manifest or index that is read or written.
const MANIFEST_BYTES: u64 = 4 << 20;
