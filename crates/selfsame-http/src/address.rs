//! Addresses as they are asked for, and as they may be told.

use std::fmt;

/// An `http` or `https` address.
///
/// What it prints can be told to anybody: no user, no password, and of a query only the names, but for values that are
/// known to be no secret. `https://user:secret@host/file?sig=abc&digest=sha256:12` prints as
/// `https://host/file?sig=…&digest=sha256:12`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    https: bool,
    host: String,
    port: Option<u16>,
    /// Path and query.
    target: String,
    user: Option<(String, String)>,
}

/// Parameters whose values are no secrets.
const TOLD: [&str; 12] =
    ["artifactType", "digest", "format", "from", "last", "mount", "n", "page", "per_page", "ref", "scope", "service"];

impl Address {
    /// Reads an absolute address. What cannot stand in one unescaped is escaped; a fragment is dropped.
    ///
    /// # Errors
    /// What is wrong with it, without the text itself: it may hold a secret.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("it does not begin with https:// or http://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("it does not begin with https:// or http://"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let user = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            Ok::<_, &'static str>((decode(name)?, decode(password)?))
        });
        let user = user.transpose()?;
        let (host, port) = split_port(place)?;
        let host = host.to_ascii_lowercase();
        check_host(&host)?;
        Ok(Self { https, host, port, target: escape(target), user })
    }

    /// Where a `Location` leads from here: absolute, or relative to this.
    pub(crate) fn join(&self, location: &str) -> Result<Self, &'static str> {
        let location = location.trim();
        if location.split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric())) {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        let path = self.target.split('?').next().unwrap_or("/");
        let target = match location.as_bytes().first() {
            None | Some(b'#') => self.target.clone(),
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            Some(_) => format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder)),
        };
        Ok(Self { target: without_dots(&escape(&target)), user: None, ..self.clone() })
    }

    /// The same path below another address: for mirrors.
    pub(crate) fn below(&self, upstream: &Self) -> Self {
        let target = format!("{}{}", upstream.target.trim_end_matches('/'), self.target);
        Self { target, ..upstream.clone() }
    }

    /// All of it but user and password: what a server is asked.
    pub(crate) fn request(&self) -> String {
        format!("{}{}", self.origin(), self.target)
    }

    /// `https://host:port`, which credentials belong to.
    pub(crate) fn origin(&self) -> String {
        match self.port {
            Some(port) if port != self.default_port() => format!("{}://{}:{port}", self.scheme(), self.host),
            _ => format!("{}://{}", self.scheme(), self.host),
        }
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Lower case; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// 443 or 80 where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.default_port())
    }

    /// Path and query, with the secrets in them.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// User and password, if it has them.
    pub(crate) fn user(&self) -> Option<&(String, String)> {
        self.user.as_ref()
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    fn default_port(&self) -> u16 {
        if self.https { 443 } else { 80 }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())?;
        let Some((path, query)) = self.target.split_once('?') else { return f.write_str(&self.target) };
        f.write_str(path)?;
        for (index, parameter) in query.split('&').enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name, _)) if !TOLD.contains(&name) => write!(f, "{name}=…")?,
                Some(_) => f.write_str(parameter)?,
                // With no name it may be all secret.
                None if parameter.is_empty() => {}
                None => f.write_str("…")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// An address as it may be told, also where it is none: then everything behind a `?` and before an `@` is left out.
pub(crate) fn told(text: &str) -> String {
    match Address::parse(text) {
        Ok(address) => address.to_string(),
        Err(_) => {
            let text = text.split(['?', '#']).next().unwrap_or("");
            let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
            shown.chars().take(200).flat_map(char::escape_debug).collect()
        }
    }
}

pub(crate) fn split_port(place: &str) -> Result<(&str, Option<u16>), &'static str> {
    let colon = match place.rfind(']') {
        Some(bracket) => place[bracket..].find(':').map(|at| at + bracket),
        None => place.find(':'),
    };
    let Some(colon) = colon else { return Ok((place, None)) };
    let (host, port) = (&place[..colon], &place[colon + 1..]);
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|number| digits && *number != 0);
    number.map(|number| (host, Some(number))).ok_or("its port is not from 1 to 65535")
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("its host is not an IPv6 address")?;
        return inner.parse::<std::net::Ipv6Addr>().map(drop).map_err(|_| "its host is not an IPv6 address");
    }
    if host.is_empty() || host.len() > 253 {
        return Err("it has no host");
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err("its host is not a name of ASCII letters, digits, dots and hyphens");
    }
    // Of the ways to write an IPv4 address (`127.1`, `0x7f000001`) only the common one: the others are for deceiving.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if numeric && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err("its host is not an IPv4 address in four parts");
    }
    Ok(())
}

