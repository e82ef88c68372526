//! Python: `*.dist-info` and `*.egg-info`, as pip finds them.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Platform, RelPath};
use selfsame_pins::marker::Target;
use selfsame_pins::pypi::{Metadata, Record, is_name, normal_name};

use super::{Found, MAX_DESCRIPTION, MAX_LIST, MAX_PACKAGES, Root, files_below, from_folder};
use crate::error::BuildError;
use crate::sbom::identity::{Ecosystem, Identity, purl_of};

/// What names a package.
struct Information {
    metadata: Metadata,
    /// The file that says it.
    place: RelPath,
    /// The folder with the file; nothing where the file stands by itself.
    folder: Option<RelPath>,
    /// Where Python looks for it.
    site: RelPath,
}

/// Every package, in the order of paths.
pub(super) fn packages(
    root: &Root<'_>,
    platform: &Platform,
    owned: &BTreeSet<RelPath>,
) -> Result<Vec<Found>, BuildError> {
    let mut all = Vec::new();
    for (path, _) in root.tree.iter() {
        let Some((folder, site)) = place_of(path) else { continue };
        if owned.contains(path) || all.len() >= MAX_PACKAGES {
            continue;
        }
        let Some(bytes) = root.file(path.as_str(), MAX_DESCRIPTION)? else { continue };
        // A file that cannot be read is no reason to hide a package: its folder names it too.
        let parsed = Metadata::parse(&bytes).ok().filter(|metadata| is_name(&metadata.name));
        let Some(metadata) = parsed.or_else(|| named_by(folder.as_ref()?)) else { continue };
        all.push(Information { metadata, place: path.clone(), folder, site });
    }
    // A platform that Python has no wheels for has no markers that could be judged.
    let target = Target::new(None, platform).ok();
    let mut by_site: BTreeMap<(&RelPath, String), Vec<Identity>> = BTreeMap::new();
    for package in &all {
        by_site.entry((&package.site, normal_name(&package.metadata.name))).or_default().push(package.identity());
    }
    let folders = all.iter().enumerate().filter_map(|(index, package)| Some((package.folder.clone()?, index)));
    let mut own = files_below(root, &folders.collect(), |_| false);
    let mut found = Vec::new();
    for (index, package) in all.iter().enumerate() {
        let Metadata { name, version, .. } = &package.metadata;
        let Some(purl) = purl_of(Ecosystem::Pypi, name, version) else { continue };
        let needs = target.as_ref().map(|target| package.metadata.needs(target)).unwrap_or_default();
        let needs = needs.into_iter().filter_map(|name| by_site.get(&(&package.site, name))).flatten().cloned();
        found.push(Found {
            identity: package.identity(),
            purl,
            name: name.clone(),
            version: version.clone(),
            license: (!package.metadata.licenses.is_empty()).then(|| package.metadata.licenses.join(" AND ")),
            supplier: package.metadata.supplier.clone(),
            place: package.place.clone(),
            files: files(package, own.remove(&index).unwrap_or_default(), root)?,
            within: BTreeSet::new(),
            needs: needs.collect(),
        });
    }
    Ok(found)
}

impl Information {
    fn identity(&self) -> Identity {
        Identity::new(Ecosystem::Pypi, &self.metadata.name, &self.metadata.version)
    }
}

/// The folder of information that a file describes a package in, and where that lies.
fn place_of(path: &RelPath) -> Option<(Option<RelPath>, RelPath)> {
    let parent = path.parent()?;
    let is_folder = match path.file_name() {
        "METADATA" => parent.file_name().ends_with(".dist-info"),
        "PKG-INFO" => parent.file_name().ends_with(".egg-info"),
        name if name.ends_with(".egg-info") => return Some((None, parent)),
        _ => false,
    };
    if !is_folder {
        return None;
    }
    let site = parent.parent()?;
    Some((Some(parent), site))
}

/// `flask-3.1.3.dist-info`
fn named_by(folder: &RelPath) -> Option<Metadata> {
    let (name, version) = folder.file_name().strip_suffix(".dist-info")?.rsplit_once('-')?;
    (is_name(name) && !version.is_empty()).then(|| Metadata {
        name: name.to_owned(),
        version: version.to_owned(),
        ..Metadata::default()
    })
}

/// The files of a package that stand in the tree as its lists have them.
fn files(
    package: &Information,
    mut files: BTreeSet<RelPath>,
    root: &Root<'_>,
) -> Result<BTreeSet<RelPath>, BuildError> {
    files.insert(package.place.clone());
    let Some(folder) = &package.folder else { return Ok(files) };
    let list = |name: &str| root.file(&format!("{}/{name}", folder.as_str()), MAX_LIST);
    if let Some(bytes) = list("RECORD")? {
        let record = Record::parse(&bytes).unwrap_or_default();
        for (path, entry) in &record.entries {
            let place = |path: &str| from_folder(&package.site, path).filter(|place| root.is_file(place));
            // `pip install --target` moves programs below the target and leaves the list as it was.
            let moved = || place(path.trim_start_matches("../")).filter(|_| path.starts_with("../"));
            let Some(place) = place(path).or_else(moved) else { continue };
            let content = root.tree.content(place.as_str()).map(|(digest, _)| digest);
            // What stands in the place of a package's file is not the package's.
            if entry.sha256.is_none() || entry.sha256 == content {
                files.insert(place);
            }
        }
    } else if let Some(bytes) = list("installed-files.txt")? {
        let text = String::from_utf8_lossy(&bytes);
        let places = text.lines().filter_map(|line| from_folder(folder, line));
        files.extend(places.filter(|place| root.is_file(place)));
    }
    Ok(files)
}
