//! The examples, built in two worlds that differ in everything that must not matter, and built again from their releases.
//!
//! What is recorded of a host's compiler depends on the host, so no digest is written down here: two builds on one
//! machine are held against each other, whole releases and not only images.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use selfsame_testing::{Ext4Disk, Output, TestEnv, Tier, Variation, picture, require};

use crate::contract;
use crate::world::{SELFSAME, sandboxed};

/// The workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Who builds in the other world.
const SOMEBODY: u32 = 12_345;

/// A run of a program that is this slow hangs.
const DEADLINE: Duration = Duration::from_secs(3000);

/// One of the two worlds.
pub(crate) struct World {
    pub(crate) env: TestEnv,
    variation: Variation,
    /// Unmounted after the folders on it are gone.
    _disk: Ext4Disk,
}

/// A published release.
pub(crate) struct Release {
    pub(crate) folder: PathBuf,
    image: String,
    id: String,
}

/// The same key signs in both worlds, so that whole releases can be equal.
pub(crate) struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for keys");
        let made = Command::new(SELFSAME)
            .args(["keygen", "-o", "release", "--builder-id", "https://example.com/builders/test"])
            .current_dir(folder.path())
            .output()
            .expect("the program starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { folder }
    }

    pub(crate) fn public(&self) -> PathBuf {
        self.folder.path().join("release.pub")
    }

    fn private(&self) -> PathBuf {
        self.folder.path().join("release.key")
    }
}

impl World {
    fn new(disk: Ext4Disk, keys: &Keys, variation: Variation) -> Self {
        let mut env = TestEnv::below(&disk.path(), SELFSAME);
        env.set_deadline(DEADLINE).use_machine_cargo();
        fs::copy(keys.private(), env.at("release.key")).expect("a copy of the key");
        fs::create_dir(env.at("sources")).expect("a new folder");
        Self { env, variation, _disk: disk }
    }

    /// Root, every CPU, usual settings.
    fn usual(disk: Ext4Disk, keys: &Keys) -> Self {
        let variation = Variation {
            umask: Some(0o022),
            time_zone: Some("UTC".to_owned()),
            locale: Some("C.UTF-8".to_owned()),
            ..Variation::default()
        };
        Self::new(disk, keys, variation)
    }

    /// Another machine name, umask, time zone and locale, one CPU, a variable that compilers listen to; and, by
    /// [`Self::give_to_somebody`] and [`Self::copy_example`], a user without any right and a longer path.
    fn other(disk: Ext4Disk, keys: &Keys) -> Self {
        let variation = Variation {
            umask: Some(0o077),
            time_zone: Some("Pacific/Kiritimati".to_owned()),
            locale: Some("tr_TR.UTF-8".to_owned()),
            cpus: Some(1),
            host_name: Some("another-machine".to_owned()),
            variable: Some(("CFLAGS".to_owned(), "-O0 -g".to_owned())),
        };
        Self::new(disk, keys, variation)
    }

    /// Gives this world a cargo and a Rust toolchain of its own: copies of the machine's, with nothing cached.
    fn own_cargo(&mut self, toolchain: &Path) {
        let name = toolchain.file_name().expect("a toolchain's folder has a name");
        let own = self.env.at("rustup/toolchains").join(name);
        fs::create_dir_all(&own).expect("a new folder");
        // Papers are most of a toolchain, and no component's program reads them.
        for entry in fs::read_dir(toolchain).expect("a toolchain's folder") {
            let part = entry.expect("an entry").path();
            if !part.ends_with("share") {
                run(Command::new("cp").arg("-a").arg(part).arg(&own));
            }
        }
        let home = self.env.at("cargo");
        fs::create_dir(&home).expect("a new folder");
        let machine = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let machine = machine.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
        for name in ["config.toml", "config"] {
            if let Some(text) = machine.as_ref().and_then(|folder| fs::read(folder.join(name)).ok()) {
                fs::write(home.join(name), text).expect("cargo's configuration");
            }
        }
        let mut path = own.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let rustup = self.env.at("rustup");
        self.env.set("PATH", path).set("CARGO_HOME", home).set("RUSTUP_HOME", rustup);
    }

