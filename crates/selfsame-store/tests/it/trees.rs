use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use selfsame_core::Digest;
use selfsame_core::profile::INPUT_MTIME_SECS;
use selfsame_store::StoreError;
use selfsame_tree::{Entry, Kind, Tree};

use super::{fresh, path, sample};

/// What `lstat` says of everything in a folder, one line each, times less the base.
fn picture(root: &Path, base: u64) -> String {
    let mut lines = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap).chain([]) {
            let metadata = entry.metadata().unwrap();
            let kind = if metadata.is_dir() {
                folders.push(entry.path());
                "dir".to_owned()
            } else if metadata.is_symlink() {
                format!("-> {}", std::fs::read_link(entry.path()).unwrap().display())
            } else {
                format!("{:?}", std::fs::read_to_string(entry.path()).unwrap())
            };
            let below = entry.path().strip_prefix(root).unwrap().display().to_string();
            let late = metadata.mtime() - i64::try_from(base).unwrap();
            lines.push(format!("{below} {:04o} +{late} {kind}", metadata.permissions().mode() & 0o7777));
        }
    }
    lines.sort();
    lines.join("\n")
}

const SAMPLE: &str = "\
bin 0755 +0 dir
bin/alias 0777 +0 -> tool
bin/tool 0755 +0 \"#!/bin/sh\\n\"
closed 0555 +0 dir
closed/within 0600 +0 \"x\"
lib 0755 +3 dir
lib/late 0644 +3 \"made by step 3\"
lib/one 0644 +0 \"same\"
lib/one.again 0644 +0 \"same\"
lib/two 0644 +0 \"same\"";

#[test]
fn materialises_kinds_modes_and_times() {
    let (_folder, store) = fresh();
    let tree = sample(&store);
    let root = store.materialise(&tree).unwrap();
    assert_eq!(picture(&root, INPUT_MTIME_SECS), SAMPLE);
    let top = std::fs::metadata(&root).unwrap();
    assert_eq!((top.permissions().mode() & 0o7777, top.mtime()), (0o755, i64::try_from(INPUT_MTIME_SECS).unwrap()));
    let inode = |name: &str| std::fs::symlink_metadata(root.join(name)).unwrap().ino();
    assert_eq!(inode("lib/one"), inode("lib/one.again"), "a hard link of the tree's own");
    assert_ne!(inode("lib/one"), inode("lib/two"), "`cp lib/one lib/two` would refuse");
    let blob = store.blob_path(&Digest::of(b"same"), false).unwrap().unwrap();
    assert_eq!(std::fs::metadata(blob).unwrap().ino(), inode("lib/one"), "it was copied, not linked");
}

#[test]
fn makes_a_tree_once_and_anew_when_it_was_touched() {
    let (_folder, store) = fresh();
    let tree = sample(&store);
    let root = store.materialise(&tree).unwrap();
    let inode = || std::fs::metadata(&root).unwrap().ino();
    let first = inode();
    assert_eq!(store.materialise(&tree).unwrap(), root);
    assert_eq!(inode(), first);
    type Hand = fn(&Path);
    let hands: [(&str, Hand); 6] = [
        ("added", |root| std::fs::write(root.join("lib/extra"), "").unwrap()),
        ("removed", |root| std::fs::remove_file(root.join("bin/alias")).unwrap()),
        ("chmod", |root| std::fs::set_permissions(root.join("lib"), PermissionsExt::from_mode(0o700)).unwrap()),
        ("written", |root| std::fs::write(root.join("lib/two"), "emas").unwrap()),
        ("folder gone", |root| std::fs::remove_dir_all(root.join("lib")).unwrap()),
        ("mark gone", |root| std::fs::remove_file(root.parent().unwrap().join("complete")).unwrap()),
    ];
    for (what, hand) in hands {
        let before = inode();
        hand(&root);
        store.materialise(&tree).unwrap();
        assert_ne!(inode(), before, "{what}: not noticed");
        assert_eq!(picture(&root, INPUT_MTIME_SECS), SAMPLE, "{what}");
    }
}

