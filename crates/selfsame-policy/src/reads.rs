//! What a policy reads, found in its words: the facts that it asks for, and the ones that there are not.

use std::collections::BTreeSet;

use regorus::unstable::{Lexer, Token, TokenKind};

use selfsame_core::suggest;

use crate::facts::{self, EXPECTED, FACTS};
use crate::policy::{Policy, PolicyError, fault};

/// The facts that a policy reads: `release`, `release.name`. More than it needs, never less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The paths, up to three names long; `[]` stands for what is in a list: `inputs[].uri`.
    pub paths: BTreeSet<String>,
    /// Whether it takes `input` as a whole, and so perhaps every fact.
    pub everything: bool,
}

impl Reads {
    /// Whether the fact of this one name may be read.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        let below =
            |path: &String| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
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
                    let path = fact_path(&words[place + 1..]);
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
            let path = known(path).err()?;
            let nearest = match path.strip_prefix("expected.") {
                Some(name) => {
                    let whole = |near| FACTS.iter().map(|it| it.path).find(|it| *it == near);
                    suggest::nearest(name, EXPECTED.into_iter()).and_then(whole)
                }
                None => suggest::nearest(path, FACTS.iter().map(|it| it.path)),
            };
            Some(PolicyError::NoFact { path: path.to_owned(), nearest })
        })
    }
}

/// Whether there is such a fact; where not, as much of the path as shows it.
fn known(path: &str) -> Result<(), &str> {
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    // What stands above: `inputs[]`.
    let mut above: Option<&str> = None;
    for end in ends {
        let here = &path[..end];
        let is_fact = facts::find(here.trim_end_matches("[]")).is_some();
        let kind = above.and_then(facts::find).map(|fact| fact.kind);
        let there = match above {
            None => is_fact,
            Some("expected") => EXPECTED.contains(&&here["expected.".len()..]),
            // Names of its own: digests by algorithm.
            Some(above) if kind == Some("object") => is_fact || !has_below(above),
            Some(above) if above.ends_with("[]") => is_fact,
            Some(_) => kind.is_none(),
        };
        if !there {
            return Err(here);
        }
        above = Some(here);
    }
    Ok(())
}

/// Whether the table says what is in an object.
fn has_below(path: &str) -> bool {
    FACTS.iter().any(|fact| fact.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Text,
    /// The bracket of a call: right behind a name.
    Call,
    Other,
}

/// The words of a module, without their comments.
pub(crate) fn words(module: &str) -> Result<Vec<(Kind, String)>, PolicyError> {
    let source =
        regorus::Source::from_contents("policy.rego".to_owned(), module.to_owned()).map_err(|it| fault(&it))?;
    let mut lexer = Lexer::new(&source);
    let mut words = Vec::new();
    let (mut open, mut deepest) = (0_usize, 0_usize);
    // Where the last word ended, if it was a name.
    let mut name_end = None;
    loop {
        let Token(kind, span) = lexer.next_token().map_err(|it| fault(&it))?;
        let text = span.text();
        let kind = match kind {
            TokenKind::Eof => break,
            TokenKind::Ident => Kind::Name,
            TokenKind::String | TokenKind::RawString => Kind::Text,
            TokenKind::Symbol if text == "(" && name_end == Some(span.start) => Kind::Call,
            TokenKind::Symbol | TokenKind::Number => Kind::Other,
        };
        name_end = (kind == Kind::Name).then_some(span.end);
        if matches!(kind, Kind::Other | Kind::Call) {
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
pub(crate) fn path(words: &[(Kind, String)], most: usize) -> Vec<String> {
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

/// The path of a fact: up to three names, and `[]` behind a list of which one is taken by its number or by any.
fn fact_path(words: &[(Kind, String)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = words;
    while names.len() < 3 {
        let is_list = facts::find(&names.join(".")).is_some_and(|fact| matches!(fact.kind, "list" | "texts"));
        match rest {
            [(Kind::Other, open), (Kind::Name | Kind::Other, _), (Kind::Other, close), more @ ..]
                if is_list && open == "[" && close == "]" =>
            {
                names.last_mut().expect("a list has a name").push_str("[]");
                rest = more;
            }
            _ => match &path(rest, 1)[..] {
                [name] => {
                    names.push(name.clone());
                    rest = &rest[if rest[0].1 == "." { 2 } else { 3 }..];
                }
                _ => break,
            },
        }
    }
    names
}
