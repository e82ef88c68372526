//! Signed notes (C2SP signed-note): a text, and lines that sign it.

use std::fmt;

use selfsame_attest::text::quote;

use crate::base64;

/// The largest note that is read, in bytes.
pub const MOST_NOTE_BYTES: usize = 64 << 10;

/// The most signatures of a note that are read. The specification asks for 16 at least.
pub const MOST_SIGNATURES: usize = 64;

/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// A text that ends with a newline, and who signed it.
///
/// ```text
/// log.example/releases
/// 4
/// CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
///
/// — log.example/releases Az3grlgtzPICa5OS...
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    /// One or more.
    pub signatures: Vec<NoteSignature>,
}

/// One line below the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Whose it says it is.
    pub name: String,
    /// The first four bytes of the key's id, which tell two keys of one name apart.
    pub key_hash: [u8; 4],
    /// As the key's algorithm has it.
    pub signature: Vec<u8>,
}

impl Note {
    /// A note by one key.
    ///
    /// # Panics
    /// If the text does not end with a newline: a checkpoint's does.
    #[must_use]
    pub fn new(text: String, signature: NoteSignature) -> Self {
        assert!(text.ends_with('\n'), "a note's text ends with a newline");
        Self { text, signatures: vec![signature] }
    }

    /// Parses a note: UTF-8, no control character but the newline, an empty line, one signature or more.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MOST_NOTE_BYTES {
            return Err(NoteError::TooLarge { size_bytes: bytes.len() });
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotText)?;
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::Control);
        }
        // The last empty line: the text itself may have others.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoNewline)?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MOST_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            let signature = NoteSignature::parse(line).ok_or_else(|| NoteError::Line { line: quote(line) })?;
            signatures.push(signature);
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// What is signed, its last newline included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = base64::decode(encoded)?;
        let (key_hash, signature) = bytes.split_first_chunk::<4>()?;
        let fine = is_key_name(name) && !signature.is_empty();
        fine.then(|| Self { name: name.to_owned(), key_hash: *key_hash, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_hash[..], &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, base64::encode(&bytes))
    }
}

/// Whether a text can name a key: not empty, not too long, no space of any kind, no plus, no control character.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !name.is_empty() && name.len() <= 255 && name.chars().all(fits)
}

/// Why bytes are not a signed note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Larger than any checkpoint.
    #[error("the note has {size_bytes} bytes; at most {MOST_NOTE_BYTES} are read")]
    TooLarge {
        /// Its length.
        size_bytes: usize,
    },
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotText,
    /// A control character.
    #[error("the note holds a control character")]
    Control,
    /// No empty line, so no signature.
    #[error("the note has no signatures: an empty line parts them from the text")]
    NoSignatures,
    /// The last line does not end.
    #[error("the note does not end with a newline")]
    NoNewline,
    /// A line below the text that is no signature.
    #[error("the note's line `{line}` is not a signature")]
    Line {
        /// The line.
        line: String,
    },
    /// More than are read.
    #[error("the note has more than {MOST_SIGNATURES} signatures")]
    TooManySignatures,
}
