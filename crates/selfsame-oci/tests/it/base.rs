//! An image on a base: whose words count, and which bytes stay.

use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, media};
use selfsame_oci::layout::LAYER_ZSTD;
use selfsame_oci::{Descriptor, DocumentError, History, ImageConfig, image_index, kept_layer};

use crate::fixture::epoch;

/// As a stranger's builder writes it.
const BASE: &str = r#"{"architecture":"amd64","author":"somebody","config":{"Cmd":["-g","daemon off;"],"Entrypoint":
["/entry.sh"],"Env":["PATH=/usr/bin:/bin","LANG=C","odd"],"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Interval":5,"Test":
["CMD","/probe"]},"Labels":{"a":"base","b":"base"},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],"StopSignal":"SIGQUIT",
"User":"33","Volumes":{"/data":{}},"WorkingDir":"/srv"},"container":"0123","created":"2020-01-01T00:00:00.5Z","docker_version":
"20","history":[{"created":"2020-01-01T00:00:00Z","created_by":"ADD file"},{"author":"x","comment":"y","created":
"2020-01-01T00:00:00Z","created_by":"CMD","empty_layer":true}],"os":"linux","rootfs":{"diff_ids":
["sha256:90aebae315675cbf04612de4f7d5874850f48e0b8dd82becbeaa47ca93f5ebfb"],"type":"layers"}}"#;

fn own(change: impl Fn(&mut ImageConfig)) -> ImageConfig {
    let mut config = ImageConfig::new("linux/amd64".parse().unwrap(), epoch());
    change(&mut config);
    config
}

fn text(config: ImageConfig) -> String {
    let mut config = config;
    config.push_layer(Digest::of(b"ours"), "selfsame build");
    String::from_utf8(config.document().bytes).unwrap()
}

