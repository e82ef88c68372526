//! `selfsame selftest`: attacks on this very program, or on another verifier, and the score. docs/selftest.md.

mod against;
mod ours;
mod run;
mod show;
mod template;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use selfsame_corpus::{Case, Class};

use self::run::{Limits, Ran};
use crate::cli::Selftest;
use crate::interrupt;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal;

pub(super) fn run(arguments: &Selftest, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let template = arguments.against.as_deref().map(template::Template::parse).transpose()?;
    let cases = chosen(&arguments.only)?;
    if arguments.list {
        terminal::data(&show::list(&cases, arguments));
        return Ok(Exit::Yes);
    }
    if let Some(folder) = &arguments.write {
        write::corpus(&cases, folder)?;
        terminal::data(&format!("`{}`: {} cases", folder.display(), cases.len()));
        return Ok(Exit::Yes);
    }
    let scratch = Scratch::new(arguments.keep.as_deref())?;
    match template {
        None => ours::run(&cases, &scratch.folder, arguments),
        Some(template) => against::run(&cases, &template, &scratch.folder, arguments),
    }
}

/// The cases that were asked for.
fn chosen(only: &[String]) -> Answer<Vec<Case>> {
    let mut cases = selfsame_corpus::cases();
    if only.is_empty() {
        return Ok(cases);
    }
    for wanted in only {
        if !cases.iter().any(|case| is(case, wanted)) {
            let classes: Vec<&str> = Class::ALL.into_iter().map(Class::as_str).collect();
            return Err(Report::new(Exit::Unanswered, format!("no case is of the class or name `{wanted}`"))
                .fact("classes", classes.join(", "))
                .hint("`selfsame selftest --list` names every case")
                .into());
        }
    }
    cases.retain(|case| only.iter().any(|wanted| is(case, wanted)));
    Ok(cases)
}

/// Whether a case has this name, or one of its two forms has it, or it is of this class.
fn is(case: &Case, wanted: &str) -> bool {
    let form = case.name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    form || case.class.as_str() == wanted
}

/// Where the cases are while they are judged.
struct Scratch {
    folder: PathBuf,
    /// Removed with everything in it when this is dropped.
    _temporary: Option<tempfile::TempDir>,
}

impl Scratch {
    fn new(keep: Option<&Path>) -> Answer<Self> {
        if let Some(folder) = keep {
            write::new_folder(folder)?;
            return Ok(Self { folder: folder.to_owned(), _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("selfsame-selftest-").tempdir();
        let temporary = temporary.map_err(|error| {
            Report::new(Exit::Unanswered, format!("cannot create a temporary folder: {error}"))
                .hint("`--keep DIR` says where else")
        })?;
        Ok(Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) })
    }
}

/// Writes each case and asks about it, on all processors. The answers come in the order of the cases.
fn each<T: Send>(
    cases: &[Case],
    folder: &Path,
    limits: Limits,
    ask: impl Fn(&Case, &Path, &dyn Fn(&mut std::process::Command) -> std::io::Result<Ran>) -> Answer<T> + Sync,
) -> Answer<Vec<T>> {
    let stop = interrupt::flag()?;
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(at) else { return };
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let path = folder.join(&case.name);
            let answer =
                write::case(case, &path).and_then(|()| ask(case, &path, &|command| run::run(command, limits, &stop)));
            if answer.is_err() {
                next.store(cases.len(), Ordering::Relaxed);
            }
            found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, answer));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..super::threads().min(cases.len()) {
            scope.spawn(work);
        }
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Report::new(Exit::Unanswered, "interrupted: not every case was asked").into());
    }
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, answer)| answer).collect()
}

fn limits(arguments: &Selftest, memory_bytes: u64) -> Limits {
    Limits { time: Duration::from_secs(arguments.timeout.max(1)), memory_bytes }
}
