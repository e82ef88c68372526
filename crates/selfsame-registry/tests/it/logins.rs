//! Who a registry is told that asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_http::{Client, Environment, Options};
use selfsame_registry::{Configuration, Credentials, Registry, RegistryError, Source, Target};
use selfsame_testing::authority::Authority;
use selfsame_testing::proxy::Proxy;
use selfsame_testing::server::{Answer, Asked, Server, basic};

use crate::world::{Fake, chain, config, logins, options, responder, with};

fn tag() -> Target {
    Target::Tag("t".to_owned())
}

/// A registry that wants a token of `realm`, `Bearer good`.
fn guarded(challenge: impl Fn() -> String + Send + Sync + 'static) -> Fake {
    let fake = Fake::spoilt(move |asked, _| {
        let known = asked.header("authorization") == Some("Bearer good");
        (asked.path() != "/v2/" && !known).then(|| Answer::status(401).header("WWW-Authenticate", &challenge()))
    });
    fake.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("t".to_owned(), image.digest);
    });
    fake
}

fn parameters(asked: &Asked) -> Vec<String> {
    asked.target.split_once('?').map_or("", |(_, query)| query).split('&').map(str::to_owned).collect()
}

#[test]
fn a_token_as_nobody_and_as_somebody() {
    let realm = Arc::new(Server::http(|asked| {
        let expected = basic("me", "hidden");
        match asked.header("authorization") {
            None => Answer::ok(r#"{"access_token":"good","expires_in":300}"#),
            Some(found) if found == expected => Answer::ok(r#"{"token":"good"}"#),
            Some(_) => Answer::status(401),
        }
    }));
    let url = realm.url("/token?extra=1");
    let fake =
        guarded(move || format!("Bearer realm=\"{url}\",service=\"the service\",scope=\"repository:team/app:pull\""));
    let host = fake.server.address().to_string();
    let nobody = with(Credentials::none(), "");
    nobody.find(&fake.reference("t")).unwrap();
    let first = realm.asked();
    assert_eq!(parameters(&first[0]), ["extra=1", "service=the%20service", "scope=repository%3Ateam%2Fapp%3Apull"]);
    assert_eq!(first[0].header("authorization"), None);

    let somebody = with(logins(&[(&host, "me:hidden")]), "");
    let repository = somebody.to_pull(&fake.reference("t")).unwrap().remove(0);
    for _ in 0..3 {
        repository.manifest(&tag()).unwrap();
    }
    let asked = realm.asked();
    assert_eq!(asked.len(), 2, "a token is kept");
    assert!(parameters(&asked[1]).contains(&"account=me".to_owned()));
    assert!(!asked.iter().any(|asked| asked.target.contains("hidden")));

    let wrong = with(logins(&[(&host, "me:other")]), "");
    let error = wrong.find(&fake.reference("t")).unwrap_err();
    assert!(matches!(error, RegistryError::Refused { status: 401, as_somebody: true, .. }), "{}", chain(&error));
    assert!(!chain(&error).contains("other"), "{}", chain(&error));
}

#[test]
fn an_identity_token_is_posted_and_follows_nobody() {
    let elsewhere = Arc::new(Server::http(|_| Answer::ok(r#"{"token":"good"}"#)));
    let away = elsewhere.url("/t");
    let redirects = Arc::new(AtomicUsize::new(0));
    let redirecting = redirects.clone();
    let realm = Arc::new(Server::http(move |asked| {
        if redirecting.load(Ordering::Relaxed) > 0 {
            return Answer { status: 307, ..Answer::redirect(&away) };
        }
        let body = String::from_utf8(asked.body.clone()).unwrap();
        let expected = "grant_type=refresh_token&client_id=selfsame&service=s&scope=repository%3Ateam%2Fapp%3Apull&refresh_token=id%2Ftoken";
        if asked.method == "POST" && body == expected {
            Answer::ok(r#"{"access_token":"good"}"#)
        } else {
            Answer::status(400)
        }
    }));
    let url = realm.url("/token");
    let fake = guarded(move || format!("Bearer realm=\"{url}\",service=\"s\""));
    let text = format!(r#"{{ "auths": {{ "{}": {{ "identitytoken": "id/token" }} }} }}"#, fake.server.address());
    with(config(&text), "").find(&fake.reference("t")).unwrap();

    redirects.store(1, Ordering::Relaxed);
    let error = with(config(&text), "").find(&fake.reference("t")).unwrap_err();
    assert!(matches!(error, RegistryError::Token { may_pass: false, .. }), "{}", chain(&error));
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn a_token_that_ran_out_is_fetched_anew() {
    let number = Arc::new(AtomicUsize::new(0));
    let issued = number.clone();
    let realm =
        Server::http(move |_| Answer::ok(format!(r#"{{"token":"token-{}"}}"#, issued.fetch_add(1, Ordering::Relaxed))));
    let url = realm.url("/token");
    let fake = Fake::spoilt(move |asked, _| {
        // Only the newest one counts.
        let newest = format!("Bearer token-{}", number.load(Ordering::Relaxed).wrapping_sub(1));
        let refused = asked.path() != "/v2/" && asked.header("authorization") != Some(&newest);
        refused.then(|| Answer::status(401).header("WWW-Authenticate", &format!("Bearer realm=\"{url}\"")))
    });
    let descriptor = fake.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("t".to_owned(), image.digest);
        state.put_blob("", b"a blob")
    });
    let registry = with(Credentials::none(), "");
    let repository = registry.to_pull(&fake.reference("t")).unwrap().remove(0);
    repository.manifest(&tag()).unwrap();
    // Somebody else's token makes ours old.
    with(Credentials::none(), "").find(&fake.reference("t")).unwrap();
    repository.manifest(&tag()).unwrap();
    with(Credentials::none(), "").find(&fake.reference("t")).unwrap();
    let (_folder, store) = crate::world::store();
    repository.blob(&descriptor, &store, None).unwrap();
    assert!(store.has(&descriptor.digest));
}

#[test]
fn a_registry_that_is_never_content_is_asked_twice() {
    let realm = Server::http(|_| Answer::ok(r#"{"token":"wrong"}"#));
    let url = realm.url("/token");
    let fake = guarded(move || format!("Bearer realm=\"{url}\""));
    let error = with(Credentials::none(), "").find(&fake.reference("t")).unwrap_err();
    assert!(matches!(error, RegistryError::Refused { status: 401, .. }), "{}", chain(&error));
    assert_eq!(fake.asked().iter().filter(|line| line.contains("manifests")).count(), 2);
}

#[test]
fn basic_where_that_is_wanted_and_nothing_before_it_is() {
    let fake = Fake::spoilt(|asked, _| {
        let known = asked.header("authorization") == Some(&basic("me", "pass:word"));
        let challenge = "Basic realm=\"Registry\"";
        (asked.path() != "/v2/" && !known).then(|| {
            let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"you are me:pass:word, are you?"}]}"#;
            Answer { body: body.into(), ..Answer::status(401) }.header("WWW-Authenticate", challenge)
        })
    });
    fake.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("t".to_owned(), image.digest);
    });
    let host = fake.server.address().to_string();
    let registry = with(logins(&[(&host, "me:pass:word"), ("other.example", "you:x")]), "");
    registry.find(&fake.reference("t")).unwrap();
    let first = fake.server.asked().into_iter().find(|asked| asked.path().contains("manifests")).unwrap();
    assert_eq!(first.header("authorization"), None);

    let error = with(Credentials::none(), "").find(&fake.reference("t")).unwrap_err();
    assert!(matches!(error, RegistryError::Refused { as_somebody: false, .. }), "{}", chain(&error));
    // What a registry repeats of what it was shown is not repeated again.
    let wrong = with(logins(&[(&host, "you:pass:word")]), "");
    let error = wrong.to_pull(&fake.reference("t")).unwrap().remove(0).manifest(&tag()).unwrap_err();
    assert!(
        matches!(&error, RegistryError::Refused { as_somebody: true, said, .. } if said.is_empty()),
        "{}",
        chain(&error)
    );
}

#[test]
fn realms_that_are_not_asked() {
    for (realm, because) in [
        ("", "gave no answer to its own question"),
        ("http://auth.example/token", "is not https"),
        ("ftp://auth.example/token", "is not an address"),
        ("https://me:hidden@auth.example/token", "is not an address"),
        ("/token", "is not an address"),
    ] {
        let fake = guarded(move || format!("Bearer realm=\"{realm}\",service=\"s\""));
        let error = with(Credentials::none(), "").find(&fake.reference("t")).unwrap_err();
        match realm {
            "" => assert!(matches!(error, RegistryError::Refused { status: 401, .. }), "{}", chain(&error)),
            _ => assert!(chain(&error).contains(because), "{}", chain(&error)),
        }
        assert!(!error.retry_may_help());
    }
}

#[test]
fn a_registry_by_https_has_its_realm_by_https() {
    let authority = Authority::new("of a test");
    let folder = tempfile::tempdir().unwrap();
    let state = Arc::new(std::sync::Mutex::new(crate::world::State::default()));
    let plain = Arc::new(Server::http(|_| Answer::ok(r#"{"token":"good"}"#)));
    let secure = Arc::new(Server::https(&authority, &[], |_| Answer::ok(r#"{"token":"good"}"#)));
    for (realm, fine) in [(plain.url("/token"), false), (secure.url("/token"), true)] {
        state.lock().unwrap().tags.clear();
        let challenge = format!("Bearer realm=\"{realm}\"");
        let server = Server::https(
            &authority,
            &[],
            responder(
                state.clone(),
                Box::new(move |asked, _| {
                    let known = asked.header("authorization") == Some("Bearer good");
                    (asked.path() != "/v2/" && !known)
                        .then(|| Answer::status(401).header("WWW-Authenticate", &challenge))
                }),
            ),
        );
        let image = state.lock().unwrap().put_image("linux/amd64", b"x");
        let options = Options { ca_files: vec![authority.write(&folder.path().join("ca.pem"))], ..options() };
        let client = Client::new(&Environment::default(), options).unwrap();
        let credentials = logins(&[(&server.address().to_string(), "me:hidden")]);
        let registry = Registry::new(&client, Configuration::default(), credentials);
        let reference = format!("{}/team/app:t", server.address()).parse().unwrap();
        let found = registry.to_push(&reference).unwrap().manifest(&Target::Digest(image.digest));
        match found {
            Ok(_) => assert!(fine),
            Err(error) => assert!(!fine && chain(&error).contains("is not https"), "{}", chain(&error)),
        }
    }
    assert!(plain.asked().is_empty());

    // A certificate that nobody here vouches for is no reason to go on by http.
    let untrusted = Server::https(&Authority::new("of nobody"), &[], |_| Answer::ok("{}"));
    let reference = format!("{}/team/app:t", untrusted.address()).parse().unwrap();
    let error = with(Credentials::none(), "").to_push(&reference).unwrap().manifest(&tag()).unwrap_err();
    assert!(chain(&error).contains("is not trusted here"), "{}", chain(&error));
}

/// A registry of another machine, by a proxy that alone knows its name.
fn far(proxy: &Proxy, options: Options, files: &[(&str, &str)]) -> Registry {
    let home = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut environment = Environment::default();
    environment.variables.insert("HOME".into(), home.path().into());
    environment.variables.extend(["https_proxy", "http_proxy"].map(|name| (name.into(), proxy.url().into())));
    let configuration = Configuration::read(&environment, &options.origins).unwrap();
    let credentials = Credentials::read(&environment).unwrap();
    Registry::new(&Client::new(&environment, options).unwrap(), configuration, credentials)
}

#[test]
fn a_far_registry_does_not_send_to_this_machine_for_a_token() {
    let authority = Authority::new("of a test");
    let folder = tempfile::tempdir().unwrap();
    let realm = Server::https(&authority, &[], |_| Answer::ok(r#"{"token":"good"}"#));
    let challenge = format!("Bearer realm=\"https://localhost:{}/token\"", realm.address().port());
    let server = Server::https(&authority, &["registry.example"], move |_| {
        Answer::status(401).header("WWW-Authenticate", &challenge)
    });
    let proxy = Proxy::new(&[("registry.example:443", server.address())]);
    let options = Options { ca_files: vec![authority.write(&folder.path().join("ca.pem"))], ..options() };
    let error = far(&proxy, options, &[]).find(&"registry.example/team/app:t".parse().unwrap()).unwrap_err();
    assert!(chain(&error).contains("is on this machine, where the registry is not"), "{}", chain(&error));
    assert!(realm.asked().is_empty() && !server.asked().is_empty());
}

#[test]
fn plain_http_to_another_machine_only_as_it_is_configured() {
    let fake = Fake::new();
    let image = fake.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("t".to_owned(), image.digest);
        image
    });
    let proxy = Proxy::new(&[("plain.example:80", fake.server.address())]);
    let reference = "plain.example/team/app:t".parse().unwrap();
    let insecure = (".config/docker/daemon.json", r#"{ "insecure-registries": ["plain.example"] }"#);
    let registry = far(&proxy, options(), &[insecure]);
    let (_, found) = registry.find(&reference).unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(found.digest, image.digest);
    let before = fake.asked().len();
    let error = far(&proxy, options(), &[]).find(&reference).unwrap_err();
    assert!(matches!(error, RegistryError::Http { .. } | RegistryError::Busy { .. }), "{}", chain(&error));
    assert_eq!(fake.asked().len(), before);
}

#[test]
fn tokens_that_are_none() {
    for (answer, because, retry) in [
        (Answer::ok("{}"), "gave no token", false),
        (Answer::ok(r#"{"token":"a\r\nX-Evil: 1"}"#), "cannot stand in a header", false),
        (Answer::ok("<html>hidden"), "gave an answer that is not read", false),
        (Answer::ok(r#"{"token":{"hidden":1}}"#), "gave an answer that is not read", false),
        (Answer::status(404), "answered with status 404", false),
        (Answer::status(503), "answered with status 503", true),
        (Answer::status(429), "answered with status 429", true),
    ] {
        let realm = Server::http(move |_| answer.clone());
        let url = realm.url("/token?private=hidden");
        let fake = guarded(move || format!("Bearer realm=\"{url}\""));
        let error = with(Credentials::none(), "").find(&fake.reference("t")).unwrap_err();
        assert!(chain(&error).contains(because) && !chain(&error).contains("hidden"), "{}", chain(&error));
        assert_eq!(error.retry_may_help(), retry, "{}", chain(&error));
    }
}

#[test]
fn what_is_to_be_written_is_asked_for_at_once_and_mounts_ask_for_both() {
    let realm = Arc::new(Server::http(|_| Answer::ok(r#"{"token":"good"}"#)));
    let url = realm.url("/token");
    let fake = guarded(move || format!("Bearer realm=\"{url}\""));
    let registry = with(Credentials::none(), "");
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let from = ["other/name".to_owned()];
    repository.push_blob(&selfsame_core::Digest::of(b"x"), 1, Source::Bytes(b"x"), &from).unwrap();
    let scopes: Vec<_> = realm.asked().iter().map(parameters).collect();
    let write = "scope=repository%3Ateam%2Fapp%3Apull%2Cpush".to_owned();
    let read = "scope=repository%3Aother%2Fname%3Apull".to_owned();
    assert_eq!(scopes, [vec![write.clone()], vec![write, read]]);
}
