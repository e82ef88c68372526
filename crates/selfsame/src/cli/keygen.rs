//! Arguments of `selfsame keygen`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::boolish;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Keygen {
    #[command(subcommand)]
    pub(crate) command: Option<KeygenCommand>,
    #[command(flatten)]
    pub(crate) pair: KeyPair,
    /// Lock the private key with the passphrase in a FILE, in a variable (env:NAME), or asked for at the terminal (ask)
    #[arg(long, value_name = "SOURCE", env = "SELFSAME_KEYGEN_PASSPHRASE_FROM")]
    pub(crate) passphrase_from: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeygenCommand {
    /// Take over a key of cosign, or of anything that writes PKCS#8
    Import(KeygenImport),
}

#[derive(Debug, Args)]
pub(crate) struct KeygenImport {
    /// The private key, with a passphrase (cosign.key, PKCS#8) or without
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) pair: KeyPair,
    /// Where the passphrase is that opens FILE, and locks what is written: a FILE, env:NAME, or ask
    #[arg(long, value_name = "SOURCE", default_value = "ask", env = "SELFSAME_KEYGEN_PASSPHRASE_FROM")]
    pub(crate) passphrase_from: String,
    /// Lock what is written with another passphrase than FILE
    #[arg(long, value_name = "SOURCE", env = "SELFSAME_KEYGEN_NEW_PASSPHRASE_FROM")]
    pub(crate) new_passphrase_from: Option<String>,
    /// Write the private key without a passphrase
    #[arg(long, conflicts_with = "new_passphrase_from", env = "SELFSAME_KEYGEN_NO_PASSPHRASE", value_parser = boolish())]
    pub(crate) no_passphrase: bool,
}

/// The two files of a key.
#[derive(Debug, Args)]
pub(crate) struct KeyPair {
    /// Writes PREFIX.key (keep it) and PREFIX.pub (give it away)
    #[arg(short, long = "output", value_name = "PREFIX", default_value = "selfsame", env = "SELFSAME_KEY_PREFIX")]
    pub(crate) output: PathBuf,
    /// The builder that this key speaks for, a URI
    #[arg(long, value_name = "URI", env = "SELFSAME_BUILDER_ID")]
    pub(crate) builder_id: Option<String>,
}
