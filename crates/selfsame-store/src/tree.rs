//! Trees as blobs, and which blobs of a tree are not there.

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Kind, TextError, Tree};

use crate::{Store, StoreError};

/// The longest tree text that is read.
pub(crate) const TREE_BYTES: u64 = 512 << 20;

impl Store {
    /// Stores a tree's text form as a blob; its digest is the tree's identity. The files' content is stored separately.
    pub fn put_tree(&self, tree: &Tree) -> Result<Digest, StoreError> {
        self.put_bytes(tree.to_string().as_bytes(), false)
    }

    /// A tree by its digest, checked.
    pub fn tree(&self, digest: &Digest) -> Result<Tree, StoreError> {
        let bytes = self.read_blob(digest, TREE_BYTES)?;
        parse(&bytes).map_err(|source| StoreError::NotATree { digest: *digest, source })
    }

    /// The files whose content is not in the store or has another size there, in path order. Hashes nothing.
    pub fn missing(&self, tree: &Tree) -> Result<Vec<(RelPath, Digest, u64)>, StoreError> {
        let mut missing = Vec::new();
        for (path, entry) in tree.iter() {
            if let Kind::File { digest, size } = entry.kind
                && self.file_size(&digest, false)? != Some(size)
                && self.file_size(&digest, true)? != Some(size)
            {
                missing.push((path.clone(), digest, size));
            }
        }
        Ok(missing)
    }
}

/// Whether bytes begin as a tree's text does. Few other files do, and none is harmed by being taken for one.
pub(crate) fn is_tree_text(beginning: &[u8]) -> bool {
    beginning.starts_with(b"selfsame-tree v1\n")
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Tree, TextError> {
    let text = std::str::from_utf8(bytes).map_err(|error| TextError {
        line: bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1,
        fault: "is not UTF-8".to_owned(),
    })?;
    text.parse()
}
