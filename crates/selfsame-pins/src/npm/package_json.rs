//! `package.json` of a packed package, as far as an inventory needs it.

use serde_json::Value;

use crate::error::PinsError;

const DOCUMENT: &str = "package.json";
const LIMIT_BYTES: usize = 8 << 20;

/// What a package says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageJson {
    /// `@scope/name`
    pub name: String,
    /// `1.2.3`
    pub version: String,
    /// An SPDX expression, or what stands in its place.
    pub licenses: Vec<String>,
    /// The author's name.
    pub supplier: Option<String>,
    /// Names of `dependencies` and `optionalDependencies`; sorted.
    pub dependencies: Vec<String>,
}

impl PackageJson {
    /// Parses the text. Unlike our own documents it may have duplicate keys and a byte order mark, as npm allows.
    pub fn parse(bytes: &[u8]) -> Result<Self, PinsError> {
        PinsError::bound(DOCUMENT, bytes.len(), LIMIT_BYTES, "bytes")?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| PinsError::syntax(DOCUMENT, error.to_string()))?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let of = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Object(map) => map.get("type").and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        let mut licenses: Vec<String> = value.get("license").and_then(of).into_iter().collect();
        if let (true, Some(Value::Array(list))) = (licenses.is_empty(), value.get("licenses")) {
            licenses = list.iter().filter_map(of).take(50).collect();
        }
        let supplier = match value.get("author") {
            Some(Value::Object(author)) => author.get("name").and_then(Value::as_str),
            Some(Value::String(author)) => author.split(['<', '(']).next(),
            _ => None,
        };
        let names = ["dependencies", "optionalDependencies"].into_iter().filter_map(|key| value.get(key)?.as_object());
        let mut dependencies: Vec<String> = names.flat_map(|map| map.keys().cloned()).collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        Ok(Self {
            name: text("name"),
            version: text("version"),
            licenses: licenses.into_iter().filter(|text| !text.is_empty() && text.len() <= 200).collect(),
            supplier: supplier.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty() && name.len() <= 200),
            dependencies,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_of_today_and_of_old() {
        let parse = |text: &str| PackageJson::parse(text.as_bytes()).unwrap();
        let today = parse(
            "{\"name\":\"@a/b\",\"version\":\"1.0.0\",\"license\":\"MIT OR Apache-2.0\",\"author\":\"A B <a@example.org> (x)\",\"dependencies\":{\"d\":\"1\"},\"optionalDependencies\":{\"c\":\"1\",\"d\":\"1\"}}",
        );
        assert_eq!(today.licenses, ["MIT OR Apache-2.0"]);
        assert_eq!(today.supplier.as_deref(), Some("A B"));
        assert_eq!(today.dependencies, ["c", "d"]);
        assert_eq!(parse("\u{feff}{\"license\":{\"type\":\"BSD\"}}").licenses, ["BSD"]);
        assert_eq!(
            parse("{\"licenses\":[{\"type\":\"MIT\"},\"ISC\"],\"author\":{\"name\":\"X\"}}").licenses,
            ["MIT", "ISC"]
        );
        assert!(parse("{\"license\":false,\"dependencies\":[]}").licenses.is_empty());
        assert!(PackageJson::parse(b"nonsense").is_err());
        assert!(PackageJson::parse("[".repeat(10_000).as_bytes()).is_err());
    }
}
