//! Servers that lie, cut, drip, never end, or answer something else. Nothing of it is kept, and none of it takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use selfsame_core::Digest;
use selfsame_http::{Download, HttpError, Request};
use selfsame_testing::server::{Answer, Fault, Server};

use crate::world::{World, file};

/// What comes of a download of at most 1 MiB from a server with one answer, and how often that was asked.
fn failure(answer: Answer, expected: Option<&[u8]>) -> (HttpError, usize) {
    failure_with(3, answer, expected)
}

fn failure_with(retries: u32, answer: Answer, expected: Option<&[u8]>) -> (HttpError, usize) {
    let mut world = World::new();
    world.options.patience.retries = retries;
    let server = Server::http(move |_| answer.clone());
    let url = server.url("/f?signature=secret");
    let mut download = Download::new(&url, 1 << 20);
    download.expected = expected.map(|bytes| (Digest::of(bytes), bytes.len() as u64));
    let begun = Instant::now();
    let error = world.client().download(&download, &world.store).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?} for {error}", begun.elapsed());
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    world.has_blobs(0);
    (error, server.asked().len())
}

#[test]
fn cut_every_time() {
    let (bytes, _) = file(100_000);
    for fault in
        [Fault::CutAfter(0), Fault::CutAfter(100), Fault::CutAfter(50_000), Fault::Hangup, Fault::Length(100_001)]
    {
        let (error, asked) = failure(Answer::ok(bytes.clone()).header("ETag", "\"v\"").fault(fault), None);
        assert!(matches!(error, HttpError::Network { .. }) && error.retry_may_help(), "{fault:?}: {error}");
        assert_eq!(asked, 4, "{fault:?}: once and three retries");
    }
}

#[test]
fn cut_every_time_by_a_server_that_knows_no_ranges() {
    let (bytes, digest) = file(4 << 20);
    let world = World::new();
    let body = bytes.clone();
    let server =
        Server::http(move |_| Answer::ok(body.clone()).header("ETag", "\"v\"").fault(Fault::CutAfter(3 << 20)));
    let url = server.url("/f");
    for download in [Download::new(&url, 8 << 20), Download::new(&url, 8 << 20).expecting(digest, 4 << 20)] {
        let before = server.asked().len();
        let error = world.client().download(&download, &world.store).unwrap_err();
        assert!(matches!(error, HttpError::Network { .. }), "{error}");
        assert!(server.asked().len() - before <= 8, "much of the same is no progress: {}", server.asked().len());
    }
    world.has_blobs(0);
}

#[test]
fn shorter_than_expected() {
    let (bytes, _) = file(100_000);
    for fault in [Fault::NoLength(60_000), Fault::Length(60_000)] {
        let (error, _) = failure(Answer::ok(bytes.clone()).fault(fault), Some(&bytes));
        let HttpError::OtherBytes { found_bytes: 60_000, .. } = error else { panic!("{fault:?}: {error}") };
        assert!(!error.retry_may_help());
    }
}

#[test]
fn other_bytes_than_expected() {
    let (error, asked) = failure(Answer::ok("republished"), Some(b"as it was locked"));
    let HttpError::OtherBytes { expected, found, .. } = error else { panic!("{error}") };
    assert_eq!((expected, found), (Digest::of(b"as it was locked"), Digest::of(b"republished")));
    assert_eq!(asked, 1, "asking again would not make it better");
}

#[test]
fn longer_than_expected() {
    let (bytes, _) = file(1000);
    let (error, _) = failure(Answer::ok(file(500_000).0), Some(&bytes));
    assert!(matches!(error, HttpError::OtherBytes { found_bytes: 1001, .. }), "{error}");
    let (error, _) = failure(Answer::ok(bytes.clone()).fault(Fault::Endless), Some(&bytes));
    assert!(matches!(error, HttpError::OtherBytes { found_bytes: 1001, .. }), "{error}");
}

#[test]
fn more_than_is_read() {
    let (bytes, _) = file(2 << 20);
    for fault in [Fault::None, Fault::Endless, Fault::Chunked, Fault::NoLength(2 << 20)] {
        let (error, asked) = failure(Answer::ok(bytes.clone()).fault(fault), None);
        assert!(matches!(error, HttpError::TooLarge { limit_bytes: 1_048_576, .. }), "{fault:?}: {error}");
        assert_eq!(asked, 1);
    }
}

