//! The machine's own cargo, asked to bring crates: with its configuration, mirrors, proxies and credentials.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use selfsame_core::{Digest, Hasher};
use selfsame_http::Environment;

/// Why cargo brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CargoError {
    /// No such program.
    #[error("the program `cargo` is not there")]
    NoProgram,
    /// It failed because of the network.
    #[error("cargo {command} could not reach its registry: {message}")]
    Network {
        /// `fetch`
        command: String,
        /// Its last words.
        message: String,
    },
    /// It failed.
    #[error("cargo {command} failed: {message}")]
    Failed {
        /// `fetch`
        command: String,
        /// Its last words.
        message: String,
    },
    /// The disk failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Variables that would make cargo work elsewhere or run a program of theirs.
const UNWANTED: [&str; 6] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

/// Runs `cargo ARGUMENTS` in a folder.
pub(crate) fn run(folder: &Path, arguments: &[&str], environment: &Environment) -> Result<(), CargoError> {
    let failed = |source| CargoError::Io { operation: "run", path: PathBuf::from("cargo"), source };
    let mut command = Command::new("cargo");
    command.env_clear().envs(&environment.variables);
    for name in UNWANTED {
        command.env_remove(name);
    }
    command.env("CARGO_TERM_COLOR", "never").env("CARGO_TERM_PROGRESS_WHEN", "never").env("LC_ALL", "C");
    command.args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(CargoError::NoProgram),
        other => other.map_err(failed)?,
    };
    if output.status.success() {
        return Ok(());
    }
    let command = arguments.first().copied().unwrap_or_default().to_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    let message = message(&said);
    if is_network(&said) {
        return Err(CargoError::Network { command, message });
    }
    Err(CargoError::Failed { command, message })
}

/// Cargo's own words from `error:` on, in one line.
fn message(said: &str) -> String {
    let from = said.find("error:").unwrap_or(0);
    let lines: Vec<&str> = said[from..].lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines.join("; ");
    text.chars().take(800).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a retry may help, by the words of cargo and of libcurl.
fn is_network(said: &str) -> bool {
    let said = said.to_lowercase();
    [
        "network failure",
        "spurious network error",
        "could not resolve",
        "couldn't resolve",
        "could not connect",
        "couldn't connect",
        "failed to connect",
        "connection refused",
        "connection reset",
        "timed out",
        "timeout",
        "got 429",
        "got 500",
        "got 502",
        "got 503",
        "got 504",
        "network is unreachable",
        "recv failure",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// A crate's file in the registry caches of this machine whose content is `sha256`. Files with other content belong to
/// another registry and are passed over; so are those of unreadable caches.
pub(crate) fn cached(environment: &Environment, name: &str, version: &str, sha256: &Digest) -> Option<PathBuf> {
    caches(environment)
        .into_iter()
        .map(|cache| cache.join(format!("{name}-{version}.crate")))
        .find(|path| digest_of(path).is_some_and(|found| found == *sha256))
}

/// The digests of all files in the registry caches that claim to be this crate.
pub(crate) fn cached_digests(environment: &Environment, name: &str, version: &str) -> Vec<Digest> {
    let file = format!("{name}-{version}.crate");
    caches(environment).into_iter().filter_map(|cache| digest_of(&cache.join(&file))).collect()
}

fn caches(environment: &Environment) -> Vec<PathBuf> {
    let Some(home) = environment.cargo_home() else { return Vec::new() };
    let Ok(registries) = std::fs::read_dir(home.join("registry/cache")) else { return Vec::new() };
    let mut caches: Vec<PathBuf> = registries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    caches.sort_unstable();
    caches
}

fn digest_of(path: &Path) -> Option<Digest> {
    let file = std::fs::File::open(path).ok()?;
    Some(Hasher::of_reader(file).ok()?.0)
}
