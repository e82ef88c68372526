//! Archives, unpacked into the store by strangers' hands: every entry is read, nothing is written by its name.
//!
//! The result is what a path source would be: files 0644 or 0755 by the owner's executable bit, owner 0:0, no empty
//! folders, links that stay inside. Two names of one file become two files.

mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use selfsame_core::path::PathError;
use selfsame_core::{Digest, RelPath};
use selfsame_pins::PinsError;
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind, Tree, TreeError};
use tar::EntryType;

use crate::link::stays_inside;
use crate::memo;

/// Bounds for an archive from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most entries, folders and extension headers among them.
    pub entries: u64,
    /// The most bytes when decompressed.
    pub size_bytes: u64,
    /// Beyond [`Limits::free_bytes`], how many times larger than the archive its content may be.
    pub ratio: u64,
    /// A small archive may hold this much in any case.
    pub free_bytes: u64,
}

impl Limits {
    /// For sources and crates: a million entries, 16 GiB, 200 times.
    pub const SOURCE: Self = Self { entries: 1_000_000, size_bytes: 16 << 30, ratio: 200, free_bytes: 256 << 20 };
}

/// Long names and PAX records of one entry.
const EXTENSION_BYTES: u64 = 1 << 20;
/// What the decoder of xz may take: as much as its own tools need for what they write at their highest level.
const XZ_MEMORY_BYTES: u64 = 128 << 20;
/// The largest zstd window: 2^27 bytes, what zstd's own tools take unasked.
const ZSTD_WINDOW_LOG: u32 = 27;
const BUFFER_BYTES: usize = 64 << 10;
/// Files up to this size go through memory.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// Why an archive is not unpacked. Blobs that were stored before stay in the store, and nobody names them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// No tar, compressed or not, and no zip file.
    #[error("archive `{archive}` is {format}; tar, also compressed by gzip, xz or zstd, and zip can be unpacked")]
    Format {
        /// Its name.
        archive: String,
        /// What it looks like.
        format: &'static str,
    },
    /// Damaged, or ended early.
    #[error("archive `{archive}` is damaged{}", path.as_ref().map(|path| format!(" at `{path}`")).unwrap_or_default())]
    Damaged {
        /// Its name.
        archive: String,
        /// The last entry that was begun.
        path: Option<String>,
        /// What the decoder said.
        source: io::Error,
    },
    /// More entries, more bytes or more compression than any source has.
    #[error("archive `{archive}` {bound}; it is not unpacked further")]
    Bomb {
        /// Its name.
        archive: String,
        /// The rest of the sentence.
        bound: String,
    },
    /// An entry that leaves the archive's root, is no file, folder or link, or that readers disagree about.
    #[error("entry `{path}` of archive `{archive}` {fault}")]
    Entry {
        /// The archive's name.
        archive: String,
        /// The entry's.
        path: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// A zip file that cannot be read, or that readers disagree about.
    #[error("archive `{archive}` cannot be unpacked")]
    Zip {
        /// Its name.
        archive: String,
        /// Why.
        source: PinsError,
    },
    /// The entries make no tree.
    #[error("archive `{archive}` makes no tree")]
    Tree {
        /// Its name.
        archive: String,
        /// Why.
        source: TreeError,
    },
    /// The store could not take or give something.
    #[error("archive `{archive}` could not be unpacked into the store")]
    Store {
        /// Its name.
        archive: String,
        /// Why.
        source: StoreError,
    },
}

