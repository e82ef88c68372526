//! The file that tells Sigstore's own verifiers whom to trust.

use selfsame_core::json;
use serde_json::json;

use crate::base64;
use crate::key::LogKey;

/// The media type of the file.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// Begins before every bundle: a private log has no validity to state.
const START: &str = "1970-01-01T00:00:00Z";

/// `trusted_root.json` in canonical JSON: these logs, and nobody who certifies keys or times. A verifier with it needs the
/// signer's public key, too.
#[must_use]
pub fn trusted_root(logs: &[LogKey]) -> Vec<u8> {
    let log = |key: &LogKey| {
        let id = json!({ "keyId": base64::encode(key.log_id().as_bytes()) });
        json!({
            // sigstore-js looks for the name of the signature in here.
            "baseUrl": format!("https://{}", key.origin()),
            "checkpointKeyId": id,
            "hashAlgorithm": "SHA2_256",
            "logId": id,
            "publicKey": {
                "keyDetails": key.details(),
                "rawBytes": base64::encode(&key.to_spki()),
                "validFor": { "start": START },
            },
        })
    };
    json::canonical(&json!({
        "certificateAuthorities": [],
        "ctlogs": [],
        "mediaType": MEDIA_TYPE,
        "timestampAuthorities": [],
        "tlogs": logs.iter().map(log).collect::<Vec<_>>(),
    }))
}
