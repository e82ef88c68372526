//! Integrity strings (W3C Subresource Integrity), as npm writes them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use selfsame_core::Sha512Digest;

use crate::error::clip;

/// `sha512-...`: the SHA-512 of a tarball.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Integrity {
    hex: String,
}

/// Why an integrity string pins nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntegrityError {
    /// SHA-1 or weaker, which can be forged.
    #[error("has only a weak hash ({kind}); a SHA-512 pins it")]
    Weak {
        /// `sha1`, `md5`
        kind: String,
    },
    /// No hash that is known.
    #[error("has the integrity `{text}`, which is no SHA-512")]
    Unknown {
        /// Its beginning.
        text: String,
    },
}

impl Integrity {
    /// Of a digest.
    #[must_use]
    pub fn of(digest: &Sha512Digest) -> Self {
        Self { hex: digest.hex() }
    }

    /// 128 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl FromStr for Integrity {
    type Err = IntegrityError;

    /// The SHA-512 among several hashes with white space between.
    fn from_str(text: &str) -> Result<Self, IntegrityError> {
        let unknown = || IntegrityError::Unknown { text: clip(text) };
        let mut weak = None;
        for word in text.split_whitespace().take(16) {
            let (kind, rest) = word.split_once('-').ok_or_else(unknown)?;
            match kind {
                "sha512" => {
                    let base64 = rest.split('?').next().unwrap_or_default();
                    let bytes = STANDARD.decode(base64).ok().filter(|bytes| bytes.len() == 64).ok_or_else(unknown)?;
                    return Ok(Self { hex: selfsame_core::digest::hex(&bytes) });
                }
                "sha1" | "md5" => weak = Some(kind.to_owned()),
                _ => {}
            }
        }
        Err(weak.map_or_else(unknown, |kind| IntegrityError::Weak { kind }))
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = |at: usize| self.hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Vec<u8> = (0..self.hex.len()).step_by(2).filter_map(pair).collect();
        write!(f, "sha512-{}", STANDARD.encode(bytes))
    }
}

impl fmt::Debug for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strong_weak_and_none() {
        let strong = Integrity::of(&Sha512Digest::of(b"x"));
        let text = strong.to_string();
        assert_eq!(text.parse::<Integrity>().unwrap(), strong);
        assert_eq!(format!("sha1-abc= {text}?opt").parse::<Integrity>().unwrap(), strong);
        assert!(matches!("sha1-YWJj".parse::<Integrity>(), Err(IntegrityError::Weak { .. })));
        for text in ["", "sha512-", "sha512-YWJj", "x", "sha256-YWJj", "sha512-é"] {
            assert!(matches!(text.parse::<Integrity>(), Err(IntegrityError::Unknown { .. })), "{text}");
        }
    }
}
