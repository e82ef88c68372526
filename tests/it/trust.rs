//! `selfsame trust`, and verdicts by a trust file, from outside.

use std::fs;

use selfsame_testing::{Output, TestEnv};
use serde_json::Value;

use crate::world::{ONE_FILE, empty, one_error};

/// A world with two keys and a release by the first, which needs no sandbox.
pub(crate) fn world() -> TestEnv {
    let env = empty();
    env.write("src/a", "a\n");
    env.write("selfsame.toml", ONE_FILE);
    for name in ["old", "new"] {
        env.selfsame(["keygen", "-o", name, "--builder-id", "https://example.com/release"]).succeeds();
    }
    env.selfsame(["build", "--key", "old.key", "-o", "one.release"]).succeeds();
    env.selfsame(["trust", "init", "t.toml", "--key", "old.pub"]).succeeds();
    env
}

/// An output with this exit code.
#[track_caller]
fn ended(output: Output, code: i32) -> Output {
    output.exits(code);
    output
}

/// All that is said with one error.
#[track_caller]
fn fault(output: Output, code: i32) -> String {
    one_error(output.exits(code));
    output.stderr
}

fn verify(env: &TestEnv, more: &[&str]) -> Output {
    env.selfsame(["verify", "one.release", "--trust", "t.toml"].iter().chain(more))
}

#[test]
fn a_rotation_from_signing_to_the_one_who_only_has_the_old_key() {
    let env = world();
    fs::copy(env.project().join("t.toml"), env.project().join("consumer.toml")).expect("a copy");
    verify(&env, &[]).succeeds();
    env.selfsame([
        "trust",
        "rotate",
        "t.toml",
        "--signer",
        "old.key",
        "--to",
        "new.pub",
        "--accept",
        "one.release",
        "--since",
        "2026-06-01",
    ])
    .succeeds();
    verify(&env, &["--at", "2026-05-31"]).succeeds();
    verify(&env, &["--at", "2026-06-01"]).succeeds();
    // The other side has the old key and the statement, and comes to the same.
    let take = ["trust", "rotate", "consumer.toml", "--statement", "rotation.dsse.json", "--name", "new"];
    env.selfsame(take).succeeds();
    let text = |name: &str| fs::read_to_string(env.project().join(name)).expect("a trust file");
    assert_eq!(text("t.toml"), text("consumer.toml"));
    let error = fault(env.selfsame(take), 1);
    assert!(error.contains("has this rotation"), "{error}");
    // The successor signs; a release that the old key did not list is no more.
    env.write("src/a", "b\n");
    env.selfsame(["build", "--key", "new.key", "-o", "two.release"]).succeeds();
    env.selfsame(["build", "--key", "old.key", "-o", "three.release"]).succeeds();
    for (release, code) in [("two.release", 0), ("three.release", 1)] {
        env.selfsame(["verify", release, "--trust", "consumer.toml", "--at", "2026-06-02"]).exits(code);
    }
    // A list may only hold what the retiring key signed.
    env.selfsame(["keygen", "-o", "third"]).succeeds();
    let wrong = [
        "trust",
        "rotate",
        "t.toml",
        "--signer",
        "new.key",
        "--to",
        "third.pub",
        "-o",
        "x.json",
        "--accept",
        "one.release",
    ];
    let error = fault(env.selfsame(wrong), 1);
    assert!(error.contains("is not a release that the retiring key signed"), "{error}");
    assert!(!env.project().join("x.json").exists());
}

#[test]
fn a_revoked_key_is_refused_and_stays_revoked() {
    let env = world();
    env.selfsame(["trust", "revoke", "t.toml", "old", "--compromised", "2026-06-01", "--note", "laptop lost"])
        .succeeds();
    for at in ["2020-01-01", "2026-05-31", "2026-06-01"] {
        let output = ended(verify(&env, &["--at", at]), 1);
        assert!(
            output.stdout.starts_with("not verified: the key `old` is compromised since 2026-06-01"),
            "{}",
            output.stdout
        );
    }
    // A later day takes nothing back.
    env.selfsame(["trust", "revoke", "t.toml", "old", "--compromised", "2030-01-01"]).succeeds();
    let text = fs::read_to_string(env.project().join("t.toml")).expect("the trust file");
    assert!(
        text.contains("compromised = \"2026-06-01\"") && text.contains("serial = 3") && text.contains("laptop lost"),
        "{text}"
    );
    let error = fault(env.selfsame(["trust", "revoke", "t.toml", "odl", "--retired", "2026-01-01"]), 2);
    assert!(error.contains("did you mean `old`?"), "{error}");
}

