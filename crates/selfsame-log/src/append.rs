//! What a tree's tiles become when leaves come behind the last one.

use std::collections::BTreeMap;

use selfsame_core::Digest;

use crate::merkle::perfect_root;
use crate::tile::{TILE_WIDTH, Tile};
use crate::tree::Tiles;

/// The tiles that are new or wider in the tree of `size` entries and these leaves.
pub fn append<T: Tiles>(size: u64, leaves: &[Digest], tiles: &T) -> Result<BTreeMap<Tile, Vec<Digest>>, T::Error> {
    let mut written = BTreeMap::new();
    let mut arriving = leaves.to_vec();
    for level in 0..8u8 {
        if arriving.is_empty() {
            break;
        }
        let before = size >> (8 * u32::from(level));
        let mut index = before / TILE_WIDTH;
        let mut row = match Tile::at(level, index, size) {
            Some(tile) => tiles.tile(tile)?,
            None => Vec::new(),
        };
        let mut above = Vec::new();
        for hash in arriving {
            row.push(hash);
            if row.len() as u64 == TILE_WIDTH {
                above.push(perfect_root(&row));
                written.insert(Tile { level, index, width: 256 }, std::mem::take(&mut row));
                index += 1;
            }
        }
        if !row.is_empty() {
            let width = u16::try_from(row.len()).expect("below 256");
            written.insert(Tile { level, index, width }, row);
        }
        arriving = above;
    }
    Ok(written)
}
