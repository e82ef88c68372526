//! Keys: one PEM block of one kind, and every other kind refused by its name.

use selfsame_attest::{KeyError, PublicKey, Signer as _, SigningKey, builder_id};

use crate::{key, refused, test_key};

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/vectors/attest/keys/", $name))
    };
}

#[test]
fn reads_what_openssl_writes_and_prints_it_back() {
    let (private, public) = (file!("p256.pem"), file!("p256.pub"));
    assert_eq!(PublicKey::parse(public.as_bytes()).unwrap().to_pem(), public);
    let signing = SigningKey::parse(private.as_bytes()).unwrap();
    assert_eq!(*signing.to_pem(), private);
    assert_eq!(signing.public().to_pem(), public);
    // CRLF and empty lines around the block are what editors do.
    assert!(PublicKey::parse(format!("\n{}\n\n", public.replace('\n', "\r\n")).as_bytes()).is_ok());
}

#[test]
fn carries_its_builder() {
    let id = "https://example.com/builders/release";
    let signing = test_key().with_builder_id(Some(id)).unwrap();
    let (private, public) = (signing.to_pem(), signing.public().to_pem());
    assert!(
        private.starts_with("selfsame-builder-id: https://example.com/builders/release\n-----BEGIN PRIVATE KEY-----\n")
    );
    let read = SigningKey::parse(private.as_bytes()).unwrap();
    assert_eq!(read.public().declared_builder_id(), Some(id));
    let read = PublicKey::parse(public.as_bytes()).unwrap();
    assert_eq!(read.declared_builder_id(), Some(id));
    // The id is no part of the key's identity.
    assert_eq!(read.key_id(), test_key().public().key_id());

    assert_eq!(builder_id(None, false), "https://selfsame.dev/builder/local");
    assert_eq!(builder_id(Some(id), false), id);
    assert_eq!(builder_id(Some(id), true), format!("{id}/relaxed"));
    refused(test_key().with_builder_id(Some("no uri")), "`no uri`, which is not a URI");
}

#[test]
fn refuses_other_public_keys_by_name() {
    for (file, because) in [
        (file!("p384.pub"), "a key for ECDSA P-384"),
        (file!("p521.pub"), "a key for ECDSA P-521"),
        (file!("secp256k1.pub"), "a key for ECDSA secp256k1"),
        (file!("rsa.pub"), "a key for RSA"),
        (file!("ed25519.pub"), "a key for Ed25519"),
        (file!("p256-compressed.pub"), "uncompressed point"),
        (file!("p256-explicit.pub"), "named curve"),
        (file!("p256.pem"), "holds a `PRIVATE KEY` block; a `PUBLIC KEY` block is wanted"),
        (file!("certificate.pem"), "holds a `CERTIFICATE` block"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("AAAA\n", "a line before its block that begins `AAAA`"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", "has no end line"),
        ("-----BEGIN PUBLIC KEY-----\nA\u{e9}\n-----END PUBLIC KEY-----\n", "not padded base64"),
        ("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "is not an ECDSA P-256 key"),
    ] {
        refused(PublicKey::parse(file.as_bytes()), because);
    }
    let public = file!("p256.pub");
    refused(PublicKey::parse(format!("{public}{public}").as_bytes()), "something behind its block");
    refused(
        PublicKey::parse(format!("selfsame-builder-id: x:y\nselfsame-builder-id: x:y\n{public}").as_bytes()),
        "two",
    );
    refused(PublicKey::parse(format!("selfsame-builder-id: \u{1b}[2J\n{public}").as_bytes()), "not a URI");
    refused(PublicKey::parse(format!("selfsame-builder: x:y\n{public}").as_bytes()), "begins `selfsame-bui`");
    refused(PublicKey::parse(&[0x30, 0x59, 0xff]), "not text");
    refused(PublicKey::parse(&vec![b'\n'; 1 << 20]), "1048576 bytes");
}

#[test]
fn refuses_other_private_keys_by_name() {
    for (file, because) in [
        (file!("p256-sec1.pem"), "holds a `EC PRIVATE KEY` block"),
        (file!("p256-encrypted.pem"), "holds a `ENCRYPTED PRIVATE KEY` block"),
        (file!("p384.pem"), "a key for ECDSA P-384"),
        (file!("rsa.pem"), "a key for RSA"),
        (file!("ed25519.pem"), "a key for Ed25519"),
        (file!("p256.pub"), "holds a `PUBLIC KEY` block; a `PRIVATE KEY` block is wanted"),
        (file!("certificate.pem"), "holds a `CERTIFICATE` block"),
    ] {
        refused(SigningKey::parse(file.as_bytes()), because);
    }
    // Nothing of a secret is shown: neither its text in an error nor its number in a debug print.
    let body = file!("p256.pem").lines().nth(1).unwrap();
    let error = SigningKey::parse(body.as_bytes()).unwrap_err().to_string();
    assert!(!error.contains(&body[..16]), "{error}");
    assert!(format!("{:?}", test_key()).contains("private part not shown"));
}

#[test]
fn refuses_points_that_are_none() {
    let good = test_key().public().to_spki();
    assert_eq!(PublicKey::from_spki(&good).unwrap(), test_key().public());
    let mut off_curve = good.clone();
    off_curve[90] ^= 1;
    refused(PublicKey::from_spki(&off_curve), "not on the curve");
    let mut zero = good.clone();
    zero[27..].fill(0);
    refused(PublicKey::from_spki(&zero), "not on the curve");
    let mut hybrid = good.clone();
    hybrid[26] = 0x06;
    refused(PublicKey::from_spki(&hybrid), "uncompressed");
    refused(PublicKey::from_spki(&good[..90]), "uncompressed");
    refused(PublicKey::from_spki(&[&good[..], &[0]].concat()), "uncompressed");
}

#[test]
fn generates_from_the_callers_randomness_alone() {
    assert_eq!(key("a").public(), key("a").public());
    assert_ne!(key("a").public(), key("b").public());
    let mut draws = 0;
    // All ones is above the curve's order: drawn again.
    let second = SigningKey::generate(|seed| {
        draws += 1;
        seed.fill(if draws == 1 { 0xff } else { 7 });
        Ok(())
    });
    assert_eq!((second.is_ok(), draws), (true, 2));
    let broken = SigningKey::generate(|seed| {
        seed.fill(0);
        Ok(())
    });
    assert!(matches!(broken, Err(KeyError::Random(_))));
    let absent = SigningKey::generate(|_| Err(std::io::Error::other("no source")));
    assert!(matches!(absent, Err(KeyError::Random(source)) if source.to_string() == "no source"));
}

/// The order of the curve.
const N: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `SEQUENCE { INTEGER r, INTEGER s }` of big-endian numbers, minimal.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_none_or(|byte| *byte >= 0x80) {
            number.insert(0, 0);
        }
        [&[0x02, number.len() as u8][..], &number].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8][..], &body].concat()
}

