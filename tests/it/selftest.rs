//! The attack corpus, against the program as it is installed and against others.

use std::collections::BTreeSet;
use std::process::Command;

use selfsame_testing::{Output, TestEnv, Tier, require};
use serde_json::Value;

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON")
}

#[test]
fn this_program_answers_every_attack_for_the_right_reason() {
    let env = TestEnv::new(env!("CARGO_BIN_EXE_selfsame"));
    let output = env.selfsame(["selftest", "--json"]);
    let said = json(&output);
    let wrong: Vec<String> = said["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .filter(|it| it["right"] != true)
        .map(|it| format!("{}: {}", it["case"]["name"], it["wrong"]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    output.succeeds();
    assert_eq!((&said["class"], &said["right"]), (&"passed".into(), &said["asked"]));
    assert!(said["asked"].as_u64().is_some_and(|asked| asked > 500), "{}", said["asked"]);
    // Bounds that are far from what was needed hide nothing: the largest file there is has 36 MB.
    let most = said["cases"].as_array().expect("cases").iter().filter_map(|it| it["memoryBytes"].as_u64()).max();
    assert!(most.is_some_and(|most| most > 1 << 20), "{most:?}");
}

#[test]
fn a_verifier_is_told_from_one_that_looks_at_nothing() {
    let env = TestEnv::new(env!("CARGO_BIN_EXE_selfsame"));
    let against = |command: &str, code: i32| {
        let output =
            env.selfsame(["selftest", "--only", "control,signature,subject/too-many", "--against", command, "--json"]);
        output.exits(code);
        json(&output)
    };
    let yes = against("true {bundle} {key}", 1);
    assert_eq!((&yes["letThrough"], &yes["accepted"]), (&yes["bad"], &yes["good"]));
    assert!(yes["bad"].as_u64().is_some_and(|bad| bad > 20), "{}", yes["bad"]);
    let no = against("false {bundle} {key}", 1);
    assert_eq!((&no["letThrough"], &no["accepted"]), (&0.into(), &0.into()));
    // A refusal is not a crash, and a crash is no refusal.
    let broke = against("sh -c 'kill -KILL $$' {bundle} {key}", 1);
    assert!(broke["cases"].as_array().expect("cases").iter().all(|it| it["said"] == "broke" && it["right"] == false));
    let own = env!("CARGO_BIN_EXE_selfsame");
    let ours =
        against(&format!("'{own}' verify-file {{artifact}} --bundle {{bundle}} --key {{key}} --type {{type}}"), 0);
    assert_eq!((&ours["class"], &ours["letThrough"]), (&"passed".into(), &0.into()));
    assert_eq!(ours["accepted"], ours["good"]);
    let text = env.selfsame(["selftest", "--only", "signature", "--against", "true {release} {key}"]);
    text.exits(1);
    assert!(
        text.stdout.contains("let through: ") && text.stdout.contains("signature/bit-flipped-in-s.release (forged)")
    );
    let nothing = env.selfsame(["selftest", "--only", "trust", "--against", "true {release} {key}"]);
    nothing.exits(2);
    assert!(nothing.stderr.contains("can put none of these questions"), "{}", nothing.stderr);
    let absent = env.selfsame(["selftest", "--only", "control", "--against", "/nonexistent/verifier {bundle} {key}"]);
    absent.exits(2);
    assert!(absent.stderr.contains("cannot run `/nonexistent/verifier`"), "{}", absent.stderr);
    env.selfsame(["selftest", "--against", "true {bundles}"]).exits(2);
    let slow = env.selfsame([
        "selftest",
        "--only",
        "signature/high-s",
        "--timeout",
        "1",
        "--against",
        "sleep 60 {bundle} {key}",
    ]);
    // `sleep` refuses words that are no times.
    slow.exits(1);
    let slow = env.selfsame([
        "selftest",
        "--only",
        "signature/high-s",
        "--timeout",
        "1",
        "--against",
        "sh -c 'sleep 60' {bundle} {key}",
    ]);
    slow.exits(1);
    assert!(slow.stdout.contains("did not end in time and memory: 1"), "{}", slow.stdout);
}

#[test]
fn the_cases_are_listed_and_written_and_what_is_no_file_is_named() {
    let env = TestEnv::new(env!("CARGO_BIN_EXE_selfsame"));
    let list = env.selfsame(["selftest", "--list"]);
    list.succeeds();
    assert!(list.stdout.contains("signature/high-s.file "), "{}", list.stdout);
    assert!(list.stdout.contains("not a file: item 51, "), "{}", list.stdout);
    // Every item of the list is a case or is held by a test.
    let said = json(&env.selfsame(["selftest", "--list", "--json"]));
    let numbers = |list: &Value, at: fn(&Value) -> &Value| -> BTreeSet<u64> {
        list.as_array().expect("a list").iter().filter_map(|it| at(it).as_u64()).collect()
    };
    let mut held = numbers(&said["cases"], |it| &it["item"]);
    held.extend(numbers(&said["elsewhere"], |it| &it["item"]));
    assert_eq!(held, (1..=69).collect::<BTreeSet<u64>>());

    env.selfsame(["selftest", "--only", "control/release,oci/layer-is-a-pipe", "--write", "corpus"]).succeeds();
    let folder = env.project().join("corpus");
    assert!(folder.join("control/release.release/release/oci-layout").is_file());
    let case = std::fs::read_to_string(folder.join("oci/layer-is-a-pipe.release/case.json")).expect("a case");
    assert!(case.contains("\"schema\":\"https://selfsame.dev/attack/v1\""), "{case}");
    env.selfsame([
        "verify",
        "corpus/control/release.release/release",
        "--key",
        "corpus/control/release.release/key.pub",
    ])
    .succeeds();
    env.selfsame(["selftest", "--write", "corpus"]).exits(2);
    let unknown = env.selfsame(["selftest", "--only", "signatures"]);
    unknown.exits(2);
    assert!(unknown.stderr.contains("no case is of the class or name `signatures`"), "{}", unknown.stderr);
}

/// Standard library alone, from the same pages: it has to agree about every case that it can be asked about.
#[test]
fn foreign_the_reader_in_python_agrees_about_every_case() {
    let ability = Command::new("python3").arg("--version").output().map(drop).map_err(|error| error.to_string());
    if !require(Tier::Foreign, ability) {
        return;
    }
    let env = TestEnv::new(env!("CARGO_BIN_EXE_selfsame"));
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reader/selfsame_reader.py");
    let reader = format!("python3 -B '{}'", script.display());
    for (words, least) in [
        ("{release} {key}", 200),
        ("file {key} {type} {artifact} {bundle}", 140),
        ("file {key} {type} {artifact} {bundle} {trusted_root}", 160),
    ] {
        let said = json(&env.selfsame(["selftest", "--against", &format!("{reader} {words}"), "--json"]));
        let other: Vec<&Value> = said["cases"]
            .as_array()
            .expect("cases")
            .iter()
            .filter(|it| it["right"] != true && it["case"]["grounds"] != "strict")
            .map(|it| &it["case"]["name"])
            // It reads one platform at a time, and says so.
            .filter(|name| **name != "control/platforms.release")
            .collect();
        assert!(other.is_empty(), "{words}: {other:?}");
        assert!(said["asked"].as_u64().is_some_and(|asked| asked >= least), "{words}: {}", said["asked"]);
    }
}
