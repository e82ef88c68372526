//! A root file system whose maintainer scripts are still to run: as dpkg leaves one that has unpacked every package, with
//! the order of what is to be done beside it. Nothing is run here.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_deb::relations;
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind, Names, Tree};

use super::describe::answer;
use super::error::DebInputError;
use super::normalise::{SCRIPT_BYTES, database, name_for_dpkg};
use super::root::Root;
use super::unpack::Unpacked;
use crate::resolve::FetchError;

/// What the action runs.
const NEEDED: [&str; 3] = ["usr/bin/dpkg", "usr/bin/rm", "bin/sh"];
/// Where the action looks for its order. A format constant of profile 1.
const ORDER: &str = "var/lib/selfsame";
/// Dpkg's own mark of a configuration file that is not in place yet.
const NEW: &str = ".dpkg-new";
/// These make what every other script of the first round may ask for.
const FIRST_OF_ALL: [&str; 2] = ["base-passwd", "base-files"];

pub(super) fn to_be_configured(mut root: Root, packages: &[Unpacked], store: &Store) -> Result<Tree, FetchError> {
    for needed in NEEDED {
        let path = path(needed);
        if root.find(&path).is_none() {
            return Err(DebInputError::NoConfigurer { path }.into());
        }
    }
    let mut new_files = Vec::new();
    for package in packages {
        new_files.push(configuration(package, &root, store)?);
    }
    let named = |at: usize| new_files[at].iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    database(&mut root, packages, &named, store)?;
    // Dpkg has no such file where nobody told it what else there is.
    root.entries.remove(&path("var/lib/dpkg/available"));
    let mut files = triggers(packages, store)?;
    let (first, rest) = rounds(packages);
    for (name, round) in [("first", first), ("rest", rest)] {
        let line = |at: &usize| {
            let control = &packages[*at].control;
            format!("{} {} {}\n", name_for_dpkg(&packages[*at]), control.package, control.architecture)
        };
        files.insert(format!("{ORDER}/{name}"), round.iter().map(line).collect());
    }
    for (place, text) in files {
        let digest = store.put_bytes(text.as_bytes(), false)?;
        root.add(&path(&place), Entry::file(digest, text.len() as u64, false));
    }
    let not_a_tree = |source| DebInputError::Tree { source };
    let mut names = Names::of(&Tree::from_entries(root.entries).map_err(not_a_tree)?);
    for (_, place) in new_files.iter().flatten() {
        if let Ok(new) = RelPath::new(format!("{place}{NEW}")) {
            names.rename(place, new);
        }
    }
    Ok(names.into_tree().map_err(not_a_tree)?)
}

/// The configuration files of a package that it has: as it names them, and where they are.
fn configuration(package: &Unpacked, root: &Root, store: &Store) -> Result<Vec<(String, RelPath)>, StoreError> {
    let Some(text) = text(package, "conffiles", store)? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for line in text.lines() {
        // `remove-on-upgrade /etc/x` is not in the package.
        let Some(path) = line.trim().strip_prefix('/').and_then(|path| RelPath::new(path).ok()) else { continue };
        let there = package.data.entry(path.as_str()).is_some_and(|entry| matches!(entry.kind, Kind::File { .. }));
        if let (true, Some(at)) = (there, root.links.follow(&path, false))
            && root.entries.contains_key(&at)
        {
            files.push((format!("/{path}"), at));
        }
    }
    Ok(files)
}

/// What dpkg notes of the triggers that packages are interested in: `triggers/File` for paths, a file for every name.
fn triggers(packages: &[Unpacked], store: &Store) -> Result<BTreeMap<String, String>, StoreError> {
    const FOLDER: &str = "var/lib/dpkg/triggers";
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for package in packages {
        let Some(text) = text(package, "triggers", store)? else { continue };
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let how = match directive {
                "interest" | "interest-await" => "",
                "interest-noawait" => "/noawait",
                _ => continue,
            };
            let name = name_for_dpkg(package);
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
            if trigger.starts_with('/') {
                *files.entry(format!("{FOLDER}/File")).or_default() += &format!("{trigger} {name}{how}\n");
            } else if trigger.chars().all(plain) && !trigger.starts_with('.') {
                *files.entry(format!("{FOLDER}/{trigger}")).or_default() += &format!("{name}{how}\n");
            }
        }
    }
    Ok(files)
}

/// Which packages are configured before any script of the others runs: the essential ones, those that others need to be
/// there before they are unpacked, and what all of these depend on. Then the others. Each by name.
fn rounds(packages: &[Unpacked]) -> (Vec<usize>, Vec<usize>) {
    let mut wanted: Vec<usize> = Vec::new();
    for (at, package) in packages.iter().enumerate() {
        if package.control.essential {
            wanted.push(at);
        }
        let before = package.control.stanza.get("Pre-Depends").and_then(relations).unwrap_or_default();
        wanted.extend(before.iter().filter_map(|group| answer(group, packages)));
    }
    let mut first = BTreeSet::new();
    while let Some(at) = wanted.pop() {
        if first.insert(at) {
            wanted.extend(packages[at].control.depends.iter().filter_map(|group| answer(group, packages)));
        }
    }
    let rest = (0..packages.len()).filter(|at| !first.contains(at)).collect();
    let mut first: Vec<usize> = first.into_iter().collect();
    let place = |at: &usize| {
        let name = packages[*at].control.package.as_str();
        FIRST_OF_ALL.iter().position(|one| *one == name).unwrap_or(FIRST_OF_ALL.len())
    };
    first.sort_by_key(place);
    (first, rest)
}

/// A file of the control member, as text.
fn text(package: &Unpacked, name: &str, store: &Store) -> Result<Option<String>, StoreError> {
    let Some(Entry { kind: Kind::File { digest, .. }, .. }) = package.info.get(name) else { return Ok(None) };
    let bytes = store.read_blob(digest, SCRIPT_BYTES)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path of constants and plain names")
}
