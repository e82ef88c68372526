//! `file = "https://…"`: one file, or the files of the archive that it is.

use selfsame_core::RelPath;
use selfsame_core::path::PathError;
use selfsame_definition::{ArchiveLocation, FileSpec};
use selfsame_lock::{Claim, Part, Purl};
use selfsame_tree::{Entry, Tree};

use super::missing;
use crate::archive::{Limits, unpack_archive};
use crate::context::{Context, Described};
use crate::resolve::{FetchError, bring, check, check_locked};

/// Takes the file from where the definition says it is; one whose digest is stated, and that the store has, from there.
pub(crate) fn resolve(name: &str, spec: &FileSpec, cx: &Context<'_>) -> Result<Vec<Part>, FetchError> {
    let purl = purl(spec)?;
    named(name, spec)?;
    let known = match spec.sha256 {
        Some(sha256) => cx.store.blob_size(&sha256)?.map(|size| (sha256, size)),
        None => None,
    };
    let (found, size) = match known {
        Some(known) => known,
        None if cx.offline && is_away(spec) => return Err(FetchError::Offline { input: name.to_owned(), purl }),
        None => bring(&spec.location, cx, None)?,
    };
    check(name, "stated in the definition", spec.sha256, (found, size), spec.location.as_str())?;
    let claim = match &spec.location {
        _ if spec.sha256.is_some() => Claim::Definition,
        ArchiveLocation::Path(_) => Claim::LocalFile,
        ArchiveLocation::Url(url) if url.starts_with("https://") => Claim::TlsOnly,
        ArchiveLocation::Url(_) => Claim::Plaintext,
    };
    let parts = vec![Part::new(purl, found, size, claim)];
    // An archive that cannot be unpacked is better known when it is locked.
    tree(name, spec, &parts, cx)?;
    Ok(parts)
}

/// Takes the locked file from where the definition says it is. Other bytes are refused.
pub(crate) fn fetch(name: &str, spec: &FileSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), FetchError> {
    for part in missing(parts, cx)? {
        if cx.offline && is_away(spec) {
            return Err(FetchError::Offline { input: name.to_owned(), purl: part.purl.clone() });
        }
        let expected = Some((&part.sha256, part.size));
        let found = bring(&spec.location, cx, expected)?;
        check_locked(name, part, found, spec.location.as_str())?;
    }
    Ok(())
}

/// The file under its own name, or what is in it.
pub(crate) fn tree(name: &str, spec: &FileSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, FetchError> {
    let part = the_one(name, parts)?;
    if spec.unpack {
        return Ok(unpack_archive(cx.store, &part.sha256, part.purl.as_str(), spec.strip, Limits::SOURCE)?);
    }
    let entry = (named(name, spec)?, Entry::file(part.sha256, part.size, spec.executable));
    // One file at one path contradicts nothing.
    Ok(Tree::from_entries([entry]).unwrap_or_default())
}

/// One package: the file.
pub(crate) fn describe(name: &str, spec: &FileSpec, parts: &[Part]) -> Result<Vec<Described>, FetchError> {
    let part = the_one(name, parts)?;
    let files = if spec.unpack { Vec::new() } else { vec![named(name, spec)?] };
    let (purl, name) = (part.purl.to_string(), spec.location.file_name().to_owned());
    Ok(vec![Described { purl, name, files, ..Described::default() }])
}

fn is_away(spec: &FileSpec) -> bool {
    matches!(spec.location, ArchiveLocation::Url(_))
}

fn purl(spec: &FileSpec) -> Result<Purl, FetchError> {
    Ok(Purl::generic(spec.location.file_name(), None)?)
}

/// What the file is called in the input.
fn named(name: &str, spec: &FileSpec) -> Result<RelPath, FetchError> {
    let file_name = spec.location.file_name();
    RelPath::new(file_name).map_err(|PathError { fault, .. }| FetchError::FileName {
        input: name.to_owned(),
        file_name: file_name.to_owned(),
        fault,
    })
}

fn the_one<'a>(name: &str, parts: &'a [Part]) -> Result<&'a Part, FetchError> {
    match parts {
        [part] => Ok(part),
        _ => Err(FetchError::NotLocked { input: name.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
