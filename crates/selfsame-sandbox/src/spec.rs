//! What a sandbox is asked for: one value, serialised to the helper, never on a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use selfsame_core::RelPath;

/// The hidden first argument by which a program knows that it is to be the helper: call [`crate::helper_main`] then.
pub const HELPER_ARG: &str = "__selfsame-sandbox";
/// The user that a command runs as. Changing this changes digests.
pub const BUILD_UID: u32 = 1000;
/// The group that a command runs as. Changing this changes digests.
pub const BUILD_GID: u32 = 1000;
/// The host name that a command sees. Changing this changes digests.
pub const HOSTNAME: &str = "selfsame";
/// The CPUs that /proc and /sys of level `normalized` speak of, whatever the host has. Changing this changes digests.
pub const VIRTUAL_CPUS: usize = 4;

/// One command and everything that it may see.
///
/// All paths inside the sandbox are absolute and without `.` or `..`; all paths of the host are absolute.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Spec {
    /// The program that calls [`crate::helper_main`] when its first argument is [`HELPER_ARG`]; `/proc/self/exe` for
    /// the caller itself.
    pub program: PathBuf,
    /// Who the command is.
    pub identity: Identity,
    /// How much of the host is hidden.
    pub level: Level,
    /// Whether to record the paths that the command names. The root is then a tmpfs that holds `binds`, not an overlay.
    pub observe: bool,
    /// Folders that make up the root, the topmost first. Never written to. Empty when `observe` is set.
    pub lowers: Vec<PathBuf>,
    /// Host folders or files to see read-only at a path of the sandbox, with all mounts below them.
    pub binds: Vec<Bind>,
    /// Empty writable folders straight on the scratch space, faster than the overlay; what a lower holds there is hidden.
    /// Usually `/build` and `/tmp`. `/tmp` gets mode 1777, others 0755.
    pub scratch_dirs: Vec<String>,
    /// An existing host folder, mode 0700, for written files where tmpfs has no user xattrs (before Linux 6.6). Left empty.
    pub scratch_dir: PathBuf,
    /// The size of the scratch tmpfs, in bytes; 0 for no tmpfs: written files then go below `scratch_dir`, unbounded.
    pub scratch_bytes: u64,
    /// What stands in the sandbox when the command starts, besides lowers and binds; sorted by path.
    pub placements: Vec<Placement>,
    /// What lowers cannot say of their own entries, for [`Identity::System`]: everything else belongs to root.
    pub owners: Vec<Owner>,
    /// The command. A first word without `/` is searched for in `PATH` of `env`, inside the sandbox.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working folder. Created when missing.
    pub cwd: String,
    /// A file in the sandbox that takes standard output, relative to `cwd` or absolute; else it is streamed.
    pub stdout_to: Option<String>,
    /// What to hand back when the command exits with 0: files or folders, relative to `cwd` or absolute. Empty for
    /// [`Identity::System`]: that one hands back what it changed of its root.
    pub outputs: Vec<String>,
    /// Bounds on time, tasks and memory.
    pub limits: Limits,
    /// Protections that may be missing. Without the name here, a missing one is an error.
    pub relax: BTreeSet<Relaxation>,
    /// What a second, checking run does differently.
    pub variation: Variation,
}

/// Who a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// [`BUILD_UID`]:[`BUILD_GID`], the only ids there are, with no capability.
    Build,
    /// Root of a system with ids 0 to 65535, which may give files to any of them and become any of them. Its root has no
    /// files of ours in `/etc`, its random devices are the kernel's at every level, and what it changed of that root is
    /// handed back in place of outputs.
    System,
}

/// Owner and mode of an entry of a lower folder.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// Where, below the sandbox's root.
    pub path: RelPath,
    /// Whose.
    pub uid: u32,
    /// Of which group.
    pub gid: u32,
    /// The lower twelve bits; of no meaning for links.
    pub mode: u32,
    /// Where this is a second name of a file: its first one, which stands among the owners too, before this.
    pub same_as: Option<RelPath>,
}

/// A host folder or file seen in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bind {
    /// The host path.
    pub from: PathBuf,
    /// The path in the sandbox; created where missing.
    pub to: String,
}

/// One entry that is written before the command starts.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Placement {
    /// Where, below the sandbox's root. Missing parents are made with mode 0755 and the time of their first child.
    pub path: RelPath,
    /// What.
    pub kind: PlacementKind,
    /// Permission bits, at most 0o1777; of no meaning for links.
    pub mode: u32,
    /// Modification time, seconds since 1970.
    pub mtime_secs: u64,
}

/// What a placement is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum PlacementKind {
    /// A folder.
    Directory,
    /// A regular file with the content of a host file.
    File {
        /// The host file.
        from: PathBuf,
    },
    /// A symbolic link.
    Symlink {
        /// Its text.
        target: String,
    },
    /// A second name of another placement, which is a file.
    HardLink {
        /// The other's path.
        target: RelPath,
    },
}

/// Bounds on one run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Until everything is killed, in milliseconds.
    pub timeout_ms: u64,
    /// Processes and threads at one time.
    pub tasks: u32,
    /// Memory, scratch space included, in bytes. Held only where a cgroup can be had.
    pub memory_bytes: Option<u64>,
}

impl Limits {
    /// The task limit of profile 1.
    pub const TASKS: u32 = 4096;
}

