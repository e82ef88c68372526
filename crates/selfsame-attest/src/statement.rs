//! in-toto Statement v1: subjects by digest, a predicate type, a predicate.

mod text;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use selfsame_core::json::{self, Items, JsonError};
use selfsame_core::{Digest, uri};

use crate::digest_set::DigestSet;
use crate::predicate::Predicate;
use crate::text as words;

pub use text::{StatementOutline, StatementText};

/// `{"_type":"https://in-toto.io/Statement/v1","predicate":{...},"predicateType":"...","subject":[{"digest":{...},"name":"..."}]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it is about; at least one.
    pub subjects: Vec<Subject>,
    /// The URI of the kind of claim.
    pub predicate_type: String,
    /// The claim; an absent or null predicate reads as the empty one.
    pub predicate: Map<String, Value>,
}

/// One thing that a statement is about. Matching is by digest alone; the name is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Empty where none was given.
    pub name: String,
    /// At least one algorithm.
    pub digest: DigestSet,
}

impl Subject {
    /// A subject by its SHA-256.
    #[must_use]
    pub fn new(name: impl Into<String>, digest: Digest) -> Self {
        Self { name: name.into(), digest: DigestSet::sha256_of(digest) }
    }
}

impl Statement {
    /// The most subjects that a statement from outside may have.
    pub const MOST_SUBJECTS: usize = 1024;

    /// A statement of ours.
    #[must_use]
    pub fn new<P: Predicate>(subjects: Vec<Subject>, predicate: &P) -> Self {
        Self { subjects, predicate_type: P::TYPE.to_owned(), predicate: predicate.to_json() }
    }

    /// A statement about one image with a predicate that has no type here, CycloneDX for one.
    #[must_use]
    pub fn raw(subjects: Vec<Subject>, predicate_type: &str, predicate: Map<String, Value>) -> Self {
        Self { subjects, predicate_type: predicate_type.to_owned(), predicate }
    }

    /// cosign's `sign/v1`: "I release this image", with an empty predicate.
    #[must_use]
    pub fn cosign_sign(subjects: Vec<Subject>) -> Self {
        Self::raw(subjects, uri::COSIGN_SIGN, Map::new())
    }

    /// Parses a payload: strict JSON, the exact `_type`, one to 1024 subjects, each with a digest, names unique where
    /// set. Unknown fields are ignored and null is the same as absent (in-toto statement.md, "Parsing rules").
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        Ok(StatementText::parse(payload)?.into_statement())
    }

    /// The canonical JSON text: the payload that is signed.
    ///
    /// # Panics
    /// On a predicate with a number that has no canonical form, as `selfsame_core::json::canonical` says.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let predicate = self.predicate.iter().map(|(name, value)| (name.as_str(), json::canonical_value(value)));
        let mut predicate: Vec<(&str, Vec<u8>)> = predicate.collect();
        predicate.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        let mut fields = Vec::new();
        for (index, (name, value)) in predicate.iter().enumerate() {
            fields.extend_from_slice(if index > 0 { b"," } else { b"" });
            fields.extend_from_slice(&json::canonical(name));
            fields.push(b':');
            fields.extend_from_slice(value);
        }
        drop(predicate);
        // The predicate is printed into its place: an SBOM is too large to be copied into a value around it.
        let (before, after) = self.frame();
        [before, fields, after].concat()
    }

    /// What stands before and behind the fields of the predicate in the payload.
    fn frame(&self) -> (Vec<u8>, Vec<u8>) {
        const EMPTY: &[u8] = br#""predicate":{}"#;
        let subjects: Vec<Value> = self.subjects.iter().map(Subject::to_json).collect();
        let mut before = json::canonical(&serde_json::json!({
            "_type": uri::STATEMENT,
            "predicate": {},
            "predicateType": self.predicate_type,
            "subject": subjects,
        }));
        // `_type` comes first and is a constant, so the first match is the field.
        let at = before.windows(EMPTY.len()).position(|window| window == EMPTY).expect("it was just printed");
        let after = before.split_off(at + EMPTY.len() - 1);
        (before, after)
    }

    /// The predicate's own bytes within the payload that this statement was parsed from, if the payload is laid out as
    /// [`Statement::to_payload`] does it: their SHA-256 is that of the document, without printing it again.
    ///
    /// What is between the frame's two halves may still be spelled otherwise than canonically.
    #[must_use]
    pub fn predicate_bytes<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let (before, after) = self.frame();
        // With the braces, which the frame has.
        let (before, after) = (before.strip_suffix(b"{")?, after.strip_prefix(b"}")?);
        payload.strip_prefix(before)?.strip_suffix(after)
    }

    /// Whether a subject has this SHA-256.
    #[must_use]
    pub fn is_about(&self, digest: Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digest.sha256() == Some(digest))
    }

    /// The predicate as the type `P`, if that is what the statement says it is.
    pub fn predicate_as<P: Predicate>(&self) -> Result<P, StatementError> {
        if self.predicate_type != P::TYPE {
            return Err(StatementError::PredicateType { wanted: P::TYPE, found: words::quote(&self.predicate_type) });
        }
        P::parse(&self.predicate).map_err(StatementError::Predicate)
    }
}

