//! The examples and toolchains that stand on `selfsame.lock` alone: built from the lock that is committed, checked, built
//! again from their capsule and nothing else, and run.
//!
//! Tier `network`, and only where `SELFSAME_REQUIRE` names it: they bring some hundred MiB of packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selfsame_testing::{TestEnv, Tier, require};
use serde_json::Value;

use crate::contract;
use crate::examples::{Keys, assert_capsule_rebuilds, assert_same, root, two_worlds};
use crate::world::{DEV_KEY, empty, sandboxed, verify};

/// A run of a program that is this slow hangs.
const DEADLINE: Duration = Duration::from_secs(3000);

/// The projects with a committed lock, by their folders.
const LOCKED: [&str; 13] = [
    "examples/c-on-debian",
    "examples/debian-service",
    "examples/go-platforms",
    "examples/go-static",
    "examples/node-service",
    "examples/python-service",
    "examples/rust-on-debian",
    "examples/site-on-pulled-base",
    "toolchains/busybox",
    "toolchains/gcc",
    "toolchains/go",
    "toolchains/node",
    "toolchains/python",
];

/// Copies of all examples and toolchains, side by side as in the repository.
fn copies(env: &TestEnv) {
    for folder in ["examples", "toolchains"] {
        for project in fs::read_dir(root().join(folder)).expect("the examples") {
            let project = project.expect("an entry").path();
            if !project.is_dir() {
                continue;
            }
            let target = env.at(folder).join(project.file_name().expect("a name"));
            fs::create_dir_all(&target).expect("a new folder");
            for entry in fs::read_dir(&project).expect("a project") {
                let entry = entry.expect("an entry");
                // Releases are folders.
                if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    fs::copy(entry.path(), target.join(entry.file_name())).expect("a copy");
                }
            }
        }
    }
}

/// The same in a world with the machine's network and cargo, where these tests are asked for.
#[track_caller]
fn world() -> Option<TestEnv> {
    if !require(Tier::Network, asked()) {
        return None;
    }
    let mut env = sandboxed()?;
    env.set_deadline(DEADLINE).use_machine_cargo();
    copies(&env);
    Some(env)
}

fn asked() -> Result<(), String> {
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    let asked = required.split(',').any(|tier| matches!(tier.trim(), "network" | "all"));
    asked.then_some(()).ok_or_else(|| "SELFSAME_REQUIRE does not name it".to_owned())
}

/// Builds a project from its lock and holds the release against everything that needs no second machine.
#[track_caller]
fn build(env: &TestEnv, project: &str) -> PathBuf {
    let name = project.replace('/', "-");
    let release = env.at(&name);
    let words = ["build", "--dev-key", "--no-check", "--locked", "--capsule", "-o"].map(PathBuf::from);
    env.selfsame(words.into_iter().chain([release.clone(), env.at(project)])).succeeds();
    verify(env, &name).succeeds();
    contract::validate_sbom(env, &release);
    assert_capsule_rebuilds(&release, &env.at(DEV_KEY));
    release
}

/// The purls that begin so, of what the SBOM says that is shipped.
fn purls(env: &TestEnv, release: &Path, start: &str) -> Vec<String> {
    let sbom = env.selfsame([PathBuf::from("sbom"), release.to_owned()]).succeeds().json();
    let mut purls: Vec<String> = sbom["components"]
        .as_array()
        .expect("components")
        .iter()
        .filter_map(|component| component["purl"].as_str())
        .filter(|purl| purl.starts_with(start))
        .map(str::to_owned)
        .collect();
    purls.sort();
    purls
}

#[test]
fn committed_locks_answer_their_definitions_and_name_no_place() {
    let env = empty();
    copies(&env);
    for project in LOCKED {
        let lock = env.read(Path::new(project).join("selfsame.lock"));
        assert!(!lock.contains("://"), "{project}: an address in the lock");
        for word in lock.split(['"', ' ', ',']) {
            let place = ["org", "com", "net", "io", "dev"].iter().any(|end| word.ends_with(&format!(".{end}")));
            assert!(!place, "{project}: `{word}` in the lock");
        }
        let check = ["lock", "--check", "--offline"].map(PathBuf::from).into_iter().chain([env.at(project)]);
        env.selfsame(check).succeeds();
    }
}

