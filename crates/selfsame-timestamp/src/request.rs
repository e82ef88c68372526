//! What an authority is asked: `TimeStampReq` of RFC 3161 section 2.4.1.

use crate::algorithm::Hash;
use crate::asn1::element;

/// OBJECT IDENTIFIER SHA-256, NULL.
const SHA_256: [u8; 13] = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];

/// A request for a stamp over the SHA-256 of some bytes: with the authority's certificates in the answer, and no policy
/// asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) imprint: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
}

impl Request {
    /// Asks about `message`. The nonce, which the answer has to repeat, comes from outside: an answer to another question
    /// is none.
    #[must_use]
    pub fn new(message: &[u8], nonce: [u8; 8]) -> Self {
        // A positive number in its shortest form.
        let mut nonce = nonce;
        nonce[0] = nonce[0] & 0x7f | 0x40;
        Self { imprint: Hash::Sha256.of(message), nonce: nonce.to_vec() }
    }

    /// The DER form.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let version = element(0x02, &[&[1]]);
        let imprint = element(0x30, &[&element(0x30, &[&SHA_256]), &element(0x04, &[&self.imprint])]);
        let (nonce, with_certificates) = (element(0x02, &[&self.nonce]), element(0x01, &[&[0xff]]));
        element(0x30, &[&version, &imprint, &nonce, &with_certificates])
    }
}
