//! Policies over several platforms.

use selfsame_core::uri;
use selfsame_verify::{Class, Depth, Expectations, Options, verify_joined};

use super::{BOTH, Whole, both, judged, part, several};
use crate::fake::signed;
use crate::options;
use crate::policy::Given;

/// A policy is asked of every platform, and sees what is known of the whole.
#[test]
fn a_policy_is_asked_of_every_platform() {
    let files = Whole::of(&both()).lay_out();
    let by = |text: &str, depth| Options { policy: Given::policies(&[text]), keep_facts: true, ..options(depth) };
    let whole = "package selfsame\nallow if { count(input.release.platforms) == 2; count(input.joiners) == 1; startswith(input.release.index, \"sha256:\") }";
    let verdict = judged(&files, &by(whole, Depth::Content));
    assert_eq!(verdict.class(), Class::Verified, "{:?}", verdict.checks);
    assert!(verdict.parts.iter().all(|(_, part)| part.facts.is_some()));
    assert_eq!(verdict.policies_json()[0]["allow"], true);

    let one = format!("package selfsame\nallow if input.release.platform == \"{}\"", BOTH[0]);
    let verdict = judged(&files, &by(&one, Depth::Evidence));
    assert_eq!((verdict.class(), verdict.joining.is_none()), (Class::NotVerified, true));
    let reason = format!("{}: the policy `0.rego` does not allow it", BOTH[1]);
    assert_eq!(verdict.faults().collect::<Vec<_>>(), [reason]);

    // What a policy refused is verified; of every platform it is told what is known of the whole.
    for (_, part) in &verdict.parts {
        let facts = part.facts.as_deref().expect("kept");
        assert_eq!(facts["release"]["platforms"].as_array().map(Vec::len), Some(2));
    }

    let unclaimed = "package selfsame\nallow if input.files.count >= 0";
    let verdict = judged(&files, &by(unclaimed, Depth::Evidence));
    assert_eq!((verdict.class(), verdict.joining.is_none()), (Class::Unanswered, true));
    assert_eq!(judged(&files, &by(unclaimed, Depth::Content)).class(), Class::Verified);
}

/// What joins the platforms is refused: then there are no facts, of no platform.
#[test]
fn what_is_not_verified_as_a_whole_has_no_facts() {
    let mut whole = Whole::of(&both());
    whole.statements.retain(|it| it.predicate_type != uri::COSIGN_SIGN);
    let options = Options { keep_facts: true, ..options(Depth::Evidence) };
    let verdict = judged(&whole.lay_out(), &options);
    assert_eq!(verdict.class(), Class::NotVerified);
    assert!(verdict.parts.iter().all(|(_, part)| part.is_verified() && part.facts.is_none()));
}

#[test]
fn a_policy_sees_all_that_was_expected() {
    let expected = format!("platform={}", BOTH[0]);
    let expect = Expectations::parse([&*expected, "name=hello"]).expect("expectations");
    let text =
        format!("package selfsame\nallow if input.expected == {{\"name\": \"hello\", \"platform\": \"{}\"}}", BOTH[0]);
    let options = Options { expect, policy: Given::policies(&[&text]), ..options(Depth::Evidence) };
    let verdict = judged(&Whole::of(&both()).lay_out(), &options);
    assert_eq!(verdict.class(), Class::Verified, "{:?}", verdict.checks);
}

/// Of a platform that two signed, the release that is joined is the one that a policy sees, and that is told.
#[test]
fn a_policy_is_asked_over_the_release_that_is_joined() {
    let theirs = BOTH.map(|platform| part(platform, &[]));
    let mut ours = BOTH.map(|platform| part(platform, &[]));
    ours[0].provenance.build_definition.internal_parameters.insert("level".into(), "deterministic".into());
    let mut whole = Whole::of(&theirs);
    whole.signer = "other";
    let bundles = [signed(&ours[0].statements(), "signer"), signed(&theirs[0].statements(), "other")].concat();
    whole.parts = vec![theirs[0].lay_out(&bundles), theirs[1].lay_out(&signed(&theirs[1].statements(), "other"))];
    let trust = several(&["signer", "other"], |_| {});
    let ask = |level: &str| {
        let text = format!(
            "package selfsame\nallow if {{ input.release.platform == \"{}\"; input.level.achieved == \"{level}\" }}\nallow if input.release.platform == \"{}\"",
            BOTH[0], BOTH[1]
        );
        let options = Options { policy: Given::policies(&[&text]), ..options(Depth::Evidence) };
        verify_joined(&whole.lay_out(), &trust, &options).expect("an index is first")
    };
    let verdict = ask("normalized");
    assert_eq!(verdict.class(), Class::Verified, "{:?}", verdict.checks);
    assert_eq!(verdict.parts[0].1.release_id, Some(theirs[0].release_id()));
    assert_eq!(ask("deterministic").class(), Class::NotVerified);
}
