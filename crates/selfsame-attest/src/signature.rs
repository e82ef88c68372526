//! ECDSA signatures over P-256 with SHA-256, in strict ASN.1 DER.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{DerSignature, Signature, VerifyingKey};

use selfsame_core::Digest;

/// Checks `der` over the message that has this SHA-256.
///
/// One spelling only: `SEQUENCE { INTEGER r, INTEGER s }` with minimal lengths and nothing behind it, `r` and `s` from 1
/// to n - 1. The high-s twin of a good signature is good as well, so no signature is ever an identity.
pub(crate) fn verify(key: &VerifyingKey, message: Digest, der: &[u8]) -> Result<(), SignatureError> {
    let signature = parse_der(der)?;
    key.verify_prehash(message.as_bytes(), &signature).map_err(|_| SignatureError::Mismatch)
}

fn parse_der(der: &[u8]) -> Result<Signature, SignatureError> {
    let fault = || SignatureError::NotDer { size_bytes: der.len(), looks_like: looks_like(der) };
    let parsed = DerSignature::from_bytes(der).map_err(|_| fault())?;
    let signature = Signature::try_from(parsed).map_err(|_| SignatureError::OutOfRange)?;
    // The decoder is strict; printing it again makes sure of that whatever its version.
    if signature.to_der().as_bytes() != der {
        return Err(fault());
    }
    Ok(signature)
}

/// What else the bytes may have been meant as.
fn looks_like(bytes: &[u8]) -> &'static str {
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match bytes {
        [0x30, length, ..] if usize::from(*length) + 2 < bytes.len() && *length < 0x80 => "DER with bytes behind it",
        _ if bytes.len() == 64 && !hex(bytes) => "raw r and s",
        _ if !bytes.is_empty() && hex(bytes) => "hex",
        _ if bytes.starts_with(b"MEQ") || bytes.starts_with(b"MEU") || bytes.starts_with(b"MEY") => "base64",
        _ => "something else",
    }
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not the one spelling that is read.
    #[error("the signature of {size_bytes} bytes is {looks_like}, not strict ASN.1 DER")]
    NotDer {
        /// Its length.
        size_bytes: usize,
        /// What it seems to be.
        looks_like: &'static str,
    },
    /// `r` or `s` is zero, or not below the order of the curve.
    #[error("the signature's r or s is not between 1 and n - 1")]
    OutOfRange,
    /// Well formed, over other bytes or by another key.
    #[error("the signature was not made by this key over these bytes")]
    Mismatch,
}