#[test]
fn what_is_said_of_a_successor_holds() {
    let env = world();
    env.selfsame(["trust", "rotate", "t.toml", "--signer", "old.key", "--to", "new.pub"]).succeeds();
    let text = || fs::read_to_string(env.project().join("t.toml")).expect("the trust file");
    let before = text();
    let error = fault(env.selfsame(["trust", "add", "t.toml", "new.pub", "--name", "other"]), 2);
    assert!(error.contains("it is `new`, not `other`"), "{error}");
    assert_eq!(text(), before);
    let more = ["--builder-id", "https://example.com/release", "--predicate", "provenance", "--until", "2030-01-01"];
    env.selfsame(["trust", "add", "t.toml", "new.pub"].iter().chain(&more)).succeeds();
    let after = text();
    for line in ["predicates = [\"provenance\"]", "until = \"2030-01-01\"", "\"https://example.com/release\""] {
        assert!(after.contains(line), "{line}: {after}");
    }
    assert!(!after.contains("successor-of"), "{after}");
    // The key of a log signs no statements: a limit that would not hold is refused.
    env.selfsame(["log", "init", "some.log"]).succeeds();
    for more in [["--identity", "x"], ["--predicate", "sbom"], ["--note", "x"]] {
        let error = fault(env.selfsame(["trust", "add", "t.toml", "some.log.pub"].iter().chain(&more)), 2);
        assert!(error.contains(&format!("`{}` is about a key that signs", more[0])), "{error}");
    }
    assert_eq!(text(), after);
    env.selfsame(["trust", "add", "t.toml", "some.log.pub"]).succeeds();
}

#[test]
fn a_log_of_a_trust_file_has_its_days_and_its_name_for_itself() {
    let env = world();
    for (log, origin) in [("2026.log", "log.example/2026"), ("2027.log", "log.example/2027")] {
        env.selfsame(["log", "init", log, "--origin", origin]).succeeds();
    }
    env.selfsame(["log", "init", "forged.log", "--origin", "log.example/2026"]).succeeds();
    let days = ["--from", "2026-01-01", "--until", "2026-12-31"];
    env.selfsame(["trust", "add", "t.toml", "2026.log.pub"].iter().chain(&days)).succeeds();
    env.selfsame(["trust", "add", "t.toml", "2027.log.pub", "--from", "2027-01-01"]).succeeds();
    let text = || fs::read_to_string(env.project().join("t.toml")).expect("the trust file");
    let before = text();
    assert!(before.contains("from = \"2026-01-01\"\nuntil = \"2026-12-31\"\n"), "{before}");
    let error = fault(env.selfsame(["trust", "add", "t.toml", "forged.log.pub"]), 2);
    assert!(error.contains("two logs are called `log.example/2026`"), "{error}");
    assert_eq!(text(), before);

    let shown = env.selfsame(["trust", "show", "t.toml", "--at", "2026-11-20"]);
    let shown = &shown.succeeds().stdout;
    let asked = "an entry in log.example/2026 from 2026-01-01 until 2026-12-31; \
                 an entry in log.example/2027 from 2027-01-01 (not-yet)";
    assert!(shown.contains(asked), "{shown}");
    let json = env.selfsame(["trust", "show", "t.toml", "--at", "2027-11-20", "--json"]).succeeds().json();
    let standings: Vec<_> = json["logs"].as_array().unwrap().iter().map(|log| log["standing"].clone()).collect();
    assert_eq!(standings, ["expired", "active"]);
    assert_eq!((&json["logs"][1]["from"], &json["logs"][1]["until"]), (&"2027-01-01".into(), &Value::Null));

    // Two keys of one name by hand, where a verdict is asked for.
    let logs = ["--log-key", "2026.log.pub", "--log-key", "forged.log.pub"];
    let error = fault(env.selfsame(["verify", "nowhere", "--key", "old.pub"].iter().chain(&logs)), 2);
    assert!(error.contains("two of the logs that were given are called `log.example/2026`"), "{error}");
}

