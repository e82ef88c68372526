//! Archives by friends and by strangers.

use std::io::Write as _;

use selfsame_core::Digest;
use selfsame_fetch::{ArchiveError, Limits, unpack_archive};
use selfsame_tree::Tree;
use tar::{EntryType, Header};

use crate::disk::Disk;

/// An archive in the making. Headers are written as given, so that what no friend writes can be written.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn entry(self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(if name.ends_with('*') { 0o755 } else { 0o640 });
        let gnu = header.as_gnu_mut().unwrap();
        let name = name.trim_end_matches('*').as_bytes();
        gnu.name[..name.len()].copy_from_slice(name);
        gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.raw(&header, content)
    }

    fn raw(mut self, header: &Header, content: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes())
    }

    /// PAX records for the next entry.
    fn pax(self, kind: EntryType, records: &[(&str, &str)]) -> Self {
        let mut content = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (1..).map(|digits| rest + digits).find(|n| n.to_string().len() == n - rest).unwrap();
            content += &format!("{length} {key}={value}\n");
        }
        self.entry(kind, "pax", "", content.as_bytes())
    }

    fn tar(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    fn gz(self) -> Vec<u8> {
        gzip(&self.tar())
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn unpack(bytes: &[u8], strip: u32) -> Result<Tree, ArchiveError> {
    let disk = Disk::new();
    let digest = disk.store.put_bytes(bytes, false).unwrap();
    let tree = unpack_archive(&disk.store, &digest, "a.tar", strip, Limits::SOURCE)?;
    assert!(disk.store.missing(&tree).unwrap().is_empty());
    assert_eq!(disk.store.tree(&tree.digest()).unwrap(), tree);
    assert_eq!(unpack_archive(&disk.store, &digest, "a.tar", strip, Limits::SOURCE).unwrap(), tree, "the second time");
    Ok(tree)
}

#[track_caller]
fn refused(archive: Archive, because: &str) {
    let error = unpack(&archive.gz(), 1).expect_err(because).to_string();
    assert!(error.contains(because), "{error}");
}

fn friend() -> Archive {
    let long = format!("lua-5/{}/deep.c", "long-folder-name/".repeat(8).trim_end_matches('/'));
    Archive::default()
        .pax(EntryType::XGlobalHeader, &[("comment", "a commit")])
        .entry(EntryType::Directory, "lua-5/", "", b"")
        .entry(EntryType::Directory, "./lua-5/empty", "", b"")
        .file("lua-5/src/lua.c", "int main;")
        .file("lua-5//configure*", "#!/bin/sh")
        .entry(EntryType::Symlink, "lua-5/src/link", "../configure", b"")
        .entry(EntryType::Link, "lua-5/a-second-name", "lua-5/src/lua.c", b"")
        .pax(EntryType::XHeader, &[("path", &long), ("mtime", "1.5")])
        .file("short", "deep")
        .entry(EntryType::GNULongName, "././@LongLink", "", format!("lua-5/{}\0", "n".repeat(120)).as_bytes())
        .file("nnn", "gnu")
}

#[test]
fn unpacks_what_tar_and_cargo_write() {
    let tree = unpack(&friend().gz(), 1).unwrap();
    insta::assert_snapshot!(tree, @r"
    selfsame-tree v1
    a-second-name file 0644 0:0 r0 9 sha256:d0044c695f618c01506cfe1ea63eb15ba1150c21fcc302d40acea345fd4710fa
    configure file 0755 0:0 r0 9 sha256:3af71adb278ad4af33c144b78fa1ae708da03b773d98324ae991a7daedb53ca2
    long-folder-name/long-folder-name/long-folder-name/long-folder-name/long-folder-name/long-folder-name/long-folder-name/long-folder-name/deep.c file 0644 0:0 r0 4 sha256:74611c1d6455b534323a21f8133a6f43dc3a8188e7b946f96dcc28dde932fcb2
    nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn file 0644 0:0 r0 3 sha256:ab137b027d5988d44880bdf94489a66c9e06d5861a04b54a72ab344ae7534024
    src/link symlink 0777 0:0 r0 ../configure
    src/lua.c file 0644 0:0 r0 9 sha256:d0044c695f618c01506cfe1ea63eb15ba1150c21fcc302d40acea345fd4710fa
    ");
    assert_eq!(unpack(&friend().tar(), 1).unwrap(), tree, "compressed or not");
    let whole = friend().tar();
    let members = [gzip(&whole[..700]), gzip(&whole[700..])].concat();
    assert_eq!(unpack(&members, 1).unwrap(), tree, "two gzip members are one stream");
    assert!(unpack(&friend().gz(), 0).unwrap().entry("lua-5/configure").is_some());
}

#[test]
fn names_that_lead_out() {
    for (name, because) in [
        ("../x", "leaves the archive"),
        ("a/../../x", "leaves the archive"),
        ("a/..", "leaves the archive"),
        ("/etc/passwd", "absolute name"),
        ("x", "no more than the 1 leading components"),
        (".", "has no name"),
    ] {
        refused(Archive::default().file(name, "x"), because);
        refused(Archive::default().pax(EntryType::XHeader, &[("path", name)]).file("a/fine", "x"), because);
    }
    refused(Archive::default().pax(EntryType::XHeader, &[("path", &"a/".repeat(3000))]).file("x", "y"), "4096");
    let mut header = Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    header.as_gnu_mut().unwrap().name[..4].copy_from_slice(b"a/\xff\xfe");
    header.set_cksum();
    refused(Archive::default().raw(&header, b""), "not UTF-8");
}

#[test]
fn links_that_lead_out() {
    let link = |name: &str, target: &str| Archive::default().entry(EntryType::Symlink, name, target, b"");
    refused(link("a/x", "/etc/passwd"), "outside of the archive");
    refused(link("a/x", "../y"), "outside of the archive");
    refused(link("a/b/x", "../../y"), "outside of the archive");
    refused(link("a/x", ""), "a link to nothing");
    refused(link("a/d", "e").file("a/d/x", "y"), "makes no tree");
    let hard = |target| Archive::default().file("a/f", "x").entry(EntryType::Link, "a/x", target, b"");
    refused(hard("a/missing"), "hard link to no file");
    refused(hard("../etc/passwd"), "leaves the archive");
    refused(hard("/etc/passwd"), "absolute");
    refused(Archive::default().entry(EntryType::Link, "a/x", "a/f", b"").file("a/f", "later"), "hard link to no file");
}

#[test]
fn what_is_no_file() {
    for (kind, because) in [
        (EntryType::Fifo, "is a FIFO"),
        (EntryType::Char, "is a device"),
        (EntryType::Block, "is a device"),
        (EntryType::GNUSparse, "is a sparse file"),
        (EntryType::new(b'M'), "unknown type `M`"),
    ] {
        refused(Archive::default().entry(kind, "a/x", "", b""), because);
    }
    let sparse = [("GNU.sparse.major", "1"), ("GNU.sparse.name", "a/x")];
    refused(Archive::default().pax(EntryType::XHeader, &sparse).file("a/x", "y"), "is a sparse file");
}

#[test]
fn what_readers_disagree_about() {
    refused(Archive::default().file("a/x", "1").file("a/x", "2"), "stands twice");
    refused(Archive::default().file("a/x", "1").file("a/./x", "2"), "stands twice");
    refused(Archive::default().file("a/x", "1").entry(EntryType::Directory, "a/x", "", b""), "makes no tree");
    refused(Archive::default().file("a/x", "1").file("a/x/y", "2"), "makes no tree");
    refused(Archive::default().pax(EntryType::XHeader, &[("size", "1024")]).file("a/x", "short"), "two sizes");
    refused(Archive::default().pax(EntryType::XGlobalHeader, &[("path", "a/y")]).file("a/x", ""), "for all entries");
    refused(Archive::default().entry(EntryType::XHeader, "pax", "", b"99 path=a\n").file("a/x", ""), "cannot be read");
    let hidden = [Archive::default().file("a/x", "1").tar(), Archive::default().file("a/y", "2").tar()].concat();
    let error = unpack(&hidden, 1).unwrap_err().to_string();
    assert!(error.contains("followed by more data"), "{error}");
}

#[test]
fn damage_and_other_formats() {
    let whole = friend().gz();
    for cut in [20, whole.len() / 2, whole.len() - 1] {
        let error = unpack(&whole[..cut], 1).unwrap_err();
        assert!(matches!(error, ArchiveError::Damaged { .. } | ArchiveError::Format { .. }), "{cut}: {error}");
    }
    let mut flipped = whole.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    assert!(matches!(unpack(&flipped, 1), Err(ArchiveError::Damaged { .. })), "gzip's checksum is looked at");
    let tar = friend().tar();
    assert!(matches!(unpack(&tar[..2000], 1), Err(ArchiveError::Damaged { .. })));
    for (bytes, format) in [
        (&b"PK\x03\x04rest"[..], "cannot be unpacked"),
        (b"\xfd7zXZ\0rest", "is damaged"),
        (b"\x28\xb5\x2f\xfdrest", "is damaged"),
        (b"BZh9rest", "compressed with bzip2"),
        (b"", "empty"),
        (b"hello", "of an unknown format"),
    ] {
        assert!(unpack(bytes, 1).unwrap_err().to_string().contains(format), "{format}");
    }
}

#[test]
fn bombs_are_stopped_by_count_size_and_ratio() {
    let disk = Disk::new();
    let limits = Limits { entries: 5, size_bytes: 1 << 20, ratio: 20, free_bytes: 64 << 10 };
    let unpack = |bytes: &[u8]| {
        let digest = disk.store.put_bytes(bytes, false).unwrap();
        unpack_archive(&disk.store, &digest, "bomb.tgz", 0, limits)
    };
    let bomb = |bytes: &[u8]| match unpack(bytes) {
        Err(ArchiveError::Bomb { bound, .. }) => bound,
        other => panic!("{other:?}"),
    };
    let many = (0..6).fold(Archive::default(), |archive, n| archive.file(&format!("f{n}"), ""));
    assert_eq!(bomb(&many.gz()), "has more than 5 entries");
    let zeros = |size: usize| "\0".repeat(size);
    let large = Archive::default().file("x", &zeros(300 << 10)).gz();
    assert_eq!(bomb(&large), "holds more than 65536 bytes, too many for its own size");
    assert!(bomb(&Archive::default().file("x", &zeros(2 << 20)).tar()).starts_with("holds more than 1048576 bytes"));
    // The bytes may also lie behind the end, or in a header that describes the next entry.
    let behind = gzip(&[Archive::default().file("x", "").tar(), vec![0; 300 << 10]].concat());
    assert!(bomb(&behind).starts_with("holds more than 65536 bytes"));
    let name = Archive::default().entry(EntryType::GNULongName, "l", "", zeros(300 << 10).as_bytes()).file("x", "");
    assert!(bomb(&name.gz()).starts_with("holds more than 65536 bytes"));
    let names = Archive::default().entry(EntryType::XHeader, "l", "", zeros(2 << 20).as_bytes()).file("x", "");
    let digest = disk.store.put_bytes(&names.gz(), false).unwrap();
    let error = unpack_archive(&disk.store, &digest, "b", 0, Limits::SOURCE).unwrap_err();
    assert!(error.to_string().contains("an extension header of more than 1 MiB"), "{error}");
    unpack(&Archive::default().file("x", &zeros(60 << 10)).gz()).unwrap();
}

#[test]
fn a_large_file_is_streamed() {
    let content = "0123456789abcdef".repeat(400_000);
    let tree = unpack(&Archive::default().file("a/large", &content).gz(), 1).unwrap();
    assert_eq!(tree.content("large"), Some((Digest::of(content.as_bytes()), content.len() as u64)));
    let cut = Archive::default().file("a/large", &content).tar();
    assert!(matches!(unpack(&cut[..5_000_000], 1), Err(ArchiveError::Damaged { .. })));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_archive_never_panics(at in 0_usize..4096, bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 1..24)) {
        let mut tar = friend().tar();
        let at = at % (tar.len() - bytes.len());
        tar[at..at + bytes.len()].copy_from_slice(&bytes);
        // A header's checksum stops most damage, so it is made right again.
        let header_at = at / 512 * 512;
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&tar[header_at..header_at + 512]);
        header.set_cksum();
        tar[header_at..header_at + 512].copy_from_slice(header.as_bytes());
        let _ = unpack(&tar, 1);
    }
}
