//! What git knows about a working tree. The `git` program is asked; nothing of the repository is changed or run.
//!
//! Repositories are found here and handed to git by name, so that a checkout of another user ("dubious ownership") can
//! be read. What makes that dangerous is off: hooks and the file system monitor by configuration, filters because a file
//! that has one is refused before any command that would run it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use selfsame_core::SourceEpoch;
use selfsame_http::Environment;

use crate::source_error::SourceError;

/// A working tree and its repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// The top folder of the working tree.
    pub(crate) work_tree: PathBuf,
    git_dir: PathBuf,
}

/// One file that the index knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    /// From the top folder.
    pub(crate) path: Vec<u8>,
    /// 0o100644, 0o100755, 0o120000, or 0o160000 for a submodule.
    pub(crate) mode: u32,
    /// The object id.
    pub(crate) object: String,
    /// Marked "assume unchanged" or "skip worktree": git does not look at the file.
    pub(crate) unwatched: bool,
}

/// What `git status` says, by paths from the top folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Tracked and other than in HEAD.
    pub(crate) changed: Vec<Vec<u8>>,
    /// Neither tracked nor ignored; with `/` at the end where it is a repository of its own.
    pub(crate) untracked: Vec<Vec<u8>>,
}

/// Settings that decide how files look on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The disk has no executable bits (`core.fileMode` is false).
    pub(crate) ignores_modes: bool,
    /// Links are written as files (`core.symlinks` is false).
    pub(crate) links_as_files: bool,
    /// The setting that makes line endings CRLF, and its value.
    pub(crate) line_endings: Option<(String, String)>,
    /// `core.attributesFile`.
    pub(crate) attributes_file: Option<PathBuf>,
}

