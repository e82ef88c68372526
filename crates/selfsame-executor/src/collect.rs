//! Outputs as they come out of the sandbox: contents into the store, entries into a tree.

use std::collections::BTreeMap;
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath};
use selfsame_sandbox::{OutputEntry, OutputKind, OutputSink};
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind, Names, Tree};

pub(crate) struct Collector<'a> {
    store: &'a Store,
    /// Whether what comes is what was changed of a root, with owners.
    changes: Option<Changes>,
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

/// What cannot be said by an entry.
#[derive(Default)]
struct Changes {
    /// Nothing is there any more, and nothing below.
    gone: Vec<RelPath>,
    /// Folders in which nothing is left of what was there.
    new_folders: Vec<RelPath>,
}

impl<'a> Collector<'a> {
    /// Takes files of at most `limit_bytes` together: what a command could write. Holes cost it nothing and would
    /// cost the store their whole length.
    pub(crate) fn new(store: &'a Store, roots: Vec<RelPath>, limit_bytes: u64) -> Self {
        let (entries, names) = (BTreeMap::new(), BTreeMap::new());
        let (changes, failed, refused) = (None, None, None);
        Self { store, changes, roots, entries, names, left_bytes: limit_bytes, limit_bytes, failed, refused }
    }

    /// Takes what was changed of a root.
    pub(crate) fn of_changes(store: &'a Store, limit_bytes: u64) -> Self {
        Self { changes: Some(Changes::default()), ..Self::new(store, vec![RelPath::root()], limit_bytes) }
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

impl Collector<'_> {
    /// The root as it is after the changes.
    pub(crate) fn into_root(mut self, before: &Tree) -> Result<Tree, String> {
        let Changes { gone, new_folders } = self.changes.take().unwrap_or_default();
        let mut root = Names::of(before);
        for path in &gone {
            root.remove_below(path);
            root.remove(path);
        }
        for path in &new_folders {
            root.remove_below(path);
        }
        let mut files: BTreeMap<RelPath, String> = BTreeMap::new();
        for ((device, inode), (names, _)) in &self.names {
            files.extend(names.iter().map(|name| (name.clone(), format!("{device} {inode}"))));
        }
        for (path, entry) in self.entries {
            // In the place of a folder, which may only be implied.
            if entry.kind != Kind::Directory {
                root.remove_below(&path);
            }
            // Files of before are known by a path, which holds no space alone.
            let file = files.remove(&path);
            root.insert(path, entry, file);
        }
        root.into_tree().map_err(|error| error.to_string())
    }
}

impl OutputSink for Collector<'_> {
    fn entry(&mut self, entry: OutputEntry, content: &mut dyn Read) -> io::Result<()> {
        let root = self.roots.get(entry.output).ok_or_else(|| io::Error::other("an output that was not declared"))?;
        let path = root.join(&entry.path).map_err(|error| io::Error::other(error.to_string()))?;
        // Setuid and setgid bits have no meaning for a single user, and the sandbox refuses to set them.
        let mode = if self.changes.is_some() { entry.mode } else { entry.mode & 0o777 };
        let (uid, gid) = if self.changes.is_some() { entry.owner } else { (0, 0) };
        let kind = match entry.kind {
            OutputKind::Directory => Kind::Directory,
            OutputKind::Symlink { target } => Kind::Symlink { target },
            OutputKind::NewDirectory | OutputKind::Gone if self.changes.is_none() => {
                return Err(io::Error::other("a change where an output was declared"));
            }
            OutputKind::Gone => {
                self.changes.get_or_insert_default().gone.push(path);
                return Ok(());
            }
            OutputKind::NewDirectory => {
                self.changes.get_or_insert_default().new_folders.push(path.clone());
                Kind::Directory
            }
            OutputKind::File { size, link } => {
                let known = link.and_then(|identity| self.names.get_mut(&identity));
                if let Some((names, digest)) = known {
                    // Read once, however many names it has.
                    names.push(path.clone());
                    let kind = Kind::File { digest: *digest, size };
                    self.entries.insert(path, Entry { kind, mode, uid, gid, xattrs: entry.xattrs, step_rank: 0 });
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
        self.entries.insert(path, Entry { kind, mode, uid, gid, xattrs: entry.xattrs, step_rank: 0 });
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

    #[test]
    fn a_root_is_what_was_there_with_its_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let path = |text: &str| RelPath::new(text).unwrap();
        let old = |text: &str| (path(text), Entry::file(Digest::of(b"old"), 3, false));
        let link = |text: &str| (path(text), Entry::new(Kind::HardLink { target: path("bin/a") }, 0o644));
        let before = ["etc/gone/x", "etc/new/out", "etc/kept", "etc/turned/x"].map(old);
        let before =
            Tree::from_entries(before.into_iter().chain([old("bin/a"), link("bin/b"), link("bin/c")])).unwrap();
        let mut collector = Collector::of_changes(&store, 1000);
        let change = |at: &str, kind, mode| OutputEntry {
            output: 0,
            path: path(at),
            kind,
            mode,
            owner: (42, 43),
            xattrs: BTreeMap::new(),
        };
        let named = |at: &str| change(at, OutputKind::File { size: 3, link: Some((1, 2)) }, 0o4755);
        collector.entry(change("bin/a", OutputKind::Gone, 0), &mut io::empty()).unwrap();
        collector.entry(named("etc/first"), &mut &b"new"[..]).unwrap();
        collector.entry(change("etc/gone", OutputKind::Gone, 0), &mut io::empty()).unwrap();
        collector.entry(change("etc/new", OutputKind::NewDirectory, 0o2775), &mut io::empty()).unwrap();
        collector.entry(named("etc/new/in"), &mut Untouched).unwrap();
        let turned = OutputKind::Symlink { target: "../..".to_owned() };
        collector.entry(change("etc/turned", turned, 0o777), &mut io::empty()).unwrap();
        let root = collector.into_root(&before).unwrap();
        let digest = |text: &[u8]| Digest::of(text);
        let expected = format!(
            "selfsame-tree v1\nbin/b file 0644 0:0 r0 3 {old}\nbin/c hardlink 0644 0:0 r0 bin/b\n\
             etc/first file 4755 42:43 r0 3 {new}\netc/kept file 0644 0:0 r0 3 {old}\netc/new dir 2775 42:43 r0\n\
             etc/new/in hardlink 4755 42:43 r0 etc/first\netc/turned symlink 0777 42:43 r0 ../..\n",
            old = digest(b"old"),
            new = digest(b"new"),
        );
        assert_eq!(root.to_string(), expected);
    }
}