    /// A folder for a project, and below it a copy of an example, without what a build there left.
    pub(crate) fn copy_example(&self, name: &str, folder: &str) -> PathBuf {
        let target = self.env.at("sources").join(folder);
        fs::create_dir_all(&target).expect("a new folder");
        for entry in fs::read_dir(root().join("examples").join(name)).expect("the example") {
            let entry = entry.expect("an entry");
            let kept = entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name() != "selfsame.host.lock";
            if kept {
                fs::copy(entry.path(), target.join(entry.file_name())).expect("a copy of the example");
            }
        }
        target
    }

    /// Everything in this world belongs to somebody from now on, who made it under their own umask.
    pub(crate) fn give_to_somebody(&mut self) {
        run(Command::new("chmod").args(["-R", "go="]).arg(self.env.at("sources")));
        self.env.give_to(SOMEBODY);
    }

    pub(crate) fn build(&self, project: &Path, name: &str, more: &[&str]) -> Release {
        self.build_as(project, name, more, |command| command)
    }

    /// Builds where somebody has an account, and a range of ids of their own.
    pub(crate) fn build_with_ids(&self, project: &Path, name: &str, more: &[&str]) -> Release {
        let (accounts, ranges) = (self.env.at("accounts"), self.env.at("ranges"));
        let machine = fs::read_to_string("/etc/passwd").expect("accounts");
        let accounts_text = format!("{machine}somebody:x:{SOMEBODY}:{SOMEBODY}::/nonexistent:/bin/false\n");
        fs::write(&accounts, accounts_text).expect("a file");
        fs::write(&ranges, "somebody:300000:65536\n").expect("a file");
        let script = "mount --bind \"$1\" /etc/passwd; mount --bind \"$2\" /etc/subuid; mount --bind \"$2\" /etc/subgid
                      shift 2; exec \"$@\"";
        self.build_as(project, name, more, |command| {
            let mut machine = Command::new("unshare");
            machine.args(["-m", "sh", "-euc", script, "sh"]).args([&accounts, &ranges]);
            machine.arg(command.get_program()).args(command.get_args()).env_clear();
            machine.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            machine.current_dir(command.get_current_dir().expect("the project")).stdin(std::process::Stdio::null());
            machine
        })
    }

    fn build_as(&self, project: &Path, name: &str, more: &[&str], machine: impl FnOnce(Command) -> Command) -> Release {
        let folder = self.env.at(name);
        let mut arguments: Vec<OsString> = ["build", "--json", "--no-check", "--key"].map(Into::into).into();
        arguments.extend([self.env.at("release.key").into(), "-o".into(), folder.clone().into(), project.into()]);
        arguments.extend(more.iter().map(Into::into));
        let output = self.env.run(machine(self.env.command(&self.variation, arguments)));
        let json = output.succeeds().json();
        let text = |field: &str| json[field].as_str().expect("a text").to_owned();
        Release { image: text("image"), id: text("releaseId"), folder }
    }
}

/// Both worlds, where this machine can have them: root, loop devices, namespaces.
pub(crate) fn two_worlds(mib: u64, keys: &Keys) -> Option<(World, World)> {
    sandboxed()?;
    let disk = |seed| {
        let disk = Ext4Disk::new(mib, seed)?;
        // Its folder is for its maker alone, and somebody else must get to the disk.
        let above = disk.path().parent().expect("a disk is below a folder").to_owned();
        fs::set_permissions(above, PermissionsExt::from_mode(0o755)).map_err(|error| error.to_string())?;
        Ok(disk)
    };
    let disks = disk(1).and_then(|one| Ok((one, disk(0xfeed_beef_0123_4567_89ab_cdef_7654_3210)?)));
    let ability = disks.as_ref().map(|_| ()).map_err(|why: &String| format!("two disks are wanted: {why}"));
    if !require(Tier::Sandbox, ability) {
        return None;
    }
    let (one, two) = disks.ok()?;
    Some((World::usual(one, keys), World::other(two, keys)))
}

