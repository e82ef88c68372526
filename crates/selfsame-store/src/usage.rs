//! How much disk the store takes, by kind.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::{Store, StoreError};

/// Counts and sizes. Bytes are what the files take on the disk; a file with several names counts for the first kind here
/// that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files in `blobs/`; a blob and its executable twin are two.
    pub blobs: u64,
    /// What they take.
    pub blob_bytes: u64,
    /// Trees in `trees/`.
    pub trees: u64,
    /// What they take beside the blobs that they share.
    pub tree_bytes: u64,
    /// Files in `actions/`.
    pub actions: u64,
    /// What `actions/` and `stat/` take.
    pub record_bytes: u64,
    /// Things in `corrupt/`, which the next collection removes.
    pub corrupt: u64,
    /// What `corrupt/` and `tmp/` take.
    pub waste_bytes: u64,
}

impl Store {
    /// Adds up what lies in the store. Files that others remove meanwhile are left out.
    pub fn du(&self) -> Result<Usage, StoreError> {
        let mut seen = BTreeSet::new();
        let mut bytes_of = |folder: &str| bytes_below(&self.root().join(folder), &mut seen);
        let (blob_bytes, blobs) = bytes_of("blobs")?;
        let (tree_bytes, _) = bytes_of("trees")?;
        let (action_bytes, actions) = bytes_of("actions")?;
        let (stat_bytes, _) = bytes_of("stat")?;
        let (corrupt_bytes, _) = bytes_of("corrupt")?;
        let (tmp_bytes, _) = bytes_of("tmp")?;
        Ok(Usage {
            blobs,
            blob_bytes,
            trees: names_in(&self.root().join("trees"))?,
            tree_bytes,
            actions,
            record_bytes: action_bytes + stat_bytes,
            corrupt: names_in(&self.root().join("corrupt"))?,
            waste_bytes: corrupt_bytes + tmp_bytes,
        })
    }
}

fn names_in(folder: &Path) -> Result<u64, StoreError> {
    Ok(std::fs::read_dir(folder).map_err(|error| StoreError::io("read", folder, error))?.count() as u64)
}

/// Bytes on the disk of everything below a folder that was not seen before, and how many files are there.
pub(crate) fn bytes_below(folder: &Path, seen: &mut BTreeSet<(u64, u64)>) -> Result<(u64, u64), StoreError> {
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => continue,
            other => other.map_err(|error| StoreError::io("read", &folder, error))?,
        };
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::io("read", &folder, error))?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| StoreError::io("read", &entry.path(), error))?,
            };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
            }
            if seen.insert((metadata.dev(), metadata.ino())) {
                bytes += metadata.blocks() * 512;
            }
        }
    }
    Ok((bytes, files))
}
