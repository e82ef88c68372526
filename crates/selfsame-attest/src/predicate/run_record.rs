//! The run record: what was true of one run and of no other. Signed, never compared. docs/run-record/v1.md.

use selfsame_core::{Digest, uri};

use super::{Predicate, null_is_empty};

/// Who ran what, where, when and for how long.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// The release that the run made.
    pub release_id: Digest,
    /// The program that ran it.
    pub selfsame: Tool,
    /// RFC 3339, UTC, whole seconds.
    pub started_at: String,
    /// RFC 3339, UTC, whole seconds.
    pub finished_at: String,
    /// From start to finish, by a clock that is never set back.
    pub duration_ms: u64,
    /// The machine.
    pub host: Host,
    /// The person's or service's account.
    pub user: User,
    /// The actions in the order in which they stand in the definition.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionRun>,
    /// What this host or level could not hide from the actions, one phrase each, sorted.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<String>,
}

impl Predicate for RunRecord {
    const TYPE: &'static str = uri::RUN_RECORD;
}

/// A selfsame binary.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tool {
    /// Its version.
    pub version: String,
    /// Of the file that ran.
    pub sha256: Digest,
}

/// The machine a run was on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Host {
    /// As `uname -n` says.
    pub hostname: String,
    /// As `uname -r` says.
    pub kernel: String,
    /// As `uname -m` says.
    pub machine: String,
    /// Its processors.
    pub cpu: Cpu,
}

/// Processors: the one fact of a machine that compilers look at behind every sandbox's back.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cpu {
    /// The model name in /proc/cpuinfo.
    pub model: String,
    /// How many the process could use.
    pub count: u32,
    /// Instruction set extensions, sorted.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// The account a run was under.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct User {
    /// Numeric user id outside the sandbox.
    pub uid: u32,
    /// Numeric group id outside the sandbox.
    pub gid: u32,
    /// Whether `uid` is not 0.
    pub rootless: bool,
}

/// One action as it went.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionRun {
    /// Its name in the definition.
    pub name: String,
    /// The action digest.
    pub digest: Digest,
    /// Whether the result came from the store.
    pub cached: bool,
    /// How long it took, 0 when cached.
    pub duration_ms: u64,
}
