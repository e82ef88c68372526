//! Keys that OpenSSL 3.0 locked (`openssl pkcs8 -topk8`), one that a second implementation of cosign's form locked
//! (`tests/foreign/cosign_key.py`), and what a stranger could do to them. `keys/plain.pem` is what all of them hold.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selfsame_attest::{PemError, SigningKey, pem};
use selfsame_passphrase::{LockedKey, LockedKeyError, RANDOM_BYTES, Wrong, lock};

const PLAIN: &str = include_str!("keys/plain.pem");
const SCRYPT: &str = include_str!("keys/scrypt.pem");
const PBKDF2: &str = include_str!("keys/pbkdf2.pem");
const AES128: &str = include_str!("keys/aes128.pem");
const DES3: &str = include_str!("keys/des3.pem");
const SHA1: &str = include_str!("keys/sha1.pem");
const PBES1: &str = include_str!("keys/pbes1.pem");
const COSIGN: &str = include_str!("keys/cosign.pem");
const PASSPHRASE: &[u8] = b"passphrase";
const HEADER: &str = "selfsame-builder-id: https://example.com/builder\n";

fn open(file: &str, passphrase: &[u8]) -> Result<String, LockedKeyError> {
    Ok(LockedKey::parse(file.as_bytes())?.open(passphrase)?.to_string())
}

fn fault(file: &str) -> LockedKeyError {
    open(file, PASSPHRASE).unwrap_err()
}

/// The bytes of a file's block, changed.
fn changed(file: &str, label: &'static str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut der = pem::parse(file.as_bytes(), label).unwrap().der.to_vec();
    change(&mut der);
    pem::print(label, &der, None).to_string()
}

