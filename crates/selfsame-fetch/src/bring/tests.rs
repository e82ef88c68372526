//! Many files from servers that behave as real ones do.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use selfsame_core::{Digest, Platform, SourceEpoch};
use selfsame_http::{Client, Environment, HttpError, Options, Patience};
use selfsame_lock::{Claim, Day, Part, Purl};
use selfsame_store::Store;
use selfsame_testing::server::{Answer, Fault, Server};

use super::{Wanted, bring_all};
use crate::context::{Context, FetchProgress};
use crate::resolve::FetchError;

#[derive(Default)]
struct Told {
    expected: Mutex<Vec<(u64, Option<u64>)>>,
    bytes: AtomicU64,
    files: AtomicU64,
    hosts: Mutex<Vec<String>>,
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

    fn host(&self, host: &str) {
        self.hosts.lock().unwrap().push(host.to_owned());
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

    fn bring(&self, wanted: &[Wanted<'_>]) -> Result<(), FetchError> {
        self.bring_as(wanted, false)
    }

    fn bring_as(&self, wanted: &[Wanted<'_>], offline: bool) -> Result<(), FetchError> {
        let patience = Patience { pause: Duration::from_millis(1), ..Patience::default() };
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

fn content(index: usize) -> Vec<u8> {
    vec![u8::try_from(index % 251).unwrap(); 1000 + index]
}

fn part(index: usize) -> Part {
    let (purl, content) = (Purl::generic(&format!("file-{index}"), None).unwrap(), content(index));
    Part::new(purl, Digest::of(&content), content.len() as u64, Claim::SignedRelease)
}

fn index_of(path: &str) -> usize {
    path.trim_start_matches('/').parse().unwrap_or(usize::MAX)
}

/// All of `parts` from a server that has each at its place in the list.
fn at<'a>(server: &Server, parts: &'a [Part]) -> Vec<Wanted<'a>> {
    parts.iter().enumerate().map(|(at, part)| Wanted::part(part, vec![server.url(&format!("/{at}"))])).collect()
}

/// Each is asked for once, also where it is wanted twice; a second time nobody is asked, and nobody has to be there.
#[test]
fn many_files_come_once() {
    let world = World::new();
    let server = Server::http(|asked| Answer::ok(content(index_of(asked.path()))));
    let parts: Vec<Part> = (0..100).map(part).collect();
    let mut wanted = at(&server, &parts);
    wanted.extend(at(&server, &parts[..1]));
    world.bring(&wanted).unwrap();
    assert!(parts.iter().all(|part| world.store.has(&part.sha256)));
    assert_eq!(server.asked().len(), 100);
    let bytes: u64 = parts.iter().map(|part| part.size).sum();
    assert_eq!(*world.told.expected.lock().unwrap(), [(100, Some(bytes))]);
    assert_eq!((world.told.bytes.load(Ordering::Relaxed), world.told.files.load(Ordering::Relaxed)), (bytes, 100));
    assert!(world.told.hosts.lock().unwrap().iter().all(|host| host == "127.0.0.1"));

    world.bring_as(&wanted, true).unwrap();
    assert_eq!((server.asked().len(), world.told.expected.lock().unwrap().len()), (100, 1));
}

/// Three of forty fail, the last of them at once and the first one late: that one is named, in every run. A run after it
/// asks only for what did not come.
#[test]
fn the_first_failure_in_order_is_named() {
    let parts: Vec<Part> = (0..40).map(part).collect();
    for _ in 0..5 {
        let world = World::new();
        let server = Server::http(|asked| match index_of(asked.path()) {
            3 => {
                std::thread::sleep(Duration::from_millis(60));
                Answer::ok(b"<other>".to_vec())
            }
            5 | 6 => Answer::status(404),
            index => Answer::ok(content(index)),
        });
        match world.bring(&at(&server, &parts)).unwrap_err() {
            FetchError::Mismatch { input, by, found, place, .. } => {
                assert_eq!((input.as_str(), by, found), ("set", "locked", Digest::of(b"<other>")));
                assert!(place.ends_with("/3`"), "{place}");
            }
            other => panic!("{other}"),
        }
        assert!(!world.store.has(&Digest::of(b"<other>")));
        let here = parts.iter().filter(|part| world.store.has(&part.sha256)).count();
        assert!(here < 40);
        let healthy = Server::http(|asked| Answer::ok(content(index_of(asked.path()))));
        world.bring(&at(&healthy, &parts)).unwrap();
        assert_eq!(healthy.asked().len(), 40 - here);
    }
}

/// A mirror without the file, one that lies, one that answers a page, then one that has it; and where none has it, what
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
    let part = part(1);
    let bring = |paths: &[&str], offline| {
        let urls = paths.iter().map(|path| server.url(path)).collect();
        world.bring_as(&[Wanted::part(&part, urls)], offline)
    };
    let error = bring(&["/gone", "/lies", "/page"], false).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { .. }), "{error}");
    let error = bring(&["/page", "/lies"], false).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::WebPage { .. })), "{error}");
    let error = bring(&["/gone"], false).unwrap_err();
    assert!(matches!(error, FetchError::Http(HttpError::NotFound { .. })), "{error}");
    let error = bring(&[], false).unwrap_err();
    assert!(matches!(error, FetchError::Nowhere { .. }), "{error}");
    let asked = server.asked().len();
    let error = bring(&["/have"], true).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
    assert_eq!(server.asked().len(), asked);
    assert_eq!(world.told.bytes.load(Ordering::Relaxed), 0, "what came was for nothing");
    bring(&["/gone", "/lies", "/page", "/have"], false).unwrap();
}

/// A connection that is cut in the middle is taken up there, and what is told is what came in the end.
#[test]
fn a_cut_file_is_taken_up() {
    let world = World::new();
    let content = vec![7_u8; 300_000];
    let (digest, cut) = (Digest::of(&content), AtomicU64::new(0));
    let server = Server::http(move |asked| {
        let answer = Answer::file(asked, &content, "one");
        if cut.fetch_add(1, Ordering::Relaxed) == 0 { answer.fault(Fault::CutAfter(200_000)) } else { answer }
    });
    let part = Part::new(Purl::generic("file", None).unwrap(), digest, 300_000, Claim::SignedRelease);
    world.bring(&[Wanted::part(&part, vec![server.url("/x")])]).unwrap();
    let ranges: Vec<Option<String>> =
        server.asked().iter().map(|asked| asked.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges.len(), 2);
    assert!(ranges[0].is_none() && ranges[1].is_some(), "{ranges:?}");
    assert_eq!(world.told.bytes.load(Ordering::Relaxed), 300_000);
}
