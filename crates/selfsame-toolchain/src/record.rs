//! Selected files into the store, all cores at once, and their tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use selfsame_core::{Digest, RelPath};
use selfsame_store::Store;
use selfsame_tree::{Entry, Tree};

use crate::capture::{Selection, SkipReason, Skipped};
use crate::host::{End, Walk};
use crate::{ToolchainError, ldcache, libraries};

/// The loader's cache, as a place.
pub(crate) const LOADER_CACHE: &str = "etc/ld.so.cache";

/// Puts the selected files into the store and gives the tree of all that was selected, and the loader's cache for it.
pub(crate) fn tree(selection: &mut Selection, walk: &mut Walk<'_>, store: &Store) -> Result<Tree, ToolchainError> {
    let mut skipped = Vec::new();
    let mut entries = Vec::new();
    let mut files = Vec::new();
    for (place, file) in &selection.files {
        let path = walk.host.path(place);
        match RelPath::new(place.as_str()) {
            Err(_) => skipped.push((place.clone(), SkipReason::Unnameable)),
            Ok(_) if fs::File::open(&path).is_err() => skipped.push((place.clone(), SkipReason::Unreadable)),
            Ok(inside) => files.push((inside, path, file)),
        }
    }
    let stored = store_each_once(files.iter().map(|(_, path, file)| (path, file.executable, file.inode)), store)?;
    for ((inside, _, file), (digest, size)) in files.into_iter().zip(stored) {
        entries.push((inside, Entry::file(digest, size, file.executable)));
    }
    for (place, target) in &selection.links {
        match RelPath::new(place.as_str()) {
            Ok(inside) if target.len() <= 4095 => entries.push((inside, Entry::symlink(target.as_str()))),
            _ => skipped.push((place.clone(), SkipReason::Unnameable)),
        }
    }
    for place in &selection.folders {
        entries.extend(RelPath::new(place.as_str()).map(|inside| (inside, Entry::directory())));
    }
    for (path, reason) in skipped {
        selection.files.remove(&path);
        selection.links.remove(&path);
        selection.skipped.insert(Skipped { path, reason });
    }
    let tree = Tree::from_entries(entries)?;
    match loader_cache(&tree, walk) {
        Some(bytes) => {
            let digest = store.put_bytes(&bytes, false)?;
            let cache = RelPath::new(LOADER_CACHE).expect("a path of our own");
            Ok(tree.union(&Tree::from_entries([(cache, Entry::file(digest, bytes.len() as u64, false))])?)?)
        }
        None => Ok(tree),
    }
}

/// The host's loader cache with only the libraries whose file and links are in the tree.
pub(crate) fn loader_cache(tree: &Tree, walk: &mut Walk<'_>) -> Option<Vec<u8>> {
    libraries::cache_of(walk, |row: &ldcache::Row, walk| {
        let resolved = walk.resolve(&row.path);
        let End::File(end, _) = &resolved.end else { return false };
        let links = resolved.folder_links.iter().chain(&resolved.links);
        tree.entry(end).is_some() && links.into_iter().all(|(place, _)| tree.entry(place).is_some())
    })
}

/// Stores files, reading those that are one file under several names once. Digest and size of each, in order.
pub(crate) fn store_each_once<'p>(
    files: impl Iterator<Item = (&'p PathBuf, bool, (u64, u64))>,
    store: &Store,
) -> Result<Vec<(Digest, u64)>, ToolchainError> {
    let mut wanted: Vec<(PathBuf, bool)> = Vec::new();
    let mut seen = BTreeMap::new();
    let mut positions = Vec::new();
    for (path, executable, inode) in files {
        positions.push(*seen.entry((inode, executable)).or_insert_with(|| {
            wanted.push((path.clone(), executable));
            wanted.len() - 1
        }));
    }
    let stored = store.put_files(&wanted)?;
    Ok(positions.into_iter().map(|position| stored[position]).collect())
}