/// cosign's file with a text of its document replaced.
fn cosign_with(from: &str, to: &str) -> String {
    changed(COSIGN, "ENCRYPTED SIGSTORE PRIVATE KEY", |document| {
        let text = String::from_utf8(document.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        *document = text.replace(from, to).into_bytes();
    })
}

/// An OpenSSL file with bytes of its structure replaced by as many.
fn pkcs8_with(file: &str, from: &[u8], to: &[u8]) -> String {
    changed(file, "ENCRYPTED PRIVATE KEY", |der| {
        let at = der.windows(from.len()).position(|window| window == from).unwrap();
        der.splice(at..at + from.len(), to.iter().copied());
    })
}

#[test]
fn what_others_locked_opens_and_is_the_same_key() {
    let key = SigningKey::parse(PLAIN.as_bytes()).unwrap().public();
    for file in [SCRYPT, PBKDF2, AES128, COSIGN] {
        let opened = open(file, PASSPHRASE).unwrap();
        assert_eq!(SigningKey::parse(opened.as_bytes()).unwrap().public(), key);
        assert!(LockedKey::is_locked(file.as_bytes()));
        // The builder goes with the key.
        let opened = open(&format!("{HEADER}{file}"), PASSPHRASE).unwrap();
        let public = SigningKey::parse(opened.as_bytes()).unwrap().public();
        assert_eq!(public.declared_builder_id(), Some("https://example.com/builder"));
    }
    assert!(!LockedKey::is_locked(PLAIN.as_bytes()) && !LockedKey::is_locked(b"") && !LockedKey::is_locked(&[0xff]));
    let old = COSIGN.replace("ENCRYPTED SIGSTORE", "ENCRYPTED COSIGN");
    assert_eq!(open(&old, PASSPHRASE).unwrap(), open(COSIGN, PASSPHRASE).unwrap());
}

/// A golden vector: these random bytes, this passphrase, this file.
#[test]
fn what_is_locked_opens_again_and_shows_its_builder() {
    let file = format!("{HEADER}{PLAIN}");
    let locked = lock(file.as_bytes(), PASSPHRASE, &std::array::from_fn(|at| at as u8)).unwrap();
    assert_eq!(open(&locked, PASSPHRASE).unwrap(), file);
    assert_eq!(open(&locked, b"Passphrase").unwrap_err(), LockedKeyError::NotOpened);
    let der = pem::parse(locked.as_bytes(), "ENCRYPTED PRIVATE KEY").unwrap().der;
    assert!(locked.starts_with(&format!("{HEADER}-----BEGIN ENCRYPTED PRIVATE KEY-----\n")));
    let digest = selfsame_core::Digest::of(&der).to_string();
    assert_eq!(digest, "sha256:95e0fe0f687d2997f8f265b88aa1cb13ffe6c04230d342292e0dd87d4f1925a7");
    let random = [0; RANDOM_BYTES];
    let refused = |passphrase: &[u8]| lock(PLAIN.as_bytes(), passphrase, &random).unwrap_err();
    assert_eq!(refused(b""), LockedKeyError::Passphrase(Wrong::Empty));
    assert_eq!(refused(&[b'a'; 1025]), LockedKeyError::Passphrase(Wrong::TooLong));
    assert!(matches!(lock(SCRYPT.as_bytes(), PASSPHRASE, &random), Err(LockedKeyError::Pem(PemError::Label { .. }))));
}

/// CBC has no tag: some wrong passphrases give well-formed padding, and the structure below must tell.
#[test]
fn wrong_passphrases_are_wrong_and_never_a_key() {
    for number in 0..300 {
        let passphrase = format!("wrong {number}");
        assert_eq!(open(AES128, passphrase.as_bytes()).unwrap_err(), LockedKeyError::NotOpened, "{passphrase}");
    }
    for file in [SCRYPT, COSIGN] {
        for passphrase in [&b""[..], b"passphrase\n", b"passphras", b"\xff"] {
            assert_eq!(open(file, passphrase).unwrap_err(), LockedKeyError::NotOpened);
        }
        assert_eq!(open(file, &[b'a'; 1025]).unwrap_err(), LockedKeyError::Passphrase(Wrong::TooLong));
    }
}

/// Nothing is derived: a minute of work, or a gibibyte, would be felt here.
#[test]
fn hostile_costs_are_refused_before_any_work() {
    let costs = |error: LockedKeyError| matches!(error, LockedKeyError::Cost { .. });
    for n in ["1073741824", "18446744073709551615", "0", "1", "65535"] {
        assert!(costs(fault(&cosign_with("\"N\":65536", &format!("\"N\":{n}")))), "{n}");
    }
    for (from, to) in
        [("\"r\":8", "\"r\":0"), ("\"r\":8", "\"r\":4294967295"), ("\"p\":1", "\"p\":0"), ("\"p\":1", "\"p\":1000000")]
    {
        assert!(costs(fault(&cosign_with(from, to))), "{to}");
    }
    // 600,000 iterations become 16,777,215, and none.
    for iterations in [[0x02, 0x03, 0x7f, 0xff, 0xff], [0x02, 0x03, 0x5b, 0x8d, 0x81]] {
        let error = fault(&pkcs8_with(PBKDF2, &[0x02, 0x03, 0x09, 0x27, 0xc0], &iterations));
        assert!(costs(error.clone()), "{error}");
    }
    // N, r and p of OpenSSL's scrypt: 16,384, 8, 1.
    let written = [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x01];
    for hostile in [
        [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x7f, 0x02, 0x01, 0x01],
        [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x7f],
        [0x02, 0x02, 0x40, 0x01, 0x02, 0x01, 0x08, 0x02, 0x01, 0x01],
        [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01],
        [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x00],
    ] {
        let error = fault(&pkcs8_with(SCRYPT, &written, &hostile));
        assert!(costs(error.clone()), "{error}");
    }
    let none = fault(&changed(SCRYPT, "ENCRYPTED PRIVATE KEY", |der| {
        let at = der.windows(10).position(|window| window == written).unwrap();
        der.splice(at..at + 4, [0x02, 0x02, 0x00, 0x80]);
    }));
    assert!(matches!(none, LockedKeyError::Cost { .. } | LockedKeyError::NotOpened), "{none}");
}

#[test]
fn other_algorithms_are_named() {
    let says = |file: &str, text: &str| {
        let error = fault(file).to_string();
        assert!(error.contains(text), "{error}");
    };
    says(PBES1, "is not PKCS#8 under a passphrase with PBES2");
    says(DES3, "AES");
    says(SHA1, "AES");
    says(PLAIN, "holds a `PRIVATE KEY` block");
    says(&PLAIN.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "is not PKCS#8 under a passphrase");
    says(&cosign_with("\"scrypt\"", "\"argon2\""), "no `/kdf/name` that is `scrypt`");
    says(&cosign_with("nacl/secretbox", "none"), "no `/cipher/name` that is `nacl/secretbox`");
    says(&cosign_with("\"nonce\":\"", "\"nonce\":\"AAAA"), "a nonce that is not 24 bytes long");
    says(&cosign_with("\"nonce\":\"", "\"nonce\":\"*"), "no `/cipher/nonce` that is base64");
    says(&cosign_with("\"N\":65536", "\"N\":\"65536\""), "no `/kdf/params/N` that is a number");
    says(&cosign_with("\"N\":65536", "\"N\":65536,\"N\":2"), "is not JSON");
    says(&format!("{COSIGN}{COSIGN}"), "something behind its block");
    let empty = STANDARD.encode([0; 16]);
    let start = "\"ciphertext\":\"";
    let document = changed(COSIGN, "ENCRYPTED SIGSTORE PRIVATE KEY", |document| {
        let text = String::from_utf8(document.clone()).unwrap();
        let at = text.find(start).unwrap() + start.len();
        *document = format!("{}{empty}\"}}", &text[..at]).into_bytes();
    });
    says(&document, "a ciphertext with nothing in it");
}

/// Every byte of a file matters, and none makes it a panic or another key.
#[test]
fn a_damaged_file_never_opens_as_something_else() {
    let key = open(AES128, PASSPHRASE).unwrap();
    let length = pem::parse(AES128.as_bytes(), "ENCRYPTED PRIVATE KEY").unwrap().der.len();
    for at in 0..length {
        for flip in [0x01, 0x80] {
            let damaged = changed(AES128, "ENCRYPTED PRIVATE KEY", |der| der[at] ^= flip);
            // CBC: a flipped bit of the vector flips one bit of the first block, which is structure.
            match open(&damaged, PASSPHRASE) {
                Ok(opened) => assert!(SigningKey::parse(opened.as_bytes()).is_err() || opened == key, "byte {at}"),
                Err(error) => assert!(!matches!(error, LockedKeyError::Pem(_)), "byte {at}: {error}"),
            }
        }
        let cut = changed(AES128, "ENCRYPTED PRIVATE KEY", |der| der.truncate(at));
        open(&cut, PASSPHRASE).unwrap_err();
    }
    for at in [0, 15, 16, 100] {
        let start = "\"ciphertext\":\"";
        let damaged = changed(COSIGN, "ENCRYPTED SIGSTORE PRIVATE KEY", |document| {
            let text = String::from_utf8(document.clone()).unwrap();
            let from = text.find(start).unwrap() + start.len();
            let mut bytes = STANDARD.decode(text[from..].trim_end_matches("\"}")).unwrap();
            bytes[at] ^= 1;
            *document = format!("{}{}\"}}", &text[..from], STANDARD.encode(bytes)).into_bytes();
        });
        assert_eq!(open(&damaged, PASSPHRASE).unwrap_err(), LockedKeyError::NotOpened, "byte {at}");
    }
}
