//! Golden vectors. To accept a change that is meant, run once with `SELFSAME_BLESS` set to `1` at compile time and read
//! the difference.

use std::path::Path;

use selfsame_log::{Body, LogSigner, RootLog, Tile, leaf_hash, print_entries, trusted_root};

use crate::{Memory, bundle, key, log_key, log_signer, logged};

#[track_caller]
fn golden(name: &str, found: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log").join(name);
    if option_env!("SELFSAME_BLESS") == Some("1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    assert!(found == expected, "{name}\n{}", String::from_utf8_lossy(found));
}

/// A log of 300 documents: one full tile, one partial one, one above them.
#[test]
fn a_log_is_these_bytes() {
    let public = key("selfsame test key").public();
    let bundles: Vec<_> = (0..300).map(|number| bundle(&format!("document-{number}"))).collect();
    let bodies: Vec<Vec<u8>> = bundles.iter().map(|it| Body::of(it.envelope(), &public).to_bytes()).collect();
    let leaves: Vec<_> = bodies.iter().map(|body| leaf_hash(body)).collect();
    let signer = log_signer("selfsame test log");
    let log = Memory::of(&leaves);
    for tile in Tile::of_tree(300) {
        golden(&format!("folder/{}", tile.path()), &Tile::print(&log.tiles[&tile]));
    }
    let entries = |range: std::ops::Range<usize>| print_entries(bodies[range].iter().map(Vec::as_slice)).unwrap();
    golden("folder/tile/entries/000", &entries(0..256));
    golden("folder/tile/entries/001.p/44", &entries(256..300));
    golden("folder/checkpoint", log.checkpoint(&signer).note.to_string().as_bytes());
    golden("folder/log.pub", format!("{}\n", log_key()).as_bytes());
    golden("checkpoint-100", Memory::of(&leaves[..100]).checkpoint(&signer).note.to_string().as_bytes());
    golden("trusted_root.json", &trusted_root(&[RootLog::new(&log_key())], &[]));
    golden("signer.pub", public.to_pem().as_bytes());
    let entry = logged(&bundles, &signer).remove(257);
    let with_entry = bundles[257].clone().with_log_entries(vec![entry.to_json()]);
    golden("document-257.sigstore.json", &with_entry.to_bytes());

    let ecdsa = LogSigner::p256(Box::new(key("a log's P-256 key")));
    golden("ecdsa.pub", format!("{}\n", ecdsa.key(crate::ORIGIN).unwrap()).as_bytes());
    golden("ecdsa-checkpoint", log.checkpoint(&ecdsa).note.to_string().as_bytes());
}
