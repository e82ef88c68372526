//! Fixtures and a test environment for the binary.
//!
//! Only tests depend on this, so it may read the environment and the clock, and it fails by panicking.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "tests live in a real environment")]

mod tier;

pub use tier::{Tier, require};
