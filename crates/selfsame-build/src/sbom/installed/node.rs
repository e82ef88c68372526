//! Node: the folders of `node_modules`, nested as npm nests them.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_pins::npm::{PackageJson, is_name};

use super::{Found, MAX_DESCRIPTION, MAX_PACKAGES, Root, files_below};
use crate::error::BuildError;
use crate::sbom::identity::{Ecosystem, Identity, purl_of};

const FOLDER: &str = "node_modules";

/// Every package, in the order of paths. A folder without a name and version of its own is none: npm installs no such.
pub(super) fn packages(root: &Root<'_>, owned: &BTreeSet<RelPath>) -> Result<Vec<Found>, BuildError> {
    let mut all: Vec<(RelPath, RelPath, PackageJson)> = Vec::new();
    for (path, _) in root.tree.iter().filter(|(path, _)| path.file_name() == "package.json") {
        let Some((folder, installed)) = path.parent().and_then(|folder| Some((folder.clone(), installed_as(&folder)?)))
        else {
            continue;
        };
        if owned.contains(path) || all.len() >= MAX_PACKAGES {
            continue;
        }
        let Some(bytes) = root.file(path.as_str(), MAX_DESCRIPTION)? else { continue };
        let Ok(mut package) = PackageJson::parse(&bytes) else { continue };
        if !is_name(&package.name) {
            package.name = installed;
        }
        if is_name(&package.name) && !package.version.is_empty() {
            all.push((folder, path.clone(), package));
        }
    }
    let folders: BTreeMap<RelPath, usize> =
        all.iter().enumerate().map(|(index, (folder, ..))| (folder.clone(), index)).collect();
    let mut files = files_below(root, &folders, |name| name == FOLDER);
    let identity = |package: &PackageJson| Identity::new(Ecosystem::Npm, &package.name, &package.version);
    let mut found = Vec::new();
    for (index, (folder, place, package)) in all.iter().enumerate() {
        let Some(purl) = purl_of(Ecosystem::Npm, &package.name, &package.version) else { continue };
        let needs = package.dependencies.iter().filter_map(|name| resolve(folder, name, &folders));
        found.push(Found {
            identity: identity(package),
            purl,
            name: package.name.clone(),
            version: package.version.clone(),
            license: (!package.licenses.is_empty()).then(|| package.licenses.join(" OR ")),
            supplier: package.supplier.clone(),
            place: place.clone(),
            files: files.remove(&index).unwrap_or_default(),
            within: BTreeSet::new(),
            needs: needs.filter(|other| *other != index).map(|other| identity(&all[other].2)).collect(),
        });
    }
    Ok(found)
}

/// The name that a folder is asked for by, if it is one in which packages are looked for: `x` or `@scope/x` right below a
/// `node_modules`.
fn installed_as(folder: &RelPath) -> Option<String> {
    let (name, above) = (folder.file_name(), folder.parent()?);
    if above.file_name() == FOLDER {
        return (!name.starts_with(['@', '.'])).then(|| name.to_owned());
    }
    let scope = above.file_name();
    let scoped = scope.starts_with('@') && above.parent()?.file_name() == FOLDER;
    scoped.then(|| format!("{scope}/{name}"))
}

/// Where Node finds a package for the files of a folder: in the nearest `node_modules` on the way up that has it.
fn resolve(folder: &RelPath, name: &str, folders: &BTreeMap<RelPath, usize>) -> Option<usize> {
    if !is_name(name) {
        return None;
    }
    let above = std::iter::successors(Some(folder.clone()), RelPath::parent);
    above.filter(|above| above.file_name() != FOLDER).find_map(|above| {
        let start = if above.is_root() { String::new() } else { format!("{}/", above.as_str()) };
        let place = RelPath::new(format!("{start}{FOLDER}/{name}")).ok()?;
        folders.get(&place).copied()
    })
}
