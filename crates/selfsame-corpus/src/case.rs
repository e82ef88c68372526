//! One case: a question to a verifier, and the answer that is right.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use selfsame_core::{Digest, json};
use serde_json::{Value, json};

/// The `schema` of a case's `case.json`. docs/selftest.md describes it.
pub const CASE_SCHEMA: &str = "https://selfsame.dev/attack/v1";
/// The name of that file in a case's folder.
pub const CASE_FILE: &str = "case.json";

/// The file that a bundle is about.
pub const ARTIFACT: &str = "artifact";
/// The bundle.
pub const BUNDLE: &str = "bundle.sigstore.json";
/// The public key that is trusted.
pub const KEY: &str = "key.pub";
/// The log that is trusted, as a line of a signed note's key.
pub const LOG_KEY: &str = "log.pub";
/// The same log, in the file that Sigstore's clients read.
pub const TRUSTED_ROOT: &str = "trusted_root.json";
/// A trust file.
pub const TRUST: &str = "trust.toml";
/// The release.
pub const RELEASE: &str = "release";

/// A failure class: what a verifier that falls for the case does not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Good ones, which have to be accepted.
    Control,
    /// Who signed which bytes.
    Signature,
    /// Which keys are keys.
    Key,
    /// What kind of statement it is.
    Types,
    /// What the statement is about.
    Subject,
    /// Documents that two readers could read differently.
    Json,
    /// The wrapping of envelope, key hint and log entries.
    Bundle,
    /// Transparency logs.
    Log,
    /// Whom to believe, for what, until when.
    Trust,
    /// The documents of one release belong together, and none is missing.
    Set,
    /// What the signed documents say.
    Content,
    /// Manifests, configs, layouts.
    Oci,
    /// What is inside of layers.
    Layer,
    /// Releases for several platforms.
    Platforms,
    /// What a program does that cannot answer.
    Process,
}

impl Class {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Control,
        Self::Signature,
        Self::Key,
        Self::Types,
        Self::Subject,
        Self::Json,
        Self::Bundle,
        Self::Log,
        Self::Trust,
        Self::Set,
        Self::Content,
        Self::Oci,
        Self::Layer,
        Self::Platforms,
        Self::Process,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Signature => "signature",
            Self::Key => "key",
            Self::Types => "types",
            Self::Subject => "subject",
            Self::Json => "json",
            Self::Bundle => "bundle",
            Self::Log => "log",
            Self::Trust => "trust",
            Self::Set => "set",
            Self::Content => "content",
            Self::Oci => "oci",
            Self::Layer => "layer",
            Self::Platforms => "platforms",
            Self::Process => "process",
        }
    }
}

/// Why the answer is the right one: what it says of a verifier that gives the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grounds {
    /// It is good, and every verifier of its kind should say so.
    Good,
    /// Nobody who is trusted signed this, or it is about something else, or it is another kind of statement.
    Forged,
    /// The specification of the format refuses it.
    Malformed,
    /// The form is good; what is said in it contradicts the release, or what was asked.
    Content,
    /// A rule of selfsame's own. A verifier that answers otherwise is not wrong.
    Strict,
}

impl Grounds {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::Content => "content",
            Self::Strict => "strict",
        }
    }

    /// Whether a verifier that answers otherwise is wrong.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Strict)
    }
}

/// What lies at one place of a case's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file of these bytes.
    Bytes(Vec<u8>),
    /// A file too large to be kept: these bytes, then a hole, so that the file has this size.
    Sparse {
        /// What it begins with.
        head: Vec<u8>,
        /// Its size in all.
        size_bytes: u64,
    },
    /// A file that is made when it is written: a text, many times another, and a text.
    Repeated {
        /// Before.
        head: Vec<u8>,
        /// Again and again.
        unit: Vec<u8>,
        /// How often.
        times: u64,
        /// Behind.
        tail: Vec<u8>,
    },
    /// A symbolic link.
    Link(String),
    /// An empty folder.
    Folder,
    /// A named pipe that nobody writes to.
    Pipe,
}

