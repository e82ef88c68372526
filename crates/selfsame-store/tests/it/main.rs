//! The store from outside: every promise of docs/store.md, and what happens when it cannot be kept.
#![expect(clippy::disallowed_methods, reason = "these tests own their folders and talk to their children")]

mod blobs;
mod child;
mod damage;
mod full_disk;
mod kill;
mod publication;
mod records;
mod sharing;
mod shrink;
mod trees;

use std::io::Write;
use std::path::Path;

use selfsame_core::{Digest, RelPath};
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree};
use tempfile::TempDir;

/// A new store in a folder of its own.
fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// `blobs/sha256/ab/<hex>`, where another tool would look.
fn blob_file(store: &Store, digest: &Digest) -> std::path::PathBuf {
    store.root().join("blobs/sha256").join(&digest.hex()[..2]).join(digest.hex())
}

/// Overwrites a file in place, as a failing disk does: same inode, same size, same times.
fn rot(file: &Path) {
    let before = std::fs::metadata(file).unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut open = std::fs::File::options().write(true).open(file).unwrap();
    open.write_all(&bytes).unwrap();
    open.set_modified(before.modified().unwrap()).unwrap();
}

/// A small tree with everything in it, its content in the store.
fn sample(store: &Store) -> Tree {
    let file = |text: &str, mode: u32| {
        let digest = store.put_bytes(text.as_bytes(), mode == 0o755).unwrap();
        Entry::new(Kind::File { digest, size: text.len() as u64 }, mode)
    };
    let mut late = file("made by step 3", 0o644);
    late.step_rank = 3;
    Tree::from_entries([
        (path("bin/tool"), file("#!/bin/sh\n", 0o755)),
        (path("bin/alias"), Entry::symlink("tool")),
        (path("closed"), Entry::new(Kind::Directory, 0o555)),
        (path("closed/within"), file("x", 0o600)),
        (path("lib/late"), late),
        (path("lib/one"), file("same", 0o644)),
        (path("lib/one.again"), Entry::new(Kind::HardLink { target: path("lib/one") }, 0o644)),
        (path("lib/two"), file("same", 0o644)),
    ])
    .unwrap()
}
