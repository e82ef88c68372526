//! Removing what nobody wants any more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use selfsame_core::Digest;

use crate::usage::{LISTS, bytes_below};
use crate::{Store, StoreError, sys};

/// What a collection leaves in place, by digest.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// Blobs, tree texts among them; both twins of each.
    pub blobs: BTreeSet<Digest>,
    /// Materialised trees. Their files stay even if their blobs go.
    pub trees: BTreeSet<Digest>,
    /// Action results.
    pub actions: BTreeSet<Digest>,
    /// Whether the caches of file stamps stay.
    pub stat_caches: bool,
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Blob files.
    pub blobs: u64,
    /// Materialised trees.
    pub trees: u64,
    /// Action results and caches of file stamps.
    pub records: u64,
    /// Lists of package managers.
    pub lists: u64,
    /// Damaged things from `corrupt/`.
    pub corrupt: u64,
    /// Bytes of disk freed.
    pub bytes: u64,
    /// Bytes of disk that the store takes now.
    pub bytes_left: u64,
}

impl Store {
    /// Removes everything that `keep` does not name, the lists of package managers, and everything in `corrupt/`.
    ///
    /// Needs the store for itself: another process that has it open gives [`StoreError::Busy`] at once, and one that
    /// comes meanwhile waits. Being killed half-way leaves a store that is whole: things go one by one, a tree by one
    /// rename before its files.
    pub fn gc(&mut self, keep: &Keep) -> Result<Removed, StoreError> {
        self.alone(|store| store.collect(keep))
    }

    /// Runs `work` while no other process has the store open; [`StoreError::Busy`] if one has.
    pub(crate) fn alone<T>(&mut self, work: impl FnOnce(&Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lock_path = self.root().join("lock");
        match rustix::fs::flock(self.lock(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                // A refused conversion has given the shared lock up.
                rustix::fs::flock(self.lock(), FlockOperation::LockShared)
                    .map_err(|error| StoreError::io("lock", &lock_path, error))?;
                return Err(StoreError::Busy { path: self.root().to_owned() });
            }
            Err(error) => return Err(StoreError::io("lock", &lock_path, error)),
        }
        let done = work(self);
        let shared = rustix::fs::flock(self.lock(), FlockOperation::LockShared)
            .map_err(|error| StoreError::io("lock", &lock_path, error));
        done.and_then(|done| shared.map(|()| done))
    }

    fn collect(&self, keep: &Keep) -> Result<Removed, StoreError> {
        self.trusted().clear();
        let before = self.disk_bytes()?;
        let mut removed = Removed::default();
        let root = self.root();
        removed.corrupt = remove_where(&root.join("corrupt"), |_| true, sys::remove_all)?;
        if root.join(LISTS).exists() {
            removed.lists = remove_where(&root.join(LISTS), |_| true, sys::remove_all)?;
        }
        removed.records = remove_where(&root.join("actions"), |name| !named_in(name, &keep.actions), sys::remove_all)?;
        if !keep.stat_caches {
            removed.records += remove_where(&root.join("stat"), |_| true, sys::remove_all)?;
        }
        let blobs = root.join("blobs/sha256");
        for folder in std::fs::read_dir(&blobs).map_err(|error| StoreError::io("read", &blobs, error))? {
            let folder = folder.map_err(|error| StoreError::io("read", &blobs, error))?.path();
            removed.blobs += remove_where(&folder, |name| !named_in(name, &keep.blobs), sys::remove_all)?;
            // Fails where something is left in it.
            let _ = std::fs::remove_dir(&folder);
        }
        removed.trees =
            remove_where(&root.join("trees"), |name| !named_in(name, &keep.trees), |path| self.remove_tree(path))?;
        removed.bytes_left = self.disk_bytes()?;
        removed.bytes = before.saturating_sub(removed.bytes_left);
        Ok(removed)
    }

    /// Removes a materialised tree: out of the way by one rename, then its files.
    pub(crate) fn remove_tree(&self, home: &Path) -> io::Result<()> {
        match self.scratch().name() {
            Ok(aside) => {
                std::fs::rename(home, aside.path())?;
                sys::remove_all(aside.path())
            }
            // A disk too full for one more folder: then a kill in between leaves a tree that the next use makes anew.
            Err(_) => sys::remove_all(home),
        }
    }

    pub(crate) fn disk_bytes(&self) -> Result<u64, StoreError> {
        Ok(bytes_below(self.root(), &mut BTreeSet::new())?.0)
    }
}

/// Whether a file name is a kept digest, with or without the twin's suffix. Names that are none are kept by nobody.
fn named_in(name: &OsStr, kept: &BTreeSet<Digest>) -> bool {
    name.to_str()
        .map(|name| name.strip_suffix(".x").unwrap_or(name))
        .and_then(|hex| Digest::from_hex(hex).ok())
        .is_some_and(|digest| kept.contains(&digest))
}

pub(crate) fn remove_where(
    folder: &Path,
    unwanted: impl Fn(&OsStr) -> bool,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder).map_err(|error| StoreError::io("read", folder, error))? {
        let entry = entry.map_err(|error| StoreError::io("read", folder, error))?;
        if unwanted(&entry.file_name()) {
            remove(&entry.path()).map_err(|error| StoreError::io("remove", &entry.path(), error))?;
            removed += 1;
        }
    }
    Ok(removed)
}
