//! What a policy reads, found in its words: the facts that it asks for, and the ones that there are not.

use std::collections::BTreeSet;

use regorus::unstable::{Lexer, Token, TokenKind};

use selfsame_core::suggest;

use crate::facts::{self, FACTS};
use crate::policy::{Policy, PolicyError, fault};

/// The facts that a policy reads: `release`, `release.name`. More than it needs, never less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The paths, one or two names long.
    pub paths: BTreeSet<String>,
    /// Whether it takes `input` as a whole, and so perhaps every fact.
    pub everything: bool,
}

impl Reads {
    /// Whether the fact of this one name may be read.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        let below =
            |path: &String| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.everything || self.paths.iter().any(below)
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.paths.extend(other.paths.iter().cloned());
        self.everything |= other.everything;
        self
    }

    /// What a module reads. Its words are those that the engine has.
    ///
    /// # Errors
    /// Words that are none, too many brackets within one another, or `data` of others.
    pub fn of(module: &str) -> Result<Self, PolicyError> {
        let words = words(module)?;
        let mut reads = Self::default();
        for (place, word) in words.iter().enumerate() {
            let before = |count: usize| place.checked_sub(count).and_then(|at| words.get(at)).map(|it| it.1.as_str());
            if word.0 != Kind::Name || before(1) == Some(".") {
                continue;
            }
            match word.1.as_str() {
                "input" if before(1) == Some("with") && words.get(place + 1).is_some_and(|it| it.1 == "as") => {}
                "input" => {
                    let path = path(&words[place + 1..], 2);
                    match path.first() {
                        None => reads.everything = true,
                        Some(_) => drop(reads.paths.insert(path.join("."))),
                    }
                }
                "data" => {
                    let package = path(&words[place + 1..], 1);
                    if package.first().map(String::as_str) != Some("selfsame") {
                        return Err(PolicyError::Data);
                    }
                }
                _ => {}
            }
        }
        Ok(reads)
    }

    /// The first fact that is read and that there never is.
    pub(crate) fn unknown(&self) -> Option<PolicyError> {
        self.paths.iter().find_map(|path| {
            let (first, second) = path.split_once('.').map_or((path.as_str(), None), |(one, two)| (one, Some(two)));
            let near = |path: &str| {
                let nearest = suggest::nearest(path, FACTS.iter().map(|it| it.path).filter(|it| !it.contains("[]")));
                Some(PolicyError::NoFact { path: path.to_owned(), nearest })
            };
            let Some(fact) = facts::find(first) else { return near(first) };
            match second {
                // What was asked is named by who asked.
                Some(_) if fact.kind != "object" => near(path),
                Some(_) if first != "expected" && facts::find(path).is_none() => near(path),
                _ => None,
            }
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Text,
    Other,
}

/// The words of a module, without their comments.
fn words(module: &str) -> Result<Vec<(Kind, String)>, PolicyError> {
    let source =
        regorus::Source::from_contents("policy.rego".to_owned(), module.to_owned()).map_err(|it| fault(&it))?;
    let mut lexer = Lexer::new(&source);
    let mut words = Vec::new();
    let (mut open, mut deepest) = (0_usize, 0_usize);
    loop {
        let Token(kind, span) = lexer.next_token().map_err(|it| fault(&it))?;
        let text = span.text();
        let kind = match kind {
            TokenKind::Eof => break,
            TokenKind::Ident => Kind::Name,
            TokenKind::String | TokenKind::RawString => Kind::Text,
            TokenKind::Symbol | TokenKind::Number => Kind::Other,
        };
        if kind == Kind::Other {
            match text {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" => open = open.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(open);
        }
        words.push((kind, text.to_owned()));
    }
    if deepest > Policy::MOST_BRACKETS {
        return Err(PolicyError::Deep);
    }
    Ok(words)
}

/// The names that follow in `.name` and `["name"]`, up to a count.
fn path(words: &[(Kind, String)], most: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut rest = words;
    while path.len() < most {
        match rest {
            [(Kind::Other, dot), (Kind::Name, name), more @ ..] if dot == "." => {
                path.push(name.clone());
                rest = more;
            }
            // A text with an escape in it is not read here; what stands above it is read as a whole.
            [(Kind::Other, open), (Kind::Text, name), (Kind::Other, close), more @ ..]
                if open == "[" && close == "]" && !name.contains('\\') =>
            {
                path.push(name.trim_matches(['"', '`']).to_owned());
                rest = more;
            }
            _ => break,
        }
    }
    path
}