#[test]
fn network_c_on_debian_builds_from_its_lock_and_again_from_itself() {
    let Some(env) = world() else { return };
    let release = build(&env, "examples/c-on-debian");
    if let Some(said) = contract::run_image(&env, &release, "c-on-debian:1.0.0", &["/hello"]) {
        assert_eq!(said, "hello, world\n");
    }
}

/// Maintainer scripts as root of the host and as somebody with subordinate ids, on another disk, under another umask, with
/// one CPU: one release. What they made is what dpkg would have made, and the image says so itself.
#[test]
fn network_debian_service_is_configured_to_one_release_in_two_worlds() {
    if !require(Tier::Network, asked()) {
        return;
    }
    let mapper = ["/usr/bin/newuidmap", "/etc/subuid", "/etc/subgid"].into_iter().find(|it| !Path::new(it).exists());
    if !require(Tier::Sandbox, mapper.map_or(Ok(()), |it| Err(format!("`{it}` is missing (package uidmap)")))) {
        return;
    }
    let keys = Keys::new();
    let Some((usual, mut other)) = two_worlds(4096, &keys) else { return };
    let project = usual.copy_example("debian-service", "service");
    let far = other.copy_example("debian-service", "a longer path/with spaces/service");
    other.give_to_somebody();
    let release = usual.build(&project, "release", &["--capsule", "--locked"]);
    assert_same(&release, &other.build_with_ids(&far, "release", &["--capsule", "--locked"]));
    contract::validate_sbom(&usual.env, &release.folder);
    assert_capsule_rebuilds(&release.folder, &keys.public());
    let provenance = ["inspect", "--json"].map(PathBuf::from).into_iter().chain([release.folder.clone()]);
    let told = usual.env.selfsame(provenance).succeeds().json().to_string();
    for part in ["base.configure", "\"machine-id\"", "\"dpkg-backups\""] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let said = |argv: &[&str]| contract::run_image(&usual.env, &release.folder, "debian-service:1.0.0", argv);
    if let Some(said) = said(&["/usr/bin/python3", "/srv/report.py"]) {
        assert_eq!(said, "True, True, /nonexistent\n");
    }
    for words in [["/usr/bin/dpkg", "--audit"], ["/usr/bin/dpkg", "--verify"]] {
        assert!(said(&words).is_none_or(|said| said.is_empty()), "{words:?}");
    }
}

#[test]
fn network_go_builds_for_here_and_for_another_processor() {
    let Some(env) = world() else { return };
    let release = build(&env, "examples/go-static");
    if let Some(said) = contract::run_image(&env, &release, "go-static:1.0.0", &["/hello", "--version"]) {
        assert!(said.starts_with("hello 1.0.0 linux/"), "{said}");
    }
    let release = build(&env, "examples/go-platforms");
    // The machine of a program as its ELF header names it.
    for (arch, machine) in [("amd64", [62, 0]), ("arm64", [183, 0])] {
        let Some(layout) = contract::one_platform(&env, &release, "go-platforms:1.0.0", arch) else { return };
        let config = contract::image_config(&layout);
        assert_eq!((&config["os"], &config["architecture"]), (&"linux".into(), &arch.into()));
        if let Some(bundle) = contract::unpack_image(&env, &layout, "go-platforms:1.0.0") {
            let program = fs::read(bundle.path().join("bundle/rootfs/hello")).expect("the program");
            assert_eq!(program[..6], *b"\x7fELF\x02\x01", "64 bits, little-endian");
            assert_eq!(program[18..20], machine, "{arch}");
        }
    }
}

#[test]
fn network_node_service_installs_what_its_lock_pins() {
    let Some(env) = world() else { return };
    let release = build(&env, "examples/node-service");
    let text = env.read("examples/node-service/package-lock.json");
    let lock: Value = serde_json::from_str(&text).expect("JSON");
    let packages = lock["packages"].as_object().expect("packages").iter().filter(|(path, _)| !path.is_empty());
    let mut pinned: Vec<String> = packages
        .map(|(path, package)| {
            let name = path.rsplit("node_modules/").next().expect("a name").replace('@', "%40");
            format!("pkg:npm/{name}@{}", package["version"].as_str().expect("a version"))
        })
        .collect();
    pinned.sort();
    pinned.dedup();
    assert_eq!(purls(&env, &release, "pkg:npm/"), pinned);
    let program = "require('/srv/node_modules/express'); console.log(process.version)";
    let node = ["/usr/local/bin/node", "-e", program];
    if let Some(said) = contract::run_image(&env, &release, "node-service:1.0.0", &node) {
        assert_eq!(said, "v22.20.0\n");
    }
}

