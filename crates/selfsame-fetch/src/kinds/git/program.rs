//! The `git` program, run where nothing of a repository's can run in turn.
//!
//! This machine's configuration counts where it says how a server is asked: credential helpers, proxies, certificates,
//! `insteadOf`, ssh. Of a repository nothing counts: there is no working tree and so no filter and no attribute, hooks
//! are off, helpers are refused, and nobody is asked at the terminal.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use super::GitError;
use super::place::{Place, without_credentials};
use selfsame_http::Environment;

/// What git and the programs that it asks servers with find their configuration by.
const VARIABLES: [&str; 30] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_ASKPASS",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
    "SSH_AUTH_SOCK",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "DBUS_SESSION_BUS_ADDRESS",
];
/// `GIT_CONFIG_COUNT` and its pairs; more than so many are passed over.
const CONFIGURED: usize = 64;
/// Settings that stand above everybody's.
const SETTINGS: [&str; 14] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    // Whatever somebody prefers for repositories of their own. An option would say so, too, and is not known to old gits.
    "init.defaultObjectFormat=sha1",
    "credential.interactive=false",
    "fetch.recurseSubmodules=no",
    "submodule.recurse=false",
    "fetch.writeCommitGraph=false",
    // One pack, whose growth can be watched.
    "fetch.unpackLimit=1",
    "transfer.bundleURI=false",
    "gc.auto=0",
    "maintenance.auto=false",
    // A server that gives less than a byte a second for a minute is given up.
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];
/// What local repositories are read with: their owner may be somebody else, and nothing is brought from elsewhere.
pub(super) const LOCAL_UPLOAD_PACK: &str =
    "--upload-pack=GIT_NO_LAZY_FETCH=1 GIT_ALLOW_PROTOCOL= git -c safe.directory=* upload-pack";

const MESSAGE_BYTES: u64 = 64 << 10;
/// How often a running git is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How a command is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Git<'a> {
    /// Whose configuration counts.
    pub(super) environment: &'a Environment,
    /// The repository, bare and our own.
    pub(super) repository: &'a Path,
}

impl Git<'_> {
    /// A command that asks nobody.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.base(arguments);
        command.env("GIT_ALLOW_PROTOCOL", "");
        command
    }

    /// A command that asks `place` and nobody else, in time.
    pub(super) fn asking(&self, place: &Place, arguments: &[&str]) -> Result<Command, GitError> {
        let mut command = self.base(arguments);
        let mut allowed = vec!["https", "ssh", place.transport()];
        // Where this machine's configuration has another address, a folder of its own for one, that is its own affair.
        if !matches!(place, Place::Folder(_)) && self.is_rewritten(place)? {
            allowed.extend(["http", "git", "file"]);
        }
        command.env("GIT_ALLOW_PROTOCOL", allowed.join(":"));
        if self.environment.variable("GIT_SSH_COMMAND").or(self.environment.variable("GIT_SSH")).is_none()
            && place.transport() == "ssh"
            && self.configured("core.sshCommand")?.is_none()
        {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        Ok(command)
    }

    fn base(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.env_clear().envs(self.environment.only(&VARIABLES)).envs(self.configuration());
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
        command.env("GIT_LITERAL_PATHSPECS", "1").env("GIT_ATTR_NOSYSTEM", "1").env("GIT_ADVICE", "0");
        command.env("GIT_DIR", self.repository).current_dir(self.repository);
        command.arg("--no-pager");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// The pairs of `GIT_CONFIG_COUNT`: configuration, as CI systems give it.
    fn configuration(&self) -> Vec<(String, std::ffi::OsString)> {
        let variable = |name: &str| self.environment.variables.get(OsStr::new(name)).cloned();
        let count = variable("GIT_CONFIG_COUNT").and_then(|count| count.to_str()?.parse::<usize>().ok());
        let Some(count) = count.filter(|&count| count <= CONFIGURED) else { return Vec::new() };
        let mut pairs = vec![("GIT_CONFIG_COUNT".to_owned(), count.to_string().into())];
        for number in 0..count {
            for name in [format!("GIT_CONFIG_KEY_{number}"), format!("GIT_CONFIG_VALUE_{number}")] {
                pairs.extend(variable(&name).map(|value| (name, value)));
            }
        }
        pairs
    }

    /// Whether the configuration has another address for this one.
    fn is_rewritten(&self, place: &Place) -> Result<bool, GitError> {
        let mut command = self.command(&["ls-remote", "--get-url", "--"]);
        command.arg(place.argument());
        let output = run(command, "ls-remote", place, Limit::SHORT, &mut || None)?.success()?;
        Ok(output.trim_ascii_end() != place.argument().as_encoded_bytes())
    }

    /// The value of a setting, if anybody's configuration has it.
    fn configured(&self, key: &str) -> Result<Option<Vec<u8>>, GitError> {
        let nowhere = Place::Folder(self.repository.to_owned());
        let output = run(self.command(&["config", "--get", key]), "config", &nowhere, Limit::SHORT, &mut || None)?;
        Ok(Some(output.bytes).filter(|bytes| !bytes.is_empty()))
    }
}

/// How much a command may say and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) output_bytes: u64,
    pub(super) secs: u64,
}

