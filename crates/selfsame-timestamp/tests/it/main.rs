//! What selfsame-timestamp reads, verifies and refuses.

mod authorities;
mod foreign;
mod tokens;

use selfsame_testing::time_authority::{ToCertify, ToStamp, certificates};
use selfsame_timestamp::Authority;

/// What is stamped.
const MESSAGE: &[u8] = b"a signature";
/// 2026-11-20T19:02:33Z.
const TIME: &str = "20261120190233Z";
const SECONDS: u64 = 1_795_201_353;

/// The authority `tsa.example`, certified by `root`.
fn authority() -> Authority {
    of(&[ToCertify::signer(), ToCertify::root()]).unwrap()
}

fn of(chain: &[ToCertify]) -> Result<Authority, selfsame_timestamp::AuthorityError> {
    Authority::parse(&certificates(&chain.iter().map(ToCertify::certify).collect::<Vec<_>>()))
}

/// A good answer about [`MESSAGE`], to be changed.
fn stamp() -> ToStamp {
    ToStamp::over(MESSAGE, TIME, &ToCertify::signer().certify())
}

/// Asserts that the error says `because`.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, impl std::error::Error>, because: &str) {
    let error = result.expect_err(because).to_string();
    assert!(error.contains(because), "`{error}` does not say `{because}`");
    assert!(!error.contains('\n') && !error.contains('\u{1b}'), "{error:?}");
}
