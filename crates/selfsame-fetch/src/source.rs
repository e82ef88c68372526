//! Path sources: a working tree bound to a tree value at the moment of a build.
//!
//! What belongs to it: files that git tracks or does not ignore, submodules included; without a repository every file.
//! Not `.git`, the locks and `.selfsame/` beside the definition, and output folders. Of a mode only the owner's
//! executable bit counts, so that umasks do not. Empty folders do not exist.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use selfsame_core::path::PathError;
use selfsame_core::{Digest, RelPath, SourceEpoch};
use selfsame_definition::Epoch;
use selfsame_lock::{HostLock, Lock};
use selfsame_store::{FileStamp, StatCache, Store, StoreError};
use selfsame_tree::{Entry, Tree, TreeError};

use crate::environment::Environment;
use crate::link::stays_inside;
use crate::listing::{self, Exclusions, Listed, Listing};
use crate::parallel;
use crate::secret::{self, SecretLike};

/// Files up to this size are read once, for their digest and for what looks like a secret.
const IN_MEMORY_BYTES: u64 = 4 << 20;
/// How many dirty paths are named.
const DIRTY_PATHS: usize = 20;

/// What is to be bound.
#[derive(Clone, Copy, Debug)]
pub struct SourceRequest<'a> {
    /// The folder.
    pub root: &'a Path,
    /// The definition's folder, whose locks and `.selfsame/` are left out.
    pub definition_dir: &'a Path,
    /// Output folders, left out where they lie in `root`.
    pub exclude: &'a [PathBuf],
    /// Where the source epoch comes from.
    pub epoch: Epoch,
    /// Whether files that look unchanged are taken as last hashed. A release key reads them all.
    pub trust_stat_cache: bool,
}

/// A source, bound: its tree and the content of every file are in the store.
#[derive(Debug)]
pub struct BoundSource {
    /// Its files, owner 0:0, mode 0644 or 0755, rank 0.
    pub tree: Tree,
    /// Of the tree.
    pub digest: Digest,
    /// The one time of the build.
    pub epoch: SourceEpoch,
    /// What git knows; nothing without a repository or before its first commit.
    pub git: Option<GitFacts>,
    /// Files that look like secrets, by path.
    pub warnings: Vec<SecretLike>,
    root: PathBuf,
    seen: Vec<(RelPath, FileStamp)>,
}

/// The commit that a source was bound at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitFacts {
    /// The id of HEAD. The tree is the commit's only if it is not dirty.
    pub commit: String,
    /// Whether anything in the source differs from HEAD: changed, added, deleted, or not looked at by git.
    pub dirty: bool,
    /// The first twenty of what differs, sorted.
    pub dirty_paths: Vec<String>,
}

