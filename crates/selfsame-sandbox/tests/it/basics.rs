//! What a command sees when everything is right.

use std::fs;
use std::time::Instant;

use selfsame_sandbox::{End, Level, OutputKind, PlacementKind, SandboxError, TaskLimit, UpperKind};

use crate::world::{bind, go, placement, world};

#[test]
fn sandbox_runs_a_command_and_says_what_held() {
    let Some(world) = world() else { return };
    let done = world.sh("echo out; echo err >&2; id -u; id -g; hostname; pwd; umask; cat /proc/sys/kernel/domainname");
    let outcome = done.ok();
    assert_eq!(done.stdout, "out\n1000\n1000\nselfsame\n/build\n0022\n(none)\n");
    assert_eq!(done.stderr, "err\n");
    assert_eq!(outcome.leftovers, 0);
    let achieved = &outcome.achieved;
    assert_eq!(achieved.level, Level::Normalized);
    assert!(achieved.seccomp && achieved.unprivileged && achieved.fixed_addresses && achieved.own_proc);
    assert!(!achieved.network && !achieved.landlock && achieved.relaxed.is_empty());
    assert!(outcome.host.rlimits_missing.is_empty(), "{:?}", outcome.host);
    assert!(!outcome.host.task_limits.is_empty(), "{:?}", outcome.host);
    let _ = (UpperKind::Tmpfs, TaskLimit::PidMax);
}

#[test]
fn sandbox_gives_the_environment_and_nothing_else() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&["env"]);
    spec.env.insert("A".to_owned(), "x y=z".to_owned());
    let done = go(&spec);
    done.ok();
    assert_eq!(done.stdout, "A=x y=z\nPATH=/bin\n");
}

#[test]
fn sandbox_reports_status_and_signal() {
    let Some(world) = world() else { return };
    assert_eq!(world.sh("exit 7").outcome().end, End::Exited(7));
    let end = world.sh("kill -SEGV $$").outcome().end.clone();
    assert_eq!(end, End::Signaled { signal: 11, name: "SIGSEGV".to_owned() });
}

#[test]
fn sandbox_names_a_command_that_cannot_be_executed() {
    let Some(world) = world() else { return };
    let done = go(&world.spec(&["no-such-program"]));
    assert!(matches!(done.error(), SandboxError::Exec { errno: libc::ENOENT, .. }), "{:?}", done.error());
    let done = go(&world.spec(&["/bin"]));
    assert!(matches!(done.error(), SandboxError::Exec { errno: libc::EACCES, .. }), "{:?}", done.error());
}

#[test]
fn sandbox_writes_standard_output_to_a_file() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&["sh", "-c", "echo kept; echo seen >&2"]);
    spec.stdout_to = Some("messages.txt".to_owned());
    spec.outputs = vec!["messages.txt".to_owned()];
    let done = go(&spec);
    done.ok();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", "seen\n"));
    assert_eq!(done.outputs[0].1, b"kept\n");
}

#[test]
fn sandbox_places_files_with_mode_and_time_in_any_order() {
    let Some(world) = world() else { return };
    let a = world.file("a", "alpha\n");
    let mut spec = world.spec(&[
        "sh",
        "-c",
        "cd /build; for f in . src src/a src/b src/l tool /inputs /inputs/x /inputs/x/a; do stat -c '%n %a %Y %F %h' $f; done; cat src/b",
    ]);
    let file = || PlacementKind::File { from: a.clone() };
    spec.placements = vec![
        placement("build", PlacementKind::Directory, 0o755, 1_700_000_000),
        placement("build/src", PlacementKind::Directory, 0o750, 1_700_000_001),
        placement("build/src/a", file(), 0o644, 1_700_000_002),
        placement("build/src/b", PlacementKind::HardLink { target: crate::world::rel("build/src/a") }, 0o644, 9),
        placement("build/src/l", PlacementKind::Symlink { target: "../gone".to_owned() }, 0o777, 1_700_000_003),
        placement("build/tool", file(), 0o755, 1_700_000_004),
        placement("inputs/x/a", file(), 0o644, 315_532_800),
    ];
    let expected = ". 755 1700000000 directory 3\nsrc 750 1700000001 directory 2\nsrc/a 644 1700000002 regular file 2\n\
                    src/b 644 1700000002 regular file 2\nsrc/l 777 1700000003 symbolic link 1\n\
                    tool 755 1700000004 regular file 1\n";
    let first = go(&spec);
    first.ok();
    assert!(first.stdout.starts_with(expected), "{}", first.stdout);
    assert!(first.stdout.contains("/inputs/x 755 315532800 directory"), "{}", first.stdout);
    assert!(first.stdout.ends_with("alpha\n"));
    spec.variation.reverse_unpack = true;
    let second = go(&spec);
    second.ok();
    assert_eq!(second.stdout, first.stdout);
}

