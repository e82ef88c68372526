//! A client of OCI registries (distribution-spec 1.1): pull, push, referrers, tokens, credential helpers.
//!
//! Blocking; one value for all registries of a machine, shared by threads. Believes nothing that a registry says about
//! bytes: digests and sizes are checked over what came, counts and depths are bounded, and no address out of a manifest is
//! followed (`urls` of foreign layers). Knows no registry by name, reads no environment and asks no clock; plain http is
//! for this machine and for what its configuration names. docs/registry.md says what is spoken.
#![forbid(unsafe_code)]

mod address;
mod auth_file;
mod blob;
mod challenge;
mod configuration;
mod containers_conf;
mod credentials;
mod docker_daemon;
mod error;
mod helper;
mod image;
mod link;
mod list;
mod manifest;
mod push;
mod reference;
mod referrers;
mod registry;
mod repository;
mod said;
mod scope;
mod token;
mod upload;

#[cfg(test)]
mod tests;

pub use auth_file::Login;
pub use blob::{BlobProgress, Source};
pub use configuration::{Configuration, Place, Scheme};
pub use credentials::Credentials;
pub use error::RegistryError;
pub use image::{Image, PlatformImage};
pub use manifest::{Document, Fetched};
pub use push::Sent;
pub use reference::{Host, Reference, ReferenceError, Target};
pub use registry::Registry;
pub use repository::Repository;

/// The largest manifest or index that is read, and that registries take (distribution-spec, "Pushing Manifests").
pub const MANIFEST_BYTES: u64 = 4 << 20;
