//! JSON twice: read strictly (no duplicate keys, bounded), written canonically (RFC 8785).

mod scan;
mod text;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

pub use text::{Items, Node, Objects, Outline, Text};

/// Bounds for a document from outside. `serde_json` itself stops at depth 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest document, in bytes.
    pub size_bytes: usize,
    /// The most values (objects, arrays and scalars together) in a document. An object with fields counts as
    /// [`OBJECT_VALUES`]: that is what it takes of memory.
    pub values: usize,
}

impl Limits {
    /// For signed documents and image metadata: 64 MiB, four million values.
    pub const DOCUMENT: Self = Self { size_bytes: 64 << 20, values: 4_000_000 };
}

/// How many values an object with fields counts as. The map behind it has room for eleven fields from the first one on, 700
/// bytes; a document of nothing but small objects would fill some hundred times its own size.
pub const OBJECT_VALUES: usize = 4;

/// Why a document was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More bytes than the limit.
    #[error("document of {size_bytes} bytes; at most {limit_bytes} are read")]
    TooLarge {
        /// Its length.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// Not JSON, a duplicate key, too deep, or too many values: the message says which and where.
    #[error("{0}")]
    Syntax(serde_json::Error),
}

/// Parses one document: UTF-8, one value, no byte order mark, **no duplicate keys**, nothing behind it.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    if bytes.len() > limits.size_bytes {
        return Err(JsonError::TooLarge { size_bytes: bytes.len(), limit_bytes: limits.size_bytes });
    }
    let mut left = limits.values;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { left: &mut left }.deserialize(&mut deserializer).map_err(JsonError::Syntax)?;
    deserializer.end().map_err(JsonError::Syntax)?;
    Ok(value)
}

/// Parses strictly, then into a type. Unknown fields are the type's own affair.
pub fn parse_as<T: serde::de::DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, JsonError> {
    serde_json::from_value(parse(bytes, limits)?).map_err(JsonError::Syntax)
}

/// The canonical form of RFC 8785: keys by UTF-16 code units, no white space, shortest escapes.
///
/// Numbers must be integers of at most 2^53 in size: nothing selfsame signs holds another, and the shortest
/// printing of doubles is the one hard part of the RFC.
///
/// # Panics
/// On a number that is not such an integer, or a value that does not serialise: both are defects of the caller.
#[must_use]
pub fn canonical(value: &impl serde::Serialize) -> Vec<u8> {
    canonical_value(&serde_json::to_value(value).expect("a document of our own serialises"))
}

/// The same of what is a value already, without a copy of it: documents of many files are large.
///
/// # Panics
/// As [`canonical`].
#[must_use]
pub fn canonical_value(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_integer(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (key, item)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_canonical(item, out);
            }
            out.push(b'}');
        }
    }
}

fn write_integer(number: &Number, out: &mut Vec<u8>) {
    const EXACT: u64 = 1 << 53;
    let exact = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64()).is_some_and(|size| size <= EXACT);
    assert!(exact, "canonical JSON of selfsame holds integers up to 2^53, not {number}");
    out.extend_from_slice(number.to_string().as_bytes());
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    // serde_json escapes exactly as RFC 8785 section 3.2.2.2 wants: \b \t \n \f \r \" \\, other controls as \u00xx in
    // lowercase, everything else as itself.
    serde_json::to_writer(&mut *out, text).expect("writing to memory");
}

struct Strict<'a> {
    left: &'a mut usize,
}

impl Strict<'_> {
    fn take<E: serde::de::Error>(&mut self, values: usize) -> Result<(), E> {
        *self.left = self.left.checked_sub(values).ok_or_else(|| E::custom("more values than are read"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.take(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Strict { left: &mut *self.left })? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if object.is_empty() {
                self.take(OBJECT_VALUES - 1)?;
            }
            match object.entry(key) {
                Entry::Vacant(place) => {
                    let value = fields.next_value_seed(Strict { left: &mut *self.left })?;
                    place.insert(value);
                }
                Entry::Occupied(place) => {
                    let fault = format_args!("duplicate key `{}`", place.key().escape_default()).to_string();
                    return Err(A::Error::custom(fault));
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &[u8], because: &str) {
        let error = parse(text, Limits { size_bytes: 1_000_000, values: 1_000 }).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn refuses_what_readers_disagree_about() {
        refused(br#"{"a":1,"a":2}"#, "duplicate key `a`");
        refused(br#"{"x":[{"a":1,"\u0061":2}]}"#, "duplicate key `a`");
        refused(b"{} {}", "trailing");
        refused(b"\xef\xbb\xbf{}", "expected value");
        refused(b"\"\xff\"", "invalid unicode");
        refused(b"1e999", "out of range");
        refused(b"", "EOF");
        refused("[".repeat(200_000).as_bytes(), "recursion limit");
        refused(format!("[{}1]", "1,".repeat(1_000)).as_bytes(), "more values");
        refused(format!("[{}1]", "{\"a\":1},".repeat(200)).as_bytes(), "more values");
        refused(&vec![b' '; 1_000_001], "at most 1000000");
    }

    #[test]
    fn canonical_sorts_by_utf16_and_escapes_shortly() {
        let value = parse(
            "{\"\u{e000}\":1,\"\u{10000}\":2,\"a\":\"\\u001f\\n/\u{7f}\",\"A\":[true,null,-1]}".as_bytes(),
            Limits::DOCUMENT,
        )
        .unwrap();
        let text = String::from_utf8(canonical(&value)).unwrap();
        assert_eq!(text, "{\"A\":[true,null,-1],\"a\":\"\\u001f\\n/\u{7f}\",\"\u{10000}\":2,\"\u{e000}\":1}");
        assert_eq!(parse(text.as_bytes(), Limits::DOCUMENT).unwrap(), value);
    }
}
