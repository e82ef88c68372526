//! Follows a deflate stream (RFC 1951) without decoding it: where its last block begins, where it ends.
//!
//! libdeflate ends every stream with a block marked as the last. To chain streams into one, that mark has to go, and
//! it stands at a bit position that only reading the codes tells. Nothing is written anywhere: lengths are summed,
//! distances skipped.

/// Turns a whole deflate stream of `length` bytes of data into one that goes on: its last block is no longer marked,
/// and an empty stored block brings it to a byte boundary (what zlib calls a sync flush).
///
/// False, with the stream untouched, when it is not a deflate stream of exactly that many bytes.
#[must_use]
pub(crate) fn unfinish(stream: &mut Vec<u8>, length: u64, tables: &mut Tables) -> bool {
    let Some(walk) = tables.walk(stream) else { return false };
    if walk.length != length || walk.end_bit.div_ceil(8) != stream.len() {
        return false;
    }
    stream[walk.last_header_bit / 8] &= !(1 << (walk.last_header_bit % 8));
    // The stored block's header is three zero bits, then zeros to the byte boundary: they fit into the last byte, or
    // take one more.
    let used = walk.end_bit % 8;
    if used != 0
        && let Some(last) = stream.last_mut()
    {
        *last &= (1 << used) - 1;
    }
    if !(1..=5).contains(&used) {
        stream.push(0);
    }
    stream.extend_from_slice(&[0x00, 0x00, 0xff, 0xff]);
    true
}

struct Walk {
    /// Where the header of the last block begins; its first bit is the mark.
    last_header_bit: usize,
    /// Behind the last block.
    end_bit: usize,
    /// Of the data.
    length: u64,
}

/// How many bits the first look-up takes. Longer codes are rare and go the slow way.
const PRIMARY_BITS: u32 = 11;
const PRIMARY: usize = 1 << PRIMARY_BITS;

/// What a table entry says, in its lowest four bits: literals (how many: 1 to 3), or one of these.
const LENGTH: u32 = 4;
const END: u32 = 5;
const SLOW: u32 = 6;
/// A table entry: bits 0-3 what, 4-7 extra bits, 8-15 code bits, 16-31 base.
const fn entry(what: u32, code_bits: u32, extra: u32, base: u32) -> u32 {
    what | extra << 4 | code_bits << 8 | base << 16
}

