//! Environment markers (PEP 508), judged for a target that is known in part.
//!
//! What the target does not say (the kernel's release, the last part of Python's version) makes a comparison neither true
//! nor false. Whoever asks for the sake of fetching takes what is not false: a file too many does no harm.

use crate::error::clip;
use crate::version::Version;

/// The longest marker, and the deepest parentheses.
const LIMIT_BYTES: usize = 8 << 10;
const LIMIT_DEPTH: usize = 32;

/// The Python that files are wanted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// 3 and 11 of `3.11`; without it, any Python 3.
    pub python: Option<(u32, u32)>,
    /// 7 of `3.11.7`, where it is known.
    pub micro: Option<u32>,
    /// `x86_64`, `aarch64`: what `uname -m` says.
    pub machine: String,
}

/// Why a target is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// `python` is something else.
    #[error("`{python}` is not a version of Python 3, like `3.11` or `3.11.7`")]
    Python {
        /// As written.
        python: String,
    },
    /// A platform without wheels that we know.
    #[error("Python wheels for {platform} are not known; for linux/amd64 and linux/arm64 they are")]
    Platform {
        /// As asked for.
        platform: String,
    },
}

impl Target {
    /// `python` is `3.11` or `3.11.7`; without it files have to fit every Python 3.
    pub fn new(python: Option<&str>, platform: &selfsame_core::Platform) -> Result<Self, TargetError> {
        let machine = match (platform.os.as_str(), platform.architecture.as_str()) {
            ("linux", "amd64") => "x86_64",
            ("linux", "arm64") => "aarch64",
            _ => return Err(TargetError::Platform { platform: platform.to_string() }),
        };
        let Some(python) = python else { return Ok(Self { python: None, micro: None, machine: machine.to_owned() }) };
        let numbers: Option<Vec<u32>> = python
            .split('.')
            .map(|part| {
                let plain = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
                part.parse().ok().filter(|_| plain)
            })
            .collect();
        match numbers.as_deref() {
            Some(&[3, minor]) => Ok(Self { python: Some((3, minor)), micro: None, machine: machine.to_owned() }),
            Some(&[3, minor, micro]) => {
                Ok(Self { python: Some((3, minor)), micro: Some(micro), machine: machine.to_owned() })
            }
            _ => Err(TargetError::Python { python: clip(python) }),
        }
    }

    /// Whether `requires`, as in `Requires-Python: >=3.8,!=3.9.*`, lets this Python in. What cannot be read does, as with
    /// pip; so does what depends on a part of the version that is not known.
    #[must_use]
    pub fn fits_python(&self, requires: &str) -> bool {
        requires.split(',').map(str::trim).filter(|clause| !clause.is_empty()).all(|clause| {
            let Some((operator, version)) = Operator::split(clause) else { return true };
            self.full().compare(operator, version.trim()).unwrap_or(true)
        })
    }

    fn full(&self) -> Value<'_> {
        match (self.python, self.micro) {
            (Some((major, minor)), Some(micro)) => Value::Version(format!("{major}.{minor}.{micro}")),
            (Some((major, minor)), None) => {
                Value::Versions(format!("{major}.{minor}.0"), format!("{major}.{minor}.9999"))
            }
            (None, _) => Value::Versions("3.0.0".to_owned(), "3.9999.9999".to_owned()),
        }
    }

    fn variable(&self, name: &str, extras: &[&str]) -> Option<Value<'_>> {
        Some(match name {
            "python_version" => match self.python {
                Some((major, minor)) => Value::Version(format!("{major}.{minor}")),
                None => Value::Versions("3.0".to_owned(), "3.9999".to_owned()),
            },
            "python_full_version" | "implementation_version" => self.full(),
            "os_name" | "os.name" => Value::Text("posix"),
            "sys_platform" | "sys.platform" => Value::Text("linux"),
            "platform_system" => Value::Text("Linux"),
            "platform_machine" | "platform.machine" => Value::Text(&self.machine),
            "platform_python_implementation" | "platform.python_implementation" | "python_implementation" => {
                Value::Text("CPython")
            }
            "implementation_name" => Value::Text("cpython"),
            "extra" => Value::Extras(extras.iter().map(|extra| crate::pypi::normal_name(extra)).collect()),
            "platform_release" | "platform_version" | "platform.version" => Value::Unknown,
            _ => return None,
        })
    }
}

