//! The kinds of inputs: modules of equal shape, and the one place that tells them apart.
//!
//! Each has `resolve` (may choose; writes parts of a lock), `fetch` (brings what is locked, and chooses nothing), `tree`
//! (lays out what is in the store; no network) and `describe` (for the SBOM). A kind whose content is pinned by a file
//! of the source has `pins` instead of `resolve`.

pub(crate) mod deb;
pub(crate) mod file;
pub(crate) mod git;
pub(crate) mod go;
pub(crate) mod npm;
pub(crate) mod oci;
pub(crate) mod pinned;
pub(crate) mod pypi;

use selfsame_core::Digest;
use selfsame_definition::InputSpec;
use selfsame_lock::Part;
use selfsame_tree::Tree;

use crate::context::{Context, Described};
use crate::kinds::pinned::Claimed;
use crate::resolve::FetchError;

/// Chooses the parts of an input that no file of the source pins. All of them are in the store then.
pub fn resolve_input(name: &str, spec: &InputSpec, cx: &Context<'_>) -> Result<Vec<Part>, FetchError> {
    match spec {
        InputSpec::Deb(deb) => deb::resolve(name, deb, cx),
        InputSpec::File(file) => file::resolve(name, file, cx),
        InputSpec::Git(git) => git::resolve(name, git, cx),
        InputSpec::Oci(image) => oci::resolve(name, image, cx),
        InputSpec::Pypi(pypi) => Ok(pypi::resolve(name, pypi, cx)?),
        _ => Err(unavailable(name, spec)),
    }
}

