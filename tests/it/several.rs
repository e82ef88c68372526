//! `verify RELEASE RELEASE...`: a line for each, and one exit code for all.

use std::fs;

use selfsame_testing::Output;
use selfsame_testing::server::Answer;
use serde_json::Value;

use crate::push_world::Registry;
use crate::trust::world;

fn lines(output: &Output) -> Vec<&str> {
    output.stdout.lines().collect()
}

#[test]
fn each_has_its_line_in_the_order_in_which_they_were_named() {
    let env = world();
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    env.selfsame(["push", "one.release", &reference]).succeeds();
    env.selfsame(["tamper", "one.release", "-o", "bent.release"]).succeeds();
    let all = ["one.release", "bent.release", "nowhere", &reference, "one.release"];
    let verify = |releases: &[&str], more: &[&str]| {
        env.selfsame(["verify"].iter().chain(releases).chain(&["--trust", "t.toml"]).chain(more))
    };
    let output = verify(&all, &[]);
    output.exits(1);
    let said = lines(&output);
    assert_eq!(said.len(), all.len(), "{}", output.stdout);
    assert_eq!(said[0], "verified: `one.release`, down to every file in its layers");
    assert!(said[1].starts_with("not verified: `bent.release`: blob: blobs/sha256/"), "{}", said[1]);
    assert!(said[2].starts_with("not answered: `nowhere`: cannot read `nowhere`: "), "{}", said[2]);
    assert_eq!(said[3], format!("verified: `{reference}`, manifests and signed documents only: blobs were not read"));
    assert_eq!(said[4], said[0]);
    assert!(output.stderr.ends_with("5 releases: 3 verified, 1 not verified, 1 not answered\n"), "{}", output.stderr);

    // The worst answer is the exit code: a no, then what was not answered, then what may be answered later.
    verify(&["one.release", "one.release"], &[]).succeeds();
    verify(&["one.release", "nowhere"], &[]).exits(2);
    verify(&["one.release", "one.release"], &["--expect", "version=2.0.0"]).exits(1);
    env.selfsame(["verify", "one.release", "one.release"]).exits(2);
    // What bounds one bounds each.
    let alone = verify(&["one.release"], &["--most-content", "1"]);
    let output = verify(&["one.release", "one.release"], &["--most-content", "1"]);
    assert!(alone.code != 0 && output.code == alone.code, "{}", output.stdout);
    registry
        .spoil(|asked, _| asked.path().contains("/referrers/").then(|| Answer::status(503).header("Retry-After", "0")));
    let output = verify(&["one.release", &reference], &[]);
    output.exits(3);
    assert!(lines(&output)[1].starts_with(&format!("not answered now: `{reference}`: ")), "{}", output.stdout);
    verify(&["nowhere", &reference], &[]).exits(2);
}

#[test]
fn each_line_of_json_is_what_there_would_be_of_it_alone() {
    let env = world();
    let verify = |releases: &[&str]| {
        env.selfsame(["verify"].iter().chain(releases).chain(&["--trust", "t.toml", "--json", "--depth", "evidence"]))
    };
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let alone = verify(&["one.release"]);
    alone.succeeds();
    let output = verify(&["one.release", "nowhere"]);
    output.exits(2);
    let said = lines(&output);
    assert!(said.iter().all(|line| line.starts_with("{\"schema\":\"https://selfsame.dev/verdict-line/v1\",")));
    let (first, second) = (read(said[0]), read(said[1]));
    assert_eq!(first["answer"], read(&alone.stdout));
    assert_eq!(
        (&first["class"], &first["exit"], &first["release"]),
        (&"verified".into(), &0.into(), &"one.release".into())
    );
    assert_eq!((&second["class"], &second["exit"], &second["answer"]["exit"]), (&"error".into(), &2.into(), &2.into()));
    assert_eq!(said.len(), 2);
}

#[test]
fn what_is_about_one_release_is_not_asked_of_several() {
    let env = world();
    for flag in [&["--print-digest"][..], &["--report", "page.html"], &["--referrers-from", "one.release"]] {
        let output = env.selfsame(["verify", "one.release", "one.release", "--trust", "t.toml"].iter().chain(flag));
        output.exits(2);
        assert!(
            output.stderr.contains(&format!("`{}` is about one release, and 2 are named", flag[0])),
            "{}",
            output.stderr
        );
        assert!(output.stdout.is_empty() && !fs::exists(env.project().join("page.html")).expect("an answer"));
    }
    env.selfsame(["verify", "--trust", "t.toml"]).exits(2);
}
