//! Other people's tar, member by member: ustar, POSIX extended headers and GNU long names, every length checked
//! before it is believed. Where two readers could understand a header differently, it is refused.

use std::collections::BTreeMap;
use std::io::Read;

use selfsame_core::path::PathError;

use crate::dialect::{BLOCK_BYTES, MAX_EXTENDED_BYTES, XATTR_KEY, checksum, padding};
use crate::read::ReadError;

/// The longest text of a GNU long name member: a path and its NUL, with room.
const MAX_LONG_NAME_BYTES: u64 = 8192;

/// What cannot stand in a tree, and is refused or reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
}

/// What is wrong with one member, as the rest of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// Neither POSIX nor GNU magic.
    #[error("has a header that is not a tar header")]
    NotTar,
    /// The header's sum is another.
    #[error("has a header with a wrong checksum")]
    Checksum,
    /// A number that is not octal digits or GNU's binary form, or too large.
    #[error("has no readable number for its {field}")]
    Number {
        /// `size`, `mode`, ...
        field: &'static str,
    },
    /// A name or link text that is not UTF-8.
    #[error("has a {field} that is not UTF-8")]
    NotUtf8 {
        /// `name` or `link`.
        field: &'static str,
    },
    /// A name that is absolute, leaves the root, or is otherwise no path below it.
    #[error("has a name that is refused: {0}")]
    Path(PathError),
    /// A file whose name ends with a slash.
    #[error("has a slash behind its name and is not a folder")]
    Slash,
    /// The second member with this name.
    #[error("is there twice")]
    Twice,
    /// A hard link to a name that no file before it has.
    #[error("is a hard link to `{}`, which is no file before it", target.escape_debug())]
    LinkTarget {
        /// As written.
        target: String,
    },
    /// A link or folder that carries content, which some readers would take for the next header.
    #[error("has content of {size} bytes though its kind has none")]
    Content {
        /// As declared.
        size: u64,
    },
    /// The extended header's size is not the header's.
    #[error("has {header} bytes by its header and {extended} by its extended header")]
    SizeDisagrees {
        /// By the header.
        header: u64,
        /// By the extended header.
        extended: u64,
    },
    /// A device or FIFO.
    #[error("is a {}", .0.name())]
    Special(Special),
    /// GNU or POSIX sparse file.
    #[error("is a sparse file, which readers understand differently")]
    Sparse,
    /// A type flag that is not read.
    #[error("has the type `{}`, which is not read", char::from(*.0).escape_default())]
    Kind(u8),
    /// Records that do not follow the grammar, a key twice, or a value that makes no sense.
    #[error("has an extended header that is not read: {0}")]
    Extended(&'static str),
    /// An extended header or long name that is too large.
    #[error("has an extended header or long name of {size} bytes; at most {limit} are read")]
    ExtendedSize {
        /// As declared.
        size: u64,
        /// How many are read.
        limit: u64,
    },
    /// A long name given in two ways, or twice.
    #[error("has its name or link given twice")]
    Ambiguous,
    /// An extended header or long name with no member behind it.
    #[error("is an extended header with no member behind it")]
    Stray,
    /// A whiteout that names nothing, itself or the folder above.
    #[error("is a whiteout of nothing")]
    Whiteout,
}

impl Special {
    /// `character device`, `block device` or `FIFO`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CharacterDevice => "character device",
            Self::BlockDevice => "block device",
            Self::Fifo => "FIFO",
        }
    }
}

/// One member's header, extended headers applied, nothing but lengths and numbers checked.
#[derive(Debug)]
pub(crate) struct RawEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) type_flag: u8,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    /// Seconds since 1970, rounded down.
    pub(crate) mtime: i64,
    pub(crate) user: Vec<u8>,
    pub(crate) group: Vec<u8>,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
}

/// How much of a tar is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) members: u64,
    pub(crate) size_bytes: u64,
}

/// Reads members from a tar.
pub(crate) struct Entries<R> {
    tar: R,
    bounds: Bounds,
    /// Bytes read so far.
    offset: u64,
    /// Headers read so far, extended ones too.
    members: u64,
    /// Bytes of the current member's content not yet read.
    content: u64,
    padding: usize,
    /// Why no more of the content can be read, if that is so.
    broken: Option<Broken>,
}

/// What ended a content before its declared size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The tar is over.
    Truncated { offset: u64 },
    /// The reader below failed.
    Failed,
}

impl<R: Read> Entries<R> {
    pub(crate) fn new(tar: R, bounds: Bounds) -> Self {
        Self { tar, bounds, offset: 0, members: 0, content: 0, padding: 0, broken: None }
    }

