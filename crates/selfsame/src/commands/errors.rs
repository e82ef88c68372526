//! Errors of the crates below as reports: headline and facts are theirs, hints and exit codes are decided here.

use std::path::Path;

use selfsame_action::ExecutionError;
use selfsame_build::BuildError;
use selfsame_core::Digest;
use selfsame_definition::TextError;
use selfsame_lock::Stale;
use selfsame_log::LogSignerError;
use selfsame_store::{LogFolderError, PublishError, Store, StoreError};
use selfsame_toolchain::ToolchainError;

use crate::report::{Exit, Report};

/// A fault in a definition or lock, with its line.
pub(crate) fn text(path: &Path, error: &TextError) -> Box<Report> {
    let place = format!("{}:{}:{}", path.display(), error.line, error.column);
    Report::new(Exit::Unanswered, error.message.clone())
        .fact("at", place)
        .figure(&error.excerpt())
        .consequence(crate::report::NOTHING_BUILT)
        .into()
}

/// A lock that does not answer its definition.
pub(crate) fn stale(name: &str, stale: &[Stale]) -> Report {
    let mut report = Report::new(Exit::Unanswered, format!("`{name}` does not answer `selfsame.toml`"));
    for point in stale {
        let text = point.to_string();
        let text = text.strip_prefix(&format!("{}: ", point.what)).unwrap_or(&text);
        report = report.fact(&point.what, text);
    }
    report
        .consequence(crate::report::NOTHING_BUILT)
        .hint("run `selfsame lock`, review the change, then commit both files")
}

/// The store.
pub(crate) fn store(error: StoreError) -> Box<Report> {
    let report = Report::new(Exit::Unanswered, error.to_string());
    let report = match &error {
        StoreError::Corrupt { .. } => report
            .consequence("The damaged blob was set aside.")
            .hint("run the command again to fetch or record it anew; `selfsame store check` reads everything"),
        StoreError::Absent { .. } => {
            report.hint("`selfsame fetch` brings inputs, `selfsame toolchain capture` records tools")
        }
        StoreError::Full { .. } => {
            report.consequence("Nothing was published; what was written in part is removed.").hint(super::hints::FULL)
        }
        _ => report,
    };
    report.into()
}

/// A destination, or several of which each is whole or as it was.
pub(crate) fn publish(error: PublishError) -> Box<Report> {
    if let PublishError::Partly { published, failed, source } = &error {
        let mut report =
            Report::new(Exit::Unanswered, format!("`{}` was not published: {}", failed.display(), chain(source)));
        for path in published {
            report = report.fact("published", path.display());
        }
        return report.consequence("What is published is whole; the rest is as it was.").into();
    }
    let report = Report::new(Exit::Unanswered, chain(&error)).consequence("Nothing was published or replaced.");
    let report = match &error {
        PublishError::Exists { .. } | PublishError::Appeared { .. } => {
            report.hint("choose another place with `-o DIR`, or move what is there away")
        }
        PublishError::NoParent { parent, .. } => report.hint(format!("mkdir -p {}", quoted(parent))),
        _ => report,
    };
    report.into()
}

/// A transparency log.
pub(crate) fn log(error: LogFolderError) -> Box<Report> {
    let exit = if matches!(error, LogFolderError::Busy { .. } | LogFolderError::Moved { .. }) {
        Exit::NotNow
    } else {
        Exit::Unanswered
    };
    let report = Report::new(exit, chain(&error));
    let report = match &error {
        LogFolderError::Publish(_) => report.consequence("No log was made."),
        LogFolderError::NotALog { path, .. } => report.hint(format!("to make one: selfsame log init {}", quoted(path))),
        LogFolderError::Damaged { path, root, signed } => report
            .fact("signed", signed)
            .fact("tiles", root)
            .consequence("Nothing was written.")
            .hint(format!("selfsame log check {}", quoted(path))),
        LogFolderError::WrongSigner { .. } => report
            .consequence("Nothing was written.")
            .hint("`--log-signer KEY` names the key that `selfsame log init` was given or made"),
        LogFolderError::Moved { .. } => report.consequence("Nothing was written.").hint("try again"),
        LogFolderError::Busy { .. } => report.consequence("Nothing was written.").hint("try again when it is done"),
        _ => report,
    };
    report.into()
}

