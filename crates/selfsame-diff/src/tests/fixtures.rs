//! Images in memory, and small files of each kind made by hand.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Entry, Kind, Tree};
use serde_json::{Value, json};

use crate::{ImageView, LayerView};

/// An image whose files are in memory.
#[derive(Clone)]
pub(crate) struct FakeImage {
    pub(crate) manifest: Option<Value>,
    pub(crate) config: Value,
    pub(crate) layers: Vec<LayerView>,
    pub(crate) contents: BTreeMap<Digest, Vec<u8>>,
    pub(crate) tars: Vec<Vec<u8>>,
    /// The manifest's bytes are spelled in another way.
    pub(crate) respelled: bool,
}

/// One file of a fake layer.
pub(crate) type FakeFile<'a> = (&'a str, &'a [u8], u32);

impl FakeImage {
    /// An image of one layer with these files, and times of `mtime` in its tar.
    pub(crate) fn of(files: &[FakeFile<'_>], mtime: u64) -> Self {
        let image = Self {
            manifest: None,
            config: json!({ "architecture": "amd64", "config": { "Entrypoint": ["/bin/app"] } }),
            layers: Vec::new(),
            contents: BTreeMap::new(),
            tars: Vec::new(),
            respelled: false,
        };
        image.layer(files, mtime)
    }

    pub(crate) fn layer(mut self, files: &[FakeFile<'_>], mtime: u64) -> Self {
        let mut entries = Vec::new();
        for (path, content, mode) in files {
            let digest = Digest::of(content);
            self.contents.insert(digest, content.to_vec());
            let kind = Kind::File { digest, size: content.len() as u64 };
            entries.push((RelPath::new(*path).unwrap(), Entry::new(kind, *mode)));
        }
        let tree = Tree::from_entries(entries).unwrap();
        let tar = tar(&files.iter().map(|(path, content, mode)| (*path, *content, *mode, mtime)).collect::<Vec<_>>());
        let diff_id = Digest::of(&tar);
        self.layers.push(LayerView {
            digest: Some(Digest::of(&gzip(&tar, 0, ""))),
            diff_id,
            tree,
            marks: BTreeMap::new(),
        });
        self.tars.push(tar);
        self.manifest = Some(json!({
            "layers": self.layers.iter().map(|layer| json!({ "digest": layer.digest.unwrap().to_string() })).collect::<Vec<_>>(),
        }));
        self
    }

    /// With one layer's entry changed.
    pub(crate) fn entry(mut self, path: &str, change: impl FnOnce(&mut Entry)) -> Self {
        let layer = &mut self.layers[0];
        let mut entries: BTreeMap<RelPath, Entry> = layer.tree.iter().map(|(p, e)| (p.clone(), e.clone())).collect();
        change(entries.get_mut(path).unwrap());
        layer.tree = Tree::from_entries(entries).unwrap();
        layer.diff_id = layer.tree.digest();
        self
    }
}

impl ImageView for FakeImage {
    fn manifest_digest(&self) -> Option<Digest> {
        self.manifest.as_ref().map(|manifest| {
            let layers: String = self.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
            let space = if self.respelled { " " } else { "" };
            Digest::of(format!("{manifest}{space}{}{layers}", self.config).as_bytes())
        })
    }

    fn manifest(&self) -> Option<&Value> {
        self.manifest.as_ref()
    }

    fn config(&self) -> &Value {
        &self.config
    }

    fn layers(&self) -> &[LayerView] {
        &self.layers
    }

    fn content(&self, _layer: usize, digest: &Digest) -> io::Result<Box<dyn Read + '_>> {
        match self.contents.get(digest) {
            Some(bytes) => Ok(Box::new(&bytes[..])),
            None => Err(io::Error::other("no such blob")),
        }
    }

    fn tar(&self, layer: usize) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(&self.tars[layer][..]))
    }
}

/// (path, content, mode, modification time).
pub(crate) type TarFile<'a> = (&'a str, &'a [u8], u32, u64);

