//! Outputs as they come out of the sandbox: contents into the store, entries into a tree.

use std::collections::BTreeMap;
use std::io::{self, Read};

use selfsame_core::RelPath;
use selfsame_sandbox::{OutputEntry, OutputKind, OutputSink};
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind, Tree};

pub(crate) struct Collector<'a> {
    store: &'a Store,
    /// Where each output stands in the tree.
    roots: Vec<RelPath>,
    entries: BTreeMap<RelPath, Entry>,
    /// The names of files that have several.
    names: BTreeMap<(u64, u64), Vec<RelPath>>,
    failed: Option<StoreError>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(store: &'a Store, roots: Vec<RelPath>) -> Self {
        Self { store, roots, entries: BTreeMap::new(), names: BTreeMap::new(), failed: None }
    }

    /// The store's own error behind an error of the sink, if there was one.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.failed.take()
    }

    /// The tree. Of several names of one file the first by path is the file, the others link to it: which one the
    /// command made first does not count.
    pub(crate) fn into_tree(mut self) -> Result<Tree, String> {
        for mut names in std::mem::take(&mut self.names).into_values() {
            names.sort();
            let Some((first, others)) = names.split_first() else { continue };
            for other in others {
                if let Some(entry) = self.entries.get_mut(other) {
                    entry.kind = Kind::HardLink { target: first.clone() };
                }
            }
        }
        Tree::from_entries(self.entries).map_err(|error| error.to_string())
    }
}

impl OutputSink for Collector<'_> {
    fn entry(&mut self, entry: OutputEntry, content: &mut dyn Read) -> io::Result<()> {
        let root = self.roots.get(entry.output).ok_or_else(|| io::Error::other("an output that was not declared"))?;
        let path = root.join(&entry.path).map_err(|error| io::Error::other(error.to_string()))?;
        // Setuid and setgid bits have no meaning for a single user, and the sandbox refuses to set them.
        let mode = entry.mode & 0o777;
        let kind = match entry.kind {
            OutputKind::Directory => Kind::Directory,
            OutputKind::Symlink { target } => Kind::Symlink { target },
            OutputKind::File { size, link } => {
                if let Some(identity) = link {
                    self.names.entry(identity).or_default().push(path.clone());
                }
                let (digest, stored) = self.store.put(content, mode & 0o111 != 0).map_err(|error| {
                    let text = error.to_string();
                    self.failed.get_or_insert(error);
                    io::Error::other(text)
                })?;
                if stored != size {
                    return Err(io::Error::other(format!("`{path}` has {size} bytes and gave {stored}")));
                }
                Kind::File { digest, size }
            }
        };
        let mode = if matches!(kind, Kind::Symlink { .. }) { 0o777 } else { mode };
        self.entries.insert(path, Entry { kind, mode, uid: 0, gid: 0, xattrs: entry.xattrs, step_rank: 0 });
        Ok(())
    }
}
