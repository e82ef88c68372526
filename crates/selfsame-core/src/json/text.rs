//! A document that stays text: read as strictly as [`parse`](super::parse) does, at the speed of memory.
//!
//! A value in memory takes many times what its text does, and most of a large document is never asked for. Here the text
//! is kept, and beside it a list of where each value stands.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::scan::{self, Cell, Kind};
use super::{JsonError, Limits};

/// One JSON document, strictly read: whatever [`parse`](super::parse) refuses is refused here, and nothing else is.
#[derive(Clone)]
pub struct Text<'a> {
    text: Cow<'a, str>,
    cells: Vec<Cell>,
}

impl<'a> Text<'a> {
    /// Reads a document that is somebody else's.
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<Self, JsonError> {
        let read = std::str::from_utf8(bytes).ok().and_then(|text| Some((text, scan::scan(text, limits)?)));
        match read {
            Some((text, cells)) => Ok(Self { text: Cow::Borrowed(text), cells }),
            None => Err(reason(bytes, limits)),
        }
    }

    /// What is known of the document without its text, which others may have to let go of first.
    #[must_use]
    pub fn into_outline(self) -> Outline {
        Outline { text: place(&self.text), cells: self.cells }
    }

    /// Reads a document and keeps it.
    pub fn parse_owned(bytes: Vec<u8>, limits: Limits) -> Result<Text<'static>, JsonError> {
        let text = String::from_utf8(bytes).map_err(|error| reason(error.as_bytes(), limits))?;
        match scan::scan(&text, limits) {
            Some(cells) => Ok(Text { text: Cow::Owned(text), cells }),
            None => Err(reason(text.as_bytes(), limits)),
        }
    }

    /// The value that the document is.
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        Node { text: &self.text, cells: &self.cells }
    }

    /// The document as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("size_bytes", &self.text.len()).finish_non_exhaustive()
    }
}

/// Where each value of one text stands.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Which text it was, by its place in memory.
    text: (usize, usize),
    cells: Vec<Cell>,
}

impl Outline {
    /// The document, with the text that was read as its own: the same bytes at the same place, moved here and not copied.
    /// Of any other text nothing is known, and it comes back.
    pub fn with(self, text: String) -> Result<Text<'static>, String> {
        if place(&text) != self.text {
            return Err(text);
        }
        Ok(Text { text: Cow::Owned(text), cells: self.cells })
    }
}

fn place(text: &str) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

/// Why a document was refused, in the words of the one reader that has them.
fn reason(bytes: &[u8], limits: Limits) -> JsonError {
    match super::parse(bytes, limits) {
        Err(error) => error,
        // Two readers that disagree are a defect of ours, and no reason to believe either.
        Ok(_) => JsonError::Syntax(serde::de::Error::custom("two readers of JSON disagree about this document")),
    }
}

/// One value of a [`Text`], wherever it stands.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    text: &'t str,
    /// This value's cell first, then those of what is in it; then others.
    cells: &'t [Cell],
}

impl<'t> Node<'t> {
    fn cell(&self) -> &'t Cell {
        &self.cells[0]
    }

    fn raw(&self) -> &'t str {
        self.cell().of(self.text)
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'t, str>> {
        match self.cell().kind() {
            Kind::Plain => Some(Cow::Borrowed(self.raw())),
            Kind::Escaped => Some(Cow::Owned(scan::unescaped(self.raw()))),
            _ => None,
        }
    }

    /// Whether this is that string.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.cell().says(self.text, text)
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.cell().kind() == Kind::Null
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.cell().kind() == Kind::Object
    }

    /// What is in an array, in its order; nothing if this is something else.
    #[must_use]
    pub fn as_array(&self) -> Option<Items<'t>> {
        (self.cell().kind() == Kind::Array).then(|| self.items())
    }

    /// The fields of an object in the order in which they stand; nothing if this is something else.
    pub fn fields(&self) -> impl Iterator<Item = (Cow<'t, str>, Node<'t>)> + use<'t> {
        let mut items = if self.is_object() { self.items() } else { Items { text: self.text, cells: &[] } };
        std::iter::from_fn(move || {
            let name = items.next()?;
            Some((name.as_str()?, items.next()?))
        })
    }

    /// The value of an object's field; nothing if there is none, or if this is something else.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<Node<'t>> {
        if !self.is_object() {
            return None;
        }
        let mut cells = &self.cells[1..self.cell().cells()];
        while let [name, values @ ..] = cells {
            if name.says(self.text, field) {
                return Some(Node { text: self.text, cells: values });
            }
            cells = values.get(values.first()?.cells()..)?;
        }
        None
    }

    /// The objects in the array under `field`; none where there is no array.
    #[must_use]
    pub fn objects(&self, field: &str) -> Objects<'t> {
        Objects(self.get(field).and_then(|value| value.as_array()))
    }

    /// What is directly in an array, or names and values of an object.
    fn items(&self) -> Items<'t> {
        Items { text: self.text, cells: &self.cells[1..self.cell().cells()] }
    }

    /// The value apart from its text.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self.cell().kind() {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(self.raw() == "true"),
            // The scan has read it once.
            Kind::Number => serde_json::from_str::<Number>(self.raw()).map_or(Value::Null, Value::Number),
            Kind::Plain | Kind::Escaped => Value::String(self.as_str().unwrap_or_default().into_owned()),
            Kind::Array => Value::Array(self.items().map(|item| item.to_value()).collect()),
            Kind::Object => Value::Object(self.to_map()),
        }
    }

    /// The object apart from its text; an empty one if this is something else.
    #[must_use]
    pub fn to_map(&self) -> Map<String, Value> {
        self.fields().map(|(name, value)| (name.into_owned(), value.to_value())).collect()
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_value().fmt(f)
    }
}