/// Fails unless both are the same release: every file but the run record, byte for byte.
#[track_caller]
pub(crate) fn assert_same(one: &Release, two: &Release) {
    assert_eq!(one.image, two.image, "the images differ: {} {}", one.folder.display(), two.folder.display());
    assert_eq!(one.id, two.id, "the images are equal and the releases are not");
    assert_eq!(contents(&one.folder), contents(&two.folder));
}

/// What a release holds, by path: kind, size and digest, without the modes that an umask decides.
fn contents(folder: &Path) -> BTreeMap<String, String> {
    let lines = picture(folder);
    let entry = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let name = words.next()?.to_owned();
        let _mode = words.next()?;
        Some((name, words.next()?.to_owned()))
    };
    lines.lines().filter_map(entry).filter(|(name, _)| name != "run-record.sigstore.json").collect()
}

/// `rebuild-verify`, as the only thing in a world.
fn rebuild(env: &TestEnv, release: &Path, key: &Path, more: &[&str]) -> Output {
    env.run(rebuild_command(env, release, key, more))
}

fn rebuild_command(env: &TestEnv, release: &Path, key: &Path, more: &[&str]) -> Command {
    let arguments: [OsString; 4] = ["rebuild-verify".into(), release.into(), "--key".into(), key.into()];
    let more = more.iter().map(OsString::from);
    env.command(&Variation::default(), arguments.into_iter().chain(more))
}

/// An empty world that knows nothing of the machine's cargo.
fn elsewhere() -> TestEnv {
    let mut env = TestEnv::new(SELFSAME);
    env.set_deadline(DEADLINE);
    env
}

/// The command with no network but a loopback that is down. Needs root, as [`two_worlds`] does.
fn without_network(command: &Command) -> Command {
    let mut alone = Command::new("unshare");
    alone.args(["--net", "--"]).arg(command.get_program()).args(command.get_args()).env_clear();
    alone.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    alone.current_dir(command.get_current_dir().expect("the project")).stdin(std::process::Stdio::null());
    alone
}

