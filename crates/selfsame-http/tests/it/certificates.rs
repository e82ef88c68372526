//! Whom a client believes.

use selfsame_http::{Client, HttpError, Options, Request};
use selfsame_testing::authority::Authority;
use selfsame_testing::server::{Answer, Server};

use crate::world::World;

#[test]
fn by_variable_by_folder_and_by_file() {
    let mut world = World::new();
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    one.write(&world.path("one.pem"));
    std::fs::create_dir(world.path("certs")).unwrap();
    two.write(&world.path("certs/two.0"));
    std::fs::write(world.path("certs/README"), "nothing").unwrap();
    let first = Server::https(&one, &[], |_| Answer::ok("one"));
    let second = Server::https(&two, &[], |_| Answer::ok("two"));
    let trusts = |world: &World| {
        [&first, &second].map(|server| match world.client().send(&Request::get(&server.url("/"))) {
            Ok(_) => true,
            Err(HttpError::Certificate { .. }) => false,
            Err(error) => panic!("{error}"),
        })
    };
    assert_eq!(trusts(&world), [false, false], "the system knows neither");
    world.set("SSL_CERT_FILE", world.path("one.pem"));
    assert_eq!(trusts(&world), [true, false]);
    world.set("SSL_CERT_DIR", world.path("certs"));
    assert_eq!(trusts(&world), [true, true]);
    world.environment.variables.remove(std::ffi::OsStr::new("SSL_CERT_FILE"));
    assert_eq!(trusts(&world), [false, true]);
    world.options.ca_files = vec![world.path("one.pem")];
    assert_eq!(trusts(&world), [true, true], "in addition");
}

#[test]
fn an_origins_authority_is_for_its_hosts() {
    let mut world = World::new();
    let authority = Authority::new("an origin");
    authority.write(&world.path("ca.pem"));
    let ours = Server::https(&authority, &[], |_| Answer::ok(""));
    let other = Server::https(&authority, &[], |_| Answer::ok(""));
    let text = format!("[origin.npm]\nupstream = \"{}\"\nca = [\"ca.pem\"]\n", ours.url("/npm"));
    world.options.origins = selfsame_http::Origins::parse(&text, world.folder.path()).unwrap();
    let client = world.client();
    client.send(&Request::get(&ours.url("/x"))).unwrap();
    let error = client.send(&Request::get(&other.url("/x"))).unwrap_err();
    assert!(matches!(error, HttpError::Certificate { .. }), "{error}");
}

#[test]
fn certificates_that_do_not_count() {
    let mut world = World::new();
    let authority = world.authority();
    let expired = Server::tls(authority.server_until(&[], 2021), |_| Answer::ok(""));
    let error = world.client().send(&Request::get(&expired.url("/"))).unwrap_err();
    assert!(matches!(&error, HttpError::Certificate { message, .. } if message.contains("expired")), "{error}");
    assert_eq!(expired.asked().len(), 0);
    let server = Server::https(&authority, &[], |_| Answer::ok(""));
    let url = format!("https://127.0.0.2:{}/", server.address().port());
    match world.client().send(&Request::get(&url)).unwrap_err() {
        // Where the server listens on one address only, it is not even reached.
        HttpError::Certificate { .. } | HttpError::Network { .. } => {}
        error => panic!("{error}"),
    }
    assert_eq!(server.asked().len(), 0);
    let plain = Server::http(|_| Answer::ok(""));
    let url = format!("https://{}/", plain.address());
    let error = world.client().send(&Request::get(&url)).unwrap_err();
    assert!(matches!(error, HttpError::Network { .. }), "{error}");
}

#[test]
fn files_that_hold_none() {
    let mut world = World::new();
    std::fs::write(world.path("empty.pem"), "").unwrap();
    let server = Server::http(|_| Answer::ok(""));
    for path in ["empty.pem", "absent.pem", "store"] {
        let options = Options { ca_files: vec![world.path(path)], ..world.options.clone() };
        let Err(error) = Client::new(&world.environment, options) else { panic!("{path}") };
        assert!(matches!(&error, HttpError::Machine { what, .. } if what.contains(path)), "{error}");
        world.set("SSL_CERT_FILE", world.path(path));
        let error = world.client().send(&Request::get(&server.url("/"))).unwrap_err();
        assert!(matches!(&error, HttpError::Machine { what, .. } if what.contains("SSL_CERT_FILE")), "{error}");
    }
}
