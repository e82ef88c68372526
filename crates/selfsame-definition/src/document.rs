//! A TOML document that people write, read strictly: known keys only, and every fault with its line and column.
//!
//! [`selfsame.toml`](crate::Definition) and the locks are read through this, so they complain in one voice.

use std::fmt::Display;
use std::ops::Range;

use selfsame_core::suggest::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest document that is read, in bytes.
pub const LIMIT_BYTES: usize = 1 << 20;

/// A fault in a document, and where.
///
/// Prints as `3:1: unknown key `nmae``; [`TextError::excerpt`] shows the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct TextError {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub width: usize,
    /// The line, without its end; empty where the fault is not in one (a document that is too large).
    pub source_line: String,
    /// What is wrong: a lower-case fragment that names the thing.
    pub message: String,
    /// The known word that was probably meant.
    pub suggestion: Option<String>,
}

impl TextError {
    /// The line with the faulty part underlined, three lines of text without a last newline.
    ///
    /// ```text
    ///   |
    /// 3 | nmae = "hello"
    ///   | ^^^^ did you mean `name`?
    /// ```
    #[must_use]
    pub fn excerpt(&self) -> String {
        /// Wider lines are shown from near the fault on, and cut.
        const SHOWN: usize = 120;
        let skip = if self.column > SHOWN { self.column - SHOWN / 2 } else { 0 };
        let visible = |c: char| if c.is_control() { ' ' } else { c };
        let shown: String = self.source_line.chars().skip(skip).take(SHOWN).map(visible).collect();
        let indent = " ".repeat(self.column.saturating_sub(1 + skip));
        let room = shown.chars().count().saturating_sub(indent.len()).max(1);
        let marks = "^".repeat(self.width.clamp(1, room));
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let meant = self.suggestion.as_ref().map(|word| format!(" did you mean `{word}`?")).unwrap_or_default();
        format!("{margin} |\n{number} | {shown}\n{margin} | {indent}{marks}{meant}")
    }
}

/// Parses a document into `read`'s value. `read` gets the top table.
pub fn parse<T>(text: &str, read: impl FnOnce(Table<'_, '_>) -> Result<T, TextError>) -> Result<T, TextError> {
    if text.len() > LIMIT_BYTES {
        let message = format!("a file of {} bytes; at most {LIMIT_BYTES} are read", text.len());
        return Err(TextError { line: 1, column: 1, width: 1, source_line: String::new(), message, suggestion: None });
    }
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        fault(text, &span, format!("not TOML: {}", error.message()), None)
    })?;
    read(Table { text, name: String::new(), span: 0..0, map: document.get_ref() })
}

/// A table and its name in the document (`image.file[2]`; empty for the top).
#[derive(Clone)]
pub struct Table<'t, 'v> {
    text: &'t str,
    name: String,
    span: Range<usize>,
    map: &'v DeTable<'t>,
}

impl<'t, 'v> Table<'t, 'v> {
    /// This table, if it has no key but these.
    pub fn only(self, known: &[&str]) -> Result<Self, TextError> {
        // By place in the file: the map is in the order of its keys.
        let stranger =
            self.map.keys().filter(|key| !known.contains(&key.get_ref().as_ref())).min_by_key(|key| key.span().start);
        let Some(stranger) = stranger else { return Ok(self) };
        let word = stranger.get_ref().as_ref();
        let place = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
        let suggestion = nearest(word, known.iter().copied()).map(str::to_owned);
        let message = match &suggestion {
            Some(_) => format!("unknown key `{}`{place}", clip(word)),
            None => format!("unknown key `{}`{place}; known are {}", clip(word), known.join(", ")),
        };
        Err(fault(self.text, &stranger.span(), message, suggestion))
    }

    /// The value at a key.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<Field<'t, 'v>> {
        let value = self.map.get(key)?;
        Some(Field { text: self.text, name: self.name_of(key), value })
    }

    /// The value at a key that must be there.
    pub fn need(&self, key: &str) -> Result<Field<'t, 'v>, TextError> {
        self.field(key).ok_or_else(|| self.fault(format!("`{}` is missing", self.name_of(key))))
    }

    /// Keys and their values, in the order of the keys.
    pub fn fields(&self) -> impl Iterator<Item = (Key<'t>, Field<'t, 'v>)> {
        self.map.iter().map(|(key, value)| {
            let word = key.get_ref().to_string();
            let name = self.name_of(&word);
            (Key { text: self.text, span: key.span(), word }, Field { text: self.text, name, value })
        })
    }

    /// A fault of this table as a whole: its header or its braces are meant.
    #[must_use]
    pub fn fault(&self, message: impl Display) -> TextError {
        fault(self.text, &self.span, message.to_string(), None)
    }

    fn name_of(&self, key: &str) -> String {
        if self.name.is_empty() { clip(key) } else { format!("{}.{}", self.name, clip(key)) }
    }
}

