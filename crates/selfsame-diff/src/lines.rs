//! Explanations as lines for people: aligned facts, no colour, no newline.

use selfsame_core::Digest;

use crate::cause::Guess;
use crate::content::ContentDifference;
use crate::explanation::{Explanation, Extent, What};
use crate::json::FieldChange;

/// The whole explanation, below a verdict that the caller prints. `a` and `b` are what the two images are called.
#[must_use]
pub fn lines(explanation: &Explanation, a: &str, b: &str) -> Vec<String> {
    let width = a.len().max(b.len());
    let digest = |digest: Option<Digest>| digest.map_or_else(|| "no manifest".to_owned(), |digest| digest.to_string());
    let mut lines = vec![
        format!("  {a:width$}  {}", digest(explanation.a)),
        format!("  {b:width$}  {}", digest(explanation.b)),
        format!("  {}", extent(explanation.extent)),
    ];
    // Digests of layers and config follow from what is listed below.
    let primary = explanation.extent <= Extent::Compressor;
    for change in explanation.manifest.iter().filter(|change| primary || change.pointer.starts_with("/annotations")) {
        lines.push(field("manifest", change));
    }
    for change in explanation.config.iter().filter(|change| !change.pointer.starts_with("/rootfs/diff_ids")) {
        lines.push(field("config", change));
    }
    for layer in &explanation.layers {
        let of = explanation.layers_a.max(explanation.layers_b);
        let changed = layer.changes.len() + layer.more;
        let what = match (&layer.a, &layer.b) {
            (Some(_), None) => format!("only {a} has it"),
            (None, _) => format!("only {b} has it"),
            _ if layer.form.is_some() => "the same entries, in another tar".to_owned(),
            _ => format!(
                "{changed} of {} entries {}",
                layer.entries_a.max(layer.entries_b),
                if changed == 1 { "differs" } else { "differ" }
            ),
        };
        lines.push(format!("  layer {} of {of}   {what}", layer.index + 1));
        for change in &layer.changes {
            let path = change.path.to_string().escape_debug().to_string();
            for what in &change.what {
                lines.extend(entry(&path, what));
            }
        }
        if let Some(form) = &layer.form {
            lines.extend(content_lines(form, "    "));
        }
        if layer.more > 0 {
            lines.push(format!("    and {} more entries", layer.more));
        }
    }
    lines
}

/// One content difference: its summary, its places, and what probably did it.
#[must_use]
pub fn content_lines(difference: &ContentDifference, indent: &str) -> Vec<String> {
    let mut lines = vec![format!("{indent}{}: {}", difference.kind, difference.summary)];
    for place in difference.places.iter().take(3) {
        lines.push(format!("{indent}  {}", place.at));
        lines.push(format!("{indent}    - {}", place.a.replace('\n', "\\n")));
        lines.push(format!("{indent}    + {}", place.b.replace('\n', "\\n")));
    }
    let more = difference.more + difference.places.len().saturating_sub(3);
    if more > 0 {
        lines.push(format!("{indent}  and {more} more places"));
    }
    for guess in &difference.causes {
        lines.push(format!("{indent}  {}", cause(guess)));
    }
    lines
}

fn extent(extent: Extent) -> &'static str {
    match extent {
        Extent::None => "equal",
        Extent::Manifest => "only the manifests differ",
        Extent::Compressor => "only the compressed form differs: the diffIDs agree",
        Extent::Config => "the configs differ; the layers' content is equal",
        Extent::LayerForm => "the layers hold the same entries in tars that differ",
        Extent::LayerContent => "the layers' content differs",
    }
}

fn field(document: &str, change: &FieldChange) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
    format!("  {document} {}   {} -> {}", change.pointer.escape_debug(), shown(&change.a), shown(&change.b))
}

fn entry(path: &str, what: &What) -> Vec<String> {
    let one = |text: String| vec![format!("    {path}   {text}")];
    match what {
        What::Added { kind } => one(format!("{kind} only in the second")),
        What::Removed { kind } => one(format!("{kind} only in the first")),
        What::Kind { a, b } => one(format!("{a} -> {b}")),
        What::Mode { a, b, guess } => one(format!("mode {a:04o} -> {b:04o} ({})", guess.evidence)),
        What::Owner { a, b, .. } => one(format!("owner {}:{} -> {}:{}", a.0, a.1, b.0, b.1)),
        What::Xattr { name, a, b } => {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
            one(format!("attribute {name}: {} -> {}", shown(a), shown(b)))
        }
        What::Mark { a, b } => {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
            one(format!("{} -> {}", shown(a), shown(b)))
        }
        What::LinkTarget { a, b } => one(format!("link to `{a}` -> `{b}`")),
        What::Content(difference) => {
            let mut lines = vec![format!("    {path}")];
            lines.extend(content_lines(difference, "      "));
            lines
        }
        What::ContentNotRead { a_size, b_size } => {
            one(format!("content differs ({a_size} and {b_size} bytes), not read"))
        }
        What::ContentUnreadable { fault } => one(format!("content differs and cannot be read: {fault}")),
    }
}

fn cause(guess: &Guess) -> String {
    let cure =
        guess.fixed_by.map_or_else(String::new, |level| format!("; expected to be fixed by level `{}`", level.name()));
    format!("cause: {} ({}){cure}", guess.cause.name(), guess.evidence)
}
