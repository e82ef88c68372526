//! What a run gives back: how it ended, what held, what was left behind, and its outputs one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};

use selfsame_core::RelPath;

use crate::spec::{Level, Relaxation};

/// Where some output of the command came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A run that came to an end, good or bad.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the command ended.
    pub end: End,
    /// What held: promises that are the same on every host that can keep them.
    pub achieved: Achieved,
    /// What this host happened to be. No promise, for the run record.
    pub host: HostFacts,
    /// Limits that were run into.
    pub pressure: Pressure,
    /// Processes that were still alive when the command ended, and were killed.
    pub leftovers: u32,
    /// Absolute paths that the command named, when it was observed: each as written (made absolute, `.` removed, `..`
    /// kept), and where it exists also as resolved. Interpreters that the kernel opens by itself are among them.
    pub observed: BTreeSet<String>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Signaled {
        /// Its number.
        signal: i32,
        /// `SIGSEGV`, for example.
        name: String,
    },
    /// By us: it ran longer than [`crate::Limits::timeout_ms`].
    TimedOut,
    /// By us: the caller asked.
    Cancelled,
    /// By the kernel, for want of memory.
    OutOfMemory,
}

impl End {
    /// Whether the command did what it was to do.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Exited(0)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Signaled { name, .. } => write!(f, "was killed by {name}"),
            Self::TimedOut => f.write_str("ran longer than its timeout"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::OutOfMemory => f.write_str("was killed by the kernel for want of memory"),
        }
    }
}

/// Limits that a run met. Each can stand beside any [`End`]: a compiler that finds the disk full exits with 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pressure {
    /// Processes that the kernel killed for want of memory.
    pub oom_kills: u64,
    /// The scratch space had no block or no inode left at some time.
    pub scratch_full: bool,
    /// A new process was refused by the task limit.
    pub tasks_limit: bool,
}

/// What held. The same on every host that can keep it, so it may stand in a signed statement.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Achieved {
    /// The level that was kept.
    pub level: Level,
    /// The namespaces of its own, sorted.
    pub namespaces: Vec<String>,
    /// Whether there was a network beyond a loopback interface of its own: never, in this version.
    pub network: bool,
    /// The deny list of system calls was on.
    pub seccomp: bool,
    /// No new privileges, no capabilities. Not so for [`crate::Identity::System`], which has some in its own namespaces.
    pub unprivileged: bool,
    /// Address randomisation was off (level `normalized`).
    pub fixed_addresses: bool,
    /// `/proc` was of the sandbox's own pid namespace.
    pub own_proc: bool,
    /// The relaxations that were made use of, not those that were merely allowed.
    pub relaxed: BTreeSet<Relaxation>,
    /// Landlock rules were on. Mounts are the file boundary, so this is always false in this version.
    pub landlock: bool,
}

/// What the host happened to be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostFacts {
    /// `uname -r`.
    pub kernel: String,
    /// Where written files lived.
    pub upper: UpperKind,
    /// What became of the invoker's supplementary groups.
    pub supplementary_groups: SupplementaryGroups,
    /// What held the number of tasks, strongest first; empty when nothing did.
    pub task_limits: Vec<TaskLimit>,
    /// Whether a cgroup held memory to [`crate::Limits::memory_bytes`].
    pub memory_limit: bool,
    /// Resource limits that could not be set as profile 1 wants them, by name.
    pub rlimits_missing: Vec<String>,
}

/// Where written files lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpperKind {
    /// In memory, within [`crate::Spec::scratch_bytes`].
    Tmpfs,
    /// Below [`crate::Spec::scratch_dir`], without a bound of ours.
    Disk,
}

/// What became of the invoker's supplementary groups.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SupplementaryGroups {
    /// There were none.
    None,
    /// Dropped: by root, or with the help of `newgidmap`.
    Dropped,
    /// Kept: an unprivileged user may not drop groups alone, so files readable by them stay readable where they are visible.
    Kept {
        /// What is missing: `newgidmap is not installed`.
        because: String,
    },
}

impl fmt::Display for SupplementaryGroups {
    /// `none`, `dropped`, `kept: REASON`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Dropped => f.write_str("dropped"),
            Self::Kept { because } => write!(f, "kept: {because}"),
        }
    }
}

/// What held the number of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskLimit {
    /// `kernel.pid_max` of the pid namespace (Linux 6.14).
    PidMax,
    /// `pids.max` of a cgroup of version 2.
    CgroupV2,
    /// `pids.max` of a cgroup of version 1.
    CgroupV1,
    /// `RLIMIT_NPROC`, which does not bind root.
    Rlimit,
}

/// One entry of one output.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OutputEntry {
    /// Which of [`crate::Spec::outputs`]; 0 for changes of a root.
    pub output: usize,
    /// Where below it, or in the root that was changed; the root for the output itself.
    pub path: RelPath,
    /// What it is.
    pub kind: OutputKind,
    /// The lower twelve bits; 0o777 for links.
    pub mode: u32,
    /// User and group; 0 and 0 but for [`crate::Identity::System`].
    pub owner: (u32, u32),
    /// Attributes by full name: `user.` ones, and `security.capability` of [`crate::Identity::System`].
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What an output entry is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum OutputKind {
    /// A folder.
    Directory,
    /// A folder in the place of another one, nothing of which is left. Only among changes of a root.
    NewDirectory,
    /// What was there is gone. Only among changes of a root.
    Gone,
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// Device and inode where it has several names: equal for the names of one file.
        link: Option<(u64, u64)>,
    },
    /// A symbolic link that stays within its output.
    Symlink {
        /// Its text.
        target: String,
    },
}

/// Takes outputs, in the order of [`crate::Spec::outputs`] and sorted by path within each.
pub trait OutputSink {
    /// One entry. `content` is empty for anything but a file; what is not read of it is dropped.
    fn entry(&mut self, entry: OutputEntry, content: &mut dyn Read) -> io::Result<()>;
}
