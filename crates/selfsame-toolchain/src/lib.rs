//! Host toolchains recorded as trees: which files, which packages, whose licence.
//!
//! Reads host files and the package managers' databases, and puts content into the store. Runs nothing but `rpm -qa`,
//! and asks no network, no clock and no environment. What it records depends on what was touched and on the packages
//! that own it, never on what else is installed (docs/toolchain.md).
#![forbid(unsafe_code)]

mod alternatives;
mod capture;
mod channel;
mod elf;
mod error;
#[cfg(test)]
mod fuzz;
mod host;
mod ldcache;
mod libraries;
mod package;
mod packages;
mod recapture;
mod record;
mod rustup;
mod view;
mod widen;

pub use capture::{Captured, SkipReason, Skipped, capture, close_over_libraries};
pub use error::ToolchainError;
pub use host::Host;
pub use recapture::{Missing, recapture};
pub use rustup::{Component, RustupToolchain, rustup_folder, rustup_toolchain};
pub use view::{Bind, Link, View, visible};
