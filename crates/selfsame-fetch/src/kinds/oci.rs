//! `oci = "…"`: an image, from a registry, an OCI layout (a folder or a tar) or what `docker save` writes.
//!
//! A name is resolved when the lock is written and never again. What is locked is the manifest of each platform, its
//! config and its layers, each one blob; docs/inputs/oci.md says how they are called. An image in Docker's old archives
//! has no manifest: the one that is locked then is made from them, canonically.

mod docker;
mod error;
mod files;
mod layout;
mod locked;
mod place;
mod registry;
mod rootfs;
#[cfg(test)]
mod tests;
mod visitor;

use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, RelPath};
use selfsame_definition::OciSpec;
use selfsame_lock::Part;
use selfsame_oci::{Descriptor, ImageConfig};
use selfsame_tree::Tree;

pub use self::error::OciError;
use self::locked::{Locked, parts_of};
use self::place::Place;
pub use self::rootfs::LayerFile;
use super::missing;
use crate::context::{Context, Described};
use crate::resolve::FetchError;

/// An image that others can stand on: everything but its files.
#[derive(Clone, Debug)]
pub struct OciImage {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The reference under which a registry has it, as the definition says it. Nothing for an image of this machine.
    pub reference: Option<String>,
    /// What it runs.
    pub config: ImageConfig,
    /// Its layers, lowest first: as an OCI manifest names them, with their diffIDs.
    pub layers: Vec<(Descriptor, Digest)>,
    /// Where each of its files lies.
    pub files: BTreeMap<RelPath, LayerFile>,
}

/// Chooses an image for each platform. All its blobs are in the store then.
pub(crate) fn resolve(name: &str, spec: &OciSpec, cx: &Context<'_>) -> Result<Vec<Part>, FetchError> {
    let wanted = if cx.platforms.is_empty() { std::slice::from_ref(cx.platform) } else { cx.platforms };
    let place = Place::open(name, spec, cx)?;
    let found = place.find(wanted)?;
    let mut parts = Vec::new();
    for image in &found {
        parts.extend(parts_of(name, image, place.claim())?);
        place.bring(image, cx)?;
    }
    Ok(parts)
}

/// Brings those blobs that the store lacks. Others are refused.
pub(crate) fn fetch(name: &str, spec: &OciSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), FetchError> {
    let missing = missing(parts, cx)?;
    if missing.is_empty() {
        return Ok(());
    }
    let place = Place::open(name, spec, cx)?;
    place.bring_again(&missing, cx)?;
    match super::missing(parts, cx)?.first() {
        Some(part) => Err(OciError::Gone { input: name.to_owned(), digest: part.sha256 }.into()),
        None => Ok(()),
    }
}

/// The files of the image for the context's platform, all its layers on top of one another.
pub(crate) fn tree(name: &str, parts: &[Part], cx: &Context<'_>) -> Result<Tree, FetchError> {
    let image = Locked::read(name, parts, cx.platform, cx.store)?;
    Ok(rootfs::tree(name, &image, cx.store)?)
}

/// The image for the context's platform, without its files.
pub(crate) fn image(name: &str, spec: &OciSpec, parts: &[Part], cx: &Context<'_>) -> Result<OciImage, FetchError> {
    let locked = Locked::read(name, parts, cx.platform, cx.store)?;
    let files = rootfs::files(name, &locked, cx.store)?;
    let Locked { manifest, config, layers } = locked;
    let reference = match spec {
        OciSpec::Registry { reference } => Some(reference.clone()),
        OciSpec::Layout { .. } | OciSpec::DockerArchive { .. } => None,
    };
    let layers = layers.into_iter().zip(config.diff_ids.iter().copied()).collect();
    Ok(OciImage { manifest, reference, config, layers, files })
}

/// What the package databases in its files say is installed.
pub(crate) fn describe(name: &str, parts: &[Part], cx: &Context<'_>) -> Result<Vec<Described>, FetchError> {
    let tree = tree(name, parts, cx)?;
    Ok(crate::installed::installed(&tree, cx.store)?)
}

/// The platform of a manifest is its part's, or its config's where the part has none.
fn is_for(part: &Part, platform: &Platform) -> bool {
    part.platform.as_ref().is_none_or(|there| selfsame_oci::same_platform(there, platform))
}
