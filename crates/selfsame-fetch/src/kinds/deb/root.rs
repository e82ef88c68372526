//! Many packages become one root file system, as dpkg would unpack them, whatever the order.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Entry, Kind};

use super::error::DebInputError;
use super::links::Links;
use super::unpack::Unpacked;

/// Folders that are below `usr` since Debian 12, with links in their old places.
const MERGED: [&str; 7] = ["bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"];
/// These are there in every root.
const ALWAYS: [&str; 3] = ["bin", "lib", "sbin"];
/// How often links may move other links before it is said that they never end.
const ROUNDS: usize = 8;

/// A root file system, and which package everything in it is of.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) entries: BTreeMap<RelPath, Entry>,
    /// By package, in the packages' order: where its files are.
    pub(super) files: Vec<Vec<RelPath>>,
    pub(super) links: Links,
}

/// Something that a package puts somewhere.
struct Placed {
    package: usize,
    /// Of hard links, the file's.
    entry: Entry,
    /// Names of one file have one group: where its first name would be.
    group: Option<RelPath>,
}

impl Root {
    /// Lays out packages that are sorted by their names.
    pub(super) fn of(packages: &[Unpacked]) -> Result<Self, DebInputError> {
        let links = links(packages)?;
        let mut candidates: BTreeMap<RelPath, Vec<Placed>> = BTreeMap::new();
        // What base-files says of a folder counts before what others say: `/tmp` is for everybody.
        let mut order: Vec<usize> = (0..packages.len()).collect();
        order.sort_by_key(|&at| packages[at].control.package != "base-files");
        for package in order {
            let unpacked = &packages[package];
            for (path, entry) in unpacked.data.iter() {
                if path.is_root() {
                    continue;
                }
                let place = place(&links, path, entry, &unpacked.control.package)?;
                // What says which packages are there may not be what a package says of itself.
                if place.as_str().starts_with("var/lib/dpkg/") && entry.kind != Kind::Directory {
                    let (one, other) = (unpacked.control.package.clone(), "dpkg's database".to_owned());
                    return Err(DebInputError::Conflict { path: place, one, other });
                }
                let (entry, group) = match &entry.kind {
                    Kind::HardLink { target } => {
                        let group = place_of(&links, target, false, &unpacked.control.package)?;
                        let content = unpacked.data.content(target.as_str());
                        let (digest, size) = content.expect("a tree's hard links name files");
                        (Entry { kind: Kind::File { digest, size }, ..entry.clone() }, Some(group))
                    }
                    Kind::File { .. } => (entry.clone(), Some(place.clone())),
                    _ => (entry.clone(), None),
                };
                // What is left of a move to `usr`: a link from the old place, which is the new one now.
                if matches!(&entry.kind, Kind::Symlink { target } if is_itself(&place, target)) {
                    continue;
                }
                candidates.entry(place).or_default().push(Placed { package, entry, group });
            }
        }
        let mut placed = BTreeMap::new();
        for (path, candidates) in candidates {
            let chosen = choose(packages, &path, candidates)?;
            placed.insert(path, chosen);
        }
        for name in MERGED {
            let (old, new) = (path(name), path(&format!("usr/{name}")));
            let filled = placed.range(new.clone()..).next().is_some_and(|(path, _)| path.below(&new).is_some());
            if filled || ALWAYS.contains(&name) {
                let entry = Entry::symlink(format!("usr/{name}"));
                // `base-files` of Debian 13 has these links itself.
                if let Some(Placed { package, entry: own, .. }) = placed.get(&old)
                    && own.kind != entry.kind
                {
                    let package = packages[*package].control.package.clone();
                    return Err(DebInputError::Conflict { path: old, one: "merged /usr".to_owned(), other: package });
                }
                placed.entry(old).or_insert(Placed { package: usize::MAX, entry, group: None });
                placed.entry(new).or_insert(Placed { package: usize::MAX, entry: Entry::directory(), group: None });
            }
        }
        let mut files = vec![Vec::new(); packages.len()];
        let mut groups: BTreeMap<(usize, RelPath), Vec<RelPath>> = BTreeMap::new();
        for (path, Placed { package, entry, group }) in &placed {
            if let Some(files) = files.get_mut(*package)
                && entry.kind != Kind::Directory
            {
                files.push(path.clone());
            }
            if let Some(group) = group {
                groups.entry((*package, group.clone())).or_default().push(path.clone());
            }
        }
        let mut entries: BTreeMap<RelPath, Entry> =
            placed.into_iter().map(|(path, placed)| (path, placed.entry)).collect();
        // Of the names of one file the first has the content.
        for names in groups.into_values() {
            let Some((first, others)) = names.split_first() else { continue };
            for name in others {
                if let Some(entry) = entries.get_mut(name) {
                    entry.kind = Kind::HardLink { target: first.clone() };
                }
            }
        }
        Ok(Self { entries, files, links })
    }

    /// Where a path is, its links followed; nothing where nothing is there.
    pub(super) fn find(&self, path: &RelPath) -> Option<(RelPath, &Entry)> {
        let at = self.links.follow(path, true)?;
        let entry = self.entries.get(&at)?;
        Some((at, entry))
    }

