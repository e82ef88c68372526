//! What the package databases in a root file system say is installed in it.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_oci::{Lookup, Places};
use selfsame_packages::{Database, Distribution, Files, Locate, RPMDB, apk, dpkg, licence_of, pacman, rpmdb};
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Kind, Tree};

use crate::context::Described;

/// The largest database file that is read.
const MAX_BYTES: u64 = 256 << 20;

/// The packages of a root file system whose files are in the store, by purl: Debian's, Alpine's and Arch's, and rpm's where
/// its database is an SQLite file.
///
/// What the databases list of files that are not there is left out, and so are folders. Two packages under one purl are
/// one.
pub(crate) fn installed(tree: &Tree, store: &Store) -> Result<Vec<Described>, StoreError> {
    let mut root = Root { tree, store, lookup: Lookup::new(tree), places: Places::default() };
    let release = match root.text("etc/os-release")? {
        Some(release) => Some(release),
        None => root.text("usr/lib/os-release")?,
    };
    let distribution = Distribution::parse(&release.unwrap_or_default());
    let databases = [dpkg(&mut root)?, root.rpm()?, apk(&mut root)?, pacman(&mut root)?];
    let mut all = BTreeMap::new();
    for database in databases.into_iter().flatten() {
        describe(&database, &distribution, &mut root, &mut all)?;
    }
    Ok(all.into_values().collect())
}

fn describe(
    database: &Database,
    distribution: &Distribution,
    root: &mut Root<'_>,
    all: &mut BTreeMap<String, Described>,
) -> Result<(), StoreError> {
    // A name that makes no purl is one that no package of its kind can have.
    let purls: BTreeMap<&str, String> = database
        .packages()
        .filter_map(|(key, record)| Some((key, distribution.purl(database.kind, record).ok()?.to_string())))
        .collect();
    for (key, record) in database.packages() {
        let Some(purl) = purls.get(key) else { continue };
        let mut files: BTreeSet<RelPath> = BTreeSet::new();
        for file in &record.files {
            let place = root.locate(file).and_then(|place| RelPath::new(place).ok());
            let is_file = |place: &RelPath| {
                matches!(
                    root.lookup.kind(place),
                    Some(Kind::File { .. } | Kind::HardLink { .. } | Kind::Symlink { .. })
                )
            };
            files.extend(place.filter(is_file));
        }
        let needed = database.depends(key, root).into_iter().filter_map(|key| purls.get(key));
        let described = Described {
            purl: purl.clone(),
            name: record.name.clone(),
            version: record.version.clone(),
            depends_on: needed.filter(|needed| *needed != purl).cloned().collect(),
            licenses: licence_of(root, database.kind, record)?.into_iter().collect(),
            supplier: record.supplier.clone(),
            files: files.into_iter().collect(),
        };
        all.entry(purl.clone()).or_insert(described);
    }
    Ok(())
}

/// A tree as the root that its packages were installed in.
struct Root<'a> {
    tree: &'a Tree,
    store: &'a Store,
    lookup: Lookup<'a>,
    places: Places,
}

impl Root<'_> {
    fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let place = RelPath::new(path).ok().and_then(|path| self.lookup.place(&path, true).ok());
        let Some((digest, _)) = place.and_then(|place| self.tree.content(place.as_str())) else { return Ok(None) };
        self.store.read_blob(&digest, MAX_BYTES).map(Some)
    }

    /// A database that is not read says nothing, as one in an older format does: its files are in the SBOM all the same.
    fn rpm(&self) -> Result<Option<Database>, StoreError> {
        for place in RPMDB {
            if let Some(bytes) = self.bytes(place)? {
                return Ok(rpmdb(&bytes).ok());
            }
        }
        Ok(None)
    }
}

impl Files for Root<'_> {
    type Error = StoreError;

    fn text(&mut self, path: &str) -> Result<Option<String>, StoreError> {
        let text = |bytes| {
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        Ok(self.bytes(path)?.map(text))
    }

    fn names(&mut self, folder: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.lookup.names(folder))
    }
}

impl Locate for Root<'_> {
    fn locate(&mut self, path: &str) -> Option<String> {
        self.places.locate(&self.lookup, path)
    }
}
