//! An image signature as cosign 2 wrote it: a tag `sha256-<hex>.sig` beside the image, a small document as its layer, the
//! signature in an annotation. Only for those who still look there; the release's own is a bundle among its referrers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selfsame_core::{Digest, json, media};
use selfsame_oci::{Descriptor, Manifest, image_manifest};
use selfsame_registry::{Document, RegistryError, Repository, Source, Target};
use serde_json::{Value, json};

use crate::error::PublishError;

/// The media type of the document that is signed.
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation with the signature.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// A document and a signature over its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignSignature {
    /// What [`cosign_payload`] gave.
    pub payload: Vec<u8>,
    /// ECDSA over its SHA-256, in ASN.1 DER.
    pub signature: Vec<u8>,
}

/// The document to sign: this image, under this name (`HOST/REPOSITORY`).
#[must_use]
pub fn cosign_payload(image: Digest, name: &str) -> Vec<u8> {
    json::canonical(&json!({
        "critical": {
            "identity": { "docker-reference": name },
            "image": { "docker-manifest-digest": image },
            "type": "cosign container image signature",
        },
        "optional": null,
    }))
}

/// Puts a signature beside those that are there.
pub(crate) fn push(
    signature: &CosignSignature,
    image: Digest,
    repository: &Repository<'_>,
) -> Result<(), PublishError> {
    let target = Target::Tag(format!("sha256-{}.sig", image.hex()));
    let encoded = STANDARD.encode(&signature.signature);
    let layer = Descriptor::of(PAYLOAD, &signature.payload).annotated(SIGNATURE, encoded);
    let mut layers = present(repository, &target)?;
    if layers.contains(&layer) {
        return Ok(());
    }
    layers.push(layer);
    // Readers want an image's config; there is nothing to say in it.
    let digests: Vec<Value> = layers.iter().map(|layer| json!(layer.digest)).collect();
    let config = json::canonical(&json!({
        "architecture": "",
        "config": {},
        "os": "",
        "rootfs": { "diff_ids": digests, "type": "layers" },
    }));
    let described = Descriptor::of(media::CONFIG, &config);
    for (descriptor, bytes) in [(&described, &config), (&layers[layers.len() - 1], &signature.payload)] {
        repository.push_blob(&descriptor.digest, descriptor.size, Source::Bytes(bytes), &[])?;
    }
    let manifest = image_manifest(&described, &layers, &std::collections::BTreeMap::new());
    repository.push_manifest(&manifest.bytes, media::MANIFEST, &target)?;
    Ok(())
}

/// The signatures that are there.
fn present(repository: &Repository<'_>, target: &Target) -> Result<Vec<Descriptor>, PublishError> {
    match repository.manifest(target) {
        Ok(fetched) => match fetched.document {
            Document::Manifest(Manifest { layers, .. }) => Ok(layers),
            Document::Index(_) => Err(PublishError::NotAnImage {
                found: fetched.descriptor.digest,
                fault: "an index stands where signatures do".to_owned(),
            }),
        },
        Err(RegistryError::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
