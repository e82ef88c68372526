//! Standard output that is an output: cargo's messages. It leaves the sandbox as it is written, so that what a program
//! inside does later cannot change it.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use selfsame_store::{Store, StoreError};
use selfsame_tree::Entry;

pub(crate) struct Kept {
    file: File,
    left_bytes: u64,
    failed: Option<io::Error>,
}

impl Kept {
    /// Keeps at most `limit_bytes`; more is an error.
    pub(crate) fn new(scratch: &Path, limit_bytes: u64) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(scratch)?, left_bytes: limit_bytes, failed: None })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let written = match self.left_bytes.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left_bytes = left;
                self.file.write_all(bytes)
            }
            None => Err(io::Error::other("its standard output is longer than its scratch space")),
        };
        self.failed = written.err();
    }

    /// Stores it.
    pub(crate) fn finish(mut self, store: &Store) -> Result<Entry, String> {
        if let Some(error) = self.failed {
            return Err(error.to_string());
        }
        self.file.rewind().map_err(|error| error.to_string())?;
        let (digest, size) = store.put(&mut self.file, false).map_err(|error: StoreError| error.to_string())?;
        Ok(Entry::file(digest, size, false))
    }
}
