//! The right to sign, wherever the key is.

use crate::bundle::Bundle;
use crate::envelope::{Envelope, EnvelopeSignature, pae};
use crate::key::PublicKey;
use crate::signature::SignatureError;
use crate::statement::Statement;
use selfsame_core::media;

/// Something that signs: a key in memory, a command, a token.
pub trait Signer {
    /// The public half, with the builder id that goes with the key.
    fn public_key(&self) -> Result<PublicKey, SignError>;

    /// An ECDSA P-256 signature in ASN.1 DER over SHA-256 of `message`, which is a PAE.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Whether the same message always gives the same signature, so that whole bundles can be compared.
    fn is_deterministic(&self) -> bool;
}

/// Signs a statement and wraps it into a bundle.
///
/// The signature is verified before it is used: a faulty signer must not get its work published, and a wrong signature
/// by a deterministic signer could give its key away.
pub fn sign_statement(statement: &Statement, signer: &dyn Signer) -> Result<Bundle, SignError> {
    let key = signer.public_key()?;
    Ok(Bundle::new(signed(statement, &key, key.key_id(), signer)?))
}

/// Signs a statement as an envelope alone, without a bundle around it and without a key id: readers of envelopes, as
/// `slsa-verifier verify-vsa` is one, try their key on a signature that names none, and pass over other names.
pub fn sign_bare(statement: &Statement, signer: &dyn Signer) -> Result<Envelope, SignError> {
    signed(statement, &signer.public_key()?, String::new(), signer)
}

fn signed(statement: &Statement, key: &PublicKey, key_id: String, signer: &dyn Signer) -> Result<Envelope, SignError> {
    let payload = statement.to_payload();
    let message = pae(media::IN_TOTO, &payload);
    let signature = signer.sign(&message)?;
    key.verify(&message, &signature).map_err(|fault| SignError::Faulty { key_id: key.key_id(), fault })?;
    let signatures = vec![EnvelopeSignature { key_id, signature }];
    Ok(Envelope { payload_type: media::IN_TOTO.to_owned(), payload, signatures })
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The signer is not there, said no, or broke.
    #[error("the signer did not sign: {reason}")]
    Refused {
        /// In its words.
        reason: String,
    },
    /// The signer gave something that does not verify with its own public key.
    #[error("the signer gave a signature that key {key_id} does not verify: {fault}")]
    Faulty {
        /// The key that it said it has.
        key_id: String,
        /// What is wrong with the signature.
        fault: SignatureError,
    },
}
