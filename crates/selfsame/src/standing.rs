//! A release that stands already: made from the same request, signed by the same key, every file as it was published.
//! Nothing of it has to be made again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use selfsame_build::{Content, Extent, RUN_RECORD, ReleaseFiles, Request};
use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Hasher, RelPath};
use selfsame_store::{FileStamp, Store};
use serde::{Deserialize, Serialize};

use crate::keys::Key;

/// What is said about a release when it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The image's manifest, or the index of several.
    pub(crate) image: Digest,
    /// The manifests below an index, by platform.
    #[serde(default)]
    pub(crate) images: BTreeMap<String, Digest>,
    /// The inventory's payload.
    pub(crate) release_id: Digest,
    /// The level that every action achieved.
    pub(crate) level: String,
    /// Whether every action was made twice.
    pub(crate) checked: bool,
    /// Of all layers, compressed.
    pub(crate) layer_bytes: u64,
    /// In the image.
    pub(crate) files: usize,
}

/// The place of a release and what decides its bytes.
pub(crate) struct Standing<'a> {
    store: &'a Store,
    output: &'a Path,
    /// Of everything that decides them.
    key: Digest,
    /// Whether files that look unchanged are taken as last hashed.
    trust_stat_cache: bool,
}

/// How evidence is asked for, beside the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) extent: Extent,
    pub(crate) check: bool,
    pub(crate) no_check: bool,
    /// The id of the log that the documents are in.
    pub(crate) log: Option<Digest>,
    /// Of the command that has them stamped.
    pub(crate) timestamp: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Every file of the release by its name below the folder.
    files: BTreeMap<String, Digest>,
    summary: Summary,
}

impl<'a> Standing<'a> {
    /// Nothing if this program or the key cannot be told from others.
    pub(crate) fn of(
        requests: &[&Request],
        asked: Asked,
        key: &Key,
        output: &'a Path,
        store: &'a Store,
    ) -> Option<Standing<'a>> {
        // Another build of this program may write other evidence.
        let program = FileStamp::of(&fs::metadata("/proc/self/exe").ok()?);
        let key_digest = key.signer.public_key().ok()?.fingerprint();
        let text = json::canonical(&serde_json::json!({
            "capsule": asked.extent == Extent::Full,
            "check": asked.check,
            "developmentKey": key.development,
            "key": key_digest,
            "log": asked.log,
            "noCheck": asked.no_check,
            "program": [program.device, program.inode, program.size],
            "programTime": [program.ctime_ns.to_string(), program.mtime_ns.to_string()],
            "requests": requests.iter().map(|request| selfsame_build::provenance::request_digest(request)).collect::<Vec<_>>(),
            "standing": "v1",
            "timestamp": asked.timestamp,
            "version": env!("CARGO_PKG_VERSION"),
        }));
        Some(Self { store, output, key: Digest::of(&text), trust_stat_cache: key.development })
    }

    /// What to say about it, if it is there. Whatever cannot be read or differs means that it is not: publishing it
    /// again says what is wrong.
    pub(crate) fn recall(&self) -> Option<Summary> {
        let bytes = self.store.action_result(&self.key).ok()??;
        let Entry { files, summary } = json::parse_as(&bytes, Limits::DOCUMENT).ok()?;
        let names: Vec<RelPath> = names_in(self.output)?;
        if !names.iter().map(RelPath::as_str).eq(files.keys().map(String::as_str)) {
            return None;
        }
        let cache_key = self.cache_key();
        let mut cache = self.store.stat_cache(&cache_key).ok()?;
        for (name, expected) in names.into_iter().zip(files.values()) {
            let path = self.output.join(name.as_str());
            let stamp = stamp_of(&path)?;
            let known = if self.trust_stat_cache { cache.lookup(&name, &stamp) } else { None };
            let found = match known {
                Some(digest) => digest,
                None => {
                    let (digest, _) = Hasher::of_reader(fs::File::open(&path).ok()?).ok()?;
                    if stamp_of(&path)? != stamp {
                        return None;
                    }
                    cache.record(name, stamp, digest);
                    digest
                }
            };
            if found != *expected {
                return None;
            }
        }
        self.store.save_stat_cache(&cache_key, &cache).ok()?;
        Some(summary)
    }

    /// Notes what was just published. Failing only means that the next build does the work again.
    pub(crate) fn note(&self, release: &ReleaseFiles, run_record: &[u8], summary: &Summary) {
        let digest = |content: &Content| match content {
            Content::Bytes(bytes) => Digest::of(bytes),
            Content::Blob(digest, _) => *digest,
        };
        let mut files: BTreeMap<String, Digest> =
            release.files.iter().map(|(name, content)| (name.clone(), digest(content))).collect();
        files.insert(RUN_RECORD.to_owned(), Digest::of(run_record));
        let cache_key = self.cache_key();
        if let Ok(mut cache) = self.store.stat_cache(&cache_key) {
            for (name, digest) in &files {
                if let (Ok(path), Some(stamp)) = (RelPath::new(name), stamp_of(&self.output.join(name))) {
                    cache.record(path, stamp, *digest);
                }
            }
            let _ = self.store.save_stat_cache(&cache_key, &cache);
        }
        let entry = Entry { files, summary: summary.clone() };
        let _ = self.store.put_action_result(&self.key, &json::canonical(&entry));
    }

    fn cache_key(&self) -> Digest {
        Digest::of(&[b"release v1\0", self.output.as_os_str().as_bytes()].concat())
    }
}

