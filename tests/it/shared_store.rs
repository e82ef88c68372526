//! The store that machines share: what is locked on one builds on another that has nothing but the checkout.

use std::fs;

use selfsame_testing::TestEnv;

use crate::push_world::Registry;
use crate::world::{DEV_KEY, build, definition, sandboxed};

/// A file of this machine that no other one has.
const ONLY_HERE: &str = "only this machine has this\n";

/// A project with an input that lies beside it, and origins that name a shared store.
fn project(env: &TestEnv, remote: &str) {
    let text = definition(
        "script = \"cat /inputs/data/data.bin > out; ls > /dev/null\"\ninputs = [\"source\", \"data\"]\noutputs = [\"out\"]",
    );
    env.write("selfsame.toml", text + "\n[input.data]\nfile = \"../data.bin\"\n");
    configure(env, remote);
}

fn configure(env: &TestEnv, remote: &str) {
    let folder = env.at("home/.config/selfsame");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("origins.toml"), format!("[store]\nremote = \"{remote}\"\n")).expect("a file");
}

/// Another machine with a checkout of the first one's project.
fn elsewhere(here: &TestEnv, remote: &str) -> TestEnv {
    let there = crate::world::empty();
    for name in ["selfsame.toml", "selfsame.lock"] {
        there.write(name, here.read(format!("project/{name}")));
    }
    configure(&there, remote);
    there
}

#[track_caller]
fn locked_here_builds_there(remote: &str) {
    let Some(here) = sandboxed() else { return };
    fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
    project(&here, remote);
    here.selfsame(["lock"]).succeeds().says("1 file, ").says("obtainable elsewhere: all 1");
    // A second time there is nothing to send.
    let again = here.selfsame(["lock"]);
    assert!(!again.succeeds().stderr.contains("share "), "{}", again.stderr);
    let there = elsewhere(&here, remote);
    assert!(!there.store().exists(), "its store is empty");
    there.selfsame(["fetch"]).succeeds().says("from the shared store");
    build(&there, &[]).succeeds();
    let release = there.at("project/probe-1.0.0.release").display().to_string();
    there.selfsame(["verify", &release, "--key", &there.at(DEV_KEY).display().to_string()]).succeeds();
    let lock = there.read("project/selfsame.lock");
    assert_eq!(lock, here.read("project/selfsame.lock"), "no place stands in the lock");
}

#[test]
fn sandbox_by_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    locked_here_builds_there(&folder.path().display().to_string());
}

#[test]
fn sandbox_by_a_registry() {
    let registry = Registry::new();
    locked_here_builds_there(&format!("oci://{}/team/inputs", registry.server.address()));
    if let Some((tag, _)) = registry.state().tags.iter().next() {
        assert!(tag.starts_with("blob-"), "each blob is held by a tag: {tag}");
    }
}

#[test]
fn foreign_by_real_registries() {
    for registry in crate::push_world::real() {
        locked_here_builds_there(&format!("oci://{}/team/inputs", registry.address()));
        results_go_round(&format!("oci://{}/team/results", registry.address()));
    }
}

#[test]
fn a_shared_registry_that_cannot_be_asked_is_a_warning_when_there_are_origins() {
    let here = crate::world::empty();
    fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
    project(&here, "/nowhere");
    fs::remove_file(here.at("home/.config/selfsame/origins.toml")).expect("a file");
    here.selfsame(["lock"]).succeeds();
    let registry = Registry::new();
    registry.spoil(|_, _| Some(selfsame_testing::server::Answer::status(503).header("Retry-After", "0")));
    let remote = format!("oci://{}/team/inputs", registry.server.address());
    let there = elsewhere(&here, &remote);
    fs::write(there.at("data.bin"), ONLY_HERE).expect("a file");
    there.selfsame(["fetch"]).succeeds().says("warning the shared store");
}

#[test]
fn without_a_shared_store_a_lock_says_what_exists_only_here() {
    let env = crate::world::empty();
    fs::write(env.at("data.bin"), ONLY_HERE).expect("a file");
    project(&env, "/nowhere");
    fs::remove_file(env.at("home/.config/selfsame/origins.toml")).expect("a file");
    env.selfsame(["lock"]).succeeds().says("the other one exists only here");
}

/// `private = true` keeps a file off a place that others can read, unless all is said to go there.
#[test]
fn what_is_private_is_shared_only_with_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder.path().display().to_string();
    let env = crate::world::empty();
    fs::write(env.at("data.bin"), ONLY_HERE).expect("a file");
    project(&env, &remote);
    env.write("selfsame.toml", env.read("project/selfsame.toml") + "private = true\n");
    let output = env.selfsame(["lock"]);
    output
        .succeeds()
        .says("obtainable elsewhere: 0 of 1; the other one exists only here: `private = true` is not shared");
    assert!(!folder.path().join("blobs").exists(), "it was shared");
    let origins = format!("[store]\nremote = \"{remote}\"\nshare = \"all\"\n");
    fs::write(env.at("home/.config/selfsame/origins.toml"), origins).expect("a file");
    env.selfsame(["lock"]).succeeds().says("share 1 file, ").says("obtainable elsewhere: all 1");
}