impl Limit {
    /// For what asks nobody and says little.
    pub(super) const SHORT: Self = Self { output_bytes: 1 << 20, secs: 120 };
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    pub(super) said: String,
    pub(super) status: ExitStatus,
    name: &'static str,
}

impl Output {
    /// What it said on its standard output; an error if it failed.
    pub(super) fn success(self) -> Result<Vec<u8>, GitError> {
        if self.status.success() {
            return Ok(self.bytes);
        }
        Err(failure(self.name, self.status, &self.said))
    }
}

/// A command that failed for a reason that nobody expected.
pub(super) fn failure(name: &str, status: ExitStatus, said: &str) -> GitError {
    GitError::Git { command: name.to_owned(), status: status.to_string(), message: first_line(said) }
}

/// What git said first that says something: not the hints behind it.
pub(super) fn first_line(said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("warning:"));
    lines.next().unwrap_or("no message").to_owned()
}

/// Runs a command to its end. `look` is asked again and again meanwhile, and ends it by an error of its own.
pub(super) fn run(
    mut command: Command,
    name: &'static str,
    place: &Place,
    limit: Limit,
    look: &mut dyn FnMut() -> Option<GitError>,
) -> Result<Output, GitError> {
    let failed = |source| GitError::Io { operation: "run", path: PathBuf::from("git"), source };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command, place)?;
    let said = listen(child.0.stderr.take());
    let stdout = child.0.stdout.take();
    let output = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(limit.output_bytes + 1).read_to_end(&mut bytes));
        read.map(|_| bytes)
    });
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(failed)? {
            break status;
        }
        if let Some(error) = look() {
            return Err(error);
        }
        if waited.as_secs() >= limit.secs {
            return Err(GitError::TooSlow { place: place.to_string(), limit_secs: limit.secs });
        }
        std::thread::sleep(LOOK);
        waited += LOOK;
    };
    let bytes = output.join().unwrap_or_else(|_| Ok(Vec::new())).map_err(failed)?;
    if bytes.len() as u64 > limit.output_bytes {
        let what = format!("a `git {name}` of more than {} bytes", limit.output_bytes);
        return Err(GitError::TooLarge { place: place.to_string(), what });
    }
    Ok(Output { bytes, said: said.join().unwrap_or_default(), status, name })
}

/// Starts a command that is stopped when dropped.
pub(super) fn spawn(mut command: Command, place: &Place) -> Result<Stopped, GitError> {
    command.spawn().map(Stopped).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => GitError::NoProgram { place: place.to_string() },
        _ => GitError::Io { operation: "run", path: PathBuf::from("git"), source },
    })
}

/// Reads what git says to people, to its end, and keeps a beginning of it, without credentials.
pub(super) fn listen(stderr: Option<ChildStderr>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            // Whatever it says after a failed read, the exit status says whether it worked.
            let _ = (&mut stderr).take(MESSAGE_BYTES).read_to_end(&mut said);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
        let text = String::from_utf8_lossy(&said);
        let plain: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        without_credentials(&plain)
    })
}

