//! Zip archives, jars, wheels: the central directory, then the contents. Not ZIP64.

use super::nested::{Collector, members, read_bounded, shown};
use crate::cause::{Cause, Guess};
use crate::content::{Finding, Pair, Place};
use crate::escape;
use selfsame_core::Level;

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    let magic = |bytes: &[u8]| bytes.starts_with(b"PK\x03\x04");
    magic(pair.a) && magic(pair.b)
}

struct Entry<'a> {
    name: String,
    /// MS-DOS date and time, two seconds fine, without a zone.
    time: u32,
    method: u16,
    crc: u32,
    size: u32,
    attributes: u32,
    made_by: u16,
    extra: &'a [u8],
    stored: &'a [u8],
}

fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The entries as the central directory lists them (APPNOTE 4.3.12).
fn read(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    const END: usize = 22;
    let tail = bytes.len().saturating_sub(END + usize::from(u16::MAX));
    let end = tail + bytes[tail..].windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let count = le16(bytes, end + 10)?;
    let mut at = usize::try_from(le32(bytes, end + 16)?).ok()?;
    let mut entries = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        if bytes.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let length = |field| le16(bytes, field).map(usize::from);
        let (name, extra, comment) = (length(at + 28)?, length(at + 30)?, length(at + 32)?);
        let stored_size = usize::try_from(le32(bytes, at + 20)?).ok()?;
        let local = usize::try_from(le32(bytes, at + 42)?).ok()?;
        let data = local.checked_add(30 + length(local.checked_add(26)?)? + length(local.checked_add(28)?)?)?;
        entries.push(Entry {
            name: String::from_utf8_lossy(bytes.get(at + 46..at + 46 + name)?).into_owned(),
            time: le32(bytes, at + 12)?,
            method: le16(bytes, at + 10)?,
            crc: le32(bytes, at + 16)?,
            size: le32(bytes, at + 24)?,
            attributes: le32(bytes, at + 38)?,
            made_by: le16(bytes, at + 4)?,
            extra: bytes.get(at + 46 + name..at + 46 + name + extra)?,
            stored: bytes.get(data..data.checked_add(stored_size)?)?,
        });
        at += 46 + name + extra + comment;
    }
    Some(entries)
}

impl Entry<'_> {
    fn moment(&self) -> String {
        let (date, time) = (self.time >> 16, self.time & 0xffff);
        let (year, month, day) = (1980 + (date >> 9), date >> 5 & 15, date & 31);
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time >> 11, time >> 5 & 63, (time & 31) * 2)
    }

    fn content(&self, limit: u64) -> Option<Vec<u8>> {
        match self.method {
            0 => Some(self.stored.to_vec()),
            8 => read_bounded(flate2::read::DeflateDecoder::new(self.stored), limit),
            _ => None,
        }
    }
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (read(pair.a)?, read(pair.b)?);
    let mut collector = Collector::new(pair);
    // A bound for all entries together, so that many small bombs are no large one.
    let mut budget = pair.limits.inflated_bytes;
    let (mut headers, mut contents) = (0, 0);
    let (_, common) = members(
        &mut collector,
        &a,
        &b,
        |entry| &entry.name,
        |collector, x, y| {
            let at = |field: &str| format!("entry {}: {field}", shown(&x.name));
            let other_header = (x.time, x.attributes, x.made_by, x.extra) != (y.time, y.attributes, y.made_by, y.extra);
            collector.field(at("modification time"), x.moment(), y.moment(), || {
                let evidence = format!("entry times {} and {}", x.moment(), y.moment());
                Guess::new(Cause::Timestamp, Level::Deterministic, evidence)
            });
            if x.extra != y.extra {
                // 0x5455 "UT" and 0x7875 "ux" of Info-ZIP: Unix times and owners.
                let guess = if [x.extra, y.extra].iter().all(|extra| extra.starts_with(b"UT")) {
                    Guess::new(Cause::Timestamp, Level::Deterministic, "extra fields with Unix times (`UT`)")
                } else {
                    Guess::unknown("extra fields")
                };
                collector.push(hex_place(at("extra field"), x.extra, y.extra, guess));
            }
            collector.field(at("attributes"), format!("{:08x}", x.attributes), format!("{:08x}", y.attributes), || {
                Guess::mode(x.attributes >> 16 & 0o7777, y.attributes >> 16 & 0o7777)
            });
            collector.field(at("made by"), x.made_by, y.made_by, || Guess::unknown("another system or version of zip"));
            headers += usize::from(other_header);
            if (x.crc, x.size) == (y.crc, y.size) {
                if x.stored != y.stored {
                    let evidence = "the same content by another compressor or level".to_owned();
                    let guess = Guess { cause: Cause::Compressor, evidence, fixed_by: None };
                    collector.push(hex_place(at("compressed form"), x.stored, y.stored, guess));
                    return true;
                }
                return other_header;
            }
            contents += 1;
            let inflated = |entry: &Entry<'_>, budget: &mut u64| {
                let content = entry.content(*budget)?;
                *budget -= (content.len() as u64).min(*budget);
                Some(content)
            };
            match (inflated(x, &mut budget), inflated(y, &mut budget)) {
                (Some(content_a), Some(content_b)) => {
                    collector.inside(&format!("entry {}", shown(&x.name)), &x.name, &content_a, &content_b);
                }
                _ => {
                    let guess = Guess::unknown("the contents differ, and were not unpacked");
                    collector.push(hex_place(at("content"), x.stored, y.stored, guess));
                }
            }
            true
        },
    );
    if collector.is_empty() {
        return None;
    }
    Some(
        collector
            .finish(format!("of {common} entries in both, {headers} have other headers and {contents} other contents")),
    )
}

fn hex_place(at: String, a: &[u8], b: &[u8], guess: Guess) -> Place {
    Place { at, a: escape::hex(a, 32), b: escape::hex(b, 32), guess }
}
