use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use selfsame_core::Digest;
use selfsame_store::{Class, Keep, Store, StoreError};
use selfsame_tree::{Entry, Tree};

use super::records::let_a_tick_pass;
use super::{fresh, path};

/// A blob of so many bytes, stored at a moment of its own.
fn blob(store: &Store, letter: u8, size: usize) -> Digest {
    let digest = store.put_bytes(&vec![letter; size], false).unwrap();
    let_a_tick_pass(store);
    digest
}

/// A materialised tree with one file of 64 KiB.
fn tree(store: &Store, letter: u8) -> (Tree, Digest, Digest) {
    let file = blob(store, letter, 64 << 10);
    let tree = Tree::from_entries([(path("f"), Entry::file(file, 64 << 10, false))]).unwrap();
    let text = store.put_tree(&tree).unwrap();
    store.materialise(&tree).unwrap();
    let_a_tick_pass(store);
    (tree, text, file)
}

/// What the store takes once this much of it is gone.
fn without(store: &mut Store, bytes: u64) -> u64 {
    store.shrink(u64::MAX, &Keep::default()).unwrap().bytes_left - bytes
}

#[test]
fn what_was_used_longest_ago_goes_first_and_no_more_than_must() {
    let (_folder, mut store) = fresh();
    let [a, b, c] = [b'a', b'b', b'c'].map(|letter| blob(&store, letter, 64 << 10));
    // Reading is using. Asking whether it is there, and checking everything, are not.
    store.read_blob(&a, 1 << 20).unwrap();
    let_a_tick_pass(&store);
    assert!(store.has(&b));
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
    let max = without(&mut store, 1);
    let removed = store.shrink(max, &Keep::default()).unwrap();
    assert_eq!((removed.blobs, store.has(&a), store.has(&b), store.has(&c)), (1, true, false, true));
    assert!(removed.bytes >= 64 << 10 && removed.bytes_left <= max, "{removed:?}");
    assert_eq!(store.shrink(max, &Keep::default()).unwrap().blobs, 0);
    let max = without(&mut store, 1);
    store.shrink(max, &Keep::default()).unwrap();
    assert!(store.has(&a) && !store.has(&c));
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
}

#[test]
fn using_a_blob_changes_nothing_that_an_action_sees() {
    let (_folder, store) = fresh();
    let digest = blob(&store, b'a', 10);
    let file = store.blob_path(&digest, false).unwrap().unwrap();
    let seen = || {
        let metadata = file.metadata().unwrap();
        (metadata.mode(), metadata.mtime(), metadata.atime(), metadata.ino(), metadata.nlink(), metadata.len())
    };
    let (before, changed) = (seen(), file.metadata().unwrap().ctime_nsec());
    store.read_blob(&digest, 100).unwrap();
    assert_eq!(seen(), before);
    assert_ne!(file.metadata().unwrap().ctime_nsec(), changed);
}

#[test]
fn a_tree_and_its_files_are_as_young_as_its_last_use() {
    let (_folder, mut store) = fresh();
    let (old, old_text, old_file) = tree(&store, b'o');
    let (_, new_text, new_file) = tree(&store, b'n');
    let lone = blob(&store, b'l', 64 << 10);
    // The older one is mounted again.
    store.materialise(&old).unwrap();
    let_a_tick_pass(&store);
    let max = without(&mut store, 70 << 10);
    let removed = store.shrink(max, &Keep::default()).unwrap();
    assert!(store.has(&old_file) && store.has(&old_text), "{removed:?}");
    assert!(!store.has(&new_file) && !store.has(&new_text), "{removed:?}");
    assert_eq!(removed.trees, 1);
    // What is left is whole.
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
    assert_eq!(store.missing(&old).unwrap(), []);
    let _ = lone;
}

#[test]
fn what_is_kept_stays_where_it_is_too_much() {
    let (_folder, mut store) = fresh();
    let (_, text, file) = tree(&store, b'k');
    let lone = blob(&store, b'l', 64 << 10);
    store.put_action_result(&Digest::of(b"kept"), b"k").unwrap();
    store.put_action_result(&Digest::of(b"dropped"), b"d").unwrap();
    std::fs::write(store.root().join("corrupt/thing.0"), "x").unwrap();
    let keep = Keep {
        blobs: BTreeSet::from([file, text]),
        trees: BTreeSet::from([text]),
        actions: BTreeSet::from([Digest::of(b"kept")]),
        stat_caches: true,
    };
    let removed = store.shrink(1, &keep).unwrap();
    assert_eq!((removed.blobs, removed.trees, removed.records, removed.corrupt), (1, 0, 1, 1));
    assert!(removed.bytes_left > 64 << 10 && !store.has(&lone));
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
}

#[test]
fn another_process_is_not_robbed_of_what_it_uses() {
    let (folder, mut store) = fresh();
    let other = Store::open(&folder.path().join("store")).unwrap();
    let digest = blob(&other, b'a', 100);
    assert!(matches!(store.shrink(1, &Keep::default()), Err(StoreError::Busy { .. })));
    assert!(other.has(&digest));
    drop(other);
    assert_eq!(store.shrink(1, &Keep::default()).unwrap().blobs, 1);
}

#[test]
fn use_is_told_by_class() {
    let (_folder, store) = fresh();
    let (_, text, file) = tree(&store, b't');
    let input = blob(&store, b'i', 9000);
    let layer = blob(&store, b'l', 5000);
    store.put_action_result(&Digest::of(b"action"), format!("{{\"digest\":\"{layer}\"}}").as_bytes()).unwrap();
    let usage = store.du().unwrap();
    let counts = [usage.trees, usage.results, usage.files, usage.inputs, usage.records].map(|class| class.count);
    assert_eq!((counts, usage.blobs), ([1, 1, 1, 1, 1], 4));
    assert_eq!(usage.files, Class { count: 1, bytes: 64 << 10 });
    let sum = [usage.trees, usage.results, usage.files, usage.inputs, usage.records, usage.waste];
    assert_eq!(usage.bytes(), sum.iter().map(|class| class.bytes).sum::<u64>());
    let _ = (text, file, input);
}

/// Apt's private root lies where temporary things do, and outlives its process.
fn lists(store: &Store, name: &str, bytes: usize, seconds: u64) {
    let root = store.root().join("tmp/apt").join(name);
    std::fs::create_dir_all(&root).unwrap();
    let path = root.join("pkgcache.bin");
    std::fs::write(&path, vec![b'l'; bytes]).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn lists_of_packages_are_a_class_and_go_as_they_age() {
    let (folder, mut store) = fresh();
    let empty = store.du().unwrap();
    lists(&store, "older", 1 << 20, 1_000_000);
    lists(&store, "newer", 1 << 20, 4_000_000_000);
    let usage = store.du().unwrap();
    assert_eq!((usage.lists.count, usage.waste.bytes), (2, empty.waste.bytes), "lists are no waste");
    assert!(usage.lists.bytes >= 2 << 20, "{usage:?}");
    let input = blob(&store, b'i', 4096);
    let removed = store.shrink(usage.bytes() - (1 << 20) + 64_000, &Keep::default()).unwrap();
    assert_eq!((removed.lists, removed.blobs), (1, 0), "{removed:?}");
    assert!(!store.root().join("tmp/apt/older").exists() && store.root().join("tmp/apt/newer").exists());
    let removed = store.gc(&Keep { blobs: [input].into(), ..Keep::default() }).unwrap();
    assert_eq!((removed.lists, removed.blobs), (1, 0));
    assert_eq!(store.du().unwrap().lists.count, 0);
    drop(folder);
}
