//! What a person sees while work goes on, and when it fails. Talk goes to standard error, data to standard output.
#![expect(clippy::print_stderr, reason = "this is where the terminal is written to")]

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use selfsame_build::{Event, Progress};
use selfsame_executor::LogSink;

use crate::report::{Report, printable};
use crate::settings::Settings;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Verbosity {
    /// Milestones and logs, with colour on a terminal.
    Auto,
    /// Milestones and logs, line by line.
    Plain,
    /// Milestones and logs, with colour.
    Tty,
    /// Errors only.
    Quiet,
}

/// Prints an error for people, or as JSON where that was asked for.
pub(crate) fn print_report(report: &Report, settings: &Settings) {
    if settings.json.get() {
        data(&report.json());
        return;
    }
    let text = report.text();
    match text.strip_prefix("error:") {
        Some(rest) if settings.colour => eprint!("\x1b[1;31merror:\x1b[0m{rest}"),
        _ => eprint!("{text}"),
    }
}

/// One line of data, on standard output.
pub(crate) fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    // Documents go on byte for byte where they are kept; a person sees what could act.
    let text = if rustix::termios::isatty(&out) { &*shown(text) } else { text };
    // A reader that closed the pipe has all that it wants.
    let _ = writeln!(out, "{}", text.strip_suffix('\n').unwrap_or(text));
}

/// Lines as a terminal may have them.
fn shown(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// One line of talk, on standard error.
pub(crate) fn talk(text: &str) {
    eprintln!("{text}");
}

/// The voice of a long command.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    quiet: bool,
    colour: bool,
    /// Whether a line may be written over.
    live: bool,
}

impl Voice {
    pub(crate) fn new(verbosity: Verbosity, settings: &Settings) -> Self {
        Self {
            quiet: verbosity == Verbosity::Quiet,
            colour: verbosity == Verbosity::Tty || verbosity == Verbosity::Auto && settings.colour,
            live: verbosity == Verbosity::Tty || verbosity == Verbosity::Auto && settings.terminal,
        }
    }

    /// A milestone: a word and what it is about.
    pub(crate) fn say(&self, word: &str, about: &str) {
        if self.quiet {
            return;
        }
        let about = printable(about);
        let over = if self.live { "\r\x1b[K" } else { "" };
        if self.colour {
            eprintln!("{over}\x1b[1;32m{word:>10}\x1b[0m {about}");
        } else {
            eprintln!("{over}{word:>10} {about}");
        }
    }

    /// Whether pictures can be shown.
    pub(crate) const fn is_live(&self) -> bool {
        self.live && !self.quiet
    }

    /// A milestone that is not reached: the next line is written over it.
    pub(crate) fn picture(&self, word: &str, about: &str) {
        if self.is_live() {
            // Longer ones would wrap, and what wrapped stays.
            let about: String = printable(about).chars().take(66).collect();
            eprint!("\r\x1b[K{word:>10} {about}");
        }
    }

    /// Something that a person should know, though nothing is wrong.
    pub(crate) fn warn(&self, about: &str) {
        let about = printable(about);
        if self.colour {
            eprintln!("\x1b[1;33m   warning\x1b[0m {about}");
        } else {
            eprintln!("   warning {about}");
        }
    }

    /// Takes a picture away.
    pub(crate) fn wipe(&self) {
        if self.is_live() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Progress for Voice {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::ActionStarted { .. } => {}
            Event::ActionChecked { name } => self.say("check", &format!("{name}, a second time under variation")),
            Event::ActionEnded { name, cached: true, .. } => self.say("have", &format!("{name}, unchanged")),
            Event::ActionEnded { name, duration_millis, checked, .. } => {
                let checked = if checked { ", made twice and equal" } else { "" };
                self.say("ran", &format!("{name} in {}{checked}", seconds(duration_millis)));
            }
            Event::Layer { size_bytes } => self.say("assemble", &format!("image from {}", size(size_bytes))),
            Event::Signing => self.say("sign", "provenance, SBOM, image, inventory"),
        }
    }
}

impl LogSink for Voice {
    fn line(&self, action: &str, line: &str) {
        if !self.quiet {
            eprintln!("{:>10} | {line}", clip(action, 10));
            let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() == REMEMBERED {
                said.pop_front();
            }
            said.push_back(line.to_owned());
        }
    }
}

/// The last lines of logs that were said.
static SAID: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
/// More lines are in no excerpt.
const REMEMBERED: usize = 200;

/// Whether these are the last lines of a log that were said: whoever reads on standard error has just seen them.
pub(crate) fn just_said(lines: &[String]) -> bool {
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(before) = said.len().checked_sub(lines.len()) else { return false };
    said.iter().skip(before).eq(lines)
}

fn clip(text: &str, width: usize) -> &str {
    text.char_indices().nth(width).map_or(text, |(at, _)| &text[..at])
}

/// `1.2 s`, `340 ms`.
pub(crate) fn seconds(millis: u64) -> String {
    if millis < 1000 { format!("{millis} ms") } else { format!("{}.{} s", millis / 1000, millis % 1000 / 100) }
}

/// `16 KiB`, `226.3 MiB`, in powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::{seconds, size};

    #[test]
    fn figures_for_people() {
        assert_eq!((size(0), size(1023), size(1024)), ("0 bytes".into(), "1023 bytes".into(), "1.0 KiB".into()));
        assert_eq!(size(226 << 20), "226.0 MiB");
        assert_eq!((seconds(7), seconds(61_050)), ("7 ms".into(), "61.0 s".into()));
    }
}
