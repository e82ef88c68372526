//! Zip files, as far as wheels and Go modules use them: read strictly, so that no two readers see two things.
//!
//! The central directory decides. Every local header must repeat what it says, members must not share bytes, and what
//! needs a decision (encryption, other methods than store and deflate, names that are not plain UTF-8 paths, second
//! entries of one name, links) is refused.

use std::collections::BTreeSet;
use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::error::{PinsError, clip};

const DOCUMENT: &str = "the zip file";
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
/// The largest central directory: it is read into memory.
const DIRECTORY_BYTES: u64 = 128 << 20;
/// The record at the end with the longest comment.
const END_BYTES: u64 = 22 + 65_535;

/// Bytes that can be read anywhere.
pub trait ReadAt {
    /// How many there are.
    fn size_bytes(&self) -> u64;

    /// Fills `buffer` from `offset` on, or fails.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(buffer.len())?));
        let bytes = range.and_then(|range| self.get(range)).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// Bounds for a zip file from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most members.
    pub members: u64,
    /// The most bytes of all members together.
    pub size_bytes: u64,
    /// Beyond `free_bytes`, how many times larger than the file its members may be.
    pub ratio: u64,
    /// A small file may hold this much in any case.
    pub free_bytes: u64,
}

impl Limits {
    /// For wheels and modules: 400,000 members, 8 GiB, 100 times.
    pub const PACKAGE: Self = Self { members: 400_000, size_bytes: 8 << 30, ratio: 100, free_bytes: 256 << 20 };
}

/// A file in a zip file. Folders have no members here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// A relative path with `/`, no empty, `.` or `..` component.
    pub name: String,
    /// Bytes, unpacked.
    pub size_bytes: u64,
    /// Whether its owner could run it, where Unix packed it.
    pub executable: bool,
    packed_bytes: u64,
    data_offset: u64,
    crc: u32,
    deflated: bool,
}

/// A zip file whose members can be read in any order, from several threads.
#[derive(Debug)]
pub struct Archive<'a, R: ?Sized> {
    reader: &'a R,
    members: Vec<Member>,
}

impl<'a, R: ReadAt + ?Sized> Archive<'a, R> {
    /// Reads and checks the central directory and every local header.
    pub fn open(reader: &'a R, limits: Limits) -> Result<Self, PinsError> {
        let end = End::find(reader)?;
        if end.count > limits.members {
            return Err(bound(format!("has more than {} members", limits.members)));
        }
        // Each entry has 46 bytes at least, so a count that lies is found before it costs memory.
        if end.count.saturating_mul(46) > end.directory_bytes || end.directory_bytes > DIRECTORY_BYTES {
            return Err(damaged("has a central directory of another size than it says"));
        }
        let directory = bytes(reader, end.directory_offset, end.directory_bytes)?;
        let mut rest = Fields(&directory);
        let mut raw = Vec::new();
        for _ in 0..end.count {
            raw.push(central(&mut rest)?);
        }
        if !rest.0.is_empty() {
            return Err(damaged("has a central directory with more entries than it says"));
        }
        let allowed_bytes =
            limits.size_bytes.min(limits.free_bytes.max(reader.size_bytes().saturating_mul(limits.ratio)));
        let mut total: u64 = 0;
        let (mut names, mut folders) = (BTreeSet::new(), BTreeSet::new());
        let (mut members, mut used) = (Vec::new(), Vec::new());
        for entry in raw {
            let data_offset = entry.check_local(reader, end.directory_offset)?;
            used.push((entry.local_offset, data_offset.saturating_add(entry.packed_bytes)));
            total = total.saturating_add(entry.size_bytes);
            if total > allowed_bytes {
                return Err(bound(format!("holds more than {allowed_bytes} bytes")));
            }
            let folder = entry.name.strip_suffix('/').map(str::to_owned);
            let name = folder.clone().unwrap_or_else(|| entry.name.clone());
            if let Some(fault) = path_fault(&name) {
                return Err(member(&entry.name, fault));
            }
            if folder.is_some() {
                if entry.size_bytes != 0 {
                    return Err(member(&entry.name, "is a folder with content"));
                }
                // Twice the same folder says nothing new.
                folders.insert(name);
                continue;
            }
            let made = Member {
                name,
                size_bytes: entry.size_bytes,
                executable: entry.mode.is_some_and(|mode| mode & 0o100 != 0),
                packed_bytes: entry.packed_bytes,
                data_offset,
                crc: entry.crc,
                deflated: entry.deflated,
            };
            if !names.insert(made.name.clone()) {
                return Err(member(&made.name, "stands twice"));
            }
            members.push(made);
        }
        for (name, parent) in names.iter().flat_map(|name| parents(name).map(move |parent| (name, parent))) {
            if names.contains(parent) {
                return Err(member(name, "lies below another member, which is a file"));
            }
        }
        if let Some(name) = folders.iter().find(|folder| names.contains(*folder)) {
            return Err(member(name, "is a file and a folder"));
        }
        used.sort_unstable();
        if used.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(damaged("has members that share bytes"));
        }
        members.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { reader, members })
    }

    /// Its files, sorted by name.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Member> {
        let at = self.members.binary_search_by(|member| member.name.as_str().cmp(name)).ok()?;
        self.members.get(at)
    }

    /// A member's bytes. The last read, which finds the end, fails if size or checksum are not what the directory says.
    pub fn read(&self, member: &Member) -> MemberReader<'a, R> {
        let packed = Range { reader: self.reader, offset: member.data_offset, left: member.packed_bytes };
        let packed = if member.deflated {
            Packed::Deflated(Box::new(DeflateDecoder::new(packed)))
        } else {
            Packed::Stored(packed)
        };
        MemberReader {
            packed,
            left: member.size_bytes,
            packed_bytes: member.packed_bytes,
            wanted: member.crc,
            crc: Crc::new(),
        }
    }

    /// A member of at most `limit_bytes`, whole and checked.
    pub fn read_whole(&self, member: &Member, limit_bytes: u64) -> Result<Vec<u8>, PinsError> {
        if member.size_bytes > limit_bytes {
            return Err(self::member(&member.name, format!("has more than {limit_bytes} bytes")));
        }
        let mut content = Vec::new();
        let read = self.read(member).read_to_end(&mut content);
        read.map_err(|error| self::member(&member.name, format!("cannot be read: {error}")))?;
        Ok(content)
    }
}

