//! Whether a log entry shows that a log holds a document's signature.

use selfsame_attest::{Envelope, PublicKey};
use selfsame_core::Digest;

use crate::body::{Body, BodyError};
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::entry::LogEntry;
use crate::key::LogKey;
use crate::merkle::leaf_hash;
use crate::proof::{ProofError, Subtrees, included};

/// An entry that one of the given logs vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// Whose checkpoint it is.
    pub log: &'a LogKey,
    /// The entry's place.
    pub index: u64,
    /// The checkpoint, signatures of witnesses included.
    pub checkpoint: SignedCheckpoint,
    /// What the proof says of the tree.
    pub subtrees: Subtrees,
}

/// Decides whether `entry` is about the envelope's signature by `key`, and in a log of `log_keys`.
///
/// The signature itself is not verified here: that is the envelope's own affair. `Ok(None)` if the entry is of no log
/// that was given, which says nothing for or against it.
pub fn verify_entry<'a>(
    entry: &LogEntry,
    envelope: &Envelope,
    key: &PublicKey,
    log_keys: impl IntoIterator<Item = &'a LogKey>,
) -> Result<Option<Logged<'a>>, VerifyError> {
    let Some(log) = log_keys.into_iter().find(|log| log.log_id() == entry.log_id) else { return Ok(None) };
    let checkpoint = SignedCheckpoint::parse(entry.checkpoint.as_bytes()).map_err(VerifyError::Checkpoint)?;
    checkpoint.verify(log).map_err(VerifyError::Checkpoint)?;
    // Both stand beside the signed ones, and a reader of the bundle may look at these.
    if entry.tree_size != checkpoint.checkpoint.size {
        return Err(VerifyError::Size { stated: entry.tree_size, signed: checkpoint.checkpoint.size });
    }
    if entry.root != checkpoint.checkpoint.root {
        return Err(VerifyError::Root { stated: entry.root, signed: checkpoint.checkpoint.root });
    }
    let (size, root) = (checkpoint.checkpoint.size, checkpoint.checkpoint.root);
    let leaf = leaf_hash(&entry.body);
    let subtrees = included(leaf, entry.index, size, &entry.hashes, root).map_err(VerifyError::Inclusion)?;

    let body = Body::parse(&entry.body).map_err(VerifyError::Body)?;
    if entry.kind != body.kind() {
        return Err(VerifyError::Binding { what: "kind", whose: "than the bundle says" });
    }
    let digest = if body.is_dsse { envelope.payload_digest() } else { Digest::of(&envelope.pae()) };
    if body.digest != digest {
        return Err(VerifyError::Binding { what: "document", whose: "than the bundle's" });
    }
    let [signature] = &envelope.signatures[..] else {
        return Err(VerifyError::Binding { what: "number of signatures", whose: "than one" });
    };
    if body.signature != signature.signature {
        return Err(VerifyError::Binding { what: "signature", whose: "than the bundle's" });
    }
    if body.key != key.to_spki() {
        return Err(VerifyError::Binding { what: "key", whose: "than the signer's" });
    }
    Ok(Some(Logged { log, index: entry.index, checkpoint, subtrees }))
}

/// Why an entry of a given log does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not a checkpoint by this log.
    #[error("{0}")]
    Checkpoint(CheckpointError),
    /// The size beside the checkpoint is another.
    #[error("the entry says that the log has {stated} entries, and its checkpoint says {signed}")]
    Size {
        /// In the bundle.
        stated: u64,
        /// In the checkpoint.
        signed: u64,
    },
    /// The root beside the checkpoint is another.
    #[error("the entry says that the log's root is {stated}, and its checkpoint says {signed}")]
    Root {
        /// In the bundle.
        stated: Digest,
        /// In the checkpoint.
        signed: Digest,
    },
    /// The checkpoint's tree does not hold the entry.
    #[error("the inclusion proof does not hold: {0}")]
    Inclusion(ProofError),
    /// What is in the log is nothing that is read.
    #[error("{0}")]
    Body(BodyError),
    /// What is in the log is about something else.
    #[error("the log holds another {what} {whose}")]
    Binding {
        /// What differs.
        what: &'static str,
        /// From what.
        whose: &'static str,
    },
}
