//! The files of a release or an image, in a folder or in a tar: listed, never unpacked, no link followed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use selfsame_verify::ReleaseFiles;

use crate::report::{Answer, Exit, Report};

/// The most files that are listed.
const NAMES: usize = 1_000_000;

/// Opens a release: a folder, or a tar of one.
pub(crate) fn open(path: &Path) -> Answer<Box<dyn ReleaseFiles>> {
    let cannot = |error: io::Error| {
        let report = Report::new(Exit::Unanswered, format!("cannot read `{}`: {error}", path.display()));
        Box::new(if error.kind() == io::ErrorKind::NotFound {
            report.hint("a release is the folder or tar that `selfsame build` wrote")
        } else {
            report
        })
    };
    let metadata = std::fs::metadata(path).map_err(cannot)?;
    if metadata.is_dir() {
        return Ok(Box::new(Folder::open(path).map_err(cannot)?));
    }
    Ok(Box::new(Archive::open(path).map_err(cannot)?))
}

/// A folder.
pub(crate) struct Folder {
    root: PathBuf,
    handle: std::os::fd::OwnedFd,
}

impl Folder {
    fn open(root: &Path) -> io::Result<Self> {
        let handle = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root: root.to_owned(), handle })
    }

    fn file(&self, name: &str) -> io::Result<Option<File>> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // NONBLOCK, so that a FIFO in place of a file is found out instead of waited for.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::openat2(&self.handle, name, flags, Mode::empty(), resolve) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{name}` is not a regular file")));
        }
        Ok(Some(file))
    }
}

impl ReleaseFiles for Folder {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.file(name)? else { return Ok(None) };
        if file.metadata()?.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        read_bounded(file, limit).map(Some)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(self.file(name)?.map(|file| Box::new(file) as Box<dyn Read + Send>))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut pending = vec![(self.root.clone(), String::new())];
        while let Some((folder, prefix)) = pending.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    pending.push((entry.path(), format!("{name}/")));
                } else {
                    names.push(name);
                }
                if names.len() + pending.len() > NAMES {
                    return Err(io::Error::other(format!("more than {NAMES} files")));
                }
            }
        }
        names.sort();
        Ok(names)
    }
}

/// A tar, compressed by nothing: its members by name, read in place.
pub(crate) struct Archive {
    file: File,
    /// Where each member's content begins, and its length; nothing for what is not a regular file or stands twice.
    members: BTreeMap<String, Option<(u64, u64)>>,
}

impl Archive {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a folder nor a regular file"));
        }
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(0))?;
        let mut members: BTreeMap<String, Option<(u64, u64)>> = BTreeMap::new();
        let mut archive = tar::Archive::new(&file);
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let kind = entry.header().entry_type();
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            let place = (entry.raw_file_position(), entry.size());
            let inside = place.0.checked_add(place.1).is_some_and(|end| end <= length);
            let place = (kind.is_file() && inside).then_some(place);
            members.entry(name).and_modify(|known| *known = None).or_insert(place);
            if members.len() > NAMES {
                return Err(io::Error::other(format!("more than {NAMES} members")));
            }
        }
        if members.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a tar, or one with nothing in it"));
        }
        Ok(Self { file, members })
    }

    fn member(&self, name: &str) -> io::Result<Option<Member<'_>>> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Some((offset, left))) => Ok(Some(Member { file: &self.file, offset: *offset, left: *left })),
            Some(None) => {
                let fault = format!("`{name}` is not a regular file, or stands twice in the tar");
                Err(io::Error::new(io::ErrorKind::InvalidData, fault))
            }
        }
    }
}

impl ReleaseFiles for Archive {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match self.member(name)? {
            None => Ok(None),
            Some(member) if member.left > limit => Err(io::ErrorKind::FileTooLarge.into()),
            Some(member) => read_bounded(member, limit).map(Some),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(self.member(name)?.map(|member| Box::new(member) as Box<dyn Read + Send>))
    }

    /// Docker's own `manifest.json` is no part of a release; archives have it for `docker load`.
    fn names(&self) -> io::Result<Vec<String>> {
        let is_docker = |name: &&String| name.as_str() == selfsame_oci::layout::DOCKER_FILE;
        Ok(self.members.keys().filter(|name| !is_docker(name)).cloned().collect())
    }
}

/// A part of a file, read at its own position: several threads may read one archive.
struct Member<'a> {
    file: &'a File,
    offset: u64,
    left: u64,
}

impl Read for Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

fn read_bounded(reader: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
