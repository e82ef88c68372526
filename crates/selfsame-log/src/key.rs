//! The keys of logs and witnesses, in the one-line form of signed notes.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use selfsame_attest::text::quote;
use selfsame_attest::{KeyError, PublicKey};
use selfsame_core::{Digest, Hasher};

use crate::base64;
use crate::note::is_key_name;

/// SPKI of an Ed25519 key up to its 32 bytes (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Signature types of signed-note.
const ED25519: u8 = 0x01;
const ECDSA: u8 = 0x02;
const COSIGNATURE: u8 = 0x04;

/// What a verifier holds of a log: its name, and its key.
///
/// ```text
/// log.example/releases+78aa29ad+AR5QLMJkMJzfj0PdvZGlJlIlgFpsKqFhmNpb/qZcMuTZ
/// ```
///
/// The middle part is the beginning of the key's id; the last is the kind of the key, a byte, and the key in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    origin: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Ed25519(VerifyingKey),
    P256(PublicKey),
}

impl LogKey {
    /// An Ed25519 key.
    pub fn ed25519(origin: &str, key: &[u8; 32]) -> Result<Self, LogKeyError> {
        Ok(Self { origin: named(origin)?, kind: Kind::Ed25519(edwards(key)?) })
    }

    /// An ECDSA P-256 key.
    pub fn p256(origin: &str, key: PublicKey) -> Result<Self, LogKeyError> {
        let key = key.with_builder_id(None).map_err(LogKeyError::P256)?;
        Ok(Self { origin: named(origin)?, kind: Kind::P256(key) })
    }

    /// Parses one line, with or without its newline.
    pub fn parse(text: &str) -> Result<Self, LogKeyError> {
        let Line { name: origin, hash, kind, key } = Line::parse(text)?;
        let key = match kind {
            ED25519 => Self::ed25519(origin, &thirty_two(&key)?)?,
            ECDSA => Self::p256(origin, PublicKey::from_spki(&key).map_err(LogKeyError::P256)?)?,
            kind => return Err(LogKeyError::Kind { kind }),
        };
        if key.key_hash() == hash { Ok(key) } else { Err(LogKeyError::Hash) }
    }

    /// The log's name: the first line of its checkpoints.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The log's id in bundles: of an Ed25519 key SHA-256 of name, newline, kind and key; of an ECDSA key, whose form is
    /// older, SHA-256 of its SPKI.
    #[must_use]
    pub fn log_id(&self) -> Digest {
        match &self.kind {
            Kind::Ed25519(key) => key_id(&self.origin, ED25519, key.as_bytes()),
            Kind::P256(key) => key.fingerprint(),
        }
    }

    /// The first four bytes of the id, by which signature lines name it.
    #[must_use]
    pub fn key_hash(&self) -> [u8; 4] {
        first_four(self.log_id())
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        match &self.kind {
            Kind::Ed25519(key) => [&ED25519_SPKI[..], key.as_bytes()].concat(),
            Kind::P256(key) => key.to_spki(),
        }
    }

    /// The kind of the key as Sigstore's trusted roots call it.
    #[must_use]
    pub fn details(&self) -> &'static str {
        match self.kind {
            Kind::Ed25519(_) => "PKIX_ED25519",
            Kind::P256(_) => "PKIX_ECDSA_P256_SHA_256",
        }
    }

    /// Whether the key signed the message.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Ed25519(key) => edwards_verify(key, message, signature),
            Kind::P256(key) => key.verify(message, signature).is_ok(),
        }
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, key) = match &self.kind {
            Kind::Ed25519(key) => (ED25519, key.as_bytes().to_vec()),
            Kind::P256(key) => (ECDSA, key.to_spki()),
        };
        print(f, &self.origin, self.key_hash(), kind, &key)
    }
}

/// The key of somebody who looks at a log and says that it only grows (C2SP tlog-cosignature). Its line has the form of a
/// log's, with the kind 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    key: VerifyingKey,
}

impl WitnessKey {
    /// An Ed25519 key.
    pub fn new(name: &str, key: &[u8; 32]) -> Result<Self, LogKeyError> {
        Ok(Self { name: named(name)?, key: edwards(key)? })
    }