/// The bytes of one member, see [`Archive::read`].
#[derive(Debug)]
pub struct MemberReader<'a, R: ?Sized> {
    packed: Packed<'a, R>,
    left: u64,
    packed_bytes: u64,
    wanted: u32,
    crc: Crc,
}

#[derive(Debug)]
enum Packed<'a, R: ?Sized> {
    Stored(Range<'a, R>),
    Deflated(Box<DeflateDecoder<Range<'a, R>>>),
}

impl<R: ReadAt + ?Sized> Read for MemberReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.packed {
            Packed::Stored(range) => range.read(buffer)?,
            Packed::Deflated(decoder) => decoder.read(buffer)?,
        };
        let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
        let Some(left) = self.left.checked_sub(read as u64) else { return wrong("more bytes than the directory says") };
        self.left = left;
        self.crc.update(&buffer[..read]);
        if read == 0 {
            let consumed = match &self.packed {
                Packed::Stored(_) => self.packed_bytes,
                Packed::Deflated(decoder) => decoder.total_in(),
            };
            if left != 0 || consumed != self.packed_bytes {
                return wrong("fewer bytes than the directory says");
            }
            if self.crc.sum() != self.wanted {
                return wrong("another checksum than the directory says");
            }
        }
        Ok(read)
    }
}

/// A part of the file, read in order.
#[derive(Debug)]
struct Range<'a, R: ?Sized> {
    reader: &'a R,
    offset: u64,
    left: u64,
}

impl<R: ReadAt + ?Sized> Read for Range<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        self.reader.read_exact_at(self.offset, &mut buffer[..length])?;
        self.offset += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}

fn damaged(fault: &str) -> PinsError {
    PinsError::Syntax { document: DOCUMENT, message: format!("it {fault}") }
}

fn bound(bound: String) -> PinsError {
    PinsError::Bound { document: DOCUMENT, bound }
}

fn member(name: &str, fault: impl Into<String>) -> PinsError {
    PinsError::Entry { document: DOCUMENT, entry: clip(name), fault: fault.into() }
}

fn bytes<R: ReadAt + ?Sized>(reader: &R, offset: u64, length: u64) -> Result<Vec<u8>, PinsError> {
    let within = offset.checked_add(length).is_some_and(|end| end <= reader.size_bytes());
    let length = usize::try_from(length).ok().filter(|_| within).ok_or_else(|| damaged("ends early"))?;
    let mut bytes = vec![0; length];
    let read = reader.read_exact_at(offset, &mut bytes);
    read.map_err(|error| PinsError::syntax(DOCUMENT, error.to_string()))?;
    Ok(bytes)
}

