//! A statement whose predicate stays text: an SBOM may be most of a release's documents.

use serde_json::Map;

use selfsame_core::json::{Limits, Node, Outline, Text};
use selfsame_core::uri;

use super::{Statement, StatementError, parse_subjects};
use crate::text as words;

/// A payload, read as strictly as [`Statement::parse`] does.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementText<'a> {
    /// All of it but the predicate, which is empty here.
    pub head: Statement,
    text: Text<'a>,
}

impl<'a> StatementText<'a> {
    /// Parses a payload that is somebody else's.
    pub fn parse(payload: &'a [u8]) -> Result<Self, StatementError> {
        Self::of(Text::parse(payload, Limits::DOCUMENT).map_err(StatementError::Json)?)
    }

    /// The same without its payload, which others may have to let go of first.
    #[must_use]
    pub fn into_outline(self) -> StatementOutline {
        StatementOutline { head: self.head, outline: self.text.into_outline() }
    }

    fn of(text: Text<'a>) -> Result<Self, StatementError> {
        let fields = text.root();
        if !fields.is_object() {
            return Err(StatementError::Field { field: "statement", fault: "is not an object" });
        }
        let statement_type = string(fields, "_type")?;
        if statement_type != uri::STATEMENT {
            return Err(StatementError::Type { found: words::quote(&statement_type) });
        }
        let predicate_type = string(fields, "predicateType")?;
        if !words::is_uri(&predicate_type) {
            return Err(StatementError::Field { field: "predicateType", fault: "is not a URI" });
        }
        if present(fields, "predicate").is_some_and(|predicate| !predicate.is_object()) {
            return Err(StatementError::Field { field: "predicate", fault: "is not an object" });
        }
        let fault = |fault| StatementError::Field { field: "subject", fault };
        let subjects = present(fields, "subject").ok_or(fault("is missing"))?;
        let subjects = parse_subjects(subjects.as_array().ok_or(fault("is not an array"))?)?;
        let head = Statement { subjects, predicate_type, predicate: Map::new() };
        Ok(Self { head, text })
    }

    /// The predicate; nothing where it is absent or null.
    #[must_use]
    pub fn predicate(&self) -> Option<Node<'_>> {
        present(self.text.root(), "predicate")
    }

    /// The statement with its predicate as a value.
    #[must_use]
    pub fn into_statement(self) -> Statement {
        let predicate = self.predicate().map(|predicate| predicate.to_map()).unwrap_or_default();
        Statement { predicate, ..self.head }
    }
}

/// A statement that was read, without its payload.
#[derive(Clone, Debug)]
pub struct StatementOutline {
    /// All of it but the predicate, which is empty here.
    pub head: Statement,
    outline: Outline,
}

impl StatementOutline {
    /// The statement with its payload as its own. That is not read again if it is the one that was read, moved here.
    pub fn with(self, payload: Vec<u8>) -> Result<StatementText<'static>, StatementError> {
        let text = match String::from_utf8(payload) {
            Ok(text) => self.outline.with(text).map_err(String::into_bytes),
            Err(error) => Err(error.into_bytes()),
        };
        match text {
            Ok(text) => Ok(StatementText { head: self.head, text }),
            Err(payload) => {
                StatementText::of(Text::parse_owned(payload, Limits::DOCUMENT).map_err(StatementError::Json)?)
            }
        }
    }
}

/// A field, unless it is null: that is the same as absent.
fn present<'t>(fields: Node<'t>, field: &str) -> Option<Node<'t>> {
    fields.get(field).filter(|value| !value.is_null())
}

fn string(fields: Node<'_>, field: &'static str) -> Result<String, StatementError> {
    let value = present(fields, field).ok_or(StatementError::Field { field, fault: "is missing" })?;
    Ok(value.as_str().ok_or(StatementError::Field { field, fault: "is not a string" })?.into_owned())
}