/// The parts that a file of the source pins, for an input that has one. All of them are in the store then.
pub fn pinned_input(name: &str, spec: &InputSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<Part>, FetchError> {
    Ok(match spec {
        InputSpec::Pypi(pypi) => pypi::pins(name, pypi, source, cx)?,
        InputSpec::Npm(npm) => npm::pins(name, npm, source, cx)?,
        InputSpec::Go(go) => go::pins(name, go, source, cx)?,
        _ => return Err(unavailable(name, spec)),
    })
}

/// The same for an input whose files are in the store, without asking anybody: `claimed` is what somebody says that they
/// are. What of it answers no pin is left out, and a pin that none of it answers is an error where the store does not know
/// better.
pub fn pinned_again(
    name: &str,
    spec: &InputSpec,
    source: &Tree,
    claimed: &[Part],
    cx: &Context<'_>,
) -> Result<Vec<Part>, FetchError> {
    let cx = &Context { offline: true, ..*cx };
    pins_among(name, spec, source, Claimed { parts: claimed, to_note: false }, cx)
}

/// The same where what is missing is asked for, and what answers a pin is known the next time: `claimed` came from where
/// anybody may write. What is claimed and damaged is as good as nothing.
pub fn pinned_among(
    name: &str,
    spec: &InputSpec,
    source: &Tree,
    claimed: &[Part],
    cx: &Context<'_>,
) -> Result<Vec<Part>, FetchError> {
    let offline = &Context { offline: true, ..*cx };
    match pins_among(name, spec, source, Claimed { parts: claimed, to_note: true }, offline) {
        Ok(parts) => Ok(parts),
        // What did answer is noted.
        Err(_) => pinned_input(name, spec, source, cx),
    }
}

fn pins_among(
    name: &str,
    spec: &InputSpec,
    source: &Tree,
    claimed: Claimed<'_>,
    cx: &Context<'_>,
) -> Result<Vec<Part>, FetchError> {
    Ok(match spec {
        InputSpec::Pypi(pypi) => pypi::pins_among(name, pypi, source, claimed, cx)?,
        InputSpec::Npm(npm) => npm::pins_among(name, npm, source, claimed, cx)?,
        InputSpec::Go(go) => go::pins_among(name, go, source, claimed, cx)?,
        _ => return Err(unavailable(name, spec)),
    })
}

/// What a file of the source pins for an input, in one digest: the same on every machine, and another one where other
/// files may be the answer. docs/store/shared.md has its text.
pub fn pins_key(name: &str, spec: &InputSpec, source: &Tree, cx: &Context<'_>) -> Result<Digest, FetchError> {
    let mut lines = match spec {
        InputSpec::Pypi(pypi) => pypi::lines(pypi, source, cx)?,
        InputSpec::Npm(npm) => npm::lines(npm, source, cx)?,
        InputSpec::Go(go) => go::lines(go, source, cx)?,
        _ => return Err(unavailable(name, spec)),
    };
    lines.sort_unstable();
    lines.dedup();
    Ok(Digest::of(format!("selfsame-pins v1\n{}\n{}\n", spec.kind(), lines.join("\n")).as_bytes()))
}

/// Brings those parts that the store lacks. Other bytes are refused. Of what a file of a source pins, a part of size 0 is one
/// whose size nobody knows.
pub fn fetch_input(name: &str, spec: &InputSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), FetchError> {
    if spec.pins().is_none() && missing(parts, cx)?.is_empty() {
        return Ok(());
    }
    match spec {
        InputSpec::Deb(deb) => deb::fetch(name, deb, parts, cx),
        InputSpec::File(file) => file::fetch(name, file, parts, cx),
        InputSpec::Git(git) => git::fetch(name, git, parts, cx),
        InputSpec::Oci(image) => oci::fetch(name, image, parts, cx),
        InputSpec::Pypi(pypi) => Ok(pypi::fetch(name, pypi, parts, cx)?),
        InputSpec::Npm(npm) => Ok(npm::fetch(name, npm, parts, cx)?),
        InputSpec::Go(go) => Ok(go::fetch(name, go, parts, cx)?),
    }
}

/// What actions see of an input, from parts that are in the store. Paths are from the place where it is mounted.
pub fn input_tree(name: &str, spec: &InputSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, FetchError> {
    match spec {
        InputSpec::Deb(deb) => deb::tree(deb, parts, cx),
        InputSpec::File(file) => file::tree(name, file, parts, cx),
        InputSpec::Git(_) => git::tree(name, parts, cx),
        InputSpec::Oci(_) => oci::tree(name, parts, cx),
        InputSpec::Pypi(pypi) => Ok(pypi::tree(pypi, parts, cx)?),
        InputSpec::Npm(npm) => Ok(npm::tree(npm, parts, cx)?),
        InputSpec::Go(go) => Ok(go::tree(go, parts, cx)?),
    }
}

/// What a toolchain of an input is, mounted at `/toolchain/NAME`: of Python packages the wheels unpacked, with programs in
/// `bin`; of others the same as [`input_tree`].
pub fn toolchain_tree(name: &str, spec: &InputSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, FetchError> {
    match spec {
        InputSpec::Pypi(pypi) => Ok(pypi::toolchain_tree(pypi, parts, cx)?),
        _ => input_tree(name, spec, parts, cx),
    }
}

/// The image that an input is, without its files; nothing for a root file system that was never one.
pub fn input_image(
    name: &str,
    spec: &InputSpec,
    parts: &[Part],
    cx: &Context<'_>,
) -> Result<Option<oci::OciImage>, FetchError> {
    match spec {
        InputSpec::Oci(image) => oci::image(name, image, parts, cx).map(Some),
        _ => Ok(None),
    }
}

/// The packages that an input holds.
pub fn describe_input(
    name: &str,
    spec: &InputSpec,
    parts: &[Part],
    cx: &Context<'_>,
) -> Result<Vec<Described>, FetchError> {
    match spec {
        InputSpec::Deb(_) => deb::describe(parts, cx),
        InputSpec::File(file) => file::describe(name, file, parts),
        InputSpec::Git(_) => git::describe(name, parts),
        InputSpec::Oci(_) => oci::describe(name, parts, cx),
        InputSpec::Pypi(pypi) => Ok(pypi::describe(pypi, parts, cx)?),
        InputSpec::Npm(npm) => Ok(npm::describe(npm, parts, cx)?),
        InputSpec::Go(go) => Ok(go::describe(go, parts, cx)?),
    }
}

/// The parts that are not in the store.
pub(crate) fn missing<'a>(parts: &'a [Part], cx: &Context<'_>) -> Result<Vec<&'a Part>, FetchError> {
    let mut missing = Vec::new();
    for part in parts {
        if cx.store.blob_size(&part.sha256)? != Some(part.size) {
            missing.push(part);
        }
    }
    Ok(missing)
}

fn unavailable(name: &str, spec: &InputSpec) -> FetchError {
    FetchError::Unavailable { input: name.to_owned(), kind: spec.kind() }
}
