//! An OCI image layout: the names of its files, and those of its files that are not blobs (image-spec,
//! image-layout.md); and the `manifest.json` with which `docker load` and `podman load` take the same folder as a tar.

use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, media};
use serde::{Deserialize, Serialize};

use crate::descriptor::{Descriptor, Document, DocumentError, bounded, parse_document};
use crate::manifest;

/// The file that marks a folder as a layout.
pub const LAYOUT_FILE: &str = "oci-layout";
/// The list of what the layout holds.
pub const INDEX_FILE: &str = "index.json";
/// Docker's list, in archives only.
pub const DOCKER_FILE: &str = "manifest.json";
/// The folder of the blobs.
pub const BLOBS: &str = "blobs/sha256";
/// The annotation under which tools look for an image's name.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// When something was made, as an annotation.
pub const CREATED: &str = "org.opencontainers.image.created";
/// The layout version that is written, and the only one that is read.
const VERSION: &str = "1.0.0";

/// Where a layout keeps a blob: `blobs/sha256/<hex>`.
#[must_use]
pub fn blob_path(digest: Digest) -> String {
    format!("{BLOBS}/{}", digest.hex())
}

/// The content of [`LAYOUT_FILE`].
#[must_use]
pub fn layout_file() -> Vec<u8> {
    format!("{{\"imageLayoutVersion\":\"{VERSION}\"}}").into_bytes()
}

/// Whether these are the bytes of an [`LAYOUT_FILE`] of a version that is read.
pub fn check_layout_file(bytes: &[u8]) -> Result<(), DocumentError> {
    const WHAT: &str = "oci-layout";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        image_layout_version: String,
    }
    let wire: Wire = parse_document(bytes, WHAT, &[])?;
    if wire.image_layout_version == VERSION {
        return Ok(());
    }
    let fault = format!("imageLayoutVersion is `{}`; `{VERSION}` is read", wire.image_layout_version.escape_debug());
    Err(DocumentError::Value { what: WHAT, fault })
}

/// The content of [`INDEX_FILE`]: the image first, under its name, then what refers to it, in this order.
#[must_use]
pub fn index_file(image: &Descriptor, name: &str, others: &[Descriptor]) -> Document {
    let named = image.clone().annotated(REF_NAME, name);
    let manifests: Vec<_> = std::iter::once(named).chain(others.iter().cloned()).collect();
    manifest::index(&manifests, &BTreeMap::new())
}

/// One image in Docker's `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    /// The path of the config in the archive.
    pub config: String,
    /// `name:tag` each.
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    /// The paths of the layers, lowest first.
    pub layers: Vec<String>,
}

/// The content of [`DOCKER_FILE`] for one image whose blobs lie where a layout has them.
#[must_use]
pub fn docker_file(config: &Descriptor, layers: &[Descriptor], repo_tags: &[String]) -> Vec<u8> {
    docker_file_of(&[DockerImage::new(config, layers, repo_tags)])
}

/// The same for several images, in their order.
#[must_use]
pub fn docker_file_of(images: &[DockerImage]) -> Vec<u8> {
    selfsame_core::json::canonical(&images)
}

/// What Docker's list calls the image for one of several platforms: `name:1.0.0-linux-arm64`. It has no other way to tell
/// them apart.
#[must_use]
pub fn docker_tag(name: &str, platform: &Platform) -> String {
    format!("{name}-{}", platform.to_string().replace('/', "-"))
}

impl DockerImage {
    /// An image whose blobs lie where a layout has them.
    #[must_use]
    pub fn new(config: &Descriptor, layers: &[Descriptor], repo_tags: &[String]) -> Self {
        Self {
            config: blob_path(config.digest),
            repo_tags: (!repo_tags.is_empty()).then(|| repo_tags.to_vec()),
            layers: layers.iter().map(|layer| blob_path(layer.digest)).collect(),
        }
    }
}

/// Reads a [`DOCKER_FILE`]. The paths in it are only names until the caller finds them among the archive's entries.
pub fn parse_docker_file(bytes: &[u8]) -> Result<Vec<DockerImage>, DocumentError> {
    const WHAT: &str = "manifest.json";
    let images: Vec<DockerImage> = selfsame_core::json::parse_as(bytes, selfsame_core::json::Limits::DOCUMENT)
        .map_err(|source| DocumentError::Json { what: WHAT, source })?;
    bounded(&images, WHAT, "images", manifest::MAX_MANIFESTS)?;
    for image in &images {
        bounded(&image.layers, WHAT, "layers", manifest::MAX_LAYERS)?;
    }
    Ok(images)
}

/// An OCI layer compressed with zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// How a layer is compressed, by its media type; nothing for a media type that is not read.
pub(crate) fn layer_encoding(media_type: &str) -> Option<Encoding> {
    match media_type {
        media::LAYER_GZIP | media::PACK | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Some(Encoding::Gzip),
        media::LAYER_TAR | "application/vnd.docker.image.rootfs.diff.tar" | "application/x-tar" => {
            Some(Encoding::Plain)
        }
        LAYER_ZSTD | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Some(Encoding::Zstd),
        _ => None,
    }
}

/// The encodings that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

/// The media type of a layer that begins with these bytes: what a `docker save` archive does not say.
#[must_use]
pub fn sniffed_layer(head: &[u8]) -> &'static str {
    match head {
        [0x1f, 0x8b, ..] => media::LAYER_GZIP,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => LAYER_ZSTD,
        _ => media::LAYER_TAR,
    }
}
