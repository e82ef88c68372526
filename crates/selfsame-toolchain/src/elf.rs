//! What an ELF file needs in order to start: its interpreter and its shared libraries. Reads headers, never code.

use std::io::{self, Read, Seek, SeekFrom};

/// Program headers read. The kernel takes at most 64 KiB of them; real files have a dozen.
const MAX_HEADERS: u16 = 128;
/// Bytes read of the dynamic section: 4096 entries.
const MAX_DYNAMIC: u64 = 64 << 10;
/// Bytes read of the string table that holds the names of libraries. The largest seen (LLVM) is 6 MB.
const MAX_STRINGS: u64 = 64 << 20;
/// Bytes of the interpreter's path (`PATH_MAX`).
const MAX_INTERPRETER: u64 = 4096;

/// The needs of one executable or shared library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    /// Word size and machine: a library only fits if they are equal.
    pub(crate) machine: Machine,
    /// `/lib64/ld-linux-x86-64.so.2`.
    pub(crate) interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub(crate) needed: Vec<String>,
    /// `DT_RUNPATH` and `DT_RPATH`, split at colons, `$ORIGIN` not expanded.
    pub(crate) search: Vec<String>,
}

/// `EI_CLASS`, `EI_DATA` and `e_machine`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Machine {
    class: u8,
    data: u8,
    number: u16,
}

impl Machine {
    /// The folder that Debian's family keeps this machine's libraries in, where there is one.
    pub(crate) const fn multiarch(self) -> Option<&'static str> {
        Some(match (self.number, self.class) {
            (62, 2) => "x86_64-linux-gnu",
            (62, 1) => "x86_64-linux-gnux32",
            (3, _) => "i386-linux-gnu",
            (183, _) => "aarch64-linux-gnu",
            (40, _) => "arm-linux-gnueabihf",
            (243, 2) => "riscv64-linux-gnu",
            (21, _) => "powerpc64le-linux-gnu",
            (22, _) => "s390x-linux-gnu",
            (258, _) => "loongarch64-linux-gnu",
            _ => return None,
        })
    }

    /// The machine that this program was compiled for.
    pub(crate) fn native() -> Self {
        let number = match std::env::consts::ARCH {
            "x86_64" => 62,
            "x86" => 3,
            "aarch64" => 183,
            "arm" => 40,
            "riscv64" => 243,
            "powerpc64" => 21,
            "s390x" => 22,
            "loongarch64" => 258,
            _ => 0,
        };
        Self {
            class: if usize::BITS == 64 { 2 } else { 1 },
            data: if cfg!(target_endian = "little") { 1 } else { 2 },
            number,
        }
    }
}

