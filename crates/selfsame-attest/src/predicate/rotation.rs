//! A rotation: a key names the key that comes after it, and what it signed that is still good. docs/rotation/v1.md.

use std::collections::BTreeSet;

use serde::{Deserialize as _, Deserializer, Serializer};

use selfsame_core::{Day, Digest, uri};

use super::{Predicate, null_is_empty};
use crate::base64;
use crate::envelope::{Envelope, EnvelopeError};
use crate::key::{KeyError, PublicKey};
use crate::signer::{SignError, Signer, sign_statement};
use crate::statement::{Statement, StatementError, Subject};

/// `{"acceptedReleases":["sha256:..."],"predecessor":"<key id>","since":"2026-11-20","successor":"<base64 SPKI>"}`.
///
/// The statement's subject is the successor: the SHA-256 of its SPKI. Its signer is the predecessor.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// The id of the key that signs this.
    pub predecessor: String,
    /// The key that comes after it, without the builder that its file may name.
    #[serde(serialize_with = "print_key", deserialize_with = "parse_key")]
    pub successor: PublicKey,
    /// The day from which on the predecessor signs nothing any more.
    #[serde(serialize_with = "print_day", deserialize_with = "parse_day")]
    pub since: Day,
    /// The releases by the predecessor that stay good, by release id, sorted.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "BTreeSet::is_empty")]
    pub accepted_releases: BTreeSet<Digest>,
}

impl Predicate for Rotation {
    const TYPE: &'static str = uri::ROTATION;
}

impl Rotation {
    /// The most releases that one rotation lists.
    pub const MOST_RELEASES: usize = 100_000;

    /// A rotation from the signer's key, signed by it.
    pub fn sign(
        signer: &dyn Signer,
        successor: &PublicKey,
        since: Day,
        accepted_releases: BTreeSet<Digest>,
    ) -> Result<Envelope, SignError> {
        let predecessor = signer.public_key()?.key_id();
        let successor = bare(successor);
        let subject = Subject::new("successor", successor.fingerprint());
        let rotation = Self { predecessor, successor, since, accepted_releases };
        Ok(sign_statement(&Statement::new(vec![subject], &rotation), signer)?.envelope().clone())
    }

    /// The rotation in an envelope that `predecessor` signed.
    pub fn verify(envelope: &Envelope, predecessor: &PublicKey) -> Result<Self, RotationError> {
        if envelope.signatures.len() != 1 {
            return Err(RotationError::Signatures { count: envelope.signatures.len() });
        }
        envelope.verify(predecessor).map_err(RotationError::Envelope)?;
        let statement = Statement::parse(&envelope.payload).map_err(RotationError::Statement)?;
        let rotation: Self = statement.predicate_as().map_err(RotationError::Statement)?;
        if rotation.predecessor != predecessor.key_id() {
            return Err(RotationError::Predecessor { found: crate::text::quote(&rotation.predecessor) });
        }
        if !statement.is_about(rotation.successor.fingerprint()) {
            return Err(RotationError::Subject);
        }
        if rotation.successor.fingerprint() == predecessor.fingerprint() {
            return Err(RotationError::Itself);
        }
        if rotation.accepted_releases.len() > Self::MOST_RELEASES {
            return Err(RotationError::TooManyReleases { count: rotation.accepted_releases.len() });
        }
        Ok(rotation)
    }
}

/// Why an envelope is not a rotation by a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// Not exactly one signature.
    #[error("the rotation has {count} signatures; it has one")]
    Signatures {
        /// How many there are.
        count: usize,
    },
    /// The signature does not count.
    #[error("{0}")]
    Envelope(EnvelopeError),
    /// Signed, and no rotation.
    #[error("{0}")]
    Statement(StatementError),
    /// Signed by a key about the successor of another.
    #[error("the rotation is signed by another key than `{found}`, whose successor it names")]
    Predecessor {
        /// Whose successor it says that it names.
        found: String,
    },
    /// About another key than the one in it.
    #[error("the rotation's subject is not the key that it names")]
    Subject,
    /// A key that comes after itself.
    #[error("the rotation names the predecessor as its own successor")]
    Itself,
    /// More releases than are read.
    #[error("the rotation lists {count} releases; at most {most} are read", most = Rotation::MOST_RELEASES)]
    TooManyReleases {
        /// How many there are.
        count: usize,
    },
}

