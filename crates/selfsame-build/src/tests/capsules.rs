//! Packs that come from strangers.

use selfsame_oci::{Compression, Descriptor, write_pack};

use super::*;
use crate::capsule::TREE_ANNOTATION;
use crate::layer::StoreContents;

/// A tree of these files, which are in the store.
fn tree(store: &Store, files: &[(&str, &str)]) -> Tree {
    let entry = |(name, text): &(&str, &str)| {
        let digest = store.put_bytes(text.as_bytes(), false).expect("a store");
        (path(name), Entry::file(digest, text.len() as u64, false))
    };
    Tree::from_entries(files.iter().map(entry)).expect("a tree")
}

/// A pack that holds one tree and says that it belongs to another.
fn pack(store: &Store, holds: &Tree, of: &Tree) -> (Descriptor, Vec<u8>) {
    let mut bytes = Vec::new();
    let epoch = SourceEpoch::new(0).expect("a second");
    write_pack(holds, epoch, &StoreContents(store), &mut bytes, Compression::Gzip, 1).expect("a pack");
    let media_type = selfsame_core::media::PACK;
    (Descriptor::of(media_type, &bytes).annotated(TREE_ANNOTATION, of.digest().to_string()), bytes)
}

/// What a store says that has the list of `of` alone, and that it has no file then.
#[track_caller]
fn refused(of: Option<&Tree>, (descriptor, bytes): (Descriptor, Vec<u8>), because: &str) {
    let (_folder, store) = world();
    if let Some(of) = of {
        store.put_tree(of).expect("a store");
    }
    let error = capsule::import(&descriptor, &bytes[..], &store).expect_err(because).to_string();
    assert!(error.contains(because), "{error}");
    if let Some(of) = of {
        assert!(!store.missing(of).expect("a store").is_empty(), "nothing of it is believed");
    }
}

#[test]
fn packs_of_strangers_are_refused() {
    let (_folder, store) = world();
    let wanted = tree(&store, &[("a", "a file"), ("b", "another")]);
    let size = tree(&store, &[("a", "of no size that is wanted")]);
    let content = tree(&store, &[("b", "anOther")]);
    refused(Some(&wanted), pack(&store, &size, &wanted), "a pack holds `a`, which its tree does not have");
    refused(Some(&wanted), pack(&store, &content, &wanted), "a pack holds `b`, which its tree does not have");
    // Without the list the pack has to be the tree.
    refused(None, pack(&store, &content, &wanted), "holds another tree than");

    let (descriptor, bytes) = pack(&store, &wanted, &wanted);
    let mut bare = descriptor.clone();
    bare.annotations.clear();
    refused(Some(&wanted), (bare, bytes.clone()), "names no tree that it belongs to");
    let half = bytes[..bytes.len() / 2].to_vec();
    refused(Some(&wanted), (descriptor.clone(), half), "pack sha256:");
    refused(Some(&wanted), (descriptor.clone(), b"not a pack".to_vec()), "pack sha256:");

    let (_folder, other) = world();
    let longer = [&bytes[..], b"more"].concat();
    capsule::import(&descriptor, &longer[..], &other).expect_err("a pack with more behind it");
    let other_name = Descriptor { digest: Digest::of(b"another"), ..descriptor.clone() };
    let error = capsule::import(&other_name, &bytes[..], &other).expect_err("another digest").to_string();
    assert!(error.ends_with("is not what it is named for"), "{error}");

    capsule::import(&descriptor, &bytes[..], &other).expect("the pack itself");
    other.put_tree(&wanted).expect("a store");
    assert!(other.missing(&wanted).expect("a store").is_empty());
    // With all of it there the pack is not opened.
    capsule::import(&descriptor, &b"nothing"[..], &other).expect("nothing to bring");
}
