//! Packages that are refused, each by the name of its fault.

use std::error::Error as _;

use proptest::prelude::*;

use super::making::{CONTROL, Item, ar, control, deb, deb_of, file, folder, gzip, link, tar, xz, zst};
use crate::{DebError, Limits, read, read_control};

/// The whole chain of an error in one line.
fn refused(bytes: &[u8]) -> String {
    refused_within(bytes, Limits::PACKAGE)
}

fn refused_within(bytes: &[u8], limits: Limits) -> String {
    let error = read(bytes, limits, &mut ()).expect_err("a package that is refused");
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

fn refused_data(items: &[Item]) -> String {
    refused(&deb(items))
}

#[test]
fn the_outer_archive() {
    let deb = deb(&[file("./a", "x")]);
    assert_eq!(refused(b""), "the package does not begin as an ar archive does");
    assert_eq!(refused(b"PK\x03\x04rest of it"), "the package does not begin as an ar archive does");
    assert_eq!(refused(&deb[..40]), "the package has no member header at byte 8");
    assert_eq!(refused(&deb[..8]), "the package has no member `debian-binary`");
    let mut size = deb.clone();
    size[56..66].copy_from_slice(b"-1        ");
    assert_eq!(refused(&size), "the package has a member at byte 8 whose size is no number");
    let mut behind = deb.clone();
    behind.extend(b"trailing");
    assert!(refused(&behind).starts_with("the package has no member header at byte"));
    let binary = |version: &[u8]| ar(&[("debian-binary", version.to_vec())]);
    assert_eq!(refused(&binary(b"3.0\n")), "the package has the format version `3.0`; 2.x is read");
    assert_eq!(refused(&binary(b"2.\n")), "the package has the format version `2.`; 2.x is read");
    assert_eq!(refused(&binary(b"2.0\n")), "the package has no member `control.tar`");
}

#[test]
fn members_twice_in_another_order_or_unknown() {
    let binary = || ("debian-binary", b"2.0\n".to_vec());
    let (control, data) = (|| ("control.tar", control()), || ("data.tar", tar(&[file("./a", "x")])));
    assert_eq!(refused(&ar(&[binary(), control(), control()])), "member `control.tar` is a second control member");
    assert_eq!(refused(&ar(&[binary(), control(), data(), data()])), "member `data.tar` is a second data member");
    assert_eq!(refused(&ar(&[binary(), data(), control()])), "member `data.tar` stands before the control member");
    assert_eq!(refused(&ar(&[binary(), control()])), "the package has no member `data.tar`");
    assert_eq!(refused(&ar(&[control(), binary(), data()])), "the package has no member `debian-binary`");
    assert_eq!(
        refused(&ar(&[binary(), ("evil", vec![]), control(), data()])),
        "member `evil` is none that packages have"
    );
    for name in ["data.tar.bz2", "data.tar.lzma", "data.tarx"] {
        let bytes = ar(&[binary(), control(), (name, vec![])]);
        let expect = format!("member `{name}` is compressed in a way that is not read; gzip, xz and zstd are");
        assert_eq!(refused(&bytes), expect);
    }
}

#[test]
fn names_that_leave_the_root_or_stand_twice() {
    assert_eq!(
        refused_data(&[file("../etc/passwd", "x")]),
        "member `data.tar` is refused: `../etc/passwd` has a name that is refused: path `../etc/passwd` leaves its root by `..`"
    );
    assert!(refused_data(&[file("/etc/passwd", "x")]).contains("has a name that is refused"));
    assert!(refused_data(&[file("./a/../../b", "x")]).contains("has a name that is refused"));
    assert!(refused_data(&[file("./a\\\u{0}b", "x"), file("./a\\", "y")]).contains("is there twice"));
    assert_eq!(
        refused_data(&[file("./a", "x"), file("./a", "y")]),
        "member `data.tar` is refused: `./a` is there twice"
    );
    let below = refused_data(&[link("./a", b'2', "/etc"), file("./a/passwd", "x")]);
    assert!(below.contains("`a/passwd` lies below `a`, which is a symlink"), "{below}");
}

#[test]
fn devices_sparse_files_and_links_to_nothing() {
    for (kind, word) in [(b'3', "character device"), (b'4', "block device"), (b'6', "FIFO")] {
        let expect = format!("member `data.tar` is refused: `./dev/x` is a {word}");
        assert_eq!(refused_data(&[link("./dev/x", kind, "")]), expect);
    }
    assert!(refused_data(&[link("./s", b'S', "")]).contains("is a sparse file"));
    assert!(refused_data(&[link("./h", b'1', "./gone")]).contains("is a hard link to `./gone`"));
    assert!(refused_data(&[link("./h", b'1', "../../etc/shadow")]).contains("is a hard link to"));
    let mut loaded = link("./l", b'2', "x");
    loaded.content = vec![0; 512];
    assert!(refused_data(&[loaded]).contains("has content of 512 bytes though its kind has none"));
}

#[test]
fn extended_headers_that_readers_understand_differently() {
    let records = |text: &'static str| Item { kind: b'x', ..file("./pax", text) };
    assert!(refused_data(&[records("12 size=999\n"), file("./a", "x")]).contains("by its extended header"));
    assert!(refused_data(&[records("9 path=b\n"), records("9 path=c\n"), file("./a", "x")]).contains("a second one"));
    assert!(refused_data(&[records("22 GNU.sparse.major=1\n"), file("./a", "x")]).contains("sparse"));
    assert!(refused_data(&[records("17 path=../../etc\n"), file("./a", "x")]).contains("extended header"));
    assert!(refused_data(&[records("9 path=b\n")]).contains("no member behind it"));
    let global = Item { kind: b'g', ..file("./pax", "9 path=b\n") };
    assert!(refused_data(&[global, file("./a", "x")]).contains("a global header with more than a comment"));
}

#[test]
fn bombs_of_every_kind() {
    let zeros = Item { content: vec![0; 8 << 20], ..file("./zeros", "") };
    let data = tar(&[zeros]);
    let small = Limits { free_bytes: 1 << 20, ratio: 10, ..Limits::PACKAGE };
    for (name, bytes) in [("data.tar.gz", gzip(&data)), ("data.tar.xz", xz(&data)), ("data.tar.zst", zst(&data))] {
        let text = refused_within(&deb_of(name, bytes.clone()), small);
        assert_eq!(text, format!("member `{name}` is refused: a tar of more than 1048576 bytes"));
        assert!(read(&deb_of(name, bytes)[..], Limits::PACKAGE, &mut ()).is_ok());
    }
    let few = Limits { members: 10, ..Limits::PACKAGE };
    let distinct = ["./a", "./b", "./c", "./d", "./e", "./f", "./g", "./h", "./i", "./j", "./k"];
    let distinct: Vec<Item> = distinct.into_iter().map(folder).collect();
    assert_eq!(refused_within(&deb(&distinct), few), "member `data.tar` is refused: more than 10 members");
    // The control member has a bound of its own.
    let control = tar(&[file("./control", CONTROL), Item { content: vec![b' '; 17 << 20], ..file("./postinst", "") }]);
    let bytes = ar(&[("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", gzip(&control))]);
    assert_eq!(refused(&bytes), "member `control.tar.gz` is refused: a tar of more than 16777216 bytes");
    assert!(read_control(&bytes[..]).is_err());
}

#[test]
fn bytes_behind_a_compressed_member() {
    let data = tar(&[file("./a", "x")]);
    let other = tar(&[file("./b", "x")]);
    for (name, mut one, two) in [
        ("data.tar.gz", gzip(&data), gzip(&other)),
        ("data.tar.xz", xz(&data), xz(&other)),
        ("data.tar.zst", zst(&data), zst(&other)),
    ] {
        one.extend(two);
        assert_eq!(refused(&deb_of(name, one)), format!("member `{name}` has bytes behind its compressed content"));
    }
    let mut twice = data.clone();
    twice.extend(&other);
    assert!(refused(&deb_of("data.tar", twice)).contains("the tar goes on behind its end mark"));
}

#[test]
fn damage_is_never_taken_for_an_end() {
    let data = tar(&[file("./a", &"text ".repeat(5000))]);
    for (name, bytes) in [("data.tar.gz", gzip(&data)), ("data.tar.xz", xz(&data)), ("data.tar.zst", zst(&data))] {
        for cut in [1, 4, 12, bytes.len() / 2] {
            let text = refused(&deb_of(name, bytes[..bytes.len() - cut].to_vec()));
            assert!(text.contains("is refused") || text.contains("cannot be read"), "{name} {cut}: {text}");
        }
    }
    let whole = deb_of("data.tar.xz", xz(&data));
    let end = whole.len();
    assert!(refused(&whole[..end - 20]).contains("ends at byte"));
}

#[test]
fn control_files_that_make_no_sense() {
    let with = |control: &str| {
        let item = Item { content: control.as_bytes().to_vec(), ..file("./control", "") };
        ar(&[("debian-binary", b"2.0\n".to_vec()), ("control.tar", tar(&[item]))])
    };
    let without = ar(&[("debian-binary", b"2.0\n".to_vec()), ("control.tar", tar(&[file("./md5sums", "")]))]);
    assert_eq!(refused(&without), "the package has no control file that is text");
    for (from, to, expect) in [
        (
            "Package: hello",
            "Package: ../../x",
            "the control file's field `Package` is `../../x`, which is no package name",
        ),
        ("Package: hello\n", "", "the control file has no field `Package`"),
        ("amd64", "amd64/../..", "the control file's field `Architecture` is `amd64/../..`, which is no architecture"),
        (
            "1:2.10-3",
            "1:2.10-3/../x",
            "the control file's field `Version` is refused: `1:2.10-3/../x` is no version: a character that no revision has",
        ),
        ("hello-src (2.9)", "Hello", "the control file's field `Source` is `Hello`, which is no source package"),
        (
            "Version:",
            "Package: twice\nVersion:",
            "the control file cannot be read: line 2 has a field that the paragraph has already",
        ),
        (
            "Description",
            "\nPackage: second\nDescription",
            "the control file cannot be read: line 10 belongs to a second paragraph",
        ),
        (
            "libc6 (>= 2.34)",
            "libc6 (>= 2.34",
            "the control file's field `Depends` is `libc6 (>= 2.34, sh | bash`, which is no list of packages",
        ),
    ] {
        assert_eq!(refused(&with(&CONTROL.replacen(from, to, 1))), expect);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever one byte becomes, and wherever the end is, reading ends with a package or an error.
    #[test]
    fn mutated_packages_never_panic(at in 0_usize..4000, byte: u8, cut in 0_usize..4000, kind in 0_usize..4) {
        let data = tar(&[folder("./usr/"), file("./usr/a", "content"), link("./usr/b", b'2', "a")]);
        let (name, data) = [("data.tar", data.clone()), ("data.tar.gz", gzip(&data)), ("data.tar.xz", xz(&data)), ("data.tar.zst", zst(&data))][kind].clone();
        let mut bytes = deb_of(name, data);
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes[..], Limits::PACKAGE, &mut ());
        bytes.truncate(cut.min(bytes.len()));
        if let Err(error) = read(&bytes[..], Limits::PACKAGE, &mut ()) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut with_magic = b"!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n".to_vec();
        with_magic.extend(bytes);
        let result = read(&with_magic[..], Limits::PACKAGE, &mut ());
        let named = matches!(result, Err(DebError::Ar(_) | DebError::NoMember { .. } | DebError::Member { .. }));
        prop_assert!(named, "{:?}", result);
    }
}
