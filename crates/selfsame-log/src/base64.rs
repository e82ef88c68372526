//! Base64 of logs: the standard alphabet, with padding, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use selfsame_core::Digest;

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A SHA-256.
pub(crate) fn hash(text: &str) -> Option<Digest> {
    Some(Digest::from_bytes(decode(text)?.try_into().ok()?))
}
