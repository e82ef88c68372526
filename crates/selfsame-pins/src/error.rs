//! Why a document of another ecosystem is refused.

/// The most characters of a stranger's text that a message repeats.
const SHOWN: usize = 120;

/// A document that cannot be read, or that pins less than it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinsError {
    /// Not of its format at all.
    #[error("{document} cannot be read: {message}")]
    Syntax {
        /// `package-lock.json`, `uv.lock`, ...
        document: &'static str,
        /// What the parser said.
        message: String,
    },
    /// A line that is refused.
    #[error("line {line} of the {document} {fault}")]
    Line {
        /// `requirements file`, `go.sum`, ...
        document: &'static str,
        /// Counted from one.
        line: usize,
        /// The rest of the sentence.
        fault: String,
    },
    /// An entry that is refused by its name.
    #[error("`{entry}` in {document} {fault}")]
    Entry {
        /// `package-lock.json`, `uv.lock`, ...
        document: &'static str,
        /// The package, file or key.
        entry: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// Larger, deeper or more than is read.
    #[error("{document} {bound}")]
    Bound {
        /// As above.
        document: &'static str,
        /// The rest of the sentence.
        bound: String,
    },
}

impl PinsError {
    pub(crate) fn syntax(document: &'static str, message: impl AsRef<str>) -> Self {
        Self::Syntax { document, message: clip(message.as_ref()) }
    }

    pub(crate) fn line(document: &'static str, line: usize, fault: impl AsRef<str>) -> Self {
        Self::Line { document, line, fault: clip(fault.as_ref()) }
    }

    pub(crate) fn entry(document: &'static str, entry: &str, fault: impl AsRef<str>) -> Self {
        Self::Entry { document, entry: clip(entry), fault: clip(fault.as_ref()) }
    }

    /// Refuses what has more than `limit` of something.
    pub(crate) fn bound(
        document: &'static str,
        count: usize,
        limit: usize,
        what: &'static str,
    ) -> Result<(), PinsError> {
        if count <= limit {
            return Ok(());
        }
        Err(Self::Bound { document, bound: format!("has more than {limit} {what}") })
    }
}

/// A stranger's text for a message: short, and without what moves a cursor.
pub(crate) fn clip(text: &str) -> String {
    let mut clipped: String =
        text.chars().take(SHOWN * 2).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN * 2).is_some() {
        clipped.push('…');
    }
    clipped
}
