//! Machines that are not like this one: a masked `/proc`, calls that a filter refuses, a container.

use std::fs;
use std::path::Path;
use std::process::Command;

use selfsame_testing::{Tier, Variation, require};

use crate::world::{
    DEV_KEY, RELEASE, SELFSAME, assert_nothing_left, assert_store_intact, can_be, empty, on_a_machine, recorded, shown,
    verify,
};

#[test]
fn sandbox_a_masked_proc_is_done_without_only_by_name() {
    let Some(env) = recorded() else { return };
    let script = "mount --bind /dev/null /proc/version && exec \"$@\"";
    if !can_be(script) {
        return;
    }
    let refused = on_a_machine(&env, script, &["build", "--dev-key", "--no-cache"]);
    insta::assert_snapshot!(shown(&refused), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: no sandbox at level `normalized`: the host refuses a fresh /proc mount: operation not permitted
      Nothing was built: a weaker sandbox is never taken in silence.

    hint: `selfsame doctor` says what this machine needs for level `normalized`, line by line
    hint: or name the exception, for everybody to read: `--relax proc --reason TEXT`
    ");
    assert_nothing_left(&env);
    let doctor = on_a_machine(&env, script, &["doctor"]);
    assert!(doctor.exits(1).stdout.contains("--relax proc --reason"), "{}", doctor.stdout);

    let relaxed = ["build", "--dev-key", "--relax", "proc", "--reason", "the CI masks it"];
    on_a_machine(&env, script, &relaxed).succeeds();
    assert_store_intact(&env);
    let inspected = env.selfsame(["inspect", RELEASE.trim_start_matches("project/"), "--json"]);
    let provenance = &inspected.succeeds().json()["predicates"]["https://slsa.dev/provenance/v1"];
    let relaxations = &provenance["buildDefinition"]["externalParameters"]["relaxations"];
    assert!(relaxations.to_string().contains("the CI masks it") && relaxations.to_string().contains("proc"));
    let builder = provenance["runDetails"]["builder"]["id"].as_str().expect("a builder id");
    assert!(builder.ends_with("/relaxed"), "{builder}");
    // Whoever verifies has to name it, too.
    let verdict = verify(&env, RELEASE);
    insta::assert_snapshot!(shown(&verdict).lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    exit 1
    --- stdout
    not verified: the build used other relaxations than those accepted
    ");
    let key = env.at(DEV_KEY).display().to_string();
    let with = |expected: &str| {
        env.selfsame(["verify", "probe-1.0.0.release", "--key", &key, "--expect", &format!("relaxations={expected}")])
    };
    with("proc").succeeds();
    with("aslr").exits(1);

    // A name that does not exist, and no reason.
    env.selfsame(["build", "--dev-key", "--relax", "prco", "--reason", "x"])
        .exits(2)
        .says("there is no relaxation `prco`");
    env.selfsame(["build", "--dev-key", "--relax", "proc", "--reason", " "]).exits(2).says("has no reason");
}

#[test]
fn sandbox_a_container_filter_is_named() {
    let Some(env) = recorded() else { return };
    let blocked = env.at("blocked");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../selfsame-sandbox/tests/it/blocked.c");
    let made = Command::new("cc").arg(source).arg("-o").arg(&blocked).output();
    let ability = match made {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("cc: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no C compiler: {error}")),
    };
    if !require(Tier::Sandbox, ability) {
        return;
    }
    let under = |call: &str, arguments: &[&str]| {
        let program = env.command(&Variation::default(), arguments);
        let mut command = Command::new(&blocked);
        command.arg(call).arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(env.project());
        env.run(command)
    };
    insta::assert_snapshot!(shown(&under("unshare", &["build", "--dev-key", "--no-cache"])), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: no sandbox at level `normalized`: the host refuses a user namespace: operation not permitted
      Nothing was built: a weaker sandbox is never taken in silence.

    hint: `selfsame doctor` says what this machine needs for level `normalized`, line by line
    ");
    insta::assert_snapshot!(shown(&under("personality", &["build", "--dev-key", "--no-cache"])), @r"
    exit 2
    --- stderr
        source 2 files, [N] bytes, epoch [TIME]
    error: no sandbox at level `normalized`: the host refuses fixed addresses (personality): operation not permitted
      Nothing was built: a weaker sandbox is never taken in silence.

    hint: `selfsame doctor` says what this machine needs for level `normalized`, line by line
    hint: or name the exception, for everybody to read: `--relax aslr --reason TEXT`
    ");
    assert_nothing_left(&env);
    under("personality", &["build", "--dev-key", "--no-cache", "--relax", "aslr", "--reason", "filtered"]).succeeds();
    assert_store_intact(&env);
}

/// Every file that a program is loaded with, by `ldd`, and the program itself.
fn with_libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output).into_owned();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned);
    paths.chain([program.display().to_string()]).collect()
}

