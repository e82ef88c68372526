//! What an SBOM says of a file's content: computed from its bytes, and remembered for the files of a base, which are many
//! and seldom others.

use std::collections::BTreeMap;
use std::io::Read as _;

use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Digests, Sha512Digest};
use selfsame_sbom::Form;
use selfsame_store::Store;
use selfsame_tree::Tree;
use serde::{Deserialize, Serialize};

use crate::error::BuildError;

/// How much of a file its form is told by.
const HEAD_BYTES: u64 = 512;

/// What is remembered at most: some 200,000 files. More are read each time.
const LIMITS: Limits = Limits { size_bytes: 48 << 20, ..Limits::DOCUMENT };

/// A content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) sha512: Sha512Digest,
    /// What its first bytes alone say.
    content_form: Form,
}

/// The same in the store: the hash in hex, whether it is a program, whether it is an archive.
#[derive(Serialize, Deserialize)]
struct Wire(String, bool, bool);

impl Hashed {
    /// Reads a blob.
    pub(crate) fn of(digest: &Digest, store: &Store) -> Result<Self, BuildError> {
        let failed = |source| BuildError::Io { what: format!("read blob {digest}"), source };
        let mut reader = store.open_blob(digest)?;
        let mut head = Vec::new();
        reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(failed)?;
        let content_form = Form::of("", false, &head);
        let digests = Digests::of_reader(head.as_slice().chain(reader)).map_err(failed)?;
        Ok(Self { sha512: digests.sha512, content_form })
    }

    /// The form of a file with this content: by its name and mode, or by its first bytes.
    pub(crate) fn form(&self, path: &str, executable_bit: bool) -> Form {
        let (named, content) = (Form::of(path, executable_bit, b""), self.content_form);
        Form {
            executable: named.executable || content.executable,
            archive: named.archive || content.archive,
            structured: named.structured || content.structured,
        }
    }
}

/// Every content of a tree, as the store remembers it or read now.
pub(crate) fn remembered(tree: &Tree, store: &Store) -> Result<BTreeMap<Digest, Hashed>, BuildError> {
    // Changing what is remembered changes this text.
    let key = Digest::of(format!("selfsame-hashed v1\n{}\n", tree.digest()).as_bytes());
    if let Some(known) = store.action_result(&key)?.and_then(|bytes| read(&bytes)) {
        return Ok(known);
    }
    let mut hashed = BTreeMap::new();
    for digest in tree.contents().into_keys() {
        hashed.insert(digest, Hashed::of(&digest, store)?);
    }
    let wire = |hashed: &Hashed| {
        let form = hashed.content_form;
        Wire(hashed.sha512.hex(), form.executable, form.archive)
    };
    let wire: BTreeMap<String, Wire> = hashed.iter().map(|(digest, hashed)| (digest.hex(), wire(hashed))).collect();
    let wire = json::canonical(&wire);
    if wire.len() <= LIMITS.size_bytes {
        store.put_action_result(&key, &wire)?;
    }
    Ok(hashed)
}

/// Nothing for what is not what was written.
fn read(bytes: &[u8]) -> Option<BTreeMap<Digest, Hashed>> {
    let wire: BTreeMap<String, Wire> = json::parse_as(bytes, LIMITS).ok()?;
    wire.into_iter()
        .map(|(digest, Wire(sha512, executable, archive))| {
            let content_form = Form { executable, archive, structured: archive };
            let sha512 = Sha512Digest::from_hex(&sha512).ok()?;
            Some((Digest::from_hex(&digest).ok()?, Hashed { sha512, content_form }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use selfsame_core::RelPath;
    use selfsame_tree::Entry;

    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store")).expect("a store");
        let contents: [&[u8]; 3] = [b"#!/bin/sh\n", b"PK\x03\x04", b"text"];
        let put = |bytes: &[u8]| store.put_bytes(bytes, false).expect("a store");
        let file = |bytes: &[u8]| {
            let path = RelPath::new(put(bytes).hex()).expect("a path");
            (path, Entry::file(put(bytes), bytes.len() as u64, false))
        };
        let tree = Tree::from_entries(contents.map(file)).expect("a tree");
        let first = remembered(&tree, &store).expect("hashed");
        for (digest, hashed) in &first {
            assert_eq!(*hashed, Hashed::of(digest, &store).expect("hashed"));
        }
        for bytes in contents {
            let path = store.blob_path(&Digest::of(bytes), false).expect("a store").expect("a blob");
            std::fs::remove_file(path).expect("removed");
            for (name, bit) in [("/a", false), ("/a.tar.gz", false), ("/a", true)] {
                assert_eq!(first[&Digest::of(bytes)].form(name, bit), Form::of(name, bit, bytes), "{name} {bit}");
            }
        }
        assert_eq!(remembered(&tree, &store).expect("remembered"), first);
    }
}
