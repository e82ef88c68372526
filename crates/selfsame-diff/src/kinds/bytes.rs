//! Any bytes: the first place at which they differ, with the bytes around it.

use crate::cause::Guess;
use crate::content::{Finding, Pair, Place};
use crate::escape;

/// Bytes shown on each side.
const CONTEXT: usize = 16;

/// For people.
pub(crate) const KIND: &str = "bytes";

pub(crate) fn explain(pair: &Pair<'_>) -> Finding {
    let (a, b) = (pair.a, pair.b);
    let at = first_difference(a, b);
    if at < a.len() && at < b.len() {
        return Finding::one(count(a, b, at), place(pair, String::new(), at));
    }
    let guess = Guess::unknown(format!(
        "the shorter is the beginning of the longer, which has {} bytes more",
        a.len().abs_diff(b.len())
    ));
    Finding::one(format!("equal up to offset {at}, where the shorter ends"), place_or_end(pair, at, guess))
}

/// The first offset at which two slices differ, or the shorter's length.
pub(crate) fn first_difference(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 4096;
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK)).take_while(|(x, y)| x == y && x.len() == BLOCK).count();
    let start = blocks * BLOCK;
    start + a[start..].iter().zip(&b[start..]).take_while(|(x, y)| x == y).count()
}

/// A place at an offset that both contents have.
pub(crate) fn place(pair: &Pair<'_>, prefix: String, at: usize) -> Place {
    let window = |bytes: &[u8]| {
        let start = at - at % CONTEXT;
        escape::hex(&bytes[start..bytes.len().min(start + 2 * CONTEXT)], 2 * CONTEXT)
    };
    Place {
        at: format!("{prefix}offset {at} (0x{at:x})"),
        a: window(pair.a),
        b: window(pair.b),
        guess: Guess::of_bytes(pair.a, pair.b, at, pair.known),
    }
}

fn count(a: &[u8], b: &[u8], at: usize) -> String {
    let differing = a[at..].iter().zip(&b[at..]).filter(|(x, y)| x != y).count();
    let common = a.len().min(b.len());
    match a.len().abs_diff(b.len()) {
        0 => format!("{differing} of {common} bytes differ"),
        more => format!("{differing} of the first {common} bytes differ, and one is {more} bytes longer"),
    }
}

/// A place at an offset at which one content may have ended, with a guess from elsewhere.
pub(crate) fn place_or_end(pair: &Pair<'_>, at: usize, guess: Guess) -> Place {
    let window = |bytes: &[u8]| escape::hex(bytes.get(at..).unwrap_or_default(), CONTEXT);
    Place { at: format!("offset {at} (0x{at:x})"), a: window(pair.a), b: window(pair.b), guess }
}
