//! Why there is no outcome.

use std::io;
use std::path::PathBuf;

use selfsame_core::RelPath;

use crate::spec::Relaxation;

/// A sandbox that could not be had, a command that could not be started, or outputs that could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The kernel, or a security module or container around us, refuses something the sandbox needs.
    #[error("the host refuses {operation}: {}", errno_text(*errno))]
    Refused {
        /// What was asked of the kernel, in words: `a user namespace`.
        operation: String,
        /// The error number.
        errno: i32,
        /// The relaxation that would do without, if there is one.
        relaxation: Option<Relaxation>,
    },
    /// This user has no ids for a whole system.
    #[error("there are no ids for the root of a system: {because}")]
    Ids {
        /// What is missing: `newuidmap is not installed`.
        because: String,
        /// The line that `/etc/subuid` and `/etc/subgid` are to have, where that helps: `ann:100000:65536`.
        line: String,
    },
    /// A step of the preparation failed on something of the caller's: a missing file, a full disk.
    #[error("preparing the sandbox: {step} `{path}`: {}", errno_text(*errno))]
    Setup {
        /// What was done, as the beginning of a sentence: `reading`.
        step: String,
        /// To which path.
        path: String,
        /// The error number.
        errno: i32,
    },
    /// The command itself could not be executed: not found, not executable, of another architecture.
    #[error("command `{command}` cannot be executed in the sandbox: {}", errno_text(*errno))]
    Exec {
        /// The first word of the command.
        command: String,
        /// The error number.
        errno: i32,
    },
    /// The command succeeded, and an output is not what can be shipped.
    #[error("output `{output}`: {fault}")]
    Output {
        /// The output as it was declared.
        output: String,
        /// What is wrong with it.
        fault: OutputFault,
    },
    /// The caller asked to stop before the command was started.
    #[error("the run was cancelled before its command started")]
    Cancelled,
    /// The caller's [`crate::OutputSink`] failed.
    #[error("taking the outputs")]
    Sink(#[source] io::Error),
    /// The specification contradicts itself.
    #[error("sandbox specification: {fault}")]
    Spec {
        /// How.
        fault: String,
    },
    /// The helper program could not be started.
    #[error("starting the sandbox helper `{}`", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The helper ended without a word: killed from outside, or a defect of ours.
    #[error("the sandbox helper ended unexpectedly: {detail}")]
    Helper {
        /// What is known.
        detail: String,
    },
    /// Talking to the helper failed.
    #[error("talking to the sandbox helper")]
    Io(#[from] io::Error),
}

/// Why an output cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum OutputFault {
    /// The command succeeded and did not make it.
    #[error("is missing")]
    Missing,
    /// The way to it leads through a symbolic link.
    #[error("lies behind the symbolic link `{link}`")]
    BehindSymlink {
        /// The first path on the way that is a link.
        link: String,
    },
    /// A device, FIFO or socket: no archive of ours can hold it.
    #[error("`{path}` is {kind}; outputs are files, folders and symbolic links")]
    Special {
        /// Where, below the output.
        path: RelPath,
        /// `a device`, `a FIFO`, `a socket`.
        kind: String,
    },
    /// A relative link that climbs above the output.
    #[error("`{path}` is a symbolic link to `{target}`, which leaves the output")]
    EscapingLink {
        /// Where, below the output.
        path: RelPath,
        /// Its text.
        target: String,
    },
    /// A name or link target that is not UTF-8.
    #[error("`{path}` holds the name `{}`, which is not UTF-8", name.escape_debug())]
    NotUtf8 {
        /// The folder or link.
        path: RelPath,
        /// The name, wrong bytes replaced.
        name: String,
    },
    /// A path that is too long or too deep to be written down.
    #[error("`{path}` holds a name that makes a path longer than {} bytes", RelPath::MAX_BYTES)]
    TooLong {
        /// The folder.
        path: RelPath,
    },
    /// More entries than are taken.
    #[error("has more than {limit} entries")]
    TooMany {
        /// The limit, over all outputs of a run.
        limit: u64,
    },
    /// Rights beside owner and mode, which no archive of ours can hold: without them the mode may grant more.
    #[error(
        "`{path}` has an access control list ({name}) without which more would be granted; a root file system is kept with owners and modes only"
    )]
    AccessList {
        /// Where, below the output.
        path: RelPath,
        /// The attribute.
        name: String,
    },
    /// Reading it failed.
    #[error("`{path}` cannot be read: {}", errno_text(*errno))]
    Unreadable {
        /// Where, below the output.
        path: RelPath,
        /// The error number.
        errno: i32,
    },
}

/// `Operation not permitted (EPERM)`-like text of an error number.
pub(crate) fn errno_text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.strip_suffix(&format!(" (os error {errno})")).unwrap_or(&text).to_lowercase()
}
