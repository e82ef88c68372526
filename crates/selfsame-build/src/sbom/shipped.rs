//! What is shipped: the packages that the image says it holds, joined with those that were locked.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, RelPath};
use selfsame_sbom::{Edge, Entity, Facts, Node, Part, PartKind};
use selfsame_store::Store;
use selfsame_tree::Tree;

use super::identity::Identity;
use super::installed::{Candidate, Found, Root, go_roots, is_dpkg_database, of_debian, of_languages, programs};
use super::locked::{Locked, Owners};
use crate::build::Inputs;
use crate::error::BuildError;
use crate::hashed::Hashed;
use crate::image::base_origin;
use crate::record::Image;

/// Adds to the facts what is in the image, each with its files and what it needs; then, as build inputs, what is locked
/// and not there. What is there and not locked is listed as what it says it is.
pub(super) fn add(
    facts: &mut Facts,
    locked: &[Locked<'_>],
    inputs: &Inputs,
    image: &Image,
    store: &Store,
) -> Result<(), BuildError> {
    let mut join = Join::new(inputs, locked, store);
    let found = found(facts, inputs, image, store)?;
    let own: BTreeMap<RelPath, Digest> = facts
        .files
        .iter()
        .filter(|file| !file.by_others)
        .filter_map(|file| Some((RelPath::new(file.path.trim_start_matches('/')).ok()?, file.sha256)))
        .collect();
    for package in &found {
        join.take(package, own.contains_key(&package.place))?;
    }
    join.connect(&found);
    join.by_content(facts, &own, &found)?;
    join.finish(facts);
    Ok(())
}

/// The packages of the image, without those that its base lists.
fn found(facts: &Facts, inputs: &Inputs, image: &Image, store: &Store) -> Result<Vec<Found>, BuildError> {
    let mut root = Root::new(&image.tree, store);
    let by_others: BTreeSet<&str> =
        facts.files.iter().filter(|file| file.by_others).map(|file| file.path.trim_start_matches('/')).collect();
    let base = inputs.base.as_ref().map(|base| base.packages.as_slice()).unwrap_or_default();
    let mut owned: BTreeSet<RelPath> = base.iter().flat_map(|package| &package.files).cloned().collect();
    owned.retain(|path| by_others.contains(path.as_str()));
    let listed: BTreeSet<Identity> =
        base.iter().filter_map(|package| Identity::of(&package.purl, &package.name, &package.version)).collect();
    let mut found = Vec::new();
    let is_new = |path: &str| is_dpkg_database(path) && !by_others.contains(path);
    if image.tree.iter().any(|(path, _)| is_new(path.as_str())) {
        found = of_debian(&mut root)?;
        found.retain(|package| !listed.contains(&package.identity));
        owned.extend(found.iter().flat_map(|package| &package.files).cloned());
    }
    found.extend(of_languages(&root, &inputs.request.platform, &owned)?);
    let executable = facts.files.iter().filter(|file| file.form.executable);
    let mut candidates = Vec::new();
    for file in executable {
        let Ok(path) = RelPath::new(file.path.trim_start_matches('/')) else { continue };
        let Some(entry) = image.tree.entry(path.as_str()).filter(|_| !owned.contains(&path)) else { continue };
        let executable = entry.mode & 0o111 != 0;
        candidates.push(Candidate { path, digest: file.sha256, size_bytes: file.size, executable });
    }
    found.extend(programs(&candidates, &Root::new(&inputs.source, store))?);
    Ok(found)
}

/// The join as it is made.
struct Join<'a> {
    inputs: &'a Inputs,
    locked: &'a [Locked<'a>],
    store: &'a Store,
    by_identity: BTreeMap<Identity, &'a Locked<'a>>,
    owners: BTreeMap<&'a str, Owners<'a>>,
    parts: BTreeMap<String, Part>,
    /// The purl of what was found.
    purls: BTreeMap<Identity, String>,
    edges: Vec<Edge>,
    /// The purls of packages that say in the image what they need.
    told: BTreeSet<String>,
    /// A shipped package, and the one that it came out of.
    came_from: Vec<(String, String)>,
}

