//! Manifests that are not what they should be.

use selfsame_core::{Digest, media};
use selfsame_registry::{MANIFEST_BYTES, RegistryError, Target};
use selfsame_testing::server::{Answer, Fault};

use crate::world::{Fake, chain, client};

/// What the manifest of tag `t` gives where the registry answers so.
fn asked_for(answer: impl Fn() -> Answer + Send + Sync + 'static) -> RegistryError {
    let fake = Fake::spoilt(move |asked, _| (asked.path().ends_with("/manifests/t")).then(&answer));
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let by_get = repository.manifest(&Target::Tag("t".to_owned())).unwrap_err();
    assert!(!chain(&by_get).contains("secret"), "{}", chain(&by_get));
    by_get
}

#[test]
fn a_tag_and_a_digest_are_read_and_checked() {
    let fake = Fake::new();
    let image = fake.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("1.0".to_owned(), image.digest);
        state.tags.insert("0.9".to_owned(), image.digest);
        image
    });
    let registry = client();
    let (repository, found) = registry.find(&fake.reference("1.0")).unwrap();
    assert_eq!((found.digest, found.size), (image.digest, image.size));
    let fetched = repository.manifest(&Target::Digest(image.digest)).unwrap();
    assert_eq!(fetched.descriptor.digest, Digest::of(&fetched.bytes));
    assert_eq!(repository.tags().unwrap(), ["0.9", "1.0"]);
    assert!(repository.has_manifest(&Target::Tag("1.0".to_owned())).unwrap());
    assert!(!repository.has_manifest(&Target::Tag("2.0".to_owned())).unwrap());
}

#[test]
fn a_registry_without_head_is_asked_for_the_whole() {
    let fake = Fake::spoilt(|asked, _| (asked.method == "HEAD").then(|| Answer::status(405)));
    let image = fake.change(|state| {
        let image = state.put_image("linux/amd64", b"layer");
        state.tags.insert("1.0".to_owned(), image.digest);
        image
    });
    assert_eq!(client().find(&fake.reference("1.0")).unwrap().1.digest, image.digest);
}

#[test]
fn other_bytes_than_the_digest_promises() {
    let fake = Fake::new();
    let (asked, other) = fake.change(|state| {
        let one = state.put_image("linux/amd64", b"one");
        let two = state.put_image("linux/amd64", b"two");
        let bytes = state.manifests[&two.digest].clone();
        state.manifests.insert(one.digest, bytes);
        (one.digest, two.digest)
    });
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    match repository.manifest(&Target::Digest(asked)).unwrap_err() {
        RegistryError::WrongDigest { expected, found, .. } => assert_eq!((expected, found), (asked, other)),
        error => panic!("{}", chain(&error)),
    }
    // The registry's own word about a tag counts, too.
    let error = asked_for(move || {
        Answer::ok("{}").header("Content-Type", media::MANIFEST).header("Docker-Content-Digest", &asked.to_string())
    });
    assert!(matches!(error, RegistryError::WrongDigest { .. }), "{}", chain(&error));
}

#[test]
fn statuses_have_their_errors() {
    for (status, retry) in
        [(401, false), (403, false), (404, false), (429, true), (500, true), (503, true), (418, false)]
    {
        let body = r#"{"errors":[{"code":"SOME_CODE","message":"some \u0007words"}]}"#;
        let error = asked_for(move || Answer { body: body.into(), ..Answer::status(status) });
        assert_eq!(error.retry_may_help(), retry, "{}", chain(&error));
        let expected = match status {
            401 | 403 => matches!(error, RegistryError::Refused { as_somebody: false, .. }),
            404 => matches!(error, RegistryError::NotFound { .. }),
            429 | 500.. => matches!(error, RegistryError::Busy { .. }),
            _ => matches!(error, RegistryError::Answer { .. }),
        };
        assert!(expected, "{status}: {error:?}");
        if status != 404 {
            assert!(
                error.to_string().ends_with(&format!("(status {status} SOME_CODE: some \\u{{7}}words)")),
                "{error}"
            );
        }
    }
}

