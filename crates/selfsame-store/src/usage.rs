//! How much disk the store takes, and what for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use selfsame_core::Digest;

use crate::action::RESULT_BYTES;
use crate::mentions::mentioned;
use crate::tree::{TREE_BYTES, is_tree_text};
use crate::{Store, StoreError, sys};

/// How many things there are of a class, and what they take on the disk. A file with several names counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Files, materialised trees, damaged things.
    pub count: u64,
    /// On the disk.
    pub bytes: u64,
}

/// What the store holds, by what it is there for. Of the classes that a file is in, the first here has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The text forms of trees, and materialised trees beside the blobs that they share.
    pub trees: Class,
    /// Blobs that a result names: layers, documents, logs, trees of outputs.
    pub results: Class,
    /// Blobs that are files of trees: sources, toolchains, unpacked inputs, outputs.
    pub files: Class,
    /// Blobs that neither a result nor a tree names: inputs as they were fetched, and what nobody wants any more.
    pub inputs: Class,
    /// Action results and what is known of source files.
    pub records: Class,
    /// What package managers need to choose: their lists, one folder for each set of sources. Had anew when it is missing.
    pub lists: Class,
    /// Damaged things, which the next collection removes, and temporary ones, which are not counted.
    pub waste: Class,
    /// Files in `blobs/`; a blob and its executable twin are two.
    pub blobs: u64,
}

impl Usage {
    /// All of it. Folders of the layout itself count for nothing.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.trees.bytes
            + self.results.bytes
            + self.files.bytes
            + self.inputs.bytes
            + self.records.bytes
            + self.lists.bytes
            + self.waste.bytes
    }
}

impl Store {
    /// Adds up what lies in the store, and reads trees and results for what they name. Files that others remove meanwhile
    /// are left out.
    pub fn du(&self) -> Result<Usage, StoreError> {
        let root = self.root();
        let mut seen = BTreeSet::new();
        let mut usage = Usage::default();
        let mut named_by_results = BTreeSet::new();
        for path in below(&root.join("actions"))? {
            named_by_results.extend(mentioned(&read(&path, RESULT_BYTES)?));
        }
        let blobs = self.blob_files()?;
        let mut named_by_trees = BTreeSet::new();
        let mut texts = BTreeSet::new();
        for (digest, path) in blobs.iter().flat_map(|(digest, paths)| paths.iter().map(move |path| (digest, path))) {
            if is_tree_text(&read(path, TREE_HEAD_BYTES)?) {
                texts.insert(*digest);
                named_by_trees.extend(mentioned(&read(path, TREE_BYTES)?));
            }
        }
        for (digest, paths) in &blobs {
            let class = if texts.contains(digest) {
                &mut usage.trees
            } else if named_by_results.contains(digest) {
                &mut usage.results
            } else if named_by_trees.contains(digest) {
                &mut usage.files
            } else {
                &mut usage.inputs
            };
            for path in paths {
                let Ok(metadata) = path.symlink_metadata() else { continue };
                usage.blobs += 1;
                class.count += 1;
                if seen.insert((metadata.dev(), metadata.ino())) {
                    class.bytes += metadata.blocks() * 512;
                }
            }
        }
        usage.trees.bytes += bytes_below(&root.join("trees"), &mut seen)?.0;
        usage.trees.count = below(&root.join("trees"))?.len() as u64;
        let (action_bytes, actions) = bytes_below(&root.join("actions"), &mut seen)?;
        let (stamp_bytes, _) = bytes_below(&root.join("stat"), &mut seen)?;
        usage.records = Class { count: actions, bytes: action_bytes + stamp_bytes };
        let (corrupt_bytes, _) = bytes_below(&root.join("corrupt"), &mut seen)?;
        let lists = root.join(LISTS);
        let (mut list_bytes, _) = bytes_below(&lists, &mut seen)?;
        if let Ok(own) = lists.symlink_metadata() {
            seen.insert((own.dev(), own.ino()));
            list_bytes += own.blocks() * 512;
        }
        usage.lists = Class { count: below(&lists)?.len() as u64, bytes: list_bytes };
        let (temporary_bytes, _) = bytes_below(&root.join("tmp"), &mut seen)?;
        let corrupt = below(&root.join("corrupt"))?.len() as u64;
        usage.waste = Class { count: corrupt, bytes: corrupt_bytes + temporary_bytes };
        Ok(usage)
    }

    /// The files of every blob: one, or two where it has its executable twin.
    fn blob_files(&self) -> Result<BTreeMap<Digest, Vec<PathBuf>>, StoreError> {
        let mut files: BTreeMap<Digest, Vec<PathBuf>> = BTreeMap::new();
        for folder in below(&self.root().join("blobs/sha256"))? {
            for path in below(&folder)? {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if let Ok(digest) = Digest::from_hex(name.strip_suffix(".x").unwrap_or(name)) {
                    files.entry(digest).or_default().push(path);
                }
            }
        }
        Ok(files)
    }
}

/// Where apt's private roots are, each below a name of its own.
pub(crate) const LISTS: &str = "tmp/apt";

/// Enough to know a tree's text by.
const TREE_HEAD_BYTES: u64 = 64;

/// A file's beginning; nothing of one that is gone.
fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let read = sys::open_quietly(path).and_then(|file| file.take(limit_bytes).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("read", path, error)),
        _ => Ok(bytes),
    }
}

/// What lies in a folder; nothing in one that is gone.
fn below(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |error: io::Error| StoreError::io("read", folder, error);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
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
