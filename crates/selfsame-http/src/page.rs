//! Web pages where artifacts should be.

/// How many bytes tell a page.
pub(crate) const BEGINNING_BYTES: u64 = 512;

/// A document that begins as HTML does, whatever its server calls it.
pub(crate) fn is_web_page(beginning: &[u8]) -> bool {
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning).trim_ascii_start();
    let begins = |words: &[u8]| text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
    begins(b"<!doctype html") || begins(b"<html")
}

#[cfg(test)]
mod tests {
    use super::is_web_page;

    #[test]
    fn pages_and_archives() {
        assert!(is_web_page(b"\xef\xbb\xbf\r\n <!DOCTYPE HTML><html>"));
        assert!(is_web_page(b"<html lang=en>"));
        assert!(!is_web_page(b"<?xml"));
        assert!(!is_web_page(b"\x1f\x8b"));
        assert!(!is_web_page(b""));
    }
}