impl Content {
    /// The bytes of a plain file.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// One line that is another for other content.
    fn line(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("bytes {} {}", bytes.len(), Digest::of(bytes)),
            Self::Sparse { head, size_bytes } => format!("sparse {size_bytes} {}", Digest::of(head)),
            Self::Repeated { head, unit, times, tail } => {
                format!("repeated {times} {} {} {}", Digest::of(head), Digest::of(unit), Digest::of(tail))
            }
            Self::Link(target) => format!("link {target}"),
            Self::Folder => "folder".to_owned(),
            Self::Pipe => "pipe".to_owned(),
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Whom the question says to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Believed {
    /// The key in [`KEY`].
    Key,
    /// The trust file in [`TRUST`], on this day.
    TrustFile {
        /// `YYYY-MM-DD`.
        at: &'static str,
    },
    /// Nobody.
    Nobody,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is to be judged.
    pub subject: Judged,
    /// By whose word.
    pub believed: Believed,
    /// Whether it has to be in the log of [`LOG_KEY`].
    pub logged: bool,
    /// `NAME=VALUE`, as `--expect` takes them.
    pub expect: Vec<String>,
}

/// What is to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Whether [`BUNDLE`] says something of this predicate type about [`ARTIFACT`].
    Bundle {
        /// The type that is asked for.
        predicate_type: String,
    },
    /// The folder [`RELEASE`].
    Release,
}

impl Judged {
    /// `bundle` or `release`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Bundle { .. } => "bundle",
            Self::Release => "release",
        }
    }
}

/// The right answer, and where selfsame says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Yes.
    Accept,
    /// No: with this exit code, because this check is the first that fails, for a reason that says this.
    Reject {
        /// 1, or 2 where the question cannot be put.
        exit: u8,
        /// The id of the check; empty where the question is not put at all.
        row: &'static str,
        /// A part of the reason.
        because: String,
    },
}

impl Expected {
    /// A no, by a check.
    pub(crate) fn no(row: &'static str, because: &str) -> Self {
        Self::Reject { exit: 1, row, because: because.to_owned() }
    }

    /// No answer: nothing to judge by, or nothing that can be read.
    pub(crate) fn unanswered(row: &'static str, because: &str) -> Self {
        Self::Reject { exit: 2, row, because: because.to_owned() }
    }

    /// `accept` or `reject`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject { .. } => "reject",
        }
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// `CLASS/WHAT`; its folder.
    pub name: String,
    /// The number in the list of attacks; nothing for what only has to be accepted.
    pub item: Option<u8>,
    /// What it is about.
    pub class: Class,
    /// One sentence.
    pub says: String,
    /// What is asked.
    pub question: Question,
    /// The right answer.
    pub expected: Expected,
    /// Why it is right.
    pub grounds: Grounds,
    /// Everything in its folder but [`CASE_FILE`], by relative path.
    pub files: BTreeMap<String, Content>,
}

impl Case {
    /// `case.json`, in canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let question = &self.question;
        let (predicate_type, at) = (
            match &question.subject {
                Judged::Bundle { predicate_type } => Some(predicate_type),
                Judged::Release => None,
            },
            match &question.believed {
                Believed::TrustFile { at } => Some(at),
                Believed::Key | Believed::Nobody => None,
            },
        );
        let believed = match question.believed {
            Believed::Key => "key",
            Believed::TrustFile { .. } => "trust",
            Believed::Nobody => "nobody",
        };
        let selfsame = match &self.expected {
            Expected::Accept => json!({ "exit": 0 }),
            Expected::Reject { exit, row, because } => json!({ "because": because, "exit": exit, "row": row }),
        };
        json!({
            "class": self.class.as_str(),
            "expected": self.expected.as_str(),
            "grounds": self.grounds.as_str(),
            "item": self.item,
            "name": self.name,
            "question": {
                "at": at,
                "believed": believed,
                "expect": question.expect,
                "kind": question.subject.as_str(),
                "logged": question.logged,
                "type": predicate_type,
            },
            "says": self.says,
            "schema": CASE_SCHEMA,
            "selfsame": selfsame,
        })
    }

    /// Everything in the folder, [`CASE_FILE`] included.
    #[must_use]
    pub fn folder(&self) -> BTreeMap<String, Content> {
        let mut files = self.files.clone();
        let mut text = json::canonical_value(&self.to_json());
        text.push(b'\n');
        files.insert(CASE_FILE.to_owned(), text.into());
        files
    }

    /// One digest over every name and content of the folder.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = String::new();
        for (name, content) in self.folder() {
            writeln!(text, "{name} {}", content.line()).expect("writing to memory");
        }
        Digest::of(text.as_bytes())
    }
}
