//! Names of releases, actions and toolchains.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Lowercase letters and digits, with single `.`, `_`, `__` or any number of `-` between them; at most 128 bytes.
///
/// It is a path component of the OCI distribution spec (`[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`), so that a release's name
/// is an image's name everywhere, and it is a plain file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = || NameError { text: crate::document::clip(text) };
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(error());
        }
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let separators = text.split(|c: char| u8::try_from(c).is_ok_and(word)).filter(|part| !part.is_empty());
        let between = text.bytes().next().is_some_and(word) && text.bytes().next_back().is_some_and(word);
        let good = |part: &str| matches!(part, "." | "_" | "__") || part.bytes().all(|byte| byte == b'-');
        if !between || !separators.into_iter().all(good) {
            return Err(error());
        }
        Ok(Self(text.to_owned()))
    }
}

/// A text that is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a name; lowercase letters and digits with `-`, `_` or `.` between them, at most 128")]
pub struct NameError {
    /// The beginning of the text.
    pub text: String,
}
