//! What the author wrote: `selfsame.toml` as a [`Definition`], every fault with its line.
//!
//! Takes text, opens no file. A [`Definition`] can only be had from [`Definition::parse`], so whoever holds one need not
//! ask again whether an action exists, an output is named or a path is absolute. docs/definition/v1.md describes the file.
#![forbid(unsafe_code)]

pub mod action;
pub mod document;
pub mod image;
pub mod input;
pub mod name;
pub mod size;
pub mod source;
pub mod toolchain;

mod definition;

pub use action::{Action, ActionInput, Command};
pub use definition::{Definition, Publisher};
pub use document::TextError;
pub use image::{Base, FileOrigin, Image, ImageFile, Owner, Port, Protocol};
pub use input::{DebSpec, FileSpec, GitRef, GitSpec, GoSpec, InputSpec, NpmSpec, OciSpec, PypiFrom, PypiSpec, Rootfs};
pub use name::Name;
pub use source::{ArchiveLocation, Epoch, Source, SourceOrigin};
pub use toolchain::Toolchain;

/// Why a text is not a definition: one fault, with its place. The first one that is met.
pub type DefinitionError = TextError;

#[cfg(test)]
mod tests;
