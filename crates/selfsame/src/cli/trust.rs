//! Whom to believe, and what is done with the file that says so.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use selfsame_core::Day;

use super::boolish;

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// A public key that counts; may be given several times
    #[arg(long = "key", value_name = "PUB", conflicts_with = "trust")]
    pub(crate) keys: Vec<PathBuf>,
    /// Whom to believe, as a file: keys, what each may sign, until when
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Judge by the trust file as on this day, not as on this machine's today: 2026-11-20
    #[arg(long, value_name = "DATE", requires = "trust")]
    pub(crate) at: Option<Day>,
    /// The public key of a transparency log; every signed document has to be in one that is given
    #[arg(long = "log-key", value_name = "PUB", conflicts_with = "trust")]
    pub(crate) log_keys: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Write a trust file
    Init {
        /// The file; nothing may be there
        file: PathBuf,
        /// Public keys that count from the beginning
        #[arg(long = "key", value_name = "PUB")]
        keys: Vec<PathBuf>,
    },
    /// Trust one more key; or by itself one that is trusted only because another key named it
    Add(TrustAdd),
    /// Put a key in another's place: the old one signs who comes after it, and which of its releases stay good
    Rotate(TrustRotate),
    /// Say that a key signs nothing new, or that somebody else may have it
    #[command(group = clap::ArgGroup::new("why").required(true).args(["retired", "compromised"]))]
    Revoke {
        /// The trust file
        file: PathBuf,
        /// The key's name in it
        name: String,
        /// It signs nothing from this day on; what it signed stays good where that is shown
        #[arg(long, value_name = "DATE")]
        retired: Option<Day>,
        /// Somebody else may sign with it from this day on; only what a log or time stamp saw before stays good
        #[arg(long, value_name = "DATE")]
        compromised: Option<Day>,
        /// Why, for people
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Show who is trusted on a day
    Show {
        /// The trust file
        file: PathBuf,
        /// The day; today by default
        #[arg(long, value_name = "DATE")]
        at: Option<Day>,
        /// Print JSON
        #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
        json: bool,
    },
    /// Print it in the words of another verifier, and say what these words cannot
    Export {
        /// The trust file
        file: PathBuf,
        /// Whose words
        #[arg(long, value_enum)]
        format: TrustFormat,
        /// Which images, as a pattern of theirs
        #[arg(long, value_name = "PATTERN", default_value = "*")]
        image: String,
        /// Only the key of this name
        #[arg(long)]
        name: Option<String>,
        /// The day; today by default
        #[arg(long, value_name = "DATE")]
        at: Option<Day>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TrustAdd {
    /// The trust file
    pub(crate) file: PathBuf,
    /// The public key's file; or that of a transparency log, or of a witness, which are one line; or the certificates of
    /// a time stamp authority (PEM), the one that signs first
    #[arg(value_name = "PUB")]
    pub(crate) key: PathBuf,
    /// What it is called; the file's name by default
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Who holds it: thresholds count holders; the name by default
    #[arg(long, value_name = "WHO")]
    pub(crate) identity: Option<String>,
    /// A builder that it may speak for; the one of its file by default. May be given several times
    #[arg(long = "builder-id", value_name = "URI")]
    pub(crate) builder_ids: Vec<String>,
    /// What it may sign: provenance, sbom, signature, inventory, run-record, rebuild, vsa or a URI; anything by default
    #[arg(long = "predicate", value_name = "TYPE", value_delimiter = ',')]
    pub(crate) predicates: Vec<String>,
    /// The first day on which it counts
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<Day>,
    /// The last day on which it counts
    #[arg(long, value_name = "DATE")]
    pub(crate) until: Option<Day>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustRotate {
    /// The trust file
    pub(crate) file: PathBuf,
    /// The key that retires, to sign with: FILE, env:NAME or exec:COMMAND
    #[arg(long, value_name = "KEY", requires = "to", conflicts_with = "statement")]
    pub(crate) signer: Option<String>,
    /// The public key that comes after it
    #[arg(long, value_name = "PUB", requires = "signer")]
    pub(crate) to: Option<PathBuf>,
    /// A release by the retiring key that stays good: a folder, a tar, or sha256:HEX of its release id. May be given
    /// several times
    #[arg(long, value_name = "RELEASE", requires = "signer")]
    pub(crate) accept: Vec<String>,
    /// The day from which on the old key signs nothing; today by default
    #[arg(long, value_name = "DATE", requires = "signer")]
    pub(crate) since: Option<Day>,
    /// Where the signed rotation goes; nothing may be there
    #[arg(short, long, value_name = "FILE", default_value = "rotation.dsse.json")]
    pub(crate) output: PathBuf,
    /// A rotation that somebody else signed
    #[arg(long, value_name = "FILE")]
    pub(crate) statement: Option<PathBuf>,
    /// What the successor is called; the name of its file by default
    #[arg(long)]
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrustFormat {
    /// The key file of `cosign verify --key`
    Cosign,
    /// A ClusterPolicy
    Kyverno,
    /// A ClusterImagePolicy
    PolicyController,
    /// The trusted_root.json of Sigstore's own verifiers: logs and time stamp authorities
    TrustedRoot,
}