#[test]
fn faults_of_a_trust_file_have_their_line_and_trust_nobody() {
    let env = world();
    let text = fs::read_to_string(env.project().join("t.toml")).expect("the trust file");
    env.write("t.toml", text.replace("public-key", "pubic-key"));
    let error = fault(verify(&env, &[]), 2);
    assert!(error.contains("unknown key `pubic-key` in `key[0]`") && error.contains("t.toml:7:1"), "{error}");
    assert!(error.contains("did you mean `public-key`?"), "{error}");
    let error = fault(env.selfsame(["verify", "one.release", "--trust", "absent.toml"]), 2);
    assert!(error.contains("cannot read the trust file `absent.toml`"), "{error}");
    env.selfsame(["trust", "init", "nobody.toml"]).succeeds();
    let output = ended(env.selfsame(["verify", "one.release", "--trust", "nobody.toml"]), 2);
    assert!(output.stdout.contains("the trust file has no key"), "{}", output.stdout);
    let error = fault(env.selfsame(["trust", "init", "nobody.toml"]), 2);
    assert!(error.contains("a trust file is never replaced"), "{error}");
}

/// Whatever takes a key takes a trust file.
#[test]
fn every_command_that_takes_a_key_takes_a_trust_file() {
    let env = world();
    env.selfsame(["trust", "init", "wrong.toml", "--key", "new.pub"]).succeeds();
    for (command, code) in [("rebuild-verify", 1), ("check", 1), ("verify", 1)] {
        let output = env.selfsame([command, "one.release", "--trust", "t.toml"]);
        assert_eq!(output.code, 0, "{command}: {} {}", output.stdout, output.stderr);
        env.selfsame([command, "one.release", "--trust", "wrong.toml"]).exits(code);
    }
    let index = |trust: &'static str, to: &'static str| {
        env.selfsame(["index", "one.release", "-o", to, "--sign-as", "old.key", "--trust", trust])
    };
    index("wrong.toml", "a.release").exits(1);
    index("t.toml", "b.release").succeeds();
    env.selfsame(["verify", "b.release", "--trust", "t.toml"]).succeeds();
    // What joins releases is signed by a key that counts, too.
    env.selfsame(["trust", "revoke", "t.toml", "old", "--compromised", "2026-06-01"]).succeeds();
    env.selfsame(["verify", "b.release", "--trust", "t.toml"]).exits(1);
}

/// No variable and no file of the working folder adds trust, moves the day or widens what is expected.
#[test]
fn environment_and_working_folder_cannot_change_trust() {
    let env = world();
    let judged = |name: &str, value: &str, arguments: &[&str]| {
        let mut command = env.command(&selfsame_testing::Variation::default(), arguments);
        command.env(name, value);
        env.run(command)
    };
    env.selfsame(["trust", "init", "wrong.toml", "--key", "new.pub"]).succeeds();
    // Names that somebody may try, those that flags would have and one that was read once.
    for name in [
        "SELFSAME_KEY",
        "SELFSAME_TRUST_KEY",
        "SELFSAME_PUBLIC_KEY",
        "SELFSAME_TRUST",
        "SELFSAME_TRUST_FILE",
        "COSIGN_PUBLIC_KEY",
    ] {
        for value in ["old.pub", "t.toml"] {
            let none = judged(name, value, &["verify", "one.release"]);
            assert_eq!(none.code, 2, "{name}={value}: {}", none.stdout);
            let other = judged(name, value, &["verify", "one.release", "--trust", "wrong.toml"]);
            assert_eq!(other.code, 1, "{name}={value}: {}", other.stdout);
            let other = judged(name, value, &["verify", "one.release", "--key", "new.pub"]);
            assert_eq!(other.code, 1, "{name}={value}: {}", other.stdout);
        }
    }
    env.selfsame(["trust", "revoke", "t.toml", "old", "--retired", "2026-06-01"]).succeeds();
    for name in ["SELFSAME_AT", "SOURCE_DATE_EPOCH", "FAKETIME", "SELFSAME_EXPECT"] {
        let later = judged(name, "2020-01-01", &["verify", "one.release", "--trust", "t.toml"]);
        assert_eq!(later.code, 1, "{name}: {}", later.stdout);
    }
    // Files under names that a program might look for.
    for name in
        ["selfsame.trust.toml", "trust.toml", "trust.pub", "cosign.pub", ".selfsame/trust.toml", "one.release.pub"]
    {
        let text = if name.ends_with("pub") { "old.pub" } else { "t.toml" };
        let from = fs::read_to_string(env.project().join(text)).expect("a file of trust");
        env.write(name, from);
        env.selfsame(["verify", "one.release"]).exits(2);
        env.selfsame(["verify", "one.release", "--trust", "wrong.toml"]).exits(1);
    }
}