/// A running git. Dropped, it is asked to end, as it then ends the programs that it started; else it is ended.
#[derive(Debug)]
pub(super) struct Stopped(pub(super) Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        for _ in 0..50 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A refusal, an absence or a broken connection by what git, curl, ssh and servers say; anything else is nothing.
pub(super) fn known_failure(said: &str, place: &Place) -> Option<GitError> {
    let lower = said.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let message = first_line(said);
    let place = place.to_string();
    // The client's words first: a name that is not resolved is no missing repository.
    let network = [
        "could not resolve",
        "temporary failure in name resolution",
        "failed to connect",
        "couldn't connect",
        "connection refused",
        "connection timed out",
        "operation timed out",
        "connection reset",
        "connection closed",
        "no route to host",
        "network is unreachable",
        "empty reply",
        "end of response",
        "recv failure",
        "send failure",
        "ssl connection timeout",
        "broken pipe",
        "early eof",
        "unexpected disconnect",
        "the remote end hung up unexpectedly",
        "transfer closed",
        "operation too slow",
        "gnutls recv error",
        "http/2 stream",
        "returned error: 429",
        "returned error: 5",
    ];
    let refused = [
        "could not read username",
        "could not read password",
        "unable to get password",
        "terminal prompts disabled",
        "authentication failed",
        "invalid credentials",
        "returned error: 401",
        "returned error: 403",
        "permission denied",
        "host key verification failed",
        "access denied",
    ];
    let absent = [
        "not found",
        "does not exist",
        "does not appear to be a git repository",
        "returned error: 404",
        "returned error: 410",
    ];
    // Git takes whatever comes for a list of references.
    if says(&["not valid: is this a git repository"]) {
        return Some(GitError::NoRepository { place });
    }
    if says(&refused) {
        return Some(GitError::Refused { place, message });
    }
    if says(&network) {
        return Some(GitError::Network { place, message });
    }
    says(&absent).then_some(GitError::NotFound { place, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_from_what_may_work_later() {
        let place = Place::parse("https://example.org/a", None).unwrap();
        let of = |said: &str| known_failure(said, &place);
        let retry = |said: &str| of(said).is_some_and(|error| error.retry_may_help());
        for said in [
            "fatal: unable to access 'https://example.org/a/': Could not resolve host: example.org",
            "error: RPC failed; HTTP 503\nfatal: the remote end hung up unexpectedly",
            "fatal: unable to access 'https://example.org/a/': The requested URL returned error: 503",
            "fatal: unable to access 'https://example.org/a/': The requested URL returned error: 429",
            "fatal: early EOF",
            "fatal: unable to access 'https://example.org/a/': Failed to connect to example.org port 443",
        ] {
            assert!(retry(said), "{said}");
        }
        for said in [
            "fatal: could not read Username for 'https://example.org': terminal prompts disabled",
            "fatal: Authentication failed for 'https://example.org/a/'",
            "git@example.org: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            "fatal: unable to access 'https://example.org/a/': The requested URL returned error: 403",
        ] {
            assert!(matches!(of(said), Some(GitError::Refused { .. })), "{said}");
        }
        assert!(matches!(of("fatal: repository 'https://example.org/a/' not found"), Some(GitError::NotFound { .. })));
        assert!(of("error: Server does not allow request for unadvertised object 1").is_none());
    }

    #[test]
    fn what_takes_too_long_or_says_too_much_is_stopped() {
        let place = Place::parse("https://example.org/a", None).unwrap();
        let endless = |program: &str, argument: &str| {
            let mut command = Command::new(program);
            command.arg(argument);
            command
        };
        let limit = Limit { output_bytes: 1000, secs: 0 };
        let error = run(endless("sleep", "7654"), "fetch", &place, limit, &mut || None).unwrap_err();
        assert!(matches!(error, GitError::TooSlow { limit_secs: 0, .. }) && error.retry_may_help(), "{error}");
        let sleeps = std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == b"7654")
        });
        assert!(!sleeps, "it runs on");
        let limit = Limit { output_bytes: 1000, secs: 60 };
        let error = run(endless("yes", "x"), "ls-remote", &place, limit, &mut || None).unwrap_err();
        assert!(matches!(error, GitError::TooLarge { .. }), "{error}");
        let stop = || Some(GitError::Interrupted { place: "a".to_owned() });
        let error = run(endless("sleep", "7655"), "fetch", &place, limit, &mut || stop()).unwrap_err();
        assert!(matches!(error, GitError::Interrupted { .. }), "{error}");
    }
}
