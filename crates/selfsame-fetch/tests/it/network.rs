//! Real crates by the machine's own cargo. Tier `network`.

use std::path::Path;

use crate::World;
use selfsame_core::{Digest, RelPath};
use selfsame_definition::Definition;
use selfsame_fetch::{
    CratesError, Environment, FetchError, fetch, fetch_crates, fetch_pinned, resolve, source_tree, vendor_tree,
};
use selfsame_lock::{Claim, answers};
use selfsame_testing::{Tier, require};
use selfsame_tree::{Entry, Tree};

use crate::disk::Disk;

/// Whether the tier is asked for: these tests never use a network that nobody promised.
#[track_caller]
fn wanted() -> bool {
    let required = std::env::var("SELFSAME_REQUIRE").unwrap_or_default();
    let asked = required.split(',').any(|tier| matches!(tier.trim(), "network" | "all"));
    asked || require(Tier::Network, Err("SELFSAME_REQUIRE does not name it".to_owned()))
}

fn definition(source: &str) -> Definition {
    let image = "[image]\n[[image.file]]\nfrom = \"source:x\"\nto = \"/x\"\n";
    Definition::parse(&format!("name = \"a\"\nversion = \"1\"\n[source]\nepoch = 1\n{source}\n{image}")).unwrap()
}

/// The machine's environment, with a cargo home of its own that has the machine's configuration and nothing cached.
fn fresh_cargo_home(disk: &Disk) -> Environment {
    let mut environment = Environment { variables: std::env::vars_os().collect() };
    let machine = environment.cargo_home().unwrap();
    let home = disk.path("cargo-home");
    std::fs::create_dir_all(&home).unwrap();
    for name in ["config.toml", "config", "credentials.toml"] {
        if machine.join(name).is_file() {
            std::fs::copy(machine.join(name), home.join(name)).unwrap();
        }
    }
    environment.variables.insert("CARGO_HOME".into(), home.into());
    environment
}

/// Variables of a machine that reaches no registry.
fn unreachable(disk: &Disk) -> Environment {
    let mut environment = fresh_cargo_home(disk);
    let home = disk.path("no-network");
    std::fs::create_dir_all(&home).unwrap();
    environment.variables.insert("CARGO_HOME".into(), home.into());
    for name in ["https_proxy", "HTTPS_PROXY", "CARGO_HTTP_PROXY", "http_proxy"] {
        environment.variables.insert(name.into(), "http://127.0.0.1:1".into());
    }
    environment.variables.insert("CARGO_NET_RETRY".into(), "0".into());
    environment
}

#[test]
fn lua_src_by_checksum() {
    if !wanted() {
        return;
    }
    let disk = Disk::new();
    let environment = fresh_cargo_home(&disk);
    let definition = definition("crate = \"lua-src@547.0.0\"");
    let folder = Path::new("/");
    let lock =
        resolve(&definition, None, |_| false, &World::new(folder, &environment, &disk.store).context(false)).unwrap();
    let input = &lock.inputs["source"].parts[0];
    assert_eq!(input.claim, Claim::RegistryChecksum);
    assert_eq!(disk.store.blob_size(&input.sha256).unwrap(), Some(input.size));
    answers(&definition, &lock).unwrap();
    let tree = source_tree(&definition, &lock, &disk.store).unwrap().unwrap();
    assert!(tree.iter().filter(|(path, _)| path.file_name().ends_with(".c")).count() > 20, "{tree}");
    assert!(disk.store.missing(&tree).unwrap().is_empty());
    // What the store has needs no network, and the same lock comes again.
    fetch(&definition, &lock, &World::new(folder, &unreachable(&disk), &disk.store).context(true)).unwrap();
    let other = Disk::new();
    let error =
        fetch(&definition, &lock, &World::new(folder, &unreachable(&other), &other.store).context(true)).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
    let error =
        fetch(&definition, &lock, &World::new(folder, &unreachable(&other), &other.store).context(false)).unwrap_err();
    assert!(error.retry_may_help(), "{error}");
    fetch(&definition, &lock, &World::new(folder, &environment, &other.store).context(true))
        .expect("cargo's cache needs no network");
}

#[test]
fn a_version_that_no_registry_has() {
    if !wanted() {
        return;
    }
    let disk = Disk::new();
    let definition = definition("crate = \"lua-src@547.0.999\"");
    let error = resolve(
        &definition,
        None,
        |_| false,
        &World::new(Path::new("/"), &fresh_cargo_home(&disk), &disk.store).context(false),
    )
    .unwrap_err();
    assert!(!error.retry_may_help());
    assert!(error.to_string().contains("lua-src"), "{error}");
}

