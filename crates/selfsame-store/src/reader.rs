//! Reading a blob with its digest checked on the way.

use std::fs::File;
use std::io::{self, Read};

use selfsame_core::{Digest, Hasher};

use crate::{Store, StoreError, sys};

/// A blob's bytes in order. The last read, the one that finds the end, fails with [`io::ErrorKind::InvalidData`] if
/// the bytes were not the ones that the name promises; the error's source is the [`StoreError`] that says so. Whoever
/// stops earlier has checked nothing.
#[derive(Debug)]
pub struct BlobReader<'a> {
    store: &'a Store,
    digest: Digest,
    executable: bool,
    file: File,
    size_bytes: u64,
    hasher: Option<Hasher>,
}

impl<'a> BlobReader<'a> {
    pub(crate) fn new(store: &'a Store, digest: Digest, executable: bool, file: File, size_bytes: u64) -> Self {
        Self { store, digest, executable, file, size_bytes, hasher: Some(Hasher::new()) }
    }

    /// The blob's name.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bytes its file has.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Notes that the blob was wanted now, for collectors that keep what was used lately. The time of its last change
    /// says so: what actions see of a file, its modification and access times among it, stays as it is.
    pub(crate) fn mark_used(&self) {
        // Not being allowed to is no reason to refuse the blob.
        let _ = sys::mark_used(&self.file);
    }

    /// Reads what is left and checks it, without keeping the bytes.
    pub fn verify(mut self) -> Result<u64, StoreError> {
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return Ok(self.size_bytes),
                Ok(_) => {}
                Err(error) => return Err(self.store_error(error)),
            }
        }
    }

    /// A read error as the store's own.
    pub(crate) fn store_error(&self, error: io::Error) -> StoreError {
        match error.downcast::<StoreError>() {
            Ok(ours) => ours,
            Err(error) => StoreError::io("read", &self.store.blob_file(&self.digest, self.executable), error),
        }
    }

    fn end(&mut self) -> io::Result<usize> {
        let Some(hasher) = self.hasher.take() else { return Ok(0) };
        let (found, size_bytes) = hasher.finish();
        if found == self.digest {
            self.store.trusted().insert((self.digest, self.executable));
            return Ok(0);
        }
        let error = StoreError::Corrupt { digest: self.digest, size_bytes, found };
        self.store.discard_corrupt(&self.digest, self.executable);
        Err(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if read == 0 {
            return self.end();
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}
