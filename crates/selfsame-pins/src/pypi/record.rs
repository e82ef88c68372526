//! `RECORD`: the files of a wheel with their hashes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selfsame_core::Digest;

use crate::error::PinsError;

const DOCUMENT: &str = "RECORD";
const LIMIT_BYTES: usize = 128 << 20;
const LIMIT_ENTRIES: usize = 500_000;

/// What a wheel says its files are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// By path in the wheel.
    pub entries: BTreeMap<String, RecordEntry>,
}

/// One file's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordEntry {
    /// Of the content; RECORD itself has none, nor have signatures of it.
    pub sha256: Option<Digest>,
    /// In bytes.
    pub size_bytes: Option<u64>,
}

impl Record {
    /// Parses `path,sha256=BASE64,size` lines (CSV).
    pub fn parse(bytes: &[u8]) -> Result<Self, PinsError> {
        PinsError::bound(DOCUMENT, bytes.len(), LIMIT_BYTES, "bytes")?;
        let text = std::str::from_utf8(bytes).map_err(|_| PinsError::syntax(DOCUMENT, "it is not UTF-8"))?;
        let mut record = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() {
                continue;
            }
            let fault = |fault: &str| PinsError::line(DOCUMENT, index + 1, fault);
            let (path, rest) = field(line).ok_or_else(|| fault("has a quotation that does not end"))?;
            let (hash, size) = rest.split_once(',').ok_or_else(|| fault("has not three fields"))?;
            let sha256 = match hash {
                "" => None,
                hash => Some(digest(hash).ok_or_else(|| fault("has a hash that is no SHA-256"))?),
            };
            let size_bytes = match size.trim() {
                "" => None,
                size => Some(size.parse().map_err(|_| fault("has a size that is no number"))?),
            };
            if record.entries.insert(path, RecordEntry { sha256, size_bytes }).is_some() {
                return Err(fault("names a file a second time"));
            }
            PinsError::bound(DOCUMENT, record.entries.len(), LIMIT_ENTRIES, "files")?;
        }
        Ok(record)
    }
}

/// The first field of a line, and what stands behind its comma.
fn field(line: &str) -> Option<(String, &str)> {
    let Some(mut rest) = line.strip_prefix('"') else {
        let (path, rest) = line.split_once(',').unwrap_or((line, ""));
        return Some((path.to_owned(), rest));
    };
    let mut path = String::new();
    loop {
        let (part, behind) = rest.split_once('"')?;
        path.push_str(part);
        match behind.strip_prefix('"') {
            Some(behind) => {
                path.push('"');
                rest = behind;
            }
            None => return Some((path, behind.strip_prefix(',')?)),
        }
    }
}

fn digest(hash: &str) -> Option<Digest> {
    let bytes = URL_SAFE_NO_PAD.decode(hash.strip_prefix("sha256=")?.trim_end_matches('=')).ok()?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SHA-256 of nothing.
    const NOTHING: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn reads_what_pip_writes() {
        let text = format!("a/__init__.py,{NOTHING},0\r\n\"a/b,\"\"c\"\".py\",{NOTHING},\na-1.dist-info/RECORD,,\n");
        let record = Record::parse(text.as_bytes()).unwrap();
        assert_eq!(record.entries.len(), 3);
        assert_eq!(record.entries["a/__init__.py"].sha256, Some(Digest::of(b"")));
        assert_eq!(record.entries["a/b,\"c\".py"].size_bytes, None);
        assert_eq!(record.entries["a-1.dist-info/RECORD"].sha256, None);
    }

    #[test]
    fn what_is_no_record() {
        for (text, because) in [
            ("a", "three fields"),
            ("a,md5=abc,1", "no SHA-256"),
            ("a,sha256=abc,1", "no SHA-256"),
            ("a,,x", "no number"),
            ("a,,\na,,", "second time"),
            ("\"a,,", "does not end"),
        ] {
            let error = Record::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a\",=0-9\\n]{0,80}") {
            let _ = Record::parse(text.as_bytes());
        }
    }
}
