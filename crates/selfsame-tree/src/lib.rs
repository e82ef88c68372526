//! A file tree as a value, its reversible text form, its digest, and the comparison of two.
//!
//! Holds no file content, only digests of it, and opens nothing: the store knows where the bytes are.
#![forbid(unsafe_code)]

mod compare;
mod names;
mod text;

pub use compare::{Change, compare};
pub use names::Names;
pub use text::TextError;

use std::collections::BTreeMap;
use std::fmt;

use selfsame_core::{Digest, RelPath};

/// Entries by path. A parent folder that is not listed is implied: mode 0755, owner 0:0, the rank of its first child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<RelPath, Entry>,
}

/// One file, folder, link or mark at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// The lower twelve bits: permissions, setuid, setgid, sticky. 0777 for symbolic links.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Extended attributes by full name, `security.capability` for one.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// The step that last changed it: 0 for inputs. When a tree is mounted, mtime = source epoch + rank seconds.
    pub step_rank: u32,
}

/// The kinds of entries. Devices, FIFOs and sockets are none: they cannot be expressed, so they cannot be shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A regular file, by the digest of its content.
    File {
        /// Of the content.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
    /// A symbolic link and the text it holds, which may point anywhere.
    Symlink {
        /// Its text.
        target: String,
    },
    /// A second name of the file at `target`, which is a [`Kind::File`] that sorts before it.
    HardLink {
        /// The first name.
        target: RelPath,
    },
}

impl Kind {
    /// `dir`, `file`, `symlink` or `hardlink`, as in the text form.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Directory => "dir",
            Self::File { .. } => "file",
            Self::Symlink { .. } => "symlink",
            Self::HardLink { .. } => "hardlink",
        }
    }
}

impl Entry {
    /// An entry of the invoker's: owner 0:0, no extended attributes, rank 0.
    #[must_use]
    pub const fn new(kind: Kind, mode: u32) -> Self {
        Self { kind, mode, uid: 0, gid: 0, xattrs: BTreeMap::new(), step_rank: 0 }
    }

    /// A folder with mode 0755.
    #[must_use]
    pub const fn directory() -> Self {
        Self::new(Kind::Directory, 0o755)
    }

    /// A file with mode 0755 or 0644.
    #[must_use]
    pub const fn file(digest: Digest, size: u64, executable: bool) -> Self {
        Self::new(Kind::File { digest, size }, if executable { 0o755 } else { 0o644 })
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(target: impl Into<String>) -> Self {
        Self::new(Kind::Symlink { target: target.into() }, 0o777)
    }
}

/// Why an entry cannot stand in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Two entries at one path.
    #[error("two entries at `{path}`")]
    Twice {
        /// The path.
        path: RelPath,
    },
    /// Something below a path that is not a folder.
    #[error("`{path}` lies below `{ancestor}`, which is a {kind}")]
    BelowLeaf {
        /// The lower path.
        path: RelPath,
        /// The path that should be a folder.
        ancestor: RelPath,
        /// What it is instead.
        kind: &'static str,
    },
    /// A hard link whose target is missing, later, or not a file.
    #[error("hard link `{path}` names `{target}`, which is not a file before it")]
    LinkTarget {
        /// The link.
        path: RelPath,
        /// What it names.
        target: RelPath,
    },
    /// A mode beyond twelve bits, an empty link text or one with NUL, a NUL in an attribute name.
    #[error("`{path}` {fault}")]
    Entry {
        /// The path.
        path: RelPath,
        /// The rest of the sentence.
        fault: &'static str,
    },
}

impl Tree {
    /// A tree with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// A tree of these entries, in any order.
    pub fn from_entries(entries: impl IntoIterator<Item = (RelPath, Entry)>) -> Result<Self, TreeError> {
        let mut tree = Self::new();
        for (path, entry) in entries {
            if tree.entries.contains_key(&path) {
                return Err(TreeError::Twice { path });
            }
            tree.entries.insert(path, entry);
        }
        tree.check()?;
        Ok(tree)
    }

