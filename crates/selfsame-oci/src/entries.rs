//! Other people's tar, member by member: ustar, POSIX extended headers and GNU long names, every length checked
//! before it is believed. Where two readers could understand a header differently, it is refused.

use std::io::Read;

use selfsame_core::path::PathError;

use crate::dialect::{BLOCK_BYTES, MAX_EXTENDED_BYTES, padding};
use crate::header::{Header, Pending, RawEntry, records};
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
