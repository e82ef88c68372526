//! Whom to believe, for what, until when.

use std::collections::BTreeMap;

use selfsame_core::uri;
use serde_json::json;

use crate::attack::Answer::{self, No, Yes};
use crate::attack::{file_case, release_case, source_of_file};
use crate::case::Grounds::{Content as InContent, Good};
use crate::case::{BUNDLE, Believed, Case, Class, Content, KEY, Question, TRUST};
use crate::draft::{Draft, base64};
use crate::keys;
use crate::release::Parts;

const AT: &str = "2026-11-20";

/// A table of a trust file for the key of this name.
fn key(name: &str, more: &str) -> String {
    let pem = keys::key(name).public().to_pem();
    format!("\n[[key]]\nname = \"{name}\"\npublic-key = \"\"\"\n{pem}\"\"\"\n{more}")
}

fn file(top: &str, keys: &str) -> String {
    format!("version = 1\nserial = 7\n{top}{keys}")
}

/// Asks by this trust file.
fn by(text: String) -> impl FnOnce(&mut Question, &mut BTreeMap<String, Content>) {
    move |question, files| {
        question.believed = Believed::TrustFile { at: AT };
        files.remove(KEY);
        files.insert(TRUST.to_owned(), text.into_bytes().into());
    }
}

/// What the file says of the key that signed, and the answer.
const STANDINGS: [(u8, &str, &str, &str, Answer); 8] = [
    (50, "compromised", "a key that was stolen, and nothing shows when it signed", "compromised = \"2026-06-01\"\n", {
        No("key", "is compromised since 2026-06-01")
    }),
    (50, "retired", "a key that signs nothing new, and nothing shows when it signed", "retired = \"2026-06-01\"\n", {
        No("key", "is retired since 2026-06-01")
    }),
    (50, "not-yet-valid", "a key that counts from a later day on", "from = \"2027-01-01\"\n", {
        No("key", "counts from 2027-01-01 on")
    }),
    (50, "expired", "a key that counted until an earlier day", "until = \"2026-01-01\"\n", {
        No("key", "counted until 2026-01-01")
    }),
    (50, "for-sboms-alone", "a key that may sign SBOMs signed provenance", "predicates = [\"sbom\"]\n", {
        No("key", "may not sign")
    }),
    (
        49,
        "for-another-builder",
        "a key that speaks for another builder",
        { "builder-ids = [\"https://example.com/builder\"]\n" },
        No("builder", "does not speak for"),
    ),
    (49, "for-no-builder", "a key that speaks for no builder", "builder-ids = []\n", {
        No("builder", "does not speak for")
    }),
    (50, "in-use", "a key in use", "from = \"2026-01-01\"\nuntil = \"2027-01-01\"\nretired = \"2026-12-01\"\n", Yes),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = standings();
    cases.extend(demands());
    cases.extend(timestamps());
    cases
}

fn standings() -> Vec<Case> {
    let release = Parts::good().release();
    let mut cases = Vec::new();
    for (item, name, says, more, answer) in STANDINGS {
        // Somebody has to be able to sign a whole release, or the file itself is refused.
        let text = file("", &format!("{}{}", key("signer", more), key("another", "")));
        let good = matches!(answer, Yes);
        let (class, item) = if good { (Class::Control, 0) } else { (Class::Trust, item) };
        let grounds = if good { Good } else { InContent };
        cases.push(file_case(item, class, name, says, grounds, answer, by(text.clone())));
        let mut case = release_case(item, class, name, says, grounds, answer, &release);
        by(text)(&mut case.question, &mut case.files);
        cases.push(case);
    }
    cases
}

/// What is asked beside a signature.
fn demands() -> Vec<Case> {
    let release = Parts::good().release();
    let case = |item, name: &str, says: &str, top: String, keys: &str, answer: Answer| {
        let good = matches!(answer, Yes);
        let (class, item) = if good { (Class::Control, 0) } else { (Class::Trust, item) };
        let grounds = if good { Good } else { InContent };
        let mut case = release_case(item, class, name, says, grounds, answer, &release);
        by(file(&top, keys))(&mut case.question, &mut case.files);
        case
    };
    let (one, two) = (key("signer", ""), format!("{}{}", key("signer", ""), key("another", "")));
    let floor = |field: &str| format!("\n[[rollback]]\nname = \"hello\"\n{field}\n");
    vec![
        case(47, "at-the-floor", "a release of the least version", floor("version = \"1.0.0\""), &one, Yes),
        case(
            47,
            "older-than-the-floor",
            "a good release, older than the trust file allows",
            floor("version = \"1.0.1\""),
            &one,
            No("rollback", "older than the least version"),
        ),
        case(
            47,
            "older-than-the-epoch",
            "a good release whose source is older than the trust file allows",
            floor("epoch = 1800000000"),
            &one,
            No("rollback", "older than the least epoch"),
        ),
        case(
            50,
            "one-of-two",
            "one identity signed, where two are asked for",
            "\n[threshold]\nrelease = 2\n".into(),
            &two,
            No("threshold", "1 of the 2 identities"),
        ),
        case(
            50,
            "not-rebuilt",
            "nobody built it again, where one is asked for",
            "\n[threshold]\nrebuild = 1\n".into(),
            &two,
            No("threshold", "0 of the 1 other identities"),
        ),
        case(
            49,
            "of-a-lower-level",
            "a build that hid less than the trust file asks for",
            "minimum-level = \"deterministic\"\n".into(),
            &one,
            No("level", "lower level than the trust asks for"),
        ),
        case(
            42,
            "in-no-log",
            "a release that is in no log, where one is asked for",
            format!("\n[[log]]\nkey = \"{}\"\n", keys::log_key()),
            &one,
            No("log", "has no log entry"),
        ),
    ]
}

/// A token that nobody who is trusted made gives no key its time back.
fn timestamps() -> Vec<Case> {
    let stamped = |bundle: &mut serde_json::Map<String, serde_json::Value>| {
        // An answer of the form that authorities give, with nothing in it.
        let token = base64(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00]);
        bundle["verificationMaterial"]["timestampVerificationData"] =
            json!({"rfc3161Timestamps": [{"signedTimestamp": token}]});
    };
    let text = file("", &format!("{}{}", key("signer", "compromised = \"2026-06-01\"\n"), key("another", "")));
    let refused = No("key", "is compromised since 2026-06-01");
    let says = "a stolen key, and a time stamp by nobody who is trusted";
    let bundle = source_of_file().draft().changed(stamped);
    let statements = Parts::good().all_statements();
    let bundles: Vec<_> =
        statements.iter().map(|it| (it.predicate_type.clone(), Draft::statement(it).changed(stamped))).collect();
    let release = Parts::good().lay_out(&bundles);
    let mut of_release = release_case(43, Class::Trust, "stamped-by-a-stranger", says, InContent, refused, &release);
    by(text.clone())(&mut of_release.question, &mut of_release.files);
    let of_file = file_case(43, Class::Trust, "stamped-by-a-stranger", says, InContent, refused, |question, files| {
        by(text)(question, files);
        files.insert(BUNDLE.to_owned(), bundle.into());
    });
    assert_eq!(statements[0].predicate_type, uri::PROVENANCE);
    vec![of_release, of_file]
}
