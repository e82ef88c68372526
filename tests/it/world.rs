//! Projects for tests, and what must be true after every run, however it ended.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use selfsame_testing::{Filter, Output, TestEnv, Tier, Variation, require};

/// The program under test.
pub(crate) const SELFSAME: &str = env!("CARGO_BIN_EXE_selfsame");

/// A world of its own with an empty project.
pub(crate) fn empty() -> TestEnv {
    TestEnv::new(SELFSAME)
}

/// The same, where actions can run; nothing, said aloud, where they cannot.
#[track_caller]
pub(crate) fn sandboxed() -> Option<TestEnv> {
    require(Tier::Sandbox, sandbox()).then(empty)
}

fn sandbox() -> Result<(), String> {
    static ABILITY: OnceLock<Result<(), String>> = OnceLock::new();
    let probe = || {
        let doctor = empty().selfsame(["doctor", "--ci"]);
        if doctor.code == 0 { Ok(()) } else { Err(format!("`selfsame doctor` says: {}", doctor.stdout)) }
    };
    ABILITY.get_or_init(probe).clone()
}

/// A definition without actions: the file `src/a` is the image. It needs no sandbox.
pub(crate) const ONE_FILE: &str = r#"name = "probe"
version = "1.0.0"
license = "MIT"

[source]
path = "src"
epoch = 1700000000

[[image.file]]
from = "source:a"
to = "/a"
"#;

/// A definition whose one action has these lines. Its tools are this machine's shell and what it calls.
pub(crate) fn definition(action: &str) -> String {
    format!(
        r#"name = "probe"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[toolchain.sh]
host = true

[[action]]
name = "make"
{action}

[image]
entrypoint = ["/out"]

[[image.file]]
from = "make:out"
to = "/out"
"#
    )
}

/// A project whose shell is recorded and which was built once, so that what fails next fails in a build and not while
/// recording. The development key is at [`DEV_KEY`].
#[track_caller]
pub(crate) fn recorded() -> Option<TestEnv> {
    let env = sandboxed()?;
    env.write("seed", "a seed\n");
    define(&env, "cat seed > out; sleep 0; ls > /dev/null", "");
    build(&env, &[]).succeeds();
    fs::remove_dir_all(env.at(RELEASE)).expect("the release of the first build");
    Some(env)
}

/// Below the root: where [`build`] puts its release.
pub(crate) const RELEASE: &str = "project/probe-1.0.0.release";

/// Below the root: the public half of the development key.
pub(crate) const DEV_KEY: &str = "home/.local/share/selfsame/dev.pub";

/// Writes the definition: a script that leaves `out`, and more lines for its action.
pub(crate) fn define(env: &TestEnv, script: &str, more: &str) {
    let action = format!("script = '''\n{script}\n'''\noutputs = [\"out\"]\n{more}");
    env.write("selfsame.toml", definition(&action));
}

/// `selfsame build --dev-key`.
pub(crate) fn build(env: &TestEnv, more: &[&str]) -> Output {
    env.selfsame(["build", "--dev-key"].iter().chain(more))
}

/// `selfsame verify` with the development key.
pub(crate) fn verify(env: &TestEnv, release: &str) -> Output {
    env.selfsame(["verify".into(), env.at(release).into_os_string(), "--key".into(), env.at(DEV_KEY).into_os_string()])
}

/// Fails if anything of a release, of its staging, of a sandbox or of a scratch folder is left, or the store is hurt.
#[track_caller]
pub(crate) fn assert_nothing_left(env: &TestEnv) {
    for folder in [env.project(), env.root().to_owned(), env.at("tmp")] {
        for entry in fs::read_dir(&folder).expect("a folder of the test") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            let ours = name.ends_with(".release") || name.starts_with('.') && name != ".git";
            assert!(!ours, "`{name}` was left in {}", folder.display());
        }
    }
    assert_store_intact(env);
}

/// Fails if the store has a fault, something temporary is left in it, or a mount is left below the test's root.
#[track_caller]
pub(crate) fn assert_store_intact(env: &TestEnv) {
    let check = env.selfsame(["store", "check"]);
    assert_eq!(check.code, 0, "{}", check.transcript(Filter::NONE));
    let left: Vec<_> = fs::read_dir(env.store().join("tmp"))
        .map(|entries| entries.map(|entry| entry.expect("an entry").path()).collect())
        .unwrap_or_default();
    assert!(left.is_empty(), "left in the store: {left:?}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mounts of this process");
    let root = env.root().to_string_lossy().into_owned();
    assert!(!mounts.contains(&root), "a mount is left below {root}");
}

