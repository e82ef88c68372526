//! Files inside files: places found inside get the outer name in front.

use std::collections::BTreeMap;
use std::io::Read;

use crate::cause::{Guess, Tally};
use crate::content::{Finding, Pair, Place, find};

/// Collects places, counting those beyond the limit.
pub(crate) struct Collector<'a> {
    pair: &'a Pair<'a>,
    places: Vec<Place>,
    more: usize,
    tally: Tally,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(pair: &'a Pair<'a>) -> Self {
        Self { pair, places: Vec::new(), more: 0, tally: Tally::default() }
    }

    pub(crate) fn push(&mut self, place: Place) {
        self.tally.add(&place.guess, 1);
        self.list(place);
    }

    fn list(&mut self, place: Place) {
        if self.places.len() < self.pair.limits.places {
            self.places.push(place);
        } else {
            self.more += 1;
        }
    }

    /// A header field, if it differs.
    pub(crate) fn field<T: PartialEq + std::fmt::Display>(
        &mut self,
        at: String,
        a: T,
        b: T,
        guess: impl FnOnce() -> Guess,
    ) {
        if a != b {
            self.push(self.pair.place(at, a.to_string().as_bytes(), b.to_string().as_bytes(), guess()));
        }
    }

    /// What an inner pair's explanation finds, if the two differ. Gives the inner kind and summary.
    pub(crate) fn inside(&mut self, prefix: &str, path: &str, a: &[u8], b: &[u8]) -> Option<(&'static str, String)> {
        if a == b {
            return None;
        }
        let (kind, inner) = find(&self.pair.inside(path, a, b));
        for place in inner.places {
            self.list(Place { at: format!("{prefix}: {}", place.at), ..place });
        }
        self.more += inner.more;
        self.tally.add_all(&inner.tally);
        Some((kind, inner.summary))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn finish(self, summary: impl Into<String>) -> Finding {
        Finding { summary: summary.into(), places: self.places, more: self.more, tally: self.tally }
    }
}

/// Compares the lists of names, then each pair of equal names. `detail` compares headers and contents of one pair, and
/// says whether it found anything. Gives (members that differ, members in both).
pub(crate) fn members<T>(
    collector: &mut Collector<'_>,
    a: &[T],
    b: &[T],
    name: impl Fn(&T) -> &str,
    mut detail: impl FnMut(&mut Collector<'_>, &T, &T) -> bool,
) -> (usize, usize) {
    let (keys_a, keys_b) = (keys(a, &name), keys(b, &name));
    let (index_a, index_b): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (keys_a.iter().cloned().zip(a).collect(), keys_b.iter().cloned().zip(b).collect());
    let common = |keys: &[(String, usize)], other: &BTreeMap<(String, usize), &T>| -> Vec<(String, usize)> {
        keys.iter().filter(|key| other.contains_key(key)).cloned().collect()
    };
    let (order_a, order_b) = (common(&keys_a, &index_b), common(&keys_b, &index_a));
    if order_a != order_b {
        let list =
            |order: &[(String, usize)]| order.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
        let guess = Guess::order(&format!("the same {} members", order_a.len()));
        let place = collector.pair.place("member order", list(&order_a).as_bytes(), list(&order_b).as_bytes(), guess);
        collector.push(place);
    }
    for (keys, other, only) in [(&keys_a, &index_b, "left"), (&keys_b, &index_a, "right")] {
        for key in keys.iter().filter(|key| !other.contains_key(key)) {
            let guess = Guess::unknown(format!("only the {only} one has it"));
            let (in_a, in_b) = if only == "left" { ("present", "absent") } else { ("absent", "present") };
            let place =
                collector.pair.place(format!("member {}", shown(&key.0)), in_a.as_bytes(), in_b.as_bytes(), guess);
            collector.push(place);
        }
    }
    let mut differing = 0;
    for key in &order_a {
        if let (Some(x), Some(y)) = (index_a.get(key), index_b.get(key))
            && detail(collector, x, y)
        {
            differing += 1;
        }
    }
    (differing, order_a.len())
}

/// Names with a count, since archives may hold one name twice.
fn keys<T>(items: &[T], name: &impl Fn(&T) -> &str) -> Vec<(String, usize)> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keys = Vec::with_capacity(items.len());
    for item in items {
        let count = seen.entry(name(item)).or_insert(0);
        keys.push((name(item).to_owned(), *count));
        *count += 1;
    }
    keys
}

/// A member's name, safe for a terminal.
pub(crate) fn shown(name: &str) -> String {
    crate::escape::clip(name.as_bytes())
}

/// Reads at most `limit` bytes; nothing where the reader fails or has more.
pub(crate) fn read_bounded(reader: impl Read, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    (read as u64 <= limit).then_some(bytes)
}
