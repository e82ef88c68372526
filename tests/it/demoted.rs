//! What a slip of the hand must not cost: a release by a release key, and a store.

use crate::world::{RELEASE, build, define, sandboxed};

#[test]
fn sandbox_a_development_key_does_not_replace_a_release_keys_release() {
    let Some(env) = sandboxed() else { return };
    env.write("seed", "a seed\n");
    define(&env, "cat seed > out", "");
    let key = env.at("release");
    env.selfsame(["keygen".into(), "-o".into(), key.clone().into_os_string()]).succeeds();
    let key = key.with_extension("key").into_os_string();
    env.selfsame(["build".into(), "--key".into(), key, "--no-check".into()]).succeeds();
    let index = std::fs::read(env.at(RELEASE).join("index.json")).expect("an index");
    let refused = build(&env, &[]);
    refused.exits(2).says("is a release by a release key").says("-o");
    assert_eq!(std::fs::read(env.at(RELEASE).join("index.json")).expect("an index"), index);
    build(&env, &["-o", "other.release"]).succeeds();
}

#[test]
fn a_size_without_a_unit_empties_no_store() {
    let env = crate::world::empty();
    env.selfsame(["store", "gc", "--max-size", "50"]).exits(2).says("digits, then B, KiB, MiB, GiB or TiB");
    env.selfsame(["store", "gc", "--max-size", "50GiB"]).succeeds();
}
