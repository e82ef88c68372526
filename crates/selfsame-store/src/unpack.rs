//! A tree as an ordinary copy, for people and capsules.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use selfsame_tree::Tree;

use crate::layout::{self, FileItem};
use crate::{Store, StoreError, sys};

impl Store {
    /// Copies a tree to `dest`, a folder that is new or empty. `mtime_of` says the time of an entry by its rank, in
    /// seconds since 1970. Every byte is checked while it is copied; after a failure `dest` holds a part.
    ///
    /// Owners, extended attributes and the setuid and setgid bits are not set: the copy is the invoker's, and a release
    /// that root looks into must not leave a program there that makes others root.
    pub fn unpack(&self, tree: &Tree, dest: &Path, mtime_of: impl Fn(u32) -> u64) -> Result<(), StoreError> {
        match std::fs::DirBuilder::new().mode(0o755).create(dest) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let empty = dest.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
                    && std::fs::read_dir(dest).map_err(|error| StoreError::io("read", dest, error))?.next().is_none();
                if !empty {
                    return Err(StoreError::Occupied { path: dest.to_owned() });
                }
            }
            other => other.map_err(|error| StoreError::io("create", dest, error))?,
        }
        layout::lay_out(tree, dest, &mtime_of, &mut |file| self.copy_checked(&file, mtime_of(file.rank)))
    }

    fn copy_checked(&self, file: &FileItem<'_>, seconds: u64) -> Result<(), StoreError> {
        let mut blob = self.open_blob(&file.digest)?;
        if blob.size_bytes() != file.size {
            return Err(self.wrong_size(blob, file.size));
        }
        let failed = |error: io::Error| StoreError::io("write", file.target, error);
        let mut copy = sys::create_new(file.target).map_err(failed)?;
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let read = match io::Read::read(&mut blob, &mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(blob.store_error(error)),
            };
            io::Write::write_all(&mut copy, &buffer[..read]).map_err(failed)?;
        }
        layout::finish_file(&copy, file.target, file.mode & 0o1777, seconds)
    }
}
