//! Two contents of one file, explained by kind. The kinds are a table; a new kind is one file and one row.

use crate::cause::{Cause, Guess, Known, Tally};
use crate::kinds;
use crate::{Limits, escape, secret};
use selfsame_core::Level;

/// Why two contents differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentDifference {
    /// How they were read: `text`, `ELF`, `ar archive`, `gzip`, ...
    pub kind: &'static str,
    /// Left length in bytes.
    pub a_size: u64,
    /// Right length in bytes.
    pub b_size: u64,
    /// One line: which parts differ and which are equal.
    pub summary: String,
    /// Where they differ, in file order.
    pub places: Vec<Place>,
    /// Places that are not listed.
    pub more: usize,
    /// The distinct guesses, the most telling first; at least one.
    pub causes: Vec<Guess>,
    /// The lowest level of the sandbox that is expected to make the contents equal; nothing where a place has no known
    /// cause.
    pub fixed_by: Option<Level>,
}

impl ContentDifference {
    /// The most telling guess.
    #[must_use]
    pub fn guess(&self) -> &Guess {
        static UNKNOWN: Guess = Guess { cause: Cause::Unknown, evidence: String::new(), fixed_by: None };
        self.causes.first().unwrap_or(&UNKNOWN)
    }
}

/// One place where two contents differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Place {
    /// `line 3`, `.rodata + 0x10`, `member a.o: modification time`, `/a/b`.
    pub at: String,
    /// What the left has there, clipped and escaped for terminals.
    pub a: String,
    /// What the right has there.
    pub b: String,
    /// What probably wrote the difference.
    pub guess: Guess,
}

/// What an explainer finds.
pub(crate) struct Finding {
    pub(crate) summary: String,
    pub(crate) places: Vec<Place>,
    pub(crate) more: usize,
    /// The guesses of all places, also of those that are not listed.
    pub(crate) tally: Tally,
}

impl Finding {
    /// A finding of one place.
    pub(crate) fn one(summary: impl Into<String>, place: Place) -> Self {
        let mut tally = Tally::default();
        tally.add(&place.guess, 1);
        Self { summary: summary.into(), places: vec![place], more: 0, tally }
    }
}

/// What an explainer is given.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    /// For kinds that are told by name.
    pub(crate) path: &'a str,
    pub(crate) a: &'a [u8],
    pub(crate) b: &'a [u8],
    pub(crate) known: &'a Known,
    pub(crate) limits: &'a Limits,
    /// How many archives this pair lies in.
    pub(crate) depth: usize,
}

impl<'a> Pair<'a> {
    /// A pair inside this one.
    pub(crate) fn inside(self, path: &'a str, a: &'a [u8], b: &'a [u8]) -> Self {
        Self { path, a, b, depth: self.depth + 1, ..self }
    }

    /// A place of this pair's, guessed from the two texts.
    pub(crate) fn place(&self, at: impl Into<String>, a: &[u8], b: &[u8], guess: Guess) -> Place {
        Place { at: at.into(), a: escape::clip(a), b: escape::clip(b), guess }
    }
}

/// One kind of file.
pub(crate) struct Explainer {
    /// For people.
    pub(crate) kind: &'static str,
    /// Whether both contents are of this kind, told by their first bytes (or by name).
    pub(crate) claims: fn(&Pair<'_>) -> bool,
    /// The finding; nothing where the contents turn out to be broken, so that the next kind has a try.
    pub(crate) explain: fn(&Pair<'_>) -> Option<Finding>,
}

/// Explains two contents that are not equal. `path` is used only to tell kinds by name.
#[must_use]
pub fn explain_content(path: &str, a: &[u8], b: &[u8], known: &Known, limits: &Limits) -> ContentDifference {
    let (kind, finding) = find(&Pair { path, a, b, known, limits, depth: 0 });
    difference(kind, (a.len() as u64, b.len() as u64), finding, limits)
}

/// The kind that takes the pair, and what it finds: at least one place.
pub(crate) fn find(pair: &Pair<'_>) -> (&'static str, Finding) {
    let rows = if pair.depth <= pair.limits.depth { kinds::TABLE } else { &[] };
    let (kind, finding) = rows
        .iter()
        .filter(|row| (row.claims)(pair))
        .find_map(|row| (row.explain)(pair).filter(|finding| !finding.places.is_empty()).map(|f| (row.kind, f)))
        .unwrap_or_else(|| (kinds::bytes::KIND, kinds::bytes::explain(pair)));
    (kind, secret::hide(pair, finding))
}

/// Sums up a finding.
pub(crate) fn difference(
    kind: &'static str,
    (a_size, b_size): (u64, u64),
    mut finding: Finding,
    limits: &Limits,
) -> ContentDifference {
    let causes = finding.tally.ranked();
    let cured = |guess: &Guess| guess.fixed_by.is_some() || guess.cause == Cause::Derived;
    let fixed_by = if causes.iter().all(cured) { causes.iter().filter_map(|guess| guess.fixed_by).max() } else { None };
    let cut = finding.places.len().saturating_sub(limits.places);
    finding.places.truncate(limits.places);
    ContentDifference {
        kind,
        a_size,
        b_size,
        summary: finding.summary,
        places: finding.places,
        more: finding.more + cut,
        causes,
        fixed_by,
    }
}
