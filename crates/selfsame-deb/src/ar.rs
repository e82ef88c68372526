//! The outer format of a package: an ar archive with three members.

use std::io::{self, Read};

/// What every ar archive begins with.
const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER_BYTES: usize = 60;

/// What is wrong with an ar archive, as the rest of a sentence about the package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArFault {
    /// Another magic.
    #[error("does not begin as an ar archive does")]
    Magic,
    /// A header that is no header.
    #[error("has no member header at byte {offset}")]
    Header {
        /// Where it should stand.
        offset: u64,
    },
    /// A size that is no decimal number.
    #[error("has a member at byte {offset} whose size is no number")]
    Size {
        /// Where its header stands.
        offset: u64,
    },
    /// It ends within a member.
    #[error("ends at byte {offset}, within a member")]
    Truncated {
        /// Where.
        offset: u64,
    },
}

/// A fault of the archive, or of the stream below.
#[derive(Debug)]
pub(crate) enum ArError {
    Fault(ArFault),
    Stream(io::Error),
}

/// One member's header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// As written, without the spaces or the slash behind it.
    pub(crate) name: Vec<u8>,
    pub(crate) size: u64,
}

/// Reads members one after another.
pub(crate) struct Ar<R> {
    reader: R,
    offset: u64,
    /// Bytes of the current content that were not read.
    left: u64,
    odd: bool,
}

impl<R: Read> Ar<R> {
    pub(crate) fn new(reader: R) -> Result<Self, ArError> {
        let mut ar = Self { reader, offset: 0, left: 0, odd: false };
        let mut magic = [0; MAGIC.len()];
        let got = ar.fill(&mut magic)?;
        if got != magic.len() || &magic != MAGIC {
            return Err(ArError::Fault(ArFault::Magic));
        }
        Ok(ar)
    }

    /// The next member, what was left of the one before skipped.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, ArError> {
        let mut buffer = [0; 16 << 10];
        while self.left > 0 {
            let now = self.left.min(buffer.len() as u64) as usize;
            if self.fill(&mut buffer[..now])? < now {
                return Err(ArError::Fault(ArFault::Truncated { offset: self.offset }));
            }
            self.left -= now as u64;
        }
        // Contents of odd length are filled up with a newline; behind the last one some writers leave it out.
        let offset = self.offset;
        if std::mem::take(&mut self.odd) {
            let mut newline = [0; 1];
            match self.fill(&mut newline)? {
                0 => return Ok(None),
                _ if newline == *b"\n" => {}
                _ => return Err(ArError::Fault(ArFault::Header { offset })),
            }
        }
        let offset = self.offset;
        let mut header = [0; HEADER_BYTES];
        let got = self.fill(&mut header)?;
        if got == 0 {
            return Ok(None);
        }
        if got < HEADER_BYTES || &header[58..] != b"`\n" {
            return Err(ArError::Fault(ArFault::Header { offset }));
        }
        let size = decimal(&header[48..58]).ok_or(ArError::Fault(ArFault::Size { offset }))?;
        let name = trimmed(&header[..16]);
        let name = name.strip_suffix(b"/").unwrap_or(name).to_vec();
        (self.left, self.odd) = (size, size % 2 == 1);
        Ok(Some(Member { name, size }))
    }

    /// The current member's content; an error where the archive ends before it does.
    pub(crate) fn content(&mut self) -> Content<'_, R> {
        Content { ar: self }
    }

    /// As many bytes as there are, up to the buffer's length.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ArError> {
        let mut done = 0;
        while done < buffer.len() {
            match self.reader.read(&mut buffer[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArError::Stream(error)),
            }
        }
        self.offset += done as u64;
        Ok(done)
    }
}

/// The content of the current member.
pub(crate) struct Content<'a, R> {
    ar: &'a mut Ar<R>,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = (buffer.len() as u64).min(self.ar.left) as usize;
        if now == 0 {
            return Ok(0);
        }
        let read = self.ar.reader.read(&mut buffer[..now])?;
        if read == 0 {
            let fault = ArFault::Truncated { offset: self.ar.offset };
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, fault));
        }
        self.ar.offset += read as u64;
        self.ar.left -= read as u64;
        Ok(read)
    }
}

fn trimmed(field: &[u8]) -> &[u8] {
    let end = field.iter().rposition(|&byte| byte != b' ').map_or(0, |last| last + 1);
    &field[..end]
}

fn decimal(field: &[u8]) -> Option<u64> {
    let digits = trimmed(field);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
