//! Digests that stand in a text, whatever the text is.

use selfsame_core::Digest;

const PREFIX: &[u8] = b"sha256:";

/// Every `sha256:` with 64 hex digits behind it, in the text's order.
pub(crate) fn mentioned(text: &[u8]) -> impl Iterator<Item = Digest> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let at = rest.windows(PREFIX.len()).position(|window| window == PREFIX)?;
            rest = &rest[at + PREFIX.len()..];
            let digest = rest.get(..64).and_then(|hex| Digest::from_hex(std::str::from_utf8(hex).ok()?).ok());
            if digest.is_some() {
                return digest;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_digests_only() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let text = format!("x {a}{b} sha256:sha256:{}, sha256:{}", a.hex(), &b.hex()[..63]);
        assert_eq!(mentioned(text.as_bytes()).collect::<Vec<_>>(), [a, b, a]);
        assert_eq!(mentioned(b"sha256").count(), 0);
    }
}
