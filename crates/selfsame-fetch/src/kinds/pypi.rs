//! `pypi = "requirements.txt"` or `["flask==3.1.3"]`: wheels and source archives of a Python package index.
//!
//! A file of the source pins every version by its hashes, or the lock does. Of the files that are pinned the best fitting
//! one is taken, as pip would: a wheel for this Python and machine, else the source archive. Nothing of a package runs
//! here: wheels are unpacked where they are a toolchain, source archives are only carried.

mod choice;
mod describe;
mod index;
mod layout;

use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, RelPath};
use selfsame_definition::{PypiFrom, PypiSpec};
use selfsame_lock::{Part, Purl};
use selfsame_pins::marker::Target;
use selfsame_pins::pypi::{Formats, Pin, Requirements, UvLock, normal_name};
use selfsame_pins::wheel::FileName;
use selfsame_tree::{Entry, Tree};

use crate::context::{Context, Described};
use crate::kinds::pinned::{self, Claimed, PackagesError};
use crate::obtainable::{self, Obtainable};
use crate::resolve::FetchError;

use choice::{Choice, Chosen};
use index::Index;

/// Includes of requirements files within one another, and all of them together.
const LIMIT_DEPTH: usize = 8;
const LIMIT_INCLUDES: usize = 64;

/// Chooses the files of a list, one for each distribution: exactly those, without what they depend on. Where there are
/// several platforms, what is not the same file for all of them is a part for one.
pub(crate) fn resolve(name: &str, spec: &PypiSpec, cx: &Context<'_>) -> Result<Vec<Part>, PackagesError> {
    let PypiFrom::Packages(packages) = &spec.from else { return Ok(Vec::new()) };
    if cx.offline {
        return Err(PackagesError::Offline { packages: packages.clone() });
    }
    let index = Index::of(cx)?;
    let platforms = if cx.platforms.is_empty() { std::slice::from_ref(cx.platform) } else { cx.platforms };
    let mut chosen: BTreeMap<Part, Vec<&Platform>> = BTreeMap::new();
    for platform in platforms {
        let choice = Choice { target: Target::new(spec.python.as_deref(), platform)?, platform, formats: None };
        cx.progress.expect(name, packages.len() as u64, None);
        let parts = pinned::concurrently(packages, |package| {
            let (distribution, version) =
                Requirements::exact(package).map_err(|fault| PackagesError::package(package, fault))?;
            let part = part(&choice.unpinned(&index, &distribution, &version, cx)?)?;
            cx.progress.came(name, part.purl.as_str(), part.size);
            Ok(part)
        })?;
        for part in parts {
            chosen.entry(part).or_default().push(platform);
        }
    }
    let mut parts = Vec::new();
    for (part, of) in chosen {
        if of.len() == platforms.len() {
            parts.push(part);
        } else {
            parts.extend(of.into_iter().map(|of| Part { platform: Some(of.clone()), ..part.clone() }));
        }
    }
    parts.sort_unstable();
    Ok(parts)
}

