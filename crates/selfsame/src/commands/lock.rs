//! `selfsame lock` and `selfsame fetch`: inputs pinned by content, kept up, and brought.

mod base;
mod check;
mod elsewhere;
mod hosts;
mod json;
mod markdown;
mod outdated;
mod show;
mod update;

pub(crate) use self::elsewhere::to_share;
pub(super) use self::show::count;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use selfsame_definition::Name;
use selfsame_http::Share;
use selfsame_lock::{Change, LockDiff, Standing};

use super::errors;
use crate::cli::{Fetch, Lock, LockCommand, LockDiff as Difference};
use crate::prepare::{self, Project, read_definition, read_text, write_text};
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal::{self, Voice, size};

pub(super) fn run(arguments: &Lock, settings: &Settings) -> Answer {
    if let Some(LockCommand::Diff(arguments)) = &arguments.command {
        return difference(arguments, settings);
    }
    settings.json.set(arguments.json);
    if arguments.check {
        return check::run(arguments);
    }
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let store = prepare::store(settings)?;
    let project = Project::open(&arguments.project.path, &store, settings, &voice, &cancel)?;
    let path = project.folder.join(selfsame_lock::Lock::FILE_NAME);
    let before = read(&path)?;
    if arguments.outdated {
        let before = before.as_ref().map(|(lock, _)| lock);
        return outdated::run(&project, before, arguments.json).map_err(|report| ended(report, &cancel));
    }
    let (before, text_before) = before.unzip();
    let anew = update::names(&project.definition, &arguments.update, arguments.all)?;
    let lock = project.choose(before.as_ref(), |name| !anew.contains(name)).map_err(|report| ended(report, &cancel))?;
    let text = lock.to_string();
    if text_before.as_ref() != Some(&text) {
        write_text(&path, &text)?;
    }
    let empty = selfsame_lock::Lock::empty(lock.profile);
    let diff = LockDiff::between(before.as_ref().unwrap_or(&empty), &lock);
    let asked = |standing: &Option<Standing>| standing.as_ref().map(|standing| standing.asked.clone());
    let chosen = diff.inputs.iter().filter(|(_, input)| asked(&input.before) != asked(&input.after));
    let chosen: Vec<&Name> = chosen.map(|(name, _)| name).collect();
    let new_hosts = hosts::of_chosen(&project.definition, &lock, &chosen);
    if arguments.json {
        terminal::data(&json::difference(&diff, &new_hosts));
    } else {
        let shown = show::text(&diff, &new_hosts);
        if !shown.is_empty() {
            terminal::data(&shown);
        }
    }
    for line in update::also_moved(&diff, &anew, before.is_some()) {
        terminal::talk(&line);
    }
    let said = match text_before {
        Some(before) if before == text => "unchanged",
        Some(_) if diff.is_empty() => "written in its one spelling: commit it",
        Some(_) if diff.inputs.values().all(|input| input.change() == Change::Confirmed) => {
            "confirmed as of today, with the same content: commit it"
        }
        Some(_) => "changed: review and commit it",
        None => "written: commit it",
    };
    let bytes = lock.inputs.values().map(selfsame_lock::Locked::size).fold(0, u64::saturating_add);
    let (inputs, files) = (lock.inputs.len(), lock.parts().count());
    terminal::talk(&format!("`{}` {said}", path.display()));
    terminal::talk(&format!("{}, {}, {}", show::count(inputs, "input"), show::count(files, "file"), size(bytes)));
    if files > 0 {
        let share = project.network.http.origins().share;
        let parts = to_share(&project.definition, &lock, share);
        if crate::shared::lacks(&project.network, &parts, &store)? {
            project.fetch_locked(&lock).map_err(|mut report| {
                report.consequence = Some("The lock is written; not all of it is in the shared store.".to_owned());
                report
            })?;
        }
        let shared = crate::shared::keep(&project.network, &parts, &store, &voice)?;
        terminal::talk(&elsewhere::line(&project.definition, &lock, shared.then_some(share)));
    }
    let origins = project.network.http.origins();
    if origins.store.is_some() && origins.share == Share::All {
        for (name, spec) in project.definition.all_inputs() {
            let Some(pins) = spec.pins() else { continue };
            terminal::talk(&format!(
                "what `{pins}` pins for `{name}` is shared by `selfsame fetch` and `selfsame build`"
            ));
        }
    }
    if origins.store.is_some() {
        for name in prepare::host_toolchains(&project.definition) {
            terminal::talk(&format!(
                "toolchain `{name}` is each machine's own and is not shared; `selfsame build --capsule` carries it"
            ));
        }
    }
    Ok(Exit::Yes)
}