/// What a variable stands for.
enum Value<'a> {
    Text(&'a str),
    Version(String),
    /// Any from the first to the second.
    Versions(String, String),
    Extras(Vec<String>),
    Unknown,
}

impl Value<'_> {
    /// `None` where the answer depends on what is not known.
    fn compare(&self, operator: Operator, right: &str) -> Option<bool> {
        match self {
            Self::Text(text) => Some(operator.texts(text, right)),
            Self::Version(version) => Some(operator.versions(version, right)),
            Self::Versions(low, high) => {
                let ends = (operator.versions(low, right), operator.versions(high, right));
                // Between ends that both differ from the version that is named it may lie itself.
                let hit = match operator {
                    Operator::Equal | Operator::Same => false,
                    Operator::NotEqual => true,
                    Operator::In | Operator::NotIn => return None,
                    _ => return (ends.0 == ends.1).then_some(ends.0),
                };
                let named = right.strip_suffix(".*").unwrap_or(right).parse::<Version>();
                let (Ok(low), Ok(high), Ok(named)) = (low.parse::<Version>(), high.parse::<Version>(), named) else {
                    return None;
                };
                let inside = low < named && named < high;
                (ends.0 == ends.1 && (ends.0 != hit || !inside)).then_some(ends.0)
            }
            Self::Extras(extras) => {
                let has = extras.contains(&crate::pypi::normal_name(right));
                match operator {
                    Operator::Equal | Operator::Same => Some(has),
                    Operator::NotEqual => Some(!has),
                    _ => None,
                }
            }
            Self::Unknown => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Same,
    Equal,
    NotEqual,
    Compatible,
    AtMost,
    AtLeast,
    Less,
    Greater,
    In,
    NotIn,
}

const OPERATORS: [(&str, Operator); 8] = [
    ("===", Operator::Same),
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("~=", Operator::Compatible),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Operator {
    fn split(text: &str) -> Option<(Self, &str)> {
        OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
    }

    fn texts(self, left: &str, right: &str) -> bool {
        match self {
            Self::Same | Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::AtMost => left <= right,
            Self::AtLeast => left >= right,
            Self::Less => left < right,
            Self::Greater => left > right,
            Self::In => right.contains(left),
            Self::NotIn => !right.contains(left),
            Self::Compatible => false,
        }
    }

    fn versions(self, left: &str, right: &str) -> bool {
        if matches!(self, Self::In | Self::NotIn) {
            return (self == Self::In) == right.split([',', ' ', '|']).any(|one| one.trim() == left);
        }
        let wildcard = right.strip_suffix(".*");
        let (Ok(version), Ok(other)) = (left.parse::<Version>(), wildcard.unwrap_or(right).parse::<Version>()) else {
            return self.texts(left, right);
        };
        let equal = if wildcard.is_some() { version.begins_with(&other) } else { version == other };
        match self {
            Self::Same => left == right,
            Self::Equal => equal,
            Self::NotEqual => !equal,
            Self::Compatible => version.is_compatible(&other),
            Self::AtMost => version <= other,
            Self::AtLeast => version >= other,
            Self::Less => version < other,
            Self::Greater => version > other,
            Self::In | Self::NotIn => false,
        }
    }

    /// The operator with its sides changed.
    const fn turned(self) -> Self {
        match self {
            Self::AtMost => Self::AtLeast,
            Self::AtLeast => Self::AtMost,
            Self::Less => Self::Greater,
            Self::Greater => Self::Less,
            other => other,
        }
    }
}

/// A marker, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker(Node);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Any(Vec<Self>),
    All(Vec<Self>),
    Compare {
        variable: String,
        operator: Operator,
        text: String,
    },
    /// Two texts: decided where it stands.
    Constant(bool),
}

impl Marker {
    /// Parses what stands behind `;`. The message of a failure is a sentence's end: `has ...`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LIMIT_BYTES {
            return Err(format!("has a marker of more than {LIMIT_BYTES} bytes"));
        }
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0 };
        let node = parser.any(0)?;
        match parser.next() {
            None => Ok(Self(node)),
            Some(_) => Err(format!("has a marker that cannot be read: `{}`", clip(text))),
        }
    }

    /// Whether it holds on `target` for a requirement of `extras`: `None` where that depends on what is not known.
    #[must_use]
    pub fn holds(&self, target: &Target, extras: &[&str]) -> Option<bool> {
        holds(&self.0, target, extras)
    }

    /// Whether it may hold.
    #[must_use]
    pub fn may_hold(&self, target: &Target, extras: &[&str]) -> bool {
        self.holds(target, extras).unwrap_or(true)
    }
}

