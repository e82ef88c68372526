//! What `apt-get --print-uris` prints: one file a line.

use selfsame_core::Digest;

/// One file that apt would download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AptUri {
    /// Where apt would have it from.
    pub uri: String,
    /// `gcc_4%3a12.2.0-3_amd64.deb`: what apt would call it.
    pub file_name: String,
    /// In bytes, by the signed list.
    pub size: u64,
    /// By the signed list.
    pub sha256: Digest,
}

/// The files of `apt-get --print-uris` with `Acquire::ForceHash=SHA256`: `'URI' NAME SIZE SHA256:HEX`. Lines that apt
/// prints for people are passed over; the text of a line that begins as one of these and is none comes back as the
/// error.
pub fn parse_uris(text: &str) -> Result<Vec<AptUri>, String> {
    let lines = text.lines().filter(|line| line.starts_with('\''));
    lines.map(|line| parse_line(line).ok_or_else(|| line.chars().take(256).collect())).collect()
}

fn parse_line(line: &str) -> Option<AptUri> {
    let (uri, rest) = line.strip_prefix('\'')?.split_once('\'')?;
    let mut words = rest.split_ascii_whitespace();
    let (file_name, size, hash) = (words.next()?, words.next()?, words.next()?);
    let sha256 = hash.strip_prefix("SHA256:")?;
    let plain = !file_name.contains('/') && words.next().is_none() && !uri.is_empty();
    let sha256 = format!("sha256:{sha256}").parse().ok()?;
    plain.then_some(AptUri { uri: uri.to_owned(), file_name: file_name.to_owned(), size: size.parse().ok()?, sha256 })
}