/// The same for a crate of a registry of one's own; a public one goes there.
#[test]
fn crates_of_a_private_registry_are_shared_only_with_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder.path().display().to_string();
    let mut here = crate::world::empty();
    let bytes = leaf();
    let checksum = selfsame_core::Digest::of(&bytes).hex();
    here.write("selfsame.toml", definition("cargo = [\"build\"]\noutputs = [\"out\"]"));
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"leaf\"\nversion = \"1.0.0\"\n\
         source = \"sparse+https://crates.example/index/\"\nchecksum = \"{checksum}\"\n"
    );
    here.write("Cargo.lock", lock);
    configure(&here, &remote);
    let home = here.at("cargo");
    let cache = home.join("registry/cache/index");
    fs::create_dir_all(&cache).expect("a folder");
    fs::write(cache.join("leaf-1.0.0.crate"), &bytes).expect("a file");
    here.set("CARGO_HOME", home);
    here.selfsame(["fetch"]).succeeds();
    assert!(!folder.path().join("blobs").exists(), "it was shared");
    let origins = format!("[store]\nremote = \"{remote}\"\nshare = \"all\"\n");
    fs::write(here.at("home/.config/selfsame/origins.toml"), origins).expect("a file");
    here.selfsame(["fetch"]).succeeds().says("share 1 file, ");
}

#[test]
fn a_shared_store_that_is_not_there_stops_no_lock_from_being_written() {
    let env = crate::world::empty();
    fs::write(env.at("data.bin"), ONLY_HERE).expect("a file");
    let absent = env.at("not-mounted").display().to_string();
    project(&env, &absent);
    let output = env.selfsame(["lock"]);
    output.exits(3).says("is not there").says("The lock is written");
    assert!(env.at("project/selfsame.lock").exists());
    assert!(!env.at("not-mounted").exists(), "it was made where something may have to be mounted");
    fs::create_dir(env.at("not-mounted")).expect("a folder");
    env.selfsame(["lock"]).succeeds().says("obtainable elsewhere: all 1");
}

#[test]
fn other_bytes_in_the_shared_store_are_never_used() {
    let here = crate::world::empty();
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder.path().display().to_string();
    fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
    project(&here, &remote);
    here.selfsame(["lock"]).succeeds();
    for path in crate::world::files_below(&folder.path().join("blobs")) {
        fs::write(path, ONLY_HERE.to_uppercase()).expect("a file");
    }
    let there = elsewhere(&here, &remote);
    let output = there.selfsame(["fetch"]);
    output.exits(2).says("has other bytes for");
    let left = crate::world::files_below(&there.store().join("blobs"));
    assert!(left.iter().all(|path| fs::read(path).expect("a blob") != ONLY_HERE.to_uppercase().as_bytes()));
    // The file itself, where it is there, is as good.
    fs::write(there.at("data.bin"), ONLY_HERE).expect("a file");
    there.selfsame(["fetch"]).succeeds();
}

/// One machine leaves results, another one uses them; never where a check is wanted.
#[track_caller]
fn results_go_round(remote: &str) {
    let Some(here) = sandboxed() else { return };
    let lines = definition("script = \"cat seed > out; ls > /dev/null\"\noutputs = [\"out\"]");
    here.write("seed", "a seed\n");
    here.write("selfsame.toml", &lines);
    build(&here, &["--cache-to", remote]).succeeds().says("1 result with");
    let image = |env: &TestEnv, more: &[&str]| {
        let output = build(env, &[&["--json"], more].concat());
        (output.succeeds().json()["image"].clone(), output.stderr.clone())
    };
    let (first, _) = image(&here, &[]);
    let there = crate::world::empty();
    there.write("seed", "a seed\n");
    there.write("selfsame.toml", &lines);
    let (second, said) = image(&there, &["--cache-from", remote]);
    assert_eq!(first, second, "a result of another machine made another image");
    assert!(said.contains("left by others in"), "{said}");
    let third = crate::world::empty();
    third.write("seed", "a seed\n");
    third.write("selfsame.toml", &lines);
    let (checked, said) = image(&third, &["--cache-from", remote, "--check"]);
    assert_eq!(first, checked);
    assert!(said.contains("`--cache-from` is not used") && !said.contains("left by others"), "{said}");
    // What was taken from others is not said to be checked when a check is wanted later.
    let (_, said) = image(&there, &["--check", "-o", "checked.release"]);
    assert!(said.contains("a second time under variation"), "{said}");
}

