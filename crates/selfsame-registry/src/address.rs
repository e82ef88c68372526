//! Addresses that a registry answers with: where an upload goes on, where tokens are, where the next page is.

use std::fmt;

use crate::Host;

/// The longest address that is followed.
const ADDRESS_BYTES: usize = 16 * 1024;

/// `https://registry.example:5000/v2/x?y`, taken apart as far as is needed to say who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) https: bool,
    pub(crate) host: Host,
    /// Path and query, with the `/` that it begins with; without a fragment.
    pub(crate) path: String,
}

impl Address {
    /// An absolute address of https or http. One with a user or a password in it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > ADDRESS_BYTES || text.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b'\\') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { https, host: authority.parse().ok()?, path })
    }

    /// What `text` means on this page (RFC 3986, 5.2): absolute, `//host/path`, `/path`, `?query` or `path`.
    pub(crate) fn join(&self, text: &str) -> Option<Self> {
        if text.contains("://") && text.find("://") < text.find(['/', '?', '#']).map(|at| at + 1) {
            return Self::parse(text);
        }
        if text.starts_with("//") {
            return Self::parse(&format!("{}:{text}", if self.https { "https" } else { "http" }));
        }
        let here = self.path.split('?').next().unwrap_or_default();
        let path = match text.as_bytes().first() {
            None => return None,
            Some(b'/') => text.to_owned(),
            Some(b'?') => format!("{here}{text}"),
            Some(_) => format!("{}/{text}", here.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        Self::parse(&format!("{}{path}", self.origin()))
    }

    /// Whether both are asked by the same scheme, of the same host and port.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        let port = |address: &Self| address.host.port().unwrap_or(if address.https { 443 } else { 80 });
        self.https == other.https && self.host.name() == other.host.name() && port(self) == port(other)
    }

    /// `https://registry.example:5000`.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.host)
    }

    /// The same with one more parameter in its query.
    pub(crate) fn with_parameter(&self, name: &str, value: &str) -> Self {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{mark}{name}={}", self.path, escape(value));
        Self { path, ..self.clone() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// Percent-encoded but for the unreserved characters (RFC 3986, 2.3), so that a value fits into a query or a form.
pub(crate) fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