/// How much of the host is hidden (docs/sandbox.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No undeclared input.
    Isolated,
    /// And fixed ids, `/proc`, `/sys`, random files (but for [`Identity::System`]); no address randomisation.
    Normalized,
}

impl Level {
    /// `isolated` or `normalized`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Normalized => "normalized",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        match text {
            "isolated" => Ok(Self::Isolated),
            "normalized" => Ok(Self::Normalized),
            "deterministic" | "serialized" => Err(LevelError::NotInThisVersion { level: text.to_owned() }),
            _ => Err(LevelError::Unknown { level: text.chars().take(40).collect() }),
        }
    }
}

/// A text that names no level this version has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// A level by its right name that this version does not have.
    #[error("level `{level}` is not available in this version; it has `isolated` and `normalized`")]
    NotInThisVersion {
        /// `deterministic` or `serialized`.
        level: String,
    },
    /// Not the name of a level.
    #[error("`{}` is no level; levels are `isolated` and `normalized`", level.escape_debug())]
    Unknown {
        /// The beginning of the text.
        level: String,
    },
}

/// A protection that a run may go without, when its caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relaxation {
    /// A `/proc` of the sandbox's own pid namespace: the host's is shown where a fresh mount is refused.
    Proc,
    /// Fixed addresses: they stay random where `personality` is refused.
    Aslr,
}

impl Relaxation {
    /// `proc` or `aslr`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proc => "proc",
            Self::Aslr => "aslr",
        }
    }
}

impl fmt::Display for Relaxation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Relaxation {
    type Err = String;

    /// The error is the text.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "proc" => Ok(Self::Proc),
            "aslr" => Ok(Self::Aslr),
            _ => Err(text.to_owned()),
        }
    }
}

/// What a second, checking run does differently. [`Variation::none`] for the first.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Variation {
    /// At most this many of the host's CPUs, the last ones.
    pub cpus: Option<usize>,
    /// Process ids used up before the command gets its own.
    pub pid_offset: u32,
    /// Placements are written in the reverse order.
    pub reverse_unpack: bool,
    /// The command starts in another second of the clock than the one in which it was asked for.
    pub start_after_next_second: bool,
}

impl Variation {
    /// The plain run.
    #[must_use]
    pub const fn none() -> Self {
        Self { cpus: None, pid_offset: 0, reverse_unpack: false, start_after_next_second: false }
    }
}

impl Spec {
    /// Whether the random devices and `/proc/sys/kernel/random/uuid` are fixed files. Not for root of a system: a secret
    /// that a maintainer script makes of them would be everybody's who reads this code, and equal in every run.
    pub(crate) fn has_fixed_randomness(&self) -> bool {
        self.level == Level::Normalized && self.identity == Identity::Build
    }

    /// The first thing that is wrong with this value itself.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.argv.is_empty() || self.argv[0].is_empty() {
            return Some("the command is empty".to_owned());
        }
        if self.observe && !self.lowers.is_empty() {
            return Some("an observed run has binds, not lowers".to_owned());
        }
        if !self.observe && self.lowers.is_empty() {
            return Some("there is no folder to be the root".to_owned());
        }
        if self.identity == Identity::System && (self.observe || !self.outputs.is_empty()) {
            return Some("a run as root of a system hands back its root, and is not observed".to_owned());
        }
        if self.identity == Identity::Build && !self.owners.is_empty() {
            return Some("a run as one user knows no other owners".to_owned());
        }
        if self.lowers.len() > MAX_LOWERS {
            return Some(format!("{} folders make up the root; at most {MAX_LOWERS} can", self.lowers.len()));
        }
        let inside = self.binds.iter().map(|bind| &bind.to).chain(&self.scratch_dirs).chain([&self.cwd]);
        for path in inside {
            if !is_clean_absolute(path) {
                return Some(format!("`{}` is not an absolute path without `.` and `..`", path.escape_debug()));
            }
        }
        for path in self.outputs.iter().chain(&self.stdout_to) {
            let absolute = if path.starts_with('/') { path.clone() } else { format!("/{path}") };
            if path != "." && !is_clean_absolute(&absolute) {
                return Some(format!("`{}` is not a path without `.` and `..`", path.escape_debug()));
            }
        }
        let host = self.binds.iter().map(|bind| &bind.from).chain(&self.lowers).chain([&self.scratch_dir]);
        for path in host {
            if !path.is_absolute() {
                return Some(format!("host path `{}` is not absolute", path.display()));
            }
            if path.parent().is_none() {
                return Some("the root of the host can be no part of a sandbox".to_owned());
            }
        }
        let words = self.argv.iter().chain(self.env.keys()).chain(self.env.values());
        if words.into_iter().any(|word| word.contains('\0')) {
            return Some("an argument or environment value holds a NUL byte".to_owned());
        }
        if self.env.keys().any(|name| name.is_empty() || name.contains('=')) {
            return Some("the name of an environment value is empty or holds `=`".to_owned());
        }
        None
    }
}

/// The kernel's own limit (`OVL_MAX_STACK`) without the layer that is ours.
pub(crate) const MAX_LOWERS: usize = 499;

fn is_clean_absolute(path: &str) -> bool {
    path == "/" || path.strip_prefix('/').is_some_and(|below| below != "." && RelPath::new(below).is_ok())
}
