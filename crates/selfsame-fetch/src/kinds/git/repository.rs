//! A bare repository of our own in the store's scratch room, into which commits are fetched and out of which their trees
//! are read. Git checks every object that it takes in against its id, so what is read is what the id names.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::Ordering;

use selfsame_store::Store;

use super::GitError;
use super::names::{is_object_id, reference_fault};
use super::place::Place;
use super::program::{self, Git, LOCAL_UPLOAD_PACK, Limit, known_failure, listen, run};
use crate::context::Context;

/// The most that a fetch may bring, in bytes of packs.
const PACK_BYTES: u64 = 16 << 30;
/// The longest that a fetch may take.
const FETCH_SECS: u64 = 3600;
const ASK_SECS: u64 = 120;
/// The longest line of a tree's listing: a path and what stands before it.
const LINE_BYTES: u64 = 8192;
/// How often the size of what came is added up, in looks at the process.
const LOOKS: u32 = 10;

/// A reference that has a commit now, and may have another one tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// An annotated one means the commit that it is put on.
    Tag(&'a str),
    /// Its newest commit.
    Branch(&'a str),
}

impl<'a> Reference<'a> {
    const fn kind(self) -> &'static str {
        match self {
            Self::Tag(_) => "tag",
            Self::Branch(_) => "branch",
        }
    }

    const fn name(self) -> &'a str {
        match self {
            Self::Tag(name) | Self::Branch(name) => name,
        }
    }
}

/// One entry of a commit's tree, folders walked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// 0o100644, 0o120000, ...
    pub(super) mode: u32,
    pub(super) object: String,
    /// Of a blob, in bytes; 0 for a submodule.
    pub(super) size: u64,
    pub(super) path: Vec<u8>,
}

/// The repository. Removed when dropped.
pub(super) struct Repository<'a> {
    folder: PathBuf,
    cx: Context<'a>,
}

