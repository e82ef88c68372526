use std::io::{self, Read};

use selfsame_core::Digest;
use selfsame_store::StoreError;

use super::{blob_file, fresh, path, rot, sample};

#[test]
fn a_rotten_blob_is_named_whole_taken_away_and_can_be_had_anew() {
    let (_folder, store) = fresh();
    let digest = store.put_bytes(b"precious bytes", false).unwrap();
    rot(&blob_file(&store, &digest));
    let mut bytes = Vec::new();
    let error = store.open_blob(&digest).unwrap().read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let found = Digest::of(&bytes);
    assert_eq!(
        error.to_string(),
        format!("blob {digest} is damaged in the store: its 14 bytes are {found}"),
        "the whole digests are what people search for"
    );
    assert!(!store.has(&digest), "the next reader would find it again");
    assert_eq!(store.du().unwrap().waste.count, 1);
    store.put_expecting(&mut &b"precious bytes"[..], &digest, 14, false).unwrap();
    assert_eq!(store.read_blob(&digest, 100).unwrap(), b"precious bytes");
}

#[test]
fn every_single_flipped_bit_is_seen() {
    let (_folder, store) = fresh();
    let bytes = b"sixteen bytes ok";
    let digest = store.put_bytes(bytes, false).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(blob_file(&store, &digest), &wrong).unwrap();
        let error = store.read_blob(&digest, 100).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { digest: named, .. } if named == digest), "bit {bit}: {error:?}");
        store.put_bytes(bytes, false).unwrap();
    }
}

#[test]
fn a_short_blob_is_replaced_by_the_next_put() {
    let (_folder, store) = fresh();
    let digest = store.put_bytes(b"precious bytes", false).unwrap();
    for length in [0, 13] {
        let file = std::fs::File::options().write(true).open(blob_file(&store, &digest)).unwrap();
        file.set_len(length).unwrap();
        store.put(&mut &b"precious bytes"[..], false).unwrap();
        assert_eq!(store.read_blob(&digest, 100).unwrap(), b"precious bytes");
    }
}

#[test]
fn an_executable_twin_is_not_made_from_rotten_bytes() {
    let (_folder, store) = fresh();
    let digest = store.put_bytes(b"#!/bin/sh\n", false).unwrap();
    rot(&blob_file(&store, &digest));
    assert!(matches!(store.blob_path(&digest, true), Err(StoreError::Corrupt { .. })));
    assert!(!store.has(&digest));
}

#[test]
fn check_finds_what_is_rotten_missing_or_strange_and_the_next_check_is_clean() {
    let (_folder, store) = fresh();
    let tree = sample(&store);
    store.put_tree(&tree).unwrap();
    let root = store.materialise(&tree).unwrap();
    store.put_action_result(&Digest::of(b"a"), b"{}").unwrap();
    let mut calls = 0;
    let report = store
        .check(&mut |progress| {
            calls += 1;
            assert!(progress.done <= progress.total);
        })
        .unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.trees, report.records), (1, 1));
    assert_eq!(calls, report.blobs + report.trees + report.records);

    let rotten = store.put_bytes(b"will rot", false).unwrap();
    rot(&blob_file(&store, &rotten));
    // A copy, not a link: only the tree has this damage.
    rot(&root.join("lib/late"));
    std::fs::write(store.root().join("actions").join(Digest::of(b"a").hex()), "{").unwrap();
    std::fs::write(store.root().join("blobs/sha256/stranger"), "").unwrap();
    let report = store.check(&mut |_| {}).unwrap();
    assert_eq!(report.corrupt.iter().copied().collect::<Vec<_>>(), [rotten]);
    assert_eq!(report.damaged_trees, [(tree.digest(), path("lib/late"))]);
    assert_eq!(report.damaged_records.len(), 1);
    assert_eq!(report.unknown, [store.root().join("blobs/sha256/stranger")]);

    std::fs::remove_file(store.root().join("blobs/sha256/stranger")).unwrap();
    let report = store.check(&mut |_| {}).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(store.du().unwrap().waste.count, 3);
}

#[test]
fn trees_that_share_a_rotten_blob_go_with_it() {
    let (_folder, store) = fresh();
    let tree = sample(&store);
    let root = store.materialise(&tree).unwrap();
    let shared = Digest::of(b"same");
    rot(&blob_file(&store, &shared));
    assert_eq!(std::fs::read(root.join("lib/one")).unwrap(), b"sale", "the tree shares the inode");
    assert!(store.read_blob(&shared, 100).is_err());
    assert!(matches!(store.materialise(&tree), Err(StoreError::Absent { digest }) if digest == shared));
    store.put_bytes(b"same", false).unwrap();
    let root = store.materialise(&tree).unwrap();
    assert_eq!(std::fs::read(root.join("lib/one")).unwrap(), b"same");
}

#[test]
fn a_blob_rotten_on_disk_is_not_linked_into_a_tree() {
    let (folder, store) = fresh();
    let tree = sample(&store);
    drop(store);
    // Another process: it has not hashed these bytes itself.
    let store = selfsame_store::Store::open(&folder.path().join("store")).unwrap();
    rot(&blob_file(&store, &Digest::of(b"same")));
    let error = store.materialise(&tree).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { digest, .. } if digest == Digest::of(b"same")), "{error:?}");
    assert_eq!(store.du().unwrap().trees.count, 0);
}
