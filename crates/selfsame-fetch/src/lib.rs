//! Sources and locked inputs: bound from disk, or fetched and checked.
//!
//! What may choose is [`resolve`], and it writes a lock; [`fetch`] brings what a lock names or nothing. Everything ends
//! in the store under its digest. Where bytes come from is this machine's configuration, which cargo and git read
//! themselves; it is in no lock. Reads no environment: an [`Environment`] is an argument.
#![forbid(unsafe_code)]

mod environment;
mod git;
mod listing;
mod parallel;
mod secret;
mod source;

pub use environment::Environment;
pub use secret::SecretLike;
pub use source::{BoundSource, GitFacts, SourceError, SourceRequest, bind};
