//! The keys of the corpus. Their secrets are the digests of the words below, so nobody should trust them anywhere else.

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use selfsame_attest::SigningKey;
use selfsame_core::{Digest, Sha512Digest};
use selfsame_log::{LogKey, LogSigner};

/// What the trusted log is called.
pub(crate) const ORIGIN: &str = "log.example/attacks";

fn secret(name: &str) -> Digest {
    Digest::of(format!("selfsame attack corpus: {name}").as_bytes())
}

/// The key of this name.
pub(crate) fn key(name: &str) -> SigningKey {
    SigningKey::generate(|seed| {
        seed.copy_from_slice(secret(name).as_bytes());
        Ok(())
    })
    .expect("a number below the order of the curve")
}

/// The key that is trusted.
pub(crate) fn signer() -> SigningKey {
    key("signer")
}

/// A key that nobody trusts.
pub(crate) fn forger() -> SigningKey {
    key("forger")
}

/// A signature over the SHA-512 of the message, in DER.
pub(crate) fn sign_sha512(name: &str, message: &[u8]) -> Vec<u8> {
    let key = p256::ecdsa::SigningKey::from_slice(secret(name).as_bytes()).expect("a number below the order");
    let hex = Sha512Digest::of(message).hex();
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
    let digest: Vec<u8> = (0..64).map(byte).collect();
    let signature: p256::ecdsa::Signature = key.sign_prehash(&digest).expect("a digest is long enough");
    signature.to_der().as_bytes().to_vec()
}

/// The signer of checkpoints of the log of this name.
pub(crate) fn log_signer(name: &str) -> LogSigner {
    LogSigner::from_seed(secret(name).as_bytes())
}

/// The log that is trusted.
pub(crate) fn log_key() -> LogKey {
    log_signer("log").key(ORIGIN).expect("an origin is a name")
}
