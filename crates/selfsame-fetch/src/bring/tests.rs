//! Many files from servers that behave as real ones do.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use selfsame_core::{Digest, Platform, SourceEpoch};
use selfsame_http::{Client, Environment, HttpError, Options, Patience};
use selfsame_lock::{Day, Purl};
use selfsame_store::Store;
use selfsame_testing::server::{Answer, Fault, Server};

use super::{Expected, Wanted, bring_all};
use crate::context::{Context, FetchProgress};
use crate::resolve::FetchError;

#[derive(Default)]
struct Told {
    expected: Mutex<Vec<(u64, Option<u64>)>>,
    bytes: AtomicU64,
    files: AtomicU64,
}

impl FetchProgress for Told {
    fn expect(&self, _: &str, files: u64, size: Option<u64>) {
        self.expected.lock().unwrap().push((files, size));
    }

    fn bytes(&self, count: u64) {
        self.bytes.fetch_add(count, Ordering::Relaxed);
    }

    fn lost(&self, count: u64) {
        self.bytes.fetch_sub(count, Ordering::Relaxed);
    }

    fn came(&self, _: &str, _: &str, _: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }
}

struct World {
    folder: tempfile::TempDir,
    store: Store,
    told: Told,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        Self { folder, store, told: Told::default() }
    }

    fn bring(&self, wanted: &[Wanted<'_>]) -> Result<Vec<(Digest, u64)>, FetchError> {
        self.bring_as(wanted, false)
    }

    fn bring_as(&self, wanted: &[Wanted<'_>], offline: bool) -> Result<Vec<(Digest, u64)>, FetchError> {
        let patience = Patience { pause: std::time::Duration::from_millis(1), ..Patience::default() };
        let environment = Environment::default();
        let http = Client::new(&environment, Options { patience, ..Options::default() }).unwrap();
        let cx = Context {
            folder: self.folder.path(),
            environment: &environment,
            http: &http,
            store: &self.store,
            platform: &Platform::native(),
            platforms: &[],
            offline,
            today: Day::of(SourceEpoch::new(1_795_132_800).unwrap()),
            progress: &self.told,
        };
        bring_all("set", "locked", wanted, &cx)
    }
}

fn purl(index: usize) -> Purl {
    Purl::generic(&format!("file-{index}"), None).unwrap()
}

fn content(index: usize) -> Vec<u8> {
    vec![u8::try_from(index % 251).unwrap(); 1000 + index]
}

fn index_of(path: &str) -> usize {
    path.trim_start_matches('/').parse().unwrap_or(usize::MAX)
}

fn part<'a>(server: &Server, purl: &'a Purl, index: usize) -> Wanted<'a> {
    let content = content(index);
    let expected = Expected::Part(Digest::of(&content), content.len() as u64);
    Wanted::new(purl, expected, vec![server.url(&format!("/{index}"))])
}

/// Results stand in the order of what was wanted, whatever comes first; a second time nobody is asked.
#[test]
fn many_files_come_in_order_and_once() {
    let world = World::new();
    let server = Server::http(|asked| Answer::ok(content(index_of(asked.path()))));
    let purls: Vec<Purl> = (0..100).map(purl).collect();
    // The last one is the first one again.
    let wanted: Vec<Wanted<'_>> = (0..100).chain([0]).map(|index| part(&server, &purls[index], index)).collect();
    let brought = world.bring(&wanted).unwrap();
    let expected: Vec<_> =
        (0..100).chain([0]).map(|index| (Digest::of(&content(index)), content(index).len() as u64)).collect();
    assert_eq!(brought, expected);
    assert_eq!(server.asked().len(), 100);
    let bytes: u64 = expected[..100].iter().map(|(_, size)| size).sum();
    assert_eq!(*world.told.expected.lock().unwrap(), [(100, Some(bytes))]);
    assert_eq!((world.told.bytes.load(Ordering::Relaxed), world.told.files.load(Ordering::Relaxed)), (bytes, 100));

    assert_eq!(world.bring_as(&wanted, true).unwrap(), expected);
    assert_eq!(server.asked().len(), 100);
}

