//! Contents in memory, trees of them, and tars made byte by byte.

use std::collections::BTreeMap;
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath, SourceEpoch};
use selfsame_oci::{Compression, Contents, Layer, LayerError, Limits, ReadError, ReadLayer, read_layer, write_layer};
use selfsame_tree::{Entry, Kind, Tree};

/// A tree and the bytes of its files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) entries: BTreeMap<RelPath, Entry>,
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
}

impl Contents for Files {
    fn open(&self, digest: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.contents.get(digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

pub(crate) fn epoch() -> SourceEpoch {
    SourceEpoch::new(1_700_000_000).unwrap()
}

impl Files {
    pub(crate) fn entry(mut self, at: &str, entry: Entry) -> Self {
        self.entries.insert(path(at), entry);
        self
    }

    pub(crate) fn file(mut self, at: &str, bytes: &[u8]) -> Self {
        self.contents.insert(Digest::of(bytes), bytes.to_vec());
        self.entry(at, Entry::file(Digest::of(bytes), bytes.len() as u64, false))
    }

    pub(crate) fn folder(self, at: &str) -> Self {
        self.entry(at, Entry::directory())
    }

    pub(crate) fn link(self, at: &str, target: &str) -> Self {
        self.entry(at, Entry::new(Kind::HardLink { target: path(target) }, 0o644))
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::from_entries(self.entries.clone()).unwrap()
    }

    pub(crate) fn write(&self, compression: Compression, threads: usize) -> Result<(Layer, Vec<u8>), LayerError> {
        let mut out = Vec::new();
        let layer = write_layer(&self.tree(), epoch(), self, &mut out, compression, threads)?;
        Ok((layer, out))
    }
}

/// Bytes that look random and are the same everywhere (xorshift64).
pub(crate) fn noise(mut seed: u64, length: usize) -> Vec<u8> {
    let step = |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u8
    };
    (0..length).map(step).collect()
}

/// Text of a few hundred words in a random order.
pub(crate) fn prose(seed: u64, length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 16);
    for pair in noise(seed, length).chunks(2) {
        let number = u32::from(pair[0]) * u32::from(*pair.last().unwrap_or(&0)) / 200;
        text.extend_from_slice(format!("word{number} ").as_bytes());
        if text.len() > length {
            break;
        }
    }
    text.truncate(length);
    text
}

/// One member of a tar, before its checksum.
pub(crate) struct Raw {
    header: [u8; 512],
    content: Vec<u8>,
}

pub(crate) fn member(name: &str, type_flag: u8, content: &[u8]) -> Raw {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    for (at, digits) in [(100, "0000644"), (108, "0000000"), (116, "0000000"), (136, "00000000000")] {
        header[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = type_flag;
    header[257..265].copy_from_slice(b"ustar\x0000");
    Raw { header, content: content.to_vec() }
}

impl Raw {
    pub(crate) fn set(mut self, at: usize, bytes: &[u8]) -> Self {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn link(self, target: &str) -> Self {
        self.set(157, target.as_bytes())
    }

    /// Without the right checksum.
    pub(crate) fn unsummed(self) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        bytes.extend_from_slice(&self.content);
        bytes.resize(bytes.len().div_ceil(512) * 512, 0);
        bytes
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|&byte| u32::from(byte)).sum();
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.unsummed()
    }
}

/// An extended header with these records.
pub(crate) fn extended(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut text = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let digits = (1..8).find(|digits| (rest + digits).to_string().len() == *digits).unwrap();
        text.extend_from_slice(format!("{} {key}=", rest + digits).as_bytes());
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    member("x", b'x', &text).bytes()
}

/// Members and the end mark.
pub(crate) fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = members.concat();
    tar.extend_from_slice(&[0; 1024]);
    tar
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn read(tar: &[u8]) -> Result<ReadLayer, ReadError> {
    read_layer(tar, Compression::None.media_type(), Limits::LAYER, &mut ())
}
