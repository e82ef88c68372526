//! Blobs on their way to a registry, and what stands in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_core::{Digest, media};
use selfsame_registry::{RegistryError, Sent, Source, Target};
use selfsame_testing::server::{Answer, Asked, Fault, Server};

use crate::world::{Fake, State, answer, chain, client, store};

fn bytes() -> Vec<u8> {
    b"0123456789abcde\n".repeat(2_500_000)
}

/// A push of [`bytes`] to a registry that is spoilt so: what it came to, and whether the registry has the blob.
fn pushed(
    bytes: &[u8],
    spoil: impl Fn(&Asked, &mut State) -> Option<Answer> + Send + Sync + 'static,
) -> (Result<Sent, RegistryError>, Fake) {
    let fake = Fake::spoilt(spoil);
    let digest = Digest::of(bytes);
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let result = repository.push_blob(&digest, bytes.len() as u64, Source::Bytes(bytes), &[]);
    let arrived = fake.change(|state| state.blobs.get(&digest).is_some_and(|found| found == bytes));
    assert_eq!(arrived, result.is_ok());
    (result, fake)
}

fn is(asked: &Asked, method: &str) -> bool {
    asked.method == method && asked.path().contains("/blobs/uploads")
}

#[test]
fn from_memory_a_file_and_the_store() {
    let (folder, store) = store();
    let bytes = bytes();
    let digest = store.put_bytes(&bytes, false).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, &bytes).unwrap();
    for source in [Source::Bytes(&bytes), Source::Store(&store), Source::File(&file)] {
        let fake = Fake::new();
        let registry = client();
        let repository = registry.to_push(&fake.reference("t")).unwrap();
        let push = || repository.push_blob(&digest, bytes.len() as u64, source, &[]).unwrap();
        assert_eq!((push(), push()), (Sent::Uploaded, Sent::Present));
        assert!(fake.change(|state| state.blobs[&digest] == bytes));
        assert_eq!(repository.has_blob(&digest).unwrap(), Some(bytes.len() as u64));
        let posts = fake.asked().iter().filter(|line| line.starts_with("POST")).count();
        assert_eq!(posts, 1);
    }
}

#[test]
fn an_empty_blob_and_one_of_a_byte() {
    for bytes in [b"".as_slice(), b"x"] {
        assert_eq!(pushed(bytes, |_, _| None).0.unwrap(), Sent::Uploaded);
    }
}

#[test]
fn a_mount_and_a_mount_that_is_none() {
    let fake = Fake::new();
    let digest = Digest::of(b"mounted");
    fake.change(|state| state.elsewhere.insert(digest, b"mounted".to_vec()));
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let from = ["team/app".to_owned(), "team/other".to_owned()];
    let push = |bytes: &[u8]| {
        repository.push_blob(&Digest::of(bytes), bytes.len() as u64, Source::Bytes(bytes), &from).unwrap()
    };
    assert_eq!(push(b"mounted"), Sent::Mounted);
    assert_eq!(push(b"unknown there"), Sent::Uploaded);
    let asked = fake.asked();
    assert!(asked.iter().any(|line| line.ends_with(&format!("?mount={}&from=team%2Fother", digest.to_string().replace(':', "%3A")))), "{asked:#?}");
    // The session that the second mount began was used.
    assert_eq!(asked.iter().filter(|line| line.starts_with("POST")).count(), 2, "{asked:#?}");
}

#[test]
fn an_upload_that_is_cut_goes_on_where_it_was() {
    // The first PUT dies when 30 of the 40 MB are there.
    let cut = AtomicUsize::new(0);
    let (result, fake) = pushed(&bytes(), move |asked, state| {
        if is(asked, "PUT") && cut.fetch_add(1, Ordering::Relaxed) == 0 {
            let id = asked.path().rsplit('/').next()?;
            state.uploads.get_mut(id)?.extend_from_slice(&asked.body[..30_000_000]);
            return Some(Answer::status(500).fault(Fault::Hangup));
        }
        None
    });
    assert_eq!(result.unwrap(), Sent::Uploaded);
    let lines: Vec<String> = fake
        .server
        .asked()
        .iter()
        .map(|asked| format!("{} {} {}", asked.method, asked.header("content-range").unwrap_or("-"), asked.body.len()))
        .collect();
    assert_eq!(
        lines,
        ["HEAD - 0", "POST - 0", "PUT - 40000000", "GET - 0", "PATCH 30000000-39999999 10000000", "PUT - 0"]
    );
}

