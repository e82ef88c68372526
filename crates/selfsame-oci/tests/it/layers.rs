//! What is written is read again by us and by others, is the same on any number of threads, and lies about nothing.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use proptest::prelude::*;
use selfsame_core::{Digest, RelPath, SourceEpoch};
use selfsame_oci::{
    Compression, Contents, LayerError, LayerVisitor, Limits, read_layer, read_pack, with_parents, write_archive,
    write_layer, write_pack,
};
use selfsame_tree::{Entry, Kind, Tree};

use crate::fixture::{Files, epoch, noise, path, prose};

/// Every kind of entry, and everything that needs an extended header.
fn sample() -> Files {
    let mut files = Files::default()
        .folder("bin")
        .file("bin/hello", b"hello")
        .link("bin/hi", "bin/hello")
        .entry("lib", Entry::symlink("usr/lib"))
        .entry(&"l".repeat(120), Entry::symlink("t".repeat(300)))
        .file("empty", b"")
        .file("large", &prose(1, 3_000_000))
        .file("noise", &noise(2, 700_000))
        .file(&format!("{}/{}", "d".repeat(140), "f".repeat(90)), b"prefix and name")
        .file(&format!("{}/{}", "e".repeat(200), "f".repeat(90)), b"extended path")
        .folder(&format!("{}/{}", "g".repeat(90), "h".repeat(99)))
        .file("n\u{e4}me with space", b"utf-8");
    let mut odd = Entry::file(Digest::of(b"hello"), 5, true);
    odd.mode = 0o4755;
    (odd.uid, odd.gid) = (3_000_000, u32::MAX);
    odd.xattrs.insert("security.capability".to_owned(), vec![1, 0, 0, 2, b'\n', b'=', 0]);
    odd.xattrs.insert("user.note".to_owned(), Vec::from("a b"));
    files.entries.insert(path("odd"), odd);
    files
}

#[test]
fn reads_what_it_wrote() {
    let files = sample();
    for compression in [Compression::None, Compression::Gzip] {
        let (layer, bytes) = files.write(compression, 2).unwrap();
        let read = read_layer(&bytes[..], layer.media_type, Limits::LAYER, &mut ()).unwrap();
        assert_eq!(read.tree, files.tree());
        assert_eq!((read.diff_id, read.diff_size), (layer.diff_id, layer.diff_size));
        assert_eq!((read.digest, read.size), (layer.digest, layer.size));
        assert_eq!((layer.digest, layer.size), (Digest::of(&bytes), bytes.len() as u64));
    }
}

#[test]
fn others_read_it_too() {
    let files = sample();
    let (_, gzip) = files.write(Compression::Gzip, 3).unwrap();
    let mut decoder = flate2::read::MultiGzDecoder::new(&gzip[..]);
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).unwrap();
    assert_eq!(plain, files.write(Compression::None, 1).unwrap().1);

    let mut archive = tar::Archive::new(&plain[..]);
    let mut seen = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let header = entry.header().clone();
        assert_eq!(
            (header.mtime().unwrap(), header.username(), header.groupname()),
            (1_700_000_000, Ok(Some("")), Ok(Some("")))
        );
        let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        seen.insert(name.trim_end_matches('/').to_owned(), (header.mode().unwrap(), link, content));
    }
    assert_eq!(seen.len(), files.entries.len());
    for (at, entry) in &files.entries {
        let (mode, link, content) = &seen[at.as_str()];
        assert_eq!(*mode, entry.mode, "{at}");
        match &entry.kind {
            Kind::File { digest, .. } => assert_eq!(content, &files.contents[digest], "{at}"),
            Kind::Symlink { target } => assert_eq!(link.as_ref(), Some(target), "{at}"),
            Kind::HardLink { target } => assert_eq!(link.as_deref(), Some(target.as_str()), "{at}"),
            Kind::Directory => assert!(content.is_empty(), "{at}"),
        }
    }
}

#[test]
fn headers_keep_one_dialect() {
    let (_, bytes) = sample().write(Compression::None, 1).unwrap();
    assert_eq!(&bytes[bytes.len() - 1024..], [0; 1024], "two zero blocks at the end");
    assert_ne!(&bytes[bytes.len() - 1536..bytes.len() - 1024], [0; 512], "and no more than two");
    assert_eq!(&bytes[257..265], b"ustar\x0000");
    assert_eq!(&bytes[..5], b"bin/\0");
    assert_eq!(&bytes[100..148], b"0000755\x000000000\x000000000\x0000000000000\x0014524770400\x00");
    assert_eq!(&bytes[265..329], [0; 64], "no names of owners");
}

