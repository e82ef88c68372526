//! Looking at the files of a source: what they are, whether they are known, and reading those that are not.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use selfsame_core::{Digest, RelPath};
use selfsame_store::{FileStamp, StatCache, Store, StoreError};
use selfsame_tree::Entry;

use crate::link::stays_inside;
use crate::listing::Listed;
use crate::parallel;
use crate::secret::{self, SecretLike};
use crate::source_error::SourceError;

/// Files up to this size are read once, for their digest and for what looks like a secret.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// The root folder, open: files below it are looked at from there.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
    handle: OwnedFd,
}

impl Root {
    pub(crate) fn open(path: PathBuf) -> Result<Self, SourceError> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(handle) => Ok(Self { path, handle }),
            Err(error) => Err(SourceError::Io { operation: "open", path, source: error.into() }),
        }
    }

    pub(crate) fn into_path(self) -> PathBuf {
        self.path
    }

    fn locate(&self, path: &RelPath) -> PathBuf {
        self.path.join(path.as_str())
    }

    /// As [`FileStamp::of`] what `lstat` says.
    pub(crate) fn stamp(&self, path: &RelPath) -> io::Result<FileStamp> {
        let stat = rustix::fs::statat(&self.handle, path.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        let time = |seconds: i64, nanoseconds: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
        Ok(FileStamp {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: time(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            ctime_ns: time(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
            inode: stat.st_ino,
            device: stat.st_dev,
            mode: stat.st_mode,
        })
    }
}

/// What the disk says about a listed file.
enum Look {
    Absent,
    File { stamp: FileStamp, executable: bool },
    Link { target: String, stamp: FileStamp },
}

/// Files by what is known about them.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) links: Vec<(RelPath, Entry)>,
    /// Unchanged since they were stored, and still in the store.
    pub(crate) known: Vec<(FoundFile, Digest)>,
    /// To be read.
    pub(crate) unknown: Vec<FoundFile>,
    /// Everything, as it was seen.
    pub(crate) seen: Vec<(RelPath, FileStamp)>,
}

/// A regular file, as it was seen.
pub(crate) struct FoundFile {
    pub(crate) path: RelPath,
    pub(crate) stamp: FileStamp,
    pub(crate) executable: bool,
}

impl Found {
    /// Looks at listed files, and sorts them.
    pub(crate) fn add(
        &mut self,
        root: &Root,
        files: &[Listed],
        cache: &mut StatCache,
        trust_stat_cache: bool,
        store: &Store,
    ) -> Result<(), SourceError> {
        let looks = parallel::try_map(files, |file| look(root, file))?;
        let mut cached = Vec::new();
        for (file, look) in files.iter().zip(looks) {
            let path = file.path.clone();
            match look {
                Look::Absent => {}
                Look::Link { target, stamp } => {
                    self.seen.push((path.clone(), stamp));
                    self.links.push((path, Entry::symlink(target)));
                }
                Look::File { stamp, executable } => {
                    self.seen.push((path.clone(), stamp));
                    let digest = if trust_stat_cache { cache.lookup(&path, &stamp) } else { None };
                    let file = FoundFile { path, stamp, executable };
                    match digest {
                        Some(digest) => cached.push((file, digest)),
                        None => self.unknown.push(file),
                    }
                }
            }
        }
        // What the cache knows must also be in the store still: a collector may have been there.
        let there = |(file, digest): &(FoundFile, Digest)| Ok(store.blob_size(digest)? == Some(file.stamp.size));
        let there = parallel::try_map(&cached, there).map_err(|source| SourceError::Store { source })?;
        for ((file, digest), there) in cached.into_iter().zip(there) {
            if there {
                self.known.push((file, digest));
            } else {
                self.unknown.push(file);
            }
        }
        Ok(())
    }
}

fn look(root: &Root, file: &Listed) -> Result<Look, SourceError> {
    let failed = |source| SourceError::Io { operation: "read", path: root.locate(&file.path), source };
    let stamp = match root.stamp(&file.path) {
        Ok(stamp) => stamp,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            // Tracked and deleted. Anything else was there a moment ago.
            return if file.tracked { Ok(Look::Absent) } else { Err(SourceError::Changed { path: file.path.clone() }) };
        }
        Err(error) => return Err(failed(error)),
    };
    let special = |kind| Err(SourceError::Special { path: file.path.clone(), kind });
    match FileType::from_raw_mode(stamp.mode) {
        FileType::Symlink => {
            let on_disk = root.locate(&file.path);
            let target = std::fs::read_link(&on_disk).map_err(failed)?.into_os_string().into_string();
            let target = target.map_err(|_| SourceError::NotUtf8 { path: on_disk })?;
            link(&file.path, target).map(|target| Look::Link { target, stamp })
        }
        // The index is believed where the disk has no links, or no executable bits.
        FileType::RegularFile if file.index_mode == Some(0o120_000) => {
            let target = std::fs::read_to_string(root.locate(&file.path)).map_err(failed)?;
            link(&file.path, target).map(|target| Look::Link { target, stamp })
        }
        FileType::RegularFile => {
            let mode = file.index_mode.unwrap_or(stamp.mode);
            Ok(Look::File { stamp, executable: mode & 0o100 != 0 })
        }
        // A tracked file that became a folder is deleted; what is in the folder is listed by itself.
        FileType::Directory => Ok(Look::Absent),
        FileType::Fifo => special("FIFO"),
        FileType::Socket => special("socket"),
        _ => special("device"),
    }
}

