//! Checkpoints (C2SP tlog-checkpoint): how many entries a log has, and their root, signed.

use std::fmt;

use selfsame_attest::text::quote;
use selfsame_core::Digest;

use crate::key::{LogKey, WitnessKey};
use crate::note::{Note, NoteError};
use crate::{base64, note};

/// The text of a checkpoint.
///
/// ```text
/// log.example/releases
/// 4
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// The Merkle tree hash of all of them.
    pub root: Digest,
    /// Lines behind these three, which others may write.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// Parses the text of a note.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let fault = |fault| CheckpointError::Form { fault };
        let text = text.strip_suffix('\n').ok_or(fault("does not end with a newline"))?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|origin| note::is_key_name(origin)).ok_or(fault("does not name its log"))?;
        let size = lines.next().and_then(decimal).ok_or(fault("has no size in its second line"))?;
        let root = lines.next().and_then(base64::hash).ok_or(fault("has no root in its third line"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(fault("has an empty line"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64::encode(self.root.as_bytes()))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Digits without a leading zero, below 2^63: what a 64-bit integer of any language holds.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fine = digits && (text == "0" || !text.starts_with('0'));
    let number: i64 = text.parse().ok().filter(|_| fine)?;
    u64::try_from(number).ok()
}

/// A checkpoint in the note that signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The text with its signatures.
    pub note: Note,
    /// What the text says.
    pub checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Parses a log's file `checkpoint`. No signature is looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes).map_err(CheckpointError::Note)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// Whether the log that `key` is the key of signed this.
    ///
    /// The origin is the key's name, so no log can speak under another's; of several signatures that say they are by this
    /// key every one has to be (signed-note: a known key's broken signature spoils the note).
    pub fn verify(&self, key: &LogKey) -> Result<(), CheckpointError> {
        if self.checkpoint.origin != key.origin() {
            let (found, wanted) = (quote(&self.checkpoint.origin), key.origin().to_owned());
            return Err(CheckpointError::Origin { found, wanted });
        }
        let mine = |name: &str, hash: [u8; 4]| name == key.origin() && hash == key.key_hash();
        let mut signatures = self.note.signatures.iter().filter(|it| mine(&it.name, it.key_hash)).peekable();
        if signatures.peek().is_none() {
            return Err(CheckpointError::Unsigned { origin: key.origin().to_owned() });
        }
        match signatures.all(|it| key.verify(self.note.text().as_bytes(), &it.signature)) {
            true => Ok(()),
            false => Err(CheckpointError::Signature { origin: key.origin().to_owned() }),
        }
    }

    /// The witnesses among `keys` that cosigned this (C2SP tlog-cosignature), each with the time that it gives in
    /// seconds since 1970. A broken cosignature by one of them spoils the checkpoint.
    pub fn witnesses<'a>(&self, keys: &'a [WitnessKey]) -> Result<Vec<(&'a WitnessKey, u64)>, CheckpointError> {
        let mut found = Vec::new();
        for key in keys {
            let mine = self.note.signatures.iter().filter(|it| it.name == key.name() && it.key_hash == key.key_hash());
            let mut time = None;
            for signature in mine {
                let cosigned = key.verify(self.note.text(), &signature.signature);
                time = Some(cosigned.ok_or_else(|| CheckpointError::Signature { origin: key.name().to_owned() })?);
            }
            found.extend(time.map(|time| (key, time)));
        }
        Ok(found)
    }
}

/// Why a checkpoint does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a signed note.
    #[error("{0}")]
    Note(NoteError),
    /// A note about something else.
    #[error("the checkpoint {fault}")]
    Form {
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// Another log's.
    #[error("the checkpoint is of the log `{found}`, not of `{wanted}`")]
    Origin {
        /// Its first line.
        found: String,
        /// The name in the key.
        wanted: String,
    },
    /// No signature by this key.
    #[error("the checkpoint has no signature by the key of `{origin}`")]
    Unsigned {
        /// The name in the key.
        origin: String,
    },
    /// One that is not over this text.
    #[error("the signature of `{origin}` is not over this checkpoint")]
    Signature {
        /// The name in the key.
        origin: String,
    },
}
