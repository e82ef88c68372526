//! Which files belong to a path source, and what git says about them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use selfsame_core::{RelPath, SourceEpoch};
use selfsame_http::Environment;

use crate::git::{Repository, Running, Settings, Tracked};
use crate::source_error::SourceError;

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

/// The files of a source, sorted by path, each once: without a repository all, with one those that it tracks. What it
/// neither tracks nor ignores comes from [`Pending::finish`], later: git is still looking for it.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) files: Vec<Listed>,
    pub(crate) git: Option<Pending>,
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
    let mut pending = Pending { head: None, dirty: BTreeSet::new(), statuses: Vec::new() };
    let mut files = Vec::new();
    let below = root.strip_prefix(&repository.work_tree).unwrap_or(Path::new("")).to_owned();
    let place = Place { repository, below, prefix: Vec::new() };
    pending.head = pending.gather(place, exclude, environment, 0, &mut files)?;
    files.sort_unstable();
    // An unmerged file is in the index up to three times.
    files.dedup_by(|a, b| a.path == b.path);
    Ok(Listing { files, git: Some(pending) })
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

/// A repository, or a part of it, in the source.
#[derive(Debug)]
struct Place {
    repository: Repository,
    /// The part that counts, from the top of the working tree.
    below: PathBuf,
    /// What stands before its paths in the source: empty, or ends with `/`.
    prefix: Vec<u8>,
}

impl Place {
    /// A path from the top of the working tree as one in the source, unless it is left out.
    fn source_path(&self, path: &[u8], exclude: &Exclusions) -> Option<Vec<u8>> {
        let below = self.below.as_os_str().as_bytes();
        let rest = if below.is_empty() { path } else { path.strip_prefix(below)?.strip_prefix(b"/")? };
        let path = [self.prefix.as_slice(), rest].concat();
        (!exclude.cover(&path)).then_some(path)
    }

    fn on_disk(&self, path: &[u8]) -> PathBuf {
        self.repository.work_tree.join(OsStr::from_bytes(path))
    }
}

/// What git was asked for and has not said yet.
#[derive(Debug)]
pub(crate) struct Pending {
    head: Option<(String, SourceEpoch)>,
    dirty: BTreeSet<String>,
    statuses: Vec<PendingStatus>,
}

#[derive(Debug)]
struct PendingStatus {
    place: Place,
    settings: Settings,
    tracked: Vec<Tracked>,
    running: Running,
}

impl Pending {
    /// Adds the files that a repository tracks, and its submodules'. Gives the commit of HEAD.
    fn gather(
        &mut self,
        place: Place,
        exclude: &Exclusions,
        environment: &Environment,
        depth: usize,
        files: &mut Vec<Listed>,
    ) -> Result<Option<(String, SourceEpoch)>, SourceError> {
        let Place { repository, below, .. } = &place;
        if depth > DEPTH {
            return Err(SourceError::TooDeep { path: repository.work_tree.clone() });
        }
        // All at once: `status` takes longest, and what the others say keeps us busy meanwhile.
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
        let names = tracked.iter().map(|file| file.path.as_slice());
        if has_filters(&place, &settings, environment, names) {
            refuse_filtered(&place, &tracked, exclude, environment)?;
        }
        let running = match early_status {
            Some(running) => running,
            None => repository.status(below, environment)?,
        };

        let mut submodules = Vec::new();
        for file in &tracked {
            let Some(path) = place.source_path(&file.path, exclude) else { continue };
            if file.mode == SUBMODULE {
                submodules.push((path, file));
                continue;
            }
            let is_link = file.mode == 0o120_000;
            let believed = (settings.ignores_modes && !is_link) || (settings.links_as_files && is_link);
            push(files, &path, true, believed.then_some(file.mode))?;
            if file.unwatched {
                if place.on_disk(&file.path).symlink_metadata().is_err() {
                    return Err(SourceError::Sparse { path: shown(&path) });
                }
                // Git does not look at it, so nobody knows.
                self.dirty.insert(shown(&path));
            }
        }
        for (path, file) in submodules {
            let missing = || SourceError::Submodule { path: shown(&path) };
            let repository = Repository::at(&place.on_disk(&file.path))?.ok_or_else(missing)?;
            let inner = Place { repository, below: PathBuf::new(), prefix: [path.as_slice(), b"/"].concat() };
            let head = self.gather(inner, exclude, environment, depth + 1, files)?;
            if head.is_none_or(|(commit, _)| commit != file.object) {
                self.dirty.insert(shown(&path));
            }
        }
        self.statuses.push(PendingStatus { place, settings, tracked, running });
        Ok(head)
    }

    /// Waits for the rest: the files that are neither tracked nor ignored, and what differs from HEAD.
    pub(crate) fn finish(
        self,
        exclude: &Exclusions,
        environment: &Environment,
    ) -> Result<(Vec<Listed>, GitState), SourceError> {
        let Self { head, mut dirty, statuses } = self;
        let mut files = Vec::new();
        for PendingStatus { place, settings, tracked, running } in statuses {
            let status = running.status()?;
            let names = status.untracked.iter().map(Vec::as_slice);
            if has_filters(&place, &settings, environment, names) {
                refuse_filtered(&place, &tracked, exclude, environment)?;
            }
            let changed = status.changed.iter().filter_map(|path| place.source_path(path, exclude));
            dirty.extend(changed.map(|path| shown(&path)));
            for path in status.untracked.iter().filter_map(|path| place.source_path(path, exclude)) {
                if path.ends_with(b"/") {
                    return Err(SourceError::NestedRepository { path: shown(&path) });
                }
                push(&mut files, &path, false, None)?;
                dirty.insert(shown(&path));
            }
        }
        files.sort_unstable();
        Ok((files, GitState { head, dirty }))
    }
}

/// The mode of a submodule in the index.
const SUBMODULE: u32 = 0o160_000;

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// Whether any file that gives attributes speaks of filters: of the named ones, or outside of them. Cheaper than to ask
/// git about every file.
fn has_filters<'n>(
    place: &Place,
    settings: &Settings,
    environment: &Environment,
    names: impl Iterator<Item = &'n [u8]>,
) -> bool {
    let inner = names
        .filter(|name| name.rsplit(|&byte| byte == b'/').next() == Some(b".gitattributes"))
        .map(|name| place.on_disk(name));
    let outer = place.repository.outer_attributes(settings, &place.below, environment);
    let speaks = |path: PathBuf| std::fs::read(path).is_ok_and(|text| text.windows(6).any(|word| word == b"filter"));
    inner.chain(outer).any(speaks)
}

fn refuse_filtered(
    place: &Place,
    tracked: &[Tracked],
    exclude: &Exclusions,
    environment: &Environment,
) -> Result<(), SourceError> {
    let counts = |file: &&Tracked| file.mode != SUBMODULE && place.source_path(&file.path, exclude).is_some();
    let names: Vec<&[u8]> = tracked.iter().filter(counts).map(|file| file.path.as_slice()).collect();
    match place.repository.filtered(&names, environment)?.into_iter().next() {
        None => Ok(()),
        Some((path, filter)) => {
            let path = place.source_path(&path, exclude).unwrap_or(path);
            Err(SourceError::Filtered { path: shown(&path), filter })
        }
    }
}
