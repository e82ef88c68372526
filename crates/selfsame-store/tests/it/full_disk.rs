//! A disk of two megabytes.

use std::collections::BTreeSet;

use selfsame_core::Digest;
use selfsame_store::{Keep, PublishError, Replace, Staging, Store, StoreError};
use selfsame_testing::{Tier, require};
use selfsame_tree::{Entry, Kind, Tree};

use super::{child, path};

#[test]
fn sandbox_a_full_disk_is_named_and_nothing_partial_stays() {
    if !require(Tier::Sandbox, child::namespaces()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let setup = "mount -t tmpfs -o size=2m none \"$1\"";
    let output = child::in_namespace(setup, "full_disk::on_a_small_disk", folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "the child of the test above"]
fn on_a_small_disk() {
    let Some(folder) = child::folder() else { return };
    let store = Store::open(&folder.join("store")).unwrap();
    let half = vec![b'x'; 1_000_000];
    let digest = store.put_bytes(&half, false).unwrap();
    let used = || store.du().unwrap();
    let before = used();

    let large = vec![b'y'; 3_000_000];
    let error = store.put(&mut &large[..], false).unwrap_err();
    assert!(matches!(error, StoreError::Full { operation: "write", .. }), "{error:?}");
    assert!(matches!(store.put_bytes(&large, false), Err(StoreError::Full { .. })));
    assert_eq!(used(), before);

    // The first is a link, the second a copy, the third does not fit.
    let file = |mode: u32| Entry::new(Kind::File { digest, size: 1_000_000 }, mode);
    let tree =
        Tree::from_entries([(path("a"), file(0o644)), (path("b"), file(0o600)), (path("c"), file(0o640))]).unwrap();
    let error = store.materialise(&tree).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(used(), before);
    assert!(store.check(&mut |_| {}).unwrap().is_clean());
    assert_eq!(store.read_blob(&digest, 1 << 20).unwrap(), half);

    let out = folder.join("out");
    let staging = Staging::beside(&out).unwrap();
    let error = staging.write(&large).unwrap_err();
    assert!(matches!(error, PublishError::Full { .. }), "{error:?}");
    drop(staging);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store"]);
    let staging = Staging::beside(&out).unwrap();
    staging.write(b"fits").unwrap();
    staging.publish(Replace::Never).unwrap();
    assert_eq!(Digest::of(&std::fs::read(out).unwrap()), Digest::of(b"fits"));
}

#[test]
fn sandbox_a_store_on_a_full_disk_can_be_read_and_emptied() {
    if !require(Tier::Sandbox, child::namespaces()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let setup = "mount -t tmpfs -o size=2m,nr_inodes=100 none \"$1\"";
    let output = child::in_namespace(setup, "full_disk::without_an_inode_left", folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "the child of the test above"]
fn without_an_inode_left() {
    let Some(folder) = child::folder() else { return };
    let store = Store::open(&folder.join("store")).unwrap();
    let digest = store.put_bytes(b"old", false).unwrap();
    let tree = Tree::from_entries([(path("a"), Entry::file(digest, 3, false))]).unwrap();
    store.materialise(&tree).unwrap();
    drop(store);
    let full = (0..).find(|number| std::fs::write(folder.join(format!("f{number}")), "").is_err()).unwrap();
    assert!(full < 100);
    let mut store = Store::open(&folder.join("store")).unwrap();
    assert_eq!(store.read_blob(&digest, 10).unwrap(), b"old");
    assert!(matches!(store.put_bytes(b"new", false), Err(StoreError::Full { .. })));
    let nothing = Keep { blobs: BTreeSet::new(), trees: BTreeSet::new(), actions: BTreeSet::new(), stat_caches: false };
    let removed = store.gc(&nothing).unwrap();
    assert_eq!((removed.blobs, removed.trees), (1, 1));
    store.put_bytes(b"new", false).unwrap();
}
