//! JSON files, by pointer.

use selfsame_core::json::{Limits, parse};

use super::nested::Collector;
use crate::cause::Guess;
use crate::content::{Finding, Pair};
use crate::json::explain_json;

/// The most differing fields that are guessed at.
const MOST_FIELDS: usize = 10_000;

pub(crate) fn claims(pair: &Pair<'_>) -> bool {
    let opens = |bytes: &[u8]| bytes.trim_ascii_start().first().is_some_and(|b| matches!(b, b'{' | b'['));
    opens(pair.a) && opens(pair.b)
}

/// Nothing where a side is no JSON, or where only white space and the order of keys differ: then the text tells more.
pub(crate) fn explain(pair: &Pair<'_>) -> Option<Finding> {
    let (a, b) = (parse(pair.a, Limits::DOCUMENT).ok()?, parse(pair.b, Limits::DOCUMENT).ok()?);
    let mut collector = Collector::new(pair);
    let (changes, more) = explain_json(&a, &b, pair.known, MOST_FIELDS);
    let count = changes.len() + more;
    for change in changes {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "absent".to_owned());
        let at = if change.pointer.is_empty() { "the document".to_owned() } else { change.pointer };
        let at = super::nested::shown(&at);
        let (show_a, show_b) = (shown(change.a), shown(change.b));
        collector.push(pair.place(at, show_a.as_bytes(), show_b.as_bytes(), change.guess));
    }
    let mut finding = collector.finish(format!("{count} fields differ"));
    finding.more += more;
    if more > 0 {
        finding.tally.add(&Guess::unknown("fields that were not looked at"), more);
    }
    Some(finding)
}
