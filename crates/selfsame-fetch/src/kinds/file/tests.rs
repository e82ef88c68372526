//! Files of this machine as inputs. What servers may do is tested where they are asked.

use std::io::{Read, Write};

use selfsame_core::{Digest, Platform, SourceEpoch};
use selfsame_definition::{ArchiveLocation, FileSpec};
use selfsame_http::Environment;
use selfsame_lock::{Claim, Day, Part};
use selfsame_store::Store;
use tempfile::TempDir;

use crate::context::Context;
use crate::resolve::FetchError;

struct World {
    folder: TempDir,
    store: Store,
    environment: Environment,
    offline: bool,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store, environment: Environment { variables: std::env::vars_os().collect() }, offline: false }
    }

    fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let platform = Platform::native();
        let http = selfsame_http::Client::new(&self.environment, selfsame_http::Options::default()).unwrap();
        work(&Context {
            folder: self.folder.path(),
            environment: &self.environment,
            http: &http,
            store: &self.store,
            platform: &platform,
            platforms: &[],
            offline: self.offline,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &crate::context::Silent,
        })
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn resolve(&self, spec: &FileSpec) -> Result<Part, FetchError> {
        self.with(|cx| super::resolve("data", spec, cx)).map(|parts| parts[0].clone())
    }

    fn tree(&self, spec: &FileSpec, part: &Part) -> Result<String, FetchError> {
        self.with(|cx| super::tree("data", spec, std::slice::from_ref(part), cx)).map(|tree| tree.to_string())
    }
}

fn path(name: &str) -> FileSpec {
    let location = ArchiveLocation::Path(name.to_owned());
    FileSpec { location, sha256: None, unpack: false, strip: 1, executable: false }
}

fn url(url: &str) -> FileSpec {
    FileSpec { location: ArchiveLocation::Url(url.to_owned()), ..path("") }
}

/// A tar with `top/bin/run`, executable, and a link to it.
fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    header.set_mode(0o755);
    tar.append_data(&mut header, "top/bin/run", &b"run"[..]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "top/run", "bin/run").unwrap();
    tar.into_inner().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[test]
fn a_file_lies_under_its_own_name() {
    let world = World::new();
    world.write("model.bin", b"weights");
    let part = world.resolve(&path("model.bin")).unwrap();
    assert_eq!((part.purl.as_str(), part.claim, part.size), ("pkg:generic/model.bin", Claim::LocalFile, 7));
    assert_eq!(
        world.tree(&path("model.bin"), &part).unwrap(),
        format!("selfsame-tree v1\nmodel.bin file 0644 0:0 r0 7 {}\n", part.sha256)
    );
    let tool = FileSpec { executable: true, ..path("model.bin") };
    assert!(world.tree(&tool, &part).unwrap().contains("model.bin file 0755"));
}

#[test]
fn a_file_is_the_one_that_was_stated_and_locked() {
    let world = World::new();
    world.write("x", b"1");
    let (right, wrong) = (Digest::of(b"1"), Digest::of(b"2"));
    let stated = |sha256| FileSpec { sha256: Some(sha256), ..path("x") };
    assert_eq!(world.resolve(&stated(right)).unwrap().claim, Claim::Definition);
    let error = world.resolve(&stated(wrong)).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { expected, found, .. } if (expected, found) == (wrong, right)));
    // In the store already: the file is not looked at, nor an address.
    let part = world.resolve(&FileSpec { sha256: Some(right), ..url("https://files.example/x") }).unwrap();
    assert_eq!((part.sha256, part.size), (right, 1));

    let locked = Part { sha256: wrong, ..part };
    let error = world.with(|cx| super::fetch("data", &path("x"), &[locked], cx)).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { by: "locked", .. }), "{error}");
    assert!(!world.store.has(&wrong));
}

