//! Images that stand on others.

use std::collections::BTreeSet;

use selfsame_core::media;
use selfsame_oci::{Descriptor, ImageConfig, Manifest};

use super::*;
use crate::layer::{Form, remembered_layer};
use crate::record::Layer;
use crate::{BaseImage, InputPackage, KeptImage, LayerFile};

fn file(store: &Store, text: &str) -> Entry {
    let digest = store.put_bytes(text.as_bytes(), false).expect("a store");
    Entry::file(digest, text.len() as u64, false)
}

/// Two packages, one of which has the file that the definition replaces, and a link for a folder.
fn rootfs(store: &Store) -> BaseImage {
    let entries = [
        ("bin", Entry::symlink("usr/bin")),
        ("etc/release", file(store, "base 1\n")),
        ("usr/bin/hello", file(store, "the base's hello\n")),
        ("usr/lib/libc.so", file(store, "a library\n")),
    ];
    let tree = Tree::from_entries(entries.map(|(at, entry)| (path(at), entry))).expect("a tree");
    let package = |name: &str, files: &[&str], needs: &[&str]| InputPackage {
        purl: format!("pkg:deb/debian/{name}@1?arch=amd64"),
        name: name.to_owned(),
        version: "1".to_owned(),
        license: (name == "libc").then(|| "MIT".to_owned()),
        supplier: Some("Somebody <a@b.example>".to_owned()),
        files: files.iter().map(|at| path(at)).collect(),
        depends_on: needs.iter().map(|name| format!("pkg:deb/debian/{name}@1?arch=amd64")).collect(),
    };
    let packages =
        vec![package("hello", &["usr/bin/hello"], &["libc", "gone"]), package("libc", &["usr/lib/libc.so"], &[])];
    BaseImage { name: "debian".to_owned(), image: None, tree, packages }
}

/// The same as an image with one layer.
fn image(store: &Store) -> BaseImage {
    let base = rootfs(store);
    let epoch = SourceEpoch::new(1).expect("an epoch");
    let layer = remembered_layer(&base.tree, Form::Layer, epoch, Profile::CURRENT, store, 1).expect("a layer");
    let mut config = ImageConfig::new("linux/amd64".parse().expect("a platform"), epoch);
    config.env = vec!["A=base".to_owned(), "PATH=/usr/bin".to_owned()];
    config.cmd = vec!["sh".to_owned()];
    config.volumes.insert("/data".to_owned());
    config.push_layer(layer.diff_id, "ADD rootfs");
    let descriptor = Descriptor::new(media::LAYER_GZIP, layer.digest, layer.size);
    let kept = KeptImage {
        manifest: Digest::of(b"manifest"),
        reference: Some("registry.example/debian:12".to_owned()),
        config,
        layers: vec![Layer { descriptor, diff_id: layer.diff_id }],
        files: base.tree.iter().map(|(path, _)| (path.clone(), LayerFile { layer: 0, modified: 1 })).collect(),
    };
    BaseImage { image: Some(kept), ..base }
}

fn built_on(base: BaseImage, store: &Store) -> Result<Built, BuildError> {
    let inputs = Inputs { base: Some(base), ..inputs(store) };
    build(&inputs, store, &Fake { store, variation: "" }, COLD, 2, &Quiet)
}

fn documents(built: &Built, store: &Store) -> (Manifest, ImageConfig) {
    let image = &built.record.image;
    let read = |digest| store.read_blob(digest, 1 << 20).expect("a blob");
    let manifest = Manifest::parse(&read(&image.manifest.digest), media::MANIFEST).expect("a manifest");
    let config = ImageConfig::parse(&read(&image.config.digest)).expect("a config");
    config.agrees_with(&manifest).expect("agreement");
    (manifest, config)
}

