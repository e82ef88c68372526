//! Another verifier against the cases that its command can put.

use std::path::Path;

use selfsame_corpus::{Case, Expected};

use super::run::{Ended, Ran};
use super::template::Template;
use super::{each, limits, show};
use crate::cli::Selftest;
use crate::report::{Answer, Exit, Report};
use crate::terminal;

/// The most memory that one answer may take: other programs bring a runtime with them.
const MEMORY_BYTES: u64 = 4 << 30;

/// What a verifier said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Accepted,
    Refused,
    /// It broke: a signal, or an exit code that says so.
    Broke,
    /// It had to be stopped.
    Stopped,
}

/// What came of one case.
pub(super) struct Found<'a> {
    pub(super) case: &'a Case,
    pub(super) said: Said,
    /// The last line of what it said about it.
    pub(super) words: String,
}

impl Found<'_> {
    /// Whether the answer is the one that the case wants.
    pub(super) fn is_right(&self) -> bool {
        match self.case.expected {
            Expected::Accept => self.said == Said::Accepted,
            Expected::Reject { .. } => self.said == Said::Refused,
        }
    }

    /// Whether it is a fault of the verifier.
    pub(super) fn is_fault(&self) -> bool {
        let broken = matches!(self.said, Said::Broke | Said::Stopped);
        broken || !self.is_right() && self.case.grounds.counts()
    }
}

pub(super) fn run(cases: &[Case], template: &Template, folder: &Path, arguments: &Selftest) -> Answer {
    let asked: Vec<Case> = cases.iter().filter(|case| template.can_ask(case)).cloned().collect();
    if asked.is_empty() {
        return Err(Report::new(Exit::Unanswered, "the command of --against can put none of these questions")
            .hint("`selfsame help selftest` says what has to have its place in it")
            .into());
    }
    let answers = each(&asked, folder, limits(arguments, MEMORY_BYTES), |case, path, run| {
        let mut command = template.command(case, path);
        let ran = run(&mut command).map_err(|error| {
            let program = command.get_program().to_string_lossy().into_owned();
            Report::new(Exit::Unanswered, format!("cannot run `{program}`: {error}"))
        })?;
        Ok((said(&ran), last_line(&ran)))
    })?;
    let found: Vec<Found<'_>> =
        asked.iter().zip(answers).map(|(case, (said, words))| Found { case, said, words }).collect();
    terminal::data(&show::against(&found, cases.len(), arguments));
    Ok(if found.iter().any(Found::is_fault) { Exit::No } else { Exit::Yes })
}

fn said(ran: &Ran) -> Said {
    match ran.ended {
        Ended::Code(0) => Said::Accepted,
        // What shells and Rust's panics end with.
        Ended::Code(101 | 126..) | Ended::Signal(_) => Said::Broke,
        Ended::Code(_) => Said::Refused,
        Ended::TooLong | Ended::TooLarge => Said::Stopped,
    }
}

fn last_line(ran: &Ran) -> String {
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(|line| line.chars().take(200).collect())
    };
    line(&ran.stderr).or_else(|| line(&ran.stdout)).unwrap_or_default()
}
