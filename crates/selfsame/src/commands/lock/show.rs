//! A difference between locks as a person reads it: one line an input, and below it one a part.

use selfsame_lock::{Change, InputDiff, LockDiff, Part, PartDiff, Standing};

use super::hosts::Hosts;
use crate::report::printable;
use crate::terminal::size;

/// The difference in lines; empty where there is none.
pub(super) fn text(diff: &LockDiff, new_hosts: &Hosts) -> String {
    let mut lines = Vec::new();
    if let Some((before, after)) = diff.profile {
        lines.push(format!("~ profile {} -> {}", before.number(), after.number()));
    }
    for (name, input) in &diff.inputs {
        lines.push(format!("{} {name}: {}", sign(input.change()), about(input)));
        let rows: Vec<[String; 3]> = input.parts.iter().map(|part| row(part).map(|cell| printable(&cell))).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(72);
        let widths = [width(0), width(1)];
        for (part, [title, what, word]) in input.parts.iter().zip(&rows) {
            let line =
                format!("    {} {title:w0$}  {what:w1$}  {word}", sign(part.change()), w0 = widths[0], w1 = widths[1]);
            lines.push(line.trim_end().to_owned());
            lines.extend(notes(part).into_iter().map(|note| format!("      ! {note}")));
        }
        if input.same_parts > 0 && !input.parts.is_empty() {
            lines.push(format!("      {} unchanged", count(input.same_parts, "file")));
        }
    }
    for (host, inputs) in new_hosts {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        lines.push(format!("new host {}: {}", printable(host), inputs.join(", ")));
    }
    if let Some(sum) = sum(diff) {
        lines.push(sum);
    }
    lines.join("\n")
}

/// `3 added, 1 changed, 2 removed`, and what is worth a second look; nothing where no part is different.
pub(super) fn sum(diff: &LockDiff) -> Option<String> {
    let counts = diff.counts();
    let sums = [
        (counts.added, "added"),
        (counts.changed, "changed"),
        (counts.removed, "removed"),
        (counts.republished, "with other content under the same name"),
        (counts.vouched_less, "vouched for by less than before"),
        (counts.unvouched, "that nobody vouched for"),
    ];
    let said: Vec<String> =
        sums.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    (!said.is_empty()).then(|| format!("files: {}", said.join(", ")))
}

/// What is worth a second look.
pub(super) fn notes(part: &PartDiff) -> Vec<String> {
    let mut notes = Vec::new();
    if part.is_republished() {
        notes.push("other content under the same name".to_owned());
    }
    if part.is_vouched_less() {
        notes.push("vouched for by less than before".to_owned());
    }
    notes
}

/// What was asked for and when, in one line.
pub(super) fn about(input: &InputDiff) -> String {
    let asked = |standing: &Standing| format!("{} {}", standing.kind.name(), standing.asked);
    let text = match (&input.before, &input.after) {
        (Some(before), Some(after)) => {
            let days = if before.as_of == after.as_of {
                format!("of {}", after.as_of)
            } else {
                format!("of {} -> {}", before.as_of, after.as_of)
            };
            match (asked(before), asked(after)) {
                (before, after) if before == after => format!("{after}, {days}"),
                (before, after) => format!("{before} -> {after}, {days}"),
            }
        }
        (Some(standing), None) | (None, Some(standing)) => {
            format!("{}, of {}, {}", asked(standing), standing.as_of, size(standing.size))
        }
        (None, None) => String::new(),
    };
    printable(&text)
}

/// Title, what happened, and who vouched.
pub(super) fn row(diff: &PartDiff) -> [String; 3] {
    // The parts of an image have one package URL: its version is the manifest's digest.
    let of_image = |part: &Part| part.purl.as_str().starts_with("pkg:oci/");
    let what = match (diff.before(), diff.after()) {
        (Some(before), Some(after)) if of_image(after) && before.sha256 != after.sha256 => {
            format!("{} -> {}", short(before), short(after))
        }
        (before, after) if before.xor(after).is_some_and(of_image) => after.or(before).map(short).unwrap_or_default(),
        (Some(before), Some(after)) => {
            let (version_before, version_after) = diff.versions();
            let versions = (version_before.unwrap_or_default(), version_after.unwrap_or_default());
            if versions.0 != versions.1 {
                format!("{} -> {}", versions.0, versions.1)
            } else if before.sha256 != after.sha256 {
                format!("{} -> {}", short(before), short(after))
            } else {
                fields(before, after)
            }
        }
        (before, after) => {
            let version = diff.versions().1.or(diff.versions().0).filter(|version| !version.is_empty());
            version.or_else(|| after.or(before).map(short)).unwrap_or_default()
        }
    };
    let word = match (diff.before(), diff.after()) {
        (Some(before), Some(after)) if before.claim != after.claim => {
            format!("{} -> {}", before.claim.name(), after.claim.name())
        }
        (_, Some(part)) | (Some(part), None) => format!("{}, {}", part.claim.name(), size(part.size)),
        (None, None) => String::new(),
    };
    [diff.title().plain(), what, word]
}

/// What is different about the same bytes.
fn fields(before: &Part, after: &Part) -> String {
    let mut fields = Vec::new();
    let none = || "none".to_owned();
    if before.purl != after.purl {
        fields.push(format!("{} -> {}", before.purl, after.purl));
    }
    if before.size != after.size {
        fields.push(format!("size {} -> {}", before.size, after.size));
    }
    if before.source != after.source {
        let [before, after] = [before, after].map(|part| part.source.clone().unwrap_or_else(none));
        fields.push(format!("source {before} -> {after}"));
    }
    fields.join(", ")
}

/// The beginning of a digest; the whole stands in the lock.
fn short(part: &Part) -> String {
    format!("sha256:{}", &part.sha256.hex()[..12])
}

const fn sign(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
        Change::Confirmed => '=',
    }
}

/// `1 file`, `2 files`.
pub(in crate::commands) fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
