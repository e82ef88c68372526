//! Whole images: each level at which they can differ, and the picture a person gets.

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Entry, Kind};
use serde_json::json;

use super::fixtures::{FakeFile, FakeImage, build_id, elf};
use crate::{Cause, Explanation, Extent, Known, Limits, What, explain, lines};

const TIME: u64 = 1_700_000_000;

fn compared(a: &FakeImage, b: &FakeImage) -> Explanation {
    explain(a, b, &Known::default(), &Limits::STANDARD).unwrap()
}

fn app() -> FakeImage {
    FakeImage::of(&[("bin/app", b"program", 0o755), ("etc/conf", b"a = 1\n", 0o644)], TIME)
}

#[test]
fn equal_images() {
    let found = compared(&app(), &app());
    assert!(found.equal && found.extent == Extent::None && found.layers.is_empty());
}

#[test]
fn only_the_manifest() {
    let mut other = app();
    other.manifest.as_mut().unwrap()["annotations"] = json!({ "built": "2026-11-20T09:26:22Z" });
    let found = compared(&app(), &other);
    assert_eq!((found.equal, found.extent), (false, Extent::Manifest));
    assert_eq!(found.manifest[0].pointer, "/annotations");
}

#[test]
fn only_the_compressor() {
    let mut other = app();
    let digest = Digest::of(b"other compressed bytes");
    other.layers[0].digest = Some(digest);
    other.manifest.as_mut().unwrap()["layers"][0]["digest"] = json!(digest.to_string());
    let found = compared(&app(), &other);
    assert_eq!((found.equal, found.extent), (false, Extent::Compressor));
    assert!(found.layers.is_empty());
    assert!(lines(&found, "a", "b").join("\n").contains("the diffIDs agree"));
}

#[test]
fn only_the_config() {
    let mut other = app();
    other.config["created"] = json!("2026-11-20T09:26:22Z");
    other.config["config"]["Entrypoint"] = json!(["/bin/app", "-v"]);
    let mut first = app();
    first.config["created"] = json!("2026-11-20T09:20:00Z");
    let found = compared(&first, &other);
    assert_eq!((found.equal, found.extent), (false, Extent::Config));
    let pointers: Vec<&str> = found.config.iter().map(|change| change.pointer.as_str()).collect();
    assert_eq!(pointers, ["/config/Entrypoint/1", "/created"]);
    assert_eq!(found.config[1].guess.cause, Cause::Timestamp);
}

#[test]
fn only_the_form_of_a_tar() {
    let files: [(&str, &[u8], u32); 1] = [("bin/app", b"program", 0o755)];
    let found = compared(&FakeImage::of(&files, TIME), &FakeImage::of(&files, TIME + 9));
    assert_eq!(found.extent, Extent::LayerForm);
    let form = found.layers[0].form.as_ref().unwrap();
    assert_eq!(form.places[0].at, "entry bin/app: modification time");
    assert_eq!(form.guess().cause, Cause::Timestamp);
}

#[test]
fn the_same_entries_in_another_order() {
    let (one, two): (FakeFile<'_>, FakeFile<'_>) = (("a", b"1", 0o644), ("b", b"2", 0o644));
    let found = compared(&FakeImage::of(&[one, two], TIME), &FakeImage::of(&[two, one], TIME));
    assert_eq!(found.extent, Extent::LayerForm);
    assert_eq!(found.layers[0].form.as_ref().unwrap().guess().cause, Cause::Order);
}

#[test]
fn a_manifest_of_the_same_values_in_other_bytes() {
    let mut other = app();
    other.respelled = true;
    let found = compared(&app(), &other);
    assert_eq!((found.equal, found.extent, found.manifest.len()), (false, Extent::Manifest, 0));
}

#[test]
fn a_docker_archive_without_manifest_is_compared_by_config_and_layers() {
    let mut other = app();
    other.manifest = None;
    other.layers[0].digest = None;
    assert!(compared(&app(), &other).equal);
    other.config["created"] = json!("x");
    assert_eq!(compared(&app(), &other).extent, Extent::Config);
}

#[test]
fn the_content_of_one_entry() {
    let program = |id| elf(&[(".text", b"\x90"), (".note.gnu.build-id", &build_id(&[id; 16])), (".symtab", b"s")]);
    let image = |id| FakeImage::of(&[("usr/bin/app", &program(id), 0o755), ("etc/conf", b"x", 0o644)], TIME);
    let found = compared(&image(1), &image(2));
    assert_eq!(found.extent, Extent::LayerContent);
    assert_eq!((found.layers[0].changes.len(), found.layers[0].entries_a), (1, 2));
    insta::assert_snapshot!(lines(&found, "published", "rebuilt").join("\n"));
}

