//! Releases for several platforms.

use selfsame_core::media;
use selfsame_oci::{Index, Manifest};

use super::*;
use crate::{Content, Subject, lay_out_subject};

fn built_for(platform: &str, store: &Store) -> Built {
    let mut inputs = inputs(store);
    inputs.request.platform = platform.parse().expect("a platform");
    build(&inputs, store, &Fake { store, variation: "" }, COLD, 1, &Quiet).expect("a build")
}

/// Golden: what profile 1 makes of one image for two platforms.
#[test]
fn an_index_is_the_subject_of_a_release_for_several_platforms() {
    let (_folder, store) = world();
    let (amd, arm) = (built_for("linux/amd64", &store), built_for("linux/arm64", &store));
    let images = |builds: [&Built; 2]| builds.map(|built| built.record.image.clone()).to_vec();
    let request = &amd.record.request;
    let subject = Subject::index(images([&arm, &amd]), request).expect("an index");
    let index = subject.index.clone().expect("an index");
    insta::assert_snapshot!(String::from_utf8(index.bytes.clone()).expect("text"), @r#"{"annotations":{"org.opencontainers.image.created":"2023-11-14T22:13:20Z","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.0.0"},"manifests":[{"digest":"sha256:519d586aeac3769164c7fec8142b63559ab86ea3c3d5746c0eeec1ff5d62647e","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"amd64","os":"linux"},"size":559},{"digest":"sha256:8091a8a8a2220870409276a8203056a35de2f50d04fd2e489aa56dfb18615463","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"arm64","os":"linux"},"size":559}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#);
    assert_eq!(Subject::index(images([&amd, &arm]), request).expect("an index").index, Some(index.clone()));
    let twice = Subject::index(images([&amd, &amd]), request).expect_err("one platform twice").to_string();
    assert_eq!(twice, "the images of several platforms: image index: two manifests are for linux/amd64");

    let evidence = sign(&statements(&amd, None), &key()).expect("signatures");
    let release = lay_out_subject(&subject, request, &evidence, &[]);
    let file = |name: &str| match &release.files[name] {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Blob(digest, _) => store.read_blob(digest, 1 << 20).expect("a blob"),
    };
    let listed = Index::parse(&file("index.json"), media::INDEX).expect("an index");
    assert_eq!(listed.manifests[0].digest, index.descriptor.digest);
    assert_eq!(listed.manifests[0].media_type, media::INDEX);
    for referrer in &listed.manifests[1..] {
        let bytes = file(&selfsame_oci::layout::blob_path(referrer.digest));
        let manifest = Manifest::parse(&bytes, media::MANIFEST).expect("a referrer");
        assert_eq!(manifest.subject, Some(index.descriptor.bare()));
    }
    for image in &subject.images {
        assert!(release.files.contains_key(&selfsame_oci::layout::blob_path(image.manifest.digest)));
        assert!(release.files.contains_key(&selfsame_oci::layout::blob_path(image.config.digest)));
    }
}
