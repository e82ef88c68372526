//! What this host can do, each ability tried and not guessed, for `selfsame doctor`.
//!
//! Data only: what is possible ([`Ability`]), where we are ([`Environment`]), and the lines that would help
//! ([`Remedy`]). Nothing is changed on the host.

mod environment;
mod remedy;
mod trial;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

pub use environment::{Barrier, Environment, Place};
pub use remedy::Remedy;
pub(crate) use trial::answer;

use crate::error::SandboxError;
use crate::spec::{HELPER_ARG, Relaxation};
use crate::wire::Channel;

/// What the caller knows and this crate may not look up.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The program that calls [`crate::helper_main`]; `/proc/self/exe` for the caller itself.
    pub program: PathBuf,
    /// Where that program is installed, for lines that name it.
    pub installed: PathBuf,
    /// An existing folder where written files would go if not to a tmpfs.
    pub scratch_dir: PathBuf,
    /// The caller's environment; a few names in it tell where we are.
    pub env: BTreeMap<String, String>,
}

/// Everything that was found out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Probe {
    /// In a fixed order, each with its outcome.
    pub abilities: Vec<Ability>,
    /// Where we are.
    pub environment: Environment,
    /// What would help, most fitting first; empty when nothing is missing and nothing is gone without.
    pub remedies: Vec<Remedy>,
}

impl Probe {
    /// Whether a sandbox can be had with no relaxation.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing().next().is_none()
    }

    /// The relaxations that would make up for all that is missing; nothing where no set of them would.
    #[must_use]
    pub fn relaxations(&self) -> Option<Vec<Relaxation>> {
        self.missing().map(|ability| ability.relaxation).collect()
    }

    fn missing(&self) -> impl Iterator<Item = &Ability> {
        self.abilities.iter().filter(|ability| matches!(ability.state, State::No { .. }))
    }
}

/// One thing that a sandbox needs of the host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ability {
    /// `user namespace`, for example.
    pub name: String,
    /// Whether it is there.
    pub state: State,
    /// The relaxation that does without.
    pub relaxation: Option<Relaxation>,
}

/// Whether an ability is there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum State {
    /// It worked.
    Yes,
    /// It was refused.
    No {
        /// The error number.
        errno: i32,
        /// The error's words.
        detail: String,
    },
    /// It was refused, or not tried, and another ability makes up for it.
    NotNeeded {
        /// Which.
        because: String,
    },
    /// It cannot be had, and a sandbox goes without: less is hidden then, and the run record says so.
    Without {
        /// What is missing, in words.
        because: String,
    },
    /// It cannot be had, and inputs with `rootfs = "configured"` cannot be made here; nothing else needs it.
    Lacking {
        /// What is missing, in words.
        because: String,
        /// The line that `/etc/subuid` and `/etc/subgid` are to have; empty where none would help.
        line: String,
    },
}

/// Tries everything. Takes a few dozen milliseconds.
pub fn probe(circumstances: &Circumstances) -> Result<Probe, SandboxError> {
    let abilities = abilities(&circumstances.program, &circumstances.scratch_dir)?;
    let environment = Environment::detect(&circumstances.env, &abilities);
    let incomplete = abilities.iter().any(|ability| matches!(ability.state, State::No { .. }));
    let mut remedies = if incomplete { remedy::remedies(&environment, &circumstances.installed) } else { Vec::new() };
    remedies.extend(abilities.iter().filter_map(remedy::for_groups));
    remedies.extend(abilities.iter().filter_map(remedy::for_ids));
    Ok(Probe { abilities, environment, remedies })
}

/// The word by which the helper knows that it is to try and not to run.
pub(crate) const PROBE: &[u8] = b"P";

fn abilities(program: &Path, scratch_dir: &Path) -> Result<Vec<Ability>, SandboxError> {
    let (ours, theirs) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).map_err(io::Error::from)?;
    let child = Command::new(program)
        .arg(HELPER_ARG)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|source| SandboxError::Spawn { program: program.to_owned(), source })?;
    let channel = Channel::new(ours);
    let folder = rustix::fs::open(scratch_dir, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty());
    let mut message = Vec::new();
    let answer = folder.map_err(io::Error::from).and_then(|folder| {
        use std::os::fd::AsFd;
        channel.send_bytes(PROBE, &[folder.as_fd()])?;
        channel.receive_bytes(&mut message)
    });
    let status = child.wait()?;
    match answer? {
        Some(_) => serde_json::from_slice(&message).map_err(|error| SandboxError::Helper { detail: error.to_string() }),
        None => Err(SandboxError::Helper { detail: status.to_string() }),
    }
}
