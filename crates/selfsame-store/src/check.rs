//! Reading everything again.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use selfsame_core::{Digest, RelPath};
use selfsame_tree::Kind;

use crate::materialise::{COMPLETE, ROOT, damage, hash_file};
use crate::store::FOLDERS;
use crate::{Store, StoreError, action, layout, parallel, tree};

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Blobs, trees and records looked at.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// Bytes hashed so far.
    pub bytes: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Blob files read.
    pub blobs: u64,
    /// Materialised trees compared.
    pub trees: u64,
    /// Action results and stamp caches read.
    pub records: u64,
    /// Bytes hashed.
    pub bytes: u64,
    /// Blobs whose bytes are not what their name says. They were moved to `corrupt/` with the trees that held
    /// them, and can be had anew.
    pub corrupt: BTreeSet<Digest>,
    /// Materialised trees that are not as they were left, and the first path that shows it. They were moved to
    /// `corrupt/`; the next use makes them anew.
    pub damaged_trees: Vec<(Digest, RelPath)>,
    /// Records that were half a file. They were moved to `corrupt/`.
    pub damaged_records: Vec<PathBuf>,
    /// Files and folders that are no part of the layout. They were left alone.
    pub unknown: Vec<PathBuf>,
}

impl CheckReport {
    /// Whether everything is as it should be. Strangers do no harm, but show that somebody else writes here.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.corrupt.is_empty()
            && self.damaged_trees.is_empty()
            && self.damaged_records.is_empty()
            && self.unknown.is_empty()
    }
}

enum Subject {
    Blob(Digest, bool),
    Tree(Digest),
    Record(PathBuf),
}

enum Finding {
    Blob(Option<Digest>, u64),
    Tree(Option<(Digest, RelPath)>, u64),
    Record(Option<PathBuf>, u64),
}