    /// The next member, what was left of the one before skipped; nothing behind the end mark, when the tar has been
    /// read to its end and nothing but zeros was found there.
    pub(crate) fn next(&mut self) -> Result<Option<RawEntry>, ReadError> {
        let mut pending = Pending::default();
        loop {
            self.skip_content()?;
            let offset = self.offset;
            let mut block = [0; BLOCK_BYTES];
            self.fill(&mut block)?;
            if block.iter().all(|&byte| byte == 0) {
                if pending.any() {
                    return Err(ReadError::Header { offset, fault: EntryFault::Stray });
                }
                self.finish()?;
                return Ok(None);
            }
            self.members += 1;
            if self.members > self.bounds.members {
                return Err(ReadError::TooMany { limit: self.bounds.members });
            }
            let fail = |fault| ReadError::Header { offset, fault };
            let header = Header::check(&block).map_err(fail)?;
            let size = header.number(124..136, "size").map_err(fail)?;
            match header.type_flag() {
                b'x' => {
                    let bytes = self.text(size, MAX_EXTENDED_BYTES as u64).map_err(|e| e.or(fail))?;
                    pending.extend(&bytes).map_err(fail)?;
                }
                b'g' => {
                    // `git archive` leaves its commit in one; anything else would change members unseen.
                    let bytes = self.text(size, MAX_EXTENDED_BYTES as u64).map_err(|e| e.or(fail))?;
                    let records = records(&bytes).map_err(fail)?;
                    if records.keys().any(|key| key != "comment") {
                        return Err(fail(EntryFault::Extended("a global header with more than a comment")));
                    }
                }
                b'L' => {
                    let bytes = self.text(size, MAX_LONG_NAME_BYTES).map_err(|e| e.or(fail))?;
                    pending.name(&bytes).map_err(fail)?;
                }
                b'K' => {
                    let bytes = self.text(size, MAX_LONG_NAME_BYTES).map_err(|e| e.or(fail))?;
                    pending.link(&bytes).map_err(fail)?;
                }
                type_flag => {
                    let entry = pending.apply(&header, type_flag, size).map_err(fail)?;
                    self.declare(entry.size)?;
                    return Ok(Some(entry));
                }
            }
        }
    }

    /// The current member's content.
    pub(crate) fn content(&mut self) -> Content<'_, R> {
        Content { entries: self }
    }

    /// Announces that `size` bytes of content follow.
    fn declare(&mut self, size: u64) -> Result<(), ReadError> {
        let end = size.checked_add(self.offset);
        if end.is_none_or(|end| end > self.bounds.size_bytes) {
            return Err(ReadError::TooLarge { limit_bytes: self.bounds.size_bytes });
        }
        (self.content, self.padding) = (size, padding(size));
        Ok(())
    }

    /// The content of an extended header.
    fn text(&mut self, size: u64, limit: u64) -> Result<Vec<u8>, TextFault> {
        if size > limit {
            return Err(TextFault::Entry(EntryFault::ExtendedSize { size, limit }));
        }
        self.declare(size).map_err(TextFault::Read)?;
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes).map_err(TextFault::Read)?;
        self.content = 0;
        Ok(bytes)
    }

    fn skip_content(&mut self) -> Result<(), ReadError> {
        let mut buffer = [0; 8192];
        let mut left = self.content + self.padding as u64;
        while left > 0 {
            let now = left.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..now])?;
            left -= now as u64;
        }
        (self.content, self.padding) = (0, 0);
        Ok(())
    }

    /// Behind one zero block: another one, then zeros to the end.
    fn finish(&mut self) -> Result<(), ReadError> {
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block)?;
        let mut buffer = vec![0; 64 << 10];
        let mut zeros = block.iter().all(|&byte| byte == 0);
        while zeros {
            let read = self.some(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            if self.offset > self.bounds.size_bytes {
                return Err(ReadError::TooLarge { limit_bytes: self.bounds.size_bytes });
            }
            zeros = buffer[..read].iter().all(|&byte| byte == 0);
        }
        Err(ReadError::BehindEnd { offset: self.offset })
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < buffer.len() {
            match self.some(&mut buffer[done..])? {
                0 => return Err(ReadError::Truncated { offset: self.offset }),
                read => done += read,
            }
        }
        Ok(())
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            match self.tar.read(buffer) {
                Ok(read) => {
                    self.offset += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ReadError::Stream { source }),
            }
        }
    }

    /// Why the last content could not be read to its end, if that is so.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// The reader below, when the last member has been read.
    pub(crate) fn into_inner(self) -> R {
        self.tar
    }
}

/// A fault of the text of an extended header, or of the stream.
enum TextFault {
    Entry(EntryFault),
    Read(ReadError),
}