/// (base, extra bits) of length symbols 257 to 285 (RFC 1951, 3.2.5).
const LENGTHS: [(u32, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];
/// Extra bits of distance symbols 0 to 29.
const DISTANCE_EXTRA: [u32; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/// The order in which the lengths of the code length code stand.
const CODE_LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Room for the tables of one block, kept between streams.
pub(crate) struct Tables {
    literals: Code,
    distances: Code,
}

impl Tables {
    pub(crate) fn new() -> Self {
        Self { literals: Code::new(), distances: Code::new() }
    }

    fn walk(&mut self, stream: &[u8]) -> Option<Walk> {
        let mut bits = Bits { stream, next: 0, held: 0, count: 0 };
        let mut length = 0;
        loop {
            let last_header_bit = bits.position();
            let last = bits.take(1)?;
            match bits.take(2)? {
                0 => length += bits.skip_stored()?,
                1 => {
                    let mut lengths = [8; 288];
                    lengths[144..256].fill(9);
                    lengths[256..280].fill(7);
                    self.literals.build(&lengths, literal_entry)?;
                    self.distances.build(&[5; 30], distance_entry)?;
                    length += self.skip_codes(&mut bits)?;
                }
                2 => {
                    self.read_codes(&mut bits)?;
                    length += self.skip_codes(&mut bits)?;
                }
                _ => return None,
            }
            if last == 1 {
                let end_bit = bits.position();
                return (end_bit <= stream.len() * 8).then_some(Walk { last_header_bit, end_bit, length });
            }
        }
    }

    /// The two codes at the head of a dynamic block (RFC 1951, 3.2.7).
    fn read_codes(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let literals = bits.take(5)? as usize + 257;
        let distances = bits.take(5)? as usize + 1;
        let count = bits.take(4)? as usize + 4;
        let mut code_lengths = [0; 19];
        for &symbol in &CODE_LENGTH_ORDER[..count] {
            code_lengths[symbol] = bits.take(3)? as u8;
        }
        self.literals.build(&code_lengths, |symbol, bits| entry(1, bits, 0, symbol as u32))?;
        let mut lengths = [0; 286 + 32 + 138];
        let total = literals + distances;
        let mut at = 0;
        while at < total {
            bits.refill();
            let found = self.literals.look_up(bits.held);
            let symbol = found >> 16;
            bits.drop(found >> 8 & 0xff)?;
            let (value, repeat) = match symbol {
                0..=15 => (symbol as u8, 1),
                16 => (lengths[at.checked_sub(1)?], 3 + bits.take(2)? as usize),
                17 => (0, 3 + bits.take(3)? as usize),
                18 => (0, 11 + bits.take(7)? as usize),
                _ => return None,
            };
            lengths.get_mut(at..at + repeat)?.fill(value);
            at += repeat;
        }
        if at != total {
            return None;
        }
        self.literals.build(&lengths[..literals], literal_entry)?;
        self.literals.pair_literals();
        self.distances.build(&lengths[literals..total], distance_entry)
    }

    /// To the end of the block; the length of its data.
    fn skip_codes(&self, bits: &mut Bits<'_>) -> Option<u64> {
        let mut length = 0_u64;
        loop {
            bits.refill();
            let mut found = self.literals.table[bits.held as usize % PRIMARY];
            // Literals first: up to three look-ups (33 bits) on one refill leave 23 of 56.
            if found & 15 < LENGTH {
                length += u64::from(found & 15);
                bits.drop(found >> 8 & 0xff)?;
                found = self.literals.table[bits.held as usize % PRIMARY];
                if found & 15 < LENGTH {
                    length += u64::from(found & 15);
                    bits.drop(found >> 8 & 0xff)?;
                    continue;
                }
                bits.refill();
            }
            if found & 15 == SLOW {
                found = self.literals.slow(bits.held)?;
            }
            bits.drop(found >> 8 & 0xff)?;
            match found & 15 {
                LENGTH => {
                    let extra = found >> 4 & 15;
                    length += u64::from(found >> 16) + (bits.held & ((1 << extra) - 1));
                    bits.drop(extra)?;
                    let mut distance = self.distances.table[bits.held as usize % PRIMARY];
                    if distance & 15 == SLOW {
                        distance = self.distances.slow(bits.held)?;
                    }
                    bits.drop((distance >> 8 & 0xff) + (distance >> 4 & 15))?;
                }
                END => return Some(length),
                literals => length += u64::from(literals),
            }
        }
    }
}

fn literal_entry(symbol: usize, code_bits: u32) -> u32 {
    match symbol {
        0..256 => entry(1, code_bits, 0, 0),
        256 => entry(END, code_bits, 0, 0),
        _ => match LENGTHS.get(symbol - 257) {
            Some(&(base, extra)) => entry(LENGTH, code_bits, extra, base),
            None => entry(SLOW, 0, 0, 0),
        },
    }
}

fn distance_entry(symbol: usize, code_bits: u32) -> u32 {
    match DISTANCE_EXTRA.get(symbol) {
        Some(&extra) => entry(1, code_bits, extra, 0),
        None => entry(SLOW, 0, 0, 0),
    }
}

/// A prefix code: a table for codes of up to [`PRIMARY_BITS`], and counts by length for the others.
struct Code {
    table: Box<[u32; PRIMARY]>,
    /// How many codes there are of each length.
    counts: [u16; 16],
    /// Their entries, in the order of the codes.
    sorted: Vec<u32>,
}

impl Code {
    fn new() -> Self {
        Self { table: Box::new([0; PRIMARY]), counts: [0; 16], sorted: Vec::with_capacity(288) }
    }

    /// Codes from their lengths (RFC 1951, 3.2.2). Incomplete codes are taken as they are: an unused code is only
    /// missed when it comes up. Nothing for a code with more codes than its lengths allow.
    fn build(&mut self, lengths: &[u8], entry_of: impl Fn(usize, u32) -> u32) -> Option<()> {
        self.counts = [0; 16];
        for &length in lengths {
            *self.counts.get_mut(usize::from(length))? += 1;
        }
        self.counts[0] = 0;
        let (mut first, mut offsets, mut left) = ([0_u32; 17], [0_usize; 17], 1_i32);
        for bits in 1..16 {
            left = left * 2 - i32::from(self.counts[bits]);
            if left < 0 {
                return None;
            }
            first[bits + 1] = (first[bits] + u32::from(self.counts[bits])) << 1;
            offsets[bits + 1] = offsets[bits] + usize::from(self.counts[bits]);
        }
        self.sorted.clear();
        self.sorted.resize(offsets[16], 0);
        self.table.fill(entry(SLOW, 0, 0, 0));
        for (symbol, &length) in lengths.iter().enumerate() {
            let bits = usize::from(length);
            if bits == 0 {
                continue;
            }
            let value = entry_of(symbol, u32::from(length));
            self.sorted[offsets[bits]] = value;
            offsets[bits] += 1;
            let code = first[bits];
            first[bits] += 1;
            if u32::from(length) <= PRIMARY_BITS {
                let reversed = (code.reverse_bits() >> (32 - u32::from(length))) as usize;
                for slot in self.table[reversed..].iter_mut().step_by(1 << length) {
                    *slot = value;
                }
            }
        }
        Some(())
    }

    /// Lets one look-up take up to three literals whose codes fit into it together.
    fn pair_literals(&mut self) {
        for _ in 0..2 {
            // From the end, so that the entry behind the first literal (a smaller index) is not yet changed.
            for at in (0..PRIMARY).rev() {
                let here = self.table[at];
                let bits = here >> 8 & 0xff;
                if here & 15 >= 3 || bits >= PRIMARY_BITS {
                    continue;
                }
                let next = self.table[at >> bits];
                let (more, total) = (next & 15, bits + (next >> 8 & 0xff));
                if more == 1 && total <= PRIMARY_BITS {
                    self.table[at] = entry((here & 15) + 1, total, 0, 0);
                }
            }
        }
    }

    fn look_up(&self, held: u64) -> u32 {
        match self.table[held as usize % PRIMARY] {
            found if found & 15 == SLOW => self.slow(held).unwrap_or(u32::MAX),
            found => found,
        }
    }

    /// Bit by bit, as codes are defined.
    fn slow(&self, held: u64) -> Option<u32> {
        let (mut code, mut first, mut index) = (0_i32, 0_i32, 0_i32);
        for bits in 1..16 {
            code |= (held >> (bits - 1) & 1) as i32;
            let count = i32::from(self.counts[bits]);
            if code - first < count {
                let found = self.sorted[usize::try_from(index + code - first).ok()?];
                return (found & 15 != SLOW).then_some(found);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Bits from the lowest up; zeros behind the end, which [`Bits::position`] tells.
struct Bits<'a> {
    stream: &'a [u8],
    /// The byte that is taken next.
    next: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// At least 56 bits held.
    #[inline(always)]
    fn refill(&mut self) {
        if let Some(bytes) = self.stream.get(self.next..self.next + 8) {
            let word = u64::from_le_bytes(bytes.try_into().unwrap_or([0; 8]));
            self.held |= word << self.count;
            let taken = (63 - self.count) / 8;
            self.next += taken as usize;
            self.count += taken * 8;
            return;
        }
        while self.count < 56 {
            let byte = self.stream.get(self.next).copied().unwrap_or(0);
            self.held |= u64::from(byte) << self.count;
            self.next += 1;
            self.count += 8;
        }
    }

    /// Drops bits that are held; nothing when the stream is over.
    #[inline(always)]
    fn drop(&mut self, bits: u32) -> Option<()> {
        self.count = self.count.checked_sub(bits)?;
        self.held >>= bits;
        // A stream that ended long ago reads as zeros: stop before it is followed for ever.
        (self.next <= self.stream.len() + 16).then_some(())
    }

    fn take(&mut self, bits: u32) -> Option<u32> {
        self.refill();
        let value = (self.held & ((1 << bits) - 1)) as u32;
        self.drop(bits)?;
        Some(value)
    }

    fn position(&self) -> usize {
        self.next * 8 - self.count as usize
    }

    /// To the byte boundary, then over a stored block (RFC 1951, 3.2.4); its length.
    fn skip_stored(&mut self) -> Option<u64> {
        let start = self.position().div_ceil(8);
        let head = self.stream.get(start..start + 4)?;
        let (length, inverse) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        if length != !inverse {
            return None;
        }
        self.next = start + 4 + usize::from(length);
        (self.held, self.count) = (0, 0);
        (self.next <= self.stream.len()).then_some(u64::from(length))
    }
}

#[cfg(test)]
mod tests {
    use libdeflater::{CompressionLvl, Compressor};
    use proptest::prelude::*;

    use super::{Tables, unfinish};

    fn libdeflate(data: &[u8], level: i32) -> Vec<u8> {
        let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
        let mut stream = vec![0; compressor.deflate_compress_bound(data.len())];
        let length = compressor.deflate_compress(data, &mut stream).unwrap();
        stream.truncate(length);
        stream
    }

    fn inflate(stream: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        std::io::copy(&mut flate2::read::DeflateDecoder::new(stream), &mut data).unwrap();
        data
    }

    /// Twice the same stream, chained, and an empty last block.
    #[track_caller]
    fn chains(data: &[u8], stream: Vec<u8>, tables: &mut Tables) {
        let (mut first, mut second) = (stream.clone(), stream);
        assert!(unfinish(&mut first, data.len() as u64, tables));
        assert!(unfinish(&mut second, data.len() as u64, tables));
        first.extend_from_slice(&second);
        first.extend_from_slice(&[0x03, 0x00]);
        assert!(inflate(&first) == [data, data].concat(), "{} bytes", data.len());
    }

    /// Uniform bytes, skewed bytes, and runs.
    fn any_data() -> impl Strategy<Value = Vec<u8>> {
        (any::<u64>(), 0..300_000_usize, 0..4_u32, 1..9_u32).prop_map(|(seed, length, skew, run)| {
            let mut state = seed | 1;
            let mut data = Vec::with_capacity(length + 64);
            while data.len() < length {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let byte = (0..skew).fold((state >> 56) as u8, |byte, shift| byte & (state >> (8 * shift + 8)) as u8);
                data.extend(std::iter::repeat_n(byte, 1 + (state >> 40) as usize % (1 << (run - 1))));
            }
            data.truncate(length);
            data
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn streams_of_every_level_chain(data in any_data(), level in 0..=12) {
            chains(&data, libdeflate(&data, level), &mut Tables::new());
        }

        #[test]
        fn streams_of_another_compressor_chain(data in any_data(), level in 0..=9_u32) {
            let mut encoder = flate2::read::DeflateEncoder::new(&data[..], flate2::Compression::new(level));
            let mut stream = Vec::new();
            std::io::copy(&mut encoder, &mut stream).unwrap();
            chains(&data, stream, &mut Tables::new());
        }

        #[test]
        fn damaged_streams_never_panic(data in any_data(), at in any::<usize>(), value: u8) {
            let mut stream = libdeflate(&data, 6);
            let at = at % stream.len();
            stream[at] = value;
            let _ = unfinish(&mut stream, data.len() as u64, &mut Tables::new());
            let mut cut = libdeflate(&data, 6);
            cut.truncate(at);
            prop_assert!(!unfinish(&mut cut, data.len() as u64, &mut Tables::new()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), length in 0..1000_u64) {
            let _ = unfinish(&mut bytes, length, &mut Tables::new());
        }
    }

    #[test]
    fn a_length_that_is_not_the_datas_is_noticed() {
        let mut stream = libdeflate(b"hello hello hello", 6);
        let before = stream.clone();
        assert!(!unfinish(&mut stream, 16, &mut Tables::new()));
        assert_eq!(stream, before);
        assert!(unfinish(&mut stream, 17, &mut Tables::new()));
    }

    #[test]
    fn tables_carry_nothing_from_one_stream_to_the_next() {
        let mut tables = Tables::new();
        for data in [&b"aaaaaaaaaaaaaaaaaaaaaaaa"[..], b"", b"a", &[0, 1, 2, 3, 4, 5, 250], &[b'x'; 100_000]] {
            chains(data, libdeflate(data, 6), &mut tables);
        }
    }
}