/// The key of a log.
pub(crate) fn log_signer(error: LogSignerError) -> Box<Report> {
    log(LogFolderError::Sign(error))
}

/// Recording a toolchain.
pub(crate) fn toolchain(error: ToolchainError) -> Box<Report> {
    Report::new(Exit::Unanswered, chain(&error)).consequence("No toolchain was recorded.").into()
}

/// Binding a path source.
pub(crate) fn source(error: selfsame_fetch::SourceError) -> Box<Report> {
    use selfsame_fetch::SourceError;
    let report = Report::new(Exit::Unanswered, chain(&error)).consequence(crate::report::NOTHING_BUILT);
    let report = match &error {
        SourceError::NoRepository { .. } | SourceError::NoCommit { .. } => {
            report.hint("write `epoch = 1700000000` (seconds since 1970) under `[source]` in selfsame.toml")
        }
        SourceError::Changed { .. } => report.hint("build again when nothing writes to the source"),
        _ => report,
    };
    report.into()
}

/// Locked inputs.
pub(crate) fn fetch(error: selfsame_fetch::FetchError) -> Box<Report> {
    use selfsame_fetch::{FetchError, GitError};
    let exit = if error.retry_may_help() { Exit::NotNow } else { Exit::Unanswered };
    match error {
        FetchError::In { input, source } => {
            let mut report = fetch(*source);
            report.headline = format!("input `{input}`: {}", report.headline);
            report
        }
        FetchError::Mismatch { input, by, expected, found, place, .. } => {
            let hint = match by {
                "locked" => format!(
                    "to accept another file, run `selfsame lock --update {input}` and review the change of selfsame.lock"
                ),
                "pinned" => {
                    "to accept another file, let the tool that wrote the pin write it anew, and review that".into()
                }
                _ => "to accept another file, state its digest in selfsame.toml".to_owned(),
            };
            Report::new(exit, format!("input `{input}` is not the file that was {by}"))
                .fact(if by == "locked" { "locked" } else { "stated" }, expected)
                .fact("found", found)
                .fact("in", place)
                .consequence("The bytes were discarded; the store is unchanged.")
                .hint(hint)
                .into()
        }
        FetchError::Offline { .. } => Report::new(exit, error.to_string()).hint("run `selfsame fetch` where there is a network").into(),
        FetchError::Store { source } | FetchError::Git(GitError::Store { source, .. }) => store(source),
        FetchError::Git(GitError::Refused { .. } | GitError::NoRepository { .. }) => Report::new(exit, chain(&error))
            .consequence(crate::report::NOTHING_BUILT)
            .hint("git is not asked at the terminal here: its credential helper, or ssh's agent, has to know the credentials")
            .into(),
        FetchError::Git(GitError::Pointer { .. }) => Report::new(exit, chain(&error))
            .consequence(crate::report::NOTHING_BUILT)
            .hint("lock the large file as an input of kind `file`, or commit it itself")
            .into(),
        other => {
            let report = Report::new(exit, chain(&other)).consequence(crate::report::NOTHING_BUILT);
            match super::hints::of_fetch(&other) {
                Some(hint) => report.hint(hint).into(),
                None => report.into(),
            }
        }
    }
}

