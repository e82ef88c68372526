//! Which files answer what a file of a source pins, as other machines may find it. docs/store/shared.md.
//!
//! Whoever may write to the shared store may write anything here: what is named is checked against the pins by whoever
//! uses it.

use selfsame_core::Digest;
use selfsame_core::json::{self, Limits};
use serde::{Deserialize, Serialize};

/// The largest such document.
pub(crate) const PINS_BYTES: u64 = 32 << 20;
const VERSION: u32 = 1;

/// A file that answers a pin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptPin {
    /// Its package URL.
    pub purl: String,
    /// Which of a package's files it is, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Its content.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

/// The files for all pins of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptPins {
    files: Vec<KeptPin>,
    /// What is pinned, in one digest.
    pins: Digest,
    version: u32,
}

impl KeptPins {
    /// The files that answer `pins`, in any order.
    #[must_use]
    pub fn new(pins: Digest, mut files: Vec<KeptPin>) -> Self {
        files.sort_unstable();
        files.dedup();
        Self { files, pins, version: VERSION }
    }

    /// The files, sorted.
    #[must_use]
    pub fn files(&self) -> &[KeptPin] {
        &self.files
    }

    /// The digest that it is found by.
    #[must_use]
    pub const fn key(&self) -> &Digest {
        &self.pins
    }

    pub(crate) fn parse(bytes: &[u8], pins: &Digest) -> Option<Self> {
        let limits = Limits { size_bytes: PINS_BYTES as usize, values: 2_000_000 };
        let found = json::parse_as::<Self>(bytes, limits).ok()?;
        (found.version == VERSION && found.pins == *pins).then_some(found)
    }

    /// Canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_one_of_its_page() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let file = |purl: &str, role: Option<&str>| KeptPin {
            purl: purl.to_owned(),
            role: role.map(str::to_owned),
            sha256: digest(purl),
            size: 3,
        };
        let pins = digest("pins");
        let (zip, tgz) = (file("pkg:golang/a.example/b@v1.0.0", Some("zip")), file("pkg:npm/a@1.0.0", None));
        let document = KeptPins::new(pins, vec![tgz.clone(), zip.clone(), tgz.clone()]);
        assert_eq!(document.files(), [zip.clone(), tgz.clone()]);
        let bytes = document.to_bytes();
        let text = format!(
            "{{\"files\":[{{\"purl\":\"{}\",\"role\":\"zip\",\"sha256\":\"{}\",\"size\":3}},\
             {{\"purl\":\"{}\",\"sha256\":\"{}\",\"size\":3}}],\"pins\":\"{pins}\",\"version\":1}}",
            zip.purl, zip.sha256, tgz.purl, tgz.sha256
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
        assert_eq!(KeptPins::parse(&bytes, &pins), Some(document));
        assert_eq!(KeptPins::parse(&bytes, &zip.sha256), None, "of other pins");
        assert_eq!(KeptPins::parse(text.replace("\"version\":1", "\"version\":2").as_bytes(), &pins), None);
        assert_eq!(KeptPins::parse(b"{", &pins), None);
    }
}
