//! Files that are given as a public key and are none that a verifier of ECDSA P-256 may take.

use selfsame_attest::pem;

use crate::attack::Answer::Unanswered;
use crate::attack::file_case;
use crate::case::Grounds::{Malformed, Strict};
use crate::case::{Case, Class, KEY};
use crate::keys;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/vectors/attest/keys/", $name)).as_slice()
    };
}

/// A public key file of these bytes.
fn public(der: &[u8]) -> Vec<u8> {
    pem::print_block("PUBLIC KEY", der).as_bytes().to_vec()
}

pub(crate) fn cases() -> Vec<Case> {
    let good = keys::signer().public();
    let (spki, text) = (good.to_spki(), good.to_pem());
    let mut off_curve = spki.clone();
    off_curve[90] ^= 1;
    let mut infinite = spki.clone();
    infinite[27..].fill(0);
    let twice = format!("{text}{text}");
    let both = format!("{}{text}", keys::forger().public().to_pem());
    let certificate = text.replace("PUBLIC KEY", "CERTIFICATE");
    let files: [(&str, &str, Vec<u8>, &'static str); 16] = [
        ("p-384", "a key of the curve P-384", vector!("p384.pub").to_vec(), "a key for ECDSA P-384"),
        ("p-521", "a key of the curve P-521", vector!("p521.pub").to_vec(), "a key for ECDSA P-521"),
        ("secp256k1", "a key of another curve of 256 bits", vector!("secp256k1.pub").to_vec(), "secp256k1"),
        ("rsa", "an RSA key", vector!("rsa.pub").to_vec(), "a key for RSA"),
        ("ed25519", "an Ed25519 key", vector!("ed25519.pub").to_vec(), "a key for Ed25519"),
        ("certificate", "a certificate", vector!("certificate.pem").to_vec(), "holds a `CERTIFICATE` block"),
        ("private", "a private key", vector!("p256.pem").to_vec(), "holds a `PRIVATE KEY` block"),
        ("labelled-certificate", "the key, said to be a certificate", certificate.into_bytes(), "`CERTIFICATE` block"),
        ("two-blocks", "the key, twice", twice.into_bytes(), "something behind its block"),
        ("two-keys", "a forger's key, and the right one behind it", both.into_bytes(), "something behind its block"),
        ("off-the-curve", "a point that is not on the curve", public(&off_curve), "not on the curve"),
        ("infinity", "the point at infinity, written as zeros", public(&infinite), "not on the curve"),
        ("compressed", "the key with a compressed point", vector!("p256-compressed.pub").to_vec(), "uncompressed"),
        ("explicit-curve", "the curve is written out", vector!("p256-explicit.pub").to_vec(), "named curve"),
        ("cut", "the key without its last byte", public(&spki[..spki.len() - 1]), "uncompressed"),
        ("binary", "the key without PEM around it", spki.clone(), "is not text"),
    ];
    files
        .into_iter()
        .map(|(name, says, bytes, because)| {
            let strict = matches!(name, "compressed" | "binary" | "two-blocks");
            let grounds = if strict { Strict } else { Malformed };
            file_case(10, Class::Key, name, says, grounds, Unanswered("", because), |_, files| {
                files.insert(KEY.to_owned(), bytes.into());
            })
        })
        .collect()
}
