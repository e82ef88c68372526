//! This test program as its own child: `--ignored --exact NAME` runs one test that is a part of another.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tells the child where to work.
const FOLDER: &str = "SELFSAME_STORE_TEST_FOLDER";

/// A command that runs `test`, an ignored one, in a process of its own.
pub(crate) fn command(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]).env(FOLDER, folder).stdout(Stdio::null());
    command
}

/// The same behind `setup`, a shell text that runs as root of a new user and mount namespace and gets the folder as `$1`.
pub(crate) fn in_namespace(setup: &str, test: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["-U", "-r", "-m", "sh", "-euc"])
        .arg(format!("{setup}\nshift; exec \"$@\""))
        .arg("sh")
        .arg(folder)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null());
    command
}

/// A command that runs `test` in a user namespace that maps nobody: what root may do beyond its own files is lost.
pub(crate) fn without_privileges(test: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .arg("-U")
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null());
    command
}

/// Whether `in_namespace` and `without_privileges` can work here.
pub(crate) fn namespaces() -> Result<(), String> {
    let tried = Command::new("unshare").args(["-U", "-r", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("no mounts in a user namespace: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no `unshare`: {error}")),
    }
}

/// In the child: where to work. Nothing if somebody runs all ignored tests by hand.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}
