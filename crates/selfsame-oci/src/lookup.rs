//! Where a path leads in a tree whose folders may be symbolic links, as a process of the image would find it.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_tree::{Kind, Tree};

/// The most symbolic links on the way to one path, as Linux has it.
const MOST_LINKS: usize = 40;

/// Where folders of a tree lead, kept: most files of a package share theirs.
#[derive(Default)]
pub struct Places {
    folders: BTreeMap<String, Option<String>>,
}

impl Places {
    /// Where a path lies whose folders may be links. Its last part is not followed and need not be there.
    pub fn locate(&mut self, lookup: &Lookup<'_>, path: &str) -> Option<String> {
        let path = path.trim_matches('/');
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if matches!(name, "" | "." | "..") {
            return None;
        }
        if !self.folders.contains_key(folder) {
            let path = RelPath::new(folder).ok();
            let place = path.and_then(|path| lookup.place(&path, true).ok());
            let place = place.filter(|place| matches!(lookup.kind(place), Some(Kind::Directory)));
            self.folders.insert(folder.to_owned(), place.map(|place| place.as_str().to_owned()));
        }
        let folder = self.folders.get(folder)?.as_ref()?;
        Some(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
    }
}

/// A tree in which paths are looked up.
pub struct Lookup<'a> {
    tree: &'a Tree,
    /// Folders that the tree only implies.
    implied: BTreeSet<RelPath>,
}

/// What is in the way to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A file where a folder should be.
    File,
    /// Links that lead in a circle, or more of them than are followed.
    Circle,
    /// A link to a path that is too long or otherwise none.
    Path,
}

impl Obstacle {
    /// With an article, for the end of a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "a file above it",
            Self::Circle => "links that lead in a circle",
            Self::Path => "a link to no path",
        }
    }
}

impl<'a> Lookup<'a> {
    /// Looks into this tree.
    #[must_use]
    pub fn new(tree: &'a Tree) -> Self {
        let mut implied = BTreeSet::new();
        for (path, _) in tree.iter() {
            let mut parent = path.parent();
            while let Some(above) = parent.filter(|above| !above.is_root()) {
                parent = above.parent();
                if tree.entry(above.as_str()).is_some() || !implied.insert(above) {
                    break;
                }
            }
        }
        Self { tree, implied }
    }

    /// The names in a folder, sorted; none where there is no such folder.
    #[must_use]
    pub fn names(&self, folder: &str) -> Vec<String> {
        let place = RelPath::new(folder).ok().and_then(|path| self.place(&path, true).ok());
        let Some(place) = place else { return Vec::new() };
        let below = self.tree.iter().filter_map(|(path, _)| path.below(&place));
        let names: BTreeSet<String> = below
            .filter_map(|path| path.components().next().map(str::to_owned))
            .filter(|name| !name.is_empty())
            .collect();
        names.into_iter().collect()
    }

    /// What is at exactly this path, folders that are only implied too.
    #[must_use]
    pub fn kind(&self, path: &RelPath) -> Option<&'a Kind> {
        match self.tree.entry(path.as_str()) {
            Some(entry) => Some(&entry.kind),
            None if path.is_root() || self.implied.contains(path) => Some(&Kind::Directory),
            None => None,
        }
    }

    /// Where a path leads, whether or not something is there: links on the way are followed, and with `last` one at
    /// its end too. Nothing leads out of the tree: above its root is the root.
    pub fn place(&self, path: &RelPath, last: bool) -> Result<RelPath, Obstacle> {
        let names = |text: &str| text.rsplit('/').map(str::to_owned).collect::<Vec<_>>();
        let mut rest = names(path.as_str());
        let mut place: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    place.pop();
                    continue;
                }
                _ => place.push(name),
            }
            if rest.is_empty() && !last {
                break;
            }
            let here = RelPath::new(place.join("/")).map_err(|_| Obstacle::Path)?;
            match self.kind(&here) {
                Some(Kind::Symlink { target }) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Obstacle::Circle);
                    }
                    place.pop();
                    if target.starts_with('/') {
                        place.clear();
                    }
                    rest.extend(names(target));
                }
                Some(Kind::File { .. } | Kind::HardLink { .. }) if !rest.is_empty() => return Err(Obstacle::File),
                Some(_) | None => {}
            }
        }
        RelPath::new(place.join("/")).map_err(|_| Obstacle::Path)
    }
}
