//! What a client of sigstore-conformance decides about one bundle and one managed key. docs/judges.md.
//!
//! Wider than [`crate::verify_file`], and apart from it: signatures over files without a statement are read here, and the
//! entries of Rekor's first version. No release and no file is believed by what is decided here.

mod message;
mod rekor;
mod root;

use selfsame_attest::text::quote;
use selfsame_attest::{Bundle, BundleError, EnvelopeError, PublicKey, SignatureError, Statement, StatementError};
use selfsame_core::json::{self, JsonError, Limits};
use selfsame_core::{Digest, media};
use serde_json::Value;

use self::message::MessageBundle;
pub use self::rekor::RekorError;
pub use self::root::{TrustedRoot, TrustedRootError};

/// What was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conforming {
    /// Whether it is a statement about the file, and not a signature over its bytes.
    pub is_statement: bool,
    /// Log entries that were verified.
    pub entries: usize,
    /// Log entries that nobody was named for.
    pub entries_not_judged: usize,
}

/// Decides whether `key` signed the file with this digest, or a statement about it.
///
/// With a trusted root every log entry has to be right and of a log in it, and there has to be one if it names logs.
/// Without one entries are not looked at. Timestamps never are: a managed key does not end.
pub fn verify_bundle(
    file: Digest,
    bundle: &[u8],
    key: &PublicKey,
    root: Option<&TrustedRoot>,
) -> Result<Conforming, ConformanceError> {
    let document = json::parse(bundle, Limits::DOCUMENT).map_err(ConformanceError::Json)?;
    let (signed, entries, is_statement) = if document.get("messageSignature").is_some() {
        let message = MessageBundle::from_json(&document)?;
        message.verify(file, key)?;
        let signed = Signed { whole: file, payload: None, signature: message.signature };
        (signed, message.log_entries, false)
    } else {
        let bundle = Bundle::parse(bundle).map_err(ConformanceError::Bundle)?;
        let envelope = bundle.envelope();
        envelope.verify(key).map_err(ConformanceError::Envelope)?;
        let statement = Statement::parse(&envelope.payload).map_err(ConformanceError::Statement)?;
        if !statement.is_about(file) {
            return Err(ConformanceError::About { file });
        }
        let signed = Signed {
            whole: Digest::of(&envelope.pae()),
            payload: Some(envelope.payload_digest()),
            signature: envelope.signatures[0].signature.clone(),
        };
        (signed, bundle.log_entries().to_vec(), true)
    };
    let Some(root) = root else {
        return Ok(Conforming { is_statement, entries: 0, entries_not_judged: entries.len() });
    };
    if entries.is_empty() && root.names_logs {
        return Err(ConformanceError::NoEntry);
    }
    for entry in &entries {
        rekor::verify(entry, &signed, key, &root.logs).map_err(ConformanceError::Entry)?;
    }
    Ok(Conforming { is_statement, entries: entries.len(), entries_not_judged: 0 })
}

/// What an entry has to be about.
struct Signed {
    /// The SHA-256 of what the signature is over.
    whole: Digest,
    /// The SHA-256 of an envelope's payload.
    payload: Option<Digest>,
    signature: Vec<u8>,
}

/// A text below names, or nothing.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Bytes in base64 below names, or nothing.
fn bytes(value: &Value, pointer: &str) -> Option<Vec<u8>> {
    selfsame_attest::base64::decode(text(value, pointer)?)
}

/// A SHA-256 in base64 below names, or nothing.
fn hash(value: &Value, pointer: &str) -> Option<Digest> {
    Some(Digest::from_bytes(bytes(value, pointer)?.try_into().ok()?))
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConformanceError {
    /// Not one strict JSON document.
    #[error("the bundle is not strict JSON: {0}")]
    Json(JsonError),
    /// A field is missing or of the wrong kind.
    #[error("bundle: `{field}` is missing or not what it should be")]
    Field {
        /// Its name.
        field: &'static str,
    },
    /// Another format or version.
    #[error("the bundle's media type is `{found}`, not `{BUNDLE}`", BUNDLE = media::BUNDLE)]
    MediaType {
        /// What it says.
        found: String,
    },
    /// Two contents, or a certificate.
    #[error("the bundle holds {what}")]
    Unsupported {
        /// What it holds.
        what: &'static str,
    },
    /// A bundle with an envelope that is not read.
    #[error("{0}")]
    Bundle(BundleError),
    /// The envelope is not by the key.
    #[error("{0}")]
    Envelope(EnvelopeError),
    /// The signature over the file is not by the key.
    #[error("{0}")]
    Signature(SignatureError),
    /// The bundle says itself that it is about other bytes.
    #[error("the bundle's messageDigest is {found}, not that of the file, {file}")]
    Digest {
        /// What it says.
        found: Digest,
        /// The file's.
        file: Digest,
    },
    /// What was signed is no statement.
    #[error("{0}")]
    Statement(StatementError),
    /// About something else.
    #[error("the statement is about something else than {file}")]
    About {
        /// The file's.
        file: Digest,
    },
    /// No entry where the trusted root names logs.
    #[error("the bundle has no log entry, and the trusted root names logs")]
    NoEntry,
    /// A log entry that does not count.
    #[error("{0}")]
    Entry(RekorError),
}

impl ConformanceError {
    fn media_type(found: &str) -> Self {
        Self::MediaType { found: quote(found) }
    }
}