#[test]
fn ripgrep_and_its_crates_build_offline_from_the_tree() {
    if !wanted() {
        return;
    }
    let disk = Disk::new();
    let environment = fresh_cargo_home(&disk);
    let definition = definition("crate = \"ripgrep@14.1.1\"");
    let lock =
        resolve(&definition, None, |_| false, &World::new(Path::new("/"), &environment, &disk.store).context(false))
            .unwrap();
    let source = source_tree(&definition, &lock, &disk.store).unwrap().unwrap();
    let lock_path = RelPath::new("Cargo.lock").unwrap();
    // `resolve` fetched the newest dependencies; the locked ones are not all among them.
    let error = fetch_crates(&source, &lock_path, &unreachable(&disk), &disk.store, true).unwrap_err();
    assert!(matches!(error, CratesError::Offline { .. }), "{error}");
    let error = fetch_crates(&source, &lock_path, &unreachable(&disk), &disk.store, false).unwrap_err();
    assert!(error.retry_may_help(), "{error}");
    let set = fetch_crates(&source, &lock_path, &environment, &disk.store, false).unwrap();
    assert!(set.crates.len() >= 40, "{}", set.crates.len());
    for input in &set.crates {
        let bytes = disk.store.read_blob(&input.sha256, 1 << 30).unwrap();
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (input.sha256, input.size));
    }
    assert_eq!(fetch_crates(&source, &lock_path, &unreachable(&disk), &disk.store, true).unwrap(), set);

    let mount = disk.path("inputs-cargo");
    let tree = vendor_tree(&set, mount.to_str().unwrap(), &disk.store).unwrap();
    assert_eq!(vendor_tree(&set, mount.to_str().unwrap(), &disk.store).unwrap(), tree);
    let (project, epoch) = (disk.path("project"), |_| 1_700_000_000);
    disk.store.unpack(&source, &project, epoch).unwrap();
    disk.store.unpack(&tree, &mount, epoch).unwrap();
    let output = std::process::Command::new("cargo")
        .args(["metadata", "--offline", "--locked", "--format-version=1"])
        .current_dir(&project)
        .env("CARGO_HOME", &mount)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("inputs-cargo/vendor/grep-"), "crates come from the tree");
}

#[test]
fn a_checksum_that_is_not_the_registrys() {
    if !wanted() {
        return;
    }
    let disk = Disk::new();
    let environment = fresh_cargo_home(&disk);
    let definition = definition("crate = \"lua-src@547.0.0\"");
    let mut lock =
        resolve(&definition, None, |_| false, &World::new(Path::new("/"), &environment, &disk.store).context(false))
            .unwrap();
    lock.inputs.get_mut("source").unwrap().parts[0].sha256 = Digest::of(b"edited");
    let error =
        fetch(&definition, &lock, &World::new(Path::new("/"), &environment, &disk.store).context(false)).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { by: "locked", .. }), "{error}");
}

/// ripgrep's own lock, in a source whose configuration and manifest would send cargo to an address of theirs.
#[test]
fn a_strangers_crates_come_without_the_stranger() {
    if !wanted() {
        return;
    }
    let disk = Disk::new();
    let environment = fresh_cargo_home(&disk);
    let definition = definition("crate = \"ripgrep@14.1.1\"");
    let lock =
        resolve(&definition, None, |_| false, &World::new(Path::new("/"), &environment, &disk.store).context(false))
            .unwrap();
    let source = source_tree(&definition, &lock, &disk.store).unwrap().unwrap();
    let path = |name: &str| RelPath::new(name).unwrap();
    let hostile = [
        (
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"x\"\n[source.x]\nregistry = \"sparse+http://127.0.0.1:1/\"\n",
        ),
        (
            "Cargo.toml",
            "[package]\nname = \"ripgrep\"\nversion = \"14.1.1\"\n[dependencies]\nx = { git = \"http://127.0.0.1:1/x\" }\n",
        ),
    ];
    let files = hostile.map(|(name, text)| {
        let digest = disk.store.put_bytes(text.as_bytes(), false).unwrap();
        (path(name), Entry::file(digest, text.len() as u64, false))
    });
    let (lock_path, lock_entry) = (path("Cargo.lock"), source.entry("Cargo.lock").unwrap().clone());
    let stranger = Tree::from_entries(files.into_iter().chain([(lock_path.clone(), lock_entry)])).unwrap();
    fetch_crates(&stranger, &lock_path, &environment, &disk.store, false).expect_err("cargo went where it was sent");
    assert!(fetch_pinned(&stranger, &lock_path, &environment, &disk.store).unwrap() >= 40);
    fetch_crates(&source, &lock_path, &unreachable(&disk), &disk.store, true).expect("all of them are here");
}
