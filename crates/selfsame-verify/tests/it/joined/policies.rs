//! Policies over several platforms.

use selfsame_verify::{Class, Depth, Options};

use super::{BOTH, Whole, both, judged};
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

    let unclaimed = "package selfsame\nallow if input.files.count >= 0";
    let verdict = judged(&files, &by(unclaimed, Depth::Evidence));
    assert_eq!((verdict.class(), verdict.joining.is_none()), (Class::Unanswered, true));
    assert_eq!(judged(&files, &by(unclaimed, Depth::Content)).class(), Class::Verified);
}
