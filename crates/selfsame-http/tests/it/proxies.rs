//! The network of a company: an authenticating proxy, a certificate authority of its own, a private registry on an odd
//! port.

use selfsame_http::{Body, Credential, Download, HttpError, Method, Request};
use selfsame_testing::authority::Authority;
use selfsame_testing::proxy::Proxy;
use selfsame_testing::server::{Answer, Server};

use crate::world::{World, file, tells_nothing};

const NAME: &str = "registry.corp.example:8443";

struct Company {
    world: World,
    registry: Server,
    proxy: Proxy,
    file: (Vec<u8>, selfsame_core::Digest),
}

/// This machine uses nothing of it yet.
fn company() -> Company {
    let world = World::new();
    let authority = Authority::new("a company");
    authority.write(&world.path("company.pem"));
    let file = file(400_000);
    let body = file.0.clone();
    let registry = Server::https(&authority, &["registry.corp.example"], move |asked| {
        Answer::guarded(asked, "ci", "registry-secret", || Answer::file(asked, &body, "v"))
    });
    let proxy = Proxy::guarded("me@corp", "proxy:secret", &[(NAME, registry.address())]);
    Company { world, registry, proxy, file }
}

#[test]
fn a_private_registry_behind_an_authenticating_proxy() {
    let Company { mut world, registry, proxy, file: (_, digest) } = company();
    let url = format!("https://{NAME}/v2/blob");
    let ci = Credential::Basic { user: "ci".to_owned(), password: "registry-secret".to_owned() };
    let download = Download { credential: Some(ci), ..Download::new(&url, 1 << 20) };
    let secrets = ["registry-secret", "proxy:secret", "proxy%3Asecret"];
    let failed = |world: &World| {
        let error = world.client().download(&download, &world.store).unwrap_err();
        tells_nothing(&error, &secrets);
        error
    };
    // Without the proxy's password; with a wrong one; without the company's authority; without the registry's password.
    world.set("HTTPS_PROXY", proxy.url());
    assert!(matches!(failed(&world), HttpError::ProxyRefused { status: 407, .. }));
    world.set("HTTPS_PROXY", proxy.url_as("me%40corp", "wrong"));
    let error = failed(&world);
    assert!(matches!(error, HttpError::ProxyRefused { status: 407, .. }) && !error.retry_may_help(), "{error}");
    world.set("HTTPS_PROXY", proxy.url_as("me%40corp", "proxy%3Asecret"));
    let error = failed(&world);
    assert!(matches!(&error, HttpError::Certificate { message, .. } if message == "UnknownIssuer"), "{error}");
    world.options.ca_files = vec![world.path("company.pem")];
    let error = world.client().download(&Download::new(&url, 1 << 20), &world.store).unwrap_err();
    assert!(matches!(error, HttpError::Refused { status: 401, .. }), "{error}");
    world.has_blobs(0);

    assert_eq!(world.client().download(&download, &world.store).unwrap(), (digest, 400_000));
    world.has_blobs(1);
    let seen = proxy.seen();
    assert_eq!(seen.first().unwrap(), &format!("407 CONNECT {NAME}"));
    assert_eq!(seen.last().unwrap(), &format!("CONNECT {NAME}"));
    assert!(registry.asked().iter().all(|asked| asked.header("proxy-authorization").is_none()), "that is the proxy's");
}

#[test]
fn all_of_it_by_configuration() {
    let Company { mut world, registry: _registry, proxy, file: (_, digest) } = company();
    world.set("ALL_PROXY", proxy.url_as("me%40corp", "proxy%3Asecret"));
    world.set("REGISTRY_PASSWORD", "ci:registry-secret");
    let text = format!(
        "[origin.\"files.example\"]\nupstream = \"https://{NAME}\"\nca = \"company.pem\"\ncredential = \"env:REGISTRY_PASSWORD\"\n"
    );
    world.options.origins = selfsame_http::Origins::parse(&text, world.folder.path()).unwrap();
    let download = Download::new("https://files.example/v2/blob", 1 << 20);
    assert_eq!(world.client().download(&download, &world.store).unwrap(), (digest, 400_000));
}

