//! PKCS#8 `EncryptedPrivateKeyInfo` with PBES2 (RFC 5958, RFC 8018): scrypt or PBKDF2, and AES.

use pkcs8::der::asn1::OctetString;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::{EncryptionScheme, Error};
use pkcs8::{EncryptedPrivateKeyInfoOwned, PrivateKeyInfoRef};
use selfsame_attest::pem::{self, Secret};

use crate::error::{LockedKeyError, Wrong};
use crate::{MOST_PASSPHRASE_BYTES, PKCS8, PLAIN, costs};

/// How many random bytes [`lock`] takes: a salt and an initialisation vector of 16 each.
pub const RANDOM_BYTES: usize = 32;

/// `N`, `r` and `p` of what is written. OpenSSL gives scrypt 32 MiB and no more, so it is `p` that makes guessing
/// dear: with 16 MiB, OWASP's password storage cheat sheet asks for five rounds.
const WRITTEN: (u64, u64, u64) = (1 << 14, 8, 5);

/// Bytes that an owned container holds with their wiping.
pub(crate) type Bytes = pkcs8::der::zeroize::Zeroizing<Vec<u8>>;

/// Locks a `PRIVATE KEY` file, whatever key it holds: scrypt and AES-256-CBC, which OpenSSL reads. The builder id line
/// stays readable.
///
/// `random` is for this call alone: a second key under the same bytes would show what both have in common.
pub fn lock(file: &[u8], passphrase: &[u8], random: &[u8; RANDOM_BYTES]) -> Result<Secret, LockedKeyError> {
    if passphrase.is_empty() {
        return Err(LockedKeyError::Passphrase(Wrong::Empty));
    }
    if passphrase.len() > MOST_PASSPHRASE_BYTES {
        return Err(LockedKeyError::Passphrase(Wrong::TooLong));
    }
    let block = pem::parse(file, PLAIN).map_err(LockedKeyError::Pem)?;
    let (n, r, p) = WRITTEN;
    let shape = |fault: &str| LockedKeyError::Shape { label: PLAIN, fault: fault.to_owned() };
    let (salt, iv) = random.split_at(16);
    let iv: [u8; 16] = iv.try_into().map_err(|_| shape("has no initialisation vector"))?;
    let locked = Parameters::generate_scrypt_aes256cbc(costs::scrypt(n, r, p)?, salt, iv)
        .and_then(|parameters| Ok((parameters.encrypt(passphrase, &block.der)?, parameters)))
        .map_err(|error| shape(&format!("cannot be locked: {error}")))?;
    let (data, parameters) = locked;
    let der = OctetString::new(data)
        .and_then(|encrypted_data| {
            EncryptedPrivateKeyInfoOwned { encryption_algorithm: parameters.into(), encrypted_data }.to_der()
        })
        .map_err(|error| shape(&format!("cannot be locked: {error}")))?;
    Ok(pem::print(PKCS8, &der, block.builder_id.as_deref()))
}

/// Whether these bytes are PKCS#8 of any algorithm.
pub(crate) fn is_private_key(der: &[u8]) -> bool {
    PrivateKeyInfoRef::from_der(der).is_ok()
}

/// A parsed structure whose costs are bearable.
pub(crate) struct Pkcs8 {
    parameters: Parameters,
    data: Vec<u8>,
}

impl Pkcs8 {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, LockedKeyError> {
        let shape = |fault: &str| LockedKeyError::Shape { label: PKCS8, fault: fault.to_owned() };
        let info = EncryptedPrivateKeyInfoOwned::from_der(der)
            .map_err(|_| shape("is not PKCS#8 under a passphrase with PBES2, scrypt or PBKDF2, and AES"))?;
        let EncryptionScheme::Pbes2(parameters) = info.encryption_algorithm else {
            return Err(shape("is locked by PBES1, which is broken; PBES2 is wanted"));
        };
        match &parameters.kdf {
            Kdf::Pbkdf2(asked) => costs::pbkdf2(asked.iteration_count)?,
            Kdf::Scrypt(asked) => {
                costs::scrypt(asked.cost_parameter, asked.block_size.into(), asked.parallelization.into())?;
            }
            _ => return Err(shape("has a key derivation that is neither scrypt nor PBKDF2")),
        }
        Ok(Self { parameters, data: info.encrypted_data.into_bytes().into() })
    }

    pub(crate) fn open(&self, passphrase: &[u8]) -> Result<Bytes, LockedKeyError> {
        let mut buffer = Bytes::new(self.data.clone());
        let length = match self.parameters.decrypt_in_place(passphrase, &mut buffer) {
            Ok(der) => der.len(),
            Err(Error::UnsupportedAlgorithm { oid }) => {
                return Err(LockedKeyError::Shape {
                    label: PKCS8,
                    fault: format!("is locked by an algorithm that is not read ({oid}); AES and SHA-2 are"),
                });
            }
            Err(Error::AlgorithmParametersInvalid { oid }) => {
                return Err(LockedKeyError::Shape {
                    label: PKCS8,
                    fault: format!("has parameters that do not fit their algorithm ({oid})"),
                });
            }
            Err(_) => return Err(LockedKeyError::NotOpened),
        };
        buffer.truncate(length);
        Ok(buffer)
    }
}
