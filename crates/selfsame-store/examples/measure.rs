//! How long a folder takes to be stored and made ready for a sandbox, for the figures in docs/store.md.
//!
//! `cargo run --release -p selfsame-store --example measure -- STORE FOLDER`, twice, with a new and a filled store.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures, and says so")]

use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use selfsame_core::RelPath;
use selfsame_store::{FileStamp, Store};
use selfsame_tree::{Entry, Tree};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(root), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: measure STORE FOLDER".into());
    };
    let folder = PathBuf::from(folder);
    let mut files = Vec::new();
    let mut entries = Vec::new();
    walk(&folder, &folder, &mut files, &mut entries)?;

    let start = Instant::now();
    let store = Store::open(Path::new(&root))?;
    println!("open                  {:>8.1} ms", millis(start));

    let start = Instant::now();
    let stored = store.put_files(&files)?;
    let bytes: u64 = stored.iter().map(|(_, size)| size).sum();
    println!("put_files             {:>8.1} ms   {} files, {} MB", millis(start), files.len(), bytes / 1_000_000);
    for ((path, executable), (digest, size)) in files.iter().zip(&stored) {
        entries.push((relative(&folder, path)?, Entry::file(*digest, *size, *executable)));
    }
    let tree = Tree::from_entries(entries)?;
    drop(store);

    let store = Store::open(Path::new(&root))?;
    for what in ["materialise, unhashed ", "materialise, again    "] {
        let start = Instant::now();
        store.materialise(&tree)?;
        println!("{what}{:>8.1} ms   {} entries", millis(start), tree.len());
    }
    let start = Instant::now();
    store.missing(&tree)?;
    println!("missing               {:>8.1} ms", millis(start));

    let key = tree.digest();
    for what in ["stamps, first         ", "stamps, unchanged     "] {
        let start = Instant::now();
        let mut cache = store.stat_cache(&key)?;
        let mut hits = 0;
        for ((path, _), (digest, _)) in files.iter().zip(&stored) {
            let (below, stamp) = (relative(&folder, path)?, FileStamp::of(&path.symlink_metadata()?));
            match cache.lookup(&below, &stamp) {
                Some(_) => hits += 1,
                None => cache.record(below, stamp, *digest),
            }
        }
        store.save_stat_cache(&key, &cache)?;
        println!("{what}{:>8.1} ms   {hits} of {} known", millis(start), files.len());
    }

    let start = Instant::now();
    let report = store.check(&mut |_| {})?;
    let seconds = start.elapsed().as_secs_f64();
    println!("check                 {:>8.1} ms   {:.0} MB/s", seconds * 1e3, report.bytes as f64 / seconds / 1e6);
    let start = Instant::now();
    let usage = store.du()?;
    println!("du                    {:>8.1} ms   {usage:?}", millis(start));
    Ok(())
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn relative(root: &Path, path: &Path) -> Result<RelPath, Box<dyn Error>> {
    Ok(RelPath::new(path.strip_prefix(root)?.to_str().ok_or("a name that is not UTF-8")?)?)
}

fn walk(
    root: &Path,
    folder: &Path,
    files: &mut Vec<(PathBuf, bool)>,
    entries: &mut Vec<(RelPath, Entry)>,
) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(folder)? {
        let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
        if metadata.is_dir() {
            entries.push((relative(root, &path)?, Entry::directory()));
            walk(root, &path, files, entries)?;
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(&path)?.to_string_lossy().into_owned();
            entries.push((relative(root, &path)?, Entry::symlink(target)));
        } else if metadata.is_file() {
            files.push((path, metadata.permissions().mode() & 0o100 != 0));
        }
    }
    Ok(())
}
