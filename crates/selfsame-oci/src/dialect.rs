//! Profile 1's tar dialect: how one member of a layer is written. Everything here decides bytes; changing any of it
//! changes digests. docs/profile/layer.md says the same in prose.
//!
//! POSIX ustar headers; a POSIX extended header (type `x`) before a member only where ustar cannot hold the member.

use std::collections::BTreeMap;

/// The size of a header, and what contents are padded to.
pub(crate) const BLOCK_BYTES: usize = 512;
/// Two zero blocks end the archive, and nothing follows them.
pub(crate) const END_BYTES: usize = 2 * BLOCK_BYTES;
/// The name of every extended header.
const EXTENDED_NAME: &[u8] = b"././@PaxHeader";
/// Before the name of an extended attribute in an extended header.
pub(crate) const XATTR_KEY: &str = "SCHILY.xattr.";
/// The largest extended header that is written or read.
pub(crate) const MAX_EXTENDED_BYTES: usize = 1 << 20;

/// What eleven octal digits hold: sizes and times.
const MAX_OCTAL_11: u64 = 0o777_7777_7777;
/// What seven octal digits hold: modes and owners.
const MAX_OCTAL_7: u64 = 0o777_7777;

/// Type flags.
pub(crate) const FILE: u8 = b'0';
pub(crate) const HARD_LINK: u8 = b'1';
pub(crate) const SYMLINK: u8 = b'2';
pub(crate) const DIRECTORY: u8 = b'5';
pub(crate) const EXTENDED: u8 = b'x';

/// One member's header, as values.
pub(crate) struct Member<'a> {
    /// With a slash at the end for folders.
    pub(crate) path: &'a str,
    pub(crate) type_flag: u8,
    /// The target of a link, else empty.
    pub(crate) link: &'a str,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Of the content that follows.
    pub(crate) size: u64,
    pub(crate) mtime: u64,
    pub(crate) xattrs: &'a BTreeMap<String, Vec<u8>>,
}

/// Zero bytes that follow a content of `size` bytes.
pub(crate) const fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK_BYTES as u64) as usize
}

impl Member<'_> {
    /// The header, with its extended header before it where it needs one; an error is the size of an extended header
    /// that is too large.
    pub(crate) fn header(&self) -> Result<Vec<u8>, usize> {
        let mut records: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        let mut record = |key: &str, value: &[u8]| {
            records.insert(key.as_bytes().to_vec(), value.to_vec());
        };
        let mut decimal = |key: &str, number: u64, limit: u64| {
            if number > limit {
                record(key, number.to_string().as_bytes());
                return 0;
            }
            number
        };
        let size = decimal("size", self.size, MAX_OCTAL_11);
        let mtime = decimal("mtime", self.mtime, MAX_OCTAL_11);
        let uid = decimal("uid", u64::from(self.uid), MAX_OCTAL_7);
        let gid = decimal("gid", u64::from(self.gid), MAX_OCTAL_7);
        for (name, value) in self.xattrs {
            record(&format!("{XATTR_KEY}{name}"), value);
        }
        let (prefix, name) = split_path(self.path).unwrap_or_else(|| {
            record("path", self.path.as_bytes());
            ("", cut(self.path, 100))
        });
        let link = if self.link.len() > 100 {
            record("linkpath", self.link.as_bytes());
            cut(self.link, 100)
        } else {
            self.link
        };

        let mut header = Vec::with_capacity(BLOCK_BYTES);
        if !records.is_empty() {
            let mut extended = Vec::new();
            for (key, value) in &records {
                push_record(key, value, &mut extended);
            }
            if extended.len() > MAX_EXTENDED_BYTES {
                return Err(extended.len());
            }
            let size = extended.len() as u64;
            header
                .extend_from_slice(&Fields { name: EXTENDED_NAME, mode: 0o644, size, ..Fields::of(EXTENDED) }.block());
            header.extend_from_slice(&extended);
            header.resize(header.len() + padding(size), 0);
        }
        let fields = Fields {
            name: name.as_bytes(),
            prefix: prefix.as_bytes(),
            link: link.as_bytes(),
            type_flag: self.type_flag,
            mode: u64::from(self.mode),
            uid,
            gid,
            size,
            mtime,
        };
        header.extend_from_slice(&fields.block());
        Ok(header)
    }
}

