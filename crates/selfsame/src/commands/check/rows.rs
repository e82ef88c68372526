//! What `selfsame check` found: one row a thing, shown by group.

use std::path::Path;

use serde_json::{Value, json};

use crate::commands::errors;
use crate::report::printable;

/// So many of a group that are not there are named to people.
const SHOWN: usize = 20;

/// How it is with something; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Absent,
    /// Nobody who could say was asked, or nobody said.
    Unknown,
    There,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

/// What a row belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// `gcc`
    pub(super) name: String,
    /// `deb`; empty for what is of selfsame itself.
    pub(super) kind: String,
}

/// A thing, and whether it is there.
pub(super) struct Row {
    pub(super) group: Group,
    pub(super) name: String,
    /// A package URL, of inputs.
    pub(super) uri: Option<String>,
    pub(super) state: State,
    pub(super) note: String,
}

impl Row {
    /// Of the release itself.
    pub(super) fn document(name: impl Into<String>, state: State, note: impl Into<String>) -> Self {
        let group = Group { name: "release".to_owned(), kind: String::new() };
        Self { group, name: name.into(), uri: None, state, note: note.into() }
    }

    pub(super) fn json(&self) -> Value {
        let Self { group, name, uri, state, note } = self;
        json!({"group": group.name, "kind": group.kind, "name": name, "note": note, "state": state.word(), "uri": uri})
    }
}

/// The groups in the order of their first rows, each with its rows.
fn groups(rows: &[Row]) -> Vec<(&Group, Vec<&Row>)> {
    let mut groups: Vec<(&Group, Vec<&Row>)> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|(group, _)| **group == row.group) {
            Some((_, of)) => of.push(row),
            None => groups.push((&row.group, vec![row])),
        }
    }
    groups
}

fn count(rows: &[&Row], state: State) -> usize {
    rows.iter().filter(|row| row.state == state).count()
}

/// A group each: how much of it is there.
pub(super) fn groups_json(rows: &[Row]) -> Vec<Value> {
    let group = |(group, rows): (&Group, Vec<&Row>)| {
        json!({
            "absent": count(&rows, State::Absent),
            "kind": group.kind,
            "name": group.name,
            "there": count(&rows, State::There),
            "total": rows.len(),
            "unknown": count(&rows, State::Unknown),
        })
    };
    groups(rows).into_iter().map(group).collect()
}

/// A line a group, and under it what is not there.
pub(super) fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for (group, rows) in groups(rows) {
        let name = match group.kind.as_str() {
            "" => group.name.clone(),
            kind => format!("{} ({kind})", group.name),
        };
        let there = count(&rows, State::There);
        let be = if group.kind.is_empty() { "there" } else { "can be had" };
        text += &format!("  {}: {there} of {} {be}\n", printable(&name), rows.len());
        let mut open: Vec<&&Row> = rows.iter().filter(|row| row.state != State::There).collect();
        open.sort_by_key(|row| row.state);
        for row in open.iter().take(SHOWN) {
            text += &format!("    {:<7}  {}: {}\n", row.state.word(), printable(&row.name), printable(&row.note));
        }
        if open.len() > SHOWN {
            text += &format!("    and {} more; --json lists all\n", open.len() - SHOWN);
        }
    }
    text
}

/// What to do where something is not there.
pub(super) fn hints(rows: &[Row], release: &Path, vouched: bool) -> Vec<String> {
    let mut hints = Vec::new();
    let open = |of: &dyn Fn(&Row) -> bool| rows.iter().any(|row| row.state != State::There && of(row));
    let shown = errors::quoted(release);
    if open(&|row| row.group.name == "release") {
        hints.push("push the release again: what is there is not sent twice".to_owned());
    }
    if open(&|row| row.group.name != "release") {
        let text = match crate::remote::as_reference(release) {
            Some(_) => format!(
                "a release that was built with `selfsame build --capsule` and pushed with `selfsame push RELEASE {shown} --with-capsule` carries every input"
            ),
            None => "a release that was built with `selfsame build --capsule` carries every input".to_owned(),
        };
        hints.push(text);
    }
    if open(&|row| row.state == State::Absent && row.group.kind == "deb") {
        hints.push(crate::commands::hints::SNAPSHOT.to_owned());
    }
    if !vouched && open(&|row| row.state == State::Unknown && matches!(row.group.kind.as_str(), "oci" | "file" | "")) {
        hints.push(format!(
            "`selfsame check {shown} --key PUB` verifies the release, and asks the addresses that it names, too"
        ));
    }
    hints
}
