//! Entries of transparency logs: whose they are, what they are about, and whether the log holds them.

use selfsame_core::Digest;
use selfsame_log::{Body, LogEntry};
use serde_json::{Value, json};

use crate::attack::{bundle_files, bundle_question, release_files, release_question, source_of_file};
use crate::case::Grounds::{self, Content, Forged, Good, Malformed};
use crate::case::{Believed, Case, Class, Expected, KEY, Question, TRUST};
use crate::draft::{Draft, base64, signed};
use crate::keys::{self, ORIGIN};
use crate::log;
use crate::release::{Files, Parts};

/// An attack on the entry of one document.
struct Attack {
    item: u8,
    name: &'static str,
    says: &'static str,
    grounds: Grounds,
    /// What the reason says.
    because: &'static str,
    /// The entries in place of the good one.
    make: fn(&Draft, LogEntry) -> Vec<Value>,
}

const fn attack(
    item: u8,
    name: &'static str,
    says: &'static str,
    grounds: Grounds,
    because: &'static str,
    make: fn(&Draft, LogEntry) -> Vec<Value>,
) -> Attack {
    Attack { item, name, says, grounds, because, make }
}

/// The good entry after a change.
fn with(entry: LogEntry, change: impl FnOnce(&mut LogEntry)) -> Vec<Value> {
    let mut entry = entry;
    change(&mut entry);
    vec![entry.to_json()]
}

/// The good entry's JSON after a change of one field.
fn field(entry: &LogEntry, pointer: &str, value: Value) -> Vec<Value> {
    let mut json = entry.to_json();
    *json.pointer_mut(pointer).expect("a field of an entry") = value;
    vec![json]
}

/// What the log honestly says of another body than the document's.
fn honest(body: &Body) -> Vec<Value> {
    vec![log::entry(body).to_json()]
}