    /// The content of the file that a path is, its links followed: digest and size.
    pub(super) fn content(&self, path: &RelPath) -> Option<(Digest, u64)> {
        let (_, mut entry) = self.find(path)?;
        if let Kind::HardLink { target } = &entry.kind {
            entry = self.entries.get(target)?;
        }
        match entry.kind {
            Kind::File { digest, size } => Some((digest, size)),
            _ => None,
        }
    }

    /// Puts something where nothing is, below the links that are there. Whether it was put.
    pub(super) fn add(&mut self, path: &RelPath, entry: Entry) -> bool {
        let Some(at) = self.links.follow(path, false) else { return false };
        let mut above = at.parent();
        while let Some(folder) = above {
            if self.entries.get(&folder).is_some_and(|entry| entry.kind != Kind::Directory) {
                return false;
            }
            above = folder.parent();
        }
        let has_below = self.entries.range(at.clone()..).next().is_some_and(|(path, _)| path.below(&at).is_some());
        if has_below {
            return false;
        }
        if let Kind::Symlink { target } = &entry.kind {
            self.links.0.insert(at.clone(), target.clone());
        }
        self.entries.insert(at, entry);
        true
    }
}

/// All links, by where they are: those of the merged `usr`, and those of the packages.
fn links(packages: &[Unpacked]) -> Result<Links, DebInputError> {
    let merged: BTreeMap<RelPath, String> =
        MERGED.into_iter().map(|name| (path(name), format!("usr/{name}"))).collect();
    let mut links = Links(merged.clone());
    for _ in 0..ROUNDS {
        let mut next = merged.clone();
        let mut candidates: BTreeMap<RelPath, Vec<(usize, Option<&str>)>> = BTreeMap::new();
        for (package, Unpacked { control, data, .. }) in packages.iter().enumerate() {
            for (path, entry) in data.iter() {
                // Folders go where links lead, so they decide nothing about them.
                let target = match &entry.kind {
                    Kind::Directory => continue,
                    Kind::Symlink { target } => Some(target.as_str()),
                    _ => None,
                };
                let at = place_of(&links, path, false, &control.package)?;
                if !merged.contains_key(&at) && !target.is_some_and(|target| is_itself(&at, target)) {
                    candidates.entry(at).or_default().push((package, target));
                }
            }
        }
        for (at, candidates) in candidates {
            let stays = |one: usize| candidates.iter().all(|(other, _)| !replaces(packages, *other, one));
            // Where those that stay are not alike, it is an error further on.
            let first = candidates.iter().find(|(one, _)| stays(*one));
            if let Some((_, Some(target))) = first {
                next.insert(at, (*target).to_owned());
            }
        }
        if next == links.0 {
            return Ok(links);
        }
        links.0 = next;
    }
    let (path, package) = packages
        .iter()
        .find_map(|package| Some((package.data.iter().next()?.0.clone(), package.control.package.clone())))
        .unwrap_or_else(|| (RelPath::root(), String::new()));
    Err(DebInputError::Links { path, package })
}

/// Whether a link says nothing but its own place, once both are below `usr`: what is left of a move there.
fn is_itself(at: &RelPath, target: &str) -> bool {
    let base = if target.starts_with('/') { RelPath::root() } else { at.parent().unwrap_or_else(RelPath::root) };
    let mut names: Vec<&str> = base.components().collect();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    if names.len() > 1 && MERGED.contains(&names[0]) {
        names.insert(0, "usr");
    }
    names.join("/") == at.as_str()
}

/// The one of several that counts: of those that no other replaces the first, if all of them are alike.
fn choose(packages: &[Unpacked], path: &RelPath, candidates: Vec<Placed>) -> Result<Placed, DebInputError> {
    let owners: Vec<usize> = candidates.iter().map(|placed| placed.package).collect();
    let stays = |placed: &Placed| owners.iter().all(|&other| !replaces(packages, other, placed.package));
    let mut left = candidates.into_iter().filter(stays);
    // Two that replace one another leave nothing.
    let conflict = |one: usize, other: usize| DebInputError::Conflict {
        path: path.clone(),
        one: packages[one].control.package.clone(),
        other: packages[other].control.package.clone(),
    };
    let first = left.next().ok_or_else(|| conflict(owners[0], owners[owners.len() - 1]))?;
    for other in left {
        let folders = first.entry.kind == Kind::Directory && other.entry.kind == Kind::Directory;
        if !folders && first.entry != other.entry {
            return Err(conflict(first.package, other.package));
        }
    }
    Ok(first)
}

/// Whether one package may take over what another has at the same place. None does so of itself, whatever it says.
fn replaces(packages: &[Unpacked], one: usize, other: usize) -> bool {
    let (one, other) = (&packages[one].control, &packages[other].control);
    let named = |relation: &&selfsame_deb::Relation| relation.name == other.package && relation.holds(&other.version);
    one.package != other.package && one.replaces.iter().any(|relation| named(&relation))
}

/// Folders are where their links lead; anything else is where its name stands.
fn place(links: &Links, path: &RelPath, entry: &Entry, package: &str) -> Result<RelPath, DebInputError> {
    place_of(links, path, entry.kind == Kind::Directory, package)
}

fn place_of(links: &Links, path: &RelPath, last: bool, package: &str) -> Result<RelPath, DebInputError> {
    links.follow(path, last).ok_or_else(|| DebInputError::Links { path: path.clone(), package: package.to_owned() })
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a literal path")
}
