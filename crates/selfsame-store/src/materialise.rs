//! Trees as folders that a sandbox mounts: made once, checked at each use, never written to.
//!
//! `trees/<hex>/root` is the tree, `trees/<hex>/complete` its text form. Both arrive in one rename.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use selfsame_core::profile::INPUT_MTIME_SECS;
use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Entry, Kind, Tree};

use crate::layout::{self, FileItem, Folder, Item};
use crate::{Store, StoreError, parallel, sys};

/// The folder of a tree below `trees/<hex>`.
pub(crate) const ROOT: &str = "root";
/// The file beside it that says the tree is complete.
pub(crate) const COMPLETE: &str = "complete";

/// So many entries are worth a thread of their own when all that is done is `lstat`.
const STAT_BATCH: usize = 1024;

/// The time of every entry: inputs are old, and what a step changed is newer by its rank.
pub(crate) fn seconds_of(rank: u32) -> u64 {
    INPUT_MTIME_SECS + u64::from(rank)
}

impl Store {
    /// The folder that holds this tree, for reading only; made if it is not there or not as it was left.
    ///
    /// A file of mode 0644 or 0755 and rank 0 is a hard link to its blob, once a tree: a second path with the same
    /// content is a copy, since `cp` and `mv` refuse or skip two names of one file. Other modes and ranks are copies.
    /// Every blob is hashed before it is linked, unless this process wrote or hashed it. A folder that is there already
    /// is compared with the tree by kind, mode, size and time of each entry, and made anew where something differs.
    ///
    /// Owners and extended attributes are not set.
    pub fn materialise(&self, tree: &Tree) -> Result<PathBuf, StoreError> {
        let text = tree.to_string();
        let home = self.tree_home(&Digest::of(text.as_bytes()));
        let root = home.join(ROOT);
        if home.symlink_metadata().is_ok() {
            if marked(&home, text.len() as u64) && damage(tree, &root)?.is_none() {
                mark_used(&home);
                return Ok(root);
            }
            self.quarantine(&home)?;
        }
        let temporary = self.scratch().name()?;
        let new_root = temporary.path().join(ROOT);
        let failed = |error: io::Error| StoreError::io("create", &new_root, error);
        std::fs::DirBuilder::new().mode(0o755).recursive(true).create(&new_root).map_err(failed)?;
        self.verify_files(tree)?;
        let mut linked = BTreeSet::new();
        layout::lay_out(tree, &new_root, &seconds_of, &mut |file| self.link_or_copy(&file, &mut linked))?;
        let marker = temporary.path().join(COMPLETE);
        std::fs::write(&marker, &text).map_err(|error| StoreError::io("write", &marker, error))?;
        // Losing the race to another process is no loss: it made the same tree.
        sys::rename_new(temporary.path(), &home).map_err(|error| StoreError::io("create", &home, error))?;
        Ok(root)
    }

    /// `trees/<hex>`.
    pub(crate) fn tree_home(&self, digest: &Digest) -> PathBuf {
        self.root().join("trees").join(digest.hex())
    }

    /// Moves every tree that holds this content to `corrupt/`, so that its next user makes it anew. Whoever has one
    /// mounted keeps what was mounted.
    pub(crate) fn distrust_trees_with(&self, digest: &Digest) -> Result<(), StoreError> {
        let trees = self.root().join("trees");
        let wanted = digest.to_string();
        for entry in std::fs::read_dir(&trees).map_err(|error| StoreError::io("read", &trees, error))? {
            let home = entry.map_err(|error| StoreError::io("read", &trees, error))?.path();
            let names_it = std::fs::read_to_string(home.join(COMPLETE)).is_ok_and(|text| text.contains(&wanted));
            if names_it {
                self.quarantine(&home)?;
            }
        }
        Ok(())
    }

    /// Hashes on all cores what nobody in this process has hashed.
    pub(crate) fn verify_files(&self, tree: &Tree) -> Result<(), StoreError> {
        let mut files = BTreeSet::new();
        for (_, entry) in tree.iter() {
            if let Kind::File { digest, size } = entry.kind {
                files.insert((digest, size, self.source_twin(&digest, entry.mode)?));
            }
        }
        let files: Vec<_> = files.into_iter().collect();
        parallel::try_map(&files, |(digest, size, executable)| self.verify_once(digest, *size, *executable))?;
        Ok(())
    }

