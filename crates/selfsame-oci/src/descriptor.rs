//! A descriptor: media type, digest and size of some bytes stored elsewhere (image-spec, descriptor.md).

use std::collections::BTreeMap;

use selfsame_core::json::{JsonError, Limits};
use selfsame_core::{Digest, Platform, json, media};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The largest blob that a descriptor may name: 2^53 bytes, the largest integer that every JSON reader agrees on.
pub const MAX_BLOB_BYTES: u64 = 1 << 53;

/// What a document says about a blob: what it is, which bytes, how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What the bytes are.
    pub media_type: String,
    /// Of the bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Free text by key.
    pub annotations: BTreeMap<String, String>,
    /// The artifact type of the manifest described, in an index.
    pub artifact_type: Option<String>,
    /// What the manifest described runs on, in an index.
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// A descriptor with a media type, digest and size, and nothing else.
    #[must_use]
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        let (annotations, artifact_type, platform) = (BTreeMap::new(), None, None);
        Self { media_type: media_type.into(), digest, size, annotations, artifact_type, platform }
    }

    /// The descriptor of these bytes.
    #[must_use]
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// The descriptor of `{}`, which manifests without a config have for one (image-spec, manifest.md, "Guidance for
    /// an Empty Descriptor"). Its two bytes are [`Descriptor::EMPTY_BYTES`].
    #[must_use]
    pub fn empty() -> Self {
        Self::of(media::EMPTY, Self::EMPTY_BYTES)
    }

    /// What [`Descriptor::empty`] describes.
    pub const EMPTY_BYTES: &'static [u8] = b"{}";

    /// The same with one more annotation.
    #[must_use]
    pub fn annotated(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// The same for a platform.
    #[must_use]
    pub fn for_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Media type, digest and size alone, as a `subject` wants them.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest, self.size)
    }
}

/// A JSON document that was just written, and its descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// Of those bytes.
    pub descriptor: Descriptor,
}

impl Document {
    pub(crate) fn of(media_type: &str, value: &impl Serialize) -> Self {
        let bytes = json::canonical(value);
        let descriptor = Descriptor::of(media_type, &bytes);
        Self { bytes, descriptor }
    }
}

/// Why a manifest, index, config or layout file is not one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not JSON, too large, a key twice, or a field that is missing or of another type.
    #[error("{what} is not read")]
    Json {
        /// `manifest`, `index`, `image config`, ...
        what: &'static str,
        /// Which of these, and where.
        source: JsonError,
    },
    /// Another media type than was announced.
    #[error("{what} has the media type `{}`; expected `{expected}`", actual.escape_debug())]
    MediaType {
        /// Which document.
        what: &'static str,
        /// From its descriptor, or the only one read.
        expected: String,
        /// In the document, or asked for.
        actual: String,
    },
    /// A field of another kind of document: one reader's manifest would be another's index (CVE-2021-41190).
    #[error("{what} has the field `{field}`, which another kind of document has")]
    Mixed {
        /// Which document.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
    /// More items than are read.
    #[error("{what} has {count} {items}; at most {limit} are read")]
    TooMany {
        /// Which document.
        what: &'static str,
        /// `layers`, `manifests`, ...
        items: &'static str,
        /// How many there are.
        count: usize,
        /// How many are read.
        limit: usize,
    },
    /// A field with a value that its specification does not allow.
    #[error("{what}: {fault}")]
    Value {
        /// Which document.
        what: &'static str,
        /// Which field and what is wrong with it.
        fault: String,
    },
}

/// Parses strictly, refuses `foreign` fields, then reads the wire form.
pub(crate) fn parse_document<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
    foreign: &[&'static str],
) -> Result<T, DocumentError> {
    let json = |source| DocumentError::Json { what, source };
    let value = json::parse(bytes, Limits::DOCUMENT).map_err(json)?;
    let Value::Object(fields) = &value else {
        return Err(DocumentError::Value { what, fault: "is not an object".to_owned() });
    };
    if let Some(field) = foreign.iter().find(|field| fields.contains_key(**field)) {
        return Err(DocumentError::Mixed { what, field });
    }
    serde_json::from_value(value).map_err(|source| json(JsonError::Syntax(source)))
}

/// At most `limit` items.
pub(crate) fn bounded<T>(
    list: &[T],
    what: &'static str,
    items: &'static str,
    limit: usize,
) -> Result<(), DocumentError> {
    match list.len() {
        count if count > limit => Err(DocumentError::TooMany { what, items, count, limit }),
        _ => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireDescriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<WirePlatform>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct WirePlatform {
    pub(crate) architecture: String,
    pub(crate) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
}

impl From<&Platform> for WirePlatform {
    fn from(platform: &Platform) -> Self {
        let Platform { os, architecture, variant } = platform.clone();
        Self { architecture, os, variant }
    }
}

impl From<WirePlatform> for Platform {
    fn from(wire: WirePlatform) -> Self {
        let WirePlatform { architecture, os, variant } = wire;
        Self { os, architecture, variant }
    }
}

impl From<&Descriptor> for WireDescriptor {
    fn from(descriptor: &Descriptor) -> Self {
        let Descriptor { media_type, digest, size, annotations, artifact_type, platform } = descriptor.clone();
        Self {
            media_type,
            digest,
            size,
            annotations: (!annotations.is_empty()).then_some(annotations),
            artifact_type,
            platform: platform.as_ref().map(WirePlatform::from),
        }
    }
}

impl WireDescriptor {
    pub(crate) fn read(self, what: &'static str) -> Result<Descriptor, DocumentError> {
        let Self { media_type, digest, size, annotations, artifact_type, platform } = self;
        if size > MAX_BLOB_BYTES {
            let fault = format!("{digest} has a size of {size} bytes; at most {MAX_BLOB_BYTES} are read");
            return Err(DocumentError::Value { what, fault });
        }
        let annotations = annotations.unwrap_or_default();
        let platform = platform.map(Platform::from);
        Ok(Descriptor { media_type, digest, size, annotations, artifact_type, platform })
    }
}
