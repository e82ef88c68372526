//! What a bundle says of its place in a log: `verificationMaterial.tlogEntries[]`.

use selfsame_attest::text::quote;
use selfsame_core::Digest;
use serde_json::{Map, Value, json};

use crate::base64;
use crate::body::{Body, VERSION};
use crate::checkpoint::{SignedCheckpoint, decimal};
use crate::note::MOST_NOTE_BYTES;
use crate::tile::MOST_ENTRY_BYTES;

/// The most hashes of a proof: a tree of 2^63 entries needs 63.
const MOST_HASHES: usize = 64;

/// An entry, and the proof that a checkpoint's tree holds it. Nothing in it is believed: see [`crate::verify_entry`].
///
/// ```json
/// {"canonicalizedBody":"...","inclusionProof":{"checkpoint":{"envelope":"..."},"hashes":["..."],"logIndex":"0",
///   "rootHash":"...","treeSize":"2"},"kindVersion":{"kind":"hashedrekord","version":"0.0.2"},
///  "logId":{"keyId":"..."},"logIndex":"0"}
/// ```
///
/// There is no `integratedTime`: a Rekor v2 log asserts none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The id of the log's key.
    pub log_id: Digest,
    /// Its place.
    pub index: u64,
    /// The bytes of the leaf.
    pub body: Vec<u8>,
    /// The kind of the body.
    pub kind: String,
    /// The siblings on the way to the root, lowest first.
    pub hashes: Vec<Digest>,
    /// The signed note with size and root.
    pub checkpoint: String,
    /// `inclusionProof.treeSize`, which has to be the checkpoint's.
    pub tree_size: u64,
    /// `inclusionProof.rootHash`, which has to be the checkpoint's.
    pub root: Digest,
}

impl LogEntry {
    /// An entry of a log's tree at a checkpoint.
    #[must_use]
    pub fn new(log_id: Digest, index: u64, body: &Body, hashes: Vec<Digest>, at: &SignedCheckpoint) -> Self {
        Self {
            log_id,
            index,
            body: body.to_bytes(),
            kind: body.kind().to_owned(),
            hashes,
            checkpoint: at.note.to_string(),
            tree_size: at.checkpoint.size,
            root: at.checkpoint.root,
        }
    }

    /// The JSON value, for a bundle.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let hashes: Vec<String> = self.hashes.iter().map(|hash| base64::encode(hash.as_bytes())).collect();
        let index = self.index.to_string();
        json!({
            "canonicalizedBody": base64::encode(&self.body),
            "inclusionProof": {
                "checkpoint": { "envelope": self.checkpoint },
                "hashes": hashes,
                "logIndex": index,
                "rootHash": base64::encode(self.root.as_bytes()),
                "treeSize": self.tree_size.to_string(),
            },
            "kindVersion": { "kind": self.kind, "version": VERSION },
            "logId": { "keyId": base64::encode(self.log_id.as_bytes()) },
            "logIndex": index,
        })
    }

    /// Takes an entry out of a bundle that was parsed strictly. One of another version of Rekor is an error: what it
    /// rests on, a promise, is not checked here.
    pub fn from_json(value: &Value) -> Result<Self, LogEntryError> {
        let entry = object(Some(value), "tlogEntries")?;
        let kind = object(entry.get("kindVersion"), "kindVersion")?;
        let version = text(kind, "version")?;
        if version != VERSION {
            return Err(LogEntryError::Version { found: quote(version) });
        }
        let proof = object(entry.get("inclusionProof"), "inclusionProof")?;
        let index = number(entry, "logIndex")?;
        if number(proof, "logIndex")? != index {
            return Err(LogEntryError::Field { field: "inclusionProof.logIndex" });
        }
        let body = bytes(entry, "canonicalizedBody")?;
        if body.len() > MOST_ENTRY_BYTES {
            return Err(LogEntryError::Field { field: "canonicalizedBody" });
        }
        // protojson leaves an empty list out.
        let hashes = match proof.get("hashes") {
            None => &[],
            Some(Value::Array(hashes)) if hashes.len() <= MOST_HASHES => hashes.as_slice(),
            Some(_) => return Err(LogEntryError::Field { field: "hashes" }),
        };
        let hash =
            |value: &Value| value.as_str().and_then(base64::hash).ok_or(LogEntryError::Field { field: "hashes" });
        let checkpoint = text(object(proof.get("checkpoint"), "checkpoint")?, "envelope")?;
        if checkpoint.len() > MOST_NOTE_BYTES {
            return Err(LogEntryError::Field { field: "envelope" });
        }
        Ok(Self {
            log_id: digest(object(entry.get("logId"), "logId")?, "keyId")?,
            index,
            body,
            kind: text(kind, "kind")?.to_owned(),
            hashes: hashes.iter().map(hash).collect::<Result<_, _>>()?,
            checkpoint: checkpoint.to_owned(),
            tree_size: number(proof, "treeSize")?,
            root: digest(proof, "rootHash")?,
        })
    }
}

fn object<'a>(value: Option<&'a Value>, field: &'static str) -> Result<&'a Map<String, Value>, LogEntryError> {
    value.and_then(Value::as_object).ok_or(LogEntryError::Field { field })
}

fn text<'a>(fields: &'a Map<String, Value>, field: &'static str) -> Result<&'a str, LogEntryError> {
    fields.get(field).and_then(Value::as_str).ok_or(LogEntryError::Field { field })
}

fn bytes(fields: &Map<String, Value>, field: &'static str) -> Result<Vec<u8>, LogEntryError> {
    base64::decode(text(fields, field)?).ok_or(LogEntryError::Field { field })
}

fn digest(fields: &Map<String, Value>, field: &'static str) -> Result<Digest, LogEntryError> {
    base64::hash(text(fields, field)?).ok_or(LogEntryError::Field { field })
}

/// A 64-bit integer, which protojson writes as a text and leaves out where it is zero.
fn number(fields: &Map<String, Value>, field: &'static str) -> Result<u64, LogEntryError> {
    match fields.get(field) {
        None => Ok(0),
        Some(Value::String(text)) => decimal(text).ok_or(LogEntryError::Field { field }),
        Some(value) => {
            value.as_u64().filter(|number| i64::try_from(*number).is_ok()).ok_or(LogEntryError::Field { field })
        }
    }
}

/// Why a value is not a log entry that is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogEntryError {
    /// Of another version of Rekor.
    #[error("the log entry has version `{found}`; {VERSION} is read")]
    Version {
        /// What it says.
        found: String,
    },
    /// A field is missing, of the wrong kind, or too large.
    #[error("log entry: `{field}` is missing or not what it should be")]
    Field {
        /// Its name.
        field: &'static str,
    },
}
