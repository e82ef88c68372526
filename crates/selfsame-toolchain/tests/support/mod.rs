//! A host made of a few files, and a store beside it.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod elf;

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use selfsame_store::Store;
use selfsame_toolchain::{Captured, Host, capture};
use selfsame_tree::Tree;

pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    /// The root of the host.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A folder beside the root, as a home is.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn host(&self) -> Host {
        Host::new(self.root())
    }

    pub(crate) fn file(&self, place: &str, content: impl AsRef<[u8]>, mode: u32) -> &Self {
        write(&self.root().join(place), content.as_ref(), mode);
        self
    }

    pub(crate) fn link(&self, place: &str, target: &str) -> &Self {
        let path = self.root().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    pub(crate) fn folder(&self, place: &str) -> &Self {
        fs::create_dir_all(self.root().join(place)).unwrap();
        self
    }

    /// An installed Debian package with its list, and small files for what does not exist yet.
    pub(crate) fn package(&self, name: &str, fields: &str, files: &[&str]) -> &Self {
        let dpkg = self.root().join("var/lib/dpkg");
        fs::create_dir_all(dpkg.join("info")).unwrap();
        let mut status = fs::read_to_string(dpkg.join("status")).unwrap_or_default();
        status +=
            &format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\n{fields}\n");
        fs::write(dpkg.join("status"), status).unwrap();
        let list: String = files.iter().map(|file| format!("{file}\n")).collect();
        fs::write(dpkg.join(format!("info/{name}.list")), format!("/.\n{list}")).unwrap();
        for file in files {
            let path = self.root().join(&file[1..]);
            if fs::symlink_metadata(&path).is_err() && !file.ends_with('/') {
                write(&path, file.as_bytes(), if file.contains("/bin/") { 0o755 } else { 0o644 });
            }
        }
        self
    }

    #[track_caller]
    pub(crate) fn capture(&self, observed: &[&str]) -> Captured {
        let observed: BTreeSet<String> = observed.iter().map(|&path| path.to_owned()).collect();
        capture(&observed, &self.host(), &self.store).unwrap()
    }
}

pub(crate) fn write(path: &Path, content: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// One line an entry: path, kind, mode or target.
pub(crate) fn picture(tree: &Tree) -> String {
    let line = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| {
        assert_eq!((entry.uid, entry.gid, entry.step_rank), (0, 0, 0));
        assert!(entry.xattrs.is_empty());
        match &entry.kind {
            selfsame_tree::Kind::Symlink { target } => format!("{path} -> {target}\n"),
            kind => format!("{path} {} {:04o}\n", kind.name(), entry.mode),
        }
    };
    tree.iter().map(line).collect()
}

/// Paths of a tree below a folder.
pub(crate) fn paths(tree: &Tree) -> Vec<&str> {
    tree.iter().map(|(path, _)| path.as_str()).collect()
}
