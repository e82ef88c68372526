//! A disk that is full, wherever bytes come in: the fault named with its place, nothing in part, and a store that is whole
//! and goes on as soon as there is room.

use selfsame_testing::server::{Answer, Server};
use selfsame_testing::{Output, TestEnv};

use crate::push_world::{Registry, push};
use crate::world::{RELEASE, assert_store_intact, build, can_be, define, on_a_machine, recorded};

/// Bytes that no compressor makes small.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = selfsame_testing::mutator::Random::new(seed);
    (0..bytes).map(|_| random.number() as u8).collect()
}

/// Runs the program with a store on a disk of so many KiB, which becomes larger afterwards. `left` is what lies at the
/// places that could have been written by then.
const SMALL: &str = r#"mkdir -p ../small && mount -t tmpfs -o size=SIZEk,mode=0755 tmpfs ../small
export SELFSAME_STORE=$PWD/../small/store; status=0; "$@" || status=$?
echo "left: $(ls -A ../small/store/tmp 2>/dev/null) $(ls -A ../small | grep -v '^store$' || true)"
"$1" store check
mount -o remount,size=400m ../small; "$@" > ../again 2>&1; echo "with room: $?"
exit $status"#;

/// Asserts how it ends on a disk of so many KiB.
#[track_caller]
fn full(env: &TestEnv, kib: u32, arguments: &[&str]) -> Output {
    let ended = on_a_machine(env, &SMALL.replace("SIZE", &kib.to_string()), arguments);
    assert_eq!(ended.code, 2, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    let errors: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    let [error] = errors[..] else { panic!("{arguments:?}: {}", ended.stderr) };
    assert!(error.contains("no space left to write `") || error.contains("No space left on device"), "{error}");
    assert!(error.contains("/small/"), "the place is not named: {error}");
    assert!(ended.stdout.contains("left:  \n"), "{arguments:?}: {}", ended.stdout);
    assert!(ended.stdout.contains("everything is as it is named"), "{arguments:?}: {}", ended.stdout);
    assert!(ended.stdout.contains("with room: 0\n"), "{arguments:?}: {}{}", ended.stdout, env.read("again"));
    ended
}

fn mounts() -> bool {
    can_be("mount -t tmpfs -o size=128k tmpfs /tmp && mount -o remount,size=1m /tmp && \"$@\"")
}

#[test]
fn sandbox_lock_fetch_and_unpack_on_a_full_disk() {
    let Some(env) = recorded().filter(|_| mounts()) else { return };
    let packed = {
        let mut tar = tar::Builder::new(Vec::new());
        for number in 0..20 {
            let mut header = tar::Header::new_ustar();
            header.set_size(100_000);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("top/{number}"), noise(number, 100_000).as_slice()).expect("memory");
        }
        tar.into_inner().expect("memory")
    };
    let (large, tar) = (noise(99, 3_000_000), packed);
    let server = Server::http(move |asked| match asked.path() {
        "/large.bin" => Answer::file(asked, &large, "large"),
        "/tree.tar" => Answer::file(asked, &tar, "tree"),
        _ => Answer::status(404),
    });
    define(&env, "ls /inputs/large /inputs/tree > out", "inputs = [\"large\", \"tree\"]");
    let definition = env.read("project/selfsame.toml");
    let inputs = format!(
        "[input.large]\nfile = \"{}\"\n\n[input.tree]\nfile = \"{}\"\nunpack = true\n\n[toolchain.sh]",
        server.url("/large.bin"),
        server.url("/tree.tar")
    );
    env.write("selfsame.toml", definition.replace("[toolchain.sh]", &inputs));

    let lock = full(&env, 1000, &["lock"]);
    lock.says("The lock was not changed.").says("selfsame store gc --max-size");
    assert!(env.at("project/selfsame.lock").exists(), "with room it is written");
    full(&env, 1000, &["fetch"]).says("selfsame store gc --max-size");
    // Both files fit, what one of them holds does not.
    let unpack = full(&env, 6500, &["build", "--dev-key", "-o", "../unpacked.release"]);
    unpack.says("could not be unpacked").says("Nothing was built.");
    assert_store_intact(&env);
}

#[test]
fn sandbox_capsules_on_a_full_disk() {
    let Some(env) = recorded().filter(|_| mounts()) else { return };
    let words = ["build", "--dev-key", "--capsule", "-o", "../whole.release"];
    env.selfsame(words).succeeds();
    env.selfsame(["capsule", "export", "-o", "../whole.tar", "../whole.release"]).succeeds();
    full(&env, 1000, &["capsule", "import", "../whole.tar"]);
    full(&env, 1000, &["capsule", "export", "-o", "../small/again.tar", "../whole.release"]);
    full(&env, 1000, &["fetch", "../whole.release"]);
    assert_store_intact(&env);
}

#[test]
fn sandbox_push_and_pull_on_a_full_disk() {
    let Some(env) = recorded().filter(|_| mounts()) else { return };
    build(&env, &["--capsule"]).succeeds();
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &["--with-capsule"]).succeeds();
    full(&env, 1000, &["pull", &reference, "-o", "../small/back", "--with-capsule"]);
    // What is pushed has to be read, and a capsule's packs have to be made first.
    let release = env.at(RELEASE).display().to_string();
    let other = registry.reference("2.0");
    let tags = registry.state().tags.len();
    let ended = on_a_machine(&env, &SMALL.replace("SIZE", "300"), &["push", &release, &other, "--with-capsule"]);
    if ended.code != 0 {
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains("/small/"), "{}", ended.stderr);
    }
    assert!(ended.stdout.contains("with room: 0\n"), "{}", ended.stdout);
    assert_eq!(registry.state().tags.len(), tags + 1);
    assert_store_intact(&env);
}
