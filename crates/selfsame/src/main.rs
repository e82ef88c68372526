//! The `selfsame` program: arguments, environment, terminal and exit codes. Everything else is in the crates below.
#![forbid(unsafe_code)]

mod capsule_file;
mod cli;
mod commands;
mod files;
#[cfg(test)]
mod fuzz;
mod given;
mod inputs;
mod interrupt;
mod keys;
mod log;
mod meter;
mod network;
mod people;
mod policy;
mod prepare;
mod rejoined;
mod remote;
mod report;
mod run_record;
mod settings;
mod shared;
mod standing;
mod terminal;
mod timestamp;
mod trust;

use std::process::ExitCode;

use clap::Parser as _;

use crate::report::Exit;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == selfsame_sandbox::HELPER_ARG => return selfsame_sandbox::helper_main(),
        Some(first) if first == selfsame_sandbox::CONFINED_ARG => return guarded(policy::serve),
        _ => {}
    }
    guarded(run)
}

/// A panic is a defect of ours. It must never look like a verdict, least of all a good one.
fn guarded(run: impl FnOnce() -> ExitCode + std::panic::UnwindSafe) -> ExitCode {
    std::panic::catch_unwind(run).unwrap_or_else(|_| Exit::Unanswered.into())
}

fn run() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let wanted_help = !usage.use_stderr();
            let _ = usage.print();
            return if wanted_help { Exit::Yes.into() } else { Exit::Unanswered.into() };
        }
    };
    let mut settings = settings::Settings::from_environment();
    settings.ca.clone_from(&cli.ca);
    settings.offline = cli.offline;
    let undone = cli.command.undone();
    match commands::run(cli, &settings) {
        Ok(exit) => exit.into(),
        Err(mut report) => {
            // Said by what builds and fetches share; who only fetches would not say it so.
            if report.consequence.as_deref() == Some(report::NOTHING_BUILT) {
                report.consequence = undone.map(str::to_owned);
            }
            terminal::print_report(&report, &settings);
            report.exit.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where it is a thread that panics.
    #[test]
    fn a_panic_is_no_answer() {
        let unanswered = ExitCode::from(2);
        assert_eq!(guarded(|| panic!("a defect")), unanswered);
        let in_a_thread = || {
            std::thread::scope(|scope| drop(scope.spawn(|| panic!("a defect in a thread"))));
            ExitCode::SUCCESS
        };
        assert_eq!(guarded(in_a_thread), unanswered);
        assert_eq!(guarded(|| ExitCode::SUCCESS), ExitCode::SUCCESS);
    }
}