/// Rebuilds a capsule with nothing else: an empty store, no network, no source folder, nothing of the host.
#[track_caller]
pub(crate) fn assert_capsule_rebuilds(capsule: &Path, key: &Path) {
    let env = elsewhere();
    let release = env.at("capsule");
    run(Command::new("cp").arg("-a").arg(capsule).arg(&release));
    let command = rebuild_command(&env, &release, key, &["--no-host", "--json"]);
    let output = env.run(without_network(&command));
    assert_eq!(output.succeeds().json()["class"], "same");
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn sandbox_hello_c_is_one_release_in_two_worlds_and_again_from_itself() {
    let keys = Keys::new();
    let Some((usual, mut other)) = two_worlds(1024, &keys) else { return };
    let project = usual.copy_example("hello-c", "hello");
    let far = other.copy_example("hello-c", "a longer path/with spaces/hello");
    other.give_to_somebody();
    let release = usual.build(&project, "release", &[]);
    assert_same(&release, &other.build(&far, "release", &[]));
    let capsule = usual.build(&project, "capsule", &["--capsule"]);
    assert_eq!((&capsule.image, &capsule.id), (&release.image, &release.id), "a capsule changes nothing signed");
    contract::validate_sbom(&usual.env, &release.folder);
    if let Some(said) = contract::run_image(&usual.env, &release.folder, "hello:1.0.0", &["/hello"]) {
        assert_eq!(said, "hello, world\n");
    }

    // With the release alone, in a store that has its toolchain; then where nothing is left of the world that built it.
    rebuild(&usual.env, &release.folder, &keys.public(), &[]).succeeds();
    let cold = elsewhere();
    run(Command::new("cp").arg("-a").args([&release.folder, &capsule.folder]).arg(cold.root()));
    drop((usual, other));
    let (release, capsule) = (cold.at("release"), cold.at("capsule"));

    let refused = rebuild(&cold, &release, &keys.public(), &["--no-host"]);
    refused.exits(2).says("could not rebuild").says("toolchain cc, /usr/bin/");
    let listed = rebuild(&cold, &release, &keys.public(), &["--no-host", "--json"]);
    let missing = listed.exits(2).json();
    let compiler = missing["missing"].as_array().expect("a list").iter().any(|input| {
        let name = input["name"].as_str().unwrap_or_default();
        name.starts_with("toolchain cc, /") && name.ends_with("/cc1")
    });
    assert!(compiler, "all missing inputs are listed, the compiler proper among them");

    let recaptured = rebuild(&cold, &release, &keys.public(), &["--json"]);
    assert_eq!(recaptured.succeeds().json()["class"], "same");
    assert_capsule_rebuilds(&capsule, &keys.public());
}

#[test]
fn network_lz4_is_one_release_in_two_worlds_and_again_from_itself() {
    let keys = Keys::new();
    if !require(Tier::Network, registry()) {
        return;
    }
    let Some((usual, mut other)) = two_worlds(4096, &keys) else { return };
    let project = usual.copy_example("lz4", "lz4");
    let far = other.copy_example("lz4", "a longer path/with spaces/lz4");
    if let Some(toolchain) = rust_toolchain() {
        other.own_cargo(&toolchain);
    }
    other.give_to_somebody();
    let release = usual.build(&project, "release", &["--capsule"]);
    assert_same(&release, &other.build(&far, "release", &["--capsule"]));
    contract::validate_sbom(&usual.env, &release.folder);
    if let Some(said) = contract::run_image(&usual.env, &release.folder, "lz4:1.10.0", &["/bin/lz4", "--version"]) {
        assert!(said.contains("v1.10.0"), "{said}");
    }
    rebuild(&usual.env, &release.folder, &keys.public(), &[]).succeeds();
    assert_capsule_rebuilds(&release.folder, &keys.public());
}

/// One test, since what is recorded for ripgrep is what selfsame needs: the second is built without being watched.
#[test]
fn network_ripgrep_and_selfsame_are_one_release_in_two_worlds_and_again_from_themselves() {
    let keys = Keys::new();
    let toolchain = rust_toolchain();
    let ability = registry().and_then(|()| {
        toolchain.as_ref().map(|_| ()).ok_or_else(|| "no Rust toolchain of rustup runs this".to_owned())
    });
    if !require(Tier::Network, ability) {
        return;
    }
    let Some((usual, mut other)) = two_worlds(8192, &keys) else { return };
    let project = usual.copy_example("ripgrep", "ripgrep");
    let far = other.copy_example("ripgrep", "a longer path/with spaces/ripgrep");
    for world in [&usual, &other] {
        copy_workspace(&world.env);
    }
    other.own_cargo(&toolchain.expect("required above"));
    run(Command::new("chmod").args(["-R", "go="]).arg(other.env.project()));
    other.give_to_somebody();

    let release = usual.build(&project, "ripgrep-release", &["--capsule"]);
    assert_same(&release, &other.build(&far, "ripgrep-release", &["--capsule"]));
    contract::validate_sbom(&usual.env, &release.folder);
    if let Some(said) = contract::run_image(&usual.env, &release.folder, "ripgrep:14.1.1", &["/bin/rg", "--version"]) {
        assert!(said.starts_with("ripgrep 14.1.1"), "{said}");
    }
    assert_capsule_rebuilds(&release.folder, &keys.public());

    for (world, recorded) in [(&usual, &project), (&other, &far)] {
        let lock = world.env.project().join("selfsame.host.lock");
        run(Command::new("cp").arg("-a").arg(recorded.join("selfsame.host.lock")).arg(lock));
    }
    let release = usual.build(&usual.env.project(), "selfsame-release", &[]);
    assert_same(&release, &other.build(&other.env.project(), "selfsame-release", &[]));
    contract::validate_sbom(&usual.env, &release.folder);
    let reference = concat!("selfsame:", env!("CARGO_PKG_VERSION"));
    if let Some(said) = contract::run_image(&usual.env, &release.folder, reference, &["/bin/selfsame", "--version"]) {
        assert_eq!(said, concat!("selfsame ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    let rebuilt = rebuild(&usual.env, &release.folder, &keys.public(), &["--json"]);
    assert_eq!(rebuilt.succeeds().json()["class"], "same");
}

#[test]
fn sandbox_a_rebuild_that_differs_names_action_layer_file_place_and_level() {
    let Some(env) = sandboxed() else { return };
    env.write("hello.c", "#include <stdio.h>\n#include \"when.h\"\nint main(void) { puts(WHEN); return 0; }\n");
    env.write(
        "selfsame.toml",
        r##"name = "clock"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[toolchain.cc]
host = true

[[action]]
name = "same"
script = "cp hello.c copy.c"
outputs = ["copy.c"]

[[action]]
name = "compile"
script = '''
echo "#define WHEN \"$(date +%s.%N)\"" > when.h
printf 'first line\nbuilt at %s\nlast line\n' "$(date +%s.%N)" > built.txt
cc -O2 -o hello hello.c
'''
outputs = ["hello", "built.txt"]

[image]
entrypoint = ["/hello"]

[[image.file]]
from = "same:copy.c"
to = "/src/copy.c"

[[image.file]]
from = "compile:hello"
to = "/hello"

[[image.file]]
from = "compile:built.txt"
to = "/etc/built.txt"
"##,
    );
    env.selfsame(["build", "--dev-key", "-o", "release"]).succeeds();
    let key = env.at("home/.local/share/selfsame/dev.pub");
    let release = env.project().join("release");
    let output = rebuild(&env, &release, &key, &[]);
    output.exits(1);
    let said = &output.stdout;
    for wanted in [
        "differs: ",
        "action `compile` is the first whose inputs agree and whose output differs",
        "layer 1 of 1   2 of 5 entries differ",
        "\n    etc/built.txt\n",
        "\n        line 2\n",
        "\n    hello\n",
        ".rodata + ",
        "cause: a timestamp",
        "expected to be fixed by level `deterministic`",
    ] {
        assert!(said.contains(wanted), "no `{wanted}` in:\n{said}");
    }
    assert!(!said.contains("copy.c"), "what is equal is not named:\n{said}");
    let json = rebuild(&env, &release, &key, &["--json"]).exits(1).json();
    assert_eq!((&json["class"], &json["firstDifferingAction"]), (&"differs".into(), &"compile".into()));
}

/// Copies the workspace into the project, without what builds left there, and commits it at a fixed time.
fn copy_workspace(env: &TestEnv) {
    for entry in fs::read_dir(root()).expect("the workspace") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let left = matches!(name.as_str(), "target" | ".git" | "out" | ".selfsame" | "selfsame.host.lock");
        if !left && !name.ends_with(".release") {
            run(Command::new("cp").arg("-a").arg(entry.path()).arg(env.project()));
        }
    }
    run(Command::new("chmod").args(["-R", "u+rwX,go+rX"]).arg(env.project()));
    env.git_commit("the workspace");
}

/// The folder of the toolchain that runs this test, if rustup has it.
fn rust_toolchain() -> Option<PathBuf> {
    let folder = Path::new(&std::env::var_os("CARGO")?).canonicalize().ok()?.parent()?.parent()?.to_owned();
    let home = std::env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".rustup")))?;
    folder.starts_with(home.canonicalize().ok()?.join("toolchains")).then_some(folder)
}

/// Whether cargo reaches its registry, by its own configuration: a small crate that nothing here uses.
fn registry() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let manifest = "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n\
                    [dependencies]\nlz4-sys = \"=1.11.1\"\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).map_err(|error| error.to_string())?;
    fs::write(folder.path().join("lib.rs"), "").map_err(|error| error.to_string())?;
    let output = Command::new("cargo").arg("fetch").current_dir(folder.path()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("cargo fetch: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no cargo: {error}")),
    }
}
