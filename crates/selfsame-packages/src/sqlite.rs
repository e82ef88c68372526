//! One table of an SQLite file, read from bytes: no query, no index, no journal (sqlite.org, "Database File Format").
//!
//! Believes nothing: every page number, offset and length is checked before it is used, a page is visited once, and what is
//! allocated is bounded by the file's size.

use std::collections::BTreeSet;

/// Deeper than any table of 4 GiB.
const DEPTH: usize = 20;
/// A table's page that points to others, and one that holds rows.
const INTERIOR: u8 = 5;
const LEAF: u8 = 13;

/// What is wrong with the file, as the rest of a sentence about it.
pub(crate) type Fault = &'static str;

/// A value of a row. Numbers other than integers, and texts, are as blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Bytes(Vec<u8>),
}

/// A file.
pub(crate) struct Sqlite<'a> {
    bytes: &'a [u8],
    page_bytes: usize,
    /// Of a page, without what is reserved at its end.
    usable_bytes: usize,
}

/// What a walk has seen: its pages, and how much room the file has left for rows. Rows that share a page would make a
/// small file large.
struct Seen {
    pages: BTreeSet<u32>,
    room: usize,
}

impl<'a> Sqlite<'a> {
    /// Checks the file's header.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        if !bytes.starts_with(b"SQLite format 3\0") || bytes.len() < 100 {
            return Err("is not an SQLite file");
        }
        let page_bytes = match u16::from_be_bytes([bytes[16], bytes[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        let usable_bytes = page_bytes.saturating_sub(usize::from(bytes[20]));
        if page_bytes < 512 || !page_bytes.is_power_of_two() || usable_bytes < 480 {
            return Err("has a page size that is none");
        }
        Ok(Self { bytes, page_bytes, usable_bytes })
    }

    /// Every row of the table, in the order of its keys, to `take`.
    pub(crate) fn table(&self, name: &str, mut take: impl FnMut(Vec<Value>) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut root = None;
        self.rows(1, &mut |row| {
            let is = |at: usize, text: &str| row.get(at) == Some(&Value::Bytes(text.as_bytes().to_vec()));
            if is(0, "table")
                && is(1, name)
                && let Some(Value::Integer(page)) = row.get(3)
            {
                root = u32::try_from(*page).ok();
            }
            Ok(())
        })?;
        self.rows(root.ok_or("has no such table")?, &mut take)
    }

    fn rows(&self, root: u32, take: &mut impl FnMut(Vec<Value>) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut seen = Seen { pages: BTreeSet::new(), room: self.bytes.len() };
        self.walk(root, 0, &mut seen, take)
    }

    fn walk(
        &self,
        number: u32,
        depth: usize,
        seen: &mut Seen,
        take: &mut impl FnMut(Vec<Value>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth > DEPTH || !seen.pages.insert(number) {
            return Err("has pages that lead in a circle");
        }
        let page = self.page(number)?;
        // The first page begins with the file's header.
        let header = if number == 1 { 100 } else { 0 };
        let count = usize::from(short(page, header + 3)?);
        let cells = match byte(page, header)? {
            INTERIOR => header + 12,
            LEAF => header + 8,
            _ => return Err("has a page that is no part of a table"),
        };
        for cell in 0..count {
            let at = usize::from(short(page, cells + cell * 2)?);
            if byte(page, header)? == INTERIOR {
                self.walk(long(page, at)?, depth + 1, seen, take)?;
            } else {
                take(self.row(page, at, &mut seen.room)?)?;
            }
        }
        if byte(page, header)? == INTERIOR {
            self.walk(long(page, header + 8)?, depth + 1, seen, take)?;
        }
        Ok(())
    }

    /// The row of a cell: the length of its payload, its key, the payload's beginning, and the page where it goes on.
    fn row(&self, page: &[u8], mut at: usize, room: &mut usize) -> Result<Vec<Value>, Fault> {
        let size = usize::try_from(varint(page, &mut at)?).map_err(|_| "has a row that is too large")?;
        let key = varint(page, &mut at)?;
        let usable = self.usable_bytes;
        let local = if size <= usable - 35 {
            size
        } else {
            let least = (usable - 12) * 32 / 255 - 23;
            let some = least + (size - least) % (usable - 4);
            if some <= usable - 35 { some } else { least }
        };
        *room = room.checked_sub(size).ok_or("has rows that are larger than the file")?;
        let mut payload = Vec::with_capacity(size);
        payload.extend_from_slice(page.get(at..at + local).ok_or("has a row behind the end of its page")?);
        let mut next = if local < size { long(page, at + local)? } else { 0 };
        while payload.len() < size {
            // As many pages as the payload needs: a circle ends there.
            let more = self.page(next)?;
            next = long(more, 0)?;
            let now = (size - payload.len()).min(usable - 4);
            payload.extend_from_slice(more.get(4..4 + now).ok_or("has a row behind the end of its page")?);
        }
        values(&payload, key)
    }

    fn page(&self, number: u32) -> Result<&'a [u8], Fault> {
        let start = (number as usize).checked_sub(1).and_then(|before| before.checked_mul(self.page_bytes));
        let page = start.and_then(|start| self.bytes.get(start..start.checked_add(self.page_bytes)?));
        page.ok_or("names a page that it does not have")
    }
}

/// The values of a payload: the length of its header, a type each, then the values. A key that is a column stands as
/// nothing.
fn values(payload: &[u8], key: u64) -> Result<Vec<Value>, Fault> {
    let mut at = 0;
    let end = usize::try_from(varint(payload, &mut at)?).unwrap_or(usize::MAX);
    if end > payload.len() {
        return Err("has a row whose header is longer than itself");
    }
    let mut values = Vec::new();
    let mut value_at = end;
    while at < end {
        let kind = varint(payload, &mut at)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err("has a value of a type that there is not"),
            _ => usize::try_from((kind - 12) / 2).unwrap_or(usize::MAX),
        };
        let bytes = value_at.checked_add(length).and_then(|value_end| payload.get(value_at..value_end));
        let bytes = bytes.ok_or("has a value behind the end of its row")?;
        value_at += length;
        values.push(match kind {
            0 => Value::Null,
            1..=6 => Value::Integer(integer(bytes)),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            _ => Value::Bytes(bytes.to_vec()),
        });
    }
    // The key of the table is a column that rows leave empty.
    if let Some(first @ Value::Null) = values.first_mut() {
        *first = Value::Integer(key.cast_signed());
    }
    Ok(values)
}

/// Two's complement, big end first.
fn integer(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|&first| first >= 0x80) { -1 } else { 0 };
    bytes.iter().fold(start, |value: i64, &byte| value << 8 | i64::from(byte))
}

/// Seven bits a byte, big end first, the ninth byte whole.
fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Fault> {
    let mut value = 0_u64;
    for place in 0..9 {
        let byte = byte(bytes, *at)?;
        *at += 1;
        if place == 8 {
            return Ok(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            break;
        }
    }
    Ok(value)
}

const END: Fault = "has a number behind the end of its page";

fn byte(bytes: &[u8], at: usize) -> Result<u8, Fault> {
    bytes.get(at).copied().ok_or(END)
}

fn short(bytes: &[u8], at: usize) -> Result<u16, Fault> {
    bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]])).ok_or(END)
}

fn long(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    bytes.get(at..at + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])).ok_or(END)
}
