//! One image for each way in which it can lie.

use selfsame_core::{Digest, media};
use selfsame_oci::layout::blob_path;

use super::images::{Blobs, config, gz, gzip, plain, tar};
use super::*;

/// What is said of a layout, changed after it was written.
#[track_caller]
fn said(make: impl FnOnce(&mut Blobs) -> selfsame_oci::Descriptor, change: impl FnOnce(&World)) -> String {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = make(&mut blobs);
    blobs.list("", image).folder(&world.folder.path().join("l"));
    change(&world);
    world.refused(&layout("l", None))
}

fn layer_of(files: &[(&str, &str)]) -> String {
    let layer = gz(files);
    let said = said(|blobs| blobs.image("linux/amd64", std::slice::from_ref(&layer)), |_| {});
    said.replace(&Digest::of(&layer.stored).to_string(), "LAYER")
}

#[test]
fn indexes_without_end() {
    let deep = |depth: usize| {
        said(
            |blobs| {
                let mut here = blobs.image("linux/arm64", &[gz(&[("a", "")])]);
                for _ in 0..depth {
                    here = blobs.index(&[here]);
                }
                here
            },
            |_| {},
        )
    };
    assert!(deep(3).contains("is for linux/arm64, not for linux/amd64"), "{}", deep(3));
    assert_eq!(deep(4), "input `base`: more than 4 indexes within one another");
    assert_eq!(deep(40), deep(4));
}

#[test]
fn blobs_that_are_missing_or_others() {
    let layer = gz(&[("a", "1")]);
    let (digest, size) = (Digest::of(&layer.stored), layer.stored.len());
    let image = |blobs: &mut Blobs| blobs.image("linux/amd64", std::slice::from_ref(&layer));
    let path = |world: &World| world.folder.path().join("l").join(blob_path(digest));
    let missing = said(image, |world| fs::remove_file(path(world)).unwrap());
    assert_eq!(missing, format!("input `base`: `l` lacks {digest}, which the image names"));
    let other = gzip(b"other");
    let wrong = said(image, |world| fs::write(path(world), &other).unwrap());
    let found = format!("found {} of {} bytes", Digest::of(&other), other.len());
    assert_eq!(wrong, format!("input `base`: expected {digest} of {size} bytes, {found}"));
    let long = [layer.stored.clone(), vec![0; 5000]].concat();
    let more = said(image, |world| fs::write(path(world), &long).unwrap());
    assert!(
        more.ends_with(&format!("of {} bytes", size + 1)),
        "reading stops one byte behind the announced size: {more}"
    );
    let fifo = said(image, |world| {
        fs::remove_file(path(world)).unwrap();
        fs::create_dir(path(world)).unwrap();
    });
    assert_eq!(fifo, format!("`l/{}` is not a regular file", blob_path(digest)));
    let unmarked = said(image, |world| fs::remove_file(world.folder.path().join("l/oci-layout")).unwrap());
    assert_eq!(unmarked, "`l` is no OCI layout: it has no `oci-layout`");
}

#[test]
fn sizes_that_are_lies() {
    let said = said(
        |blobs| {
            let image = blobs.image("linux/amd64", &[gz(&[("a", "1")])]);
            selfsame_oci::Descriptor { size: image.size + 1, ..image }
        },
        |_| {},
    );
    assert!(said.contains(": expected sha256:") && said.contains("bytes, found sha256:"), "{said}");
}

#[test]
fn configs_that_tell_of_other_layers() {
    let (real, told) = (gz(&[("a", "1")]), gz(&[("a", "2")]));
    let lie = said(
        |blobs| blobs.image_with(&config("linux/amd64", std::slice::from_ref(&told)), std::slice::from_ref(&real)),
        |_| {},
    );
    let [digest, found, expected] =
        [Digest::of(&real.stored), Digest::of(&real.tar), Digest::of(&told.tar)].map(|digest| digest.to_string());
    assert_eq!(lie, format!("input `base`: layer {digest} holds the tar {found}; the config says {expected}"));
    let fewer = said(|blobs| blobs.image_with(&config("linux/amd64", &[]), std::slice::from_ref(&real)), |_| {});
    assert_eq!(fewer, "image of input `base`: image config: rootfs has 0 layers and the manifest 1");
}