    /// Which of the two files of a blob an entry of this mode is made from.
    fn source_twin(&self, digest: &Digest, mode: u32) -> Result<bool, StoreError> {
        match mode {
            0o644 => Ok(false),
            0o755 => Ok(true),
            _ => Ok(self.file_size(digest, false)?.is_none()),
        }
    }

    fn link_or_copy(&self, file: &FileItem<'_>, linked: &mut BTreeSet<(Digest, bool)>) -> Result<(), StoreError> {
        let executable = self.source_twin(&file.digest, file.mode)?;
        let blob = self.blob_file(&file.digest, executable);
        let sharable = matches!(file.mode, 0o644 | 0o755) && file.rank == 0;
        if sharable && linked.insert((file.digest, executable)) {
            match std::fs::hard_link(&blob, file.target) {
                Ok(()) => return Ok(()),
                Err(error) if sys::cannot_be_linked(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(StoreError::Absent { digest: file.digest });
                }
                Err(error) => return Err(StoreError::io("create", file.target, error)),
            }
        }
        let source = sys::open_quietly(&blob).map_err(|error| StoreError::io("read", &blob, error))?;
        let failed = |error: io::Error| StoreError::io("write", file.target, error);
        let copy = sys::create_new(file.target).map_err(failed)?;
        if !sys::reflink(&source, &copy) {
            io::copy(&mut &source, &mut &copy).map_err(failed)?;
        }
        layout::finish_file(&copy, file.target, file.mode, seconds_of(file.rank))
    }
}

/// Notes that a tree was wanted now, for collectors that keep what was used lately; its marker's time says so. Not being
/// allowed to is no reason to refuse the tree.
fn mark_used(home: &Path) {
    if let Ok(marker) = sys::open_quietly(&home.join(COMPLETE)) {
        let _ = sys::touch(&marker);
    }
}

/// Whether the marker is there with the length that it was written with.
fn marked(home: &Path, length: u64) -> bool {
    home.join(COMPLETE).symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == length)
}

/// The first path at which the folder `root` is not the tree any more, going by what `lstat` says: content that
/// changed without its time is found by [`Store::check`] alone. An added name shows in its folder's time.
pub(crate) fn damage(tree: &Tree, root: &Path) -> Result<Option<RelPath>, StoreError> {
    let folder = match sys::open_place(root) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Some(RelPath::root()));
        }
        other => other.map_err(|error| StoreError::io("read", root, error))?,
    };
    let items: Vec<_> = layout::items(tree).into_iter().collect();
    let batches: Vec<_> = items.chunks(STAT_BATCH).collect();
    let found = parallel::try_map(&batches, |batch| {
        batch.iter().try_for_each(|(path, item)| match as_left(tree, &folder, path, item) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ok(path.clone())),
            Err(error) => Err(Err(StoreError::io("read", &layout::locate(root, path), error))),
        })
    });
    match found {
        Ok(_) => Ok(None),
        Err(Ok(path)) => Ok(Some(path)),
        Err(Err(error)) => Err(error),
    }
}

fn as_left(tree: &Tree, root: &OwnedFd, path: &RelPath, item: &Item<'_>) -> io::Result<bool> {
    let stat = match sys::stat_below(root, path.as_str()) {
        // A folder that was closed to its owner hides what is below; one that is missing misses all of it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(false);
        }
        other => other?,
    };
    let kind_found = FileType::from_raw_mode(stat.st_mode);
    let mode = stat.st_mode & 0o7777;
    let size_found = u64::try_from(stat.st_size).unwrap_or(0);
    let timed = |rank: u32| u64::try_from(stat.st_mtime) == Ok(seconds_of(rank));
    Ok(match item {
        Item::Folder(Folder { mode: wanted, rank }) => kind_found.is_dir() && mode == *wanted && timed(*rank),
        Item::Leaf(Entry { kind, mode: wanted, step_rank: rank, .. }) => match kind {
            Kind::File { size, .. } => kind_found.is_file() && size_found == *size && mode == *wanted && timed(*rank),
            Kind::Symlink { target } => kind_found.is_symlink() && size_found == target.len() as u64 && timed(*rank),
            Kind::HardLink { target } => {
                let size = tree.content(target.as_str()).map_or(0, |(_, size)| size);
                kind_found.is_file() && size_found == size
            }
            Kind::Directory => kind_found.is_dir(),
        },
    })
}

/// The bytes of a materialised file, by what is on the disk.
pub(crate) fn hash_file(path: &Path) -> io::Result<(Digest, u64)> {
    let file: File = sys::open_quietly(path)?;
    selfsame_core::Hasher::of_reader(file)
}
