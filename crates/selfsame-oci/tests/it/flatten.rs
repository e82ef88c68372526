//! Layers on top of one another.

use selfsame_oci::{ApplyError, Limits, ReadLayer, Specials, apply, read_layer};

use crate::fixture::{member, read, tar};

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    member(name, b'0', content).bytes()
}

fn folder(name: &str) -> Vec<u8> {
    member(name, b'5', b"").bytes()
}

fn link(name: &str, target: &str) -> Vec<u8> {
    member(name, b'1', b"").link(target).bytes()
}

fn layer(members: &[Vec<u8>]) -> ReadLayer {
    read(&tar(members)).unwrap()
}

/// `path` or `path -> first name`, or `path = size`.
#[track_caller]
fn check(layers: &[ReadLayer], expect: &str) {
    use selfsame_tree::Kind;
    let tree = apply(layers).unwrap();
    let line = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| match &entry.kind {
        Kind::Directory => format!("{path}/"),
        Kind::File { size, .. } => format!("{path}={size}"),
        Kind::Symlink { target } => format!("{path}~{target}"),
        Kind::HardLink { target } => format!("{path}>{target}"),
    };
    assert_eq!(tree.iter().map(line).collect::<Vec<_>>().join(" "), expect);
}

#[test]
fn upper_layers_add_and_replace() {
    let lower = layer(&[folder("a"), file("a/x", b"1"), file("b", b"22")]);
    let upper = layer(&[file("a/y", b"333"), file("b", b"4444")]);
    check(&[lower, upper], "a/ a/x=1 a/y=3 b=4");
}

#[test]
fn whiteouts_take_from_below_only() {
    let lower = layer(&[folder("a"), file("a/x", b"1"), file("a/y", b"22"), file("ab", b"")]);
    let by_name = layer(&[file("a/.wh.x", b"")]);
    check(&[lower.clone(), by_name], "a/ a/y=2 ab=0");
    let whole = layer(&[file(".wh.a", b"")]);
    check(&[lower.clone(), whole], "ab=0");
    let opaque = layer(&[folder("a"), file("a/new", b"333"), file("a/.wh..wh..opq", b"")]);
    check(&[lower.clone(), opaque], "a/ a/new=3 ab=0");
    let both = layer(&[file("a/.wh.x", b""), file("a/x", b"55555")]);
    check(&[lower, both], "a/ a/x=5 a/y=2 ab=0");
}

#[test]
fn kinds_replace_one_another() {
    let lower = layer(&[folder("a"), file("a/x", b"1")]);
    check(&[lower.clone(), layer(&[file("a", b"22")])], "a=2");
    check(&[lower.clone(), layer(&[folder("a")])], "a/ a/x=1");
    check(&[layer(&[file("a", b"22")]), lower], "a/ a/x=1");
}

#[test]
fn a_file_outlives_its_first_name() {
    let lower = layer(&[file("a", b"1"), link("b", "a"), link("c", "b")]);
    check(std::slice::from_ref(&lower), "a=1 b>a c>a");
    check(&[lower.clone(), layer(&[file(".wh.a", b"")])], "b=1 c>b");
    check(&[lower, layer(&[file("a", b"22")])], "a=2 b=1 c>b");
}

#[test]
fn the_first_name_has_the_content_whatever_the_order() {
    check(&[layer(&[file("z", b"1"), link("m", "z"), link("./a", "m")])], "a=1 m>a z>a");
}

#[test]
fn nothing_goes_through_a_link_of_a_lower_layer() {
    let lower = layer(&[member("a", b'2', b"").link("/etc").bytes()]);
    let upper = layer(&[file("a/passwd", b"x")]);
    let ApplyError { number, source, .. } = apply(&[lower, upper]).unwrap_err();
    assert_eq!((number, source.to_string().as_str()), (2, "`a/passwd` lies below `a`, which is a symlink"));
}

#[test]
fn a_device_takes_the_place_of_a_file() {
    let lower = layer(&[file("null", b"x"), file("b", b"")]);
    let device = tar(&[member("null", b'3', b"").bytes()]);
    let limits = Limits { specials: Specials::Report, ..Limits::LAYER };
    let upper = read_layer(&device[..], selfsame_core::media::LAYER_TAR, limits, &mut ()).unwrap();
    check(&[lower, upper], "b=0");
}
