//! Which files belong to a path source, and what git says about them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use selfsame_core::{RelPath, SourceEpoch};

use crate::environment::Environment;
use crate::git::{Repository, Settings};
use crate::source::SourceError;

/// The most files of one source.
const FILES: usize = 4_000_000;
/// How deep folders may lie in one another, and submodules in submodules.
const DEPTH: usize = 256;

/// A file that may belong to the source: it has still to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    /// From the source's root.
    pub(crate) path: RelPath,
    /// Whether git tracks it, so that its absence is a deletion and not a change under way.
    pub(crate) tracked: bool,
    /// What the index says about it, where the disk cannot be believed.
    pub(crate) index_mode: Option<u32>,
}

/// The files of a source, sorted by path, each once.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) files: Vec<Listed>,
    pub(crate) git: Option<GitState>,
}

/// What git says about the source as a whole.
#[derive(Debug)]
pub(crate) struct GitState {
    /// Id and time of HEAD; nothing before the first commit.
    pub(crate) head: Option<(String, SourceEpoch)>,
    /// What differs from HEAD, sorted.
    pub(crate) dirty: BTreeSet<String>,
}

/// Paths, from the source's root, that are left out with all that lies below them.
#[derive(Debug)]
pub(crate) struct Exclusions(pub(crate) Vec<Vec<u8>>);

impl Exclusions {
    fn cover(&self, path: &[u8]) -> bool {
        self.0.iter().any(|excluded| {
            path.strip_prefix(excluded.as_slice()).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
        })
    }
}

/// Lists by git where there is a repository, else all files.
pub(crate) fn list(root: &Path, exclude: &Exclusions, environment: &Environment) -> Result<Listing, SourceError> {
    let Some(repository) = Repository::discover(root)? else {
        let mut files = Vec::new();
        walk(root, &mut Vec::new(), exclude, 0, &mut files)?;
        files.sort_unstable();
        return Ok(Listing { files, git: None });
    };
    let mut gathered = Gathered { exclude, environment, files: Vec::new(), dirty: BTreeSet::new() };
    let below = root.strip_prefix(&repository.work_tree).unwrap_or(Path::new(""));
    let head = gathered.gather(&repository, below, &[], 0)?;
    let Gathered { mut files, dirty, .. } = gathered;
    files.sort_unstable();
    // An unmerged file is in the index up to three times.
    files.dedup_by(|a, b| a.path == b.path);
    Ok(Listing { files, git: Some(GitState { head, dirty }) })
}

/// All files below a folder, but for repositories' own: links, sockets and all, for the reader to judge.
fn walk(
    folder: &Path,
    place: &mut Vec<u8>,
    exclude: &Exclusions,
    depth: usize,
    files: &mut Vec<Listed>,
) -> Result<(), SourceError> {
    let failed = |source| SourceError::Io { operation: "read", path: folder.to_owned(), source };
    if depth > DEPTH {
        return Err(SourceError::TooDeep { path: folder.to_owned() });
    }
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let length = place.len();
        place.extend_from_slice(name.as_bytes());
        if name != ".git" && !exclude.cover(place) {
            if entry.file_type().map_err(failed)?.is_dir() {
                place.push(b'/');
                walk(&entry.path(), place, exclude, depth + 1, files)?;
            } else {
                push(files, place, false, None)?;
            }
        }
        place.truncate(length);
    }
    Ok(())
}

fn push(files: &mut Vec<Listed>, path: &[u8], tracked: bool, index_mode: Option<u32>) -> Result<(), SourceError> {
    if files.len() >= FILES {
        return Err(SourceError::TooMany { limit: FILES });
    }
    let Ok(text) = std::str::from_utf8(path) else {
        return Err(SourceError::NotUtf8 { path: PathBuf::from(OsStr::from_bytes(path)) });
    };
    let path = RelPath::new(text).map_err(|source| SourceError::Path { source })?;
    files.push(Listed { path, tracked, index_mode });
    Ok(())
}

struct Gathered<'a> {
    exclude: &'a Exclusions,
    environment: &'a Environment,
    files: Vec<Listed>,
    dirty: BTreeSet<String>,
}

