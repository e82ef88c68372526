//! What selfsame-attest reads, writes and refuses.

mod bundle;
mod envelope;
mod key;
mod predicates;
mod statement;
mod vectors;

use selfsame_attest::SigningKey;
use selfsame_core::Digest;

/// The key whose secret number is the SHA-256 of `text`.
fn key(text: &str) -> SigningKey {
    SigningKey::generate(|seed| {
        seed.copy_from_slice(Digest::of(text.as_bytes()).as_bytes());
        Ok(())
    })
    .unwrap()
}

/// The key of the vectors.
fn test_key() -> SigningKey {
    key("selfsame test key")
}

/// Asserts that the error says `because`.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, impl std::error::Error>, because: &str) {
    let error = result.expect_err(because).to_string();
    assert!(error.contains(because), "`{error}` does not say `{because}`");
    assert!(!error.contains('\u{1b}'), "{error:?}");
}
