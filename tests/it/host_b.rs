//! Locked on one host, built on another one that has another distribution's userland, an empty store, no network and the
//! files of the checkout: the same image.
//!
//! The other userland is Debian 13's C library with BusyBox, and nothing else: no compiler, no git, no dpkg, no cargo, no
//! certificates. Tier `network`, where `SELFSAME_REQUIRE` names it: both hosts' packages come from Debian.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use selfsame_testing::{Output, TestEnv, Tier, require};

use crate::world::{SELFSAME, can_be, sandboxed};

/// A run that is this slow hangs.
const DEADLINE: Duration = Duration::from_secs(1200);

/// What host B consists of.
const USERLAND: &str = "--include=libc6,libgcc-s1,busybox-static";
const SUITE: &str = "trixie";

/// Makes a folder the root of a machine of its own, with this kernel's `/proc`, `/dev` and `/sys`. Not by chroot: in one,
/// nobody may make namespaces, which sandboxes are made of.
const ENTER: &str = r#"
root=$1; shift
mount --rbind "$root" "$root"
for name in proc dev sys; do mount --rbind "/$name" "$root/$name"; done
mount --rbind "$SHARED" "$root/shared"
cd "$root"; pivot_root . old
exec /usr/bin/busybox sh -euc 'cd /work; busybox umount -l /old; exec busybox env -i PATH=/usr/bin HOME=/home TZ=UTC "$@"' sh "$@"
"#;

/// The other host.
struct HostB<'a> {
    env: &'a TestEnv,
    root: PathBuf,
    shared: PathBuf,
}

impl<'a> HostB<'a> {
    fn new(env: &'a TestEnv, shared: &Path) -> Self {
        let root = env.at("host-b");
        let made = Command::new("mmdebstrap")
            .args(["--quiet", "--variant=extract", USERLAND, SUITE])
            .arg(&root)
            .stdin(Stdio::null())
            .output()
            .expect("mmdebstrap was there a moment ago");
        assert!(made.status.success(), "mmdebstrap: {}", String::from_utf8_lossy(&made.stderr));
        for (name, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            std::os::unix::fs::symlink(target, root.join(name)).expect("a link");
        }
        for name in ["proc", "dev", "sys", "old", "shared", "work", "home/.config/selfsame"] {
            fs::create_dir_all(root.join(name)).expect("a folder");
        }
        fs::copy(SELFSAME, root.join("usr/bin/selfsame")).expect("the program");
        let origins = "[store]\nremote = \"/shared\"\n";
        fs::write(root.join("home/.config/selfsame/origins.toml"), origins).expect("a file");
        Self { env, root, shared: shared.to_owned() }
    }

    /// Runs a program there, in `/work`, with no network.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("unshare");
        command.args(["-Urm", "--net", "sh", "-euc", ENTER, "sh"]).arg(&self.root).args(arguments);
        command.env("SHARED", &self.shared).stdin(Stdio::null());
        self.env.run(command)
    }
}

fn asked() -> Result<(), String> {
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    let asked = required.split(',').any(|tier| matches!(tier.trim(), "network" | "all"));
    let tool = |name: &str| Command::new(name).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match asked {
        false => Err("SELFSAME_REQUIRE does not name it".to_owned()),
        true => ["mmdebstrap", "pivot_root", "git"].into_iter().try_for_each(|name| match tool(name) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("no `{name}`: {error}")),
        }),
    }
}

#[test]
fn network_a_lock_of_host_a_makes_the_same_image_on_host_b() {
    if !require(Tier::Network, asked()) || !can_be("exec \"$@\"") {
        return;
    }
    let Some(mut a) = sandboxed() else { return };
    a.set_deadline(DEADLINE);
    // Host A: packages of Debian 12, a file that no other machine has, and a shared folder for all of it.
    let shared = a.at("shared");
    fs::create_dir_all(a.at("home/.config/selfsame")).expect("a folder");
    fs::create_dir(&shared).expect("a folder");
    let origins = format!("[store]\nremote = \"{}\"\nshare = \"all\"\n", shared.display());
    fs::write(a.at("home/.config/selfsame/origins.toml"), origins).expect("a file");
    fs::write(a.at("greeting.h"), "#define GREETING \"hello from a\"\n").expect("a file");
    a.write("hello.c", "#include <stdio.h>\n#include \"greeting.h\"\nint main(void) { puts(GREETING); return 0; }\n");
    a.write(
        "selfsame.toml",
        r#"name = "hello"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[toolchain.gcc]
deb = ["gcc", "libc6-dev"]
suite = "bookworm"

[input.greeting]
file = "../greeting.h"

[[action]]
name = "compile"
run = ["gcc", "-O2", "-static", "-I/inputs/greeting", "-o", "hello", "hello.c"]
inputs = ["source", "greeting"]
outputs = ["hello"]

[image]
entrypoint = ["/hello"]

[[image.file]]
from = "compile:hello"
to = "/hello"
"#,
    );
    a.git_init();
    a.selfsame(["lock"]).succeeds().says("share ").says("obtainable elsewhere: all ");
    a.git(["add", "-A"]);
    a.git_commit("locked");
    let built = a.selfsame(["build", "--dev-key", "--locked", "--json", "-o", "../a.release"]);
    let image_a = built.succeeds().json()["image"].clone();

    let b = HostB::new(&a, &shared);
    // Its own C library, and nothing to build with.
    let says = b.run(&["sh", "-c", "/lib64/ld-linux-x86-64.so.2 --version; for t in gcc cc git dpkg apt-get cargo curl; do command -v $t; done; true"]);
    let libc = says.succeeds().stdout.lines().next().unwrap_or_default().to_owned();
    assert!(libc.contains("GLIBC 2.4"), "another C library than Debian 12's 2.36: {libc}");
    assert_eq!(says.stdout.lines().filter(|line| line.starts_with('/')).count(), 0, "{}", says.stdout);
    // The files of a checkout: what a pipeline without git unpacks.
    let archive = a.at("checkout.tar");
    a.git(["archive".as_ref(), "-o".as_ref(), archive.as_os_str(), "HEAD".as_ref()]);
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(b.root.join("work")).status();
    assert!(unpacked.expect("tar runs").success());
    let built = b.run(&["selfsame", "build", "--dev-key", "--locked", "--offline", "--json", "-o", "/b.release"]);
    built.succeeds().says("from the shared store");
    assert_eq!(built.json()["image"], image_a, "host B made another image");

    // Host B judges and repeats host A's release, too, which carries none of its packages.
    fs::copy(a.at("home/.local/share/selfsame/dev.pub"), b.root.join("a.pub")).expect("a key");
    let copied = Command::new("cp").arg("-r").arg(a.at("a.release")).arg(b.root.join("a.release")).status();
    assert!(copied.expect("cp runs").success());
    b.run(&["selfsame", "verify", "/a.release", "--key", "/a.pub"]).succeeds();
    fs::remove_dir_all(b.root.join("home/.local/share/selfsame/store")).expect("the store of host B");
    let again = b.run(&["selfsame", "rebuild-verify", "/a.release", "--key", "/a.pub", "--no-host", "--offline"]);
    again.succeeds().says("from the shared store");
    assert!(again.stdout.starts_with("same: "), "{}", again.stdout);
}
