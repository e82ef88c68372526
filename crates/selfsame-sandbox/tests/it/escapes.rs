//! Ways out, each of which must be shut.

use std::fs;
use std::process::Command;

use selfsame_sandbox::Level;

use crate::world::{World, bind, go, skip, world};

/// What each attempt of `forbidden.c` must say. Order and all.
const REFUSALS: &str = "\
ptrace init: EPERM
ptrace self: EPERM
process_vm_readv: EPERM
prlimit init: EPERM
init memory: EACCES
init root: EACCES
init environment: EACCES
kill init: DONE
unshare user: EPERM
unshare mount: EPERM
clone user: EPERM
clone3: ENOSYS
setns: EPERM
mount: EPERM
umount: EPERM
chroot: EPERM
clock_settime: EPERM
sethostname: EPERM
setuid 0: EINVAL
setgid 0: EINVAL
keyctl: EPERM
bpf: EPERM
io_uring: ENOSYS
perf: EPERM
userfaultfd: EPERM
open_by_handle_at: EPERM
syslog: EPERM
personality: EPERM
randomise: EPERM
set-id chmod: EPERM
set-id create: EPERM
mknod: EPERM
vsock: EAFNOSUPPORT
packet: EAFNOSUPPORT
raw: EPERM
kernel netlink: EAFNOSUPPORT
connect: ENETUNREACH
sysrq: EROFS
core pattern: EROFS
kcore: EIO
capabilities: EPERM
no_new_privs: EPERM
";

/// Puts the program of `forbidden.c` into the root, if there is a compiler for it.
pub(crate) fn forbidden(world: &World) -> bool {
    compiled(world, "forbidden")
}

/// The same for another program beside it.
pub(crate) fn compiled(world: &World, name: &str) -> bool {
    let source = format!("{}/tests/it/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let made =
        Command::new("cc").args(["-static", "-o"]).arg(world.path(&format!("root/bin/{name}"))).arg(source).status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        skip("cc -static does not work here");
    }
    made
}

/// The device nodes are the host's own, and root is their owner inside and out.
#[test]
fn sandbox_devices_cannot_be_changed() {
    use std::os::unix::fs::MetadataExt;
    let Some(world) = world() else { return };
    let seen = || {
        let stat = |name: &&str| fs::metadata(format!("/dev/{name}")).map(|stat| (stat.mode(), stat.mtime())).unwrap();
        ["null", "zero", "full", "random", "urandom"].iter().map(stat).collect::<Vec<_>>()
    };
    let before = seen();
    for level in [Level::Isolated, Level::Normalized] {
        // The mode that it has: a sandbox that lets this through is found by `touch`, and the host stays whole.
        let script = "for name in null zero full random urandom; do \
            chmod 666 /dev/$name 2>/tmp/e && echo changed $name; touch -d @1 /dev/$name 2>/tmp/e && echo touched $name; \
            done; echo written >/dev/null && head -c 3 /dev/zero | wc -c";
        let mut spec = world.spec(&["sh", "-c", script]);
        spec.level = level;
        let done = go(&spec);
        done.ok();
        assert_eq!(done.stdout.trim(), "3", "{level:?}");
    }
    assert_eq!(seen(), before);
}

#[test]
fn sandbox_refuses_what_leads_out() {
    let Some(world) = world() else { return };
    if !forbidden(&world) {
        return;
    }
    for level in [Level::Isolated, Level::Normalized] {
        let mut spec = world.spec(&["forbidden"]);
        spec.level = level;
        let done = go(&spec);
        done.ok();
        // Init ignores the signal: a kill that "worked" and a command that went on. Not every kernel has a sysrq file,
        // and who is not root on the host is refused before anything else.
        let seen = done.stdout.replace("sysrq: ENOENT", "sysrq: EROFS");
        let seen = seen.replace("core pattern: EACCES", "core pattern: EROFS");
        assert_eq!(seen, REFUSALS, "level {level}");
    }
}

#[test]
fn sandbox_has_only_a_loopback_interface() {
    let Some(world) = world() else { return };
    let done = world.sh("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; ifconfig lo | grep -c 'UP LOOPBACK'; \
                         (echo ping | nc -l -p 9999 &) ; sleep 0.2; nc 127.0.0.1 9999 </dev/null");
    done.ok();
    assert_eq!(done.stdout, "lo\n1\nping\n");
}

#[test]
fn sandbox_shows_no_file_of_the_host() {
    let Some(world) = world() else { return };
    world.file("secret", "secret\n");
    let secret = world.path("secret");
    let secret = secret.to_str().unwrap();
    let done = world.sh(&format!(
        "cat {secret}; cat ../../../../../../../..{secret}; cat /proc/self/root{secret}; cat /proc/1/root{secret}; \
         ln -s {secret} l; cat l; ls /; ls /proc/1/fd /proc/1/cwd; ls /home /root /var"
    ));
    assert!(!done.stdout.contains("secret"), "{}", done.stdout);
    assert!(done.stdout.starts_with("bin\nbuild\ndev\netc\nproc\nsys\ntmp\n"), "{}", done.stdout);
    done.outcome();
}

#[test]
fn sandbox_keeps_writes_inside() {
    let Some(world) = world() else { return };
    let done = world.sh(
        "echo x >/bin/new; echo x >>/bin/busybox; rm -r /bin/ls; mkdir /etc/x; echo 127.0.0.1 y >>/etc/hosts; \
         for f in /dev/new /sys/new /proc/new /proc/sys/kernel/hostname /dev/urandom; do echo x >$f && echo wrote $f; done; \
         chmod 777 /dev/urandom && echo changed; echo x >/dev/null && echo null",
    );
    done.ok();
    assert_eq!(done.stdout, "null\n");
    let mut names: Vec<_> = fs::read_dir(world.path("root")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["bin"], "something was written to a lower folder");
    assert!(!world.path("root/bin/new").exists());
    assert!(world.path("root/bin/ls").is_symlink());
    assert_eq!(fs::read_dir(world.path("scratch")).unwrap().count(), 0);
}

#[test]
fn sandbox_places_nothing_through_a_link_of_the_root() {
    let Some(world) = world() else { return };
    // A root whose /build and /inputs lead out of it.
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, world.path("root/inputs")).unwrap();
    let file = world.file("a", "placed\n");
    let mut spec = world.spec(&["sh", "-c", "cat /inputs/a; readlink /inputs"]);
    spec.placements =
        vec![crate::world::placement("inputs/a", selfsame_sandbox::PlacementKind::File { from: file }, 0o644, 0)];
    let done = go(&spec);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{done:?}");
    // The same for a bind.
    let mut spec = world.spec(&["true"]);
    spec.binds = vec![bind(world.path("scratch"), "/inputs/b")];
    let done = go(&spec);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{done:?}");
}

#[test]
fn sandbox_kills_what_stays_behind() {
    let Some(world) = world() else { return };
    // A marker that no other test uses, to look for among the processes of the host.
    let daemon = "trap '' TERM HUP INT; sleep 98.7654 & : >/build/up; wait";
    let done = world.sh(&format!("setsid sh -c \"{daemon}\" >/dev/null 2>&1 & until [ -e up ]; do sleep 0.01; done"));
    assert_eq!(done.ok().leftovers, 2);
    assert!(!runs_on_host("98.7654"));
}

/// Whether some process of the host has this in its command line.
pub(crate) fn runs_on_host(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|line| line.split(|byte| *byte == 0).any(|word| word == marker.as_bytes()))
}
