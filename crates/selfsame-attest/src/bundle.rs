//! Sigstore bundles, version 0.3: one envelope with a hint to its key.

use serde_json::{Value, json};

use selfsame_core::json::{self, JsonError, Limits, Node, Text};
use selfsame_core::{Digest, media};

use crate::base64;
use crate::canonical::canonical_of;
use crate::envelope::{Envelope, EnvelopeError};
use crate::key::PublicKey;
use crate::statement::{Statement, StatementError};
use crate::text;

/// The annotation of a bundle's referrer that says what the bundle holds; ours is [`CONTENT`].
pub const ANNOTATION_CONTENT: &str = "dev.sigstore.bundle.content";
/// What [`ANNOTATION_CONTENT`] says of a bundle with an envelope.
pub const CONTENT: &str = "dsse-envelope";
/// The annotation of a bundle's referrer with the predicate type of the statement in the bundle.
pub const ANNOTATION_PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";

/// A `*.sigstore.json` file:
///
/// ```json
/// {"dsseEnvelope":{"payload":"...","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"K","sig":"..."}]},
///  "mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",
///  "verificationMaterial":{"publicKey":{"hint":"K"},"tlogEntries":[]}}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    hint: String,
    envelope: Envelope,
    log_entries: Vec<Value>,
    timestamps: Vec<Vec<u8>>,
}

impl Bundle {
    /// The most log entries that a bundle from outside may carry.
    pub const MOST_LOG_ENTRIES: usize = 32;
    /// The most time stamps.
    pub const MOST_TIMESTAMPS: usize = 32;

    /// A bundle of an envelope that has exactly one signature, with its keyid as the hint.
    pub(crate) fn new(envelope: Envelope) -> Self {
        let hint = envelope.signatures[0].key_id.clone();
        Self { hint, envelope, log_entries: Vec::new(), timestamps: Vec::new() }
    }

    /// The bytes that were signed, by whomever: for showing what a release says of itself, never for deciding.
    #[must_use]
    pub fn unverified_payload(&self) -> &[u8] {
        &self.envelope.payload
    }