impl Gathered<'_> {
    /// Adds what `repository` has below `below`, to stand at `place` in the source. Gives the commit of HEAD.
    fn gather(
        &mut self,
        repository: &Repository,
        below: &Path,
        place: &[u8],
        depth: usize,
    ) -> Result<Option<(String, SourceEpoch)>, SourceError> {
        if depth > DEPTH {
            return Err(SourceError::TooDeep { path: repository.work_tree.clone() });
        }
        let environment = self.environment;
        // All at once: most of the time goes into waiting for the disk, and `status` is the longest.
        let early_status = repository.is_ours().then(|| repository.status(below, environment)).transpose()?;
        let tracked = repository.tracked(below, environment)?;
        let settings = repository.settings(environment)?;
        let head = repository.head(environment)?;
        let tracked = tracked.tracked()?;
        let settings = settings.settings(environment.variable("HOME"))?;
        let head = head.head()?;
        if let Some((key, value)) = settings.line_endings {
            return Err(SourceError::LineEndings { setting: key, value });
        }

        let prefix = below.as_os_str().as_bytes();
        let source_path = |path: &[u8]| -> Option<Vec<u8>> {
            let rest = if prefix.is_empty() { path } else { path.strip_prefix(prefix)?.strip_prefix(b"/")? };
            let path: Vec<u8> = place.iter().copied().chain(rest.iter().copied()).collect();
            (!self.exclude.cover(&path)).then_some(path)
        };
        let kept: Vec<_> = tracked.iter().filter_map(|file| Some((source_path(&file.path)?, file))).collect();
        let names = kept.iter().filter(|(_, file)| file.mode != 0o160_000).map(|(_, file)| file.path.as_slice());
        if has_filters(repository, &settings, below, environment, names.clone()) {
            refuse_filtered(repository, environment, &names.collect::<Vec<_>>(), &source_path)?;
        }
        let status = match early_status {
            Some(running) => running.status()?,
            None => repository.status(below, environment)?.status()?,
        };
        let untracked: Vec<_> = status.untracked.iter().filter_map(|path| Some((source_path(path)?, path))).collect();
        let names = untracked.iter().map(|(_, path)| path.as_slice()).filter(|path| path.ends_with(b".gitattributes"));
        if has_filters(repository, &settings, below, environment, names) {
            let names: Vec<&[u8]> = kept.iter().map(|(_, file)| file.path.as_slice()).collect();
            refuse_filtered(repository, environment, &names, &source_path)?;
        }

        let dirty = status.changed.iter().filter_map(|path| source_path(path));
        let mut dirty: BTreeSet<String> = dirty.map(|path| String::from_utf8_lossy(&path).into_owned()).collect();
        for (path, _) in &untracked {
            if path.ends_with(b"/") {
                return Err(SourceError::NestedRepository { path: String::from_utf8_lossy(path).into_owned() });
            }
            push(&mut self.files, path, false, None)?;
            dirty.insert(String::from_utf8_lossy(path).into_owned());
        }
        let mut submodules = Vec::new();
        for (path, file) in &kept {
            if file.mode == 0o160_000 {
                submodules.push((path.clone(), *file));
                continue;
            }
            let is_link = file.mode == 0o120_000;
            let believed = (settings.ignores_modes && !is_link) || (settings.links_as_files && is_link);
            push(&mut self.files, path, true, believed.then_some(file.mode))?;
            if file.unwatched {
                let on_disk = repository.work_tree.join(OsStr::from_bytes(&file.path));
                if on_disk.symlink_metadata().is_err() {
                    return Err(SourceError::Sparse { path: String::from_utf8_lossy(path).into_owned() });
                }
                // Git does not look at it, so nobody knows.
                dirty.insert(String::from_utf8_lossy(path).into_owned());
            }
        }
        self.dirty.append(&mut dirty);
        for (mut path, file) in submodules {
            let shown = String::from_utf8_lossy(&path).into_owned();
            let folder = repository.work_tree.join(OsStr::from_bytes(&file.path));
            let submodule = Repository::at(&folder)?.ok_or_else(|| SourceError::Submodule { path: shown.clone() })?;
            path.push(b'/');
            let head = self.gather(&submodule, Path::new(""), &path, depth + 1)?;
            if head.is_none_or(|(commit, _)| commit != file.object) {
                self.dirty.insert(shown);
            }
        }
        Ok(head)
    }
}

/// Whether any file that gives attributes speaks of filters. Cheaper than to ask git about every file.
fn has_filters<'n>(
    repository: &Repository,
    settings: &Settings,
    below: &Path,
    environment: &Environment,
    names: impl Iterator<Item = &'n [u8]>,
) -> bool {
    let inner = names
        .filter(|name| name.rsplit(|&byte| byte == b'/').next() == Some(b".gitattributes"))
        .map(|name| repository.work_tree.join(OsStr::from_bytes(name)));
    let outer = repository.outer_attributes(settings, below, environment);
    let speaks = |path: PathBuf| std::fs::read(path).is_ok_and(|text| text.windows(6).any(|word| word == b"filter"));
    inner.chain(outer).any(speaks)
}

fn refuse_filtered(
    repository: &Repository,
    environment: &Environment,
    names: &[&[u8]],
    source_path: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<(), SourceError> {
    match repository.filtered(names, environment)?.into_iter().next() {
        None => Ok(()),
        Some((path, filter)) => {
            let path = source_path(&path).unwrap_or(path);
            Err(SourceError::Filtered { path: String::from_utf8_lossy(&path).into_owned(), filter })
        }
    }
}
