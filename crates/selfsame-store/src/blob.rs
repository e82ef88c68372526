//! Blobs: bytes under the name of their SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use selfsame_core::profile::INPUT_MTIME_SECS;
use selfsame_core::{Digest, Hasher};

use crate::scratch::Temporary;
use crate::{BlobReader, Store, StoreError, parallel, sys};

/// Files up to this size are read whole, so that one already stored costs no write.
const IN_MEMORY_BYTES: u64 = 4 << 20;
const BUFFER_BYTES: usize = 256 * 1024;

impl Store {
    /// Stores all that `reader` gives, hashing while writing, and says its digest and size.
    ///
    /// The bytes go to a temporary file, which gets its name only when they are complete. A blob that is there already
    /// stays as it is, unless its size shows that it is damaged.
    pub fn put(&self, reader: &mut dyn Read, executable: bool) -> Result<(Digest, u64), StoreError> {
        let (temporary, file, digest, size) = self.receive(reader)?;
        self.place(&temporary, file, &digest, size, executable)?;
        Ok((digest, size))
    }

    /// Stores the bytes that `reader` should give. Other ones are discarded and refused.
    ///
    /// Where a blob of that name and size is stored, `reader` is not read at all.
    pub fn put_expecting(
        &self,
        reader: &mut dyn Read,
        digest: &Digest,
        size: u64,
        executable: bool,
    ) -> Result<(), StoreError> {
        if self.file_size(digest, executable)? == Some(size) {
            return Ok(());
        }
        let (temporary, file, found, found_bytes) = self.receive(&mut reader.take(size.saturating_add(1)))?;
        if (found, found_bytes) != (*digest, size) {
            return Err(StoreError::Unexpected { expected: *digest, expected_bytes: size, found, found_bytes });
        }
        self.place(&temporary, file, digest, size, executable)
    }

