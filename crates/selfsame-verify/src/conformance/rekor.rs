//! Entries of either version of Rekor, about what a key signed.

use selfsame_attest::text::quote;
use selfsame_attest::{PublicKey, base64, canonical_of};
use selfsame_core::Digest;
use selfsame_core::json::{self, Limits};
use selfsame_log::{LogKey, Note, NoteError, ProofError, leaf_hash, verify_inclusion};
use serde_json::{Value, json};

use super::{Signed, bytes, hash, text};

/// Small documents only.
const LIMITS: Limits = Limits { size_bytes: 1 << 20, values: 10_000 };
/// A tree of 2^63 entries needs 63.
const MOST_HASHES: usize = 64;

/// Whether the entry is in one of the logs and about what was signed.
///
/// As in Rekor's first version the index beside the proof may be another one than the proof's, and the first line of a
/// checkpoint more than the log's name: a log is known by its key. A promise that is there has to hold, too.
pub(super) fn verify(entry: &Value, signed: &Signed, key: &PublicKey, logs: &[LogKey]) -> Result<(), RekorError> {
    let field = |field| RekorError::Field { field };
    let id = hash(entry, "/logId/keyId").ok_or(field("logId"))?;
    let log = logs.iter().find(|log| log.log_id() == id).ok_or(RekorError::UnknownLog { id })?;
    let body = bytes(entry, "/canonicalizedBody").ok_or(field("canonicalizedBody"))?;
    included(entry, &body, log)?;
    promised(entry, log)?;
    let document = json::parse(&body, LIMITS).map_err(|_| field("canonicalizedBody"))?;
    let kind = |value: &Value, kind, version| {
        (text(value, kind).unwrap_or_default().to_owned(), text(value, version).unwrap_or_default().to_owned())
    };
    let (of_entry, of_body) =
        (kind(entry, "/kindVersion/kind", "/kindVersion/version"), kind(&document, "/kind", "/apiVersion"));
    if of_entry != of_body {
        return Err(RekorError::Binding { what: "kind" });
    }
    let logged = Logged::of(&of_body.0, &of_body.1, document.get("spec").unwrap_or(&Value::Null))
        .ok_or_else(|| RekorError::Body { kind: quote(&of_body.0), version: quote(&of_body.1) })?;
    let digest = if logged.is_payload { signed.payload } else { Some(signed.whole) };
    for (what, same) in [
        ("document", digest == Some(logged.digest)),
        ("signature", logged.signature == signed.signature),
        ("key", logged.key == key.to_spki()),
    ] {
        if !same {
            return Err(RekorError::Binding { what });
        }
    }
    Ok(())
}

/// Whether a checkpoint that the log signed speaks of a tree with this body.
fn included(entry: &Value, body: &[u8], log: &LogKey) -> Result<(), RekorError> {
    let field = |field| RekorError::Field { field };
    let proof = entry.get("inclusionProof").ok_or(field("inclusionProof"))?;
    let (index, size) = (number(proof, "/logIndex"), number(proof, "/treeSize"));
    let (index, size) = (index.ok_or(field("logIndex"))?, size.ok_or(field("treeSize"))?);
    let root = hash(proof, "/rootHash").ok_or(field("rootHash"))?;
    let hashes = match proof.get("hashes") {
        None => &[],
        Some(Value::Array(hashes)) if hashes.len() <= MOST_HASHES => hashes.as_slice(),
        Some(_) => return Err(field("hashes")),
    };
    let hashes: Option<Vec<Digest>> = hashes.iter().map(|value| hash(value, "")).collect();
    verify_inclusion(leaf_hash(body), index, size, &hashes.ok_or(field("hashes"))?, root)
        .map_err(RekorError::Inclusion)?;
    let note = text(proof, "/checkpoint/envelope").ok_or(field("checkpoint"))?;
    let note = Note::parse(note.as_bytes()).map_err(RekorError::Note)?;
    let mut lines = note.text().split('\n');
    let (origin, stated) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let stated_root = lines.next().and_then(base64::decode).unwrap_or_default();
    if origin.is_empty() || stated != size.to_string() || stated_root != root.as_bytes() {
        return Err(RekorError::Checkpoint { fault: "is of another tree than the proof" });
    }
    let mut by_it = note.signatures.iter().filter(|it| it.key_hash == log.key_hash()).peekable();
    if by_it.peek().is_none() {
        return Err(RekorError::Checkpoint { fault: "is not signed by the log" });
    }
    match by_it.all(|it| log.verify(note.text().as_bytes(), &it.signature)) {
        true => Ok(()),
        false => Err(RekorError::Checkpoint { fault: "has a signature that the log did not make over it" }),
    }
}

