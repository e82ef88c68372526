//! A tree that lies in tiles: its root, and proofs out of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use selfsame_core::Digest;

use crate::merkle::{empty_root, node_hash, perfect_root, split};
use crate::tile::{TILE_WIDTH, Tile};

/// Where tiles come from.
pub trait Tiles {
    /// Why one could not be had.
    type Error;

    /// The hashes of a tile, as many as it is wide.
    fn tile(&self, tile: Tile) -> Result<Vec<Digest>, Self::Error>;
}

/// A tree of `size` entries. Tiles are read as they are needed, and once.
pub struct Tree<'a, T: Tiles> {
    size: u64,
    tiles: &'a T,
    seen: RefCell<BTreeMap<Tile, Vec<Digest>>>,
}

impl<'a, T: Tiles> Tree<'a, T> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(size: u64, tiles: &'a T) -> Self {
        Self { size, tiles, seen: RefCell::default() }
    }

    /// The Merkle tree hash of all entries.
    pub fn root(&self) -> Result<Digest, T::Error> {
        if self.size == 0 { Ok(empty_root()) } else { self.range(0, self.size) }
    }

    /// The hash of one leaf.
    ///
    /// # Panics
    /// If `index` is not below the size.
    pub fn leaf(&self, index: u64) -> Result<Digest, T::Error> {
        assert!(index < self.size, "the leaf {index} is not in a tree of {}", self.size);
        self.range(index, index + 1)
    }

    /// The inclusion proof of an entry (RFC 6962 section 2.1.1), lowest sibling first.
    ///
    /// # Panics
    /// If `index` is not below the size.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Digest>, T::Error> {
        assert!(index < self.size, "the entry {index} is not in a tree of {}", self.size);
        let (mut start, mut end, mut proof) = (0, self.size, Vec::new());
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The proof that the first `old` entries are the tree of that size (RFC 6962 section 2.1.2). It is empty where
    /// there is nothing to prove: for no entry, and for all of them.
    ///
    /// # Panics
    /// If `old` is above the size.
    pub fn consistency(&self, old: u64) -> Result<Vec<Digest>, T::Error> {
        assert!(old <= self.size, "a tree of {} does not begin with {old} entries", self.size);
        if old == 0 || old == self.size {
            return Ok(Vec::new());
        }
        let (mut start, mut end, mut proof) = (0, self.size, Vec::new());
        // Whether what is left of the old tree is the whole old tree, whose hash the verifier has.
        let mut whole = true;
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
                whole = false;
            }
        }
        if !whole {
            proof.push(self.range(start, end)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The hash of the entries from `start` to `end`, a subtree that RFC 6962 has.
    fn range(&self, start: u64, end: u64) -> Result<Digest, T::Error> {
        let count = end - start;
        if count.is_power_of_two() && start.is_multiple_of(count) {
            return self.node(count.trailing_zeros(), start / count);
        }
        let middle = start + split(count);
        Ok(node_hash(self.range(start, middle)?, self.range(middle, end)?))
    }

    /// The root of the complete subtree of this height at this place in its row.
    fn node(&self, height: u32, index: u64) -> Result<Digest, T::Error> {
        let (level, inside) = (height / 8, height % 8);
        let first = index << inside;
        let tile = u8::try_from(level).ok().and_then(|level| Tile::at(level, first / TILE_WIDTH, self.size));
        let tile = tile.expect("a complete subtree has its tile");
        if !self.seen.borrow().contains_key(&tile) {
            let hashes = self.tiles.tile(tile)?;
            assert_eq!(hashes.len(), usize::from(tile.width), "a tile is as wide as it says");
            self.seen.borrow_mut().insert(tile, hashes);
        }
        let seen = self.seen.borrow();
        let offset = usize::try_from(first % TILE_WIDTH).expect("below 256");
        Ok(perfect_root(&seen[&tile][offset..offset + (1 << inside)]))
    }
}