impl<'a> Join<'a> {
    fn new(inputs: &'a Inputs, locked: &'a [Locked<'a>], store: &'a Store) -> Self {
        let mut by_identity = BTreeMap::new();
        for locked in locked {
            if let Some(identity) = locked.identity() {
                by_identity.entry(identity).or_insert(locked);
            }
        }
        Self {
            inputs,
            locked,
            store,
            by_identity,
            owners: BTreeMap::new(),
            parts: BTreeMap::new(),
            purls: BTreeMap::new(),
            edges: Vec::new(),
            told: BTreeSet::new(),
            came_from: Vec::new(),
        }
    }

    /// A locked package that is in the image.
    fn ship(&mut self, locked: &Locked<'_>) -> Result<&mut Part, BuildError> {
        let purl = &locked.package.purl;
        if !self.parts.contains_key(purl) {
            let mut part = locked.part();
            part.kind = PartKind::Library;
            if let Some(sha256) = &locked.sha256 {
                part.sha512 = Some(Hashed::of(sha256, self.store)?.sha512);
            }
            self.edges.push(Edge { from: Node::Application, to: Node::Shipped(purl.clone()) });
            self.parts.insert(purl.clone(), part);
        }
        Ok(self.parts.get_mut(purl).expect("it is there now"))
    }

    /// A package that says it is in the image; its own files may have come with the base.
    fn take(&mut self, found: &Found, is_own: bool) -> Result<(), BuildError> {
        let place = format!("/{}", found.place.as_str());
        let supplier = || found.supplier.clone().map(|name| Entity { name: Some(name), ..Entity::default() });
        let locked = self.by_identity.get(&found.identity).copied();
        let purl = match locked {
            Some(locked) => {
                let part = self.ship(locked)?;
                part.license = part.license.take().or_else(|| found.license.clone());
                part.supplier = part.supplier.take().or_else(supplier);
                part.locations.insert(place);
                part.purl.clone()
            }
            None => {
                let purl = found.purl.clone();
                let base = self.inputs.base.as_ref().filter(|_| !is_own).map(|base| base_origin(&base.name));
                let part = self.parts.entry(purl.clone()).or_insert_with(|| {
                    let mut part = Part::new(PartKind::Library, &found.purl, &found.name, &found.version);
                    part.license.clone_from(&found.license);
                    part.supplier = supplier();
                    part
                });
                // One copy that nothing locks is enough: that another is the base's says nothing about it.
                part.unlocked |= base.is_none();
                part.locations.insert(place);
                part.locations.extend(base);
                purl
            }
        };
        self.edges.push(Edge { from: Node::Application, to: Node::Shipped(purl.clone()) });
        // A module does not say in a program what it needs.
        if found.within.is_empty() {
            self.told.insert(purl.clone());
        }
        self.purls.insert(found.identity.clone(), purl);
        Ok(())
    }

    /// Who needs whom among the found, and which files are whose.
    fn connect(&mut self, found: &[Found]) {
        let file = |path: &RelPath| Node::File(format!("/{}", path.as_str()));
        let mut places: BTreeMap<&RelPath, Vec<&Found>> = BTreeMap::new();
        for package in found {
            places.entry(&package.place).or_default().push(package);
        }
        for package in found {
            let Some(purl) = self.purls.get(&package.identity).cloned() else { continue };
            let node = Node::Shipped(purl.clone());
            let files = package.files.iter().map(|path| Edge { from: node.clone(), to: file(path) });
            let within = package.within.iter().map(|path| Edge { from: file(path), to: node.clone() });
            self.edges.extend(files.chain(within));
            let needs = package.needs.iter().filter_map(|needed| self.purls.get(needed));
            self.edges.extend(needs.map(|needed| Edge { from: node.clone(), to: Node::Shipped(needed.clone()) }));
            // Inside of another: whoever locks that locks this.
            let is_locked = self.by_identity.contains_key(&package.identity);
            let inside = package.files.iter().filter_map(|path| places.get(path)).flatten();
            let bundled: Vec<String> = inside
                .filter(|inner| inner.identity != package.identity)
                .filter_map(|inner| self.purls.get(&inner.identity).cloned())
                .collect();
            for inner in bundled {
                if let Some(part) = self.parts.get_mut(&inner).filter(|_| is_locked) {
                    part.unlocked = false;
                    self.edges.push(Edge { from: node.clone(), to: Node::Shipped(inner) });
                }
            }
        }
    }

    /// Which package a file of an input's tree is of.
    fn owner(&mut self, input: &'a str, path: &RelPath) -> Result<Option<&'a Locked<'a>>, BuildError> {
        if !self.owners.contains_key(input) {
            let owners = Owners::of(input, self.inputs, self.locked, self.store)?;
            self.owners.insert(input, owners);
        }
        Ok(self.owners.get(input).and_then(|owners| owners.owner(path)))
    }

    /// The trees of the inputs that are not the base.
    fn trees(&self) -> Vec<(&'a str, &'a Tree)> {
        let base = self.inputs.base.as_ref().map(|base| base.name.as_str());
        let inputs = self.inputs.inputs.iter().filter(|(name, _)| base != Some(name.as_str()));
        inputs.map(|(name, tree)| (name.as_str(), tree)).collect()
    }

    /// What says nothing about itself is known by its content: a locked file as it is, a program or library of a package,
    /// and Go's standard library by the release of the Go that was there.
    fn by_content(
        &mut self,
        facts: &Facts,
        own: &BTreeMap<RelPath, Digest>,
        found: &[Found],
    ) -> Result<(), BuildError> {
        let claimed: BTreeSet<&RelPath> = found.iter().flat_map(|package| &package.files).collect();
        let mut by_digest: BTreeMap<Digest, Vec<&RelPath>> = BTreeMap::new();
        for (path, digest) in own.iter().filter(|(path, _)| !claimed.contains(path)) {
            by_digest.entry(*digest).or_default().push(path);
        }
        let file = |path: &RelPath| Node::File(format!("/{}", path.as_str()));
        for locked in self.locked {
            let Some(paths) = locked.sha256.and_then(|sha256| by_digest.get(&sha256)) else { continue };
            self.ship(locked)?;
            let node = Node::Shipped(locked.package.purl.clone());
            self.edges.extend(paths.iter().map(|path| Edge { from: node.clone(), to: file(path) }));
        }
        // A text may be equal by chance, a licence for one; a program is not.
        let programs: BTreeSet<Digest> =
            facts.files.iter().filter(|file| file.form.executable && file.size > 0).map(|file| file.sha256).collect();
        for (input, tree) in self.trees() {
            for (path, _) in tree.iter() {
                let digest = tree.content(path.as_str()).map(|(digest, _)| digest);
                let Some(digest) = digest.filter(|digest| programs.contains(digest)) else { continue };
                let Some(paths) = by_digest.get(&digest) else { continue };
                let Some(locked) = self.owner(input, path)? else { continue };
                self.ship(locked)?;
                let node = Node::Shipped(locked.package.purl.clone());
                self.edges.extend(paths.iter().map(|path| Edge { from: node.clone(), to: file(path) }));
            }
        }
        self.standard_library(found)
    }

    fn standard_library(&mut self, found: &[Found]) -> Result<(), BuildError> {
        // Nothing but Go's standard library is a part of programs and has no file of its own in a lock.
        let unknown: BTreeSet<&Identity> = found
            .iter()
            .filter(|package| !package.within.is_empty() && !self.by_identity.contains_key(&package.identity))
            .map(|package| &package.identity)
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        for (input, tree) in self.trees() {
            for (identity, path) in go_roots(&Root::new(tree, self.store))? {
                let (Some(purl), true) = (self.purls.get(&identity).cloned(), unknown.contains(&identity)) else {
                    continue;
                };
                let Some(locked) = self.owner(input, &path)? else { continue };
                let Some(part) = self.parts.get_mut(&purl) else { continue };
                part.unlocked = false;
                part.locations.insert(locked.lock.clone());
                self.came_from.push((purl, locked.package.purl.clone()));
            }
        }
        Ok(())
    }

    fn finish(mut self, facts: &mut Facts) {
        let known: BTreeSet<String> = facts.shipped.iter().map(|part| part.purl.clone()).collect();
        facts.shipped.extend(self.parts.into_values().filter(|part| !known.contains(&part.purl)));
        let shipped: BTreeSet<&str> = facts.shipped.iter().map(|part| part.purl.as_str()).collect();
        for locked in self.locked {
            let purl = &locked.package.purl;
            if self.told.contains(purl) {
                continue;
            }
            if shipped.contains(purl.as_str()) {
                let needed = locked.package.depends_on.iter().filter(|needed| shipped.contains(needed.as_str()));
                let from = Node::Shipped(purl.clone());
                let edge = |needed: &String| Edge { from: from.clone(), to: Node::Shipped(needed.clone()) };
                self.edges.extend(needed.map(edge));
            } else {
                facts.build_only.push(locked.part());
            }
        }
        for (purl, source) in self.came_from {
            let node = if shipped.contains(source.as_str()) { Node::Shipped } else { Node::BuildOnly };
            self.edges.push(Edge { from: Node::Shipped(purl), to: node(source) });
        }
        facts.edges.append(&mut self.edges);
        facts.edges.sort();
        facts.edges.dedup();
    }
}
