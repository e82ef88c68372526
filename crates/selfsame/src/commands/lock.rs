//! `selfsame lock` and `selfsame fetch`: inputs pinned by content, and brought.

use crate::cli::{Fetch, Lock};
use crate::prepare::{self, Project, read_text};
use crate::report::{Answer, Exit};
use crate::settings::Settings;
use crate::terminal::{self, Voice};

pub(super) fn run(arguments: &Lock, settings: &Settings) -> Answer {
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let store = prepare::store(settings)?;
    let project = Project::open(&arguments.project.path, &store, settings, &voice, &cancel)?;
    let path = project.folder.join(selfsame_lock::Lock::FILE_NAME);
    if arguments.check {
        return match project.lock(true) {
            Ok(_) => {
                terminal::data(&format!("`{}` answers `{}`", path.display(), project.file.display()));
                Ok(Exit::Yes)
            }
            Err(mut report) => {
                report.exit = Exit::No;
                Err(report)
            }
        };
    }
    let before = read_text(&path)?;
    let (lock, text) = project.resolve(None, |_| false)?;
    for (name, part) in lock.parts() {
        terminal::data(&format!("{name}  {}  {}", part.purl, part.sha256));
    }
    let said = match before {
        Some(before) if before == text => "unchanged",
        Some(_) => "changed: review and commit it",
        None => "written: commit it",
    };
    terminal::talk(&format!("`{}` {said}; {} inputs", path.display(), lock.inputs.len()));
    Ok(Exit::Yes)
}

pub(super) fn fetch(arguments: &Fetch, settings: &Settings) -> Answer {
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let store = prepare::store(settings)?;
    let path = &arguments.path;
    let is_release = path.is_file() && path.extension().is_none_or(|extension| extension != "toml")
        || path.join(selfsame_oci::layout::INDEX_FILE).exists();
    let count = if is_release {
        super::rebuild_verify::fetch(path, &store, settings)?
    } else {
        Project::open(path, &store, settings, &voice, &cancel)?.fetch_all()?
    };
    terminal::talk(&format!("{count} inputs are in the store"));
    Ok(Exit::Yes)
}
