//! One hermetic command and its identity.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, Level, Platform, Profile, RelPath, SourceEpoch, json};
use selfsame_lock::Normaliser;
use serde_json::json;

/// A command, all that it sees, and what it must leave behind.
///
/// Two actions with the same [`digest`](Self::digest) see the same bytes; whether they also leave the same bytes is
/// what a check run or a rebuild finds out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name in the definition; not part of its identity.
    pub name: String,
    /// Sandbox constants.
    pub profile: Profile,
    /// How closed the sandbox is.
    pub level: Level,
    /// The platform it runs on.
    pub platform: Platform,
    /// Program and arguments; the program is looked up in the environment's `PATH`.
    pub argv: Vec<String>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// The trees it sees.
    pub inputs: Vec<Input>,
    /// What it must leave: files or folders, relative to [`CWD`].
    pub outputs: Vec<RelPath>,
    /// Where it is there, the action is root of a system: it sees one root file system, has no outputs, and leaves that
    /// root as it changed it.
    pub system: Option<System>,
    /// Whether its standard output is an output too (and not part of the log).
    pub keeps_stdout: bool,
    /// Modification times of sources and step outputs start here.
    pub epoch: SourceEpoch,
    /// The size of the writable file system, which `statfs` shows.
    pub scratch_bytes: u64,
    /// Named exceptions from the level.
    pub relaxations: BTreeSet<String>,
    /// When it is stopped. Not part of its identity: a result that exists is the result.
    pub timeout_secs: u64,
}

/// An action that configures a root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// What is taken out of the root when it has ended, in this order.
    pub normalisers: Vec<Normaliser>,
}

/// The working directory of every action, from the sandbox's root. A format constant of profile 1.
pub const CWD: &str = "build";
/// Where outputs of earlier actions and vendored packages are seen. A format constant of profile 1.
pub const INPUTS: &str = "inputs";
/// The path in an action's output tree that holds its standard output, where that is kept. A format constant.
pub const STDOUT: &str = ".selfsame-stdout";

/// A tree at a place in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is called: `source`, `toolchain cc`, `action compile`.
    pub name: String,
    /// Where its root is seen.
    pub at: RelPath,
    /// Which tree.
    pub tree: Digest,
    /// How its modification times are set.
    pub mount: Mount,
}

/// Two ways to see a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mount {
    /// As a read-only lower layer below the writable one; modification times are the profile's constant.
    Layer,
    /// Written into the sandbox in sorted order; modification times are source epoch + rank.
    Placed,
}

impl Mount {
    const fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Placed => "placed",
        }
    }
}

impl Action {
    /// The action digest: SHA-256 of the canonical JSON of everything that can decide the output's bytes.
    ///
    /// docs/build-type/v1.md shows the form. Changing it changes every action digest: golden test in `tests.rs`.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// The bytes that [`digest`](Self::digest) hashes.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .map(|input| json!({"at": format!("/{}", input.at.as_str()), "mount": input.mount.name(), "tree": input.tree}))
            .collect();
        let mut value = json!({
            "action": "selfsame-action v1",
            "argv": self.argv,
            "environment": self.environment,
            "epoch": self.epoch,
            "inputs": inputs,
            "keepsStdout": self.keeps_stdout,
            "level": self.level.name(),
            "outputs": self.outputs,
            "platform": self.platform.to_string(),
            "profile": self.profile.number(),
            "relaxations": self.relaxations,
            "scratchBytes": self.scratch_bytes,
        });
        if let Some(System { normalisers }) = &self.system {
            let normalisers: Vec<&str> = normalisers.iter().map(|it| it.name()).collect();
            // The kernel's random devices, never the fixed ones of an ordinary action: what is made of them differs.
            value["system"] = json!({ "normalisers": normalisers, "random": "fresh" });
        }
        json::canonical(&value)
    }
}