/// Another user, umask, time zone, locale, CPU count, machine name and file system; see `examples.rs`.
#[test]
fn network_python_service_is_one_release_in_two_worlds_and_again_from_itself() {
    if !require(Tier::Network, asked()) {
        return;
    }
    let keys = Keys::new();
    let Some((usual, mut other)) = two_worlds(4096, &keys) else { return };
    let project = usual.copy_example("python-service", "service");
    let far = other.copy_example("python-service", "a longer path/with spaces/service");
    other.give_to_somebody();
    let release = usual.build(&project, "release", &["--capsule", "--locked"]);
    assert_same(&release, &other.build(&far, "release", &["--capsule", "--locked"]));
    contract::validate_sbom(&usual.env, &release.folder);
    let pinned = fs::read_to_string(project.join("requirements.txt")).expect("the requirements");
    let pinned = pinned.lines().filter_map(|line| line.split_once("=="));
    let mut pinned: Vec<String> =
        pinned.map(|(name, rest)| format!("pkg:pypi/{name}@{}", rest.split(' ').next().expect("a version"))).collect();
    pinned.sort();
    let stated = purls(&usual.env, &release.folder, "pkg:pypi/");
    let mut stated: Vec<&str> = stated.iter().map(|purl| purl.split('?').next().expect("a purl")).collect();
    stated.dedup();
    assert_eq!(stated, pinned);
    let program = "import sys; sys.path[:0] = ['/srv/site', '/srv']\n\
                   import app; print(app.app.test_client().get('/').text, end='')";
    let python = ["/usr/bin/python3", "-c", program];
    if let Some(said) = contract::run_image(&usual.env, &release.folder, "python-service:1.0.0", &python) {
        assert_eq!(said, "hello from markupsafe._speedups");
    }
    assert_capsule_rebuilds(&release.folder, &keys.public());
}

#[test]
fn network_a_base_that_was_built_here_compiles_and_carries() {
    let Some(env) = world() else { return };
    let gcc = build(&env, "toolchains/gcc");
    let program = "echo 'int main(void) { return 42; }' > probe.c && gcc -o probe probe.c && { ./probe; echo $?; }";
    if let Some(said) = contract::run_image(&env, &gcc, "gcc:12.2", &["/bin/sh", "-c", program]) {
        assert_eq!(said, "42\n");
    }
    let busybox = build(&env, "toolchains/busybox");
    let shell = ["/bin/sh", "-c", "echo 41 | tr 1 2"];
    if let Some(said) = contract::run_image(&env, &busybox, "busybox:1.35", &shell) {
        assert_eq!(said, "42\n");
    }
    // Where the example looks for them.
    for (release, place) in
        [(gcc, "toolchains/gcc/gcc-12.2.release"), (busybox, "toolchains/busybox/busybox-1.35.release")]
    {
        fs::rename(release, env.at(place)).expect("the release in its place");
    }
    env.selfsame([PathBuf::from("lock"), env.at("examples/c-on-own-base")]).succeeds();
    let release = build(&env, "examples/c-on-own-base");
    let shell = ["/bin/sh", "-c", "hello; echo $?"];
    if let Some(said) = contract::run_image(&env, &release, "c-on-own-base:1.0.0", &shell) {
        assert_eq!(said, "hello, world\n0\n");
    }
}

