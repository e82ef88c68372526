//! What a statement is about: by the digest alone, of a named algorithm, in one spelling.

use selfsame_attest::{DigestSet, Subject};
use selfsame_core::Digest;
use serde_json::json;

use crate::attack::Answer::{self, No, Yes};
use crate::attack::{Attack, Source, attack, bundle_files, bundle_question, source_of_file};
use crate::case::Grounds::{Forged, Good, Malformed, Strict};
use crate::case::{BUNDLE, Case, Class, Content};
use crate::draft::{Draft, base64};

/// SHA-1 of the artifact.
const ARTIFACT_SHA1: &str = "5b45fdae09d05e75ef6a3fc09dcd1dbfea4ccfce";

const ELSE: [Answer; 2] = [No("subject", "about something else"), No("subjects", "about something else")];

/// The statement about one thing with this digest set.
fn about(source: &Source, name: &str, digest: DigestSet) -> crate::attack::Made {
    source.changed(|it| it.subjects = vec![Subject { name: name.to_owned(), digest }])
}

/// The statement with this text for its list of subjects.
fn list(source: &Source, text: &str) -> crate::attack::Made {
    let payload = source.payload();
    let at = payload.rfind(",\"subject\":").expect("the subjects come last");
    source.resigned(format!("{},\"subject\":{text}}}", &payload[..at]))
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = digests();
    attacks.extend(lists());
    attacks
}

fn digests() -> Vec<Attack> {
    let named = |algorithm: &str, text: &str| DigestSet::git(algorithm, text);
    vec![
        attack(20, "another-digest", "about another file, by its SHA-256", Forged, ELSE, |source| {
            about(source, "artifact", DigestSet::sha256_of(Digest::of(b"another artifact\n")))
        }),
        attack(22, "sha1-alone", "about the file, by its SHA-1 alone", Forged, ELSE, move |source| {
            about(source, "artifact", named("sha1", ARTIFACT_SHA1))
        }),
        attack(23, "under-sha512", "the right SHA-256, said to be a SHA-512", Forged, ELSE, move |source| {
            about(source, "artifact", named("sha512", &source.digest.hex()))
        }),
        attack(23, "under-git-commit", "the right SHA-256, said to be a git commit", Forged, ELSE, move |source| {
            about(source, "artifact", named("gitCommit", &source.digest.hex()))
        }),
        attack(23, "under-sha256-in-capitals", "the right SHA-256 under `SHA256`", Malformed, ELSE, move |source| {
            about(source, "artifact", named("SHA256", &source.digest.hex()))
        }),
        attack(23, "under-no-name", "the right SHA-256 under the empty name", Malformed, ELSE, move |source| {
            about(source, "artifact", named("", &source.digest.hex()))
        }),
        attack(24, "with-its-prefix", "`sha256:` stands before the right digits", Malformed, ELSE, move |source| {
            about(source, "artifact", named("sha256", &source.digest.to_string()))
        }),
        attack(24, "cut", "the first half of the right digits", Forged, ELSE, move |source| {
            about(source, "artifact", named("sha256", &source.digest.hex()[..32]))
        }),
        attack(24, "in-capitals", "the right digits in capital letters", Malformed, ELSE, move |source| {
            about(source, "artifact", named("sha256", &source.digest.hex().to_uppercase()))
        }),
        attack(24, "with-a-space", "a space behind the right digits", Malformed, ELSE, move |source| {
            about(source, "artifact", named("sha256", &format!("{} ", source.digest.hex())))
        }),
        attack(25, "in-the-name", "the right digits are the name of the subject", Forged, ELSE, |source| {
            about(source, &source.digest.hex(), DigestSet::sha256_of(Digest::of(b"another artifact\n")))
        }),
        attack(
            25,
            "in-the-predicate",
            "the right digest stands in the predicate, and another one",
            Forged,
            ELSE,
            |s| {
                let sha256 = s.digest.hex();
                s.changed(|it| {
                    it.subjects = vec![Subject::new("artifact", Digest::of(b"another artifact\n"))];
                    it.predicate["runDetails"]["byproducts"]
                        .as_array_mut()
                        .expect("a list")
                        .push(json!({"name": "artifact", "digest": {"sha256": sha256}}));
                })
            },
        ),
        attack(
            20,
            "one-of-three",
            "about three things, of which the second is the right one",
            Good,
            [Yes, Yes],
            |source| {
                let other = |name: &str| Subject::new(name, Digest::of(name.as_bytes()));
                source.changed(|it| it.subjects = vec![other("a"), it.subjects.remove(0), other("b")])
            },
        ),
    ]
}

