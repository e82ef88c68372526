//! The store: its folders, its version, and the lock that keeps collectors away from users.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;
use selfsame_core::Digest;

use crate::scratch::{self, Scratch};
use crate::{StoreError, sys};

/// The `version` file. Another text is refused by name.
pub(crate) const VERSION: &str = "selfsame store v1\n";

/// Everything that stands in the root of a store.
pub(crate) const FOLDERS: [&str; 6] = ["actions", "blobs", "corrupt", "stat", "tmp", "trees"];
const LOCK: &str = "lock";
const VERSION_FILE: &str = "version";

/// A store on disk, open for use. Threads share it by reference; processes share the folder.
///
/// While it is open it holds a shared lock, so no other process collects garbage. Nobody but the invoking user can look
/// into its folders, which have mode 0700: trees hold files as their definitions want them, setuid ones too.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    scratch: Scratch,
    lock: File,
    /// Blob files that this process wrote or hashed: digest and whether it is the executable twin.
    trusted: Mutex<BTreeSet<(Digest, bool)>>,
}

impl Store {
    /// Opens the store at `root`; makes one if nothing or an empty folder is there. Removes what dead processes left.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let root = std::path::absolute(root).map_err(|error| StoreError::io("find", root, error))?;
        prepare(&root)?;
        let lock_path = root.join(LOCK);
        let lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|error| StoreError::io("open", &lock_path, error))?;
        rustix::fs::flock(&lock, FlockOperation::LockShared)
            .map_err(|error| StoreError::io("lock", &lock_path, error))?;
        let tmp = root.join("tmp");
        scratch::sweep(&tmp)?;
        Ok(Self { scratch: Scratch::new(tmp), lock, trusted: Mutex::default(), root })
    }

    /// The root folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until everything written so far, by anyone to this file system, is on the disk. That may take as long as
    /// everything else together.
    ///
    /// Blobs are not synced one by one: a crash may leave one short or empty, which every reader notices by its size
    /// and digest. So this is for whoever hands the folder itself on, as a snapshot for one. What is published out of
    /// the store needs no such wait: [`crate::Staging::publish`] syncs just that.
    pub fn sync(&self) -> Result<(), StoreError> {
        let folder = sys::open_folder(&self.root).map_err(|error| StoreError::io("open", &self.root, error))?;
        rustix::fs::syncfs(folder).map_err(|error| StoreError::io("sync", &self.root, error))
    }

    /// An empty folder of this process's own on the store's disk. It goes with the process, also when that is killed: the
    /// next one that opens the store removes it.
    pub fn scratch_folder(&self) -> Result<PathBuf, StoreError> {
        self.scratch.folder()
    }

    /// `blobs/sha256/ab/<hex>`, or its executable twin with `.x` behind it.
    pub(crate) fn blob_file(&self, digest: &Digest, executable: bool) -> PathBuf {
        let hex = digest.hex();
        let name = if executable { format!("{hex}.x") } else { hex.clone() };
        self.root.join("blobs/sha256").join(&hex[..2]).join(name)
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub(crate) fn lock(&self) -> &File {
        &self.lock
    }

    pub(crate) fn trusted(&self) -> MutexGuard<'_, BTreeSet<(Digest, bool)>> {
        // The set is whole after every insertion, so a thread that panicked elsewhere leaves it usable.
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves something damaged out of the way, into `corrupt/`, where `gc` finds it. Being gone already is no error.
    pub(crate) fn quarantine(&self, path: &Path) -> Result<(), StoreError> {
        let Some(name) = path.file_name() else { return Ok(()) };
        for number in 0_u32.. {
            let mut target = name.to_owned();
            target.push(format!(".{number}"));
            match sys::rename_new(path, &self.root.join("corrupt").join(target)) {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(StoreError::io("move", path, error)),
            }
        }
        Ok(())
    }
}

/// Makes what is missing of the layout; refuses what is no store or not ours to read.
fn prepare(root: &Path) -> Result<(), StoreError> {
    let make = |path: &Path, mode: u32| match std::fs::DirBuilder::new().mode(mode).recursive(true).create(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {
            Err(StoreError::NotAFolder { path: path.to_owned() })
        }
        other => other.map_err(|error| StoreError::io("create", path, error)),
    };
    make(root, 0o777)?;
    let version_path = root.join(VERSION_FILE);
    match File::open(&version_path) {
        Ok(file) => {
            let mut text = Vec::new();
            file.take(256).read_to_end(&mut text).map_err(|error| StoreError::io("read", &version_path, error))?;
            if text != VERSION.as_bytes() {
                let found: String = String::from_utf8_lossy(&text).trim_end().escape_debug().take(80).collect();
                return Err(StoreError::Version { path: root.to_owned(), found, known: VERSION.trim_ascii_end() });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => refuse_strangers(root)?,
        Err(error) => return Err(StoreError::io("read", &version_path, error)),
    }
    for folder in FOLDERS {
        make(&root.join(folder), 0o700)?;
    }
    make(&root.join("blobs/sha256"), 0o700)?;
    if !version_path.exists() {
        let mut file = tempfile::Builder::new()
            .prefix("version-")
            .tempfile_in(root.join("tmp"))
            .map_err(|error| StoreError::io("create", &version_path, error))?;
        file.write_all(VERSION.as_bytes()).map_err(|error| StoreError::io("write", &version_path, error))?;
        // Another process that makes the same store now writes the same text.
        file.persist(&version_path).map_err(|error| StoreError::io("create", &version_path, error.error))?;
    }
    Ok(())
}

/// Another process may be half-way through making this very store, so our own folders are no strangers.
fn refuse_strangers(root: &Path) -> Result<(), StoreError> {
    let entries = std::fs::read_dir(root).map_err(|error| StoreError::io("read", root, error))?;
    for entry in entries {
        let name = entry.map_err(|error| StoreError::io("read", root, error))?.file_name();
        let ours = name.to_str().is_some_and(|name| FOLDERS.contains(&name) || [LOCK, VERSION_FILE].contains(&name));
        if !ours {
            let stranger = name.to_string_lossy().into_owned();
            return Err(StoreError::NotAStore { path: root.to_owned(), stranger });
        }
    }
    Ok(())
}
