//! Tiles of 256 hashes and bundles of 256 entries, as files (C2SP tlog-tiles).

use selfsame_core::Digest;

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// The longest entry, in bytes: its length is written in two.
pub const MOST_ENTRY_BYTES: usize = 0xffff;

/// A row of hashes, each the root of `256^level` entries.
///
/// ```text
/// tile/0/x001/067          full
/// tile/1/000.p/7           the first seven
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// 0 for leaves.
    pub level: u8,
    /// Its place in the row.
    pub index: u64,
    /// Hashes in it, from 1 to 256.
    pub width: u16,
}

impl Tile {
    /// The tile at this place in a tree of `size` entries; nothing if it would be empty.
    #[must_use]
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = hashes_at(level, size);
        let before = index.checked_mul(TILE_WIDTH)?;
        let width = hashes.checked_sub(before)?.min(TILE_WIDTH);
        (width > 0).then_some(Self { level, index, width: u16::try_from(width).ok()? })
    }

    /// Every tile of a tree of `size` entries, lowest level first.
    pub fn of_tree(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0..8).take_while(move |&level| hashes_at(level, size) > 0);
        levels.flat_map(move |level| {
            (0..hashes_at(level, size).div_ceil(TILE_WIDTH)).filter_map(move |index| Self::at(level, index, size))
        })
    }

    /// Its file below the log's folder.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, place(self.index, self.width))
    }

    /// The bytes of the file: the hashes, one behind the other.
    #[must_use]
    pub fn print(hashes: &[Digest]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// The hashes in a file, if they are as many as the tile is wide.
    #[must_use]
    pub fn parse(&self, bytes: &[u8]) -> Option<Vec<Digest>> {
        if bytes.len() != usize::from(self.width) * 32 {
            return None;
        }
        let hash = |chunk: &[u8]| Some(Digest::from_bytes(chunk.try_into().ok()?));
        bytes.chunks_exact(32).map(hash).collect()
    }
}

/// How many hashes a level has.
const fn hashes_at(level: u8, size: u64) -> u64 {
    if level >= 8 { 0 } else { size >> (8 * level as u32) }
}

/// The file with the entries from `256 * index` on, of which there are `width`.
#[must_use]
pub fn entries_path(index: u64, width: u16) -> String {
    format!("tile/entries/{}", place(index, width))
}

/// `x001/x234/067`, with `.p/7` behind it if there are fewer than 256.
fn place(index: u64, width: u16) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    if u64::from(width) < TILE_WIDTH { format!("{text}.p/{width}") } else { text }
}

/// The bytes of a file of entries: each with its length in two bytes, the larger one first, before it. Nothing if an
/// entry is longer than [`MOST_ENTRY_BYTES`].
#[must_use]
pub fn print_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Some(bytes)
}

/// The entries of a file, if there are exactly `width` and nothing behind them.
#[must_use]
pub fn parse_entries(mut bytes: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::with_capacity(usize::from(width));
    for _ in 0..width {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own examples.
    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |level, index, width| Tile { level, index, width }.path();
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(3, 0, 1), "tile/3/000.p/1");
        assert_eq!(path(1, 999, 255), "tile/1/999.p/255");
        assert_eq!(path(1, 1000, 256), "tile/1/x001/000");
        assert_eq!(entries_path(5, 12), "tile/entries/005.p/12");
        let of = |size| {
            let mut tiles: Vec<Tile> = Tile::of_tree(size).filter(|tile| tile.width < 256 || tile.level > 0).collect();
            tiles.sort();
            tiles.into_iter().map(|tile| tile.path()).collect::<Vec<_>>()
        };
        assert_eq!(of(70_000), ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(Tile::of_tree(70_000).filter(|tile| tile.level == 0 && tile.width == 256).count(), 273);
        assert_eq!(of(256), ["tile/1/000.p/1"]);
        assert_eq!(Tile::of_tree(0).count(), 0);
        assert_eq!(Tile::at(0, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn a_file_of_another_length_is_no_tile() {
        let tile = Tile { level: 0, index: 0, width: 2 };
        assert_eq!(tile.parse(&[7; 64]).unwrap().len(), 2);
        for length in [0, 32, 63, 65, 96] {
            assert_eq!(tile.parse(&vec![7; length]), None, "{length}");
        }
    }

    #[test]
    fn entries_come_back_and_a_damaged_file_is_none() {
        let entries: [&[u8]; 3] = [b"a", b"", &[9; 300]];
        let bytes = print_entries(entries).unwrap();
        assert_eq!(parse_entries(&bytes, 3).unwrap(), entries);
        assert_eq!(parse_entries(&bytes, 2), None, "something behind");
        assert_eq!(parse_entries(&bytes, 4), None, "one too few");
        assert_eq!(parse_entries(&bytes[..bytes.len() - 1], 3), None, "cut");
        assert_eq!(parse_entries(&bytes[..1], 1), None, "cut in a length");
        assert_eq!(print_entries([&[0; MOST_ENTRY_BYTES + 1][..]]), None);
    }
}