/// Unpacks an archive in the store: `.tar`, or compressed as `.tar.gz`, `.tgz`, `.crate`, `.tar.xz` or `.tar.zst`; or
/// `.zip`. What it is, its first bytes say. Every file of the tree is in the store then, and the tree's text too. An
/// archive that was unpacked before is not read again.
///
/// `strip` leading components of every name are removed. `name` is for messages.
pub fn unpack_archive(
    store: &Store,
    archive: &Digest,
    name: &str,
    strip: u32,
    limits: Limits,
) -> Result<Tree, ArchiveError> {
    let failed = |source| ArchiveError::Store { archive: name.to_owned(), source };
    // Changing what unpacking does changes this text.
    let key = Digest::of(format!("selfsame-unpack v1\nstrip {strip}\n{archive}\n").as_bytes());
    if let Some(tree) = memo::recall(store, &key).map_err(failed)? {
        return Ok(tree);
    }
    let mut blob = store.open_blob(archive).map_err(failed)?;
    let packed_bytes = blob.size_bytes();
    let mut magic = [0; 265];
    let damaged = |source| ArchiveError::Damaged { archive: name.to_owned(), path: None, source };
    let got = read_full(&mut blob, &mut magic).map_err(damaged)?;
    let magic = &magic[..got];
    let tree = if matches!(magic, [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..]) {
        zip::unpack(store, (archive, packed_bytes), name, strip, limits)?
    } else {
        unpack(store, magic, blob, packed_bytes, name, strip, limits)?
    };
    memo::note(store, &key, &tree).map_err(failed)?;
    Ok(tree)
}

fn unpack(
    store: &Store,
    magic: &[u8],
    blob: impl Read,
    packed_bytes: u64,
    name: &str,
    strip: u32,
    limits: Limits,
) -> Result<Tree, ArchiveError> {
    let damaged = |source| ArchiveError::Damaged { archive: name.to_owned(), path: None, source };
    let whole = io::Cursor::new(magic.to_vec()).chain(blob);
    let allowed_bytes = limits.size_bytes.min(limits.free_bytes.max(packed_bytes.saturating_mul(limits.ratio)));
    let format = |format| Err(ArchiveError::Format { archive: name.to_owned(), format });
    let reader: Box<dyn Read + '_> = match magic {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(whole)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            // Several streams one behind another are one, as `xz` has it.
            let stream = Stream::new_stream_decoder(XZ_MEMORY_BYTES, liblzma::stream::CONCATENATED);
            let stream = stream.map_err(io::Error::from).map_err(damaged)?;
            Box::new(XzDecoder::new_stream(BufReader::with_capacity(BUFFER_BYTES, whole), stream))
        }
        // A frame, or one that is to be skipped before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let mut decoder =
                zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER_BYTES, whole)).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(damaged)?;
            Box::new(decoder)
        }
        [b'B', b'Z', b'h', ..] => return format("compressed with bzip2"),
        [] => return format("empty"),
        _ if magic.get(257..262) == Some(b"ustar") => Box::new(whole),
        _ => return format("of an unknown format"),
    };
    let counted = Counted { reader, left: allowed_bytes };
    let mut unpacker = Unpacker {
        store,
        name,
        strip,
        limits,
        allowed_bytes,
        entries: BTreeMap::new(),
        folders: BTreeSet::new(),
        current: None,
    };
    unpacker.all(counted)?;
    // Folders are in the tree only where something is in them; so a file where a folder was announced is found here.
    let Unpacker { entries, folders, .. } = unpacker;
    if let Some(path) = folders.into_iter().find(|folder| entries.contains_key(folder)) {
        return Err(ArchiveError::Tree { archive: name.to_owned(), source: TreeError::Twice { path } });
    }
    Tree::from_entries(entries).map_err(|source| ArchiveError::Tree { archive: name.to_owned(), source })
}

/// A reader that fails behind a number of bytes.
struct Counted<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Exceeded)),
        }
        Ok(read)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("too many bytes")]
struct Exceeded;

/// What extension headers say about the next entry.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Unpacker<'a> {
    store: &'a Store,
    name: &'a str,
    strip: u32,
    limits: Limits,
    allowed_bytes: u64,
    entries: BTreeMap<RelPath, Entry>,
    folders: BTreeSet<RelPath>,
    current: Option<String>,
}