const ATTACKS: [Attack; 27] = [
    attack(
        38,
        "of-another-document",
        "the entry is of another document",
        Forged,
        "another document than",
        |draft, _| honest(&Body { digest: Digest::of(b"another document"), ..draft.body() }),
    ),
    attack(
        38,
        "of-another-signature",
        "the entry is of another signature",
        Forged,
        "another signature than",
        |it, _| honest(&Body { signature: signed(&keys::forger(), &it.pae()), ..it.body() }),
    ),
    attack(38, "of-another-key", "the entry says that another key signed", Forged, "another key than", |draft, _| {
        honest(&Body { key: keys::forger().public().to_spki(), ..draft.body() })
    }),
    attack(38, "of-the-payload", "the entry is of the payload, not of what was signed", Forged, "another document", {
        |draft, _| honest(&Body { digest: Digest::of(&draft.payload), ..draft.body() })
    }),
    attack(
        38,
        "of-another-kind",
        "the entry says another kind than its body",
        Malformed,
        "another kind",
        |_, entry| with(entry, |it| it.kind = "dsse".into()),
    ),
    attack(39, "proof-too-short", "a hash of the proof is missing", Forged, "too short or too long", |_, entry| {
        with(entry, |it| _ = it.hashes.pop())
    }),
    attack(39, "proof-too-long", "the proof has a hash more", Forged, "too short or too long", |_, entry| {
        with(entry, |it| it.hashes.push(Digest::of(b"more")))
    }),
    attack(39, "proof-of-nothing", "the proof is empty", Forged, "too short or too long", |_, entry| {
        with(entry, |it| it.hashes.clear())
    }),
    attack(39, "proof-changed", "a hash of the proof is another", Forged, "the proof leads to the root", |_, entry| {
        with(entry, |it| it.hashes[0] = Digest::of(b"other"))
    }),
    attack(39, "another-index", "the entry says another place", Forged, "the proof leads to the root", |_, entry| {
        with(entry, |it| it.index -= 1)
    }),
    attack(39, "index-outside", "the entry's place is behind the end of the log", Forged, "is not in a tree of", {
        |_, entry| with(entry, |it| it.index += 100)
    }),
    attack(39, "index-negative", "the entry's place is -1", Malformed, "`logIndex`", |_, entry| {
        field(&entry, "/logIndex", json!("-1"))
    }),
    attack(39, "index-too-large", "the entry's place is 2^63", Malformed, "`logIndex`", |_, entry| {
        field(&entry, "/logIndex", json!("9223372036854775808"))
    }),
    attack(39, "index-twice", "the proof is of another place than the entry", Forged, "`inclusionProof.logIndex`", {
        |_, entry| field(&entry, "/inclusionProof/logIndex", json!("0"))
    }),
    attack(39, "size-zero", "the log is said to be empty, and a checkpoint of it says so", Forged, "in a tree of 0", {
        |_, entry| {
            let empty = selfsame_log::merkle::empty_root();
            let checkpoint = log::checkpoint("log", ORIGIN, 0, empty);
            with(entry, |it| {
                (it.tree_size, it.root, it.index) = (0, empty, 0);
                it.hashes.clear();
                it.checkpoint = checkpoint.note.to_string();
            })
        }
    }),
    attack(39, "another-size", "the proof says another size than the checkpoint", Forged, "says that the log has", {
        |_, entry| with(entry, |it| it.tree_size += 1)
    }),
    attack(
        39,
        "another-root",
        "the proof says another root than the checkpoint",
        Forged,
        "says that the log's root is",
        |_, entry| with(entry, |it| it.root = Digest::of(b"other")),
    ),
    attack(
        40,
        "checkpoint-unsigned",
        "nobody signed the checkpoint",
        Forged,
        "the note has no signatures",
        |_, entry| {
            with(entry, |it| {
                let end = it.checkpoint.find("\n\n").expect("a note") + 1;
                it.checkpoint.truncate(end);
            })
        },
    ),
    attack(
        40,
        "checkpoint-by-another",
        "another key signed the checkpoint",
        Forged,
        "has no signature by the key of",
        {
            |draft, entry| {
                let forged = log::entry_in(&draft.body(), "forger");
                with(forged, |it| it.log_id = entry.log_id)
            }
        },
    ),
    attack(
        40,
        "checkpoint-signature-changed",
        "the checkpoint's signature has another bit",
        Forged,
        "not over this",
        {
            |_, entry| {
                with(entry, |it| {
                    let line = it.checkpoint.trim_end().rfind(' ').expect("a signature line") + 1;
                    let at = line + 40;
                    let other = if it.checkpoint.as_bytes()[at] == b'A' { "B" } else { "A" };
                    it.checkpoint.replace_range(at..=at, other);
                })
            }
        },
    ),
    attack(
        40,
        "checkpoint-of-another-origin",
        "the checkpoint names another log",
        Forged,
        "the checkpoint is of the log",
        |_, entry| with(entry, |it| it.checkpoint = it.checkpoint.replacen(ORIGIN, "log.example/others", 1)),
    ),
    attack(
        40,
        "checkpoint-of-another-size",
        "the checkpoint's size is another",
        Forged,
        "not over this",
        |_, entry| {
            with(entry, |it| {
                it.checkpoint = it.checkpoint.replacen(&format!("\n{}\n", it.tree_size), "\n99\n", 1);
                it.tree_size = 99;
            })
        },
    ),
    attack(40, "checkpoint-missing", "there is no checkpoint", Malformed, "`checkpoint`", |_, entry| {
        field(&entry, "/inclusionProof/checkpoint", json!(null))
    }),
    attack(40, "proof-missing", "there is no proof", Malformed, "`inclusionProof`", |_, entry| {
        field(&entry, "/inclusionProof", json!(null))
    }),
    attack(42, "removed", "the entry was taken away", Content, "has no log entry", |_, _| Vec::new()),
    attack(42, "of-a-forgers-log", "the entry is of a log that nobody gave", Forged, "is in no log that was given", {
        |draft, _| vec![log::entry_in(&draft.body(), "forger").to_json()]
    }),
    attack(
        42,
        "broken-beside-good",
        "a broken entry of the log stands behind the good one",
        Forged,
        "another document",
        {
            |draft, entry| {
                let other = honest(&Body { digest: Digest::of(b"another document"), ..draft.body() });
                [vec![entry.to_json()], other].concat()
            }
        },
    ),
];

