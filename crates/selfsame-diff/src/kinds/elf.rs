//! ELF programs, libraries and objects, section by section. Reads the section table itself, with every offset checked.

use std::collections::BTreeMap;

use super::bytes::first_difference;
use super::nested::{Collector, shown};
use crate::cause::{Cause, Guess, Setting, runs};
use crate::content::{Finding, Pair};
use crate::escape;
use selfsame_core::Level;

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    let magic = |bytes: &[u8]| bytes.starts_with(b"\x7fELF");
    magic(pair.a) && magic(pair.b)
}

/// A section's name and bytes; `SHT_NOBITS` has none.
struct Section<'a> {
    name: String,
    bytes: &'a [u8],
}

/// Little helper for both classes and byte orders.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    big: bool,
}

impl Reader<'_> {
    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let field = self.bytes.get(at..at.checked_add(size)?)?;
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big { field.iter().fold(0, fold) } else { field.iter().rev().fold(0, fold) })
    }

    fn offset(&self, at: usize) -> Option<usize> {
        usize::try_from(self.number(at, if self.wide { 8 } else { 4 })?).ok()
    }
}

/// The sections in file order of the table (ELF gABI, "Sections").
fn sections(bytes: &[u8]) -> Option<Vec<Section<'_>>> {
    const NOBITS: u64 = 8;
    let reader = Reader { bytes, wide: *bytes.get(4)? == 2, big: *bytes.get(5)? == 2 };
    let wide = reader.wide;
    let table = reader.offset(if wide { 0x28 } else { 0x20 })?;
    let entry_size = usize::try_from(reader.number(if wide { 0x3a } else { 0x2e }, 2)?).ok()?;
    let count = usize::try_from(reader.number(if wide { 0x3c } else { 0x30 }, 2)?).ok()?;
    let names_index = usize::try_from(reader.number(if wide { 0x3e } else { 0x32 }, 2)?).ok()?;
    if table == 0 || count == 0 || entry_size < if wide { 64 } else { 40 } {
        return None;
    }
    let head = |index: usize| table.checked_add(index.checked_mul(entry_size)?);
    let body = |index: usize| -> Option<&[u8]> {
        let at = head(index)?;
        if reader.number(at + 4, 4)? == NOBITS {
            return Some(b"");
        }
        let (offset, size) = (if wide { 0x18 } else { 0x10 }, if wide { 0x20 } else { 0x14 });
        let start = reader.offset(at + offset)?;
        bytes.get(start..start.checked_add(reader.offset(at + size)?)?)
    };
    let names = body(names_index)?;
    let mut sections = Vec::with_capacity(count);
    for index in 0..count {
        let name_at = usize::try_from(reader.number(head(index)?, 4)?).ok()?;
        let name = names.get(name_at..)?.iter().take(256).take_while(|b| **b != 0).copied().collect::<Vec<u8>>();
        sections.push(Section { name: String::from_utf8_lossy(&name).into_owned(), bytes: body(index)? });
    }
    Some(sections)
}