#[test]
fn unpacks_copies_with_times_of_the_callers_choice() {
    let (folder, store) = fresh();
    let tree = sample(&store);
    let dest = folder.path().join("out");
    store.unpack(&tree, &dest, |rank| 1_000_000 + u64::from(rank)).unwrap();
    assert_eq!(picture(&dest, 1_000_000), SAMPLE);
    let blob = store.blob_path(&Digest::of(b"same"), false).unwrap().unwrap();
    std::fs::write(dest.join("lib/one"), "mine").unwrap();
    assert_eq!(std::fs::read(blob).unwrap(), b"same", "a copy shares nothing");
    assert!(matches!(store.unpack(&tree, &dest, |_| 0), Err(StoreError::Occupied { .. })));
    let digest = store.put_bytes(b"su", false).unwrap();
    let mode = |mode: u32| Entry::new(Kind::File { digest, size: 2 }, mode);
    let su = Tree::from_entries([(path("su"), mode(0o4755)), (path("wall"), mode(0o2711))]).unwrap();
    store.unpack(&su, &folder.path().join("su"), |_| 0).unwrap();
    assert_eq!(picture(&folder.path().join("su"), 0), "su 0755 +0 \"su\"\nwall 0711 +0 \"su\"");
    assert_eq!(
        picture(&store.materialise(&su).unwrap(), INPUT_MTIME_SECS),
        "su 4755 +0 \"su\"\nwall 2711 +0 \"su\"",
        "below the store's own folder they are as the tree says"
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    store.unpack(&tree, &empty, |_| 1_000_000).unwrap();
}

#[test]
fn reads_back_trees_and_lists_what_is_missing() {
    let (_folder, store) = fresh();
    let tree = sample(&store);
    let digest = store.put_tree(&tree).unwrap();
    assert_eq!(digest, tree.digest());
    assert_eq!(store.tree(&digest).unwrap(), tree);
    assert_eq!(store.missing(&tree).unwrap(), []);
    let wanting = tree
        .union(&Tree::from_entries([(path("zz"), Entry::file(Digest::of(b"far away"), 8, false))]).unwrap())
        .unwrap();
    assert_eq!(store.missing(&wanting).unwrap(), [(path("zz"), Digest::of(b"far away"), 8)]);
    assert!(matches!(store.materialise(&wanting), Err(StoreError::Absent { .. })));
    let no_tree = store.put_bytes(b"selfsame-tree v1\nx\n", false).unwrap();
    assert!(matches!(store.tree(&no_tree), Err(StoreError::NotATree { .. })));
}

#[test]
fn a_tree_with_a_wrong_size_does_not_cost_the_store_a_good_blob() {
    let (_folder, store) = fresh();
    let digest = store.put_bytes(b"whole", false).unwrap();
    let tree = Tree::from_entries([(path("f"), Entry::file(digest, 4, false))]).unwrap();
    let error = store.materialise(&tree).unwrap_err();
    assert!(matches!(error, StoreError::WrongSize { size_bytes: 5, expected_bytes: 4, .. }), "{error:?}");
    assert_eq!(store.read_blob(&digest, 100).unwrap(), b"whole");
}

#[test]
fn an_empty_tree_is_an_empty_folder() {
    let (_folder, store) = fresh();
    let root = store.materialise(&Tree::new()).unwrap();
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
}

#[test]
fn a_blob_with_as_many_names_as_the_disk_allows_is_copied() {
    let (folder, store) = fresh();
    let digest = store.put_bytes(b"popular", false).unwrap();
    let blob = store.blob_path(&digest, false).unwrap().unwrap();
    let names = folder.path().join("names");
    std::fs::create_dir(&names).unwrap();
    // 65,000 on ext4; a file system without a limit in reach has nothing to show here.
    let refused = (0..70_000).find_map(|number| std::fs::hard_link(&blob, names.join(number.to_string())).err());
    let tree = Tree::from_entries([(path("f"), Entry::file(digest, 7, false))]).unwrap();
    let root = store.materialise(&tree).unwrap();
    assert_eq!(picture(&root, INPUT_MTIME_SECS), "f 0644 +0 \"popular\"");
    let shares = std::fs::metadata(root.join("f")).unwrap().ino() == std::fs::metadata(&blob).unwrap().ino();
    assert_eq!(shares, refused.is_none());
}
