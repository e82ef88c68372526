//! The one thing that SBOM and provenance are made from: what was asked, what ran, what came out.

use std::collections::BTreeMap;

use selfsame_action::Normalised;
use selfsame_core::{Digest, Level};
use selfsame_oci::Descriptor;
use selfsame_tree::Tree;

use crate::request::Request;

/// A build, from request to image.
#[derive(Clone, Debug)]
pub struct BuildRecord {
    /// What it is a function of.
    pub request: Request,
    /// The level that every action achieved: the lowest of theirs.
    pub level: Level,
    /// What the sandbox held to, in the provenance's words.
    pub sandbox: BTreeMap<String, String>,
    /// What ran, in order.
    pub steps: Vec<StepRecord>,
    /// What was shipped.
    pub image: Image,
    /// The SHA-256 of the SBOM's canonical bytes.
    pub sbom_digest: Digest,
}

/// One action that ran, or whose result was there.
#[derive(Clone, Debug)]
pub struct StepRecord {
    /// Its name.
    pub name: String,
    /// What it ran.
    pub argv: Vec<String>,
    /// The action digest.
    pub action: Digest,
    /// The digest of [`Self::tree`].
    pub output: Digest,
    /// What it left, with its rank.
    pub tree: Tree,
    /// What its normalisers did; none where it has none.
    pub normalised: Vec<Normalised>,
    /// The level that was achieved.
    pub level: Level,
    /// What the sandbox held to.
    pub sandbox: BTreeMap<String, String>,
    /// Whether a second run under variation gave the same, now or when the result was admitted.
    pub checked: bool,
    /// Facts of this run alone.
    pub run: StepRun,
}

/// What was true of one run of one action, for the run record.
#[derive(Clone, Debug, Default)]
pub struct StepRun {
    /// Whether the result was in the store.
    pub cached: bool,
    /// How long it took; 0 when cached.
    pub duration_millis: u64,
    /// Facts about the host; none when cached.
    pub host: BTreeMap<String, String>,
    /// The whole log, in the store.
    pub log: Option<Digest>,
}

/// An assembled image. All its blobs are in the store.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest.
    pub manifest: Descriptor,
    /// The config.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// What is in them, flattened.
    pub tree: Tree,
    /// Where each file was taken from: image path to `compile:hello`, or to `base NAME`.
    pub origins: BTreeMap<String, String>,
}

/// A layer of an assembled image.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Of the stored, compressed bytes.
    pub descriptor: Descriptor,
    /// Of the tar.
    pub diff_id: Digest,
}
