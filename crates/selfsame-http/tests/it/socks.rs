//! A SOCKS proxy between.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use selfsame_http::{Download, HttpError, Request};
use selfsame_testing::server::{Answer, Server};

use crate::world::{World, file, tells_nothing};

/// Takes `me` with `secret`, knows one name, and refuses `forbidden.example`.
fn proxy(name: &'static str, address: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    // Ends with the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let noted = noted.clone();
            std::thread::spawn(move || serve(client, name, address, &noted));
        }
    });
    (at, seen)
}

fn serve(mut client: TcpStream, name: &str, address: SocketAddr, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut answer = client.try_clone()?;
    let mut next = |count: usize| {
        let mut bytes = vec![0; count];
        client.read_exact(&mut bytes).map(|()| bytes)
    };
    let greeting = next(2)?;
    let methods = next(usize::from(greeting[1]))?;
    if !methods.contains(&2) {
        return answer.write_all(&[5, 0xff]);
    }
    answer.write_all(&[5, 2])?;
    let user_length = next(2)?[1];
    let user = next(usize::from(user_length))?;
    let password_length = next(1)?[0];
    let password = next(usize::from(password_length))?;
    let known = (user.as_slice(), password.as_slice()) == (b"me".as_slice(), b"secret".as_slice());
    answer.write_all(&[1, u8::from(!known)])?;
    let head = next(4)?;
    assert_eq!(head, [5, 1, 0, 3], "a name is the proxy's to resolve");
    let length = next(1)?[0];
    let host = String::from_utf8(next(usize::from(length))?).unwrap();
    let port = next(2)?;
    let place = format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]));
    seen.lock().unwrap().push(place.clone());
    let status = match place.as_str() {
        place if place == name => 0,
        "forbidden.example:443" => 2,
        _ => 4,
    };
    answer.write_all(&[&[5, status, 0, 3, 4], b"name".as_slice(), &[0, 9]].concat())?;
    if status != 0 {
        return Ok(());
    }
    let server = TcpStream::connect(address)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || io::copy(&mut from_client, &mut to_server));
    io::copy(&mut &server, &mut client).map(drop)
}

#[test]
fn through_socks() {
    let mut world = World::new();
    let authority = world.authority();
    let (bytes, digest) = file(300_000);
    let server = Server::https(&authority, &["a.example"], move |asked| Answer::file(asked, &bytes, "v"));
    let (at, seen) = proxy("a.example:443", server.address());
    let url = "https://a.example/f";
    for (user, class) in [("", "Machine"), ("me:wrong@", "Machine")] {
        world.set("ALL_PROXY", format!("socks5://{user}{at}"));
        let error = world.client().send(&Request::get(url)).unwrap_err();
        assert!(format!("{error:?}").starts_with(class) && !error.retry_may_help(), "{error:?}");
        tells_nothing(&error, &["wrong"]);
    }
    world.set("ALL_PROXY", format!("socks5h://me:secret@{at}"));
    let client = world.client();
    assert_eq!(client.download(&Download::new(url, 1 << 20), &world.store).unwrap(), (digest, 300_000));
    assert_eq!(*seen.lock().unwrap(), ["a.example:443"]);
    let error = client.send(&Request::get("https://forbidden.example/")).unwrap_err();
    assert!(matches!(error, HttpError::Machine { .. }), "{error:?}");
    let error = client.send(&Request::get("https://absent.example/")).unwrap_err();
    assert!(matches!(error, HttpError::Network { .. }), "{error:?}");
}
