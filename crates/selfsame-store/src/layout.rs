//! Writing a tree to a folder, in the order of its paths, with every mode and time set.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Entry, Kind, Tree};

use crate::{StoreError, sys};

/// What a folder of a tree looks like, listed there or implied by what it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folder {
    pub(crate) mode: u32,
    pub(crate) rank: u32,
}

/// One thing to create.
pub(crate) enum Item<'a> {
    Folder(Folder),
    Leaf(&'a Entry),
}

/// A file to create.
pub(crate) struct FileItem<'a> {
    pub(crate) target: &'a Path,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) mode: u32,
    pub(crate) rank: u32,
}

/// The tree with the folders it only implies: mode 0755 and the rank of the first entry below. The root is the first.
pub(crate) fn items(tree: &Tree) -> BTreeMap<RelPath, Item<'_>> {
    let mut items = BTreeMap::new();
    for (path, entry) in tree.iter() {
        let mut above = path.parent();
        while let Some(folder) = above {
            if items.contains_key(&folder) {
                break;
            }
            above = folder.parent();
            items.insert(folder, Item::Folder(Folder { mode: 0o755, rank: entry.step_rank }));
        }
        let item = match entry.kind {
            Kind::Directory => Item::Folder(Folder { mode: entry.mode, rank: entry.step_rank }),
            _ => Item::Leaf(entry),
        };
        items.insert(path.clone(), item);
    }
    items.entry(RelPath::root()).or_insert(Item::Folder(Folder { mode: 0o755, rank: 0 }));
    items
}

/// Where an entry stands below `root`.
pub(crate) fn locate(root: &Path, path: &RelPath) -> PathBuf {
    if path.is_root() { root.to_owned() } else { root.join(path.as_str()) }
}

/// Fills the empty folder `root`. Parents come before what they hold and siblings in the order of their names, so a file
/// system that lists names as they came gives one order. Owners and extended attributes are left out: an invoker
/// without privileges cannot set them.
pub(crate) fn lay_out(
    tree: &Tree,
    root: &Path,
    seconds_of: &dyn Fn(u32) -> u64,
    place: &mut dyn FnMut(FileItem<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let items = items(tree);
    for (path, item) in &items {
        let target = locate(root, path);
        let failed = |error: std::io::Error| StoreError::io("create", &target, error);
        match item {
            Item::Folder(_) if path.is_root() => {}
            Item::Folder(_) => std::fs::DirBuilder::new().mode(0o700).create(&target).map_err(failed)?,
            Item::Leaf(Entry { kind, mode, step_rank: rank, .. }) => match kind {
                Kind::File { digest, size } => {
                    place(FileItem { target: &target, digest: *digest, size: *size, mode: *mode, rank: *rank })?;
                }
                Kind::Symlink { target: text } => {
                    std::os::unix::fs::symlink(text, &target).map_err(failed)?;
                    sys::set_times_at(&target, seconds_of(*rank)).map_err(failed)?;
                }
                Kind::HardLink { target: first } => {
                    std::fs::hard_link(locate(root, first), &target).map_err(failed)?;
                }
                // `items` makes folders of these.
                Kind::Directory => {}
            },
        }
    }
    // What is created in a folder changes its time, and its mode may forbid to create: so last, and inside first.
    for (path, item) in items.iter().rev() {
        if let Item::Folder(Folder { mode, rank }) = item {
            let target = locate(root, path);
            let failed = |error: std::io::Error| StoreError::io("set the mode of", &target, error);
            sys::set_mode_of_folder(&target, *mode).map_err(failed)?;
            sys::set_times_at(&target, seconds_of(*rank)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Sets what is left to be set on a written file.
pub(crate) fn finish_file(file: &File, target: &Path, mode: u32, seconds: u64) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::io("write", target, error);
    sys::set_mode(file, mode).map_err(failed)?;
    sys::set_times(file, seconds).map_err(failed)
}
