//! What is asked of a release.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{TrustArgs, boolish};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The release: a folder, a tar, or HOST/NAME:TAG in a registry
    pub(crate) release: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// What the release must say of itself: name, version, platform, level, source, builder, image, ...
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) expect: Vec<String>,
    /// How much is looked at
    #[arg(long, value_enum, default_value_t = Depth::Content, env = "SELFSAME_DEPTH")]
    pub(crate) depth: Depth,
    /// Print NAME:VERSION@DIGEST of the verified image and nothing else on standard output
    #[arg(long, conflicts_with = "json", env = "SELFSAME_PRINT_DIGEST", value_parser = boolish())]
    pub(crate) print_digest: bool,
    /// Print the verdict as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Depth {
    /// Manifests and signed documents
    Evidence,
    /// And every blob's digest
    Blobs,
    /// And what is in the layers
    Content,
}
