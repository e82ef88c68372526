//! Checks, statements that were not used, and keys, as tables.

use super::html::{Html, Piece, Row};
use crate::joined::JoinedCheck;
use crate::trust::{Trust, TrustedKey};
use crate::verdict::{Check, Fact, Outcome, Unlisted, Verdict};

/// So many rows of one table are shown; the rest is counted.
pub(super) const MOST_ROWS: usize = 5_000;

/// A check of any verdict.
pub(super) struct CheckRow<'a> {
    id: &'static str,
    title: &'static str,
    outcome: &'a Outcome,
    slsa: Option<&'static str>,
    facts: &'a [Fact],
}

impl<'a> CheckRow<'a> {
    pub(super) fn of_joined(check: &'a JoinedCheck) -> Self {
        Self { id: check.id, title: check.title, outcome: &check.outcome, slsa: None, facts: &check.facts }
    }

    fn of(check: &'a Check) -> Self {
        let id = check.id;
        Self { id: id.as_str(), title: id.title(), outcome: &check.outcome, slsa: id.slsa(), facts: &check.facts }
    }
}

pub(super) fn rows_of(verdict: &Verdict) -> Vec<CheckRow<'_>> {
    verdict.checks.iter().map(CheckRow::of).collect()
}

/// What was not performed, and why.
pub(super) fn not_performed<'a>(checks: impl Iterator<Item = CheckRow<'a>>) -> Vec<(String, String)> {
    let line = |check: CheckRow<'_>| match check.outcome {
        Outcome::NotPerformed { reason } => Some((format!("{} ({})", check.id, check.title), reason.clone())),
        _ => None,
    };
    checks.filter_map(line).collect()
}

pub(super) fn checks(page: &mut Html, caption: &str, checks: &[CheckRow<'_>]) {
    let rows = checks.iter().map(|check| {
        let (class, word) = match check.outcome {
            Outcome::Passed => ("yes", "passed"),
            Outcome::Failed { .. } => ("no", "failed"),
            Outcome::NotPerformed { .. } => ("open", "not performed"),
        };
        let mut found: Vec<Vec<Piece<'_>>> = Vec::new();
        found.extend(check.outcome.reason().map(|reason| vec![Piece::Value(reason)]));
        found.extend(
            check
                .facts
                .iter()
                .map(|fact| vec![Piece::Words(&fact.label), Piece::Words(": "), Piece::Value(&fact.value)]),
        );
        let cells = vec![
            vec![vec![Piece::Words(word)]],
            vec![vec![Piece::Words(check.title)]],
            found,
            vec![vec![Piece::Words(check.slsa.unwrap_or("-"))]],
        ];
        Row { class, name: check.id, cells }
    });
    page.table(caption, &["check", "outcome", "passes when", "found", "step of SLSA v1.2"], rows);
}

/// Statements that were there and decided nothing.
pub(super) fn unlisted(page: &mut Html, unlisted: &[Unlisted]) {
    if unlisted.is_empty() {
        return;
    }
    let rows = unlisted.iter().take(MOST_ROWS).map(|it| Row {
        class: "open",
        name: &it.file,
        cells: vec![
            vec![vec![Piece::Value(it.predicate_type.as_deref().unwrap_or("-"))]],
            vec![vec![Piece::Value(&it.note)]],
        ],
    });
    page.table("Statements that are there and were not used", &["file", "type", "why not"], rows);
}

/// Whom the person believed.
pub(super) fn keys(page: &mut Html, trust: &Trust) {
    let texts: Vec<(String, &TrustedKey, String)> =
        trust.keys().iter().take(MOST_ROWS).map(|key| (key.key.key_id(), key, builders(key))).collect();
    let rows = texts.iter().map(|(id, key, builders)| Row {
        class: "plain",
        name: id,
        cells: vec![
            vec![vec![Piece::Value(&key.name)]],
            vec![vec![Piece::Value(&key.identity)]],
            vec![vec![Piece::Words(key.standing.word())]],
            vec![vec![Piece::Value(builders)]],
        ],
    });
    page.table("Keys that were believed", &["key id", "name", "holder", "standing", "may speak for"], rows);
}

fn builders(key: &TrustedKey) -> String {
    key.accepted_builder_ids(false).join(", ")
}
