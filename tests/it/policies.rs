//! Policies from outside: what they are asked, what hostile ones come to, and what their authors are told.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use selfsame_attest::Envelope;
use selfsame_core::Digest;
use selfsame_testing::{Output, TestEnv};
use serde_json::{Value, json};

use crate::trust::world;
use crate::world::one_error;

const ALLOWS: &str = "package selfsame\nallow if input.release.name == \"probe\"\n";
const DENIES: &str =
    "package selfsame\nallow := true\ndeny contains \"built by \\u001b[31manother\" if input.profile == 1\n";

fn verify(env: &TestEnv, more: &[&str]) -> Output {
    env.selfsame(["verify", "one.release", "--trust", "t.toml", "--at", "2026-11-20"].iter().chain(more))
}

fn row<'a>(verdict: &'a Value, id: &str) -> &'a Value {
    let checks = verdict["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["id"] == id).expect("a check of this name")
}

#[test]
fn every_policy_has_to_allow_a_release() {
    let env = world();
    env.write("allows.rego", ALLOWS);
    env.write("denies.rego", DENIES);
    let by = |policies: &[&str]| {
        let flags: Vec<&str> = policies.iter().flat_map(|policy| ["--policy", policy]).chain(["--json"]).collect();
        let output = verify(&env, &flags);
        (output.code, output.json())
    };
    let (code, verdict) = by(&["allows.rego"]);
    assert_eq!((code, &verdict["class"]), (0, &json!("verified")));
    let policy =
        json!({"allow": true, "denied": [], "name": "allows.rego", "sha256": Digest::of(ALLOWS.as_bytes()).hex()});
    assert_eq!(verdict["policies"], json!([policy]));
    for policies in [&["denies.rego"][..], &["allows.rego", "denies.rego"], &["denies.rego", "allows.rego"]] {
        let (code, verdict) = by(policies);
        assert_eq!((code, &verdict["class"]), (1, &json!("not-verified")), "{policies:?}");
        let reason = row(&verdict, "policy")["reason"].as_str().expect("a reason").to_owned();
        assert!(reason.starts_with("the policy `denies.rego` denies it: built by "), "{reason}");
        assert!(!reason.contains('\u{1b}'), "words of a policy are escaped");
        assert_eq!(verdict["builderId"], Value::Null);
    }
    // Without one, the built-in one.
    let (code, verdict) = by(&[]);
    assert_eq!((code, &verdict["policies"][0]["name"]), (0, &json!("default")));
    let shown = env.selfsame(["policy", "show", "--json"]);
    assert_eq!(shown.succeeds().json()["sha256"], verdict["policies"][0]["sha256"]);
    assert_eq!(
        env.selfsame(["policy", "show"]).succeeds().stdout.trim_end(),
        shown.json()["policy"].as_str().expect("a text").trim_end()
    );
}

#[test]
fn a_policy_that_is_none_verifies_nothing() {
    let env = world();
    let refused = |name: &str, text: &[u8], because: &str| {
        env.write(name, text);
        for more in [&["--policy", name][..], &["--policy", name, "--policy", "allows.rego"]] {
            let output = verify(&env, more);
            assert!(one_error(output.exits(2)).contains(because), "{name}: {}", output.stderr);
            assert_eq!(output.stdout, "", "{name}");
        }
        let output = env.selfsame(["policy", "check", name]);
        assert!(one_error(output.exits(2)).contains(because), "{name}: {}", output.stderr);
    };
    env.write("allows.rego", ALLOWS);
    refused("empty.rego", b"", "is not a policy");
    refused("comment.rego", b"# nothing\n", "is not a policy");
    refused("no-allow.rego", b"package selfsame\ndeny contains \"x\"\n", "it has no rule `allow`");
    refused("other.rego", b"package other\nallow := true\n", "its package is `data.other`");
    refused("binary.rego", b"\xff\xfe", "it is not UTF-8");
    refused("large.rego", &vec![b' '; (256 << 10) + 1], "it has more than 262144 bytes");
    refused(
        "typo.rego",
        b"package selfsame\nallow := true\ndeny contains \"x\" if input.relaxtions",
        "`input.relaxations` is one",
    );
    refused("data.rego", b"package selfsame\nallow if data.secrets", "it reads `data`");
    for (name, call) in [
        ("http.rego", "http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})"),
        ("runtime.rego", "opa.runtime()"),
        ("clock.rego", "time.now_ns() > 0"),
        ("dice.rego", "rand.intn(\"x\", 2) == 1"),
        ("names.rego", "net.lookup_ip_addr(\"localhost\")"),
    ] {
        refused(name, format!("package selfsame\nallow if {call}\n").as_bytes(), "is not a policy");
    }
    let output = verify(&env, &["--policy", "absent.rego"]);
    assert!(one_error(output.exits(2)).contains("cannot read the policy `absent.rego`"));
    let many: Vec<&str> = std::iter::repeat_n(["--policy", "allows.rego"], 17).flatten().collect();
    assert!(one_error(verify(&env, &many).exits(2)).contains("at most 16"));
}

