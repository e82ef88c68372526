//! Inputs that nobody wrote: seeds, changed as a careless or hostile writer would.

/// What numbers are where arithmetic goes wrong.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "007",
    "255",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "99999999999999999999999",
    "1e999",
];
/// Words that mean something in many formats.
const WORDS: [&str; 40] = [
    "../",
    "/",
    "..",
    "./",
    "\0",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "\"",
    "'",
    "\\",
    "`",
    "#",
    ";",
    ":",
    "@",
    "=",
    ",",
    "%2e%2e%2f",
    "%00",
    "%",
    "file:///",
    "http://",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "null",
    "true",
    "\u{feff}",
    "\u{202e}",
    "\u{e9}",
    "e\u{301}",
    "\u{1f600}",
];
/// How large an input becomes at most.
const INPUT_BYTES: usize = 1 << 20;

/// Random numbers of a seed (splitmix64): the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % (end.max(1) as u64)) as usize
    }

    fn of<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> Option<&'a T> {
        items.get(self.below(items.len())).copied()
    }
}

/// Changes inputs.
#[derive(Clone, Debug)]
pub struct Mutator<'a> {
    random: Random,
    words: &'a [&'a [u8]],
}

impl<'a> Mutator<'a> {
    /// With words of the format beside those of all formats.
    #[must_use]
    pub fn new(seed: u64, words: &'a [&'a [u8]]) -> Self {
        Self { random: Random::new(seed), words }
    }

    /// One of the pool with one to eight changes.
    pub fn input(&mut self, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = pool.get(self.random.below(pool.len())).cloned().unwrap_or_default();
        let changes = 1 << self.random.below(4);
        for _ in 0..changes {
            self.change(&mut input, pool);
            input.truncate(INPUT_BYTES);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, pool: &[Vec<u8>]) {
        let at = self.random.below(input.len() + 1);
        let length = 1 + self.random.below(16.min(input.len()));
        let range = at..(at + length).min(input.len());
        match self.random.below(18) {
            0 | 1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.random.below(8);
                }
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = [0, 1, b' ', b'0', 0x7f, 0x80, 0xff][self.random.below(7)];
                }
            }
            3 => drop(input.drain(range)),
            4 => input.truncate(at),
            5 => {
                let copy = input[range].to_vec();
                self.insert(input, &copy);
            }
            6 => {
                let bytes: Vec<u8> = (0..length).map(|_| self.random.number() as u8).collect();
                self.insert(input, &bytes);
            }
            7..=9 => {
                let word = self.word();
                self.insert(input, &word);
            }
            10 => {
                let word = self.word();
                drop(input.splice(range, word));
            }
            11 => self.written_number(input),
            12 => self.binary_number(input),
            13 => {
                let other = pool.get(self.random.below(pool.len())).cloned().unwrap_or_default();
                let from = self.random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            14 | 15 => self.line(input),
            16 => {
                // Where reading twice as much takes four times as long, this takes for ever.
                let block = if self.random.below(2) == 0 { input[range].to_vec() } else { self.word() };
                let times = (1 << self.random.below(17)) / block.len().max(1);
                self.insert(input, &block.repeat(times));
            }
            _ => {
                // One within the other, without end.
                let open =
                    [b"[".as_slice(), b"(", b"{\"a\":", b"<a>", b"a.", b"\x30\x80", b"not "][self.random.below(7)];
                let depth = 1 << self.random.below(16);
                self.insert(input, &open.repeat(depth));
            }
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, bytes: &[u8]) {
        let at = self.random.below(input.len() + 1);
        drop(input.splice(at..at, bytes.iter().copied()));
    }

    fn word(&mut self) -> Vec<u8> {
        let own = self.words;
        match self.random.below(4) {
            0 => self.random.of(&WORDS).unwrap_or_default().as_bytes().to_vec(),
            1 => self.random.of(&NUMBERS).unwrap_or_default().as_bytes().to_vec(),
            _ => self.random.of(own).unwrap_or_default().to_vec(),
        }
    }

    /// Another number where one stands.
    fn written_number(&mut self, input: &mut Vec<u8>) {
        let starts: Vec<usize> = (0..input.len())
            .filter(|&at| input[at].is_ascii_digit() && (at == 0 || !input[at - 1].is_ascii_digit()))
            .collect();
        let Some(&start) = starts.get(self.random.below(starts.len())) else { return };
        let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.random.of(&NUMBERS).unwrap_or_default();
        drop(input.splice(start..start + length, number.bytes()));
    }

    /// The same for numbers of 1 to 8 bytes in either order.
    fn binary_number(&mut self, input: &mut [u8]) {
        let width = 1 << self.random.below(4);
        let number = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX]
            [self.random.below(10)]
        .wrapping_sub(self.random.below(3) as u64);
        let bytes = if self.random.below(2) == 0 {
            number.to_le_bytes()[..width].to_vec()
        } else {
            number.to_be_bytes()[8 - width..].to_vec()
        };
        let at = self.random.below(input.len().saturating_sub(width) + 1);
        if let Some(place) = input.get_mut(at..at + width) {
            place.copy_from_slice(&bytes);
        }
    }

    /// A line away, twice, or at another place.
    fn line(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = input.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.is_empty() {
            return;
        }
        let (one, other) = (self.random.below(lines.len()), self.random.below(lines.len()));
        match self.random.below(3) {
            0 => drop(lines.remove(one)),
            1 => lines.insert(other, lines[one].clone()),
            _ => lines.swap(one, other),
        }
        *input = lines.concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs_everywhere() {
        let pool = [b"name = \"a\"\nsize = 12\n".to_vec(), b"[[input]]\n".to_vec()];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed, &[b"[input]"]);
            (0..200).map(|_| mutator.input(&pool)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        // Published values of splitmix64 for the seed 0.
        let mut random = Random::new(0);
        assert_eq!([random.number(), random.number()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }

    #[test]
    fn inputs_differ_from_their_seeds_and_stay_bounded() {
        let pool = [b"12345 and 67890\nsecond line\n".to_vec()];
        let mut mutator = Mutator::new(7, &[]);
        let inputs: Vec<Vec<u8>> = (0..2000).map(|_| mutator.input(&pool)).collect();
        assert!(inputs.iter().filter(|input| **input != pool[0]).count() > 1900);
        assert!(inputs.iter().all(|input| input.len() <= INPUT_BYTES));
        assert!(inputs.iter().any(|input| input.len() > 10_000), "nothing grows");
        let text = |input: &Vec<u8>| String::from_utf8_lossy(input).into_owned();
        assert!(inputs.iter().map(text).any(|text| text.contains("18446744073709551615")), "no number is replaced");
    }
}
