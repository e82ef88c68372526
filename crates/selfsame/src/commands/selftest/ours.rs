//! This program against every case: the answer, the check that gave it, and the reason.

use std::path::Path;
use std::process::Command;

use selfsame_corpus::case::{ARTIFACT, BUNDLE, KEY, LOG_KEY, RELEASE, TRUST};
use selfsame_corpus::{Believed, Case, Expected, Judged};
use serde_json::Value;

use super::run::{Ended, Ran};
use super::{each, limits, show};
use crate::cli::Selftest;
use crate::report::{Answer, Exit, Report};
use crate::terminal;

/// The most memory that one answer may take.
pub(super) const MEMORY_BYTES: u64 = 1 << 30;

/// What came of one case.
pub(super) struct Found<'a> {
    pub(super) case: &'a Case,
    pub(super) ran: Ran,
    /// What is wrong with the answer.
    pub(super) wrong: Option<String>,
}

pub(super) fn run(cases: &[Case], folder: &Path, arguments: &Selftest) -> Answer {
    let program = std::env::current_exe()
        .map_err(|error| Report::new(Exit::Unanswered, format!("cannot tell which program this is: {error}")))?;
    let limits = limits(arguments, MEMORY_BYTES);
    let asked = each(cases, folder, limits, |case, path, run| {
        let ran = run(&mut command(&program, case, path))
            .map_err(|error| Report::new(Exit::Unanswered, format!("cannot run `{}`: {error}", program.display())))?;
        let wrong = wrong(case, &ran);
        Ok((ran, wrong))
    })?;
    let found: Vec<Found<'_>> =
        cases.iter().zip(asked).map(|(case, (ran, wrong))| Found { case, ran, wrong }).collect();
    terminal::data(&show::ours(&found, arguments));
    Ok(if found.iter().all(|found| found.wrong.is_none()) { Exit::Yes } else { Exit::No })
}

/// The question as a command line. No variable of whoever asks can change it.
fn command(program: &Path, case: &Case, path: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(path);
    match &case.question.subject {
        Judged::Bundle { predicate_type } => {
            command.args(["verify-file", ARTIFACT, "--bundle", BUNDLE, "--type", predicate_type])
        }
        Judged::Release => command.args(["verify", RELEASE, "--depth", "content"]),
    };
    match case.question.believed {
        Believed::Key => _ = command.args(["--key", KEY]),
        Believed::TrustFile { at } => _ = command.args(["--trust", TRUST, "--at", at]),
        Believed::Nobody => {}
    }
    if case.question.logged {
        command.args(["--log-key", LOG_KEY]);
    }
    for expectation in &case.question.expect {
        command.args(["--expect", expectation]);
    }
    command.arg("--json");
    command
}

/// What is wrong with an answer, if anything is.
fn wrong(case: &Case, ran: &Ran) -> Option<String> {
    let code = match ran.ended {
        Ended::Code(code @ 0..=2) => code,
        Ended::Code(code) => return Some(format!("it ended with the exit code {code}, which is no answer")),
        Ended::Signal(signal) => return Some(format!("it broke: signal {signal}")),
        Ended::TooLong => return Some("it took too long".to_owned()),
        Ended::TooLarge => return Some("it took too much memory".to_owned()),
    };
    // Words from outside never act on a terminal, whatever the answer is.
    let acts = |byte: &u8| *byte < b' ' && *byte != b'\n' || *byte == 0x7f;
    if ran.stdout.iter().chain(&ran.stderr).any(acts) {
        return Some("a control character from the case was printed as it is".to_owned());
    }
    if String::from_utf8_lossy(&ran.stderr).contains("panicked at") {
        return Some("it panicked".to_owned());
    }
    let Ok(said) = serde_json::from_slice::<Value>(&ran.stdout) else {
        return Some("it printed no JSON".to_owned());
    };
    let (row, reason) = told(&said);
    match &case.expected {
        Expected::Accept if code == 0 && said["class"] == "verified" => None,
        Expected::Accept => Some(format!("refused, though it is good: {row}: {reason}")),
        Expected::Reject { .. } if code == 0 => Some("accepted".to_owned()),
        Expected::Reject { exit, .. } if code != i32::from(*exit) => {
            Some(format!("exit {code} in place of {exit}: {row}: {reason}"))
        }
        Expected::Reject { row: wanted, because, .. } => {
            let right = row == *wanted && reason.contains(because.as_str());
            (!right).then(|| format!("refused for another reason: {row}: {reason}"))
        }
    }
}

/// The first check that failed and its reason; the headline where nothing was judged.
fn told(said: &Value) -> (&str, &str) {
    let failed = said["checks"].as_array().and_then(|checks| checks.iter().find(|it| it["outcome"] == "failed"));
    match failed {
        Some(check) => (check["id"].as_str().unwrap_or_default(), check["reason"].as_str().unwrap_or_default()),
        None => ("", said["headline"].as_str().unwrap_or_default()),
    }
}
