//! Several processes on one store, stores of other versions, and folders that are none.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use selfsame_core::Digest;
use selfsame_store::{Store, StoreError};
use selfsame_testing::{Tier, require};
use selfsame_tree::{Entry, Tree};

use super::{child, fresh, path};

#[test]
fn processes_that_store_and_materialise_the_same_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..4)
        .map(|_| child::command("sharing::neighbour", folder.path()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in children.drain(..) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let store = Store::open(&folder.path().join("store")).unwrap();
    let report = store.check(&mut |_| {}).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.trees, 5);
}

#[test]
#[ignore = "a child of the test above"]
fn neighbour() {
    let Some(folder) = child::folder() else { return };
    let store = Store::open(&folder.join("store")).unwrap();
    for round in 0..5 {
        let mut entries = Vec::new();
        for file in 0..100 {
            let bytes = format!("round {round} file {file}").repeat(50);
            let digest = store.put_bytes(bytes.as_bytes(), file % 3 == 0).unwrap();
            entries.push((
                path(&format!("d{}/f{file}", file % 7)),
                Entry::file(digest, bytes.len() as u64, file % 3 == 0),
            ));
        }
        let tree = Tree::from_entries(entries).unwrap();
        let digest = store.put_tree(&tree).unwrap();
        assert_eq!(store.tree(&digest).unwrap(), tree);
        let root = store.materialise(&tree).unwrap();
        assert_eq!(std::fs::read(root.join("d0/f7")).unwrap(), format!("round {round} file 7").repeat(50).as_bytes());
        store.put_action_result(&digest, b"{}").unwrap();
        assert_eq!(store.action_result(&digest).unwrap().unwrap(), b"{}");
    }
}

#[test]
fn opening_again_finds_everything_and_sweeps_only_the_dead() {
    let (folder, store) = fresh();
    let digest = store.put_bytes(b"kept", false).unwrap();
    let again = Store::open(&folder.path().join("store")).unwrap();
    assert!(again.has(&digest));
    // The first one is alive: its temporary folder must still be there to write to.
    store.put_bytes(b"still works", false).unwrap();
    let dead = store.root().join("tmp/process-deaddeaddead");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("0"), "half a blob").unwrap();
    drop(again);
    let _third = Store::open(&folder.path().join("store")).unwrap();
    assert!(!dead.exists());
    store.put_bytes(b"still works now", false).unwrap();
}

#[test]
fn refuses_by_name_what_is_no_store_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);

    std::fs::write(at("file"), "").unwrap();
    let error = Store::open(&at("file")).unwrap_err();
    assert!(matches!(error, StoreError::NotAFolder { .. }), "{error:?}");
    assert!(matches!(Store::open(&at("file/below")).unwrap_err(), StoreError::NotAFolder { .. }));

    std::fs::create_dir(at("home")).unwrap();
    std::fs::write(at("home/thesis.tex"), "").unwrap();
    let error = Store::open(&at("home")).unwrap_err();
    assert!(matches!(&error, StoreError::NotAStore { stranger, .. } if stranger == "thesis.tex"), "{error:?}");
    assert_eq!(std::fs::read_dir(at("home")).unwrap().count(), 1, "it made folders there all the same");

    drop(Store::open(&at("newer")).unwrap());
    std::fs::write(at("newer/version"), "selfsame store v2\n").unwrap();
    let error = Store::open(&at("newer")).unwrap_err().to_string();
    let name = at("newer").display().to_string();
    assert_eq!(
        error,
        format!("store `{name}` has version `selfsame store v2`; this selfsame reads `selfsame store v1`")
    );

    std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
    assert!(matches!(Store::open(&at("dangling")).unwrap_err(), StoreError::NotAFolder { .. }));
}

#[test]
fn sandbox_a_read_only_store_is_named() {
    if !require(Tier::Sandbox, child::namespaces()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    store.put_bytes(b"read me", false).unwrap();
    drop(store);
    let setup = "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"";
    let output = child::in_namespace(setup, "sharing::on_a_read_only_disk", folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "a child of the test above"]
fn on_a_read_only_disk() {
    let Some(folder) = child::folder() else { return };
    let error = Store::open(&folder.join("store")).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    let error = Store::open(&folder.join("new")).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    let blob = Digest::of(b"read me").hex();
    assert!(folder.join("store/blobs/sha256").join(&blob[..2]).join(&blob).exists());
}

#[test]
fn sandbox_a_store_without_permission_is_named() {
    if !require(Tier::Sandbox, child::namespaces()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["closed", "unwritable"] {
        drop(Store::open(&folder.path().join(name)).unwrap());
    }
    let set_mode = |name: &str, mode: u32| {
        std::fs::set_permissions(folder.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    set_mode("closed", 0o000);
    set_mode("unwritable/tmp", 0o500);
    let output = child::without_privileges("sharing::without_permission", folder.path()).output().unwrap();
    set_mode("closed", 0o700);
    set_mode("unwritable/tmp", 0o700);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "a child of the test above"]
fn without_permission() {
    let Some(folder) = child::folder() else { return };
    let error = Store::open(&folder.join("closed")).unwrap_err();
    assert!(matches!(error, StoreError::Permission { .. }), "{error:?}");
    let store = Store::open(&folder.join("unwritable")).unwrap();
    let error = store.put_bytes(b"x", false).unwrap_err();
    let tmp = folder.join("unwritable/tmp");
    assert!(matches!(&error, StoreError::Permission { path, .. } if *path == tmp), "{error:?}");
}
