//! What runs actions, as the driver sees it.

use std::collections::BTreeMap;

use selfsame_core::{Digest, Level};
use selfsame_tree::Tree;

use crate::{Action, Normalised};

/// Runs one action: in a sandbox of this machine, elsewhere, or not at all in a test.
pub trait Executor {
    /// Runs the action and gives what it left. The content of every file in the output tree is in the store then.
    fn run(&self, action: &Action, variation: Variation) -> Result<Execution, ExecutionError>;
}

/// What an action left.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Its outputs, at the paths that it names; standard output at [`crate::action::STDOUT`] where it is kept.
    pub output: Tree,
    /// What normalisers took out of it already, where it is the result of an earlier run. Nothing for what a run left.
    pub normalised: Option<Vec<Normalised>>,
    /// The level that was achieved, never the one that was asked for.
    pub level: Level,
    /// What the sandbox held to, in the provenance's words: name to value.
    pub sandbox: BTreeMap<String, String>,
    /// Facts about the host, for the run record only.
    pub host: BTreeMap<String, String>,
    /// The whole log, in the store.
    pub log: Digest,
    /// Wall time, for the run record only.
    pub duration_millis: u64,
}

/// Whether this is the run that counts or the one that checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// As plain as the profile has it.
    None,
    /// With another host path, unpack order, CPU count, first pid and start second.
    Check,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutionError {
    /// The command ran and did not succeed: the answer is no.
    #[error("action `{action}` {ended}")]
    Failed {
        /// Which.
        action: String,
        /// How it ended: `exited with status 1`, `was killed by SIGSEGV`, `was stopped after 600 seconds`.
        ended: String,
        /// The mechanism that ended it, where one did: `timeout`, `out of memory`, `scratch full`, `task limit`.
        mechanism: Option<String>,
        /// Its command line.
        argv: Vec<String>,
        /// The last lines of its log.
        last_lines: Vec<String>,
        /// The whole log, in the store.
        log: Digest,
    },
    /// It succeeded and left something that cannot be taken.
    #[error("action `{action}`: {fault}")]
    Output {
        /// Which.
        action: String,
        /// What is missing or wrong, with its path.
        fault: String,
    },
    /// The sandbox that the level asks for cannot be had here.
    #[error("no sandbox at level `{level}`: {fault}")]
    Sandbox {
        /// The level asked for.
        level: Level,
        /// What was refused, by whom.
        fault: String,
        /// The relaxation that would do without it, if there is one.
        relaxation: Option<String>,
    },
    /// The action is root of a system, and there are no ids for one here.
    #[error("action `{action}` needs ids for the root of a system: {because}")]
    Ids {
        /// Which.
        action: String,
        /// What is missing: `newuidmap is not installed`.
        because: String,
        /// The line that `/etc/subuid` and `/etc/subgid` are to have, where that helps: `ann:100000:65536`.
        line: String,
    },
    /// The user stopped it.
    #[error("action `{action}` was interrupted")]
    Interrupted {
        /// Which.
        action: String,
    },
    /// The store or the disk failed.
    #[error("action `{action}`: {fault}")]
    Storage {
        /// Which.
        action: String,
        /// What failed.
        fault: String,
    },
}
