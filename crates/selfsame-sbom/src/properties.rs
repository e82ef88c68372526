//! CycloneDX name-value properties, sorted, and the building of objects whose absent fields are absent.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Properties in the order of their names, then values.
#[derive(Default)]
pub(crate) struct Properties(BTreeSet<(String, String)>);

impl Properties {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert((name.to_owned(), value.into()));
    }

    pub(crate) fn flag(&mut self, name: &str, wanted: bool) {
        if wanted {
            self.set(name, "true");
        }
    }

    /// The array, or nothing if it would be empty.
    pub(crate) fn array(&self) -> Option<Value> {
        let items: Vec<Value> = self.0.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        (!items.is_empty()).then_some(Value::Array(items))
    }
}

/// Sets a field that is known.
pub(crate) fn put(object: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.into());
    }
}

/// A field whose array is left out when it is empty.
pub(crate) fn put_array(object: &mut Map<String, Value>, key: &str, items: Vec<Value>) {
    if !items.is_empty() {
        object.insert(key.to_owned(), Value::Array(items));
    }
}

/// Whether a text can stand where CycloneDX wants an IRI: a scheme, then only what RFC 3986 allows.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let bytes = rest.as_bytes();
    let escapes_ok = bytes.iter().enumerate().all(|(at, &byte)| {
        byte != b'%' || bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    });
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._~/?@!$&'()*+,;=:%".contains(b);
    let (before, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    scheme_ok && escapes_ok && !rest.is_empty() && before.bytes().chain(fragment.bytes()).all(|b| allowed(&b))
}

/// Whether a text looks like an address: one `@` with something plain on both sides.
pub(crate) fn is_email(text: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[]\\,;:\"@".contains(&b));
    text.split_once('@').is_some_and(|(local, domain)| plain(local) && plain(domain) && !domain.starts_with('.'))
}