#[test]
fn inside_podman_it_builds_or_says_how() {
    let env = empty();
    let podman = || Command::new("podman").args(["info", "--format", "{{.Host.Security.Rootless}}"]).output();
    let ability = match podman() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("podman: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no `podman`: {error}")),
    };
    if !require(Tier::Foreign, ability) {
        return;
    }
    // A root file system of this machine's own folders, and of the program with its libraries where it is linked so.
    let root = env.at("container");
    for folder in ["usr", "bin", "lib", "lib64", "etc", "proc", "sys", "dev", "tmp", "run", "job"] {
        fs::create_dir_all(root.join(folder)).expect("a folder of the container");
    }
    env.write("seed", "a seed\n");
    crate::world::define(&env, "cat seed > out", "");
    let run = |runtime: &[&str], options: &[&str], script: &str| {
        let mut command = Command::new("podman");
        command.args(runtime).args(["run", "--rm", "--rootfs", "--network", "none", "--tmpfs", "/tmp:exec"]);
        // Its defaults may be more than the user who runs the tests may have.
        command.args(["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000"]);
        for folder in ["/usr", "/bin", "/lib", "/lib64"] {
            if Path::new(folder).exists() {
                command.args(["-v", &format!("{folder}:{folder}:ro")]);
            }
        }
        command.args(["-v", &format!("{SELFSAME}:/job/selfsame:ro")]);
        command.args(["-v", &format!("{}:/job/project", env.project().display())]);
        command.args(["-e", "HOME=/tmp/home", "-e", "SELFSAME_STORE=/tmp/store", "-w", "/job/project"]);
        command.args(options).arg(&root).args(["/bin/sh", "-euc", script]);
        command.current_dir(env.root());
        env.run(command)
    };
    let runtimes: [&[&str]; 2] = [&[], &["--runtime", "runc"]];
    let runtime = runtimes.into_iter().find(|runtime| run(runtime, &[], "echo started").code == 0).unwrap_or_default();
    let inside = |options: &[&str], script: &str| run(runtime, options, script);
    let started = inside(&[], "echo started");
    let libraries = with_libraries(Path::new(SELFSAME));
    let reachable =
        |path: &String| ["/usr/", "/bin/", "/lib"].iter().any(|folder| path.starts_with(folder)) || path == SELFSAME;
    let ability = match () {
        () if started.code != 0 => Err(format!("podman cannot run a container here: {}", started.stderr.trim())),
        () if !libraries.iter().all(reachable) => Err(format!("the program needs more than /usr: {libraries:?}")),
        () => Ok(()),
    };
    if !require(Tier::Foreign, ability) {
        return;
    }

    // Podman's own filter and masks: `doctor` says what is in the way, with a line to paste, and nothing is built.
    let doctor = inside(&[], "/job/selfsame doctor");
    assert!(doctor.stdout.contains("a Podman container"), "{}{}", doctor.stdout, doctor.stderr);
    let build = inside(&[], "/job/selfsame build --dev-key -o /job/project/in.release");
    if doctor.code == 0 {
        build.succeeds();
        fs::remove_dir_all(env.at("project/in.release")).expect("the release");
    } else {
        assert!(doctor.stdout.contains("--security-opt"), "no remedy: {}", doctor.stdout);
        build.exits(2).says("`selfsame doctor` says what this machine needs");
        assert!(!env.at("project/in.release").exists());
    }
    // With what it says, it builds.
    let options = ["--security-opt", "seccomp=unconfined", "--security-opt", "unmask=ALL"];
    let script = "/job/selfsame doctor --ci && /job/selfsame build --dev-key -o /job/project/in.release &&
        cp /tmp/home/.local/share/selfsame/dev.pub /job/project/";
    inside(&options, script).succeeds();
    // And what was built there is verified here.
    let key = env.at("project/dev.pub").display().to_string();
    env.selfsame(["verify", "in.release", "--key", &key]).succeeds();
    assert!(!env.at(DEV_KEY).exists(), "the container wrote outside");
}
