//! DSSE envelopes (protocol 1.0.2): a payload as bytes, its type, and signatures over both.

use std::borrow::Cow;

use serde_json::{Value, json};

use selfsame_core::json::{self, JsonError, Limits, Node, Text};
use selfsame_core::{Digest, Hasher, media};

use crate::key::PublicKey;
use crate::signature::SignatureError;
use crate::{base64, text};

/// `{"payload":"<base64>","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"...","sig":"<base64>"}]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What kind of bytes the payload is.
    pub payload_type: String,
    /// The signed bytes. They are parsed from here and never encoded again.
    pub payload: Vec<u8>,
    /// At least one; a bundle has exactly one.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature and a hint to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// Unauthenticated: it helps to name the key in a message and decides nothing (DSSE protocol.md).
    pub key_id: String,
    /// ASN.1 DER of an ECDSA signature.
    pub signature: Vec<u8>,
}

impl Envelope {
    /// The most signatures that an envelope from outside may carry.
    pub const MOST_SIGNATURES: usize = 16;

    /// Parses the JSON form, with no duplicate key anywhere.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::from_json(Text::parse(bytes, Limits::DOCUMENT).map_err(EnvelopeError::Json)?.root())
    }

    /// Takes an envelope out of a document that was read strictly. Unknown fields are ignored (DSSE envelope.md).
    pub(crate) fn from_json(envelope: Node<'_>) -> Result<Self, EnvelopeError> {
        if !envelope.is_object() {
            return Err(EnvelopeError::Field { field: "envelope", fault: "is not an object" });
        }
        let field = |fault| EnvelopeError::Field { field: "signatures", fault };
        let signatures = envelope.get("signatures").ok_or(field("is missing"))?;
        let signatures = signatures.as_array().ok_or(field("is not an array"))?;
        match signatures.count() {
            0 => return Err(field("is empty")),
            count if count > Self::MOST_SIGNATURES => return Err(EnvelopeError::TooManySignatures { count }),
            _ => {}
        }
        Ok(Self {
            payload_type: string(envelope, "payloadType")?.into_owned(),
            payload: bytes(envelope, "payload")?,
            signatures: signatures.map(EnvelopeSignature::from_json).collect::<Result<_, _>>()?,
        })
    }

    /// The JSON value, for printing inside a bundle.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let signatures: Vec<Value> = self.signatures.iter().map(EnvelopeSignature::to_json).collect();
        json!({
            "payload": base64::encode(&self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures,
        })
    }

    /// The canonical JSON text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(&self.to_json())
    }

    /// What the signatures are over.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// The SHA-256 of what the signatures are over.
    #[must_use]
    pub fn pae_digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.update(&pae_head(&self.payload_type, &self.payload));
        hasher.update(&self.payload);
        hasher.finish().0
    }

    /// The SHA-256 of the payload, by which an inventory lists it.
    #[must_use]
    pub fn payload_digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Whether `key` made the first signature, and the payload is an in-toto statement.
    ///
    /// The type is looked at after the signature, as DSSE protocol.md wants: an unsigned type is nobody's claim.
    pub fn verify(&self, key: &PublicKey) -> Result<(), EnvelopeError> {
        self.verify_digest(self.pae_digest(), key)
    }

    /// The same with [`Envelope::pae_digest`] of this envelope, for those who try several keys.
    pub fn verify_digest(&self, pae: Digest, key: &PublicKey) -> Result<(), EnvelopeError> {
        let first = self.signatures.first().ok_or(EnvelopeError::Field { field: "signatures", fault: "is empty" })?;
        key.verify_digest(pae, &first.signature).map_err(EnvelopeError::Signature)?;
        if self.payload_type != media::IN_TOTO {
            return Err(EnvelopeError::PayloadType { found: text::quote(&self.payload_type) });
        }
        Ok(())
    }
}

impl EnvelopeSignature {
    fn from_json(value: Node<'_>) -> Result<Self, EnvelopeError> {
        if !value.is_object() {
            return Err(EnvelopeError::Field { field: "signature", fault: "is not an object" });
        }
        let key_id = match value.get("keyid").filter(|key_id| !key_id.is_null()) {
            None => String::new(),
            Some(key_id) => {
                let fault = EnvelopeError::Field { field: "keyid", fault: "is not a string" };
                key_id.as_str().ok_or(fault)?.into_owned()
            }
        };
        let signature = bytes(value, "sig")?;
        if signature.is_empty() {
            return Err(EnvelopeError::Field { field: "sig", fault: "is empty" });
        }
        Ok(Self { key_id, signature })
    }

    fn to_json(&self) -> Value {
        json!({ "keyid": self.key_id, "sig": base64::encode(&self.signature) })
    }
}

/// The pre-authentication encoding: `DSSEv1 <len> <type> <len> <payload>`, lengths in bytes as ASCII decimals.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = pae_head(payload_type, payload);
    encoded.extend_from_slice(payload);
    encoded
}

fn pae_head(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes()
}

/// Why something is not an envelope, or not one that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not one strict JSON document.
    #[error("the envelope is not strict JSON: {0}")]
    Json(JsonError),
    /// A field is missing or of the wrong kind.
    #[error("envelope: `{field}` {fault}")]
    Field {
        /// Its name.
        field: &'static str,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// More signatures than are read.
    #[error("the envelope has {count} signatures; at most {most} are read", most = Envelope::MOST_SIGNATURES)]
    TooManySignatures {
        /// How many there are.
        count: usize,
    },
    /// The signature does not count.
    #[error("{0}")]
    Signature(SignatureError),
    /// Signed, but as something else than an in-toto statement.
    #[error("the payload type is `{found}`, not `{IN_TOTO}`", IN_TOTO = media::IN_TOTO)]
    PayloadType {
        /// What it says.
        found: String,
    },
}

fn string<'t>(object: Node<'t>, field: &'static str) -> Result<Cow<'t, str>, EnvelopeError> {
    let value = object.get(field).ok_or(EnvelopeError::Field { field, fault: "is missing" })?;
    value.as_str().ok_or(EnvelopeError::Field { field, fault: "is not a string" })
}

fn bytes(object: Node<'_>, field: &'static str) -> Result<Vec<u8>, EnvelopeError> {
    base64::decode(&string(object, field)?).ok_or(EnvelopeError::Field { field, fault: "is not padded base64" })
}
