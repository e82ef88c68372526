//! Where each value of a document stands. What is not plain (escapes, numbers that are no short integers) is asked of
//! `serde_json`, so there is one meaning of each.

use serde_json::Value;

use super::{Limits, OBJECT_VALUES};

/// One value, or the name of a field: where its text stands, and how many cells it takes with all that is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    start: u32,
    end: u32,
    /// Their number, and below it the kind in [`KIND_BITS`]: there are hundreds of thousands of these.
    cells_and_kind: u32,
}

const KIND_BITS: u32 = 3;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null = 0,
    Bool = 1,
    Number = 2,
    /// A string that is as it is written.
    Plain = 3,
    /// One with a backslash in it.
    Escaped = 4,
    Array = 5,
    /// Names and values in turn.
    Object = 6,
}

impl Cell {
    fn new(kind: Kind, start: usize, end: usize) -> Self {
        // The length of the text fits.
        Self { start: start as u32, end: end as u32, cells_and_kind: 1 << KIND_BITS | kind as u32 }
    }

    pub(super) const fn kind(&self) -> Kind {
        match self.cells_and_kind & ((1 << KIND_BITS) - 1) {
            0 => Kind::Null,
            1 => Kind::Bool,
            2 => Kind::Number,
            3 => Kind::Plain,
            4 => Kind::Escaped,
            5 => Kind::Array,
            _ => Kind::Object,
        }
    }

    /// How many cells this value takes, itself included: at least one.
    pub(super) const fn cells(&self) -> usize {
        (self.cells_and_kind >> KIND_BITS) as usize
    }

    /// Whether this is that string.
    pub(super) fn says(&self, text: &str, what: &str) -> bool {
        match self.kind() {
            Kind::Plain => {
                (self.end - self.start) as usize == what.len()
                    && text.as_bytes()[self.start as usize..self.end as usize] == *what.as_bytes()
            }
            Kind::Escaped => unescaped(self.of(text)) == what,
            _ => false,
        }
    }

    /// The text of a scalar; of a string, what is between the quotes.
    pub(super) fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start as usize..self.end as usize]
    }
}

/// How many arrays and objects may stand in one another: as many as `serde_json` lets.
const DEPTH: usize = 127;
/// Up to so many fields of an object are compared each with each.
const FEW: usize = 12;

/// The cells of a document, or nothing if it is to be refused.
pub(super) fn scan(text: &str, limits: Limits) -> Option<Vec<Cell>> {
    // Every value takes a byte at least, and so the number of cells fits too.
    if text.len() > limits.size_bytes || text.len() >= 1 << (32 - KIND_BITS) {
        return None;
    }
    // Of signed documents a value takes some fifteen bytes.
    let cells = Vec::with_capacity((text.len() / 16).min(limits.values));
    let mut scan = Scan { text, at: 0, left: limits.values, cells, names: Vec::new() };
    scan.space();
    scan.value(DEPTH)?;
    scan.space();
    (scan.at == text.len()).then_some(scan.cells)
}

/// What a string with escapes says. It has been read once.
pub(super) fn unescaped(raw: &str) -> String {
    read_escaped(raw).unwrap_or_default()
}

