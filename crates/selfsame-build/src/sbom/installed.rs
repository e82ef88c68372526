//! What is installed in a tree, as the packages themselves say it there.

mod debian;
mod golang;
mod node;
mod python;

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Platform, RelPath};
use selfsame_oci::{Lookup, Places};
use selfsame_packages::{Files, Locate};
use selfsame_store::Store;
use selfsame_tree::Tree;

use super::identity::Identity;
use crate::error::BuildError;

pub(crate) use golang::{Candidate, go_roots, programs};

/// The largest description of one package that is read, and the largest database or list of files. What is larger says
/// nothing.
const MAX_DESCRIPTION: u64 = 8 << 20;
const MAX_LIST: u64 = 128 << 20;
/// The most packages of an ecosystem. Nobody's image has a tenth of them.
const MAX_PACKAGES: usize = 100_000;

/// A package that a tree holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    /// As its metadata makes it.
    pub(crate) purl: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) supplier: Option<String>,
    /// The file that says all this.
    pub(crate) place: RelPath,
    /// The files that are the package's own.
    pub(crate) files: BTreeSet<RelPath>,
    /// The files that it is a part of.
    pub(crate) within: BTreeSet<RelPath>,
    /// What it cannot work without and stands in the tree too.
    pub(crate) needs: BTreeSet<Identity>,
}

/// What Python's and Node's tools installed in a tree. What is `owned` by a package of the distribution is that package's
/// content, and no package of its own.
pub(crate) fn of_languages(
    root: &Root<'_>,
    platform: &Platform,
    owned: &BTreeSet<RelPath>,
) -> Result<Vec<Found>, BuildError> {
    let mut all = python::packages(root, platform, owned)?;
    all.extend(node::packages(root, owned)?);
    Ok(all)
}

/// What dpkg installed in a tree.
pub(crate) fn of_debian(root: &mut Root<'_>) -> Result<Vec<Found>, BuildError> {
    debian::packages(root)
}

/// What Python's tools installed in a tree.
pub(crate) fn of_python(root: &Root<'_>, platform: &Platform) -> Result<Vec<Found>, BuildError> {
    python::packages(root, platform, &BTreeSet::new())
}

/// Where dpkg says what it installed.
pub(crate) fn is_dpkg_database(path: &str) -> bool {
    path == "var/lib/dpkg/status" || path.starts_with("var/lib/dpkg/status.d/")
}

/// A tree whose files are in the store.
pub(crate) struct Root<'a> {
    pub(crate) tree: &'a Tree,
    store: &'a Store,
    lookup: Lookup<'a>,
    places: Places,
}

impl<'a> Root<'a> {
    pub(crate) fn new(tree: &'a Tree, store: &'a Store) -> Self {
        Self { tree, store, lookup: Lookup::new(tree), places: Places::default() }
    }

    /// The file at a path, links not followed; nothing for one that is larger.
    fn file(&self, path: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, BuildError> {
        match self.tree.content(path) {
            Some((digest, size)) if size <= limit_bytes => Ok(Some(self.store.read_blob(&digest, limit_bytes)?)),
            _ => Ok(None),
        }
    }

    fn is_file(&self, path: &RelPath) -> bool {
        self.tree.content(path.as_str()).is_some()
    }
}

impl Files for Root<'_> {
    type Error = BuildError;

    fn text(&mut self, path: &str) -> Result<Option<String>, BuildError> {
        let place = RelPath::new(path).ok().and_then(|path| self.lookup.place(&path, true).ok());
        let Some(place) = place else { return Ok(None) };
        let bytes = self.file(place.as_str(), MAX_LIST)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn names(&mut self, folder: &str) -> Result<Vec<String>, BuildError> {
        Ok(self.lookup.names(folder))
    }
}

impl Locate for Root<'_> {
    fn locate(&mut self, path: &str) -> Option<String> {
        self.places.locate(&self.lookup, path)
    }
}

/// A path, perhaps with `..`, from a folder of the tree; nothing for one that leads out of it.
fn from_folder(folder: &RelPath, path: &str) -> Option<RelPath> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.components().collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    RelPath::new(parts.join("/")).ok()
}

/// The files below each of the folders, by what the folder stands for: a file is of the nearest one above it. Nothing is
/// looked for above a folder that `ends`.
fn files_below(
    root: &Root<'_>,
    folders: &BTreeMap<RelPath, usize>,
    ends: fn(&str) -> bool,
) -> BTreeMap<usize, BTreeSet<RelPath>> {
    let mut files: BTreeMap<usize, BTreeSet<RelPath>> = BTreeMap::new();
    // Files of one folder stand together.
    let mut last: Option<(RelPath, Option<usize>)> = None;
    for (path, _) in root.tree.iter().filter(|(path, _)| root.is_file(path)) {
        let Some(folder) = path.parent() else { continue };
        let owner = match &last {
            Some((known, owner)) if *known == folder => *owner,
            _ => {
                let mut above = std::iter::successors(Some(folder.clone()), RelPath::parent);
                above
                    .find_map(|above| match folders.get(&above) {
                        Some(owner) => Some(Some(*owner)),
                        None => ends(above.file_name()).then_some(None),
                    })
                    .flatten()
            }
        };
        if let Some(owner) = owner {
            files.entry(owner).or_default().insert(path.clone());
        }
        last = Some((folder, owner));
    }
    files
}

#[cfg(test)]
mod tests;
