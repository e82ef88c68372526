//! What is asked of a release.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{PolicyArgs, TrustArgs, boolish};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The release: a folder, a tar, or HOST/NAME:TAG in a registry; of several the answer is a line each
    #[arg(required = true, value_name = "RELEASE")]
    pub(crate) releases: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// What the release must say of itself: name, version, platform, level, source, builder, image, ...
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) expect: Vec<String>,
    /// How much is looked at: by default content for folders and tars, evidence for what is in a registry
    #[arg(long, value_enum, env = "SELFSAME_DEPTH")]
    pub(crate) depth: Option<Depth>,
    /// The most bytes that the layers may unpack to together, 500MiB for one; by default 64GiB
    #[arg(long, value_name = "SIZE", env = "SELFSAME_MOST_CONTENT", value_parser = super::size)]
    pub(crate) most_content: Option<u64>,
    /// Where the signed documents are, if a copy of the image lost them: a release, or HOST/NAME:TAG in a registry
    #[arg(long, value_name = "REF|DIR", env = "SELFSAME_REFERRERS_FROM")]
    pub(crate) referrers_from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) summary: SummaryArgs,
    /// Sign the verification summary with this key: FILE, env:NAME or exec:COMMAND
    #[arg(long, value_name = "KEY", requires = "emit_vsa")]
    pub(crate) sign_as: Option<String>,
    /// Print the verified image with its digest, HOST/NAME@DIGEST or NAME:VERSION@DIGEST, and nothing else on standard output
    #[arg(long, conflicts_with = "json", env = "SELFSAME_PRINT_DIGEST", value_parser = boolish())]
    pub(crate) print_digest: bool,
    /// Write the verdict as a page for people too: one HTML file, whatever the answer is
    #[arg(long, value_name = "FILE.html", env = "SELFSAME_REPORT")]
    pub(crate) report: Option<PathBuf>,
    /// Write what policies are told of the release as JSON, whatever they answer; of what is not verified otherwise, nothing
    #[arg(long, value_name = "FILE.json")]
    pub(crate) facts: Option<PathBuf>,
    /// Print the verdict as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

/// A verdict as a signed SLSA verification summary.
#[derive(Debug, Args)]
pub(crate) struct SummaryArgs {
    /// Write the verdict as a SLSA verification summary (VSA), a signed envelope; nothing may be there
    #[arg(long, value_name = "FILE")]
    pub(crate) emit_vsa: Option<PathBuf>,
    /// Write one that says FAILED, too, where the answer is no
    #[arg(long, requires = "emit_vsa")]
    pub(crate) vsa_failed: bool,
    /// Where whoever uses the image gets it, as the summary says it; of what is in a registry by default oci://HOST/NAME:TAG
    #[arg(long, value_name = "URI", requires = "emit_vsa")]
    pub(crate) resource_uri: Option<String>,
    /// Who judged, as the summary says it: a URI that readers bind to the key
    #[arg(long, value_name = "URI", requires = "emit_vsa")]
    pub(crate) verifier_id: Option<String>,
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

#[derive(Debug, Args)]
pub(crate) struct VerifyFile {
    /// The file
    pub(crate) file: PathBuf,
    /// The signed statement about it: a Sigstore bundle
    #[arg(long, value_name = "FILE", env = "SELFSAME_BUNDLE")]
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// What the statement has to be: provenance, sbom, signature, inventory, run-record, rebuild, vsa, or a URI
    #[arg(long = "type", value_name = "TYPE", default_value = "provenance", env = "SELFSAME_TYPE")]
    pub(crate) kind: String,
    /// What the provenance must say: name, version, source, commit, builder, ...
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) expect: Vec<String>,
    /// Write the verdict as a page for people too: one HTML file, whatever the answer is
    #[arg(long, value_name = "FILE.html", env = "SELFSAME_REPORT")]
    pub(crate) report: Option<PathBuf>,
    /// Print the verdict as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}