/// Why a source cannot be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No folder there.
    #[error("source `{}` is not a folder", path.display())]
    NotAFolder {
        /// The source's root.
        path: PathBuf,
    },
    /// The epoch is the commit's time, and there is no repository.
    #[error("source `{}` is not in a git working tree, so it has no commit time; `source.epoch` has to state it", root.display())]
    NoRepository {
        /// The source's root.
        root: PathBuf,
    },
    /// The epoch is the commit's time, and nothing was committed yet.
    #[error("source `{}` has no commit yet, so it has no commit time", root.display())]
    NoCommit {
        /// The source's root.
        root: PathBuf,
    },
    /// There is a repository, and no `git` to ask.
    #[error("source `{}` is a git working tree, and the program `git` is not there", root.display())]
    NoGitProgram {
        /// The top folder.
        root: PathBuf,
    },
    /// `.git` is a file that names no repository.
    #[error("`{}` names a repository that is not there", path.display())]
    BrokenRepository {
        /// The `.git` file.
        path: PathBuf,
    },
    /// A git command failed.
    #[error("git {command}: {message} ({status})")]
    Git {
        /// `status`
        command: String,
        /// How it ended.
        status: String,
        /// The first line it said.
        message: String,
    },
    /// No file belongs to the source.
    #[error("source `{}` holds no files, or git ignores them all", root.display())]
    Empty {
        /// The source's root.
        root: PathBuf,
    },
    /// A device, FIFO or socket.
    #[error("`{path}` in the source is a {kind}; only files and links can be built from")]
    Special {
        /// Where.
        path: RelPath,
        /// What it is.
        kind: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("`{}` in the source has a name that is not UTF-8", path.display())]
    NotUtf8 {
        /// The name, as far as it can be shown.
        path: PathBuf,
    },
    /// A path that no tree can hold.
    #[error("a file in the source: {source}")]
    Path {
        /// What is wrong with it.
        source: PathError,
    },
    /// A symbolic link to somewhere outside of the source, where there is nothing at build time.
    #[error("`{path}` in the source is a link to `{}`, outside of the source", target.escape_debug())]
    Link {
        /// The link.
        path: RelPath,
        /// Its text.
        target: String,
    },
    /// A file with a smudge filter: git LFS is one. What is on the disk depends on this machine's configuration.
    #[error(
        "`{path}` in the source has the git filter `{filter}`: its content here depends on this machine's configuration"
    )]
    Filtered {
        /// Where.
        path: String,
        /// `lfs`
        filter: String,
    },
    /// Git rewrites line endings in this checkout, and not in others.
    #[error("{setting} is `{value}`: git changes line endings in this checkout, and its content depends on that")]
    LineEndings {
        /// `core.autocrlf`
        setting: String,
        /// `true`
        value: String,
    },
    /// A submodule that was not checked out.
    #[error("submodule `{path}` is not checked out")]
    Submodule {
        /// Where.
        path: String,
    },
    /// A repository that is neither a submodule nor ignored.
    #[error("`{path}` in the source is a git repository of its own, and not a submodule")]
    NestedRepository {
        /// Where.
        path: String,
    },
    /// A tracked file that a sparse checkout left out.
    #[error("`{path}` is tracked and not checked out (sparse checkout)")]
    Sparse {
        /// Where.
        path: String,
    },
    /// Folders in folders, or submodules in submodules, without end.
    #[error("folders lie too deep at `{}`", path.display())]
    TooDeep {
        /// Where it was given up.
        path: PathBuf,
    },
    /// More files than are read.
    #[error("more than {limit} files")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// A file that changed while it was bound, or between then and now.
    #[error("`{path}` in the source changed during the build")]
    Changed {
        /// Where.
        path: RelPath,
    },
    /// The files make no tree.
    #[error("the source makes no tree")]
    Tree {
        /// Why.
        source: TreeError,
    },
    /// The store could not take or give something.
    #[error("the source could not be stored")]
    Store {
        /// Why.
        source: StoreError,
    },
    /// The disk failed.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Binds a path source: lists it, reads what is not known from last time, and stores it.
pub fn bind(request: &SourceRequest<'_>, environment: &Environment, store: &Store) -> Result<BoundSource, SourceError> {
    let not_there = |_| SourceError::NotAFolder { path: request.root.to_owned() };
    let root = std::fs::canonicalize(request.root).map_err(not_there)?;
    if !root.is_dir() {
        return Err(SourceError::NotAFolder { path: request.root.to_owned() });
    }
    let stored = |source| SourceError::Store { source };
    // Before the first `lstat`: its moment decides what the next run may believe.
    let cache_key = Digest::of(&[b"source v1\0", root.as_os_str().as_bytes()].concat());
    let mut cache = store.stat_cache(&cache_key).map_err(stored)?;

    let exclude = exclusions(request, &root);
    let Listing { files, git } = listing::list(&root, &exclude, environment)?;
    let mut found = Found::default();
    let files = without_linked_folders(&root, files)?;
    found.add(&root, &files, &mut cache, request.trust_stat_cache, store)?;
    let (untracked, git) = git.map(|pending| pending.finish(&exclude, environment)).transpose()?.unzip();
    let untracked = untracked.unwrap_or_default();
    found.add(&root, &untracked, &mut cache, request.trust_stat_cache, store)?;
    let epoch = match (request.epoch, &git) {
        (Epoch::At(epoch), _) => epoch,
        (Epoch::Git, None) => return Err(SourceError::NoRepository { root }),
        (Epoch::Git, Some(git)) => match &git.head {
            Some((_, epoch)) => *epoch,
            None => return Err(SourceError::NoCommit { root }),
        },
    };

    let Found { links: mut entries, known, unknown, seen } = found;
    let read = parallel::try_map(&unknown, |file| read(&root, file, store))?;
    let mut warnings = Vec::new();
    for (FoundFile { path, stamp, executable }, digest) in known {
        warnings.extend(look_for_secret(&root, &path, None));
        entries.push((path, Entry::file(digest, stamp.size, executable)));
    }
    for (FoundFile { path, stamp, executable }, (digest, content)) in unknown.into_iter().zip(read) {
        cache.record(path.clone(), stamp, digest);
        warnings.extend(look_for_secret(&root, &path, Some(content)));
        entries.push((path, Entry::file(digest, stamp.size, executable)));
    }
    if entries.is_empty() {
        return Err(SourceError::Empty { root });
    }
    warnings.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let tree = Tree::from_entries(entries).map_err(|source| SourceError::Tree { source })?;
    let digest = store.put_tree(&tree).map_err(stored)?;
    store.save_stat_cache(&cache_key, &cache).map_err(stored)?;
    let git = git.and_then(|git| {
        let (commit, _) = git.head?;
        let dirty = !git.dirty.is_empty();
        Some(GitFacts { commit, dirty, dirty_paths: git.dirty.into_iter().take(DIRTY_PATHS).collect() })
    });
    Ok(BoundSource { tree, digest, epoch, git, warnings, root, seen })
}

