//! The arguments that are about policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::boolish;

/// What a release must be beside signed and whole.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// A policy in Rego that has to allow it, too; may be given several times. Without one the built-in policy is asked
    #[arg(long = "policy", value_name = "FILE.rego")]
    pub(crate) policies: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print the built-in policy, or what policies are told
    Show(PolicyShow),
    /// Say whether files are policies, and which facts they read
    Check(PolicyCheck),
    /// Run the tests of policies: each rule test_... of NAME_test.rego, on NAME.rego beside it
    Test(PolicyTest),
    /// Ask a policy over facts in a file, as `verify --facts` writes them; nothing is verified
    Try(PolicyTry),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyShow {
    /// Print the facts that a policy may read, not the policy
    #[arg(long, env = "SELFSAME_POLICY_FACTS", value_parser = boolish())]
    pub(crate) facts: bool,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyCheck {
    /// The policies
    #[arg(required = true, value_name = "FILE.rego")]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyTest {
    /// A folder of policies, or one file of tests
    #[arg(default_value = ".", value_name = "DIR|NAME_test.rego")]
    pub(crate) path: PathBuf,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyTry {
    /// The policy
    #[arg(value_name = "FILE.rego")]
    pub(crate) policy: PathBuf,
    /// The facts
    #[arg(value_name = "FACTS.json")]
    pub(crate) facts: PathBuf,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}
