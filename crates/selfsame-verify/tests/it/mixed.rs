//! Two properties over whole releases: no byte can be another, and no two releases mixed are one.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_core::Digest;
use selfsame_oci::{Index, Manifest, layout};
use selfsame_verify::{Depth, Options, RUN_RECORD_FILE, Trust, verify};
use serde_json::json;

use crate::fake::{self, Parts, key, signed};
use crate::{Files, options};

/// Whether a release verifies when two keys are trusted, as deep as every blob.
fn stands(files: &Files) -> bool {
    let trust = Trust::in_keys([key("signer").public(), key("second").public()]);
    let options = Options { threads: NonZeroUsize::MIN, ..options(Depth::Blobs) };
    verify(files, &trust, &options).is_verified()
}

/// Runs this for every number below `count`, on all processors.
fn for_each(count: usize, check: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count) {
                    check(at);
                }
            });
        }
    });
}

/// Every byte of every file, one bit of it.
#[test]
fn no_byte_of_a_release_can_be_another() {
    let good = fake::good();
    assert!(stands(&good));
    let places: Vec<(&str, usize)> = good
        .iter()
        // A run record is no evidence; what a changed one comes to is asked elsewhere.
        .filter(|(name, _)| *name != RUN_RECORD_FILE)
        .flat_map(|(name, bytes)| (0..bytes.len()).map(move |at| (name.as_str(), at)))
        .collect();
    assert!(places.len() > 10_000, "{}", places.len());
    for_each(places.len(), |number| {
        let (name, at) = places[number];
        let mut files = good.clone();
        files.get_mut(name).unwrap()[at] ^= 1 << (number % 8);
        assert!(!stands(&files), "byte {at} of {name}");
    });
}

/// Releases that have much in common: of another version, of another image, of an older build, by another key.
fn releases() -> Vec<Files> {
    let good = Parts::good();
    let mut newer = Parts::good();
    newer.provenance.build_definition.external_parameters.insert("version".into(), json!("1.0.1"));
    newer.sbom["metadata"]["component"]["version"] = json!("1.0.1");
    let mut another = Parts::good();
    another.config.cmd = vec!["--another".into()];
    let mut older = Parts::good();
    older.provenance.build_definition.internal_parameters.insert("older".into(), true.into());
    let by_second = good.lay_out(&signed(&good.statements(), "second"));
    let renamed = |files: Files| {
        let index = String::from_utf8(files[layout::INDEX_FILE].clone()).unwrap().replace("hello:1.0.0", "hello:1.0.1");
        Files::from_iter(files.into_iter().chain([(layout::INDEX_FILE.to_owned(), index.into_bytes())]))
    };
    let all = vec![good.release(), renamed(newer.release()), another.release(), older.release(), by_second];
    assert!(all.iter().all(stands));
    all
}

/// Each file of one in the place of each file of another.
#[test]
fn no_file_of_one_release_makes_up_for_one_of_another() {
    let all = releases();
    let pairs = || (0..all.len()).flat_map(|one| (0..5).filter(move |other| *other != one).map(move |it| (one, it)));
    let mut exchanges = Vec::new();
    for (one, other) in pairs() {
        for (name, bytes) in &all[one] {
            let others = all[other].values().filter(|it| *it != bytes);
            exchanges.extend(others.map(|it| (one, name, it)));
        }
    }
    // Most of them fail in the same way; those of one kind stand for the rest.
    let step = 1 + exchanges.len() / 2000;
    for_each(exchanges.len() / step, |number| {
        let (one, name, bytes) = exchanges[number * step];
        let mut files = all[one].clone();
        files.insert(name.clone(), bytes.clone());
        assert!(!stands(&files), "{name} of release {one}");
    });
}

/// What a release's index lists, the image first.
fn listed(files: &Files) -> Vec<selfsame_oci::Descriptor> {
    Index::parse(&files[layout::INDEX_FILE], selfsame_core::media::INDEX).unwrap().manifests
}

/// The signed payload that a referrer carries; the capsule's manifest by itself.
fn payload(files: &Files, referrer: &selfsame_oci::Descriptor) -> Digest {
    let bytes = &files[&layout::blob_path(referrer.digest)];
    let manifest = Manifest::parse(bytes, &referrer.media_type).unwrap();
    match selfsame_attest::Bundle::parse(&files[&layout::blob_path(manifest.layers[0].digest)]) {
        Ok(bundle) => Digest::of(&bundle.signed_bytes()),
        Err(_) => referrer.digest,
    }
}

/// The index of a release made of two, each part of it from one or the other; nothing is there that is not named, and
/// everything that is named is there. What verifies is one of the two, whole.
#[test]
fn no_two_releases_mixed_are_one() {
    let all = releases();
    let mut mixtures = Vec::new();
    for one in 0..all.len() {
        for other in (0..all.len()).filter(|other| *other != one) {
            // Image, four documents, capsule.
            mixtures.extend((0..64_usize).map(|from| (one, other, from)));
        }
    }
    let whole = AtomicUsize::new(0);
    for_each(mixtures.len(), |number| {
        let (one, other, from) = mixtures[number];
        let (a, b) = (listed(&all[one]), listed(&all[other]));
        assert_eq!((a.len(), b.len()), (6, 6));
        let chosen: Vec<_> = (0..6).map(|at| if from >> at & 1 == 0 { &a[at] } else { &b[at] }).collect();
        let both = Files::from_iter(all[one].clone().into_iter().chain(all[other].clone()));
        for name in ["hello:1.0.0", "hello:1.0.1"] {
            let mut image = chosen[0].clone();
            image.annotations.clear();
            let others: Vec<_> = chosen[1..].iter().map(|it| (*it).clone()).collect();
            let mut files = both.clone();
            files.insert(layout::INDEX_FILE.into(), layout::index_file(&image, name, &others).bytes);
            let named = named(&files, &image, &others);
            files.retain(|name, _| !name.starts_with("blobs/") || named.contains(name));
            if !stands(&files) {
                continue;
            }
            // Whole, but for what the two have in common.
            let is = |release: usize| {
                let own = listed(&all[release]);
                let same = |(at, it): (usize, &&selfsame_oci::Descriptor)| {
                    it.digest == own[at].digest || at > 0 && payload(&both, it) == payload(&all[release], &own[at])
                };
                all[release][layout::INDEX_FILE].windows(name.len()).any(|it| it == name.as_bytes())
                    && chosen.iter().enumerate().take(5).all(same)
            };
            assert!(is(one) || is(other), "{from:06b} of {one} and {other} as {name}");
            whole.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Each pair has at least the two that it was made of.
    assert!(whole.into_inner() >= 2 * 20);
}

/// The blobs that are reached from here.
fn named(
    files: &Files,
    image: &selfsame_oci::Descriptor,
    referrers: &[selfsame_oci::Descriptor],
) -> std::collections::BTreeSet<String> {
    let manifests = [image].into_iter().chain(referrers);
    let mut named = std::collections::BTreeSet::new();
    for descriptor in manifests {
        let path = layout::blob_path(descriptor.digest);
        let manifest = Manifest::parse(&files[&path], &descriptor.media_type).unwrap();
        named.insert(path);
        named.extend([&manifest.config].into_iter().chain(&manifest.layers).map(|it| layout::blob_path(it.digest)));
    }
    named
}
