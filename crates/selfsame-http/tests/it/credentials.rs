//! Where a credential comes from, to whom it goes, and that nobody is told.

use std::os::unix::fs::PermissionsExt;

use selfsame_http::{Client, Credential, HttpError, Origins, Request};
use selfsame_testing::server::{Answer, Server, basic};

use crate::world::{World, tells_nothing};

fn world(server: &Server, credential: &str) -> World {
    let mut world = World::new();
    let text = format!("[origin.pypi]\nupstream = \"{}\"\ncredential = \"{credential}\"\n", server.url("/simple"));
    world.options.origins = Origins::parse(&text, world.folder.path()).unwrap();
    world
}

fn shown(client: &Client, server: &Server, url: &str) -> Option<String> {
    client.send(&Request::get(url)).unwrap();
    server.asked().pop().unwrap().header("authorization").map(str::to_owned)
}

#[test]
fn from_the_address() {
    let world = World::new();
    let server = Server::http(|_| Answer::ok(""));
    let url = format!("http://me:p%40ss@{}/x", server.address());
    assert_eq!(shown(&world.client(), &server, &url), Some(basic("me", "p@ss")));
    assert_eq!(server.asked()[0].target, "/x");
    let bearer = Credential::Bearer("token".to_owned());
    world.client().get_bytes(&server.url("/"), 10, Some(&bearer)).unwrap();
    assert_eq!(server.asked().pop().unwrap().header("authorization"), Some("Bearer token"));
}

#[test]
fn from_a_variable() {
    let server = Server::http(|_| Answer::ok(""));
    let mut world = world(&server, "env:PYPI_TOKEN");
    let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
    assert!(matches!(&error, HttpError::Machine { what, .. } if what.contains("pypi")), "{error}");
    for (value, header) in [("secret-token", "Bearer secret-token".to_owned()), ("me:secret", basic("me", "secret"))] {
        world.set("PYPI_TOKEN", value);
        assert_eq!(shown(&world.client(), &server, &server.url("/")), Some(header));
    }
    world.set("PYPI_TOKEN", "secret\nlines");
    let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
    tells_nothing(&error, &["secret"]);
    assert!(matches!(error, HttpError::Machine { .. }), "{error}");
}

#[test]
fn from_netrc() {
    let server = Server::http(|_| Answer::ok(""));
    let world = world(&server, "netrc");
    let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
    assert!(matches!(&error, HttpError::Machine { message, .. } if message.contains(".netrc")), "{error}");
    std::fs::write(world.path("home/.netrc"), "machine 127.0.0.1\nlogin me\npassword secret\n").unwrap();
    assert_eq!(shown(&world.client(), &server, &server.url("/")), Some(basic("me", "secret")));
}

#[test]
fn from_a_command() {
    let server = Server::http(|_| Answer::ok(""));
    let folder = tempfile::tempdir().unwrap();
    let helper = folder.path().join("helper");
    let write = |text: &str| {
        std::fs::write(&helper, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&helper, PermissionsExt::from_mode(0o755)).unwrap();
    };
    let mut world = world(&server, &format!("exec:{} get $HOME", helper.display()));
    world.set("PATH", "/usr/bin:/bin");
    let count = folder.path().join("count");
    write(&format!("echo run >> {}; echo \"$1:$2\"; echo noise; echo noise >&2", count.display()));
    let client = world.client();
    // No shell reads the arguments, and many requests are one run.
    for _ in 0..3 {
        assert_eq!(shown(&client, &server, &server.url("/")), Some(basic("get", "$HOME")));
    }
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "run\n");
    for script in ["echo secret; exit 3", "true", "exec sleep 0 >&-"] {
        write(script);
        let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
        assert!(matches!(error, HttpError::Machine { .. }), "{script}: {error}");
        tells_nothing(&error, &["secret"]);
    }
    std::fs::remove_file(&helper).unwrap();
    let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
    assert!(matches!(error, HttpError::Machine { .. }), "{error}");
}

#[test]
fn never_over_a_wire_that_all_can_read() {
    let mut world = World::new();
    let server = Server::http(|_| Answer::ok(""));
    let proxy = selfsame_testing::proxy::Proxy::new(&[("plain.example:80", server.address())]);
    world.set("http_proxy", proxy.url());
    std::fs::write(world.path("home/.netrc"), "machine plain.example login me password secret\n").unwrap();
    let request = Request { plain_http: true, ..Request::get("http://plain.example/") };
    world.client().send(&request).unwrap();
    assert_eq!(server.asked().pop().unwrap().header("authorization"), None, "from .netrc");
    let credential = Some(Credential::Bearer("secret".to_owned()));
    let error = world.client().send(&Request { credential, ..request }).unwrap_err();
    assert!(matches!(error, HttpError::PlainHttp { .. }), "{error}");
    tells_nothing(&error, &["secret"]);
}

#[test]
fn nothing_prints_one() {
    let basic = Credential::Basic { user: "me".to_owned(), password: "secret".to_owned() };
    assert_eq!(format!("{basic:?} {:?}", Credential::Bearer("secret".to_owned())), "Basic(…) Bearer(…)");
    let fault = Origins::parse("[origin.pypi]\ncredential = \"secret\"\n", std::path::Path::new("/")).unwrap_err();
    assert!(!fault.message.contains("secret"), "{fault}");
    let fault = Origins::parse("[origin.a]\nupstream = \"https://me:secret@host/\"\n", std::path::Path::new("/"));
    assert!(!fault.unwrap_err().message.contains("secret"));
}
