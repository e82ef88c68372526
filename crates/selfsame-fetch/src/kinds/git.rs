//! `git = "https://…"`: the files of a commit and of its submodules, locked as one tar.
//!
//! This machine's git does the asking, by its own configuration. A tag or branch is resolved to a commit when the lock is
//! written and never again; what is locked is the digest of the files, which says more than the commit's id does.

mod error;
mod names;
mod pack;
mod place;
mod program;
mod repository;
mod snapshot;
#[cfg(test)]
mod tests;

use selfsame_definition::{GitRef, GitSpec};
use selfsame_lock::{Claim, Part, Purl};
use selfsame_tree::Tree;

pub use self::error::GitError;
use self::names::is_object_id;
use self::place::Place;
use self::repository::{Reference, ask};
use super::missing;
use crate::context::{Context, Described};
use crate::resolve::FetchError;

/// Chooses a commit and packs its files into the store.
pub(crate) fn resolve(name: &str, spec: &GitSpec, cx: &Context<'_>) -> Result<Vec<Part>, FetchError> {
    let place = place(spec, cx)?;
    if let (GitRef::Commit(commit), true) = (&spec.at, is_away(&place, cx)) {
        return Err(FetchError::Offline { input: name.to_owned(), purl: purl(name, commit)? });
    }
    if is_away(&place, cx) {
        return Err(FetchError::Offline { input: name.to_owned(), purl: Purl::generic(name, None)? });
    }
    // Over a connection that anybody may change, a name has the commit that anybody says.
    let named = if place.is_plaintext() { Claim::Plaintext } else { Claim::GitCommit };
    let (commit, claim) = match &spec.at {
        GitRef::Commit(commit) => (commit.clone(), Claim::GitCommit),
        GitRef::Tag(tag) => (ask(&place, Reference::Tag(tag), cx)?, named),
        GitRef::Branch(branch) => (ask(&place, Reference::Branch(branch), cx)?, named),
    };
    let purl = purl(name, &commit)?;
    let (sha256, size) = bring(name, &purl, &place, &commit, spec, cx)?;
    Ok(vec![Part::new(purl, sha256, size, claim)])
}

/// Packs the files of the locked commit again, if the store lacks them. Another tar is refused.
pub(crate) fn fetch(name: &str, spec: &GitSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), FetchError> {
    for part in missing(parts, cx)? {
        let place = place(spec, cx)?;
        if is_away(&place, cx) {
            return Err(FetchError::Offline { input: name.to_owned(), purl: part.purl.clone() });
        }
        let commit = commit_of(name, part)?;
        let (found, found_bytes) = bring(name, &part.purl, &place, commit, spec, cx)?;
        if (found, found_bytes) != (part.sha256, part.size) {
            return Err(FetchError::Mismatch {
                input: name.to_owned(),
                by: "locked",
                expected: part.sha256,
                found,
                found_bytes,
                place: format!("commit {commit} of `{place}`"),
            });
        }
    }
    Ok(())
}

/// The files of the commit.
pub(crate) fn tree(name: &str, parts: &[Part], cx: &Context<'_>) -> Result<Tree, FetchError> {
    Ok(pack::unpack(&the_one(name, parts)?.sha256, name, cx.store)?)
}

/// One package: the commit.
pub(crate) fn describe(name: &str, parts: &[Part]) -> Result<Vec<Described>, FetchError> {
    let part = the_one(name, parts)?;
    Ok(vec![Described {
        purl: part.purl.to_string(),
        name: name.to_owned(),
        version: commit_of(name, part)?.to_owned(),
        ..Described::default()
    }])
}

fn place(spec: &GitSpec, cx: &Context<'_>) -> Result<Place, GitError> {
    Place::parse(&spec.repository, Some(cx.folder))
}

fn is_away(place: &Place, cx: &Context<'_>) -> bool {
    cx.offline && !matches!(place, Place::Folder(_))
}

fn bring(
    name: &str,
    purl: &Purl,
    place: &Place,
    commit: &str,
    spec: &GitSpec,
    cx: &Context<'_>,
) -> Result<(selfsame_core::Digest, u64), FetchError> {
    if !is_object_id(commit) {
        let (kind, fault) = ("commit", "is not 40 or 64 hexadecimal digits");
        return Err(GitError::Name { kind, name: commit.to_owned(), fault }.into());
    }
    cx.progress.expect(name, 1, None);
    let tree = snapshot::snapshot(place, commit, spec.submodules, cx)?;
    let packed = pack::pack(&tree, commit, cx.store)?;
    cx.progress.came(name, purl.as_str(), packed.1);
    Ok(packed)
}

fn purl(name: &str, commit: &str) -> Result<Purl, FetchError> {
    Ok(Purl::generic(name, Some(commit))?)
}

/// The one part that a git input has.
fn the_one<'a>(name: &str, parts: &'a [Part]) -> Result<&'a Part, FetchError> {
    match parts {
        [part] => Ok(part),
        _ => Err(FetchError::NotLocked { input: name.to_owned() }),
    }
}

/// `pkg:generic/NAME@COMMIT`.
fn commit_of<'a>(name: &str, part: &'a Part) -> Result<&'a str, FetchError> {
    let version = part.purl.as_str().rsplit_once('@').map(|(_, version)| version);
    version.filter(|version| is_object_id(version)).ok_or_else(|| FetchError::NotLocked { input: name.to_owned() })
}
