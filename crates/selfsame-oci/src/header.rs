//! One tar header, and the extended headers before it: what they say, and whether they contradict one another.

use std::collections::BTreeMap;

use crate::dialect::{BLOCK_BYTES, XATTR_KEY, checksum};
use crate::entries::EntryFault;

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

impl RawEntry {
    /// What a tree would hold of it in memory.
    pub(crate) fn metadata_bytes(&self) -> u64 {
        let attributes = self.xattrs.iter().map(|(name, value)| name.len() + value.len());
        (self.name.len() + self.link.len() + attributes.sum::<usize>()) as u64
    }
}

/// A header whose magic and checksum are right.
pub(crate) struct Header<'a> {
    block: &'a [u8; BLOCK_BYTES],
    posix: bool,
}

impl<'a> Header<'a> {
    pub(crate) fn check(block: &'a [u8; BLOCK_BYTES]) -> Result<Self, EntryFault> {
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

    pub(crate) fn type_flag(&self) -> u8 {
        self.block[156]
    }

    /// Octal digits between spaces and NULs, or GNU's binary form (first bit set), not negative.
    pub(crate) fn number(&self, range: std::ops::Range<usize>, field: &'static str) -> Result<u64, EntryFault> {
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
pub(crate) struct Pending {
    records: Option<BTreeMap<String, Vec<u8>>>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Pending {
    pub(crate) fn any(&self) -> bool {
        self.records.is_some() || self.name.is_some() || self.link.is_some()
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), EntryFault> {
        match self.records.replace(records(bytes)?) {
            Some(_) => Err(EntryFault::Extended("a second one for the same member")),
            None => Ok(()),
        }
    }

    pub(crate) fn name(&mut self, bytes: &[u8]) -> Result<(), EntryFault> {
        match self.name.replace(long_text(bytes)?) {
            Some(_) => Err(EntryFault::Ambiguous),
            None => Ok(()),
        }
    }

    pub(crate) fn link(&mut self, bytes: &[u8]) -> Result<(), EntryFault> {
        match self.link.replace(long_text(bytes)?) {
            Some(_) => Err(EntryFault::Ambiguous),
            None => Ok(()),
        }
    }

    pub(crate) fn apply(self, header: &Header<'_>, type_flag: u8, size: u64) -> Result<RawEntry, EntryFault> {
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
            let used = matches!(key.as_str(), "path" | "linkpath" | "size" | "uid" | "gid" | "mtime");
            if value.is_empty() && used {
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
pub(crate) fn records(mut bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, EntryFault> {
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
