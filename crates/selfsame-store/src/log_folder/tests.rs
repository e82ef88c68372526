use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use selfsame_attest::{Bundle, SigningKey, Statement, Subject, sign_statement};
use selfsame_core::Digest;
use selfsame_log::{Body, LogEntry, LogSigner, verify_entry};

use super::disk::Disk;
use super::{LogFault, LogFolder, LogFolderError};

const ORIGIN: &str = "log.example/releases";
const SOON: Duration = Duration::from_secs(20);

fn key() -> SigningKey {
    SigningKey::generate(|seed| {
        seed.copy_from_slice(Digest::of(b"selfsame test key").as_bytes());
        Ok(())
    })
    .unwrap()
}

fn signer() -> LogSigner {
    LogSigner::from_seed(Digest::of(b"selfsame test log").as_bytes())
}

fn bundle(name: &str) -> Bundle {
    let subject = Subject::new(name, Digest::of(name.as_bytes()));
    sign_statement(&Statement::cosign_sign(vec![subject]), &key()).unwrap()
}

fn body(name: &str) -> Body {
    Body::of(bundle(name).envelope(), &key().public())
}

fn bodies(range: std::ops::Range<usize>) -> Vec<Body> {
    // One signature is enough for hundreds of entries: the log does not look into them.
    static ONE: OnceLock<Body> = OnceLock::new();
    let one = ONE.get_or_init(|| body("document"));
    range.map(|number| Body { digest: Digest::of(number.to_string().as_bytes()), ..one.clone() }).collect()
}

fn log(folder: &Path) -> LogFolder {
    LogFolder::create(&folder.join("log"), ORIGIN, &signer()).unwrap()
}

fn whole(log: &LogFolder) -> u64 {
    let report = log.check(log.key(), None).unwrap();
    assert_eq!(report.faults, [], "{:?}", fs::read_dir(&log.path).unwrap().collect::<Vec<_>>());
    assert_eq!(report.entries, report.checkpoint.checkpoint.size);
    report.entries
}

/// Every file of the log by name, the writer's own aside.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    fn below(folder: &Path, root: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            match path.is_dir() {
                _ if name.to_str().unwrap().starts_with('.') => {}
                true => below(&path, root, found),
                false => found.push((name, fs::read(&path).unwrap())),
            }
        }
    }
    let mut found = Vec::new();
    below(folder, folder, &mut found);
    found.sort();
    found
}

#[test]
fn entries_get_proofs_that_count_and_stand_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    assert_eq!(whole(&log), 0);
    let names = ["one", "two", "three"];
    let entries = log.append(&names.map(body), &signer(), SOON).unwrap();
    let keys = [log.key().clone()];
    let index = |entry: &LogEntry, name: &str| {
        verify_entry(entry, bundle(name).envelope(), &key().public(), &keys).unwrap().unwrap().index
    };
    for (at, (entry, name)) in entries.iter().zip(names).enumerate() {
        assert_eq!(index(entry, name), at as u64);
    }
    // The same again, in another order and with a new one, twice.
    let before = log.checkpoint().unwrap();
    let again = log.append(&["three", "one"].map(body), &signer(), SOON).unwrap();
    assert_eq!((index(&again[0], "three"), index(&again[1], "one")), (2, 0));
    assert_eq!(log.checkpoint().unwrap(), before, "nothing new, so nothing is signed");
    let more = log.append(&["four", "four", "two"].map(body), &signer(), SOON).unwrap();
    assert_eq!([index(&more[0], "four"), index(&more[1], "four"), index(&more[2], "two")], [3, 3, 1]);
    assert_eq!(whole(&log), 4);
    assert_eq!(log.prove(3).unwrap(), more[0]);
    assert!(matches!(log.prove(4), Err(LogFolderError::NoEntry { index: 4, size: 4 })));
    let report = log.check(log.key(), Some(&before)).unwrap();
    assert_eq!(report.faults, []);
}

/// However entries came, the files are the same; and partial tiles go when the full one is there.
#[test]
fn the_same_entries_are_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let (one, many) = (log(folder.path()), LogFolder::create(&folder.path().join("many"), ORIGIN, &signer()).unwrap());
    one.append(&bodies(0..600), &signer(), SOON).unwrap();
    for step in [0..1, 1..255, 255..256, 256..257, 257..511, 511..513, 513..600] {
        many.append(&bodies(step.clone()), &signer(), SOON).unwrap();
        assert_eq!(whole(&many), step.end as u64);
        many.prove(step.start as u64).unwrap();
    }
    let only_full = |path: &Path| -> Vec<_> {
        let names = files(path).into_iter();
        names.filter(|(name, _)| !name.starts_with("tile") || !name.to_str().unwrap().contains(".p/")).collect()
    };
    assert_eq!(only_full(&one.path), only_full(&many.path));
    let has = |name: &str| many.path.join(name).exists();
    assert!(has("tile/0/000") && !has("tile/0/000.p") && !has("tile/entries/001.p") && has("tile/0/002.p/88"));
    assert!(has("tile/0/002.p/1"), "an older checkpoint's partial tile stays until it is full");
}

