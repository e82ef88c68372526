//! One package from the store: its control files and its content, each in the store then.

use std::collections::BTreeMap;
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath};
use selfsame_deb::{Control, DebError, Limits, read};
use selfsame_oci::LayerVisitor;
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree};

use super::error::DebInputError;
use crate::memo;
use crate::resolve::FetchError;

/// A package whose files are in the store.
#[derive(Clone, Debug)]
pub(super) struct Unpacked {
    pub(super) control: Control,
    /// `postinst`, `md5sums`, ...: the files of the control member, but for the control file itself.
    pub(super) info: BTreeMap<String, Entry>,
    /// What it installs.
    pub(super) data: Tree,
}

const CONTROL_BYTES: u64 = 4 << 20;

/// Unpacks a package. One that was unpacked before is not read again.
pub(super) fn unpack(store: &Store, sha256: &Digest, name: &str) -> Result<Unpacked, FetchError> {
    // Changing what unpacking does changes this text.
    let key = Digest::of(format!("selfsame-deb v1\n{sha256}\n").as_bytes());
    let refused = |source| DebInputError::Package { package: name.to_owned(), source };
    let not_a_tree = |source| DebInputError::Tree { source };
    let (control, data) = (below("control"), below("data"));
    if let Some(both) = memo::recall(store, &key)? {
        let files = both.subtree(&control).map_err(not_a_tree)?;
        let text = match files.content("control") {
            Some((digest, _)) => store.read_blob(&digest, CONTROL_BYTES)?,
            None => Vec::new(),
        };
        let text = std::str::from_utf8(&text).map_err(|_| refused(DebError::NoControl))?;
        let control = Control::parse(text).map_err(|error| refused(error.into()))?;
        return Ok(Unpacked { control, info: info(&files), data: both.subtree(&data).map_err(not_a_tree)? });
    }
    let mut blob = store.open_blob(sha256)?;
    let mut storing = Storing { store, executable: false };
    let deb = read(&mut blob, Limits::PACKAGE, &mut storing).map_err(refused)?;
    // Behind the last member nothing is left; this checks the digest.
    blob.verify()?;
    let mut files = Vec::new();
    for (name, (executable, bytes)) in &deb.control.files {
        let digest = store.put_bytes(bytes, *executable)?;
        let path = RelPath::new(name.clone()).map_err(|_| refused(DebError::NoControl))?;
        files.push((path, Entry::file(digest, bytes.len() as u64, *executable)));
    }
    let files = Tree::from_entries(files).map_err(not_a_tree)?;
    let both = files.below(&control).map_err(not_a_tree)?;
    let both = both.union(&deb.tree.below(&data).map_err(not_a_tree)?).map_err(not_a_tree)?;
    memo::note(store, &key, &both)?;
    Ok(Unpacked { control: deb.control.control, info: info(&files), data: deb.tree })
}

fn below(name: &'static str) -> RelPath {
    RelPath::new(name).expect("a literal path")
}

/// Files only: a control member has no folders that anybody would look into.
fn info(files: &Tree) -> BTreeMap<String, Entry> {
    let named = files.iter().filter(|(path, entry)| {
        matches!(entry.kind, Kind::File { .. }) && path.components().count() == 1 && path.as_str() != "control"
    });
    named.map(|(path, entry)| (path.as_str().to_owned(), entry.clone())).collect()
}

/// Puts what it sees into the store.
struct Storing<'a> {
    store: &'a Store,
    executable: bool,
}

impl LayerVisitor for Storing<'_> {
    fn mode(&mut self, _: &RelPath, mode: u32) {
        self.executable = mode & 0o111 != 0;
    }

    fn file(&mut self, _: &RelPath, _: u64, mut content: &mut dyn Read) -> io::Result<()> {
        self.store.put(&mut content, self.executable).map(|_| ()).map_err(io::Error::other)
    }
}
