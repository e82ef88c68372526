//! The words at which two lines differ.

use std::ops::Range;

/// A stretch of the left line and the stretch of the right line that stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) a: Range<usize>,
    pub(crate) b: Range<usize>,
}

/// The most words of a line that are paired one by one.
const MOST_WORDS: usize = 4096;

/// The differing words, paired where both lines have equally many words, otherwise one run from the first to the last
/// difference. None for equal lines.
pub(crate) fn runs(a: &[u8], b: &[u8]) -> Vec<Run> {
    if a == b {
        return Vec::new();
    }
    let (words_a, words_b) = (words(a), words(b));
    let paired = words_a.len() == words_b.len() && words_a.len() <= MOST_WORDS;
    if paired && !same_words(a, &words_a, b, &words_b) && same_between(a, &words_a, b, &words_b) {
        let pairs = words_a.into_iter().zip(words_b);
        return pairs.filter(|(x, y)| a[x.clone()] != b[y.clone()]).map(|(a, b)| Run { a, b }).collect();
    }
    let mut start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let most = a.len().min(b.len()) - start;
    let mut end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    // To the borders of words, which both sides share out there.
    while start > 0 && is_word(a[start - 1]) {
        start -= 1;
    }
    while end > 0 && is_word(a[a.len() - end]) {
        end -= 1;
    }
    vec![Run { a: start..a.len() - end, b: start..b.len() - end }]
}

/// Whether the lines hold the same words, in another order then.
fn same_words(a: &[u8], words_a: &[Range<usize>], b: &[u8], words_b: &[Range<usize>]) -> bool {
    let sorted = |line: &'_ [u8], words: &[Range<usize>]| {
        let mut words: Vec<Vec<u8>> = words.iter().map(|word| line[word.clone()].to_vec()).collect();
        words.sort();
        words
    };
    words_a.len() > 1 && sorted(a, words_a) == sorted(b, words_b)
}

/// Whether the lines agree in everything that is no word.
fn same_between(a: &[u8], words_a: &[Range<usize>], b: &[u8], words_b: &[Range<usize>]) -> bool {
    let gap = |line: &'_ [u8], words: &[Range<usize>], at: usize| -> Vec<u8> {
        let start = if at == 0 { 0 } else { words[at - 1].end };
        let end = words.get(at).map_or(line.len(), |word| word.start);
        line[start..end].to_vec()
    };
    (0..=words_a.len()).all(|at| gap(a, words_a, at) == gap(b, words_b, at))
}

fn words(line: &[u8]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < line.len() {
        if is_word(line[at]) {
            let start = at;
            while at < line.len() && is_word(line[at]) {
                at += 1;
            }
            words.push(start..at);
        } else {
            at += 1;
        }
    }
    words
}

/// Characters of names, numbers, paths, times and identifiers.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"._/:+-~%@".contains(&byte)
}
