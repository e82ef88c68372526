//! The command line. Every flag can also be had from a `SELFSAME_*` variable; the few that cannot are in the test below
//! and in docs/ci.md.

mod conformance;
mod keygen;
mod log;
mod policy;
mod selftest;
mod trust;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use selfsame_core::Platform;

pub(crate) use self::conformance::{ConformanceCommand, VerifyBundle};
pub(crate) use self::keygen::{Keygen, KeygenCommand};
pub(crate) use self::log::{LogArgs, LogCheck, LogCommand, LogCosign, LogInit, LogProve, LogShow, LogTrustedRoot};
pub(crate) use self::policy::{PolicyArgs, PolicyCheck, PolicyCommand, PolicyShow, PolicyTest, PolicyTry};
pub(crate) use self::selftest::Selftest;
pub(crate) use self::trust::{TrustAdd, TrustArgs, TrustCommand, TrustFormat, TrustRotate};
pub(crate) use self::verify::{Depth, SummaryArgs, Verify, VerifyFile};
use crate::terminal::Verbosity;

/// Reproducible, hermetic builds with evidence: image, SBOM, provenance and signatures, all or none.
#[derive(Debug, Parser)]
#[command(name = "selfsame", version, max_term_width = 110, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 yes, 1 no, 2 could not be answered, 3 not now (a retry may help).\n\
                        `selfsame help TOPIC` explains: release, verdicts, keys, levels, definition, lock.")]
pub(crate) struct Cli {
    /// Trust the certificates in this file, too; may be given several times
    #[arg(long, global = true, value_name = "FILE", env = "SELFSAME_CA", value_delimiter = ':')]
    pub(crate) ca: Vec<PathBuf>,
    /// Ask nobody over the network
    #[arg(long, global = true, env = "SELFSAME_OFFLINE", value_parser = boolish())]
    pub(crate) offline: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a first selfsame.toml
    Init(Init),
    /// Say whether this machine can build, and what to do where it cannot
    Doctor(Doctor),
    /// Make a release key
    Keygen(Keygen),
    /// Pin every input by content in selfsame.lock
    Lock(Lock),
    /// Bring every input of a project, or of a release, into the store
    Fetch(Fetch),
    /// Record host toolchains, and say what is recorded
    #[command(subcommand)]
    Toolchain(Toolchain),
    /// Build a release: image, SBOM, provenance and signatures
    Build(Build),
    /// Decide, offline, whether a release may be trusted
    Verify(Verify),
    /// Decide, offline, whether a signed statement about one file may be trusted
    VerifyFile(VerifyFile),
    /// Make a release again from itself and compare
    RebuildVerify(RebuildVerify),
    /// Look after the file of whom this machine believes
    #[command(subcommand)]
    Trust(TrustCommand),
    /// For those who write policies: what is asked of a release beside signed and whole
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Copy a release to a registry: its tag comes last, when everything else is there
    Push(Push),
    /// Copy a release from a registry
    Pull(Pull),
    /// Say whether a release is still complete, and could still be rebuilt
    Check(Check),
    /// Join releases of one image for several platforms, built apart, into one
    Index(Index),
    /// Say why two images differ
    Diff(Diff),
    /// Show what a release holds
    Inspect(Inspect),
    /// Print a release's SBOM, or what it still misses
    Sbom(Sbom),
    /// Copy a release with one byte changed, to see `verify` refuse it
    Tamper(Tamper),
    /// Attack this program, or another verifier, and print the score
    Selftest(Selftest),
    /// Transparency logs in folders: what was signed, and that nothing was taken out since
    #[command(subcommand)]
    Log(LogCommand),
    /// Look after the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Keep releases with every input as one file, and prove that it suffices
    #[command(subcommand)]
    Capsule(CapsuleCommand),
    /// Answer sigstore-conformance, in its own words, for managed keys
    #[command(subcommand)]
    Conformance(ConformanceCommand),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Explain a topic, or a command
    Help(Help),
}

