//! `selfsame lock --outdated`: what choosing again would change. Nothing is written.

use std::collections::BTreeSet;

use selfsame_definition::Command;
use selfsame_lock::{Lock, LockDiff};
use serde_json::{Value, json};

use super::{hosts, json, show, update};
use crate::prepare::Project;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::terminal;

/// A file of the source that pins content, and what moves it.
struct Pins {
    /// The input that it is for; `cargo` for Cargo.lock.
    input: String,
    file: String,
    tool: &'static str,
}

/// Exits with 1 where something would change. What is looked at lands in the store, as it would if it were locked.
pub(super) fn run(project: &Project<'_>, before: Option<&Lock>, as_json: bool) -> Answer {
    let wanted = selfsame_lock::wanted(&project.definition).map_or(true, |wanted| !wanted.is_empty());
    if before.is_none() && wanted {
        let fault = format!("there is no `{}`: nothing is locked that could be outdated", Lock::FILE_NAME);
        return Err(Report::new(Exit::Unanswered, fault).hint("run `selfsame lock`").into());
    }
    let empty = Lock::empty(selfsame_core::Profile::CURRENT);
    let before = before.unwrap_or(&empty);
    let after = project.choose(None, |_| false)?;
    let diff = LockDiff::between(before, &after).without_confirmed();
    let pins = pins(project);
    let outdated = !diff.is_empty();
    if as_json {
        let class = if outdated { "outdated" } else { "current" };
        let pins: Vec<Value> =
            pins.iter().map(|pins| json!({"file": pins.file, "input": pins.input, "tool": pins.tool})).collect();
        let body = json!({
            "class": class, "counts": json::counts(&diff), "inputs": json::inputs(&diff), "pins": pins,
            "profile": json::profile(&diff),
        });
        terminal::data(&with_schema("https://selfsame.dev/lock-outdated/v1", &body));
    } else {
        if outdated {
            terminal::data(&show::text(&diff, &hosts::Hosts::new()));
        }
        for pins in &pins {
            terminal::talk(&format!("`{}` is moved by its own tool: `{}`", pins.file, pins.tool));
        }
        terminal::talk(match outdated {
            true => "outdated: `selfsame lock --update NAME` or `--all` takes this into the lock",
            false => "everything locked is what would be chosen today",
        });
    }
    Ok(if outdated { Exit::No } else { Exit::Yes })
}

fn pins(project: &Project<'_>) -> Vec<Pins> {
    let definition = &project.definition;
    let crates = definition.actions.iter().any(|action| matches!(action.command, Command::Cargo(_)));
    let cargo = crates.then(|| Pins { input: "cargo".to_owned(), file: "Cargo.lock".to_owned(), tool: "cargo update" });
    let mut seen = BTreeSet::new();
    let inputs = definition.all_inputs().filter_map(|(name, spec)| {
        let (input, file) = (name.to_string(), spec.pins()?.to_string());
        seen.insert(file.clone()).then(|| Pins { input, file, tool: update::tool(spec) })
    });
    cargo.into_iter().chain(inputs).collect()
}