#[test]
fn a_time_beyond_ustar_goes_into_an_extended_header() {
    let files = Files::default().file("a", b"x");
    let late = SourceEpoch::new(SourceEpoch::MAX).unwrap();
    let mut bytes = Vec::new();
    write_layer(&files.tree(), late, &files, &mut bytes, Compression::None, 1).unwrap();
    struct Times(Vec<i64>);
    impl LayerVisitor for Times {
        fn file(&mut self, _: &RelPath, _: u64, _: &mut dyn Read) -> io::Result<()> {
            Ok(())
        }
        fn header(&mut self, _: &RelPath, mtime: i64, _: &[u8], _: &[u8]) {
            self.0.push(mtime);
        }
    }
    let mut times = Times(Vec::new());
    read_layer(&bytes[..], Compression::None.media_type(), Limits::LAYER, &mut times).unwrap();
    assert_eq!(times.0, [253_402_300_799]);
}

#[test]
fn parents_are_listed_on_request() {
    let files = Files::default().file("a/b/c", b"x").folder("a");
    let listed: Vec<_> = with_parents(&files.tree()).iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(listed, ["a", "a/b", "a/b/c"]);
}

#[test]
fn a_visitor_sees_all_content_and_may_leave_some() {
    struct Sums(BTreeMap<String, Vec<u8>>);
    impl LayerVisitor for Sums {
        fn file(&mut self, path: &RelPath, size: u64, content: &mut dyn Read) -> io::Result<()> {
            let mut bytes = Vec::new();
            content.take(size / 2).read_to_end(&mut bytes)?;
            self.0.insert(path.to_string(), bytes);
            Ok(())
        }
    }
    let files = Files::default().file("a", b"1234").file("b", b"56");
    let (layer, bytes) = files.write(Compression::Gzip, 1).unwrap();
    let mut sums = Sums(BTreeMap::new());
    let read = read_layer(&bytes[..], layer.media_type, Limits::LAYER, &mut sums).unwrap();
    assert_eq!(sums.0, BTreeMap::from([("a".to_owned(), b"12".to_vec()), ("b".to_owned(), b"5".to_vec())]));
    assert_eq!(read.tree, files.tree());
}

#[test]
fn packs_may_hold_names_that_layers_may_not() {
    let files = Files::default().file(".wh.a", b"x");
    let refused = files.write(Compression::None, 1).unwrap_err();
    assert!(matches!(refused, LayerError::Whiteout { path } if path.as_str() == ".wh.a"));
    let mut bytes = Vec::new();
    let pack = write_pack(&files.tree(), epoch(), &files, &mut bytes, Compression::Gzip, 1).unwrap();
    let read = read_pack(&bytes[..], selfsame_core::media::PACK, Limits::LAYER, &mut ()).unwrap();
    assert_eq!((read.tree, read.diff_id), (files.tree(), pack.diff_id));
}

#[test]
fn an_archive_holds_a_layout() {
    let files = Files::default().file("config", b"{}").file("layer", b"not really");
    let blobs = files.contents.iter().map(|(digest, bytes)| (*digest, bytes.len() as u64)).collect();
    let mut bytes = Vec::new();
    let written = write_archive(&mut bytes, epoch(), b"{\"i\":1}", Some(b"[]"), &blobs, &files).unwrap();
    assert_eq!(written.digest, Digest::of(&bytes));
    let read = read_pack(&bytes[..], written.media_type, Limits::LAYER, &mut ()).unwrap();
    let names: Vec<_> = read.tree.iter().map(|(path, _)| path.to_string()).collect();
    insta::assert_snapshot!(names.join("\n"), @r"
    blobs
    blobs/sha256
    blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a
    blobs/sha256/c22d26d33c5783cf2bd157ba48eefa471ac49ab7bc71d5e8d5977eedd2c91726
    index.json
    manifest.json
    oci-layout
    ");
    assert_eq!(read.tree.content("index.json"), Some((Digest::of(b"{\"i\":1}"), 7)));
}

/// Contents that are not what the tree says.
struct Wrong {
    files: Files,
    bytes: Vec<u8>,
}

impl Contents for Wrong {
    fn open(&self, digest: &Digest, size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if *digest == Digest::of(b"gone") {
            return Err(io::ErrorKind::NotFound.into());
        }
        if size > 4 {
            return Ok(Box::new(io::Cursor::new(&self.bytes)));
        }
        self.files.open(digest, size)
    }
}

#[track_caller]
fn wrong(size: usize, bytes: Vec<u8>) -> LayerError {
    let files = (0..40).fold(Files::default(), |files, number| files.file(&format!("before{number}"), b"ok"));
    let files = files.file("f", &vec![7; size]);
    let wrong = Wrong { files, bytes };
    write_layer(&wrong.files.tree(), epoch(), &wrong, &mut io::sink(), Compression::Gzip, 2).unwrap_err()
}

#[test]
fn contents_that_are_not_the_trees_are_refused() {
    // Small ones are read ahead, large ones are streamed: each both ways.
    for size in [5, 300_000, 2_500_000] {
        let short = wrong(size, vec![7; size - 1]);
        assert!(matches!(short, LayerError::Size { expected, actual, .. } if actual == expected - 1), "{short}");
        let long = wrong(size, vec![7; size + 1]);
        assert!(matches!(long, LayerError::Size { expected, actual, .. } if actual == expected + 1), "{long}");
        let mut bytes = vec![7; size];
        bytes[size - 1] = 8;
        let other = wrong(size, bytes);
        assert!(matches!(other, LayerError::Digest { ref path, .. } if path.as_str() == "f"), "{other}");
    }
    let gone = Files::default().entry("g", Entry::file(Digest::of(b"gone"), 4, false));
    assert!(matches!(gone.write(Compression::Gzip, 2), Err(LayerError::Read { .. })));
    let empty = Files::default().entry("g", Entry::file(Digest::of(b"gone"), 0, false));
    assert!(matches!(empty.write(Compression::Gzip, 2), Err(LayerError::Digest { .. })));
}

#[test]
fn an_output_that_fails_stops_everything() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let files = (0..30).fold(Files::default(), |files, n| files.file(&format!("{n}"), &noise(n + 1, 1_000_000)));
    for room in [0, 10, 1_000_000, 9_000_000] {
        let failed = write_layer(&files.tree(), epoch(), &files, &mut Full(room), Compression::Gzip, 3);
        assert!(matches!(failed, Err(LayerError::Write { source }) if source.kind() == io::ErrorKind::StorageFull));
    }
}

