//! ECDSA P-256 keys as files: SPKI for the public half, PKCS#8 for the private one.

use std::fmt;
use std::io;

use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};

use selfsame_core::{Digest, uri};

use crate::pem::{self, PemError};
use crate::signature::{self, SignatureError};
use crate::signer::{SignError, Signer};
use crate::{base64, text};

/// The block label of a public key.
const PUBLIC: &str = "PUBLIC KEY";
/// The block label of a private key in PKCS#8 without a passphrase.
const PRIVATE: &str = "PRIVATE KEY";

/// SPKI of an uncompressed P-256 point up to the point's `04` (RFC 5480): the only form that is read.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Object identifiers, DER with tag and length, and what a person calls the keys that carry them.
const OTHER_KEYS: [(&[u8], &str); 8] = [
    (&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], "RSA"),
    (&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "RSA-PSS"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], "ECDSA P-384"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23], "ECDSA P-521"),
    (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a], "ECDSA secp256k1"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x70], "Ed25519"),
    (&[0x06, 0x03, 0x2b, 0x65, 0x71], "Ed448"),
    (&[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA"),
];

/// The half of a key that verifiers hold, and the builder that its file names.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: p256::ecdsa::VerifyingKey,
    builder_id: Option<String>,
}

impl PublicKey {
    /// Parses a key file: exactly one `PUBLIC KEY` block with a P-256 point, optionally below a builder id line.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        let block = pem::parse(file, PUBLIC).map_err(KeyError::Pem)?;
        Ok(Self { builder_id: block.builder_id, ..Self::from_spki(&block.der)? })
    }

    /// Parses SPKI DER of an uncompressed P-256 point.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let Some(point) = der.strip_prefix(&SPKI_PREFIX) else { return Err(wrong_key(der, PUBLIC)) };
        if point.len() != 65 || point[0] != 0x04 {
            return Err(KeyError::Shape { label: PUBLIC, fault: "is not an uncompressed P-256 point" });
        }
        match p256::ecdsa::VerifyingKey::from_sec1_bytes(point) {
            Ok(key) => Ok(Self { key, builder_id: None }),
            Err(_) => Err(KeyError::Shape { label: PUBLIC, fault: "is a point that is not on the curve P-256" }),
        }
    }

    /// SPKI DER: 91 bytes.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        let mut der = SPKI_PREFIX.to_vec();
        der.extend_from_slice(self.key.to_sec1_point(false).as_bytes());
        der
    }

    /// The file that [`PublicKey::parse`] reads.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::print(PUBLIC, &self.to_spki(), self.builder_id.as_deref()).to_string()
    }

    /// SHA-256 of the SPKI DER: the key's identity.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.to_spki())
    }

    /// The fingerprint in standard base64: `keyid` of envelopes, `publicKey.hint` of bundles.
    #[must_use]
    pub fn key_id(&self) -> String {
        base64::encode(self.fingerprint().as_bytes())
    }

    /// The builder that the key's file names, if it names one.
    #[must_use]
    pub fn declared_builder_id(&self) -> Option<&str> {
        self.builder_id.as_deref()
    }

    /// This key as the key of another builder, or of none by name.
    pub fn with_builder_id(self, builder_id: Option<&str>) -> Result<Self, KeyError> {
        Ok(Self { builder_id: checked_builder_id(builder_id)?, ..self })
    }

    /// Whether `der` is a signature by this key over SHA-256 of `message`, in strict DER.
    pub fn verify(&self, message: &[u8], der: &[u8]) -> Result<(), SignatureError> {
        self.verify_digest(Digest::of(message), der)
    }

    /// The same of a message that has this SHA-256: several keys may be tried with one reading of it.
    pub fn verify_digest(&self, message: Digest, der: &[u8]) -> Result<(), SignatureError> {
        signature::verify(&self.key, message, der)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {:?})", self.key_id(), self.builder_id)
    }
}

/// A private key in memory. Wiped when dropped; never printed by `Debug`.
pub struct SigningKey {
    key: p256::SecretKey,
    builder_id: Option<String>,
}

