//! Blobs on their way into the store.

use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_core::Digest;
use selfsame_oci::Descriptor;
use selfsame_registry::RegistryError;
use selfsame_testing::server::{Answer, Fault, Server, basic};

use crate::world::{Fake, chain, client, logins, store, with};

const KIND: &str = "application/octet-stream";

fn bytes() -> Vec<u8> {
    (0..400_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A blob of which the registry gives what `answer` says, in the `n`th answer.
fn pulled(answer: impl Fn(usize, &[u8]) -> Option<Answer> + Send + Sync + 'static) -> Result<usize, RegistryError> {
    let count = AtomicUsize::new(0);
    let all = bytes();
    let fake = Fake::spoilt(move |asked, _| {
        let gets = asked.method == "GET" && asked.path().contains("/blobs/");
        gets.then(|| answer(count.fetch_add(1, Ordering::Relaxed), &all))?
    });
    let descriptor = fake.change(|state| state.put_blob(KIND, &bytes()));
    let (_folder, store) = store();
    let registry = client();
    let result = registry.to_push(&fake.reference("t")).unwrap().blob(&descriptor, &store, None);
    assert_eq!(store.has(&descriptor.digest), result.is_ok(), "stored if and only if it is right");
    if let Ok(()) = result {
        assert_eq!(store.read_blob(&descriptor.digest, 1 << 30).unwrap(), bytes());
    }
    result.map(|()| fake.asked().iter().filter(|line| line.starts_with("GET") && line.contains("/blobs/")).count())
}

#[test]
fn a_blob_that_is_cut_is_taken_up_where_it_was() {
    assert_eq!(pulled(|_, _| None).unwrap(), 1);
    let cut =
        |at: usize| move |number: usize, all: &[u8]| (number == 0).then(|| Answer::ok(all).fault(Fault::CutAfter(at)));
    assert_eq!(pulled(cut(1_000_000)).unwrap(), 2);
    assert_eq!(pulled(cut(0)).unwrap(), 2);
    let dead = pulled(|number, all| {
        let fault = if number == 0 { Fault::CutAfter(500_000) } else { Fault::Hangup };
        Some(Answer::ok(all).fault(fault))
    });
    let error = dead.unwrap_err();
    assert!(error.retry_may_help(), "{}", chain(&error));
}

#[test]
fn other_bytes_are_not_stored() {
    let error = pulled(|_, all| {
        let mut other = all.to_vec();
        other[300_000] ^= 1;
        Some(Answer::ok(other))
    });
    assert!(matches!(error.unwrap_err(), RegistryError::WrongDigest { .. }));
    let error = pulled(|_, all| Some(Answer::ok(&all[..all.len() - 1]))).unwrap_err();
    assert!(matches!(error, RegistryError::WrongSize { .. }), "{}", chain(&error));
    let error = pulled(|_, all| Some(Answer::ok([all, b"x"].concat()))).unwrap_err();
    assert!(matches!(error, RegistryError::WrongSize { .. }), "{}", chain(&error));
    let error = pulled(|_, all| Some(Answer::ok(all).fault(Fault::Endless))).unwrap_err();
    assert!(matches!(error, RegistryError::WrongSize { .. }), "{}", chain(&error));
}

#[test]
fn statuses_have_their_errors() {
    for (status, retry) in [(403, false), (404, false), (429, true), (500, true)] {
        let error = pulled(move |_, _| Some(Answer::status(status))).unwrap_err();
        assert_eq!(error.retry_may_help(), retry, "{}", chain(&error));
    }
    assert!(pulled(|number, _| (number == 0).then(|| Answer::status(503))).is_ok(), "a busy registry is asked again");
}

#[test]
fn a_password_stays_with_its_registry_when_a_blob_is_elsewhere() {
    let storage = Server::http(|asked| match asked.header("authorization") {
        None => Answer::file(asked, &bytes(), "e"),
        Some(_) => Answer::status(400),
    });
    let location = storage.url("/bucket/x?sig=secret");
    let fake = Fake::spoilt(move |asked, _| {
        if asked.path() != "/v2/" && asked.header("authorization") != Some(&basic("me", "hidden")) {
            return Some(Answer::status(401).header("WWW-Authenticate", "Basic realm=\"r\""));
        }
        (asked.path().contains("/blobs/") && asked.method == "GET").then(|| Answer::redirect(&location))
    });
    let descriptor = fake.change(|state| state.put_blob(KIND, &bytes()));
    let (_folder, store) = store();
    let host = fake.server.address().to_string();
    let registry = with(logins(&[(&host, "me:hidden")]), "");
    registry.to_push(&fake.reference("t")).unwrap().blob(&descriptor, &store, None).unwrap();
    assert!(storage.asked().iter().all(|asked| asked.header("authorization").is_none()));
    assert!(fake.server.asked().iter().any(|asked| asked.header("authorization").is_some()));
}

#[test]
fn a_challenge_of_another_host_is_not_answered() {
    let realm = Server::http(|_| Answer::ok(r#"{"token":"t"}"#));
    let challenge = format!("Bearer realm=\"{}\",service=\"s\"", realm.url("/token"));
    let storage = Server::http(move |_| Answer::status(401).header("WWW-Authenticate", &challenge));
    let location = storage.url("/x");
    let fake = Fake::spoilt(move |asked, _| asked.path().contains("/blobs/").then(|| Answer::redirect(&location)));
    let (_folder, store) = store();
    let hosts = [fake.server.address().to_string(), storage.address().to_string()];
    let registry = with(logins(&[(&hosts[0], "me:hidden"), (&hosts[1], "me:hidden")]), "");
    let descriptor = Descriptor::of(KIND, &bytes());
    let error = registry.to_push(&fake.reference("t")).unwrap().blob(&descriptor, &store, None).unwrap_err();
    assert!(matches!(error, RegistryError::Refused { status: 401, .. }), "{}", chain(&error));
    assert!(realm.asked().is_empty());
}

#[test]
fn addresses_in_a_layer_are_not_followed() {
    let fake = Fake::new();
    let other = Server::http(|_| Answer::ok("foreign"));
    let digest = Digest::of(b"foreign");
    let config = r#"{"os":"linux","architecture":"amd64"}"#;
    let root = fake.change(|state| {
        let config = state.put_blob(selfsame_core::media::CONFIG, config.as_bytes());
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": selfsame_core::media::MANIFEST,
            "config": { "mediaType": config.media_type, "digest": config.digest, "size": config.size },
            "layers": [{ "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": digest,
                         "size": 7, "urls": [other.url("/foreign")] }],
        });
        state.put_manifest(selfsame_core::media::MANIFEST, manifest.to_string().as_bytes())
    });
    let registry = client();
    let reference = fake.reference(&root.digest.to_string());
    let wanted = ["linux/amd64".parse().unwrap()];
    let (repository, image) =
        registry.first(&reference, |repository| repository.image(&reference.target(), &wanted)).unwrap();
    let (_folder, store) = store();
    let error = repository.pull(&image, &store, None).unwrap_err();
    assert!(matches!(error, RegistryError::NotFound { .. }), "{}", chain(&error));
    assert!(other.asked().is_empty());
}

#[test]
fn a_registry_among_its_own_upstreams_is_asked_for_blobs_with_its_login() {
    let fake = Fake::spoilt(|asked, _| {
        let known = asked.path() == "/v2/" || asked.header("authorization") == Some(&basic("me", "hidden"));
        (!known).then(|| Answer::status(401).header("WWW-Authenticate", "Basic realm=\"r\""))
    });
    let descriptor = fake.change(|state| state.put_blob(KIND, b"a blob"));
    let mirror = Server::http(|_| Answer::status(404));
    let host = fake.server.address().to_string();
    let origins = format!("[origin.\"127.0.0.1\"]\nupstream = [\"{}/prefix\", \"http://{host}\"]\n", mirror.url(""));
    let registry = with(logins(&[(&host, "me:hidden")]), &origins);
    let (_folder, store) = store();
    let reference = fake.reference("t");
    registry.first(&reference, |repository| repository.blob(&descriptor, &store, None)).unwrap();
    assert!(store.has(&descriptor.digest));
    let asked: Vec<String> = mirror.asked().into_iter().map(|asked| asked.target).collect();
    assert!(asked.iter().all(|target| target.starts_with("/v2/prefix/team/app/blobs/")), "{asked:?}");
}

#[test]
fn mirrors_are_passed_over_when_they_fail_or_lie() {
    let good = Fake::new();
    let image = good.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("t".to_owned(), image.digest);
        image
    });
    let absent = Server::http(|_| Answer::status(404));
    let lying =
        Server::http(|_| Answer::ok(r#"{"schemaVersion":2}"#).header("Content-Type", selfsame_core::media::MANIFEST));
    let broken = Server::http(|_| Answer::status(500));
    let upstream = [absent.url(""), lying.url(""), broken.url(""), good.server.url("")];
    let origins = format!("[origin.\"hub.example\"]\nupstream = {upstream:?}\n");
    let registry = with(selfsame_registry::Credentials::none(), &origins);
    let reference = format!("hub.example/team/app@{}", image.digest).parse().unwrap();
    let wanted = ["linux/amd64".parse().unwrap()];
    let (repository, found) =
        registry.first(&reference, |repository| repository.image(&reference.target(), &wanted)).unwrap();
    assert_eq!(found.platforms[0].descriptor.digest, image.digest);
    assert_eq!(repository.host(), good.server.address().to_string());
}