impl Subject {
    fn to_json(&self) -> Value {
        if self.name.is_empty() {
            return serde_json::json!({ "digest": self.digest });
        }
        serde_json::json!({ "digest": self.digest, "name": self.name })
    }

    fn parse(value: Value) -> Result<Self, StatementError> {
        let Value::Object(mut fields) = value else {
            return Err(StatementError::Field { field: "subject", fault: "holds something that is not an object" });
        };
        let name = match fields.remove("name") {
            None | Some(Value::Null) => String::new(),
            // What ends there for one reader goes on for another.
            Some(Value::String(name)) if name.contains('\0') => {
                return Err(StatementError::Field { field: "subject.name", fault: "holds a NUL" });
            }
            Some(Value::String(name)) => name,
            Some(_) => return Err(StatementError::Field { field: "subject.name", fault: "is not a string" }),
        };
        let digest = match fields.remove("digest") {
            None | Some(Value::Null) => DigestSet::default(),
            Some(digest) => serde_json::from_value(digest)
                .map_err(|_| StatementError::Field { field: "subject.digest", fault: "is not an object of strings" })?,
        };
        if digest.is_empty() {
            return Err(StatementError::Field { field: "subject.digest", fault: "names no algorithm" });
        }
        if digest.len() > DigestSet::MOST_ALGORITHMS {
            return Err(StatementError::Field { field: "subject.digest", fault: "names more than 32 algorithms" });
        }
        Ok(Self { name, digest })
    }
}

fn parse_subjects(values: Items<'_>) -> Result<Vec<Subject>, StatementError> {
    match values.count() {
        0 => return Err(StatementError::Field { field: "subject", fault: "is empty" }),
        count if count > Statement::MOST_SUBJECTS => return Err(StatementError::TooManySubjects { count }),
        _ => {}
    }
    let subjects = values.map(|value| Subject::parse(value.to_value())).collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    for name in subjects.iter().map(|subject| &subject.name).filter(|name| !name.is_empty()) {
        if !names.insert(name) {
            return Err(StatementError::NameTwice { name: words::quote(name) });
        }
    }
    Ok(subjects)
}

/// Why a payload is not a statement, or not the one that was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not one strict JSON document.
    #[error("the statement is not strict JSON: {0}")]
    Json(JsonError),
    /// Another `_type`.
    #[error("the statement's `_type` is `{found}`, not `{STATEMENT}`", STATEMENT = uri::STATEMENT)]
    Type {
        /// What it says.
        found: String,
    },
    /// A field is missing or of the wrong kind.
    #[error("statement: `{field}` {fault}")]
    Field {
        /// Its name.
        field: &'static str,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// More subjects than are read.
    #[error("the statement has {count} subjects; at most {most} are read", most = Statement::MOST_SUBJECTS)]
    TooManySubjects {
        /// How many there are.
        count: usize,
    },
    /// Two subjects with one name.
    #[error("two subjects are named `{name}`")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// Another kind of claim.
    #[error("the predicate type is `{found}`, not `{wanted}`")]
    PredicateType {
        /// What was looked for.
        wanted: &'static str,
        /// What it says.
        found: String,
    },
    /// The right kind of claim, wrongly made.
    #[error("{0}")]
    Predicate(crate::predicate::PredicateError),
}