#[test]
fn an_upload_that_is_forgotten_begins_anew() {
    // As registries do whose session knows another offset than its file.
    let cut = AtomicUsize::new(0);
    let (result, fake) = pushed(&bytes()[..1000], move |asked, state| {
        if is(asked, "PUT") && cut.fetch_add(1, Ordering::Relaxed) < 2 {
            state.uploads.clear();
            return Some(Answer::status(500).fault(Fault::Hangup));
        }
        None
    });
    assert_eq!(result.unwrap(), Sent::Uploaded);
    assert_eq!(fake.asked().iter().filter(|line| line.starts_with("POST")).count(), 3);
}

#[test]
fn a_registry_that_takes_no_large_piece_gets_chunks() {
    let (result, fake) =
        pushed(&bytes(), |asked, _| (is(asked, "PUT") && !asked.body.is_empty()).then(|| Answer::status(413)));
    assert_eq!(result.unwrap(), Sent::Uploaded);
    let sizes: Vec<usize> =
        fake.server.asked().iter().filter(|asked| is(asked, "PATCH")).map(|asked| asked.body.len()).collect();
    assert_eq!(sizes, [16 << 20, 16 << 20, 40_000_000 - (32 << 20)]);
    // One that takes no chunk either.
    let (result, fake) = pushed(&bytes()[..10], |asked, _| (!asked.body.is_empty()).then(|| Answer::status(413)));
    let error = result.unwrap_err();
    assert!(matches!(error, RegistryError::Answer { status: 413, .. }), "{}", chain(&error));
    assert!(fake.asked().len() < 20);
}

#[test]
fn locations_however_they_are_written() {
    for form in ["absolute", "relative", "bare"] {
        let digest = Digest::of(b"x");
        let address = Arc::new(std::sync::Mutex::new(String::new()));
        let known = address.clone();
        let fake = Fake::spoilt(move |asked, state| {
            if !is(asked, "POST") {
                return None;
            }
            let mut answer = answer(asked, state);
            for (name, value) in &mut answer.headers {
                if name == "Location" {
                    *value = match form {
                        "absolute" => format!("http://{}{value}", known.lock().unwrap()),
                        "relative" => value.clone(),
                        _ => value.rsplit('/').next()?.to_owned(),
                    };
                }
            }
            Some(answer)
        });
        address.lock().unwrap().push_str(&fake.server.address().to_string());
        let registry = client();
        let repository = registry.to_push(&fake.reference("t")).unwrap();
        repository.push_blob(&digest, 1, Source::Bytes(b"x"), &[]).unwrap();
        let put = fake.asked().into_iter().find(|line| line.starts_with("PUT")).unwrap();
        let query = format!("?_state=a%3Db&digest=sha256%3A{}", digest.hex());
        assert_eq!(put, format!("PUT /v2/team/app/blobs/uploads/id-0{query}"), "{form}");
    }
}

#[test]
fn an_upload_elsewhere_is_shown_no_password() {
    let storage = Server::http(|_| Answer::status(201));
    let location = storage.url("/put-here?sig=1");
    let fake = Fake::spoilt(move |asked, _| {
        if asked.path() != "/v2/" && asked.header("authorization").is_none() {
            return Some(Answer::status(401).header("WWW-Authenticate", "Basic realm=\"r\""));
        }
        is(asked, "POST").then(|| Answer::status(202).header("Location", &location))
    });
    let host = fake.server.address().to_string();
    let registry = crate::world::with(crate::world::logins(&[(&host, "me:hidden")]), "");
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    repository.push_blob(&Digest::of(b"x"), 1, Source::Bytes(b"x"), &[]).unwrap();
    let asked = storage.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].header("authorization"), asked[0].body.as_slice()), (None, b"x".as_slice()));
}

#[test]
fn registries_that_do_not_take_it() {
    for (status, retry) in [(401, false), (403, false), (429, true), (500, true), (503, true)] {
        let (result, fake) = pushed(b"x", move |asked, _| is(asked, "PUT").then(|| Answer::status(status)));
        let error = result.unwrap_err();
        assert_eq!(error.retry_may_help(), retry, "{}", chain(&error));
        assert!(fake.asked().len() < 20, "{:#?}", fake.asked());
    }
    let (result, _) = pushed(b"x", |asked, _| is(asked, "POST").then(|| Answer::status(202)));
    assert!(chain(&result.unwrap_err()).contains("without a `Location`"));
    let away = |asked: &Asked, _: &mut State| {
        is(asked, "POST").then(|| Answer::status(202).header("Location", "ftp://files.example/x"))
    };
    assert!(!pushed(b"x", away).0.unwrap_err().retry_may_help());
    // Takes chunks for ever and keeps none.
    let (result, fake) = pushed(&bytes()[..100], |asked, _| match asked.method.as_str() {
        "PUT" => Some(Answer::status(413)),
        "PATCH" => Some(
            Answer::status(202)
                .header("Location", "/v2/team/app/blobs/uploads/id-0?_state=a%3Db")
                .header("Range", "0-0"),
        ),
        _ => None,
    });
    assert!(chain(&result.unwrap_err()).contains("keeps nothing"));
    assert!(fake.asked().len() < 10);
}