/// Three of forty fail, the last of them at once and the first one late: it is named, in every run, and a run after that
/// asks only for what did not come.
#[test]
fn the_first_failure_in_order_is_named() {
    let purls: Vec<Purl> = (0..40).map(purl).collect();
    for _ in 0..5 {
        let world = World::new();
        let server = Server::http(|asked| match index_of(asked.path()) {
            3 => {
                std::thread::sleep(std::time::Duration::from_millis(60));
                Answer::ok(b"<other>".to_vec())
            }
            5 | 6 => Answer::status(404),
            index => Answer::ok(content(index)),
        });
        let wanted: Vec<Wanted<'_>> = (0..40).map(|index| part(&server, &purls[index], index)).collect();
        match world.bring(&wanted).unwrap_err() {
            FetchError::Mismatch { input, by, found, place, .. } => {
                assert_eq!((input.as_str(), by, found), ("set", "locked", Digest::of(b"<other>")));
                assert!(place.ends_with("/3`"), "{place}");
            }
            other => panic!("{other}"),
        }
        assert!(!world.store.has(&Digest::of(b"<other>")));
        let here = (0..40).filter(|index| world.store.has(&Digest::of(&content(*index)))).count();
        let healthy = Server::http(|asked| Answer::ok(content(index_of(asked.path()))));
        let wanted: Vec<Wanted<'_>> = (0..40).map(|index| part(&healthy, &purls[index], index)).collect();
        world.bring(&wanted).unwrap();
        assert_eq!(healthy.asked().len(), 40 - here);
    }
}

/// A mirror without the file, one that lies, one that answers a page, then one that has it; and none that has it: what
/// says most is told.
#[test]
fn places_are_asked_one_after_the_other() {
    let world = World::new();
    let server = Server::http(|asked| match asked.path() {
        "/have" => Answer::ok(content(1)),
        "/lies" => Answer::ok(b"lies".to_vec()),
        "/page" => Answer::ok(b"<!DOCTYPE html><html>log in</html>".to_vec()).header("content-type", "text/html"),
        _ => Answer::status(404),
    });
    let places = |paths: &[&str]| paths.iter().map(|path| server.url(path)).collect::<Vec<_>>();
    let known = Expected::Part(Digest::of(&content(1)), content(1).len() as u64);
    let purl = purl(1);
    let of = |paths: &[&str]| Wanted::new(&purl, known, places(paths));
    let error = world.bring(&[of(&["/gone", "/lies", "/page"])]).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { .. }), "{error}");
    let error = world.bring(&[of(&["/page", "/lies"])]).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::WebPage { .. })), "{error}");
    let error = world.bring(&[of(&["/gone"])]).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::NotFound { .. })), "{error}");
    assert_eq!(world.told.bytes.load(Ordering::Relaxed), 0, "what came was for nothing");
    world.bring(&[of(&["/gone", "/lies", "/page", "/have"])]).unwrap();
    assert!(matches!(
        world.bring(&[Wanted::new(&purl, Expected::Unknown, Vec::new())]),
        Err(FetchError::Nowhere { .. })
    ));
}

/// Of a file whose size nobody knows the digest decides; of one of which nothing is known the caller does.
#[test]
fn what_is_known_of_a_file_is_checked() {
    let world = World::new();
    let server = Server::http(|asked| Answer::ok(content(index_of(asked.path()))));
    let purls: Vec<Purl> = (0..3).map(purl).collect();
    let of = |index: usize, expected| Wanted::new(&purls[index], expected, vec![server.url(&format!("/{index}"))]);
    let brought = world
        .bring(&[of(0, Expected::Sha256(Digest::of(&content(0)))), of(1, Expected::Unknown), of(2, Expected::Unknown)])
        .unwrap();
    let digests: BTreeSet<Digest> = brought.into_iter().map(|(digest, _)| digest).collect();
    assert_eq!(digests, (0..3).map(|index| Digest::of(&content(index))).collect());
    let error = world.bring(&[of(1, Expected::Sha256(Digest::of(b"another")))]).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { .. }), "{error}");
    let error = world.bring_as(&[of(1, Expected::Unknown)], true).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
}

/// A connection that is cut in the middle is taken up there, and what is told is what came in the end.
#[test]
fn a_cut_file_is_taken_up() {
    let world = World::new();
    let content = vec![7_u8; 300_000];
    let (digest, body, cut) = (Digest::of(&content), content.clone(), AtomicU64::new(0));
    let server = Server::http(move |asked| {
        let answer = Answer::file(asked, &body, "\"one\"");
        if cut.fetch_add(1, Ordering::Relaxed) == 0 { answer.fault(Fault::CutAfter(200_000)) } else { answer }
    });
    let purl = purl(1);
    world.bring(&[Wanted::new(&purl, Expected::Part(digest, 300_000), vec![server.url("/x")])]).unwrap();
    let ranges: Vec<Option<String>> =
        server.asked().iter().map(|asked| asked.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges.len(), 2);
    assert!(ranges[0].is_none() && ranges[1].is_some(), "{ranges:?}");
    assert_eq!(world.told.bytes.load(Ordering::Relaxed), 300_000);
}