impl SigningKey {
    /// Makes a key from 32 random bytes at a time, which `random` fills in.
    ///
    /// One try is enough but for one in 2^32; a source that gives no usable number eight times is broken.
    pub fn generate(mut random: impl FnMut(&mut [u8; 32]) -> io::Result<()>) -> Result<Self, KeyError> {
        for _ in 0..8 {
            let mut seed = Zeroizing::new([0; 32]);
            random(&mut seed).map_err(KeyError::Random)?;
            if let Ok(key) = p256::SecretKey::from_slice(&*seed) {
                return Ok(Self { key, builder_id: None });
            }
        }
        Err(KeyError::Random(io::Error::other("no number below the curve's order in eight draws")))
    }

    /// Parses a key file: exactly one `PRIVATE KEY` block (PKCS#8, no passphrase) with a P-256 key, optionally below a
    /// builder id line.
    pub fn parse(file: &[u8]) -> Result<Self, KeyError> {
        let block = pem::parse(file, PRIVATE).map_err(KeyError::Pem)?;
        match p256::SecretKey::from_pkcs8_der(&block.der) {
            Ok(key) => Ok(Self { key, builder_id: block.builder_id }),
            Err(_) => Err(wrong_key(&block.der, PRIVATE)),
        }
    }

    /// The file that [`SigningKey::parse`] reads.
    ///
    /// # Panics
    /// Never: a P-256 key always has a PKCS#8 form.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let der = self.key.to_pkcs8_der().expect("a P-256 key has a PKCS#8 form");
        pem::print(PRIVATE, der.as_bytes(), self.builder_id.as_deref())
    }

    /// The public half, with the same builder id.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { key: self.key.public_key().into(), builder_id: self.builder_id.clone() }
    }

    /// This key as the key of another builder, or of none by name.
    pub fn with_builder_id(self, builder_id: Option<&str>) -> Result<Self, KeyError> {
        Ok(Self { builder_id: checked_builder_id(builder_id)?, ..self })
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> Result<PublicKey, SignError> {
        Ok(self.public())
    }

    /// By RFC 6979: the same bytes give the same signature.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature: p256::ecdsa::Signature = p256::ecdsa::SigningKey::from(&self.key).sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn is_deterministic(&self) -> bool {
        true
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, private part not shown)", self.public().key_id())
    }
}

/// The builder id that a release by this key carries: the one its file names, else [`uri::BUILDER_LOCAL`]; with
/// `/relaxed` behind it when a relaxation was used, because SLSA wants one id per set of guarantees.
#[must_use]
pub fn builder_id(declared: Option<&str>, relaxed: bool) -> String {
    let id = declared.unwrap_or(uri::BUILDER_LOCAL);
    if relaxed { format!("{id}/relaxed") } else { id.to_owned() }
}

fn checked_builder_id(builder_id: Option<&str>) -> Result<Option<String>, KeyError> {
    match builder_id {
        Some(id) if !text::is_uri(id) => Err(KeyError::Pem(PemError::BuilderId { found: text::quote(id) })),
        other => Ok(other.map(str::to_owned)),
    }
}

/// Names the kind of key that these bytes are, if it is a known one.
fn wrong_key(der: &[u8], label: &'static str) -> KeyError {
    let head = &der[..der.len().min(64)];
    let has = |id: &[u8]| head.windows(id.len()).any(|window| window == id);
    match OTHER_KEYS.into_iter().find(|(id, _)| has(id)) {
        Some((_, found)) => KeyError::Algorithm { label, found },
        None => {
            KeyError::Shape { label, fault: "is not an ECDSA P-256 key with a named curve and an uncompressed point" }
        }
    }
}

/// Why a file is not a key that selfsame uses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not one PEM block of the wanted kind.
    #[error("{0}")]
    Pem(PemError),
    /// A key of another algorithm or curve.
    #[error("the `{label}` block holds a key for {found}; ECDSA P-256 is wanted")]
    Algorithm {
        /// The block's label.
        label: &'static str,
        /// What it is for.
        found: &'static str,
    },
    /// Something that is no key, or one in a form that is not read.
    #[error("the `{label}` block {fault}")]
    Shape {
        /// The block's label.
        label: &'static str,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// No random numbers to be had.
    #[error("no random number for a new key")]
    Random(#[source] io::Error),
}
