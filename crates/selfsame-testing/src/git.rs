//! Repositories with the same commits on every machine.

use std::ffi::OsStr;
use std::process::Command;

use crate::TestEnv;

/// The time of every commit: 2023-11-14T22:13:20Z.
const DATE: &str = "1700000000 +0000";

impl TestEnv {
    /// Makes the project a repository with branch `main`.
    pub fn git_init(&self) {
        self.git(["init", "--quiet", "--initial-branch=main"]);
    }

    /// Commits everything in the project, also nothing, and says the commit's name. Makes the repository if need be.
    pub fn git_commit(&self, message: &str) -> String {
        if !self.project().join(".git").exists() {
            self.git_init();
        }
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--no-verify", "-m", message]);
        self.git(["rev-parse", "HEAD"])
    }

    /// Runs git in the project, by a fixed person at a fixed time and without anybody's configuration; says what it
    /// printed, without the last newline.
    #[track_caller]
    pub fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.project()).env_clear().envs(self.variables());
        for name in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{name}_NAME"), "Ada Example");
            command.env(format!("GIT_{name}_EMAIL"), "ada@example.com");
            command.env(format!("GIT_{name}_DATE"), DATE);
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.output().unwrap_or_else(|error| panic!("cannot run git: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }
}
