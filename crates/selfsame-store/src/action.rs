//! Action results: small documents under the digest of the action that gave them.
//!
//! The store does not know what they say. `actions/<hex>` is a first line with the digest of the rest, then the rest,
//! so that half a file is never believed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use selfsame_core::Digest;

use crate::{Store, StoreError, sys};

/// The largest result that is stored or read.
pub(crate) const RESULT_BYTES: u64 = 64 << 20;

/// An action with a stored result, and when that was last asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionUse {
    /// The action.
    pub action: Digest,
    /// Seconds since 1970, by the clock that stamps files.
    pub last_used_secs: u64,
}

impl Store {
    /// Stores an action's result in place of an older one.
    pub fn put_action_result(&self, action: &Digest, result: &[u8]) -> Result<(), StoreError> {
        let size_bytes = result.len() as u64;
        if size_bytes > RESULT_BYTES {
            return Err(StoreError::TooLarge { digest: *action, size_bytes, limit_bytes: RESULT_BYTES });
        }
        let path = self.action_file(action);
        self.write_sealed(&path, result)
    }

    /// An action's result, if one is stored. A damaged one is moved away, and counts as none: it is only a cache.
    pub fn action_result(&self, action: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.action_file(action);
        let Some((result, file)) = self.read_sealed(&path, RESULT_BYTES)? else { return Ok(None) };
        // For collectors that keep what was used lately. Not being allowed to is no reason to refuse the result.
        let _ = sys::touch(&file);
        Ok(Some(result))
    }

    /// Forgets an action's result. None being there is no error.
    pub fn remove_action_result(&self, action: &Digest) -> Result<(), StoreError> {
        let path = self.action_file(action);
        sys::remove_all(&path).map_err(|error| StoreError::io("remove", &path, error))
    }

    /// All actions with a result, by digest.
    pub fn actions(&self) -> Result<Vec<ActionUse>, StoreError> {
        let folder = self.root().join("actions");
        let failed = |error: io::Error| StoreError::io("read", &folder, error);
        let mut uses = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Some(Ok(action)) = entry.file_name().to_str().map(Digest::from_hex) else { continue };
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            uses.push(ActionUse { action, last_used_secs: u64::try_from(metadata.mtime()).unwrap_or(0) });
        }
        uses.sort_unstable();
        Ok(uses)
    }

    fn action_file(&self, action: &Digest) -> PathBuf {
        self.root().join("actions").join(action.hex())
    }

    /// Writes a file with its digest in the first line, whole or not at all.
    pub(crate) fn write_sealed(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        let temporary = self.scratch().name()?;
        let failed = |error: io::Error| StoreError::io("write", temporary.path(), error);
        let mut file = sys::create_new(temporary.path()).map_err(failed)?;
        file.write_all(format!("{}\n", Digest::of(content)).as_bytes()).map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        drop(file);
        std::fs::rename(temporary.path(), path).map_err(|error| StoreError::io("create", path, error))
    }

    /// Reads such a file; nothing if it is missing. A damaged one is moved to `corrupt/`.
    pub(crate) fn read_sealed(&self, path: &Path, limit: u64) -> Result<Option<(Vec<u8>, File)>, StoreError> {
        let failed = |error: io::Error| StoreError::io("read", path, error);
        let file = match sys::open_quietly(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        (&file).take(limit + SEAL_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if !sealed(&bytes) {
            self.quarantine(path)?;
            return Ok(None);
        }
        bytes.drain(..SEAL_BYTES);
        Ok(Some((bytes, file)))
    }
}

/// `sha256:`, 64 digits, a newline.
const SEAL_BYTES: usize = 72;

/// Whether the first line is the digest of the rest.
pub(crate) fn sealed(bytes: &[u8]) -> bool {
    bytes.split_at_checked(SEAL_BYTES).is_some_and(|(seal, rest)| {
        seal.strip_suffix(b"\n")
            .and_then(|seal| std::str::from_utf8(seal).ok())
            .and_then(|seal| seal.parse::<Digest>().ok())
            .is_some_and(|digest| digest == Digest::of(rest))
    })
}
