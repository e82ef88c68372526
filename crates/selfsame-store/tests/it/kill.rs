//! `kill -9` at any moment: the destination is absent, old or new, and the store passes its check.

use std::path::Path;
use std::time::Duration;

use selfsame_core::Digest;
use selfsame_store::{Replace, Staging, Store, publish_all};
use selfsame_tree::{Entry, Tree};

use super::{child, path};

/// More rounds for a long night; the default is for every day.
fn rounds() -> u32 {
    std::env::var("SELFSAME_STORE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

#[test]
fn killed_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    // A fixed sequence of moments; what the child is doing then varies enough by itself.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let (mut absent, mut whole) = (0, 0);
    for round in 0..rounds() {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let mut child = child::command("kill::hammer", folder.path()).spawn().unwrap();
        // A busy machine gets longer and longer until one child has come to its first release.
        let longest_micros = if whole == 0 { 50_000 << round.min(7) } else { 80_000 };
        std::thread::sleep(Duration::from_micros(3_000 + seed % longest_micros));
        assert_eq!(child.try_wait().unwrap(), None, "round {round}: the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        match inspect(&folder.path().join("out")) {
            None => {
                assert_eq!(whole, 0, "round {round}: there was a release, and now there is none");
                absent += 1;
            }
            Some(_) => whole += 1,
        }
        if let Ok(text) = std::fs::read_to_string(folder.path().join("out.txt")) {
            assert!(text.ends_with("end\n") && text.len() > 100_000, "round {round}: half a file was published");
        }
        let store = Store::open(&folder.path().join("store")).unwrap();
        let report = store.check(&mut |_| {}).unwrap();
        assert!(report.is_clean(), "round {round}: {report:?}");
        let tmp = std::fs::read_dir(store.root().join("tmp")).unwrap().count();
        assert_eq!(tmp, 0, "round {round}: the dead child's temporary files were not swept");
    }
    assert!(whole > 0, "the child never came to publish; {absent} rounds without a release");

    // The next publication removes what the dead left beside the destination, and nothing else.
    std::fs::write(folder.path().join(".out.selfsame-precious"), "").unwrap();
    std::fs::create_dir(folder.path().join(".out.selfsame-abcdefghijkl")).unwrap();
    std::fs::write(folder.path().join(".out.selfsame-abcdefghijkl/mine"), "").unwrap();
    write_release(&Staging::beside(&folder.path().join("out")).unwrap(), u64::MAX);
    drop(Staging::beside(&folder.path().join("out.txt")).unwrap());
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names.retain(|name| name != "out" && name != "out.txt" && name != "store");
    assert_eq!(names, [".out.selfsame-abcdefghijkl", ".out.selfsame-precious"]);
}

/// What is killed: stores, materialises and publishes for ever.
#[test]
#[ignore = "the child of `killed_at_any_moment`"]
fn hammer() {
    let Some(folder) = child::folder() else { return };
    let store = Store::open(&folder.join("store")).unwrap();
    let start = u64::from(std::process::id()) << 20;
    for number in start.. {
        let mut entries = Vec::new();
        for file in 0..20_u64 {
            let bytes = content(number, file);
            let (digest, size) = store.put(&mut &bytes[..], file % 2 == 0).unwrap();
            entries.push((path(&format!("d{}/f{file}", file % 3)), Entry::file(digest, size, file % 2 == 0)));
        }
        let tree = Tree::from_entries(entries).unwrap();
        store.put_tree(&tree).unwrap();
        store.materialise(&tree).unwrap();
        store.put_action_result(&Digest::of(&number.to_be_bytes()), b"{\"exit\":0}").unwrap();
        let release = Staging::beside(&folder.join("out")).unwrap();
        write_release(&release, number);
        let text = Staging::beside(&folder.join("out.txt")).unwrap();
        text.write(format!("{}end\n", "line\n".repeat(30_000)).as_bytes()).unwrap();
        release.publish(Replace::Release).unwrap();
        publish_all(vec![text], Replace::If(&|_| Ok(()))).unwrap();
    }
}

fn content(number: u64, file: u64) -> Vec<u8> {
    let length = usize::try_from((number * 31 + file * 7_919) % 60_000).unwrap();
    format!("{number} {file} ").into_bytes().into_iter().cycle().take(length).collect()
}

/// An index that names its blobs, as a release has, so that a part of it is seen to be one.
fn write_release(staging: &Staging, number: u64) {
    let folder = staging.create_dir().unwrap();
    std::fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let mut manifests = Vec::new();
    for file in 0..10 {
        let bytes = content(number % 1_000_000, file);
        let digest = Digest::of(&bytes);
        std::fs::write(folder.join("blobs/sha256").join(digest.hex()), &bytes).unwrap();
        manifests
            .push(format!("{{\"artifactType\":\"application/vnd.selfsame.capsule.v1+json\",\"digest\":\"{digest}\"}}"));
    }
    std::fs::write(folder.join("oci-layout"), "{}").unwrap();
    std::fs::write(folder.join("index.json"), format!("{{\"manifests\":[{}]}}", manifests.join(","))).unwrap();
}

/// How many blobs a whole release has; nothing if there is none. Panics at a part of one.
fn inspect(out: &Path) -> Option<usize> {
    std::fs::symlink_metadata(out).ok()?;
    assert!(out.join("oci-layout").exists(), "no oci-layout");
    let index = std::fs::read_to_string(out.join("index.json")).unwrap();
    assert!(index.ends_with("]}"), "half an index");
    let digests: Vec<Digest> = index.split("\"digest\":\"").skip(1).map(|rest| rest[..71].parse().unwrap()).collect();
    for digest in &digests {
        let bytes = std::fs::read(out.join("blobs/sha256").join(digest.hex())).unwrap();
        assert_eq!(Digest::of(&bytes), *digest);
    }
    assert_eq!(digests.len(), 10);
    Some(digests.len())
}