#[test]
fn sandbox_hands_outputs_back_sorted_with_content() {
    let Some(world) = world() else { return };
    let done = world.sh_outputs(
        "mkdir -p out/a out/b; echo 1 >out/a/x; echo 2 >out/a.b; chmod 700 out/a.b; ln out/a/x out/b/y; ln -s ../a/x out/b/l; echo 3 >one; chmod 000 one",
        &["out", "/build/one"],
    );
    done.ok();
    let seen: Vec<_> = done.outputs.iter().map(|(e, _)| format!("{} {} {:o}", e.output, e.path, e.mode)).collect();
    assert_eq!(seen, ["0 . 755", "0 a 755", "0 a.b 700", "0 a/x 644", "0 b 755", "0 b/l 777", "0 b/y 644", "1 . 0"]);
    let content: Vec<_> = done.outputs.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
    assert_eq!(content, ["", "", "2\n", "1\n", "", "", "1\n", "3\n"]);
    let link = |index: usize| match &done.outputs[index].0.kind {
        OutputKind::File { link, size } => (*link, *size),
        other => panic!("{other:?}"),
    };
    assert_eq!(link(3), link(6));
    assert!(link(3).0.is_some() && link(2).0.is_none());
}

#[test]
fn sandbox_stacks_many_lowers_topmost_first() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&[
        "sh",
        "-c",
        "cat /layer; ls /l | wc -l; echo new >/layer; rm /l/3; mv /l/4 /l/z; ls /l | head -3",
    ]);
    let mut lowers = Vec::new();
    for layer in 0..300 {
        world.file(&format!("layers/{layer:03}/layer"), &format!("{layer}\n"));
        world.file(&format!("layers/{layer:03}/l/{layer}"), "");
        lowers.push(world.path(&format!("layers/{layer:03}")));
    }
    lowers.append(&mut spec.lowers);
    spec.lowers = lowers;
    let done = go(&spec);
    done.ok();
    assert_eq!(done.stdout, "0\n300\n0\n1\n10\n");
    assert_eq!(fs::read_to_string(world.path("layers/000/layer")).unwrap(), "0\n", "a lower was written to");
}

#[test]
fn sandbox_shows_binds_read_only() {
    let Some(world) = world() else { return };
    world.file("input/x", "content\n");
    let mut spec = world.spec(&[
        "sh",
        "-c",
        "cat /inputs/dep/x /file; echo y >/inputs/dep/x; echo y >/file; touch /inputs/dep/new; ls /inputs/dep",
    ]);
    spec.binds = vec![bind(world.path("input"), "/inputs/dep"), bind(world.path("input/x"), "/file")];
    let done = go(&spec);
    done.ok();
    assert_eq!(done.stdout, "content\ncontent\nx\n", "{}", done.stderr);
    assert_eq!(done.stderr.matches("Read-only file system").count(), 3, "{}", done.stderr);
}

