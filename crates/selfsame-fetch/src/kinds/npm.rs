//! `npm = "package-lock.json"`: the tarballs that it pins by SHA-512, as a cache that `npm ci --offline` takes.
//!
//! Where they come from is npm's own configuration of this machine; the addresses in the lock are not used.

mod cache;
mod registry;

use std::collections::BTreeMap;

use selfsame_core::{Digest, Digests};
use selfsame_definition::NpmSpec;
use selfsame_lock::{Claim, Part, Purl};
use selfsame_pins::npm::{Integrity, LockedPackage, PackageJson, PackageLock, is_name};
use selfsame_store::Store;
use selfsame_tree::Tree;

use crate::context::{Context, Described};
use crate::kinds::pinned::{self, Claimed, PackagesError, tarball};
use crate::obtainable::Obtainable;
use crate::resolve::FetchError;
use crate::{memo, obtainable, parallel};

use registry::Registry;

/// Changing the layout changes this number.
const LAYOUT: u32 = 2;

/// The tarballs that the lock in the source pins. All of them are in the store then.
pub(crate) fn pins(name: &str, spec: &NpmSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<Part>, PackagesError> {
    pins_among(name, spec, source, Claimed::NOTHING, cx)
}

/// The same, where parts that are in the store already may answer it.
pub(crate) fn pins_among(
    name: &str,
    spec: &NpmSpec,
    source: &Tree,
    claimed: Claimed<'_>,
    cx: &Context<'_>,
) -> Result<Vec<Part>, PackagesError> {
    let known = parallel::try_map(claimed.parts, |part| {
        let integrity = Integrity::of(&digests(part, cx.store)?.sha512);
        Ok::<_, PackagesError>((integrity.to_string(), (part.sha256, part.size)))
    })?;
    let known: BTreeMap<String, (Digest, u64)> = known.into_iter().collect();
    let text = pinned::source_text(source, &spec.lock, cx.store)?;
    let lock = PackageLock::parse(text.as_bytes(), cx.platform);
    let lock = lock.map_err(|source| PackagesError::Pins { path: spec.lock.clone(), source })?;
    let mut parts = Vec::with_capacity(lock.packages.len());
    let mut missing = Vec::new();
    for package in &lock.packages {
        let found = match known.get(&package.integrity.to_string()) {
            Some(found) => {
                if claimed.to_note {
                    let label = format!("{}@{}", package.name, package.version);
                    pinned::note(cx.store, &key(&package.integrity), *found, &label)?;
                }
                Some(*found)
            }
            None => pinned::recall(cx.store, &key(&package.integrity))?.map(|(sha256, size, _)| (sha256, size)),
        };
        match found {
            Some((sha256, size)) => parts.push(part(package, sha256, size)?),
            None => missing.push(package),
        }
    }
    if !missing.is_empty() {
        if cx.offline {
            let packages = missing.iter().map(|package| format!("{}@{}", package.name, package.version)).collect();
            return Err(PackagesError::Offline { packages });
        }
        let registry = Registry::of(cx)?;
        cx.progress.expect(name, missing.len() as u64, None);
        parts.extend(pinned::concurrently(&missing, |package| {
            let (found, place) = registry.bring(&package.name, &package.version, &package.file, None, cx)?;
            let integrity = Integrity::of(&found.sha512);
            if integrity != package.integrity {
                return Err(PackagesError::Mismatch {
                    package: format!("{}@{}", package.name, package.version),
                    by: spec.lock.to_string(),
                    expected: package.integrity.to_string(),
                    found: integrity.to_string(),
                    place,
                });
            }
            let label = format!("{}@{}", package.name, package.version);
            pinned::note(cx.store, &key(&package.integrity), (found.sha256, found.size), &label)?;
            let part = part(package, found.sha256, found.size)?;
            cx.progress.came(name, part.purl.as_str(), part.size);
            Ok(part)
        })?);
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

/// What the lock in the source pins, a line each.
pub(crate) fn lines(spec: &NpmSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<String>, PackagesError> {
    let text = pinned::source_text(source, &spec.lock, cx.store)?;
    let lock = PackageLock::parse(text.as_bytes(), cx.platform);
    let lock = lock.map_err(|source| PackagesError::Pins { path: spec.lock.clone(), source })?;
    let line = |package: &LockedPackage| format!("{}@{} {}", package.name, package.version, package.integrity);
    Ok(lock.packages.iter().map(line).collect())
}

/// Brings those tarballs that the store lacks. Other bytes are refused.
pub(crate) fn fetch(name: &str, _spec: &NpmSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), PackagesError> {
    let missing = pinned::missing(parts, cx)?;
    if missing.is_empty() {
        return Ok(());
    }
    let registry = Registry::of(cx)?;
    pinned::bring(name, &missing, cx, |part| {
        let (package, version) = named(part)?;
        let file = format!("{}-{version}.tgz", package.rsplit('/').next().unwrap_or(&package));
        let (found, place) = registry.bring(&package, &version, &file, pinned::expected(part), cx)?;
        pinned::is_what_was_meant(part, found.sha256, &place)
    })
}

/// Asks the registries for each tarball.
pub(crate) fn ask(parts: &[&Part], cx: &Context<'_>) -> Result<Vec<Obtainable>, FetchError> {
    let registry = Registry::of(cx)?;
    obtainable::each(parts, |part| {
        let (package, version) = named(part)?;
        let file = format!("{}-{version}.tgz", package.rsplit('/').next().unwrap_or(&package));
        Ok(registry.ask(&package, &version, &file, part)?)
    })
}

/// What actions see: a cache of npm's. Each tarball lies under its SHA-512, where npm looks before it asks anybody.
pub(crate) fn tree(_spec: &NpmSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, PackagesError> {
    let mut text = format!("selfsame-npm-cache v{LAYOUT}\n");
    for part in parts {
        text.push_str(&format!("{}\n", part.sha256));
    }
    let key = Digest::of(text.as_bytes());
    if let Some(tree) = memo::recall(cx.store, &key)? {
        return Ok(tree);
    }
    let packages = parallel::try_map(parts, |part| {
        let (name, version) = named(part)?;
        let integrity = Integrity::of(&digests(part, cx.store)?.sha512);
        let manifest = serde_json::from_slice(&manifest(part, cx.store)?).unwrap_or_default();
        Ok::<_, PackagesError>(cache::Packed {
            name,
            version,
            sha256: part.sha256,
            size: part.size,
            integrity,
            manifest,
        })
    })?;
    let tree = Tree::from_entries(cache::entries(&packages, cx.store)?)?;
    memo::note(cx.store, &key, &tree)?;
    Ok(tree)
}

/// The packages, by what they say about themselves.
pub(crate) fn describe(_spec: &NpmSpec, parts: &[Part], cx: &Context<'_>) -> Result<Vec<Described>, PackagesError> {
    let read = parallel::try_map(parts, |part| {
        let parsed = PackageJson::parse(&manifest(part, cx.store)?);
        parsed.map_err(|error| PackagesError::package(part.purl.as_str(), error.to_string()))
    })?;
    let mut purls: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for part in parts {
        purls.entry(named(part)?.0).or_default().push(part.purl.as_str());
    }
    let described = read.into_iter().zip(parts).map(|(manifest, part)| {
        let (name, version) = named(part)?;
        let depends_on = manifest.dependencies.iter().filter_map(|name| purls.get(name)).flatten();
        Ok(Described {
            purl: part.purl.to_string(),
            name,
            version,
            licenses: manifest.licenses,
            supplier: manifest.supplier,
            files: Vec::new(),
            depends_on: depends_on.filter(|purl| **purl != part.purl.as_str()).map(|purl| (*purl).to_owned()).collect(),
        })
    });
    described.collect()
}

/// Which file answers an integrity. Changing what is noted changes this text.
fn key(integrity: &Integrity) -> Digest {
    Digest::of(format!("selfsame-npm-tarball v1\n{integrity}\n").as_bytes())
}

/// `pkg:npm/%40babel/core@7.29.0`. Package URLs know small letters only, and npm has names with capitals: those stand in
/// a qualifier.
fn part(package: &LockedPackage, sha256: Digest, size: u64) -> Result<Part, PackagesError> {
    let (namespace, name) = match package.name.split_once('/') {
        Some((scope, name)) => (Some(scope), name),
        None => (None, package.name.as_str()),
    };
    let capitals = package.name.bytes().any(|byte| byte.is_ascii_uppercase());
    let qualifiers: &[(&str, &str)] = if capitals { &[("name", package.name.as_str())] } else { &[] };
    let purl = Purl::new("npm", namespace, name, Some(&package.version), qualifiers)?;
    Ok(Part::new(purl, sha256, size, Claim::EcosystemLock))
}

/// Name and version that a part is called by.
fn named(part: &Part) -> Result<(String, String), PackagesError> {
    let purl = part.purl.as_str();
    let found = pinned::purl_parts(purl).filter(|_| purl.starts_with("pkg:npm/")).map(|(name, version)| {
        let exact = pinned::qualifier(purl, "name").filter(|exact| exact.eq_ignore_ascii_case(&name));
        (exact.unwrap_or(name), version)
    });
    let proper = |version: &str| !version.is_empty() && !version.contains(['/', '?', '#', '%', ' ']);
    found
        .filter(|(name, version)| is_name(name) && proper(version))
        .ok_or_else(|| PackagesError::Name { purl: purl.to_owned(), what: "package of npm" })
}

fn digests(part: &Part, store: &Store) -> Result<Digests, PackagesError> {
    let blob = store.open_blob(&part.sha256)?;
    Digests::of_reader(blob)
        .map_err(|error| PackagesError::package(part.purl.as_str(), format!("cannot be read: {error}")))
}

/// `package/package.json` of a tarball; the folder may have another name.
fn manifest(part: &Part, store: &Store) -> Result<Vec<u8>, PackagesError> {
    let fault = |fault: String| PackagesError::package(part.purl.as_str(), fault);
    let found = tarball::file_of(store.open_blob(&part.sha256)?, part.size, "package.json").map_err(fault)?;
    let bytes = found.ok_or_else(|| fault("has no package.json".to_owned()))?;
    Ok(bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes))
}

#[cfg(test)]
mod tests;