    /// Parses the JSON form: exactly one DSSE envelope with exactly one signature, a key hint equal to its `keyid` unless
    /// it has none, as sigstore-python writes it, and nothing that selfsame would have to pass over in silence. Log
    /// entries and time stamps are kept as they are; neither is checked.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let document = Text::parse(bytes, Limits::DOCUMENT).map_err(BundleError::Json)?;
        let fields = document.root();
        if !fields.is_object() {
            return Err(BundleError::Field { field: "bundle", fault: "is not an object" });
        }
        let media_type = fields.get("mediaType");
        let media_type = media_type.ok_or(BundleError::Field { field: "mediaType", fault: "is missing" })?.as_str();
        match media_type.as_deref() {
            Some(media::BUNDLE) => {}
            Some(found) => return Err(BundleError::MediaType { found: text::quote(found) }),
            None => return Err(BundleError::Field { field: "mediaType", fault: "is not a string" }),
        }
        if fields.get("messageSignature").is_some() {
            return Err(BundleError::Unsupported { what: "a message signature" });
        }
        let material = object(fields, "verificationMaterial")?;
        for (field, what) in [("x509CertificateChain", "a certificate chain"), ("certificate", "a certificate")] {
            if material.get(field).is_some() {
                return Err(BundleError::Unsupported { what });
            }
        }
        let hint = object(material, "publicKey")?.get("hint").and_then(|hint| hint.as_str());
        let Some(hint) = hint.filter(|hint| !hint.is_empty()) else {
            return Err(BundleError::Field { field: "publicKey.hint", fault: "is not a key's name" });
        };
        let envelope =
            fields.get("dsseEnvelope").ok_or(BundleError::Field { field: "dsseEnvelope", fault: "is missing" })?;
        let envelope = Envelope::from_json(envelope).map_err(BundleError::Envelope)?;
        let [signature] = &envelope.signatures[..] else {
            return Err(BundleError::Signatures { count: envelope.signatures.len() });
        };
        if !signature.key_id.is_empty() && signature.key_id != hint {
            return Err(BundleError::Hint { hint: text::quote(&hint), key_id: text::quote(&signature.key_id) });
        }
        let timestamps = match material.get("timestampVerificationData") {
            Some(data) if data.is_object() => timestamps(data)?,
            Some(data) if !data.is_null() => {
                return Err(BundleError::Field { field: "timestampVerificationData", fault: "is not an object" });
            }
            _ => Vec::new(),
        };
        let log_entries = log_entries(material.get("tlogEntries"))?;
        Ok(Self { hint: hint.into_owned(), log_entries, timestamps, envelope })
    }

    /// The same bundle with these entries of logs, in their JSON form, and no other.
    #[must_use]
    pub fn with_log_entries(self, log_entries: Vec<Value>) -> Self {
        Self { log_entries, ..self }
    }

    /// The same bundle with these time stamps, each the authority's whole answer in DER, and no other.
    #[must_use]
    pub fn with_timestamps(self, timestamps: Vec<Vec<u8>>) -> Self {
        Self { timestamps, ..self }
    }

    /// The canonical JSON text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.print(&self.log_entries, &self.timestamps)
    }

    /// The bundle as it is before any log or clock has seen it: envelope and key hint alone. What a log adds comes later
    /// and is another each time, so this is what two builds are compared by.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        self.print(&[], &[])
    }

    /// The SHA-256 of [`Bundle::signed_bytes`]. `bytes` are those that this bundle was parsed from, `digest` is theirs: of
    /// what is as it would be printed nothing is printed.
    #[must_use]
    pub fn signed_digest(&self, bytes: &[u8], digest: Digest) -> Digest {
        if self.is_printed_as(bytes) { digest } else { Digest::of(&self.signed_bytes()) }
    }

    /// Whether these bytes, which this bundle was parsed from, are its [`Bundle::signed_bytes`].
    fn is_printed_as(&self, bytes: &[u8]) -> bool {
        const BEFORE: &[u8] = br#"{"dsseEnvelope":{"payload":""#;
        let Envelope { payload_type, signatures, .. } = &self.envelope;
        let envelope =
            Envelope { payload_type: payload_type.clone(), payload: Vec::new(), signatures: signatures.clone() };
        let frame = Self { hint: self.hint.clone(), ..Self::new(envelope) }.signed_bytes();
        // What stands between is the payload if it has no end before, and has one spelling but for the alphabet.
        let spelled_otherwise = |byte: &u8| matches!(byte, b'"' | b'\\' | b'-' | b'_');
        frame.strip_prefix(BEFORE).and_then(|behind| bytes.strip_prefix(BEFORE)?.strip_suffix(behind)).is_some_and(
            |payload| {
                !payload.chunks(64).any(|part| part.iter().fold(false, |any, byte| any | spelled_otherwise(byte)))
            },
        )
    }

    fn print(&self, log_entries: &[Value], timestamps: &[Vec<u8>]) -> Vec<u8> {
        // `tlogEntries` is written also where it is empty: sigstore-python demands the field.
        let mut material = json!({ "publicKey": { "hint": self.key_id() }, "tlogEntries": log_entries });
        if !timestamps.is_empty() {
            let stamp = |stamp: &Vec<u8>| json!({ "signedTimestamp": base64::encode(stamp) });
            let stamps: Vec<Value> = timestamps.iter().map(stamp).collect();
            material["timestampVerificationData"] = json!({ "rfc3161Timestamps": stamps });
        }
        json::canonical(&json!({
            "dsseEnvelope": self.envelope.to_json(),
            "mediaType": media::BUNDLE,
            "verificationMaterial": material,
        }))
    }

    /// The envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The signed bytes alone, by whomever.
    #[must_use]
    pub fn into_payload(self) -> Vec<u8> {
        self.envelope.payload
    }

    /// The key that the bundle says it is by. Unauthenticated.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.hint
    }

    /// The transparency log entries that it carries, in their JSON form. Nothing here has checked them.
    #[must_use]
    pub fn log_entries(&self) -> &[Value] {
        &self.log_entries
    }

    /// The signature: what logs enter and authorities stamp.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.envelope.signatures[0].signature
    }

    /// The time stamps that it carries (RFC 3161), in DER. Nothing here has checked them.
    #[must_use]
    pub fn timestamps(&self) -> &[Vec<u8>] {
        &self.timestamps
    }

    /// The SHA-256 of the payload, by which an inventory lists it.
    #[must_use]
    pub fn payload_digest(&self) -> Digest {
        self.envelope.payload_digest()
    }

    /// The statement, if `key` signed it.
    pub fn verify(&self, key: &PublicKey) -> Result<Statement, BundleError> {
        self.envelope.verify(key).map_err(BundleError::Envelope)?;
        Statement::parse(&self.envelope.payload).map_err(BundleError::Statement)
    }
}

