//! Versions of Python packages (PEP 440), as far as pins, markers and file names compare them.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The longest version that is read.
const LIMIT_BYTES: usize = 128;

/// `1.2`, `2!1.0rc1.post2.dev3+local.1`: parsed, so that spellings of one version are equal.
#[derive(Clone, Debug)]
pub struct Version {
    epoch: u64,
    /// Without trailing zeros, so that `1.0` equals `1`.
    release: Vec<u64>,
    /// As many numbers as were written, for printing and for `==1.0.*`.
    written: usize,
    /// `a`, `b` or `rc`, with its number.
    pre: Option<(Pre, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
    local: Vec<Local>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pre {
    Alpha,
    Beta,
    Candidate,
}

/// A part of a local version: a number ranks above a word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Local {
    Word(String),
    Number(u64),
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version of a Python package")]
pub struct VersionError {
    /// Its beginning.
    pub text: String,
}

impl Version {
    /// Whether it has a local part (`+...`).
    #[must_use]
    pub const fn is_local(&self) -> bool {
        !self.local.is_empty()
    }

    /// Whether it is an alpha, beta, candidate or development version.
    #[must_use]
    pub const fn is_prerelease(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }

    /// The same without its local part.
    #[must_use]
    pub fn public(&self) -> Self {
        Self { local: Vec::new(), ..self.clone() }
    }

    /// Whether this version begins with the release numbers of `prefix`, as `==1.2.*` asks.
    #[must_use]
    pub fn begins_with(&self, prefix: &Self) -> bool {
        let number = |version: &Self, at: usize| version.release.get(at).copied().unwrap_or(0);
        self.epoch == prefix.epoch && (0..prefix.written).all(|at| number(self, at) == number(prefix, at))
    }

    /// Whether this version fits `~=at_least`.
    #[must_use]
    pub fn is_compatible(&self, at_least: &Self) -> bool {
        if at_least.written < 2 {
            return false;
        }
        let prefix = Self { written: at_least.written - 1, ..at_least.clone() };
        self.public() >= *at_least && self.begins_with(&prefix)
    }

    /// Order of PEP 440: dev before pre before release before post; local above the same without.
    fn key(&self) -> impl Ord + '_ {
        let pre = match (self.pre, self.post, self.dev) {
            // 1.0.dev1 stands before 1.0a1.
            (None, None, Some(_)) => (0, None),
            (Some(pre), ..) => (1, Some(pre)),
            (None, ..) => (2, None),
        };
        let post = self.post.map_or((0, 0), |number| (1, number));
        let dev = self.dev.map_or((1, 0), |number| (0, number));
        (self.epoch, &self.release, pre, post, dev, &self.local)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Version {
    /// The normal form: lower case, `rc` for `c`, no leading zeros; as many release numbers as were written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 {
            write!(f, "{}!", self.epoch)?;
        }
        for at in 0..self.written {
            let dot = if at == 0 { "" } else { "." };
            write!(f, "{dot}{}", self.release.get(at).copied().unwrap_or(0))?;
        }
        if let Some((pre, number)) = self.pre {
            let word = match pre {
                Pre::Alpha => "a",
                Pre::Beta => "b",
                Pre::Candidate => "rc",
            };
            write!(f, "{word}{number}")?;
        }
        if let Some(number) = self.post {
            write!(f, ".post{number}")?;
        }
        if let Some(number) = self.dev {
            write!(f, ".dev{number}")?;
        }
        for (at, part) in self.local.iter().enumerate() {
            f.write_str(if at == 0 { "+" } else { "." })?;
            match part {
                Local::Word(word) => f.write_str(word)?,
                Local::Number(number) => write!(f, "{number}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let parsed = (text.len() <= LIMIT_BYTES).then(|| parse(text)).flatten();
        parsed.ok_or_else(|| VersionError { text: crate::error::clip(text) })
    }
}

/// What is left of a version while it is read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.0.strip_prefix(word);
        self.0 = found.unwrap_or(self.0);
        found.is_some()
    }

    /// One of `.`, `-` and `_`.
    fn separator(&mut self) -> bool {
        [".", "-", "_"].into_iter().any(|word| self.take(word))
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        let number = number.parse().ok()?;
        self.0 = rest;
        Some(number)
    }

    /// One of the words, with or without separators around it, and its number, which is 0 where none is written.
    fn tagged<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<(T, u64)> {
        let before = self.0;
        self.separator();
        let Some(tag) = words.iter().find_map(|(word, tag)| self.take(word).then_some(*tag)) else {
            self.0 = before;
            return None;
        };
        let behind = self.0;
        self.separator();
        let number = self.number();
        if number.is_none() {
            self.0 = behind;
        }
        Some((tag, number.unwrap_or(0)))
    }
}

fn parse(text: &str) -> Option<Version> {
    let lower = text.trim_ascii().to_ascii_lowercase();
    let (public, local) = match lower.split_once('+') {
        Some((public, local)) => (public, Some(local)),
        None => (lower.as_str(), None),
    };
    let mut rest = Rest(public.strip_prefix('v').unwrap_or(public));
    let mut first = rest.number()?;
    let mut epoch = 0;
    if rest.take("!") {
        epoch = first;
        first = rest.number()?;
    }
    let mut release = vec![first];
    while rest.0.starts_with('.') && rest.0[1..].starts_with(|c: char| c.is_ascii_digit()) {
        rest.take(".");
        release.push(rest.number()?);
    }
    let written = release.len();
    while release.last() == Some(&0) {
        release.pop();
    }
    let pre = rest.tagged(&[
        ("alpha", Pre::Alpha),
        ("beta", Pre::Beta),
        ("preview", Pre::Candidate),
        ("pre", Pre::Candidate),
        ("rc", Pre::Candidate),
        ("a", Pre::Alpha),
        ("b", Pre::Beta),
        ("c", Pre::Candidate),
    ]);
    let post = match rest.tagged(&[("post", ()), ("rev", ()), ("r", ())]) {
        Some(((), number)) => Some(number),
        // `1.0-1` is the first post release.
        None if rest.0.starts_with('-') => {
            rest.take("-");
            Some(rest.number()?)
        }
        None => None,
    };
    let dev = rest.tagged(&[("dev", ())]).map(|((), number)| number);
    if !rest.0.is_empty() {
        return None;
    }
    let local = match local {
        None => Vec::new(),
        Some(local) => local.split(['.', '-', '_']).map(local_part).collect::<Option<_>>()?,
    };
    Some(Version { epoch, release, written, pre, post, dev, local })
}

fn local_part(part: &str) -> Option<Local> {
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    Some(part.parse().map_or_else(|_| Local::Word(part.to_owned()), Local::Number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Version;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn order_of_pep_440() {
        let ordered = [
            "1.dev0",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.15",
            "1.1.dev1",
            "1!0.1",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn spellings_of_one_version() {
        for (one, other, normal) in [
            ("1.0", "1", "1.0"),
            ("v1.0-RC_1", "1.0c1", "1.0rc1"),
            ("1.0-1", "1.0.post1", "1.0.post1"),
            ("1.0.ALPHA.2", "1a2", "1.0a2"),
            ("01.02", "1.2", "1.2"),
            ("1.0dev", "1.0.dev0", "1.0.dev0"),
            ("1.0+Ubuntu-1", "1.0+ubuntu.1", "1.0+ubuntu.1"),
        ] {
            assert_eq!(version(one), version(other));
            assert_eq!(version(one).to_string(), normal);
        }
    }

    #[test]
    fn prefixes_and_compatible_releases() {
        assert!(version("3.11.7").begins_with(&version("3.11")));
        assert!(!version("3.1").begins_with(&version("3.11")));
        assert!(version("3").begins_with(&version("3.0")));
        assert!(version("2.4.9").is_compatible(&version("2.2")));
        assert!(!version("3.0").is_compatible(&version("2.2")));
        assert!(!version("1.5.0").is_compatible(&version("1.4.5")));
    }

    #[test]
    fn what_is_no_version() {
        for text in ["", "x", "1.", "1..2", "1.0+", "1.0+a..b", "1.0 2", "../1", "99999999999999999999", "1.0-", "1!"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading(text in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}((a|b|rc)[0-9]{1,2})?(\\.post[0-9])?(\\.dev[0-9])?(\\+[a-z0-9]{1,5})?") {
            let one = version(&text);
            prop_assert_eq!(&version(&one.to_string()), &one);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Version>();
        }
    }
}
