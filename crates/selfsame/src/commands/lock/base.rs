//! What a lock is compared with: a file, or the lock of a commit.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use selfsame_definition::Definition;
use selfsame_fetch::Environment;
use selfsame_lock::Lock;

use crate::prepare::read_text;
use crate::report::{Answer, Exit, Report, printable};

/// More of a file of a commit is not read.
const TEXT_BYTES: u64 = 16 << 20;

/// The other side of a comparison.
pub(super) struct Base {
    /// Its lock; nothing where the commit has none.
    pub(super) lock: Option<Lock>,
    /// Its definition, where it can be read.
    pub(super) definition: Option<Definition>,
}

/// A file, if there is one of that name; else a revision of the repository that the project lies in.
pub(super) fn read(base: &str, folder: &Path, environment: &Environment) -> Answer<Base> {
    let path = Path::new(base);
    let path = if path.is_dir() { path.join(Lock::FILE_NAME) } else { path.to_owned() };
    if let Some(text) = read_text(&path)? {
        return Ok(Base { lock: Some(super::parse(&path, &text)?), definition: None });
    }
    let absent = |why: &str| {
        let report = Report::new(Exit::Unanswered, format!("`{}` is neither a file nor a commit", printable(base)));
        report.fact("git", printable(why)).hint("a branch that is not here yet: `git fetch origin BRANCH` brings it")
    };
    // What begins with a dash would be an option; git refuses it as a name, too.
    if base.starts_with('-') || base.contains(char::is_whitespace) {
        return Err(absent("not the name of a revision").into());
    }
    let commit =
        git(folder, environment, &["rev-parse", "--verify", "--end-of-options", &format!("{base}^{{commit}}")])?;
    let commit = commit.map_err(|why| absent(&why))?;
    let file = |name: &str| -> Answer<Option<String>> {
        // `./` is the project's folder, wherever it is in the repository.
        let listed = git(folder, environment, &["ls-tree", "--name-only", commit.trim(), "--", name])?;
        if !listed.is_ok_and(|listed| !listed.trim().is_empty()) {
            return Ok(None);
        }
        let text = git(folder, environment, &["cat-file", "blob", &format!("{}:./{name}", commit.trim())])?;
        text.map(Some).map_err(|why| absent(&why).into())
    };
    let shown = format!("{base}:{}", Lock::FILE_NAME);
    let lock = file(Lock::FILE_NAME)?.map(|text| super::parse(Path::new(&shown), &text)).transpose()?;
    let definition = file(Definition::FILE_NAME)?.and_then(|text| Definition::parse(&text).ok());
    Ok(Base { lock, definition })
}

/// What git prints, or the last line of why not. It reads; hooks and pagers have no part in it.
fn git(folder: &Path, environment: &Environment, arguments: &[&str]) -> Answer<Result<String, String>> {
    let fault = |what: String| Report::new(Exit::Unanswered, what);
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["--no-pager", "-c", "core.fsmonitor=false"]).args(arguments);
    command.env_clear().envs(&environment.variables).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| fault(format!("git cannot be run: {error}")))?;
    let mut text = Vec::new();
    let read = child.stdout.take().map(|out| out.take(TEXT_BYTES + 1).read_to_end(&mut text));
    let ended = child.wait_with_output();
    let ended = ended.map_err(|error| fault(format!("git cannot be run: {error}")))?;
    if let Some(Err(error)) = read {
        return Err(fault(format!("what git says cannot be read: {error}")).into());
    }
    if text.len() as u64 > TEXT_BYTES {
        return Err(fault("a file of the commit is larger than 16 MiB".to_owned()).into());
    }
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it failed and said nothing");
        return Ok(Err(last.chars().take(300).collect()));
    }
    Ok(String::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned()))
}
