//! tar archives: header fields of entries, order, contents. Also the tars of two layers whose trees agree.

use std::io::Read;

use super::nested::{Collector, members, shown};
use crate::Limits;
use crate::cause::{Guess, Known};
use crate::content::{ContentDifference, Finding, Pair, difference};

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    let magic = |bytes: &[u8]| bytes.get(257..262) == Some(b"ustar");
    magic(pair.a) && magic(pair.b)
}

/// What an entry's header says, whatever dialect says it.
struct Header {
    name: String,
    kind: char,
    mtime: u64,
    owner: (u64, u64),
    names: String,
    mode: u32,
    link: String,
}

struct Entry<'a> {
    header: Header,
    content: &'a [u8],
}

/// The most entries that are looked at.
const MOST_ENTRIES: usize = 1_000_000;

fn header<R: Read>(entry: &tar::Entry<'_, R>) -> Option<Header> {
    let head = entry.header();
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    Some(Header {
        name: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
        kind: char::from(head.entry_type().as_byte()),
        mtime: head.mtime().ok()?,
        owner: (head.uid().ok()?, head.gid().ok()?),
        names: format!("{}:{}", text(head.username_bytes()), text(head.groupname_bytes())),
        mode: head.mode().ok()?,
        link: entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned()).unwrap_or_default(),
    })
}

fn read(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut archive = tar::Archive::new(bytes);
    let mut entries = Vec::new();
    for entry in archive.entries().ok()?.take(MOST_ENTRIES) {
        let entry = entry.ok()?;
        let header = header(&entry)?;
        let start = usize::try_from(entry.raw_file_position()).ok()?;
        let length = usize::try_from(entry.size()).ok()?;
        entries.push(Entry { header, content: bytes.get(start..start.checked_add(length)?)? });
    }
    Some(entries)
}

fn fields(collector: &mut Collector<'_>, x: &Header, y: &Header, known: &Known) -> bool {
    let at = |field: &str| format!("entry {}: {field}", shown(&x.name));
    collector.field(at("modification time"), x.mtime, y.mtime, || Guess::file_time(x.mtime, y.mtime));
    let owner = |header: &Header| format!("{}:{}", header.owner.0, header.owner.1);
    collector.field(at("owner"), owner(x), owner(y), || Guess::owner(x.owner, y.owner));
    collector.field(at("owner names"), x.names.as_str(), y.names.as_str(), || Guess::owner(x.owner, y.owner));
    let mode = |header: &Header| format!("{:04o}", header.mode & 0o7777);
    collector.field(at("mode"), mode(x), mode(y), || Guess::mode(x.mode & 0o7777, y.mode & 0o7777));
    collector.field(at("kind"), x.kind, y.kind, || Guess::unknown("another kind of entry"));
    collector.field(at("link"), x.link.as_str(), y.link.as_str(), || {
        Guess::of_texts(x.link.as_bytes(), y.link.as_bytes(), known)
    });
    let facts = |h: &Header| (h.mtime, h.owner, h.names.clone(), h.mode, h.kind, h.link.clone());
    facts(x) != facts(y)
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (read(pair.a)?, read(pair.b)?);
    let mut collector = Collector::new(pair);
    let (mut headers, mut contents) = (0, 0);
    let (_, common) = members(
        &mut collector,
        &a,
        &b,
        |entry| &entry.header.name,
        |collector, x, y| {
            let other_header = fields(collector, &x.header, &y.header, pair.known);
            headers += usize::from(other_header);
            contents += usize::from(x.content != y.content);
            let prefix = format!("entry {}", shown(&x.header.name));
            collector.inside(&prefix, &x.header.name, x.content, y.content).is_some() || other_header
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

/// Explains two tars that hold the same tree, reading both as streams: header by header, extended headers too. Long
/// names and attributes are not put together, so nothing is held but one header at a time.
pub(crate) fn explain_form(a: impl Read, b: impl Read, known: &Known, limits: &Limits) -> ContentDifference {
    let pair = Pair { path: "", a: b"", b: b"", known, limits, depth: 0 };
    let mut collector = Collector::new(&pair);
    let (mut archive_a, mut archive_b) = (tar::Archive::new(a), tar::Archive::new(b));
    let summary = match (archive_a.entries(), archive_b.entries()) {
        (Ok(entries_a), Ok(entries_b)) => raw_headers(&pair, &mut collector, entries_a.raw(true), entries_b.raw(true)),
        _ => "the tars could not be read".to_owned(),
    };
    if collector.is_empty() {
        let guess = Guess::unknown("padding, or the end of the archive");
        collector.push(pair.place("tar", b"", b"", guess));
    }
    difference("layer tar", (0, 0), collector.finish(summary), limits)
}

fn raw_headers<A: Read, B: Read>(
    pair: &Pair<'_>,
    collector: &mut Collector<'_>,
    a: tar::Entries<'_, A>,
    b: tar::Entries<'_, B>,
) -> String {
    /// The most bytes of an extended header that are compared.
    const EXTENDED: u64 = 1 << 20;
    let (mut count, mut differing) = (0, 0);
    for (x, y) in a.zip(b).take(MOST_ENTRIES) {
        let (Ok(mut x), Ok(mut y)) = (x, y) else { break };
        let (Some(head_a), Some(head_b)) = (header(&x), header(&y)) else { break };
        count += 1;
        if head_a.name != head_b.name {
            let place = pair.place(
                format!("entry {count}"),
                head_a.name.as_bytes(),
                head_b.name.as_bytes(),
                Guess::order("entries"),
            );
            collector.push(place);
            return format!("equal up to entry {count}; from there on another order or other extended headers");
        }
        let told = fields(collector, &head_a, &head_b, pair.known);
        let (raw_a, raw_b) = (*x.header().as_bytes(), *y.header().as_bytes());
        if raw_a != raw_b && !told {
            let at = raw_a.iter().zip(&raw_b).take_while(|(p, q)| p == q).count();
            let guess = Guess::unknown("another dialect of tar headers");
            let place = format!("entry {}: header + {at}", shown(&head_a.name));
            let window = |raw: &[u8; 512]| raw[at..512.min(at + 16)].to_vec();
            collector.push(pair.place(place, &window(&raw_a), &window(&raw_b), guess));
        }
        let mut extended = false;
        if matches!(head_a.kind, 'x' | 'g' | 'L' | 'K') {
            let text = |entry: &mut dyn Read| {
                let mut bytes = Vec::new();
                entry.take(EXTENDED).read_to_end(&mut bytes).map(|_| bytes).unwrap_or_default()
            };
            let (text_a, text_b) = (text(&mut x), text(&mut y));
            extended = text_a != text_b;
            if extended {
                let guess = Guess::of_texts(&text_a, &text_b, pair.known);
                collector.push(pair.place(format!("entry {count}: extended header"), &text_a, &text_b, guess));
            }
        }
        differing += usize::from(raw_a != raw_b || extended);
    }
    format!("{differing} of {count} tar headers differ; names, order and contents are equal")
}
