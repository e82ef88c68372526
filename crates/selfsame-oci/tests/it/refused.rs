//! One vector for each way in which a stranger's layer can be wrong, each refused for its own reason.

use proptest::prelude::*;
use selfsame_core::media;
use selfsame_oci::{EntryFault, Limits, ReadError, Special, Specials, layout, read_layer, read_pack};

use crate::fixture::{Files, extended, gzip, member, noise, read, tar};

#[track_caller]
fn entry(members: &[Vec<u8>]) -> EntryFault {
    match read(&tar(members)) {
        Err(ReadError::Entry { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn header(members: &[Vec<u8>]) -> EntryFault {
    match read(&tar(members)) {
        Err(ReadError::Header { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

fn file(name: &str) -> Vec<u8> {
    member(name, b'0', b"x").bytes()
}

#[test]
fn names_that_leave_the_root() {
    for name in [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "//",
        "/",
        "/.",
        "a/..",
        "..",
        "./../x",
        "a//b",
        "a/./b",
        "././x",
        "",
        "./",
        ".",
    ] {
        let fault = entry(&[file(name)]);
        assert!(matches!(fault, EntryFault::Path(_) | EntryFault::Slash), "{name}: {fault}");
    }
    assert!(matches!(entry(&[extended(&[("path", b"../x")]), file("x")]), EntryFault::Path(_)));
    assert!(matches!(entry(&[extended(&[("path", b"a\0b")]), file("x")]), EntryFault::Path(_)));
    assert!(matches!(entry(&[member("x", b'L', b"/abs\0").bytes(), file("x")]), EntryFault::Path(_)));
}

#[test]
fn the_root_has_three_names() {
    for name in [".", "./", "/"] {
        let tree = read(&tar(&[member(name, b'5', b"").bytes(), file("x")])).unwrap().tree;
        assert!(tree.entry("").is_some(), "{name}");
    }
    assert!(matches!(entry(&[member("/x/", b'5', b"").bytes()]), EntryFault::Path(_)));
}

#[test]
fn names_that_are_too_long() {
    let long = "a/".repeat(2100) + "b";
    assert!(matches!(entry(&[extended(&[("path", long.as_bytes())]), file("x")]), EntryFault::Path(_)));
    let component = "a".repeat(256);
    assert!(matches!(entry(&[extended(&[("path", component.as_bytes())]), file("x")]), EntryFault::Path(_)));
    let huge = vec![b'a'; 65_536];
    assert!(matches!(header(&[member("x", b'L', &huge).bytes(), file("x")]), EntryFault::ExtendedSize { .. }));
    let huge = vec![b'a'; (1 << 20) + 1];
    assert!(matches!(header(&[member("x", b'x', &huge).bytes(), file("x")]), EntryFault::ExtendedSize { .. }));
}

#[test]
fn names_that_are_not_text() {
    let name = member("x", b'0', b"").set(0, b"\xff\xfe").bytes();
    assert_eq!(entry(&[name]), EntryFault::NotUtf8 { field: "name" });
    let link = member("x", b'2', b"").set(157, b"\xff").bytes();
    assert_eq!(entry(&[link]), EntryFault::NotUtf8 { field: "link" });
}

#[test]
fn the_same_name_twice() {
    assert_eq!(entry(&[file("a"), file("a")]), EntryFault::Twice);
    assert_eq!(entry(&[file("a"), file("./a")]), EntryFault::Twice);
    assert_eq!(entry(&[member("a/", b'5', b"").bytes(), member("a", b'5', b"").bytes()]), EntryFault::Twice);
}

#[test]
fn writing_through_links_and_files() {
    let link = member("a", b'2', b"").link("/etc").bytes();
    for members in [vec![link.clone(), file("a/passwd")], vec![file("a/passwd"), link], vec![file("a"), file("a/b")]] {
        assert!(matches!(read(&tar(&members)), Err(ReadError::Tree { .. })));
    }
}

#[test]
fn hard_links_to_elsewhere() {
    let link = |target: &str| member("l", b'1', b"").link(target).bytes();
    let target = |members: &[Vec<u8>]| matches!(entry(members), EntryFault::LinkTarget { .. });
    assert!(target(&[link("/etc/passwd")]));
    assert!(target(&[link("../x")]));
    assert!(target(&[link("missing")]));
    assert!(target(&[link("later"), file("later")]));
    assert!(target(&[link("l")]));
    assert!(target(&[member("d", b'5', b"").bytes(), link("d")]));
    assert!(target(&[member("s", b'2', b"").link("x").bytes(), link("s")]));
    let with_content = member("l", b'1', b"hidden").link("a").bytes();
    assert_eq!(entry(&[file("a"), with_content]), EntryFault::Content { size: 6 });
}

#[test]
fn content_where_none_belongs() {
    assert_eq!(entry(&[member("d", b'5', b"x").bytes()]), EntryFault::Content { size: 1 });
    assert_eq!(entry(&[member("s", b'2', b"x").link("t").bytes()]), EntryFault::Content { size: 1 });
}

#[test]
fn sizes_that_disagree() {
    let disagrees = [extended(&[("size", b"1024")]), file("a")];
    assert_eq!(header(&disagrees), EntryFault::SizeDisagrees { header: 1, extended: 1024 });
    let hidden = [extended(&[("size", b"512")]), member("a", b'0', b"").bytes(), file("inner")];
    assert_eq!(header(&hidden), EntryFault::SizeDisagrees { header: 0, extended: 512 });
    assert!(read(&tar(&[extended(&[("size", b"1")]), file("a")])).is_ok(), "the same twice is no harm");
    for wrong in ["-1", "0x1", "1 ", "99999999999999999999"] {
        let fault = header(&[extended(&[("size", wrong.as_bytes())]), file("a")]);
        assert_eq!(fault, EntryFault::Number { field: "size" });
    }
}

#[test]
fn devices_and_pipes() {
    for (flag, special) in [(b'3', Special::CharacterDevice), (b'4', Special::BlockDevice), (b'6', Special::Fifo)] {
        let device = tar(&[member("dev", flag, b"").bytes(), file("a")]);
        assert!(matches!(
            read(&device),
            Err(ReadError::Entry { fault: EntryFault::Special(found), .. }) if found == special
        ));
        let reported = Limits { specials: Specials::Report, ..Limits::LAYER };
        let layer = read_layer(&device[..], media::LAYER_TAR, reported, &mut ()).unwrap();
        assert_eq!(layer.specials.into_values().collect::<Vec<_>>(), [special]);
        assert!(read_pack(&device[..], media::LAYER_TAR, reported, &mut ()).is_err());
    }
}

#[test]
fn kinds_that_readers_understand_differently() {
    assert_eq!(entry(&[member("a", b'S', b"").bytes()]), EntryFault::Sparse);
    assert_eq!(header(&[extended(&[("GNU.sparse.major", b"1")]), file("a")]), EntryFault::Sparse);
    for flag in [b'7', b'V', b'M', b'D', b'N', b'A', 0xff] {
        assert_eq!(entry(&[member("a", flag, b"").bytes()]), EntryFault::Kind(flag));
    }
    assert_eq!(entry(&[member("a/", b'0', b"").bytes()]), EntryFault::Slash);
}

#[test]
fn headers_that_are_none() {
    assert_eq!(header(&[member("a", b'0', b"").set(257, b"nothing!").bytes()]), EntryFault::NotTar);
    assert_eq!(header(&[member("a", b'0', b"").set(257, &[0; 8]).bytes()]), EntryFault::NotTar);
    assert_eq!(header(&[member("a", b'0', b"").set(148, b"0001234\0").unsummed()]), EntryFault::Checksum);
    assert_eq!(header(&[member("a", b'0', b"").set(124, b"99").bytes()]), EntryFault::Number { field: "size" });
    assert_eq!(header(&[member("a", b'0', b"").set(108, b"-000001").bytes()]), EntryFault::Number { field: "uid" });
    assert_eq!(header(&[member("a", b'0', b"").set(124, &[0xff; 12]).bytes()]), EntryFault::Number { field: "size" });
    assert_eq!(header(&[member("a", b'0', b"").set(108, &[0xff; 8]).bytes()]), EntryFault::Number { field: "uid" });
    let huge = member("a", b'0', b"").set(124, &[0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]).bytes();
    assert!(matches!(read(&tar(&[huge])), Err(ReadError::TooLarge { .. })));
}

#[test]
fn extended_headers_that_are_ambiguous() {
    let twice = [extended(&[("path", b"a"), ("path", b"b")]), file("x")];
    assert_eq!(header(&twice), EntryFault::Extended("a key twice"));
    let two = [extended(&[("path", b"a")]), extended(&[("path", b"b")]), file("x")];
    assert_eq!(header(&two), EntryFault::Extended("a second one for the same member"));
    let long = member("x", b'L', b"a\0").bytes();
    assert_eq!(header(&[long.clone(), extended(&[("path", b"b")]), file("x")]), EntryFault::Ambiguous);
    assert_eq!(header(&[long.clone(), long.clone(), file("x")]), EntryFault::Ambiguous);
    let link = member("x", b'K', b"a\0").bytes();
    assert_eq!(header(&[link, extended(&[("linkpath", b"b")]), file("x")]), EntryFault::Ambiguous);
    assert_eq!(header(&[member("x", b'L', b"a\0b").bytes(), file("x")]), EntryFault::Ambiguous);
    assert_eq!(header(&[member("x", b'L', b"").bytes(), file("x")]), EntryFault::Ambiguous);
    assert_eq!(header(&[extended(&[("path", b"")]), file("x")]), EntryFault::Extended("an empty value"));
    assert_eq!(header(&[long]), EntryFault::Stray);
    let global = member("g", b'g', b"10 path=a\n").bytes();
    assert!(matches!(header(&[global, file("x")]), EntryFault::Extended(why) if why.starts_with("a global")));
    let comment = member("g", b'g', b"13 comment=a\n").bytes();
    assert!(read(&tar(&[comment, file("x")])).is_ok());
}

#[test]
fn extended_headers_that_do_not_parse() {
    for text in
        ["5 a=b", "6 a=b", "x a=b\n", "6a=b\n", "99 a=b\n", "0 a=b\n", "3 \n\n", "6 =bb\n", "5 ab\n", "999999999 a=b\n"]
    {
        let fault = header(&[member("x", b'x', text.as_bytes()).bytes(), file("a")]);
        assert!(matches!(fault, EntryFault::Extended(why) if why.starts_with("a record")), "{text:?}: {fault}");
    }
    let time = header(&[extended(&[("mtime", b"soon")]), file("a")]);
    assert_eq!(time, EntryFault::Extended("a time that is no number"));
}

#[test]
fn whiteouts_of_nothing() {
    for name in [".wh.", "a/.wh..", ".wh...", ".wh..wh.plnk", ".wh.a/b"] {
        assert_eq!(entry(&[member(name, b'0', b"").bytes()]), EntryFault::Whiteout, "{name}");
    }
    assert_eq!(entry(&[file(".wh.a")]), EntryFault::Whiteout, "one with content");
    assert_eq!(entry(&[member(".wh.a", b'5', b"").bytes()]), EntryFault::Whiteout, "a folder");
    let whiteout = member(".wh.a", b'0', b"").bytes();
    assert_eq!(entry(&[whiteout.clone(), whiteout]), EntryFault::Whiteout, "twice");
}

#[test]
fn tars_that_end_early_or_late() {
    let whole = tar(&[file("a")]);
    for length in [0, 100, 512, 700, 1024, 1535, 1536, 2047] {
        assert!(matches!(read(&whole[..length]), Err(ReadError::Truncated { .. })), "{length}");
    }
    let more = [whole.clone(), file("b")].concat();
    assert!(matches!(read(&more), Err(ReadError::BehindEnd { .. })));
    let half = [file("a"), vec![0; 512], file("b")].concat();
    assert!(matches!(read(&half), Err(ReadError::BehindEnd { .. })));
    let padded = [whole, vec![0; 9000]].concat();
    assert!(read(&padded).is_ok(), "GNU tar pads to 10 KiB");
}

#[test]
fn zstd_that_is_damaged_goes_on_or_never_ends() {
    let read = |bytes: &[u8], limits| read_layer(bytes, layout::LAYER_ZSTD, limits, &mut ());
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let whole = tar(&[file("a"), file("b")]);
    let one = frame(&whole);
    let layer = read(&one, Limits::LAYER).unwrap();
    assert_eq!((layer.tree.len(), layer.diff_id), (2, selfsame_core::Digest::of(&whole)));
    let (head, tail) = whole.split_at(700);
    let several = [frame(head), b"\x50\x2a\x4d\x18\x03\0\0\0...".to_vec(), frame(tail)].concat();
    assert_eq!(read(&several, Limits::LAYER).unwrap().diff_id, layer.diff_id, "frames are one stream");
    assert!(matches!(read(&[&one[..], b"more"].concat(), Limits::LAYER), Err(ReadError::Stream { .. })));
    assert!(matches!(read(&one[..one.len() - 1], Limits::LAYER), Err(ReadError::Stream { .. })));
    assert!(matches!(read(&gzip(&whole), Limits::LAYER), Err(ReadError::Stream { .. })));
    let bomb = frame(&[tar(&[file("a")]), vec![0; 64 << 20]].concat());
    assert!(bomb.len() < 32 << 10);
    let limits = Limits { diff_size_bytes: 16 << 20, ..Limits::LAYER };
    assert!(matches!(read(&bomb, limits), Err(ReadError::TooLarge { .. })));
    // A frame header that asks for a window of 1 GiB.
    let window = [b"\x28\xb5\x2f\xfd\x00\xa0".to_vec(), vec![0; 64]].concat();
    assert!(matches!(read(&window, Limits::LAYER), Err(ReadError::Stream { .. })));
}

#[test]
fn gzip_that_is_more_than_one_member() {
    let read = |bytes: &[u8]| read_layer(bytes, media::LAYER_GZIP, Limits::LAYER, &mut ());
    let one = gzip(&tar(&[file("a")]));
    assert!(read(&one).is_ok());
    let two = [one.clone(), gzip(b"more")].concat();
    assert!(matches!(read(&two), Err(ReadError::SecondMember)));
    let tail = [one.clone(), vec![0]].concat();
    assert!(matches!(read(&tail), Err(ReadError::SecondMember)));
    assert!(matches!(read(&one[..one.len() - 1]), Err(ReadError::Stream { .. })));
    let mut sum = one.clone();
    let at = sum.len() - 8;
    sum[at] ^= 1;
    assert!(matches!(read(&sum), Err(ReadError::Stream { .. })));
    assert!(matches!(read(b"not gzip at all, but long enough"), Err(ReadError::Stream { .. })));
}

#[test]
fn bombs() {
    let limits = Limits { diff_size_bytes: 1 << 20, ..Limits::LAYER };
    let big = Files::default().file("zeros", &vec![0; 4 << 20]).write(selfsame_oci::Compression::Gzip, 1).unwrap().1;
    assert!(big.len() < 20_000);
    assert!(matches!(read_layer(&big[..], media::LAYER_GZIP, limits, &mut ()), Err(ReadError::TooLarge { .. })));
    let behind = gzip(&[tar(&[file("a")]), vec![0; 4 << 20]].concat());
    assert!(matches!(read_layer(&behind[..], media::LAYER_GZIP, limits, &mut ()), Err(ReadError::TooLarge { .. })));
    let many: Vec<_> = (0..20).map(|number| file(&number.to_string())).collect();
    let limits = Limits { members: 19, ..Limits::LAYER };
    assert!(matches!(
        read_layer(&tar(&many)[..], media::LAYER_TAR, limits, &mut ()),
        Err(ReadError::TooMany { limit: 19 })
    ));
}

#[test]
fn attributes_that_would_fill_memory() {
    let value = vec![b'a'; 1_000_000];
    let members: Vec<_> =
        (0..5).flat_map(|number| [extended(&[("SCHILY.xattr.user.a", &value)]), file(&number.to_string())]).collect();
    let stored = gzip(&tar(&members));
    let limits = Limits { metadata_bytes: 4_000_000, ..Limits::LAYER };
    let refused = read_layer(&stored[..], media::LAYER_GZIP, limits, &mut ());
    assert!(matches!(refused, Err(ReadError::Metadata { limit_bytes: 4_000_000 })));
    assert!(read_layer(&stored[..], media::LAYER_GZIP, Limits::LAYER, &mut ()).is_ok());
}

#[test]
fn media_types_that_are_not_read() {
    for name in ["application/vnd.oci.image.layer.v1.tar+xz", "application/vnd.oci.image.layer.v1.tar+encrypted", ""] {
        let refused = read_layer(&b""[..], name, Limits::LAYER, &mut ());
        assert!(matches!(refused, Err(ReadError::MediaType { media_type }) if media_type == name));
    }
}

#[test]
fn a_visitor_that_fails_stops_the_reading() {
    struct Full;
    impl selfsame_oci::LayerVisitor for Full {
        fn file(&mut self, _: &selfsame_core::RelPath, _: u64, _: &mut dyn std::io::Read) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let refused = read_layer(&tar(&[file("a")])[..], media::LAYER_TAR, Limits::LAYER, &mut Full);
    assert!(matches!(refused, Err(ReadError::Visitor { path, .. }) if path.as_str() == "a"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = read(&bytes);
        let _ = read_layer(&bytes[..], media::LAYER_GZIP, Limits::LAYER, &mut ());
        let _ = read_layer(&gzip(&bytes)[..], media::LAYER_GZIP, Limits::LAYER, &mut ());
    }

    /// Layers that were good until some bytes of them changed; the checksums are put right again.
    #[test]
    fn nearly_good_layers_never_panic(seed in any::<u64>(), changes in proptest::collection::vec((0..8192_usize, any::<u8>()), 1..6)) {
        let members = [
            extended(&[("SCHILY.xattr.user.a", b"b"), ("path", b"deep/er")]),
            member("a", b'0', &noise(seed | 1, 700)).bytes(),
            member("l", b'1', b"").link("deep/er").bytes(),
            member("x", b'L', b"long\0").bytes(),
            member("s", b'2', b"").link("t").bytes(),
            member(".wh.gone", b'0', b"").bytes(),
        ];
        let mut bytes = tar(&members);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        for block in bytes.chunks_exact_mut(512).filter(|block| &block[257..262] == b"ustar") {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        if let Ok(layer) = read(&bytes) {
            prop_assert!(selfsame_oci::apply(&[layer]).is_ok());
        }
    }
}