const BUILD_ID: &str = ".note.gnu.build-id";

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (keyed(sections(pair.a)?), keyed(sections(pair.b)?));
    let mut collector = Collector::new(pair);
    let mut differing = Vec::new();
    let keys: std::collections::BTreeSet<&(String, usize)> = a.keys().chain(b.keys()).collect();
    for key in keys {
        match (a.get(key), b.get(key)) {
            (Some(x), Some(y)) if x == y => {}
            (Some(x), Some(y)) => differing.push((key.0.as_str(), *x, *y)),
            (x, _) => {
                let side = if x.is_some() { "left" } else { "right" };
                let (in_a, in_b) = if x.is_some() { ("present", "absent") } else { ("absent", "present") };
                let guess = Guess::unknown(format!("only the {side} one has the section"));
                collector.push(pair.place(
                    format!("section {}", shown(&key.0)),
                    in_a.as_bytes(),
                    in_b.as_bytes(),
                    guess,
                ));
            }
        }
    }
    // Sections that hold texts tell most, so they come first; what the linker computes comes last.
    differing.sort_by_key(|(name, ..)| (telling(name), *name));
    let alone = differing.len() == 1 && collector.is_empty();
    let mut summary = Vec::new();
    for (name, x, y) in &differing {
        summary.push(if x.len() == y.len() {
            format!("{} ({} of {} bytes)", shown(name), x.iter().zip(*y).filter(|(p, q)| p != q).count(), x.len())
        } else {
            format!("{} ({} and {} bytes)", shown(name), x.len(), y.len())
        });
        if *name == BUILD_ID {
            build_id(&mut collector, x, y, alone, !a.contains_key(&(".symtab".to_owned(), 0)));
        } else {
            // What texts differ may move and change the rest.
            let explained = telling(name) > TEXTS && differing.iter().any(|(other, ..)| telling(other) == TEXTS);
            section(pair, &mut collector, name, (x, y), explained);
        }
    }
    let equal = a.len().min(b.len()).saturating_sub(differing.len());
    if differing.is_empty() && collector.is_empty() {
        let at = first_difference(pair.a, pair.b);
        let guess = Guess::unknown("outside of all sections: headers or padding");
        collector.push(super::bytes::place_or_end(pair, at, guess));
        return Some(collector.finish(format!("all {equal} sections are equal; headers or padding differ")));
    }
    let rest = if summary.len() > 6 { format!(" and {} more", summary.len() - 6) } else { String::new() };
    summary.truncate(6);
    Some(collector.finish(format!("sections {}{rest}; {equal} equal", summary.join(", "))))
}

fn keyed(sections: Vec<Section<'_>>) -> BTreeMap<(String, usize), &[u8]> {
    let mut keyed: BTreeMap<(String, usize), &[u8]> = BTreeMap::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for section in sections {
        let name = without_hashes(&section.name);
        let count = seen.entry(name.clone()).or_insert(0);
        keyed.insert((name, *count), section.bytes);
        *count += 1;
    }
    keyed
}

/// A section's name with long numbers and hashes as `#`: compilers put hashes of paths into names of sections.
fn without_hashes(name: &str) -> String {
    const SHORTEST_HASH: usize = 12;
    let hash = |word: &str| word.len() >= SHORTEST_HASH && word.bytes().all(|b| b.is_ascii_hexdigit());
    name.split('.').map(|word| if hash(word) { "#" } else { word }).collect::<Vec<_>>().join(".")
}

/// What [`telling`] says of sections that hold texts.
const TEXTS: u8 = 0;
/// What [`telling`] says of tables that name or point at the rest.
const TABLES: u8 = 3;

fn telling(name: &str) -> u8 {
    match name {
        ".rodata" | ".data" | ".comment" | ".debug_line_str" | ".debug_str" | ".data.rel.ro" => TEXTS,
        _ if name.starts_with(".rodata.") || name.starts_with(".data.") => TEXTS,
        _ if name.starts_with(".debug_") => 2,
        BUILD_ID | ".gnu_debuglink" => 4,
        ".symtab" | ".strtab" | ".shstrtab" | ".dynsym" | ".dynstr" => TABLES,
        _ if name.starts_with(".rel") => TABLES,
        _ => 1,
    }
}

