//! What a package of npm or a source archive of Python says about itself: one file of a tar with gzip around it.
//!
//! Nothing is unpacked, and yet the whole is read: whoever unpacks takes the last of two files of one name, follows extended
//! headers and reads on behind what others take for the end. Where such readers would see another file than this one does,
//! and where a name leads out of the package, it is refused.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use tar::EntryType;

/// The largest tar, what stands in it together.
const TAR_BYTES: u64 = 4 << 30;
/// Beyond 256 MiB, how many times larger than the archive it may be.
const RATIO: u64 = 200;
const FREE_BYTES: u64 = 256 << 20;
/// The most entries, extended headers among them.
const ENTRIES: u64 = 400_000;
/// Long names and extended headers of one entry.
const EXTENSION_BYTES: u64 = 1 << 20;
/// The largest file that is looked for.
const FILE_BYTES: u64 = 8 << 20;

/// What extended headers say about the entry that follows.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    size: Option<u64>,
}

/// The content of `FOLDER/FILE`, whatever the folder is called. Nothing if there is no such file; an error is the rest of a
/// sentence about the package.
pub(crate) fn file_of(packed: impl Read, packed_bytes: u64, file: &str) -> Result<Option<Vec<u8>>, String> {
    let mut packed = io::BufReader::with_capacity(64 << 10, packed);
    let allowed_bytes = TAR_BYTES.min(FREE_BYTES.max(packed_bytes.saturating_mul(RATIO)));
    let mut left = Left { inner: GzDecoder::new(&mut packed), left: allowed_bytes, exceeded: false };
    let found = search(&mut left, file);
    if left.exceeded {
        return Err(format!("holds more than {allowed_bytes} bytes, too many for its own size"));
    }
    let found = found?;
    // Behind the end mark too, for gzip's own checksum.
    let rest = io::copy(&mut left, &mut io::sink());
    if left.exceeded {
        return Err(format!("holds more than {allowed_bytes} bytes, too many for its own size"));
    }
    rest.map_err(damaged)?;
    match behind_zeros(&mut packed).map_err(damaged)? {
        Some(0x1f) => Err("has a second gzip member, which some readers do not see".to_owned()),
        _ => Ok(found),
    }
}

/// The first byte that is not zero: some readers pass over zeros and go on with what follows them.
fn behind_zeros(packed: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let buffer = packed.fill_buf()?;
        if let Some(byte) = buffer.iter().find(|byte| **byte != 0) {
            return Ok(Some(*byte));
        }
        let length = buffer.len();
        if length == 0 {
            return Ok(None);
        }
        packed.consume(length);
    }
}

fn search(tar: &mut impl Read, file: &str) -> Result<Option<Vec<u8>>, String> {
    let mut archive = tar::Archive::new(tar);
    let mut found: Option<Vec<u8>> = None;
    let mut extensions = Extensions::default();
    let mut count = 0;
    // Raw: names of any length would be read into memory otherwise.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        count += 1;
        if count > ENTRIES {
            return Err(format!("has more than {ENTRIES} entries"));
        }
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => {
                let mut name = extension(&mut entry)?;
                name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
                extensions.path = Some(name);
                continue;
            }
            EntryType::GNULongLink => continue,
            EntryType::XHeader | EntryType::XGlobalHeader => {
                let records = extension(&mut entry)?;
                read_records(&records, kind == EntryType::XGlobalHeader, &mut extensions)?;
                continue;
            }
            _ => {}
        }
        let Extensions { path, size } = std::mem::take(&mut extensions);
        let name = path.unwrap_or_else(|| entry.path_bytes().into_owned());
        let shown = || String::from_utf8_lossy(&name).chars().take(200).collect::<String>().escape_debug().to_string();
        let stated = entry.header().entry_size().map_err(damaged)?;
        if size.is_some_and(|size| size != stated) {
            return Err(format!("has two sizes of `{}`, and readers disagree about which one counts", shown()));
        }
        let what = match kind {
            EntryType::Char | EntryType::Block => Some("a device"),
            EntryType::Fifo => Some("a FIFO"),
            EntryType::GNUSparse => Some("a sparse file"),
            _ => None,
        };
        if let Some(what) = what {
            return Err(format!("has `{}`, which is {what}", shown()));
        }
        let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
        if name.starts_with(b"/") || parts.contains(&b"..".as_slice()) {
            return Err(format!("has `{}`, a name that leads out of it", shown()));
        }
        if parts.len() != 2
            || parts[1] != file.as_bytes()
            || !matches!(kind, EntryType::Regular | EntryType::Continuous)
        {
            continue;
        }
        let mut content = Vec::new();
        entry.take(FILE_BYTES + 1).read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 > FILE_BYTES {
            return Err(format!("has a {file} of more than {FILE_BYTES} bytes"));
        }
        match &found {
            Some(first) if *first != content => return Err(format!("has two files {file} that differ")),
            _ => found = Some(content),
        }
    }
    Ok(found)
}