#[test]
fn sandbox_proc_sys_and_dev_are_the_same_twice() {
    let Some(world) = world() else { return };
    let script = "cd /proc; cat cpuinfo meminfo uptime stat loadavg version cmdline sys/kernel/osrelease \
                  sys/kernel/random/boot_id sys/kernel/random/uuid /sys/devices/system/cpu/online; \
                  md5sum /dev/random; head -c 100 /dev/urandom | od -x; ls -la /dev | grep -v ' 5, ' | sort; \
                  find /sys; cat /etc/passwd; ls -d /proc/[0-9]*; cat /proc/mounts";
    let first = world.sh(script);
    first.ok();
    let second = world.sh(script);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stderr, "");
    let host = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(!first.stdout.contains(host.trim()));
    let path = world.dir.path().to_str().unwrap();
    assert!(!first.stdout.contains(path), "a host path shows:\n{}", first.stdout);
}

#[test]
fn sandbox_variation_changes_what_it_says() {
    let Some(world) = world() else { return };
    let mut spec = world.spec(&["sh", "-c", "echo $$; nproc"]);
    assert!(go(&spec).stdout.starts_with("2\n"));
    spec.variation.pid_offset = 100;
    spec.variation.cpus = Some(1);
    assert_eq!(go(&spec).stdout, "102\n1\n");
    spec.variation.start_after_next_second = true;
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    spec.argv = ["date", "+%s"].map(str::to_owned).to_vec();
    let after: u64 = go(&spec).stdout.trim().parse().unwrap();
    assert!(after > before);
}

#[test]
fn sandbox_addresses_are_fixed() {
    let Some(world) = world() else { return };
    let stack = "grep stack /proc/self/maps | cut -d' ' -f1";
    let (first, second) = (world.sh(stack), world.sh(stack));
    first.ok();
    assert_eq!(first.stdout, second.stdout);
    let mut spec = world.spec(&["sh", "-c", stack]);
    spec.level = Level::Isolated;
    let done = go(&spec);
    assert_ne!(done.stdout, first.stdout);
    assert!(!done.ok().achieved.fixed_addresses);
}

/// `cargo test --release -p selfsame-sandbox --test it start_cost -- --ignored --nocapture`: figures, interleaved.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "a measurement")]
fn sandbox_start_cost() {
    use std::process::{Command, Stdio};
    let Some(world) = world() else { return };
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        let status = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok()
    };
    let root = world.path("root");
    let root = root.to_str().unwrap();
    let bwrap =
        ["--unshare-all", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "/bin/true"];
    let specs = [Level::Isolated, Level::Normalized].map(|level| {
        let mut spec = world.spec(&["/bin/true"]);
        spec.level = level;
        spec
    });
    let true_ = world.path("root/bin/true");
    type Row<'a> = (&'a str, Box<dyn Fn() -> bool + 'a>);
    let mut rows: Vec<Row<'_>> = vec![
        ("clone + exec", Box::new(|| run(true_.to_str().unwrap(), &[]))),
        ("clone + exec of the helper alone", Box::new(|| run(crate::world::HELPER, &[]))),
        ("isolated", Box::new(|| go(&specs[0]).result.is_ok())),
        ("normalized", Box::new(|| go(&specs[1]).result.is_ok())),
    ];
    if run("bwrap", &bwrap) {
        rows.push(("bubblewrap", Box::new(|| run("bwrap", &bwrap))));
    }
    let mut times = vec![Vec::new(); rows.len()];
    for _ in 0..60 {
        for ((_, row), times) in rows.iter().zip(&mut times) {
            let (start, cpu) = (Instant::now(), cpu_of_children());
            assert!(row());
            times.push((start.elapsed(), cpu_of_children() - cpu));
        }
    }
    for ((name, _), mut times) in rows.iter().zip(times) {
        times.sort();
        let wall = (times[0].0, times[30].0);
        times.sort_by_key(|(_, cpu)| *cpu);
        let cpu = (times[0].1, times[30].1);
        eprintln!(
            "{name:<34} wall min {:>8.2?} median {:>8.2?}  cpu min {:>8.2?} median {:>8.2?}",
            wall.0, wall.1, cpu.0, cpu.1
        );
    }
}

/// User and system time of all children that were waited for, which contention leaves alone.
#[expect(unsafe_code, reason = "rustix does not wrap getrusage")]
fn cpu_of_children() -> std::time::Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel fills the structure, which is plain data.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let of = |time: libc::timeval| std::time::Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}