/// Each of these ends its own process, or is ended; none of them ends in a yes, and none takes long.
#[test]
fn a_hostile_policy_is_no_answer() {
    let env = world();
    let mut doubled = String::from("package selfsame\nallow if {\n  a0 := \"0123456789abcdef\"\n");
    for number in 0..60 {
        let _ = writeln!(doubled, "  a{} := concat(\"\", [a{number}, a{number}])", number + 1);
    }
    doubled += "  count(a60) > 0\n}\n";
    let body = |text: &str| format!("package selfsame\nallow if {{\n{text}\n}}\n");
    let every = "some a in numbers.range(1, 2000)\nsome b in numbers.range(1, 2000)\nsome c in numbers.range(1, 2000)\na + b + c < 0";
    for (name, text) in [
        ("unary.rego", body(&format!("x := {}1\nx < input.profile", "-\n".repeat(19_000)))),
        ("sums.rego", body(&format!("x := 1{}\nx < input.profile", "\n+ 1".repeat(19_000)))),
        ("brackets.rego", body(&format!("x := {}{}\nx == input.profile", "[".repeat(500), "]".repeat(500)))),
        ("comprehensions.rego", body(&format!("x := {}1{}", "[y | y := ".repeat(64), "]".repeat(64)))),
        ("itself.rego", format!("{}f(x) if f(x)\n", body("f(input.profile)"))),
        ("each-other.rego", format!("{}f(x) := g(x + 1)\ng(x) := f(x + 1)\n", body("f(input.profile) == 1"))),
        ("rules.rego", "package selfsame\nallow if other\nother if allow\n".to_owned()),
        ("doubled.rego", doubled),
        ("range.rego", body("count(numbers.range(input.profile, 1000000000000)) > 0")),
        ("shift.rego", body("bits.lsh(input.profile, 1000000000000) > 0")),
        ("endless.rego", body(&format!("{every}\ninput.profile == 1"))),
        (
            "set.rego",
            body(&format!("count({{[a, b] | {}}}) > 0", every.replace('\n', "; ").replace("; a + b + c < 0", ""))),
        ),
        ("width.rego", body("sprintf(\"%999999999999d\", [input.profile]) == \"\"")),
    ] {
        env.write(name, &text);
        let began = Instant::now();
        let output = verify(&env, &["--policy", name]);
        let took = began.elapsed();
        assert!(matches!(output.code, 1 | 2), "{name} ended with {}: {}{}", output.code, output.stdout, output.stderr);
        assert!(took < Duration::from_secs(90), "{name} took {took:?}");
        assert!(!output.stdout.starts_with("verified"), "{name}");
        // Nothing of it stands in the way of the next question.
        assert_eq!(verify(&env, &[]).code, 0, "{name}");
    }
}

#[test]
fn an_answer_that_is_none_is_told_as_such() {
    let env = world();
    env.write("zero.rego", "package selfsame\nallow if 1 / (input.profile - 1) == 0\n");
    env.write("word.rego", "package selfsame\nallow := \"yes\"\n");
    env.write("endless.rego", "package selfsame\nallow if f(input.profile) == 1\nf(x) := f(x + 1)\n");
    for (name, because) in
        [("zero.rego", "zero"), ("word.rego", "neither true nor false"), ("endless.rego", "out of stack")]
    {
        let output = verify(&env, &["--policy", name, "--json", "--report", "page.html"]);
        output.exits(2);
        if output.stdout.contains("/verdict/v1") {
            let verdict = output.json();
            assert_eq!(verdict["class"], "unanswered", "{name}");
            let policy = row(&verdict, "policy");
            assert_eq!(policy["outcome"], "failed");
            assert!(policy["reason"].as_str().expect("a reason").contains(because), "{policy}");
            assert_eq!(verdict["policies"][0]["allow"], Value::Null);
            assert!(env.read("project/page.html").contains("Not answered"));
        } else {
            assert!(output.stdout.contains(because) || output.stderr.contains(because), "{name}: {}", output.stdout);
        }
    }
    // A fact of another depth: no answer, and not silence.
    env.write(
        "files.rego",
        "package selfsame\nallow := true\ndeny contains \"x\" if input.files.unclaimed.count > 5\n",
    );
    let output = verify(&env, &["--policy", "files.rego", "--depth", "evidence"]);
    output.exits(2);
    assert!(output.stdout.contains("reads `files`, which is known at depth `content` only"), "{}", output.stdout);
    verify(&env, &["--policy", "files.rego"]).exits(0);
}

