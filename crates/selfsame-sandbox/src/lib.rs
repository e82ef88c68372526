//! Runs one command in namespaces of its own; observes what a command touches. The only crate with unsafe code.
//!
//! Three processes stand between the caller and the command:
//!
//! ```text
//! caller ──spawn──► outer ──fork──► init ──fork──► command
//!   run()            new user, pid,   new mount     no capabilities, no_new_privs,
//!   reads frames,    net, ipc, uts    and cgroup    seccomp filter, execve
//!   logs, outputs    namespaces;      namespaces;
//!                    observes         pid 1; mounts, reaps, kills, hands outputs back
//! ```
//!
//! The outer process is this program executed again with [`HELPER_ARG`], so it begins with one thread and no state of
//! the caller's. Nothing here chooses: what a step sees is in its [`Spec`], what could not be had is a
//! [`SandboxError`] that names the refused operation, and what held is in the [`Outcome`].
#![allow(unsafe_code, reason = "fork, prctl, seccomp and a few calls that rustix does not wrap; all in `sys`")]
#![expect(clippy::disallowed_methods, reason = "timeouts and cgroup names need the monotonic clock and the pid")]

mod cgroup;
mod changes;
mod command;
mod confined;
mod error;
mod filter;
mod fixed;
mod helper;
mod identity;
mod init;
mod mounts;
mod observe;
mod offline;
mod oom;
mod outcome;
mod outputs;
mod place;
pub mod probe;
mod run;
mod spec;
mod subordinate;
mod sys;
mod wire;

pub use confined::{
    CONFINED_ARG, CONFINED_CPU_SECONDS, CONFINED_MEMORY_BYTES, CONFINED_PATIENCE, CONFINED_QUESTION_BYTES,
    CONFINED_STACK_BYTES, Confined, ConfinedError, confined_main,
};
pub use error::{OutputFault, SandboxError};
pub use helper::helper_main;
pub use offline::give_up_the_network;
pub use outcome::{
    Achieved, End, HostFacts, Outcome, OutputEntry, OutputKind, OutputSink, Pressure, Stream, SupplementaryGroups,
    TaskLimit, UpperKind,
};
pub use run::run;
pub use spec::{
    BUILD_GID, BUILD_UID, Bind, HELPER_ARG, HOSTNAME, Identity, Level, LevelError, Limits, Owner, Placement,
    PlacementKind, Relaxation, Spec, VIRTUAL_CPUS, Variation,
};
