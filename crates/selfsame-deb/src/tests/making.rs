//! Writers of ar and tar that write whatever they are told, wrong things too.

use std::io::{Read, Write as _};

/// One member of a tar.
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    pub(crate) link: &'static str,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn file(name: &'static str, content: &str) -> Item {
    Item { name, kind: b'0', mode: 0o644, link: "", content: content.as_bytes().to_vec() }
}

pub(crate) fn folder(name: &'static str) -> Item {
    Item { name, kind: b'5', mode: 0o755, link: "", content: Vec::new() }
}

pub(crate) fn link(name: &'static str, kind: u8, target: &'static str) -> Item {
    Item { name, kind, mode: 0o777, link: target, content: Vec::new() }
}

/// GNU's tar as dpkg writes it.
pub(crate) fn tar(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        let mut header = [0_u8; 512];
        header[..item.name.len()].copy_from_slice(item.name.as_bytes());
        let mut put = |at: usize, text: String| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(100, format!("{:07o}\0", item.mode));
        put(108, format!("{:07o}\0", 0));
        put(116, format!("{:07o}\0", 0));
        put(124, format!("{:011o}\0", item.content.len()));
        put(136, format!("{:011o}\0", 1_700_000_000));
        put(157, item.link.to_owned());
        put(257, "ustar  \0".to_owned());
        header[156] = item.kind;
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend(header);
        bytes.extend(&item.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// An ar archive of these members.
pub(crate) fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).as_bytes());
        bytes.extend(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

pub(crate) const CONTROL: &str = "Package: hello\nVersion: 1:2.10-3\nArchitecture: amd64\nSource: hello-src (2.9)\nMaintainer: A B <a@example.com>\nDepends: libc6 (>= 2.34), sh | bash\nDescription: greets\n the world\n";

pub(crate) fn control() -> Vec<u8> {
    tar(&[folder("./"), file("./control", CONTROL), file("./conffiles", "/etc/hello.conf\n")])
}

/// A package with this data, not compressed.
pub(crate) fn deb(data: &[Item]) -> Vec<u8> {
    deb_of("data.tar", tar(data))
}

/// A package whose data member is this.
pub(crate) fn deb_of(name: &str, data: Vec<u8>) -> Vec<u8> {
    ar(&[("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", gzip(&control())), (name, data)])
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
