//! Apt's sources in both of their forms (sources.list(5)), as values.

use crate::stanza::{Stanza, StanzaError, Stanzas};

/// One place of binary packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Addresses, all of the same content.
    pub uris: Vec<String>,
    /// `bookworm`, `bookworm-security`, or a path that ends with a slash.
    pub suites: Vec<String>,
    /// `main`, `contrib`; none for flat repositories.
    pub components: Vec<String>,
    /// Options by the names that `.sources` files have: `Signed-By`, `Architectures`, ...
    pub options: Vec<(String, String)>,
}

/// Why a file of sources is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourcesError {
    /// Not paragraphs.
    #[error("{0}")]
    Stanza(#[from] StanzaError),
    /// A line that makes no sense.
    #[error("line {line} {fault}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// The rest of the sentence.
        fault: &'static str,
    },
    /// A paragraph that makes no sense.
    #[error("paragraph {paragraph} has no {field}")]
    Missing {
        /// Counted from 1.
        paragraph: usize,
        /// `URIs`
        field: &'static str,
    },
}

/// Options of one-line sources, and what `.sources` files call them.
const OPTIONS: [(&str, &str); 13] = [
    ("arch", "Architectures"),
    ("lang", "Languages"),
    ("target", "Targets"),
    ("pdiffs", "PDiffs"),
    ("by-hash", "By-Hash"),
    ("allow-insecure", "Allow-Insecure"),
    ("allow-weak", "Allow-Weak"),
    ("allow-downgrade-to-insecure", "Allow-Downgrade-To-Insecure"),
    ("trusted", "Trusted"),
    ("signed-by", "Signed-By"),
    ("check-valid-until", "Check-Valid-Until"),
    ("valid-until-max", "Valid-Until-Max"),
    ("valid-until-min", "Valid-Until-Min"),
];

/// A file `*.list`: `deb [signed-by=…] URI SUITE COMPONENT…` a line. Source packages are left out.
pub fn parse_list(text: &str) -> Result<Vec<Source>, SourcesError> {
    let mut sources = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let fail = |fault| SourcesError::Line { line: number + 1, fault };
        let line = line.split('#').next().unwrap_or("").trim();
        let Some((kind, rest)) = line.split_once(char::is_whitespace) else {
            if line.is_empty() {
                continue;
            }
            return Err(fail("is no source"));
        };
        match kind {
            "deb" => {}
            "deb-src" => continue,
            _ => return Err(fail("begins with neither `deb` nor `deb-src`")),
        }
        let mut rest = rest.trim_start();
        let mut options = Vec::new();
        if let Some(behind) = rest.strip_prefix('[') {
            let (inside, behind) = behind.split_once(']').ok_or_else(|| fail("has no `]` behind its options"))?;
            rest = behind;
            for option in inside.split_whitespace() {
                let (name, value) = option.split_once('=').ok_or_else(|| fail("has an option without a value"))?;
                let name = name.trim_end_matches(['+', '-']);
                let known = OPTIONS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
                let name = known.map_or_else(|| name.to_owned(), |(_, long)| (*long).to_owned());
                options.push((name, value.replace(',', " ")));
            }
        }
        // `cdrom:[Debian GNU/Linux 12 …]/` has spaces in its brackets.
        let (uri, rest) = match rest.trim_start() {
            rest if rest.starts_with("cdrom:[") => rest.split_once(']').map(|(uri, rest)| (uri.to_owned() + "]", rest)),
            rest => rest.split_once(char::is_whitespace).map(|(uri, rest)| (uri.to_owned(), rest)),
        }
        .ok_or_else(|| fail("has no suite"))?;
        let rest = if uri.starts_with("cdrom:") { rest.trim_start_matches(|c: char| !c.is_whitespace()) } else { rest };
        let mut words = rest.split_whitespace().map(str::to_owned);
        let suites = vec![words.next().ok_or_else(|| fail("has no suite"))?];
        sources.push(Source { uris: vec![uri], suites, components: words.collect(), options });
    }
    Ok(sources)
}

/// A file `*.sources`: paragraphs with `Types`, `URIs`, `Suites` and `Components`. Source packages and what is not
/// enabled are left out.
pub fn parse_sources(text: &str) -> Result<Vec<Source>, SourcesError> {
    let mut sources = Vec::new();
    for (number, stanza) in Stanzas::new(text).enumerate() {
        let stanza = stanza?;
        let words = |field: &'static str| -> Result<Vec<String>, SourcesError> {
            let text = stanza.get(field).ok_or(SourcesError::Missing { paragraph: number + 1, field })?;
            Ok(text.split_whitespace().map(str::to_owned).collect())
        };
        let off = stanza.get("Enabled").is_some_and(|value| matches!(value, "no" | "false" | "0" | "without" | "off"));
        if off || !words("Types")?.iter().any(|kind| kind == "deb") {
            continue;
        }
        let known = ["Types", "URIs", "Suites", "Components", "Enabled"];
        let others = stanza.fields().filter(|(name, _)| !known.iter().any(|known| known.eq_ignore_ascii_case(name)));
        let options = others.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let components = if stanza.get("Components").is_some() { words("Components")? } else { Vec::new() };
        sources.push(Source { uris: words("URIs")?, suites: words("Suites")?, components, options });
    }
    Ok(sources)
}

impl Source {
    /// Whether this suite, or its updates, backports or security fixes, is `wanted`.
    #[must_use]
    pub fn belongs_to(suite: &str, wanted: &str) -> bool {
        let Some(rest) = suite.strip_prefix(wanted) else { return false };
        rest.is_empty() || matches!(rest, "-updates" | "-security" | "/updates" | "-proposed-updates")
    }

    /// An option's value, whatever the case of its name.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// As a paragraph of a `.sources` file, with these options only.
    #[must_use]
    pub fn stanza(&self, keep: &[&str]) -> Stanza {
        let field = |name: &str, words: &[String]| (name.to_owned(), words.join(" "));
        let mut fields =
            vec![("Types".to_owned(), "deb".to_owned()), field("URIs", &self.uris), field("Suites", &self.suites)];
        if !self.components.is_empty() {
            fields.push(field("Components", &self.components));
        }
        let kept = self.options.iter().filter(|(name, _)| keep.iter().any(|keep| keep.eq_ignore_ascii_case(name)));
        fields.extend(kept.cloned());
        Stanza::new(fields)
    }
}
