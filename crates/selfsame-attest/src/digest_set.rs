//! in-toto digest sets: algorithm name to lowercase hex.

use std::collections::BTreeMap;

use selfsame_core::Digest;
use selfsame_core::digest::hex;

/// `{"sha256": "<64 lowercase hex digits>", ...}`.
///
/// Keeps what it read. An entry counts only when it is looked up under its exact algorithm name and is written in
/// lowercase hex of the algorithm's length (in-toto digest_set.md); `SHA256`, `sha256:...` and upper case never count.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct DigestSet(BTreeMap<String, String>);

impl DigestSet {
    /// The most algorithms that a set from outside may name.
    pub const MOST_ALGORITHMS: usize = 32;

    /// A set of one SHA-256.
    #[must_use]
    pub fn sha256_of(digest: Digest) -> Self {
        Self(BTreeMap::from([("sha256".to_owned(), digest.hex())]))
    }

    /// A set of one git object id (40 hex digits for SHA-1 repositories, 64 for SHA-256 ones), under `algorithm`:
    /// `gitCommit`, `gitTree`, `gitBlob` or `gitTag`.
    #[must_use]
    pub fn git(algorithm: &str, object_id: &str) -> Self {
        Self(BTreeMap::from([(algorithm.to_owned(), object_id.to_owned())]))
    }

    /// This set with one more algorithm.
    #[must_use]
    pub fn with(mut self, algorithm: &str, bytes: &[u8]) -> Self {
        self.0.insert(algorithm.to_owned(), hex(bytes));
        self
    }

    /// The SHA-256, if there is a well-formed one under exactly that name.
    #[must_use]
    pub fn sha256(&self) -> Option<Digest> {
        Digest::from_hex(self.0.get("sha256")?).ok()
    }

    /// The git commit id, if there is a well-formed one.
    #[must_use]
    pub fn git_commit(&self) -> Option<&str> {
        let text = self.0.get("gitCommit")?;
        let digits = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (digits && matches!(text.len(), 40 | 64)).then_some(text)
    }

    /// Algorithm names and texts as they were read.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Whether no algorithm is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many algorithms are named.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Digest> for DigestSet {
    fn from(digest: Digest) -> Self {
        Self::sha256_of(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lowercase_hex_under_the_exact_name_counts() {
        let digest = Digest::of(b"image");
        assert_eq!(DigestSet::from(digest).sha256(), Some(digest));
        for (name, text) in [
            ("SHA256", digest.hex()),
            ("sha512", digest.hex()),
            ("gitCommit", digest.hex()),
            ("sha256", digest.to_string()),
            ("sha256", digest.hex().to_uppercase()),
            ("sha256", digest.hex()[..63].to_owned()),
            ("sha256", format!("{} ", digest.hex())),
        ] {
            let set = DigestSet(BTreeMap::from([(name.to_owned(), text.clone())]));
            assert_eq!(set.sha256(), None, "{name} {text}");
        }
    }
}