/// Whether a process of this machine has this among its arguments. Tests sleep for seconds that nobody else does.
pub(crate) fn runs(argument: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc");
    processes.flatten().any(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    })
}

/// Waits until something is so; fails after three minutes.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(180);
    while !so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Fails if a process with this argument still runs after half a minute.
#[track_caller]
pub(crate) fn assert_ended(argument: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while runs(argument) {
        assert!(Instant::now() < end, "a process `{argument}` was left behind");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts the program without waiting; its talk goes to a file below the root.
pub(crate) fn start(env: &TestEnv, arguments: &[&str]) -> Child {
    let mut command = env.command(&Variation::default(), arguments);
    let talk = fs::File::create(env.at("talk")).expect("a file for what it says");
    command.stdout(Stdio::null()).stderr(talk).spawn().expect("the program starts")
}

/// Runs the program as the last words of a shell script, in `"$@"`, in new user and mount namespaces: a machine with
/// something mounted, masked or forbidden.
pub(crate) fn on_a_machine(env: &TestEnv, script: &str, arguments: &[&str]) -> Output {
    let program = env.command(&Variation::default(), arguments);
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-euc", script, "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(env.project()).stdin(Stdio::null());
    env.run(command)
}

/// Runs the program where it may have so many KiB of addresses: what would grow with a stranger's input fails here, and
/// not on somebody's machine.
pub(crate) fn bounded(env: &TestEnv, addresses_kib: u64, arguments: &[&str]) -> Output {
    let program = env.command(&Variation::default(), arguments);
    let mut command = Command::new("sh");
    command.args(["-euc", "ulimit -v \"$0\"; exec \"$@\""]).arg(addresses_kib.to_string());
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(env.project()).stdin(Stdio::null());
    env.run(command)
}

/// Whether [`on_a_machine`] can do this; said aloud where it cannot.
#[track_caller]
pub(crate) fn can_be(script: &str) -> bool {
    let tried = Command::new("unshare").args(["-Urm", "sh", "-euc", script, "sh", "true"]).output();
    let ability = match tried {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("unshare: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("no `unshare`: {error}")),
    };
    require(Tier::Sandbox, ability)
}

/// What the program said and how it ended, the same in every run and on every machine.
pub(crate) fn shown(output: &Output) -> String {
    let text = output.transcript(Filter::ALL).replace(SELFSAME, "selfsame");
    let mut lines: Vec<String> = text.lines().map(without_sizes).collect();
    for line in &mut lines {
        if line.trim_start().starts_with("record ") {
            *line = "    record [TOOLS]".to_owned();
        }
        *line = without_random(line, "blobs/sha256/", 2);
        *line = without_random(line, ".selfsame-", 12);
    }
    lines.join("\n")
}

/// Replaces what follows a word and is as long as this: folders of the store, names of staging folders.
fn without_random(line: &str, word: &str, length: usize) -> String {
    match line.split_once(word) {
        Some((before, after)) if after.get(length..).is_some_and(|rest| rest.starts_with('/')) => {
            format!("{before}{word}[RANDOM]{}", &after[length..])
        }
        _ => line.to_owned(),
    }
}

/// `25.2 MiB` depends on the machine's tools.
fn without_sizes(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches(|c: char| c.is_ascii_punctuation());
        let number = words[at - 1].trim_start_matches('(');
        if matches!(unit, "KiB" | "MiB" | "GiB" | "bytes") && number.starts_with(|c: char| c.is_ascii_digit()) {
            words[at - 1] = "[N]";
        }
    }
    words.join(" ")
}

/// Every regular file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the test") {
            let path = entry.expect("an entry").path();
            let kind = path.symlink_metadata().expect("its kind");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// One error and no other talk that looks like one: its headline.
#[track_caller]
pub(crate) fn one_error(output: &Output) -> &str {
    let errors: Vec<_> = output.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    assert_eq!((errors.len(), output.stdout.as_str()), (1, ""), "{}", output.transcript(Filter::NONE));
    errors[0]
}
