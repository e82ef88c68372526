//! The files of a commit and of the submodules that it names, as a tree in the store.
//!
//! Objects are read as they are: no attribute, no filter, no line ending is applied, and nothing is written by its name.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use selfsame_core::RelPath;
use selfsame_core::path::PathError;
use selfsame_store::StoreError;
use selfsame_tree::{Entry, Tree};

use super::GitError;
use super::names::{fault, is_submodule_name};
use super::place::Place;
use super::repository::{Listed, Module, Repository};
use crate::context::Context;

/// The most files of a commit and its submodules together.
const FILES: usize = 1_000_000;
/// The most bytes of them.
const SIZE_BYTES: u64 = 16 << 30;
/// Submodules of submodules.
const DEPTH: usize = 16;
const SUBMODULES: usize = 1000;
const MODULES_BYTES: u64 = 1 << 20;
/// The longest link text (Linux `PATH_MAX`).
const LINK_BYTES: u64 = 4096;
/// No pointer of Git LFS is longer (its specification: "less than 1024 bytes").
const POINTER_BYTES: u64 = 1024;
/// Files up to this size go through memory.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// Where a commit is looked for.
#[derive(Debug, Clone)]
struct Origin {
    /// Relative addresses of its submodules are relative to this.
    place: Place,
    /// A clone of this machine that may hold it: its `.git`, or the part of it that is a submodule's.
    clone: Option<PathBuf>,
}

/// The tree of a commit. Every file's content is in the store then.
pub(super) fn snapshot(place: &Place, commit: &str, submodules: bool, cx: &Context<'_>) -> Result<Tree, GitError> {
    let mut whole =
        Snapshot { cx: *cx, submodules, entries: BTreeMap::new(), size_bytes: 0, brought: 0, top: commit.to_owned() };
    let clone = match place {
        Place::Folder(folder) => git_dir(folder),
        _ => None,
    };
    whole.add(&Origin { place: place.clone(), clone }, commit, "", 0)?;
    Tree::from_entries(whole.entries).map_err(|source| GitError::Tree { commit: commit.to_owned(), source })
}

struct Snapshot<'a> {
    cx: Context<'a>,
    submodules: bool,
    entries: BTreeMap<RelPath, Entry>,
    size_bytes: u64,
    brought: usize,
    top: String,
}

