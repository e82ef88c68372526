//! The few steps by which a log's folder changes, so that a test can stop before each of them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use selfsame_log::Tile;
use selfsame_log::tile::TILE_WIDTH;

use super::LogFolderError;
use crate::sys;

/// Where files are written before they have their names.
const SCRATCH: &str = ".tmp";

/// Changes one folder, in an order that survives a power cut.
pub(super) struct Disk<'a> {
    root: &'a Path,
    /// Folders whose entries changed and are not on the disk for sure.
    dirty: RefCell<BTreeSet<PathBuf>>,
    /// In tests: how many steps are left until the writer dies.
    pub(super) steps_left: Option<Cell<usize>>,
}

impl<'a> Disk<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self { root, dirty: RefCell::default(), steps_left: None }
    }

    /// Writes a file whole: beside its place, to the disk, then one rename.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), LogFolderError> {
        let (path, scratch) = (self.root.join(name), self.root.join(SCRATCH));
        let failed = |error| LogFolderError::io("write", &path, error);
        let parent = path.parent().unwrap_or(self.root);
        self.make(parent)?;
        self.make(&scratch)?;
        let beside = scratch.join("file");
        self.step().map_err(failed)?;
        // What a writer that died left there, or a link that somebody else did.
        sys::remove_all(&beside).map_err(failed)?;
        let mut file = File::create_new(&beside).map_err(failed)?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        file.write_all(first).map_err(failed)?;
        self.step().map_err(failed)?;
        file.write_all(second).and_then(|()| on_the_disk(|| file.sync_all())).map_err(failed)?;
        self.step().map_err(failed)?;
        fs::rename(&beside, &path).map_err(failed)?;
        self.dirty.borrow_mut().insert(parent.to_owned());
        Ok(())
    }

    /// Waits until every name that was made or changed is on the disk.
    pub(super) fn settle(&self) -> Result<(), LogFolderError> {
        self.step().map_err(|error| LogFolderError::io("write", self.root, error))?;
        for folder in std::mem::take(&mut *self.dirty.borrow_mut()) {
            let synced = sys::open_folder(&folder).and_then(|folder| on_the_disk(|| Ok(rustix::fs::fsync(folder)?)));
            synced.map_err(|error| LogFolderError::io("sync", &folder, error))?;
        }
        Ok(())
    }

    /// Removes what was being written when its writer died.
    pub(super) fn sweep(&self) -> Result<(), LogFolderError> {
        self.remove(&self.root.join(SCRATCH))
    }

    /// Removes the tiles below `row` that a log whose row has `count` hashes does not have.
    pub(super) fn remove_beyond(&self, row: &str, count: u64) -> Result<(), LogFolderError> {
        let mut index = count / TILE_WIDTH;
        let mut width = count % TILE_WIDTH;
        loop {
            let full = self.root.join(in_row(row, index));
            let partial = partial(&full);
            let widths = match fs::read_dir(&partial) {
                Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(error),
            };
            let widths = widths.map_err(|error| LogFolderError::io("read", &partial, error))?;
            if !full.exists() && widths.is_empty() {
                return Ok(());
            }
            self.remove(&full)?;
            for entry in widths {
                let beyond =
                    entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()).is_none_or(|it| it > width);
                if beyond {
                    self.remove(&entry.path())?;
                }
            }
            (index, width) = (index + 1, 0);
        }
    }

    /// Removes the partial tiles beside a full one.
    pub(super) fn remove_partial(&self, full: &str) -> Result<(), LogFolderError> {
        self.remove(&partial(&self.root.join(full)))
    }

    fn remove(&self, path: &Path) -> Result<(), LogFolderError> {
        self.step().and_then(|()| sys::remove_all(path)).map_err(|error| LogFolderError::io("remove", path, error))
    }

    /// Makes a folder and those above it, down from the root.
    fn make(&self, folder: &Path) -> Result<(), LogFolderError> {
        let failed = |error| LogFolderError::io("create", folder, error);
        let mut below: Vec<&Path> = folder.ancestors().take_while(|it| *it != self.root).collect();
        while let Some(folder) = below.pop() {
            match folder.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => continue,
                // A link would lead what is written out of the log.
                Ok(_) => return Err(failed(io::Error::other("something that is no folder is in its place"))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
            self.step().map_err(failed)?;
            fs::create_dir(folder).map_err(failed)?;
            self.dirty.borrow_mut().extend(folder.parent().map(Path::to_owned));
        }
        Ok(())
    }

    fn step(&self) -> io::Result<()> {
        let Some(left) = &self.steps_left else { return Ok(()) };
        match left.get().checked_sub(1) {
            Some(fewer) => {
                left.set(fewer);
                Ok(())
            }
            None => Err(io::Error::other("the writer died")),
        }
    }
}

/// Waits for the disk, but not in tests: no power is cut there, and they write thousands of files.
fn on_the_disk(sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    if cfg!(test) { Ok(()) } else { sync() }
}

/// The full tile of a row, by name.
fn in_row(row: &str, index: u64) -> String {
    let path = Tile { level: 0, index, width: 256 }.path();
    path.replacen("tile/0", row, 1)
}

/// `000.p` for `000`.
fn partial(full: &Path) -> PathBuf {
    let mut name = full.as_os_str().to_owned();
    name.push(".p");
    PathBuf::from(name)
}