impl BoundSource {
    /// Whether every file is still the one that was bound. To be asked when the build is done and before it is signed.
    pub fn still_same(&self) -> Result<(), SourceError> {
        let check = |(path, stamp): &(RelPath, FileStamp)| match locate(&self.root, path).symlink_metadata() {
            Ok(metadata) if FileStamp::of(&metadata) == *stamp => Ok(()),
            _ => Err(SourceError::Changed { path: path.clone() }),
        };
        parallel::try_map(&self.seen, check).map(drop)
    }
}

/// What the disk says about a listed file.
enum Look {
    Absent,
    File { stamp: FileStamp, executable: bool },
    Link { target: String, stamp: FileStamp },
}

/// Files by what is known about them.
#[derive(Default)]
struct Found {
    links: Vec<(RelPath, Entry)>,
    /// Unchanged since they were stored, and still in the store.
    known: Vec<(FoundFile, Digest)>,
    /// To be read.
    unknown: Vec<FoundFile>,
    /// Everything, as it was seen.
    seen: Vec<(RelPath, FileStamp)>,
}

struct FoundFile {
    path: RelPath,
    stamp: FileStamp,
    executable: bool,
}

impl Found {
    fn add(
        &mut self,
        root: &Path,
        files: &[Listed],
        cache: &mut StatCache,
        trust_stat_cache: bool,
        store: &Store,
    ) -> Result<(), SourceError> {
        let looks = parallel::try_map(files, |file| look(root, file))?;
        let mut cached = Vec::new();
        for (file, look) in files.iter().zip(looks) {
            let path = file.path.clone();
            match look {
                Look::Absent => {}
                Look::Link { target, stamp } => {
                    self.seen.push((path.clone(), stamp));
                    self.links.push((path, Entry::symlink(target)));
                }
                Look::File { stamp, executable } => {
                    self.seen.push((path.clone(), stamp));
                    let digest = if trust_stat_cache { cache.lookup(&path, &stamp) } else { None };
                    let file = FoundFile { path, stamp, executable };
                    match digest {
                        Some(digest) => cached.push((file, digest)),
                        None => self.unknown.push(file),
                    }
                }
            }
        }
        // What the cache knows must also be in the store still: a collector may have been there.
        let there = |(file, digest): &(FoundFile, Digest)| Ok(store.blob_size(digest)? == Some(file.stamp.size));
        let there = parallel::try_map(&cached, there).map_err(|source| SourceError::Store { source })?;
        for ((file, digest), there) in cached.into_iter().zip(there) {
            if there {
                self.known.push((file, digest));
            } else {
                self.unknown.push(file);
            }
        }
        Ok(())
    }
}

fn look(root: &Path, file: &Listed) -> Result<Look, SourceError> {
    let on_disk = locate(root, &file.path);
    let failed = |source| SourceError::Io { operation: "read", path: on_disk.clone(), source };
    let metadata = match on_disk.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            // Tracked and deleted. Anything else was there a moment ago.
            return if file.tracked { Ok(Look::Absent) } else { Err(SourceError::Changed { path: file.path.clone() }) };
        }
        Err(error) => return Err(failed(error)),
    };
    let stamp = FileStamp::of(&metadata);
    let kind = metadata.file_type();
    let special = |kind| Err(SourceError::Special { path: file.path.clone(), kind });
    if kind.is_symlink() {
        let target = std::fs::read_link(&on_disk).map_err(failed)?;
        let target = target.into_os_string().into_string();
        let target = target.map_err(|_| SourceError::NotUtf8 { path: on_disk.clone() })?;
        return link(&file.path, target).map(|target| Look::Link { target, stamp });
    }
    if kind.is_file() {
        // The index is believed where the disk has no executable bits, or no links.
        if file.index_mode == Some(0o120_000) {
            let target = std::fs::read_to_string(&on_disk).map_err(failed)?;
            return link(&file.path, target).map(|target| Look::Link { target, stamp });
        }
        let mode = file.index_mode.unwrap_or(stamp.mode);
        return Ok(Look::File { stamp, executable: mode & 0o100 != 0 });
    }
    match () {
        // A tracked file that became a folder is deleted; what is in the folder is listed by itself.
        () if kind.is_dir() => Ok(Look::Absent),
        () if kind.is_fifo() => special("FIFO"),
        () if kind.is_socket() => special("socket"),
        () => special("device"),
    }
}