/// A link's text, if it stays in the source.
fn link(path: &RelPath, target: String) -> Result<String, SourceError> {
    if stays_inside(path, &target) { Ok(target) } else { Err(SourceError::Link { path: path.clone(), target }) }
}

/// The files without those that git tracks below what is a link now: they are deleted, as git sees it.
pub(crate) fn without_linked_folders(root: &Root, files: Vec<Listed>) -> Result<Vec<Listed>, SourceError> {
    let mut folders: BTreeSet<RelPath> = BTreeSet::new();
    for file in &files {
        let mut above = file.path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root() && !folders.contains(folder)) {
            above = folder.parent();
            folders.insert(folder);
        }
    }
    let folders: Vec<RelPath> = folders.into_iter().collect();
    let is_link = |folder: &RelPath| {
        let stamp = root.stamp(folder);
        Ok::<_, SourceError>(stamp.is_ok_and(|stamp| FileType::from_raw_mode(stamp.mode) == FileType::Symlink))
    };
    let links = parallel::try_map(&folders, is_link)?;
    let links: Vec<RelPath> = folders.into_iter().zip(links).filter(|(_, link)| *link).map(|(path, _)| path).collect();
    if links.is_empty() {
        return Ok(files);
    }
    let deleted = |file: &Listed| links.iter().any(|link| file.path != *link && file.path.below(link).is_some());
    Ok(files.into_iter().filter(|file| !deleted(file)).collect())
}

/// Stores a file that is as its stamp says, before and after. Gives its digest, and what looks like a secret in it.
pub(crate) fn read(root: &Root, file: &FoundFile, store: &Store) -> Result<(Digest, Option<SecretLike>), SourceError> {
    let FoundFile { path, stamp, executable } = file;
    let on_disk = root.locate(path);
    let failed = |source| SourceError::Io { operation: "read", path: on_disk.clone(), source };
    let changed = || SourceError::Changed { path: path.clone() };
    let stored = |source| match source {
        StoreError::Changing { .. } | StoreError::NotRegular { .. } => changed(),
        source => SourceError::Store { source },
    };
    if stamp.size > IN_MEMORY_BYTES {
        let (digest, _) = store.put_file(&on_disk, *executable).map_err(stored)?;
        let after = on_disk.symlink_metadata().map_err(failed)?;
        let secret = look_for_secret(root, path, Some(&[]));
        return if FileStamp::of(&after) == *stamp { Ok((digest, secret)) } else { Err(changed()) };
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&root.handle, path.as_str(), flags, Mode::empty());
    let file = File::from(file.map_err(|error| failed(error.into()))?);
    let mut content = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0) + 1);
    (&file).take(stamp.size + 1).read_to_end(&mut content).map_err(failed)?;
    let after = FileStamp::of(&file.metadata().map_err(failed)?);
    if after != *stamp || content.len() as u64 != stamp.size {
        return Err(changed());
    }
    let digest = store.put_bytes(&content, *executable).map_err(stored)?;
    let searched = if content.len() as u64 > secret::SEARCHED_BYTES { &[][..] } else { &content };
    Ok((digest, look_for_secret(root, path, Some(searched))))
}

/// Looks at a name, and at the content: at all small files when they are read anyway, later only where the name says so.
pub(crate) fn look_for_secret(root: &Root, path: &RelPath, content: Option<&[u8]>) -> Option<SecretLike> {
    let by_content = || match content {
        Some(content) => secret::by_content(path, content),
        None if secret::worth_reading(path) => {
            let mut content = Vec::new();
            let file = File::open(root.locate(path)).ok()?;
            file.take(secret::SEARCHED_BYTES).read_to_end(&mut content).ok()?;
            secret::by_content(path, &content)
        }
        None => None,
    };
    let why = secret::by_name(path).or_else(by_content)?;
    Some(SecretLike { path: path.clone(), why })
}