#[test]
fn too_slow() {
    let (bytes, _) = file(100_000);
    let drip = Duration::from_millis(20);
    for (retries, fault) in [(0, Fault::Drip(drip)), (1, Fault::HeadDrip(drip))] {
        let (error, asked) = failure_with(retries, Answer::ok(bytes.clone()).fault(fault), None);
        assert!(matches!(error, HttpError::TooSlow { bytes: 1000, seconds: 1, .. }), "{fault:?}: {error}");
        assert!(error.retry_may_help() && asked == 1 + retries as usize, "{fault:?}: {asked}");
    }
    for fault in [Fault::Silent(0), Fault::Silent(5000)] {
        let (error, _) = failure_with(0, Answer::ok(bytes.clone()).fault(fault), None);
        assert!(matches!(error, HttpError::Network { .. }) && error.retry_may_help(), "{fault:?}: {error}");
    }
}

#[test]
fn too_slow_behind_tls() {
    let mut world = World::new();
    let authority = world.authority();
    world.options.patience.retries = 0;
    // Each byte is a record of its own with some twenty more: still far below what is wanted.
    let (bytes, _) = file(100_000);
    let server = Server::https(&authority, &[], move |_| {
        Answer::ok(bytes.clone()).fault(Fault::Drip(Duration::from_millis(50)))
    });
    let begun = Instant::now();
    let url = server.url("/f");
    let error = world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap_err();
    assert!(matches!(error, HttpError::TooSlow { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_head_without_end() {
    let (error, asked) = failure(Answer::ok("").fault(Fault::EndlessHead), None);
    assert!(matches!(error, HttpError::Garbled { .. }) && asked == 1, "{error} {asked}");
}

#[test]
fn web_pages_are_named() {
    let page = "\n<!DOCTYPE html><title>sign in</title>";
    let by_type = Answer::ok("sign in").header("Content-Type", "Text/HTML; charset=utf-8");
    for answer in [Answer::ok(page), by_type] {
        let (error, asked) = failure(answer.clone(), None);
        assert!(matches!(error, HttpError::WebPage { .. }) && asked == 1, "{error}");
        let (error, _) = failure(answer, Some(b"an archive"));
        assert!(matches!(error, HttpError::WebPage { .. }), "{error}");
    }
    let world = World::new();
    let server = Server::http(move |_| Answer::ok(page).header("Content-Type", "text/html"));
    let expected =
        Download { expected: Some((Digest::of(page.as_bytes()), page.len() as u64)), ..Download::new("", 1000) };
    world.client().download(&Download { url: &server.url("/f"), ..expected }, &world.store).expect("a page was wanted");
    let url = server.url("/doc/index.html?x");
    world.client().download(&Download::new(&url, 1000), &world.store).expect("so it was here");
}

#[test]
fn statuses() {
    for (status, asked_times) in
        [(401, 1), (403, 1), (404, 1), (410, 1), (451, 1), (429, 4), (500, 4), (503, 4), (501, 1)]
    {
        let (error, asked) = failure(Answer::status(status), None);
        let right = match status {
            404 | 410 => matches!(error, HttpError::NotFound { status: found, .. } if found == status),
            429 | 500.. => matches!(error, HttpError::Busy { status: found, .. } if found == status),
            _ => matches!(error, HttpError::Refused { status: found, .. } if found == status),
        };
        assert!(right, "{status}: {error}");
        assert_eq!(asked, asked_times, "{status}");
        assert_eq!(error.retry_may_help(), status == 429 || status >= 500);
    }
}

#[test]
fn nobody_listens() {
    let world = World::new();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/f");
    let error = world.client().send(&Request::get(&url)).unwrap_err();
    assert!(matches!(error, HttpError::Network { .. }) && error.retry_may_help(), "{error}");
    let error = world.client().send(&Request::get("https://no-such-name.invalid/")).unwrap_err();
    let HttpError::Network { message, .. } = &error else { panic!("{error}") };
    assert!(message.contains("no-such-name.invalid"), "{message}");
}

#[test]
fn an_interrupted_download_ends_soon() {
    for fault in [Fault::Silent(0), Fault::Silent(5000), Fault::Drip(Duration::from_millis(20)), Fault::Hangup] {
        let mut world = World::new();
        world.options.patience.silence = Duration::from_secs(60);
        world.options.patience.window = Duration::from_secs(60);
        // For the one that hangs up: interrupted while it waits to ask again.
        world.options.patience.pause = Duration::from_secs(60);
        world.options.patience.longest_pause = Duration::from_secs(60);
        let cancel = Arc::new(AtomicBool::new(false));
        world.options.cancel = Some(cancel.clone());
        let server = Server::http(move |_| Answer::ok(file(100_000).0).fault(fault));
        let begun = Instant::now();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            cancel.store(true, Ordering::SeqCst);
        });
        let url = server.url("/f");
        let error = world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap_err();
        assert!(matches!(error, HttpError::Cancelled { .. }) && !error.retry_may_help(), "{fault:?}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{fault:?}: {:?}", begun.elapsed());
        world.has_blobs(0);
    }
}
