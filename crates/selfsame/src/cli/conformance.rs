//! The protocol of sigstore-conformance, word for word.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ConformanceCommand {
    /// Decide about one Sigstore bundle by one managed key: a statement about the file, or a signature over it
    VerifyBundle(VerifyBundle),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyBundle {
    /// Of no effect: nobody is asked, and nobody's keys are built in
    #[arg(long)]
    pub(crate) staging: bool,
    /// The Sigstore bundle
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: PathBuf,
    /// The public key, as PEM
    #[arg(long, value_name = "FILE", required_unless_present_any = ["certificate_identity", "certificate_oidc_issuer"])]
    pub(crate) key: Option<PathBuf>,
    /// Not answered: certificates are not read
    #[arg(long, value_name = "IDENTITY", conflicts_with = "key")]
    pub(crate) certificate_identity: Option<String>,
    /// Not answered: certificates are not read
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub(crate) certificate_oidc_issuer: Option<String>,
    /// The trusted_root.json of the logs that the bundle has to be in; without one no log is asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
    /// The file, or sha256:DIGEST unless there is a file of that name
    #[arg(value_name = "FILE_OR_DIGEST")]
    pub(crate) file: PathBuf,
}
