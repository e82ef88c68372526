//! An action's log: shown as it comes, kept whole in the store, its last lines at hand for an error.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use selfsame_core::Digest;
use selfsame_store::{Store, StoreError};

/// Sees each line of an action's output as it comes, without its newline, control characters made visible.
pub trait LogSink {
    /// One line.
    fn line(&self, action: &str, line: &str);
}

/// How many lines an error shows.
const LAST_LINES: usize = 20;
/// The longest line that is shown; the log in the store has it whole.
const LINE_BYTES: usize = 4096;
/// The longest log that is kept. What comes behind is shown, counted and forgotten.
const LOG_BYTES: u64 = 1 << 30;

pub(crate) struct Log<'a> {
    action: &'a str,
    sink: &'a dyn LogSink,
    file: File,
    left_bytes: u64,
    forgotten_bytes: u64,
    pending: Vec<u8>,
    last: VecDeque<String>,
    failed: Option<io::Error>,
}

impl<'a> Log<'a> {
    pub(crate) fn new(action: &'a str, sink: &'a dyn LogSink, scratch: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(scratch)?;
        Ok(Self {
            action,
            sink,
            file,
            left_bytes: LOG_BYTES,
            forgotten_bytes: 0,
            pending: Vec::new(),
            last: VecDeque::new(),
            failed: None,
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(usize::try_from(self.left_bytes).unwrap_or(usize::MAX));
        if let Err(error) = self.file.write_all(&bytes[..kept]) {
            self.failed.get_or_insert(error);
        }
        self.left_bytes -= kept as u64;
        self.forgotten_bytes += (bytes.len() - kept) as u64;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(self.pending.len());
            self.pending.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Stores the log and gives its digest and last lines.
    pub(crate) fn finish(mut self, store: &Store) -> Result<(Digest, Vec<String>), LogError> {
        if !self.pending.is_empty() {
            self.end_line();
        }
        if self.forgotten_bytes > 0 {
            let told = format!("\nselfsame: {} more bytes were written and are not kept\n", self.forgotten_bytes);
            if let Err(error) = self.file.write_all(told.as_bytes()) {
                self.failed.get_or_insert(error);
            }
        }
        if let Some(error) = self.failed {
            return Err(LogError::Io(error));
        }
        self.file.rewind().map_err(LogError::Io)?;
        let (digest, _) = store.put(&mut self.file, false).map_err(LogError::Store)?;
        Ok((digest, self.last.into()))
    }

    fn end_line(&mut self) {
        let line = visible(self.pending.strip_suffix(b"\n").unwrap_or(&self.pending));
        self.pending.clear();
        self.sink.line(self.action, &line);
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

pub(crate) enum LogError {
    Io(io::Error),
    Store(StoreError),
}

impl std::fmt::Display for LogError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the log could not be kept: {error}"),
            Self::Store(error) => write!(f, "the log could not be stored: {error}"),
        }
    }
}

/// A command may print what moves cursors and sets titles; the terminal gets none of it.
fn visible(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    let shown = |c: char| if c == '\t' || !c.is_control() { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Silent;

    impl LogSink for Silent {
        fn line(&self, _: &str, _: &str) {}
    }

    #[test]
    fn a_flood_fills_no_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut log = Log::new("flood", &Silent, folder.path()).unwrap();
        log.left_bytes = 5;
        log.write(b"abc\ndefg");
        log.write(b"h\n");
        let Ok((digest, last)) = log.finish(&store) else { panic!("the log is lost") };
        let kept = store.read_blob(&digest, 1000).unwrap();
        assert_eq!(kept, b"abc\nd\nselfsame: 5 more bytes were written and are not kept\n");
        assert_eq!(last, ["abc", "defgh"], "the end is what explains a failure");
    }

    #[test]
    fn escapes_reach_nobody() {
        assert_eq!(visible(b"a\tb\x1b[2Jc\r"), "a\tb\\u{1b}[2Jc");
        assert_eq!(visible(b"\xff\x07"), "\u{fffd}\\u{7}");
    }
}
