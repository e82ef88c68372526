//! Lists of referrers: the registry's own, and the tag that stands for one.

use selfsame_core::{Digest, media};
use selfsame_oci::Descriptor;
use selfsame_registry::{Registry, RegistryError, Target};
use selfsame_testing::server::Answer;

use crate::world::{Fake, State, answer, chain, client, referrer};

const NOTE: &str = "application/vnd.example.note.v1+json";

/// Pushes one referrer of `subject`.
fn push(fake: &Fake, registry: &Registry, subject: &Descriptor, kind: &str, note: &str) -> Digest {
    let bytes = referrer(subject, kind, note);
    let target = Target::Digest(Digest::of(&bytes));
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    repository.push_manifest(&bytes, media::MANIFEST, &target).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

fn tag(subject: &Descriptor) -> String {
    format!("sha256-{}", subject.digest.hex())
}

fn listed(fake: &Fake, subject: &Descriptor, kind: Option<&str>) -> Vec<Digest> {
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let mut found: Vec<Digest> =
        repository.referrers(&subject.digest, kind).unwrap().iter().map(|found| found.digest).collect();
    found.sort();
    found
}

fn sorted(mut digests: Vec<Digest>) -> Vec<Digest> {
    digests.sort();
    digests
}

#[test]
fn by_the_registry_or_by_the_tag() {
    for lists in [true, false] {
        let fake = Fake::new();
        let subject = fake.change(|state| {
            state.lists = lists;
            state.put_image("linux/amd64", b"x")
        });
        let registry = client();
        assert!(listed(&fake, &subject, None).is_empty());
        let one = push(&fake, &registry, &subject, media::BUNDLE, "one");
        let two = push(&fake, &registry, &subject, NOTE, "two");
        push(&fake, &registry, &subject, NOTE, "two");
        assert_eq!(listed(&fake, &subject, None), sorted(vec![one, two]), "{lists}");
        assert_eq!(listed(&fake, &subject, Some(NOTE)), [two]);
        assert!(listed(&fake, &subject, Some("application/none")).is_empty());
        let has_tag = fake.change(|state| state.tags.contains_key(&tag(&subject)));
        assert_eq!(has_tag, !lists, "a registry that lists needs no tag");
    }
}

#[test]
fn what_others_wrote_into_the_list_stays() {
    let fake = Fake::new();
    let subject = fake.change(|state| {
        let subject = state.put_image("linux/amd64", b"x");
        let other = Digest::of(b"other");
        let list = serde_json::json!({
            "schemaVersion": 2, "mediaType": media::INDEX,
            "manifests": [{ "mediaType": media::MANIFEST, "digest": other, "size": 5, "data": "b3RoZXI=", "urls": ["u"] }],
            "annotations": { "a": "b" }, "extra": 1.5,
        });
        let list = state.put_manifest(media::INDEX, list.to_string().as_bytes());
        state.tags.insert(tag(&subject), list.digest);
        subject
    });
    let ours = push(&fake, &client(), &subject, NOTE, "ours");
    let list: serde_json::Value = fake.change(|state| {
        let digest = state.tags[&tag(&subject)];
        serde_json::from_slice(&state.manifests[&digest].1).unwrap()
    });
    assert_eq!(list["manifests"][0]["data"], "b3RoZXI=");
    assert_eq!((&list["extra"], &list["annotations"]["a"]), (&1.5.into(), &"b".into()));
    let added = &list["manifests"][1];
    assert_eq!(added["digest"], ours.to_string());
    assert_eq!((&added["artifactType"], &added["annotations"]["note"]), (&NOTE.into(), &"ours".into()));
}

/// Before each of the first `times` writes of the list somebody else is faster.
fn contended(times: usize, conditions: bool) -> (Result<(), RegistryError>, Vec<Digest>, Fake, Descriptor) {
    let left = std::sync::atomic::AtomicUsize::new(times);
    let fake = Fake::spoilt(move |asked, state| {
        let is_list = asked.method == "PUT" && asked.path().contains("/manifests/sha256-");
        let order = std::sync::atomic::Ordering::Relaxed;
        if !is_list || left.fetch_update(order, order, |left| left.checked_sub(1)).is_err() {
            return None;
        }
        let tag = asked.path().rsplit('/').next()?.to_owned();
        let faster = |state: &mut State| {
            let mut list = match state.tags.get(&tag) {
                Some(digest) => serde_json::from_slice(&state.manifests[digest].1).unwrap(),
                None => serde_json::json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [] }),
            };
            let items = list["manifests"].as_array_mut().unwrap();
            let digest = Digest::of(&[u8::try_from(items.len()).unwrap()]);
            items.push(serde_json::json!({ "mediaType": media::MANIFEST, "digest": digest, "size": 1 }));
            let list = state.put_manifest(media::INDEX, list.to_string().as_bytes());
            state.tags.insert(tag.clone(), list.digest);
        };
        if state.conditions {
            faster(state);
            return None;
        }
        // Ours is written, and at once overwritten by somebody who read before.
        let before = state.tags.get(&tag).copied();
        let answer = answer(asked, state);
        match before {
            Some(before) => state.tags.insert(tag.clone(), before),
            None => state.tags.remove(&tag),
        };
        faster(state);
        Some(answer)
    });
    let subject = fake.change(|state| {
        state.conditions = conditions;
        state.put_image("linux/amd64", b"x")
    });
    let bytes = referrer(&subject, NOTE, "ours");
    let registry = client();
    let repository = registry.to_push(&fake.reference("t")).unwrap();
    let pushed = repository.push_manifest(&bytes, media::MANIFEST, &Target::Digest(Digest::of(&bytes)));
    let list = listed(&fake, &subject, None);
    (pushed.map(drop), list, fake, subject)
}