impl Snapshot<'_> {
    /// Adds a commit's files below `prefix`, which is empty or ends with a slash.
    fn add(&mut self, origin: &Origin, commit: &str, prefix: &str, depth: usize) -> Result<(), GitError> {
        let repository = Repository::new(commit, &origin.place, self.cx)?;
        self.bring(&repository, origin, commit, prefix, depth)?;
        let too_large = |what: String| GitError::TooLarge { place: origin.place.to_string(), what };
        let listed = repository.list(&origin.place, commit, FILES.saturating_sub(self.entries.len()))?;
        let (mut blobs, mut links) = (Vec::new(), Vec::new());
        for entry in listed {
            let path = self.path(prefix, &entry.path)?;
            match entry.mode {
                0o100_000..=0o100_777 | 0o120_000 => {
                    self.size_bytes = self.size_bytes.saturating_add(entry.size);
                    if self.size_bytes > SIZE_BYTES {
                        return Err(too_large(format!("files of more than {SIZE_BYTES} bytes")));
                    }
                    blobs.push((path, entry));
                }
                0o160_000 => links.push((path, entry)),
                mode => return Err(self.refuse(&path, format!("has the mode {mode:o}, which git does not have"))),
            }
        }
        self.take(&repository, &blobs)?;
        if links.is_empty() {
            return Ok(());
        }
        if !self.submodules {
            // As git leaves them when a commit is checked out without its submodules.
            for (path, _) in links {
                self.insert(path, Entry::directory())?;
            }
            return Ok(());
        }
        let modules = self.modules(&repository, &blobs, prefix)?;
        for (path, link) in links {
            self.submodule(origin, &modules, prefix, &path, &link.object, depth)?;
        }
        Ok(())
    }

    /// Brings the commit: from a clone of this machine where that has it, else from its place.
    fn bring(
        &self,
        repository: &Repository<'_>,
        origin: &Origin,
        commit: &str,
        prefix: &str,
        depth: usize,
    ) -> Result<(), GitError> {
        if depth > 0
            && let Some(clone) = &origin.clone
            && repository.bring(&Place::Folder(clone.clone()), commit).is_ok()
        {
            return Ok(());
        }
        if self.cx.offline && !matches!(origin.place, Place::Folder(_)) {
            return Err(GitError::Submodule {
                path: prefix.trim_end_matches('/').to_owned(),
                fault: format!("is commit {commit} of `{}`, and the network may not be used", origin.place),
            });
        }
        repository.bring(&origin.place, commit).map_err(|error| match error {
            GitError::NoCommit { place, commit } if depth > 0 => GitError::Submodule {
                path: prefix.trim_end_matches('/').to_owned(),
                fault: format!("is commit {commit}, which `{place}` does not give"),
            },
            other => other,
        })
    }

    fn submodule(
        &mut self,
        origin: &Origin,
        modules: &[Module],
        prefix: &str,
        path: &RelPath,
        commit: &str,
        depth: usize,
    ) -> Result<(), GitError> {
        let refuse = |fault: String| GitError::Submodule { path: path.to_string(), fault };
        self.brought += 1;
        if depth + 1 > DEPTH || self.brought > SUBMODULES {
            let fault = format!("is one too many: {DEPTH} within one another and {SUBMODULES} in all are followed");
            return Err(refuse(fault));
        }
        let own = path.as_str().strip_prefix(prefix).unwrap_or_default();
        let mut named = modules.iter().filter(|module| module.path.trim_end_matches('/') == own);
        let Some(module) = named.next() else {
            return Err(refuse("is a commit of another repository, and no .gitmodules says of which".to_owned()));
        };
        if named.next().is_some() {
            return Err(refuse("stands twice in .gitmodules".to_owned()));
        }
        if !is_submodule_name(&module.name) {
            let name = module.name.escape_debug();
            return Err(refuse(format!("has the name `{name}`, which leads out of a repository's folder")));
        }
        if module.url.is_empty() {
            return Err(refuse("has no address in .gitmodules".to_owned()));
        }
        let place = origin.place.submodule(&module.url, path.as_str())?;
        let clone = origin.clone.as_ref().map(|clone| clone.join("modules").join(&module.name));
        let clone = clone.filter(|clone| clone.join("HEAD").symlink_metadata().is_ok());
        self.add(&Origin { place, clone }, commit, &format!("{path}/"), depth + 1)
    }

    /// The `.gitmodules` among a commit's files.
    fn modules(
        &self,
        repository: &Repository<'_>,
        blobs: &[(RelPath, Listed)],
        prefix: &str,
    ) -> Result<Vec<Module>, GitError> {
        let path = format!("{prefix}.gitmodules");
        let Some((path, listed)) = blobs.iter().find(|(found, _)| found.as_str() == path) else {
            return Ok(Vec::new());
        };
        if listed.mode == 0o120_000 {
            return Err(self.refuse(path, "is a link; git reads no such one"));
        }
        if listed.size > MODULES_BYTES {
            return Err(self.refuse(path, format!("has {} bytes; at most {MODULES_BYTES} are read", listed.size)));
        }
        repository.modules(&listed.object)
    }

    /// Stores the content of blobs and adds them.
    fn take(&mut self, repository: &Repository<'_>, blobs: &[(RelPath, Listed)]) -> Result<(), GitError> {
        let objects: Vec<&Listed> = blobs.iter().map(|(_, listed)| listed).collect();
        let mut made = Vec::with_capacity(blobs.len());
        repository.contents(&objects, &mut |number, content| {
            let (path, listed) = &blobs[number];
            made.push(self.entry(path, listed, content)?);
            Ok(())
        })?;
        for ((path, _), entry) in blobs.iter().zip(made) {
            self.insert(path.clone(), entry)?;
        }
        Ok(())
    }

    fn entry(&self, path: &RelPath, listed: &Listed, content: &mut dyn Read) -> Result<Entry, GitError> {
        let read = |source| GitError::Io { operation: "read from", path: PathBuf::from("git cat-file"), source };
        let stored = |source| match source {
            StoreError::Source { source } => read(source),
            source => GitError::Store { place: path.to_string(), source },
        };
        let early = || read(std::io::ErrorKind::UnexpectedEof.into());
        if listed.mode == 0o120_000 {
            if listed.size > LINK_BYTES {
                return Err(self.refuse(path, format!("is a link with a text of {} bytes", listed.size)));
            }
            let mut text = String::new();
            let taken = content.read_to_string(&mut text);
            if taken.is_err() || text.contains('\0') || text.is_empty() {
                return Err(self.refuse(path, "is a link whose text is empty, not UTF-8, or holds a NUL"));
            }
            return if text.len() as u64 == listed.size { Ok(Entry::symlink(text)) } else { Err(early()) };
        }
        let executable = listed.mode & 0o100 != 0;
        if listed.size > IN_MEMORY_BYTES {
            let (digest, size) = self.cx.store.put(content, executable).map_err(stored)?;
            return if size == listed.size { Ok(Entry::file(digest, size, executable)) } else { Err(early()) };
        }
        let mut bytes = Vec::with_capacity(usize::try_from(listed.size).unwrap_or(0));
        content.read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 != listed.size {
            return Err(early());
        }
        if listed.size < POINTER_BYTES && is_pointer(&bytes) {
            return Err(GitError::Pointer { commit: self.top.clone(), path: path.to_string() });
        }
        let digest = self.cx.store.put_bytes(&bytes, executable).map_err(stored)?;
        Ok(Entry::file(digest, listed.size, executable))
    }

    fn insert(&mut self, path: RelPath, entry: Entry) -> Result<(), GitError> {
        if self.entries.contains_key(&path) {
            return Err(self.refuse(&path, "stands twice"));
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    fn path(&self, prefix: &str, name: &[u8]) -> Result<RelPath, GitError> {
        let shown = || format!("{prefix}{}", name.escape_ascii());
        let refuse =
            |fault: &str| Err(GitError::Entry { commit: self.top.clone(), path: shown(), fault: fault.to_owned() });
        let Ok(text) = std::str::from_utf8(name) else { return refuse("has a name that is not UTF-8") };
        if let Some(fault) = fault(text) {
            return refuse(fault);
        }
        match RelPath::new(format!("{prefix}{text}")) {
            Ok(path) if !path.is_root() => Ok(path),
            Ok(_) => refuse("has no name"),
            Err(PathError { fault, .. }) => refuse(fault),
        }
    }

    fn refuse(&self, path: &RelPath, fault: impl Into<String>) -> GitError {
        GitError::Entry { commit: self.top.clone(), path: path.to_string(), fault: fault.into() }
    }
}

/// Where a clone keeps what git knows: `.git` below it, or, where it has no working tree, itself.
fn git_dir(folder: &Path) -> Option<PathBuf> {
    [folder.join(".git"), folder.to_owned()].into_iter().find(|found| found.join("HEAD").symlink_metadata().is_ok())
}

/// Git LFS's pointer: `version`, then more keys in order, among them `oid` and `size` (its specification, "The Pointer").
fn is_pointer(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("version https://"));
    let mut keys = lines.filter_map(|line| line.split_once(' '));
    version.is_some_and(|version| version.contains("/spec/v"))
        && keys.any(|(key, value)| key == "oid" && value.starts_with("sha256:"))
        && text.lines().any(|line| line.starts_with("size "))
}
