//! Verdicts on a whole release in memory: good, tampered with, re-signed, incomplete.

mod bounds;
mod claims;
mod conformance;
mod escapes;
mod fake;
mod files;
mod fuzz;
mod joined;
mod layout;
mod logs;
mod mixed;
mod one_file;
mod page;
mod policy;
mod reader;
mod signatures;
mod stamps;
mod threads;
mod trust;
mod trust_file;
mod unlisted;
mod verdicts;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use selfsame_verify::{CheckId, Class, Depth, Expectations, Options, Outcome, Trust, Verdict, verify};

/// A release in memory: names and bytes.
type Files = BTreeMap<String, Vec<u8>>;

fn options(depth: Depth) -> Options {
    Options::new(depth, Expectations::default(), NonZeroUsize::new(2).unwrap())
}

fn expecting(texts: &[&str]) -> Options {
    Options { expect: Expectations::parse(texts.iter().copied()).unwrap(), ..options(Depth::Content) }
}

/// The verdict with trust in the fake release's key.
fn verdict(files: &Files, depth: Depth) -> Verdict {
    let verdict = verify(files, &Trust::in_keys([fake::key("signer").public()]), &options(depth));
    if depth == Depth::Content {
        reader::keep(files, &verdict);
    }
    verdict
}

/// Asserts that exactly this check fails first, at depth `content`, for this reason.
#[track_caller]
fn fails(files: &Files, id: CheckId, because: &str) {
    fails_at(files, Depth::Content, id, because);
}

#[track_caller]
fn fails_at(files: &Files, depth: Depth, id: CheckId, because: &str) {
    assert_fails(&verdict(files, depth), id, because);
}

#[track_caller]
fn assert_fails(verdict: &Verdict, id: CheckId, because: &str) {
    assert_eq!(verdict.class, Class::NotVerified, "{}", table(verdict));
    assert!(verdict.evidence.is_none() && verdict.provenance.is_none() && verdict.run_record.is_none());
    match &verdict.check(id).outcome {
        Outcome::Failed { reason } => assert!(reason.contains(because), "`{reason}` does not say `{because}`"),
        other => panic!("`{}` is {other:?}\n{}", id.as_str(), table(verdict)),
    }
    assert_eq!(verdict.failed().next().map(|check| check.id), Some(id), "{}", table(verdict));
}

#[track_caller]
fn verifies(verdict: &Verdict) {
    assert!(verdict.is_verified(), "{}", table(verdict));
}

/// The verdict as a person sees it, facts left out.
fn table(verdict: &Verdict) -> String {
    let mut text = format!("{} ({})\n", verdict.class.as_str(), verdict.depth.as_str());
    for check in &verdict.checks {
        let reason = check.outcome.reason().map(|reason| format!("  {reason}")).unwrap_or_default();
        text += &format!("{:14} {}{reason}\n", check.id.as_str(), check.outcome.as_str());
    }
    text
}
