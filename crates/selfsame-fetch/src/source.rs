//! Path sources: a working tree bound to a tree value at the moment of a build.
//!
//! What belongs to it: files that git tracks or does not ignore, submodules included; without a repository every file.
//! Not `.git`, the locks and `.selfsame/` beside the definition, and output folders. Of a mode only the owner's
//! executable bit counts, so that umasks do not. Empty folders do not exist.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use selfsame_core::{Digest, RelPath, SourceEpoch};
use selfsame_definition::Epoch;
use selfsame_http::Environment;
use selfsame_lock::{HostLock, Lock};
use selfsame_store::{FileStamp, Store};
use selfsame_tree::{Entry, Tree};

use crate::listing::{self, Exclusions, Listing};
use crate::look::{Found, FoundFile, Root, look_for_secret, read, without_linked_folders};
use crate::parallel;
use crate::secret::SecretLike;
use crate::source_error::SourceError;

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
    root: Root,
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

/// Binds a path source: lists it, reads what is not known from last time, and stores it.
pub fn bind(request: &SourceRequest<'_>, environment: &Environment, store: &Store) -> Result<BoundSource, SourceError> {
    let not_there = |_| SourceError::NotAFolder { path: request.root.to_owned() };
    let root = std::fs::canonicalize(request.root).map_err(not_there)?;
    if !root.is_dir() {
        return Err(SourceError::NotAFolder { path: request.root.to_owned() });
    }
    let stored = |source| SourceError::Store { source };
    let cache_key = Digest::of(&[b"source v1\0", root.as_os_str().as_bytes()].concat());
    let exclude = exclusions(request, &root);
    // The cache is there before the first `lstat`: its moment decides what the next run may believe.
    let (cache, listing) = std::thread::scope(|scope| {
        let cache = scope.spawn(|| store.stat_cache(&cache_key));
        let listing = listing::list(&root, &exclude, environment);
        (cache.join(), listing)
    });
    let mut cache = cache.unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(stored)?;
    let Listing { files, git } = listing?;
    let root = Root::open(root)?;
    let mut found = Found::default();
    let files = without_linked_folders(&root, files)?;
    found.add(&root, &files, &mut cache, request.trust_stat_cache, store)?;
    let (untracked, git) = git.map(|pending| pending.finish(&exclude, environment)).transpose()?.unzip();
    let untracked = untracked.unwrap_or_default();
    found.add(&root, &untracked, &mut cache, request.trust_stat_cache, store)?;
    let epoch = match (request.epoch, &git) {
        (Epoch::At(epoch), _) => epoch,
        (Epoch::Git, None) => return Err(SourceError::NoRepository { root: root.into_path() }),
        (Epoch::Git, Some(git)) => match &git.head {
            Some((_, epoch)) => *epoch,
            None => return Err(SourceError::NoCommit { root: root.into_path() }),
        },
    };

    let Found { links: mut entries, known, unknown, seen } = found;
    let read = parallel::try_map(&unknown, |file| read(&root, file, store))?;
    let mut warnings = Vec::new();
    for (FoundFile { path, stamp, executable }, digest) in known {
        warnings.extend(look_for_secret(&root, &path, None));
        entries.push((path, Entry::file(digest, stamp.size, executable)));
    }
    for (FoundFile { path, stamp, executable }, (digest, secret)) in unknown.into_iter().zip(read) {
        cache.record(path.clone(), stamp, digest);
        warnings.extend(secret);
        entries.push((path, Entry::file(digest, stamp.size, executable)));
    }
    if entries.is_empty() {
        return Err(SourceError::Empty { root: root.into_path() });
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
        let check = |(path, stamp): &(RelPath, FileStamp)| match self.root.stamp(path) {
            Ok(now) if now == *stamp => Ok(()),
            _ => Err(SourceError::Changed { path: path.clone() }),
        };
        parallel::try_map(&self.seen, check).map(drop)
    }
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