impl Command {
    /// What did not happen, in a sentence, where building or what leads to it fails.
    pub(crate) fn undone(&self) -> Option<&'static str> {
        match self {
            Self::Build(_) | Self::RebuildVerify(_) | Self::Index(_) => Some(crate::report::NOTHING_BUILT),
            Self::Lock(_) => Some("The lock was not changed."),
            Self::Fetch(_) => Some("What came so far is kept."),
            _ => None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Exit with 2 unless everything that a release needs is there
    #[arg(long, env = "SELFSAME_DOCTOR_CI", value_parser = boolish())]
    pub(crate) ci: bool,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

/// Where the definition is, and how its inputs are had.
#[derive(Debug, Args)]
pub(crate) struct Project {
    /// The project's folder, or its selfsame.toml
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Lock {
    #[command(subcommand)]
    pub(crate) command: Option<LockCommand>,
    #[command(flatten)]
    pub(crate) project: Project,
    /// Change nothing; exit with 1 if the lock does not answer the definition
    #[arg(long, env = "SELFSAME_LOCK_CHECK", value_parser = boolish())]
    pub(crate) check: bool,
    /// With --check: exit with 1, too, if an input was chosen longer ago: 30d, 4w
    #[arg(long, value_name = "AGE", requires = "check", conflicts_with = "outdated", env = "SELFSAME_LOCK_MAX_AGE", value_parser = days)]
    pub(crate) max_age: Option<u32>,
    /// Change nothing; exit with 1 and say what choosing anew would change
    #[arg(long, conflicts_with = "check", env = "SELFSAME_LOCK_OUTDATED", value_parser = boolish())]
    pub(crate) outdated: bool,
    /// Choose this input anew, and leave the others; `base` is what the image stands on. May be given several times
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        conflicts_with_all = ["check", "outdated"],
        env = "SELFSAME_LOCK_UPDATE"
    )]
    pub(crate) update: Vec<String>,
    /// Choose every input anew
    #[arg(long, conflicts_with_all = ["check", "outdated"], env = "SELFSAME_LOCK_ALL", value_parser = boolish())]
    pub(crate) all: bool,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LockCommand {
    /// Say what is different between the lock of a commit, or of a file, and the one that is here
    Diff(LockDiff),
}

#[derive(Debug, Args)]
pub(crate) struct LockDiff {
    /// A lock, or a revision of git: `origin/main`
    pub(crate) base: String,
    /// The project's folder, or its selfsame.toml
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Print Markdown, for a comment on a merge request
    #[arg(long, conflicts_with = "json", env = "SELFSAME_LOCK_MARKDOWN", value_parser = boolish())]
    pub(crate) markdown: bool,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

/// `30d`, `4w` or `30`: days.
fn days(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.strip_suffix('w') {
        Some(weeks) => (weeks, 7),
        None => (text.strip_suffix('d').unwrap_or(text), 1),
    };
    let days = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    days.ok_or_else(|| "days or weeks are wanted: `30d`, `4w`".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The project's folder, its selfsame.toml, or a release: a folder or a tar
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Toolchain {
    /// Run the actions once under observation and record the host's tools that they touch
    Capture {
        #[command(flatten)]
        project: Project,
        /// How much is said
        #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
        progress: Verbosity,
    },
    /// List recorded toolchains
    List {
        #[command(flatten)]
        project: Project,
        /// Print JSON
        #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
        json: bool,
    },
    /// Show one recorded toolchain: its packages and size
    Show {
        /// Its name in selfsame.toml
        name: String,
        #[command(flatten)]
        project: Project,
        /// List every file
        #[arg(long, env = "SELFSAME_TOOLCHAIN_FILES", value_parser = boolish())]
        files: bool,
    },
    /// Say why a path is in a recorded toolchain
    Why {
        /// Its name in selfsame.toml
        name: String,
        /// The path, as the sandbox shows it
        file: String,
        #[command(flatten)]
        project: Project,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) project: Project,
    /// The release folder; NAME-VERSION.release by default
    #[arg(short, long, value_name = "DIR", env = "SELFSAME_OUTPUT")]
    pub(crate) output: Option<PathBuf>,
    /// The key that signs: FILE, env:NAME or exec:COMMAND
    #[arg(long, value_name = "KEY", env = "SELFSAME_KEY", conflicts_with = "dev_key")]
    pub(crate) key: Option<String>,
    /// Sign with a development key of this machine, which is made when there is none
    #[arg(long, env = "SELFSAME_DEV_KEY", value_parser = boolish())]
    pub(crate) dev_key: bool,
    /// The level of the sandbox
    #[arg(long, value_name = "LEVEL", default_value = "normalized", env = "SELFSAME_LEVEL")]
    pub(crate) level: String,
    /// Write the release as one tar, too
    #[arg(long, value_name = "FILE", env = "SELFSAME_ARCHIVE")]
    pub(crate) archive: Option<PathBuf>,
    /// Hand the image to a container engine
    #[arg(long, value_name = "ENGINE", env = "SELFSAME_LOAD")]
    pub(crate) load: Option<Engine>,
    /// Push the release to a registry when it is built: HOST/NAME:TAG
    #[arg(long, value_name = "REF", env = "SELFSAME_PUSH")]
    pub(crate) push: Option<String>,
    /// Use results that others left there: a folder, or oci://HOST/NAME. Whoever may write there is believed; never with
    /// a check
    #[arg(long, value_name = "STORE", env = "SELFSAME_CACHE_FROM")]
    pub(crate) cache_from: Option<String>,
    /// Leave results there for others
    #[arg(long, value_name = "STORE", env = "SELFSAME_CACHE_TO")]
    pub(crate) cache_to: Option<String>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Put every input into the release, so that a rebuild needs nothing else
    #[arg(long, env = "SELFSAME_CAPSULE", value_parser = boolish())]
    pub(crate) capsule: bool,
    /// Run each action a second time under variation, also with a development key
    #[arg(long, conflicts_with = "no_check", env = "SELFSAME_CHECK", value_parser = boolish())]
    pub(crate) check: bool,
    /// Do not run actions a second time; the signed inventory says so
    #[arg(long, env = "SELFSAME_NO_CHECK", value_parser = boolish())]
    pub(crate) no_check: bool,
    /// Run every action, also where the store has its result
    #[arg(long, env = "SELFSAME_NO_CACHE", value_parser = boolish())]
    pub(crate) no_cache: bool,
    /// Build a source with uncommitted changes with a release key
    #[arg(long, env = "SELFSAME_ALLOW_DIRTY", value_parser = boolish())]
    pub(crate) allow_dirty: bool,
    /// Refuse to change selfsame.lock
    #[arg(long, env = "SELFSAME_LOCKED", value_parser = boolish())]
    pub(crate) locked: bool,
    /// Go without a protection of the sandbox: proc or aslr. Named in the signed provenance
    #[arg(long, value_name = "NAME", env = "SELFSAME_RELAX", value_delimiter = ',', requires = "reason")]
    pub(crate) relax: Vec<String>,
    /// Why, for everybody to read
    #[arg(long, value_name = "TEXT", env = "SELFSAME_REASON")]
    pub(crate) reason: Option<String>,
    /// Write the image's digest to a file
    #[arg(long, value_name = "FILE", env = "SELFSAME_IIDFILE")]
    pub(crate) iidfile: Option<PathBuf>,
    /// Write what was built to a file, as JSON
    #[arg(long, value_name = "FILE", env = "SELFSAME_METADATA_FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
    /// Print what was built as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// `docker load`
    Docker,
    /// `podman load`
    Podman,
}

#[derive(Debug, Args)]
pub(crate) struct Push {
    /// The release: a folder or a tar
    pub(crate) release: PathBuf,
    /// Where to: HOST/NAME:TAG, or HOST/NAME@sha256:HEX for no tag
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// Push the inputs that the release carries, too: definition, locks and the source
    #[arg(long, env = "SELFSAME_WITH_CAPSULE", value_parser = boolish())]
    pub(crate) with_capsule: bool,
    /// Sign the image once more, as cosign 2 did: a tag sha256-HEX.sig. Needs the key of the release
    #[arg(long, requires = "key", env = "SELFSAME_COSIGN_SIGNATURES", value_parser = boolish())]
    pub(crate) cosign_signatures: bool,
    /// For --cosign-signatures: FILE, env:NAME or exec:COMMAND
    #[arg(long, value_name = "KEY", env = "SELFSAME_KEY")]
    pub(crate) key: Option<String>,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
    /// Print what was pushed as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Which: HOST/NAME:TAG or HOST/NAME@sha256:HEX
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// The release folder; nothing may be there
    #[arg(short, long, value_name = "DIR", env = "SELFSAME_PULL_OUTPUT")]
    pub(crate) output: PathBuf,
    /// Fetch the inputs that were pushed with it, too
    #[arg(long, env = "SELFSAME_WITH_CAPSULE", value_parser = boolish())]
    pub(crate) with_capsule: bool,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
    /// Print what was pulled as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Index {
    /// The releases: folders or tars, one for each platform
    #[arg(required = true, value_name = "RELEASE")]
    pub(crate) releases: Vec<PathBuf>,
    /// The joined release; nothing may be there
    #[arg(short, long, value_name = "DIR", env = "SELFSAME_INDEX_OUTPUT")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// The key that signs what joins them: FILE, env:NAME or exec:COMMAND
    #[arg(long, value_name = "KEY", env = "SELFSAME_SIGN_AS")]
    pub(crate) sign_as: String,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Print what was joined as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The release: a folder, a tar, or HOST/NAME:TAG in a registry
    pub(crate) release: PathBuf,
    /// With a key its documents are verified, and origins that they name are asked, too
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RebuildVerify {
    /// The release: a folder, a tar, or HOST/NAME:TAG in a registry
    pub(crate) release: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Sign what was found with this key: FILE, env:NAME or exec:COMMAND
    #[arg(long, value_name = "KEY", env = "SELFSAME_SIGN_AS")]
    pub(crate) sign_as: Option<String>,
    /// Where the signed statement goes; rebuild.sigstore.json by default
    #[arg(long, value_name = "FILE", requires = "sign_as", env = "SELFSAME_STATEMENT")]
    pub(crate) statement: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stamp: log::StampArgs,
    #[command(flatten)]
    pub(crate) summary: SummaryArgs,
    /// Keep the rebuilt image, unsigned, as an OCI layout; nothing may be there
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Use nothing of this machine: no host files for what the release does not hold
    #[arg(long, env = "SELFSAME_NO_HOST", value_parser = boolish())]
    pub(crate) no_host: bool,
    /// Answer yes also where the content is equal and something named around it is not
    #[arg(long, value_name = "VERDICT", value_parser = ["equivalent"], env = "SELFSAME_ACCEPT")]
    pub(crate) accept: Option<String>,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
    /// Print the verdict as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// An image: release folder, OCI layout, tar of one, or `docker save`
    pub(crate) left: PathBuf,
    /// Another
    pub(crate) right: PathBuf,
    /// Of images for several platforms, only this one: os/arch[/variant]
    #[arg(long, value_name = "PLATFORM", env = "SELFSAME_PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The release: a folder or a tar. It is shown as it says it is; only `verify` believes
    pub(crate) release: PathBuf,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sbom {
    /// The release: a folder or a tar
    pub(crate) release: PathBuf,
    /// List what NTIA 2021, CISA 2025 and BSI TR-03183-2 still miss, and why
    #[arg(long, env = "SELFSAME_SBOM_CHECK", value_parser = boolish())]
    pub(crate) check: bool,
    /// Of a release for several platforms, this one: os/arch[/variant]
    #[arg(long, value_name = "PLATFORM", env = "SELFSAME_PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Write it into this folder; of a release for several platforms, that of each
    #[arg(short, long, value_name = "DIR", conflicts_with = "check")]
    pub(crate) output: Option<PathBuf>,
    /// With --check: print JSON
    #[arg(long, requires = "check")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tamper {
    /// The release folder
    pub(crate) release: PathBuf,
    /// The copy
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Which file of the release to change; a layer by default
    #[arg(long, value_name = "NAME")]
    pub(crate) file: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything and compare it with its digest
    Check {
        /// Print JSON
        #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
        json: bool,
    },
    /// Say what the store holds
    Du {
        /// Print JSON
        #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
        json: bool,
    },
    /// Remove what nobody wants: what was used longest ago, or what no lock names
    Gc {
        /// Begin with what was used longest ago, and end when the store takes no more than this: 20GiB, 512MiB, bytes
        #[arg(long, value_name = "SIZE", value_parser = size, env = "SELFSAME_STORE_MAX_SIZE")]
        max_size: Option<u64>,
        /// Keep what the locks of these projects name (the current folder's by default); without --max-size all else goes
        #[arg(long, value_name = "PATH", num_args = 0.., default_missing_value = ".", value_delimiter = ':', env = "SELFSAME_STORE_KEEP_LOCKED")]
        keep_locked: Option<Vec<PathBuf>>,
        /// Print JSON
        #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CapsuleCommand {
    /// Write releases and all of their inputs as one layout, each blob once
    Export(CapsuleExport),
    /// Bring what a capsule holds into the store
    Import(CapsuleImport),
    /// Make every release of a capsule again from it alone: an empty store, no network, nothing of this machine
    Check(CapsuleCheck),
    /// Say what releases take together, whose it is, and what each of them adds
    Du(CapsuleDu),
}

#[derive(Debug, Args)]
pub(crate) struct CapsuleExport {
    /// Releases: folders, tars, capsules, or CAPSULE#NAME:VERSION
    #[arg(required = true, value_name = "RELEASE")]
    pub(crate) releases: Vec<PathBuf>,
    /// What is written: a tar if it is called so, a folder otherwise
    #[arg(short, long, value_name = "FILE.tar|DIR", env = "SELFSAME_CAPSULE_OUTPUT")]
    pub(crate) output: PathBuf,
    /// Leave out parts of this class, and list them: own-source, private or public. May be given several times
    #[arg(long, value_name = "CLASS", value_delimiter = ',', env = "SELFSAME_CAPSULE_WITHOUT")]
    pub(crate) without: Vec<selfsame_build::capsule::Class>,
    /// Put this program in, too
    #[arg(long, env = "SELFSAME_CAPSULE_WITH_TOOL", value_parser = boolish())]
    pub(crate) with_tool: bool,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
}

#[derive(Debug, Args)]
pub(crate) struct CapsuleImport {
    /// The capsule: a tar or a folder, or CAPSULE#NAME:VERSION for one release of it
    pub(crate) capsule: PathBuf,
    /// Write each release as a folder below DIR, which is made; nothing may be there
    #[arg(short, long, value_name = "DIR", env = "SELFSAME_CAPSULE_RELEASES")]
    pub(crate) output: Option<PathBuf>,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
}

#[derive(Debug, Args)]
pub(crate) struct CapsuleCheck {
    /// The capsule: a tar or a folder, or CAPSULE#NAME:VERSION for one release of it
    pub(crate) capsule: PathBuf,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// How much is said
    #[arg(long, value_enum, default_value_t = Verbosity::Auto, env = "SELFSAME_PROGRESS")]
    pub(crate) progress: Verbosity,
    /// Print the verdicts as JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CapsuleDu {
    /// Capsules, or releases
    #[arg(required = true, value_name = "FILE|RELEASE")]
    pub(crate) paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long, env = "SELFSAME_JSON", value_parser = boolish())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Help {
    /// release, verdicts, keys, levels, definition, lock, origins, registries, shared-store, capsules, or a command
    pub(crate) topic: Vec<String>,
}

/// What a variable that stands for a flag may hold: `1`, `true`, `yes`, `on`, and their contraries.
fn boolish() -> clap::builder::BoolishValueParser {
    clap::builder::BoolishValueParser::new()
}

/// `20GiB`, as in the definition, or `500B`; a number alone would be bytes, and nobody means these.
fn size(text: &str) -> Result<u64, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let bytes = text.strip_suffix('B').filter(|number| digits(number));
    let sized = bytes.or((!digits(text)).then_some(text)).and_then(selfsame_definition::size::parse);
    sized.ok_or_else(|| "a size is digits, then B, KiB, MiB, GiB or TiB".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::Cli;

    /// Whom to believe is said on the command line and nowhere else.
    fn says_whom_to_believe(flag: &str) -> bool {
        let given = ["verify ", "verify-file ", "rebuild-verify ", "check ", "capsule check ", "index "];
        let whom = ["--key", "--trust", "--at", "--log-key", "--policy"];
        let log = ["log cosign --log-key", "log check --key", "log check --since", "log trusted-root --key"];
        log.contains(&flag)
            || flag.starts_with("trust ") && !flag.ends_with("--json")
            || given.into_iter().any(|command| flag.strip_prefix(command).is_some_and(|flag| whom.contains(&flag)))
    }

    /// Without a variable: with the reason in docs/ci.md, or because the flag is nothing without another one.
    const WITHOUT: [&str; 19] = [
        "rebuild-verify --emit-vsa",
        "rebuild-verify --output",
        "rebuild-verify --resource-uri",
        "rebuild-verify --verifier-id",
        "rebuild-verify --vsa-failed",
        "sbom --json",
        "sbom --output",
        "selftest --keep",
        "selftest --write",
        "tamper --file",
        "tamper --output",
        "verify --emit-vsa",
        "verify --expect",
        "verify --facts",
        "verify --resource-uri",
        "verify --sign-as",
        "verify --verifier-id",
        "verify --vsa-failed",
        "verify-file --expect",
    ];

    fn flags(command: &Command, path: &str, found: &mut Vec<(String, Option<String>)>) {
        for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
            let Some(long) = argument.get_long().filter(|long| !matches!(*long, "help" | "version")) else { continue };
            let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
            found.push((format!("{path} --{long}").trim_start().to_owned(), variable));
        }
        for child in command.get_subcommands() {
            flags(child, format!("{path} {}", child.get_name()).trim_start(), found);
        }
    }

    #[test]
    fn every_flag_has_its_variable() {
        let mut found = Vec::new();
        flags(&Cli::command(), "", &mut found);
        assert!(found.len() > 40, "found only {} flags", found.len());
        let mut without: Vec<&str> =
            found.iter().filter(|(_, variable)| variable.is_none()).map(|(flag, _)| flag.as_str()).collect();
        let whom = without.iter().filter(|flag| says_whom_to_believe(flag)).count();
        assert_eq!(whom, found.iter().filter(|(flag, _)| says_whom_to_believe(flag)).count(), "no variable adds trust");
        // The words of `conformance` are those of its protocol.
        without.retain(|flag| !says_whom_to_believe(flag) && !flag.starts_with("conformance "));
        without.sort_unstable();
        assert_eq!(without, WITHOUT);
        let strange: Vec<_> = found
            .iter()
            .filter(|(_, variable)| variable.as_ref().is_some_and(|name| !name.starts_with("SELFSAME_")))
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
    }

    #[test]
    fn ages() {
        assert_eq!((super::days("30d"), super::days("4w"), super::days("0")), (Ok(30), Ok(28), Ok(0)));
        for wrong in ["", "d", "-1d", "1y", "1.5d", "999999999w", "30 d"] {
            assert!(super::days(wrong).is_err(), "{wrong}");
        }
    }
}
