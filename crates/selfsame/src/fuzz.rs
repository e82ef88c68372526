//! Releases and capsules as one tar, from anybody.

use std::io::Read as _;

use selfsame_testing::fuzz::{checksummed, fuzz};
use selfsame_verify::ReleaseFiles as _;

use crate::files::Archive;

#[test]
fn fuzz_release_tar() {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in
        [("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"), ("index.json", "{}"), ("blobs/sha256/ab", "x")]
    {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).expect("memory");
    }
    let tar = tar.into_inner().expect("memory");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let words = [
        "index.json",
        "./",
        "../",
        "ustar\x0000",
        "19 path=index.json\n",
        "11 size=1\n",
        "././@LongLink",
        "00000000000",
    ];
    fuzz("release-tar", &[&tar], &words, |bytes| {
        std::fs::write(file.path(), checksummed(bytes)).expect("the file");
        let archive = Archive::open(file.path()).map_err(|error| error.to_string())?;
        for name in archive.names().map_err(|error| error.to_string())? {
            let whole = archive.read(&name, 1 << 20);
            let opened = archive.open(&name).map_err(|error| error.to_string())?;
            let mut read = Vec::new();
            opened.expect("it is listed").take(1 << 20).read_to_end(&mut read).map_err(|error| error.to_string())?;
            if let Ok(Some(whole)) = whole {
                assert_eq!(whole, read, "`{name}` is two things");
            }
        }
        Ok(())
    });
}
