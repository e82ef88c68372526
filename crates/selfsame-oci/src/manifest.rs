//! Manifests and indexes (image-spec, manifest.md and image-index.md).

use std::collections::BTreeMap;

use selfsame_core::media;
use serde::{Deserialize, Serialize};

use crate::descriptor::{Descriptor, Document, DocumentError, WireDescriptor, bounded, parse_document};

/// The most layers in a manifest that is read.
pub const MAX_LAYERS: usize = 4096;
/// The most manifests in an index that is read.
pub const MAX_MANIFESTS: usize = 4096;

/// Docker's own spelling of a manifest and an index, which `docker save` and registries still hand out.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// One image, or one artifact that refers to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// OCI's media type, or Docker's.
    pub media_type: String,
    /// What kind of artifact it is, if not an image.
    pub artifact_type: Option<String>,
    /// The image config, or the empty object.
    pub config: Descriptor,
    /// The layers, lowest first; an artifact's files.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something about.
    pub subject: Option<Descriptor>,
    /// Free text by key.
    pub annotations: BTreeMap<String, String>,
}

/// A list of manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// OCI's media type, or Docker's.
    pub media_type: String,
    /// What kind of artifact it is, if not an image.
    pub artifact_type: Option<String>,
    /// In their order.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index says something about.
    pub subject: Option<Descriptor>,
    /// Free text by key.
    pub annotations: BTreeMap<String, String>,
}

/// The manifest of an image.
#[must_use]
pub fn image_manifest(config: &Descriptor, layers: &[Descriptor], annotations: &BTreeMap<String, String>) -> Document {
    Manifest {
        media_type: media::MANIFEST.to_owned(),
        artifact_type: None,
        config: config.clone(),
        layers: layers.to_vec(),
        subject: None,
        annotations: annotations.clone(),
    }
    .document()
}

/// The manifest of an artifact that refers to `subject`: its config is the empty object.
///
/// The descriptor carries the artifact type and the annotations, as a referrers list does (distribution-spec,
/// "Listing Referrers").
#[must_use]
pub fn referrer_manifest(
    subject: &Descriptor,
    artifact_type: &str,
    layers: &[Descriptor],
    annotations: &BTreeMap<String, String>,
) -> Document {
    let mut document = Manifest {
        media_type: media::MANIFEST.to_owned(),
        artifact_type: Some(artifact_type.to_owned()),
        config: Descriptor::empty(),
        layers: layers.to_vec(),
        subject: Some(subject.bare()),
        annotations: annotations.clone(),
    }
    .document();
    document.descriptor.artifact_type = Some(artifact_type.to_owned());
    document.descriptor.annotations.clone_from(annotations);
    document
}

/// The manifest of an artifact that stands by itself: its config is the empty object, and the descriptor carries its type.
#[must_use]
pub fn artifact_manifest(artifact_type: &str, layers: &[Descriptor]) -> Document {
    let mut document = Manifest {
        media_type: media::MANIFEST.to_owned(),
        artifact_type: Some(artifact_type.to_owned()),
        config: Descriptor::empty(),
        layers: layers.to_vec(),
        subject: None,
        annotations: BTreeMap::new(),
    }
    .document();
    document.descriptor.artifact_type = Some(artifact_type.to_owned());
    document
}

/// An index of manifests, in this order.
#[must_use]
pub fn index(manifests: &[Descriptor], annotations: &BTreeMap<String, String>) -> Document {
    let wire = WireIndex {
        schema_version: 2,
        media_type: Some(media::INDEX.to_owned()),
        artifact_type: None,
        manifests: manifests.iter().map(WireDescriptor::from).collect(),
        subject: None,
        annotations: (!annotations.is_empty()).then(|| annotations.clone()),
    };
    Document::of(media::INDEX, &wire)
}

