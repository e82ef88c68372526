//! gzip: its header (RFC 1952), then what is in it.

use super::nested::{Collector, read_bounded};
use crate::cause::{Cause, Guess};
use crate::content::{Finding, Pair};

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    let magic = |bytes: &[u8]| bytes.len() >= 18 && bytes.starts_with(&[0x1f, 0x8b, 8]);
    magic(pair.a) && magic(pair.b)
}

struct Header {
    mtime: u32,
    extra_flags: u8,
    os: u8,
    name: String,
}

fn header(bytes: &[u8]) -> Option<Header> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    let fixed: &[u8; 10] = bytes.first_chunk()?;
    let flags = fixed[3];
    let mut rest = &bytes[10..];
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    let name = if flags & NAME != 0 {
        let end = rest.iter().take(4096).position(|b| *b == 0)?;
        String::from_utf8_lossy(&rest[..end]).into_owned()
    } else {
        String::new()
    };
    let mtime = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    Some(Header { mtime, extra_flags: fixed[8], os: fixed[9], name })
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (head_a, head_b) = (header(pair.a)?, header(pair.b)?);
    let limit = pair.limits.inflated_bytes;
    let inflate = |bytes: &[u8]| read_bounded(flate2::read::MultiGzDecoder::new(bytes), limit);
    let (a, b) = (inflate(pair.a)?, inflate(pair.b)?);
    let mut collector = Collector::new(pair);
    collector.field("gzip header: modification time".into(), head_a.mtime, head_b.mtime, || {
        Guess::file_time(u64::from(head_a.mtime), u64::from(head_b.mtime))
    });
    collector.field("gzip header: file name".into(), head_a.name.as_str(), head_b.name.as_str(), || {
        Guess::of_texts(head_a.name.as_bytes(), head_b.name.as_bytes(), pair.known)
    });
    collector.field("gzip header: compression level".into(), head_a.extra_flags, head_b.extra_flags, compressor);
    collector.field("gzip header: operating system".into(), head_a.os, head_b.os, compressor);
    let header_differs = !collector.is_empty();
    let inner_name = pair.path.strip_suffix(".gz").unwrap_or(pair.path);
    let inner = collector.inside("content", inner_name, &a, &b);
    let summary = match (&inner, header_differs) {
        (Some((kind, summary)), false) => format!("equal headers; in the content ({kind}): {summary}"),
        (Some((kind, summary)), true) => format!("header; and in the content ({kind}): {summary}"),
        (None, true) => "only the header; the content is equal".to_owned(),
        (None, false) => {
            let at = super::bytes::first_difference(pair.a, pair.b);
            let place = super::bytes::place_or_end(pair, at, compressor());
            collector.push(place);
            "the content is equal and was compressed differently".to_owned()
        }
    };
    Some(collector.finish(summary))
}

fn compressor() -> Guess {
    Guess {
        cause: Cause::Compressor,
        evidence: "the same content by another compressor or level".into(),
        fixed_by: None,
    }
}
