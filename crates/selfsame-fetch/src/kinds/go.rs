//! `go = "go.sum"`: the modules that it pins, as a folder that go takes for a proxy.
//!
//! Where they come from is go's own `GOPROXY` of this machine, or `[origin.go]`. Repositories are not asked (`direct`):
//! what a version control system gives has no bytes that a hash of a file could pin.

mod proxy;

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, Hasher, RelPath};
use selfsame_definition::GoSpec;
use selfsame_lock::{Claim, Part, Purl};
use selfsame_pins::go::{DirHash, GoMod, GoSum, Module};
use selfsame_pins::zip::{Archive, Limits};
use selfsame_store::Store;
use selfsame_tree::{Entry, Tree};

use crate::context::{Context, Described};
use crate::kinds::pinned::{self, BlobFile, Claimed, PackagesError};
use crate::obtainable::Obtainable;
use crate::resolve::FetchError;
use crate::{obtainable, parallel};

use proxy::Proxies;

const MOD_BYTES: u64 = 16 << 20;
/// The two files that go.sum has hashes of.
const ZIP: &str = "zip";
const MOD: &str = "mod";

/// A line of go.sum: a module's zip or its go.mod, and the hash.
type Wanted<'a> = (&'a Module, &'static str, &'a DirHash);

/// The files that the go.sum in the source pins. All of them are in the store then.
pub(crate) fn pins(name: &str, spec: &GoSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<Part>, PackagesError> {
    pins_among(name, spec, source, Claimed::NOTHING, cx)
}

/// The same, where parts that are in the store already may answer it.
pub(crate) fn pins_among(
    name: &str,
    spec: &GoSpec,
    source: &Tree,
    claimed: Claimed<'_>,
    cx: &Context<'_>,
) -> Result<Vec<Part>, PackagesError> {
    let known = parallel::try_map(claimed.parts, |part| {
        let (module, role) = named(part)?;
        let hash = file_hash(&module, role, &part.sha256, part.size, cx.store)?;
        Ok::<_, PackagesError>((key((&module, role, &hash)), (part.sha256, part.size)))
    })?;
    let known: BTreeMap<Digest, (Digest, u64)> = known.into_iter().collect();
    let text = pinned::source_text(source, &spec.sum, cx.store)?;
    let sum = GoSum::parse(&text).map_err(|source| PackagesError::Pins { path: spec.sum.clone(), source })?;
    let zips = sum.zips.iter().map(|(module, hash)| (module, ZIP, hash));
    let wanted: Vec<Wanted<'_>> = zips.chain(sum.mods.iter().map(|(module, hash)| (module, MOD, hash))).collect();
    let mut parts = Vec::with_capacity(wanted.len());
    let mut missing = Vec::new();
    for wanted in wanted {
        let key = key(wanted);
        let found = match known.get(&key) {
            Some(found) => {
                if claimed.to_note {
                    pinned::note(cx.store, &key, *found, &wanted.0.to_string())?;
                }
                Some(*found)
            }
            None => pinned::recall(cx.store, &key)?.map(|(sha256, size, _)| (sha256, size)),
        };
        match found {
            Some((sha256, size)) => parts.push(part(wanted.0, wanted.1, sha256, size)?),
            None => missing.push(wanted),
        }
    }
    if !missing.is_empty() {
        if cx.offline {
            let packages: BTreeSet<String> = missing.iter().map(|(module, ..)| module.to_string()).collect();
            return Err(PackagesError::Offline { packages: packages.into_iter().collect() });
        }
        let proxies = Proxies::of(cx)?;
        cx.progress.expect(name, missing.len() as u64, None);
        parts.extend(pinned::concurrently(&missing, |&(module, role, hash)| {
            let (sha256, size, place) = proxies.bring(module, role, None, cx)?;
            let found = file_hash(module, role, &sha256, size, cx.store)?;
            if found != *hash {
                return Err(PackagesError::Mismatch {
                    package: format!("{} of {module}", if role == ZIP { "the files" } else { "go.mod" }),
                    by: spec.sum.to_string(),
                    expected: hash.to_string(),
                    found: found.to_string(),
                    place,
                });
            }
            pinned::note(cx.store, &key((module, role, hash)), (sha256, size), &module.to_string())?;
            let part = part(module, role, sha256, size)?;
            cx.progress.came(name, part.purl.as_str(), part.size);
            Ok(part)
        })?);
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

/// What the go.sum in the source pins, a line each.
pub(crate) fn lines(spec: &GoSpec, source: &Tree, cx: &Context<'_>) -> Result<Vec<String>, PackagesError> {
    let text = pinned::source_text(source, &spec.sum, cx.store)?;
    let sum = GoSum::parse(&text).map_err(|source| PackagesError::Pins { path: spec.sum.clone(), source })?;
    let zips = sum.zips.iter().map(|(module, hash)| format!("{module} {ZIP} {hash}"));
    Ok(zips.chain(sum.mods.iter().map(|(module, hash)| format!("{module} {MOD} {hash}"))).collect())
}

/// Brings those files that the store lacks. Other bytes are refused.
pub(crate) fn fetch(name: &str, _spec: &GoSpec, parts: &[Part], cx: &Context<'_>) -> Result<(), PackagesError> {
    let missing = pinned::missing(parts, cx)?;
    if missing.is_empty() {
        return Ok(());
    }
    let proxies = Proxies::of(cx)?;
    pinned::bring(name, &missing, cx, |part| {
        let (module, role) = named(part)?;
        let (found, _, place) = proxies.bring(&module, role, pinned::expected(part), cx)?;
        pinned::is_what_was_meant(part, found, &place)
    })
}

/// Asks the proxies for each file.
pub(crate) fn ask(parts: &[&Part], cx: &Context<'_>) -> Result<Vec<Obtainable>, FetchError> {
    let proxies = Proxies::of(cx)?;
    obtainable::each(parts, |part| {
        let (module, role) = named(part)?;
        Ok(proxies.ask(&module, role, part, cx)?)
    })
}

/// What actions see: `MODULE/@v/VERSION.zip`, `.mod` and `.info`. The last is made here: go.sum has no hash of it, and go
/// reads the version in it and no more.
pub(crate) fn tree(_spec: &GoSpec, parts: &[Part], cx: &Context<'_>) -> Result<Tree, PackagesError> {
    let mut entries: BTreeMap<RelPath, Entry> = BTreeMap::new();
    for part in parts {
        let (module, role) = named(part)?;
        let place = |suffix: &str| {
            RelPath::new(module.place(suffix))
                .map_err(|error| PackagesError::package(part.purl.as_str(), error.to_string()))
        };
        entries.insert(place(&format!(".{role}"))?, Entry::file(part.sha256, part.size, false));
        let info = format!("{{\"Version\":\"{}\"}}", module.version);
        let digest = cx.store.put_bytes(info.as_bytes(), false)?;
        entries.insert(place(".info")?, Entry::file(digest, info.len() as u64, false));
    }
    Ok(Tree::from_entries(entries)?)
}

/// The modules whose files are here, by what their go.mod and their licence files say.
pub(crate) fn describe(_spec: &GoSpec, parts: &[Part], cx: &Context<'_>) -> Result<Vec<Described>, PackagesError> {
    let mut by_path: BTreeMap<String, BTreeMap<Module, &Part>> = BTreeMap::new();
    for part in parts {
        let (module, role) = named(part)?;
        if role == ZIP {
            by_path.entry(module.path.clone()).or_default().insert(module, part);
        }
    }
    let modules: Vec<(&Module, &Part)> = by_path.values().flatten().map(|(module, part)| (module, *part)).collect();
    let requires = parallel::try_map(&modules, |(module, part)| requires(module, part, cx.store))?;
    let described = modules.iter().zip(requires).map(|((module, part), requires)| {
        // Go takes one version of each path, the highest that is asked for: the one whose files are pinned here.
        let depends_on = requires.iter().filter_map(|needed| by_path.get(&needed.path)).flat_map(BTreeMap::values);
        let depends_on: BTreeSet<String> = depends_on.map(|part| part.purl.to_string()).collect();
        let place = RelPath::new(module.place(".zip")).into_iter();
        Described {
            purl: part.purl.to_string(),
            name: module.path.clone(),
            version: module.version.clone(),
            licenses: Vec::new(),
            supplier: None,
            files: place.collect(),
            depends_on: depends_on.into_iter().filter(|purl| purl != part.purl.as_str()).collect(),
        }
    });
    Ok(described.collect())
}

fn requires(module: &Module, part: &Part, store: &Store) -> Result<BTreeSet<Module>, PackagesError> {
    let fault = |fault: String| PackagesError::package(&module.to_string(), fault);
    let blob = BlobFile::open(store, &part.sha256, part.size)?;
    let archive = Archive::open(&blob, Limits::PACKAGE).map_err(|error| fault(error.to_string()))?;
    // Old modules have no go.mod of their own.
    let Some(member) = archive.member(&format!("{module}/go.mod")) else { return Ok(BTreeSet::new()) };
    let bytes = archive.read_whole(member, MOD_BYTES).map_err(|error| fault(error.to_string()))?;
    let read = GoMod::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| fault(error.to_string()))?;
    Ok(read.requires)
}

/// Which file answers a line of go.sum. Changing what is noted changes this text.
fn key((module, role, hash): Wanted<'_>) -> Digest {
    Digest::of(format!("selfsame-go-module v1\n{module}\n{role}\n{hash}\n").as_bytes())
}

/// `pkg:golang/github.com/burntsushi/toml@v1.0.0?type=module`: package URLs know small letters only, and go knows both, so
/// a path with capitals stands in a qualifier.
fn part(module: &Module, role: &str, sha256: Digest, size: u64) -> Result<Part, PackagesError> {
    let (namespace, name) = match module.path.rsplit_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, module.path.as_str()),
    };
    let capitals = module.path.bytes().any(|byte| byte.is_ascii_uppercase());
    let qualifiers: &[(&str, &str)] = if capitals { &[("name", module.path.as_str())] } else { &[] };
    let purl = Purl::new("golang", namespace, name, Some(&module.version), qualifiers)?;
    let mut part = Part::new(purl, sha256, size, Claim::EcosystemLock);
    part.role = Some(role.to_owned());
    Ok(part)
}