#[test]
fn a_locked_size_counts_as_its_digest_does() {
    let world = World::new();
    world.write("x", b"1");
    let part = world.resolve(&path("x")).unwrap();
    for size in [0, 2, u64::MAX] {
        let locked = Part { size, ..part.clone() };
        let error = world.with(|cx| super::fetch("data", &path("x"), &[locked], cx)).unwrap_err();
        assert!(matches!(error, FetchError::Size { locked, found: 1, .. } if locked == size), "{error}");
    }
}

#[test]
fn offline_is_offline() {
    let world = World { offline: true, ..World::new() };
    let away = url("https://files.example/x.tar");
    assert!(matches!(world.resolve(&away), Err(FetchError::Offline { .. })));
    world.write("x", b"1");
    let part = world.resolve(&path("x")).unwrap();
    world.with(|cx| super::fetch("data", &away, std::slice::from_ref(&part), cx)).unwrap();
    let missing = Part { sha256: Digest::of(b"other"), ..part };
    let error = world.with(|cx| super::fetch("data", &away, &[missing], cx)).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
}

#[test]
fn every_compression_unpacks_to_the_same_tree() {
    let world = World::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar()).unwrap();
    let whole = tar();
    let (first, second) = whole.split_at(600);
    let streams = [
        ("a.tar", tar()),
        ("a.tar.gz", gzip.finish().unwrap()),
        ("a.tar.xz", xz(&tar())),
        ("a.tar.zst", zst(&tar())),
        // Two streams, one behind the other, and for zstd a frame to be skipped before them.
        ("b.tar.xz", [xz(first), xz(second)].concat()),
        ("b.tar.zst", [b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec(), zst(first), zst(second)].concat()),
    ];
    let mut trees = std::collections::BTreeSet::new();
    for (name, bytes) in streams {
        world.write(name, &bytes);
        let spec = FileSpec { unpack: true, ..path(name) };
        let part = world.resolve(&spec).unwrap();
        trees.insert(world.tree(&spec, &part).unwrap());
    }
    let run = Digest::of(b"run");
    let wanted = format!("selfsame-tree v1\nbin/run file 0755 0:0 r0 3 {run}\nrun symlink 0777 0:0 r0 bin/run\n");
    assert_eq!(trees.into_iter().collect::<Vec<_>>(), [wanted]);
}

/// A zip file of members that are not compressed: name, mode and content of each.
fn zip(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let u16 = |out: &mut Vec<u8>, number: usize| out.extend((number as u16).to_le_bytes());
    let u32 = |out: &mut Vec<u8>, number: usize| out.extend((number as u32).to_le_bytes());
    for (name, mode, content) in members {
        let offset = bytes.len();
        let mut crc = flate2::Crc::new();
        crc.update(content);
        // From "version needed" to "extra field length", the same in both headers.
        let mut common = Vec::new();
        for number in [20, 0, 0, 0, 0x21] {
            u16(&mut common, number);
        }
        for number in [crc.sum() as usize, content.len(), content.len()] {
            u32(&mut common, number);
        }
        u16(&mut common, name.len());
        u16(&mut common, 0);
        u32(&mut bytes, 0x0403_4b50);
        bytes.extend([&common[..], name.as_bytes(), content].concat());
        u32(&mut directory, 0x0201_4b50);
        u16(&mut directory, 3 << 8 | 20);
        directory.extend(&common);
        for number in [0, 0, 0] {
            u16(&mut directory, number);
        }
        u32(&mut directory, (*mode as usize) << 16);
        u32(&mut directory, offset);
        directory.extend(name.as_bytes());
    }
    let (count, offset, size) = (members.len(), bytes.len(), directory.len());
    bytes.extend(directory);
    u32(&mut bytes, 0x0605_4b50);
    for number in [0, 0, count, count] {
        u16(&mut bytes, number);
    }
    u32(&mut bytes, size);
    u32(&mut bytes, offset);
    u16(&mut bytes, 0);
    bytes
}