/// A key that the author chose.
#[derive(Clone)]
pub struct Key<'t> {
    text: &'t str,
    span: Range<usize>,
    word: String,
}

impl Key<'_> {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.word
    }

    /// A fault of this key.
    #[must_use]
    pub fn fault(&self, message: impl Display) -> TextError {
        fault(self.text, &self.span, message.to_string(), None)
    }
}

/// A value and its name in the document (`image.env.PATH`).
#[derive(Clone)]
pub struct Field<'t, 'v> {
    text: &'t str,
    name: String,
    value: &'v Spanned<DeValue<'t>>,
}

impl<'t, 'v> Field<'t, 'v> {
    /// Its dotted name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A string. NUL is in none of them: no path, argument or label can hold it.
    pub fn string(&self) -> Result<&'v str, TextError> {
        let Some(text) = self.value.get_ref().as_str() else { return Err(self.wrong_type("a string")) };
        if text.contains('\0') {
            return Err(self.fault(format!("`{}` holds a NUL byte", self.name)));
        }
        Ok(text)
    }

    /// A string with something in it.
    pub fn filled(&self) -> Result<&'v str, TextError> {
        let text = self.string()?;
        if text.is_empty() {
            return Err(self.fault(format!("`{}` is empty", self.name)));
        }
        Ok(text)
    }

    /// A string that parses, with the parser's own words for what is wrong.
    pub fn parsed<T: std::str::FromStr<Err: Display>>(&self) -> Result<T, TextError> {
        let text = self.string()?;
        text.parse().map_err(|error| self.fault(format!("`{}`: {error}", self.name)))
    }

    /// An integer from 0 to 2^63-1, `None` where the value is no integer at all.
    pub fn try_integer(&self) -> Option<Result<u64, TextError>> {
        let integer = self.value.get_ref().as_integer()?;
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| u64::try_from(number).ok());
        Some(number.ok_or_else(|| self.fault(format!("`{}` is not from 0 to 2^63-1", self.name))))
    }

    /// An integer from 0 to 2^63-1.
    pub fn integer(&self) -> Result<u64, TextError> {
        self.try_integer().unwrap_or_else(|| Err(self.wrong_type("an integer")))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Result<bool, TextError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.wrong_type("`true` or `false`"))
    }

    /// A table.
    pub fn table(&self) -> Result<Table<'t, 'v>, TextError> {
        let map = self.value.get_ref().as_table().ok_or_else(|| self.wrong_type("a table"))?;
        Ok(Table { text: self.text, name: self.name.clone(), span: self.value.span(), map })
    }

    /// The values of an array.
    pub fn list(&self) -> Result<Vec<Self>, TextError> {
        let array = self.value.get_ref().as_array().ok_or_else(|| self.wrong_type("an array"))?;
        let item = |(index, value)| Self { text: self.text, name: format!("{}[{index}]", self.name), value };
        Ok(array.iter().enumerate().map(item).collect())
    }

    /// An array of strings.
    pub fn strings(&self) -> Result<Vec<String>, TextError> {
        self.list()?.iter().map(|item| item.string().map(str::to_owned)).collect()
    }

    /// An array of tables.
    pub fn tables(&self) -> Result<Vec<Table<'t, 'v>>, TextError> {
        self.list()?.iter().map(Self::table).collect()
    }

    /// A fault of this value.
    #[must_use]
    pub fn fault(&self, message: impl Display) -> TextError {
        self.fault_with(message, None)
    }

    /// A fault of this value, with the word that was probably meant.
    #[must_use]
    pub fn fault_with(&self, message: impl Display, suggestion: Option<&str>) -> TextError {
        fault(self.text, &self.value.span(), message.to_string(), suggestion.map(str::to_owned))
    }

    fn wrong_type(&self, wanted: &str) -> TextError {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.fault(format!("`{}` is {found}; {wanted} is wanted", self.name))
    }
}

/// Text from a document as it may stand in a message: short, no control characters.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(|c| c.escape_debug()).collect::<String>().replace("\\'", "'").replace("\\\"", "\"")
}

fn fault(text: &str, span: &Range<usize>, message: String, suggestion: Option<String>) -> TextError {
    let start = (0..=span.start.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let source_line = text[line_start..].split('\n').next().unwrap_or("").trim_end_matches('\r');
    let column = text[line_start..start].chars().count() + 1;
    let line = text[..line_start].matches('\n').count() + 1;
    // A span may go on over several lines; the mark stays in the first.
    let end = (start..=span.end.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(start);
    let end = end.min(line_start + source_line.len());
    let width = text.get(start..end).map_or(1, |part| part.chars().count()).max(1);
    TextError { line, column, width, source_line: source_line.to_owned(), message, suggestion }
}
