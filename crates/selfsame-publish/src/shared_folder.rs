//! The shared store as a folder, on a disk or a file system that several machines mount.
//!
//! Every file gets its name whole: it is written under another one in `tmp/`, synced and renamed. Two who write the same
//! write the same bytes, so no lock is held, and nothing is ever changed in place.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use selfsame_core::Digest;
use selfsame_store::Store;

use crate::pins::PINS_BYTES;
use crate::results::{KeptResult, RESULT_BYTES};
use crate::shared::SharedError;

/// The file that says what the folder is, and its text.
const MARKER: (&str, &str) = ("selfsame-shared-store", "1\n");
/// What may be in an empty folder all the same: file systems put it there.
const HARMLESS: &str = "lost+found";
/// Temporary files of the dead are removed when they are so much older than a new one.
const DEAD_SECS: i64 = 24 * 60 * 60;

/// A folder with `blobs/`, `pins/`, `results/` and `tmp/`.
#[derive(Debug)]
pub(crate) struct SharedFolder {
    root: PathBuf,
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SharedError {
    move |source| SharedError::Io { operation, path: path.to_owned(), source }
}

impl SharedFolder {
    pub(crate) fn open(root: &Path) -> Result<Self, SharedError> {
        let folder = Self { root: root.to_owned() };
        let marker = root.join(MARKER.0);
        match fs::read(&marker) {
            Ok(text) if text == MARKER.1.as_bytes() => return Ok(folder),
            Ok(text) => {
                let found = String::from_utf8_lossy(&text).chars().take(40).flat_map(char::escape_debug).collect();
                return Err(SharedError::Version { path: root.to_owned(), found });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io("read", &marker)(error)),
        }
        // Never made where it is not: a share that is not mounted would be shadowed by a folder.
        if !root.is_dir() {
            return Err(SharedError::NotThere { path: root.to_owned() });
        }
        for entry in fs::read_dir(root).map_err(io("read", root))? {
            let name = entry.map_err(io("read", root))?.file_name().to_string_lossy().into_owned();
            // Another one may make it a store at this moment.
            if ![HARMLESS, MARKER.0, "blobs", "pins", "results", "tmp"].contains(&name.as_str()) {
                return Err(SharedError::NotAStore { path: root.to_owned(), stranger: name });
            }
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.root
    }

    fn file(&self, kind: &str, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(kind).join("sha256").join(&hex[..2]).join(hex)
    }

    /// The size of a blob, if it is there.
    pub(crate) fn size(&self, digest: &Digest) -> Result<Option<u64>, SharedError> {
        let path = self.file("blobs", digest);
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read", &path)(error)),
        }
    }

    pub(crate) fn get(&self, digest: &Digest, size: Option<u64>, store: &Store) -> Result<Option<u64>, SharedError> {
        let Some(found) = self.size(digest)? else { return Ok(None) };
        let path = self.file("blobs", digest);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("read", &path)(error)),
        };
        let size = size.unwrap_or(found);
        store.put_expecting(&mut file, digest, size, false)?;
        Ok(Some(size))
    }

    pub(crate) fn put(&self, digest: &Digest, store: &Store) -> Result<bool, SharedError> {
        let size = store.blob_size(digest)?.ok_or(selfsame_store::StoreError::Absent { digest: *digest })?;
        // One of another size is damaged, and replaced.
        if self.size(digest)? == Some(size) {
            return Ok(false);
        }
        let mut blob = store.open_blob(digest)?;
        self.write(&self.file("blobs", digest), &mut blob)?;
        Ok(true)
    }

    pub(crate) fn result(&self, action: &Digest) -> Result<Option<Vec<u8>>, SharedError> {
        self.document("results", action, RESULT_BYTES)
    }

    pub(crate) fn pins(&self, key: &Digest) -> Result<Option<Vec<u8>>, SharedError> {
        self.document("pins", key, PINS_BYTES)
    }

    pub(crate) fn put_pins(&self, key: &Digest, mut bytes: &[u8]) -> Result<(), SharedError> {
        self.write(&self.file("pins", key), &mut bytes)
    }

    fn document(&self, kind: &str, key: &Digest, limit_bytes: u64) -> Result<Option<Vec<u8>>, SharedError> {
        let path = self.file(kind, key);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("read", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(io("read", &path))?;
        Ok((bytes.len() as u64 <= limit_bytes).then_some(bytes))
    }

    pub(crate) fn put_result(&self, action: &Digest, result: &KeptResult, store: &Store) -> Result<bool, SharedError> {
        let bytes = result.to_bytes();
        if self.result(action)?.as_deref() == Some(&bytes) {
            return Ok(false);
        }
        let mut blobs: Vec<Digest> = result.tree(store)?.contents().into_keys().collect();
        blobs.push(result.output);
        crate::parallel::each(&blobs, |digest| self.put(digest, store))?;
        // Last: whoever finds it finds what it names.
        self.write(&self.file("results", action), &mut bytes.as_slice())?;
        Ok(true)
    }

    /// Writes a file that is there whole or not at all.
    fn write(&self, path: &Path, content: &mut dyn Read) -> Result<(), SharedError> {
        let tmp = self.root.join("tmp");
        let parent = path.parent().unwrap_or(&self.root);
        for folder in [&tmp, parent] {
            fs::create_dir_all(folder).map_err(io("create", folder))?;
        }
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&tmp)
            .map_err(io("create a file in", &tmp))?;
        self.sweep(&tmp, &file);
        io::copy(content, file.as_file_mut()).map_err(io("write", path))?;
        file.as_file().sync_all().map_err(io("write", path))?;
        file.persist(path).map_err(|error| io("write", path)(error.error))?;
        self.mark()
    }

    /// Says what the folder is, once something is in it.
    fn mark(&self) -> Result<(), SharedError> {
        let path = self.root.join(MARKER.0);
        if path.exists() {
            return Ok(());
        }
        let tmp = self.root.join("tmp");
        let mut file = tempfile::NamedTempFile::new_in(&tmp).map_err(io("create a file in", &tmp))?;
        file.write_all(MARKER.1.as_bytes()).map_err(io("write", &path))?;
        let open = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(open).map_err(io("write", &path))?;
        file.persist(&path).map_err(|error| io("write", &path)(error.error))?;
        Ok(())
    }

    /// Removes what the dead left, by the clock of the file system. Not being able to is no reason to write nothing.
    fn sweep(&self, tmp: &Path, new: &tempfile::NamedTempFile) {
        let Ok(now) = new.as_file().metadata().map(|metadata| metadata.mtime()) else { return };
        for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
            let old = entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mtime() < now - DEAD_SECS);
            if old {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
