//! `trusted_root.json`, as far as it names logs.

use selfsame_attest::PublicKey;
use selfsame_attest::text::quote;
use selfsame_core::json::{self, JsonError, Limits};
use selfsame_log::{LogKey, LogKeyError};
use serde_json::Value;

use super::{bytes, hash, text};

/// Versions 0.1 and 0.2 say the same of logs.
const MEDIA_TYPES: [&str; 2] =
    ["application/vnd.dev.sigstore.trustedroot+json;version=0.1", "application/vnd.dev.sigstore.trustedroot.v0.2+json"];
/// SPKI of an Ed25519 key up to its 32 bytes (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// More logs than anybody has.
const MOST_LOGS: usize = 64;

/// The logs of a Sigstore instance, or of one's own (`selfsame log trusted-root`). Certificate and time stamp authorities
/// are not read: a managed key needs none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    /// Those with a key of a kind that is read: Ed25519, or ECDSA on P-256.
    pub logs: Vec<LogKey>,
    /// Whether it names logs, of whatever kind their keys are: who names one wants entries.
    pub names_logs: bool,
}

impl TrustedRoot {
    /// Parses the JSON form. Whatever names a log has to be right; a key of another kind is passed over.
    pub fn parse(file: &[u8]) -> Result<Self, TrustedRootError> {
        let document =
            json::parse(file, Limits { size_bytes: 4 << 20, values: 100_000 }).map_err(TrustedRootError::Json)?;
        let kind = text(&document, "/mediaType").ok_or(TrustedRootError::Field { field: "mediaType" })?;
        if !MEDIA_TYPES.contains(&kind) {
            return Err(TrustedRootError::MediaType { found: quote(kind) });
        }
        let logs = match document.get("tlogs") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(logs)) if logs.len() <= MOST_LOGS => logs.as_slice(),
            Some(_) => return Err(TrustedRootError::Field { field: "tlogs" }),
        };
        let logs = logs.iter().map(log).collect::<Result<Vec<_>, _>>()?;
        let names_logs = !logs.is_empty();
        Ok(Self { logs: logs.into_iter().flatten().collect(), names_logs })
    }
}

fn log(value: &Value) -> Result<Option<LogKey>, TrustedRootError> {
    let field = |field| TrustedRootError::Field { field };
    let key = bytes(value, "/publicKey/rawBytes").ok_or(field("publicKey"))?;
    let url = text(value, "/baseUrl").ok_or(field("baseUrl"))?;
    text(value, "/publicKey/validFor/start").ok_or(field("validFor.start"))?;
    let origin = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    let origin = origin.trim_end_matches('/');
    let log = match text(value, "/publicKey/keyDetails") {
        Some("PKIX_ED25519") => {
            let key = key.strip_prefix(&ED25519_SPKI).and_then(|key| key.try_into().ok()).ok_or(field("rawBytes"))?;
            LogKey::ed25519(origin, key)
        }
        Some("PKIX_ECDSA_P256_SHA_256") => {
            let key = PublicKey::from_spki(&key).map_err(|_| field("rawBytes"))?;
            LogKey::p256(origin, key)
        }
        Some(_) => return Ok(None),
        None => return Err(field("keyDetails")),
    };
    let log = log.map_err(TrustedRootError::Key)?;
    match hash(value, "/logId/keyId") {
        Some(id) if id == log.log_id() => Ok(Some(log)),
        Some(_) => Err(TrustedRootError::Id { origin: quote(origin) }),
        None => Err(field("logId")),
    }
}

/// Why a file is not a trusted root.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedRootError {
    /// Not one strict JSON document.
    #[error("it is not strict JSON: {0}")]
    Json(JsonError),
    /// Another format or version.
    #[error("its media type is `{found}`, not that of a trusted root")]
    MediaType {
        /// What it says.
        found: String,
    },
    /// A field is missing or of the wrong kind.
    #[error("`{field}` is missing or not what it should be")]
    Field {
        /// Its name.
        field: &'static str,
    },
    /// A log's key.
    #[error("{0}")]
    Key(LogKeyError),
    /// A log's id is not that of its key.
    #[error("the id of the log `{origin}` is not that of its key")]
    Id {
        /// The log's name.
        origin: String,
    },
}