fn link(path: &RelPath, target: String) -> Result<String, SourceError> {
    if stays_inside(path, &target) { Ok(target) } else { Err(SourceError::Link { path: path.clone(), target }) }
}

/// The files without those that git tracks below what is a link now: they are deleted, as git sees it.
fn without_linked_folders(root: &Path, files: Vec<Listed>) -> Result<Vec<Listed>, SourceError> {
    let mut folders: BTreeSet<RelPath> = BTreeSet::new();
    for file in &files {
        let mut above = file.path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root() && !folders.contains(folder)) {
            above = folder.parent();
            folders.insert(folder);
        }
    }
    let folders: Vec<RelPath> = folders.into_iter().collect();
    let is_link = |folder: &RelPath| {
        Ok::<_, SourceError>(locate(root, folder).symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()))
    };
    let links = parallel::try_map(&folders, is_link)?;
    let links: Vec<RelPath> = folders.into_iter().zip(links).filter(|(_, link)| *link).map(|(path, _)| path).collect();
    if links.is_empty() {
        return Ok(files);
    }
    let deleted = |file: &Listed| links.iter().any(|link| file.path != *link && file.path.below(link).is_some());
    Ok(files.into_iter().filter(|file| !deleted(file)).collect())
}

/// Stores a file that is as its stamp says, before and after. Gives its digest, and its content if it is small.
fn read(root: &Path, file: &FoundFile, store: &Store) -> Result<(Digest, Vec<u8>), SourceError> {
    let FoundFile { path, stamp, executable } = file;
    let on_disk = locate(root, path);
    let failed = |source| SourceError::Io { operation: "read", path: on_disk.clone(), source };
    let changed = || SourceError::Changed { path: path.clone() };
    let stored = |source| match source {
        StoreError::Changing { .. } | StoreError::NotRegular { .. } => changed(),
        source => SourceError::Store { source },
    };
    if stamp.size > IN_MEMORY_BYTES {
        let (digest, _) = store.put_file(&on_disk, *executable).map_err(stored)?;
        let after = on_disk.symlink_metadata().map_err(failed)?;
        return if FileStamp::of(&after) == *stamp { Ok((digest, Vec::new())) } else { Err(changed()) };
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(&on_disk).map_err(failed)?;
    let mut content = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0) + 1);
    (&file).take(stamp.size + 1).read_to_end(&mut content).map_err(failed)?;
    let after = FileStamp::of(&file.metadata().map_err(failed)?);
    if after != *stamp || content.len() as u64 != stamp.size {
        return Err(changed());
    }
    let digest = store.put_bytes(&content, *executable).map_err(stored)?;
    if content.len() as u64 > secret::SEARCHED_BYTES {
        content = Vec::new();
    }
    Ok((digest, content))
}

/// Looks at a name, and at the content: at all small files when they are read anyway, later only where the name says so.
fn look_for_secret(root: &Path, path: &RelPath, content: Option<Vec<u8>>) -> Option<SecretLike> {
    let by_content = || {
        let content = match content {
            Some(content) => content,
            None if secret::worth_reading(path) => {
                let mut content = Vec::new();
                let file = File::open(locate(root, path)).ok()?;
                file.take(secret::SEARCHED_BYTES).read_to_end(&mut content).ok()?;
                content
            }
            None => return None,
        };
        secret::by_content(path, &content)
    };
    let why = secret::by_name(path).or_else(by_content)?;
    Some(SecretLike { path: path.clone(), why })
}

/// What is left out, as paths from `root`.
fn exclusions(request: &SourceRequest<'_>, root: &Path) -> Exclusions {
    let beside = [Lock::FILE_NAME, HostLock::FILE_NAME, ".selfsame"].map(|name| request.definition_dir.join(name));
    let inside = |path: &PathBuf| {
        // The last component may not exist yet, and may be a link: what is left out is the name.
        let parent = std::fs::canonicalize(path.parent().filter(|parent| !parent.as_os_str().is_empty())?).ok()?;
        let path = parent.join(path.file_name()?);
        path.strip_prefix(root).ok().map(|path| path.as_os_str().as_bytes().to_vec()).filter(|path| !path.is_empty())
    };
    Exclusions(request.exclude.iter().chain(&beside).filter_map(inside).chain([b".selfsame".to_vec()]).collect())
}

fn locate(root: &Path, path: &RelPath) -> PathBuf {
    root.join(path.as_str())
}