#[test]
fn what_is_no_image_for_here() {
    let arm = said(|blobs| blobs.image("linux/arm64", &[]), |_| {});
    assert!(arm.ends_with("is for linux/arm64, not for linux/amd64"), "{arm}");
    let lie = said(|blobs| blobs.image("linux/arm64", &[]).for_platform("linux/amd64".parse().unwrap()), |_| {});
    assert!(lie.ends_with("is for linux/arm64, not for linux/amd64"), "an index may not lie about it: {lie}");
    let artifact = said(
        |blobs| {
            let config = blobs.put("application/vnd.example.thing", b"{}");
            let manifest = selfsame_oci::image_manifest(&config, &[], &std::collections::BTreeMap::new());
            blobs.put(media::MANIFEST, &manifest.bytes)
        },
        |_| {},
    );
    assert!(artifact.ends_with("is no image: its config is of the media type `application/vnd.example.thing`"));
    let mut foreign = gz(&[("a", "")]);
    foreign.media_type = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".to_owned();
    let said = said(|blobs| blobs.image("linux/amd64", &[foreign]), |_| {});
    assert!(said.contains("which may not be passed on"), "{said}");
}

#[test]
fn layers_that_are_refused_by_name() {
    let begin = "input `base`: layer LAYER: ";
    for (files, fault) in [
        (&[("../x", "")][..], "`../x` has a name that is refused: path `../x` leaves its root by `..`"),
        (&[("a", "1"), ("a", "2")], "`a` is there twice"),
        (&[("a", "=> b")], "`a` is a hard link to `b`, which is no file before it"),
        (&[(".wh.", "")], "`.wh.` is a whiteout of nothing"),
        (&[(".wh..", "")], "`.wh..` is a whiteout of nothing"),
        (&[("d/.wh...", "")], "`d/.wh...` is a whiteout of nothing"),
        (&[(".wh.a", "content")], "`.wh.a` is a whiteout of nothing"),
        (&[(".wh.d/x", "")], "`.wh.d/x` is a whiteout of nothing"),
        (
            &[("l", "-> /etc"), ("l/passwd", "x")],
            "the layer's members do not make a tree: `l/passwd` lies below `l`, which is a symlink",
        ),
    ] {
        assert_eq!(layer_of(files), format!("{begin}{fault}"));
    }
}

#[test]
fn layers_that_do_not_fit_on_one_another() {
    let layers = [gz(&[("l", "-> /etc")]), gz(&[("l/passwd", "x")])];
    let said = said(|blobs| blobs.image("linux/amd64", &layers), |_| {});
    assert_eq!(
        said,
        "image of input `base`: layer 2 of 2 does not fit on those below it: `l/passwd` lies below `l`, which is a symlink"
    );
}

#[test]
fn a_damaged_layer_in_the_store_is_the_stores_news() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let layer = plain(&[("a", "1")]);
    let image = blobs.image("linux/amd64", std::slice::from_ref(&layer));
    blobs.list("", image).folder(&world.folder.path().join("l"));
    let parts = world.resolve(&layout("l", None)).unwrap();
    let digest = Digest::of(&layer.stored);
    fs::write(world.store.blob_path(&digest, false).unwrap().unwrap(), tar(&[("a", "2")])).unwrap();
    let world = World { store: Store::open(&world.folder.path().join("store")).unwrap(), ..world };
    let error = world.tree(&parts).unwrap_err();
    let said = world.chain(&error);
    assert!(said.contains("is damaged in the store"), "{said}");
}

#[test]
fn a_manifest_of_another_lock() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &[gz(&[("a", "1")])]);
    blobs.list("", image).folder(&world.folder.path().join("l"));
    let parts = world.resolve(&layout("l", None)).unwrap();
    let fewer: Vec<_> = parts.iter().filter(|part| part.role.as_deref() != Some("layer")).cloned().collect();
    let error = world.tree(&fewer).unwrap_err();
    assert!(world.chain(&error).ends_with("which is not among the locked parts"));
}
