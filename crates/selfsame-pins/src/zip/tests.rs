use proptest::prelude::*;

use super::*;

/// One member as its two headers have it; fields that lie are set by the tests.
#[derive(Clone)]
struct Part {
    name: Vec<u8>,
    local_name: Vec<u8>,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    crc: u32,
    size: u32,
    mode: u32,
    extra: Vec<u8>,
    at: Option<u32>,
}

fn part(name: &str, content: &[u8]) -> Part {
    let mut crc = Crc::new();
    crc.update(content);
    let name = name.as_bytes().to_vec();
    let (crc, size) = (crc.sum(), content.len() as u32);
    Part {
        local_name: name.clone(),
        name,
        data: content.to_vec(),
        method: 0,
        flags: 1 << 11,
        crc,
        size,
        mode: 0o100_644,
        extra: Vec::new(),
        at: None,
    }
}

fn deflated(name: &str, content: &[u8]) -> Part {
    let mut encoder = flate2::read::DeflateEncoder::new(content, flate2::Compression::default());
    let mut data = Vec::new();
    encoder.read_to_end(&mut data).unwrap();
    Part { data, method: 8, ..part(name, content) }
}

fn header(part: &Part, central: bool) -> Vec<u8> {
    let name = if central { &part.name } else { &part.local_name };
    let mut bytes = Vec::new();
    if central {
        bytes.extend(CENTRAL.to_le_bytes());
        bytes.extend([20, 3]);
    } else {
        bytes.extend(LOCAL.to_le_bytes());
    }
    bytes.extend(20_u16.to_le_bytes());
    bytes.extend(part.flags.to_le_bytes());
    bytes.extend(part.method.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(part.crc.to_le_bytes());
    bytes.extend((part.data.len() as u32).to_le_bytes());
    bytes.extend(part.size.to_le_bytes());
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend((if central { part.extra.len() } else { 0 } as u16).to_le_bytes());
    bytes
}

fn zip(parts: &[Part]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for part in parts {
        let offset = part.at.unwrap_or(bytes.len() as u32);
        if part.at.is_none() {
            bytes.extend(header(part, false));
            bytes.extend(&part.local_name);
            bytes.extend(&part.data);
        }
        directory.extend(header(part, true));
        directory.extend([0; 6]);
        directory.extend((part.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&part.name);
        directory.extend(&part.extra);
    }
    let offset = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(END.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend([(parts.len() as u16).to_le_bytes(), (parts.len() as u16).to_le_bytes()].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], because: &str) {
    let error = read_all(bytes).expect_err(because).to_string();
    assert!(error.contains(because), "{error}");
}

fn read_all(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, PinsError> {
    let archive = Archive::open(bytes, Limits { members: 100, size_bytes: 1 << 20, ratio: 100, free_bytes: 1 << 16 })?;
    let read = |member: &Member| Ok((member.name.clone(), archive.read_whole(member, 1 << 20)?));
    archive.members().iter().map(read).collect()
}

#[test]
fn reads_stored_and_deflated_members() {
    let text = b"some text that is repeated, some text that is repeated".as_slice();
    let folder = Part { mode: 0o040_755, ..part("b/", b"") };
    let script = Part { mode: 0o100_755, ..deflated("b/run", text) };
    let bytes = zip(&[deflated("c", text), folder, script, part("a", b"x"), part("empty", b"")]);
    let archive = Archive::open(bytes.as_slice(), Limits::PACKAGE).unwrap();
    let names: Vec<_> = archive.members().iter().map(|m| (m.name.as_str(), m.executable)).collect();
    assert_eq!(names, [("a", false), ("b/run", true), ("c", false), ("empty", false)]);
    assert_eq!(archive.read_whole(archive.member("c").unwrap(), 100).unwrap(), text);
    assert_eq!(archive.read_whole(archive.member("empty").unwrap(), 100).unwrap(), b"");
    assert!(
        archive.read_whole(archive.member("c").unwrap(), 10).unwrap_err().to_string().contains("more than 10 bytes")
    );
    assert!(archive.member("b").is_none());
}

#[test]
fn names_that_are_no_paths() {
    for (name, because) in [
        ("../x", "leaves the archive"),
        ("a/../../x", "leaves the archive"),
        ("/etc/passwd", "absolute"),
        ("a\\b", "backslash"),
        ("a\nb", "line end"),
        ("a//b", "no path"),
        ("./a", "no path"),
        ("", "no path"),
        (".", "no path"),
    ] {
        refused(&zip(&[part(name, b"x")]), because);
    }
    refused(&zip(&[Part { flags: 0, ..part("é", b"x") }]), "not marked as UTF-8");
    let bad = Part { name: vec![0xff], local_name: vec![0xff], ..part("x", b"x") };
    refused(&zip(&[bad]), "not marked as UTF-8");
}

#[test]
fn entries_that_contradict_each_other() {
    refused(&zip(&[part("a", b"1"), part("a", b"2")]), "stands twice");
    refused(&zip(&[part("a", b"1"), part("a/b", b"2")]), "below another member");
    refused(&zip(&[part("a/", b""), part("a", b"2")]), "a file and a folder");
    refused(&zip(&[part("a/", b"x")]), "folder with content");
    refused(&zip(&[Part { local_name: b"b".to_vec(), ..part("a", b"x") }]), "contradicts the directory");
    let first = part("a", b"x");
    refused(&zip(&[first.clone(), Part { at: Some(0), ..part("b", b"x") }]), "contradicts the directory");
    refused(&zip(&[first.clone(), Part { at: Some(7), ..part("b", b"x") }]), "contradicts the directory");
    let second_name = [0x75, 0x70, 1, 0, b'x'].to_vec();
    refused(&zip(&[Part { extra: second_name, ..first }]), "second name");
}

#[test]
fn members_that_share_bytes() {
    // The inner zip's member is listed by the outer directory too.
    let inner = zip(&[part("inner", b"payload")]);
    let outer = part("outer", &inner);
    let at = 30 + "outer".len() as u32;
    refused(&zip(&[outer, Part { at: Some(at), ..part("inner", b"payload") }]), "share bytes");
}

#[test]
fn kinds_that_are_not_unpacked() {
    refused(&zip(&[Part { flags: 1, ..part("a", b"x") }]), "encrypted");
    refused(&zip(&[Part { method: 12, ..part("a", b"x") }]), "packed by a method");
    refused(&zip(&[Part { mode: 0o120_777, ..part("a", b"/etc/passwd") }]), "symbolic link");
    refused(&zip(&[Part { mode: 0o020_666, ..part("a", b"") }]), "neither a file nor a folder");
}

#[test]
fn bytes_that_are_not_what_the_directory_says() {
    refused(&zip(&[Part { crc: 1, ..part("a", b"x") }]), "another checksum");
    refused(&zip(&[Part { crc: 1, ..deflated("a", b"x") }]), "another checksum");
    refused(&zip(&[Part { size: 2, ..part("a", b"x") }]), "two sizes");
    refused(&zip(&[Part { size: 2, ..deflated("a", b"xxx") }]), "more bytes than");
    refused(&zip(&[Part { size: 4, ..deflated("a", b"xxx") }]), "fewer bytes than");
    let mut longer = deflated("a", b"xxx");
    longer.data.extend(b"hidden");
    refused(&zip(&[longer]), "fewer bytes than");
    refused(&zip(&[Part { data: vec![0xff; 9], ..deflated("a", b"xxx") }]), "cannot be read");
}

#[test]
fn bombs() {
    refused(&zip(&[deflated("a", &vec![0; 1 << 20])]), "holds more than");
    refused(&zip(&vec![part("a", b""); 101]), "more than 100 members");
}

#[test]
fn ends_that_lie() {
    let whole = zip(&[part("a", b"x")]);
    refused(&[], "no end record");
    refused(&whole[..whole.len() - 1], "no end record");
    refused(&[whole.as_slice(), b"x"].concat(), "no end record");
    refused(&[b"x".as_slice(), &whole].concat(), "between its central directory and its end");
    let mut more = whole.clone();
    let end = more.len() - 22;
    more[end + 8] = 9;
    more[end + 10] = 9;
    refused(&more, "another size than it says");
    let mut parts = whole.clone();
    parts[end + 4] = 1;
    refused(&parts, "one of several parts");
    let mut large = whole;
    large[end + 16..end + 20].fill(0xff);
    refused(&large, "no zip64 record");
}

#[test]
fn zip64_that_agrees_and_zip64_that_lies() {
    let small = zip(&[part("a", b"x")]);
    let end = small.len() - 22;
    let field = |at: usize, length: usize| {
        small[end + at..end + at + length].iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b))
    };
    let large = |count: u64| {
        let mut bytes = small[..end].to_vec();
        bytes.extend(END_64.to_le_bytes());
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 3, 45, 0]);
        bytes.extend([0; 8]);
        for number in [count, count, field(12, 4), field(16, 4)] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(LOCATOR_64.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((end as u64).to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(&small[end..]);
        bytes
    };
    assert_eq!(read_all(&large(1)).unwrap(), [("a".to_owned(), b"x".to_vec())]);
    refused(&large(2), "zip64 record that contradicts");
    refused(&large(u64::MAX), "zip64 record that contradicts");
}

proptest! {
    #[test]
    fn any_change_is_read_the_same_or_refused(at in 0_usize..200, value: u8) {
        let mut bytes = zip(&[deflated("a/b", b"some text, some text"), part("c", b"x")]);
        let at = at % bytes.len();
        bytes[at] = value;
        let _ = read_all(&bytes);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut whole = bytes;
        whole.extend(zip(&[part("a", b"x")]));
        let _ = read_all(&whole);
    }
}