#[test]
fn documents_that_are_none() {
    let large =
        || Answer::ok(vec![b' '; usize::try_from(MANIFEST_BYTES).unwrap() + 1]).header("Content-Type", media::MANIFEST);
    assert!(matches!(asked_for(large), RegistryError::TooLarge { limit_bytes: MANIFEST_BYTES, .. }));
    let endless =
        || Answer::ok("{\"secret\":1}".repeat(10_000)).header("Content-Type", media::MANIFEST).fault(Fault::Endless);
    assert!(matches!(asked_for(endless), RegistryError::TooLarge { .. }));
    let cut = || Answer::ok(vec![b' '; 1000]).header("Content-Type", media::MANIFEST).fault(Fault::CutAfter(10));
    assert!(asked_for(cut).retry_may_help());
    let page = || Answer::ok("<!doctype html><p>log in").header("Content-Type", "text/html");
    assert!(matches!(asked_for(page), RegistryError::MediaType { media_type, .. } if media_type == "text/html"));
    let old = || Answer::ok("{}").header("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws");
    assert!(matches!(asked_for(old), RegistryError::MediaType { .. }));
    // One reader's manifest, another's index (CVE-2021-41190).
    let both = r#"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#;
    let error = asked_for(move || Answer::ok(both).header("Content-Type", media::MANIFEST));
    assert!(chain(&error).contains("has the field `manifests`"), "{}", chain(&error));
    let other = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media::INDEX);
    let error = asked_for(move || Answer::ok(other.clone()).header("Content-Type", media::MANIFEST));
    assert!(matches!(error, RegistryError::Document { .. }), "{}", chain(&error));
}

#[test]
fn a_server_of_plain_files_announces_nothing() {
    let fake = Fake::spoilt(|asked, state| {
        let bytes = state.manifests.values().next()?.1.clone();
        (asked.path().ends_with("/manifests/t")).then(|| Answer::ok(bytes).header("Content-Type", "application/json"))
    });
    let image = fake.change(|state| state.put_image("linux/amd64", b"x"));
    let registry = client();
    assert_eq!(registry.find(&fake.reference("t")).unwrap().1.digest, image.digest);
}

#[test]
fn pages_that_turn_in_a_circle_or_lead_away() {
    for (link, because) in [
        ("</v2/team/app/tags/list>; rel=\"next\"", "an earlier one"),
        ("<tags/list?last=a>; rel=\"next\"", ""),
        ("<https://elsewhere.example/v2/team/app/tags/list>; rel=\"next\"", "on another host"),
        ("<//127.0.0.1:1/x>; rel=\"next\"", "on another host"),
    ] {
        let fake = Fake::spoilt(move |asked, _| {
            let page = Answer::ok(r#"{"tags":["b","a","not a tag"]}"#);
            match asked.target.as_str() {
                "/v2/team/app/tags/list" => Some(page.header("Link", link)),
                // Relative to the page before, so one folder deeper each time.
                target if target.contains("last=a") => Some(Answer::ok(r#"{"tags":["c"]}"#)),
                _ => None,
            }
        });
        let registry = client();
        let found = registry.to_push(&fake.reference("t")).unwrap().tags();
        match found {
            Ok(tags) => assert!(because.is_empty() && tags == ["a", "b", "c"], "{tags:?}"),
            Err(error) => assert!(!because.is_empty() && chain(&error).contains(because), "{}", chain(&error)),
        }
    }
    // A new page each time, without end.
    let count = std::sync::atomic::AtomicUsize::new(0);
    let fake = Fake::spoilt(move |asked, _| {
        let next = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let link = format!("</v2/team/app/tags/list?last={next}>; rel=\"next\"");
        asked.path().ends_with("tags/list").then(|| Answer::ok(r#"{"tags":[]}"#).header("Link", &link))
    });
    let error = client().to_push(&fake.reference("t")).unwrap().tags().unwrap_err();
    assert!(matches!(error, RegistryError::TooMany { items: "pages", limit: 1000, .. }), "{}", chain(&error));
}