/// r and s of a DER signature, 32 bytes each.
fn numbers(signature: &[u8]) -> ([u8; 32], [u8; 32]) {
    let signature: p256::ecdsa::Signature =
        p256::ecdsa::DerSignature::from_bytes(signature).unwrap().try_into().unwrap();
    let bytes = signature.to_bytes();
    (bytes[..32].try_into().unwrap(), bytes[32..].try_into().unwrap())
}

/// `n - s` and `s + n` where they fit.
fn n_minus(s: &[u8; 32]) -> [u8; 32] {
    let mut result = [0; 32];
    let mut borrow = 0_i16;
    for at in (0..32).rev() {
        let digit = i16::from(N[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(digit < 0);
        result[at] = digit.rem_euclid(256) as u8;
    }
    result
}

#[test]
fn one_spelling_of_a_signature() {
    let (signer, message) = (test_key(), b"message".as_slice());
    let public = signer.public();
    let good = signer.sign(message).unwrap();
    assert!(public.verify(message, &good).is_ok());
    let (r, s) = numbers(&good);
    assert_eq!(der(&r, &s), good);
    // The high-s twin is a good signature as well: bundles are no identities.
    assert!(public.verify(message, &der(&r, &n_minus(&s))).is_ok());

    let hex: String = good.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut long_length = good.clone();
    long_length.splice(1..2, [0x81, good[1]]);
    let mut padded = good.clone();
    padded.splice(4..4, [0]);
    padded[1] += 1;
    padded[3] += 1;
    for (signature, because) in [
        ([&good[..], &[0]].concat(), "DER with bytes behind it"),
        ([&r[..], &s[..]].concat(), "raw r and s"),
        (hex.into_bytes(), "hex, not strict"),
        (base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &good).into_bytes(), "base64, not strict"),
        (long_length, "not strict ASN.1 DER"),
        (padded, "not strict ASN.1 DER"),
        (good[..good.len() - 1].to_vec(), "not strict ASN.1 DER"),
        (Vec::new(), "not strict ASN.1 DER"),
        (vec![0x30; 100_000], "not strict ASN.1 DER"),
        (der(&[0], &[0]), "between 1 and n - 1"),
        (der(&r, &[0]), "between 1 and n - 1"),
        (der(&N, &s), "between 1 and n - 1"),
        (der(&r, &N), "between 1 and n - 1"),
        (der(&[0xff; 32], &s), "between 1 and n - 1"),
        (der(&[&[1], &r[..]].concat(), &s), "not strict ASN.1 DER"),
        (der(&s, &r), "not made by this key"),
    ] {
        refused(public.verify(message, &signature), because);
    }
    refused(public.verify(b"another", &good), "not made by this key");
    refused(key("another").public().verify(message, &good), "not made by this key");
    for at in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(public.verify(message, &flipped).is_err(), "bit {at}");
    }
}