/// A writer that dies before any step leaves a log that is whole, with the old entries or with the new ones; and the
/// next writer makes of it what it would have become.
#[test]
fn a_writer_that_dies_anywhere_leaves_a_whole_log() {
    for (start, end) in [(0, 3), (3, 5), (254, 258)] {
        let reference = tempfile::tempdir().unwrap();
        let undisturbed = log(reference.path());
        undisturbed.append(&bodies(0..start), &signer(), SOON).unwrap();
        let before = undisturbed.checkpoint().unwrap();
        undisturbed.append(&bodies(start..end), &signer(), SOON).unwrap();
        let expected = files(&undisturbed.path);
        let mut deaths = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            let log = log(folder.path());
            log.append(&bodies(0..start), &signer(), SOON).unwrap();
            let mut disk = Disk::new(&log.path);
            disk.steps_left = Some(Cell::new(deaths));
            let result = log.append_on(&disk, &bodies(start..end), &signer(), SOON);
            let size = whole(&log) as usize;
            assert!(size == start || size == end, "{size} after {deaths} steps");
            assert_eq!(log.check(log.key(), Some(&before)).unwrap().faults, []);
            if result.is_ok() {
                assert_eq!(size, end);
                break;
            }
            // Somebody else's entries come first, and the dead writer's files are no part of the log.
            if deaths % 3 == 0 {
                let other = bodies(1000..1002);
                log.append(&other, &signer(), SOON).unwrap();
                assert_eq!(whole(&log) as usize, size + 2, "{deaths}");
                log.append(&bodies(start..end), &signer(), SOON).unwrap();
                assert_eq!(whole(&log) as usize, end + 2, "{deaths}");
            } else {
                let entries = log.append(&bodies(start..end), &signer(), SOON).unwrap();
                assert_eq!(entries.len(), end - start);
                let known = |file: &&(PathBuf, Vec<u8>)| expected.iter().any(|(name, _)| *name == file.0);
                let found = files(&log.path);
                let found: Vec<_> = found.iter().filter(known).cloned().collect();
                assert_eq!(found, expected, "{deaths} steps before the writer died");
            }
            deaths += 1;
        }
        assert!(deaths > 12, "only {deaths} steps from {start} to {end}");
    }
}

#[test]
fn writers_wait_for_each_other_and_one_that_may_not_says_busy() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..5 {
                    let first = 10 * writer + number;
                    log.append(&bodies(first..first + 1), &signer(), SOON).unwrap();
                }
            });
        }
    });
    assert_eq!(whole(&log), 30);
    let held = log.lock(Duration::ZERO).unwrap();
    let busy = log.append(&[body("one")], &signer(), Duration::from_millis(120));
    assert!(matches!(busy, Err(LogFolderError::Busy { .. })), "{busy:?}");
    drop(held);
    log.append(&[body("one")], &signer(), Duration::ZERO).unwrap();
}

#[test]
fn another_key_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let refused = log.append(&[body("one")], &LogSigner::from_seed(&[7; 32]), SOON);
    assert!(matches!(refused, Err(LogFolderError::WrongSigner { .. })), "{refused:?}");
    assert_eq!(whole(&log), 0);
    assert!(LogFolder::create(&log.path, ORIGIN, &signer()).is_err(), "a log is never replaced");
}

/// Any byte of any file that is changed, and any file that is gone, is found and named.
#[test]
fn damage_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    log.append(&bodies(0..300), &signer(), SOON).unwrap();
    let since = log.checkpoint().unwrap();
    let faults = || log.check(log.key(), Some(&since)).unwrap().faults;
    assert_eq!(faults(), []);
    for (name, bytes) in files(&log.path).into_iter().filter(|(name, _)| name.starts_with("tile")) {
        let path = log.path.join(&name);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let found = faults();
            assert!(!found.is_empty(), "{name:?}, byte {at}");
            if name.starts_with("tile/0") && at == 0 {
                let index = if name.ends_with("000") { 0 } else { 256 };
                let path = name.to_str().unwrap().to_owned();
                assert_eq!(found[0], LogFault::Entry { index, path });
            }
        }
        fs::remove_file(&path).unwrap();
        let named = |fault: &LogFault| *fault == LogFault::File { path: name.to_str().unwrap().to_owned() };
        assert!(faults().iter().any(named), "{name:?} {:?}", faults());
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(faults(), []);
    // The hash above the tile, and the writer that would have signed it.
    fs::write(log.path.join("tile/1/000.p/1"), [0; 32]).unwrap();
    assert!(faults().contains(&LogFault::Hash { path: "tile/1/000.p/1".to_owned(), offset: 0 }));
    let refused = log.append(&[body("one")], &signer(), SOON);
    assert!(matches!(refused, Err(LogFolderError::Damaged { .. })), "{refused:?}");
}