/// Numbers and texts from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], PinsError> {
        let (front, rest) = self.0.split_at_checked(length).ok_or_else(|| damaged("has a header that ends early"))?;
        self.0 = rest;
        Ok(front)
    }

    fn number(&mut self, length: usize) -> Result<u64, PinsError> {
        Ok(self.take(length)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn u16(&mut self) -> Result<u16, PinsError> {
        Ok(self.number(2)? as u16)
    }

    fn u32(&mut self) -> Result<u32, PinsError> {
        Ok(self.number(4)? as u32)
    }
}

/// Where the central directory is.
struct End {
    count: u64,
    directory_offset: u64,
    directory_bytes: u64,
}

impl End {
    fn find<R: ReadAt + ?Sized>(reader: &R) -> Result<Self, PinsError> {
        let size = reader.size_bytes();
        let tail_bytes = size.min(END_BYTES);
        let tail = bytes(reader, size - tail_bytes, tail_bytes)?;
        // The comment must reach to the end of the file, or another reader would look elsewhere.
        let fits = |at: usize| {
            let comment = tail.get(at + 20..at + 22)?;
            let comment = usize::from(u16::from_le_bytes([comment[0], comment[1]]));
            (at + 22 + comment == tail.len()).then_some(at)
        };
        let magic = END.to_le_bytes();
        let mut found =
            (0..tail.len().saturating_sub(21)).filter(|&at| tail[at..].starts_with(&magic)).filter_map(fits);
        let (Some(at), None) = (found.next(), found.next()) else {
            return Err(damaged("has no end record, or more than one"));
        };
        let end_offset = size - tail_bytes + at as u64;
        let mut fields = Fields(&tail[at + 4..]);
        let (disk, directory_disk, here, count) = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
        let (directory_bytes, directory_offset) = (fields.u32()?, fields.u32()?);
        let mut end = Self {
            count: count.into(),
            directory_offset: directory_offset.into(),
            directory_bytes: directory_bytes.into(),
        };
        let large = count == u16::MAX || directory_bytes == u32::MAX || directory_offset == u32::MAX;
        let mut directory_end = end_offset;
        match end_offset.checked_sub(20).map(|at| bytes(reader, at, 20)).transpose()? {
            Some(locator) if locator.starts_with(&LOCATOR_64.to_le_bytes()) => {
                (end, directory_end) = Self::of_64(reader, &locator, end_offset - 20, &end)?;
            }
            _ if large => return Err(damaged("has numbers that are too large, and no zip64 record")),
            _ if disk != 0 || directory_disk != 0 || here != count => {
                return Err(damaged("is one of several parts"));
            }
            _ => {}
        }
        if end.directory_offset.checked_add(end.directory_bytes) != Some(directory_end) {
            return Err(damaged("has bytes between its central directory and its end, or lacks some"));
        }
        Ok(end)
    }

    /// The record of zip64, which must say the same wherever the old one says something.
    fn of_64<R: ReadAt + ?Sized>(
        reader: &R,
        locator: &[u8],
        locator_offset: u64,
        small: &Self,
    ) -> Result<(Self, u64), PinsError> {
        let mut fields = Fields(&locator[4..]);
        let (disk, offset, disks) = (fields.u32()?, fields.number(8)?, fields.u32()?);
        let record = bytes(reader, offset, 56)?;
        let mut fields = Fields(&record);
        let lies = || damaged("has a zip64 record that contradicts the rest");
        let (magic, record_bytes) = (fields.u32()?, fields.number(8)?);
        if magic != END_64 || disk != 0 || disks > 1 || record_bytes.checked_add(offset + 12) != Some(locator_offset) {
            return Err(lies());
        }
        fields.take(4)?;
        let (disk, directory_disk) = (fields.u32()?, fields.u32()?);
        let (here, count) = (fields.number(8)?, fields.number(8)?);
        let (directory_bytes, directory_offset) = (fields.number(8)?, fields.number(8)?);
        let agrees = |old: u64, new: u64, full: u64| old == new || old == full;
        if disk != 0
            || directory_disk != 0
            || here != count
            || !agrees(small.count, count, u16::MAX.into())
            || !agrees(small.directory_bytes, directory_bytes, u32::MAX.into())
            || !agrees(small.directory_offset, directory_offset, u32::MAX.into())
        {
            return Err(lies());
        }
        Ok((Self { count, directory_offset, directory_bytes }, offset))
    }
}

/// An entry of the central directory.
struct Central {
    name: String,
    flags: u16,
    deflated: bool,
    crc: u32,
    packed_bytes: u64,
    size_bytes: u64,
    local_offset: u64,
    mode: Option<u32>,
}

fn central(fields: &mut Fields<'_>) -> Result<Central, PinsError> {
    if fields.u32()? != CENTRAL {
        return Err(damaged("has a central directory that cannot be read"));
    }
    let made_by = fields.u16()?;
    fields.take(2)?;
    let (flags, method) = (fields.u16()?, fields.u16()?);
    fields.take(4)?;
    let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let (name, extra, comment) = (fields.u16()?, fields.u16()?, fields.u16()?);
    let disk = fields.u16()?;
    fields.take(2)?;
    let (attributes, offset) = (fields.u32()?, fields.u32()?);
    let name = fields.take(name.into())?;
    let shown = String::from_utf8_lossy(name).into_owned();
    let fault = |fault: &str| Err(member(&shown, fault));
    let utf8 = flags & 1 << 11 != 0 || name.is_ascii();
    let Some(name) = std::str::from_utf8(name).ok().filter(|_| utf8) else {
        return fault("has a name that is not marked as UTF-8");
    };
    let (mut packed_bytes, mut size_bytes, mut local_offset) = (packed.into(), size.into(), offset.into());
    let mut extras = Fields(fields.take(extra.into())?);
    fields.take(comment.into())?;
    // A rest of fewer than four bytes is padding, which some packers leave.
    while extras.0.len() >= 4 {
        let (id, length) = (extras.u16()?, extras.u16()?);
        let mut extra = Fields(extras.take(length.into())?);
        match id {
            1 => {
                let values = [(&mut size_bytes, size), (&mut packed_bytes, packed), (&mut local_offset, offset)];
                for (value, small) in values {
                    if small == u32::MAX {
                        *value = extra.number(8)?;
                    }
                }
            }
            0x7075 => return fault("has a second name"),
            _ => {}
        }
    }
    if flags & (1 | 1 << 6 | 1 << 13) != 0 {
        return fault("is encrypted");
    }
    if disk != 0 {
        return fault("is on another disk");
    }
    let deflated = match method {
        0 if packed_bytes == size_bytes => false,
        0 => return fault("is stored and has two sizes"),
        8 => true,
        _ => return fault("is packed by a method that is not read; store and deflate are"),
    };
    // Made by Unix or macOS: the upper half is st_mode.
    let mode = matches!(made_by >> 8, 3 | 19).then_some(attributes >> 16);
    match mode.map(|mode| mode & 0o170_000) {
        Some(0o120_000) => return fault("is a symbolic link"),
        None | Some(0 | 0o100_000 | 0o040_000) => {}
        Some(_) => return fault("is neither a file nor a folder"),
    }
    Ok(Central { name: name.to_owned(), flags, deflated, crc, packed_bytes, size_bytes, local_offset, mode })
}

impl Central {
    /// Holds the local header against this entry: where its data begins.
    fn check_local<R: ReadAt + ?Sized>(&self, reader: &R, directory_offset: u64) -> Result<u64, PinsError> {
        let header = bytes(reader, self.local_offset, 30)?;
        let mut fields = Fields(&header);
        let differs = || member(&self.name, "has a local header that contradicts the directory");
        if fields.u32()? != LOCAL {
            return Err(differs());
        }
        fields.take(2)?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        fields.take(4)?;
        let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_bytes, extra_bytes) = (fields.u16()?, fields.u16()?);
        let name = bytes(reader, self.local_offset + 30, name_bytes.into())?;
        // Streamed: the numbers follow the data, and here may stand nothing.
        let streamed = flags & 1 << 3 != 0;
        let agrees = |here: u32, there: u64| u64::from(here) == there || here == u32::MAX || streamed && here == 0;
        if name != self.name.as_bytes()
            || (method == 8) != self.deflated
            || (flags ^ self.flags) & (1 | 1 << 3 | 1 << 6 | 1 << 13) != 0
            || !(crc == self.crc || streamed && crc == 0)
            || !agrees(packed, self.packed_bytes)
            || !agrees(size, self.size_bytes)
        {
            return Err(differs());
        }
        let data_offset = self.local_offset + 30 + u64::from(name_bytes) + u64::from(extra_bytes);
        let end = data_offset.checked_add(self.packed_bytes);
        if end.is_none_or(|end| end > directory_offset) {
            return Err(member(&self.name, "reaches beyond the members"));
        }
        Ok(data_offset)
    }
}

fn path_fault(name: &str) -> Option<&'static str> {
    if name.starts_with('/') {
        return Some("has an absolute name");
    }
    if name.contains(['\\', '\0', '\n', '\r']) {
        return Some("has a name with a backslash, a line end or NUL");
    }
    match selfsame_core::RelPath::new(name) {
        Ok(path) if !path.is_root() => None,
        _ if name.split('/').any(|part| part == "..") => Some("leaves the archive"),
        _ => Some("has a name that is no path"),
    }
}

/// `a` and `a/b` of `a/b/c`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

#[cfg(test)]
#[path = "zip/tests.rs"]
mod tests;