#[test]
fn others_who_write_the_list_meanwhile_lose_nothing() {
    for conditions in [true, false] {
        let (result, list, ..) = contended(3, conditions);
        result.unwrap();
        assert_eq!(list.len(), 4, "three of others and ours");
        let (result, list, _, subject) = contended(1000, conditions);
        let error = result.unwrap_err();
        assert!(
            matches!(&error, RegistryError::Contended { tag: found, .. } if *found == tag(&subject)),
            "{}",
            chain(&error)
        );
        assert!(error.retry_may_help());
        assert_eq!(list.len(), 8);
    }
}

#[test]
fn threads_of_ours_do_not_contend() {
    let fake = Fake::new();
    let subject = fake.change(|state| state.put_image("linux/amd64", b"x"));
    let registry = client();
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (fake, registry, subject) = (&fake, &registry, &subject);
            scope.spawn(move || push(fake, registry, subject, NOTE, &number.to_string()));
        }
    });
    assert_eq!(listed(&fake, &subject, None).len(), 6);
}

#[test]
fn pages_of_referrers() {
    let fake = Fake::spoilt(|asked, state| {
        if !asked.path().contains("/referrers/") {
            return None;
        }
        let all: Vec<Descriptor> =
            state.manifests.iter().map(|(_, (kind, bytes))| Descriptor::of(kind.clone(), bytes)).collect();
        let from: usize = asked.target.split_once("from=").map_or(0, |(_, from)| from.parse().unwrap());
        let page = selfsame_oci::index(&all[from..(from + 1).min(all.len())], &std::collections::BTreeMap::new());
        let answer = Answer::ok(page.bytes).header("Content-Type", media::INDEX);
        let next = format!("<{}?from={}>; rel=\"next\"", asked.path(), from + 1);
        Some(if from + 1 < all.len() { answer.header("Link", &next) } else { answer })
    });
    let subject = fake.change(|state| {
        for number in 0..4 {
            state.put_image("linux/amd64", &[number]);
        }
        state.put_image("linux/amd64", b"x")
    });
    assert_eq!(listed(&fake, &subject, None).len(), 5);
}

#[test]
fn lists_that_are_none() {
    for (status, retry) in [(401, false), (403, false), (429, true), (500, true)] {
        let fake = Fake::spoilt(move |asked, _| asked.path().contains("/referrers/").then(|| Answer::status(status)));
        let subject = fake.change(|state| state.put_image("linux/amd64", b"x"));
        let error = client().to_push(&fake.reference("t")).unwrap().referrers(&subject.digest, None).unwrap_err();
        assert_eq!(error.retry_may_help(), retry, "a list that cannot be read is not an empty one: {}", chain(&error));
    }
    let fake = Fake::spoilt(|asked, _| asked.path().contains("/referrers/").then(|| Answer::ok("<html>")));
    let subject = fake.change(|state| state.put_image("linux/amd64", b"x"));
    let error = client().to_push(&fake.reference("t")).unwrap().referrers(&subject.digest, None).unwrap_err();
    assert!(matches!(error, RegistryError::Document { .. }), "{}", chain(&error));
    // The tag names something else.
    let fake = Fake::new();
    let subject = fake.change(|state| {
        let subject = state.put_image("linux/amd64", b"x");
        state.tags.insert(tag(&subject), subject.digest);
        subject
    });
    let error = client().to_push(&fake.reference("t")).unwrap().referrers(&subject.digest, None).unwrap_err();
    assert!(chain(&error).contains("its tag names no index"), "{}", chain(&error));
}
