//! Builds that end at a step of their own choosing: before each change that they make to the disk, one build for each.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use selfsame_testing::{TestEnv, Tier, Variation, require};

use crate::world::{ONE_FILE, RELEASE, build, empty, verify};

/// The calls that change what is on a disk.
const CHANGES: [&str; 13] = [
    "fchmod",
    "fdatasync",
    "fsync",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
    "write",
];

/// Of calls that there are many of, every so many; the one that replaces the release is among those that are all taken.
const EVERY: [(&str, usize); 2] = [("write", 8), ("unlinkat", 4)];

/// Killed before any change: the release is the one of before or the new one, whole; the store checks out; the next build
/// works; and at the end nothing is left of all that was killed.
#[test]
fn foreign_a_build_that_ends_at_any_step_publishes_all_or_nothing() {
    let there = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let ability = match there {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("strace: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("strace: {error}")),
    };
    if !require(Tier::Foreign, ability) {
        return;
    }
    let env = empty();
    env.write("selfsame.toml", ONE_FILE);
    env.write("src/a", "before\n");
    build(&env, &[]).succeeds();
    env.write("src/a", "counted\n");
    let (killed, steps) = traced(&env, &[]);
    assert!(!killed, "nothing was to be killed");
    let exchanges = ["renameat2", "rename", "mkdir", "fsync"].map(|call| steps.get(call).copied().unwrap_or(0));
    assert!(exchanges.iter().all(|count| *count > 3), "{steps:?}");

    let mut tried = 0;
    let mut ended = 0;
    for (call, count) in &steps {
        let every = EVERY.iter().find(|(many, _)| many == call).map_or(1, |(_, every)| *every);
        for step in (1..=*count).step_by(every) {
            env.write("src/a", format!("{call} {step}\n"));
            let before = fs::read(env.at(RELEASE).join("index.json")).expect("the release of before");
            let (killed, _) = traced(&env, &["-e", &format!("inject={call}:signal=KILL:when={step}")]);
            tried += 1;
            ended += usize::from(killed);
            let after = fs::read(env.at(RELEASE).join("index.json"));
            let after = after.unwrap_or_else(|error| panic!("no release after {call} {step}: {error}"));
            // What is as it was is whole as it was, and is verified when it has changed.
            if after != before || step % 5 == 0 {
                verify(&env, RELEASE).succeeds();
            }
            env.selfsame(["store", "check"]).succeeds();
        }
        build(&env, &[]).succeeds();
        verify(&env, RELEASE).succeeds();
    }
    assert!(ended * 10 >= tried * 8 && ended > 40, "{ended} of {tried} builds were killed: {steps:?}");
    let left: Vec<_> =
        fs::read_dir(env.project()).expect("the project").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".selfsame-")), "{left:?}");
}

/// Runs a build whose changes to the disk are written down: whether it was killed, and how often its first thread made each.
fn traced(env: &TestEnv, more: &[&str]) -> (bool, BTreeMap<String, usize>) {
    let program = env.command(&Variation::default(), ["build", "--dev-key"]);
    let trace = env.at("trace");
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(&trace).arg("-e").arg(format!("trace={}", CHANGES.join(","))).args(more);
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let status = command.current_dir(env.project()).stdin(Stdio::null()).output().expect("strace").status;
    let trace = fs::read_to_string(trace).expect("what strace wrote down");
    let mut steps = BTreeMap::new();
    for call in trace.lines().filter_map(|line| line.split_once('(')).map(|(call, _)| call.trim()) {
        if CHANGES.contains(&call) {
            *steps.entry(call.to_owned()).or_insert(0) += 1;
        }
    }
    (!status.success(), steps)
}