impl Store {
    /// Hashes every blob and every file of every materialised tree, on all cores. `progress` is called in this thread.
    pub fn check(&self, progress: &mut dyn FnMut(Progress)) -> Result<CheckReport, StoreError> {
        let mut report = CheckReport::default();
        let subjects = self.subjects(&mut report.unknown)?;
        let total = subjects.len() as u64;
        let (sender, receiver) = mpsc::channel();
        let result = std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                parallel::try_map(&subjects, |subject| {
                    let finding = self.examine(subject)?;
                    // Nobody listens any more only after this function has ended.
                    let _ = sender.send(finding);
                    Ok::<(), StoreError>(())
                })
            });
            for (done, finding) in (1..).zip(receiver) {
                report.add(finding);
                progress(Progress { done, total, bytes: report.bytes });
            }
            worker.join()
        });
        match result {
            Ok(outcome) => outcome?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        report.damaged_trees.sort();
        report.damaged_records.sort();
        report.unknown.sort();
        Ok(report)
    }

    fn examine(&self, subject: &Subject) -> Result<Finding, StoreError> {
        match subject {
            Subject::Blob(digest, executable) => match self.open_twin(digest, *executable)? {
                // Another process took it away as damaged.
                None => Ok(Finding::Blob(None, 0)),
                Some(reader) => match reader.verify() {
                    Ok(bytes) => Ok(Finding::Blob(None, bytes)),
                    Err(StoreError::Corrupt { size_bytes, .. }) => Ok(Finding::Blob(Some(*digest), size_bytes)),
                    Err(error) => Err(error),
                },
            },
            Subject::Tree(digest) => self.examine_tree(digest),
            Subject::Record(path) => {
                let bytes = match std::fs::read(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Finding::Record(None, 0)),
                    other => other.map_err(|error| StoreError::io("read", path, error))?,
                };
                if action::sealed(&bytes) {
                    return Ok(Finding::Record(None, bytes.len() as u64));
                }
                self.quarantine(path)?;
                Ok(Finding::Record(Some(path.clone()), bytes.len() as u64))
            }
        }
    }

    fn examine_tree(&self, digest: &Digest) -> Result<Finding, StoreError> {
        let home = self.tree_home(digest);
        let distrust = |path: RelPath, bytes: u64| {
            self.quarantine(&home)?;
            Ok(Finding::Tree(Some((*digest, path)), bytes))
        };
        let Ok(text) = std::fs::read(home.join(COMPLETE)) else { return distrust(RelPath::root(), 0) };
        if Digest::of(&text) != *digest {
            return distrust(RelPath::root(), 0);
        }
        let Ok(tree) = tree::parse(&text) else { return distrust(RelPath::root(), 0) };
        let root = home.join(ROOT);
        if let Some(path) = damage(&tree, &root)? {
            return distrust(path, 0);
        }
        let mut bytes = 0;
        for (path, entry) in tree.iter() {
            let target = layout::locate(&root, path);
            let as_left = match &entry.kind {
                // The blob's own file, which is hashed as such.
                Kind::File { digest, .. } if self.is_blob_file(&target, digest) => true,
                Kind::File { digest, size } => match hash_file(&target) {
                    Ok(found) => {
                        bytes += found.1;
                        found == (*digest, *size)
                    }
                    // A file that its own mode closes to its owner.
                    Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
                },
                Kind::Symlink { target: text } => {
                    std::fs::read_link(&target).map_or_else(closed, |found| found.as_os_str() == text.as_str())
                }
                Kind::Directory | Kind::HardLink { .. } => true,
            };
            if !as_left {
                return distrust(path.clone(), bytes);
            }
        }
        Ok(Finding::Tree(None, bytes))
    }

    /// Whether a path is another name of one of a blob's files.
    fn is_blob_file(&self, path: &Path, digest: &Digest) -> bool {
        let identity = |path: &Path| path.symlink_metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
        let here = identity(path);
        here.is_some() && [false, true].iter().any(|&executable| identity(&self.blob_file(digest, executable)) == here)
    }

    /// Everything that can be examined; what has no place in the layout goes to `unknown`.
    fn subjects(&self, unknown: &mut Vec<PathBuf>) -> Result<Vec<Subject>, StoreError> {
        let root = self.root();
        let mut subjects = Vec::new();
        for (name, path) in names(root)? {
            if !FOLDERS.contains(&name.as_str()) && name != "lock" && name != "version" {
                unknown.push(path);
            }
        }
        for (name, path) in names(&root.join("blobs"))? {
            if name != "sha256" {
                unknown.push(path);
            }
        }
        for (prefix, folder) in names(&root.join("blobs/sha256"))? {
            if prefix.len() != 2 || !folder.is_dir() {
                unknown.push(folder);
                continue;
            }
            for (name, path) in names(&folder)? {
                let (hex, executable) = name.strip_suffix(".x").map_or((name.as_str(), false), |hex| (hex, true));
                match Digest::from_hex(hex) {
                    Ok(digest) if hex.starts_with(&prefix) => subjects.push(Subject::Blob(digest, executable)),
                    _ => unknown.push(path),
                }
            }
        }
        for (name, path) in names(&root.join("trees"))? {
            match Digest::from_hex(&name) {
                Ok(digest) => subjects.push(Subject::Tree(digest)),
                Err(_) => unknown.push(path),
            }
        }
        for folder in ["actions", "stat"] {
            for (name, path) in names(&root.join(folder))? {
                match Digest::from_hex(&name) {
                    Ok(_) => subjects.push(Subject::Record(path)),
                    Err(_) => unknown.push(path),
                }
            }
        }
        Ok(subjects)
    }
}

impl CheckReport {
    fn add(&mut self, finding: Finding) {
        match finding {
            Finding::Blob(corrupt, bytes) => {
                self.blobs += 1;
                self.bytes += bytes;
                self.corrupt.extend(corrupt);
            }
            Finding::Tree(damaged, bytes) => {
                self.trees += 1;
                self.bytes += bytes;
                self.damaged_trees.extend(damaged);
            }
            Finding::Record(damaged, bytes) => {
                self.records += 1;
                self.bytes += bytes;
                self.damaged_records.extend(damaged);
            }
        }
    }
}

fn closed(error: io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The names in a folder, sorted. One that is not UTF-8 is nobody's digest, so its lossy form does.
fn names(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let failed = |error: io::Error| StoreError::io("read", folder, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    names.sort();
    Ok(names)
}