fn holds(node: &Node, target: &Target, extras: &[&str]) -> Option<bool> {
    match node {
        Node::Constant(value) => Some(*value),
        Node::Compare { variable, operator, text } => target.variable(variable, extras)?.compare(*operator, text),
        // Kleene's logic: an unknown part does not matter where another one decides.
        Node::Any(nodes) => decide(nodes.iter().map(|node| holds(node, target, extras)), true),
        Node::All(nodes) => decide(nodes.iter().map(|node| holds(node, target, extras)), false),
    }
}

fn decide(values: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut unknown = false;
    for value in values {
        match value {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decisive)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(Operator),
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        match first {
            '(' | ')' => {
                tokens.push(if first == '(' { Token::Open } else { Token::Close });
                rest = &rest[1..];
            }
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or("has a marker with a quotation that does not end")?;
                tokens.push(Token::Text(rest[1..=end].to_owned()));
                rest = &rest[end + 2..];
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
                let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
                tokens.push(Token::Word(word.to_owned()));
                rest = behind;
            }
            _ => {
                let (operator, behind) =
                    Operator::split(rest).ok_or_else(|| format!("has a marker with `{}`", clip(rest)))?;
                tokens.push(Token::Sign(operator));
                rest = behind;
            }
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Word(word.to_owned()));
        self.at += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Node, String> {
        let mut nodes = vec![self.all(depth)?];
        while self.word("or") {
            nodes.push(self.all(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) })
    }

    fn all(&mut self, depth: usize) -> Result<Node, String> {
        let mut nodes = vec![self.one(depth)?];
        while self.word("and") {
            nodes.push(self.one(depth)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::All(nodes) })
    }

    fn one(&mut self, depth: usize) -> Result<Node, String> {
        if depth > LIMIT_DEPTH {
            return Err(format!("has a marker with more than {LIMIT_DEPTH} parentheses in one another"));
        }
        if self.tokens.get(self.at) == Some(&Token::Open) {
            self.at += 1;
            let node = self.any(depth + 1)?;
            return match self.next() {
                Some(Token::Close) => Ok(node),
                _ => Err("has a marker with a parenthesis that does not close".to_owned()),
            };
        }
        let unread = || "has a marker that is no comparison".to_owned();
        let left = self.next().cloned().ok_or_else(unread)?;
        let operator = match self.next().cloned() {
            Some(Token::Sign(operator)) => operator,
            Some(Token::Word(word)) if word == "in" => Operator::In,
            Some(Token::Word(word)) if word == "not" && self.word("in") => Operator::NotIn,
            _ => return Err(unread()),
        };
        let right = self.next().cloned().ok_or_else(unread)?;
        match (left, right) {
            (Token::Word(variable), Token::Text(text)) => {
                Ok(Node::Compare { variable: known(variable)?, operator, text })
            }
            (Token::Text(text), Token::Word(variable)) if matches!(operator, Operator::In | Operator::NotIn) => {
                // `"x" in platform_version`: nothing that is known here contains texts.
                Ok(Node::Compare { variable: known(variable)?, operator: turn_in(operator), text })
            }
            (Token::Text(text), Token::Word(variable)) => {
                Ok(Node::Compare { variable: known(variable)?, operator: operator.turned(), text })
            }
            (Token::Text(left), Token::Text(right)) => Ok(Node::Constant(operator.texts(&left, &right))),
            _ => Err(unread()),
        }
    }
}

/// `"x" in VARIABLE` of a variable with one word is `VARIABLE == "x"` or not decided; equality is what is kept.
const fn turn_in(operator: Operator) -> Operator {
    match operator {
        Operator::In => Operator::Equal,
        _ => Operator::NotEqual,
    }
}