#[test]
fn a_file_that_is_not_what_its_name_says() {
    let fake = Fake::new();
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let error = repository.push_blob(&Digest::of(b"right"), 5, Source::Bytes(b"wrong"), &[]).unwrap_err();
    assert!(chain(&error).contains("DIGEST_INVALID: provided digest did not match"), "{}", chain(&error));
    assert!(fake.change(|state| state.blobs.is_empty()));
    let (folder, _store) = store();
    let gone = folder.path().join("gone");
    let error = repository.push_blob(&Digest::of(b"x"), 1, Source::File(&gone), &[]).unwrap_err();
    assert!(matches!(error, RegistryError::Http { .. }) && !error.retry_may_help(), "{}", chain(&error));
}

#[test]
fn manifests_by_digest_and_by_tag() {
    let source = Fake::new();
    let (image, bytes) = source.change(|state| {
        let image = state.put_image("linux/amd64", b"x");
        (image.clone(), state.manifests[&image.digest].1.clone())
    });
    let fake = Fake::new();
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let push = |target: &Target| repository.push_manifest(&bytes, media::MANIFEST, target);
    assert_eq!(push(&Target::Digest(image.digest)).unwrap(), image.digest);
    assert!(fake.change(|state| state.tags.is_empty()));
    push(&Target::tag("t").unwrap()).unwrap();
    assert_eq!(fake.change(|state| state.tags["t"]), image.digest);
    let error = push(&Target::Digest(Digest::of(b"other"))).unwrap_err();
    assert!(matches!(error, RegistryError::WrongDigest { .. }));
    let error = repository.push_manifest(b"{}", media::MANIFEST, &Target::tag("t").unwrap()).unwrap_err();
    assert!(matches!(error, RegistryError::Document { .. }));
    assert_eq!(fake.asked().len(), 2, "what is wrong is not sent");
}

#[test]
fn an_upload_goes_on_where_the_last_answer_says() {
    // Each answer names another place, and the one before is none any more.
    let step = AtomicUsize::new(0);
    let cut = AtomicUsize::new(0);
    let (result, fake) = pushed(&bytes(), move |asked, state| {
        let now = step.load(Ordering::Relaxed);
        if !is(asked, "POST") && asked.path().contains("/uploads/") {
            if !asked.target.contains(&format!("step={now}")) {
                return Some(Answer::status(400));
            }
            if is(asked, "PUT") && cut.fetch_add(1, Ordering::Relaxed) == 0 {
                state.uploads.get_mut("id-0")?.extend_from_slice(&asked.body[..1_000_000]);
                return Some(Answer::status(500).fault(Fault::Hangup));
            }
        }
        let mut answer = answer(asked, state);
        for (_, value) in answer.headers.iter_mut().filter(|(name, _)| name == "Location") {
            *value = format!("{value}&step={}", step.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Some(answer)
    });
    assert_eq!(result.unwrap_or_else(|error| panic!("{}: {:#?}", chain(&error), fake.asked())), Sent::Uploaded);
    assert_eq!(fake.asked().iter().filter(|line| line.starts_with("PATCH")).count(), 3);
}

#[test]
fn a_registry_that_has_more_than_was_sent_begins_anew() {
    let cut = AtomicUsize::new(0);
    let (result, fake) = pushed(b"four", move |asked, _| match asked.method.as_str() {
        "PUT" if cut.fetch_add(1, Ordering::Relaxed) == 0 => Some(Answer::status(500).fault(Fault::Hangup)),
        "GET" => Some(Answer::status(204).header("Range", "0-4").header("Location", "/v2/team/app/blobs/uploads/id-0")),
        _ => None,
    });
    assert_eq!(result.unwrap(), Sent::Uploaded);
    assert_eq!(fake.asked().iter().filter(|line| line.starts_with("POST")).count(), 2);
}
