//! A place beside a destination where something is prepared that shall appear there whole.
//!
//! `.NAME.selfsame-XXXXXXXXXXXX/` holds `staging`, a file with the destination's name, and what is being prepared, under
//! `content`. The process that made it holds a lock on it, so that the next one can tell a leftover from work in
//! progress, on any host that shares the folder and in any pid namespace.

use std::ffi::{OsStr, OsString};
use std::io;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::publish::{self, PublishError, Published, Replace};
use crate::{scratch, sys};

const INFIX: &[u8] = b".selfsame-";
const RANDOM_CHARS: usize = 12;
/// So that the whole name stays below 255 bytes.
const NAME_BYTES: usize = 200;
const MARKER: &str = "staging";
const MARKER_LINE: &[u8] = b"selfsame staging v1 for ";
const CONTENT: &str = "content";
/// Where a replaced destination waits for its deletion if the file system cannot exchange two names.
const OLD: &str = "old";

/// Something that is being prepared for a destination. Dropped without [`Staging::publish`], it leaves nothing.
#[derive(Debug)]
pub struct Staging {
    dest: PathBuf,
    home: PathBuf,
    _lock: OwnedFd,
}

impl Staging {
    /// A new place beside `dest`, whose folder must exist. Leftovers of dead processes for the same destination are
    /// removed first.
    pub fn beside(dest: &Path) -> Result<Self, PublishError> {
        let absolute = std::path::absolute(dest).map_err(|error| PublishError::io("find", dest, error))?;
        let (Some(Component::Normal(name)), Some(parent)) = (absolute.components().next_back(), absolute.parent())
        else {
            return Err(PublishError::NoName { path: dest.to_owned() });
        };
        match std::fs::metadata(parent) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(PublishError::io("read", parent, error));
            }
            _ => return Err(PublishError::NoParent { path: absolute.clone(), parent: parent.to_owned() }),
        }
        sweep(parent, name)?;
        let failed = |error: io::Error| PublishError::io("create a folder in", parent, error);
        loop {
            let home = tempfile::Builder::new()
                .prefix(&prefix(name))
                .rand_bytes(RANDOM_CHARS)
                .tempdir_in(parent)
                .map_err(failed)?
                .keep();
            let staging = match scratch::lock_folder(&home).map_err(failed)? {
                Some(lock) => Self { dest: absolute.clone(), home, _lock: lock },
                None => continue,
            };
            let marker = staging.home.join(MARKER);
            let mut line = MARKER_LINE.to_vec();
            line.extend_from_slice(name.as_bytes());
            std::fs::write(&marker, line).map_err(|error| PublishError::io("write", &marker, error))?;
            return Ok(staging);
        }
    }

    /// Where it will be, absolute.
    #[must_use]
    pub fn dest(&self) -> &Path {
        &self.dest
    }

    /// Where it is prepared. Nothing is there yet: the caller makes one file or one folder of this name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.home.join(CONTENT)
    }

    /// Makes a folder at [`Staging::path`] with the mode that the umask gives, and says its path.
    pub fn create_dir(&self) -> Result<PathBuf, PublishError> {
        let path = self.path();
        std::fs::create_dir(&path).map_err(|error| PublishError::io("create", &path, error))?;
        Ok(path)
    }

    /// Makes a file at [`Staging::path`] with `bytes` in it, for destinations that fit in memory.
    pub fn write(&self, bytes: &[u8]) -> Result<(), PublishError> {
        let path = self.path();
        let mut file = std::fs::File::create_new(&path).map_err(|error| PublishError::io("create", &path, error))?;
        file.write_all(bytes).map_err(|error| PublishError::io("write", &path, error))
    }

    /// Puts it at its destination, whole: to the disk first, then one rename. See [`Replace`] for what may be there.
    pub fn publish(self, replace: Replace<'_>) -> Result<Published, PublishError> {
        publish::publish(self, replace)
    }

    /// Where a replaced destination is moved to if names cannot be exchanged.
    pub(crate) fn old(&self) -> PathBuf {
        self.home.join(OLD)
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next publication to this place.
        let _ = discard(&self.home, &self.dest);
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut bytes = vec![b'.'];
    bytes.extend_from_slice(&name.as_bytes()[..name.len().min(NAME_BYTES)]);
    bytes.extend_from_slice(INFIX);
    OsString::from_vec(bytes)
}

/// Whether a path is a staging folder, of a living process or a dead one, by its name and its marker. What binds a source
/// folder leaves these out: a release that is being prepared there is no part of the source.
#[must_use]
pub fn is_staging(path: &Path) -> bool {
    let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    let Some((named, random)) = name.split_last_chunk::<RANDOM_CHARS>() else { return false };
    named.starts_with(b".")
        && named.ends_with(INFIX)
        && random.iter().all(u8::is_ascii_alphanumeric)
        && std::fs::read(path.join(MARKER)).is_ok_and(|text| text.starts_with(MARKER_LINE))
}

/// Removes what dead processes left for this destination. A folder is ours if its name has the shape, its marker says
/// this destination, and its lock is free; an empty one with the name is what remains of one that died at its birth.
fn sweep(parent: &Path, name: &OsStr) -> Result<(), PublishError> {
    let prefix = prefix(name);
    for entry in std::fs::read_dir(parent).map_err(|error| PublishError::io("read", parent, error))? {
        let entry = entry.map_err(|error| PublishError::io("read", parent, error))?;
        let found = entry.file_name();
        let ours = found
            .as_bytes()
            .strip_prefix(prefix.as_bytes())
            .is_some_and(|random| random.len() == RANDOM_CHARS && random.iter().all(u8::is_ascii_alphanumeric));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let home = entry.path();
        let Ok(Some(_lock)) = scratch::lock_folder(&home) else { continue };
        let mut line = MARKER_LINE.to_vec();
        line.extend_from_slice(name.as_bytes());
        match std::fs::read(home.join(MARKER)) {
            Ok(text) if text == line => {
                // A leftover does no harm to this publication; one that cannot be removed is tried again next time.
                let _ = discard(&home, &parent.join(name));
            }
            // Died before the marker was whole, or somebody else's: goes only if nothing of worth is in it.
            Ok(text) if line.starts_with(&text) && !home.join(CONTENT).exists() && !home.join(OLD).exists() => {
                let _ = std::fs::remove_file(home.join(MARKER));
                let _ = std::fs::remove_dir(&home);
            }
            _ => {
                let _ = std::fs::remove_dir(&home);
            }
        }
    }
    Ok(())
}

/// Removes a staging place, after putting back a destination that was moved into it and never replaced.
fn discard(home: &Path, dest: &Path) -> io::Result<()> {
    let old = home.join(OLD);
    if old.symlink_metadata().is_ok() && !sys::rename_new(&old, dest)? {
        sys::remove_all(&old)?;
    }
    // The marker goes last, so that a removal cut short is still known as ours.
    sys::remove_all(&home.join(CONTENT))?;
    sys::remove_all(&home.join(MARKER))?;
    sys::remove_all(home)
}