    /// Every entry, ordered by the bytes of its path: a folder before what it holds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RelPath, &Entry)> + DoubleEndedIterator {
        self.entries.iter()
    }

    /// The entry at a path.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The file content at a path, seen through hard links (not through symbolic ones): digest and size.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<(Digest, u64)> {
        match &self.entries.get(path)?.kind {
            Kind::File { digest, size } => Some((*digest, *size)),
            Kind::HardLink { target } => match self.entries.get(target)?.kind {
                Kind::File { digest, size } => Some((digest, size)),
                _ => None,
            },
            Kind::Directory | Kind::Symlink { .. } => None,
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all files, hard links not counted twice. The most that a number holds, where a text says more.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let size = |entry: &Entry| if let Kind::File { size, .. } = entry.kind { size } else { 0 };
        self.entries.values().fold(0, |sum, entry| sum.saturating_add(size(entry)))
    }

    /// What lies at or below `root`, with paths from there.
    pub fn subtree(&self, root: &RelPath) -> Result<Self, TreeError> {
        let mut below = Vec::new();
        for (path, entry) in &self.entries {
            let Some(rest) = path.below(root) else { continue };
            if rest.is_root() && entry.kind != Kind::Directory {
                continue;
            }
            let mut entry = entry.clone();
            if let Kind::HardLink { target } = &mut entry.kind {
                match target.below(root) {
                    Some(inside) => *target = inside,
                    None => {
                        let (digest, size) = self
                            .content(target.as_str())
                            .ok_or_else(|| TreeError::LinkTarget { path: path.clone(), target: target.clone() })?;
                        entry.kind = Kind::File { digest, size };
                    }
                }
            }
            below.push((rest, entry));
        }
        Self::from_entries(below)
    }

    /// The same tree below `root`.
    pub fn below(&self, root: &RelPath) -> Result<Self, TreeError> {
        let place = |path: &RelPath| {
            root.join(path).map_err(|_| TreeError::Entry { path: path.clone(), fault: "becomes too long a path" })
        };
        let mut moved = Vec::with_capacity(self.entries.len());
        for (path, entry) in &self.entries {
            let mut entry = entry.clone();
            if let Kind::HardLink { target } = &mut entry.kind {
                *target = place(target)?;
            }
            moved.push((place(path)?, entry));
        }
        Self::from_entries(moved)
    }

    /// This tree with `other`'s entries added; folders may stand in both (`other`'s wins), nothing else.
    pub fn union(mut self, other: &Self) -> Result<Self, TreeError> {
        for (path, entry) in &other.entries {
            if let Some(mine) = self.entries.get(path) {
                let both_folders = mine.kind == Kind::Directory && entry.kind == Kind::Directory;
                if !both_folders && mine != entry {
                    return Err(TreeError::Twice { path: path.clone() });
                }
            }
            self.entries.insert(path.clone(), entry.clone());
        }
        self.check()?;
        Ok(self)
    }

    /// The digest of the text form: the tree's identity.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_string().as_bytes())
    }

    /// Every file's content: digest and size, each once.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<Digest, u64> {
        let file = |entry: &Entry| match entry.kind {
            Kind::File { digest, size } => Some((digest, size)),
            _ => None,
        };
        self.entries.values().filter_map(file).collect()
    }

    fn check(&self) -> Result<(), TreeError> {
        for (path, entry) in &self.entries {
            let fault = |fault| Err(TreeError::Entry { path: path.clone(), fault });
            if entry.mode > 0o7777 {
                return fault("has a mode of more than twelve bits");
            }
            if entry.xattrs.keys().any(|name| name.is_empty() || name.contains('\0')) {
                return fault("has an extended attribute without a proper name");
            }
            match &entry.kind {
                Kind::Symlink { target } if target.is_empty() || target.len() > 4095 || target.contains('\0') => {
                    return fault("is a symbolic link with an empty or overlong text, or NUL in it");
                }
                Kind::HardLink { target }
                    if target >= path
                        || !matches!(self.entries.get(target), Some(Entry { kind: Kind::File { .. }, .. })) =>
                {
                    return Err(TreeError::LinkTarget { path: path.clone(), target: target.clone() });
                }
                Kind::Directory => {}
                _ if path.is_root() => return fault("is the root and must be a folder"),
                _ => {}
            }
            let mut ancestor = path.parent();
            while let Some(above) = ancestor {
                if let Some(found) = self.entries.get(&above)
                    && found.kind != Kind::Directory
                {
                    return Err(TreeError::BelowLeaf { path: path.clone(), ancestor: above, kind: found.kind.name() });
                }
                ancestor = above.parent();
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    /// The text form, docs/tree/v1.md.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::print(self, f)
    }
}

impl std::str::FromStr for Tree {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        text::parse(text)
    }
}

#[cfg(test)]
mod tests;
