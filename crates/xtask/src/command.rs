//! Running other programs, aloud.
#![expect(clippy::disallowed_methods, reason = "cargo says in the environment where the project is, and itself")]

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    // At run time: checkouts that share a target folder share this program, too.
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), |here| PathBuf::from(here).join("../.."))
}

/// A command in the workspace's folder. `cargo` is the one that runs us.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").filter(|_| program == "cargo");
    let mut command = Command::new(cargo.unwrap_or_else(|| program.into()));
    command.args(arguments).current_dir(root());
    command
}

/// Shows the command, runs it, and gives an error that names it unless it succeeds.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    run_with(program, arguments, &[])
}

/// The same with variables added to the environment.
pub(crate) fn run_with(program: &str, arguments: &[&str], environment: &[(&str, String)]) -> Result<(), String> {
    let line = format!("{program} {}", arguments.join(" "));
    let shown: String = environment.iter().map(|(name, value)| format!("{name}={value} ")).collect();
    eprintln!("xtask: {shown}{line}");
    let mut command = command(program, arguments);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("`{line}` could not be started: {error}")),
    }
}

/// Whether a command is there and succeeds; what it says is thrown away.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = command(program, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What a command prints, if it succeeds.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let line = format!("{program} {}", arguments.join(" "));
    let output = command(program, arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("`{line}` could not be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{line}` ended with {}", output.status))
}
