//! The project's own commands. `cargo xtask check` while writing, `cargo xtask test` before handing in.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a development tool talks to a terminal")]

mod check;
mod command;
mod foreign;
mod fuzz;
mod test;

use std::process::ExitCode;

use crate::test::Tier;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  check                Formatting, lints, the project's rules, unit tests. A minute when nothing is cold.
  test [--tier TIER]   Every test that this machine can run; what it cannot run is listed.
                       TIER: default    no network, no other people's tools, no namespaces needed
                             sandbox | network | foreign    and a test of that tier that is skipped counts as failed
                             all        the same for all tiers
                       SELFSAME_REQUIRE in the environment (`sandbox,network` or `all`) says the same and wins.
                       Where `foreign` is required, tools that it lacks are installed, if apt-get and root are there.
  fuzz [TARGET] [--seconds N] [--seed N]
                       The readers of foreign bytes, each with made-up inputs for N seconds (60); a new seed each time.
                       A finding is kept in target/fuzz. `--list` names the targets.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["check"] => check::check(),
        ["test"] => test::test(None),
        ["test", "--tier", tier] => match Tier::parse(tier) {
            Some(tier) => test::test(Some(tier)),
            None => return usage(&format!("`{tier}` is no tier")),
        },
        ["fuzz", rest @ ..] => match fuzz::Asked::parse(rest) {
            Ok(asked) => fuzz::fuzz(&asked),
            Err(fault) => return usage(&fault),
        },
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [] => return usage("a command is wanted"),
        other => return usage(&format!("`{}` is no command", other.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("xtask: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn usage(fault: &str) -> ExitCode {
    eprint!("xtask: {fault}\n\n{USAGE}");
    ExitCode::from(2)
}
