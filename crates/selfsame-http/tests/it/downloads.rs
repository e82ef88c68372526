//! Files into the store, and taken up again where they were cut.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use selfsame_core::Digest;
use selfsame_http::{Download, HttpError, Progress};
use selfsame_testing::server::{Answer, Fault, Server};

use crate::world::{World, file};

#[test]
fn a_file_is_had_once() {
    let world = World::new();
    let (bytes, digest) = file(300_000);
    let body = bytes.clone();
    let server = Server::http(move |asked| Answer::file(asked, &body, "1").header("Content-Encoding", "gzip"));
    let (client, url) = (world.client(), server.url("/f.tar.gz"));
    let seen = Mutex::new(Vec::new());
    let progress = |at: Progress| seen.lock().unwrap().push(at);
    let download = Download { progress: Some(&progress), ..Download::new(&url, 1 << 20) };
    assert_eq!(client.download(&download, &world.store).unwrap(), (digest, 300_000));
    let last = *seen.lock().unwrap().last().unwrap();
    assert_eq!(last, Progress { done_bytes: 300_000, total_bytes: Some(300_000) });
    let asked = &server.asked()[0];
    assert_eq!(asked.header("accept-encoding"), Some("identity"), "a file is what it is, not what it is packed in");
    assert!(asked.header("user-agent").unwrap().starts_with("selfsame/"));

    let again = Download::new(&url, 1 << 20).expecting(digest, 300_000);
    assert_eq!(client.download(&again, &world.store).unwrap(), (digest, 300_000));
    assert_eq!(server.asked().len(), 1, "what the store has is not asked for");
    world.has_blobs(1);
}

/// The first answer is cut after 70,000 bytes; later ones are good.
fn cut_once(bytes: Vec<u8>, validator: &'static str, later: &'static str) -> Server {
    let count = AtomicUsize::new(0);
    Server::http(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
        0 => {
            let mut answer = Answer::file(asked, &bytes, validator).fault(Fault::CutAfter(70_000));
            if validator.is_empty() {
                answer.headers.clear();
            }
            answer
        }
        _ => Answer::file(asked, &bytes, later),
    })
}

#[test]
fn a_cut_file_is_taken_up_where_it_was() {
    let world = World::new();
    let (bytes, digest) = file(200_000);
    let server = cut_once(bytes, "v1", "v1");
    let url = server.url("/f");
    let found = world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap();
    assert_eq!(found, (digest, 200_000));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].header("range"), None);
    let begin: usize = asked[1].header("range").unwrap()["bytes=".len()..].trim_end_matches('-').parse().unwrap();
    assert!((1..=70_000).contains(&begin), "{begin}");
    assert_eq!(asked[1].header("if-range"), Some("\"v1\""));
    world.has_blobs(1);
}

#[test]
fn a_file_that_changed_meanwhile_is_begun_again() {
    let world = World::new();
    let (bytes, digest) = file(200_000);
    let server = cut_once(bytes, "v1", "v2");
    let url = server.url("/f");
    assert_eq!(world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap(), (digest, 200_000));
    // The range is answered with the whole, which is not put behind the old beginning.
    assert_eq!(server.asked().len(), 2);
    world.has_blobs(1);
}

#[test]
fn with_no_validator_only_what_is_expected_is_put_together() {
    let world = World::new();
    let (bytes, digest) = file(200_000);
    let server = cut_once(bytes.clone(), "", "");
    let url = server.url("/f");
    world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap();
    assert_eq!(server.asked()[1].header("range"), None);

    let other = World::new();
    let server = cut_once(bytes, "", "");
    let url = server.url("/f");
    let download = Download::new(&url, 1 << 20).expecting(digest, 200_000);
    other.client().download(&download, &other.store).unwrap();
    assert!(server.asked()[1].header("range").is_some());
    other.has_blobs(1);
}

