//! What `selfsame store` removes, keeps and says.

use selfsame_core::Digest;
use selfsame_store::Store;

use crate::world::{define, empty, recorded, runs, start, wait_until};

const DEFINITION: &str = r#"name = "probe"
version = "1.0.0"
license = "MIT"

[source]
epoch = 1700000000

[image]
entrypoint = ["/x"]

[[image.file]]
from = "source:Cargo.lock"
to = "/x"

[input.data]
file = "data.bin"
"#;

#[test]
fn a_collection_keeps_what_every_lock_of_a_project_names() {
    let env = empty();
    env.write("data.bin", "an input of the project\n");
    env.write("selfsame.toml", DEFINITION);
    let krate = "a crate as it was fetched";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\
         source = \"registry+https://index.example/\"\nchecksum = \"{}\"\n",
        Digest::of(krate.as_bytes()).hex()
    );
    env.write("Cargo.lock", lock);
    env.selfsame(["lock"]).succeeds();
    let kept = [krate, "an input of the project\n"].map(|text| Digest::of(text.as_bytes()));
    let put = |text: &str| Store::open(&env.store()).expect("a store").put_bytes(text.as_bytes(), false).expect("room");
    let has = |digest: &Digest| Store::open(&env.store()).expect("a store").has(digest);
    put(krate);
    let other = put("somebody else's");

    env.selfsame(["store", "gc", "--keep-locked"]).succeeds();
    assert_eq!((kept.map(|digest| has(&digest)), has(&other)), ([true, true], false));

    // Too small for what is named: it stays, and the answer is no.
    let other = put("somebody else's");
    let small = env.selfsame(["store", "gc", "--max-size", "1B", "--keep-locked", "."]);
    assert!(small.exits(1).stdout.contains("the locks name it"), "{}", small.stdout);
    assert_eq!((kept.map(|digest| has(&digest)), has(&other)), ([true, true], false));
    let json = env.selfsame(["store", "gc", "--max-size", "1GiB", "--json"]);
    assert_eq!(json.succeeds().json()["class"], "ok");
    assert!(has(&kept[0]));

    // A lock that cannot be read keeps everything.
    env.write("selfsame.lock", "version = 1\nnonsense\n");
    env.selfsame(["store", "gc", "--keep-locked"]).exits(2);
    assert!(has(&kept[1]));
    env.selfsame(["store", "gc", "--max-size", "1B"]).exits(1);
    assert!(!has(&kept[0]) && !has(&kept[1]));
}

#[test]
fn a_collection_wants_to_know_what_stays() {
    let env = empty();
    let refused = env.selfsame(["store", "gc"]);
    assert!(refused.exits(2).stderr.contains("nothing says what should stay"), "{}", refused.stderr);
    assert!(env.selfsame(["store", "gc", "--max-size", "20GB"]).exits(2).stderr.contains("KiB, MiB, GiB or TiB"));
    env.selfsame(["store", "gc", "--keep-locked", "nowhere"]).exits(2);
}

#[test]
fn a_store_is_measured_by_what_it_is_for() {
    let env = empty();
    let store = Store::open(&env.store()).expect("a store");
    let layer = store.put_bytes(&[7; 5000], false).expect("room");
    store.put_bytes(&[8; 9000], false).expect("room");
    store.put_action_result(&Digest::of(b"action"), format!("{{\"layer\":\"{layer}\"}}").as_bytes()).expect("room");
    let usage = env.selfsame(["store", "du", "--json"]).succeeds().json();
    let count = |class: &str| usage["classes"][class]["count"].as_u64();
    assert_eq!([count("inputs"), count("results"), count("files")], [Some(1), Some(1), Some(0)], "{usage}");
    let text = env.selfsame(["store", "du"]);
    assert!(text.succeeds().stdout.starts_with("inputs "), "{}", text.stdout);
    let check = env.selfsame(["store", "check"]);
    assert!(check.succeeds().stdout.contains("GB/s: everything is as it is named"), "{}", check.stdout);
}

/// While a build runs a collection waits for another time: it says so, removes nothing, and the build is none the worse.
#[test]
fn sandbox_a_collection_does_not_rob_a_build() {
    let Some(env) = recorded() else { return };
    define(&env, "cat seed > out; sleep 7653; ls > /dev/null", "");
    let mut building = start(&env, &["build", "--dev-key"]);
    wait_until("the action runs", || runs("7653"));
    for arguments in [&["--max-size", "1B"][..], &["--keep-locked"]] {
        let busy = env.selfsame(["store", "gc"].iter().chain(arguments));
        assert!(busy.exits(3).stderr.contains("in use by another process"), "{}", busy.stderr);
    }
    // Those that only look may.
    env.selfsame(["store", "du"]).succeeds();
    building.kill().expect("a signal to a child");
    building.wait().expect("the program ends");
    wait_until("its sandbox ends with it", || !runs("7653"));
    env.selfsame(["store", "gc", "--keep-locked"]).succeeds();
    // The recorded toolchain is named by the host's lock, so the next build needs nothing else.
    define(&env, "cat seed > out; sleep 0; ls > /dev/null", "");
    env.selfsame(["build", "--dev-key"]).succeeds();
}