impl Elf {
    /// Reads the needs of an ELF file.
    ///
    /// Nothing if it is not an executable or shared library, or one whose headers do not hold together: such a file
    /// does not start, so it needs nothing. An error is only the system's.
    pub(crate) fn read(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        match Self::parse(file) {
            Ok(found) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let mut ident = [0; 16];
        file.read_exact(&mut ident)?;
        let [0x7f, b'E', b'L', b'F', class @ (1 | 2), data @ (1 | 2), ..] = ident else { return Ok(None) };
        let wide = class == 2;
        let order = Order { wide, little: data == 1 };
        let header = bytes_at(file, 16, if wide { 48 } else { 36 })?;
        let (kind, number) = (order.half(&header, 0), order.half(&header, 2));
        // ET_EXEC, ET_DYN.
        if !matches!(kind, Some(2 | 3)) {
            return Ok(None);
        }
        let at = if wide { (16, 38, 40) } else { (12, 26, 28) };
        let (Some(offset), Some(size), Some(count)) =
            (order.word(&header, at.0), order.half(&header, at.1), order.half(&header, at.2))
        else {
            return Ok(None);
        };
        let needed_size = if wide { 56 } else { 32 };
        if size < needed_size || size > 256 || count > MAX_HEADERS {
            return Ok(None);
        }
        let table = bytes_at(file, offset, u64::from(size) * u64::from(count))?;
        let segments: Vec<Segment> =
            table.chunks_exact(usize::from(size)).filter_map(|row| Segment::of(row, order)).collect();

        let machine = Machine { class, data, number: number.unwrap_or_default() };
        let mut elf = Self { machine, ..Self::default() };
        if let Some(interpreter) = segments.iter().find(|s| s.kind == Segment::INTERPRETER) {
            let path = bytes_at(file, interpreter.offset, interpreter.size.min(MAX_INTERPRETER))?;
            elf.interpreter = string(&path, 0);
        }
        let Some(dynamic) = segments.iter().find(|s| s.kind == Segment::DYNAMIC) else { return Ok(Some(elf)) };
        let dynamic = bytes_at(file, dynamic.offset, dynamic.size.min(MAX_DYNAMIC))?;
        elf.read_dynamic(file, &dynamic, &segments, order)?;
        Ok(Some(elf))
    }

    fn read_dynamic(
        &mut self,
        file: &mut (impl Read + Seek),
        dynamic: &[u8],
        segments: &[Segment],
        order: Order,
    ) -> io::Result<()> {
        let word = if order.wide { 8 } else { 4 };
        let rows = dynamic.chunks_exact(word * 2).map(|row| (order.word(row, 0), order.word(row, word)));
        let rows: Vec<(u64, u64)> =
            rows.map_while(|(tag, value)| tag.zip(value)).take_while(|(tag, _)| *tag != 0).collect();
        let value = |wanted| rows.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
        // DT_STRTAB is an address; DT_STRSZ its length.
        let (Some(address), Some(size)) = (value(5), value(10)) else { return Ok(()) };
        let Some(offset) = segments.iter().find_map(|segment| segment.offset_of(address)) else { return Ok(()) };
        let strings = bytes_at(file, offset, size.min(MAX_STRINGS))?;
        for (tag, value) in rows {
            // DT_NEEDED, DT_RPATH, DT_RUNPATH.
            let (true, Ok(start)) = (matches!(tag, 1 | 15 | 29), usize::try_from(value)) else { continue };
            let Some(text) = string(&strings, start) else { continue };
            if tag == 1 {
                self.needed.push(text);
            } else {
                self.search.extend(text.split(':').filter(|part| !part.is_empty()).map(str::to_owned));
            }
        }
        Ok(())
    }
}

/// How numbers are laid out in one file.
#[derive(Clone, Copy)]
struct Order {
    wide: bool,
    little: bool,
}

impl Order {
    fn half(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn int(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.wide {
            return self.int(bytes, at).map(u64::from);
        }
        let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(if self.little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }
}

/// One program header.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

impl Segment {
    const LOAD: u32 = 1;
    const DYNAMIC: u32 = 2;
    const INTERPRETER: u32 = 3;

    fn of(row: &[u8], order: Order) -> Option<Self> {
        let (offset, address, size) = if order.wide { (8, 16, 32) } else { (4, 8, 16) };
        Some(Self {
            kind: order.int(row, 0)?,
            offset: order.word(row, offset)?,
            address: order.word(row, address)?,
            size: order.word(row, size)?,
        })
    }

    /// Where in the file an address of this segment is.
    fn offset_of(&self, address: u64) -> Option<u64> {
        let within = address.checked_sub(self.address)?;
        (self.kind == Self::LOAD && within < self.size).then(|| self.offset.checked_add(within))?
    }
}

/// Exactly `length` bytes at `offset`; "unexpected end" if the file has fewer, before anything is allocated.
fn bytes_at(file: &mut (impl Read + Seek), offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let end = file.seek(SeekFrom::End(0))?;
    if offset.checked_add(length).is_none_or(|last| last > end) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The text from `start` to the next NUL, if it is UTF-8.
fn string(bytes: &[u8], start: usize) -> Option<String> {
    let text = bytes.get(start..)?;
    let text = &text[..text.iter().position(|byte| *byte == 0)?];
    String::from_utf8(text.to_vec()).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