fn lists() -> Vec<Attack> {
    let form = |because: &'static str| [No("statement", because), No("statements", because)];
    let empty = form("`subject` is empty");
    let none = form("`subject` is missing");
    let set = form("names no algorithm");
    let subject = |source: &Source| format!("{{\"digest\":{{\"sha256\":\"{}\"}},\"name\":\"a\"}}", source.digest.hex());
    vec![
        attack(21, "of-nothing", "the list of subjects is empty", Malformed, empty, |s| list(s, "[]")),
        attack(21, "null", "null stands for the list of subjects", Malformed, none, |s| list(s, "null")),
        attack(21, "missing", "there is no list of subjects", Malformed, none, |s| {
            s.respelled(",\"subject\":", ",\"subjects\":")
        }),
        attack(21, "without-a-digest", "the subject has a name and no digest", Malformed, set, |s| {
            list(s, "[{\"name\":\"artifact\"}]")
        }),
        attack(21, "of-an-empty-set", "the subject has an empty set of digests", Malformed, set, |s| {
            list(s, "[{\"digest\":{},\"name\":\"artifact\"}]")
        }),
        attack(21, "of-a-null-set", "the subject has null for its digests", Malformed, set, |s| {
            list(s, "[{\"digest\":null,\"name\":\"artifact\"}]")
        }),
        attack(21, "not-a-list", "one subject, not a list of them", Malformed, form("is not an array"), move |s| {
            list(s, &subject(s))
        }),
        attack(
            26,
            "two-of-one-name",
            "two subjects of one name, the right one and another",
            Malformed,
            form("two subjects are named `a`"),
            move |s| {
                let other = format!("{{\"digest\":{{\"sha256\":\"{}\"}},\"name\":\"a\"}}", Digest::of(b"other").hex());
                list(s, &format!("[{},{other}]", subject(s)))
            },
        ),
        attack(34, "nul-in-the-name", "a NUL in the name of the right subject", Strict, form("holds a NUL"), |s| {
            list(s, &format!("[{{\"digest\":{{\"sha256\":\"{}\"}},\"name\":\"a\\u0000b\"}}]", s.digest.hex()))
        }),
        attack(28, "too-many", "1025 subjects, the right one among them", Strict, form("1025 subjects"), move |s| {
            let others = (0..1024).map(|at| format!("{{\"digest\":{{\"sha256\":\"{at:064x}\"}}}},"));
            list(s, &format!("[{}{}]", others.collect::<String>(), subject(s)))
        }),
    ]
}

/// A million of them, made when it is written.
pub(crate) fn a_million() -> Case {
    const TIMES: u64 = 1_000_000;
    const MARK: &str = "{\"digest\":{\"sha256\":\"00\"}},";
    // Three bytes are four letters of base64, so that the list can be repeated in its encoded form.
    assert_eq!(MARK.len() % 3, 0);
    let source = source_of_file();
    let payload = source.payload();
    let at = payload.rfind(",\"subject\":").expect("the subjects come last");
    let mut head = format!("{},\"subject\":[", &payload[..at]);
    while head.len() % 3 != 0 {
        head.insert(1, ' ');
    }
    let tail = format!("{{\"digest\":{{\"sha256\":\"{}\"}}}}]}}", source.digest.hex());
    let many = MARK.repeat(usize::try_from(TIMES).expect("it is small"));
    let mut draft = Draft::of([&head, &many, &tail].map(|text| text.as_bytes()).concat());
    drop(many);
    let signature = std::mem::take(&mut draft.signatures);
    // The bundle with an empty payload, cut where the payload goes.
    let short = Draft { payload: Vec::new(), signatures: signature, ..draft };
    let text = String::from_utf8(short.to_bytes()).expect("JSON is UTF-8");
    let (before, after) = text.split_once("\"payload\":\"").expect("a payload");
    let mut files = bundle_files(Vec::new());
    let content = Content::Repeated {
        head: format!("{before}\"payload\":\"{}", base64(head.as_bytes())).into_bytes(),
        unit: base64(MARK.as_bytes()).into_bytes(),
        times: TIMES,
        tail: format!("{}{after}", base64(tail.as_bytes())).into_bytes(),
    };
    files.insert(BUNDLE.to_owned(), content);
    Case {
        name: "subject/a-million.file".into(),
        item: Some(28),
        class: Class::Subject,
        says: "a million subjects, the right one among them".into(),
        question: bundle_question(selfsame_core::uri::PROVENANCE),
        expected: No("statement", "more values than are read").expected().expect("it is asked"),
        grounds: Strict,
        files,
    }
}