fn known(variable: String) -> Result<String, String> {
    let target = Target { python: None, micro: None, machine: String::new() };
    if target.variable(&variable, &[]).is_some() {
        return Ok(variable);
    }
    Err(format!("has a marker with the unknown variable `{}`", clip(&variable)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(python: &str) -> Target {
        Target::new(Some(python), &"linux/amd64".parse().unwrap()).unwrap()
    }

    #[track_caller]
    fn judged(marker: &str, expected: Option<bool>) {
        assert_eq!(Marker::parse(marker).unwrap().holds(&target("3.11"), &["socks"]), expected, "{marker}");
    }

    #[test]
    fn markers_of_real_packages() {
        judged("python_version >= '3.8'", Some(true));
        judged("python_version < \"3.10\"", Some(false));
        judged("'3.9' <= python_version", Some(true));
        judged("sys_platform == 'win32' or (os_name == 'posix' and platform_machine != 'arm64')", Some(true));
        judged("platform_python_implementation == 'PyPy'", Some(false));
        judged("platform_python_implementation != 'PyPy' and sys_platform != \"win32\"", Some(true));
        judged("python_version in '3.10, 3.11'", Some(true));
        judged("python_version not in '3.10, 3.11'", Some(false));
        judged("extra == 'SOCKS'", Some(true));
        judged("extra == 'security'", Some(false));
        judged("python_version == '3.11.*'", Some(true));
        judged("python_version ~= '3.9'", Some(true));
        judged("sys_platform in 'linux darwin'", Some(true));
        judged("'linux' in sys_platform", Some(true));
    }

    #[test]
    fn what_depends_on_the_unknown() {
        judged("python_full_version < '3.11.3'", None);
        judged("python_full_version >= '3.11'", Some(true));
        judged("python_full_version < '3.12'", Some(true));
        judged("python_full_version != '3.11.4'", None);
        judged("platform_release >= '5'", None);
        judged("platform_release >= '5' and sys_platform == 'win32'", Some(false));
        judged("platform_release >= '5' or sys_platform == 'linux'", Some(true));
        let marker = Marker::parse("python_full_version < '3.11.3'").unwrap();
        assert!(marker.may_hold(&target("3.11"), &[]));
        assert_eq!(marker.holds(&target("3.11.7"), &[]), Some(false));
    }

    #[test]
    fn any_python() {
        let target = Target::new(None, &"linux/arm64".parse().unwrap()).unwrap();
        let holds = |marker: &str| Marker::parse(marker).unwrap().holds(&target, &[]);
        assert_eq!(holds("python_version >= '3'"), Some(true));
        assert_eq!(holds("python_version < '3'"), Some(false));
        assert_eq!(holds("python_version == '3.8'"), None);
        assert_eq!(holds("python_version != '3.8'"), None);
        assert_eq!(holds("python_version == '2.7'"), Some(false));
        assert_eq!(holds("python_version in '3.8 3.9'"), None);
        assert_eq!(holds("python_full_version == '3.8.*'"), None);
        assert_eq!(holds("platform_machine == 'aarch64'"), Some(true));
        assert!(target.fits_python(">=3.12"));
    }

    #[test]
    fn requires_python() {
        assert!(target("3.11").fits_python(">=3.8,!=3.9.*,<4"));
        assert!(!target("3.11").fits_python(">=3.12"));
        assert!(target("3.11").fits_python(">=3.11.2"));
        assert!(!target("3.11.1").fits_python(">=3.11.2"));
        assert!(!target("3.11").fits_python("<3"));
        assert!(target("3.11").fits_python(""));
    }

    #[track_caller]
    fn refused(marker: &str, because: &str) {
        let error = Marker::parse(marker).unwrap_err();
        assert!(error.contains(because), "{error}");
    }

    #[test]
    fn what_is_no_marker() {
        refused("", "no comparison");
        refused("python_version", "no comparison");
        refused("moon_phase == 'full'", "unknown variable `moon_phase`");
        refused("python_version == '3", "quotation that does not end");
        refused("(python_version == '3'", "does not close");
        refused("python_version == '3' extra", "cannot be read");
        refused("python_version @ '3'", "a marker with `@");
        refused(&"(".repeat(40), "more than 32 parentheses");
        refused(&" ".repeat(9000), "more than 8192 bytes");
        assert!(Target::new(Some("2.7"), &"linux/amd64".parse().unwrap()).is_err());
        assert!(Target::new(Some("3.11"), &"linux/riscv64".parse().unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z_()'\"<>=!~., 0-9]{0,80}") {
            if let Ok(marker) = Marker::parse(&text) {
                let _ = marker.holds(&target("3.11"), &["x"]);
            }
        }
    }
}
