//! `selfsame.lock` and `selfsame.host.lock`: every input by content, and whether they answer a definition.
//!
//! Takes and gives text, opens no file. Neither lock says where bytes are to be had: that is this machine's
//! configuration. docs/lock/v1.md describes both files.
#![forbid(unsafe_code)]

mod answer;
mod diff;
mod host;
mod lock;
mod print;
mod purl;

pub use answer::{Stale, Wanted, answers, host_answers, wanted};
pub use diff::{Aged, Change, Counts, InputDiff, LockDiff, PartDiff, PartTitle, Standing, aged};
pub use host::{HostLock, LockedToolchain, ToolchainComponent, ToolchainKind, ToolchainPackage};
pub use lock::{Claim, InputKind, Lock, Locked, Normaliser, Part, WordError};
pub use purl::{Purl, PurlError};
pub use selfsame_core::{Day, DayError};

/// Why a text is not a lock: one fault, with its place.
pub type LockError = selfsame_definition::TextError;

#[cfg(test)]
mod tests;
