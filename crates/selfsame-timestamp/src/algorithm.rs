//! Hashes and signatures that are read: SHA-2, and ECDSA over P-256 and P-384.

use der::Tag;
use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use sha2::Digest as _;

use crate::asn1::{Elements, Fault, Malformed};

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const ECDSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// A hash that is believed. SHA-1 is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// What an AlgorithmIdentifier names, if it is read here.
pub(crate) enum Named<T> {
    Known(T),
    /// By its number, for errors.
    Unknown(ObjectIdentifier),
}

impl<T> Named<T> {
    /// The algorithm, or what there is in its place.
    pub(crate) fn known(self) -> Result<T, String> {
        match self {
            Self::Known(known) => Ok(known),
            Self::Unknown(oid) => Err(oid.to_string()),
        }
    }
}

impl Hash {
    /// A hash with no parameters, or with NULL for them.
    pub(crate) fn read(elements: &mut Elements<'_>) -> Result<Named<Self>, Malformed> {
        let mut algorithm = elements.inside(Tag::Sequence, "hash algorithm")?;
        let oid = algorithm.oid()?;
        let known = match oid {
            SHA_256 => Self::Sha256,
            SHA_384 => Self::Sha384,
            SHA_512 => Self::Sha512,
            _ => return Ok(Named::Unknown(oid)),
        };
        let parameters = algorithm.optional(Tag::Null)?;
        if parameters.is_some_and(|null| !null.value.is_empty()) {
            return Err(algorithm.fault(Fault::NotDer));
        }
        algorithm.end()?;
        Ok(Named::Known(known))
    }

    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha384 => sha2::Sha384::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        }
    }
}

/// The hash of an ECDSA signature algorithm.
pub(crate) fn read_ecdsa(elements: &mut Elements<'_>) -> Result<Named<Hash>, Malformed> {
    let mut algorithm = elements.inside(Tag::Sequence, "signature algorithm")?;
    let oid = algorithm.oid()?;
    let known = match oid {
        ECDSA_SHA_256 => Hash::Sha256,
        ECDSA_SHA_384 => Hash::Sha384,
        ECDSA_SHA_512 => Hash::Sha512,
        _ => return Ok(Named::Unknown(oid)),
    };
    algorithm.end()?;
    Ok(Named::Known(known))
}

/// A key that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl Key {
    /// A SubjectPublicKeyInfo with a point that is not compressed.
    pub(crate) fn read(elements: &mut Elements<'_>) -> Result<Named<Self>, Malformed> {
        let mut spki = elements.inside(Tag::Sequence, "public key")?;
        let mut algorithm = spki.inside(Tag::Sequence, "public key's algorithm")?;
        let oid = algorithm.oid()?;
        if oid != EC_PUBLIC_KEY {
            return Ok(Named::Unknown(oid));
        }
        let curve = algorithm.oid()?;
        algorithm.end()?;
        let point = bits(&mut spki)?;
        if point.first() != Some(&0x04) {
            return Err(spki.fault(Fault::Other));
        }
        let off_the_curve = spki.fault(Fault::Other);
        spki.end()?;
        let key = match curve {
            P_256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P256),
            P_384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P384),
            _ => return Ok(Named::Unknown(curve)),
        };
        key.map(Named::Known).ok_or(off_the_curve)
    }

    /// Whether the key made this DER signature over the message, by this hash.
    pub(crate) fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        let digest = hash.of(message);
        match self {
            Self::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
        }
    }
}

/// A bit string of whole bytes.
pub(crate) fn bits<'a>(elements: &mut Elements<'a>) -> Result<&'a [u8], Malformed> {
    match elements.element(Tag::BitString)?.value {
        [0, bytes @ ..] => Ok(bytes),
        _ => Err(elements.fault(Fault::Other)),
    }
}
