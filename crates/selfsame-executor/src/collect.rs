//! Outputs as they come out of the sandbox: contents into the store, entries into a tree.

use std::collections::BTreeMap;
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath};
use selfsame_sandbox::{OutputEntry, OutputKind, OutputSink};
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind, Tree};

pub(crate) struct Collector<'a> {
    store: &'a Store,
    /// Where each output stands in the tree.
    roots: Vec<RelPath>,
    entries: BTreeMap<RelPath, Entry>,
    /// The files that have several names: those names, and the content.
    names: BTreeMap<(u64, u64), (Vec<RelPath>, Digest)>,
    /// How many bytes may still come.
    left_bytes: u64,
    limit_bytes: u64,
    failed: Option<StoreError>,
    refused: Option<String>,
}

impl<'a> Collector<'a> {
    /// Takes files of at most `limit_bytes` together: what a command could write. Holes cost it nothing and would
    /// cost the store their whole length.
    pub(crate) fn new(store: &'a Store, roots: Vec<RelPath>, limit_bytes: u64) -> Self {
        let (entries, names) = (BTreeMap::new(), BTreeMap::new());
        Self { store, roots, entries, names, left_bytes: limit_bytes, limit_bytes, failed: None, refused: None }
    }

    /// Why the outputs themselves were refused, if they were.
    pub(crate) fn take_refusal(&mut self) -> Option<String> {
        self.refused.take()
    }

    /// The store's own error behind an error of the sink, if there was one.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.failed.take()
    }

    /// One more entry, which did not come out of the sandbox as a file.
    pub(crate) fn add(&mut self, path: RelPath, entry: Entry) {
        self.entries.insert(path, entry);
    }

    /// The tree. Of several names of one file the first by path is the file, the others link to it: which one the
    /// command made first does not count.
    pub(crate) fn into_tree(mut self) -> Result<Tree, String> {
        for (mut names, _) in std::mem::take(&mut self.names).into_values() {
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
            OutputKind::NewDirectory | OutputKind::Gone => {
                return Err(io::Error::other("a change where an output was declared"));
            }
            OutputKind::File { size, link } => {
                let known = link.and_then(|identity| self.names.get_mut(&identity));
                if let Some((names, digest)) = known {
                    // Read once, however many names it has.
                    names.push(path.clone());
                    let kind = Kind::File { digest: *digest, size };
                    self.entries.insert(path, Entry { kind, mode, uid: 0, gid: 0, xattrs: entry.xattrs, step_rank: 0 });
                    return Ok(());
                }
                self.left_bytes = self.left_bytes.checked_sub(size).ok_or_else(|| {
                    let limit = self.limit_bytes;
                    let fault = format!("with `{path}` the outputs have more than the {limit} bytes of `scratch`");
                    self.refused.get_or_insert(fault.clone());
                    io::Error::other(fault)
                })?;
                let (digest, stored) = self.store.put(content, mode & 0o111 != 0).map_err(|error| {
                    let text = error.to_string();
                    self.failed.get_or_insert(error);
                    io::Error::other(text)
                })?;
                if stored != size {
                    return Err(io::Error::other(format!("`{path}` has {size} bytes and gave {stored}")));
                }
                if let Some(identity) = link {
                    self.names.insert(identity, (vec![path.clone()], digest));
                }
                Kind::File { digest, size }
            }
        };
        let mode = if matches!(kind, Kind::Symlink { .. }) { 0o777 } else { mode };
        self.entries.insert(path, Entry { kind, mode, uid: 0, gid: 0, xattrs: entry.xattrs, step_rank: 0 });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64, link: Option<(u64, u64)>) -> OutputEntry {
        let kind = OutputKind::File { size, link };
        OutputEntry {
            output: 0,
            path: RelPath::new(path).unwrap(),
            kind,
            mode: 0o644,
            owner: (0, 0),
            xattrs: BTreeMap::new(),
        }
    }

    /// Holes that a command made for nothing.
    struct Untouched;

    impl Read for Untouched {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("read all the same");
        }
    }

    #[test]
    fn files_larger_than_what_could_be_written_are_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut collector = Collector::new(&store, vec![RelPath::new("out").unwrap()], 10);
        collector.entry(file("a", 6, None), &mut &b"sparse"[..]).unwrap();
        collector.entry(file("b", 1 << 60, None), &mut Untouched).unwrap_err();
        let refusal = collector.take_refusal().unwrap();
        assert_eq!(refusal, "with `out/b` the outputs have more than the 10 bytes of `scratch`");
    }

    #[test]
    fn a_file_of_many_names_is_read_and_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut collector = Collector::new(&store, vec![RelPath::new("out").unwrap()], 10);
        collector.entry(file("b", 6, Some((1, 2))), &mut &b"linked"[..]).unwrap();
        for name in ["a", "c"] {
            collector.entry(file(name, 6, Some((1, 2))), &mut Untouched).unwrap();
        }
        let tree = collector.into_tree().unwrap();
        assert_eq!(tree.content("out/c"), Some((Digest::of(b"linked"), 6)));
        assert_eq!(tree.entry("out/c").unwrap().kind, Kind::HardLink { target: RelPath::new("out/a").unwrap() });
    }
}
