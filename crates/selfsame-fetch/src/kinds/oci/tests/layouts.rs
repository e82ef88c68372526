use super::images::{Blobs, gz, gzip, plain, zst};
use super::*;

/// Three layers in three encodings: a file replaced, one taken away, a folder emptied, one file with two names.
fn layers() -> [super::images::Layer; 3] {
    [
        gz(&[("bin/", ""), ("bin/sh", "shell"), ("etc/", ""), ("etc/old", "x"), ("opt/", ""), ("opt/a", "1")]),
        zst(&[("etc/.wh.old", ""), ("opt/", ""), ("opt/.wh..wh..opq", ""), ("opt/b", "22"), ("bin/ls", "=> opt/b")]),
        plain(&[("bin/sh", "new shell"), ("lib", "-> usr/lib")]),
    ]
}

const FLAT: &str = "bin/ bin/ls=2 bin/sh=9 etc/ lib~usr/lib opt/ opt/b>bin/ls";

#[test]
fn folder_and_tar_are_one_image() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &layers());
    let blobs = blobs.list("team/app:1", image.clone());
    blobs.folder(&world.folder.path().join("folder"));
    fs::write(world.folder.path().join("plain.tar"), blobs.tar()).unwrap();
    fs::write(world.folder.path().join("packed.tar.gz"), gzip(&blobs.tar())).unwrap();
    let parts = world.resolve(&layout("folder", Some("1"))).unwrap();
    let claim = "local-file linux/amd64";
    assert_eq!(roles(&parts), format!("config {claim}, layer {claim}, layer {claim}, layer {claim}, manifest {claim}"));
    assert_eq!(parts[0].sha256, image.digest);
    let purl = format!("pkg:oci/app@{}?arch=amd64", image.digest);
    assert!(parts.iter().all(|part| part.purl.as_str() == purl), "{}", parts[0].purl);
    assert_eq!(picture(&world.tree(&parts).unwrap()), FLAT);
    for path in ["plain.tar", "packed.tar.gz"] {
        let other = World::new();
        fs::copy(world.folder.path().join(path), other.folder.path().join(path)).unwrap();
        assert_eq!(other.resolve(&layout(path, Some("team/app:1"))).unwrap(), parts, "{path}");
        assert_eq!(other.tree(&parts).unwrap(), world.tree(&parts).unwrap());
    }
}

#[test]
fn what_was_laid_out_is_not_read_again() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &layers());
    blobs.list("", image).folder(&world.folder.path().join("l"));
    let parts = world.resolve(&layout("l", None)).unwrap();
    let first = world.tree(&parts).unwrap();
    for part in parts.iter().filter(|part| part.role.as_deref() == Some("layer")) {
        world.lose(part);
    }
    assert_eq!(world.tree(&parts).unwrap(), first);
}

#[test]
fn it_is_known_which_layer_has_a_file() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &layers());
    blobs.list("", image).folder(&world.folder.path().join("l"));
    let spec = layout("l", None);
    let parts = world.resolve(&spec).unwrap();
    let files = || world.with(|cx| super::super::image("base", &spec, &parts, cx)).unwrap().files;
    let first = files();
    let lines: Vec<String> = first.iter().map(|(path, file)| format!("{path} {}", file.layer)).collect();
    assert_eq!(lines, ["bin/ls 1", "bin/sh 2", "lib 2", "opt/b 1"]);
    assert!(first.values().all(|file| file.modified == 0));
    world.tree(&parts).unwrap();
    assert_eq!(files(), first, "as it is remembered");
}

#[test]
fn an_index_is_gone_through_by_platform() {
    let mut world = World::new();
    let mut blobs = Blobs::default();
    let amd = blobs.image("linux/amd64", &[gz(&[("amd", "")])]);
    let arm = blobs.image("linux/arm64/v8", &[gz(&[("arm", "")])]);
    let amd = amd.for_platform("linux/amd64".parse().unwrap());
    let arm = arm.for_platform("linux/arm64/v8".parse().unwrap());
    let inner = blobs.index(&[amd.clone(), arm.clone()]);
    let outer = blobs.index(&[inner]);
    blobs.list("x", outer).folder(&world.folder.path().join("l"));
    world.platforms = vec!["linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap()];
    let parts = world.resolve(&layout("l", Some("x"))).unwrap();
    let of = |digest| parts.iter().find(|part| part.sha256 == digest).and_then(|part| part.platform.clone());
    assert_eq!(of(amd.digest).unwrap().to_string(), "linux/amd64");
    assert_eq!(of(arm.digest).unwrap().to_string(), "linux/arm64/v8");
    assert_eq!(picture(&world.tree(&parts).unwrap()), "amd=0");
    world.platform = "linux/arm64".parse().unwrap();
    assert_eq!(picture(&world.tree(&parts).unwrap()), "arm=0");
    world.platform = "linux/riscv64".parse().unwrap();
    assert!(matches!(world.tree(&parts), Err(FetchError::NotLocked { .. })));
    world.platforms = vec!["linux/riscv64".parse().unwrap()];
    let refused = world.refused(&layout("l", Some("x")));
    assert_eq!(refused, "input `base`: there is no image for linux/riscv64; there is linux/amd64, linux/arm64/v8");
}

#[test]
fn what_the_store_lost_is_brought_again_and_nothing_else() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &layers());
    let blobs = blobs.list("", image);
    let folder = world.folder.path().join("l");
    blobs.folder(&folder);
    let parts = world.resolve(&layout("l", None)).unwrap();
    for part in &parts {
        world.lose(part);
    }
    world.fetch(&layout("l", None), &parts).unwrap();
    assert_eq!(picture(&world.tree(&parts).unwrap()), FLAT);
    // A layout that was written anew has the names of others.
    let layer = parts.iter().find(|part| part.role.as_deref() == Some("layer")).unwrap();
    world.lose(layer);
    fs::remove_file(folder.join(selfsame_oci::layout::blob_path(layer.sha256))).unwrap();
    let error = world.fetch(&layout("l", None), &parts).unwrap_err();
    assert_eq!(world.chain(&error), format!("input `base`: `l` lacks {}, which the image names", layer.sha256));
}

#[test]
fn the_image_is_given_as_it_is_and_under_ocis_names() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let mut docker = gz(&[("a", "1")]);
    docker.media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned();
    let image = blobs.image("linux/amd64", std::slice::from_ref(&docker));
    blobs.list("", image.clone()).folder(&world.folder.path().join("l"));
    let spec = layout("l", None);
    let parts = world.resolve(&spec).unwrap();
    let kept = world.with(|cx| super::super::image("base", &spec, &parts, cx)).unwrap();
    assert_eq!((kept.manifest, kept.reference), (image.digest, None));
    assert_eq!(kept.config.env, ["PATH=/bin"]);
    let [(layer, diff_id)] = &kept.layers[..] else { panic!("one layer") };
    assert_eq!(layer.media_type, selfsame_core::media::LAYER_GZIP);
    assert_eq!(layer.digest, selfsame_core::Digest::of(&docker.stored));
    assert_eq!(*diff_id, selfsame_core::Digest::of(&docker.tar));
}
