//! What is asked of verifiers.

use std::path::PathBuf;

use clap::Args;

use super::boolish;

#[derive(Debug, Args)]
pub(crate) struct Selftest {
    /// Only the cases of these classes or of these names: signature, log, json/utf-16.file; may be given several times
    #[arg(long, value_name = "CLASS|NAME", value_delimiter = ',', env = "SELFSAME_SELFTEST_ONLY")]
    pub(crate) only: Vec<String>,
    /// Run nothing; list the cases, and where what is no file is tested
    #[arg(long, conflicts_with_all = ["against", "write"], env = "SELFSAME_SELFTEST_LIST", value_parser = boolish())]
    pub(crate) list: bool,
    /// Judge another verifier by its command, with {bundle} {artifact} {digest} {type} or {release}, and {key} {trusted_root} {log_key}
    /// {trust} {at} in the places of files and values; no shell reads it
    #[arg(long, value_name = "COMMAND", env = "SELFSAME_SELFTEST_AGAINST")]
    pub(crate) against: Option<String>,
    /// How long one case may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, env = "SELFSAME_SELFTEST_TIMEOUT")]
    pub(crate) timeout: u64,
    /// Keep the cases as files in DIR, which is made; nothing may be there
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Run nothing; write the cases as files to DIR, which is made; nothing may be there
    #[arg(long, value_name = "DIR", conflicts_with_all = ["against", "keep"])]
    pub(crate) write: Option<PathBuf>,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}