    /// Stores bytes in memory.
    pub fn put_bytes(&self, bytes: &[u8], executable: bool) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.put_known(bytes, &digest, executable)?;
        Ok(digest)
    }

    /// Stores a regular file's content. Refuses links, devices and FIFOs, and a file that changes meanwhile.
    pub fn put_file(&self, path: &Path, executable: bool) -> Result<(Digest, u64), StoreError> {
        let failed = |error: io::Error| StoreError::io("read", path, error);
        let mut file = open_regular(path)?;
        let before = file.metadata().map_err(failed)?;
        let unchanged = |file: &File, read: u64| {
            let after = file.metadata().map_err(failed)?;
            let stamp = |m: &std::fs::Metadata| (m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec(), m.len());
            if stamp(&before) == stamp(&after) && read == before.len() {
                return Ok(());
            }
            Err(StoreError::Changing { path: path.to_owned() })
        };
        if before.len() <= IN_MEMORY_BYTES {
            let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1);
            (&file).take(IN_MEMORY_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
            unchanged(&file, bytes.len() as u64)?;
            let digest = Digest::of(&bytes);
            self.put_known(&bytes, &digest, executable)?;
            return Ok((digest, before.len()));
        }
        let (digest, size) = Hasher::of_reader(&file).map_err(failed)?;
        unchanged(&file, size)?;
        if self.file_size(&digest, executable)? == Some(size) {
            return Ok((digest, size));
        }
        io::Seek::rewind(&mut file).map_err(failed)?;
        let (temporary, copy, copied, copied_bytes) = self.receive_file(&file, path)?;
        if (copied, copied_bytes) != (digest, size) {
            return Err(StoreError::Changing { path: path.to_owned() });
        }
        self.place(&temporary, copy, &digest, size, executable)?;
        Ok((digest, size))
    }

    /// Stores many files on all cores: digest and size of each, in the order given. Stops at the first failure.
    pub fn put_files(&self, files: &[(PathBuf, bool)]) -> Result<Vec<(Digest, u64)>, StoreError> {
        parallel::try_map(files, |(path, executable)| self.put_file(path, *executable))
    }

    /// Whether a blob of this name is there, as a plain file or as the executable twin. Says nothing about its bytes.
    #[must_use]
    pub fn has(&self, digest: &Digest) -> bool {
        matches!(self.blob_size(digest), Ok(Some(_)))
    }

    /// The size of a blob's file, if it is there.
    pub fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        match self.file_size(digest, false)? {
            None => self.file_size(digest, true),
            size => Ok(size),
        }
    }

    /// Opens a blob for reading; its digest is checked at the end.
    pub fn open_blob(&self, digest: &Digest) -> Result<BlobReader<'_>, StoreError> {
        for executable in [false, true] {
            if let Some(reader) = self.open_twin(digest, executable)? {
                reader.mark_used();
                return Ok(reader);
            }
        }
        Err(StoreError::Absent { digest: *digest })
    }

    /// A blob of at most `limit_bytes`, checked.
    pub fn read_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let mut reader = self.open_blob(digest)?;
        let size_bytes = reader.size_bytes();
        if size_bytes > limit_bytes {
            return Err(StoreError::TooLarge { digest: *digest, size_bytes, limit_bytes });
        }
        // One byte more than announced, so that a file which grows cannot fill the memory and is still seen to differ.
        let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0) + 1);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(bytes),
                Ok(read) if bytes.len() as u64 + read as u64 > limit_bytes => {
                    return Err(StoreError::TooLarge { digest: *digest, size_bytes, limit_bytes });
                }
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) => return Err(reader.store_error(error)),
            }
        }
    }

    /// The path of a blob's file with mode 0644 or 0755; made from its twin if only that one exists. The bytes of a
    /// new twin are checked, those of an existing file are not.
    pub fn blob_path(&self, digest: &Digest, executable: bool) -> Result<Option<PathBuf>, StoreError> {
        if self.file_size(digest, executable)?.is_some() {
            return Ok(Some(self.blob_file(digest, executable)));
        }
        let Some(twin) = self.open_twin(digest, !executable)? else { return Ok(None) };
        let size = twin.size_bytes();
        drop(twin);
        let twin_path = self.blob_file(digest, !executable);
        let twin = sys::open_quietly(&twin_path).map_err(|error| StoreError::io("read", &twin_path, error))?;
        let (temporary, file, found, found_bytes) = self.receive_file(&twin, &twin_path)?;
        if found != *digest {
            self.discard_corrupt(digest, !executable);
            return Err(StoreError::Corrupt { digest: *digest, size_bytes: found_bytes, found });
        }
        self.place(&temporary, file, digest, size, executable)?;
        Ok(Some(self.blob_file(digest, executable)))
    }

    /// [`Store::blob_path`] of many blobs with their sizes, on all cores, each checked once in the life of this process:
    /// for whoever copies the files without hashing what is copied.
    pub fn checked_paths(
        &self,
        blobs: &BTreeSet<(Digest, u64, bool)>,
    ) -> Result<BTreeMap<(Digest, bool), PathBuf>, StoreError> {
        let blobs: Vec<_> = blobs.iter().copied().collect();
        let paths = parallel::try_map(&blobs, |(digest, size, executable)| {
            Ok(((*digest, *executable), self.verify_once(digest, *size, *executable)?))
        })?;
        Ok(paths.into_iter().collect())
    }

    /// Checks a blob file once in the life of this process: its size, then its digest.
    pub(crate) fn verify_once(&self, digest: &Digest, size: u64, executable: bool) -> Result<PathBuf, StoreError> {
        let path = self.blob_path(digest, executable)?.ok_or(StoreError::Absent { digest: *digest })?;
        let reader = self.open_twin(digest, executable)?.ok_or(StoreError::Absent { digest: *digest })?;
        if reader.size_bytes() != size {
            return Err(self.wrong_size(reader, size));
        }
        reader.mark_used();
        if !self.trusted().contains(&(*digest, executable)) {
            reader.verify()?;
        }
        Ok(path)
    }

    /// What a size other than the expected one means: a damaged blob, or, where the bytes are the right ones, a wrong
    /// expectation.
    pub(crate) fn wrong_size(&self, reader: BlobReader<'_>, expected_bytes: u64) -> StoreError {
        let (digest, size_bytes) = (reader.digest(), reader.size_bytes());
        match reader.verify() {
            Ok(_) => StoreError::WrongSize { digest, size_bytes, expected_bytes },
            Err(error) => error,
        }
    }

    /// Opens one of the two files of a blob.
    pub(crate) fn open_twin(&self, digest: &Digest, executable: bool) -> Result<Option<BlobReader<'_>>, StoreError> {
        let path = self.blob_file(digest, executable);
        let failed = |error: io::Error| StoreError::io("read", &path, error);
        let file = match sys::open_quietly(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(StoreError::NotRegular { path });
        }
        Ok(Some(BlobReader::new(self, *digest, executable, file, metadata.len())))
    }

    pub(crate) fn file_size(&self, digest: &Digest, executable: bool) -> Result<Option<u64>, StoreError> {
        let path = self.blob_file(digest, executable);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Err(StoreError::NotRegular { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &path, error)),
        }
    }

    /// Takes a damaged blob file away, and the trees that share its bytes. The caller reports the damage itself, which
    /// is the graver news, so a failure here only means that the next reader finds the same again.
    pub(crate) fn discard_corrupt(&self, digest: &Digest, executable: bool) {
        self.trusted().remove(&(*digest, executable));
        let path = self.blob_file(digest, executable);
        if self.quarantine(&path).is_err() {
            // `corrupt/` needs room for a name. Gone is as good as aside.
            let _ = std::fs::remove_file(path);
        }
        let _ = self.distrust_trees_with(digest);
    }

    fn put_known(&self, bytes: &[u8], digest: &Digest, executable: bool) -> Result<(), StoreError> {
        let size = bytes.len() as u64;
        if self.file_size(digest, executable)? == Some(size) {
            return Ok(());
        }
        let temporary = self.scratch().name()?;
        let failed = |error: io::Error| StoreError::io("write", temporary.path(), error);
        let mut file = sys::create_new(temporary.path()).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        self.place(&temporary, file, digest, size, executable)
    }

    /// Writes a stream to a temporary file, hashing it.
    fn receive(&self, reader: &mut dyn Read) -> Result<(Temporary, File, Digest, u64), StoreError> {
        let temporary = self.scratch().name()?;
        let failed = |error: io::Error| StoreError::io("write", temporary.path(), error);
        let mut file = sys::create_new(temporary.path()).map_err(failed)?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(StoreError::Source { source }),
            };
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(failed)?;
        }
        let (digest, size) = hasher.finish();
        Ok((temporary, file, digest, size))
    }

    /// The same from a file: shares its blocks where the file system can, and hashes what was shared.
    fn receive_file(&self, source: &File, path: &Path) -> Result<(Temporary, File, Digest, u64), StoreError> {
        let temporary = self.scratch().name()?;
        let failed = |error: io::Error| StoreError::io("write", temporary.path(), error);
        let file = sys::create_new(temporary.path()).map_err(failed)?;
        if sys::reflink(source, &file) {
            let (digest, size) = Hasher::of_reader(&file).map_err(failed)?;
            return Ok((temporary, file, digest, size));
        }
        drop(file);
        drop(temporary);
        let mut reader = source;
        match self.receive(&mut reader) {
            Err(StoreError::Source { source }) => Err(StoreError::io("read", path, source)),
            other => other,
        }
    }

    /// Gives a complete temporary file its mode, time and name.
    fn place(
        &self,
        temporary: &Temporary,
        file: File,
        digest: &Digest,
        size: u64,
        executable: bool,
    ) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::io("write", temporary.path(), error);
        sys::set_mode(&file, if executable { 0o755 } else { 0o644 }).map_err(failed)?;
        sys::set_times(&file, INPUT_MTIME_SECS).map_err(failed)?;
        drop(file);
        let path = self.blob_file(digest, executable);
        let failed = |error: io::Error| StoreError::io("create", &path, error);
        let placed = match sys::rename_new(temporary.path(), &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(self.root());
                match std::fs::create_dir(folder) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(StoreError::io("create", folder, error));
                    }
                    _ => sys::rename_new(temporary.path(), &path).map_err(failed)?,
                }
            }
            other => other.map_err(failed)?,
        };
        if !placed {
            if self.file_size(digest, executable)? == Some(size) {
                // Somebody else's file: believed by its name until it is read, as always.
                return Ok(());
            }
            self.discard_corrupt(digest, executable);
            std::fs::rename(temporary.path(), &path).map_err(failed)?;
        }
        self.trusted().insert((*digest, executable));
        Ok(())
    }
}

/// Opens a regular file for reading, never waiting for another program as a FIFO would.
fn open_regular(path: &Path) -> Result<File, StoreError> {
    let file = match sys::open_quietly(path) {
        // A final link, and a socket.
        Err(error)
            if matches!(
                rustix::io::Errno::from_io_error(&error),
                Some(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO)
            ) =>
        {
            return Err(StoreError::NotRegular { path: path.to_owned() });
        }
        other => other.map_err(|error| StoreError::io("read", path, error))?,
    };
    let metadata = file.metadata().map_err(|error| StoreError::io("read", path, error))?;
    if metadata.is_file() { Ok(file) } else { Err(StoreError::NotRegular { path: path.to_owned() }) }
}
