//! Private keys under a passphrase: PKCS#8 with PBES2, which every tool reads, and cosign's own form, which is read only.
//!
//! A file arrives as bytes, so does a passphrase, and randomness is an argument. Nothing is derived before the costs
//! that a file asks for are found to be bearable: a file from a stranger must not fill the memory.
//!
//! ```text
//! PRIVATE KEY file -- lock --> ENCRYPTED PRIVATE KEY file -- LockedKey::open --> PRIVATE KEY file
//!                          ENCRYPTED SIGSTORE PRIVATE KEY -- LockedKey::open --> PRIVATE KEY file
//! ```
#![forbid(unsafe_code)]

mod costs;
mod error;
mod pbes2;
mod secretbox;

use selfsame_attest::pem::{self, Secret};

pub use error::{LockedKeyError, Wrong};
pub use pbes2::{RANDOM_BYTES, lock};

/// The block label of PKCS#8 under a passphrase (RFC 7468 section 11).
pub(crate) const PKCS8: &str = "ENCRYPTED PRIVATE KEY";
/// The block label of cosign's form, since version 2.
pub(crate) const SIGSTORE: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The block label of cosign's form before.
pub(crate) const COSIGN: &str = "ENCRYPTED COSIGN PRIVATE KEY";
/// The block label of a key without a passphrase.
pub(crate) const PLAIN: &str = "PRIVATE KEY";

/// The longest passphrase, in bytes.
pub const MOST_PASSPHRASE_BYTES: usize = 1024;

/// A private key that a passphrase opens.
pub struct LockedKey {
    form: Form,
    builder_id: Option<String>,
}

enum Form {
    Pkcs8(pbes2::Pkcs8),
    Cosign(secretbox::Secretbox),
}

impl LockedKey {
    /// Whether a file says that it is one.
    #[must_use]
    pub fn is_locked(file: &[u8]) -> bool {
        matches!(pem::label(file), Some(PKCS8 | SIGSTORE | COSIGN))
    }

    /// Parses a key file: exactly one block, optionally below a builder id line. Derives nothing.
    pub fn parse(file: &[u8]) -> Result<Self, LockedKeyError> {
        let block = |label| pem::parse(file, label).map_err(LockedKeyError::Pem);
        let (block, form) = match pem::label(file) {
            Some(SIGSTORE) => cosign(block(SIGSTORE)?)?,
            Some(COSIGN) => cosign(block(COSIGN)?)?,
            _ => {
                let block = block(PKCS8)?;
                let form = Form::Pkcs8(pbes2::Pkcs8::parse(&block.der)?);
                (block, form)
            }
        };
        Ok(Self { form, builder_id: block.builder_id })
    }

    /// The `PRIVATE KEY` file that was locked, with the same builder.
    ///
    /// Only cosign's form can tell a wrong passphrase from damage behind its parameters, and neither form does: both are
    /// [`LockedKeyError::NotOpened`].
    pub fn open(&self, passphrase: &[u8]) -> Result<Secret, LockedKeyError> {
        if passphrase.len() > MOST_PASSPHRASE_BYTES {
            return Err(LockedKeyError::Passphrase(Wrong::TooLong));
        }
        let der = match &self.form {
            Form::Pkcs8(locked) => locked.open(passphrase)?,
            Form::Cosign(locked) => locked.open(passphrase)?,
        };
        if !pbes2::is_private_key(&der) {
            return Err(LockedKeyError::NotOpened);
        }
        Ok(pem::print(PLAIN, &der, self.builder_id.as_deref()))
    }
}

fn cosign(block: pem::Block) -> Result<(pem::Block, Form), LockedKeyError> {
    let form = Form::Cosign(secretbox::Secretbox::parse(&block.der)?);
    Ok((block, form))
}