impl TextFault {
    fn or(self, fail: impl FnOnce(EntryFault) -> ReadError) -> ReadError {
        match self {
            Self::Entry(fault) => fail(fault),
            Self::Read(error) => error,
        }
    }
}

/// The content of the current member, to its declared end; shorter only with an error.
pub(crate) struct Content<'a, R> {
    entries: &'a mut Entries<R>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let now = (buffer.len() as u64).min(self.entries.content) as usize;
        if now == 0 {
            return Ok(0);
        }
        let read = self.entries.tar.read(&mut buffer[..now]).inspect_err(|error| {
            if error.kind() != std::io::ErrorKind::Interrupted {
                self.entries.broken = Some(Broken::Failed);
            }
        })?;
        if read == 0 {
            self.entries.broken = Some(Broken::Truncated { offset: self.entries.offset });
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.entries.offset += read as u64;
        self.entries.content -= read as u64;
        Ok(read)
    }
}

/// A header whose magic and checksum are right.
struct Header<'a> {
    block: &'a [u8; BLOCK_BYTES],
    posix: bool,
}

impl<'a> Header<'a> {
    fn check(block: &'a [u8; BLOCK_BYTES]) -> Result<Self, EntryFault> {
        let posix = match &block[257..265] {
            b"ustar\x0000" => true,
            b"ustar  \0" => false,
            _ => return Err(EntryFault::NotTar),
        };
        let header = Self { block, posix };
        if header.number(148..156, "checksum")? != checksum(block) {
            return Err(EntryFault::Checksum);
        }
        Ok(header)
    }

    fn type_flag(&self) -> u8 {
        self.block[156]
    }

    /// Octal digits between spaces and NULs, or GNU's binary form (first bit set), not negative.
    fn number(&self, range: std::ops::Range<usize>, field: &'static str) -> Result<u64, EntryFault> {
        let bytes = &self.block[range];
        let fault = || EntryFault::Number { field };
        if bytes[0] & 0x80 != 0 {
            // The mark takes the highest bit of the field; what it holds must fit into eight bytes.
            let (mark, rest) = (bytes[0], &bytes[1..]);
            let (high, low) = rest.split_at(rest.len().saturating_sub(8));
            let zero = mark == 0x80 && high.iter().all(|&byte| byte == 0);
            return zero.then(|| low.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))).ok_or_else(fault);
        }
        let start = bytes.iter().position(|&byte| byte != b' ').unwrap_or(bytes.len());
        let digits = &bytes[start..];
        let end = digits.iter().position(|byte| matches!(byte, b' ' | 0)).unwrap_or(digits.len());
        let (digits, rest) = digits.split_at(end);
        if rest.iter().any(|byte| !matches!(byte, b' ' | 0)) {
            return Err(fault());
        }
        digits
            .iter()
            .try_fold(0_u64, |number, &digit| match digit {
                b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
                _ => None,
            })
            .ok_or_else(fault)
    }

    fn text(&self, range: std::ops::Range<usize>) -> &'a [u8] {
        let bytes = &self.block[range];
        &bytes[..bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len())]
    }

    /// Prefix and name; GNU's headers use the prefix's place for other things.
    fn name(&self) -> Vec<u8> {
        let (prefix, name) = (if self.posix { self.text(345..500) } else { b"" }, self.text(0..100));
        match prefix {
            b"" => name.to_vec(),
            _ => [prefix, b"/", name].concat(),
        }
    }
}

