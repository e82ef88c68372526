//! gzip as one member (RFC 1952) of independently compressed blocks: the same bytes on any number of threads.
//!
//! Every block of [`BLOCK_BYTES`] is compressed by libdeflate on its own and brought to a byte boundary
//! (`deflate::unfinish`); an empty last block, the CRC and the length end the member. Changing any constant here, or
//! the libdeflate version, changes digests: the golden vectors in tests/golden.rs would notice.

use libdeflater::{CompressionLvl, Compressor};

use crate::deflate::{Tables, unfinish};

/// What is compressed at once: of a layer's tar, each such stretch, and what is left at the end. A format constant.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;
/// libdeflate's level. A format constant; docs/profile/layer.md has the measurements that chose it.
const LEVEL: i32 = 5;
/// Magic, deflate, no flags, no time, no extra flags, unknown system. A format constant.
pub(crate) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// A last deflate block of no data: mark, fixed codes, end of block.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// Compresses blocks, one after another, each for itself.
pub(crate) struct BlockCompressor {
    libdeflate: Compressor,
    tables: Tables,
}

impl BlockCompressor {
    pub(crate) fn new() -> Self {
        let level = CompressionLvl::new(LEVEL).expect("libdeflate has levels 1 to 12");
        Self { libdeflate: Compressor::new(level), tables: Tables::new() }
    }

    /// The block's deflate stream, open at its end and aligned to a byte; nothing when libdeflate's stream is not
    /// what it should be, which would be a defect of one of the two.
    pub(crate) fn compress(&mut self, block: &[u8]) -> Option<Vec<u8>> {
        let mut stream = vec![0; self.libdeflate.deflate_compress_bound(block.len())];
        let length = self.libdeflate.deflate_compress(block, &mut stream).ok()?;
        stream.truncate(length);
        unfinish(&mut stream, block.len() as u64, &mut self.tables).then_some(stream)
    }
}

/// What stands behind the blocks: the CRC-32 of the data and its length modulo 2^32.
pub(crate) fn trailer(crc: u32, length: u64) -> [u8; 10] {
    let mut trailer = [0; 10];
    trailer[..2].copy_from_slice(&LAST_BLOCK);
    trailer[2..6].copy_from_slice(&crc.to_le_bytes());
    trailer[6..].copy_from_slice(&((length & 0xffff_ffff) as u32).to_le_bytes());
    trailer
}
