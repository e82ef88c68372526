//! JSON documents compared field by field: configs, manifests, SBOM and provenance payloads.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cause::{Guess, Known};
use crate::escape;

/// A field at which two documents differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FieldChange {
    /// An RFC 6901 pointer; empty for the document itself.
    pub pointer: String,
    /// The left value as compact JSON, clipped; nothing where the left lacks the field.
    pub a: Option<String>,
    /// The right value.
    pub b: Option<String>,
    /// What probably wrote the difference.
    pub guess: Guess,
}

/// Every field at which two documents differ, in document order, at most `limit` and then how many more.
///
/// Objects are compared by key and arrays by position; where one lacks a field, the field is listed once and not what
/// is below it. An array whose items are the same in another order is one change, at the array.
#[must_use]
pub fn explain_json(a: &Value, b: &Value, known: &Known, limit: usize) -> (Vec<FieldChange>, usize) {
    let mut walk = Walk { known, limit, changes: Vec::new(), more: 0 };
    walk.compare(&mut String::new(), Some(a), Some(b));
    (walk.changes, walk.more)
}

struct Walk<'a> {
    known: &'a Known,
    limit: usize,
    changes: Vec<FieldChange>,
    more: usize,
}

impl Walk<'_> {
    /// Recursion is as deep as the documents, which the strict parser bounds.
    fn compare(&mut self, pointer: &mut String, a: Option<&Value>, b: Option<&Value>) {
        let length = pointer.len();
        match (a, b) {
            (Some(a), Some(b)) if a == b => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    self.compare(pointer, a.get(key), b.get(key));
                    pointer.truncate(length);
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                if let Some(guess) = reordered(a, b) {
                    self.push(pointer, Some(&Value::Array(a.clone())), Some(&Value::Array(b.clone())), guess);
                    return;
                }
                for index in 0..a.len().max(b.len()) {
                    pointer.push_str(&format!("/{index}"));
                    self.compare(pointer, a.get(index), b.get(index));
                    pointer.truncate(length);
                }
            }
            (a, b) => {
                let guess = match (a, b) {
                    (Some(a), Some(b)) => Guess::of_texts(text(a).as_bytes(), text(b).as_bytes(), self.known),
                    _ => Guess::unknown("only one document has the field"),
                };
                self.push(pointer, a, b, guess);
            }
        }
    }

    fn push(&mut self, pointer: &str, a: Option<&Value>, b: Option<&Value>, guess: Guess) {
        if self.changes.len() == self.limit {
            self.more += 1;
            return;
        }
        let show = |value: Option<&Value>| value.map(|value| escape::clip(value.to_string().as_bytes()));
        self.changes.push(FieldChange { pointer: pointer.to_owned(), a: show(a), b: show(b), guess });
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn reordered(a: &[Value], b: &[Value]) -> Option<Guess> {
    if a.len() != b.len() || a.len() < 2 || a.len() > 10_000 {
        return None;
    }
    let sorted = |items: &[Value]| {
        let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    (sorted(a) == sorted(b)).then(|| Guess::order(&format!("the same {} items", a.len())))
}