#[test]
fn comments_go_and_somebody_is_told() {
    let env = world();
    let text = fs::read_to_string(env.project().join("t.toml")).expect("the trust file");
    env.write("t.toml", format!("{text}# ours\n"));
    let output =
        ended(env.selfsame(["trust", "add", "t.toml", "new.pub", "--identity", "team", "--predicate", "rebuild"]), 0);
    assert!(output.stderr.contains("comments of the file were not kept"), "{}", output.stderr);
    let shown = ended(env.selfsame(["trust", "show", "t.toml", "--at", "2026-11-20"]), 0);
    assert!(
        shown.stdout.contains("held by     team")
            && shown.stdout.contains("may sign    https://selfsame.dev/rebuild/v1"),
        "{}",
        shown.stdout
    );
    let error = fault(env.selfsame(["trust", "add", "t.toml", "old.pub", "--name", "again"]), 2);
    assert!(error.contains("has this key: it is `old`"), "{error}");
    let error = fault(env.selfsame(["trust", "add", "t.toml", "new.pub", "--predicate", "rebuilt"]), 2);
    assert!(error.contains("did you mean `rebuild`?"), "{error}");
    let exported = ended(env.selfsame(["trust", "export", "t.toml", "--format", "cosign"]), 0);
    let public = fs::read_to_string(env.project().join("old.pub")).expect("a key");
    assert_eq!(exported.stdout.trim(), public.split_once('\n').expect("a builder line").1.trim());
    assert!(exported.stderr.contains("not in it: `new` is not in it (may sign no release)"), "{}", exported.stderr);
}

/// A log of the trust file is asked for, and no flag takes it away or puts another in its place.
#[test]
fn a_log_of_the_trust_file_is_asked_for() {
    let env = world();
    env.selfsame(["log", "init", "ours.log", "--origin", "log.example/ours"]).succeeds();
    env.selfsame(["log", "init", "other.log", "--origin", "log.example/other"]).succeeds();
    env.selfsame(["build", "--key", "old.key", "-o", "logged.release", "--log", "ours.log"]).succeeds();
    env.selfsame(["build", "--key", "old.key", "-o", "elsewhere.release", "--log", "other.log"]).succeeds();
    let added = ended(env.selfsame(["trust", "add", "t.toml", "ours.log.pub"]), 0);
    assert!(added.stdout.contains("documents have to be in the log `log.example/ours`"), "{}", added.stdout);
    for (release, code) in [("logged.release", 0), ("elsewhere.release", 1), ("one.release", 1)] {
        env.selfsame(["verify", release, "--trust", "t.toml"]).exits(code);
        env.selfsame(["verify", release, "--trust", "t.toml", "--log-key", "other.log.pub"]).exits(2);
    }
    // A log alone is no evidence of when; what a revoked key signed does not count for being in one.
    env.selfsame(["trust", "revoke", "t.toml", "old", "--compromised", "2030-01-01"]).succeeds();
    let refused = ended(env.selfsame(["verify", "logged.release", "--trust", "t.toml"]), 1);
    assert!(refused.stdout.contains("nothing shows that this was signed before"), "{}", refused.stdout);
    let error = fault(env.selfsame(["trust", "add", "t.toml", "ours.log.pub"]), 2);
    assert!(error.contains("stands there twice") && error.contains("Nothing was changed"), "{error}");
}
