//! An image in a lock: which parts it has, and what they say when they are read again.

use selfsame_core::json::Limits;
use selfsame_core::{Digest, Platform, json, media};
use selfsame_lock::{Claim, Part, Purl};
use selfsame_oci::{Descriptor, ImageConfig, Manifest, kept_layer, same_platform};
use selfsame_store::Store;
use serde::Deserialize;

use super::error::OciError;
use super::files::DOCUMENT_BYTES;
use super::is_for;
use super::place::Found;
use crate::resolve::FetchError;

/// The role of a manifest.
pub(super) const MANIFEST: &str = "manifest";
/// The role of a config.
const CONFIG: &str = "config";
/// The role of a layer.
const LAYER: &str = "layer";

/// The parts of an image: one package, by the digest of its manifest, in several files.
pub(super) fn parts_of(input: &str, image: &Found, claims: (Claim, Claim)) -> Result<Vec<Part>, FetchError> {
    let name = image.name.as_deref().unwrap_or(input).to_lowercase();
    let version = image.descriptor.digest.to_string();
    let arch = [("arch", image.platform.architecture.as_str())];
    let purl = Purl::new("oci", None, &name, Some(&version), &arch)?;
    let part = |digest, size, claim, role: &str| Part {
        role: Some(role.to_owned()),
        platform: Some(image.platform.clone()),
        ..Part::new(purl.clone(), digest, size, claim)
    };
    let (vouched, named) = claims;
    let Descriptor { digest, size, .. } = image.manifest.config;
    let mut parts = vec![
        part(image.descriptor.digest, image.descriptor.size, vouched, MANIFEST),
        part(digest, size, named, CONFIG),
    ];
    for layer in &image.manifest.layers {
        let layer = part(layer.digest, layer.size, named, LAYER);
        // An empty layer may be there twice.
        if !parts.contains(&layer) {
            parts.push(layer);
        }
    }
    Ok(parts)
}

/// An image whose parts are in the store.
pub(super) struct Locked {
    pub(super) manifest: Digest,
    pub(super) config: ImageConfig,
    /// Lowest first, under OCI's media types.
    pub(super) layers: Vec<Descriptor>,
}

impl Locked {
    /// Reads the manifest and config for a platform, and holds them against the parts.
    pub(super) fn read(input: &str, parts: &[Part], platform: &Platform, store: &Store) -> Result<Self, FetchError> {
        let failed = |source| OciError::Document { input: input.to_owned(), source };
        let unlocked = || FetchError::NotLocked { input: input.to_owned() };
        let role = |part: &&Part, role: &str| part.role.as_deref() == Some(role) && is_for(part, platform);
        let manifest = parts.iter().find(|part| role(part, MANIFEST)).ok_or_else(unlocked)?;
        let bytes = store.read_blob(&manifest.sha256, DOCUMENT_BYTES)?;
        let read = Manifest::parse(&bytes, &media_type_of(&bytes)).map_err(failed)?;
        let is_locked =
            |blob: &Descriptor| parts.iter().any(|part| (part.sha256, part.size) == (blob.digest, blob.size));
        if let Some(blob) = std::iter::once(&read.config).chain(&read.layers).find(|blob| !is_locked(blob)) {
            let (input, digest) = (input.to_owned(), blob.digest);
            return Err(OciError::NotAmongParts { input, manifest: manifest.sha256, digest }.into());
        }
        let config = ImageConfig::parse(&store.read_blob(&read.config.digest, DOCUMENT_BYTES)?).map_err(failed)?;
        config.agrees_with(&read).map_err(failed)?;
        if !same_platform(&config.platform, platform) {
            let (input, there, wanted) = (input.to_owned(), config.platform, platform.clone());
            return Err(OciError::Platform { input, manifest: manifest.sha256, there, wanted }.into());
        }
        let layers = read.layers.iter().map(kept_layer).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { manifest: manifest.sha256, config, layers })
    }
}

/// What a manifest says it is; image-spec 1.0 lets it say nothing.
fn media_type_of(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wire {
        media_type: Option<String>,
    }
    let said = json::parse_as::<Wire>(bytes, Limits::DOCUMENT).ok().and_then(|wire| wire.media_type);
    said.unwrap_or_else(|| media::MANIFEST.to_owned())
}
