//! The text form of keys: one PEM block (RFC 7468), optionally below a line that names the builder.
//!
//! ```text
//! selfsame-builder-id: https://example.com/builders/release
//! -----BEGIN PUBLIC KEY-----
//! MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE...
//! -----END PUBLIC KEY-----
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::zeroize::Zeroizing;

use crate::text;

/// What the header line begins with.
pub const BUILDER_ID_HEADER: &str = "selfsame-builder-id:";

/// The largest key file, in bytes.
pub const MOST_BYTES: usize = 64 << 10;

/// A text that is wiped when it is dropped.
pub type Secret = Zeroizing<String>;

/// The bytes of the one `PRIVATE KEY` block of a file, whatever key they are.
pub fn private_block(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, PemError> {
    parse(file, "PRIVATE KEY").map(|block| block.der)
}

/// A file with one block.
#[must_use]
pub fn print_block(label: &str, der: &[u8]) -> Secret {
    print(label, der, None)
}

/// The label of a file's first block, if it has one: what [`parse`] would have to be asked for.
#[must_use]
pub fn label(file: &[u8]) -> Option<&str> {
    let file = std::str::from_utf8(&file[..file.len().min(MOST_BYTES)]).ok()?;
    file.lines().find_map(|line| line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

/// A parsed file: the block's bytes and the builder that it names. Wiped when dropped.
pub struct Block {
    /// What the block holds.
    pub der: Zeroizing<Vec<u8>>,
    /// The URI of the line before the block.
    pub builder_id: Option<String>,
}

/// Parses a file that holds exactly one block, with this label.
pub fn parse(file: &[u8], label: &'static str) -> Result<Block, PemError> {
    if file.len() > MOST_BYTES {
        return Err(PemError::TooLarge { size_bytes: file.len() });
    }
    let file = std::str::from_utf8(file).map_err(|_| PemError::NotText)?;
    let mut builder_id = None;
    let mut lines = file.lines().map(str::trim_end);
    let found = loop {
        let Some(line) = lines.next() else {
            return Err(if file.trim().is_empty() { PemError::Empty } else { PemError::NoBlock });
        };
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            break label;
        } else if let Some(id) = line.strip_prefix(BUILDER_ID_HEADER) {
            let id = id.trim();
            if !text::is_uri(id) {
                return Err(PemError::BuilderId { found: text::quote(id) });
            }
            if builder_id.replace(id.to_owned()).is_some() {
                return Err(PemError::BuilderIdTwice);
            }
        } else if !line.is_empty() {
            return Err(PemError::StrangeLine { line: strange(line) });
        }
    };
    if found != label {
        return Err(PemError::Label { wanted: label, found: text::quote(found) });
    }
    let end = format!("-----END {label}-----");
    let mut body = Zeroizing::new(String::new());
    loop {
        match lines.next() {
            None => return Err(PemError::NoEnd { label }),
            Some(line) if line == end => break,
            Some(line) => body.push_str(line),
        }
    }
    if lines.any(|line| !line.is_empty()) {
        return Err(PemError::BehindBlock);
    }
    let der = STANDARD.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| PemError::Base64 { label })?;
    Ok(Block { der, builder_id })
}

/// Prints a file that [`parse`] reads: the header line if there is a builder, then the block in lines of 64.
#[must_use]
pub fn print(label: &str, der: &[u8], builder_id: Option<&str>) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut file = Zeroizing::new(String::with_capacity(body.len() * 2 + 256));
    if let Some(id) = builder_id {
        file.push_str(BUILDER_ID_HEADER);
        file.push(' ');
        file.push_str(id);
        file.push('\n');
    }
    file.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in body.as_bytes().chunks(64) {
        file.extend(line.iter().map(|&digit| char::from(digit)));
        file.push('\n');
    }
    file.push_str(&format!("-----END {label}-----\n"));
    file
}

/// The beginning of a line that should not be there. Only a word of it: the file may be a secret without its frame.
fn strange(line: &str) -> String {
    text::quote(&line.chars().take(12).collect::<String>())
}

/// Why a text is not one key block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Nothing in it.
    #[error("the key file is empty")]
    Empty,
    /// Larger than any key.
    #[error("the key file has {size_bytes} bytes; at most {MOST_BYTES} are read")]
    TooLarge {
        /// Its length.
        size_bytes: usize,
    },
    /// Not UTF-8: DER perhaps.
    #[error("the key file is not text; a PEM file is wanted")]
    NotText,
    /// No `-----BEGIN` line.
    #[error("the key file has no `-----BEGIN ...-----` line")]
    NoBlock,
    /// A line before the block that is neither empty nor the builder id.
    #[error(
        "the key file has a line before its block that begins `{line}`; only `{BUILDER_ID_HEADER} URI` may stand there"
    )]
    StrangeLine {
        /// Its first letters.
        line: String,
    },
    /// The builder id is not a URI.
    #[error("`{BUILDER_ID_HEADER}` names `{found}`, which is not a URI")]
    BuilderId {
        /// What stands there.
        found: String,
    },
    /// Two builder ids.
    #[error("the key file has two `{BUILDER_ID_HEADER}` lines")]
    BuilderIdTwice,
    /// Another kind of block.
    #[error("the key file holds a `{found}` block; a `{wanted}` block is wanted")]
    Label {
        /// The label that was looked for.
        wanted: &'static str,
        /// The label that stands there.
        found: String,
    },
    /// No `-----END` line.
    #[error("the `{label}` block has no end line")]
    NoEnd {
        /// Its label.
        label: &'static str,
    },
    /// Something behind the block: a second block, a chain.
    #[error("the key file holds something behind its block; exactly one key is wanted")]
    BehindBlock,
    /// The block is not base64.
    #[error("the `{label}` block is not padded base64")]
    Base64 {
        /// Its label.
        label: &'static str,
    },
}
