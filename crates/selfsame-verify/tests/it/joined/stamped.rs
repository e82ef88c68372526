//! Log entries and time stamps of a release for several platforms.

use selfsame_testing::time_authority::{ToCertify, ToStamp, certificates};
use selfsame_timestamp::Authority;
use selfsame_verify::trust::TrustedAuthority;
use selfsame_verify::{Class, Depth, KeyEntry, Trust, TrustFile, verify_joined};

use super::{Whole, both, exchanged};
use crate::fake::key;
use crate::{Files, options};

/// The release with each bundle in a log; `history` says in which one, by its place among all.
fn logged(files: &Files, history: impl Fn(usize) -> &'static str) -> Files {
    exchanged(files, |at, bundles| {
        let entry = crate::logs::entries("the log", history(at), 4, bundles).remove(at);
        bundles[at].clone().with_log_entries(vec![entry.to_json()])
    })
}

/// The log of all documents of a release is one, across its platforms and what joins them.
#[test]
fn a_log_that_told_each_platform_another_story_is_refused() {
    let files = Whole::of(&both()).lay_out();
    let trust = Trust::in_keys([key("signer").public()]).with_logs(vec![crate::logs::log_key("the log")]);
    let judged = |files: &Files| verify_joined(files, &trust, &options(Depth::Content)).expect("an index is first");
    let good = judged(&logged(&files, |_| "one"));
    assert_eq!(good.class(), Class::Verified, "{:?}", good.checks);
    assert_eq!(good.checks[5].outcome.as_str(), "passed");
    // Three documents are about the index, four about each platform.
    for (what, other) in [("what joins them", 0..3), ("the first platform", 3..7), ("the second platform", 7..11)] {
        let verdict = judged(&logged(&files, |at| if other.contains(&at) { "other" } else { "one" }));
        assert!(verdict.parts.iter().all(|(_, part)| part.is_verified()), "{what}: each part is right in itself");
        assert_eq!(verdict.class(), Class::NotVerified, "{what}");
        let failed: Vec<_> = verdict.checks.iter().filter(|it| it.outcome.as_str() == "failed").collect();
        assert_eq!(failed.iter().map(|check| check.id).collect::<Vec<_>>(), ["log"], "{what}");
        let reason = failed[0].outcome.reason().unwrap_or_default();
        assert!(reason.contains("`log.example/releases` has two histories: with 19 entries"), "{what}: {reason}");
    }
    // Within one part it is that part's own fault.
    let verdict = judged(&logged(&files, |at| if at == 4 { "other" } else { "one" }));
    let failed: Vec<_> = verdict.checks.iter().filter(|it| it.outcome.as_str() == "failed").map(|it| it.id).collect();
    assert_eq!(failed, ["parts"]);
}

/// What joins the platforms is judged by its own stamps, and each platform by its.
#[test]
fn stamps_on_a_release_for_several_platforms() {
    let files = Whole::of(&both()).lay_out();
    let certificate = ToCertify::signer().certify();
    let over = |message: &[u8]| ToStamp::over(message, "20260531120000Z", &certificate).answer();
    let stamped = |wrong: Option<usize>| {
        exchanged(&files, |at, bundles| {
            let message = if wrong == Some(at) { b"another signature" } else { bundles[at].signature() };
            bundles[at].clone().with_timestamps(vec![over(message)])
        })
    };
    let pem = certificates(&[certificate.clone(), ToCertify::root().certify()]);
    let trusting = |retired: bool| {
        let mut file = TrustFile::empty();
        file.keys.push(KeyEntry::new("release", key("signer").public()));
        file.keys[0].retired = retired.then(|| crate::trust::day("2026-06-01"));
        let (name, authority) = ("tsa".to_owned(), Authority::parse(&pem).expect("an authority"));
        file.authorities.push(TrustedAuthority { name, authority, from: None, until: None });
        file.at(crate::trust::day("2026-11-20"), "")
    };
    let judged = |files: &Files, retired: bool| {
        verify_joined(files, &trusting(retired), &options(Depth::Content)).expect("an index is first")
    };
    let good = judged(&stamped(None), true);
    assert_eq!(good.class(), Class::Verified, "{:?}", good.checks);
    let row = good.checks.iter().find(|check| check.id == "time-stamps").expect("a row");
    assert_eq!((row.outcome.as_str(), row.facts.len()), ("passed", 3));
    assert_eq!(judged(&files, true).class(), Class::NotVerified);
    let bare = judged(&files, false);
    assert_eq!((bare.class(), bare.checks[6].outcome.as_str()), (Class::Verified, "not-performed"));
    for (wrong, id) in [(0, "time-stamps"), (2, "time-stamps"), (3, "parts"), (10, "parts")] {
        let verdict = judged(&stamped(Some(wrong)), false);
        let failed: Vec<_> = verdict.checks.iter().filter(|it| it.outcome.as_str() == "failed").collect();
        assert_eq!(failed.iter().map(|check| check.id).collect::<Vec<_>>(), [id], "{wrong}");
        assert!(failed[0].outcome.reason().is_some_and(|why| why.contains("over another signature")), "{wrong}");
        assert!(verdict.joining.is_none());
    }
}
