//! What stands in the log: the digest of what was signed, the signature, and the key (Rekor v2).

use selfsame_attest::text::quote;
use selfsame_attest::{Envelope, PublicKey};
use selfsame_core::Digest;
use selfsame_core::json::{self, JsonError, Limits};
use serde_json::{Map, Value, json};

use crate::base64;

/// The version of the entries that Rekor v2 writes.
pub const VERSION: &str = "0.0.2";

/// The kind that is written: the digest is that of the envelope's pre-authentication encoding.
pub const HASHED: &str = "hashedrekord";

/// The other kind that is read: the digest is that of the envelope's payload.
pub const DSSE: &str = "dsse";

/// Small documents only.
const LIMITS: Limits = Limits { size_bytes: crate::tile::MOST_ENTRY_BYTES, values: 1000 };

/// How Rekor calls SHA-256.
const SHA256: &str = "SHA2_256";

/// How Rekor calls ECDSA P-256 with SHA-256.
const P256: &str = "PKIX_ECDSA_P256_SHA_256";

/// An entry.
///
/// ```json
/// {"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{
///   "data":{"algorithm":"SHA2_256","digest":"..."},
///   "signature":{"content":"...","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"..."}}}}}}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Whether it is of the kind [`DSSE`].
    pub is_dsse: bool,
    /// Of the pre-authentication encoding; of the payload where `is_dsse`.
    pub digest: Digest,
    /// The envelope's signature.
    pub signature: Vec<u8>,
    /// SPKI of the key that made it.
    pub key: Vec<u8>,
}

impl Body {
    /// The entry of an envelope's first signature, by this key. Nothing is verified.
    ///
    /// # Panics
    /// If the envelope has no signature: every envelope that was parsed or signed has one.
    #[must_use]
    pub fn of(envelope: &Envelope, key: &PublicKey) -> Self {
        let signature = envelope.signatures.first().expect("an envelope has a signature").signature.clone();
        Self { is_dsse: false, digest: Digest::of(&envelope.pae()), signature, key: key.to_spki() }
    }

    /// `hashedrekord` or `dsse`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        if self.is_dsse { DSSE } else { HASHED }
    }

    /// The canonical JSON: the bytes of the leaf.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let hash = json!({ "algorithm": SHA256, "digest": base64::encode(self.digest.as_bytes()) });
        let signature = json!({
            "content": base64::encode(&self.signature),
            "verifier": { "keyDetails": P256, "publicKey": { "rawBytes": base64::encode(&self.key) } },
        });
        let spec = match self.is_dsse {
            true => json!({ "dsseV002": { "payloadHash": hash, "signatures": [signature] } }),
            false => json!({ "hashedRekordV002": { "data": hash, "signature": signature } }),
        };
        json::canonical(&json!({ "apiVersion": VERSION, "kind": self.kind(), "spec": spec }))
    }

    /// Parses an entry of one of the two kinds. Exactly the bytes that [`Body::to_bytes`] gives are one, so that no two
    /// leaves say the same.
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        let document = json::parse(bytes, LIMITS).map_err(BodyError::Json)?;
        let text = |field: &'static str| document.get(field).and_then(Value::as_str).unwrap_or_default();
        let (kind, version) = (text("kind"), text("apiVersion"));
        let spec =
            |name: &'static str| object(document.get("spec"), "spec").and_then(|spec| object(spec.get(name), name));
        let (is_dsse, hash, signature) = match (kind, version) {
            (HASHED, VERSION) => {
                let spec = spec("hashedRekordV002")?;
                (false, object(spec.get("data"), "data")?, object(spec.get("signature"), "signature")?)
            }
            (DSSE, VERSION) => {
                let spec = spec("dsseV002")?;
                let signatures = spec.get("signatures").and_then(Value::as_array);
                let [signature] = signatures.map(Vec::as_slice).unwrap_or_default() else {
                    return Err(BodyError::Field { field: "signatures" });
                };
                (true, object(spec.get("payloadHash"), "payloadHash")?, object(Some(signature), "signature")?)
            }
            _ => return Err(BodyError::Kind { kind: quote(kind), version: quote(version) }),
        };
        let verifier = object(signature.get("verifier"), "verifier")?;
        let key = object(verifier.get("publicKey"), "publicKey")?;
        let body = Self {
            is_dsse,
            digest: string(hash, "digest").ok().and_then(base64::hash).ok_or(BodyError::Field { field: "digest" })?,
            signature: base64_field(signature, "content")?,
            key: base64_field(key, "rawBytes")?,
        };
        if body.to_bytes() == bytes { Ok(body) } else { Err(BodyError::NotCanonical) }
    }
}

fn object<'a>(value: Option<&'a Value>, field: &'static str) -> Result<&'a Map<String, Value>, BodyError> {
    value.and_then(Value::as_object).ok_or(BodyError::Field { field })
}

fn string<'a>(fields: &'a Map<String, Value>, field: &'static str) -> Result<&'a str, BodyError> {
    fields.get(field).and_then(Value::as_str).ok_or(BodyError::Field { field })
}

fn base64_field(fields: &Map<String, Value>, field: &'static str) -> Result<Vec<u8>, BodyError> {
    base64::decode(string(fields, field)?).ok_or(BodyError::Field { field })
}

/// Why bytes are not an entry that is read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not one strict JSON document.
    #[error("the logged entry is not strict JSON: {0}")]
    Json(JsonError),
    /// Another kind or version.
    #[error("the logged entry is `{kind}` {version}; `{HASHED}` or `{DSSE}` {VERSION} is read")]
    Kind {
        /// What it says.
        kind: String,
        /// What it says.
        version: String,
    },
    /// A field is missing or of the wrong kind.
    #[error("logged entry: `{field}` is missing or not what it should be")]
    Field {
        /// Its name.
        field: &'static str,
    },
    /// Another spelling, another algorithm, or something beside it.
    #[error("the logged entry is not the canonical form of a SHA-256 and an ECDSA P-256 signature, and nothing else")]
    NotCanonical,
}