/// Crates of a Cargo.lock.
pub(crate) fn crates(error: selfsame_fetch::CratesError) -> Box<Report> {
    use selfsame_fetch::CratesError;
    let exit = if error.retry_may_help() { Exit::NotNow } else { Exit::Unanswered };
    match error {
        CratesError::Mismatch { name, version, locked, found } => {
            Report::new(exit, format!("crate `{name}` {version} is not the file that was locked"))
                .fact("locked", locked)
                .fact("found", found)
                .consequence("The bytes were discarded; the store is unchanged.")
                .hint("somebody replaced a published crate, or Cargo.lock was edited: ask before you accept it")
                .into()
        }
        CratesError::NoLock { .. } => Report::new(exit, error.to_string())
            .consequence(crate::report::NOTHING_BUILT)
            .hint("run `cargo generate-lockfile`, then commit Cargo.lock")
            .into(),
        CratesError::Offline { .. } => {
            Report::new(exit, error.to_string()).hint("run `selfsame fetch` where there is a network").into()
        }
        CratesError::Store { source } => store(source),
        other => Report::new(exit, chain(&other)).consequence(crate::report::NOTHING_BUILT).into(),
    }
}

/// Whether an action is what runs the maintainer scripts of an input: names of actions have no dot.
fn is_configuring(action: &str) -> bool {
    action.ends_with(&selfsame_action::configure::configure_step(""))
}

const CONFIGURING_FAILED: &str = "the log names the package whose maintainer script failed: leave it out, or use \
                                  `rootfs = \"unpacked\"`, for which no script runs";
const CONFIGURING_DIFFERS: &str = "a package's maintainer script made this, keys and databases mostly: leave the package out and \
                                   make it when a container starts, or build with --no-check, which the signed inventory then says";

/// A build that gave nothing.
pub(crate) fn build(error: BuildError, store: &Store) -> Box<Report> {
    match error {
        BuildError::Action(error) => action(error, store),
        BuildError::Store(error) => self::store(error),
        BuildError::Publish(error) => publish(error),
        BuildError::CheckFailed { log, ref last_lines, .. } => Report::new(Exit::No, error.to_string())
            .fact("log", log_path(store, &log))
            .excerpt(last_lines.clone())
            .consequence("The first run succeeded. Nothing was signed.")
            .hint("the second run had one CPU, other pids, another unpack order and a later clock: `selfsame help levels`")
            .into(),
        BuildError::NotReproducible { ref action, ref paths, level, ref first, ref second } => {
            let mut report = Report::new(Exit::No, error.to_string());
            for path in paths.iter().take(8) {
                report = report.fact("differs", path);
            }
            if paths.len() > 8 {
                report = report.fact("and", format!("{} more", paths.len() - 8));
            }
            report = report.excerpt(super::image::explain_trees(first, second, store));
            report = report.consequence("Nothing was signed.");
            if is_configuring(action) {
                return report.hint(CONFIGURING_DIFFERS).into();
            }
            report
                .hint(format!(
                    "make the action independent of what differs (`selfsame help levels` says what level `{level}` \
                     leaves open), or build with --no-check, which the signed inventory then says"
                ))
                .into()
        }
        BuildError::Secret { .. } => Report::new(Exit::Unanswered, error.to_string())
            .consequence("Nothing was built: provenance is public and signed for good.")
            .hint("an action needs no credentials: fetch what it needs beforehand, as a locked input")
            .into(),
        BuildError::Plan(selfsame_action::PlanError::Toolchain { .. }) => {
            Report::new(Exit::Unanswered, error.to_string()).hint("run `selfsame toolchain capture`").into()
        }
        other => Report::new(Exit::Unanswered, chain(&other)).consequence("Nothing was published.").into(),
    }
}

