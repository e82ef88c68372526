use std::collections::BTreeSet;
use std::fs::File;

use selfsame_core::Digest;
use selfsame_store::{FileStamp, Keep, Store, StoreError};

use super::{fresh, path, sample};

#[test]
fn an_action_result_is_whole_or_none() {
    let (_folder, store) = fresh();
    let action = Digest::of(b"action");
    assert_eq!(store.action_result(&action).unwrap(), None);
    store.put_action_result(&action, b"first").unwrap();
    store.put_action_result(&action, b"second").unwrap();
    assert_eq!(store.action_result(&action).unwrap().unwrap(), b"second");
    assert_eq!(store.actions().unwrap().len(), 1);
    let file = store.root().join("actions").join(action.hex());
    let whole = std::fs::read(&file).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(store.action_result(&action).unwrap(), None, "{length} of {} bytes were believed", whole.len());
        assert!(!file.exists());
    }
    store.put_action_result(&action, b"").unwrap();
    assert_eq!(store.action_result(&action).unwrap().unwrap(), b"");
    store.remove_action_result(&action).unwrap();
    store.remove_action_result(&action).unwrap();
    assert_eq!(store.action_result(&action).unwrap(), None);
}

/// Waits until the file system's clock has moved on.
pub(super) fn let_a_tick_pass(store: &Store) {
    let stamp = || {
        let file = store.root().join("stat/clock");
        let modified = File::create(&file).unwrap().metadata().unwrap().modified().unwrap();
        std::fs::remove_file(&file).unwrap();
        modified
    };
    let first = stamp();
    while stamp() == first {
        std::thread::yield_now();
    }
}

#[test]
fn a_stamp_is_believed_only_when_a_change_would_show() {
    let (folder, store) = fresh();
    let key = Digest::of(b"folder");
    let file = folder.path().join("source.c");
    let stamp = || FileStamp::of(&std::fs::symlink_metadata(&file).unwrap());

    // Written in the tick in which the cache is opened, or after it: hashed now, not believed next time.
    let mut cache = store.stat_cache(&key).unwrap();
    std::fs::write(&file, "one").unwrap();
    cache.record(path("source.c"), stamp(), Digest::of(b"one"));
    store.save_stat_cache(&key, &cache).unwrap();
    assert!(store.stat_cache(&key).unwrap().is_empty());

    let_a_tick_pass(&store);
    let mut cache = store.stat_cache(&key).unwrap();
    assert_eq!(cache.lookup(&path("source.c"), &stamp()), None);
    cache.record(path("source.c"), stamp(), Digest::of(b"one"));
    store.save_stat_cache(&key, &cache).unwrap();

    let mut cache = store.stat_cache(&key).unwrap();
    assert_eq!(cache.lookup(&path("source.c"), &stamp()), Some(Digest::of(b"one")));
    // Another process with the same size and, by `touch -r`, the same modification time.
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::write(&file, "two").unwrap();
    File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    assert_eq!(cache.lookup(&path("source.c"), &stamp()), None, "the change time must tell");
}

#[test]
fn forgets_stamps_of_files_that_are_gone_and_survives_damage() {
    let (folder, store) = fresh();
    let key = Digest::of(b"folder");
    let file = folder.path().join("a");
    std::fs::write(&file, "").unwrap();
    let stamp = FileStamp::of(&std::fs::metadata(&file).unwrap());
    let_a_tick_pass(&store);
    let mut cache = store.stat_cache(&key).unwrap();
    cache.record(path("a"), stamp, Digest::of(b""));
    cache.record(path("b"), stamp, Digest::of(b""));
    store.save_stat_cache(&key, &cache).unwrap();
    let mut cache = store.stat_cache(&key).unwrap();
    assert_eq!(cache.len(), 2);
    assert!(cache.lookup(&path("a"), &stamp).is_some());
    store.save_stat_cache(&key, &cache).unwrap();
    assert_eq!(store.stat_cache(&key).unwrap().len(), 1, "`b` was not seen again");
    std::fs::write(store.root().join("stat").join(key.hex()), "rubbish").unwrap();
    assert!(store.stat_cache(&key).unwrap().is_empty());
}

#[test]
fn collects_what_nobody_keeps_and_frees_the_disk() {
    let (_folder, mut store) = fresh();
    let tree = sample(&store);
    let text = store.put_tree(&tree).unwrap();
    store.materialise(&tree).unwrap();
    let wanted = store.put_bytes(&[7; 100_000], true).unwrap();
    store.put_action_result(&Digest::of(b"kept"), b"k").unwrap();
    store.put_action_result(&Digest::of(b"dropped"), b"d").unwrap();
    let before = store.du().unwrap();
    let mut keep = Keep {
        blobs: tree.contents().into_keys().chain([text, wanted]).collect(),
        trees: BTreeSet::from([text]),
        actions: BTreeSet::from([Digest::of(b"kept")]),
        stat_caches: true,
    };
    let removed = store.gc(&keep).unwrap();
    assert_eq!((removed.blobs, removed.trees, removed.records), (0, 0, 1));
    assert!(store.check(&mut |_| {}).unwrap().is_clean());

    keep.trees.clear();
    keep.blobs = BTreeSet::from([wanted]);
    let removed = store.gc(&keep).unwrap();
    assert_eq!((removed.blobs, removed.trees, removed.records), (before.blobs - 1, 1, 0));
    assert!(removed.bytes > 0);
    assert!(store.has(&wanted) && !store.has(&text));
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
}

#[test]
fn refuses_to_collect_under_another_users_feet() {
    let (folder, mut store) = fresh();
    let root = folder.path().join("store");
    let other = Store::open(&root).unwrap();
    let keep = Keep { blobs: BTreeSet::new(), trees: BTreeSet::new(), actions: BTreeSet::new(), stat_caches: false };
    let blob = other.put_bytes(b"in use", false).unwrap();
    assert!(matches!(store.gc(&keep), Err(StoreError::Busy { .. })));
    assert!(other.has(&blob));
    drop(other);
    assert_eq!(store.gc(&keep).unwrap().blobs, 1);
    // The shared lock is back: a third one cannot collect either.
    let mut third = Store::open(&root).unwrap();
    assert!(matches!(third.gc(&keep), Err(StoreError::Busy { .. })));
}