/// A lock and its text; nothing where there is no file.
fn read(path: &Path) -> Answer<Option<(selfsame_lock::Lock, String)>> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    Ok(Some((parse(path, &text)?, text)))
}

/// A lock's text. One that was damaged, by a merge for one, is never written over.
fn parse(path: &Path, text: &str) -> Answer<selfsame_lock::Lock> {
    selfsame_lock::Lock::parse(text).map_err(|error| {
        let mut report = *errors::text(path, &error);
        report.consequence = Some("Nothing was changed.".to_owned());
        let hint = if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
            "a merge left both sides in it: take one of them, then run `selfsame lock`"
        } else {
            "take it from version control again; without it, `selfsame lock` chooses every input anew"
        };
        Box::new(report.hint(hint))
    })
}

/// `selfsame lock diff`.
fn difference(arguments: &Difference, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let (folder, _, _, definition) = read_definition(&arguments.path)?;
    let path = folder.join(selfsame_lock::Lock::FILE_NAME);
    let after = read(&path)?.map(|(lock, _)| lock);
    let base = base::read(&arguments.base, &folder, &settings.environment())?;
    let empty = selfsame_lock::Lock::empty(selfsame_core::Profile::CURRENT);
    if base.lock.is_none() && after.is_none() {
        let fault = format!("there is no `{}`, and `{}` has none", path.display(), arguments.base);
        return Err(Report::new(Exit::Unanswered, fault).hint("`selfsame lock` writes one").into());
    }
    let (before, after) = (base.lock.as_ref().unwrap_or(&empty), after.as_ref().unwrap_or(&empty));
    let diff = LockDiff::between(before, after);
    let new_hosts = match &base.definition {
        Some(before) => hosts::new(before, &definition),
        None => Default::default(),
    };
    let text = match (arguments.json, arguments.markdown) {
        (true, _) => json::difference(&diff, &new_hosts),
        (_, true) => markdown::difference(&diff, &new_hosts),
        _ => show::text(&diff, &new_hosts),
    };
    if !text.is_empty() {
        terminal::data(&text);
    } else {
        terminal::talk("no difference");
    }
    Ok(Exit::Yes)
}

/// A failure after Ctrl-C is an interruption, whatever failed first.
fn ended(report: Box<Report>, cancel: &AtomicBool) -> Box<Report> {
    if !cancel.load(Ordering::Relaxed) {
        return report;
    }
    let interrupted = Report::new(Exit::NotNow, "interrupted");
    let consequence = "No lock was changed. What had come whole is in the store: the next run brings the rest.";
    interrupted.consequence(consequence).into()
}

pub(super) fn fetch(arguments: &Fetch, settings: &Settings) -> Answer {
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let store = prepare::store(settings)?;
    let path = &arguments.path;
    let is_release = path.is_file() && path.extension().is_none_or(|extension| extension != "toml")
        || path.join(selfsame_oci::layout::INDEX_FILE).exists()
        || crate::remote::as_reference(path).is_some();
    let count = if is_release {
        super::rebuild_verify::fetch(path, &store, settings)?
    } else {
        let project = Project::open(path, &store, settings, &voice, &cancel)?;
        project.fetch_all().map_err(|report| ended(report, &cancel))?
    };
    let are = if count == 1 { "is" } else { "are" };
    terminal::talk(&format!("{} {are} in the store", show::count(count, "input")));
    Ok(Exit::Yes)
}
