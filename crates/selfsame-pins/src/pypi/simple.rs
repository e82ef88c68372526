//! Pages of a simple package index: HTML (PEP 503) and JSON (PEP 691).

use selfsame_core::Digest;
use selfsame_core::json::{self, Limits};
use serde::Deserialize;

use crate::error::PinsError;

const DOCUMENT: &str = "the index page";
/// The largest page: projects with many releases have some ten megabytes.
const LIMIT_BYTES: usize = 64 << 20;
const LIMIT_FILES: usize = 200_000;

/// The files that an index offers of one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    /// In the page's order.
    pub files: Vec<IndexFile>,
}

/// One file of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    /// `flask-3.1.3-py3-none-any.whl`
    pub name: String,
    /// Absolute, without a fragment.
    pub url: String,
    /// As the index has it.
    pub sha256: Option<Digest>,
    /// In bytes, as the index has it.
    pub size_bytes: Option<u64>,
    /// `>=3.9`
    pub requires_python: Option<String>,
    /// Taken back by its publisher: used where it is pinned, and not else.
    pub yanked: bool,
}

impl IndexPage {
    /// What to ask an index for.
    pub const ACCEPT: &str =
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

    /// Reads a page by its content type. `url` is where it came from, for its relative links.
    pub fn parse(bytes: &[u8], content_type: &str, url: &str) -> Result<Self, PinsError> {
        PinsError::bound(DOCUMENT, bytes.len(), LIMIT_BYTES, "bytes")?;
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let page = match kind.as_str() {
            "application/vnd.pypi.simple.v1+json" | "application/json" => of_json(bytes, url)?,
            _ if bytes.trim_ascii_start().starts_with(b"{") => of_json(bytes, url)?,
            "application/vnd.pypi.simple.v1+html" | "text/html" | "application/xhtml+xml" | "" => {
                of_html(&String::from_utf8_lossy(bytes), url)?
            }
            other => return Err(PinsError::syntax(DOCUMENT, format!("it is of the type `{other}`"))),
        };
        PinsError::bound(DOCUMENT, page.files.len(), LIMIT_FILES, "files")?;
        Ok(page)
    }
}

#[derive(Deserialize)]
struct Wire {
    meta: WireMeta,
    files: Vec<WireFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireMeta {
    api_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
    requires_python: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    yanked: serde_json::Value,
}

fn of_json(bytes: &[u8], url: &str) -> Result<IndexPage, PinsError> {
    let limits = Limits { size_bytes: LIMIT_BYTES, values: 8_000_000 };
    let wire: Wire = json::parse_as(bytes, limits).map_err(|error| PinsError::syntax(DOCUMENT, error.to_string()))?;
    if !wire.meta.api_version.starts_with("1.") {
        let message = format!("it has version {}; versions 1.x are read", wire.meta.api_version);
        return Err(PinsError::syntax(DOCUMENT, message));
    }
    let files = wire.files.into_iter().filter_map(|file| {
        Some(IndexFile {
            url: resolve_url(url, &file.url)?,
            sha256: file.hashes.get("sha256").and_then(|hex| Digest::from_hex(hex).ok()),
            size_bytes: file.size,
            requires_python: file.requires_python,
            yanked: !matches!(file.yanked, serde_json::Value::Null | serde_json::Value::Bool(false)),
            name: file.filename,
        })
    });
    Ok(IndexPage { files: files.collect() })
}

fn of_html(text: &str, url: &str) -> Result<IndexPage, PinsError> {
    let (mut page, mut base) = (IndexPage::default(), url.to_owned());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            let Some(end) = comment.find("-->") else { break };
            rest = &comment[end + 3..];
            continue;
        }
        let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (element, behind) = rest.split_at(name_end);
        let is = |name: &str| element.eq_ignore_ascii_case(name);
        if !is("a") && !is("base") {
            continue;
        }
        let Some((attributes, content)) = attributes(behind) else { break };
        rest = content;
        let get = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let Some(href) = get("href") else { continue };
        if is("base") {
            base = resolve_url(url, href).unwrap_or(base);
            continue;
        }
        let Some(target) = resolve_url(&base, href) else { continue };
        let text_end = content.find('<').unwrap_or(content.len());
        let fragment = href.split_once('#').map(|(_, fragment)| fragment).unwrap_or_default();
        let hash = fragment.split('&').find_map(|part| part.strip_prefix("sha256="));
        page.files.push(IndexFile {
            name: unescaped(content[..text_end].trim()),
            url: target,
            sha256: hash.and_then(|hex| Digest::from_hex(hex).ok()),
            size_bytes: None,
            requires_python: get("data-requires-python").map(str::to_owned),
            yanked: get("data-yanked").is_some(),
        });
        PinsError::bound(DOCUMENT, page.files.len(), LIMIT_FILES, "files")?;
    }
    Ok(page)
}

/// Attributes up to `>`, and what stands behind it. `None` where the element does not end.
fn attributes(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(behind) = rest.strip_prefix('>') {
            return Some((found, behind));
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace() || "=>/".contains(c))?;
        let key = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            if end == 0 {
                return None;
            }
            found.push((key, String::new()));
            continue;
        };
        let value = value.trim_start();
        let (value, behind) = match value.chars().next()? {
            quote @ ('"' | '\'') => value[1..].split_once(quote)?,
            _ => value.split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>')?),
        };
        found.push((key, unescaped(value)));
        rest = behind;
    }
}