    /// Parses one line, with or without its newline.
    pub fn parse(text: &str) -> Result<Self, LogKeyError> {
        let Line { name, hash, kind, key } = Line::parse(text)?;
        if kind != COSIGNATURE {
            return Err(LogKeyError::NoWitness { kind });
        }
        let key = Self::new(name, &thirty_two(&key)?)?;
        if key.key_hash() == hash { Ok(key) } else { Err(LogKeyError::Hash) }
    }

    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The beginning of its id, by which signature lines name it.
    #[must_use]
    pub fn key_hash(&self) -> [u8; 4] {
        first_four(key_id(&self.name, COSIGNATURE, self.key.as_bytes()))
    }

    /// The time that a cosignature of this checkpoint's text gives, if it is one by this key.
    #[must_use]
    pub fn verify(&self, checkpoint: &str, signature: &[u8]) -> Option<u64> {
        let (time, signature) = signature.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        edwards_verify(&self.key, cosigned(checkpoint, time).as_bytes(), signature).then_some(time)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.name, self.key_hash(), COSIGNATURE, self.key.as_bytes())
    }
}

/// What a witness signs.
pub(crate) fn cosigned(checkpoint: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{checkpoint}")
}

fn key_id(name: &str, kind: u8, key: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    for part in [name.as_bytes(), b"\n", &[kind], key] {
        hasher.update(part);
    }
    hasher.finish().0
}

fn first_four(id: Digest) -> [u8; 4] {
    *id.as_bytes().first_chunk().expect("a SHA-256 has more than four bytes")
}

fn named(name: &str) -> Result<String, LogKeyError> {
    if is_key_name(name) { Ok(name.to_owned()) } else { Err(LogKeyError::Name { name: quote(name) }) }
}

fn edwards(key: &[u8; 32]) -> Result<VerifyingKey, LogKeyError> {
    VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak()).ok_or(LogKeyError::Point)
}

fn edwards_verify(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    let signature = ed25519_dalek::Signature::from_slice(signature);
    signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
}

fn thirty_two(key: &[u8]) -> Result<[u8; 32], LogKeyError> {
    key.try_into().map_err(|_| LogKeyError::Point)
}

/// `NAME+HASH+KEY`, taken apart.
struct Line<'a> {
    name: &'a str,
    hash: [u8; 4],
    kind: u8,
    key: Vec<u8>,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Result<Self, LogKeyError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LogKeyError::Form);
        };
        let hash = (hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
            .then(|| u32::from_str_radix(hash, 16).ok())
            .flatten()
            .ok_or(LogKeyError::Form)?;
        let key = base64::decode(key).ok_or(LogKeyError::Form)?;
        let (kind, key) = key.split_first().ok_or(LogKeyError::Form)?;
        Ok(Self { name, hash: hash.to_be_bytes(), kind: *kind, key: key.to_vec() })
    }
}

fn print(f: &mut fmt::Formatter<'_>, name: &str, hash: [u8; 4], kind: u8, key: &[u8]) -> fmt::Result {
    let key = base64::encode(&[&[kind], key].concat());
    write!(f, "{name}+{:08x}+{key}", u32::from_be_bytes(hash))
}

/// Why a text is not the key of a log or witness.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeyError {
    /// Not of the form.
    #[error("it is not one line NAME+HASH+KEY, with eight hex digits and padded base64")]
    Form,
    /// A name that no note could carry.
    #[error("`{name}` cannot name a log: no spaces, no `+`, at most 255 bytes")]
    Name {
        /// The name.
        name: String,
    },
    /// The hash in the line is another's.
    #[error("its hash is not that of its name and key")]
    Hash,
    /// An algorithm that is not read.
    #[error("its kind is {kind}; Ed25519 (1) or ECDSA P-256 (2) is wanted")]
    Kind {
        /// The first byte of the key.
        kind: u8,
    },
    /// A log's key, perhaps, where a witness's is wanted.
    #[error("its kind is {kind}; a witness has 4")]
    NoWitness {
        /// The first byte of the key.
        kind: u8,
    },
    /// Not a point of the curve, or one that anybody can sign for.
    #[error("its key is not 32 bytes of a sound Ed25519 key")]
    Point,
    /// The ECDSA key.
    #[error("{0}")]
    P256(KeyError),
}
