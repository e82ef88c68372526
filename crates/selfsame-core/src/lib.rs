//! The values that everyone shares: digests, relative paths, platforms, the source epoch, strict and canonical JSON.
//!
//! Opens no file, asks no clock, reads no environment. A value here can only be had from a constructor that
//! checked it, so nobody downstream checks again.
#![forbid(unsafe_code)]

pub mod day;
pub mod digest;
pub mod epoch;
pub mod json;
pub mod level;
pub mod media;
pub mod path;
pub mod platform;
pub mod profile;
pub mod suggest;
pub mod uri;

pub use day::{Day, DayError};
pub use digest::{Digest, Digests, Hasher, Sha512Digest};
pub use epoch::SourceEpoch;
pub use level::Level;
pub use path::RelPath;
pub use platform::Platform;
pub use profile::Profile;