#[test]
fn zip_files_unpack_and_hostile_ones_do_not() {
    let world = World::new();
    let resolve = |bytes: &[u8]| {
        world.write("a.zip", bytes);
        let spec = FileSpec { unpack: true, ..path("a.zip") };
        world.resolve(&spec).and_then(|part| world.tree(&spec, &part)).map_err(|error| chain(&error))
    };
    let friend = zip(&[("top/bin/run", 0o100_755, b"run"), ("top/a", 0o100_644, b"a")]);
    let (run, a) = (Digest::of(b"run"), Digest::of(b"a"));
    let wanted = format!("selfsame-tree v1\na file 0644 0:0 r0 1 {a}\nbin/run file 0755 0:0 r0 3 {run}\n");
    assert_eq!(resolve(&friend).unwrap(), wanted);
    for (members, said) in [
        (&[("top/../../x", 0o100_644, &b""[..])][..], "leaves the archive"),
        (&[("/etc/x", 0o100_644, b"")], "/etc/x"),
        (&[("top/a", 0o120_777, b"/etc/passwd")], "link"),
        (&[("top/a", 0o100_644, b"1"), ("top/a", 0o100_644, b"2")], "stands twice"),
        (&[("one/a", 0o100_644, b"1"), ("two/a", 0o100_644, b"2")], "stands twice"),
        (&[("one/a", 0o100_644, b"1"), ("two/a/b", 0o100_644, b"2")], "lies below"),
        (&[("a", 0o100_644, b"1")], "leading components"),
    ] {
        let refused = resolve(&zip(members)).unwrap_err();
        assert!(refused.contains(said), "{members:?}: {refused}");
    }
    for cut in [friend.len() - 1, friend.len() / 2, 10] {
        assert!(resolve(&friend[..cut]).is_err(), "cut at {cut}");
    }
    let mut flipped = friend;
    let at = flipped.windows(3).position(|window| window == b"run").unwrap() + 1;
    flipped[at + 3] ^= 1;
    assert!(resolve(&flipped).is_err());
}

#[test]
fn damaged_and_endless_compression_ends() {
    let world = World::new();
    let resolve = |name: &str, bytes: &[u8]| {
        world.write(name, bytes);
        chain(&world.resolve(&FileSpec { unpack: true, ..path(name) }).unwrap_err())
    };
    for (name, whole) in [("a.tar.xz", xz(&tar())), ("a.tar.zst", zst(&tar()))] {
        for cut in [whole.len() - 1, whole.len() / 2, 13] {
            let said = resolve(name, &whole[..cut]);
            assert!(said.contains("is damaged"), "{name} cut at {cut}: {said}");
        }
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x40;
        assert!(resolve(name, &flipped).contains("is damaged"), "{name}");
        assert!(resolve(name, &[whole, b"behind".to_vec()].concat()).contains("is damaged"), "{name}");
    }
    // 300 MiB of zeros in some kilobytes, in the one file of a tar.
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(300 << 20);
    header.set_mode(0o644);
    tar.append_data(&mut header, "top/zeros", std::io::repeat(0).take(300 << 20)).unwrap();
    let bomb = tar.into_inner().unwrap();
    let said = resolve("bomb.tar.zst", &zst(&bomb));
    assert!(said.contains("too many for its own size"), "{said}");
    // A window of 2 GiB is announced and not allocated.
    let said = resolve("window.tar.zst", b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0");
    assert!(said.contains("is damaged") && said.contains("too much memory"), "{said}");
    assert!(resolve("page.tar", b"<!doctype html>").contains("of an unknown format"));
}

#[test]
fn names_of_files_are_names_of_files() {
    let world = World::new();
    let long = format!("https://files.example/{}", "n".repeat(256));
    let error = world.resolve(&url(&long)).unwrap_err();
    assert!(matches!(error, FetchError::FileName { .. }), "{error}");
    assert!(matches!(world.resolve(&path("absent")), Err(FetchError::File { .. })));
}
