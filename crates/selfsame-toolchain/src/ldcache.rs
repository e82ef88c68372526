//! glibc's `/etc/ld.so.cache`: which file a library's name means.
//!
//! The host's own cache lists every library of the host, so it is never recorded as it is. What is recorded is the
//! same cache with only the libraries that are in the tree, and without the rows for particular CPUs: which library
//! starts then depends on the tree alone. The format is glibc's `cache_file_new`, version 1.1.

/// The magic of the format, 20 bytes.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// The magic of the older format that glibc before 2.32 put in front.
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
/// Bytes of the header: magic, counts, flags, offset of extensions, three unused words.
const HEADER: usize = 48;
/// Bytes of a row: flags, offset of the name, offset of the path, an unused word, CPU features.
const ROW: usize = 24;
/// The largest cache read.
pub(crate) const MAX_BYTES: u64 = 32 << 20;

/// A library's name, the file it means, and of what kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// `libz.so.1`.
    pub(crate) name: String,
    /// `/lib/x86_64-linux-gnu/libz.so.1`.
    pub(crate) path: String,
    /// Word size and machine as glibc encodes them; copied.
    flags: u32,
}

/// The rows of a cache for any CPU, in their order; nothing if it is no such file or its parts do not fit.
pub(crate) fn parse(bytes: &[u8]) -> Option<Vec<Row>> {
    let bytes = if bytes.starts_with(OLD_MAGIC) {
        let old_rows = usize::try_from(word(bytes, 12)?).ok()?;
        // The newer format begins at the next multiple of eight.
        let begin = old_rows.checked_mul(12)?.checked_add(16)?.checked_next_multiple_of(8)?;
        bytes.get(begin..)?
    } else {
        bytes
    };
    if !bytes.starts_with(MAGIC) {
        return None;
    }
    let count = usize::try_from(word(bytes, 20)?).ok()?;
    let table = bytes.get(HEADER..HEADER.checked_add(count.checked_mul(ROW)?)?)?;
    let mut rows = Vec::new();
    for row in table.chunks_exact(ROW) {
        // CPU features beside the plain library: the choice would depend on the machine.
        if row[16..24] != [0; 8] {
            continue;
        }
        let text = |at| string(bytes, usize::try_from(word(row, at)?).ok()?);
        rows.push(Row { flags: word(row, 0)?, name: text(4)?, path: text(8)? });
    }
    Some(rows)
}

/// A cache of these rows, which keep their order: glibc searches by bisection.
pub(crate) fn print(rows: &[Row]) -> Option<Vec<u8>> {
    let strings_at = u32::try_from(HEADER + rows.len() * ROW).ok()?;
    let (mut table, mut strings) = (Vec::new(), Vec::new());
    for row in rows {
        let mut put = |text: &str| {
            let at = strings_at.checked_add(u32::try_from(strings.len()).ok()?)?;
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            Some(at)
        };
        for number in [row.flags, put(&row.name)?, put(&row.path)?, 0, 0, 0] {
            table.extend_from_slice(&number.to_ne_bytes());
        }
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(rows.len()).ok()?.to_ne_bytes());
    bytes.extend_from_slice(&u32::try_from(strings.len()).ok()?.to_ne_bytes());
    // cache_file_new_flags_endian_little or _big, three bytes of padding, no extensions, unused words.
    bytes.extend_from_slice(&[if cfg!(target_endian = "little") { 2 } else { 3 }, 0, 0, 0]);
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(&strings);
    Some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn string(bytes: &[u8], at: usize) -> Option<String> {
    let text = bytes.get(at..)?;
    let text = &text[..text.iter().take(4096).position(|byte| *byte == 0)?];
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, path: &str) -> Row {
        Row { name: name.to_owned(), path: path.to_owned(), flags: 0x0303 }
    }

    #[test]
    fn prints_what_it_parses() {
        let rows = [row("libz.so.1", "/lib/libz.so.1"), row("libc.so.6", "/lib/libc.so.6")];
        let bytes = print(&rows).unwrap();
        assert_eq!(bytes.len(), HEADER + 2 * ROW + 10 + 15 + 10 + 15);
        assert_eq!(parse(&bytes).unwrap(), rows);
    }

    #[test]
    fn reads_behind_the_older_format() {
        let rows = [row("libz.so.1", "/lib/libz.so.1")];
        let mut bytes = OLD_MAGIC.to_vec();
        bytes.extend_from_slice(&1_u32.to_ne_bytes());
        bytes.extend_from_slice(&[0; 12 + 4]);
        bytes.extend_from_slice(&print(&rows).unwrap());
        assert_eq!(parse(&bytes).unwrap(), rows);
    }

    #[test]
    fn leaves_out_rows_for_particular_cpus() {
        let rows = [row("libz.so.1", "/lib/glibc-hwcaps/x86-64-v3/libz.so.1"), row("libz.so.1", "/lib/libz.so.1")];
        let mut bytes = print(&rows).unwrap();
        bytes[HEADER + 23] = 0x40;
        assert_eq!(parse(&bytes).unwrap(), rows[1..]);
    }

    #[test]
    fn damage_is_no_cache_and_no_panic() {
        let bytes = print(&[row("libz.so.1", "/lib/libz.so.1")]).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(parse(&bytes[..length]), None, "cut at {length}");
        }
        let mut many = bytes.clone();
        many[20..24].fill(0xff);
        assert_eq!(parse(&many), None);
        let mut old = OLD_MAGIC.to_vec();
        old.extend_from_slice(&[0xff; 64]);
        assert_eq!(parse(&old), None);
    }
}
