//! The two dialects of INI that pip and npm read.

use crate::error::PinsError;

const LIMIT_BYTES: usize = 1 << 20;

/// Lines `key = value` with their section, in order; the section is empty before the first.
pub type Entries = Vec<(String, String, String)>;

/// The dialect of Python's configparser: `key = value` or `key: value`, values go on in lines that are indented, `#` and
/// `;` begin a comment line.
pub fn python(document: &'static str, text: &str) -> Result<Entries, PinsError> {
    PinsError::bound(document, text.len(), LIMIT_BYTES, "bytes")?;
    let mut entries = Entries::new();
    let mut section = String::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) && open {
            if let Some((.., value)) = entries.last_mut() {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[') {
            let name = name.strip_suffix(']');
            let fault = || PinsError::line(document, index + 1, "begins a section that does not end");
            name.ok_or_else(fault)?.clone_into(&mut section);
            open = false;
            continue;
        }
        let Some(at) = trimmed.find(['=', ':']) else {
            return Err(PinsError::line(document, index + 1, "is neither a section nor `key = value`"));
        };
        entries.push((section.clone(), trimmed[..at].trim().to_owned(), trimmed[at + 1..].trim().to_owned()));
        open = true;
    }
    Ok(entries)
}

/// npm's dialect: `key = value` or a bare key, which is true; values may be quoted; `#` and `;` begin a comment line.
pub fn npm(document: &'static str, text: &str) -> Result<Entries, PinsError> {
    PinsError::bound(document, text.len(), LIMIT_BYTES, "bytes")?;
    let mut entries = Entries::new();
    let mut section = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = trimmed.split_once('=').unwrap_or((trimmed, "true"));
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        entries.push((section.clone(), key.trim().to_owned(), quoted.unwrap_or(value).to_owned()));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(section: &str, key: &str, value: &str) -> (String, String, String) {
        (section.to_owned(), key.to_owned(), value.to_owned())
    }

    #[test]
    fn python_reads_continued_values() {
        let text = "# c\n[global]\nindex-url = https://a.example/simple\nextra-index-url:\n    https://b.example\n    https://c.example\n\n[install]\nx=1\n";
        assert_eq!(
            python("pip.conf", text).unwrap(),
            [
                entry("global", "index-url", "https://a.example/simple"),
                entry("global", "extra-index-url", "\nhttps://b.example\nhttps://c.example"),
                entry("install", "x", "1"),
            ]
        );
        for (text, because) in [("[x", "line 1"), ("\nword", "line 2")] {
            assert!(python("pip.conf", text).unwrap_err().to_string().contains(because));
        }
    }

    #[test]
    fn npm_reads_quotes_and_bare_keys() {
        let text = "; c\nregistry=https://a.example/\n//a.example/:_authToken = \"t=x\"\nstrict-ssl\n";
        assert_eq!(
            npm(".npmrc", text).unwrap(),
            [
                entry("", "registry", "https://a.example/"),
                entry("", "//a.example/:_authToken", "t=x"),
                entry("", "strict-ssl", "true"),
            ]
        );
        assert!(npm(".npmrc", &"x".repeat(2 << 20)).is_err());
    }
}