#[test]
fn what_a_layer_cannot_say_is_refused() {
    let with = |name: &str| {
        let mut entry = Entry::directory();
        entry.xattrs.insert(name.to_owned(), vec![1]);
        Files::default().entry("a", entry).write(Compression::None, 1)
    };
    for name in ["security.selinux", "system.posix_acl_access", "trusted.x", "user.overlay.opaque", "user.a=b", "user."]
    {
        assert!(matches!(with(name), Err(LayerError::Xattr { .. })), "{name}");
    }
    assert!(with("user.x").is_ok() && with("security.capability").is_ok());
    let mut big = Entry::directory();
    big.xattrs.insert("user.big".to_owned(), vec![1; 1 << 20]);
    let big = Files::default().entry("a", big).write(Compression::None, 1);
    assert!(matches!(big, Err(LayerError::Extended { .. })));
    let differs = Files::default().file("a", b"x").entry("b", Entry::new(Kind::HardLink { target: path("a") }, 0o755));
    assert!(matches!(differs.write(Compression::None, 1), Err(LayerError::LinkDiffers { .. })));
}

fn any_files() -> impl Strategy<Value = Files> {
    let content = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        (any::<u64>(), 1..400_000_usize).prop_map(|(seed, length)| prose(seed | 1, length)),
        (any::<u64>(), 1..400_000_usize).prop_map(|(seed, length)| noise(seed | 1, length)),
        (any::<u8>(), 1..2_000_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    let entry = (0..5_u8, "[a-c\u{e9} ]{1,60}", 0..0o7777_u32, any::<u32>(), content);
    let name = proptest::collection::vec("[a-d]{1,70}", 1..4);
    proptest::collection::btree_map(name, entry, 0..12).prop_map(|list| {
        let mut files = Files::default();
        for (name, (kind, target, mode, owner, bytes)) in list {
            let at = path(&name.join("/"));
            let mut entry = match kind {
                0 => Entry::directory(),
                1 => Entry::symlink(target),
                _ => {
                    let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
                    files.contents.insert(digest, bytes);
                    Entry::file(digest, size, false)
                }
            };
            if kind != 1 {
                entry.mode = mode;
            }
            (entry.uid, entry.gid) = (owner, owner / 7);
            let mut entries = files.entries.clone();
            entries.insert(at, entry);
            if Tree::from_entries(entries.clone()).is_ok() {
                files.entries = entries;
            }
        }
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn threads_do_not_count(files in any_files()) {
        let (layer, bytes) = files.write(Compression::Gzip, 1).unwrap();
        for threads in [2, 3, 8] {
            prop_assert_eq!(&files.write(Compression::Gzip, threads).unwrap(), &(layer.clone(), bytes.clone()));
        }
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
        prop_assert_eq!(Digest::of(&plain), layer.diff_id);
        prop_assert_eq!(read_layer(&bytes[..], layer.media_type, Limits::LAYER, &mut ()).unwrap().tree, files.tree());
    }
}
