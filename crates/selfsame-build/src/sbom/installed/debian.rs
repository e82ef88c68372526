//! Debian: what dpkg's database lists, in a tree that stands on no base or has a database of its own.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_packages::{Distribution, Files as _, Locate as _, dpkg, licence_of};

use super::{Found, MAX_PACKAGES, Root};
use crate::error::BuildError;
use crate::sbom::identity::Identity;

/// Every package, by name and architecture.
pub(super) fn packages(root: &mut Root<'_>) -> Result<Vec<Found>, BuildError> {
    let Some(database) = dpkg(root)? else { return Ok(Vec::new()) };
    let release = match root.text("etc/os-release")? {
        Some(release) => release,
        None => root.text("usr/lib/os-release")?.unwrap_or_default(),
    };
    let distribution = Distribution::parse(&release);
    let identities: BTreeMap<String, Identity> = database
        .packages()
        .map(|(key, record)| (key.to_owned(), Identity::deb(&record.name, &record.version, &record.architecture)))
        .collect();
    let whole = if root.tree.content("var/lib/dpkg/status").is_some() { "status" } else { "status.d" };
    let mut found = Vec::new();
    for (key, record) in database.packages().take(MAX_PACKAGES) {
        // A name that makes no purl is one that no package can have.
        let Ok(purl) = distribution.purl(database.kind, record) else { continue };
        let place = RelPath::new(format!("var/lib/dpkg/{whole}"));
        let (Ok(place), Some(identity)) = (place, identities.get(key)) else { continue };
        let places = record.files.iter().filter_map(|file| RelPath::new(root.locate(file)?).ok());
        let files: BTreeSet<RelPath> = places.collect();
        let needed = database.depends(key, root).into_iter().filter_map(|key| identities.get(key));
        found.push(Found {
            identity: identity.clone(),
            purl: purl.to_string(),
            name: record.name.clone(),
            version: record.version.clone(),
            needs: needed.filter(|needed| *needed != identity).cloned().collect(),
            license: licence_of(root, database.kind, record)?,
            supplier: record.supplier.clone(),
            place,
            files: files.into_iter().filter(|path| root.is_file(path)).collect(),
            within: BTreeSet::new(),
        });
    }
    Ok(found)
}
