//! Attacks on one signed document, each offered twice: beside the file that it is about, and within a release.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use selfsame_attest::{Statement, Subject};
use selfsame_core::{Digest, uri};
use selfsame_log::trusted_root::{RootLog, trusted_root};

use crate::case::{
    ARTIFACT, BUNDLE, Believed, Case, Class, Content, Expected, Grounds, Judged, KEY, LOG_KEY, Question, RELEASE,
    TRUSTED_ROOT,
};
use crate::draft::Draft;
use crate::keys;
use crate::release::{Files, Parts};

/// The file that bundles are about.
pub(crate) const ARTIFACT_BYTES: &[u8] = b"an artifact\n";

/// The right answer in one of the two places.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Yes,
    No(&'static str, &'static str),
    /// The question cannot be put.
    Unanswered(&'static str, &'static str),
    /// It makes no sense there.
    NotAsked,
}

impl Answer {
    pub(crate) fn expected(self) -> Option<Expected> {
        match self {
            Self::Yes => Some(Expected::Accept),
            Self::No(row, because) => Some(Expected::no(row, because)),
            Self::Unanswered(row, because) => Some(Expected::unanswered(row, because)),
            Self::NotAsked => None,
        }
    }
}

/// The good document that an attack begins with.
pub(crate) struct Source {
    /// Provenance.
    pub(crate) statement: Statement,
    /// Of what it is about.
    pub(crate) digest: Digest,
    logged: bool,
}

impl Source {
    pub(crate) fn payload(&self) -> String {
        String::from_utf8(self.statement.to_payload()).expect("JSON is UTF-8")
    }

    /// The good bundle.
    pub(crate) fn draft(&self) -> Draft {
        Draft::statement(&self.statement).logged(self.logged)
    }

    /// A payload by the trusted key: an attack by who may sign, or on who reads.
    pub(crate) fn resigned(&self, payload: impl Into<Vec<u8>>) -> Made {
        Draft::of(payload).logged(self.logged).into()
    }

    /// The good payload with this text in place of another, by the trusted key.
    pub(crate) fn respelled(&self, from: &str, to: &str) -> Made {
        let payload = self.payload();
        assert!(payload.contains(from), "the payload has `{from}`");
        self.resigned(payload.replacen(from, to, 1))
    }

    /// The statement after a change, by the trusted key.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Statement)) -> Made {
        let mut statement = self.statement.clone();
        change(&mut statement);
        self.resigned(statement.to_payload())
    }

    /// These bytes in place of the bundle; what is listed elsewhere stays.
    pub(crate) fn bytes(&self, bundle: Vec<u8>) -> Made {
        Made { bundle, payload: self.statement.to_payload(), label: None }
    }
}

/// What an attack makes.
pub(crate) struct Made {
    pub(crate) bundle: Vec<u8>,
    /// What the inventory of a release lists, as if its signer had made it so.
    pub(crate) payload: Vec<u8>,
    /// What the bundle is filed as in a release, unless it is provenance.
    pub(crate) label: Option<&'static str>,
}

impl From<Draft> for Made {
    fn from(draft: Draft) -> Self {
        Self { bundle: draft.to_bytes(), payload: draft.payload, label: None }
    }
}

/// One attack.
pub(crate) struct Attack {
    pub(crate) item: Option<u8>,
    name: &'static str,
    says: &'static str,
    grounds: Grounds,
    file: Answer,
    release: Answer,
    make: Box<dyn Fn(&Source) -> Made>,
}

/// An attack with its right answers for a file and for a release.
pub(crate) fn attack(
    item: u8,
    name: &'static str,
    says: &'static str,
    grounds: Grounds,
    [file, release]: [Answer; 2],
    make: impl Fn(&Source) -> Made + 'static,
) -> Attack {
    let item = (item > 0).then_some(item);
    Attack { item, name, says, grounds, file, release, make: Box::new(make) }
}

/// The cases of these attacks.
pub(crate) fn cases(class: Class, attacks: Vec<Attack>) -> Vec<Case> {
    let (about_file, parts) = (source_of_file(), Parts::good());
    let mut cases = Vec::new();
    for attack in attacks {
        if let Some(expected) = attack.file.expected() {
            let case = Case {
                name: format!("{}/{}.file", class.as_str(), attack.name),
                item: attack.item,
                class,
                says: attack.says.to_owned(),
                question: bundle_question(uri::PROVENANCE),
                expected,
                grounds: attack.grounds,
                files: bundle_files((attack.make)(&about_file).bundle),
            };
            cases.push(case);
        }
        if let Some(expected) = attack.release.expected() {
            let case = Case {
                name: format!("{}/{}.release", class.as_str(), attack.name),
                item: attack.item,
                class,
                says: attack.says.to_owned(),
                question: release_question(),
                expected,
                grounds: attack.grounds,
                files: release_files(&attacked(&parts, &*attack.make)),
            };
            cases.push(case);
        }
    }
    cases
}

