//! Where an image is: the one place that tells registries, layouts and archives apart.

use std::path::PathBuf;

use selfsame_core::{Digest, Platform, media};
use selfsame_definition::OciSpec;
use selfsame_lock::{Claim, Part};
use selfsame_oci::{Descriptor, DocumentError, ImageConfig, Manifest, kept_layer, same_platform};

use super::docker::DockerArchive;
use super::error::OciError;
use super::layout::Layout;
use super::registry::Remote;
use crate::context::Context;
use crate::resolve::FetchError;

/// Docker's spelling of an image config.
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A place that has images.
pub(super) enum Place {
    Registry(Box<Remote>),
    Layout(Layout),
    Docker(DockerArchive),
}

/// An image of one platform, as its place has it. Only its manifest has been read, and checked.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) platform: Platform,
    pub(super) descriptor: Descriptor,
    /// Of the manifest.
    pub(super) bytes: Vec<u8>,
    pub(super) manifest: Manifest,
    /// How the place calls it, without registry and tag.
    pub(super) name: Option<String>,
}

impl Place {
    pub(super) fn open(input: &str, spec: &OciSpec, cx: &Context<'_>) -> Result<Self, FetchError> {
        let at = |path: &str| -> PathBuf { cx.folder.join(path) };
        Ok(match spec {
            OciSpec::Registry { reference } => Self::Registry(Box::new(Remote::open(input, reference, cx)?)),
            OciSpec::Layout { path, tag } => Self::Layout(Layout::open(input, at(path), tag.clone())?),
            OciSpec::DockerArchive { path, name } => Self::Docker(DockerArchive::open(input, at(path), name.clone())?),
        })
    }

    /// The image for each platform.
    pub(super) fn find(&self, wanted: &[Platform]) -> Result<Vec<Found>, OciError> {
        match self {
            Self::Registry(remote) => remote.find(wanted),
            Self::Layout(layout) => wanted.iter().map(|platform| layout.find(platform)).collect(),
            Self::Docker(archive) => wanted.iter().map(|platform| archive.find(platform)).collect(),
        }
    }

    /// Who vouches for the manifest, and for what it names.
    pub(super) fn claim(&self) -> (Claim, Claim) {
        match self {
            Self::Registry(remote) => (remote.claim(), Claim::ManifestDigest),
            Self::Layout(_) | Self::Docker(_) => (Claim::LocalFile, Claim::LocalFile),
        }
    }

    /// Brings the blobs of an image into the store.
    pub(super) fn bring(&self, image: &Found, cx: &Context<'_>) -> Result<(), OciError> {
        cx.store.put_bytes(&image.bytes, false)?;
        let blobs = std::iter::once(&image.manifest.config).chain(&image.manifest.layers);
        let blobs: Vec<(Digest, u64)> = blobs.map(|blob| (blob.digest, blob.size)).collect();
        self.bring_blobs(&blobs, cx)
    }

    /// Brings locked blobs into the store that it lacks.
    pub(super) fn bring_again(&self, parts: &[&Part], cx: &Context<'_>) -> Result<(), OciError> {
        let blobs: Vec<(Digest, u64)> = parts.iter().map(|part| (part.sha256, part.size)).collect();
        match self {
            // Manifests are asked for by another address than blobs.
            Self::Registry(remote) => {
                let is_manifest = |part: &&&Part| part.role.as_deref() == Some(super::locked::MANIFEST);
                for part in parts.iter().filter(is_manifest) {
                    remote.bring_manifest(&part.sha256, cx.store)?;
                }
                let blobs = parts.iter().filter(|part| !is_manifest(part)).map(|part| (part.sha256, part.size));
                remote.bring(&blobs.collect::<Vec<_>>(), cx)
            }
            Self::Layout(_) => self.bring_blobs(&blobs, cx),
            Self::Docker(archive) => archive.bring_again(&blobs, cx.store),
        }
    }

    fn bring_blobs(&self, blobs: &[(Digest, u64)], cx: &Context<'_>) -> Result<(), OciError> {
        match self {
            Self::Registry(remote) => remote.bring(blobs, cx),
            Self::Layout(layout) => layout.bring(blobs, cx.store),
            Self::Docker(archive) => archive.bring(blobs, cx.store),
        }
    }
}

/// Checks that a manifest is that of an image which can be laid out: its config is one and agrees with it, its layers
/// are of media types that are read. Gives what it is for.
pub(super) fn check_image(
    input: &str,
    descriptor: &Descriptor,
    manifest: &Manifest,
    config: &[u8],
    wanted: Option<&Platform>,
) -> Result<Platform, OciError> {
    let failed = |source: DocumentError| OciError::Document { input: input.to_owned(), source };
    let media_type = &manifest.config.media_type;
    if manifest.artifact_type.is_some() || ![media::CONFIG, DOCKER_CONFIG].contains(&media_type.as_str()) {
        let (input, media_type) = (input.to_owned(), media_type.clone());
        return Err(OciError::NoImage { input, manifest: descriptor.digest, media_type });
    }
    for layer in &manifest.layers {
        kept_layer(layer).map_err(failed)?;
    }
    let config = ImageConfig::parse(config).map_err(failed)?;
    config.agrees_with(manifest).map_err(failed)?;
    let there = config.platform;
    match wanted {
        Some(wanted) if !same_platform(&there, wanted) => {
            let (input, wanted) = (input.to_owned(), wanted.clone());
            Err(OciError::Platform { input, manifest: descriptor.digest, there, wanted })
        }
        _ => Ok(there),
    }
}
