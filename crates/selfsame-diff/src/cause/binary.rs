//! Guesses from bytes that are no text.

use super::{Cause, Guess, Known, Level, Setting, runs, signs};
use crate::escape;

/// The longest text around a difference that is looked at, on either side of it.
const REACH: usize = 512;

pub(crate) fn guess(a: &[u8], b: &[u8], at: usize, known: &Known) -> Guess {
    let (Some(text_a), Some(text_b)) = (text_around(a, at), text_around(b, at)) else { return number(a, b, at, known) };
    let guesses: Vec<Guess> =
        runs(text_a, text_b).iter().map(|run| Guess::of_run(text_a, text_b, run, known, Setting::Program)).collect();
    match Guess::distinct(&guesses).into_iter().next() {
        Some(guess) if guess.cause != Cause::Unknown => guess,
        _ => number(a, b, at, known),
    }
}

/// The printable text that holds the byte at `at`: six characters or more.
fn text_around(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    let before = bytes[at.saturating_sub(REACH)..at].iter().rev().take_while(|b| printable(b)).count();
    let after = bytes[at..bytes.len().min(at + REACH)].iter().take_while(|b| printable(b)).count();
    (after > 0 && before + after >= 6).then(|| &bytes[at - before..at + after])
}

/// A four-byte time in either byte order, if nothing around it differs; otherwise a stretch that shares nothing.
fn number(a: &[u8], b: &[u8], at: usize, known: &Known) -> Guess {
    let length = differing_length(a, b, at);
    for start in at.saturating_sub(3)..=at {
        let (Some(word_a), Some(word_b)) = (word(a, start), word(b, start)) else { continue };
        if at + length > start + 4 {
            continue;
        }
        for (order, read) in [("little", u32::from_le_bytes as fn([u8; 4]) -> u32), ("big", u32::from_be_bytes)] {
            let (x, y) = (u64::from(read(word_a)), u64::from(read(word_b)));
            let (moment_a, moment_b) = (signs::moment(x), signs::moment(y));
            let evidence = format!("four bytes that read as {moment_a} and {moment_b} ({order}-endian seconds)");
            if known.built_at(x, y) {
                let evidence = format!("{evidence}, when the run records say the builds ran");
                return Guess::new(Cause::Timestamp, Level::Deterministic, evidence);
            }
            // One number in eight is such a time, so more is asked: alignment, and two bytes or more that differ.
            let likely = start % 4 == 0 && length >= 2 && plausible(x) && plausible(y);
            if likely && x.abs_diff(y) <= 366 * 86_400 {
                return Guess::new(
                    Cause::Timestamp,
                    Level::Deterministic,
                    format!("{evidence}, with equal bytes around them"),
                );
            }
        }
    }
    if (8..=64).contains(&length) {
        return Guess::opaque(format!(
            "{length} bytes that share nothing, from {} and {}",
            escape::hex(&a[at..], 8),
            escape::hex(&b[at..], 8)
        ));
    }
    Guess::unknown(format!("bytes from offset {at} on"))
}

/// 2020 to 2037: outside, a number is more often something else.
fn plausible(seconds: u64) -> bool {
    (1_577_836_800..2_145_916_800).contains(&seconds)
}

fn word(bytes: &[u8], start: usize) -> Option<[u8; 4]> {
    bytes.get(start..start + 4)?.try_into().ok()
}

/// How long the stretch is from `at` on in which hardly any byte agrees: it ends at three equal bytes in a row.
pub(crate) fn differing_length(a: &[u8], b: &[u8], at: usize) -> usize {
    let (mut last, mut equal) = (0, 0);
    for (index, (x, y)) in a[at..].iter().zip(&b[at..]).enumerate() {
        if x == y {
            equal += 1;
            if equal == 3 {
                break;
            }
        } else {
            (last, equal) = (index + 1, 0);
        }
    }
    last
}
