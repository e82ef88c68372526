//! What tests of packages need: a store, a machine's settings, a source, zip files.

use std::path::PathBuf;

use flate2::Crc;
use selfsame_core::{Platform, RelPath, SourceEpoch};
use selfsame_http::{Client, Environment, Options, Origins, Patience};
use selfsame_lock::Day;
use selfsame_store::Store;
use selfsame_testing::{Tier, require};
use selfsame_tree::{Entry, Tree};
use tempfile::TempDir;

use crate::context::{Context, Silent};

pub(crate) struct World {
    folder: TempDir,
    pub(crate) store: Store,
    pub(crate) environment: Environment,
    pub(crate) offline: bool,
    pub(crate) origins: Origins,
    pub(crate) platform: Platform,
    pub(crate) platforms: Vec<Platform>,
}

impl World {
    /// A machine with nothing configured and no tools.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let variables = [
            ("HOME", home.as_os_str()),
            ("PATH", "/nonexistent".as_ref()),
            ("PIP_CONFIG_FILE", "/dev/null".as_ref()),
            ("npm_config_globalconfig", "/nonexistent/npmrc".as_ref()),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.to_owned()));
        let environment = Environment { variables: variables.collect() };
        let platform = "linux/amd64".parse().unwrap();
        Self {
            folder,
            store,
            environment,
            offline: false,
            origins: Origins::default(),
            platform,
            platforms: Vec::new(),
        }
    }

    /// The machine that the test runs on.
    pub(crate) fn real() -> Self {
        let environment = Environment { variables: std::env::vars_os().collect() };
        Self { environment, platform: Platform::native(), ..Self::new() }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.variables.insert(name.into(), value.into());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let patience = Patience { retries: 0, ..Patience::default() };
        let options = Options { patience, origins: self.origins.clone(), ..Options::default() };
        let http = Client::new(&self.environment, options).unwrap();
        work(&Context {
            folder: self.folder.path(),
            environment: &self.environment,
            http: &http,
            store: &self.store,
            platform: &self.platform,
            platforms: &self.platforms,
            offline: self.offline,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &Silent,
        })
    }

    /// A source with these files.
    pub(crate) fn source(&self, files: &[(&str, &str)]) -> Tree {
        let entries = files.iter().map(|(name, text)| {
            let digest = self.store.put_bytes(text.as_bytes(), false).unwrap();
            (RelPath::new(*name).unwrap(), Entry::file(digest, text.len() as u64, false))
        });
        Tree::from_entries(entries.collect::<Vec<_>>()).unwrap()
    }

    /// Writes a tree where tools can use it.
    pub(crate) fn unpack(&self, tree: &Tree, name: &str) -> PathBuf {
        let path = self.path(name);
        self.store.unpack(tree, &path, |_| 1_700_000_000).unwrap();
        path
    }
}

/// Whether the tier is asked for: tests never use a network that nobody promised.
#[track_caller]
pub(crate) fn network_is_wanted() -> bool {
    let required = std::env::vars_os().find(|(name, _)| name == "SELFSAME_REQUIRE").unwrap_or_default().1;
    let asked = required.to_string_lossy().split(',').any(|tier| matches!(tier.trim(), "network" | "all"));
    asked || require(Tier::Network, Err("SELFSAME_REQUIRE does not name it".to_owned()))
}

/// A zip file of stored members, each with its mode.
pub(crate) fn zip(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content, mode) in files {
        let mut crc = Crc::new();
        crc.update(content);
        let size = (content.len() as u32).to_le_bytes();
        let name_bytes = (name.len() as u16).to_le_bytes();
        let common =
            [&[20, 0, 0, 8, 0, 0, 0, 0, 0, 0][..], &crc.sum().to_le_bytes(), &size, &size, &name_bytes, &[0, 0]]
                .concat();
        let offset = (bytes.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\x03".as_slice(), &common, &[0; 6]].concat());
        directory.extend([&(mode << 16).to_le_bytes(), offset.as_slice(), name.as_bytes()].concat());
        bytes.extend([b"PK\x03\x04".as_slice(), &common, name.as_bytes(), content].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let (offset, size) = ((bytes.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    bytes.extend(&directory);
    bytes.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &size, &offset, &[0, 0]].concat());
    bytes
}

/// A wheel of these files with a RECORD of them.
pub(crate) fn wheel(name: &str, version: &str, files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let info = format!("{name}-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n\n");
    let (metadata_path, record_path) = (format!("{info}/METADATA"), format!("{info}/RECORD"));
    let mut all = files.to_vec();
    all.push((&metadata_path, metadata.as_bytes(), 0));
    let mut record = String::new();
    for (path, content, _) in &all {
        let hash = base64url(selfsame_core::Digest::of(content).as_bytes());
        record.push_str(&format!("{path},sha256={hash},{}\n", content.len()));
    }
    record.push_str(&format!("{record_path},,\n"));
    all.push((&record_path, record.as_bytes(), 0));
    zip(&all)
}

/// base64 with the alphabet of addresses, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(number >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

/// A gzip-compressed tar of these files.
pub(crate) fn targz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}
