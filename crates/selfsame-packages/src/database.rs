//! What every package manager knows, in one form.

use std::collections::{BTreeMap, BTreeSet};

/// The kind of a package, as purl names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Debian's family.
    Deb,
    /// Fedora's and SUSE's families.
    Rpm,
    /// Alpine's family.
    Apk,
    /// Arch's family.
    Alpm,
}

impl Kind {
    /// The type of a purl.
    #[must_use]
    pub const fn purl_type(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Alpm => "alpm",
        }
    }
}

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `libc6`.
    pub name: String,
    /// `2.36-9`; with its epoch, if it has one.
    pub version: String,
    /// As its manager writes it: `amd64`, `x86_64`, `all`.
    pub architecture: String,
    /// Maintainer, vendor or packager, as written.
    pub supplier: Option<String>,
    /// As the database states it, in no particular syntax.
    pub licence: Option<String>,
    /// What it cannot work without: clauses, each a list of alternatives. A name, a capability, or a path.
    pub depends: Vec<Vec<String>>,
    /// Names and capabilities that it satisfies beside its own name.
    pub provides: Vec<String>,
    /// Absolute paths as installed, folders perhaps among them.
    pub files: Vec<String>,
}

/// The way through the links of a root.
pub trait Locate {
    /// The place of a path (leading slash or not) whose last component is not followed and whose folder may be reached
    /// through links; nothing if there is no such folder.
    fn locate(&mut self, path: &str) -> Option<String>;
}

/// All installed packages of one manager.
#[derive(Debug)]
pub struct Database {
    /// Whose it is.
    pub kind: Kind,
    packages: BTreeMap<String, Record>,
    by_name: BTreeMap<String, Vec<String>>,
    provided: BTreeMap<String, Vec<String>>,
    /// Last component of a path, to key of a package and position in its files.
    by_file_name: BTreeMap<String, Vec<(String, usize)>>,
}

impl Database {
    /// A database of packages under keys that are unique on their host.
    #[must_use]
    pub fn new(kind: Kind, packages: BTreeMap<String, Record>) -> Self {
        let (mut by_name, mut provided) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        let mut by_file_name = BTreeMap::<String, Vec<_>>::new();
        for (key, record) in &packages {
            by_name.entry(record.name.clone()).or_default().push(key.clone());
            for capability in &record.provides {
                provided.entry(capability.clone()).or_default().push(key.clone());
            }
            for (position, file) in record.files.iter().enumerate() {
                let name = file.rsplit_once('/').map_or(file.as_str(), |(_, name)| name);
                match by_file_name.get_mut(name) {
                    Some(places) => places.push((key.clone(), position)),
                    None => drop(by_file_name.insert(name.to_owned(), vec![(key.clone(), position)])),
                }
            }
        }
        Self { kind, packages, by_name, provided, by_file_name }
    }

    /// The package under a key.
    #[must_use]
    pub fn package(&self, key: &str) -> Option<&Record> {
        self.packages.get(key)
    }

    /// Every package under its key.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.packages.iter().map(|(key, record)| (key.as_str(), record))
    }

    /// The packages that installed the file or link at a place. Their lists may name it by a path through links.
    pub fn owners(&self, place: &str, walk: &mut dyn Locate) -> BTreeSet<&str> {
        let name = place.rsplit_once('/').map_or(place, |(_, name)| name);
        let mut owners = BTreeSet::new();
        for (key, position) in self.by_file_name.get(name).into_iter().flatten() {
            let Some(file) = self.packages.get(key).and_then(|record| record.files.get(*position)) else { continue };
            if file.trim_start_matches('/') == place || walk.locate(file).as_deref() == Some(place) {
                owners.insert(key.as_str());
            }
        }
        owners
    }

    /// The packages that a package cannot work without: of each clause the first alternative that is installed.
    pub fn depends(&self, key: &str, walk: &mut dyn Locate) -> BTreeSet<&str> {
        let mut needed = BTreeSet::new();
        let Some(record) = self.packages.get(key) else { return needed };
        for clause in &record.depends {
            let met = clause.iter().find_map(|wanted| self.met_by(wanted, &record.architecture, walk));
            needed.extend(met);
        }
        needed
    }

    /// Who meets a wish: by name, by what is provided, by a file. Of several, one of the same architecture, then the
    /// first by key.
    fn met_by(&self, wanted: &str, architecture: &str, walk: &mut dyn Locate) -> Option<&str> {
        let named = self.by_name.get(wanted).or_else(|| self.provided.get(wanted));
        if let Some(keys) = named {
            let same = keys.iter().find(|key| self.packages.get(*key).is_some_and(|r| r.architecture == architecture));
            return same.or_else(|| keys.first()).map(String::as_str);
        }
        let path = wanted.strip_prefix('/')?;
        let place = walk.locate(path)?;
        self.owners(&place, walk).into_iter().next()
    }
}
