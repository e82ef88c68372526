//! Inclusion and consistency proofs, verified as RFC 9162 sections 2.1.3.2 and 2.1.4.2 write it.

use std::collections::BTreeMap;

use selfsame_core::Digest;

use crate::merkle::{empty_root, node_hash};

/// Whole subtrees of a log, by level and place: the subtree `(3, 2)` is over the entries 16 to 23. A tree keeps them as it
/// grows.
pub type Subtrees = BTreeMap<(u32, u64), Digest>;

/// Whether the leaf stands at `index` in the tree of `size` entries with this root.
pub fn verify_inclusion(leaf: Digest, index: u64, size: u64, proof: &[Digest], root: Digest) -> Result<(), ProofError> {
    included(leaf, index, size, proof, root).map(drop)
}

/// The same, and the whole subtrees on the way: the leaf, what is beside it, and what these give.
pub fn included(leaf: Digest, index: u64, size: u64, proof: &[Digest], root: Digest) -> Result<Subtrees, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    let (mut level, mut position, mut last, mut hash) = (0_u32, index, size - 1, leaf);
    let mut subtrees = Subtrees::new();
    // At the right edge of the tree there are some that will still grow.
    let mut note = |level: u32, place: u64, hash: Digest| {
        if u128::from(place + 1) << level <= u128::from(size) {
            subtrees.insert((level, place), hash);
        }
    };
    for &sibling in proof {
        if last == 0 {
            return Err(ProofError::Length { count: proof.len() });
        }
        note(level, position, hash);
        if position & 1 == 1 || position == last {
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
                level += 1;
            }
            // Without a place to its left the proof is of no tree, and leads to no root.
            note(level, position.saturating_sub(1), sibling);
            hash = node_hash(sibling, hash);
        } else {
            note(level, position + 1, sibling);
            hash = node_hash(hash, sibling);
        }
        position >>= 1;
        last >>= 1;
        level += 1;
    }
    note(level, position, hash);
    match (last, hash == root) {
        (0, true) => Ok(subtrees),
        (0, false) => Err(ProofError::Root { computed: hash, root }),
        _ => Err(ProofError::Length { count: proof.len() }),
    }
}

/// Whether the tree of `new_size` entries begins with the tree of `old_size`: nothing was taken out or changed.
pub fn verify_consistency(
    old_size: u64,
    old_root: Digest,
    new_size: u64,
    new_root: Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::Shrunk { old_size, new_size });
    }
    if old_size == 0 || old_size == new_size {
        let same = if old_size == 0 { old_root == empty_root() } else { old_root == new_root };
        return match (same, proof.len()) {
            (true, 0) => Ok(()),
            (true, count) => Err(ProofError::Length { count }),
            (false, _) => Err(ProofError::OldRoot { computed: new_root, root: old_root }),
        };
    }
    let length = ProofError::Length { count: proof.len() };
    let mut hashes = proof.iter().copied();
    // A complete subtree is its own first hash, which the proof leaves out.
    let first = if old_size.is_power_of_two() { old_root } else { hashes.next().ok_or_else(|| length.clone())? };
    let (mut position, mut last) = (old_size - 1, new_size - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (first, first);
    for sibling in hashes {
        if last == 0 {
            return Err(length);
        }
        if position & 1 == 1 || position == last {
            old = node_hash(sibling, old);
            new = node_hash(sibling, new);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(new, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(length);
    }
    if old != old_root {
        return Err(ProofError::OldRoot { computed: old, root: old_root });
    }
    if new != new_root {
        return Err(ProofError::Root { computed: new, root: new_root });
    }
    Ok(())
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// No such entry in a tree of this size.
    #[error("the index {index} is not in a tree of {size} entries")]
    Index {
        /// Of the entry.
        index: u64,
        /// Of the tree.
        size: u64,
    },
    /// A proof for another place or another size.
    #[error("the proof of {count} hashes is too short or too long for its place in the tree")]
    Length {
        /// Hashes in it.
        count: usize,
    },
    /// The hashes lead elsewhere.
    #[error("the proof leads to the root {computed}, not to {root}")]
    Root {
        /// Where they lead.
        computed: Digest,
        /// Where they should.
        root: Digest,
    },
    /// The old tree is not the beginning of the new one.
    #[error("the older root is {root}, and the proof leads to {computed}: the log was rewritten")]
    OldRoot {
        /// Where the hashes lead.
        computed: Digest,
        /// Of the older checkpoint.
        root: Digest,
    },
    /// Fewer entries than before.
    #[error("the log had {old_size} entries and now has {new_size}")]
    Shrunk {
        /// Of the older checkpoint.
        old_size: u64,
        /// Of the newer one.
        new_size: u64,
    },
}