/// What a builder's line in the key file says is the trust of whoever holds the file, not the signer's claim.
fn bare(key: &PublicKey) -> PublicKey {
    key.clone().with_builder_id(None).expect("no builder is a fine one")
}

fn print_key<S: Serializer>(key: &PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::encode(&key.to_spki()))
}

fn parse_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let der = base64::decode(&text).ok_or_else(|| serde::de::Error::custom("`successor` is not padded base64"))?;
    PublicKey::from_spki(&der).map_err(|error: KeyError| serde::de::Error::custom(error))
}

fn print_day<S: Serializer>(day: &Day, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(day)
}

fn parse_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    fn key(text: &str) -> SigningKey {
        SigningKey::generate(|seed| {
            seed.copy_from_slice(Digest::of(text.as_bytes()).as_bytes());
            Ok(())
        })
        .unwrap()
    }

    fn day() -> Day {
        "2026-11-20".parse().unwrap()
    }

    #[test]
    fn what_is_signed_is_read_and_has_one_spelling() {
        let (old, new) = (key("old"), key("new"));
        let releases = BTreeSet::from([Digest::of(b"b"), Digest::of(b"a")]);
        let envelope = Rotation::sign(&old, &new.public(), day(), releases.clone()).unwrap();
        let rotation = Rotation::verify(&envelope, &old.public()).unwrap();
        assert_eq!(rotation.successor, new.public());
        assert_eq!((rotation.since, &rotation.accepted_releases), (day(), &releases));
        // The golden vector: a change here changes the format.
        assert_eq!(
            Digest::of(&envelope.to_bytes()).to_string(),
            "sha256:675430074bd7513d9e79df065913e686607c62c294f6a5c86804098f9ba3b26d"
        );
        assert_eq!(Envelope::parse(&envelope.to_bytes()).unwrap(), envelope);
    }

    #[test]
    fn a_rotation_that_does_not_hold_is_refused_for_its_own_fault() {
        let (old, new) = (key("old"), key("new"));
        let good = Rotation::sign(&old, &new.public(), day(), BTreeSet::new()).unwrap();
        let refused = |envelope: &Envelope| Rotation::verify(envelope, &old.public()).unwrap_err().to_string();
        assert!(matches!(Rotation::verify(&good, &new.public()), Err(RotationError::Envelope(_))));

        let mut bent = good.clone();
        let at = bent.payload.windows(4).position(|window| window == b"2026").unwrap();
        bent.payload[at + 3] = b'5';
        assert!(matches!(Rotation::verify(&bent, &old.public()), Err(RotationError::Envelope(_))));

        let mut twice = good.clone();
        twice.signatures.extend(good.signatures.clone());
        assert!(refused(&twice).contains("2 signatures"));

        let signed = |subject: Digest, rotation: &Rotation| {
            let statement = Statement::new(vec![Subject::new("successor", subject)], rotation);
            sign_statement(&statement, &old).unwrap().envelope().clone()
        };
        let rotation = Rotation::verify(&good, &old.public()).unwrap();
        assert!(refused(&signed(Digest::of(b"another"), &rotation)).contains("subject"));
        let of_another = Rotation { predecessor: new.public().key_id(), ..rotation.clone() };
        assert!(refused(&signed(new.public().fingerprint(), &of_another)).contains("another key"));
        let itself = Rotation { successor: old.public(), ..rotation };
        assert!(refused(&signed(old.public().fingerprint(), &itself)).contains("its own successor"));
        let statement = Statement::cosign_sign(vec![Subject::new("successor", new.public().fingerprint())]);
        assert!(refused(sign_statement(&statement, &old).unwrap().envelope()).contains("rotation/v1"));
    }
}
