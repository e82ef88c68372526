//! Verdicts as SLSA verification summaries: what is written, what is not, and that nothing believes them.

use std::fs;

use selfsame_attest::{Envelope, PublicKey, Statement, VerificationResult, VerificationSummary};
use selfsame_core::{Digest, uri};
use selfsame_testing::{Output, TestEnv};

use crate::trust::world;
use crate::world::one_error;

const RESOURCE: &str = "oci://registry.example/team/probe:1.0.0";
const VERIFIER: &str = "https://example.com/verifier";

/// A release, a trust file, and a verifier with a key of its own.
fn judged() -> TestEnv {
    let env = world();
    env.selfsame(["keygen", "-o", "verifier"]).succeeds();
    env
}

fn emit(env: &TestEnv, release: &str, more: &[&str]) -> Output {
    let asked = ["--trust", "t.toml", "--sign-as", "verifier.key", "--emit-vsa", "vsa.json"];
    let said = ["--resource-uri", RESOURCE, "--verifier-id", VERIFIER];
    env.selfsame(["verify", release].iter().chain(&asked).chain(&said).chain(more))
}

/// What a reader with the verifier's public key reads.
#[track_caller]
fn read(env: &TestEnv, file: &str) -> (Statement, VerificationSummary) {
    let key = PublicKey::parse(&fs::read(env.project().join("verifier.pub")).expect("a key")).expect("a key");
    let envelope = Envelope::parse(&fs::read(env.project().join(file)).expect("a file")).expect("an envelope");
    envelope.verify(&key).expect("the verifier signed it");
    let statement = Statement::parse(&envelope.payload).expect("a statement");
    let summary = statement.predicate_as().expect("a summary");
    (statement, summary)
}

#[test]
fn a_verified_release_has_a_summary_that_names_all_that_it_rests_on() {
    let env = judged();
    let output = emit(&env, "one.release", &["--at", "2026-11-20", "--expect", "version=1.0.0", "--json"]);
    let verdict = output.succeeds().json();
    output.says("verification summary: PASSED in vsa.json");
    let (statement, summary) = read(&env, "vsa.json");
    let image: Digest = verdict["image"].as_str().expect("a digest").parse().expect("a digest");
    assert_eq!(statement.subjects.len(), 1);
    assert!(statement.is_about(image) && statement.subjects[0].name == "probe:1.0.0");
    assert_eq!((summary.verifier.id.as_str(), summary.resource_uri.as_str()), (VERIFIER, RESOURCE));
    assert_eq!(summary.verification_result, VerificationResult::Passed);
    assert_eq!(summary.verified_levels, ["SLSA_BUILD_LEVEL_1"], "nothing shows more");
    assert_eq!(summary.time_verified, "2026-11-20T00:00:00Z");
    let trust = Digest::of(&fs::read(env.project().join("t.toml")).expect("the trust file"));
    assert_eq!((summary.policy.uri.as_str(), summary.policy.digest.sha256()), (uri::TRUST, Some(trust)));
    let asked = serde_json::to_value(&summary.policy.annotations).expect("JSON");
    let policy = serde_json::json!({"digest": {"sha256": verdict["policies"][0]["sha256"]}, "name": "default"});
    let wanted = serde_json::json!({
        "day": "2026-11-20", "depth": "content", "expect": ["version=1.0.0"], "policies": [policy],
    });
    assert_eq!(asked, wanted);
    let kinds: Vec<&str> = summary.input_attestations.iter().map(|it| it.uri.as_str()).collect();
    assert_eq!(kinds, [uri::CYCLONEDX, uri::INVENTORY, uri::COSIGN_SIGN, uri::PROVENANCE]);
    for attestation in &summary.input_attestations {
        let digest = attestation.digest.sha256().expect("a digest");
        let blob = env.project().join("one.release/blobs/sha256").join(digest.hex());
        assert_eq!(Digest::of(&fs::read(&blob).expect("the bundle lies in the release")), digest);
    }

    // The same question has the same answer, byte for byte.
    let first = fs::read(env.project().join("vsa.json")).expect("a file");
    fs::remove_file(env.project().join("vsa.json")).expect("it is there");
    emit(&env, "one.release", &["--at", "2026-11-20", "--expect", "version=1.0.0"]).succeeds();
    assert_eq!(fs::read(env.project().join("vsa.json")).expect("a file"), first);
}

