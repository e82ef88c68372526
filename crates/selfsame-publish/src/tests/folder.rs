//! The shared store as a folder: whole or not at all, and nothing believed.

use std::fs;

use selfsame_core::Digest;
use selfsame_http::{Client, Environment, Options, Origins, RemoteStore};
use selfsame_registry::{Configuration, Credentials, Registry};
use selfsame_store::Store;

use crate::{SharedError, SharedStore};

fn registry() -> Registry {
    let client = Client::new(&Environment::default(), Options::default()).expect("a client");
    Registry::new(&client, Configuration::of_origins(&Origins::default()), Credentials::none())
}

struct World {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("shared")).expect("a folder");
        Self { folder, registry: registry() }
    }

    fn store(&self, name: &str) -> Store {
        Store::open(&self.folder.path().join(name)).expect("a store")
    }

    fn shared(&self) -> Result<SharedStore<'_>, SharedError> {
        SharedStore::open(&RemoteStore::Folder(self.folder.path().join("shared")), &self.registry)
    }

    fn blob(&self, digest: &Digest) -> std::path::PathBuf {
        let hex = digest.hex();
        self.folder.path().join("shared/blobs/sha256").join(&hex[..2]).join(hex)
    }
}

#[test]
fn what_one_machine_puts_another_gets() {
    let world = World::new();
    let (here, there) = (world.store("here"), world.store("there"));
    let digest = here.put_bytes(b"an input", false).unwrap();
    let shared = world.shared().unwrap();
    assert!(!shared.has(&digest).unwrap());
    assert_eq!(shared.get(&digest, Some(8), &there).unwrap(), None);
    assert!(shared.put(&digest, &here).unwrap(), "it was not there");
    assert!(!shared.put(&digest, &here).unwrap(), "it was there");
    let shared = world.shared().unwrap();
    assert!(shared.has(&digest).unwrap());
    assert_eq!(shared.get(&digest, None, &there).unwrap(), Some(8));
    assert_eq!(there.read_blob(&digest, 99).unwrap(), b"an input");
    let left: Vec<_> = fs::read_dir(world.folder.path().join("shared/tmp")).unwrap().collect();
    assert!(left.is_empty(), "temporary files are left: {left:?}");
}

#[test]
fn other_bytes_under_a_name_are_refused_and_mended_by_who_has_the_right_ones() {
    let world = World::new();
    let (here, there) = (world.store("here"), world.store("there"));
    let digest = here.put_bytes(b"an input", false).unwrap();
    let shared = world.shared().unwrap();
    shared.put(&digest, &here).unwrap();
    for lie in [&b"AN INPUT"[..], b"an", b"an input and more"] {
        fs::write(world.blob(&digest), lie).unwrap();
        let refused = shared.get(&digest, Some(8), &there);
        assert!(matches!(refused, Err(SharedError::Damaged { .. })), "{lie:?}: {refused:?}");
        assert!(!there.has(&digest), "{lie:?} was stored");
    }
    fs::write(world.blob(&digest), b"an").unwrap();
    assert!(shared.put(&digest, &here).unwrap(), "one of another size is replaced");
    assert_eq!(shared.get(&digest, Some(8), &there).unwrap(), Some(8));
}

#[test]
fn a_folder_that_is_not_there_or_is_something_else_is_not_written_to() {
    let world = World::new();
    let absent = RemoteStore::Folder(world.folder.path().join("absent"));
    assert!(matches!(SharedStore::open(&absent, &world.registry), Err(SharedError::NotThere { .. })));
    assert!(!world.folder.path().join("absent").exists(), "it was made");
    fs::write(world.folder.path().join("shared/thesis.odt"), "").unwrap();
    assert!(matches!(world.shared(), Err(SharedError::NotAStore { .. })));
    fs::remove_file(world.folder.path().join("shared/thesis.odt")).unwrap();
    fs::write(world.folder.path().join("shared/selfsame-shared-store"), "2\n").unwrap();
    assert!(matches!(world.shared(), Err(SharedError::Version { .. })));
}

#[test]
fn many_at_once_leave_each_blob_whole() {
    let world = World::new();
    let here = world.store("here");
    let blobs: Vec<Digest> = (0..20_u8).map(|n| here.put_bytes(&vec![n; 100_000], false).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let shared = world.shared().unwrap();
                for digest in &blobs {
                    shared.put(digest, &here).unwrap();
                }
            });
        }
    });
    let there = world.store("there");
    for digest in &blobs {
        assert_eq!(world.shared().unwrap().get(digest, Some(100_000), &there).unwrap(), Some(100_000));
    }
}
