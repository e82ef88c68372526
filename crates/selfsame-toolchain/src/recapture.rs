//! Content of a recorded toolchain that a store lacks, taken from a host that has the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use selfsame_core::{Digest, Hasher, RelPath};
use selfsame_store::Store;
use selfsame_tree::Tree;

use crate::ToolchainError;
use crate::host::{End, Host, Walk};
use crate::record::{LOADER_CACHE, loader_cache};

/// A file whose content is neither in the store nor on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Its path from `/`, the first one if several have the same content.
    pub path: RelPath,
    /// The content wanted.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// What the host has at that path instead: another content, or nothing that can be read.
    pub found: Option<Digest>,
}

/// Completes the store from the files of this host at the paths of `tree`: only content of the recorded digest is
/// taken. What is still missing afterwards comes back, in the order of paths.
pub fn recapture(tree: &Tree, host: &Host, store: &Store) -> Result<Vec<Missing>, ToolchainError> {
    let mut walk = Walk::new(host);
    let mut missing: BTreeMap<Digest, Missing> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let lacking = store.missing(tree)?;
    for (path, digest, size) in lacking {
        if taken.contains(&digest) {
            continue;
        }
        let executable = tree.entry(path.as_str()).is_some_and(|entry| entry.mode & 0o111 != 0);
        let found = if path.as_str() == LOADER_CACHE {
            let bytes = loader_cache(tree, &mut walk);
            let found = bytes.as_deref().map(Digest::of);
            if let (Some(bytes), true) = (bytes, found == Some(digest)) {
                store.put_bytes(&bytes, executable)?;
            }
            found
        } else {
            match file_on(host, &mut walk, &path) {
                Some((file, found)) if found == digest => {
                    // Another content a moment later is what was found.
                    Some(store.put_file(&file, executable)?.0)
                }
                Some((_, found)) => Some(found),
                None => None,
            }
        };
        if found == Some(digest) {
            missing.remove(&digest);
            taken.insert(digest);
        } else {
            missing.entry(digest).or_insert(Missing { path, digest, size, found });
        }
    }
    let mut missing: Vec<Missing> = missing.into_values().collect();
    missing.sort();
    Ok(missing)
}

/// The regular file that a path leads to on this host, and its digest.
fn file_on(host: &Host, walk: &mut Walk<'_>, path: &RelPath) -> Option<(PathBuf, Digest)> {
    let End::File(place, _) = walk.resolve(path.as_str()).end else { return None };
    let file = host.path(&place);
    let (digest, _) = Hasher::of_reader(fs::File::open(&file).ok()?).ok()?;
    Some((file, digest))
}