#[test]
fn sandbox_results_by_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    results_go_round(&folder.path().display().to_string());
}

#[test]
fn sandbox_results_by_a_registry() {
    let registry = Registry::new();
    results_go_round(&format!("oci://{}/team/results", registry.server.address()));
}

/// A slim release, another machine, and nothing but the shared store: what was locked is had from there.
#[test]
fn sandbox_a_rebuild_asks_the_shared_store_for_what_the_release_lacks() {
    let Some(here) = sandboxed() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder.path().display().to_string();
    fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
    project(&here, &remote);
    // Without a lock `build` writes one, and shares as `lock` does.
    build(&here, &[]).succeeds().says("selfsame.lock written").says("share 1 file, ");
    let release = here.at("project/probe-1.0.0.release").display().to_string();
    let key = here.at(DEV_KEY).display().to_string();
    let there = crate::world::empty();
    let alone = there.selfsame(["rebuild-verify", &release, "--key", &key]);
    alone.exits(2).says("could not rebuild: 1 input").says("input data, data.bin");
    configure(&there, &remote);
    there.selfsame(["rebuild-verify", &release, "--key", &key]).succeeds().says("from the shared store");
    // A folder is no network.
    let offline = crate::world::empty();
    configure(&offline, &remote);
    offline.selfsame(["rebuild-verify", &release, "--key", &key, "--offline"]).succeeds();
}

#[test]
fn sandbox_a_shared_store_that_is_away_stops_no_build() {
    let Some(here) = sandboxed() else { return };
    fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
    project(&here, "/nowhere");
    build(&here, &[]).succeeds().says("not shared: ").says("is not there");
}

/// The store of a machine was emptied; its lock is as it was.
#[test]
fn locking_again_after_everything_was_removed_here() {
    let registry = Registry::new();
    let folder = tempfile::tempdir().expect("a folder");
    let places = [folder.path().display().to_string(), format!("oci://{}/team/inputs", registry.server.address())];
    for remote in places {
        let here = crate::world::empty();
        fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
        project(&here, &remote);
        here.selfsame(["lock"]).succeeds();
        let removed = here.selfsame(["store", "gc", "--max-size", "1B"]);
        assert!(removed.stdout.starts_with("removed 1 blobs"), "{}", removed.stdout);
        // The shared store has it: nothing is sent, and nothing is brought.
        fs::remove_file(here.at("data.bin")).expect("a file");
        let again = here.selfsame(["lock"]);
        again.succeeds().says("unchanged").says("obtainable elsewhere: all 1");
        // Nobody has it.
        configure(&here, &here.at("another").display().to_string());
        fs::create_dir(here.at("another")).expect("a folder");
        here.selfsame(["lock"]).exits(2).says("The lock is written; not all of it is in the shared store.");
        // The machine has the file itself.
        fs::write(here.at("data.bin"), ONLY_HERE).expect("a file");
        here.selfsame(["lock"]).succeeds().says("share 1 file, ");
    }
}

/// A crate without code.
fn leaf() -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in [("Cargo.toml", "[package]\nname = \"leaf\"\nversion = \"1.0.0\"\n"), ("src/lib.rs", "")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("leaf-1.0.0/{name}"), text.as_bytes()).expect("memory");
    }
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("memory")
}

/// Crates come from the shared store before cargo is asked, and go there when a registry gave them.
#[test]
fn crates_are_shared() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = folder.path().display().to_string();
    let mut here = crate::world::empty();
    let bytes = leaf();
    let checksum = selfsame_core::Digest::of(&bytes).hex();
    let text = definition("cargo = [\"build\"]\noutputs = [\"out\"]");
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"leaf\"\nversion = \"1.0.0\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{checksum}\"\n"
    );
    for name in [("selfsame.toml", text.as_str()), ("Cargo.lock", &lock)] {
        here.write(name.0, name.1);
    }
    configure(&here, &remote);
    // What cargo fetched before.
    let home = here.at("cargo");
    let cache = home.join("registry/cache/index");
    fs::create_dir_all(&cache).expect("a folder");
    fs::write(cache.join("leaf-1.0.0.crate"), &bytes).expect("a file");
    here.set("CARGO_HOME", home);
    here.selfsame(["fetch"]).succeeds().says("share 1 file, ");
    let shared = folder.path().join("blobs/sha256").join(&checksum[..2]).join(&checksum);
    assert_eq!(fs::read(&shared).expect("it is shared"), bytes);
    let there = crate::world::empty();
    for name in ["selfsame.toml", "Cargo.lock"] {
        there.write(name, here.read(format!("project/{name}")));
    }
    configure(&there, &remote);
    there.selfsame(["fetch", "--offline"]).succeeds().says("1 file, ").says("from the shared store");
}
