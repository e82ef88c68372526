//! The environment, read once and in one place. Every variable that selfsame looks at has its name here or is a flag's.
#![expect(clippy::disallowed_methods, reason = "this is where the environment is read")]

use std::path::PathBuf;

/// What the surroundings say.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `SELFSAME_STORE`, else `selfsame/store` below `XDG_DATA_HOME` or `~/.local/share`.
    pub(crate) store: Option<PathBuf>,
    /// Where the development key is kept: `selfsame` below `XDG_DATA_HOME` or `~/.local/share`.
    pub(crate) data: Option<PathBuf>,
    /// `RUSTUP_HOME`, else `~/.rustup`.
    pub(crate) rustup_home: Option<PathBuf>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// Certificates that are trusted beside the system's.
    pub(crate) ca: Vec<PathBuf>,
    /// Nobody is asked over the network.
    pub(crate) offline: bool,
    /// `SELFSAME_ORIGINS`, else `selfsame/origins.toml` below `XDG_CONFIG_HOME` or `~/.config`.
    pub(crate) origins: Option<OriginsFile>,
    /// `CI` is set and not empty, `0` or `false`.
    pub(crate) ci: bool,
    /// Standard error is a terminal, and `NO_COLOR` is not set.
    pub(crate) colour: bool,
    /// Standard error is a terminal.
    pub(crate) terminal: bool,
    /// The working folder.
    pub(crate) folder: PathBuf,
    /// Errors are printed as JSON, too.
    pub(crate) json: std::cell::Cell<bool>,
}

/// Where this machine's origins are configured.
#[derive(Clone, Debug)]
pub(crate) struct OriginsFile {
    pub(crate) file: PathBuf,
    /// Whether a variable names it: then it has to be there.
    pub(crate) named: bool,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let home = folder("HOME");
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let data = folder("XDG_DATA_HOME").or_else(|| below_home(".local/share")).map(|data| data.join("selfsame"));
        let terminal = rustix::termios::isatty(std::io::stderr());
        Self {
            store: folder("SELFSAME_STORE").or_else(|| data.as_ref().map(|data| data.join("store"))),
            data,
            rustup_home: folder("RUSTUP_HOME").or_else(|| below_home(".rustup")),
            ca: Vec::new(),
            offline: false,
            origins: folder("SELFSAME_ORIGINS").map(|file| OriginsFile { file, named: true }).or_else(|| {
                let config = folder("XDG_CONFIG_HOME").or_else(|| below_home(".config"))?;
                Some(OriginsFile { file: config.join("selfsame/origins.toml"), named: false })
            }),
            home: home.clone(),
            ci: std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false")),
            colour: terminal && !set("NO_COLOR"),
            terminal,
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            json: std::cell::Cell::new(false),
        }
    }

    /// The whole environment, for the programs that fetch: git and cargo find their configuration by it.
    pub(crate) fn environment(&self) -> selfsame_fetch::Environment {
        selfsame_fetch::Environment { variables: std::env::vars_os().collect() }
    }

    /// The value of a variable that the user named, a key in `env:NAME`, or of one of a signer: `SELFSAME_SIGNER_SECONDS`,
    /// `SELFSAME_PASSPHRASE_FROM`.
    pub(crate) fn variable(name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Seconds since 1970, for the run record only.
pub(crate) fn wall_clock_secs() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map(|since| since.as_secs()).unwrap_or(0)
}

/// A point on the clock that is never set back, for the run record and the screen only.
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
