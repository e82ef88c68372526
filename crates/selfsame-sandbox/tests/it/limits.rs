//! Everything that can be too much: time, processes, space, memory; and being told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use selfsame_sandbox::{End, TaskLimit};

use crate::escapes::{forbidden, runs_on_host};
use crate::world::{go, go_until, skip, world};

#[test]
fn sandbox_ends_what_never_ends() {
    let Some(world) = world() else { return };
    let mut spec =
        world.spec(&["sh", "-c", "trap '' TERM INT HUP; echo on; sleep 97.1111 & sleep 97.1112; sleep 97.1111"]);
    spec.limits.timeout_ms = 300;
    let start = Instant::now();
    let done = go(&spec);
    assert_eq!(done.outcome().end, End::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(done.stdout, "on\n");
    assert!(!runs_on_host("97.1111") && !runs_on_host("97.1112"));
}

#[test]
fn sandbox_stops_when_told() {
    let Some(world) = world() else { return };
    let cancel = AtomicBool::new(false);
    let spec = world.spec(&["sh", "-c", "sleep 96.2222 & sleep 96.2222"]);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            cancel.store(true, Ordering::Relaxed);
        });
        go_until(&spec, &cancel)
    });
    assert_eq!(done.outcome().end, End::Cancelled);
    assert!(!runs_on_host("96.2222"));
}

#[test]
fn sandbox_dies_with_its_caller() {
    let Some(world) = world() else { return };
    // The caller here is a process of its own: this very test program, running the test below.
    let mut caller = std::process::Command::new("/proc/self/exe")
        .args(["--exact", "limits::sandbox_runs_for_long", "--ignored", "--nocapture"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the command of the other caller runs", || runs_on_host("95.3333"));
    caller.kill().unwrap();
    caller.wait().unwrap();
    wait_until("everything is gone", || !runs_on_host("95.3333"));
    drop(world);
}

/// Killing the helper from outside is the one end without a word: an error, and still nothing is left.
#[test]
fn sandbox_dies_with_its_outer_process() {
    let Some(world) = world() else { return };
    let marker = "92.6666";
    let spec = world.spec(&["sh", "-c", "setsid sleep 92.6666 & sleep 92.6666"]);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_until("the command runs", || runs_on_host(marker));
            // The outer process is the grandparent of what runs: init's parent.
            let of = |pid: i32| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse::<i32>().unwrap()
            };
            let mine = i32::try_from(std::process::id()).unwrap();
            let all =
                std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            let mut running = all.filter(|pid: &i32| {
                std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"92.6666\0"))
            });
            let mut pid = running.next().unwrap();
            while of(pid) != mine {
                pid = of(pid);
            }
            let outer = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(outer, rustix::process::Signal::KILL).unwrap();
        });
        go(&spec)
    });
    assert!(matches!(done.error(), selfsame_sandbox::SandboxError::Helper { .. }), "{:?}", done.error());
    assert!(!runs_on_host(marker));
}

#[test]
#[ignore = "the other half of sandbox_dies_with_its_caller"]
fn sandbox_runs_for_long() {
    let Some(world) = world() else { return };
    go(&world.spec(&["sh", "-c", "setsid sleep 95.3333 & sleep 95.3333"]));
}

#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "not reached: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn sandbox_survives_a_fork_bomb() {
    let Some(world) = world() else { return };
    if !forbidden(&world) {
        return;
    }
    let mut spec = world.spec(&["forbidden", "94.4444"]);
    spec.limits.tasks = 256;
    spec.limits.timeout_ms = 3_000;
    let start = Instant::now();
    let done = go(&spec);
    let outcome = done.outcome();
    assert_eq!(outcome.end, End::TimedOut);
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    assert!(outcome.pressure.tasks_limit, "{outcome:?}");
    let strongest = outcome.host.task_limits.first();
    assert!(strongest.is_some_and(|limit| *limit != TaskLimit::Rlimit), "{outcome:?}");
    assert!(!runs_on_host("94.4444"));
}

#[test]
fn sandbox_notices_full_scratch_space() {
    let Some(world) = world() else { return };
    let mut spec =
        world.spec(&["sh", "-c", "dd if=/dev/zero of=big bs=1M count=100; s=$?; sleep 0.3; rm big; exit $s"]);
    spec.scratch_bytes = 16 << 20;
    let done = go(&spec);
    let outcome = done.outcome();
    assert_eq!(outcome.end, End::Exited(1), "{}", done.stderr);
    assert!(done.stderr.contains("No space left"), "{}", done.stderr);
    assert!(outcome.pressure.scratch_full);
    assert!(!world.sh("true").outcome().pressure.scratch_full);
}

#[test]
fn sandbox_names_the_file_that_cannot_be_placed() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&["true"]);
    let gone = selfsame_sandbox::PlacementKind::File { from: world.path("gone") };
    spec.placements = vec![crate::world::placement("build/x", gone, 0o644, 0)];
    let text = go(&spec).error().to_string();
    assert!(text.contains("gone") && text.contains("no such file"), "{text}");
}

#[test]
fn sandbox_out_of_memory_is_named() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&["sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1"]);
    spec.limits.memory_bytes = Some(64 << 20);
    let done = go(&spec);
    let outcome = done.outcome();
    if !outcome.host.memory_limit {
        skip("no cgroup with a memory controller can be had here");
        return;
    }
    assert_eq!(outcome.end, End::OutOfMemory);
}

/// Without a memory limit the host's memory is the limit, and others live of it too.
#[test]
fn sandbox_is_killed_before_others_are() {
    let Some(world) = world() else { return };
    let done = world.sh("cat /proc/self/oom_score_adj; cat /proc/1/oom_score_adj");
    done.ok();
    assert_eq!(done.stdout, "1000\n1000\n");
}
