//! Apt, run against a private root: with this machine's sources, keys and proxies, and nothing of this machine changed.
//!
//! The root is in the store's folder and keeps apt's lists, so the second lock asks only whether they are still the
//! newest. A list that is not signed by a key of its source is an error, whatever the machine's configuration says.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::FlockOperation;
use selfsame_core::Digest;
use selfsame_deb::{AptUri, Source, parse_uris};
use selfsame_http::Environment;

use super::error::DebInputError;
use super::machine::KEPT_OPTIONS;

/// Read behind all of the machine's own files. Hooks are cleared: they are commands of the machine, and some of them
/// empty its caches. Lists other than of packages are not asked for.
const CONFIGURATION: &str = r##"#clear APT::Update;
#clear APT::Default-Release;
#clear APT::Architectures;
#clear AptCli;
#clear DPkg;
#clear Acquire::IndexTargets;
#clear APT::Get;
Acquire::IndexTargets {
  deb::Packages {
    MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
    flatMetaKey "Packages";
    ShortDescription "Packages";
    Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
    flatDescription "$(RELEASE) Packages";
    Optional "0";
  };
};
Acquire::AllowInsecureRepositories "0";
Acquire::AllowWeakRepositories "0";
Acquire::AllowDowngradeToInsecureRepositories "0";
Acquire::ForceHash "SHA256";
Acquire::GzipIndexes "0";
Acquire::Languages "none";
APT::Get::AllowUnauthenticated "0";
APT::Install-Suggests "0";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "/dev/null";
"##;
/// More is no answer.
const OUTPUT_BYTES: u64 = 64 << 20;
const MESSAGE_BYTES: u64 = 64 << 10;
/// How long apt may take for anything.
const LIMIT_SECS: u64 = 1200;
const LOOK: Duration = Duration::from_millis(10);

/// A private root with sources, ours alone while it is open.
#[derive(Debug)]
pub(super) struct Apt<'a> {
    root: PathBuf,
    environment: &'a Environment,
    _lock: File,
}

