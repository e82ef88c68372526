//! What is said when something is wrong: one line, facts, what was done about it, and what to do next.

use std::process::ExitCode;

use serde_json::{Value, json};

/// What building did not come to.
pub(crate) const NOTHING_BUILT: &str = "Nothing was built.";

/// The four answers of a process. docs/verdicts.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Built, verified, same.
    Yes = 0,
    /// Not verified, differs, denied, action failed.
    No = 1,
    /// The question could not be answered.
    Unanswered = 2,
    /// It could not be answered now; a retry may help.
    NotNow = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command's end: an answer, or a report of why there is none.
pub(crate) type Answer<T = Exit> = Result<T, Box<Report>>;

/// An error as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Names the thing and the fault. Lower case, no period.
    pub(crate) headline: String,
    /// Aligned under one another: name and value.
    pub(crate) facts: Vec<(String, String)>,
    /// A line of a file with a mark under it, as it is.
    pub(crate) figure: Vec<String>,
    /// Shown behind a bar: the end of a log, what differs.
    pub(crate) excerpt: Vec<String>,
    /// What was done about it: a full sentence.
    pub(crate) consequence: Option<String>,
    /// What to do, with a command that can be pasted.
    pub(crate) hints: Vec<String>,
    /// The exit code.
    pub(crate) exit: Exit,
}

impl Report {
    /// A report of which only the headline is known.
    pub(crate) fn new(exit: Exit, headline: impl Into<String>) -> Self {
        Self {
            headline: headline.into(),
            facts: Vec::new(),
            figure: Vec::new(),
            excerpt: Vec::new(),
            consequence: None,
            hints: Vec::new(),
            exit,
        }
    }

    pub(crate) fn fact(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.facts.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn excerpt(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.excerpt.extend(lines);
        self
    }

    pub(crate) fn figure(mut self, text: &str) -> Self {
        self.figure.extend(text.lines().map(str::to_owned));
        self
    }

    pub(crate) fn consequence(mut self, sentence: impl Into<String>) -> Self {
        self.consequence = Some(sentence.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with the project's path in hints that name a command on it, so that they can be pasted where one is.
    pub(crate) fn for_project(mut self, path: &std::path::Path) -> Self {
        if path == std::path::Path::new(".") {
            return self;
        }
        let path = crate::commands::errors::quoted(path);
        for command in ["selfsame toolchain capture", "selfsame lock", "selfsame fetch"] {
            for hint in &mut self.hints {
                *hint = with_path(hint, command, &path);
            }
        }
        self
    }

    /// The text, without colour.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", printable(&self.headline));
        let width = self.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.facts {
            text += &format!("  {name:width$}  {}\n", printable(value));
        }
        for line in &self.figure {
            text += &format!("  {}\n", printable(line));
        }
        for line in &self.excerpt {
            text += &format!("    | {}\n", printable(line));
        }
        if let Some(sentence) = &self.consequence {
            text += &format!("  {sentence}\n");
        }
        if !self.hints.is_empty() {
            text.push('\n');
        }
        for hint in &self.hints {
            text += &format!("hint: {hint}\n");
        }
        text
    }

    /// The same as JSON: `schema` first, as in all of selfsame's JSON.
    pub(crate) fn json(&self) -> String {
        let facts: Vec<Value> = self.facts.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let body = json!({
            "class": match self.exit {
                Exit::Yes => "ok",
                Exit::No => "no",
                Exit::Unanswered => "error",
                Exit::NotNow => "not-now",
            },
            "consequence": self.consequence,
            "excerpt": self.excerpt,
            "exit": self.exit as u8,
            "facts": facts,
            "figure": self.figure,
            "headline": self.headline,
            "hints": self.hints,
        });
        with_schema("https://selfsame.dev/report/v1", &body)
    }
}

impl From<Report> for Box<dyn std::error::Error> {
    fn from(report: Report) -> Self {
        report.headline.into()
    }
}

/// The path behind every use of a command in a hint, and behind its flags.
fn with_path(hint: &str, command: &str, path: &str) -> String {
    let mut text = String::new();
    for (index, part) in hint.split('`').enumerate() {
        // Every second part stands between backticks.
        if index % 2 == 0 {
            text += part;
            continue;
        }
        let rest = part.strip_prefix(command).filter(|rest| rest.is_empty() || rest.starts_with(" --"));
        text += &rest.map_or_else(|| format!("`{part}`"), |_| format!("`{part} {path}`"));
    }
    text
}

/// A JSON object with its `schema` as the first field, indented for people.
pub(crate) fn with_schema(schema: &str, body: &Value) -> String {
    let text = harmless_json(&serde_json::to_string_pretty(body).expect("a value serialises"));
    match text.strip_prefix("{\n") {
        Some(rest) => format!("{{\n  \"schema\": \"{schema}\",\n{rest}"),
        None => format!("{{\n  \"schema\": \"{schema}\"\n}}"),
    }
}

/// Control characters made visible: names and logs from outside may hold what moves a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| if c == '\t' || !acts(c) { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(shown).collect()
}

/// Whether a terminal, or who reads at one, could be led astray: control characters, of which some terminals take U+009B
/// for the beginning of a command; marks that turn the direction of writing; and what takes no room at all.
pub(crate) fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || turns
}

/// The same JSON in which nothing acts, wherever it is shown: such characters stand only in its strings.
pub(crate) fn harmless_json(text: &str) -> String {
    let shown = |c: char| if c == '\n' || !acts(c) { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_hints_get_the_path_of_the_project() {
        let report = Report::new(Exit::No, "x").hint("run `selfsame lock --update a` or `selfsame lock`, not `lock`");
        let hints = report.for_project(std::path::Path::new("a folder")).hints;
        assert_eq!(hints, ["run `selfsame lock --update a 'a folder'` or `selfsame lock 'a folder'`, not `lock`"]);
    }

    #[test]
    fn nothing_acts_on_a_terminal() {
        let evil = "a\u{1b}[2J\u{9b}2J\u{7}\r\u{202e}\u{2066}\u{200b}\u{feff}b\u{e9}";
        let shown = printable(evil);
        assert!(
            !shown.chars().any(acts) && shown.starts_with("a\\u{1b}[2J\\u{9b}2J") && shown.ends_with("b\u{e9}"),
            "{shown}"
        );
        let json = with_schema("https://selfsame.dev/x/v1", &json!({ "evil": evil }));
        assert!(!json.chars().any(|c| c != '\n' && acts(c)), "{json}");
        let again: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(again["evil"], evil);
    }

    #[test]
    fn facts_are_aligned_and_escapes_shown() {
        let report = Report::new(Exit::Unanswered, "input `x\u{1b}[2J` is not the file that was locked")
            .fact("locked", "sha256:aa")
            .fact("is", "sha256:bb")
            .consequence("The bytes were discarded.")
            .hint("run `selfsame lock`");
        assert_eq!(
            report.text(),
            "error: input `x\\u{1b}[2J` is not the file that was locked\n  locked  sha256:aa\n  is      sha256:bb\n  \
             The bytes were discarded.\n\nhint: run `selfsame lock`\n"
        );
        assert!(
            report.json().starts_with("{\n  \"schema\": \"https://selfsame.dev/report/v1\",\n  \"class\": \"error\"")
        );
    }
}
