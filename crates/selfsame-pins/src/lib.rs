//! Locks, package files and tool settings of other ecosystems, read carefully, from text and bytes.
//!
//! Opens nothing, fetches nothing and runs nothing: every reader takes text or a [`zip::ReadAt`], is bounded in size,
//! depth and count, and refuses what it does not understand by line or by name. Addresses in a lock are never used: what
//! is taken from it are names, versions, file names and hashes.
#![forbid(unsafe_code)]

mod error;
pub mod go;
pub mod ini;
pub mod marker;
pub mod npm;
pub mod pypi;
pub mod version;
pub mod wheel;
pub mod zip;

pub use error::PinsError;
