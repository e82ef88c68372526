//! Fixtures and a test environment for the binary.
//!
//! Only tests depend on this, so it may read the environment and the clock, and it fails by panicking: a fixture that
//! cannot be made is a failed test.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "tests live in a real environment")]

pub mod authority;
mod disk;
mod environment;
mod filter;
pub mod fuzz;
mod git;
pub mod mutator;
mod output;
mod picture;
pub mod proxy;
pub mod registry;
pub mod server;
mod tier;
pub mod time_authority;
mod variation;

pub use disk::Ext4Disk;
pub use environment::TestEnv;
pub use filter::Filter;
pub use output::Output;
pub use picture::{flip_bit, picture};
pub use tier::{Tier, require, skip};
pub use variation::Variation;
