//! PNG: by chunk. Modification times and texts are where builds leave traces.

use super::nested::{Collector, members, shown};
use crate::cause::{Cause, Guess};
use crate::content::{Finding, Pair};
use selfsame_core::Level;

const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    pair.a.starts_with(MAGIC) && pair.b.starts_with(MAGIC)
}

fn chunks(bytes: &[u8]) -> Option<Vec<(String, &[u8])>> {
    const MOST_CHUNKS: usize = 100_000;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut chunks = Vec::new();
    while !rest.is_empty() && chunks.len() < MOST_CHUNKS {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        chunks.push((String::from_utf8_lossy(kind).into_owned(), after.get(..length)?));
        rest = after.get(length + 4..)?;
    }
    Some(chunks)
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (chunks(pair.a)?, chunks(pair.b)?);
    let mut collector = Collector::new(pair);
    let mut names = Vec::new();
    let (_, common) = members(
        &mut collector,
        &a,
        &b,
        |(kind, _)| kind,
        |collector, (kind, x), (_, y)| {
            if x == y {
                return false;
            }
            names.push(shown(kind));
            let guess = match kind.as_str() {
                "tIME" => {
                    Guess::new(Cause::Timestamp, Level::Deterministic, "the time of the last change, as tIME holds it")
                }
                "tEXt" | "iTXt" => Guess::of_texts(x, y, pair.known),
                _ => Guess::of_bytes(x, y, super::bytes::first_difference(x, y).min(x.len().min(y.len())), pair.known),
            };
            collector.push(pair.place(format!("chunk {}", shown(kind)), x, y, guess));
            true
        },
    );
    if collector.is_empty() {
        return None;
    }
    names.dedup();
    Some(collector.finish(format!("chunks {}, of {common} in both", names.join(", "))))
}