/// One ustar header whose values all fit.
struct Fields<'a> {
    name: &'a [u8],
    prefix: &'a [u8],
    link: &'a [u8],
    type_flag: u8,
    mode: u64,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
}

impl Fields<'_> {
    const fn of(type_flag: u8) -> Self {
        Self { name: b"", prefix: b"", link: b"", type_flag, mode: 0, uid: 0, gid: 0, size: 0, mtime: 0 }
    }

    /// Field offsets and widths from POSIX pax, "ustar Header Block". User and group names and device numbers stay
    /// empty; numbers are zero-filled octal with a NUL behind them; the checksum is six digits, NUL, space.
    fn block(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block[..self.name.len()].copy_from_slice(self.name);
        octal(&mut block[100..107], self.mode);
        octal(&mut block[108..115], self.uid);
        octal(&mut block[116..123], self.gid);
        octal(&mut block[124..135], self.size);
        octal(&mut block[136..147], self.mtime);
        block[156] = self.type_flag;
        block[157..157 + self.link.len()].copy_from_slice(self.link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        octal(&mut block[329..336], 0);
        octal(&mut block[337..344], 0);
        block[345..345 + self.prefix.len()].copy_from_slice(self.prefix);
        let sum = checksum(&block);
        octal(&mut block[148..154], sum);
        block[155] = b' ';
        block
    }
}

/// The sum of all bytes of a header with the checksum field taken for spaces.
pub(crate) fn checksum(block: &[u8; BLOCK_BYTES]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..])
}

fn octal(field: &mut [u8], mut number: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (number % 8) as u8;
        number /= 8;
    }
}

/// `(prefix, name)`: a path of up to 100 bytes is all name; a longer one is cut at the last slash that leaves a
/// prefix of 1 to 155 bytes, if the name behind it has 1 to 100. Otherwise it does not fit.
fn split_path(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    let inner = path.strip_suffix('/').unwrap_or(path).as_bytes();
    let slash = inner[..inner.len().min(156)].iter().rposition(|&byte| byte == b'/')?;
    let (prefix, name) = (&path[..slash], &path[slash + 1..]);
    (!prefix.is_empty() && name.len() <= 100).then_some((prefix, name))
}

/// The longest beginning of at most `limit` bytes that is still UTF-8.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts itself.
fn push_record(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let rest = 1 + key.len() + 1 + value.len() + 1;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    out.extend_from_slice(format!("{length} ").as_bytes());
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_by_one_rule() {
        let deep = format!("{}/{}", "d".repeat(155), "n".repeat(100));
        assert_eq!(split_path(&deep), Some((&deep[..155], &deep[156..])));
        assert_eq!(split_path(&format!("{}/{}", "d".repeat(156), "n".repeat(100))), None);
        assert_eq!(split_path(&format!("{}/{}", "d".repeat(155), "n".repeat(101))), None);
        assert_eq!(split_path(&"n".repeat(101)), None);
        let folder = format!("{}/{}/", "d".repeat(50), "n".repeat(99));
        assert_eq!(split_path(&folder), Some((&folder[..50], &folder[51..])));
        assert_eq!(split_path("a/b"), Some(("", "a/b")));
    }

    #[test]
    fn numbers_beyond_ustar_are_read_again() {
        let xattrs = BTreeMap::new();
        for size in [MAX_OCTAL_11, MAX_OCTAL_11 + 1, 10 << 40] {
            let member = Member {
                path: "a",
                type_flag: FILE,
                link: "",
                mode: 0o644,
                uid: 0o777_7777,
                gid: 0o1000_0000,
                size,
                mtime: size,
                xattrs: &xattrs,
            };
            let header = member.header().unwrap();
            let bounds = crate::entries::Bounds { members: 9, size_bytes: u64::MAX };
            let entry = crate::entries::Entries::new(&header[..], bounds).next().unwrap().unwrap();
            assert_eq!((entry.size, entry.mtime), (size, size as i64));
            assert_eq!((entry.uid, entry.gid), (0o777_7777, 0o1000_0000));
        }
    }

    #[test]
    fn record_lengths_count_themselves() {
        for (value, text) in [("x", "6 k=x\n"), ("xxxx", "9 k=xxxx\n"), ("xxxxx", "11 k=xxxxx\n")] {
            let mut out = Vec::new();
            push_record(b"k", value.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
