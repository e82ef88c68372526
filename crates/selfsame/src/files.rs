//! The files of a release or an image, in a folder or in a tar: listed, never unpacked, no link followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use selfsame_verify::ReleaseFiles;

use crate::report::{Answer, Exit, Report};

/// The most files that are listed.
const NAMES: usize = 1_000_000;
/// A tar consists of these.
const BLOCK: u64 = 512;
/// The longest pax header that is read.
const PAX_BYTES: u64 = 64 << 10;
/// Up to so many bytes room is made for a file before it is read, by what it says of itself.
const BELIEVED_BYTES: u64 = 16 << 20;
/// The most zeros that are passed over behind the end of a tar: `tar --blocking-factor` writes records of that size.
const FILL_BYTES: u64 = 1 << 20;

/// Opens a release: a folder, a tar of one, or one in a capsule.
pub(crate) fn open(path: &Path) -> Answer<Box<dyn ReleaseFiles>> {
    crate::capsule_file::open_release(path)
}

/// Opens a folder or a tar, whatever it holds.
pub(crate) fn open_layout(path: &Path) -> Answer<Box<crate::capsule_file::AnyFiles>> {
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
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
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
        let size = file.metadata()?.len();
        if size > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        read_sized(file, size, limit).map(Some)
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
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a folder nor a regular file"));
        }
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(0))?;
        let mut members: BTreeMap<String, Option<(u64, u64)>> = BTreeMap::new();
        let mut folders = BTreeSet::new();
        let mut end = 0;
        let mut archive = tar::Archive::new(&file);
        // Raw: what extension headers make of the next member is a matter of the reader, so none that could is let in.
        for entry in archive.entries_with_seek()?.raw(true) {
            let mut entry = entry?;
            let place = (entry.raw_file_position(), entry.size());
            end = place.0.saturating_add(place.1.div_ceil(BLOCK).saturating_mul(BLOCK));
            let header = entry.header();
            let kind = header.entry_type();
            if header.as_ustar().is_none() && header.as_gnu().is_none() {
                return Err(ambiguous("a member without a ustar or GNU header"));
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            if kind.is_dir() {
                folders.insert(name.trim_end_matches('/').to_owned());
                continue;
            }
            if kind.is_pax_local_extensions() {
                harmless(&mut entry)?;
                continue;
            }
            if kind.is_pax_global_extensions() || kind.is_gnu_longname() || kind.is_gnu_longlink() {
                return Err(ambiguous("a header that renames what follows it"));
            }
            if place.0.checked_add(place.1).is_none_or(|end| end > length) {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the tar is cut short"));
            }
            let place = kind.is_file().then_some(place);
            members.entry(name).and_modify(|known| *known = None).or_insert(place);
            if members.len() + folders.len() > NAMES {
                return Err(io::Error::other(format!("more than {NAMES} members")));
            }
        }
        if let Some(name) = folders.iter().find(|name| members.contains_key(*name)) {
            return Err(ambiguous(&format!("`{}` as a file and as a folder", name.escape_default())));
        }
        nothing_behind(&file, end, length)?;
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
            Some(member) => {
                let size = member.left;
                read_sized(member, size, limit).map(Some)
            }
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

/// What another reader may take for something else than this one does.
fn ambiguous(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the tar has {what}, which not all readers understand alike"))
}

/// Of the records that may stand in front of a member, only those that change nothing but times and owners pass: under
/// another name, size or map of holes other readers would see other files than were verified.
fn harmless(header: &mut impl Read) -> io::Result<()> {
    let records = read_bounded(header, PAX_BYTES)?;
    for record in tar::PaxExtensions::new(&records) {
        let key = record?.key_bytes();
        let fine = matches!(key, b"mtime" | b"atime" | b"ctime" | b"uid" | b"gid" | b"uname" | b"gname" | b"comment");
        if !fine && !key.starts_with(b"LIBARCHIVE.") {
            return Err(ambiguous(&format!("a pax record `{}`", String::from_utf8_lossy(key).escape_default())));
        }
    }
    Ok(())
}

/// Some readers go on behind the end of an archive; so there may be nothing but the zeros that fill its last record.
fn nothing_behind(file: &File, end: u64, length: u64) -> io::Result<()> {
    if length.saturating_sub(end) > FILL_BYTES {
        return Err(ambiguous("more behind its end than fills a record"));
    }
    let mut rest = vec![0; usize::try_from(length.saturating_sub(end)).unwrap_or(0)];
    file.read_exact_at(&mut rest, end)?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(ambiguous("something behind its end"));
    }
    Ok(())
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

pub(crate) fn read_bounded(reader: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    read_sized(reader, 0, limit)
}

/// The same of what says how long it is; it need not be right.
fn read_sized(reader: impl Read, size: u64, limit: u64) -> io::Result<Vec<u8>> {
    // Room for one byte more, so that the end is found without more room.
    let room = usize::try_from(size.min(limit).min(BELIEVED_BYTES)).unwrap_or(0) + 1;
    let mut bytes = Vec::with_capacity(room);
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One member: a header of this kind, and content to its block's end.
    fn member(kind: tar::EntryType, name: &str, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_path(name).unwrap();
        header.set_size(content.len() as u64);
        header.set_cksum();
        let mut bytes = [header.as_bytes().as_slice(), content].concat();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn file(name: &str, content: &[u8]) -> Vec<u8> {
        member(tar::EntryType::Regular, name, content)
    }

    fn pax(record: &str) -> Vec<u8> {
        let length = (1..99).find(|length| format!("{length} {record}\n").len() == *length).unwrap();
        member(tar::EntryType::XHeader, "pax", format!("{length} {record}\n").as_bytes())
    }

    fn open(parts: &[Vec<u8>]) -> io::Result<Archive> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), parts.concat()).unwrap();
        Archive::open(file.path())
    }

    #[track_caller]
    fn refused(parts: &[Vec<u8>], because: &str) {
        let error = open(parts).err().expect(because).to_string();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn what_tars_write_is_read() {
        let folder = member(tar::EntryType::Directory, "./blobs/", b"");
        let parts = [folder, pax("mtime=1.5"), file("./oci-layout", b"a"), file("index.json", b"b"), vec![0; 10240]];
        let archive = open(&parts).unwrap();
        assert_eq!(archive.names().unwrap(), ["index.json", "oci-layout"]);
        assert_eq!(archive.read("oci-layout", 9).unwrap().unwrap(), b"a");
        assert!(open(&[file("index.json", b"b")]).is_ok(), "without an end");
    }

    #[test]
    fn a_tar_that_other_readers_see_otherwise_is_refused() {
        let index = file("index.json", b"b");
        let side = file("rebuild-x.sigstore.json", b"evil");
        let zeros = |count| vec![0; count];
        refused(&[index.clone(), pax("path=index.json"), side.clone()], "pax record `path`");
        refused(&[index.clone(), pax("GNU.sparse.name=index.json"), side.clone()], "GNU.sparse.name");
        refused(&[index.clone(), pax("size=0"), side.clone()], "pax record `size`");
        let global = member(tar::EntryType::XGlobalHeader, "g", b"19 path=index.json\n");
        refused(&[index.clone(), global, side.clone()], "renames");
        let mut long = tar::Header::new_gnu();
        long.set_entry_type(tar::EntryType::GNULongName);
        long.set_size(11);
        long.set_cksum();
        let mut long = [long.as_bytes().as_slice(), b"index.json\0"].concat();
        long.resize(1024, 0);
        refused(&[index.clone(), long, side.clone()], "renames");
        refused(&[index.clone(), zeros(512), index.clone(), zeros(1024)], "behind its end");
        refused(&[index.clone(), zeros(1024), index.clone(), zeros(1024)], "behind its end");
        refused(&[index.clone(), zeros(2 << 20)], "behind its end");
        let folder = member(tar::EntryType::Directory, "index.json/", b"");
        refused(&[index.clone(), folder], "as a file and as a folder");
        refused(&[index.clone(), side[..513].to_vec()], "cut short");
        let twice = open(&[index.clone(), file("./index.json", b"c")]).unwrap();
        assert!(twice.read("index.json", 9).is_err());
    }
}
