//! Files changed, taken away and added.

use selfsame_core::Digest;
use selfsame_oci::layout;
use selfsame_verify::{CheckId, Depth, Outcome, RUN_RECORD_FILE};

use crate::fake::{self, Parts};
use crate::{Files, fails, fails_at, table, verdict, verifies};

#[test]
fn no_flipped_byte_verifies() {
    let good = fake::good();
    for (name, bytes) in &good {
        // Every byte of the documents that no digest covers, a sample of the others.
        let step = match name.as_str() {
            RUN_RECORD_FILE => 11,
            name if name.starts_with("blobs") => 1 + bytes.len() / 40,
            _ => 1,
        };
        for at in (0..bytes.len()).step_by(step) {
            let mut files = good.clone();
            files.get_mut(name).unwrap()[at] ^= 1 << (at % 8);
            let verdict = verdict(&files, Depth::Blobs);
            if name == RUN_RECORD_FILE {
                verifies(&verdict);
                assert!(verdict.run_record.is_none(), "byte {at} of {name}");
                let reported = &verdict.check(CheckId::RunRecord).outcome;
                assert!(matches!(reported, Outcome::NotPerformed { reason } if reason.starts_with("not used")), "{at}");
            } else {
                assert!(!verdict.is_verified(), "byte {at} of {name}\n{}", table(&verdict));
            }
        }
    }
}

#[test]
fn no_missing_file_verifies_and_none_makes_up_for_another() {
    let good = fake::good();
    let needed = || good.keys().filter(|name| *name != RUN_RECORD_FILE);
    for name in needed() {
        let mut dropped = good.clone();
        dropped.remove(name);
        assert!(!verdict(&dropped, Depth::Blobs).is_verified(), "{name} dropped");
        let mut changed = good.clone();
        changed.get_mut(name).unwrap().push(b' ');
        for other in needed().filter(|other| *other != name) {
            let mut both = changed.clone();
            both.remove(other);
            assert!(!verdict(&both, Depth::Blobs).is_verified(), "{name} changed, {other} dropped");
        }
    }
    let mut without_record = good.clone();
    without_record.remove(RUN_RECORD_FILE);
    verifies(&verdict(&without_record, Depth::Content));
}

#[test]
fn nothing_else_lies_in_the_folder() {
    for name in [
        "README",
        "blobs/sha256/README",
        "blobs/sha512/00",
        "rebuild-.sigstore.json",
        "rebuild-a/b.sigstore.json",
        "rebuild-\u{1b}.sigstore.json",
        "run-record.sigstore.json2",
        "sub/run-record.sigstore.json",
        "Index.json",
    ] {
        let mut files = fake::good();
        files.insert(name.into(), b"{}".to_vec());
        fails_at(&files, Depth::Blobs, CheckId::NothingExtra, "nothing names");
        assert!(!table(&verdict(&files, Depth::Blobs)).contains('\u{1b}'));
    }
    let mut files = fake::good();
    files.insert(layout::blob_path(Digest::of(b"unnamed")), b"unnamed".to_vec());
    fails_at(&files, Depth::Blobs, CheckId::NothingExtra, "nothing names");
}

#[test]
fn a_blob_is_what_its_descriptor_says() {
    let good = fake::good();
    let layer = layout::blob_path(Parts::good().layers[0].digest);
    let change = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut files = good.clone();
        edit(files.get_mut(&layer).unwrap());
        files
    };
    fails(&change(&|bytes| bytes[40] ^= 1), CheckId::Blobs, "does not have the digest");
    fails(&change(&|bytes| bytes.push(0)), CheckId::Blobs, "is longer than");
    fails(&change(&|bytes| bytes.truncate(bytes.len() - 1)), CheckId::Blobs, "its descriptor says");
    let mut files = good.clone();
    files.remove(&layer);
    fails(&files, CheckId::Blobs, "is missing");
    // At depth `evidence` nobody looked, and the verdict says so.
    let verdict = verdict(&files, Depth::Evidence);
    verifies(&verdict);
    assert_eq!(verdict.check(CheckId::Blobs).outcome.reason(), Some("not asked for at depth `evidence`"));
}

#[test]
fn an_archive_carries_dockers_list_of_this_image() {
    let parts = Parts::good();
    let list = |layers: &[selfsame_oci::Descriptor], tag: &str| {
        let mut files = fake::good();
        let config = parts.config.document().descriptor;
        files.insert(layout::DOCKER_FILE.into(), layout::docker_file(&config, layers, &[tag.to_owned()]));
        files
    };
    verifies(&verdict(&list(&parts.layers, "hello:1.0.0"), Depth::Content));
    fails(&list(&parts.layers, "hello:2.0.0"), CheckId::Names, "manifest.json lists something else");
    fails(&list(&[], "hello:1.0.0"), CheckId::Names, "manifest.json lists something else");
    fails(&list(&parts.capsule[..1], "hello:1.0.0"), CheckId::Names, "manifest.json lists something else");
}

#[test]
fn the_capsule_may_go_but_not_change() {
    let mut parts = Parts::good();
    parts.blobs.retain(|digest, _| parts.capsule.iter().all(|part| part.digest != *digest));
    parts.capsule.clear();
    verifies(&verdict(&parts.release(), Depth::Content));

    let mut parts = Parts::good();
    let stranger = parts.add(b"stranger");
    parts.capsule.push(selfsame_oci::Descriptor::new("application/octet-stream", stranger, 8));
    fails(&parts.release(), CheckId::Capsule, "no input of the provenance");

    let mut parts = Parts::good();
    parts.capsule[2].annotations.clear();
    fails(&parts.release(), CheckId::Capsule, "names no tree");

    // A pack whose files are not those of the tree that it names.
    let mut parts = Parts::good();
    let (pack, _) = fake::layer(&[("hello.c", b"int main; /* other */")]);
    parts.add(&pack);
    parts.blobs.remove(&parts.capsule[2].digest.clone());
    let annotations = parts.capsule[2].annotations.clone();
    parts.capsule[2] = selfsame_oci::Descriptor::of(selfsame_core::media::PACK, &pack);
    parts.capsule[2].annotations = annotations;
    fails(&parts.release(), CheckId::Capsule, "which its tree does not have");
    let mut files: Files = parts.release();
    files.get_mut(&layout::blob_path(Digest::of(&pack))).unwrap()[30] ^= 1;
    fails(&files, CheckId::Blobs, "does not have the digest");
}
