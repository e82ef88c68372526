//! A log's private key.

use std::fmt;

use ed25519_dalek::Signer as _;
use selfsame_attest::{KeyError, PemError, SignError, Signer, SigningKey, pem};

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::key::{LogKey, LogKeyError, WitnessKey};
use crate::note::{Note, NoteSignature};

/// PKCS#8 of an Ed25519 key up to its 32 bytes (RFC 8410): what OpenSSL writes.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

const LABEL: &str = "PRIVATE KEY";

/// Something that signs checkpoints: an Ed25519 key in memory, or any signer of ECDSA P-256.
pub struct LogSigner(Kind);

enum Kind {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<dyn Signer>),
}

impl LogSigner {
    /// An Ed25519 key of these 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Kind::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))))
    }

    /// A signer of documents, for a log that is signed by the same service.
    #[must_use]
    pub fn p256(signer: Box<dyn Signer>) -> Self {
        Self(Kind::P256(signer))
    }

    /// Parses a key file: one `PRIVATE KEY` block with an Ed25519 or P-256 key.
    pub fn parse(file: &[u8]) -> Result<Self, LogSignerError> {
        let der = pem::private_block(file).map_err(LogSignerError::Pem)?;
        let edwards = der.strip_prefix(&ED25519_PKCS8).and_then(|seed| <&[u8; 32]>::try_from(seed).ok());
        match edwards {
            Some(seed) => Ok(Self::from_seed(seed)),
            None => Ok(Self::p256(Box::new(SigningKey::parse(file).map_err(LogSignerError::Key)?))),
        }
    }

    /// The file that [`LogSigner::parse`] reads, of an Ed25519 key made from a seed.
    #[must_use]
    pub fn seed_to_pem(seed: &[u8; 32]) -> pem::Secret {
        pem::print_block(LABEL, &[&ED25519_PKCS8[..], seed].concat())
    }

    /// The public half, as the key of the log of this name.
    pub fn key(&self, origin: &str) -> Result<LogKey, LogSignerError> {
        let key = match &self.0 {
            Kind::Ed25519(key) => LogKey::ed25519(origin, key.verifying_key().as_bytes()),
            Kind::P256(signer) => LogKey::p256(origin, signer.public_key().map_err(LogSignerError::Sign)?),
        };
        key.map_err(LogSignerError::Name)
    }

    /// Signs a checkpoint of the log of its name. The signature is verified before it is used.
    pub fn sign(&self, checkpoint: Checkpoint) -> Result<SignedCheckpoint, LogSignerError> {
        let key = self.key(&checkpoint.origin)?;
        let text = checkpoint.to_string();
        let signature = match &self.0 {
            Kind::Ed25519(key) => key.sign(text.as_bytes()).to_bytes().to_vec(),
            Kind::P256(signer) => signer.sign(text.as_bytes()).map_err(LogSignerError::Sign)?,
        };
        if !key.verify(text.as_bytes(), &signature) {
            return Err(LogSignerError::Faulty);
        }
        let name = checkpoint.origin.clone();
        let note = Note::new(text, NoteSignature { name, key_hash: key.key_hash(), signature });
        Ok(SignedCheckpoint { note, checkpoint })
    }
}

/// A witness's private key, with its name.
pub struct WitnessSigner {
    name: String,
    key: Box<ed25519_dalek::SigningKey>,
}

impl WitnessSigner {
    /// Parses a key file: one `PRIVATE KEY` block with an Ed25519 key.
    pub fn parse(name: &str, file: &[u8]) -> Result<Self, LogSignerError> {
        let Kind::Ed25519(key) = LogSigner::parse(file)?.0 else { return Err(LogSignerError::WitnessKind) };
        let signer = Self { name: name.to_owned(), key };
        signer.key()?;
        Ok(signer)
    }

    /// The public half.
    pub fn key(&self) -> Result<WitnessKey, LogSignerError> {
        WitnessKey::new(&self.name, self.key.verifying_key().as_bytes()).map_err(LogSignerError::Name)
    }

    /// Says that this checkpoint was there at this time, in seconds since 1970, and went on from the last one that was
    /// cosigned. An earlier line by this key gives way to the new one.
    ///
    /// That it goes on from there the caller has to have found out.
    pub fn cosign(&self, mut checkpoint: SignedCheckpoint, time: u64) -> Result<SignedCheckpoint, LogSignerError> {
        let key = self.key()?;
        let message = crate::key::cosigned(checkpoint.note.text(), time);
        let signature = [&time.to_be_bytes()[..], &self.key.sign(message.as_bytes()).to_bytes()].concat();
        let line = NoteSignature { name: self.name.clone(), key_hash: key.key_hash(), signature };
        let others = |it: &NoteSignature| (it.name.as_str(), it.key_hash) != (key.name(), key.key_hash());
        checkpoint.note.signatures.retain(others);
        checkpoint.note.signatures.push(line);
        Ok(checkpoint)
    }
}

impl fmt::Debug for WitnessSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessSigner({:?}, private part not shown)", self.name)
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSigner(private part not shown)")
    }
}

/// Why a checkpoint was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogSignerError {
    /// Not one PEM block of a private key.
    #[error("{0}")]
    Pem(PemError),
    /// A key of another kind.
    #[error("{0}; a log signs with Ed25519, too")]
    Key(KeyError),
    /// A name that no log has.
    #[error("{0}")]
    Name(LogKeyError),
    /// A witness signs with Ed25519 alone.
    #[error("a witness signs with Ed25519")]
    WitnessKind,
    /// The signer is not there, said no, or broke.
    #[error("{0}")]
    Sign(SignError),
    /// The signer gave something that its own public key does not verify.
    #[error("the signer gave a signature that its own key does not verify")]
    Faulty,
}
