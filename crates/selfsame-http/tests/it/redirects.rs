//! Where a redirect may lead.
//!
//! `mirror.example` is a server of the internet here: a name that only the proxy knows.

use selfsame_http::{Body, Credential, Download, HttpError, Method, Request};
use selfsame_testing::proxy::Proxy;
use selfsame_testing::server::{Answer, Server, basic};

use crate::world::{World, file, tells_nothing};

/// A server of the internet that redirects `/to?PLACE` to PLACE, behind a proxy that this machine uses.
struct Internet {
    world: World,
    server: Server,
    _proxy: Proxy,
}

impl Internet {
    fn new() -> Self {
        let mut world = World::new();
        let authority = world.authority();
        let server = Server::https(&authority, &["mirror.example", "other.example"], |asked| {
            match asked.target.strip_prefix("/to?") {
                Some(place) => Answer::redirect(place),
                None => Answer::ok("arrived"),
            }
        });
        let names = [("mirror.example:443", server.address()), ("other.example:443", server.address())];
        let proxy = Proxy::new(&names);
        world.set("https_proxy", proxy.url());
        world.set("no_proxy", "127.0.0.0/8,localhost,10.0.0.0/8");
        Self { world, server, _proxy: proxy }
    }

    fn follow(&self, place: &str) -> Result<Vec<u8>, HttpError> {
        self.world.client().get_bytes(&format!("https://mirror.example/to?{place}"), 100, None)
    }
}

#[test]
fn the_internet_does_not_lead_inside() {
    let internet = Internet::new();
    let inside = Server::http(|_| Answer::ok("secret"));
    let port = internet.server.address().port();
    for place in [
        // Directly and through the proxy; by address and by name.
        format!("https://127.0.0.1:{port}/secret"),
        format!("https://localhost:{port}/secret"),
        "https://10.0.0.1/".to_owned(),
        "https://192.168.0.1/".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://[::1]/".to_owned(),
        "https://[::ffff:127.0.0.1]/".to_owned(),
        "https://[fd00::1]/".to_owned(),
        // In two steps.
        format!("https://other.example/to?https://127.0.0.1:{port}/secret"),
    ] {
        let error = internet.follow(&place).unwrap_err();
        assert!(matches!(error, HttpError::PrivateRedirect { .. }) && !error.retry_may_help(), "{place}: {error}");
    }
    for place in [inside.url("/"), "http://other.example/".to_owned()] {
        let error = internet.follow(&place).unwrap_err();
        assert!(matches!(error, HttpError::PlainRedirect { .. }), "{place}: {error}");
    }
    for place in ["file:///etc/passwd", "https://127.1/", "ftp://other.example/"] {
        let error = internet.follow(place).unwrap_err();
        assert!(matches!(error, HttpError::Request { .. }), "{place}: {error}");
    }
    assert!(inside.asked().is_empty());
    assert!(internet.server.asked().iter().all(|asked| asked.path() != "/secret"));
    assert_eq!(internet.follow("https://other.example/there").unwrap(), b"arrived");
    assert_eq!(internet.follow("/here").unwrap(), b"arrived");
}

#[test]
fn what_the_machine_itself_names_may_be_inside() {
    let mut internet = Internet::new();
    let port = internet.server.address().port();
    let text = format!("[origin.pypi]\nupstream = [\"https://127.0.0.1:{port}/\"]\n");
    internet.world.options.origins = selfsame_http::Origins::parse(&text, internet.world.folder.path()).unwrap();
    assert_eq!(internet.follow(&format!("https://127.0.0.1:{port}/pool")).unwrap(), b"arrived");
}

#[test]
fn inside_leads_inside() {
    let world = World::new();
    let (bytes, digest) = file(1000);
    let target = Server::http(move |asked| Answer::file(asked, &bytes, "v"));
    let place = target.url("/f?X-Amz-Signature=secret");
    let server = Server::http(move |asked| match asked.path() {
        "/loop" => Answer::redirect("/loop"),
        "/hops/9" => Answer::redirect(&place),
        "/deep" => Answer::redirect("hops/0"),
        path => match path.strip_prefix("/hops/").and_then(|number| number.parse::<u32>().ok()) {
            Some(number) => Answer::redirect(&format!("{}", number + 1)),
            None => Answer::status(404),
        },
    });
    let client = world.client();
    let url = server.url("/hops/1");
    assert_eq!(client.download(&Download::new(&url, 2000), &world.store).unwrap(), (digest, 1000));
    for path in ["/loop", "/deep"] {
        let error = client.get_bytes(&server.url(path), 10, None).unwrap_err();
        let HttpError::Request { message, .. } = &error else { panic!("{error}") };
        assert!(message.contains("redirects more than 10 times"), "{message}");
        tells_nothing(&error, &["secret"]);
    }
    let response = client.send(&Request { follow: false, ..Request::get(&url) }).unwrap();
    assert_eq!((response.status, response.location()), (302, Some(server.url("/hops/2"))));
    assert_eq!(response.resolve("../f?sig=1#sha256=2"), Some(server.url("/f?sig=1")));
}

#[test]
fn a_credential_is_for_one_host() {
    let mut world = World::new();
    std::fs::write(world.path("home/.netrc"), "machine 127.0.0.1 login netrc password other\n").unwrap();
    world.set("HOME", world.path("home"));
    let target = Server::http(|_| Answer::ok(""));
    let place = target.url("/f");
    let server = Server::http(move |asked| match asked.path() {
        "/away" => Answer::redirect(&place),
        "/here" => Answer::redirect("/f"),
        _ => Answer::ok(""),
    });
    let credential = Credential::Basic { user: "me".to_owned(), password: "secret".to_owned() };
    let client = world.client();
    let shown = |server: &Server| server.asked().pop().unwrap().header("authorization").map(str::to_owned);
    client.get_bytes(&server.url("/here"), 10, Some(&credential)).unwrap();
    assert_eq!(shown(&server), Some(basic("me", "secret")), "to the same host again");
    let mut request = Request::get("");
    let url = server.url("/away");
    request.url = &url;
    request.credential = Some(credential);
    client.send(&request.header("Cookie", "secret").header("X-Plain", "kept")).unwrap();
    let asked = target.asked().pop().unwrap();
    assert_eq!(
        asked.header("authorization"),
        Some(basic("netrc", "other").as_str()),
        "its own, which this machine has"
    );
    assert_eq!((asked.header("cookie"), asked.header("x-plain")), (None, Some("kept")));
}

#[test]
fn bodies_go_along_where_the_method_does() {
    let world = World::new();
    let server = Server::http(|asked| match asked.path() {
        "/307" => Answer { status: 307, ..Answer::redirect("/end") },
        "/308" => Answer { status: 308, ..Answer::redirect("/end") },
        "/303" => Answer { status: 303, ..Answer::redirect("/end") },
        "/302" => Answer::redirect("/end"),
        _ => Answer::ok(format!("{} {}", asked.method, asked.body.len())),
    });
    let client = world.client();
    for (path, status, answer) in
        [("/307", 200, "PUT 5"), ("/308", 200, "PUT 5"), ("/303", 200, "GET 0"), ("/302", 302, "302\n")]
    {
        let url = server.url(path);
        let mut request = Request::new(Method::Put, &url);
        request.body = Body::Bytes(b"bytes");
        let response = client.send(&request).unwrap();
        assert_eq!(response.status, status, "{path}");
        assert_eq!(response.bytes().unwrap(), answer.as_bytes(), "{path}");
    }
}