impl Unpacker<'_> {
    fn all(&mut self, reader: impl Read) -> Result<(), ArchiveError> {
        let mut archive = tar::Archive::new(reader);
        let mut extensions = Extensions::default();
        let mut count = 0;
        // Raw: the crate would read names of any length into memory, and let a PAX size move the next header.
        let entries = archive.entries().map_err(|error| self.damaged(error))?.raw(true);
        for entry in entries {
            let mut entry = entry.map_err(|error| self.damaged(error))?;
            count += 1;
            if count > self.limits.entries {
                let bound = format!("has more than {} entries", self.limits.entries);
                return Err(ArchiveError::Bomb { archive: self.name.to_owned(), bound });
            }
            let kind = entry.header().entry_type();
            match kind {
                EntryType::GNULongName => extensions.path = Some(self.extension(&mut entry, true)?),
                EntryType::GNULongLink => extensions.link = Some(self.extension(&mut entry, true)?),
                EntryType::XHeader | EntryType::XGlobalHeader => {
                    let records = self.extension(&mut entry, false)?;
                    self.records(&records, kind == EntryType::XGlobalHeader, &mut extensions)?;
                }
                _ => self.entry(&mut entry, std::mem::take(&mut extensions))?,
            }
        }
        // What stands behind the end mark is read too: for gzip's checksum, and because some readers go on there.
        let mut rest = archive.into_inner();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = rest.read(&mut buffer).map_err(|error| self.damaged(error))?;
            if read == 0 {
                return Ok(());
            }
            if buffer[..read].iter().any(|&byte| byte != 0) {
                return Err(self.fault("<end>", "is followed by more data, which some readers would unpack"));
            }
        }
    }

    /// The content of a header that describes the next entry.
    fn extension(&mut self, entry: &mut impl Read, text: bool) -> Result<Vec<u8>, ArchiveError> {
        let mut content = Vec::new();
        entry.take(EXTENSION_BYTES + 1).read_to_end(&mut content).map_err(|error| self.damaged(error))?;
        if content.len() as u64 > EXTENSION_BYTES {
            let bound = "has an extension header of more than 1 MiB".to_owned();
            return Err(ArchiveError::Bomb { archive: self.name.to_owned(), bound });
        }
        if text && let Some(end) = content.iter().position(|&byte| byte == 0) {
            content.truncate(end);
        }
        Ok(content)
    }

    /// PAX records, `LENGTH KEY=VALUE\n` each (POSIX pax, "pax Extended Header").
    fn records(&self, records: &[u8], global: bool, extensions: &mut Extensions) -> Result<(), ArchiveError> {
        let mut rest = records;
        while !rest.is_empty() {
            let record = pax_record(rest);
            let (key, value, length) = record.ok_or_else(|| self.fault("<pax>", "has records that cannot be read"))?;
            rest = &rest[length..];
            match key {
                b"path" | b"linkpath" | b"size" if global => {
                    return Err(self.fault("<pax>", "sets a name or size for all entries that follow"));
                }
                b"path" => extensions.path = Some(value.to_vec()),
                b"linkpath" => extensions.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    let size = size.ok_or_else(|| self.fault("<pax>", "has a size that is not a number"))?;
                    extensions.size = Some(size);
                }
                key if key.starts_with(b"GNU.sparse.") => return Err(self.fault("<pax>", "is a sparse file")),
                _ => {}
            }
        }
        Ok(())
    }

    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, extensions: Extensions) -> Result<(), ArchiveError> {
        let header = entry.header().clone();
        let name = extensions.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = shown(&name);
        self.current = Some(shown.clone());
        let size = header.entry_size().map_err(|error| self.damaged(error))?;
        if extensions.size.is_some_and(|stated| stated != size) {
            return Err(self.fault(&shown, "has two sizes, and readers disagree about which one counts"));
        }
        let kind = match header.entry_type() {
            // Before ustar, folders were files with a slash behind their name.
            EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") && size == 0 => EntryType::Directory,
            kind => kind,
        };
        let is_folder = kind == EntryType::Directory;
        let Some(path) = self.path(&name, &shown, is_folder)? else { return Ok(()) };
        let link = || extensions.link.clone().or_else(|| header.link_name_bytes().map(|link| link.into_owned()));
        let made = match kind {
            EntryType::Directory => {
                self.folders.insert(path);
                return Ok(());
            }
            EntryType::Regular | EntryType::Continuous => {
                let mode = header.mode().map_err(|error| self.damaged(error))?;
                let executable = mode & 0o100 != 0;
                let digest = self.content(entry, size, executable)?;
                Entry::file(digest, size, executable)
            }
            EntryType::Symlink => {
                let target = String::from_utf8(link().unwrap_or_default());
                let target = target.map_err(|_| self.fault(&shown, "is a link to a name that is not UTF-8"))?;
                if target.is_empty() {
                    return Err(self.fault(&shown, "is a link to nothing"));
                }
                if !stays_inside(&path, &target) {
                    let fault = format!("is a link to `{}`, outside of the archive", target.escape_debug());
                    return Err(self.fault(&shown, fault));
                }
                Entry::symlink(target)
            }
            EntryType::Link => {
                let target = link().unwrap_or_default();
                let target = self.path(&target, &shown, false)?;
                let file = target.as_ref().and_then(|target| self.entries.get(target));
                match file.filter(|file| matches!(file.kind, Kind::File { .. })) {
                    Some(file) => file.clone(),
                    None => return Err(self.fault(&shown, "is a hard link to no file that stands before it")),
                }
            }
            EntryType::Fifo => return Err(self.fault(&shown, "is a FIFO")),
            EntryType::Char | EntryType::Block => return Err(self.fault(&shown, "is a device")),
            EntryType::GNUSparse => return Err(self.fault(&shown, "is a sparse file")),
            other => {
                let letter = char::from(other.as_byte()).escape_default().to_string();
                return Err(self.fault(&shown, format!("is of the unknown type `{letter}`")));
            }
        };
        if self.entries.insert(path.clone(), made).is_some() {
            return Err(self.fault(&shown, "stands twice"));
        }
        Ok(())
    }

    /// Stores a file's content.
    fn content(&mut self, entry: &mut impl Read, size: u64, executable: bool) -> Result<Digest, ArchiveError> {
        let stored = |this: &Self, source| match source {
            StoreError::Source { source } => this.damaged(source),
            source => ArchiveError::Store { archive: this.name.to_owned(), source },
        };
        let early = || io::Error::from(io::ErrorKind::UnexpectedEof);
        if size > IN_MEMORY_BYTES {
            let (digest, got) = self.store.put(entry, executable).map_err(|error| stored(self, error))?;
            return if got == size { Ok(digest) } else { Err(self.damaged(early())) };
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        entry.read_to_end(&mut content).map_err(|error| self.damaged(error))?;
        if content.len() as u64 != size {
            return Err(self.damaged(early()));
        }
        self.store.put_bytes(&content, executable).map_err(|error| stored(self, error))
    }

    /// A name without its first components; nothing for a folder that is among them.
    fn path(&self, name: &[u8], shown: &str, is_folder: bool) -> Result<Option<RelPath>, ArchiveError> {
        let text = std::str::from_utf8(name).map_err(|_| self.fault(shown, "has a name that is not UTF-8"))?;
        if text.starts_with('/') {
            return Err(self.fault(shown, "has an absolute name"));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return Err(self.fault(shown, "leaves the archive by `..`"));
        }
        let strip = usize::try_from(self.strip).unwrap_or(usize::MAX);
        if parts.len() <= strip {
            if is_folder {
                return Ok(None);
            }
            let fault = match parts.len() {
                0 => "has no name".to_owned(),
                _ => format!("has no more than the {} leading components to be removed", self.strip),
            };
            return Err(self.fault(shown, fault));
        }
        let path = RelPath::new(parts[strip..].join("/"));
        path.map(Some).map_err(|PathError { fault, .. }| self.fault(shown, fault))
    }

    fn fault(&self, path: &str, fault: impl Into<String>) -> ArchiveError {
        ArchiveError::Entry { archive: self.name.to_owned(), path: path.to_owned(), fault: fault.into() }
    }

    fn damaged(&self, source: io::Error) -> ArchiveError {
        // The bound arrives here as a read error, some layers up.
        if is_exceeded(&source) {
            let bound = format!("holds more than {} bytes, too many for its own size", self.allowed_bytes);
            return ArchiveError::Bomb { archive: self.name.to_owned(), bound };
        }
        ArchiveError::Damaged { archive: self.name.to_owned(), path: self.current.clone(), source }
    }
}

fn is_exceeded(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = cause {
        if error.is::<Exceeded>() {
            return true;
        }
        // `io::Error` gives its inner error's source, not the inner error.
        cause = match error.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    false
}

/// Key, value and length of the record that `rest` begins with.
pub(crate) fn pax_record(rest: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let space = rest.iter().take(20).position(|&byte| byte == b' ')?;
    let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
    let record = rest.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], length))
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(300)]).escape_debug().to_string()
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
