use selfsame_core::Digest;

use super::images::{Blobs, Layer, config, gz, gzip, pack, plain};
use super::*;

/// As older `docker save` writes it: one folder a layer, a layer that is there twice as a link.
fn old(layers: &[Layer], tags: &str) -> Vec<(String, Vec<u8>)> {
    let config = config("linux/amd64", layers);
    let name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    let mut files = vec![(name.clone(), config.into_bytes())];
    let mut paths = Vec::new();
    let mut seen: Vec<(Digest, String)> = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let path = format!("layer{number}/layer.tar");
        let digest = Digest::of(&layer.stored);
        let bytes = match seen.iter().find(|(known, _)| *known == digest) {
            Some((_, first)) => format!("-> ../{first}").into_bytes(),
            None => layer.stored.clone(),
        };
        seen.push((digest, path.clone()));
        files.push((path.clone(), bytes));
        paths.push(format!("\"{path}\""));
    }
    let list = format!("[{{\"Config\":\"{name}\",\"RepoTags\":{tags},\"Layers\":[{}]}}]", paths.join(","));
    files.push(("manifest.json".to_owned(), list.into_bytes()));
    files.push(("repositories".to_owned(), b"{}".to_vec()));
    files
}

#[test]
fn an_old_archive_gets_a_manifest_of_its_own_bytes() {
    let world = World::new();
    let first = plain(&[("a", "1")]);
    let layers = [first.clone(), plain(&[("b", "22")]), first];
    fs::write(world.folder.path().join("x.tar"), pack(&old(&layers, "[\"localhost/made:1\"]"))).unwrap();
    let spec = archive("x.tar", Some("made:1"));
    let parts = world.resolve(&spec).unwrap();
    assert_eq!(parts.len(), 4, "a layer that is there twice is one part");
    let manifest = world.store.read_blob(&parts[0].sha256, 10_000).unwrap();
    insta::assert_snapshot!(String::from_utf8(manifest).unwrap(), @r#"{"config":{"digest":"sha256:d21405ddaacf4ecc568bdad9c1de2feb4e4967776096865f46e655f24cd8337c","mediaType":"application/vnd.oci.image.config.v1+json","size":330},"layers":[{"digest":"sha256:bf6bdfc239838c187441b58fd5c4c45a43f5ba0282b292c416447ff19882c419","mediaType":"application/vnd.oci.image.layer.v1.tar","size":2048},{"digest":"sha256:5c821a93d9437fe2240d8025bd72ad18e2f4ffcbd2c90cd3634873daf17e79e8","mediaType":"application/vnd.oci.image.layer.v1.tar","size":2048},{"digest":"sha256:bf6bdfc239838c187441b58fd5c4c45a43f5ba0282b292c416447ff19882c419","mediaType":"application/vnd.oci.image.layer.v1.tar","size":2048}],"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#);
    assert!(parts[0].purl.as_str().starts_with("pkg:oci/made@sha256:"), "{}", parts[0].purl);
    assert_eq!(picture(&world.tree(&parts).unwrap()), "a=1 b=2");
    for part in &parts {
        world.lose(part);
    }
    world.fetch(&spec, &parts).unwrap();
    assert_eq!(world.resolve(&archive("x.tar", None)).unwrap(), parts, "the only image needs no name");
}

#[test]
fn compressed_layers_of_an_archive_are_told_by_their_first_bytes() {
    let world = World::new();
    let files = old(&[gz(&[("a", "1")]), plain(&[("b", "2")])], "null");
    fs::write(world.folder.path().join("x.tar.gz"), gzip(&pack(&files))).unwrap();
    let parts = world.resolve(&archive("x.tar.gz", None)).unwrap();
    assert_eq!(picture(&world.tree(&parts).unwrap()), "a=1 b=1");
}

#[test]
fn the_layout_in_a_newer_archive_counts() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let layers = [gz(&[("a", "1")])];
    let image = blobs.image("linux/amd64", &layers).annotated("io.containerd.image.name", "localhost/made:1");
    let blobs = blobs.list("1", image.clone());
    let config = Digest::of(config("linux/amd64", &layers).as_bytes()).hex();
    let layer = Digest::of(&layers[0].stored).hex();
    let mut files = blobs.files();
    let list = format!(
        "[{{\"Config\":\"blobs/sha256/{config}\",\"RepoTags\":[\"localhost/made:1\",\"other:2\"],\
         \"Layers\":[\"blobs/sha256/{layer}\"]}}]"
    );
    files.push(("manifest.json".to_owned(), list.into_bytes()));
    fs::write(world.folder.path().join("x.tar"), pack(&files)).unwrap();
    for name in [None, Some("made:1"), Some("localhost/made:1")] {
        assert_eq!(world.resolve(&archive("x.tar", name)).unwrap()[0].sha256, image.digest, "{name:?}");
    }
    let parts = world.resolve(&archive("x.tar", Some("other:2"))).unwrap();
    assert_eq!(picture(&world.tree(&parts).unwrap()), "a=1", "a name that only Docker's list has");
}

#[test]
fn archives_that_say_too_little_or_the_wrong_thing() {
    let world = World::new();
    let said = |files: &[(String, Vec<u8>)], name: Option<&str>| {
        fs::write(world.folder.path().join("x.tar"), pack(files)).unwrap();
        world.refused(&archive("x.tar", name))
    };
    let good = old(&[plain(&[("a", "1")])], "[\"made:1\"]");
    assert_eq!(said(&good, Some("made:2")), "input `base`: there is no image `made:2`; there is made:1");
    assert_eq!(said(&good[..1], None), "`x.tar` is no image archive: it has no `manifest.json`");
    let lacking: Vec<_> = good.iter().filter(|(name, _)| !name.ends_with("layer.tar")).cloned().collect();
    let names = "image of input `base`: manifest.json: names `layer0/layer.tar`, which the archive lacks";
    assert_eq!(said(&lacking, None), names);
    let mut outside = good.clone();
    outside[1].1 = b"-> ../../../etc/passwd".to_vec();
    assert_eq!(said(&outside, None), names, "a link leads to nothing outside");
    let mut lie = good.clone();
    lie[1].1 = images::tar(&[("a", "2")]);
    let (found, expected) = (Digest::of(&lie[1].1), Digest::of(&good[1].1));
    assert_eq!(
        said(&lie, None),
        format!("input `base`: layer {found} holds the tar {found}; the config says {expected}")
    );
    let mut twice = good.clone();
    twice.push(good[1].clone());
    assert_eq!(said(&twice, None), "archive `x.tar` cannot be read: `layer0/layer.tar` is there twice");
    fs::write(world.folder.path().join("x.tar"), b"BZh9").unwrap();
    assert!(world.refused(&archive("x.tar", None)).starts_with("archive `x.tar` cannot be read: the tar ends"));
    assert_eq!(world.refused(&archive("none", None)).split(':').next(), Some("cannot read `none`"));
}
