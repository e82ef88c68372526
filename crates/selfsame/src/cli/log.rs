//! The arguments that are about transparency logs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::boolish;

/// Where what is signed is entered.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Enter what is signed into this transparency log: a folder that `selfsame log init` made
    #[arg(long, value_name = "DIR", env = "SELFSAME_LOG")]
    pub(crate) log: Option<PathBuf>,
    /// The log's key: FILE, env:NAME or exec:COMMAND; DIR.key by default
    #[arg(long, value_name = "KEY", env = "SELFSAME_LOG_SIGNER")]
    pub(crate) log_signer: Option<String>,
    /// How long another writer of the log is waited for; then exit 3
    #[arg(long, value_name = "SECONDS", default_value_t = 30, env = "SELFSAME_LOG_WAIT")]
    pub(crate) log_wait: u32,
    #[command(flatten)]
    pub(crate) stamp: StampArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StampArgs {
    /// Have a time stamp authority stamp what is signed: exec:COMMAND reads an RFC 3161 request and prints the answer
    #[arg(long, value_name = "COMMAND", env = "SELFSAME_TIMESTAMP")]
    pub(crate) timestamp: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Make a log without entries: DIR, and beside it DIR.pub and, unless a key is given, DIR.key
    Init(LogInit),
    /// Hash everything again, and prove that the log only grew
    Check(LogCheck),
    /// Say how many entries a log has, and their root
    Show(LogShow),
    /// Print an entry with its inclusion proof, as a bundle carries it
    Prove(LogProve),
    /// As a witness: check the log, see that it only grew since you looked last, and cosign its checkpoint
    Cosign(LogCosign),
    /// Print the trusted_root.json with which Sigstore's own verifiers accept what is in the log
    TrustedRoot(LogTrustedRoot),
}

#[derive(Debug, Args)]
pub(crate) struct LogInit {
    /// The log's folder; nothing may be there
    pub(crate) dir: PathBuf,
    /// What the log is called in every checkpoint: an address of yours without https://, as log.example.com/releases; the
    /// folder's name by default
    #[arg(long, value_name = "NAME", env = "SELFSAME_LOG_ORIGIN")]
    pub(crate) origin: Option<String>,
    /// A key that there is: FILE, env:NAME or exec:COMMAND; a new Ed25519 key by default
    #[arg(long, value_name = "KEY", env = "SELFSAME_LOG_SIGNER")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogCheck {
    /// The log's folder
    pub(crate) dir: PathBuf,
    /// The log's public key, from elsewhere than the folder
    #[arg(long, value_name = "PUB")]
    pub(crate) key: Option<PathBuf>,
    /// An older checkpoint: prove that everything that it speaks of is still there, unchanged
    #[arg(long, value_name = "CHECKPOINT")]
    pub(crate) since: Option<PathBuf>,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogShow {
    /// The log's folder
    pub(crate) dir: PathBuf,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogProve {
    /// The log's folder
    pub(crate) dir: PathBuf,
    /// Which entry: 0 is the first
    pub(crate) index: u64,
}

#[derive(Debug, Args)]
pub(crate) struct LogCosign {
    /// The log's folder
    pub(crate) dir: PathBuf,
    /// Who you are: an address of yours without https://, as witness.example.com
    #[arg(long, value_name = "NAME", env = "SELFSAME_WITNESS_NAME")]
    pub(crate) name: String,
    /// Your Ed25519 key, a file
    #[arg(long, value_name = "FILE", env = "SELFSAME_WITNESS_KEY")]
    pub(crate) key: PathBuf,
    /// The log's public key, from elsewhere than the folder
    #[arg(long, value_name = "PUB")]
    pub(crate) log_key: PathBuf,
    /// Your memory: the checkpoint that you cosigned last. Made by the first time
    #[arg(long, value_name = "FILE", env = "SELFSAME_WITNESS_SEEN")]
    pub(crate) seen: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct LogTrustedRoot {
    /// The log's folder
    #[arg(required_unless_present = "key")]
    pub(crate) dir: Option<PathBuf>,
    /// The log's public key, from elsewhere than the folder
    #[arg(long, value_name = "PUB")]
    pub(crate) key: Option<PathBuf>,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE", env = "SELFSAME_TRUSTED_ROOT")]
    pub(crate) output: Option<PathBuf>,
}
