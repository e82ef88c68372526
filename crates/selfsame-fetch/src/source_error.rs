//! What can be wrong with a source, as facts.

use std::io;
use std::path::PathBuf;

use selfsame_core::RelPath;
use selfsame_core::path::PathError;
use selfsame_store::StoreError;
use selfsame_tree::TreeError;

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
