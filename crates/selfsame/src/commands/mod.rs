//! One file a command: arguments in, exit code or report out.

mod agreement;
mod build;
mod capsule;
mod check;
mod conformance;
mod diff;
mod doctor;
pub(crate) mod errors;
mod help;
mod hints;
mod image;
mod index;
mod init;
mod inspect;
mod joined;
mod judged;
mod kept;
mod keygen;
mod lock;
mod log;
mod page;
mod policy;
mod pull;
mod push;
mod rebuild_verify;
mod sbom;
mod selftest;
mod several;
mod store;
mod summary;
mod tamper;
mod toolchain;
mod trust;
mod verify;
mod verify_file;

use clap::CommandFactory as _;

pub(crate) use self::lock::to_share;

use crate::cli::{Cli, Command};
use crate::report::{Answer, Exit};
use crate::settings::Settings;

/// Runs a command.
pub(crate) fn run(cli: Cli, settings: &Settings) -> Answer {
    match cli.command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments, settings),
        Command::Keygen(arguments) => keygen::run(&arguments),
        Command::Lock(arguments) => on(&arguments.project.path, lock::run(&arguments, settings)),
        Command::Fetch(arguments) => lock::fetch(&arguments, settings),
        Command::Toolchain(arguments) => toolchain::run(&arguments, settings),
        Command::Build(arguments) => on(&arguments.project.path, build::run(&arguments, settings)),
        Command::Verify(arguments) => verify::run(&arguments, settings),
        Command::VerifyFile(arguments) => verify_file::run(&arguments, settings),
        Command::RebuildVerify(arguments) => rebuild_verify::run(&arguments, settings),
        Command::Trust(command) => trust::run(&command, settings),
        Command::Policy(command) => policy::run(&command, settings),
        Command::Push(arguments) => push::run(&arguments, settings),
        Command::Pull(arguments) => pull::run(&arguments, settings),
        Command::Check(arguments) => check::run(&arguments, settings),
        Command::Index(arguments) => index::run(&arguments, settings),
        Command::Diff(arguments) => diff::run(&arguments, settings),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Sbom(arguments) => sbom::run(&arguments),
        Command::Tamper(arguments) => tamper::run(&arguments),
        Command::Selftest(arguments) => selftest::run(&arguments, settings),
        Command::Log(arguments) => log::run(&arguments, settings),
        Command::Store(arguments) => store::run(&arguments, settings),
        Command::Capsule(arguments) => capsule::run(&arguments, settings),
        Command::Conformance(command) => conformance::run(&command),
        Command::Completions(arguments) => {
            let mut script = Vec::new();
            clap_complete::generate(arguments.shell, &mut Cli::command(), "selfsame", &mut script);
            crate::terminal::data(&String::from_utf8_lossy(&script));
            Ok(Exit::Yes)
        }
        Command::Help(arguments) => help::run(&arguments),
    }
}

/// The answer of a command on the project at `path`.
fn on(path: &std::path::Path, answer: Answer) -> Answer {
    answer.map_err(|report| Box::new(report.for_project(path)))
}

/// As many threads as there are processors.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
