//! Servers that speak no HTTP, or too much of it. Nothing panics, nothing goes on for ever, nothing is kept.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use selfsame_http::{Download, HttpError};

use crate::world::World;

/// What comes of a download of at most 1 MiB from a server that writes `head`, then `tail` for as long as it is listened to.
fn failure(head: &'static [u8], tail: &'static [u8]) -> Result<Vec<u8>, HttpError> {
    let (address, world) = (listen(head, tail), World::new());
    download(&format!("http://{address}/f"), world)
}

fn listen(head: &'static [u8], tail: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test's process at the latest.
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            request.push(byte[0]);
        }
        stream.write_all(head)?;
        if !tail.is_empty() {
            let many = tail.repeat(1 + 4096 / tail.len());
            while stream.write_all(&many).is_ok() {}
        }
        stream.shutdown(std::net::Shutdown::Both)
    });
    address
}

fn download(url: &str, mut world: World) -> Result<Vec<u8>, HttpError> {
    world.options.patience.retries = 0;
    let begun = Instant::now();
    let result = world.client().download(&Download::new(url, 1 << 20), &world.store);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    match result {
        Ok((digest, size)) => {
            world.has_blobs(1);
            Ok(world.store.read_blob(&digest, size).unwrap())
        }
        Err(error) => {
            world.has_blobs(0);
            Err(error)
        }
    }
}

#[test]
fn what_is_no_answer() {
    for (class, head) in [
        ("Garbled", b"\0\0\0\0\0\0\r\n\r\n".as_slice()),
        ("Garbled", b"\x16\x03\x01\x00\x05hello"),
        ("Garbled", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("Garbled", b"HTTP/1.1\r\n\r\n"),
        ("Garbled", b"HTTP/1.1 abc\r\n\r\n"),
        ("Garbled", b"HTTP/1.1 99999 X\r\n\r\n"),
        ("Garbled", b"HTTP/2 200\r\n\r\n"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        ("Garbled", b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\nhello"),
        ("TooLarge", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello"),
        ("Garbled", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n"),
        // Cut: another time it may be whole.
        ("Network", b""),
        ("Network", b"HTTP/1.1 200 OK\r\nContent-Le"),
        ("Network", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        ("Network", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        ("Network", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("Request", b"HTTP/1.1 302 Found\r\nLocation: https://[::\r\n\r\n"),
        ("Request", b"HTTP/1.1 302 Found\r\nLocation: gopher://host/\r\n\r\n"),
        ("Refused", b"HTTP/1.1 302 Found\r\n\r\n"),
        ("Refused", b"HTTP/1.1 101 Switching\r\n\r\n"),
    ] {
        let shown = head.escape_ascii().to_string();
        let error = failure(head, b"").map(|bytes| bytes.len()).expect_err(&shown);
        assert!(format!("{error:?}").starts_with(class), "{shown}: {error:?}");
        assert_eq!(error.retry_may_help(), class == "Network", "{shown}");
    }
}

#[test]
fn what_never_ends() {
    for (head, tail) in [
        (b"".as_slice(), b"x".as_slice()),
        (b"HTTP/1.1 200 ", b"O"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", b"Trailer: more\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"body"),
    ] {
        let shown = format!("{} {}", String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
        let error = failure(head, tail).map(|bytes| bytes.len()).expect_err(&shown);
        let right = matches!(error, HttpError::Network { .. } | HttpError::Garbled { .. } | HttpError::TooLarge { .. });
        assert!(right, "{shown}: {error:?}");
    }
}

#[test]
fn what_is_odd_and_an_answer() {
    for (head, body) in [
        (b"HTTP/1.0 200 OK\r\n\r\nhello".as_slice(), b"hello".as_slice()),
        (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello and more", b"hello"),
        (b"HTTP/1.1 200 OK\r\nX-Latin: \xe9\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: x\r\n\r\n", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ] {
        let found = failure(head, b"").unwrap_or_else(|error| panic!("{}: {error:?}", String::from_utf8_lossy(head)));
        assert_eq!(found, body);
    }
}

#[test]
fn proxies_are_no_better() {
    for (class, head, tail) in [
        ("Garbled", b"SSH-2.0-OpenSSH_9.2\r\n".as_slice(), b"".as_slice()),
        ("Network", b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        ("Garbled", b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        ("Network", b"HTTP/1.1 200 OK\r\nX: ", b""),
        ("Network", b"", b""),
        // The tunnel is open, and the server's greeting is none.
        ("Network", b"HTTP/1.1 200 OK\r\n\r\n", b"garbage"),
        ("ProxyRefused", b"HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello", b""),
        ("Busy", b"HTTP/1.1 503 No\r\n\r\n", b""),
    ] {
        let mut world = World::new();
        world.set("https_proxy", format!("http://{}", listen(head, tail)));
        let error = download("https://a.example/f", world).map(|bytes| bytes.len()).expect_err("no file");
        assert!(format!("{error:?}").starts_with(class), "{}: {error:?}", head.escape_ascii());
    }
}