/// Percent-decodes a user or a password.
pub(crate) fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten();
        let value = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| "its user or password is not UTF-8")?;
    if text.chars().any(char::is_control) { Err("its user or password has control characters") } else { Ok(text) }
}

/// Path and query with what may not stand in them escaped; the fragment is cut off.
fn escape(target: &str) -> String {
    let target = target.split('#').next().unwrap_or("");
    let mut escaped = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') {
        escaped.push('/');
    }
    for byte in target.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// RFC 3986, 5.2.4.
fn without_dots(target: &str) -> String {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut parts: Vec<&str> = Vec::new();
    let count = path.split('/').count();
    for (index, part) in path.split('/').enumerate().skip(1) {
        let last = index + 1 == count;
        match part {
            "." if last => parts.push(""),
            "." => {}
            ".." => {
                parts.pop();
                if last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    let path = format!("/{}", parts.join("/"));
    query.map_or(path.clone(), |query| format!("{path}?{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn secrets_are_not_told() {
        let all = address("https://me:pa%40ss@Host.Example:8443/a b/c?X-Sig=abc&digest=sha256:1&flag&sig=#frag");
        assert_eq!(all.to_string(), "https://host.example:8443/a%20b/c?X-Sig=…&digest=sha256:1&…&sig=…");
        assert_eq!(format!("{all:?}"), format!("Address({all})"));
        assert_eq!(all.user(), Some(&("me".to_owned(), "pa@ss".to_owned())));
        assert_eq!(all.request(), "https://host.example:8443/a%20b/c?X-Sig=abc&digest=sha256:1&flag&sig=");
        assert_eq!(told("ftp://me:secret@host/x?y=secret"), "host/x");
    }

    #[test]
    fn addresses_that_are_none() {
        for (text, why) in [
            ("ftp://host/", "begin with"),
            ("host/path", "begin with"),
            ("https:///path", "no host"),
            ("https://ho st/", "ASCII"),
            ("https://host:0/", "port"),
            ("https://host:99999/", "port"),
            ("https://host:+1/", "port"),
            ("http://127.1/", "IPv4"),
            ("http://2130706433/", "IPv4"),
            ("http://0x7f000001/", "IPv4"),
            ("http://0177.0.0.1/", "IPv4"),
            ("http://[::zz]/", "IPv6"),
            ("https://münchen.example/", "ASCII"),
            ("https://a:b%0d%0a@host/", "control"),
        ] {
            let fault = Address::parse(text).unwrap_err();
            assert!(fault.contains(why), "{text}: {fault}");
        }
    }

    #[test]
    fn redirects_are_relative_to_where_they_come_from() {
        let here = address("https://me:x@host.example:444/a/b/c?q=1");
        let joined = |location: &str| here.join(location).unwrap().request();
        assert_eq!(joined("/x/../y"), "https://host.example:444/y");
        assert_eq!(joined("d/./e?z"), "https://host.example:444/a/b/d/e?z");
        assert_eq!(joined("../../../.."), "https://host.example:444/");
        assert_eq!(joined("?p=2"), "https://host.example:444/a/b/c?p=2");
        assert_eq!(
            joined("//other.example/f?u=https://third.example"),
            "https://other.example/f?u=https://third.example"
        );
        assert_eq!(joined("http://[::1]:80/"), "http://[::1]/");
        assert_eq!(here.join("/x").unwrap().user(), None, "a password is not carried along in the address");
        assert!(here.join("file:///etc/passwd").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_address_or_none(text in ".{0,60}", prefix in "(https?://)?([a-z:@]{0,9})?") {
            let text = format!("{prefix}{text}");
            let _ = told(&text);
            if let Ok(address) = Address::parse(&text) {
                // What is sent is an address again, of the same place, and one that ureq takes.
                let request = address.request();
                let again = Address::parse(&request).unwrap();
                proptest::prop_assert_eq!(again.request(), request.clone());
                proptest::prop_assert!(request.parse::<ureq::http::Uri>().is_ok(), "{}", request);
                let _ = address.join(&text).unwrap();
            }
        }

        #[test]
        fn any_location_is_followed_to_an_address_or_nowhere(location in ".{0,60}") {
            let here = Address::parse("https://me:secret@host.example/a/b?c").unwrap();
            if let Ok(next) = here.join(&location) {
                proptest::prop_assert!(next.request().parse::<ureq::http::Uri>().is_ok());
                let told = format!("{next} {}", next.request());
                proptest::prop_assert!(!told.contains("secret"));
            }
        }

        #[test]
        fn a_password_is_in_no_text(password in "[a-zA-Z]{12}", path in "[a-z/]{0,8}") {
            let address = Address::parse(&format!("https://me:{password}@host.example/{path}?token={password}")).unwrap();
            let told = format!("{address} {address:?}");
            proptest::prop_assert!(!told.contains(&password));
        }
    }
}
