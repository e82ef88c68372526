//! What to run while writing: quick, offline, and nothing that CI would say first.

use crate::command::{run, succeeds};

/// Formatting, lints, the project's rules, unit tests, in the order in which they are cheap.
pub(crate) fn check() -> Result<(), String> {
    run("cargo", &["fmt", "--all", "--check"])?;
    run("cargo", &["test", "--quiet", "--package", "xtask"])?;
    run("cargo", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"])?;
    run("cargo", &["test", "--quiet", "--workspace", "--lib", "--bins"])?;
    if succeeds("cargo", &["deny", "--version"]) {
        run("cargo", &["deny", "--offline", "check", "bans", "licenses", "sources"])?;
    } else {
        eprintln!("xtask: cargo-deny is not installed: deny.toml was not checked");
    }
    Ok(())
}
