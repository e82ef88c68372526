//! A cache of npm's (cacache, index version 5) as files: tarballs under their SHA-512, and a document for each package
//! name.
//!
//! With a lock that has addresses, npm takes a tarball by its hash and asks for nothing else. Without addresses
//! (`omit-lockfile-registry-resolved`) it asks the registry for the package's document, and then for the tarball that it
//! names; so there is a document of the versions that are here, and both are kept as answers of [`REGISTRY`], which is
//! nobody's name.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath, Sha512Digest};
use selfsame_pins::npm::Integrity;
use selfsame_store::Store;
use selfsame_tree::Entry;
use serde_json::{Map, Value, json};

use crate::kinds::pinned::PackagesError;

/// The registry that the documents are of. Whoever runs npm with this cache says so: `npm_config_registry`.
pub(crate) const REGISTRY: &str = "http://npm.invalid/";
/// What npm says that it accepts: for installing, and for everything else. An answer counts for the same words only.
const ACCEPTS: [&str; 2] =
    ["application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*", "application/json"];
/// The fields of a version that npm plans an installation by.
const FIELDS: [&str; 12] = [
    "bin",
    "cpu",
    "dependencies",
    "deprecated",
    "engines",
    "libc",
    "name",
    "optionalDependencies",
    "os",
    "peerDependencies",
    "peerDependenciesMeta",
    "version",
];

/// A tarball in the cache.
pub(super) struct Packed {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: Digest,
    pub(super) size: u64,
    pub(super) integrity: Integrity,
    /// Its package.json.
    pub(super) manifest: Value,
}

/// The files of the cache.
pub(super) fn entries(packages: &[Packed], store: &Store) -> Result<BTreeMap<RelPath, Entry>, PackagesError> {
    let mut entries = BTreeMap::new();
    let mut documents: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for package in packages {
        // Two names of one tarball are one file here.
        let file = Entry::file(package.sha256, package.size, false);
        entries.insert(content_path(&package.integrity, &package.name)?, file);
        let asked = [json!({})];
        let kept = (&package.integrity, package.size);
        answer(&mut entries, &tarball(package), &asked, "application/octet-stream", kept, store)?;
        documents.entry(&package.name).or_default().insert(package.version.clone(), version(package));
    }
    for (name, versions) in documents {
        let latest = versions.keys().next_back().cloned().unwrap_or_default();
        let document = json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions }).to_string();
        let integrity = Integrity::of(&Sha512Digest::of(document.as_bytes()));
        let digest = store.put_bytes(document.as_bytes(), false)?;
        entries.insert(content_path(&integrity, name)?, Entry::file(digest, document.len() as u64, false));
        let url = format!("{REGISTRY}{}", name.replace('/', "%2f"));
        let headers = ACCEPTS.map(|accept| json!({ "accept": accept }));
        let size = document.len() as u64;
        answer(&mut entries, &url, &headers, "application/json", (&integrity, size), store)?;
    }
    Ok(entries)
}

/// Notes in the index that `url`, asked for with one of these headers, was answered by a file of the cache.
fn answer(
    entries: &mut BTreeMap<RelPath, Entry>,
    url: &str,
    asked: &[Value],
    content_type: &str,
    (integrity, size): (&Integrity, u64),
    store: &Store,
) -> Result<(), PackagesError> {
    let key = format!("make-fetch-happen:request-cache:{url}");
    let mut bucket = String::new();
    for headers in asked {
        let line = json!({
            "key": key,
            "integrity": integrity.to_string(),
            "time": 1,
            "size": size,
            "metadata": {
                "time": 1,
                "url": url,
                "reqHeaders": headers,
                "resHeaders": { "content-type": content_type },
                "options": { "compress": true },
            },
        })
        .to_string();
        bucket.push_str(&format!("\n{}\t{line}", sha1(line.as_bytes())));
    }
    let hex = Digest::of(key.as_bytes()).hex();
    let path = path(&format!("_cacache/index-v5/{}/{}/{}", &hex[..2], &hex[2..4], &hex[4..]), url)?;
    let digest = store.put_bytes(bucket.as_bytes(), false)?;
    entries.insert(path, Entry::file(digest, bucket.len() as u64, false));
    Ok(())
}

fn version(package: &Packed) -> Value {
    let mut version = Map::new();
    for field in FIELDS {
        if let Some(value) = package.manifest.get(field) {
            version.insert(field.to_owned(), value.clone());
        }
    }
    // What it is called here counts, whatever it says.
    version.insert("name".to_owned(), package.name.as_str().into());
    version.insert("version".to_owned(), package.version.as_str().into());
    version
        .insert("dist".to_owned(), json!({ "tarball": tarball(package), "integrity": package.integrity.to_string() }));
    Value::Object(version)
}

fn tarball(package: &Packed) -> String {
    let file = package.name.rsplit('/').next().unwrap_or_default();
    format!("{REGISTRY}{}/-/{file}-{}.tgz", package.name, package.version)
}

fn content_path(integrity: &Integrity, name: &str) -> Result<RelPath, PackagesError> {
    let hex = integrity.hex();
    path(&format!("_cacache/content-v2/sha512/{}/{}/{}", &hex[..2], &hex[2..4], &hex[4..]), name)
}

fn path(text: &str, name: &str) -> Result<RelPath, PackagesError> {
    RelPath::new(text).map_err(|error| PackagesError::package(name, error.to_string()))
}

/// SHA-1 (FIPS 180-4) in hexadecimal: npm's checksum of a line in its index. Nothing is trusted for it.
fn sha1(bytes: &[u8]) -> String {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut message = bytes.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend((bytes.len() as u64 * 8).to_be_bytes());
    for block in message.chunks_exact(64) {
        let mut words = [0_u32; 80];
        for (word, four) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
        }
        for at in 16..80 {
            words[at] = (words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (at, word) in words.iter().enumerate() {
            let (mixed, constant) = match at / 20 {
                0 => (b & c | !b & d, 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    state.iter().map(|word| format!("{word:08x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::sha1;

    #[test]
    fn checksums_of_fips_180() {
        assert_eq!(sha1(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(sha1(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(sha1(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(sha1(&[b'a'; 1_000_000]), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        for (length, expected) in [
            (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
            (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
            (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
            (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        ] {
            assert_eq!(sha1(&vec![b'a'; length]), expected, "{length}");
        }
    }
}
