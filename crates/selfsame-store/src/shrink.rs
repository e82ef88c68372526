//! Removing what was used longest ago until the rest fits.
//!
//! When something was last wanted stands in the file system: of a blob the time of its file's last change, which reading
//! it sets ([`crate::BlobReader`]), of a tree and of an action's result the modification time. A blob is as young as the
//! youngest tree that holds it, so that a tree and its files go together.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use selfsame_core::Digest;

use crate::gc::{Keep, Removed, remove_where};
use crate::materialise::COMPLETE;
use crate::mentions::mentioned;
use crate::usage::LISTS;
use crate::{Store, StoreError, sys};

/// Seconds and nanoseconds, by the clock that stamps files.
type Time = (i64, i64);
/// A file, whatever its names are: device and number.
type Inode = (u64, u64);

/// Something that can be removed by itself; of a blob each of the two files. The order of the kinds is that in which things of one age go: a tree frees
/// nothing before its blobs, but a tree whose blobs went first would have to be made anew without them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Lists(String),
    Tree(Digest),
    Blob(Digest, bool),
    Result(Digest),
}

#[derive(Debug)]
struct Item {
    path: PathBuf,
    inodes: Vec<Inode>,
}

impl Store {
    /// Removes everything in `corrupt/`, and then, beginning with what was used longest ago, as much as is needed for the
    /// store to take no more than `max_bytes` of disk. What `keep` names stays, also where that is more.
    ///
    /// Needs the store for itself, and survives being killed, as [`Store::gc`].
    pub fn shrink(&mut self, max_bytes: u64, keep: &Keep) -> Result<Removed, StoreError> {
        self.alone(|store| store.shrink_alone(max_bytes, keep))
    }

    fn shrink_alone(&self, max_bytes: u64, keep: &Keep) -> Result<Removed, StoreError> {
        self.trusted().clear();
        let root = self.root();
        let before = self.disk_bytes()?;
        let mut removed =
            Removed { corrupt: remove_where(&root.join("corrupt"), |_| true, sys::remove_all)?, ..Removed::default() };
        let mut left = self.disk_bytes()?;
        if left > max_bytes {
            let mut found = Found::default();
            self.find_trees(&mut found)?;
            self.find_blobs(&mut found)?;
            self.find_results(&mut found)?;
            self.find_lists(&mut found)?;
            let Found { items, mut files, .. } = found;
            for ((_, kind), item) in items {
                if left <= max_bytes {
                    break;
                }
                let kept = match &kind {
                    Kind::Lists(_) => false,
                    Kind::Tree(digest) => keep.trees.contains(digest),
                    Kind::Blob(digest, _) => keep.blobs.contains(digest),
                    Kind::Result(digest) => keep.actions.contains(digest),
                };
                if kept {
                    continue;
                }
                let failed = |error| StoreError::io("remove", &item.path, error);
                match kind {
                    Kind::Lists(_) => {
                        sys::remove_all(&item.path).map_err(failed)?;
                        removed.lists += 1;
                    }
                    Kind::Tree(_) => {
                        self.remove_tree(&item.path).map_err(failed)?;
                        removed.trees += 1;
                    }
                    Kind::Blob(..) => {
                        sys::remove_all(&item.path).map_err(failed)?;
                        removed.blobs += 1;
                        // Fails where something is left in it.
                        let _ = item.path.parent().map(std::fs::remove_dir);
                    }
                    Kind::Result(_) => {
                        sys::remove_all(&item.path).map_err(failed)?;
                        removed.records += 1;
                    }
                }
                for inode in item.inodes {
                    let Some(file) = files.get_mut(&inode) else { continue };
                    file.names -= 1;
                    if file.names == 0 {
                        left = left.saturating_sub(file.bytes);
                    }
                }
            }
        }
        removed.bytes_left = self.disk_bytes()?;
        removed.bytes = before.saturating_sub(removed.bytes_left);
        Ok(removed)
    }