impl<'a> Apt<'a> {
    /// The root for these sources and this architecture, below `folder`. Waits for another process that has it.
    pub(super) fn open(
        folder: &Path,
        sources: &[Source],
        architecture: &str,
        environment: &'a Environment,
    ) -> Result<Self, DebInputError> {
        let stanzas: Vec<String> = sources.iter().map(|source| source.stanza(&KEPT_OPTIONS).to_string()).collect();
        let sources = stanzas.join("\n");
        let configuration = format!(
            "{CONFIGURATION}APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n"
        );
        let key = Digest::of(format!("{configuration}\n{sources}").as_bytes());
        let root = folder.join(&key.hex()[..32]);
        let make = |path: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(&path).map_err(|source| DebInputError::Io { operation: "create", path, source })
        };
        for path in ["lists/partial", "cache/archives/partial", "log", "sources.d", "preferences.d"] {
            make(path)?;
        }
        let lock_path = root.join("selfsame.lock");
        let failed = |source| DebInputError::Io { operation: "lock", path: lock_path.clone(), source };
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path).map_err(failed)?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let texts = [("status", ""), ("apt.conf", &configuration), ("sources.d/selfsame.sources", &sources)];
        for (name, text) in texts {
            let path = root.join(name);
            // Apt looks at times: a file that is as it should be stays as it is.
            if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
                continue;
            }
            std::fs::write(&path, text).map_err(|source| DebInputError::Io { operation: "write", path, source })?;
        }
        Ok(Self { root, environment, _lock: lock })
    }

    /// Brings the lists, signatures checked.
    pub(super) fn update(&self) -> Result<(), DebInputError> {
        self.run("update", &["update"]).map(|_| ())
    }

    /// What a root with these packages needs, dependencies in it, from nothing.
    pub(super) fn install(
        &self,
        packages: &[String],
        essential: bool,
        recommends: bool,
    ) -> Result<Vec<AptUri>, DebInputError> {
        let recommends = format!("APT::Install-Recommends={}", u8::from(recommends));
        let mut arguments = vec!["install", "--assume-yes", "--print-uris", "-o", &recommends, "--"];
        arguments.extend(packages.iter().map(String::as_str));
        if essential {
            arguments.push("?essential");
        }
        // Our root is merged from the start: the package that would merge one, with its interpreter, is not wanted
        // where the one that says so will do. A pattern, since it is no fault if there is no such package.
        if !packages.iter().any(|package| package == "usrmerge") {
            arguments.push("?name(^usrmerge$)-");
        }
        let said = self.run("install", &arguments)?;
        parse_uris(&said).map_err(|line| DebInputError::Line { line })
    }

    /// Where the lists say that a version of a package is; nothing where they have it no more.
    pub(super) fn version(&self, package: &str, version: &str) -> Result<Vec<AptUri>, DebInputError> {
        let package = format!("{package}={version}");
        match self.run("download", &["download", "--print-uris", "--", &package]) {
            Err(DebInputError::Apt { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(said) => parse_uris(&said).map_err(|line| DebInputError::Line { line }),
        }
    }

    /// The repositories of the lists: the beginning of their addresses, and who they say they are, `Debian` for one.
    pub(super) fn origins(&self) -> Result<Vec<(String, String)>, DebInputError> {
        let said = self.run("indextargets", &["indextargets", "--format", "$(REPO_URI) $(ORIGIN)"])?;
        let lines = said.lines().filter_map(|line| line.split_once(' '));
        Ok(lines.map(|(uri, origin)| (uri.to_owned(), origin.to_owned())).collect())
    }

    fn run(&self, name: &'static str, arguments: &[&str]) -> Result<String, DebInputError> {
        let failed = |source| DebInputError::Io { operation: "run", path: PathBuf::from("apt-get"), source };
        let mut command = Command::new("apt-get");
        command.env_clear().envs(&self.environment.variables);
        command.env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive");
        command.arg("-c").arg(self.root.join("apt.conf"));
        for (option, below) in [
            ("Dir::State", ""),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
            ("Dir::Cache::archives", "cache/archives"),
            ("Dir::Log", "log"),
            ("Dir::Etc::sourceparts", "sources.d"),
        ] {
            let mut setting = std::ffi::OsString::from(format!("{option}="));
            setting.push(self.root.join(below));
            command.arg("-o").arg(setting);
        }
        command.args(arguments).current_dir(&self.root);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(DebInputError::NoApt),
            other => other.map_err(failed)?,
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let said = std::thread::spawn(move || collect(stdout, OUTPUT_BYTES));
        let complained = std::thread::spawn(move || collect(stderr, MESSAGE_BYTES));
        let mut waited = Duration::ZERO;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            if waited.as_secs() >= LIMIT_SECS {
                // Its methods end with it: they read from its pipes.
                let _ = child.kill();
                let _ = child.wait();
                return Err(DebInputError::TooSlow { command: name, limit_secs: LIMIT_SECS });
            }
            std::thread::sleep(LOOK);
            waited += LOOK;
        };
        let said = said.join().unwrap_or_default();
        let complained = complained.join().unwrap_or_default();
        if status.success() {
            return Ok(said);
        }
        let message = message(&complained);
        Err(DebInputError::Apt { command: name, network: is_network(&message), message })
    }
}

/// What comes out, up to a limit; what is behind that is read and forgotten, so that nobody waits.
fn collect(pipe: Option<impl Read>, limit_bytes: u64) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut bytes = Vec::new();
    let _ = pipe.by_ref().take(limit_bytes).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut pipe, &mut std::io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Apt's errors in one line.
fn message(said: &str) -> String {
    let errors: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("E: ")).map(str::trim).collect();
    let text = if errors.is_empty() { said.trim().to_owned() } else { errors.join("; ") };
    text.chars().take(800).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether a retry may help, by the words of apt's methods.
fn is_network(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "could not resolve",
        "temporary failure",
        "could not connect",
        "cannot initiate the connection",
        "unable to connect",
        "connection failed",
        "connection timed out",
        "connection refused",
        "network is unreachable",
        " 429 ",
        " 500 ",
        " 502 ",
        " 503 ",
        " 504 ",
    ]
    .iter()
    .any(|words| message.contains(words))
}
