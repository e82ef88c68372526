//! `selfsame lock --check`: whether the lock answers the definition, and how old it is.

use std::path::Path;

use selfsame_lock::{Aged, Stale};
use serde_json::{Value, json};

use crate::cli::Lock;
use crate::commands::errors;
use crate::inputs::today;
use crate::prepare::read_definition;
use crate::report::{Answer, Exit, Report, with_schema};
use crate::terminal;

/// Nothing is changed and nobody is asked. A lock that cannot be read is no answer; one that is missing is: no.
pub(super) fn run(arguments: &Lock) -> Answer {
    let (folder, file, _, definition) = read_definition(&arguments.project.path)?;
    let path = folder.join(selfsame_lock::Lock::FILE_NAME);
    let lock = super::read(&path)?.map(|(lock, _)| lock);
    let empty = selfsame_lock::Lock::empty(selfsame_core::Profile::CURRENT);
    let read = lock.as_ref().unwrap_or(&empty);
    let stale = selfsame_lock::answers(&definition, read).err().unwrap_or_default();
    let aged = arguments.max_age.map(|days| selfsame_lock::aged(read, today(), days)).unwrap_or_default();
    let fine = stale.is_empty() && aged.is_empty();
    if arguments.json {
        let stale: Vec<Value> = stale.iter().map(point).collect();
        let aged: Vec<Value> = aged
            .iter()
            .map(|aged| json!({"asOf": aged.as_of.to_string(), "days": aged.days, "input": aged.input.as_str()}))
            .collect();
        let class = if fine { "ok" } else { "stale" };
        let body = json!({"aged": aged, "class": class, "hasLock": lock.is_some(), "stale": stale});
        terminal::data(&with_schema("https://selfsame.dev/lock-check/v1", &body));
        return Ok(if fine { Exit::Yes } else { Exit::No });
    }
    if !fine {
        return Err(refusal(&path, lock.is_some(), &stale, &aged, arguments.max_age).into());
    }
    let (path, file) = (path.display(), file.display());
    terminal::data(&match lock {
        Some(_) => format!("`{path}` answers `{file}`"),
        None => format!("`{file}` needs no lock"),
    });
    Ok(Exit::Yes)
}

fn point(stale: &Stale) -> Value {
    json!({"inDefinition": stale.in_definition, "inLock": stale.in_lock, "what": stale.what})
}

fn refusal(path: &Path, has_lock: bool, stale: &[Stale], aged: &[Aged], max_age: Option<u32>) -> Report {
    let mut report = match (has_lock, stale.is_empty()) {
        (false, _) => Report::new(Exit::No, format!("there is no `{}`", path.display()))
            .hint("run `selfsame lock`, then commit selfsame.lock"),
        (true, false) => errors::stale(selfsame_lock::Lock::FILE_NAME, stale),
        (true, true) => {
            let days = super::show::count(max_age.unwrap_or_default() as usize, "day");
            let report = Report::new(Exit::No, format!("`{}` is older than {days}", path.display()));
            report.hint("run `selfsame lock --all`, review the change, then commit selfsame.lock")
        }
    };
    report.consequence = None;
    report.exit = Exit::No;
    for Aged { input, as_of, days } in aged {
        let age = match days {
            Some(days) => format!("chosen on {as_of}, {} ago", super::show::count(*days as usize, "day")),
            None => format!("chosen on {as_of}, which has not come yet"),
        };
        report = report.fact(input.as_str(), age);
    }
    report
}