/// The module that a part is called by, and which of its files it is.
fn named(part: &Part) -> Result<(Module, &'static str), PackagesError> {
    let purl = part.purl.as_str();
    let role = match part.role.as_deref() {
        Some(ZIP) => Some(ZIP),
        Some(MOD) => Some(MOD),
        _ => None,
    };
    let module = pinned::purl_parts(purl).filter(|_| purl.starts_with("pkg:golang/")).and_then(|(path, version)| {
        let exact = pinned::qualifier(purl, "name").filter(|exact| exact.eq_ignore_ascii_case(&path));
        Module::new(&exact.unwrap_or(path), &version)
    });
    module.zip(role).ok_or_else(|| PackagesError::Name { purl: purl.to_owned(), what: "file of a module of go" })
}

/// What go.sum says of a file of a module.
fn file_hash(module: &Module, role: &str, sha256: &Digest, size: u64, store: &Store) -> Result<DirHash, PackagesError> {
    match role {
        ZIP => zip_hash(module, sha256, size, store),
        _ => Ok(DirHash::of_go_mod(&store.read_blob(sha256, MOD_BYTES)?)),
    }
}

/// The `h1:` hash of a module's zip: of its files' names with their SHA-256.
fn zip_hash(module: &Module, sha256: &Digest, size: u64, store: &Store) -> Result<DirHash, PackagesError> {
    let fault = |fault: String| PackagesError::package(&module.to_string(), fault);
    let blob = BlobFile::open(store, sha256, size)?;
    let archive = Archive::open(&blob, Limits::PACKAGE).map_err(|error| fault(error.to_string()))?;
    // So has every zip of a module (go.dev/ref/mod, "Module zip files"): go would refuse another one, and late.
    let prefix = format!("{module}/");
    if let Some(member) = archive.members().iter().find(|member| !member.name.starts_with(&prefix)) {
        return Err(fault(format!("has `{}`, which is not below `{prefix}`", member.name.escape_debug())));
    }
    let files = archive.members().iter().map(|member| {
        let read = Hasher::of_reader(archive.read(member));
        let (digest, _) =
            read.map_err(|error| fault(format!("has `{}`, which cannot be read: {error}", member.name)))?;
        Ok((member.name.clone(), digest))
    });
    let files: BTreeMap<String, Digest> = files.collect::<Result<_, PackagesError>>()?;
    DirHash::of(&files).ok_or_else(|| fault("has a file with a line end in its name".to_owned()))
}

#[cfg(test)]
mod tests;