/// The content of a header that describes the next entry.
fn extension(entry: &mut impl Read) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    entry.take(EXTENSION_BYTES + 1).read_to_end(&mut content).map_err(damaged)?;
    if content.len() as u64 > EXTENSION_BYTES {
        return Err(format!("has an extended header of more than {EXTENSION_BYTES} bytes"));
    }
    Ok(content)
}

/// PAX records, `LENGTH KEY=VALUE\n` each: those that change what the next entry is.
fn read_records(records: &[u8], global: bool, extensions: &mut Extensions) -> Result<(), String> {
    let mut rest = records;
    while !rest.is_empty() {
        let record = crate::archive::pax_record(rest);
        let (key, value, length) = record.ok_or("has an extended header that cannot be read")?;
        rest = &rest[length..];
        match key {
            b"path" | b"size" if global => return Err("sets a name or size for all entries that follow".to_owned()),
            b"path" => extensions.path = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                extensions.size = Some(size.ok_or("has an extended header with a size that is not a number")?);
            }
            key if key.starts_with(b"GNU.sparse.") => return Err("has a sparse file".to_owned()),
            _ => {}
        }
    }
    Ok(())
}

fn damaged(error: io::Error) -> String {
    format!("is damaged: {error}")
}

/// Lets so many bytes through.
struct Left<R> {
    inner: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Left<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded = true;
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const GOOD: &[u8] = b"{\"license\":\"MIT\"}";
    const OTHER: &[u8] = b"{\"license\":\"X11\"}";

    fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(EntryType::new(kind));
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn packed(members: &[Vec<u8>]) -> Vec<u8> {
        gzip(&[members.concat(), vec![0; 1024]].concat())
    }

    fn read(packed: &[u8]) -> Result<Option<Vec<u8>>, String> {
        file_of(packed, packed.len() as u64, "package.json")
    }

    #[track_caller]
    fn refused(members: &[Vec<u8>], because: &str) {
        let mut all = vec![member("package/package.json", b'0', GOOD)];
        all.extend_from_slice(members);
        let fault = read(&packed(&all)).expect_err(because);
        assert!(fault.contains(because), "{fault}");
    }

    fn pax(key: &str, value: &str) -> Vec<u8> {
        let rest = format!(" {key}={value}\n");
        let length = (rest.len()..).find(|length| format!("{length}{rest}").len() == *length).unwrap();
        member("PaxHeader", b'x', format!("{length}{rest}").as_bytes())
    }

