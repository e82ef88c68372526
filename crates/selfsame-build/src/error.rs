//! Why there is no release.

use std::io;

use selfsame_action::{ExecutionError, PlanError};
use selfsame_core::{Digest, Level, Platform, RelPath};
use selfsame_store::StoreError;
use selfsame_tree::{Tree, TreeError};

/// Why a build gave nothing. Nothing was published then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The definition names something that was not bound.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An action failed, or there is no sandbox for it.
    #[error(transparent)]
    Action(ExecutionError),
    /// An action succeeded, and failed when it ran again under variation.
    #[error("action `{action}` {ended} when it was run a second time to check it")]
    CheckFailed {
        /// Which.
        action: String,
        /// How it ended.
        ended: String,
        /// The log of the second run, in the store.
        log: Digest,
        /// Its last lines.
        last_lines: Vec<String>,
    },
    /// An action left something else when it ran again under variation.
    #[error("action `{action}` is not reproducible at level `{level}`: a second run left other bytes")]
    NotReproducible {
        /// Which.
        action: String,
        /// The level of both runs.
        level: Level,
        /// What differs.
        paths: Vec<RelPath>,
        /// What the first run left.
        first: Tree,
        /// What the second run left.
        second: Tree,
    },
    /// Two runs left the same, and normalisers had other things to take out of it.
    #[error("action `{action}` is not reproducible: its normalisers took out other files when it ran a second time")]
    OtherTraces {
        /// Which.
        action: String,
    },
    /// An input is to be normalised in a way that is not known.
    #[error("input `{input}`: normaliser {fault}")]
    Normaliser {
        /// Its name.
        input: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// A value that would stand in the signed provenance looks like a secret.
    #[error("{place} looks like a secret: {why}")]
    Secret {
        /// Where in the definition.
        place: String,
        /// Why it was taken for one.
        why: &'static str,
    },
    /// `[[image.file]]` names something that is not there.
    #[error("image file `{from}` is not in what the action left")]
    ImageSource {
        /// `compile:hello`.
        from: String,
    },
    /// `mode` for a folder.
    #[error("image file `{from}` is a folder, and `mode` is for files")]
    ImageMode {
        /// `compile:share`.
        from: String,
    },
    /// Two things at one path of the image.
    #[error("image file `{from}` puts something at `/{path}`, where something else is")]
    ImageConflict {
        /// In the image.
        path: RelPath,
        /// `compile:hello`.
        from: String,
    },
    /// A file of the definition and its image's base do not go together.
    #[error("image file `{from}` is to stand at `/{path}`, where base `{base}` has {there}")]
    BaseConflict {
        /// In the image, as the definition names it.
        path: RelPath,
        /// `compile:hello`.
        from: String,
        /// The base's name.
        base: String,
        /// What is there, with an article.
        there: &'static str,
    },
    /// A base that is for another platform.
    #[error("base `{base}` is for {there}; the image is for {wanted}")]
    BasePlatform {
        /// The base's name.
        base: String,
        /// What it is for.
        there: Platform,
        /// What the image is for.
        wanted: Platform,
    },
    /// The image's files are no tree.
    #[error("the image's files are no tree: {fault}")]
    ImageTree {
        /// Why.
        fault: TreeError,
    },
    /// Two trees of one action's inputs claim a path.
    #[error("inputs `{first}` and `{second}` of action `{action}` both claim `/{path}`")]
    InputConflict {
        /// Which action.
        action: String,
        /// An input.
        first: String,
        /// Another.
        second: String,
        /// The path.
        path: RelPath,
    },
    /// Images that do not make an index.
    #[error("the images of several platforms: {fault}")]
    Index {
        /// Why.
        fault: String,
    },
    /// A layer could not be written.
    #[error("the image's layer: {fault}")]
    Layer {
        /// Why.
        fault: String,
    },
    /// cargo wrote something that its own format does not allow.
    #[error("action `{action}`: cargo's messages are not readable: {fault}")]
    Cargo {
        /// Which.
        action: String,
        /// Why.
        fault: String,
    },
    /// The SBOM's facts contradict each other.
    #[error("the SBOM cannot be written: {0}")]
    Sbom(#[from] selfsame_sbom::FactsError),
    /// The signer failed; nothing was published.
    #[error("{0}")]
    Sign(#[from] selfsame_attest::SignError),
    /// The capsule lacks something or holds something else.
    #[error("the capsule: {fault}")]
    Capsule {
        /// What.
        fault: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Publication failed; the message says what exists.
    #[error(transparent)]
    Publish(#[from] selfsame_store::PublishError),
    /// Something could not be read or written.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was attempted, on what.
        what: String,
        /// The reason.
        source: io::Error,
    },
}