impl Drop for Repository<'_> {
    fn drop(&mut self) {
        // What cannot be removed now goes with the process's scratch folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl<'a> Repository<'a> {
    /// A new one whose ids are as long as `commit`.
    pub(super) fn new(commit: &str, place: &Place, cx: Context<'a>) -> Result<Self, GitError> {
        let folder = scratch(place, cx.store)?;
        let repository = Self { folder, cx };
        // An empty template: else this machine's hooks would be copied.
        let mut arguments = vec!["init", "--quiet", "--bare", "--template="];
        arguments.extend((commit.len() == 64).then_some("--object-format=sha256"));
        let command = repository.git().command(&arguments);
        run(command, "init", place, Limit::SHORT, &mut || None)?.success()?;
        Ok(repository)
    }

    fn git(&self) -> Git<'_> {
        Git { environment: self.cx.environment, repository: &self.folder }
    }

    /// Brings a commit with its tree, without its history where the server can do that.
    pub(super) fn bring(&self, place: &Place, commit: &str) -> Result<(), GitError> {
        let absent = || GitError::NoCommit { place: place.to_string(), commit: commit.to_owned() };
        let Some(said) = self.fetch(place, &["--depth=1"], &[commit])? else { return self.check(place, commit) };
        if said.contains("not our ref") {
            return Err(absent());
        }
        if let Some(error) = known_failure(&said, place) {
            return Err(error);
        }
        // A server that gives what has a name and nothing by id, or one that knows no shallow fetches.
        let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        if let Some(said) = self.fetch(place, &[], &all)? {
            return Err(known_failure(&said, place).unwrap_or_else(|| GitError::Git {
                command: "fetch".to_owned(),
                status: "failure".to_owned(),
                message: program::first_line(&said),
            }));
        }
        if self.kind(commit)?.is_none() {
            return Err(absent());
        }
        self.check(place, commit)
    }

    /// Runs `git fetch`; what it said if it failed.
    fn fetch(&self, place: &Place, options: &[&str], wanted: &[&str]) -> Result<Option<String>, GitError> {
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        arguments.extend(options);
        if matches!(place, Place::Folder(_)) {
            arguments.push(LOCAL_UPLOAD_PACK);
        }
        arguments.push("--");
        let mut command = self.git().asking(place, &arguments)?;
        command.arg(place.argument()).args(wanted);
        let (packs, mut looks) = (self.folder.join("objects/pack"), 0_u32);
        let before = size_of(&packs);
        let mut told = before;
        let mut look = || {
            if self.cx.http.options().cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
                return Some(GitError::Interrupted { place: place.to_string() });
            }
            looks += 1;
            if !looks.is_multiple_of(LOOKS) {
                return None;
            }
            let size = size_of(&packs);
            self.cx.progress.bytes(size.saturating_sub(told));
            told = told.max(size);
            if size <= PACK_BYTES {
                return None;
            }
            let what = format!("more than {PACK_BYTES} bytes to be fetched");
            Some(GitError::TooLarge { place: place.to_string(), what })
        };
        let limit = Limit { output_bytes: 1 << 20, secs: FETCH_SECS };
        let output = run(command, "fetch", place, limit, &mut look)?;
        if output.status.signal().is_some() {
            return Err(GitError::Interrupted { place: place.to_string() });
        }
        if !output.status.success() {
            self.cx.progress.lost(told - before);
            return Ok(Some(output.said));
        }
        self.cx.progress.bytes(size_of(&packs).saturating_sub(told));
        if let Some(host) = place.host() {
            self.cx.progress.host(host);
        }
        Ok(None)
    }

    /// That an id is a commit's.
    fn check(&self, place: &Place, commit: &str) -> Result<(), GitError> {
        match self.kind(commit)? {
            Some(kind) if kind == "commit" => Ok(()),
            Some(kind) => Err(GitError::NotACommit { place: place.to_string(), object: commit.to_owned(), kind }),
            None => Err(GitError::NoCommit { place: place.to_string(), commit: commit.to_owned() }),
        }
    }

    /// What an id names here: `commit`, `tree`, `blob` or `tag`.
    fn kind(&self, object: &str) -> Result<Option<String>, GitError> {
        let here = Place::Folder(self.folder.clone());
        let output =
            run(self.git().command(&["cat-file", "-t", object]), "cat-file", &here, Limit::SHORT, &mut || None)?;
        let kind = String::from_utf8_lossy(&output.bytes).trim_end().to_owned();
        Ok(output.status.success().then_some(kind))
    }

    /// Every file, link and submodule of a commit, in git's order; no more than `limit` of them.
    pub(super) fn list(&self, place: &Place, commit: &str, limit: usize) -> Result<Vec<Listed>, GitError> {
        let failed = |source| GitError::Io { operation: "read from", path: PathBuf::from("git ls-tree"), source };
        let mut command = self.git().command(&["ls-tree", "-r", "-z", "--long", "--full-tree", commit]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program::spawn(command, place)?;
        let said = listen(child.0.stderr.take());
        let mut listed = Vec::new();
        if let Some(stdout) = child.0.stdout.take() {
            let (mut lines, mut line) = (BufReader::with_capacity(64 << 10, stdout), Vec::new());
            loop {
                line.clear();
                if (&mut lines).take(LINE_BYTES).read_until(0, &mut line).map_err(failed)? == 0 {
                    break;
                }
                // Looked at as it comes: a tree of trees of trees may have more entries than there are atoms.
                if listed.len() == limit {
                    return Err(GitError::TooLarge {
                        place: place.to_string(),
                        what: format!("more than {limit} files"),
                    });
                }
                listed.push(parse_listed(&line).ok_or_else(|| GitError::Git {
                    command: "ls-tree".to_owned(),
                    status: "success".to_owned(),
                    message: format!("printed `{}`, which is not understood", line.escape_ascii()),
                })?);
            }
        }
        let status = child.0.wait().map_err(failed)?;
        let said = said.join().unwrap_or_default();
        if status.success() { Ok(listed) } else { Err(program::failure("ls-tree", status, &said)) }
    }

    /// The submodules that a `.gitmodules` names: name, path and address of each, as they stand there.
    pub(super) fn modules(&self, object: &str) -> Result<Vec<Module>, GitError> {
        let here = Place::Folder(self.folder.clone());
        let blob = format!("--blob={object}");
        // Said aloud: of a blob, git would follow `include.path` to any file of this machine.
        let command = self.git().command(&["config", "--no-includes", "-z", &blob, "--list"]);
        let output = run(command, "config", &here, Limit::SHORT, &mut || None)?.success()?;
        let mut modules: Vec<Module> = Vec::new();
        for setting in output.split(|&byte| byte == 0) {
            let Some((key, value)) = std::str::from_utf8(setting).ok().and_then(|text| text.split_once('\n')) else {
                continue;
            };
            let Some((name, variable)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) else {
                continue;
            };
            let at = modules.iter().position(|module| module.name == name).unwrap_or_else(|| {
                modules.push(Module { name: name.to_owned(), ..Module::default() });
                modules.len() - 1
            });
            match variable {
                "path" => modules[at].path = value.to_owned(),
                "url" => modules[at].url = value.to_owned(),
                _ => {}
            }
        }
        Ok(modules)
    }

    /// Reads blobs, in the order given; `take` gets each one's number and content, and reads it to its end.
    pub(super) fn contents(
        &self,
        objects: &[&Listed],
        take: &mut dyn FnMut(usize, &mut dyn Read) -> Result<(), GitError>,
    ) -> Result<(), GitError> {
        let failed = |source| GitError::Io { operation: "read from", path: PathBuf::from("git cat-file"), source };
        let strange = |text: &[u8]| GitError::Git {
            command: "cat-file".to_owned(),
            status: "success".to_owned(),
            message: format!("printed `{}`, which is not understood", text.escape_ascii()),
        };
        let here = Place::Folder(self.folder.clone());
        let mut command = self.git().command(&["cat-file", "--batch", "--buffer"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = program::spawn(command, &here)?;
        let (stdin, stdout) = (child.0.stdin.take(), child.0.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else { return Err(strange(b"")) };
        let questions: String = objects.iter().map(|listed| format!("{}\n", listed.object)).collect();
        // A git that stopped reading says so by what it does not print.
        let asking = std::thread::spawn(move || drop(stdin.write_all(questions.as_bytes())));
        let (mut answers, mut line) = (BufReader::with_capacity(256 << 10, stdout), Vec::new());
        for (number, listed) in objects.iter().enumerate() {
            line.clear();
            (&mut answers).take(256).read_until(b'\n', &mut line).map_err(failed)?;
            if line != format!("{} blob {}\n", listed.object, listed.size).as_bytes() {
                return Err(strange(&line));
            }
            let mut content = (&mut answers).take(listed.size);
            take(number, &mut content)?;
            let mut end = [0];
            answers.read_exact(&mut end).map_err(failed)?;
            if end != *b"\n" {
                return Err(strange(&end));
            }
        }
        drop(answers);
        let _ = asking.join();
        Ok(())
    }
}

/// What a `.gitmodules` says of one submodule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) url: String,
}

/// The commit that a tag or branch has now.
pub(super) fn ask(place: &Place, reference: Reference<'_>, cx: &Context<'_>) -> Result<String, GitError> {
    let (kind, name) = (reference.kind(), reference.name());
    if let Some(fault) = reference_fault(name) {
        return Err(GitError::Name { kind, name: name.to_owned(), fault });
    }
    let full = match reference {
        Reference::Tag(name) => format!("refs/tags/{name}"),
        Reference::Branch(name) => format!("refs/heads/{name}"),
    };
    // What an annotated tag is put on, through tags of tags.
    let peeled = format!("{full}^{{}}");
    let folder = Emptied(scratch(place, cx.store)?);
    let git = Git { environment: cx.environment, repository: &folder.0 };
    let mut arguments = vec!["ls-remote", "--quiet"];
    if matches!(place, Place::Folder(_)) {
        arguments.push(LOCAL_UPLOAD_PACK);
    }
    arguments.push("--");
    let mut command = git.asking(place, &arguments)?;
    // Not in a repository, so that ids of any length are read.
    command.env_remove("GIT_DIR").env("GIT_CEILING_DIRECTORIES", "/");
    command.arg(place.argument()).args([&full, &peeled]);
    let limit = Limit { output_bytes: 1 << 20, secs: ASK_SECS };
    let output = run(command, "ls-remote", place, limit, &mut || None)?;
    if !output.status.success()
        && let Some(error) = known_failure(&output.said, place)
    {
        return Err(error);
    }
    let text = String::from_utf8_lossy(&output.success()?).into_owned();
    // Patterns match the end of a name; only the whole name counts.
    let id_of = |wanted: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(_, name)| *name == wanted).map(|(id, _)| id.to_owned())
    };
    let id = id_of(&peeled).or_else(|| id_of(&full)).filter(|id| is_object_id(id));
    id.ok_or_else(|| GitError::NoReference { place: place.to_string(), kind, name: name.to_owned() })
}

fn scratch(place: &Place, store: &Store) -> Result<PathBuf, GitError> {
    store.scratch_folder().map_err(|source| GitError::Store { place: place.to_string(), source })
}

/// A folder that is removed when dropped.
struct Emptied(PathBuf);

impl Drop for Emptied {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes of the files in a folder. What cannot be looked at counts for nothing.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// `100644 blob <id>      12<tab>path<nul>`; a submodule has `-` for its size (git-ls-tree(1), `--long`).
fn parse_listed(line: &[u8]) -> Option<Listed> {
    let line = line.strip_suffix(b"\0")?;
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let mut fields = std::str::from_utf8(&line[..tab]).ok()?.split_ascii_whitespace();
    let mode = u32::from_str_radix(fields.next()?, 8).ok()?;
    let kind = fields.next()?;
    let object = fields.next()?.to_owned();
    let size = match (kind, fields.next()?) {
        ("commit", "-") => 0,
        ("blob", size) => size.parse().ok()?,
        _ => return None,
    };
    is_object_id(&object).then(|| Listed { mode, object, size, path: line[tab + 1..].to_vec() })
}