fn action(error: ExecutionError, store: &Store) -> Box<Report> {
    let headline = error.to_string();
    match error {
        ExecutionError::Failed { action: name, mechanism, argv, last_lines, log, .. } => {
            let scripts = is_configuring(&name);
            let hint = match scripts {
                true => Some(CONFIGURING_FAILED.to_owned()),
                false => failure_hint(mechanism.as_deref(), &argv, &last_lines),
            };
            let mut report = Report::new(Exit::No, headline);
            // The script that runs maintainer scripts is ours, and long.
            if !scripts {
                report = report.fact("argv", argv.join(" "));
            }
            if let Some(mechanism) = mechanism {
                report = report.fact("by", mechanism);
            }
            // What stands right above is not said twice.
            let excerpt = if crate::terminal::just_said(&last_lines) { Vec::new() } else { last_lines };
            report = report.fact("log", log_path(store, &log)).excerpt(excerpt).consequence("Nothing was published.");
            match hint {
                Some(hint) => report.hint(hint).into(),
                None => report.into(),
            }
        }
        ExecutionError::Output { .. } => Report::new(Exit::No, headline)
            .consequence("Nothing was published.")
            .hint("`outputs` of the action names what it leaves, relative to its working folder")
            .into(),
        ExecutionError::Sandbox { relaxation, level, .. } => {
            let report = Report::new(Exit::Unanswered, headline)
                .consequence("Nothing was built: a weaker sandbox is never taken in silence.")
                .hint(format!("`selfsame doctor` says what this machine needs for level `{level}`, line by line"));
            match relaxation {
                Some(name) => report
                    .hint(format!("or name the exception, for everybody to read: `--relax {name} --reason TEXT`"))
                    .into(),
                None => report.into(),
            }
        }
        ExecutionError::Ids { line, .. } => {
            let report = Report::new(Exit::Unanswered, headline)
                .consequence("Nothing was built: maintainer scripts give files to other users than one.");
            match line.is_empty() {
                true => report.hint("`selfsame doctor` tries what this machine can").into(),
                false => report
                    .fact("line", &line)
                    .hint("add the line to /etc/subuid and to /etc/subgid: `selfsame doctor` has the commands")
                    .hint("newuidmap and newgidmap are of package `uidmap` (shadow-utils of Fedora)")
                    .into(),
            }
        }
        ExecutionError::Interrupted { .. } => {
            Report::new(Exit::NotNow, headline).consequence("Nothing was published; no process is left.").into()
        }
        _ => {
            let damaged = headline.contains("is damaged in the store");
            let report = Report::new(Exit::Unanswered, headline).consequence("Nothing was published.");
            if damaged {
                // As the store itself says it, from which this comes through an executor.
                return report
                    .hint("run the command again to bring or record it anew; `selfsame store check` reads everything")
                    .into();
            }
            report.into()
        }
    }
}

/// What most often helps, told from the mechanism and the last lines.
fn failure_hint(mechanism: Option<&str>, argv: &[String], last_lines: &[String]) -> Option<String> {
    let says = |words: &[&str]| last_lines.iter().any(|line| words.iter().any(|word| line.contains(word)));
    match mechanism {
        Some(m) if m.starts_with("its timeout") => return Some("raise `timeout` of the action, in seconds".to_owned()),
        Some(m) if m.starts_with("scratch full") => {
            return Some("raise `scratch` of the action, for example `scratch = \"16GiB\"`".to_owned());
        }
        Some("out of memory") => {
            return Some("run fewer jobs at once, or build on a machine with more memory".to_owned());
        }
        Some(m) if m.starts_with("task limit") => return Some("run fewer jobs at once".to_owned()),
        _ => {}
    }
    if says(&[
        "Could not resolve host",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "getaddrinfo",
    ]) {
        return Some("an action has no network; declare what it needs as a locked input".to_owned());
    }
    let program = argv.first().map_or("", String::as_str);
    if mechanism.is_some_and(|m| m.contains("cannot be executed")) {
        return Some(format!(
            "`{program}` is not in the toolchains of the action: add its package to a `deb` toolchain and run `selfsame lock` \
             (a `script` needs a shell, `dash`); of a host toolchain, `selfsame toolchain capture` records this machine's anew"
        ));
    }
    if says(&["No such file or directory", "not found", "cannot find"]) {
        return Some(
            "an action sees its inputs and nothing else; if a tool or header is missing, add its package to a `deb` toolchain \
             and run `selfsame lock`, or record a host toolchain anew by `selfsame toolchain capture`"
                .to_owned(),
        );
    }
    None
}

/// Where a log lies.
pub(crate) fn log_path(store: &Store, log: &Digest) -> String {
    match store.blob_path(log, false) {
        Ok(Some(path)) => path.display().to_string(),
        _ => log.to_string(),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A path as a shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