/// The index of one image for several platforms, in the order of their names: the same bytes whoever built which
/// first.
///
/// Every manifest has a platform, no two the same.
pub fn image_index(
    manifests: &[Descriptor],
    annotations: &BTreeMap<String, String>,
) -> Result<Document, DocumentError> {
    let refuse = |fault: String| Err(DocumentError::Value { what: "image index", fault });
    let mut sorted = BTreeMap::new();
    for manifest in manifests {
        let Some(platform) = &manifest.platform else {
            return refuse(format!("{} is for no platform", manifest.digest));
        };
        if sorted.insert(platform.to_string(), manifest.clone()).is_some() {
            return refuse(format!("two manifests are for {platform}"));
        }
    }
    Ok(index(&sorted.into_values().collect::<Vec<_>>(), annotations))
}

impl Manifest {
    /// Reads a manifest that a descriptor announced with `media_type`.
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Self, DocumentError> {
        const WHAT: &str = "manifest";
        known(WHAT, media_type, [media::MANIFEST, DOCKER_MANIFEST])?;
        let wire: WireManifest = parse_document(bytes, WHAT, &["manifests", "fsLayers", "history", "rootfs"])?;
        agrees(WHAT, wire.schema_version, wire.media_type.as_deref(), media_type)?;
        bounded(&wire.layers, WHAT, "layers", MAX_LAYERS)?;
        Ok(Self {
            media_type: media_type.to_owned(),
            artifact_type: wire.artifact_type,
            config: wire.config.read(WHAT)?,
            layers: wire.layers.into_iter().map(|layer| layer.read(WHAT)).collect::<Result<_, _>>()?,
            subject: wire.subject.map(|subject| subject.read(WHAT)).transpose()?,
            annotations: wire.annotations.unwrap_or_default(),
        })
    }

    fn document(&self) -> Document {
        let wire = WireManifest {
            schema_version: 2,
            media_type: Some(self.media_type.clone()),
            artifact_type: self.artifact_type.clone(),
            config: WireDescriptor::from(&self.config),
            layers: self.layers.iter().map(WireDescriptor::from).collect(),
            subject: self.subject.as_ref().map(WireDescriptor::from),
            annotations: (!self.annotations.is_empty()).then(|| self.annotations.clone()),
        };
        Document::of(&self.media_type, &wire)
    }
}

impl Index {
    /// Reads an index that a descriptor announced with `media_type`; for `index.json` of a layout that is
    /// [`media::INDEX`].
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Self, DocumentError> {
        const WHAT: &str = "index";
        known(WHAT, media_type, [media::INDEX, DOCKER_INDEX])?;
        let wire: WireIndex = parse_document(bytes, WHAT, &["config", "layers", "fsLayers", "history", "rootfs"])?;
        agrees(WHAT, wire.schema_version, wire.media_type.as_deref(), media_type)?;
        bounded(&wire.manifests, WHAT, "manifests", MAX_MANIFESTS)?;
        Ok(Self {
            media_type: media_type.to_owned(),
            artifact_type: wire.artifact_type,
            manifests: wire.manifests.into_iter().map(|manifest| manifest.read(WHAT)).collect::<Result<_, _>>()?,
            subject: wire.subject.map(|subject| subject.read(WHAT)).transpose()?,
            annotations: wire.annotations.unwrap_or_default(),
        })
    }
}

fn known(what: &'static str, media_type: &str, read: [&str; 2]) -> Result<(), DocumentError> {
    if read.contains(&media_type) {
        return Ok(());
    }
    Err(DocumentError::MediaType { what, expected: read[0].to_owned(), actual: media_type.to_owned() })
}

/// The document's own media type MUST match that of its descriptor (image-spec, manifest.md, `mediaType`). Documents
/// of image-spec 1.0 have none.
fn agrees(what: &'static str, schema_version: u32, actual: Option<&str>, expected: &str) -> Result<(), DocumentError> {
    if schema_version != 2 {
        return Err(DocumentError::Value { what, fault: format!("schemaVersion is {schema_version}; 2 is read") });
    }
    match actual {
        Some(actual) if actual != expected => {
            Err(DocumentError::MediaType { what, expected: expected.to_owned(), actual: actual.to_owned() })
        }
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireManifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    config: WireDescriptor,
    layers: Vec<WireDescriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<WireDescriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireIndex {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    manifests: Vec<WireDescriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<WireDescriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
}
