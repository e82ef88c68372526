//! The hashes of a Merkle tree (RFC 6962 section 2.1).

use selfsame_core::{Digest, Hasher};

/// The hash of an entry: SHA-256 of a zero byte and the entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(&[0]);
    hasher.update(entry);
    hasher.finish().0
}

/// The hash of two nodes: SHA-256 of a one byte and both.
#[must_use]
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Digest::of(&bytes)
}

/// The root of a tree of no entry: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// The root above nodes whose count is a power of two.
///
/// # Panics
/// If it is not.
#[must_use]
pub fn perfect_root(nodes: &[Digest]) -> Digest {
    assert!(nodes.len().is_power_of_two(), "{} nodes have no perfect tree", nodes.len());
    let mut nodes = nodes.to_vec();
    while nodes.len() > 1 {
        nodes = nodes.chunks_exact(2).map(|pair| node_hash(pair[0], pair[1])).collect();
    }
    nodes[0]
}

/// The largest power of two below `count`, which is 2 or more: where RFC 6962 divides a tree.
pub(crate) const fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}
