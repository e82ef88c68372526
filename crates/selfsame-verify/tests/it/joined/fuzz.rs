//! What lists a release for several platforms, from anybody: taken apart without an end or a fall, and verified only as it
//! was signed.

use selfsame_testing::fuzz::{all, fuzz};

use super::*;

#[test]
fn fuzz_joined() {
    let files = Whole::of(&both()).lay_out();
    let listing = files[layout::INDEX_FILE].clone();
    let mut listed = Index::parse(&listing, media::INDEX).expect("an index").manifests;
    let referrers = listed.split_off(1);
    let top = listed.remove(0);
    let index = files[&layout::blob_path(top.digest)].clone();
    let words = [
        "\"manifests\":[",
        "\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\"}",
        "\"mediaType\":\"application/vnd.oci.image.index.v1+json\"",
        "\"artifactType\":",
        "\"subject\":{",
        "\"annotations\":{",
        "\"size\":18446744073709551615",
        "\"digest\":\"sha256:",
        "[]",
        "{}",
        "null",
    ];
    fuzz("joined", &[&listing, &index], &words, |bytes| {
        let mut as_listing = files.clone();
        as_listing.insert(layout::INDEX_FILE.to_owned(), bytes.to_vec());
        let mut as_index = files.clone();
        let new = Descriptor { digest: Digest::of(bytes), size: bytes.len() as u64, ..top.bare() };
        as_index.insert(layout::blob_path(new.digest), bytes.to_vec());
        as_index.insert(layout::INDEX_FILE.to_owned(), layout::index_file(&new, NAME, &referrers).bytes);
        all([taken_apart(&as_listing, bytes == listing), taken_apart(&as_index, bytes == index)])
    });
}

fn taken_apart(files: &Files, is_signed: bool) -> Result<(), String> {
    let joined = JoinedFiles::open(files).ok_or("no index is first")?.map_err(|fault| fault.to_string())?;
    let _ = joined.docker_file();
    for part in &joined.parts {
        let _ = selfsame_verify::ReleaseFiles::names(&part.of(files)).expect("names in memory");
    }
    let verdict = judged(files, &options(Depth::Blobs));
    assert!(is_signed || verdict.class() != Class::Verified, "nobody signed this: {}", verdict.name);
    Ok(())
}