/// The owner of the key writes history anew: every hash and signature is right, and an older checkpoint tells.
#[test]
fn a_rewritten_log_is_told_by_an_older_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let first = log(folder.path());
    first.append(&bodies(0..10), &signer(), SOON).unwrap();
    let kept = first.checkpoint().unwrap();
    let second = LogFolder::create(&folder.path().join("second"), ORIGIN, &signer()).unwrap();
    second.append(&bodies(5..9), &signer(), SOON).unwrap();
    let cut = second.check(second.key(), Some(&kept)).unwrap().faults;
    assert!(matches!(cut[..], [LogFault::Rewritten(_)]), "{cut:?}");
    assert!(cut[0].to_string().contains("the log had 10 entries and now has 4"), "{}", cut[0]);
    second.append(&bodies(10..30), &signer(), SOON).unwrap();
    let changed = second.check(second.key(), Some(&kept)).unwrap().faults;
    assert!(changed[0].to_string().contains("the log was rewritten"), "{}", changed[0]);
    assert_eq!(second.check(second.key(), None).unwrap().faults, []);
    // Another log's key.
    let other = LogSigner::from_seed(&[7; 32]).key(ORIGIN).unwrap();
    let foreign = second.check(&other, Some(&kept)).unwrap().faults;
    assert!(matches!(foreign[..], [LogFault::Checkpoint { which: "the newest checkpoint", .. }]), "{foreign:?}");
    // Nothing that it speaks of was looked at.
    let report = second.check(&other, None).unwrap();
    assert_eq!((report.entries, report.tiles), (0, 0));
}

/// A checkpoint speaks of more entries than anybody could have: the work is that of the files that are there.
#[test]
fn a_checkpoint_without_its_tiles_is_no_work() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    log.append(&bodies(0..300), &signer(), SOON).unwrap();
    let kept = log.checkpoint().unwrap();
    for size in [1 << 34, 1 << 62, u64::MAX >> 1] {
        let grown = selfsame_log::Checkpoint { size, ..kept.checkpoint.clone() };
        fs::write(log.path.join("checkpoint"), signer().sign(grown).unwrap().note.to_string()).unwrap();
        let report = log.check(log.key(), Some(&kept)).unwrap();
        assert_eq!(report.faults.len(), 20, "{:?}", report.faults);
        assert!(report.tiles < 30 && report.entries <= 300, "{} tiles", report.tiles);
    }
}

#[test]
fn the_golden_log_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log");
    let log = LogFolder::open(&folder.join("folder")).unwrap();
    let since = fs::read(folder.join("checkpoint-100")).unwrap();
    let since = selfsame_log::SignedCheckpoint::parse(&since).unwrap();
    let report = log.check(log.key(), Some(&since)).unwrap();
    assert_eq!((report.entries, report.faults.len()), (300, 0));
    assert!(matches!(LogFolder::open(&folder), Err(LogFolderError::NotALog { missing: "log.pub", .. })));
}

/// Whoever may write a log's folder may put a link there; a writer with more rights does not write where it leads, and a
/// reader does not wait for a pipe.
#[test]
fn no_link_or_pipe_in_a_log_is_followed() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    for name in ["checkpoint", "log.pub", "tile", "tile/0", "tile/entries", "tile/0/000.p/3", "tile/entries/000.p/3"] {
        let log = log(folder.path());
        log.append(&bodies(0..3), &signer(), SOON).unwrap();
        let place = log.path.join(name);
        fs::rename(&place, &elsewhere).unwrap();
        symlink(&elsewhere, &place).unwrap();
        let before = fs::metadata(&elsewhere).unwrap().is_dir().then(|| files(&elsewhere));
        let opened = LogFolder::open(&log.path).and_then(|log| log.append(&bodies(3..6), &signer(), SOON));
        let said = opened.expect_err(name).to_string();
        assert!(said.contains("read") || said.contains("create") || said.contains("damaged"), "{name}: {said}");
        assert_eq!(before, fs::metadata(&elsewhere).unwrap().is_dir().then(|| files(&elsewhere)), "{name}");
        crate::sys::remove_all(&elsewhere).unwrap();
        fs::remove_file(&place).unwrap();
        let fifo = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &place, rustix::fs::FileType::Fifo, fifo, 0).unwrap();
        assert!(
            LogFolder::open(&log.path).and_then(|log| log.append(&bodies(3..6), &signer(), SOON)).is_err(),
            "{name}"
        );
        crate::sys::remove_all(&log.path).unwrap();
    }
    // The writer's own places.
    let log = log(folder.path());
    fs::write(&elsewhere, "somebody else's").unwrap();
    for name in [".lock", ".tmp"] {
        let _ = crate::sys::remove_all(&log.path.join(name));
        symlink(&elsewhere, log.path.join(name)).unwrap();
        let _ = log.append(&bodies(0..3), &signer(), SOON);
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "somebody else's", "{name}");
        let _ = fs::remove_file(log.path.join(name));
    }
    log.append(&bodies(0..3), &signer(), SOON).unwrap();
    assert_eq!(whole(&log), 3);
}