/// What extended headers say about the member behind them.
#[derive(Default)]
struct Pending {
    records: Option<BTreeMap<String, Vec<u8>>>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Pending {
    fn any(&self) -> bool {
        self.records.is_some() || self.name.is_some() || self.link.is_some()
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), EntryFault> {
        match self.records.replace(records(bytes)?) {
            Some(_) => Err(EntryFault::Extended("a second one for the same member")),
            None => Ok(()),
        }
    }

    fn name(&mut self, bytes: &[u8]) -> Result<(), EntryFault> {
        match self.name.replace(long_text(bytes)?) {
            Some(_) => Err(EntryFault::Ambiguous),
            None => Ok(()),
        }
    }

    fn link(&mut self, bytes: &[u8]) -> Result<(), EntryFault> {
        match self.link.replace(long_text(bytes)?) {
            Some(_) => Err(EntryFault::Ambiguous),
            None => Ok(()),
        }
    }

    fn apply(self, header: &Header<'_>, type_flag: u8, size: u64) -> Result<RawEntry, EntryFault> {
        let mut entry = RawEntry {
            name: header.name(),
            type_flag,
            link: header.text(157..257).to_vec(),
            // Old writers put the kind of the file into the higher bits.
            mode: (header.number(100..108, "mode")? & 0o7777) as u32,
            uid: owner(header.number(108..116, "uid"), "uid", &self, "uid")?,
            gid: owner(header.number(116..124, "gid"), "gid", &self, "gid")?,
            size,
            mtime: 0,
            user: header.text(265..297).to_vec(),
            group: header.text(297..329).to_vec(),
            xattrs: BTreeMap::new(),
        };
        let mut mtime = None;
        for (key, value) in self.records.unwrap_or_default() {
            let known = !matches!(key.as_str(), "path" | "linkpath" | "size" | "uid" | "gid" | "mtime");
            if value.is_empty() && !known {
                return Err(EntryFault::Extended("an empty value"));
            }
            match key.as_str() {
                "path" if self.name.is_some() => return Err(EntryFault::Ambiguous),
                "linkpath" if self.link.is_some() => return Err(EntryFault::Ambiguous),
                "path" => entry.name = value,
                "linkpath" => entry.link = value,
                "size" => entry.size = extended_size(size, &value)?,
                "mtime" => mtime = Some(seconds(&value).ok_or(EntryFault::Extended("a time that is no number"))?),
                "uname" => entry.user = value,
                "gname" => entry.group = value,
                _ if key.starts_with("GNU.sparse.") => return Err(EntryFault::Sparse),
                _ => {
                    if let Some(name) = key.strip_prefix(XATTR_KEY) {
                        if name.is_empty() || name.contains('\0') {
                            return Err(EntryFault::Extended("an attribute without a proper name"));
                        }
                        entry.xattrs.insert(name.to_owned(), value);
                    }
                }
            }
        }
        if let Some(name) = self.name {
            entry.name = name;
        }
        if let Some(link) = self.link {
            entry.link = link;
        }
        entry.mtime = match mtime {
            Some(mtime) => mtime,
            None => {
                i64::try_from(header.number(136..148, "mtime")?).map_err(|_| EntryFault::Number { field: "mtime" })?
            }
        };
        Ok(entry)
    }
}

/// The owner by the extended header, else by the header.
fn owner(
    header: Result<u64, EntryFault>,
    field: &'static str,
    pending: &Pending,
    key: &str,
) -> Result<u32, EntryFault> {
    let number = match pending.records.as_ref().and_then(|records| records.get(key)) {
        Some(value) => decimal(value).ok_or(EntryFault::Number { field })?,
        None => header?,
    };
    u32::try_from(number).map_err(|_| EntryFault::Number { field })
}

/// The two sizes must be one, except that a header that cannot hold it says zero. A reader that overlooks the extended
/// header would take content for headers (CVE-2025-62518).
fn extended_size(header: u64, value: &[u8]) -> Result<u64, EntryFault> {
    const MAX_OCTAL: u64 = 0o777_7777_7777;
    let extended = decimal(value).ok_or(EntryFault::Number { field: "size" })?;
    if extended == header || (header == 0 && extended > MAX_OCTAL) {
        return Ok(extended);
    }
    Err(EntryFault::SizeDisagrees { header, extended })
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

/// Whole seconds of `-?[0-9]+(\.[0-9]*)?`, rounded down.
fn seconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    if text.starts_with('-') && fraction.bytes().any(|digit| digit != b'0') {
        whole.checked_sub(1)
    } else {
        Some(whole)
    }
}

/// A GNU long text: up to its first NUL, with nothing but NULs behind it.
fn long_text(bytes: &[u8]) -> Result<Vec<u8>, EntryFault> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at(end);
    if text.is_empty() || rest.iter().any(|&byte| byte != 0) {
        return Err(EntryFault::Ambiguous);
    }
    Ok(text.to_vec())
}

/// `LENGTH KEY=VALUE\n` after one another, no key twice.
fn records(mut bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, EntryFault> {
    let mut records = BTreeMap::new();
    while !bytes.is_empty() {
        let fault = EntryFault::Extended("a record that is not `LENGTH KEY=VALUE`");
        let space = bytes.iter().take(8).position(|&byte| byte == b' ').ok_or_else(|| fault.clone())?;
        let length = decimal(&bytes[..space]).and_then(|length| usize::try_from(length).ok());
        let record = length.filter(|&length| length > space + 1).and_then(|length| bytes.get(space + 1..length));
        let Some([body @ .., b'\n']) = record else { return Err(fault) };
        let equals = body.iter().position(|&byte| byte == b'=').filter(|&at| at > 0).ok_or_else(|| fault.clone())?;
        let key = String::from_utf8(body[..equals].to_vec()).map_err(|_| fault)?;
        bytes = &bytes[space + 1 + body.len() + 1..];
        if records.insert(key, body[equals + 1..].to_vec()).is_some() {
            return Err(EntryFault::Extended("a key twice"));
        }
    }
    Ok(records)
}