    #[test]
    fn the_file_is_found_below_any_folder() {
        for name in ["package/package.json", "./x/package.json", "package//./package.json"] {
            assert_eq!(read(&packed(&[member(name, b'0', GOOD)])).unwrap().as_deref(), Some(GOOD), "{name}");
        }
        let long = [pax("path", "package/package.json"), member("x", b'0', GOOD)];
        assert_eq!(read(&packed(&long)).unwrap().as_deref(), Some(GOOD));
        for none in ["package.json", "package/lib/package.json", "package/package.json/"] {
            assert_eq!(
                read(&packed(&[member(none, b'0', GOOD)])).is_ok_and(|found| found.is_some()),
                none.ends_with('/')
            );
        }
        // Twice the same is one.
        let twice = [member("a/package.json", b'0', GOOD), member("a/package.json", b'0', GOOD)];
        assert_eq!(read(&packed(&twice)).unwrap().as_deref(), Some(GOOD));
    }

    #[test]
    fn a_second_file_that_others_would_take() {
        refused(&[member("package/package.json", b'0', OTHER)], "has two files package.json that differ");
        refused(&[member("other/package.json", b'0', OTHER)], "has two files package.json that differ");
        refused(&[pax("path", "package/package.json"), member("x", b'0', OTHER)], "that differ");
        let long = member("././@LongLink", b'L', b"package/package.json\0");
        refused(&[long, member("x", b'0', OTHER)], "that differ");
        refused(&[pax("size", "3"), member("package/x", b'0', OTHER)], "has two sizes of `package/x`");
        refused(&[member("PaxHeader", b'g', b"14 path=a/b c\n")], "for all entries that follow");
        refused(&[member("PaxHeader", b'x', b"99 path=a\n")], "an extended header that cannot be read");
        let second = packed(&[member("package/package.json", b'0', GOOD)]);
        for zeros in [0, 1, 512, 200_000] {
            let zeros = vec![0; zeros];
            let both = [second.as_slice(), &zeros, &packed(&[member("package/package.json", b'0', OTHER)])].concat();
            assert!(read(&both).unwrap_err().contains("a second gzip member"), "behind {} zeros", zeros.len());
        }
    }

    #[test]
    fn names_that_lead_out_and_kinds_that_are_no_files() {
        refused(&[member("package/../../x", b'0', b"")], "`package/../../x`, a name that leads out of it");
        refused(&[member("/etc/passwd", b'0', b"")], "`/etc/passwd`, a name that leads out of it");
        refused(&[pax("path", "../x"), member("x", b'0', b"")], "`../x`, a name that leads out of it");
        refused(&[member("package/a", b'3', b"")], "`package/a`, which is a device");
        refused(&[member("package/a", b'4', b"")], "which is a device");
        refused(&[member("package/a", b'6', b"")], "which is a FIFO");
        refused(&[member("package/a", b'S', b"")], "which is a sparse file");
        refused(&[pax("GNU.sparse.major", "1"), member("package/a", b'0', b"")], "a sparse file");
    }

    #[test]
    fn bombs_and_damage() {
        let zeros = vec![0; 1 << 20];
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut header = tar::Header::new_ustar();
        header.set_path("package/zeros").unwrap();
        header.set_size(300 << 20);
        header.set_cksum();
        encoder.write_all(header.as_bytes()).unwrap();
        for _ in 0..300 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(file_of(bomb.as_slice(), 1000, "package.json").unwrap_err().contains("too many for its own size"));
        let long = member("package.json", b'x', &vec![b'1'; (1 << 20) + 1]);
        refused(&[long], "an extended header of more than 1048576 bytes");
        refused(
            &[member("x/package.json", b'0', &vec![b' '; (8 << 20) + 1])],
            "has a package.json of more than 8388608 bytes",
        );
        let whole = packed(&[member("package/package.json", b'0', GOOD)]);
        for cut in [0, 5, 20, whole.len() - 9, whole.len() - 1] {
            assert!(read(&whole[..cut]).unwrap_err().contains("is damaged"), "cut at {cut}");
        }
        let mut changed = whole.clone();
        let at = changed.len() - 6;
        changed[at] ^= 1;
        assert!(read(&changed).unwrap_err().contains("is damaged"));
        // What registries have had for years: bytes that no reader looks at.
        assert!(read(&[whole.as_slice(), &[0; 100]].concat()).is_ok());
    }
}
