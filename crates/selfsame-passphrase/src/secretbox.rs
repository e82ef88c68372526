//! cosign's locked keys: JSON that go-securesystemslib's `encrypted` package writes, with scrypt and NaCl's secretbox
//! (XSalsa20 and Poly1305) over PKCS#8.
//!
//! ```text
//! {"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":…},
//!  "cipher":{"name":"nacl/secretbox","nonce":…},"ciphertext":…}
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::der::zeroize::Zeroizing;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use selfsame_core::json::{self, Limits};
use serde_json::Value;

use crate::error::LockedKeyError;
use crate::pbes2::Bytes;
use crate::{SIGSTORE, costs};

/// No key is larger.
const LIMITS: Limits = Limits { size_bytes: 16 << 10, values: 64 };
/// The length of Poly1305's tag, which stands before the ciphertext.
const TAG: usize = 16;
/// The first bytes of the key stream are Poly1305's key.
const MAC_KEY: usize = 32;

/// A parsed document whose costs are bearable.
pub(crate) struct Secretbox {
    costs: scrypt::Params,
    salt: Vec<u8>,
    nonce: [u8; 24],
    tag: [u8; TAG],
    ciphertext: Vec<u8>,
}

impl Secretbox {
    pub(crate) fn parse(document: &[u8]) -> Result<Self, LockedKeyError> {
        let value = json::parse(document, LIMITS).map_err(|error| shape(format!("is not JSON: {error}")))?;
        let name = |pointer: &str, wanted: &str| match value.pointer(pointer).and_then(Value::as_str) {
            Some(found) if found == wanted => Ok(()),
            _ => Err(shape(format!("has no `{pointer}` that is `{wanted}`"))),
        };
        name("/kdf/name", "scrypt")?;
        name("/cipher/name", "nacl/secretbox")?;
        let number = |pointer: &str| {
            let number = value.pointer(pointer).and_then(Value::as_u64);
            number.ok_or_else(|| shape(format!("has no `{pointer}` that is a number")))
        };
        let costs = costs::scrypt(number("/kdf/params/N")?, number("/kdf/params/r")?, number("/kdf/params/p")?)?;
        let bytes = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            let bytes = text.and_then(|text| STANDARD.decode(text).ok());
            bytes.ok_or_else(|| shape(format!("has no `{pointer}` that is base64")))
        };
        let nonce = bytes("/cipher/nonce")?;
        let nonce = nonce.try_into().map_err(|_| shape("has a nonce that is not 24 bytes long".to_owned()))?;
        let mut ciphertext = bytes("/ciphertext")?;
        if ciphertext.len() <= TAG {
            return Err(shape("has a ciphertext with nothing in it".to_owned()));
        }
        let behind = ciphertext.split_off(TAG);
        let tag = ciphertext.try_into().map_err(|_| shape("has a ciphertext without a tag".to_owned()))?;
        Ok(Self { costs, salt: bytes("/kdf/salt")?, nonce, tag, ciphertext: behind })
    }

    pub(crate) fn open(&self, passphrase: &[u8]) -> Result<Bytes, LockedKeyError> {
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(passphrase, &self.salt, &self.costs, &mut *key).map_err(|_| LockedKeyError::NotOpened)?;
        let mut stream = XSalsa20::new((&*key).into(), (&self.nonce).into());
        let mut mac_key = Zeroizing::new([0; MAC_KEY]);
        stream.apply_keystream(&mut *mac_key);
        let tag = Poly1305::new((&*mac_key).into()).compute_unpadded(&self.ciphertext);
        // A local file and its owner: nobody measures how long this takes, and a wrong tag says nothing of the key.
        if tag.as_slice() != self.tag {
            return Err(LockedKeyError::NotOpened);
        }
        let mut plain = Bytes::new(self.ciphertext.clone());
        stream.apply_keystream(&mut plain);
        Ok(plain)
    }
}

fn shape(fault: String) -> LockedKeyError {
    LockedKeyError::Shape { label: SIGSTORE, fault }
}
