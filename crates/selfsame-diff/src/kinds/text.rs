//! Text, line by line: what differs in a line, and which lines only moved.

use std::collections::{BTreeMap, BTreeSet};

use super::nested::Collector;
use crate::cause::{Cause, Guess, Setting, runs};
use crate::content::{Finding, Pair};
use selfsame_core::Level;

/// Both begin like text: no control characters but white space, nearly all valid UTF-8.
pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    is_text(pair.a) && is_text(pair.b)
}

pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(8192)];
    let control = |b: &u8| *b < 0x20 && !matches!(b, b'\n' | b'\r' | b'\t' | 0x0b | 0x0c | 0x1b);
    let utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && head.len() < bytes.len(),
    };
    !head.iter().any(control) && (utf8 || head.iter().filter(|b| **b >= 0x80).count() * 5 < head.len())
}

pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (lines(pair.a), lines(pair.b));
    let mut collector = Collector::new(pair);
    let same_start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let most = a.len().min(b.len()) - same_start;
    let same_end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    let (middle_a, middle_b) = (&a[same_start..a.len() - same_end], &b[same_start..b.len() - same_end]);

    let (left_a, left_b, moved) = without_moved(middle_a, middle_b, same_start);
    if moved > 0 {
        let first = |lines: &[&[u8]]| lines.first().map_or(Vec::new(), |line| line.to_vec());
        let at = format!("lines {}-{}", same_start + 1, same_start + middle_a.len().max(middle_b.len()));
        let guess = order_guess(middle_a, middle_b, moved);
        collector.push(pair.place(at, &first(middle_a), &first(middle_b), guess));
    }
    let pairs: Vec<_> = left_a.iter().zip(&left_b).map(|(&(number, x), &(_, y))| (number, x, y, runs(x, y))).collect();
    let exchanged = Exchanged::of(
        pairs.iter().flat_map(|(_, x, y, runs)| runs.iter().map(|run| (&x[run.a.clone()], &y[run.b.clone()]))),
    );
    for &(number, x, y, ref runs) in &pairs {
        let several = runs.len() > 1;
        for run in runs {
            let mut guess = Guess::of_run(x, y, run, pair.known, Setting::Text);
            if guess.cause == Cause::Unknown && exchanged.holds(&x[run.a.clone()], &y[run.b.clone()]) {
                guess = Guess::order("words that other lines of both have");
            }
            let (at, show_a, show_b) = if several || run.a.start > 100 {
                (format!("line {number}, column {}", run.a.start + 1), &x[run.a.clone()], &y[run.b.clone()])
            } else {
                (format!("line {number}"), x, y)
            };
            collector.push(pair.place(at, show_a, show_b, guess));
        }
    }
    let paired = left_a.len().min(left_b.len());
    for (side, rest) in [("left", &left_a[paired..]), ("right", &left_b[paired..])] {
        let Some((number, line)) = rest.first() else { continue };
        let guess = Guess::unknown(format!("{} lines that only the {side} has, from line {number} on", rest.len()));
        let (show_a, show_b): (&[u8], &[u8]) = if side == "left" { (line, b"") } else { (b"", line) };
        collector.push(pair.place(format!("line {number}"), show_a, show_b, guess));
    }
    if collector.is_empty() {
        return None;
    }
    Some(collector.finish(summary(&a, &b, paired, moved, same_start + same_end)))
}

/// Words that differ where they stand and that the other side has at another such place.
struct Exchanged<'a> {
    in_a: BTreeSet<&'a [u8]>,
    in_b: BTreeSet<&'a [u8]>,
}

impl<'a> Exchanged<'a> {
    fn of(runs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let (in_a, in_b) = runs.unzip();
        Self { in_a, in_b }
    }

    fn holds(&self, a: &[u8], b: &[u8]) -> bool {
        let letters = |word: &[u8]| word.iter().any(u8::is_ascii_alphabetic);
        letters(a) && letters(b) && self.in_b.contains(a) && self.in_a.contains(b)
    }
}

fn summary(a: &[&[u8]], b: &[&[u8]], changed: usize, moved: usize, same: usize) -> String {
    let mut parts = Vec::new();
    if changed > 0 {
        parts.push(format!("{changed} changed"));
    }
    if moved > 0 {
        parts.push(format!("{moved} moved"));
    }
    if a.len() != b.len() {
        parts.push(format!("{} against {} in all", a.len(), b.len()));
    }
    format!(
        "lines: {}; {same} equal at both ends",
        if parts.is_empty() { "only line ends differ".to_owned() } else { parts.join(", ") }
    )
}

/// Lines with their numbers.
type Numbered<'a> = Vec<(usize, &'a [u8])>;

/// Takes out what both sides hold, if in another order, and counts it. An aligned equal line has not moved.
fn without_moved<'a>(a: &[&'a [u8]], b: &[&'a [u8]], offset: usize) -> (Numbered<'a>, Numbered<'a>, usize) {
    let aligned = |index: usize| a.len() == b.len() && a.get(index) == b.get(index);
    let mut in_b: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (index, line) in b.iter().enumerate() {
        if !aligned(index) && !line.is_empty() {
            *in_b.entry(line).or_default() += 1;
        }
    }
    let (mut left_a, mut taken) = (Vec::new(), BTreeMap::<&[u8], usize>::new());
    let mut moved = 0;
    for (index, line) in a.iter().enumerate() {
        if aligned(index) {
            continue;
        }
        match in_b.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                *taken.entry(line).or_default() += 1;
                moved += 1;
            }
            _ => left_a.push((offset + index + 1, *line)),
        }
    }
    let mut left_b = Vec::new();
    for (index, line) in b.iter().enumerate() {
        if aligned(index) {
            continue;
        }
        match taken.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ => left_b.push((offset + index + 1, *line)),
        }
    }
    // Equal lines around an inserted one are pushed down, not reordered.
    if in_order(a, b, &left_a, &left_b, offset) { (left_a, left_b, 0) } else { (left_a, left_b, moved) }
}

/// Whether what is common to both stands in the same order in both.
fn in_order(a: &[&[u8]], b: &[&[u8]], left_a: &Numbered<'_>, left_b: &Numbered<'_>, offset: usize) -> bool {
    let rest = |lines: &[&[u8]], left: &Numbered<'_>| -> Vec<Vec<u8>> {
        let left: BTreeSet<usize> = left.iter().map(|(number, _)| number - offset - 1).collect();
        let kept = lines.iter().enumerate().filter(|(index, _)| !left.contains(index));
        kept.map(|(_, line)| line.to_vec()).collect()
    };
    rest(a, left_a) == rest(b, left_b)
}

/// Whether one side is sorted by bytes and the other without regard to case, as locales do.
fn order_guess(a: &[&[u8]], b: &[&[u8]], moved: usize) -> Guess {
    let folded = |line: &[u8]| -> Vec<u8> {
        line.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
    };
    let by_bytes = |lines: &[&[u8]]| lines.is_sorted();
    let by_locale = |lines: &[&[u8]]| lines.is_sorted_by_key(|line| folded(line));
    if lines_at_least(a, 3) && (by_bytes(a) && by_locale(b) || by_bytes(b) && by_locale(a)) {
        let evidence = format!("the same {moved} lines, once sorted by bytes and once without regard to case");
        return Guess::new(Cause::Locale, Level::Isolated, evidence);
    }
    Guess::order(&format!("the same {moved} lines"))
}

fn lines_at_least(lines: &[&[u8]], count: usize) -> bool {
    lines.len() >= count
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}