#[test]
fn http_goes_through_a_proxy_by_its_whole_address() {
    let mut world = World::new();
    let server = Server::http(|asked| Answer::ok(format!("{} {} {}", asked.method, asked.target, asked.body.len())));
    let proxy = Proxy::guarded("me", "secret", &[("deb.example:80", server.address())]);
    world.set("http_proxy", proxy.url_as("me", "secret"));
    let client = world.client();
    let (bytes, _) = file(200_000);
    let get = Request { plain_http: true, ..Request::get("http://deb.example/pool/a?b") };
    assert_eq!(client.send(&get).unwrap().bytes().unwrap(), b"GET /pool/a?b 0");
    let put = Request { method: Method::Put, body: Body::Bytes(&bytes), ..get.clone() };
    assert_eq!(client.send(&put).unwrap().bytes().unwrap(), b"PUT /pool/a?b 200000");
    assert_eq!(client.send(&get).unwrap().bytes().unwrap(), b"GET /pool/a?b 0");
    let line = |method: &str| format!("{method} http://deb.example/pool/a?b");
    assert_eq!(proxy.seen(), [line("GET"), line("PUT"), line("GET")]);
    assert_eq!(server.asked()[0].header("host"), Some("deb.example"));

    world.set("http_proxy", proxy.url());
    let error = world.client().send(&get).unwrap_err();
    assert!(matches!(error, HttpError::ProxyRefused { status: 407, .. }), "{error}");
}

#[test]
fn a_proxy_may_be_spoken_to_by_https() {
    let mut world = World::new();
    let authority = world.authority();
    let (bytes, digest) = file(400_000);
    let secure = Server::https(&authority, &["a.example"], move |asked| Answer::file(asked, &bytes, "v"));
    let plain = Server::http(|asked| Answer::ok(asked.target.clone()));
    let names = [("a.example:443", secure.address()), ("b.example:8080", plain.address())];
    let proxy = Proxy::https(&authority, "me", "secret", &names);
    world.set("all_proxy", proxy.url_as("me", "secret"));
    let client = world.client();
    let download = Download::new("https://a.example/f", 1 << 20);
    assert_eq!(client.download(&download, &world.store).unwrap(), (digest, 400_000));
    let request = Request { plain_http: true, ..Request::get("http://b.example:8080/x") };
    assert_eq!(client.send(&request).unwrap().bytes().unwrap(), b"/x");
    assert_eq!(proxy.seen(), ["CONNECT a.example:443", "GET http://b.example:8080/x"]);
}

#[test]
fn exceptions_and_faults() {
    let mut world = World::new();
    let server = Server::http(|_| Answer::ok("direct"));
    let url = server.url("/");
    let request = Request::get(&url);
    world.set("http_proxy", "http://127.0.0.1:1");
    assert!(matches!(world.client().send(&request).unwrap_err(), HttpError::Network { .. }));
    world.set("NO_PROXY", "example.com, 127.0.0.0/8");
    assert_eq!(world.client().send(&request).unwrap().bytes().unwrap(), b"direct");
    world.set("https_proxy", "socks4://me:secret@localhost:1080");
    let error = world.client().send(&Request::get("https://a.example/")).unwrap_err();
    assert!(matches!(&error, HttpError::Machine { .. }), "{error}");
    tells_nothing(&error, &["secret"]);
    let proxy = Proxy::new(&[]);
    world.set("https_proxy", proxy.url());
    let error = world.client().send(&Request::get("https://nobody.example/")).unwrap_err();
    assert!(matches!(error, HttpError::Busy { status: 502, .. }) && error.retry_may_help(), "{error}");
}
