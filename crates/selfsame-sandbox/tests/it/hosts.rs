//! Other hosts, emulated: an ordinary user, and hosts that refuse something. The wrapper that makes the difference is
//! executed in the helper's place and becomes it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use selfsame_sandbox::{Relaxation, SandboxError, SupplementaryGroups, TaskLimit, UpperKind};

use crate::world::{HELPER, World, go, relaxed, skip, skip_in, world};

/// A script in the helper's place. `$H` is the helper, `"$@"` its arguments.
pub(crate) fn wrapper(world: &World, script: &str) -> PathBuf {
    let path = world.path("wrapper");
    let helper = world.path("helper");
    if !helper.exists() {
        // Where every user may execute it.
        fs::copy(HELPER, &helper).unwrap();
    }
    let script = format!("#!/bin/sh\nH={}\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n{script}\n", helper.display());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a command can be had that makes the emulation.
pub(crate) fn works(program: &str, args: &[&str]) -> bool {
    let works = Command::new(program).args(args).output().is_ok_and(|output| output.status.success());
    if !works {
        skip(&format!("`{program} {}` does not work here", args.join(" ")));
    }
    works
}

const IDS: &str = "id -u; id -g; stat -c '%u %g' / /build /bin/sh /tmp; cat /proc/self/uid_map | tr -s ' ' | cut -d' ' -f2,4; touch x; stat -c %u x";

#[test]
fn sandbox_is_the_same_for_root_and_for_a_user() {
    let Some(world) = world() else { return };
    if !is_root() {
        skip("only root can be two users");
        return;
    }
    let root = world.sh(IDS);
    let root_outcome = root.ok();
    assert_eq!(root_outcome.host.supplementary_groups, SupplementaryGroups::None);
    // The root file system must belong to who runs, as a store does.
    for owned in ["root", "root/bin", "root/bin/busybox"] {
        std::os::unix::fs::chown(world.path(owned), Some(65_534), Some(65_534)).unwrap();
    }
    for link in fs::read_dir(world.path("root/bin")).unwrap() {
        std::os::unix::fs::lchown(link.unwrap().path(), Some(65_534), Some(65_534)).unwrap();
    }
    let mut spec = world.spec(&["sh", "-c", IDS]);
    spec.program = wrapper(&world, "exec setpriv --reuid 65534 --regid 65534 --groups 65534,4,24 \"$H\" \"$@\"");
    let user = go(&spec);
    let user_outcome = user.ok();
    assert_eq!(user.stdout, root.stdout);
    assert_eq!(user_outcome.achieved, root_outcome.achieved);
    assert!(matches!(user_outcome.host.supplementary_groups, SupplementaryGroups::Kept { .. }), "{user_outcome:?}");
    assert!(user_outcome.host.task_limits.contains(&TaskLimit::Rlimit));

    spec.program = wrapper(&world, "exec setpriv --groups 4,24 \"$H\" \"$@\"");
    assert_eq!(go(&spec).ok().host.supplementary_groups, SupplementaryGroups::Dropped);
}

#[test]
fn sandbox_for_a_user_ends_a_fork_bomb() {
    let Some(world) = world() else { return };
    if !is_root() {
        skip("only root can be two users");
        return;
    }
    let mut spec = world.spec(&[
        "sh",
        "-c",
        "bomb() { bomb 2>/dev/null | bomb 2>/dev/null & sleep 93.5555; }; bomb & exec sleep 93.5555",
    ]);
    spec.program = wrapper(&world, "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$H\" \"$@\"");
    spec.limits.tasks = 200;
    spec.limits.timeout_ms = 2_000;
    let done = go(&spec);
    assert_eq!(done.outcome().end, selfsame_sandbox::End::TimedOut);
    assert!(!crate::escapes::runs_on_host("93.5555"));
}

#[test]
fn sandbox_names_refused_user_namespaces() {
    let Some(world) = world() else { return };
    if !works("unshare", &["-Ur", "true"]) {
        return;
    }
    let mut spec = world.spec(&["true"]);
    let script = r#"exec unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$H" "$@""#;
    spec.program = wrapper(&world, script);
    match go(&spec).error() {
        SandboxError::Refused { operation, errno, relaxation: None } => {
            assert_eq!((operation.as_str(), *errno), ("a user namespace", libc::ENOSPC));
        }
        other => panic!("{other:?}"),
    }
}

/// The program of `blocked.c`.
pub(crate) fn blocked(world: &World) -> Option<PathBuf> {
    let program = world.path("blocked");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/blocked.c");
    let made = Command::new("cc").args([source, "-o"]).arg(&program).status();
    if made.is_ok_and(|status| status.success()) {
        return Some(program);
    }
    skip("there is no C compiler");
    None
}

#[test]
fn sandbox_names_blocked_calls() {
    let Some(world) = world() else { return };
    let Some(blocked) = blocked(&world) else { return };
    let mut spec = world.spec(&["true"]);
    spec.program = wrapper(&world, &format!("exec {} unshare \"$H\" \"$@\"", blocked.display()));
    match go(&spec).error() {
        SandboxError::Refused { operation, errno: libc::EPERM, relaxation: None } => {
            assert_eq!(operation, "a user namespace");
        }
        other => panic!("{other:?}"),
    }

    spec.program = wrapper(&world, &format!("exec {} personality \"$H\" \"$@\"", blocked.display()));
    let done = go(&spec);
    let refused = done.error();
    assert!(
        matches!(refused, SandboxError::Refused { errno: libc::EPERM, relaxation: Some(Relaxation::Aslr), .. }),
        "{refused:?}"
    );
    let done = go(&relaxed(spec, Relaxation::Aslr));
    let achieved = &done.ok().achieved;
    assert!(!achieved.fixed_addresses && achieved.relaxed.contains(&Relaxation::Aslr));
}

#[test]
fn sandbox_names_a_masked_proc_and_does_without() {
    let Some(world) = world() else { return };
    if !works("unshare", &["-Urm", "mount", "--bind", "/dev/null", "/proc/version"]) {
        return;
    }
    let mut spec =
        world.spec(&["sh", "-c", "cat /proc/version /proc/uptime; readlink /proc/self/exe; ls /proc/1/root"]);
    let script = r#"exec unshare -Urm sh -c 'mount --bind /dev/null /proc/version && exec "$@"' sh "$H" "$@""#;
    spec.program = wrapper(&world, script);
    match go(&spec).error() {
        SandboxError::Refused { operation, errno: libc::EPERM, relaxation: Some(Relaxation::Proc) } => {
            assert_eq!(operation, "a fresh /proc mount");
        }
        other => panic!("{other:?}"),
    }
    let done = go(&relaxed(spec, Relaxation::Proc));
    let outcome = done.outcome();
    assert!(done.stdout.contains("6.1.0-selfsame") && done.stdout.contains("/bin/busybox"), "{done:?}");
    assert!(!outcome.achieved.own_proc && outcome.achieved.relaxed.contains(&Relaxation::Proc));
    // The allowance alone changes nothing where it is not needed.
    let done = go(&relaxed(world.spec(&["true"]), Relaxation::Proc));
    assert!(done.ok().achieved.own_proc && done.ok().achieved.relaxed.is_empty());
}

#[test]
fn sandbox_writes_to_the_disk_where_tmpfs_cannot() {
    let Some(world) = world() else { return };
    let script = "rm /bin/ls; mkdir -p /bin/cat2 out; echo x >out/f; mkdir -m 000 shut; mkdir -m 700 deep; touch deep/x; chmod 000 deep; mv /bin/cp out/cp; stat -f -c %T .";
    let mut spec = world.spec(&["sh", "-ec", script]);
    spec.scratch_bytes = 0;
    spec.outputs = vec!["out/f".to_owned()];
    let done = go(&spec);
    assert_eq!(done.ok().host.upper, UpperKind::Disk);
    assert_ne!(done.stdout.trim(), "tmpfs");
    assert_eq!(done.outputs[0].1, b"x\n");
    assert_eq!(fs::read_dir(world.path("scratch")).unwrap().count(), 0, "scratch was left behind");
}

#[test]
fn sandbox_uses_and_removes_cgroups() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&["sh", "-c", "cat /proc/self/cgroup"]);
    spec.limits.memory_bytes = Some(1 << 30);
    let done = go(&spec);
    let host = &done.ok().host;
    let held = host.task_limits.iter().any(|limit| matches!(limit, TaskLimit::CgroupV1 | TaskLimit::CgroupV2));
    if !held && !host.memory_limit {
        skip("no cgroup can be had here");
        return;
    }
    // The cgroup namespace hides where it is.
    assert!(!done.stdout.contains("selfsame-"), "{}", done.stdout);
    let name = format!("selfsame-{}-", std::process::id());
    let left = Command::new("find").args(["/sys/fs/cgroup", "-maxdepth", "4", "-name", &format!("{name}*")]).output();
    let left = String::from_utf8(left.unwrap().stdout).unwrap();
    // Other tests of this program may hold theirs just now.
    let mine: Vec<_> = left
        .lines()
        .filter(|path| fs::read_to_string(format!("{path}/cgroup.procs")).is_ok_and(|p| p.is_empty()))
        .collect();
    assert!(mine.is_empty(), "{mine:?}");
}

