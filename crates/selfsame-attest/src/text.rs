//! Foreign words inside messages: escaped, so that no terminal acts on them, and cut, so that no log drowns.

const LONGEST_CHARS: usize = 120;

/// The beginning of `text` with control characters, quotes and unusual code points escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(LONGEST_CHARS).flat_map(char::escape_default).collect();
    if text.chars().nth(LONGEST_CHARS).is_some() {
        quoted.push_str("...");
    }
    quoted
}

/// Whether `text` is shaped like an absolute URI: a scheme, a colon, something behind it, printable ASCII throughout
/// and at most 2048 bytes (RFC 3986 section 4.3, as far as identity needs it).
#[must_use]
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    text.len() <= 2048
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        && !rest.is_empty()
        && rest.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&b))
}