#[test]
fn every_sort_of_change_to_an_entry() {
    let base = || {
        let mut image = app();
        image = image.layer(&[], TIME);
        image
    };
    let changed = |what: fn(&mut Entry)| {
        let found = compared(&base(), &base().entry("etc/conf", what));
        assert_eq!(found.layers.len(), 1, "{found:#?}");
        found.layers[0].changes[0].what[0].clone()
    };
    assert!(matches!(changed(|e| e.mode = 0o600), What::Mode { a: 0o644, b: 0o600, .. }));
    assert!(matches!(changed(|e| e.uid = 7), What::Owner { a: (0, 0), b: (7, 0), .. }));
    assert!(matches!(
        changed(|e| {
            e.xattrs.insert("user.x".into(), vec![1]);
        }),
        What::Xattr { a: None, b: Some(_), .. }
    ));
    let target = |e: &mut Entry| e.kind = Kind::HardLink { target: RelPath::new("bin/app").unwrap() };
    assert!(matches!(changed(target), What::Kind { a: "file", b: "hardlink" }));
    assert!(matches!(changed(|e| e.kind = Kind::Symlink { target: "x".into() }), What::Kind { b: "symlink", .. }));
    // A content that its holder does not have.
    let lost = |e: &mut Entry| e.kind = Kind::File { digest: Digest::of(b"lost"), size: 4 };
    assert!(matches!(changed(lost), What::ContentUnreadable { .. }));
}

#[test]
fn a_whiteout_only_one_layer_has() {
    let mut other = app();
    other.layers[0].marks.insert(RelPath::new("etc/gone").unwrap(), "whiteout".into());
    other.layers[0].diff_id = Digest::of(b"another tar");
    let found = compared(&app(), &other);
    assert_eq!(found.extent, Extent::LayerContent);
    assert_eq!(found.layers[0].changes[0].what, [What::Mark { a: None, b: Some("whiteout".into()) }]);
}

#[test]
fn added_and_removed_entries_and_layers() {
    let other = FakeImage::of(&[("bin/app", b"program", 0o755), ("etc/new", b"", 0o644)], TIME).layer(&[], TIME);
    let found = compared(&app(), &other);
    assert_eq!((found.layers_a, found.layers_b), (1, 2));
    assert_eq!(found.layers[0].changes[0].what, [What::Removed { kind: "file" }]);
    assert_eq!(found.layers[0].changes[1].what, [What::Added { kind: "file" }]);
    assert!(found.layers[1].a.is_none() && found.layers[1].b.is_some());
    insta::assert_snapshot!(lines(&found, "a", "b").join("\n"));
}

#[test]
fn long_lists_are_counted_and_files_beyond_the_limit_not_read() {
    let names: Vec<String> = (0..50).map(|index| format!("f{index:02}")).collect();
    let image = |content: &'static [u8]| {
        FakeImage::of(&names.iter().map(|name| (name.as_str(), content, 0o644)).collect::<Vec<_>>(), TIME)
    };
    let limits = Limits { entries: 10, contents: 3, ..Limits::STANDARD };
    let found = explain(&image(b"one\n"), &image(b"two\n"), &Known::default(), &limits).unwrap();
    let layer = &found.layers[0];
    assert_eq!((layer.changes.len(), layer.more), (10, 40));
    let read = |change: &&crate::EntryChange| matches!(change.what[0], What::Content(_));
    assert_eq!(layer.changes.iter().filter(read).count(), 3);
    assert!(matches!(layer.changes[3].what[0], What::ContentNotRead { a_size: 4, b_size: 4 }));
}

#[test]
fn a_file_too_long_to_hold_is_compared_as_a_stream() {
    let mut long = vec![b'x'; 3 << 20];
    let a = FakeImage::of(&[("f", &long, 0o644)], TIME);
    long[(2 << 20) + 5] = b'y';
    let b = FakeImage::of(&[("f", &long, 0o644)], TIME);
    let limits = Limits { file_bytes: 1 << 20, ..Limits::STANDARD };
    let found = explain(&a, &b, &Known::default(), &limits).unwrap();
    let What::Content(difference) = &found.layers[0].changes[0].what[0] else { panic!("{found:#?}") };
    assert_eq!(difference.places[0].at, format!("offset {}", (2 << 20) + 5));
    assert_eq!(difference.summary, "1 bytes differ; too long to be taken apart");
}

/// Names come from strangers' images and go to terminals.
#[test]
fn names_cannot_drive_a_terminal() {
    let evil = "etc/\u{1b}[2J\u{202e}";
    let image = |mode| {
        let mut image = FakeImage::of(&[("a", b"x", 0o644), (evil, b"x", mode)], TIME);
        image.config["config"]["Labels"] = json!({ (format!("\u{1b}{mode}")): "\u{1b}[31m" });
        image
    };
    let found = compared(&image(0o644), &image(0o600));
    for line in lines(&found, "a", "b") {
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\n']), "{line:?}");
    }
}

#[test]
fn the_same_facts_as_json() {
    let mut other = app();
    other.config["created"] = json!("x");
    let value = serde_json::to_value(compared(&app(), &other)).unwrap();
    assert_eq!((&value["extent"], &value["config"][0]["pointer"]), (&json!("config"), &json!("/created")));
    assert_eq!(value["config"][0]["guess"]["cause"], "unknown");
}
