//! Bundles with a signature over a file's bytes, and no statement.

use selfsame_attest::{Bundle, PublicKey};
use selfsame_core::{Digest, media};
use serde_json::Value;

use super::{ConformanceError, bytes, hash, text};

/// The media types that are read: 0.3 in both spellings, and 0.2, which sigstore-js writes and which is the same for keys.
const MEDIA_TYPES: [&str; 3] = [
    media::BUNDLE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
];

/// ```json
/// {"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
///  "messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"..."},"signature":"..."},
///  "verificationMaterial":{"publicKey":{"hint":"K"},"tlogEntries":[]}}
/// ```
pub(super) struct MessageBundle {
    digest: Option<Digest>,
    pub(super) signature: Vec<u8>,
    pub(super) log_entries: Vec<Value>,
}

impl MessageBundle {
    pub(super) fn from_json(document: &Value) -> Result<Self, ConformanceError> {
        let field = |field| ConformanceError::Field { field };
        let kind = text(document, "/mediaType").ok_or(field("mediaType"))?;
        if !MEDIA_TYPES.contains(&kind) {
            return Err(ConformanceError::media_type(kind));
        }
        for (pointer, what) in [
            ("/dsseEnvelope", "an envelope beside a message signature"),
            ("/verificationMaterial/certificate", "a certificate"),
            ("/verificationMaterial/x509CertificateChain", "a certificate chain"),
        ] {
            if document.pointer(pointer).is_some() {
                return Err(ConformanceError::Unsupported { what });
            }
        }
        if !document.pointer("/verificationMaterial/publicKey").is_some_and(Value::is_object) {
            return Err(field("publicKey"));
        }
        let digest = match document.pointer("/messageSignature/messageDigest") {
            None | Some(Value::Null) => None,
            Some(stated) if text(stated, "/algorithm") == Some("SHA2_256") => {
                Some(hash(stated, "/digest").ok_or(field("messageDigest"))?)
            }
            Some(_) => return Err(field("messageDigest")),
        };
        let log_entries = match document.pointer("/verificationMaterial/tlogEntries") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) if entries.len() <= Bundle::MOST_LOG_ENTRIES => entries.clone(),
            Some(_) => return Err(field("tlogEntries")),
        };
        let signature = bytes(document, "/messageSignature/signature").ok_or(field("signature"))?;
        Ok(Self { digest, signature, log_entries })
    }

    /// The digest in the bundle is nobody's word: it may only agree.
    pub(super) fn verify(&self, file: Digest, key: &PublicKey) -> Result<(), ConformanceError> {
        if let Some(found) = self.digest.filter(|found| *found != file) {
            return Err(ConformanceError::Digest { found, file });
        }
        key.verify_digest(file, &self.signature).map_err(ConformanceError::Signature)
    }
}
