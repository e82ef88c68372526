//! Base64 in both alphabets when reading, the standard one when writing (DSSE envelope.md, "Base64 encoding").

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Standard alphabet with padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Either alphabet, not a mix; right padding, no white space, no bits left over.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    // What is in neither of the two characters that differ is the same in both.
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_one_content_in_each_alphabet() {
        assert_eq!(decode("+/+/"), decode("-_-_"));
        assert_eq!(decode("AQ=="), Some(vec![1]));
        assert_eq!(decode(""), Some(Vec::new()));
        for wrong in ["AQ", "AQ=", "AQ===", "AR==", "A Q==", "AQ==\n", "+_+/", "AQ==AQ==", "\u{ff21}Q=="] {
            assert_eq!(decode(wrong), None, "{wrong:?}");
        }
    }
}
