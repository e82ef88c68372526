//! What was unpacked or laid out before: a tree's digest under the digest of what it was made from.

use selfsame_core::Digest;
use selfsame_store::{Store, StoreError};
use selfsame_tree::Tree;

/// The tree noted under `key`, if it and all its files are in the store still.
pub(crate) fn recall(store: &Store, key: &Digest) -> Result<Option<Tree>, StoreError> {
    let Some(result) = store.action_result(key)? else { return Ok(None) };
    let digest = std::str::from_utf8(&result).ok().and_then(|text| text.parse::<Digest>().ok());
    let Some(digest) = digest.filter(|digest| store.has(digest)) else { return Ok(None) };
    let tree = store.tree(&digest)?;
    Ok(store.missing(&tree)?.is_empty().then_some(tree))
}

/// Stores a tree's text and notes it under `key`.
pub(crate) fn note(store: &Store, key: &Digest, tree: &Tree) -> Result<(), StoreError> {
    let digest = store.put_tree(tree)?;
    store.put_action_result(key, digest.to_string().as_bytes())
}
