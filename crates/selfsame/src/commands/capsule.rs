//! `selfsame capsule`: releases with every input, as one file.

mod check;
mod du;
mod export;
mod import;
mod parts;
mod write;

use std::path::Path;
use std::sync::Arc;

use selfsame_oci::layout;
use selfsame_verify::ReleaseFiles;

use crate::capsule_file::{self, CapsuleFile, Found, Listed};
use crate::cli::CapsuleCommand;
use crate::remote;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;

/// The largest `index.json` of a release that is read.
const INDEX_BYTES: u64 = 16 << 20;

pub(super) fn run(arguments: &CapsuleCommand, settings: &Settings) -> Answer {
    match arguments {
        CapsuleCommand::Export(arguments) => export::run(arguments, settings),
        CapsuleCommand::Import(arguments) => import::run(arguments, settings),
        CapsuleCommand::Check(arguments) => check::run(arguments, settings),
        CapsuleCommand::Du(arguments) => du::run(arguments, settings),
    }
}

/// A release, wherever it lies, and its files.
struct Opened {
    listed: Arc<Listed>,
    files: Box<dyn ReleaseFiles>,
}

/// Every release that a path leads to: that of a folder, a tar or a registry, all of a capsule, or one of it; and the
/// capsule.
fn releases(path: &Path, settings: &Settings) -> Answer<(Vec<Opened>, Option<CapsuleFile>)> {
    if remote::as_reference(path).is_some() {
        let files = remote::Release::find(path, true, true, None, settings)?.files()?;
        return Ok((vec![opened(path, files)?], None));
    }
    match capsule_file::open(path)? {
        Found::Other(files) => Ok((vec![opened(path, files)?], None)),
        Found::Capsule(capsule, wanted) => {
            let wanted = wanted.map_or_else(|| capsule.releases.clone(), |release| vec![release]);
            let view = |listed: Arc<Listed>| Opened { files: Box::new(capsule.view(&listed)), listed };
            Ok((wanted.into_iter().map(view).collect(), Some(*capsule)))
        }
    }
}

fn opened(path: &Path, files: Box<dyn ReleaseFiles>) -> Answer<Opened> {
    let fault = |fault: &dyn std::fmt::Display| {
        Report::new(Exit::Unanswered, format!("`{}` is not a release: {fault}", path.display()))
    };
    let index = files.read(layout::INDEX_FILE, INDEX_BYTES).map_err(|error| fault(&error))?;
    let index = index.ok_or_else(|| fault(&"index.json is missing"))?;
    let listed = Listed::read(index, files.as_ref()).map_err(|error| fault(&error))?;
    Ok(Opened { listed: Arc::new(listed), files })
}