/// The files that a file of the source pins. All of them are in the store then.
pub(crate) fn pins(name: &str, spec: &PypiSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<Part>, PackagesError> {
    pins_among(name, spec, source, Claimed::NOTHING, cx)
}

/// The same, where parts that are in the store already may answer it: whoever chose them among the pinned files chose.
pub(crate) fn pins_among(
    name: &str,
    spec: &PypiSpec,
    source: &Tree,
    claimed: Claimed<'_>,
    cx: &Context<'_>,
) -> Result<Vec<Part>, PackagesError> {
    let PypiFrom::Pins(path) = &spec.from else { return Ok(Vec::new()) };
    let target = Target::new(spec.python.as_deref(), cx.platform)?;
    let (pins, formats) = read_pins(source, path, &target, cx)?;
    let choice = Choice { target, platform: cx.platform, formats: Some(formats) };
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    for pin in &pins {
        let answers = |part: &&Part| pin.sha256.contains(&part.sha256) && is_of(part, pin);
        if !claimed.to_note {
            if let Some(known) = claimed.parts.iter().find(answers) {
                parts.push(known.clone());
                continue;
            }
        } else if choice.recalled(pin, cx.store)?.is_none() {
            // Of what fits only: which of a pin's files is taken is chosen here, where nobody signed for it.
            let fitting = claimed.parts.iter().filter(answers).filter_map(|part| Some((part, file_of(part).ok()?)));
            if let Some((known, file)) = fitting.into_iter().find(|(_, file)| choice.takes(file, &pin.name)) {
                choice.note(pin, (known.sha256, known.size), &file, cx.store)?;
            }
        }
        match choice.recalled(pin, cx.store)? {
            Some(known) => parts.push(part(&known)?),
            None => missing.push(pin),
        }
    }
    if !missing.is_empty() {
        if cx.offline {
            let packages = missing.iter().map(|pin| format!("{}=={}", pin.name, pin.version)).collect();
            return Err(PackagesError::Offline { packages });
        }
        let index = Index::of(cx)?;
        cx.progress.expect(name, missing.len() as u64, None);
        parts.extend(pinned::concurrently(&missing, |pin| {
            let part = part(&choice.pinned(&index, pin, cx)?)?;
            cx.progress.came(name, part.purl.as_str(), part.size);
            Ok(part)
        })?);
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

/// What the file in the source pins, and for whom files are chosen, a line each.
pub(crate) fn lines(spec: &PypiSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<String>, PackagesError> {
    let PypiFrom::Pins(path) = &spec.from else { return Ok(Vec::new()) };
    let target = Target::new(spec.python.as_deref(), cx.platform)?;
    let (pins, formats) = read_pins(source, path, &target, cx)?;
    let mut lines = vec![format!("python {} on {}", spec.python.as_deref().unwrap_or("any"), cx.platform)];
    for (word, formats) in ["no-binary", "only-binary"].iter().zip(&formats) {
        lines.extend(formats.all.then(|| format!("{word} :all:")));
        lines.extend(formats.names.iter().map(|name| format!("{word} {name}")));
    }
    for pin in &pins {
        let hashes: Vec<String> = pin.sha256.iter().map(Digest::to_string).collect();
        lines.push(format!("{}=={} {}", pin.name, pin.version, hashes.join(" ")));
    }
    Ok(lines)
}

/// Brings those files that the store lacks. Other bytes are refused.
pub(crate) fn fetch(name: &str, _spec: &PypiSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), PackagesError> {
    let missing = pinned::missing(parts, cx)?;
    if missing.is_empty() {
        return Ok(());
    }
    let index = Index::of(cx)?;
    pinned::bring(name, &missing, cx, |part| {
        index.bring(&file_of(part)?, part, cx)?;
        Ok(())
    })
}

/// Asks the indexes for each file, by its name and by the hash that they have of it.
pub(crate) fn ask(parts: &[&Part], cx: &Context<'_>) -> Result<Vec<Obtainable>, FetchError> {
    let index = Index::of(cx)?;
    obtainable::each(parts, |part| Ok(index.ask(&file_of(part)?, part)?))
}

/// What actions see: the files side by side, as `pip install --no-index --find-links` takes them.
pub(crate) fn tree(_spec: &PypiSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, PackagesError> {
    let entries = here(parts, cx).map(|part| {
        let path = RelPath::new(file_of(part)?)
            .map_err(|error| PackagesError::package(part.purl.as_str(), error.to_string()))?;
        Ok((path, Entry::file(part.sha256, part.size, false)))
    });
    Ok(Tree::from_entries(entries.collect::<Result<Vec<_>, PackagesError>>()?)?)
}

/// What a toolchain is: the wheels unpacked into one another, with what they can run in `bin`.
pub(crate) fn toolchain_tree(_spec: &PypiSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, PackagesError> {
    let files = here(parts, cx).map(|part| Ok((file_of(part)?, part.sha256, part.size)));
    layout::unpacked(&files.collect::<Result<Vec<(String, Digest, u64)>, PackagesError>>()?, cx.store)
}

/// The packages, by what they say about themselves.
pub(crate) fn describe(spec: &PypiSpec, parts: &[Part], cx: &Context<'_>) -> Result<Vec<Described>, PackagesError> {
    let target = Target::new(spec.python.as_deref(), cx.platform)?;
    let parts: Vec<(String, &Part)> =
        here(parts, cx).map(|part| Ok((file_of(part)?, part))).collect::<Result<_, PackagesError>>()?;
    describe::all(&parts, &target, cx.store)
}

/// The parts for the platform that is meant.
fn here<'a>(parts: &'a [Part], cx: &Context<'a>) -> impl Iterator<Item = &'a Part> {
    let platform = cx.platform;
    parts.iter().filter(move |part| part.platform.as_ref().is_none_or(|of| of == platform))
}

/// `pkg:pypi/flask@3.1.3?file_name=flask-3.1.3-py3-none-any.whl`: the name of the file is needed to install it.
fn part(chosen: &Chosen) -> Result<Part, PackagesError> {
    let qualifiers = [("file_name", chosen.file.as_str())];
    let purl = Purl::new("pypi", None, &chosen.name, Some(&chosen.version), &qualifiers)?;
    Ok(Part::new(purl, chosen.sha256, chosen.size, chosen.claim))
}

/// The name of a part's file, which is that of a distribution of the package that its purl names.
fn file_of(part: &Part) -> Result<String, PackagesError> {
    let purl = part.purl.as_str();
    let found = pinned::qualifier(purl, "file_name").filter(|file| {
        let named = pinned::purl_parts(purl).zip(FileName::parse(file));
        named.is_some_and(|((name, version), file)| {
            purl.starts_with("pkg:pypi/")
                && file.name == normal_name(&name)
                && version.parse().is_ok_and(|version: selfsame_pins::version::Version| version == file.version)
        })
    });
    found.ok_or_else(|| PackagesError::Name { purl: purl.to_owned(), what: "file of a Python package" })
}

/// Whether a part is a file of the version that is pinned.
fn is_of(part: &Part, pin: &Pin) -> bool {
    let file = file_of(part).ok().and_then(|file| FileName::parse(&file));
    file.is_some_and(|file| file.name == pin.name && file.version == pin.version)
}

/// The pins of a `uv.lock`, or of a requirements file with those that it includes.
fn read_pins(
    source: &Tree,
    path: &RelPath,
    target: &Target,
    cx: &Context<'_>,
) -> Result<(Vec<Pin>, [Formats; 2]), PackagesError> {
    let refused = |source| PackagesError::Pins { path: path.clone(), source };
    if path.file_name() == "uv.lock" || path.file_name().ends_with(".lock") {
        let text = pinned::source_text(source, path, cx.store)?;
        let pins = UvLock::parse(&text).and_then(|lock| lock.pins(target)).map_err(refused)?;
        return Ok((pins, Default::default()));
    }
    let (mut pins, mut formats): (Vec<Pin>, [Formats; 2]) = Default::default();
    let mut queue = vec![(path.clone(), 0)];
    let mut seen = 0;
    while let Some((path, depth)) = queue.pop() {
        let fault = |fault: String| PackagesError::Source { path: path.clone(), fault };
        seen += 1;
        if seen > LIMIT_INCLUDES || depth > LIMIT_DEPTH {
            return Err(fault(format!("is one of more than {LIMIT_INCLUDES} files, or includes itself")));
        }
        let text = pinned::source_text(source, &path, cx.store)?;
        let file = Requirements::parse(&text).map_err(|source| PackagesError::Pins { path: path.clone(), source })?;
        for include in &file.includes {
            let included = beside(&path, &include.path);
            let included = included.ok_or_else(|| {
                fault(format!(
                    "includes `{}` in line {}, which is no file of the source",
                    include.path.escape_debug(),
                    include.line
                ))
            })?;
            queue.push((included, depth + 1));
        }
        for (all, more) in formats.iter_mut().zip([&file.no_binary, &file.only_binary]) {
            all.all |= more.all;
            all.names.extend(more.names.iter().cloned());
        }
        for pin in file.pins(target, path.as_str()) {
            match pins.iter_mut().find(|known| (&known.name, &known.version) == (&pin.name, &pin.version)) {
                Some(known) => known.sha256.extend(&pin.sha256),
                None => pins.push(pin),
            }
        }
    }
    Ok((pins, formats))
}

/// A path as an including file writes it: relative to that file, within the source.
fn beside(path: &RelPath, include: &str) -> Option<RelPath> {
    let include = include.trim_matches(['"', '\'']);
    if include.starts_with('/') || include.contains("://") {
        return None;
    }
    let folder = path.parent().unwrap_or(RelPath::root());
    let mut parts: Vec<&str> = folder.components().collect();
    for part in include.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    RelPath::new(parts.join("/")).ok().filter(|path| !path.is_root())
}

#[cfg(test)]
mod tests;
