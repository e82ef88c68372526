//! Temporary files of one process, and the sweeping of those whose process is gone.
//!
//! Each process has one folder in `tmp/` and holds a lock on it as long as it lives. A lock outlives no process, and
//! unlike a process id it means the same in every pid namespace that shares the store.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{StoreError, sys};

/// One process's folder in `tmp/`: made when first needed, so that a store on a full disk can still be opened and
/// emptied; removed when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    tmp: PathBuf,
    home: Mutex<Option<(PathBuf, OwnedFd)>>,
    next: AtomicU64,
}

impl Scratch {
    /// Below `tmp`.
    pub(crate) fn new(tmp: PathBuf) -> Self {
        Self { tmp, home: Mutex::new(None), next: AtomicU64::new(0) }
    }

    /// A name that nobody has had.
    pub(crate) fn name(&self) -> Result<Temporary, StoreError> {
        // Set whole or not at all, so a thread that panicked leaves it usable.
        let mut home = self.home.lock().unwrap_or_else(PoisonError::into_inner);
        let (folder, _) = match &mut *home {
            Some(home) => home,
            none => none.insert(self.make().map_err(|error| StoreError::io("create a folder in", &self.tmp, error))?),
        };
        Ok(Temporary { path: folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string()) })
    }

    /// A new folder among the names, which goes with the rest of them.
    pub(crate) fn folder(&self) -> Result<PathBuf, StoreError> {
        let path = self.name()?.keep();
        std::fs::create_dir(&path).map_err(|error| StoreError::io("create", &path, error))?;
        Ok(path)
    }

    fn make(&self) -> io::Result<(PathBuf, OwnedFd)> {
        loop {
            let folder = tempfile::Builder::new().prefix("process-").rand_bytes(12).tempdir_in(&self.tmp)?.keep();
            if let Some(lock) = lock_folder(&folder)? {
                return Ok((folder, lock));
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some((folder, _)) = self.home.get_mut().unwrap_or_else(PoisonError::into_inner) {
            // What cannot be removed now is swept by the next process.
            let _ = sys::remove_all(folder);
        }
    }
}

/// A temporary file or folder, removed when dropped unless it was moved away.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
}

impl Temporary {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves what is there until the process ends.
    fn keep(mut self) -> PathBuf {
        let path = std::mem::take(&mut self.path);
        std::mem::forget(self);
        path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = sys::remove_all(&self.path);
    }
}

/// Locks a new folder; nothing if a sweeper was faster and took it away.
pub(crate) fn lock_folder(folder: &Path) -> io::Result<Option<OwnedFd>> {
    let lock = match sys::open_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !sys::try_lock(&lock)? || rustix::fs::fstat(&lock)?.st_nlink == 0 {
        return Ok(None);
    }
    Ok(Some(lock))
}

/// Removes the folders of dead processes. What cannot be removed stays for the next time: a store is usable with it.
pub(crate) fn sweep(tmp: &Path) -> Result<(), StoreError> {
    let entries = std::fs::read_dir(tmp).map_err(|error| StoreError::io("read", tmp, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| StoreError::io("read", tmp, error))?;
        if entry.file_name().as_encoded_bytes().starts_with(b"process-")
            && let Ok(Some(_lock)) = lock_folder(&entry.path())
        {
            let _ = sys::remove_all(&entry.path());
        }
    }
    Ok(())
}
