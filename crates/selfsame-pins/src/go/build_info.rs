//! What Go writes into the programs that it links: modules with their versions, and its own (`go version -m`).
//!
//! ELF only. The data stands behind a magic number at the start of the section `.go.buildinfo`, or of the first writable
//! segment where a program has lost its section headers. Since Go 1.18 both texts stand right there; before, two pointers
//! to them do.

use std::collections::BTreeSet;
use std::io;

use super::Module;
use crate::zip::ReadAt;

const SECTION: &[u8] = b".go.buildinfo\0";
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The magic number, the size of a pointer, flags, and (since Go 1.18) nothing up to here.
const HEADER_BYTES: usize = 32;
const ALIGNMENT: usize = 16;
/// Flags: big endian; texts stand inline.
const BIG: u8 = 1;
const INLINE: u8 = 2;
/// What frames the list of modules: 16 bytes at each end.
const FRAME_BYTES: usize = 16;

/// How much of a segment without sections is searched; how many headers are read, and how large the names of sections,
/// Go's version and the list of modules may be. Go's own programs have 25 sections and 1 KiB per dozen modules.
const LIMIT_SEARCH: u64 = 1 << 20;
const LIMIT_HEADERS: u16 = 4096;
const LIMIT_NAMES: u64 = 1 << 20;
const LIMIT_VERSION: u64 = 1 << 10;
const LIMIT_MODULES: u64 = 16 << 20;
const LIMIT_COUNT: usize = 50_000;

/// What a program of Go says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// `go1.27.3`
    pub go: String,
    /// The module of the program's main package, as it calls itself; empty where it is of none.
    pub main: String,
    /// The version of that module, unless it was built where it is developed.
    pub main_version: Option<Module>,
    /// The modules that are linked in, each the one that replaces it where one does. What is replaced by a folder has no
    /// version and is none of them.
    pub modules: BTreeSet<Module>,
}

impl BuildInfo {
    /// Reads the program in `file`; nothing if it is none of Go's, or none that can be read. Fails only where reading
    /// does.
    pub fn read(file: &(impl ReadAt + ?Sized)) -> io::Result<Option<Self>> {
        let Some(elf) = Elf::open(file)? else { return Ok(None) };
        let Some(at) = elf.build_info()? else { return Ok(None) };
        let Some(header) = elf.bytes(at, HEADER_BYTES as u64)? else { return Ok(None) };
        let (Some(&pointer), Some(&flags)) = (header.get(14), header.get(15)) else { return Ok(None) };
        let texts = if flags & INLINE == 0 {
            let elf = Elf { wide: pointer == 8, big: flags & BIG != 0, ..elf };
            let first = elf.word(&header, 16);
            let second = elf.word(&header, 16 + elf.word_bytes());
            [elf.pointed(first, LIMIT_VERSION)?, elf.pointed(second, LIMIT_MODULES)?]
        } else {
            let first = elf.counted(at + HEADER_BYTES as u64, LIMIT_VERSION)?;
            let second = match &first {
                Some((_, end)) => elf.counted(*end, LIMIT_MODULES)?,
                None => None,
            };
            [first.map(|(text, _)| text), second.map(|(text, _)| text)]
        };
        let [Some(version), modules] = texts else { return Ok(None) };
        let Some(go) = String::from_utf8(version).ok().filter(|text| !text.is_empty()) else { return Ok(None) };
        let mut found = Self { go, ..Self::default() };
        found.take(&unframed(&modules.unwrap_or_default()));
        Ok(Some(found))
    }

    /// Go's release, as its downloads are numbered: `1.27.3`.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        let release = self.go.strip_prefix("go")?.split(' ').next()?;
        let proper = release.len() <= 64
            && release.starts_with(|c: char| c.is_ascii_digit())
            && release.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
        proper.then_some(release)
    }

    /// Lines of a word and its values, with tabs between: `dep`, `golang.org/x/text`, `v0.14.0`, `h1:...`.
    fn take(&mut self, text: &str) {
        let mut last: Option<Module> = None;
        for line in text.lines().take(LIMIT_COUNT) {
            let mut words = line.split('\t');
            let (Some(word), Some(path)) = (words.next(), words.next()) else { continue };
            let module = Module::new(path, words.next().unwrap_or_default());
            match word {
                "mod" => {
                    path.clone_into(&mut self.main);
                    self.main_version = module;
                    last = None;
                }
                "dep" => {
                    self.modules.extend(last.take());
                    last = module;
                }
                // Of the line before.
                "=>" => last = module,
                _ => {}
            }
        }
        self.modules.extend(last);
    }
}

fn unframed(framed: &[u8]) -> String {
    let end = framed.len().saturating_sub(FRAME_BYTES);
    let text = framed.get(FRAME_BYTES..end).filter(|text| text.last() == Some(&b'\n'));
    text.map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}

/// A program's headers.
struct Elf<'a, F: ?Sized> {
    file: &'a F,
    /// Eight bytes to a word; else four.
    wide: bool,
    big: bool,
    /// The ELF header.
    head: Vec<u8>,
}

/// A part of the file that is loaded.
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
    writable: bool,
}

impl<'a, F: ReadAt + ?Sized> Elf<'a, F> {
    fn open(file: &'a F) -> io::Result<Option<Self>> {
        let mut elf = Self { file, wide: false, big: false, head: Vec::new() };
        let Some(ident) = elf.bytes(0, 16)? else { return Ok(None) };
        let (&[b'\x7f', b'E', b'L', b'F', class @ 1..=2, data @ 1..=2, ..], wide) = (ident.as_slice(), ident[4] == 2)
        else {
            return Ok(None);
        };
        (elf.wide, elf.big) = (class == 2 && wide, data == 2);
        let Some(head) = elf.bytes(0, if wide { 64 } else { 52 })? else { return Ok(None) };
        elf.head = head;
        Ok(Some(elf))
    }

