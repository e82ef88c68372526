//! Images made byte by byte, as other people's tools write them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use selfsame_core::{Digest, media};
use selfsame_oci::layout::{INDEX_FILE, LAYER_ZSTD, LAYOUT_FILE, REF_NAME, blob_path, layout_file};
use selfsame_oci::{Descriptor, image_manifest, index};

/// A tar: `name/` is a folder, a content `-> target` a symbolic link, `=> target` a hard link.
pub(super) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if name.starts_with("bin") { 0o755 } else { 0o644 });
        let (kind, link) = match (content.strip_prefix("-> "), content.strip_prefix("=> ")) {
            (Some(target), _) => (tar::EntryType::Symlink, Some(target)),
            (_, Some(target)) => (tar::EntryType::Link, Some(target)),
            _ if name.ends_with('/') => (tar::EntryType::Directory, None),
            _ => (tar::EntryType::Regular, None),
        };
        header.set_entry_type(kind);
        let bytes = if link.is_some() { b"" } else { content.as_bytes() };
        header.set_size(bytes.len() as u64);
        // The bytes as they are: what `set_path` would refuse is what is to be seen.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(link) = link {
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layer: its tar and how it is stored.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) tar: Vec<u8>,
    pub(super) stored: Vec<u8>,
    pub(super) media_type: String,
}

pub(super) fn plain(files: &[(&str, &str)]) -> Layer {
    let tar = tar(files);
    Layer { stored: tar.clone(), tar, media_type: media::LAYER_TAR.to_owned() }
}

pub(super) fn gz(files: &[(&str, &str)]) -> Layer {
    let tar = tar(files);
    Layer { stored: gzip(&tar), tar, media_type: media::LAYER_GZIP.to_owned() }
}

pub(super) fn zst(files: &[(&str, &str)]) -> Layer {
    let tar = tar(files);
    Layer { stored: zstd::encode_all(&tar[..], 3).unwrap(), tar, media_type: LAYER_ZSTD.to_owned() }
}

/// A config for these layers.
pub(super) fn config(platform: &str, layers: &[Layer]) -> String {
    let (os, architecture) = platform.split_once('/').unwrap();
    let (architecture, variant) = architecture.split_once('/').unwrap_or((architecture, ""));
    let diffs: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", Digest::of(&layer.tar))).collect();
    let variant = if variant.is_empty() { String::new() } else { format!("\"variant\":\"{variant}\",") };
    format!(
        "{{\"architecture\":\"{architecture}\",\"os\":\"{os}\",{variant}\"config\":{{\"Env\":[\"PATH=/bin\"]}},\
         \"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[{}]}}}}",
        diffs.join(",")
    )
}

/// Blobs of a layout, and what its index lists.
#[derive(Clone, Default)]
pub(super) struct Blobs {
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(super) listed: Vec<Descriptor>,
}

impl Blobs {
    pub(super) fn put(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        self.blobs.insert(Digest::of(bytes), bytes.to_vec());
        Descriptor::of(media_type, bytes)
    }

    /// An image of these layers; not listed yet.
    pub(super) fn image(&mut self, platform: &str, layers: &[Layer]) -> Descriptor {
        let config = config(platform, layers);
        self.image_with(&config, layers)
    }

    pub(super) fn image_with(&mut self, config: &str, layers: &[Layer]) -> Descriptor {
        let config = self.put(media::CONFIG, config.as_bytes());
        let layers: Vec<_> = layers.iter().map(|layer| self.put(&layer.media_type, &layer.stored)).collect();
        let manifest = image_manifest(&config, &layers, &BTreeMap::new());
        self.put(media::MANIFEST, &manifest.bytes)
    }

    pub(super) fn index(&mut self, manifests: &[Descriptor]) -> Descriptor {
        let index = index(manifests, &BTreeMap::new());
        self.put(media::INDEX, &index.bytes)
    }

    pub(super) fn list(mut self, name: &str, image: Descriptor) -> Self {
        self.listed.push(if name.is_empty() { image } else { image.annotated(REF_NAME, name) });
        self
    }

    /// Name and content of each file of the layout.
    pub(super) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let listed = index(&self.listed, &BTreeMap::new());
        let mut files = vec![(LAYOUT_FILE.to_owned(), layout_file()), (INDEX_FILE.to_owned(), listed.bytes)];
        files.extend(self.blobs.iter().map(|(digest, bytes)| (blob_path(*digest), bytes.clone())));
        files
    }

    pub(super) fn folder(&self, path: &Path) {
        std::fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        for (name, bytes) in self.files() {
            std::fs::write(path.join(name), bytes).unwrap();
        }
    }

    pub(super) fn tar(&self) -> Vec<u8> {
        pack(&self.files())
    }
}

/// A tar of files with bytes in them.
pub(super) fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        match bytes.strip_prefix(b"-> ") {
            Some(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                tar.append_link(&mut header, name, std::str::from_utf8(target).unwrap()).unwrap();
            }
            None => {
                header.set_size(bytes.len() as u64);
                tar.append_data(&mut header, name, &bytes[..]).unwrap();
            }
        }
    }
    tar.into_inner().unwrap()
}