/// The commands of its README, as they stand there, with the port of a registry that the test started.
#[test]
fn network_a_base_that_is_pulled_by_the_lines_of_its_page() {
    let Some(mut env) = world() else { return };
    let registry = match selfsame_testing::registry::Registry::docker() {
        Ok(registry) => registry,
        Err(why) => {
            let _ = require(Tier::Foreign, Err(why));
            return;
        }
    };
    let project = "examples/site-on-pulled-base";
    let here = |text: String| text.replace("127.0.0.1:5000", &registry.address().to_string());
    for file in ["README.md", "origins.toml"] {
        let path = env.at(project).join(file);
        fs::write(&path, here(fs::read_to_string(&path).expect("a file of the example"))).expect("a file");
    }
    let page = env.read(format!("{project}/README.md"));
    let blocks = commands_of(&page);
    let [start, commands, run] = blocks[..] else { panic!("three blocks of commands: {page}") };
    assert!(start.contains("docker-registry serve") && run.contains("podman run"), "{page}");
    // Another store than the one in which the base was built: its blobs come from the registry alone.
    let moved = commands.replace("export ", &format!("export SELFSAME_STORE='{}'; export ", env.at("other").display()));
    let output = run_pasted(&mut env, &moved);
    assert!(output.stdout.contains("busybox (oci): 4 of 4 can be had"), "{}", output.stdout);
    let release = env.at("site.release");
    if let Some(said) = contract::run_image(&env, &release, "site:1.0.0", &["/bin/cat", "/srv/index.html"]) {
        assert!(said.contains("hello, world"), "{said}");
    }
}

/// The page for newcomers, line by line.
#[test]
fn network_the_first_project_ends_with_a_release_that_is_the_same_again() {
    let Some(mut env) = world() else { return };
    let page = fs::read_to_string(root().join("docs/first-project.md")).expect("the page");
    let lines: String = commands_of(&page).into_iter().filter(|block| !block.contains("podman")).collect();
    let name = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
    name.into_iter().for_each(|name| _ = env.set(name, "a@example.org"));
    let output = run_pasted(&mut env, &lines);
    let said: Vec<&str> = output.stdout.lines().collect();
    assert!(said.iter().any(|line| line.starts_with("verified: ")), "{}", output.stdout);
    assert!(said.iter().any(|line| line.starts_with("same: ")), "{}", output.stdout);
    assert_eq!(said.last(), Some(&"as it should be"), "{}", output.stdout);
    let release = env.at("hello-1.0.0.release");
    if let Some(said) = contract::run_image(&env, &release, "hello:1.0.0", &["/hello"]) {
        assert_eq!(said, "hello, world\n");
    }
}

/// The commands of a page, block by block.
fn commands_of(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Runs lines as a newcomer pastes them, with the program on the path.
#[track_caller]
fn run_pasted(env: &mut TestEnv, lines: &str) -> selfsame_testing::Output {
    let folder = Path::new(crate::world::SELFSAME).parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    env.set("PATH", format!("{folder}:{path}"));
    let mut shell = env.command(&selfsame_testing::Variation::default(), [""; 0]);
    let variables: Vec<_> =
        shell.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    shell = std::process::Command::new("sh");
    shell.args(["-euc", lines]).env_clear().current_dir(env.root()).stdin(std::process::Stdio::null());
    shell.envs(variables.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let output = env.run(shell);
    output.succeeds();
    output
}

#[test]
fn network_bases_of_languages_run_them() {
    let Some(env) = world() else { return };
    let release = build(&env, "toolchains/python");
    let program = "import ctypes, json, sqlite3, ssl, sys, zlib; print(sys.version_info[:2])";
    if let Some(said) = contract::run_image(&env, &release, "python:3.11", &["/usr/bin/python3", "-c", program]) {
        assert_eq!(said, "(3, 11)\n");
    }
    let release = build(&env, "toolchains/node");
    let npm = [
        "/bin/sh",
        "-c",
        "export HOME=/tmp PATH=/usr/local/bin:/usr/bin:/bin; node --version; npm --version; npx --version",
    ];
    if let Some(said) = contract::run_image(&env, &release, "node:22.20.0", &npm) {
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.len() == 3 && lines[0] == "v22.20.0" && lines[1] == lines[2], "{said}");
    }
    let release = build(&env, "toolchains/go");
    if let Some(said) = contract::run_image(&env, &release, "go:1.27.3", &["/usr/local/go/bin/go", "version"]) {
        assert!(said.starts_with("go version go1.27.3 linux/"), "{said}");
    }
}

#[test]
fn network_rust_on_debian_builds_from_its_lock_and_again_from_itself() {
    let Some(env) = world() else { return };
    let release = build(&env, "examples/rust-on-debian");
    if let Some(said) = contract::run_image(&env, &release, "hexyl:0.12.0", &["/bin/hexyl", "--version"]) {
        assert_eq!(said, "hexyl 0.12.0\n");
    }
}