impl Repository {
    /// The repository whose working tree holds `root`, which is absolute and without links; nothing if there is none.
    pub(crate) fn discover(root: &Path) -> Result<Option<Self>, SourceError> {
        let failed = |path: &Path, source| SourceError::Io { operation: "read", path: path.to_owned(), source };
        let device = std::fs::metadata(root).map_err(|error| failed(root, error))?.dev();
        for folder in root.ancestors() {
            // Like git, do not leave the file system.
            if !std::fs::metadata(folder).is_ok_and(|metadata| metadata.dev() == device) {
                return Ok(None);
            }
            if let Some(found) = Self::at(folder)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The repository whose working tree has its top at `folder`.
    pub(crate) fn at(folder: &Path) -> Result<Option<Self>, SourceError> {
        let marker = folder.join(".git");
        let Ok(metadata) = std::fs::metadata(&marker) else { return Ok(None) };
        let repository = |git_dir| Some(Self { work_tree: folder.to_owned(), git_dir });
        if metadata.is_dir() {
            // Git passes over folders of that name which are no repositories.
            return Ok(marker.join("HEAD").symlink_metadata().is_ok().then(|| repository(marker)).flatten());
        }
        let mut text = Vec::new();
        let failed = |source| SourceError::Io { operation: "read", path: marker.clone(), source };
        std::fs::File::open(&marker).and_then(|file| file.take(4096).read_to_end(&mut text)).map_err(failed)?;
        let target = text.strip_prefix(b"gitdir:").map(<[u8]>::trim_ascii);
        let git_dir = target.map(|target| folder.join(OsStr::from_bytes(target)));
        match git_dir.filter(|git_dir| git_dir.join("HEAD").symlink_metadata().is_ok()) {
            Some(git_dir) => Ok(repository(git_dir)),
            None => Err(SourceError::BrokenRepository { path: marker }),
        }
    }

    /// Whether the invoking user owns the repository, and so what its configuration says to run.
    pub(crate) fn is_ours(&self) -> bool {
        let ours = rustix::process::geteuid().as_raw();
        std::fs::metadata(&self.git_dir).is_ok_and(|metadata| metadata.uid() == ours)
    }

    /// Begins `git ls-files`.
    pub(crate) fn tracked(&self, below: &Path, environment: &Environment) -> Result<Running, SourceError> {
        self.start(environment, &["ls-files", "--stage", "-v", "-z"], below, false)
    }

    /// Begins `git status`, with every filter that is configured put out of action: it would run those of changed files.
    pub(crate) fn status(&self, below: &Path, environment: &Environment) -> Result<Running, SourceError> {
        let arguments =
            ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all"];
        let mut command = self.command(environment, &arguments, below);
        let mut count = 0_usize;
        for filter in self.filters(environment)? {
            for (key, value) in [("clean", ""), ("process", ""), ("required", "false")] {
                // By the environment, where a name may hold `=` too.
                command.env(format!("GIT_CONFIG_KEY_{count}"), format!("filter.{filter}.{key}"));
                command.env(format!("GIT_CONFIG_VALUE_{count}"), value);
                count += 1;
            }
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        self.spawn(command, arguments[0], false)
    }

    /// The names of all filters that any configuration has.
    fn filters(&self, environment: &Environment) -> Result<BTreeSet<String>, SourceError> {
        let arguments = ["config", "-z", "--name-only", "--get-regexp", r"^filter\."];
        // Status 1 with no output: there is none.
        let (output, _) = self.start(environment, &arguments, Path::new(""), false)?.outcome()?;
        let keys = output.split(|&byte| byte == 0).filter(|key| !key.is_empty());
        keys.map(|key| {
            let name = std::str::from_utf8(key).ok().and_then(|key| key.strip_prefix("filter.")?.rsplit_once('.'));
            name.map(|(name, _)| name.to_owned()).ok_or_else(|| unreadable("config", key))
        })
        .collect()
    }

    /// Begins to ask for the commit of HEAD.
    pub(crate) fn head(&self, environment: &Environment) -> Result<Running, SourceError> {
        self.start(environment, &["rev-list", "--max-count=1", "--timestamp", "HEAD"], Path::new(""), false)
    }

    /// Begins to ask for the settings of [`Settings`].
    pub(crate) fn settings(&self, environment: &Environment) -> Result<Running, SourceError> {
        let pattern = r"^core\.(filemode|symlinks|autocrlf|eol|attributesfile)$";
        self.start(environment, &["config", "-z", "--get-regexp", pattern], Path::new(""), false)
    }

    /// The files among `paths` that have a filter, with its name.
    pub(crate) fn filtered(
        &self,
        paths: &[&[u8]],
        environment: &Environment,
    ) -> Result<Vec<(Vec<u8>, String)>, SourceError> {
        let mut running = self.start(environment, &["check-attr", "-z", "--stdin", "filter"], Path::new(""), true)?;
        let input: Vec<u8> = paths.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
        let mut stdin = running.child.as_mut().and_then(|child| child.stdin.take());
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // A git that stopped reading says why at its end.
                let _ = stdin.as_mut().map(|stdin| stdin.write_all(&input));
            });
            running.finish()
        })?;
        let mut fields = output.split(|&byte| byte == 0);
        let mut filtered = Vec::new();
        while let (Some(path), Some(_), Some(value)) = (fields.next(), fields.next(), fields.next()) {
            if !matches!(value, b"unspecified" | b"unset") {
                filtered.push((path.to_vec(), String::from_utf8_lossy(value).into_owned()));
            }
        }
        Ok(filtered)
    }

    /// Files outside of the source that may give attributes to files in it.
    pub(crate) fn outer_attributes(
        &self,
        settings: &Settings,
        below: &Path,
        environment: &Environment,
    ) -> Vec<PathBuf> {
        let mut files = vec![PathBuf::from("/etc/gitattributes"), self.git_dir.join("info/attributes")];
        // A linked working tree shares the `info` of its main repository.
        if let Ok(common) = std::fs::read_to_string(self.git_dir.join("commondir")) {
            files.push(self.git_dir.join(common.trim_end()).join("info/attributes"));
        }
        files.extend(below.ancestors().skip(1).map(|folder| self.work_tree.join(folder).join(".gitattributes")));
        let configured = settings.attributes_file.clone().or_else(|| {
            let home = || Some(PathBuf::from(environment.variable("HOME")?).join(".config"));
            let config = environment.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home)?;
            Some(config.join("git/attributes"))
        });
        files.extend(configured);
        files
    }

    fn start(
        &self,
        environment: &Environment,
        arguments: &[&str],
        below: &Path,
        with_input: bool,
    ) -> Result<Running, SourceError> {
        let command = self.command(environment, arguments, below);
        self.spawn(command, arguments.first().copied().unwrap_or_default(), with_input)
    }

    fn command(&self, environment: &Environment, arguments: &[&str], below: &Path) -> Command {
        let mut command = Command::new("git");
        command.env_clear().envs(environment.only(&["PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"]));
        command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_NO_LAZY_FETCH", "1");
        command.env("GIT_NO_REPLACE_OBJECTS", "1").env("GIT_LITERAL_PATHSPECS", "1").env("GIT_TERMINAL_PROMPT", "0");
        command.env("GIT_DIR", &self.git_dir).env("GIT_WORK_TREE", &self.work_tree);
        command.args(["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]);
        // A git before 2.45 knows no GIT_NO_LAZY_FETCH and would ask a remote for what is missing, by a program of its.
        command.args(["-c", "core.quotePath=false", "-c", "safe.directory=*", "-c", "protocol.allow=never"]);
        command.args(arguments).current_dir(&self.work_tree);
        if !below.as_os_str().is_empty() {
            command.arg("--").arg(below);
        }
        command
    }

    fn spawn(&self, mut command: Command, name: &str, with_input: bool) -> Result<Running, SourceError> {
        command.stdin(if with_input { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => SourceError::NoGitProgram { root: self.work_tree.clone() },
            _ => SourceError::Io { operation: "run", path: PathBuf::from("git"), source },
        })?;
        Ok(Running { child: Some(child), name: name.to_owned() })
    }
}

/// A git command that runs. Dropped unfinished, it is stopped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Option<Child>,
    name: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; either way nobody wants its answer.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running {
    /// What it printed; an error if it failed.
    pub(crate) fn finish(self) -> Result<Vec<u8>, SourceError> {
        let (output, failure) = self.outcome()?;
        failure.map_or(Ok(output), Err)
    }

    /// What it printed, and how it failed if it did.
    fn outcome(mut self) -> Result<(Vec<u8>, Option<SourceError>), SourceError> {
        let failed = |source| SourceError::Io { operation: "run", path: PathBuf::from("git"), source };
        let output = self.child.take().map(Child::wait_with_output).transpose().map_err(failed)?;
        let output = output.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))?;
        let name = self.name.clone();
        let failure = (!output.status.success()).then(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            let message = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
            let message = message.chars().take(400).map(|c| if c.is_control() { ' ' } else { c }).collect();
            SourceError::Git { command: name, status: output.status.to_string(), message }
        });
        Ok((output.stdout, failure))
    }

    /// For [`Repository::tracked`].
    pub(crate) fn tracked(self) -> Result<Vec<Tracked>, SourceError> {
        let output = self.finish()?;
        let lines = output.split(|&byte| byte == 0).filter(|line| !line.is_empty());
        lines.map(|line| parse_tracked(line).ok_or_else(|| unreadable("ls-files", line))).collect()
    }

    /// For [`Repository::status`].
    pub(crate) fn status(self) -> Result<Status, SourceError> {
        let output = self.finish()?;
        let mut status = Status::default();
        for line in output.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
            // git-status(1), "Porcelain Format Version 2": `1` has 8 fields before the path, `u` has 10.
            let (fields, list) = match line.first() {
                Some(b'1') => (8, &mut status.changed),
                Some(b'u') => (10, &mut status.changed),
                Some(b'?') => (1, &mut status.untracked),
                _ => return Err(unreadable("status", line)),
            };
            let path = line.splitn(fields + 1, |&byte| byte == b' ').nth(fields);
            list.push(path.ok_or_else(|| unreadable("status", line))?.to_vec());
        }
        Ok(status)
    }

    /// For [`Repository::head`]: id and committer's time; nothing before the first commit.
    pub(crate) fn head(self) -> Result<Option<(String, SourceEpoch)>, SourceError> {
        let (output, failure) = self.outcome()?;
        if failure.is_some() {
            // The one ref that may be missing is HEAD itself; a repository that is broken otherwise fails elsewhere.
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&output);
        let parse = |text: &str| {
            let (seconds, id) = text.trim_end().split_once(' ')?;
            Some((id.to_owned(), SourceEpoch::new(seconds.parse().ok()?)?))
        };
        parse(&text).map(Some).ok_or_else(|| unreadable("rev-list", &output))
    }

    /// For [`Repository::settings`]. `home` is what `~` means.
    pub(crate) fn settings(self, home: Option<&OsStr>) -> Result<Settings, SourceError> {
        // Status 1 with no output: none of them is set.
        let (output, _) = self.outcome()?;
        let mut settings = Settings::default();
        for line in output.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(line);
            let (key, value) = text.split_once('\n').unwrap_or((&text, "true"));
            let value_lower = value.to_ascii_lowercase();
            let is_true = matches!(value_lower.as_str(), "true" | "yes" | "on" | "1");
            let is_false = matches!(value_lower.as_str(), "false" | "no" | "off" | "0" | "");
            let crlf = || Some((key.to_owned(), value.to_owned()));
            match key {
                "core.filemode" => settings.ignores_modes = is_false,
                "core.symlinks" => settings.links_as_files = is_false,
                "core.autocrlf" if is_true => settings.line_endings = crlf(),
                "core.eol" if value_lower == "crlf" => settings.line_endings = crlf(),
                "core.attributesfile" => {
                    let at_home = value.strip_prefix("~/").zip(home).map(|(rest, home)| Path::new(home).join(rest));
                    settings.attributes_file = Some(at_home.unwrap_or_else(|| PathBuf::from(value)));
                }
                _ => {}
            }
        }
        Ok(settings)
    }
}

/// `H 100644 <object> 0<tab>path`: git-ls-files(1), `-v` and `--stage`.
fn parse_tracked(line: &[u8]) -> Option<Tracked> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let (head, path) = (std::str::from_utf8(&line[..tab]).ok()?, &line[tab + 1..]);
    let mut fields = head.split(' ');
    let tag = fields.next()?;
    let mode = u32::from_str_radix(fields.next()?, 8).ok()?;
    let object = fields.next()?.to_owned();
    let unwatched = tag == "S" || tag.bytes().all(|byte| byte.is_ascii_lowercase());
    Some(Tracked { path: path.to_vec(), mode, object, unwatched })
}

fn unreadable(command: &str, line: &[u8]) -> SourceError {
    let line = String::from_utf8_lossy(&line[..line.len().min(200)]);
    SourceError::Git {
        command: command.to_owned(),
        status: "success".to_owned(),
        message: format!("printed `{}`, which is not understood", line.escape_debug()),
    }
}
