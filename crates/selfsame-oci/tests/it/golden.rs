//! Golden vectors of profile 1. A failure here means that the bytes of releases have changed: that is a new profile,
//! never an update of the expectation.

use selfsame_oci::Compression;
use selfsame_tree::Entry;

use crate::fixture::{Files, noise, prose};

fn picture(files: &Files) -> String {
    let (gzip, _) = files.write(Compression::Gzip, 2).unwrap();
    let (plain, _) = files.write(Compression::None, 2).unwrap();
    assert_eq!((plain.digest, plain.size), (gzip.diff_id, gzip.diff_size));
    format!("diff {} {}\ngzip {} {}", gzip.diff_size, gzip.diff_id, gzip.size, gzip.digest)
}

#[test]
fn a_small_tree() {
    let mut capable = Entry::file(selfsame_core::Digest::of(b"hello"), 5, true);
    capable.xattrs.insert("security.capability".to_owned(), vec![1, 0, 0, 2]);
    let files = Files::default()
        .folder("bin")
        .file("bin/hello", b"hello")
        .link("bin/hi", "bin/hello")
        .entry("bin/ping", capable)
        .entry("lib", Entry::symlink("usr/lib"))
        .file(&format!("{}/file", "long".repeat(50)), b"");
    insta::assert_snapshot!(picture(&files), @r"
    diff 7168 sha256:326b1edfe265c866a543bc9c0461f9149bcf37bb7792bd3d81dade27452da59a
    gzip 335 sha256:286332fdd1f979a52d3f784c5d357cfc1b1ba36bc73b64b5534cad63b43b76d4
    ");
}

#[test]
fn nothing() {
    insta::assert_snapshot!(picture(&Files::default()), @r"
    diff 1024 sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
    gzip 34 sha256:94f7d311d077a4bde60da37fc79bd350d47af35ac50bbfee11457b6d822cbf48
    ");
}

/// Text that compresses, noise that does not, a run of one byte, over several blocks.
#[test]
fn several_blocks() {
    let files = Files::default()
        .file("noise", &noise(0x5e1f_5a3e, 1_500_000))
        .file("prose", &prose(0x0dd5_eed5, 2_500_000))
        .file("zeros", &vec![0; 1_200_000]);
    insta::assert_snapshot!(picture(&files), @r"
    diff 5202944 sha256:a94f337000ca22775e681bd2c95228562a9ca4cdd1606e1bd8ba835688f5d6cc
    gzip 2076186 sha256:3e8f5e295ca948521768cd6c84d24577ba8c7c8896b59cc25aa2360ac8c939b4
    ");
}