pub(crate) fn tar(files: &[TarFile<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, mode, mtime) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(*mtime);
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(content: &[u8], mtime: u32, name: &str) -> Vec<u8> {
    let mut header = flate2::GzBuilder::new().mtime(mtime);
    if !name.is_empty() {
        header = header.filename(name);
    }
    // Stored, not compressed: whose compressor it is must not decide the digests in snapshots.
    let mut writer = header.write(Vec::new(), flate2::Compression::none());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

/// Members as (name, modification time, owner, mode, content).
pub(crate) fn ar(members: &[(&str, u64, u32, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, mtime, owner, mode, content) in members {
        let header =
            format!("{:<16}{mtime:<12}{owner:<6}{owner:<6}{mode:<8o}{:<10}`\n", format!("{name}/"), content.len());
        assert_eq!(header.len(), 60);
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// Entries as (name, MS-DOS time, content), deflated.
pub(crate) fn zip(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, time, content) in entries {
        let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(content).unwrap();
        let stored = writer.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let common = |out: &mut Vec<u8>| {
            out.extend_from_slice(&[20, 0, 0, 0, 8, 0]);
            out.extend_from_slice(&time.to_le_bytes());
            out.extend_from_slice(&crc.sum().to_le_bytes());
            out.extend_from_slice(&(stored.len() as u32).to_le_bytes());
            out.extend_from_slice(&(content.len() as u32).to_le_bytes());
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            out.extend_from_slice(&[0, 0]);
        };
        let offset = bytes.len() as u32;
        bytes.extend_from_slice(b"PK\x03\x04");
        common(&mut bytes);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&stored);
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        common(&mut directory);
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(0o100_644u32 << 16).to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (start, count) = (bytes.len() as u32, entries.len() as u16);
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&start.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

/// A 64-bit little-endian ELF with these sections; `.shstrtab` is added.
pub(crate) fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = b"\0".to_vec();
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    let mut heads = vec![[0u64; 3]];
    for (name, content) in sections {
        heads.push([names.len() as u64, bytes.len() as u64, content.len() as u64]);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        bytes.extend_from_slice(content);
    }
    heads.push([names.len() as u64, bytes.len() as u64, (names.len() + 10) as u64]);
    names.extend_from_slice(b".shstrtab\0");
    bytes.extend_from_slice(&names);
    let table = bytes.len() as u64;
    for [name, offset, size] in &heads {
        let mut head = [0u8; 64];
        head[..4].copy_from_slice(&(*name as u32).to_le_bytes());
        head[4] = u8::from(*size > 0);
        head[0x18..0x20].copy_from_slice(&offset.to_le_bytes());
        head[0x20..0x28].copy_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&head);
    }
    bytes[0x28..0x30].copy_from_slice(&table.to_le_bytes());
    bytes[0x3a..0x3c].copy_from_slice(&64u16.to_le_bytes());
    bytes[0x3c..0x3e].copy_from_slice(&(heads.len() as u16).to_le_bytes());
    bytes[0x3e..0x40].copy_from_slice(&(heads.len() as u16 - 1).to_le_bytes());
    bytes
}

/// A build-id note with this id.
pub(crate) fn build_id(id: &[u8]) -> Vec<u8> {
    let mut note = [4u32.to_le_bytes(), (id.len() as u32).to_le_bytes(), 3u32.to_le_bytes()].concat();
    note.extend_from_slice(b"GNU\0");
    note.extend_from_slice(id);
    note
}

/// Python bytecode with a source time and this code.
pub(crate) fn pyc(mtime: u32, code: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xa7\x0d\r\n\0\0\0\0".to_vec();
    bytes.extend_from_slice(&mtime.to_le_bytes());
    bytes.extend_from_slice(&99u32.to_le_bytes());
    bytes.extend_from_slice(code);
    bytes
}

/// A PNG of these chunks; checksums are left zero, which nothing here reads.
pub(crate) fn png(chunks: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks {
        bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
        bytes.extend_from_slice(kind.as_bytes());
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes
}
