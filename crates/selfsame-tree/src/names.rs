//! A tree whose files may come and go: every name of a file has its content, and none depends on another.

use std::collections::BTreeMap;

use selfsame_core::RelPath;

use crate::{Entry, Kind, Tree, TreeError};

/// Entries that can be taken out, moved and added one by one; [`into_tree`](Self::into_tree) makes hard links again.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// No entry is a [`Kind::HardLink`].
    entries: BTreeMap<RelPath, Named>,
}

#[derive(Clone, Debug)]
struct Named {
    entry: Entry,
    /// What the names of one file have in common.
    file: Option<String>,
}

impl Names {
    /// The entries of a tree.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let mut entries: BTreeMap<RelPath, Named> = BTreeMap::new();
        for (path, entry) in tree.iter() {
            let named = match &entry.kind {
                Kind::HardLink { target } => {
                    let first = entries.get_mut(target).expect("a tree's hard links name files before them");
                    first.file = Some(target.to_string());
                    first.clone()
                }
                _ => Named { entry: entry.clone(), file: None },
            };
            entries.insert(path.clone(), named);
        }
        Self { entries }
    }

    /// What stands at a path; never a hard link.
    #[must_use]
    pub fn get(&self, path: &RelPath) -> Option<&Entry> {
        self.entries.get(path).map(|named| &named.entry)
    }

    /// Every entry, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Entry)> {
        self.entries.iter().map(|(path, named)| (path, &named.entry))
    }

    /// Takes out what stands at a path; what is below it stays.
    pub fn remove(&mut self, path: &RelPath) {
        self.entries.remove(path);
    }

    /// Takes out everything below a path, which stays.
    pub fn remove_below(&mut self, folder: &RelPath) {
        let from = self.entries.range(folder.clone()..).map(|(path, _)| path);
        let near = from.take_while(|path| path.as_str().starts_with(folder.as_str()));
        let below: Vec<RelPath> =
            near.filter(|path| *path != folder && path.below(folder).is_some()).cloned().collect();
        for path in below {
            self.entries.remove(&path);
        }
    }

    /// Puts an entry at a path, in place of what was there. Files of one `file` are names of it.
    pub fn insert(&mut self, path: RelPath, entry: Entry, file: Option<String>) {
        self.entries.insert(path, Named { entry, file });
    }

    /// Gives an entry another path, in place of what is there.
    pub fn rename(&mut self, from: &RelPath, to: RelPath) {
        if let Some(named) = self.entries.remove(from) {
            self.entries.insert(to, named);
        }
    }

    /// The tree: of the names of one file the first by path is the file, the others link to it.
    pub fn into_tree(self) -> Result<Tree, TreeError> {
        let mut firsts: BTreeMap<String, RelPath> = BTreeMap::new();
        let mut entries = Vec::with_capacity(self.entries.len());
        for (path, Named { mut entry, file }) in self.entries {
            match file.as_ref().and_then(|file| firsts.get(file)) {
                Some(first) => entry.kind = Kind::HardLink { target: first.clone() },
                None => _ = file.map(|file| firsts.insert(file, path.clone())),
            }
            entries.push((path, entry));
        }
        Tree::from_entries(entries)
    }
}

#[cfg(test)]
mod tests {
    use selfsame_core::Digest;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn the_next_name_is_the_file_where_the_first_is_gone() {
        let file = Entry::file(Digest::of(b"x"), 1, false);
        let link = |to: &str| Entry::new(Kind::HardLink { target: path(to) }, 0o644);
        let tree = Tree::from_entries([
            (path("a/one"), file.clone()),
            (path("a/two"), link("a/one")),
            (path("b"), link("a/one")),
            (path("c"), file.clone()),
        ])
        .unwrap();
        assert_eq!(Names::of(&tree).into_tree().unwrap(), tree);
        let mut names = Names::of(&tree);
        names.remove(&path("a/one"));
        let next = names.clone().into_tree().unwrap();
        assert_eq!(next.content("a/two"), Some((Digest::of(b"x"), 1)));
        assert_eq!(next.entry("b").unwrap().kind, Kind::HardLink { target: path("a/two") });
        names.remove_below(&path("a"));
        names.rename(&path("c"), path("a/c"));
        let last: Vec<_> = names.into_tree().unwrap().iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(last, ["a/c", "b"]);
    }
}