#[test]
fn pieces_of_two_files_are_no_file() {
    let world = World::new();
    let ((new, digest), old) = (file(200_000), vec![b'o'; 200_000]);
    let count = AtomicUsize::new(0);
    // Republished between the pieces, by a server that does not tell.
    let server = Server::http(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::ok(old.clone()).fault(Fault::CutAfter(70_000)),
        _ => Answer { headers: Answer::file(asked, &new, "").headers.split_off(2), ..Answer::file(asked, &new, "") },
    });
    let url = server.url("/f");
    let download = Download::new(&url, 1 << 20).expecting(digest, 200_000);
    assert_eq!(world.client().download(&download, &world.store).unwrap(), (digest, 200_000));
    let ranges: Vec<bool> = server.asked().iter().map(|asked| asked.header("range").is_some()).collect();
    assert_eq!(ranges, [false, true, false]);
    world.has_blobs(1);
}

#[test]
fn a_range_that_is_another_is_not_put_in() {
    let world = World::new();
    let (bytes, digest) = file(200_000);
    let count = AtomicUsize::new(0);
    let body = bytes.clone();
    let server = Server::http(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::file(asked, &body, "v").fault(Fault::CutAfter(70_000)),
        1 => {
            let other = Answer { status: 206, ..Answer::ok(&body[1000..]) };
            other.header("Content-Range", "bytes 1000-199999/200000")
        }
        _ => Answer::file(asked, &body, "v"),
    });
    let url = server.url("/f");
    assert_eq!(world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap(), (digest, 200_000));
}

#[test]
fn progress_earns_patience() {
    let world = World::new();
    let (bytes, digest) = file(9 << 20);
    // Cut nine times, which is more than are retried, but each time with more than a MiB had.
    let server = Server::http(move |asked| Answer::file(asked, &bytes, "v").fault(Fault::CutAfter(5 << 18)));
    let url = server.url("/f");
    let found = world.client().download(&Download::new(&url, 10 << 20), &world.store).unwrap();
    assert_eq!(found, (digest, 9 << 20));
    assert!(server.asked().len() > 5, "{}", server.asked().len());
}

#[test]
fn many_at_once_share_a_client() {
    let world = World::new();
    let (bytes, digest) = file(100_000);
    let body = bytes.clone();
    let server = Arc::new(Server::http(move |asked| match asked.path() {
        "/same" => Answer::file(asked, &body, "v"),
        path => Answer::ok(path.as_bytes().to_vec()),
    }));
    let client = world.client();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (client, server, store) = (client.clone(), server.clone(), &world.store);
            scope.spawn(move || {
                for number in 0..20 {
                    let path = format!("/{thread}/{number}");
                    let found = client.download(&Download::new(&server.url(&path), 1000), store).unwrap();
                    assert_eq!(found.0, Digest::of(path.as_bytes()));
                }
                let url = server.url("/same");
                let same = Download::new(&url, 1 << 20).expecting(digest, 100_000);
                client.download(&same, store).unwrap();
            });
        }
    });
    world.has_blobs(161);
}

#[test]
fn mirrors_stand_in_for_a_host() {
    let mut world = World::new();
    let (bytes, digest) = file(5000);
    let body = bytes.clone();
    let good = Server::http(move |asked| match asked.path() {
        "/mirror/a/f.bin" => Answer::file(asked, &body, "v"),
        _ => Answer::status(404),
    });
    let bad = Server::http(|asked| match asked.path() {
        "/a/absent" => Answer::status(404),
        _ => Answer::ok("other bytes"),
    });
    let text = format!(
        "[origin.\"files.example\"]\nupstream = [\"{}\", \"{}\"]\naliases = [\"old.example\"]\n",
        bad.url(""),
        good.url("/mirror/")
    );
    world.options.origins = selfsame_http::Origins::parse(&text, world.folder.path()).unwrap();
    let client = world.client();
    for host in ["files.example", "old.example"] {
        let url = format!("https://{host}/a/f.bin");
        let download = Download::new(&url, 1 << 20).expecting(digest, 5000);
        client.download(&download, &world.store).unwrap();
    }
    assert_eq!((bad.asked().len(), good.asked().len()), (1, 1), "the second time the store has it");
    assert!(bad.asked()[0].header("authorization").is_none());
    let other = Download::new("https://files.example/a/none", 1 << 20).expecting(Digest::of(b"x"), 1);
    let error = client.download(&other, &world.store).unwrap_err();
    assert!(matches!(error, HttpError::OtherBytes { .. }), "{error}");
    let error = client.download(&Download::new("https://files.example/a/absent", 1 << 20), &world.store).unwrap_err();
    assert!(matches!(error, HttpError::NotFound { .. }), "{error}");
}
