//! Standard output that is an output: cargo's messages. It leaves the sandbox as it is written, so that what a program
//! inside does later cannot take it back.

use selfsame_store::{Store, StoreError};
use selfsame_tree::Entry;

/// The most that is kept: the messages of a thousand crates are a few megabytes.
const KEPT_BYTES: usize = 256 << 20;

#[derive(Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Kept {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > KEPT_BYTES {
            self.overflowed = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Stores its lines in the order of their bytes: cargo writes a message when a crate is done, and which of two that
    /// are compiled at once is done first is no fact about the build. A normaliser of profile 1.
    pub(crate) fn finish(self, store: &Store) -> Result<Entry, String> {
        if self.overflowed {
            return Err(format!("its standard output is longer than {KEPT_BYTES} bytes"));
        }
        let sorted = sorted_lines(&self.bytes);
        let digest = store.put_bytes(&sorted, false).map_err(|error: StoreError| error.to_string())?;
        Ok(Entry::file(digest, sorted.len() as u64, false))
    }
}

/// Every line with its newline; the last one gets one if it had none.
fn sorted_lines(bytes: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    let mut sorted = Vec::with_capacity(bytes.len() + 1);
    for line in lines {
        sorted.extend_from_slice(line);
        sorted.push(b'\n');
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::sorted_lines;

    #[test]
    fn who_was_done_first_does_not_count() {
        assert_eq!(sorted_lines(b"b\na\nc"), sorted_lines(b"c\nb\na\n"));
        assert_eq!(sorted_lines(b"b\na\n\nc"), b"a\nb\nc\n");
        assert_eq!(sorted_lines(b""), b"");
    }
}