fn object<'t>(fields: Node<'t>, field: &'static str) -> Result<Node<'t>, BundleError> {
    let value = fields.get(field).ok_or(BundleError::Field { field, fault: "is missing" })?;
    if value.is_object() { Ok(value) } else { Err(BundleError::Field { field, fault: "is not an object" }) }
}

fn log_entries(entries: Option<Node<'_>>) -> Result<Vec<Value>, BundleError> {
    const FIELD: &str = "tlogEntries";
    let Some(entries) = entries.filter(|entries| !entries.is_null()) else { return Ok(Vec::new()) };
    let count = entries.as_array().map_or(0, Iterator::count);
    if count > Bundle::MOST_LOG_ENTRIES {
        return Err(BundleError::LogEntries { count });
    }
    let entries = entries.to_value();
    // What could not be printed again is no entry of any log.
    if canonical_of(&entries).is_err() {
        return Err(BundleError::Field { field: FIELD, fault: "holds a number that is no integer" });
    }
    match entries {
        Value::Array(entries) => Ok(entries),
        _ => Err(BundleError::Field { field: FIELD, fault: "is not an array" }),
    }
}

fn timestamps(data: Node<'_>) -> Result<Vec<Vec<u8>>, BundleError> {
    const FIELD: &str = "rfc3161Timestamps";
    let fault = |fault| BundleError::Field { field: FIELD, fault };
    let Some(items) = data.get(FIELD).filter(|items| !items.is_null()) else { return Ok(Vec::new()) };
    let count = items.as_array().ok_or(fault("is not an array"))?.count();
    if count > Bundle::MOST_TIMESTAMPS {
        return Err(BundleError::Timestamps { count });
    }
    let stamp = |item: Node<'_>| base64::decode(&item.get("signedTimestamp")?.as_str()?);
    let items = items.as_array().into_iter().flatten();
    items.map(|item| stamp(item).ok_or(fault("holds something without a `signedTimestamp`"))).collect()
}

/// Why a file is not a bundle, or not one that counts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not one strict JSON document.
    #[error("the bundle is not strict JSON: {0}")]
    Json(JsonError),
    /// Another format or version.
    #[error("the bundle's media type is `{found}`, not `{BUNDLE}`", BUNDLE = media::BUNDLE)]
    MediaType {
        /// What it says.
        found: String,
    },
    /// A field is missing or of the wrong kind.
    #[error("bundle: `{field}` {fault}")]
    Field {
        /// Its name.
        field: &'static str,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// Material that this version does not judge.
    #[error("the bundle holds {what}; only an envelope signed with a plain key is read")]
    Unsupported {
        /// What it holds.
        what: &'static str,
    },
    /// Not exactly one signature.
    #[error("the bundle's envelope has {count} signatures; exactly one is read")]
    Signatures {
        /// How many there are.
        count: usize,
    },
    /// More entries of logs than are read.
    #[error("the bundle has {count} log entries; at most {most} are read", most = Bundle::MOST_LOG_ENTRIES)]
    LogEntries {
        /// How many there are.
        count: usize,
    },
    /// More time stamps than are read.
    #[error("the bundle has {count} time stamps; at most {most} are read", most = Bundle::MOST_TIMESTAMPS)]
    Timestamps {
        /// How many there are.
        count: usize,
    },
    /// The hint names another key than the signature.
    #[error("the bundle's key hint `{hint}` is not its signature's keyid `{key_id}`")]
    Hint {
        /// `verificationMaterial.publicKey.hint`.
        hint: String,
        /// `signatures[0].keyid`.
        key_id: String,
    },
    /// The envelope.
    #[error("{0}")]
    Envelope(EnvelopeError),
    /// What was signed.
    #[error("{0}")]
    Statement(StatementError),
}
