//! Each case is answered by the verifier as it says, for the reason that it says.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use selfsame_attest::PublicKey;
use selfsame_core::Digest;
use selfsame_corpus::case::{ARTIFACT, BUNDLE, KEY, LOG_KEY, RELEASE, TRUST};
use selfsame_corpus::{Believed, Case, Class, Content, Expected, Judged, cases};
use selfsame_log::LogKey;
use selfsame_verify::{Depth, Expectations, Options, Outcome, Trust, TrustFile, verify, verify_file, verify_joined};

/// The answer: an exit code, and the first check that failed with its reason.
type Answer = (u8, String, String);

fn bytes(case: &Case, name: &str) -> Vec<u8> {
    match &case.files[name] {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Repeated { head, unit, times, tail } => {
            [&head[..], &unit.repeat(usize::try_from(*times).unwrap()), tail].concat()
        }
        other => panic!("{name} is {other:?}"),
    }
}

/// Whom the case says to believe; nothing where a program would end with a report.
fn trust(case: &Case) -> Option<Trust> {
    let logs = || {
        let line = String::from_utf8(bytes(case, LOG_KEY)).unwrap();
        vec![LogKey::parse(line.trim()).unwrap()]
    };
    match &case.question.believed {
        Believed::Nobody => Some(Trust::default()),
        Believed::Key => {
            let key = PublicKey::parse(&bytes(case, KEY)).ok()?;
            Some(Trust::in_keys([key]).with_logs(if case.question.logged { logs() } else { Vec::new() }))
        }
        Believed::TrustFile { at } => {
            let text = String::from_utf8(bytes(case, TRUST)).unwrap();
            Some(TrustFile::parse(&text).ok()?.at(at.parse().unwrap(), &text))
        }
    }
}

fn found(checks: impl Iterator<Item = (String, Outcome)>, class: selfsame_verify::Class) -> Answer {
    let exit = match class {
        selfsame_verify::Class::Verified => 0,
        selfsame_verify::Class::NotVerified => 1,
        selfsame_verify::Class::Unanswered => 2,
    };
    let mut failed = checks.filter(|(_, outcome)| matches!(outcome, Outcome::Failed { .. }));
    let (id, outcome) = failed.next().unwrap_or((String::new(), Outcome::Passed));
    (exit, id, outcome.reason().unwrap_or_default().to_owned())
}

fn judge(case: &Case) -> Option<Answer> {
    let trust = trust(case)?;
    let expect = Expectations::parse(case.question.expect.iter().map(String::as_str)).unwrap();
    match &case.question.subject {
        Judged::Bundle { predicate_type } => {
            let bundle = bytes(case, BUNDLE);
            let verdict = verify_file(Digest::of(&bytes(case, ARTIFACT)), &bundle, &trust, predicate_type, &expect);
            Some(found(verdict.checks.iter().map(|it| (it.id.to_owned(), it.outcome.clone())), verdict.class))
        }
        Judged::Release => {
            let prefix = format!("{RELEASE}/");
            let files: BTreeMap<String, Vec<u8>> = case
                .files
                .iter()
                .filter_map(|(name, content)| Some((name.strip_prefix(&prefix)?.to_owned(), content.bytes()?.to_vec())))
                .collect();
            let options = Options::new(Depth::Content, expect, NonZeroUsize::MIN);
            if let Some(joined) = verify_joined(&files, &trust, &options) {
                let checks = joined.checks.iter().map(|it| (it.id.to_owned(), it.outcome.clone()));
                return Some(found(checks, joined.class()));
            }
            let verdict = verify(&files, &trust, &options);
            Some(found(verdict.checks.iter().map(|it| (it.id.as_str().to_owned(), it.outcome.clone())), verdict.class))
        }
    }
}

/// Whether a library can be asked: no file larger than memory should hold, no link, nothing that only a program reads.
fn is_plain(case: &Case) -> bool {
    let fine = |content: &Content| match content {
        Content::Bytes(_) => true,
        Content::Repeated { unit, times, .. } => unit.len() as u64 * times < 64 << 20,
        _ => false,
    };
    case.files.values().all(fine)
}

#[test]
fn every_case_is_answered_as_it_says() {
    let mut faults = Vec::new();
    let mut asked = 0;
    for case in cases().iter().filter(|case| is_plain(case)) {
        let Some((exit, row, reason)) = judge(case) else {
            // The program says so before anything is judged.
            assert!(matches!(&case.expected, Expected::Reject { exit: 2, row: "", .. }), "{}", case.name);
            continue;
        };
        asked += 1;
        let right = match &case.expected {
            Expected::Accept => exit == 0,
            Expected::Reject { exit: code, row: id, because } => {
                exit == *code && (id.is_empty() || row == *id && reason.contains(because))
            }
        };
        if !right {
            faults.push(format!("{}: {:?}\n    {exit} {row}: {reason}", case.name, case.expected));
        }
    }
    assert!(faults.is_empty(), "{} of {asked}:\n{}", faults.len(), faults.join("\n"));
    assert!(asked > 150, "only {asked} cases");
}

#[test]
fn every_class_has_its_cases_and_its_names() {
    let cases = cases();
    for class in Class::ALL {
        let of_class: Vec<&Case> = cases.iter().filter(|case| case.class == class).collect();
        assert!(!of_class.is_empty(), "{class:?}");
        for case in of_class {
            assert!(case.name.starts_with(&format!("{}/", class.as_str())), "{}", case.name);
            assert_eq!(
                case.expected == Expected::Accept && case.item.is_none(),
                class == Class::Control,
                "{}",
                case.name
            );
        }
    }
    let names: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "each name once");
}