/// Text with the character references that indexes write.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest.find(';').filter(|&end| end <= 10).map(|end| (&rest[1..end], end));
        let character = reference.and_then(|(name, _)| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => {
                let number = name.strip_prefix('#')?;
                let hex = number.strip_prefix(['x', 'X']).map(|hex| u32::from_str_radix(hex, 16).ok());
                char::from_u32(hex.unwrap_or_else(|| number.parse().ok())?)
            }
        });
        match (character, reference) {
            (Some(character), Some((_, end))) => {
                plain.push(character);
                rest = &rest[end + 1..];
            }
            _ => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// A reference as a page's link has it, against the page's own address; without fragment. `None` for what is neither http
/// nor https in the end.
#[must_use]
pub fn resolve_url(base: &str, reference: &str) -> Option<String> {
    let is_web = |url: &str| {
        let lower = url.get(..8.min(url.len())).unwrap_or_default().to_ascii_lowercase();
        lower.starts_with("https://") || lower.starts_with("http://")
    };
    let reference = reference.trim().split('#').next().unwrap_or_default();
    if reference.chars().any(|c| c.is_control() || c == ' ') || !is_web(base) {
        return None;
    }
    if is_web(reference) {
        return Some(reference.to_owned());
    }
    let (scheme, after) = base.split_once("://")?;
    let authority_end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, path) = after.split_at(authority_end);
    if let Some(other) = reference.strip_prefix("//") {
        return Some(format!("{scheme}://{other}"));
    }
    // Any other scheme: a colon before the first slash.
    if reference.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let (reference, query) = match reference.split_once('?') {
        Some((reference, query)) => (reference, format!("?{query}")),
        None => (reference, String::new()),
    };
    let mut parts: Vec<&str> = if reference.starts_with('/') {
        Vec::new()
    } else {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        folder.split('/').filter(|part| !part.is_empty()).collect()
    };
    let is_folder = matches!(reference.rsplit('/').next(), None | Some("" | "." | ".."));
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let end = if is_folder && !parts.is_empty() { "/" } else { "" };
    Some(format!("{scheme}://{authority}/{}{end}{query}", parts.join("/")))
}

/// `%2B` as `+`; nothing where the result is not UTF-8 or an escape is none.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://index.example/simple/flask/";
    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_page_of_html() {
        let text = format!(
            "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.1\"><!-- <a href=x>no</a> --></head><body>\n\
             <h1>Links</h1><a href=\"../../files/flask-1.tar.gz#sha256={A}\" data-requires-python=\"&gt;=3.9\" >flask-1.tar.gz</a><br/>\n\
             <A HREF='https://files.example/b/flask-2-py3-none-any.whl?x=1&amp;y=2' data-yanked>flask-2-py3-none-any.whl</A>\n\
             <a rel=internal>nothing</a><a href=\"javascript:alert(1)\">x</a><a href=\"unfinished"
        );
        let page = IndexPage::parse(text.as_bytes(), "text/html; charset=utf-8", URL).unwrap();
        assert_eq!(page.files.len(), 2);
        assert_eq!(page.files[0].url, "https://index.example/files/flask-1.tar.gz");
        assert_eq!(page.files[0].sha256.unwrap().hex(), A);
        assert_eq!(page.files[0].requires_python.as_deref(), Some(">=3.9"));
        assert_eq!(page.files[1].url, "https://files.example/b/flask-2-py3-none-any.whl?x=1&y=2");
        assert!(page.files[1].yanked && page.files[1].sha256.is_none());
    }

    #[test]
    fn a_page_of_json() {
        let text = format!(
            "{{\"meta\":{{\"api-version\":\"1.3\"}},\"name\":\"flask\",\"files\":[{{\"filename\":\"flask-1.tar.gz\",\
             \"url\":\"/files/flask-1.tar.gz\",\"hashes\":{{\"sha256\":\"{A}\"}},\"size\":7,\"yanked\":\"broken\",\"core-metadata\":false}}]}}"
        );
        let page = IndexPage::parse(text.as_bytes(), "application/vnd.pypi.simple.v1+json", URL).unwrap();
        assert_eq!(page.files[0].url, "https://index.example/files/flask-1.tar.gz");
        assert_eq!((page.files[0].size_bytes, page.files[0].yanked), (Some(7), true));
    }

    #[test]
    fn what_is_no_page() {
        for (bytes, kind, because) in [
            (&b"{}"[..], "application/json", "missing field"),
            (b"{\"meta\":{\"api-version\":\"2.0\"},\"files\":[]}", "application/json", "version 2.0"),
            (b"\x1f\x8b", "application/gzip", "of the type `application/gzip`"),
        ] {
            let error = IndexPage::parse(bytes, kind, URL).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        }
        assert!(IndexPage::parse(b"<html>log in</html>", "text/html", URL).unwrap().files.is_empty());
    }

    #[test]
    fn links() {
        for (reference, expected) in [
            ("x.whl", Some("https://index.example/simple/flask/x.whl")),
            ("../x.whl#f", Some("https://index.example/simple/x.whl")),
            ("../../../../x", Some("https://index.example/x")),
            ("/x?y", Some("https://index.example/x?y")),
            ("//other.example/x", Some("https://other.example/x")),
            ("HTTPS://other.example/x", Some("HTTPS://other.example/x")),
            ("file:///x", None),
            ("ftp://x", None),
            ("a b", None),
        ] {
            assert_eq!(resolve_url(URL, reference).as_deref(), expected, "{reference}");
        }
        assert_eq!(resolve_url("file:///x/", "y"), None);
        assert_eq!(percent_decoded("a%2Bb%").as_deref(), None);
        assert_eq!(percent_decoded("a%2bb").as_deref(), Some("a+b"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(<a|<base| |href|=|'|\"|>|&#x?[0-9]{1,8};|&amp|<!--|é|/|\\.\\.){0,40}") {
            let _ = IndexPage::parse(text.as_bytes(), "text/html", URL);
            let _ = resolve_url(URL, &text);
        }
    }
}
