//! Why a repository gave no input.

use std::io;
use std::path::PathBuf;

use selfsame_oci::{LayerError, ReadError};
use selfsame_store::StoreError;
use selfsame_tree::TreeError;

/// Why the content of a commit could not be had. Places are shown without credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The program is not there.
    #[error("`git` cannot be run, and `{place}` needs it")]
    NoProgram {
        /// The repository.
        place: String,
    },
    /// An address or path that is not asked for.
    #[error("repository `{place}` {fault}")]
    Place {
        /// As it was given.
        place: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// A tag, branch or commit that cannot be one.
    #[error("{kind} `{name}` {fault}")]
    Name {
        /// `tag`, `branch` or `commit`.
        kind: &'static str,
        /// As it was given.
        name: String,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// The repository has no such tag or branch.
    #[error("`{place}` has no {kind} `{name}`")]
    NoReference {
        /// The repository.
        place: String,
        /// `tag` or `branch`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The repository has no such commit, or does not give it away.
    #[error("`{place}` gives no commit {commit}")]
    NoCommit {
        /// The repository.
        place: String,
        /// Its id.
        commit: String,
    },
    /// The id is another object's.
    #[error("{object} of `{place}` is a {kind}, not a commit")]
    NotACommit {
        /// The repository.
        place: String,
        /// The id.
        object: String,
        /// `tree`, `blob` or `tag`.
        kind: String,
    },
    /// The server wants credentials, or other ones.
    #[error("the server refuses `{place}`: {message}")]
    Refused {
        /// The repository.
        place: String,
        /// What git said.
        message: String,
    },
    /// Nothing is there.
    #[error("no repository at `{place}`: {message}")]
    NotFound {
        /// The repository.
        place: String,
        /// What git said.
        message: String,
    },
    /// The server answers with something else than a repository.
    #[error("`{place}` gave no repository but something else, a web page most often")]
    NoRepository {
        /// The repository.
        place: String,
    },
    /// No connection, or a broken one, or a server that is busy.
    #[error("`{place}` could not be reached: {message}")]
    Network {
        /// The repository.
        place: String,
        /// What git said.
        message: String,
    },
    /// It took longer than is waited.
    #[error("`{place}` did not answer within {limit_secs} seconds")]
    TooSlow {
        /// The repository.
        place: String,
        /// The limit.
        limit_secs: u64,
    },
    /// Somebody ended it.
    #[error("git was interrupted while it asked `{place}`")]
    Interrupted {
        /// The repository.
        place: String,
    },
    /// More than is fetched, listed or unpacked.
    #[error("`{place}` has {what}; it is not fetched")]
    TooLarge {
        /// The repository.
        place: String,
        /// More than how much of what.
        what: String,
    },
    /// Git failed in another way.
    #[error("git {command} failed ({status}): {message}")]
    Git {
        /// `fetch`, `ls-tree`, ...
        command: String,
        /// How it ended.
        status: String,
        /// What it said.
        message: String,
    },
    /// An entry that cannot stand in an input.
    #[error("`{path}` in commit {commit} {fault}")]
    Entry {
        /// The commit.
        commit: String,
        /// Where, from the top of the outermost repository.
        path: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// A large file that lies elsewhere.
    #[error("`{path}` in commit {commit} is a Git LFS pointer: the repository does not hold the file")]
    Pointer {
        /// The commit.
        commit: String,
        /// Where.
        path: String,
    },
    /// A submodule that cannot be followed.
    #[error("submodule `{path}` {fault}")]
    Submodule {
        /// Where, from the top of the outermost repository.
        path: String,
        /// The rest of the sentence.
        fault: String,
    },
    /// The files make no tree.
    #[error("commit {commit} makes no tree")]
    Tree {
        /// The commit.
        commit: String,
        /// Why.
        source: TreeError,
    },
    /// The store failed.
    #[error("`{place}` could not be stored")]
    Store {
        /// The repository.
        place: String,
        /// Why.
        source: StoreError,
    },
    /// The tar of the files could not be written.
    #[error("the files of commit {commit} could not be packed")]
    Pack {
        /// The commit.
        commit: String,
        /// Why.
        source: LayerError,
    },
    /// A locked tar that cannot be read.
    #[error("the packed files of `{input}` cannot be read")]
    Unpack {
        /// The input.
        input: String,
        /// Why.
        source: ReadError,
    },
    /// The disk, or a pipe to git, failed.
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

impl GitError {
    /// Whether the same may succeed later.
    #[must_use]
    pub const fn retry_may_help(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::TooSlow { .. } | Self::Interrupted { .. })
    }
}