/// Golden: what profile 1 makes of an image on another.
#[test]
fn a_bases_layers_stay_and_ours_holds_the_difference() {
    let (_folder, store) = world();
    let base = image(&store);
    let below = base.image.clone().expect("an image").layers;
    let built = built_on(base, &store).expect("a build");
    let (manifest, config) = documents(&built, &store);
    assert_eq!(manifest.layers[0], below[0].descriptor);
    assert_eq!(manifest.layers.len(), 2);
    let manifest = store.read_blob(&built.record.image.manifest.digest, 1 << 20).expect("a manifest");
    insta::assert_snapshot!(String::from_utf8(manifest).expect("text"), @r#"{"annotations":{"org.opencontainers.image.base.digest":"sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f","org.opencontainers.image.base.name":"registry.example/debian:12","org.opencontainers.image.created":"2023-11-14T22:13:20Z","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.0.0"},"config":{"digest":"sha256:7579f6f7d11406954e0ad2a2580d44cbca79f25bf8aa11164e1bc9f1cef1877b","mediaType":"application/vnd.oci.image.config.v1+json","size":593},"layers":[{"digest":"sha256:b6ad10cf3283a68109830fd55d8d39c47d82810cce44c2d9f46741bb761d7efe","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":204},{"digest":"sha256:be19f3c86cb41e1438dd0fcdf248b0092ebeac4728d13b69bc5a62d56227ddd0","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":274}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#);
    assert_eq!(config.env, ["A=1", "PATH=/usr/bin", "B=2"]);
    assert_eq!((config.entrypoint.as_slice(), config.cmd.as_slice()), (&["/bin/hello".to_owned()][..], &[][..]));
    assert!(config.volumes.contains("/data"));
    let origins = &built.record.image.origins;
    assert_eq!(origins["/usr/bin/hello"], "strip:small", "through the base's link");
    assert_eq!(origins["/usr/lib/libc.so"], "base debian");
    assert!(!origins.contains_key("/bin/hello"));
    let (_other, other) = world();
    let again = built_on(image(&other), &other).expect("a build");
    assert_eq!(again.record.image.manifest, built.record.image.manifest);
    assert_eq!(again.sbom, built.sbom);
}

#[test]
fn the_sbom_has_the_bases_packages_with_the_files_that_are_still_theirs() {
    let (_folder, store) = world();
    let built = built_on(image(&store), &store).expect("a build");
    let sbom: serde_json::Value = serde_json::from_slice(&built.sbom).expect("JSON");
    let needs = |of: &str| -> BTreeSet<String> {
        let entry = sbom["dependencies"].as_array().expect("a list").iter().find(|entry| entry["ref"] == of);
        let list = entry.unwrap_or_else(|| panic!("{of}"))["dependsOn"].as_array().cloned().unwrap_or_default();
        list.iter().map(|item| item.as_str().expect("text").to_owned()).collect()
    };
    let (hello, libc) = ("pkg:deb/debian/hello@1?arch=amd64", "pkg:deb/debian/libc@1?arch=amd64");
    assert_eq!(needs(hello), BTreeSet::from([libc.to_owned()]), "its file was replaced");
    assert_eq!(needs(libc), BTreeSet::from(["file:/usr/lib/libc.so".to_owned()]));
    let components = sbom["components"].as_array().expect("a list");
    let one = |reference: &str| components.iter().find(|component| component["bom-ref"] == reference);
    let licences = one(libc).expect("a component")["licenses"].to_string();
    assert!(licences.contains("\"MIT\""), "{licences}");
    let layer_of = |at: &str| {
        let properties = one(&format!("file:{at}")).expect("a component")["properties"].as_array().cloned();
        let mut properties = properties.expect("a list").into_iter();
        properties.find(|property| property["name"] == "selfsame:layer:diffID").expect("a layer")["value"].clone()
    };
    assert_eq!(layer_of("/usr/lib/libc.so"), layer_of("/etc/release"));
    let (theirs, ours) = (one("file:/etc/release").expect("a component"), one("file:/usr/bin/hello").expect("one"));
    assert_eq!(
        (&theirs["version"], &ours["version"]),
        (&"1970-01-01T00:00:01Z".into(), &"2023-11-14T22:13:20Z".into())
    );
    assert_ne!(layer_of("/usr/lib/libc.so"), layer_of("/usr/bin/hello"));
}

#[test]
fn a_root_file_system_becomes_one_layer_whatever_stands_on_it() {
    let (_folder, store) = world();
    let built = built_on(rootfs(&store), &store).expect("a build");
    let (manifest, config) = documents(&built, &store);
    let lines: Vec<_> = config.history.iter().map(|line| line.created_by.clone().unwrap_or_default()).collect();
    assert_eq!(lines, ["selfsame build: base", "selfsame build"]);
    assert!(!manifest.annotations.keys().any(|key| key.contains("base")), "there is no image to name");
    let mut other = inputs(&store);
    other.base = Some(rootfs(&store));
    other.definition = Definition::parse(&DEFINITION.replace("/usr/src/hello.c", "/usr/src/other.c")).expect("good");
    let changed = build(&other, &store, &Fake { store: &store, variation: "" }, COLD, 1, &Quiet).expect("a build");
    let (first, second) = (&built.record.image.layers, &changed.record.image.layers);
    assert_eq!(first[0].descriptor, second[0].descriptor);
    assert_ne!(first[1].descriptor, second[1].descriptor);
}

#[test]
fn bases_that_do_not_fit_are_named() {
    let (_folder, store) = world();
    let mut base = image(&store);
    base.image.as_mut().expect("an image").config.platform = "linux/arm64".parse().expect("a platform");
    let error = built_on(base, &store).expect_err("another platform").to_string();
    assert_eq!(error, "base `debian` is for linux/arm64; the image is for linux/amd64");
    let mut base = rootfs(&store);
    base.tree = base
        .tree
        .union(&Tree::from_entries([(path("usr/src/hello.c/x"), file(&store, "x"))]).expect("a tree"))
        .expect("a union");
    let error = built_on(base, &store).expect_err("a folder there").to_string();
    assert_eq!(
        error,
        "image file `source:hello.c` is to stand at `/usr/src/hello.c`, where base `debian` has a folder"
    );
}

#[test]
fn an_image_that_adds_nothing_has_no_layer_of_its_own() {
    let (_folder, store) = world();
    let mut base = image(&store);
    let first = built_on(base.clone(), &store).expect("a build");
    base.tree = first.record.image.tree.clone();
    let built = built_on(base, &store).expect("a build");
    let (manifest, config) = documents(&built, &store);
    assert_eq!(manifest.layers.len(), 1);
    assert!(config.history.last().expect("a line").empty_layer);
    assert!(built.record.image.origins.values().all(|origin| origin == "base debian"));
}