#[test]
fn facts_are_written_and_can_be_tried() {
    let env = world();
    env.write("denies.rego", DENIES);
    env.write("allows.rego", ALLOWS);
    // Whatever the policy says, what it was told is verified.
    verify(&env, &["--policy", "denies.rego", "--facts", "facts.json"]).exits(1);
    let facts: Value = serde_json::from_str(&env.read("project/facts.json")).expect("JSON");
    assert_eq!(facts["schema"], "https://selfsame.dev/facts/v1");
    assert_eq!((&facts["day"]["date"], &facts["release"]["name"]), (&json!("2026-11-20"), &json!("probe")));
    assert!(facts["components"].is_array() && facts["files"]["count"].is_u64());
    let tried = env.selfsame(["policy", "try", "allows.rego", "facts.json"]);
    assert_eq!(tried.succeeds().stdout, "allowed: and nothing was verified\n");
    let denied = env.selfsame(["policy", "try", "denies.rego", "facts.json", "--json"]);
    assert_eq!((denied.code, &denied.json()["class"]), (1, &json!("denied")));
    env.write("other.json", "{}");
    assert!(one_error(env.selfsame(["policy", "try", "allows.rego", "other.json"]).exits(2)).contains("schema"));
    // Of what is not verified there are none, and those of another run do not stay.
    env.selfsame(["verify", "one.release", "--key", "new.pub", "--facts", "facts.json"]).exits(1);
    assert!(!env.project().join("facts.json").exists());
}

/// The verdict, the page and the summary name the policies; the same question has the same answer for ever.
#[test]
fn what_judged_is_named() {
    let env = world();
    env.write("allows.rego", ALLOWS);
    let more = ["--policy", "allows.rego", "--report", "page.html", "--emit-vsa", "vsa.json", "--sign-as", "new.key"];
    let more: Vec<&str> = more.into_iter().chain(["--resource-uri", "oci://registry.example/x:1"]).collect();
    verify(&env, &more).succeeds();
    let digest = Digest::of(ALLOWS.as_bytes());
    let page = env.read("project/page.html");
    assert!(page.contains(&format!("allows.rego, {digest}: allows it")), "{page}");
    let envelope = Envelope::parse(env.read("project/vsa.json").as_bytes()).expect("an envelope");
    let summary: Value = serde_json::from_slice(&envelope.payload).expect("JSON");
    let policies = &summary["predicate"]["policy"]["annotations"]["policies"];
    assert_eq!(policies, &json!([{"digest": {"sha256": digest.hex()}, "name": "allows.rego"}]));

    env.write("old.rego", "package selfsame\nallow if input.day.date == \"2020-01-01\"\n");
    verify(&env, &["--policy", "old.rego"]).exits(1);
    env.selfsame(["verify", "one.release", "--trust", "t.toml", "--at", "2020-01-01", "--policy", "old.rego"]).exits(0);
}

#[test]
fn no_variable_and_no_folder_brings_a_policy() {
    let mut env = world();
    env.write("policy.rego", "package selfsame\ndefault allow := false\n");
    env.write("denies.rego", DENIES);
    for name in ["SELFSAME_POLICY", "SELFSAME_POLICIES"] {
        env.set(name, "denies.rego");
    }
    assert_eq!(verify(&env, &["--json"]).json()["policies"][0]["name"], "default");
}

#[test]
fn policies_are_tested_and_checked() {
    let env = world();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies");
    for entry in fs::read_dir(&examples).expect("examples") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        env.write(format!("p/{name}"), fs::read(&path).expect("an example"));
        if name.ends_with(".rego") && !name.ends_with("_test.rego") {
            assert!(env.selfsame(["policy", "check", &format!("p/{name}")]).succeeds().stdout.contains("  reads "));
            let tests = path.with_file_name(name.replace(".rego", "_test.rego"));
            assert!(tests.exists(), "{name} has no tests");
        }
    }
    let tested = env.selfsame(["policy", "test", "p"]);
    assert!(tested.succeeds().stdout.lines().last().expect("a line").ends_with(" tests passed"));
    env.write("q/a.rego", ALLOWS);
    env.write(
        "q/a_test.rego",
        "package selfsame_test\nimport data.selfsame\ntest_a if selfsame.allow with input as {}\n",
    );
    let failed = env.selfsame(["policy", "test", "q"]);
    assert_eq!(failed.exits(1).stdout, "FAILED   q/a_test.rego  test_a: it does not hold\n0 of 1 tests passed\n");
    env.write("r/a.rego", ALLOWS);
    assert!(one_error(env.selfsame(["policy", "test", "r"]).exits(2)).contains("there are no tests"));
    // Examples, as they stand, on a release.
    let output = verify(&env, &["--policy", "p/rebuilt.rego"]);
    assert!(output.exits(1).stdout.contains("0 of the 2 others"), "{}", output.stdout);
    assert!(env.selfsame(["policy", "show", "--facts"]).succeeds().stdout.contains("rebuilders[].identity"));
}