/// A build id is a hash of the other sections (20 bytes: SHA-1, the default; 16: MD5), unless the linker was told to
/// draw one (16 bytes). What was stripped since was hashed too.
fn build_id(collector: &mut Collector<'_>, a: &[u8], b: &[u8], alone: bool, stripped: bool) {
    // The note: three words, then `GNU\0`, then the id.
    let id = |note: &[u8]| note.get(16..).unwrap_or(note).to_vec();
    let (id_a, id_b) = (id(a), id(b));
    let bytes = id_a.len();
    let guess = if !alone {
        Guess::derived("the build id is a hash of the other sections")
    } else if bytes == 16 {
        let evidence = "16 bytes, and all other sections are equal: `--build-id=uuid` draws such an id";
        Guess::new(Cause::BuildId, Level::Deterministic, evidence)
    } else if stripped {
        Guess::opaque(format!("{bytes} bytes, and all other sections are equal: a hash of what was stripped since"))
    } else {
        Guess::opaque(format!("{bytes} bytes, and all other sections are equal: not a hash of them"))
    };
    collector.push(crate::Place {
        at: format!("note {BUILD_ID}"),
        a: escape::hex(&id_a, 32),
        b: escape::hex(&id_b, 32),
        guess,
    });
}

/// One place for each stretch of text that differs, or one for the first byte that does.
fn section(pair: &Pair<'_>, collector: &mut Collector<'_>, name: &str, (a, b): (&[u8], &[u8]), explained: bool) {
    const MOST_STRINGS: usize = 4;
    let at = first_difference(a, b);
    let name = shown(name);
    if name == ".gnu_debuglink" {
        collector.push(pair.place(name, a, b, Guess::derived("it holds a checksum of the split debug information")));
        return;
    }
    let strings = differing_strings(a, b, MOST_STRINGS);
    for (offset, x, y) in &strings {
        let runs = runs(x, y);
        for run in &runs {
            let mut guess = Guess::of_run(x, y, run, pair.known, Setting::Program);
            if guess.cause == Cause::Unknown && telling(&name) == TABLES {
                guess = Guess::derived("names of symbols and sections follow from the code");
            }
            let at = format!("{name} + {}", offset + run.a.start);
            // One difference is shown with the text it stands in; several by themselves.
            let (show_a, show_b) = if runs.len() == 1 { (*x, *y) } else { (&x[run.a.clone()], &y[run.b.clone()]) };
            collector.push(pair.place(at, show_a, show_b, guess));
        }
    }
    if strings.is_empty() {
        let window = |bytes: &[u8]| escape::hex(bytes.get(at..).unwrap_or_default(), 16);
        let told = (a.len() == b.len()).then(|| Guess::of_bytes(a, b, at, pair.known));
        let guess = match told {
            // In code and tables, many four bytes look like a time.
            Some(guess)
                if guess.cause != Cause::Unknown && (telling(&name) == TEXTS || guess.cause != Cause::Timestamp) =>
            {
                guess
            }
            _ if explained => Guess::derived("code, addresses or sizes differ where texts do"),
            _ => Guess::unknown("the texts are equal and the bytes differ: another compiler, flags, or order of work"),
        };
        collector.push(crate::Place { at: format!("{name} + {at}"), a: window(a), b: window(b), guess });
    }
}

/// Strings that stand at the same place in the order of a section's strings and differ: offset and both texts.
fn differing_strings<'a>(a: &'a [u8], b: &'a [u8], most: usize) -> Vec<(usize, &'a [u8], &'a [u8])> {
    let (strings_a, strings_b) = (strings(a), strings(b));
    if strings_a.len() != strings_b.len() {
        // Something was added or left out: only the first that differs can be trusted.
        let first = strings_a.iter().zip(&strings_b).find(|(x, y)| x.1 != y.1);
        return first.map(|(x, y)| (x.0, x.1, y.1)).into_iter().collect();
    }
    let differing = strings_a.into_iter().zip(strings_b).filter(|(x, y)| x.1 != y.1);
    differing.map(|(x, y)| (x.0, x.1, y.1)).take(most).collect()
}

/// Runs of six or more printable bytes.
fn strings(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    const SHORTEST: usize = 6;
    let printable = |b: &u8| matches!(b, b' '..=b'~' | b'\t');
    let mut strings = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|b| printable(b)).count();
        if length >= SHORTEST {
            strings.push((at, &bytes[at..at + length]));
        }
        at += length + 1;
    }
    strings
}