    /// Nothing where the file has no such bytes.
    fn bytes(&self, offset: u64, count: u64) -> io::Result<Option<Vec<u8>>> {
        let end = offset.checked_add(count).filter(|end| *end <= self.file.size_bytes());
        let (Some(_), Ok(count)) = (end, usize::try_from(count)) else { return Ok(None) };
        let mut bytes = vec![0; count];
        self.file.read_exact_at(offset, &mut bytes)?;
        Ok(Some(bytes))
    }

    const fn word_bytes(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// A number of `count` bytes; zero where there are none.
    fn number(&self, bytes: &[u8], at: usize, count: usize) -> u64 {
        let Some(bytes) = at.checked_add(count).and_then(|end| bytes.get(at..end)) else { return 0 };
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        if self.big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    fn word(&self, bytes: &[u8], at: usize) -> u64 {
        self.number(bytes, at, self.word_bytes())
    }

    /// A table of the ELF header, one entry each.
    fn table(&self, offset_at: [usize; 2], size_at: [usize; 2]) -> io::Result<Vec<Vec<u8>>> {
        let choose = |places: [usize; 2]| places[usize::from(self.wide)];
        let offset = self.word(&self.head, choose(offset_at));
        let size = self.number(&self.head, choose(size_at), 2);
        let count = self.number(&self.head, choose(size_at) + 2, 2).min(u64::from(LIMIT_HEADERS));
        // Sizes as the format fixes them; others would be another format.
        if offset == 0 || !(32..=64).contains(&size) {
            return Ok(Vec::new());
        }
        let bytes = self.bytes(offset, size * count)?.unwrap_or_default();
        Ok(bytes.chunks_exact(usize::try_from(size).unwrap_or(64)).map(<[u8]>::to_vec).collect())
    }

    fn segments(&self) -> io::Result<Vec<Segment>> {
        let headers = self.table([28, 32], [42, 54])?;
        let load = headers.iter().filter(|header| self.number(header, 0, 4) == 1);
        let segments = load.map(|header| {
            let [flags, offset, address, size] = if self.wide { [4, 8, 16, 32] } else { [24, 4, 8, 16] };
            Segment {
                address: self.word(header, address),
                offset: self.word(header, offset),
                size: self.word(header, size),
                writable: self.number(header, flags, 4) & 2 != 0,
            }
        });
        Ok(segments.collect())
    }

    /// Where in the file the build information starts.
    fn build_info(&self) -> io::Result<Option<u64>> {
        let sections = self.table([32, 40], [46, 58])?;
        let [offset_at, size_at] = if self.wide { [24, 32] } else { [16, 20] };
        let extent = |header: &[u8]| (self.word(header, offset_at), self.word(header, size_at));
        let names = self.number(&self.head, if self.wide { 62 } else { 50 }, 2);
        let names = usize::try_from(names).ok().and_then(|index| sections.get(index)).map(|header| extent(header));
        let names = match names {
            Some((offset, size)) => self.bytes(offset, size.min(LIMIT_NAMES))?.unwrap_or_default(),
            None => Vec::new(),
        };
        let is_ours = |header: &&Vec<u8>| {
            let name = usize::try_from(self.number(header, 0, 4)).ok().and_then(|at| names.get(at..));
            name.is_some_and(|name| name.starts_with(SECTION))
        };
        if let Some(header) = sections.iter().find(is_ours) {
            let (offset, size) = extent(header);
            return self.search(offset, size);
        }
        let writable = self.segments()?.into_iter().find(|segment| segment.writable);
        writable.map_or(Ok(None), |segment| self.search(segment.offset, segment.size))
    }

    fn search(&self, offset: u64, size: u64) -> io::Result<Option<u64>> {
        let left = self.file.size_bytes().saturating_sub(offset);
        let bytes = self.bytes(offset, size.min(left).min(LIMIT_SEARCH))?.unwrap_or_default();
        let found = bytes.chunks(ALIGNMENT).position(|chunk| chunk.starts_with(MAGIC));
        Ok(found.and_then(|index| offset.checked_add(u64::try_from(index * ALIGNMENT).ok()?)))
    }

    /// A text behind its length (base 128, least significant first), and where it ends.
    fn counted(&self, offset: u64, limit: u64) -> io::Result<Option<(Vec<u8>, u64)>> {
        let left = self.file.size_bytes().saturating_sub(offset);
        let head = self.bytes(offset, left.min(10))?.unwrap_or_default();
        let (mut length, mut digits) = (0_u64, 0);
        for byte in &head {
            length |= u64::from(byte & 0x7f).checked_shl(7 * digits).unwrap_or(0);
            digits += 1;
            if byte & 0x80 == 0 {
                let start = offset + u64::from(digits);
                let text = if length <= limit { self.bytes(start, length)? } else { None };
                return Ok(text.map(|text| (text, start + length)));
            }
        }
        Ok(None)
    }

    /// A text whose address and length stand at an address.
    fn pointed(&self, address: u64, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let segments = self.segments()?;
        let place = |address: u64| {
            segments.iter().find_map(|segment| {
                let within = address.checked_sub(segment.address).filter(|within| *within < segment.size)?;
                segment.offset.checked_add(within)
            })
        };
        let Some(at) = place(address) else { return Ok(None) };
        let Some(header) = self.bytes(at, 2 * self.word_bytes() as u64)? else { return Ok(None) };
        let (text, length) = (self.word(&header, 0), self.word(&header, self.word_bytes()));
        match place(text) {
            Some(at) if length <= limit => self.bytes(at, length),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
