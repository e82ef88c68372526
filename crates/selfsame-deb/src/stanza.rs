//! Fields and values in paragraphs, as control files, lists and copyright files have them (deb822).

use std::fmt;

/// The most bytes of one paragraph that are read.
const MAX_BYTES: usize = 4 << 20;
/// The most fields of one paragraph.
const MAX_FIELDS: usize = 512;

/// One paragraph: fields in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stanza {
    fields: Vec<(String, String)>,
}

/// Why a text is no paragraph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {fault}")]
pub struct StanzaError {
    /// Counted from 1.
    pub line: usize,
    /// The rest of the sentence.
    pub fault: &'static str,
}

impl Stanza {
    /// Exactly one paragraph, with nothing but empty lines around it.
    pub fn parse(text: &str) -> Result<Self, StanzaError> {
        let mut stanzas = Stanzas::new(text);
        let first = stanzas.next().unwrap_or(Err(StanzaError { line: 1, fault: "should begin a paragraph" }))?;
        match stanzas.next() {
            None => Ok(first),
            Some(_) => Err(StanzaError { line: stanzas.line, fault: "belongs to a second paragraph" }),
        }
    }

    /// A paragraph of these fields. Values of several lines have their continuation's space already.
    #[must_use]
    pub fn new(fields: Vec<(String, String)>) -> Self {
        Self { fields }
    }

    /// The value of a field, whatever the case of its name: the text behind the colon without the space around it,
    /// further lines as they stand.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every field, in the order in which they were written.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Display for Stanza {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.fields {
            match value.as_str() {
                "" => writeln!(f, "{name}:")?,
                value if value.starts_with('\n') => writeln!(f, "{name}:{value}")?,
                value => writeln!(f, "{name}: {value}")?,
            }
        }
        Ok(())
    }
}

/// The paragraphs of a text, one after another. Stops at the first fault.
pub struct Stanzas<'a> {
    rest: &'a str,
    line: usize,
    failed: bool,
}

impl<'a> Stanzas<'a> {
    /// The paragraphs of `text`; lines that begin with `#` are comments.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0, failed: false }
    }

    fn line(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    fn read(&mut self) -> Result<Option<Stanza>, &'static str> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut bytes = 0;
        while let Some(line) = self.line() {
            if line.starts_with('#') {
                continue;
            }
            if line.trim().is_empty() {
                if fields.is_empty() {
                    continue;
                }
                break;
            }
            bytes += line.len();
            if bytes > MAX_BYTES {
                return Err("makes the paragraph too long");
            }
            if line.starts_with([' ', '\t']) {
                let Some((_, value)) = fields.last_mut() else { return Err("continues a field where none is") };
                value.push('\n');
                value.push_str(line.trim_end());
                continue;
            }
            let Some((name, value)) = line.split_once(':') else { return Err("is no `Field: value`") };
            if name.is_empty()
                || name.starts_with('-')
                || !name.bytes().all(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~'))
            {
                return Err("has no field name in front of its colon");
            }
            if fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                return Err("has a field that the paragraph has already");
            }
            if fields.len() == MAX_FIELDS {
                return Err("is one field too many");
            }
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok((!fields.is_empty()).then_some(Stanza { fields }))
    }
}

impl Iterator for Stanzas<'_> {
    type Item = Result<Stanza, StanzaError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.read() {
            Ok(stanza) => stanza.map(Ok),
            Err(fault) => {
                self.failed = true;
                Some(Err(StanzaError { line: self.line, fault }))
            }
        }
    }
}