/// Provenance about the artifact.
pub(crate) fn source_of_file() -> Source {
    let mut statement = Parts::good().statements().remove(0);
    let digest = Digest::of(ARTIFACT_BYTES);
    statement.subjects = vec![Subject::new(ARTIFACT, digest)];
    Source { statement, digest, logged: true }
}

/// The release with its provenance attacked; its inventory lists what is there.
fn attacked(parts: &Parts, make: &dyn Fn(&Source) -> Made) -> Files {
    let mut statements = parts.statements();
    let statement = statements.remove(0);
    let made = make(&Source { statement, digest: parts.image().1.digest, logged: false });
    let kind = made.label.unwrap_or(uri::PROVENANCE).to_owned();
    let mut payloads: Vec<_> = statements.iter().map(|it| (it.predicate_type.clone(), it.to_payload())).collect();
    payloads.insert(0, (kind.clone(), made.payload));
    statements.push(parts.inventory(&payloads));
    let mut bundles = Parts::signed(&statements, false);
    bundles.insert(0, (kind, made.bundle));
    parts.lay_out(&bundles)
}

/// Whether the bundle says something of this type about the artifact.
pub(crate) fn bundle_question(predicate_type: &str) -> Question {
    Question {
        subject: Judged::Bundle { predicate_type: predicate_type.to_owned() },
        believed: Believed::Key,
        logged: false,
        expect: Vec::new(),
    }
}

/// Whether the release verifies.
pub(crate) fn release_question() -> Question {
    Question { subject: Judged::Release, believed: Believed::Key, logged: false, expect: Vec::new() }
}

/// What lies beside every bundle and release: whom to believe.
fn roots() -> BTreeMap<String, Content> {
    BTreeMap::from([
        (KEY.to_owned(), keys::signer().public().to_pem().into_bytes().into()),
        (LOG_KEY.to_owned(), format!("{}\n", keys::log_key()).into_bytes().into()),
    ])
}

/// The folder of a bundle.
pub(crate) fn bundle_files(bundle: Vec<u8>) -> BTreeMap<String, Content> {
    let mut files = roots();
    files.insert(ARTIFACT.to_owned(), ARTIFACT_BYTES.to_vec().into());
    files.insert(BUNDLE.to_owned(), bundle.into());
    files.insert(TRUSTED_ROOT.to_owned(), trusted_root(&[RootLog::new(&keys::log_key())], &[]).into());
    files
}

/// The folder of a release.
pub(crate) fn release_files(release: &Files) -> BTreeMap<String, Content> {
    let mut files = roots();
    files.extend(release.iter().map(|(name, bytes)| (format!("{RELEASE}/{name}"), bytes.clone().into())));
    files
}

/// A case of a whole release: `CLASS/NAME.release`.
pub(crate) fn release_case(
    item: u8,
    class: Class,
    name: &str,
    says: &str,
    grounds: Grounds,
    answer: Answer,
    release: impl Borrow<Files>,
) -> Case {
    Case {
        name: format!("{}/{name}.release", class.as_str()),
        item: (item > 0).then_some(item),
        class,
        says: says.to_owned(),
        question: release_question(),
        expected: answer.expected().expect("a release has an answer"),
        grounds,
        files: release_files(release.borrow()),
    }
}

/// A case of the good bundle with other things around it: `CLASS/NAME.file`.
pub(crate) fn file_case(
    item: u8,
    class: Class,
    name: &str,
    says: &str,
    grounds: Grounds,
    answer: Answer,
    change: impl FnOnce(&mut Question, &mut BTreeMap<String, Content>),
) -> Case {
    let mut question = bundle_question(uri::PROVENANCE);
    let mut files = bundle_files(source_of_file().draft().to_bytes());
    change(&mut question, &mut files);
    Case {
        name: format!("{}/{name}.file", class.as_str()),
        item: (item > 0).then_some(item),
        class,
        says: says.to_owned(),
        question,
        expected: answer.expected().expect("a file has an answer"),
        grounds,
        files,
    }
}