#[test]
fn everything_is_inherited_that_is_not_stated() {
    let base = ImageConfig::parse(BASE.as_bytes()).unwrap();
    insta::assert_snapshot!(text(own(|_| {}).over(&base)), @r#"{"architecture":"amd64","config":{"Cmd":["-g","daemon off;"],"Entrypoint":["/entry.sh"],"Env":["PATH=/usr/bin:/bin","LANG=C","odd"],"ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Interval":5,"Test":["CMD","/probe"]},"Labels":{"a":"base","b":"base"},"Shell":["/bin/bash","-c"],"StopSignal":"SIGQUIT","User":"33","Volumes":{"/data":{}},"WorkingDir":"/srv"},"created":"2023-11-14T22:13:20Z","history":[{"created":"2023-11-14T22:13:20Z","created_by":"ADD file"},{"created":"2023-11-14T22:13:20Z","created_by":"CMD","empty_layer":true},{"created":"2023-11-14T22:13:20Z","created_by":"selfsame build"}],"os":"linux","rootfs":{"diff_ids":["sha256:90aebae315675cbf04612de4f7d5874850f48e0b8dd82becbeaa47ca93f5ebfb","sha256:ae0bec9e9d33c56354bd612c8a6010840324fc5b9786ce0a18b696b304b09397"],"type":"layers"}}"#);
}

#[test]
fn what_is_stated_counts() {
    let base = ImageConfig::parse(BASE.as_bytes()).unwrap();
    let stated = own(|config| {
        config.env = vec!["A=1".to_owned(), "PATH=/app".to_owned(), "odd=now".to_owned()];
        config.entrypoint = vec!["/app/run".to_owned()];
        config.user = "0:0".to_owned();
        config.workdir = "/app".to_owned();
        config.labels = BTreeMap::from([("b".to_owned(), "own".to_owned()), ("c".to_owned(), "own".to_owned())]);
        config.ports.insert("8080/tcp".to_owned());
        config.volumes.insert("/cache".to_owned());
        config.stop_signal = "SIGTERM".to_owned();
        config.shell = vec!["/bin/sh".to_owned()];
    });
    insta::assert_snapshot!(text(stated.over(&base)), @r#"{"architecture":"amd64","config":{"Entrypoint":["/app/run"],"Env":["PATH=/app","LANG=C","odd=now","A=1"],"ExposedPorts":{"80/tcp":{},"8080/tcp":{}},"Healthcheck":{"Interval":5,"Test":["CMD","/probe"]},"Labels":{"a":"base","b":"own","c":"own"},"Shell":["/bin/sh"],"StopSignal":"SIGTERM","User":"0:0","Volumes":{"/cache":{},"/data":{}},"WorkingDir":"/app"},"created":"2023-11-14T22:13:20Z","history":[{"created":"2023-11-14T22:13:20Z","created_by":"ADD file"},{"created":"2023-11-14T22:13:20Z","created_by":"CMD","empty_layer":true},{"created":"2023-11-14T22:13:20Z","created_by":"selfsame build"}],"os":"linux","rootfs":{"diff_ids":["sha256:90aebae315675cbf04612de4f7d5874850f48e0b8dd82becbeaa47ca93f5ebfb","sha256:ae0bec9e9d33c56354bd612c8a6010840324fc5b9786ce0a18b696b304b09397"],"type":"layers"}}"#);
}

#[test]
fn a_command_alone_goes_to_the_bases_entrypoint() {
    let base = ImageConfig::parse(BASE.as_bytes()).unwrap();
    let merged = own(|config| config.cmd = vec!["-t".to_owned()]).over(&base);
    assert_eq!((merged.entrypoint, merged.cmd), (vec!["/entry.sh".to_owned()], vec!["-t".to_owned()]));
    let merged = own(|config| config.entrypoint = vec!["/x".to_owned()]).over(&base);
    assert_eq!((merged.entrypoint, merged.cmd), (vec!["/x".to_owned()], Vec::new()));
}

#[test]
fn history_counts_the_bases_layers_also_where_the_base_has_none() {
    let mut base = ImageConfig::new(Platform::native(), epoch());
    base.diff_ids = vec![Digest::of(b"1"), Digest::of(b"2")];
    let mut merged = own(|_| {}).over(&base);
    merged.push_layer(Digest::of(b"3"), "ours");
    assert_eq!(merged.history.len(), 3);
    assert_eq!(merged.history[0], History { created: Some(epoch().rfc3339()), ..History::default() });
    assert_eq!(ImageConfig::parse(&merged.document().bytes).unwrap(), merged);
}

#[test]
fn layers_keep_their_bytes_and_get_ocis_names() {
    let kept = |media_type: &str| {
        kept_layer(&Descriptor::of(media_type, b"x").annotated("k", "v")).map(|layer| {
            assert_eq!((layer.digest, layer.size), (Digest::of(b"x"), 1));
            assert_eq!(layer.annotations.get("k").map(String::as_str), Some("v"));
            layer.media_type
        })
    };
    for (theirs, ours) in [
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", media::LAYER_GZIP),
        ("application/vnd.docker.image.rootfs.diff.tar", media::LAYER_TAR),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", LAYER_ZSTD),
        (media::LAYER_GZIP, media::LAYER_GZIP),
        (LAYER_ZSTD, LAYER_ZSTD),
    ] {
        assert_eq!(kept(theirs).unwrap(), ours);
    }
    for refused in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
        media::PACK,
        "text/html",
    ] {
        assert!(matches!(kept(refused), Err(DocumentError::Value { what: "base image", .. })), "{refused}");
    }
}

#[test]
fn an_index_is_the_same_in_whatever_order_its_images_were_made() {
    let manifest = |text: &str, platform: &str| {
        Descriptor::of(media::MANIFEST, text.as_bytes()).for_platform(platform.parse().unwrap())
    };
    let (amd, arm, v7) = (manifest("1", "linux/amd64"), manifest("2", "linux/arm64"), manifest("3", "linux/arm/v7"));
    let annotations = BTreeMap::from([("org.opencontainers.image.version".to_owned(), "1.0.0".to_owned())]);
    let index = image_index(&[arm.clone(), v7.clone(), amd.clone()], &annotations).unwrap();
    insta::assert_snapshot!(String::from_utf8(index.bytes.clone()).unwrap(), @r#"{"annotations":{"org.opencontainers.image.version":"1.0.0"},"manifests":[{"digest":"sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"amd64","os":"linux"},"size":1},{"digest":"sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"arm","os":"linux","variant":"v7"},"size":1},{"digest":"sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"arm64","os":"linux"},"size":1}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#);
    assert_eq!(index, image_index(&[amd.clone(), arm, v7], &annotations).unwrap());
    assert_eq!(index.descriptor, Descriptor::of(media::INDEX, &index.bytes));
    let twice = image_index(&[amd.clone(), amd.clone()], &annotations).unwrap_err().to_string();
    assert_eq!(twice, "image index: two manifests are for linux/amd64");
    let none = image_index(&[amd.bare()], &annotations).unwrap_err().to_string();
    assert!(none.ends_with("is for no platform"), "{none}");
}