/// Values one behind another.
#[derive(Clone, Copy)]
pub struct Items<'t> {
    text: &'t str,
    cells: &'t [Cell],
}

impl<'t> Iterator for Items<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        let (text, cells) = (self.text, self.cells);
        self.cells = &cells[cells.first()?.cells()..];
        Some(Node { text, cells })
    }
}

/// The objects in an array; by default none.
#[derive(Clone, Copy, Default)]
pub struct Objects<'t>(Option<Items<'t>>);

impl<'t> Iterator for Objects<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        self.0.as_mut()?.find(Node::is_object)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// Reads a document with both readers: they refuse the same in the same words, and what they read is the same.
    #[track_caller]
    fn alike(bytes: &[u8]) -> bool {
        let limits = Limits { size_bytes: 1_000_000, values: 1_000 };
        let (text, value) = (Text::parse(bytes, limits), parse(bytes, limits));
        let shown = String::from_utf8_lossy(bytes);
        match (text, value) {
            (Ok(text), Ok(value)) => {
                assert_eq!(text.root().to_value(), value, "{shown}");
                assert_eq!(Text::parse_owned(bytes.to_vec(), limits).unwrap().root().to_value(), value, "{shown}");
                true
            }
            (Err(text), Err(value)) => {
                assert_eq!(text.to_string(), value.to_string(), "{shown}");
                assert!(Text::parse_owned(bytes.to_vec(), limits).is_err(), "{shown}");
                false
            }
            (text, value) => panic!("{shown}: {text:?}, {value:?}"),
        }
    }

    #[test]
    fn reads_what_the_slow_reader_reads() {
        for text in [
            "{}",
            " [ ] ",
            "\r\n\t {\"a\" : [ 1 , -2 , 3.5e-7 , 0 , -0 , 0.0 ] }\n",
            "{\"b\":1,\"a\":2}",
            "[18446744073709551615,-9223372036854775808,18446744073709551616,1e308,123456789012345678]",
            "\"\"",
            "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\ud83d\\ude00\"",
            "[\"\u{7f}\u{80}\u{2028}\u{10ffff}\",null,true,false]",
            "{\"\\u0061\":1,\"b\":{\"a\":{}},\"\":{\"\":{}}}",
            "{\"a\\u0062\":1,\"ac\":1,\"aa\":1}",
        ] {
            assert!(alike(text.as_bytes()), "{text}");
        }
        // Around the length that is looked at in one go.
        for length in 0..80 {
            let text = "x".repeat(length);
            assert!(alike(format!("[\"{text}\",\"{text}\\\\\",\"{text}\u{e9}\"]").as_bytes()), "{length}");
            assert!(!alike(format!("[\"{text}\u{1f}\"]").as_bytes()), "{length}");
            assert!(!alike(format!("[\"{text}").as_bytes()), "{length}");
            assert!(!alike(format!("[\"{text}\\").as_bytes()), "{length}");
        }
    }

    #[test]
    fn refuses_what_the_slow_reader_refuses() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "True",
            "{} {}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{,}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\" 1}",
            "{a:1}",
            "{1:1}",
            "{\"a\":}",
            "[",
            "{",
            "\"",
            "]",
            "}",
            "[}",
            "{]",
            "'a'",
            "// x\n1",
            "1 // x",
            "\u{feff}{}",
            "01",
            "-",
            "-01",
            "+1",
            ".5",
            "1.",
            "1.e5",
            "1e",
            "1e+",
            "1e999",
            "-1e999",
            "0x10",
            "1_0",
            "NaN",
            "Infinity",
            "1-2",
            "1+2",
            "1.2.3",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\u0041\"",
            "\"a\nb\"",
            "\"\\\u{1}\"",
            "\"\\\u{e9}\"",
            "[1]\u{0}",
            "\u{a0}1",
            "\u{c}1",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"b\":1,\"a\":2}",
            "{\"x\":[{\"a\":1,\"\\u0061\":2}]}",
            "{\"\\u0061\":1,\"a\":2}",
            "{\"b\":{\"z\":1},\"a\":{\"z\":1},\"b\":1}",
        ] {
            assert!(!alike(text.as_bytes()), "{text}");
        }
        for bytes in [&b"\"\xff\""[..], b"\xef\xbb\xbf{}", b"\"\xed\xa0\x80\"", b"\"\xc0\xaf\"", b"[1]\xff"] {
            assert!(!alike(bytes));
        }
    }

    #[test]
    fn counts_fields_values_and_depth_alike() {
        for depth in [126, 127, 128, 200_000] {
            let arrays = [vec![b'['; depth], vec![b']'; depth]].concat();
            let objects = [b"{\"a\":".repeat(depth), b"1".to_vec(), vec![b'}'; depth]].concat();
            assert_eq!((alike(&arrays), alike(&objects)), (depth < 128, depth < 128), "{depth}");
        }
        // An array takes one of the thousand; an object of one field takes four, and its value one.
        for (values, fine) in [(999, true), (1000, false)] {
            assert_eq!(alike(format!("[{}1]", "1,".repeat(values - 1)).as_bytes()), fine, "{values}");
        }
        for (objects, fine) in [(199, true), (200, false)] {
            assert_eq!(alike(format!("[{}1]", "{\"a\":1},".repeat(objects)).as_bytes()), fine, "{objects}");
        }
        assert!(!alike(&vec![b' '; 1_000_001]));
        // More fields than are compared each with each, and the first of them once more.
        for fields in [2, 11, 12, 13, 14, 300] {
            let names: Vec<String> = (0..fields).rev().map(|field| format!("\"{field}\":0")).collect();
            assert!(alike(format!("{{{}}}", names.join(",")).as_bytes()), "{fields}");
            assert!(!alike(format!("{{{},\"0\":1}}", names.join(",")).as_bytes()), "{fields}");
            assert!(!alike(format!("{{{},\"\\u0030\":1}}", names.join(",")).as_bytes()), "{fields}");
        }
    }

    #[test]
    fn finds_what_stands_where() {
        let bytes = br#"{"a":{"b":[{"c":"\u0064"},2,{"c":"e"}]},"f":null,"g\n":"h"}"#;
        let text = Text::parse(bytes, Limits::DOCUMENT).unwrap();
        let root = text.root();
        let array = root.get("a").and_then(|a| a.get("b")).unwrap();
        let found: Vec<_> = root.get("a").unwrap().objects("b").map(|it| it.get("c").unwrap()).collect();
        assert_eq!(found.iter().map(|it| it.as_str().unwrap()).collect::<Vec<_>>(), ["d", "e"]);
        assert!(found[0].is("d") && found[1].is("e") && !found[1].is("d"));
        assert_eq!((array.as_array().unwrap().count(), array.is_object(), array.get("c").is_none()), (3, false, true));
        assert!(root.get("f").unwrap().is_null() && root.get("g\n").unwrap().is("h") && root.get("b").is_none());
        assert_eq!(root.objects("f").count() + root.objects("nothing").count(), 0);
        assert!(array.as_array().unwrap().nth(2).unwrap().is_object());
        assert_eq!(root.fields().map(|(name, _)| name.into_owned()).collect::<Vec<_>>(), ["a", "f", "g\n"]);
    }

    #[test]
    fn an_outline_belongs_to_one_text() {
        let bytes = b"{\"a\":[1,2]}".to_vec();
        let outline = || Text::parse(&bytes, Limits::DOCUMENT).unwrap().into_outline();
        let (outline, another) = (outline(), outline());
        let copy = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(another.with(copy.clone()).unwrap_err(), copy);
        let text = outline.with(String::from_utf8(bytes).unwrap()).unwrap();
        assert_eq!(text, Text::parse(copy.as_bytes(), Limits::DOCUMENT).unwrap());
        assert_eq!(text.root().get("a").unwrap().as_array().unwrap().count(), 2);
    }
}
