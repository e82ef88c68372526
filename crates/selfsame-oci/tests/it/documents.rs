//! Manifests, indexes, configs and layout files: written canonically, read strictly.

use std::collections::BTreeMap;

use proptest::prelude::*;
use selfsame_core::{Digest, Platform, media};
use selfsame_oci::layout::{
    DockerImage, blob_path, check_layout_file, docker_file, index_file, layout_file, parse_docker_file,
};
use selfsame_oci::{
    Descriptor, DocumentError, ImageConfig, Index, MAX_LAYERS, MAX_MANIFESTS, Manifest, image_manifest, index,
    referrer_manifest,
};

use crate::fixture::epoch;

fn config() -> ImageConfig {
    let mut config = ImageConfig::new("linux/arm/v7".parse().unwrap(), epoch());
    config.env = vec!["PATH=/bin".to_owned(), "A=b".to_owned()];
    config.entrypoint = vec!["/bin/hello".to_owned()];
    config.cmd = vec!["--help".to_owned()];
    config.user = "0:0".to_owned();
    config.workdir = "/".to_owned();
    config.labels.insert("a".to_owned(), "b".to_owned());
    config.ports.insert("8080/tcp".to_owned());
    config.push_layer(Digest::of(b"tar"), "selfsame");
    config
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn configs_are_canonical_and_reversible() {
    let document = config().document();
    insta::assert_snapshot!(text(&document.bytes), @r#"{"architecture":"arm","config":{"Cmd":["--help"],"Entrypoint":["/bin/hello"],"Env":["PATH=/bin","A=b"],"ExposedPorts":{"8080/tcp":{}},"Labels":{"a":"b"},"User":"0:0","WorkingDir":"/"},"created":"2023-11-14T22:13:20Z","history":[{"created":"2023-11-14T22:13:20Z","created_by":"selfsame"}],"os":"linux","rootfs":{"diff_ids":["sha256:90aebae315675cbf04612de4f7d5874850f48e0b8dd82becbeaa47ca93f5ebfb"],"type":"layers"},"variant":"v7"}"#);
    assert_eq!(document.descriptor, Descriptor::of(media::CONFIG, &document.bytes));
    assert_eq!(ImageConfig::parse(&document.bytes).unwrap(), config());
    let bare = ImageConfig::new(Platform::native(), epoch());
    assert_eq!(ImageConfig::parse(&bare.document().bytes).unwrap(), bare);
}

#[test]
fn manifests_are_canonical_and_reversible() {
    let layer = Descriptor::of(media::LAYER_GZIP, b"gzip");
    let image = image_manifest(&config().document().descriptor, std::slice::from_ref(&layer), &BTreeMap::new());
    insta::assert_snapshot!(text(&image.bytes), @r#"{"config":{"digest":"sha256:56ba00ac4779443622108530c11eb2cb2382b74d04e9970ce12a9ea373b3fa26","mediaType":"application/vnd.oci.image.config.v1+json","size":430},"layers":[{"digest":"sha256:c8d77bf4d8b1a10dd67a283d0c82bd96c9d5609860f84d7fc77692a36ab9b4c2","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":4}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#);
    let read = Manifest::parse(&image.bytes, media::MANIFEST).unwrap();
    assert_eq!((&read.config, &read.layers[..]), (&config().document().descriptor, &[layer][..]));
    config().agrees_with(&read).unwrap();

    let annotations = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let bundle = Descriptor::of(media::BUNDLE, b"{bundle}");
    let subject = image.descriptor.clone().annotated("x", "y").for_platform(Platform::native());
    let referrer = referrer_manifest(&subject, media::BUNDLE, &[bundle], &annotations);
    insta::assert_snapshot!(text(&referrer.bytes), @r#"{"annotations":{"k":"v"},"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.oci.empty.v1+json","size":2},"layers":[{"digest":"sha256:22611bb42406db1a0f34e3fb1593be2d15c56d0706ac6d56659218ba449a2352","mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":8}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2,"subject":{"digest":"sha256:d4141dbf3a61b35cc80c71892cf2b666a98440fd08bb8488118f37b3185c1c90","mediaType":"application/vnd.oci.image.manifest.v1+json","size":399}}"#);
    assert_eq!(referrer.descriptor.artifact_type.as_deref(), Some(media::BUNDLE));
    assert_eq!(referrer.descriptor.annotations, annotations);
    let read = Manifest::parse(&referrer.bytes, media::MANIFEST).unwrap();
    assert_eq!(read.subject, Some(image.descriptor.clone()));
    assert_eq!(read.config, Descriptor::empty());
    assert_eq!(read.config.digest, Digest::of(Descriptor::EMPTY_BYTES));

    let listed = index_file(&image.descriptor, "hello:1.0.0", std::slice::from_ref(&referrer.descriptor));
    insta::assert_snapshot!(text(&listed.bytes), @r#"{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"hello:1.0.0"},"digest":"sha256:d4141dbf3a61b35cc80c71892cf2b666a98440fd08bb8488118f37b3185c1c90","mediaType":"application/vnd.oci.image.manifest.v1+json","size":399},{"annotations":{"k":"v"},"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","digest":"sha256:b9bac0dd97ec8c3ecfb0d1bb0c6c976b096e8808f756c9eab0fa3ea10cee5043","mediaType":"application/vnd.oci.image.manifest.v1+json","size":642}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#);
    let read = Index::parse(&listed.bytes, media::INDEX).unwrap();
    assert_eq!(read.manifests[1], referrer.descriptor);
    let platforms = index(&[image.descriptor.for_platform(Platform::native())], &BTreeMap::new());
    let read = Index::parse(&platforms.bytes, media::INDEX).unwrap();
    assert_eq!(read.manifests[0].platform, Some(Platform::native()));
}

#[test]
fn layout_files() {
    insta::assert_snapshot!(text(&layout_file()), @r#"{"imageLayoutVersion":"1.0.0"}"#);
    check_layout_file(&layout_file()).unwrap();
    assert!(matches!(check_layout_file(b"{\"imageLayoutVersion\":\"2.0.0\"}"), Err(DocumentError::Value { .. })));
    assert!(matches!(check_layout_file(b"{}"), Err(DocumentError::Json { .. })));
    let (config, layer) = (Descriptor::of(media::CONFIG, b"c"), Descriptor::of(media::LAYER_GZIP, b"l"));
    let docker = docker_file(&config, std::slice::from_ref(&layer), &["hello:1.0.0".to_owned()]);
    insta::assert_snapshot!(text(&docker), @r#"[{"Config":"blobs/sha256/2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6","Layers":["blobs/sha256/acac86c0e609ca906f632b0e2dacccb2b77d22b0621f20ebece1a4835b93f6f0"],"RepoTags":["hello:1.0.0"]}]"#);
    let expected = DockerImage {
        config: blob_path(config.digest),
        repo_tags: Some(vec!["hello:1.0.0".to_owned()]),
        layers: vec![blob_path(layer.digest)],
    };
    assert_eq!(parse_docker_file(&docker).unwrap(), [expected]);
}

const DESCRIPTOR: &str = r#"{"mediaType":"application/x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}"#;

fn manifest(change: impl Fn(String) -> String) -> Result<Manifest, DocumentError> {
    let media = media::MANIFEST;
    let good = format!(r#"{{"schemaVersion":2,"mediaType":"{media}","config":{DESCRIPTOR},"layers":[{DESCRIPTOR}]}}"#);
    assert!(Manifest::parse(good.as_bytes(), media).is_ok());
    Manifest::parse(change(good).as_bytes(), media)
}

#[test]
fn one_kind_of_document_only() {
    let both = manifest(|good| good.replace("\"config\"", "\"manifests\":[],\"config\""));
    assert!(matches!(both, Err(DocumentError::Mixed { what: "manifest", field: "manifests" })));
    let both = Index::parse(br#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, media::INDEX);
    assert!(matches!(both, Err(DocumentError::Mixed { what: "index", field: "layers" })));
    let old = manifest(|good| good.replace("\"config\"", "\"fsLayers\":[],\"config\""));
    assert!(matches!(old, Err(DocumentError::Mixed { field: "fsLayers", .. })));
}

#[test]
fn media_types_must_agree() {
    let other = manifest(|good| good.replace(media::MANIFEST, media::INDEX));
    assert!(matches!(other, Err(DocumentError::MediaType { .. })));
    let absent = manifest(|good| good.replace(&format!("\"mediaType\":\"{}\",", media::MANIFEST), ""));
    assert_eq!(absent.unwrap().media_type, media::MANIFEST);
    assert!(matches!(Manifest::parse(b"{}", media::INDEX), Err(DocumentError::MediaType { .. })));
    assert!(matches!(Index::parse(b"{}", "text/html"), Err(DocumentError::MediaType { .. })));
    assert!(matches!(manifest(|good| good.replace(":2,", ":1,")), Err(DocumentError::Value { .. })));
}

#[test]
fn fields_that_are_twice_missing_or_wrong() {
    let json = |change: &dyn Fn(String) -> String, because: &str| match manifest(change) {
        Err(DocumentError::Json { source, .. }) => assert!(source.to_string().contains(because), "{source}"),
        other => panic!("{other:?}"),
    };
    json(&|good| good.replace("\"layers\"", "\"layers\":[],\"layers\""), "duplicate key");
    json(&|good| good.replace("\"layers\"", "\"layer\""), "missing field");
    json(&|good| good.replace("sha256:", "sha512:"), "not a digest");
    json(&|good| good.replace("sha256:e3", "sha256:E3"), "not a digest");
    json(&|good| good.replace("sha256:e3b0c4", "sha256:../../"), "not a digest");
    json(&|good| good.replace("\"size\":0", "\"size\":-1"), "invalid value");
    json(&|good| good.replace("\"size\":0", "\"size\":1.5"), "invalid type");
    json(&|good| good + "{}", "trailing");
    let size = manifest(|good| good.replace("\"size\":0", "\"size\":9007199254740993"));
    assert!(matches!(size, Err(DocumentError::Value { .. })));
    assert!(matches!(manifest(|_| "[]".to_owned()), Err(DocumentError::Value { .. })));
}

#[test]
fn lists_that_are_too_long() {
    let many = |count: usize| vec![DESCRIPTOR; count].join(",");
    let layers = manifest(|good| good.replace("\"layers\":[", &format!("\"layers\":[{},", many(MAX_LAYERS))));
    assert!(matches!(layers, Err(DocumentError::TooMany { count, limit: MAX_LAYERS, .. }) if count == MAX_LAYERS + 1));
    let manifests = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, many(MAX_MANIFESTS + 1));
    assert!(matches!(Index::parse(manifests.as_bytes(), media::INDEX), Err(DocumentError::TooMany { .. })));
}

#[test]
fn configs_that_count_wrong() {
    let document = config().document();
    let good = text(&document.bytes);
    let wrong = |from: &str, to: &str| ImageConfig::parse(good.replace(from, to).as_bytes());
    assert!(matches!(wrong("\"type\":\"layers\"", "\"type\":\"tiles\""), Err(DocumentError::Value { .. })));
    assert!(matches!(wrong("\"created_by\"", "\"empty_layer\":true,\"created_by\""), Err(DocumentError::Value { .. })));
    assert!(matches!(wrong("\"os\"", "\"layers\":[],\"os\""), Err(DocumentError::Mixed { .. })));
    assert!(matches!(wrong("\"diff_ids\"", "\"diff_idz\""), Err(DocumentError::Json { .. })));
    let null = wrong("[\"/bin/hello\"]", "null").unwrap();
    assert!(null.entrypoint.is_empty(), "Docker writes null for nothing");
    let none = image_manifest(&document.descriptor, &[], &BTreeMap::new());
    let none = Manifest::parse(&none.bytes, media::MANIFEST).unwrap();
    assert!(matches!(config().agrees_with(&none), Err(DocumentError::Value { .. })));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}", key in "[a-zA-Z]{1,14}") {
        for bytes in [text.clone(), format!("{{\"schemaVersion\":2,\"{key}\":[{{\"{text}\":1}}]}}")] {
            let _ = Manifest::parse(bytes.as_bytes(), media::MANIFEST);
            let _ = Index::parse(bytes.as_bytes(), media::INDEX);
            let _ = ImageConfig::parse(bytes.as_bytes());
            let _ = check_layout_file(bytes.as_bytes());
            let _ = parse_docker_file(bytes.as_bytes());
        }
    }
}