/// One log that told two stories, and one whose days are over.
fn forks() -> Vec<Case> {
    let case = |name: &str, says: &str, because: &str, files: Files| Case {
        name: format!("log/{name}.release"),
        item: Some(41),
        class: Class::Log,
        says: says.to_owned(),
        question: Question { logged: true, ..release_question() },
        expected: Expected::no("log", because),
        grounds: Forged,
        files: release_files(&files),
    };
    let mut over = case(
        "after-its-days",
        "the log's key counted until an earlier day, and nobody says when it signed",
        "in no log that counts",
        release(|_, entry| vec![entry.to_json()]),
    );
    over.grounds = Content;
    let mut two = over.clone();
    over.question = Question { believed: Believed::TrustFile { at: "2026-11-20" }, logged: false, ..over.question };
    let trust = |logs: &str| {
        let pem = keys::signer().public().to_pem();
        let key = format!("[[key]]\nname = \"signer\"\npublic-key = \"\"\"\n{pem}\"\"\"\n");
        crate::case::Content::Bytes(format!("version = 1\nserial = 1\n\n{logs}\n{key}").into_bytes())
    };
    let log = format!("[[log]]\nkey = \"{}\"\n", keys::log_key());
    over.files.insert(TRUST.to_owned(), trust(&format!("{log}until = \"2026-01-01\"\n")));
    let another = keys::log_signer("another log of the name").key(ORIGIN).expect("an origin is a name");
    two.name = "log/two-of-one-name.release".into();
    two.says = "a trust file with two logs of one name".into();
    two.question = over.question.clone();
    two.expected = Expected::unanswered("", "`log.example/attacks`");
    two.files.insert(TRUST.to_owned(), trust(&format!("{log}\n[[log]]\nkey = \"{another}\"\n")));
    for files in [&mut over.files, &mut two.files] {
        files.remove(KEY);
    }
    vec![
        case(
            "two-histories",
            "each entry is right in itself, and the log told one document another history than the others",
            "has two histories",
            release(|draft, _| {
                vec![
                    log::entries(&[draft.body(), draft.body(), draft.body(), draft.body()], "log", 1)
                        .remove(0)
                        .to_json(),
                ]
            }),
        ),
        case(
            "entry-twice",
            "one entry stands there twice, for whoever counts entries",
            "stands there twice",
            release(|_, entry| vec![entry.to_json(), entry.to_json()]),
        ),
        over,
        two,
    ]
}

/// The bundle with these entries.
fn bundle(draft: &Draft, entries: Vec<Value>) -> Vec<u8> {
    draft.changed(|it| it["verificationMaterial"]["tlogEntries"] = Value::Array(entries))
}

/// The release with all its documents in the log, but for what is done to the provenance's entry.
fn release(make: impl Fn(&Draft, LogEntry) -> Vec<Value>) -> Files {
    let parts = Parts::good();
    let drafts: Vec<(String, Draft)> =
        parts.all_statements().iter().map(|it| (it.predicate_type.clone(), Draft::statement(it))).collect();
    let bodies: Vec<Body> = drafts.iter().map(|(_, draft)| draft.body()).collect();
    let entries = log::entries(&bodies, "log", 0);
    let mut bundles = Vec::new();
    for ((at, (kind, draft)), entry) in drafts.into_iter().enumerate().zip(entries) {
        let entries = if at == 0 { make(&draft, entry) } else { vec![entry.to_json()] };
        bundles.push((kind, bundle(&draft, entries)));
    }
    parts.lay_out(&bundles)
}

pub(crate) fn cases() -> Vec<Case> {
    let logged = |question: Question| Question { logged: true, ..question };
    let about_file = source_of_file();
    let draft = about_file.draft();
    let mut cases = Vec::new();
    let mut add = |name: String, item, class, says: &str, grounds, expected, question, files| {
        let says = says.to_owned();
        cases.push(Case { name, item, class, says, question, expected, grounds, files });
    };
    let of_file = || logged(bundle_question(selfsame_core::uri::PROVENANCE));
    add(
        "control/logged.file".into(),
        None,
        Class::Control,
        "provenance about a file, in the trusted log",
        Good,
        Expected::Accept,
        of_file(),
        bundle_files(draft.to_bytes()),
    );
    add(
        "control/logged.release".into(),
        None,
        Class::Control,
        "a release, each of its documents in the trusted log",
        Good,
        Expected::Accept,
        logged(release_question()),
        release_files(&release(|_, entry| vec![entry.to_json()])),
    );
    for attack in &ATTACKS {
        let made = bundle(&draft, (attack.make)(&draft, log::entry(&draft.body())));
        add(
            format!("log/{}.file", attack.name),
            Some(attack.item),
            Class::Log,
            attack.says,
            attack.grounds,
            Expected::no("log", attack.because),
            of_file(),
            bundle_files(made),
        );
        add(
            format!("log/{}.release", attack.name),
            Some(attack.item),
            Class::Log,
            attack.says,
            attack.grounds,
            Expected::no("log", attack.because),
            logged(release_question()),
            release_files(&release(attack.make)),
        );
    }
    let more = forks();
    // An entry does not make up for a signature: the log holds whatever it is given.
    let mut forged = draft.clone();
    forged.sign(&keys::forger());
    let key = base64(&keys::forger().public().to_spki());
    let body = Body { key: keys::forger().public().to_spki(), ..forged.body() };
    let bytes = forged.logged(false).changed(|it| {
        it["verificationMaterial"]["tlogEntries"] = Value::Array(honest(&body));
        it["verificationMaterial"]["publicKey"]["rawBytes"] = json!(key);
    });
    add(
        "log/of-a-forgers-signature.file".into(),
        Some(11),
        Class::Log,
        "a forger's signature, which the log holds with the forger's key",
        Forged,
        Expected::no("signature", "not made by this key"),
        of_file(),
        bundle_files(bytes),
    );
    cases.extend(more);
    cases
}
