//! An ordinary user's supplementary groups: what a build leaves of them, what its record says, and what `doctor` does.

use std::fs;
use std::process::{Command, Stdio};

use selfsame_testing::{Filter, Output, TestEnv, Tier, Variation, require};

use crate::world::{RELEASE, build, define, sandboxed, verify};

/// `nobody`, as `/etc/passwd` has it on most machines.
const USER: u32 = 65_534;

/// Runs the program as [`USER`] in two more groups, on a machine where this is all of `/etc/subgid`.
fn in_groups(env: &TestEnv, ranges: &str, arguments: &[&str]) -> Output {
    fs::write(env.at("subgid"), ranges).expect("a file");
    let program = env.command(&Variation::default(), arguments);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-euc", "mount --bind \"$0\" /etc/subgid; exec \"$@\""]).arg(env.at("subgid"));
    command.arg(program.get_program());
    let groups =
        |word: &std::ffi::OsStr| if word == "--clear-groups" { "--groups=65534,4,24".into() } else { word.to_owned() };
    command.args(program.get_args().map(groups));
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(env.project()).stdin(Stdio::null());
    env.run(command)
}

/// Phrases on groups of what the release's run record says is not covered.
fn not_covered(env: &TestEnv) -> Vec<String> {
    let file = fs::read(env.at(RELEASE).join("run-record.sigstore.json")).expect("the run record");
    let bundle = selfsame_attest::Bundle::parse(&file).expect("a bundle");
    let statement: serde_json::Value = serde_json::from_slice(bundle.unverified_payload()).expect("a statement");
    let phrases = statement["predicate"]["notCovered"].as_array().expect("a list");
    let phrases = phrases.iter().map(|phrase| phrase.as_str().expect("a phrase").to_owned());
    phrases.filter(|phrase| phrase.contains("groups")).collect()
}

#[test]
fn sandbox_a_users_groups_are_dropped_or_the_record_says_why_not() {
    let Some(mut env) = sandboxed() else { return };
    let root = if rustix::process::geteuid().is_root() { Ok(()) } else { Err("only root can be two users".to_owned()) };
    let there = std::path::Path::new("/usr/bin/newgidmap").exists();
    let newgidmap = if there { Ok(()) } else { Err("no newgidmap (package uidmap)".to_owned()) };
    if !require(Tier::Sandbox, root) || !require(Tier::Foreign, newgidmap) {
        return;
    }
    env.write("seed", "a seed\n");
    // The list that the action has, were it an input of somebody's build.
    define(&env, "cat seed > out; grep Groups /proc/self/status >> out", "");
    build(&env, &[]).succeeds();
    let image = |env: &TestEnv| {
        let index = fs::read(env.at(RELEASE).join("index.json")).expect("an index");
        let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
        index["manifests"][0]["digest"].clone()
    };
    let (by_root, none) = (image(&env), not_covered(&env));
    assert!(none.is_empty(), "{none:?}");

    env.give_to(USER);
    let words = ["build", "--dev-key", "--no-cache"];
    in_groups(&env, "nobody:300000:65536\n", &words).succeeds();
    assert_eq!((image(&env), not_covered(&env)), (by_root.clone(), Vec::new()));
    verify(&env, RELEASE).succeeds();
    let doctor = in_groups(&env, "nobody:300000:65536\n", &["doctor"]);
    let line = |doctor: &Output| {
        let lines = doctor.stdout.lines().filter(|line| line.contains("dropping supplementary groups"));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<String>()
    };
    assert_eq!(line(doctor.succeeds()), "yes dropping supplementary groups");

    in_groups(&env, "", &words).succeeds();
    let why = "supplementary groups of the invoking user (the user has no range in /etc/subgid)";
    assert_eq!(not_covered(&env), [why]);
    assert_ne!(image(&env), by_root, "what was kept can be seen, and so the record is right to say so");
    let doctor = in_groups(&env, "", &["doctor"]);
    let said = "- dropping supplementary groups the user has no range in /etc/subgid; builds go without it, and the run record says so";
    assert_eq!(line(doctor.succeeds()), said);
    assert!(doctor.stdout.contains("usermod --add-subgids"), "{}", doctor.transcript(Filter::NONE));
    assert!(doctor.stdout.contains("ready: builds run at level"), "{}", doctor.stdout);
}