    fn find_trees(&self, found: &mut Found) -> Result<(), StoreError> {
        for (name, home) in entries(&self.root().join("trees"))? {
            let Ok(digest) = Digest::from_hex(&name) else { continue };
            let marker = home.join(COMPLETE);
            let used = marker.symlink_metadata().map_or((0, 0), |metadata| (metadata.mtime(), metadata.mtime_nsec()));
            let text = std::fs::read(&marker).unwrap_or_default();
            for mentioned in mentioned(&text).chain([digest]) {
                let wanted = found.wanted.entry(mentioned).or_default();
                *wanted = used.max(*wanted);
            }
            let mut inodes = Vec::new();
            found.count(&home, &mut inodes)?;
            found.items.insert((used, Kind::Tree(digest)), Item { path: home, inodes });
        }
        Ok(())
    }

    fn find_blobs(&self, found: &mut Found) -> Result<(), StoreError> {
        for (_, folder) in entries(&self.root().join("blobs/sha256"))? {
            for (name, path) in entries(&folder)? {
                let (hex, executable) = name.strip_suffix(".x").map_or((name.as_str(), false), |hex| (hex, true));
                let Ok(digest) = Digest::from_hex(hex) else { continue };
                if let Some((inode, changed)) = found.file(&path)? {
                    let used = found.wanted.get(&digest).map_or(changed, |&wanted| changed.max(wanted));
                    found.items.insert((used, Kind::Blob(digest, executable)), Item { path, inodes: vec![inode] });
                }
            }
        }
        Ok(())
    }

    /// The lists of package managers, as old as what was last written into them.
    fn find_lists(&self, found: &mut Found) -> Result<(), StoreError> {
        let lists = self.root().join(LISTS);
        if !lists.exists() {
            return Ok(());
        }
        for (name, path) in entries(&lists)? {
            let changed = entries(&path)?.into_iter().filter_map(|(_, path)| path.symlink_metadata().ok());
            let used = changed.map(|metadata| (metadata.mtime(), metadata.mtime_nsec())).max().unwrap_or_default();
            let mut inodes = Vec::new();
            found.count(&path, &mut inodes)?;
            found.items.insert((used, Kind::Lists(name)), Item { path, inodes });
        }
        Ok(())
    }

    fn find_results(&self, found: &mut Found) -> Result<(), StoreError> {
        for (name, path) in entries(&self.root().join("actions"))? {
            let (Ok(digest), Ok(metadata)) = (Digest::from_hex(&name), path.symlink_metadata()) else { continue };
            let used = (metadata.mtime(), metadata.mtime_nsec());
            if let Some((inode, _)) = found.file(&path)? {
                found.items.insert((used, Kind::Result(digest)), Item { path, inodes: vec![inode] });
            }
        }
        Ok(())
    }
}

/// Everything that can be removed, oldest first.
#[derive(Debug, Default)]
struct Found {
    items: BTreeMap<(Time, Kind), Item>,
    files: BTreeMap<Inode, File>,
    /// When a tree that holds this content was last wanted.
    wanted: BTreeMap<Digest, Time>,
}

/// What a file takes, which is freed with the last of its names.
#[derive(Debug, Default)]
struct File {
    bytes: u64,
    names: u64,
}

impl Found {
    /// Notes one name of a file: which file it is, and when that last changed. Nothing if it is gone.
    fn file(&mut self, path: &Path) -> Result<Option<(Inode, Time)>, StoreError> {
        let metadata = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| StoreError::io("read", path, error))?,
        };
        let inode = (metadata.dev(), metadata.ino());
        let file = self.files.entry(inode).or_default();
        file.bytes = metadata.blocks() * 512;
        file.names += 1;
        Ok(Some((inode, (metadata.ctime(), metadata.ctime_nsec()))))
    }

    /// Notes a folder, everything below it, and that it all goes together.
    fn count(&mut self, top: &Path, inodes: &mut Vec<Inode>) -> Result<(), StoreError> {
        let mut paths = vec![top.to_owned()];
        while let Some(path) = paths.pop() {
            let Some((inode, _)) = self.file(&path)? else { continue };
            inodes.push(inode);
            if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                match entries(&path) {
                    // A folder that its own mode closes to its owner.
                    Err(StoreError::Permission { .. }) => {}
                    other => paths.extend(other?.into_iter().map(|(_, path)| path)),
                }
            }
        }
        Ok(())
    }
}

/// The names in a folder. One that is not UTF-8 is nobody's digest, so its lossy form does.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let failed = |error: io::Error| StoreError::io("read", folder, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    Ok(names)
}
