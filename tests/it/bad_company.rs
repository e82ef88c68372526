//! Several processes on one store: each does its work or says that it has to wait, whoever is killed in the middle.

use std::process::Child;
use std::time::Duration;

use selfsame_testing::TestEnv;
use selfsame_testing::mutator::Random;
use selfsame_testing::server::{Answer, Server};

use crate::world::{assert_store_intact, empty, start};

const FILES: usize = 12;

/// A project of files that a server has.
fn project(env: &TestEnv) -> Server {
    let files: Vec<Vec<u8>> = (0..FILES)
        .map(|number| {
            let mut random = Random::new(number as u64);
            (0..100_000).map(|_| random.number() as u8).collect()
        })
        .collect();
    let server = Server::http(move |asked| {
        let number: Option<usize> = asked.path().trim_start_matches("/file-").parse().ok();
        match number.and_then(|number| files.get(number)) {
            Some(bytes) => Answer::file(asked, bytes, "etag"),
            None => Answer::status(404),
        }
    });
    let inputs: String = (0..FILES)
        .map(|number| format!("[input.file-{number}]\nfile = \"{}\"\n\n", server.url(&format!("/file-{number}"))))
        .collect();
    let head = "name = \"probe\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n\n[source]\nepoch = 1700000000\n\n";
    let tail = "[image]\nentrypoint = [\"/x\"]\n\n[[image.file]]\nfrom = \"source:seed\"\nto = \"/x\"\n";
    env.write("seed", "seed\n");
    env.write("selfsame.toml", format!("{head}{inputs}{tail}"));
    server
}

/// Everything that a machine may do with a store at one time.
fn everything(env: &TestEnv) -> Vec<(&'static str, Child)> {
    let commands: [(&str, &[&str]); 6] = [
        ("fetch", &["fetch"]),
        ("fetch again", &["fetch"]),
        ("lock", &["lock", "--all"]),
        ("gc", &["store", "gc", "--max-size", "1KiB"]),
        ("gc again", &["store", "gc", "--keep-locked", "."]),
        ("check", &["store", "check"]),
    ];
    commands.map(|(name, words)| (name, start(env, words))).into()
}

#[test]
fn each_does_its_work_or_waits() {
    let env = empty();
    let _server = project(&env);
    env.selfsame(["lock"]).succeeds();
    let lock = env.read("project/selfsame.lock");
    for round in 0..4 {
        if round % 2 == 1 {
            std::fs::remove_dir_all(env.store().join("blobs")).expect("blobs");
        }
        for (name, mut child) in everything(&env) {
            let code = child.wait().expect("it ends").code();
            // 3: another one has the store to itself just now. 1: more is in use than may stay.
            let allowed: &[i32] = match name {
                "gc" | "gc again" => &[0, 1, 3],
                "check" => &[0, 3],
                _ => &[0],
            };
            assert!(code.is_some_and(|code| allowed.contains(&code)), "{name} in round {round}: {code:?}");
        }
        assert_store_intact(&env);
    }
    assert_eq!(env.read("project/selfsame.lock"), lock);
    env.selfsame(["fetch"]).succeeds();
}

#[test]
fn who_is_killed_leaves_a_store_that_is_whole() {
    let env = empty();
    let _server = project(&env);
    env.selfsame(["lock"]).succeeds();
    for round in 0..8_u64 {
        if round % 2 == 1 {
            std::fs::remove_dir_all(env.store().join("blobs")).expect("blobs");
        }
        let running = everything(&env);
        std::thread::sleep(Duration::from_millis(round * 8));
        for (_, mut child) in running {
            // Some have ended by then.
            let _ = child.kill();
            child.wait().expect("it ends");
        }
        env.selfsame(["store", "check"]).succeeds();
        env.selfsame(["fetch"]).succeeds();
    }
    // What the killed ones were writing goes with the next collection.
    env.selfsame(["store", "gc", "--max-size", "1GiB"]).succeeds();
    assert_store_intact(&env);
}
