//! Requests of all kinds, and which of them are made again.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use selfsame_http::{Body, HttpError, Method, Request};
use selfsame_testing::server::{Answer, Fault, Server};

use crate::world::{World, file};

/// Answers with each of these in turn, and with the last ever after.
fn in_turn(answers: Vec<Answer>) -> Server {
    let count = AtomicUsize::new(0);
    Server::http(move |_| answers[count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)].clone())
}

#[test]
fn headers_and_bodies_arrive() {
    let world = World::new();
    let server = Server::http(|asked| Answer::ok(asked.body.clone()).header("Link", "<a>").header("link", "<b>"));
    let (url, client) = (server.url("/x?y=z"), world.client());
    for method in [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete] {
        let sends = matches!(method, Method::Post | Method::Put | Method::Patch);
        let mut request = Request::new(method, &url).header("X-One", "1").header("Accept", "text/plain, a/b");
        if sends {
            request.body = Body::Bytes(b"some bytes");
        }
        let response = client.send(&request).unwrap();
        assert_eq!((response.status, response.header("link")), (200, Some("<a>, <b>")));
        let body = response.bytes().unwrap();
        assert_eq!(body, if sends { b"some bytes".as_slice() } else { b"" });
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.method, format!("{method:?}").to_uppercase());
        assert_eq!((asked.target.as_str(), asked.header("x-one")), ("/x?y=z", Some("1")));
        assert_eq!(asked.header("accept"), Some("text/plain, a/b"));
        assert_eq!(asked.header("authorization"), None);
    }
    let empty = client.send(&Request::new(Method::Put, &url)).unwrap();
    assert_eq!((empty.status, server.asked().pop().unwrap().header("content-length")), (200, Some("0")));
}

#[test]
fn a_stream_is_opened_again_for_each_try() {
    let world = World::new();
    let (bytes, _) = file(3 << 20);
    let server = in_turn(vec![Answer::status(503), Answer::status(201)]);
    let opened = AtomicUsize::new(0);
    let open = || -> io::Result<Box<dyn io::Read>> {
        opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    };
    let url = server.url("/upload");
    let mut request = Request::new(Method::Put, &url);
    request.body = Body::Stream { len: bytes.len() as u64, open: &open };
    assert_eq!(world.client().send(&request).unwrap().status, 201);
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    assert!(server.asked().iter().all(|asked| asked.body == bytes));

    let broken = || -> io::Result<Box<dyn io::Read>> { Err(io::ErrorKind::PermissionDenied.into()) };
    request.body = Body::Stream { len: 5, open: &broken };
    let error = world.client().send(&request).unwrap_err();
    assert!(matches!(error, HttpError::Body { .. }) && !error.retry_may_help(), "{error}");
}

#[test]
fn what_is_made_again() {
    let world = World::new();
    let client = world.client();
    let status = |method, answers: Vec<Answer>| {
        let server = in_turn(answers);
        let url = server.url("/");
        let response = client.send(&Request::new(method, &url));
        (response.map(|response| response.status).ok(), server.asked().len())
    };
    let (busy, many, good) = (Answer::status(503), Answer::status(429), Answer::ok(""));
    let hangup = Answer::ok("").fault(Fault::Hangup);
    assert_eq!(status(Method::Get, vec![busy.clone(), hangup.clone(), many.clone(), good.clone()]), (Some(200), 4));
    assert_eq!(status(Method::Put, vec![busy.clone(), good.clone()]), (Some(200), 2));
    assert_eq!(status(Method::Post, vec![many.clone(), good.clone()]), (Some(200), 2), "the server did nothing");
    assert_eq!(status(Method::Post, vec![busy.clone(), good.clone()]), (Some(503), 1), "the server may have done it");
    assert_eq!(status(Method::Patch, vec![hangup, good.clone()]), (None, 1));
    assert_eq!(status(Method::Get, vec![busy.clone()]), (Some(503), 4), "any status is an answer, in the end");
    let server = in_turn(vec![busy, good]);
    let url = server.url("/");
    let once = Request { retry: false, ..Request::get(&url) };
    assert_eq!((client.send(&once).unwrap().status, server.asked().len()), (503, 1));
}

#[test]
fn the_server_says_when() {
    let world = World::new();
    let (client, begun) = (world.client(), Instant::now());
    let server = in_turn(vec![Answer::status(429).header("Retry-After", "1"), Answer::ok("")]);
    assert_eq!(client.get_bytes(&server.url("/"), 10, None).unwrap(), b"");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // A date beside the server's own, which is 08:49:37.
    let date = "Sun, 06 Nov 1994 08:49:38 GMT";
    let (server, begun) =
        (in_turn(vec![Answer::status(503).header("Retry-After", date), Answer::ok("")]), Instant::now());
    client.get_bytes(&server.url("/"), 10, None).unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let server = in_turn(vec![Answer::status(429).header("Retry-After", "3600"), Answer::ok("")]);
    let error = client.get_bytes(&server.url("/"), 10, None).unwrap_err();
    let hour = Some(Duration::from_secs(3600));
    assert!(matches!(&error, HttpError::Busy { status: 429, retry_after, .. } if *retry_after == hour), "{error:?}");
    assert_eq!(server.asked().len(), 1, "an hour is not waited");
}

#[test]
fn small_documents_are_small() {
    let world = World::new();
    let server = Server::http(|asked| match asked.path() {
        "/endless" => Answer::ok("x").fault(Fault::Endless),
        _ => Answer::ok(vec![b'x'; 1000]),
    });
    let client = world.client();
    assert_eq!(client.get_bytes(&server.url("/"), 1000, None).unwrap().len(), 1000);
    for path in ["/", "/endless"] {
        let error = client.get_bytes(&server.url(path), 999, None).unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { limit_bytes: 999, .. }), "{error}");
    }
}

#[test]
fn what_is_not_asked_at_all() {
    let mut world = World::new();
    let server = Server::http(|_| Answer::ok(""));
    let client = world.client();
    for url in ["file:///etc/passwd", "https://", "nonsense", "http://127.1/"] {
        let error = client.send(&Request::get(url)).unwrap_err();
        assert!(matches!(error, HttpError::Request { .. }), "{url}: {error}");
    }
    let error = client.send(&Request::get("http://mirror.example/f")).unwrap_err();
    assert!(matches!(error, HttpError::PlainHttp { .. }), "{error}");
    world.options.offline = true;
    let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
    assert!(matches!(error, HttpError::Offline { .. }), "{error}");
    assert_eq!(server.asked().len(), 0);
}
