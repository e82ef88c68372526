//! TOML written in one spelling: what is equal prints equally.

use std::fmt::Write as _;

/// Lines of a TOML document.
pub(crate) struct Printer {
    text: String,
}

impl Printer {
    /// Begins with these lines as comments.
    pub(crate) fn new(comment: &str) -> Self {
        let text = comment.lines().map(|line| format!("# {line}\n")).collect();
        Self { text }
    }

    /// `[[name]]` behind an empty line.
    pub(crate) fn item(&mut self, name: &str) {
        let _ = writeln!(self.text, "\n[[{name}]]");
    }

    /// `key = "value"`.
    pub(crate) fn string(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.text, "{key} = {}", quoted(value));
    }

    /// `key = 1`.
    pub(crate) fn integer(&mut self, key: &str, value: u64) {
        let _ = writeln!(self.text, "{key} = {value}");
    }

    /// `key = ["a", "b"]`, left out if empty.
    pub(crate) fn strings(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            let _ = writeln!(self.text, "{key} = [{}]", values.join(", "));
        }
    }

    /// `key = [`, one item a line, `]`.
    pub(crate) fn lines(&mut self, key: &str, items: impl Iterator<Item = String>) {
        let _ = writeln!(self.text, "{key} = [");
        for item in items {
            let _ = writeln!(self.text, "  {item},");
        }
        self.text.push_str("]\n");
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// A TOML basic string (TOML 1.0, "String").
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
