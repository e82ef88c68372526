//! Versions as dpkg orders them (deb-version(7)).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// `1:2.36-9+deb12u14`: an epoch, an upstream version and a revision. Equal where dpkg says equal: `1.0` is `0:1.0-0`.
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    epoch: u32,
    /// Where the upstream version begins and ends in `text`.
    upstream: (usize, usize),
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no version: {fault}", text.escape_debug())]
pub struct VersionError {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub fault: &'static str,
}

impl Version {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Without the epoch: what file names have.
    #[must_use]
    pub fn without_epoch(&self) -> &str {
        &self.text[self.upstream.0..]
    }

    fn upstream(&self) -> &str {
        &self.text[self.upstream.0..self.upstream.1]
    }

    fn revision(&self) -> &str {
        self.text.get(self.upstream.1 + 1..).unwrap_or("")
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = |fault| VersionError { text: text.chars().take(128).collect(), fault };
        if text.len() > 255 {
            return Err(fail("more than 255 bytes"));
        }
        let (epoch, start) = match text.split_once(':') {
            None => (0, 0),
            Some((epoch, _)) => {
                let digits = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit());
                let number = epoch.parse().ok().filter(|number| digits && *number <= i32::MAX as u32);
                (number.ok_or_else(|| fail("an epoch that is no number"))?, epoch.len() + 1)
            }
        };
        let rest = &text[start..];
        let end = start + rest.rfind('-').unwrap_or(rest.len());
        let fits = |byte: u8, more: &[u8]| byte.is_ascii_alphanumeric() || more.contains(&byte);
        if start == end {
            return Err(fail("no upstream version"));
        }
        if end < text.len() && end + 1 == text.len() {
            return Err(fail("a dash with no revision behind it"));
        }
        if !text[start..end].bytes().all(|byte| fits(byte, b".+~-:")) {
            return Err(fail("a character that no upstream version has"));
        }
        if !text.get(end + 1..).unwrap_or("").bytes().all(|byte| fits(byte, b".+~")) {
            return Err(fail("a character that no revision has"));
        }
        Ok(Self { text: text.to_owned(), epoch, upstream: (start, end) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare(self.upstream(), other.upstream()))
            .then_with(|| compare(self.revision(), other.revision()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Runs of other characters and runs of digits in turn; a tilde sorts before the end, letters before the rest.
fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        let weight = |rest: &[u8]| match rest.first() {
            None => 0,
            Some(byte) if byte.is_ascii_digit() => 0,
            Some(b'~') => -1,
            Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
            Some(byte) => i32::from(*byte) + 256,
        };
        let is_text = |rest: &[u8]| rest.first().is_some_and(|byte| !byte.is_ascii_digit());
        while is_text(one) || is_text(other) {
            let order = weight(one).cmp(&weight(other));
            if order != Ordering::Equal {
                return order;
            }
            (one, other) = (one.get(1..).unwrap_or(&[]), other.get(1..).unwrap_or(&[]));
        }
        let (left, right) = (number(&mut one), number(&mut other));
        // Longer numbers without leading zeros are larger, of any length.
        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        if order != Ordering::Equal {
            return order;
        }
        if one.is_empty() && other.is_empty() {
            return Ordering::Equal;
        }
    }
}

/// The digits in front, leading zeros left out.
fn number<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, behind) = rest.split_at(end);
    *rest = behind;
    let zeros = digits.iter().position(|&byte| byte != b'0').unwrap_or(digits.len());
    &digits[zeros..]
}
