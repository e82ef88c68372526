//! What an authority, or a bundle that says it was stamped, could hold.

use selfsame_testing::fuzz::{answer, fuzz};
use selfsame_testing::time_authority::{ToCertify, ToStamp, certificates};
use selfsame_timestamp::{Authority, Certificate, Token};

const MESSAGE: &[u8] = b"a signature";
const WORDS: [&str; 8] = [
    "\u{30}\u{0}",
    "\u{2}\u{1}\u{3}",
    "\u{5}\u{0}",
    "\u{30}\u{80}",
    "Z",
    "20261120190233Z",
    "\u{6}\u{3}\u{2a}\u{3}",
    "\u{0}\u{0}",
];

fn authority() -> Authority {
    Authority::parse(&certificates(&[ToCertify::signer().certify(), ToCertify::root().certify()])).expect("good ones")
}

/// A stamp that is changed in any way says nothing else.
#[test]
fn fuzz_time_stamp() {
    let (authority, certificate) = (authority(), ToCertify::signer().certify());
    let good = ToStamp::over(MESSAGE, "20261120190233Z", &certificate).answer();
    let nonce = ToStamp::over(MESSAGE, "20261120190233Z", &certificate).with_nonce(&[7; 8]).answer();
    let known = [&good, &nonce].map(|answer| Token::parse(answer).expect("a good one"));
    fuzz("time-stamp", &[&good, &nonce], &WORDS, |bytes| {
        let token = Token::parse(bytes).map_err(|error| error.to_string())?;
        let stamp = token.verify(&authority, MESSAGE).map_err(|error| error.to_string())?;
        assert!(known.contains(&token), "{stamp:?}");
        Ok(())
    });
}

#[test]
fn fuzz_certificate() {
    let (signer, root) = (ToCertify::signer().certify(), ToCertify::root().certify());
    let chain = certificates(&[signer.clone(), root.clone()]);
    fuzz("certificate", &[&signer, &root, chain.as_bytes()], &WORDS, |bytes| {
        let certificate = Certificate::parse(bytes);
        if let Ok(certificate) = &certificate {
            assert_eq!(certificate.to_der(), bytes);
            assert!(!certificate.name().contains('\u{1b}'));
        }
        let authority = Authority::parse(&String::from_utf8_lossy(bytes));
        if let Ok(authority) = &authority {
            assert_eq!(&Authority::parse(&authority.to_string()).expect("our own"), authority);
        }
        answer(certificate).or_else(|_| answer(authority))
    });
}