/// The stamp of a regular file.
fn stamp_of(path: &Path) -> Option<FileStamp> {
    let metadata = path.symlink_metadata().ok().filter(fs::Metadata::is_file)?;
    Some(FileStamp::of(&metadata))
}

/// Every file below a folder, sorted; nothing where there is anything but files and folders.
fn names_in(folder: &Path) -> Option<Vec<RelPath>> {
    let mut names = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below)).ok()? {
            let entry = entry.ok()?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type().ok()?;
            match () {
                () if kind.is_dir() => folders.push(path),
                () if kind.is_file() => names.push(RelPath::new(path.to_str()?).ok()?),
                () => return None,
            }
        }
    }
    names.sort_unstable();
    Some(names)
}

#[cfg(test)]
mod tests {
    use selfsame_oci::Descriptor;
    use tempfile::TempDir;

    use super::*;

    struct World {
        folder: TempDir,
        store: Store,
        release: ReleaseFiles,
    }

    const RECORD: &[u8] = b"record";

    fn world() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store")).expect("a store");
        let layer = store.put_bytes(b"layer", false).expect("a store");
        let files = BTreeMap::from([
            ("index.json".to_owned(), Content::Bytes(b"index".to_vec())),
            (format!("blobs/sha256/{}", layer.hex()), Content::Blob(layer, 5)),
        ]);
        let release = ReleaseFiles { files, reference: "a:1".to_owned(), image: Descriptor::empty() };
        let world = World { folder, store, release };
        fs::create_dir(world.output()).expect("a folder");
        world.release.write(&world.output(), &world.store).expect("a release");
        fs::write(world.output().join(RUN_RECORD), RECORD).expect("a record");
        world
    }

    impl World {
        fn output(&self) -> PathBuf {
            self.folder.path().join("a.release")
        }

        fn recalled(&self, trust_stat_cache: bool) -> bool {
            self.standing(&self.output(), b"key", trust_stat_cache).recall() == Some(summary())
        }

        fn standing<'a>(&'a self, output: &'a Path, key: &[u8], trust_stat_cache: bool) -> Standing<'a> {
            Standing { store: &self.store, output, key: Digest::of(key), trust_stat_cache }
        }

        fn note(&self) {
            self.standing(&self.output(), b"key", true).note(&self.release, RECORD, &summary());
        }
    }

    fn summary() -> Summary {
        let digest = Digest::of(b"");
        let level = "normalized".to_owned();
        Summary {
            image: digest,
            images: BTreeMap::new(),
            release_id: digest,
            level,
            checked: true,
            layer_bytes: 5,
            files: 1,
        }
    }

    #[test]
    fn a_release_as_it_was_published_stands() {
        let world = world();
        assert!(!world.recalled(true), "nothing was noted yet");
        world.note();
        assert!(world.recalled(true) && world.recalled(false));
        assert_eq!(world.standing(&world.output(), b"another", true).recall(), None);
        let elsewhere = world.folder.path().join("b.release");
        assert_eq!(world.standing(&elsewhere, b"key", true).recall(), None);
    }

    #[test]
    fn a_release_with_any_difference_does_not_stand() {
        type Harm = fn(&Path);
        let harms: [(&str, Harm); 5] = [
            ("other bytes of the same length", |path| fs::write(path.join("index.json"), "INDEX").expect("written")),
            ("a file more", |path| fs::write(path.join("blobs/sha256/00"), "").expect("written")),
            ("a file less", |path| fs::remove_file(path.join(RUN_RECORD)).expect("removed")),
            ("a link to the same bytes", |path| {
                fs::rename(path.join("index.json"), path.with_extension("moved")).expect("moved");
                std::os::unix::fs::symlink(path.with_extension("moved"), path.join("index.json")).expect("linked");
            }),
            ("gone", |path| fs::remove_dir_all(path).expect("removed")),
        ];
        for (name, harm) in harms {
            let world = world();
            world.note();
            harm(&world.output());
            assert!(!world.recalled(true) && !world.recalled(false), "{name}");
        }
    }
}
