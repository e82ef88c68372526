//! Builds that are interrupted, killed, or run out of disk: all of a release or nothing of it.

use std::fs;

use selfsame_testing::{TestEnv, picture};

use crate::world::{
    RELEASE, SELFSAME, assert_ended, assert_nothing_left, assert_store_intact, build, can_be, define, on_a_machine,
    one_error, recorded, runs, sandboxed, shown, start, verify, wait_until,
};

#[test]
fn sandbox_a_source_that_changes_meanwhile_is_not_signed() {
    let Some(env) = recorded() else { return };
    for change in ["content", "removed"] {
        env.write("seed", format!("before {change}\n"));
        define(&env, "sleep 6.4474; cat seed > out", "");
        let mut child = start(&env, &["build", "--dev-key", "--no-cache"]);
        wait_until("the action sleeps", || runs("6.4474"));
        match change {
            "content" => _ = env.write("seed", "after\n"),
            _ => fs::remove_file(env.project().join("seed")).expect("the seed"),
        }
        let status = child.wait().expect("the program ends");
        let talk = env.read("talk");
        assert_eq!(status.code(), Some(2), "{change}: {talk}");
        assert!(talk.contains("error: ") && talk.contains("changed"), "{change}: {talk}");
        assert_nothing_left(&env);
    }
}

#[test]
fn sandbox_what_is_no_release_is_not_replaced() {
    let Some(env) = recorded() else { return };
    for (name, content) in [("full", Some("precious\n")), ("empty", None)] {
        fs::create_dir(env.at(name)).expect("a folder");
        if let Some(content) = content {
            fs::write(env.at(name).join("file"), content).expect("a file");
        }
        let before = picture(&env.at(name));
        let output = build(&env, &["-o", &format!("../{name}")]);
        if content.is_some() {
            insta::assert_snapshot!(shown(&output), @r"
            exit 2
            --- stderr
            error: `[TMP]/project/../full` exists and is not a release: it holds `file`, which no release does
              Nothing was published or replaced.

            hint: choose another place with `-o DIR`, or move what is there away
            ");
            assert_eq!(picture(&env.at(name)), before);
        }
    }
    fs::write(env.at("file"), "precious\n").expect("a file");
    one_error(build(&env, &["-o", "../file"]).exits(2));
    assert_eq!(env.read("file"), "precious\n");
    std::os::unix::fs::symlink("full", env.at("link")).expect("a link");
    one_error(build(&env, &["-o", "../link"]).exits(2));
    assert_eq!(env.read("full/file"), "precious\n");
    one_error(build(&env, &["-o", "../no/such/folder"]).exits(2));
    // Of several places, all or none.
    one_error(build(&env, &["-o", "../good.release", "--archive", "../full"]).exits(2));
    assert!(!env.at("good.release").exists());
    assert_eq!(env.read("full/file"), "precious\n");
    assert_nothing_left(&env);
}

#[test]
fn sandbox_ctrl_c_ends_everything() {
    let Some(env) = recorded() else { return };
    define(&env, "(sleep 93.4475 &) ; exec sleep 93.4475", "");
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let mut child = start(&env, &["build", "--dev-key", "--no-cache"]);
        wait_until("the action sleeps", || runs("93.4475"));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).expect("a signal to a child");
        let status = child.wait().expect("the program ends");
        let talk = env.read("talk");
        assert_eq!(status.code(), Some(3), "{talk}");
        assert!(talk.contains("Nothing was published; no process is left."), "{talk}");
        assert_ended("93.4475");
        assert_nothing_left(&env);
    }
}

#[test]
fn sandbox_a_full_disk_publishes_nothing() {
    let Some(env) = sandboxed() else { return };
    let mount = "mkdir -p ../small && mount -t tmpfs -o size=128k,mode=0755 tmpfs ../small";
    if !can_be("mount -t tmpfs -o size=128k tmpfs /tmp && \"$@\"") {
        return;
    }
    // Nothing that a compressor could make small.
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..400_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .collect();
    env.write("seed", noise);
    define(&env, "cat seed > out", "");
    build(&env, &[]).succeeds();
    let script = format!("{mount}; status=0; \"$@\" || status=$?; echo left: $(ls -A ../small); exit $status");
    let full = on_a_machine(&env, &script, &["build", "--dev-key", "-o", "../small/probe.release"]);
    insta::assert_snapshot!(shown(&full), @r"
    exit 2
    --- stdout
    left:
    --- stderr
        source 2 files, [N] KiB, epoch [TIME]
          have make, unchanged
      assemble image from [N] KiB
          sign provenance, SBOM, image, inventory
    error: cannot write `[TMP]/project/../small/.probe.release.selfsame-[RANDOM]/content/blobs/sha256/[DIGEST]`: No space left on device (os error 28)
      Nothing was published.
    ");
    let archive = ["build", "--dev-key", "-o", "../other.release", "--archive", "../small/probe.tar"];
    let full = on_a_machine(&env, &script, &archive);
    assert_eq!((full.exits(2).stdout.as_str(), env.at("other.release").exists()), ("left:\n", false));
    assert_store_intact(&env);

    // A store that is full says so, and works again when it is not.
    let script = "mkdir -p ../small && mount -t tmpfs -o size=9m,mode=0755 tmpfs ../small
export SELFSAME_STORE=$PWD/../small/store; status=0; \"$@\" || status=$?
\"$1\" store check; exit $status";
    let full = on_a_machine(&env, script, &["build", "--dev-key", "-o", "../other.release"]);
    full.exits(2).says("no space left");
    assert!(full.stdout.contains("everything is as it is named"), "{}", full.stdout);
    assert!(!env.at("other.release").exists());
}

/// Killed at any moment: either the release of before, or the new one, or none; never a part, and the next build works.
#[test]
fn sandbox_kill_leaves_nothing_in_part() {
    let Some(env) = recorded() else { return };
    let began = std::time::Instant::now();
    env.write("seed", "round 0\n");
    build(&env, &[]).succeeds();
    let whole = began.elapsed();
    for round in 1..=10_u32 {
        if round % 3 == 0 {
            fs::remove_dir_all(env.at(RELEASE)).expect("a release");
        }
        env.write("seed", format!("round {round}\n"));
        let mut child = start(&env, &["build", "--dev-key"]);
        // Spread over the whole of a build, and no two machines alike.
        std::thread::sleep(whole.mul_f64(f64::from(round) / 10.0));
        child.kill().expect("a signal to a child");
        child.wait().expect("the program ends");
        let binary = SELFSAME;
        wait_until("sandboxes end with their program", || !helper_of(&env, binary));
        if env.at(RELEASE).exists() {
            verify(&env, RELEASE).succeeds();
        }
        env.selfsame(["store", "check"]).succeeds();
        build(&env, &[]).succeeds();
        verify(&env, RELEASE).succeeds();
    }
    fs::remove_dir_all(env.at(RELEASE)).expect("the last release");
    assert_nothing_left(&env);
}

/// Whether a sandbox of this test's program still runs: a process of the program in the test's project.
fn helper_of(env: &TestEnv, binary: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc");
    processes.flatten().any(|process| {
        let link = |name: &str| fs::read_link(process.path().join(name)).unwrap_or_default();
        link("exe") == std::path::Path::new(binary) && link("cwd").starts_with(env.root())
    })
}
