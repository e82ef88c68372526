//! `WWW-Authenticate`: what a registry wants to see before it answers (RFC 9110, 11.6.1).

use std::collections::BTreeMap;

/// The longest header that is read.
const HEADER_BYTES: usize = 16 * 1024;
/// The most challenges, and parameters of one, that are read.
const ITEMS: usize = 32;

/// One challenge: `Bearer realm="https://auth.example/token",service="registry.example"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Lowercase.
    pub(crate) scheme: String,
    /// By lowercase name; of one that is given twice, the first.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// The challenges of a header, or of several joined with commas. What cannot be read ends the list: the challenges
    /// before it are whole.
    pub(crate) fn parse_all(header: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        if header.len() > HEADER_BYTES {
            return challenges;
        }
        let mut rest = skip(header);
        while !rest.is_empty() && challenges.len() < ITEMS {
            let Some((word, behind)) = token(rest) else { break };
            let behind = behind.trim_start_matches([' ', '\t']);
            // `name=` belongs to the challenge before; `name` alone begins one.
            let value = behind.strip_prefix('=').filter(|value| !value.starts_with('='));
            match (value, challenges.last_mut()) {
                (Some(value), Some(challenge)) if challenge.parameters.len() < ITEMS => {
                    let Some((value, behind)) = text(value.trim_start_matches([' ', '\t'])) else { break };
                    challenge.parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                    rest = skip(behind);
                }
                (None, _) => {
                    challenges.push(Self { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                    rest = skip(token68(behind));
                }
                _ => break,
            }
        }
        challenges
    }

    /// A parameter that is there and not empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn skip(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', ','])
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Passes over the one unnamed value that a scheme such as Negotiate has in place of parameters.
fn token68(text: &str) -> &str {
    let end = text.bytes().position(|byte| !(byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)));
    let end = end.unwrap_or(text.len());
    let padded = text[end..].trim_start_matches('=');
    let padding = text.len() - end - padded.len();
    let ends = padded.is_empty() || padded.trim_start_matches([' ', '\t']).starts_with(',');
    if end > 0 && ends && (padding != 1 || padded.is_empty() || padded.starts_with(',')) { padded } else { text }
}

/// A token or a quoted string.
fn text(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Registries exist that leave a URL unquoted.
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}
