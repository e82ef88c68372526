//! Python bytecode: the header of PEP 552, then the marshalled code.

use super::bytes;
use super::nested::Collector;
use crate::cause::{Cause, Guess};
use crate::content::{Finding, Pair};
use selfsame_core::Level;

const HEADER: usize = 16;

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    // The magic number is two bytes that change with each version, then "\r\n".
    let magic = |bytes: &[u8]| bytes.len() > HEADER && bytes[2..4] == *b"\r\n";
    pair.path.ends_with(".pyc") && magic(pair.a) && magic(pair.b)
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let word = |bytes: &[u8], at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let (magic_a, magic_b) = (word(pair.a, 0)?, word(pair.b, 0)?);
    let (flags_a, flags_b) = (word(pair.a, 4)?, word(pair.b, 4)?);
    let (body_a, body_b) = (&pair.a[HEADER..], &pair.b[HEADER..]);
    let mut collector = Collector::new(pair);
    collector.field("header: Python version".into(), magic_a & 0xffff, magic_b & 0xffff, || {
        Guess::unknown("compiled by two versions of Python")
    });
    collector.field("header: flags".into(), flags_a, flags_b, || {
        Guess::unknown("one is checked by time, the other by hash")
    });
    if flags_a == flags_b && flags_a & 1 == 0 {
        let (time_a, time_b) = (word(pair.a, 8)?, word(pair.b, 8)?);
        collector.field("header: source modification time".into(), time_a, time_b, || Guess {
            fixed_by: Some(Level::Normalized),
            ..Guess::file_time(u64::from(time_a), u64::from(time_b))
        });
        collector.field("header: source size".into(), word(pair.a, 12)?, word(pair.b, 12)?, || {
            Guess::unknown("compiled from two sources")
        });
    } else if flags_a == flags_b && pair.a[8..16] != pair.b[8..16] {
        let place = pair.place(
            "header: source hash",
            &pair.a[8..16],
            &pair.b[8..16],
            Guess::unknown("compiled from two sources"),
        );
        collector.push(place);
    }
    let header_differs = !collector.is_empty();
    let body_differs = body_a != body_b;
    if body_differs {
        let at = bytes::first_difference(body_a, body_b);
        let guess = if same_bytes(body_a, body_b) {
            Guess::new(
                Cause::Order,
                Level::Normalized,
                "the code holds the same bytes in another order, as sets of strings have without PYTHONHASHSEED",
            )
        } else {
            Guess::of_bytes(body_a, body_b, at.min(body_a.len().min(body_b.len())), pair.known)
        };
        let window = |body: &[u8]| body.get(at.saturating_sub(8)..body.len().min(at + 24)).unwrap_or_default().to_vec();
        let place = pair.place(format!("code + {at}"), &window(body_a), &window(body_b), guess);
        collector.push(place);
    }
    let summary = match (header_differs, body_differs) {
        (true, false) => "only the header; the code is equal",
        (false, true) => "equal headers; the code differs",
        _ => "header and code",
    };
    Some(collector.finish(summary))
}

/// Whether two contents are permutations of each other, byte by byte.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let count = |bytes: &[u8]| {
        let mut counts = [0u64; 256];
        for byte in bytes {
            counts[usize::from(*byte)] += 1;
        }
        counts
    };
    a.len() == b.len() && count(a) == count(b)
}