/// Runs one of the tests of this program in a container whose root is made of the host's folders.
fn in_podman(world: &World, options: &[&str], test: &str) -> Option<String> {
    let root = world.path("container");
    for folder in ["usr", "bin", "lib", "lib64", "etc", "proc", "sys", "dev", "tmp", "run"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let tests = std::env::current_exe().unwrap();
    let mut command = Command::new("podman");
    command.args(["--runtime", "runc", "run", "--rm", "--rootfs", "--network", "none"]);
    command.args(["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000", "--tmpfs", "/tmp:exec"]);
    let folders = ["/usr", "/bin", "/lib", "/lib64"].map(PathBuf::from);
    let programs = [tests.clone(), PathBuf::from(HELPER)];
    for path in folders.iter().chain(&programs).filter(|path| path.exists()) {
        command.arg("-v").arg(format!("{0}:{0}:ro", path.display()));
    }
    command.args(options).arg(&root).arg(&tests).args(["--exact", test, "--include-ignored"]);
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    text.contains("test result:").then_some(text)
}

#[test]
fn sandbox_works_in_a_podman_container() {
    let Some(world) = world() else { return };
    let unconfined = ["--security-opt", "seccomp=unconfined"];
    let unmasked = ["--security-opt", "seccomp=unconfined", "--security-opt", "unmask=ALL"];
    for (options, test) in [
        (&unmasked[..], "basics::sandbox_runs_a_command_and_says_what_held"),
        (&unconfined[..], "hosts::sandbox_with_a_proc_that_the_container_masks"),
        (&[][..], "hosts::sandbox_with_the_filter_of_the_container"),
    ] {
        let Some(text) = in_podman(&world, options, test) else {
            skip_in("foreign", "podman with runc cannot start a container here");
            return;
        };
        assert!(text.contains("test result: ok. 1 passed"), "{options:?}\n{text}");
    }
}

#[test]
#[ignore = "a part of sandbox_works_in_a_podman_container"]
fn sandbox_with_a_proc_that_the_container_masks() {
    let Some(world) = world() else { return };
    let spec = world.spec(&["sh", "-c", "cat /proc/version"]);
    let done = go(&spec);
    let refused = done.error();
    assert!(matches!(refused, SandboxError::Refused { relaxation: Some(Relaxation::Proc), .. }), "{refused:?}");
    let done = go(&relaxed(spec, Relaxation::Proc));
    assert!(done.ok().achieved.relaxed.contains(&Relaxation::Proc));
    assert!(done.stdout.contains("6.1.0-selfsame"), "{}", done.stdout);
}

#[test]
#[ignore = "a part of sandbox_works_in_a_podman_container"]
fn sandbox_with_the_filter_of_the_container() {
    let Some(world) = world() else { return };
    let done = go(&world.spec(&["true"]));
    let refused = done.error();
    assert!(matches!(refused, SandboxError::Refused { errno: libc::EPERM, .. }), "{refused:?}");
    let probe = crate::probed::here(&world, HELPER.into());
    assert!(probe.environment.barriers.contains(&selfsame_sandbox::probe::Barrier::ContainerFilter), "{probe:#?}");
    let podman = probe.remedies.iter().flat_map(|remedy| &remedy.lines).any(|line| line.starts_with("podman run"));
    assert!(podman, "{probe:#?}");
}