/// Whether the promise of Rekor's first version, where there is one, is by the log.
fn promised(entry: &Value, log: &LogKey) -> Result<(), RekorError> {
    if !entry.get("inclusionPromise").is_some_and(Value::is_object) {
        return Ok(());
    }
    let field = |field| RekorError::Field { field };
    let promise = bytes(entry, "/inclusionPromise/signedEntryTimestamp").ok_or(field("inclusionPromise"))?;
    // What has no canonical form was promised by nobody.
    let exact = |pointer| number(entry, pointer).filter(|number| canonical_of(&json!(number)).is_ok());
    let (time, index) = (exact("/integratedTime"), exact("/logIndex"));
    let message = json::canonical(&json!({
        "body": text(entry, "/canonicalizedBody"),
        "integratedTime": time.ok_or(field("integratedTime"))?,
        "logID": log.log_id().hex(),
        "logIndex": index.ok_or(field("logIndex"))?,
    }));
    if log.verify(&message, &promise) { Ok(()) } else { Err(RekorError::Promise) }
}

/// A 64-bit integer, which protojson writes as a text and leaves out where it is zero.
fn number(value: &Value, pointer: &str) -> Option<u64> {
    let number: i64 = match value.pointer(pointer) {
        None => 0,
        Some(Value::String(text)) => text.parse().ok().filter(|number: &i64| number.to_string() == *text)?,
        Some(value) => value.as_i64()?,
    };
    u64::try_from(number).ok()
}

/// What a body says was signed, by whom.
struct Logged {
    is_payload: bool,
    digest: Digest,
    signature: Vec<u8>,
    key: Vec<u8>,
}

impl Logged {
    /// Each kind that holds a signature by a key over a SHA-256; anything else is nothing.
    fn of(kind: &str, version: &str, spec: &Value) -> Option<Self> {
        let (is_payload, digest, signature, key) = match (kind, version) {
            ("hashedrekord", "0.0.1") => (
                false,
                hex(spec, "/data/hash")?,
                bytes(spec, "/signature/content")?,
                pem(spec, "/signature/publicKey/content")?,
            ),
            ("hashedrekord", "0.0.2") => {
                let spec = spec.get("hashedRekordV002")?;
                (false, output(spec, "/data")?, bytes(spec, "/signature/content")?, raw(spec.get("signature")?)?)
            }
            ("dsse", "0.0.1") => {
                let only = only(spec, "/signatures")?;
                (true, hex(spec, "/payloadHash")?, bytes(only, "/signature")?, pem(only, "/verifier")?)
            }
            ("dsse", "0.0.2") => {
                let spec = spec.get("dsseV002")?;
                let only = only(spec, "/signatures")?;
                (true, output(spec, "/payloadHash")?, bytes(only, "/content")?, raw(only)?)
            }
            ("intoto", "0.0.2") => {
                let only = only(spec, "/content/envelope/signatures")?;
                // Its signature is in base64 of base64.
                let inner = String::from_utf8(bytes(only, "/sig")?).ok()?;
                (true, hex(spec, "/content/payloadHash")?, base64::decode(&inner)?, pem(only, "/publicKey")?)
            }
            _ => return None,
        };
        Some(Self { is_payload, digest, signature, key })
    }
}

/// A list's one item.
fn only<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    let [only] = value.pointer(pointer)?.as_array()?.as_slice() else { return None };
    Some(only)
}

/// `{"algorithm":"sha256","value":"<hex>"}`.
fn hex(value: &Value, pointer: &str) -> Option<Digest> {
    let hash = value.pointer(pointer)?;
    if text(hash, "/algorithm")? == "sha256" { Digest::from_hex(text(hash, "/value")?).ok() } else { None }
}

/// `{"algorithm":"SHA2_256","digest":"<base64>"}`.
fn output(value: &Value, pointer: &str) -> Option<Digest> {
    let output = value.pointer(pointer)?;
    if text(output, "/algorithm")? == "SHA2_256" { hash(output, "/digest") } else { None }
}

/// The SPKI of a P-256 key as PEM in base64.
fn pem(value: &Value, pointer: &str) -> Option<Vec<u8>> {
    Some(PublicKey::parse(bytes(value, pointer)?.trim_ascii()).ok()?.to_spki())
}

/// The SPKI in a verifier of Rekor's second version, whatever it says of the algorithm: the key says it.
fn raw(value: &Value) -> Option<Vec<u8>> {
    bytes(value, "/verifier/publicKey/rawBytes")
}

/// Why an entry does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RekorError {
    /// A field is missing or of the wrong kind.
    #[error("log entry: `{field}` is missing or not what it should be")]
    Field {
        /// Its name.
        field: &'static str,
    },
    /// Of a log that nobody named.
    #[error("the log entry is of a log that the trusted root does not name: {}", id.hex())]
    UnknownLog {
        /// Its id.
        id: Digest,
    },
    /// The tree does not hold the entry.
    #[error("the inclusion proof does not hold: {0}")]
    Inclusion(ProofError),
    /// The checkpoint is no signed note.
    #[error("{0}")]
    Note(NoteError),
    /// The checkpoint is not the log's, or of another tree.
    #[error("the checkpoint {fault}")]
    Checkpoint {
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// The promise is not by the log.
    #[error("the log did not make the inclusion promise")]
    Promise,
    /// What is in the log is nothing that is read.
    #[error("the logged entry is `{kind}` {version}, or not what that should be")]
    Body {
        /// What it says.
        kind: String,
        /// What it says.
        version: String,
    },
    /// What is in the log is about something else.
    #[error("the log holds another {what} than the bundle")]
    Binding {
        /// What differs.
        what: &'static str,
    },
}