#[test]
fn a_no_has_a_summary_only_where_it_is_asked_for() {
    let env = judged();
    let wrong = ["--expect", "version=2.0.0"];
    emit(&env, "one.release", &wrong).exits(1).says("no verification summary: it is not verified");
    assert!(!env.project().join("vsa.json").exists());
    emit(&env, "one.release", &[&wrong[..], &["--vsa-failed"]].concat()).exits(1).says("summary: FAILED in vsa.json");
    let (statement, summary) = read(&env, "vsa.json");
    assert_eq!(summary.verification_result, VerificationResult::Failed);
    assert_eq!(summary.verified_levels, ["FAILED"]);
    assert!(summary.input_attestations.is_empty());
    assert_eq!(statement.subjects[0].name, "", "nobody said the name");

    // What is not answered has none, and neither has what has no image.
    fs::remove_file(env.project().join("vsa.json")).expect("it is there");
    env.write("empty.release/a", "a");
    emit(&env, "empty.release", &["--vsa-failed"]).exits(1).says("no image that it could be about");
    fs::write(env.project().join("t.toml"), "schema = 1\nserial = 1\n").expect("written");
    let output = emit(&env, "one.release", &["--vsa-failed"]);
    output.exits(2);
    assert!(!env.project().join("vsa.json").exists(), "{}", output.stderr);
}

#[test]
fn what_is_asked_wrongly_is_found_before_anything_is_judged() {
    let env = judged();
    let asked = |more: &[&str]| {
        let output = env.selfsame(["verify", "one.release", "--emit-vsa", "vsa.json"].iter().chain(more));
        one_error(output.exits(2));
        assert_eq!(output.stdout, "");
        assert!(!env.project().join("vsa.json").exists());
        output.stderr
    };
    assert!(asked(&["--trust", "t.toml"]).contains("no key was given"));
    let signed = ["--sign-as", "verifier.key"];
    assert!(asked(&[&signed[..], &["--key", "old.pub"]].concat()).contains("keys alone have none"));
    let trusted = [&signed[..], &["--trust", "t.toml"]].concat();
    assert!(asked(&trusted).contains("says where the image is had from"));
    assert!(asked(&[&trusted[..], &["--resource-uri", "probe"]].concat()).contains("`probe` is not a URI"));
    let resource = [&trusted[..], &["--resource-uri", RESOURCE]].concat();
    assert!(asked(&[&resource[..], &["--verifier-id", "me"]].concat()).contains("--verifier-id: `me` is not a URI"));

    // An earlier answer stays what it was, and is not taken for this one.
    env.write("vsa.json", "earlier");
    one_error(emit(&env, "one.release", &[]).exits(2).says("a verification summary is never replaced"));
    assert_eq!(fs::read(env.project().join("vsa.json")).expect("a file"), b"earlier");
}

#[test]
fn a_summary_beside_a_release_is_shown_and_decides_nothing() {
    let env = judged();
    emit(&env, "one.release", &["--expect", "version=2.0.0", "--vsa-failed"]).exits(1);
    fs::copy(env.project().join("vsa.json"), env.project().join("one.release/vsa-audit.dsse.json")).expect("a copy");
    let by_key = ["verify", "one.release", "--key", "old.pub"];
    let told = |output: Output, text: &str| assert!(output.stdout.contains(text), "{}", output.stdout);
    let note = "vsa-audit.dsse.json (by a key that is not trusted: a verification summary of this image, FAILED)";
    let output = env.selfsame(by_key);
    output.succeeds();
    told(output, &format!("unlisted, not used: {note}"));
    let output = env.selfsame(by_key.iter().chain(&["--key", "verifier.pub"]));
    output.succeeds();
    told(output, "vsa-audit.dsse.json (by trusted key ");
    // One that is broken is said to be; a file of another name is nobody's.
    env.write("one.release/vsa-audit.dsse.json", "{");
    let output = env.selfsame(by_key);
    output.succeeds();
    told(output, "vsa-audit.dsse.json (the envelope is not strict JSON");
    fs::rename(env.project().join("one.release/vsa-audit.dsse.json"), env.project().join("one.release/vsa.json"))
        .expect("renamed");
    let output = env.selfsame(by_key);
    output.exits(1);
    told(output, "there is no file that nothing names");
}

#[test]
fn a_rebuild_is_summed_up_with_what_came_out() {
    let env = judged();
    let asked = ["--trust", "t.toml", "--sign-as", "verifier.key", "--statement", "rebuild.json"];
    let said = ["--emit-vsa", "vsa.json", "--resource-uri", RESOURCE, "--verifier-id", VERIFIER];
    let output = env.selfsame(["rebuild-verify", "one.release"].iter().chain(&asked).chain(&said));
    output.succeeds().says("verification summary: PASSED in vsa.json");
    let (_, summary) = read(&env, "vsa.json");
    assert_eq!(summary.policy.annotations["rebuild"], "same");
    assert_eq!(summary.verified_levels, ["SLSA_BUILD_LEVEL_1"]);
    assert!(env.project().join("rebuild.json").exists(), "the rebuild statement is written as well");
}
