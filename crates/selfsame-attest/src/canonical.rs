//! The canonical form of a document from outside, whose numbers may be ones that selfsame never writes.

use serde_json::{Number, Value};

use selfsame_core::json;

/// The RFC 8785 bytes of `value`, unless it holds a number that is not an integer of at most 2^53 in size.
///
/// `selfsame_core::json::canonical` takes such a number for a defect of its caller; here it is a fault of the document.
pub fn canonical_of(value: &Value) -> Result<Vec<u8>, NumberError> {
    match odd_number(value) {
        Some(number) => Err(NumberError { number: number.to_string() }),
        None => Ok(json::canonical(value)),
    }
}

/// A number whose canonical spelling selfsame does not define.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the number {number} is not an integer of at most 2^53, so the document has no canonical form")]
pub struct NumberError {
    /// As it was printed.
    pub number: String,
}

/// The first number that has no canonical form here. The parser bounds the depth at 128.
fn odd_number(value: &Value) -> Option<&Number> {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Number(number) => {
            let size = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
            size.is_none_or(|size| size > EXACT).then_some(number)
        }
        Value::Array(items) => items.iter().find_map(odd_number),
        Value::Object(fields) => fields.values().find_map(odd_number),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_number_is_an_error_and_not_a_panic() {
        for (text, fine) in [
            ("[1,{\"a\":9007199254740992}]", true),
            ("[{\"a\":[-9007199254740993]}]", false),
            ("18446744073709551615", false),
            ("{\"cvss\":9.8}", false),
            ("1.0", false),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(canonical_of(&value).is_ok(), fine, "{text}");
        }
    }
}
