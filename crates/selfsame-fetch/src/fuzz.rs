//! Archives and locks of sources, from anybody.

use std::io::Write as _;

use selfsame_store::Store;
use selfsame_testing::fuzz::{Answer, checksummed, fuzz};

use crate::archive::{self, ArchiveError, Limits};
use crate::cargo_lock::CargoLock;

#[test]
fn fuzz_cargo_lock() {
    let checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = format!(
        "version = 4\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.1+meta\"\nsource = \"registry+https://registry.example/index\"\nchecksum = \"{checksum}\"\ndependencies = [\"x\"]\n\n[[package]]\nname = \"me\"\nversion = \"0.0.0\"\n"
    );
    let words = [
        "[[package]]\n",
        "name = ",
        "source = \"git+",
        "source = \"sparse+",
        "checksum = ",
        "[metadata]\n",
        "../",
        "version = 3\n",
    ];
    fuzz("cargo-lock", &[text.as_bytes()], &words, |bytes| {
        CargoLock::parse(&String::from_utf8_lossy(bytes)).map(drop).map_err(|error| error.to_string())
    });
}

/// Sources as tars and zip files; what is unpacked stays below.
#[test]
fn fuzz_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("store")).expect("a store");
    let unpack = |bytes: &[u8]| -> Answer {
        let digest = store.put_bytes(bytes, false).expect("a blob");
        let limits = Limits { free_bytes: 64 << 20, ..Limits::SOURCE };
        match archive::unpack_archive(&store, &digest, "archive", 1, limits) {
            Ok(tree) => {
                assert!(tree.iter().all(|(path, _)| path.components().all(|part| part != "..")));
                Ok(())
            }
            Err(error @ ArchiveError::Store { .. }) => panic!("the store is not at fault: {error:?}"),
            Err(error) => Err(error.to_string()),
        }
    };
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    header.set_mode(0o755);
    tar.append_data(&mut header, "top/bin/run", &b"run"[..]).expect("memory");
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "top/run", "bin/run").expect("memory");
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    tar.append_data(&mut header, format!("top/{}", "n".repeat(120)), &b"x"[..]).expect("memory");
    let tar = tar.into_inner().expect("memory");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).expect("memory");
    let gzip = gzip.finish().expect("memory");
    let zip = include_bytes!("../../../tests/corpus/zip/two-members.zip");
    let words = [
        "../",
        "ustar\x0000",
        "././@LongLink",
        "11 size=1\n",
        "27 path=../a\n",
        "GNU.sparse.",
        "PK\x01\x02",
        "PK\x05\x06",
    ];
    fuzz("archive", &[&tar, &gzip, zip], &words, |bytes| {
        if bytes.starts_with(b"PK") || bytes.starts_with(b"\x1f\x8b") {
            unpack(bytes)
        } else {
            unpack(&checksummed(bytes))
        }
    });
}