fn read_escaped(raw: &str) -> Option<String> {
    serde_json::from_str(&["\"", raw, "\""].concat()).ok()
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    /// How many more values are read.
    left: usize,
    cells: Vec<Cell>,
    /// The names of the fields of all objects that are open, by their cells.
    names: Vec<u32>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, values: usize) -> Option<()> {
        self.left = self.left.checked_sub(values)?;
        Some(())
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        self.cells.push(Cell::new(kind, start, end));
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.take(1)?;
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null", Kind::Null),
            b't' => self.word("true", Kind::Bool),
            b'f' => self.word("false", Kind::Bool),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Option<()> {
        let start = self.at;
        if !self.text.as_bytes()[start..].starts_with(word.as_bytes()) {
            return None;
        }
        self.at += word.len();
        self.push(kind, start, self.at);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let bytes = &self.text.as_bytes()[start..];
        let length = bytes.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let bytes = &bytes[..length.unwrap_or(bytes.len())];
        self.at += bytes.len();
        let short = bytes.len() < 19 && bytes.iter().all(u8::is_ascii_digit) && (bytes[0] != b'0' || bytes.len() == 1);
        if !short {
            // Whether its form is one, and whether it is in range.
            let read: Option<Value> = serde_json::from_str(&self.text[start..self.at]).ok();
            read.filter(Value::is_number)?;
        }
        self.push(Kind::Number, start, self.at);
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        let bytes = &self.text.as_bytes()[start..];
        let mut length = plain(bytes);
        let mut kind = Kind::Plain;
        loop {
            match bytes.get(length)? {
                b'"' => break,
                b'\\' => {
                    // Whatever is escaped ends no string; what it is comes out below.
                    kind = Kind::Escaped;
                    length += 2;
                    length += plain(bytes.get(length..)?);
                }
                _ => return None,
            }
        }
        let end = start + length;
        if kind == Kind::Escaped {
            read_escaped(&self.text[start..end])?;
        }
        self.at = end + 1;
        self.push(kind, start, end);
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        let cell = self.open(Kind::Array);
        if !self.ends(b']') {
            loop {
                self.value(depth)?;
                if self.ends(b']') {
                    break;
                }
                self.comma()?;
            }
        }
        self.close(cell);
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        let cell = self.open(Kind::Object);
        let (first, mut sorted) = (self.names.len(), true);
        if !self.ends(b'}') {
            self.take(OBJECT_VALUES - 1)?;
            loop {
                let name = self.cells.len();
                if self.peek() != Some(b'"') {
                    return None;
                }
                self.string()?;
                sorted = sorted && self.behind_the_last(first, name);
                self.names.push(name as u32);
                self.space();
                if self.peek() != Some(b':') {
                    return None;
                }
                self.at += 1;
                self.space();
                self.value(depth)?;
                if self.ends(b'}') {
                    break;
                }
                self.comma()?;
            }
        }
        if !sorted && self.twice(first) {
            return None;
        }
        self.names.truncate(first);
        self.close(cell);
        Some(())
    }

    /// Whether the name in this cell comes behind the one before it in this object: then it is not there twice.
    fn behind_the_last(&self, first: usize, name: usize) -> bool {
        let name = self.cells[name];
        match self.names[first..].last().map(|last| self.cells[*last as usize]) {
            _ if name.kind() == Kind::Escaped => false,
            Some(last) => last.kind() == Kind::Plain && last.of(self.text) < name.of(self.text),
            None => true,
        }
    }

    /// Whether two fields of the object whose names begin at `first` have one name.
    fn twice(&self, first: usize) -> bool {
        let cells = self.names[first..].iter().map(|name| self.cells[*name as usize]);
        let escaped = cells.clone().any(|cell| cell.kind() == Kind::Escaped);
        if !escaped && cells.len() <= FEW {
            let mut rest = cells;
            while let Some(cell) = rest.next() {
                let name = cell.of(self.text);
                if rest.clone().any(|other| other.of(self.text) == name) {
                    return true;
                }
            }
            return false;
        }
        let mut names: Vec<std::borrow::Cow<'_, str>> = cells
            .map(|cell| match cell.kind() {
                Kind::Escaped => unescaped(cell.of(self.text)).into(),
                _ => cell.of(self.text).into(),
            })
            .collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Steps into an array or object; its cell.
    fn open(&mut self, kind: Kind) -> usize {
        let cell = self.cells.len();
        self.push(kind, self.at, self.at);
        self.at += 1;
        self.space();
        cell
    }

    fn close(&mut self, cell: usize) {
        let cells = self.cells.len() - cell;
        let cell = &mut self.cells[cell];
        cell.cells_and_kind = (cells as u32) << KIND_BITS | cell.kind() as u32;
        cell.end = self.at as u32;
    }

    /// Whether this is the end of what is open; steps over it.
    fn ends(&mut self, mark: u8) -> bool {
        self.space();
        let ends = self.peek() == Some(mark);
        self.at += usize::from(ends);
        ends
    }

    fn comma(&mut self) -> Option<()> {
        if self.peek() != Some(b',') {
            return None;
        }
        self.at += 1;
        self.space();
        Some(())
    }
}

/// How many bytes from the beginning on stand in a string for themselves: no quote, backslash or control character.
fn plain(bytes: &[u8]) -> usize {
    const AT_ONCE: usize = 32;
    let ends = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let mut length = 0;
    // Without a branch within: such a loop the compiler turns into a few instructions for all of them.
    for chunk in bytes.chunks_exact(AT_ONCE) {
        if chunk.iter().fold(false, |any, byte| any | ends(*byte)) {
            break;
        }
        length += AT_ONCE;
    }
    length + bytes[length..].iter().take_while(|byte| !ends(**byte)).count()
}
