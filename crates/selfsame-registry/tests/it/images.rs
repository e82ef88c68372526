//! From a reference to the image of a platform.

use selfsame_core::Platform;
use selfsame_oci::Descriptor;
use selfsame_registry::{Document, RegistryError};

use crate::world::{Fake, State, chain, client, store};

fn platforms(list: &[&str]) -> Vec<Platform> {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

/// The descriptor of the chosen manifest for each platform, from what `make` puts under `t`.
fn chosen(make: impl FnOnce(&mut State) -> Descriptor, wanted: &[&str]) -> Result<Vec<Descriptor>, RegistryError> {
    let fake = Fake::new();
    fake.change(|state| {
        let root = make(state);
        state.tags.insert("t".to_owned(), root.digest);
    });
    let registry = client();
    let reference = fake.reference("t");
    let (_, image) =
        registry.first(&reference, |repository| repository.image(&reference.target(), &platforms(wanted)))?;
    Ok(image.platforms.into_iter().map(|image| image.descriptor).collect())
}

#[test]
fn an_index_by_platform_in_the_order_asked() {
    let fake = Fake::new();
    let (amd, arm, index) = fake.change(|state| {
        let amd = state.put_image("linux/amd64", b"for amd64");
        let arm = state.put_image("linux/arm64", b"for arm64").for_platform("linux/arm64/v8".parse().unwrap());
        let unknown =
            state.put_image("linux/amd64", b"an attestation").for_platform("unknown/unknown".parse().unwrap());
        let index = state.put_index(&[amd.clone(), arm.clone(), unknown]);
        state.tags.insert("t".to_owned(), index.digest);
        (amd, arm, index)
    });
    let registry = client();
    let (_folder, store) = store();
    for reference in [fake.reference("t"), fake.reference(&index.digest.to_string())] {
        let target = reference.target();
        let wanted = platforms(&["linux/arm64", "linux/amd64"]);
        let (repository, image) = registry.first(&reference, |repository| repository.image(&target, &wanted)).unwrap();
        assert!(matches!(image.root.document, Document::Index(_)));
        let digests: Vec<_> = image.platforms.iter().map(|image| image.descriptor.digest).collect();
        assert_eq!(digests, [arm.digest, amd.digest]);
        repository.pull(&image, &store, None).unwrap();
        for image in &image.platforms {
            for descriptor in [&image.descriptor, &image.manifest.config].into_iter().chain(&image.manifest.layers) {
                assert_eq!(store.blob_size(&descriptor.digest).unwrap(), Some(descriptor.size));
            }
        }
        assert!(store.has(&image.root.descriptor.digest));
    }
    let blobs = fake.asked().iter().filter(|line| line.starts_with("GET ") && line.contains("/blobs/")).count();
    assert_eq!(blobs, 4, "the second time all is there: {:#?}", fake.asked());
}

#[test]
fn one_manifest_says_its_platform_in_its_config() {
    assert_eq!(chosen(|state| state.put_image("linux/amd64", b"x"), &["linux/amd64"]).unwrap().len(), 1);
    let error = chosen(|state| state.put_image("linux/s390x", b"x"), &["linux/amd64"]).unwrap_err();
    assert!(chain(&error).ends_with("has nothing for linux/amd64; it has linux/s390x"), "{}", chain(&error));
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let make = |state: &mut State| {
        let images =
            ["linux/amd64", "linux/386", "linux/amd64"].map(|platform| state.put_image(platform, platform.as_bytes()));
        state.put_index(&images)
    };
    let error = chosen(make, &["linux/amd64", "linux/arm64"]).unwrap_err();
    assert!(chain(&error).ends_with("has nothing for linux/arm64; it has linux/386, linux/amd64"), "{}", chain(&error));
    assert!(
        chain(&chosen(|state| state.put_index(&[]), &["linux/amd64"]).unwrap_err()).ends_with("no platform at all")
    );
}

#[test]
fn indexes_in_indexes_are_bounded() {
    let nested = |depth: usize| {
        move |state: &mut State| {
            let mut inner = state.put_image("linux/amd64", b"x");
            for _ in 0..depth {
                inner = state.put_index(&[inner.clone(), inner]);
            }
            inner
        }
    };
    assert_eq!(chosen(nested(4), &["linux/amd64"]).unwrap().len(), 1);
    let error = chosen(nested(5), &["linux/amd64"]).unwrap_err();
    assert!(matches!(error, RegistryError::TooDeep { limit: 4, .. }), "{}", chain(&error));
    let wide = |state: &mut State| {
        let image = state.put_image("linux/amd64", b"x");
        let inner: Vec<_> = (0..70)
            .map(|number| {
                let layer = format!("layer {number}");
                let other = state.put_image("linux/arm64", layer.as_bytes());
                state.put_index(&[other, image.clone()])
            })
            .collect();
        state.put_index(&inner)
    };
    let error = chosen(wide, &["linux/amd64"]).unwrap_err();
    assert!(matches!(error, RegistryError::TooMany { items: "indexes", .. }), "{}", chain(&error));
}

#[test]
fn an_index_that_holds_itself_by_a_lie_ends() {
    // Only a registry that lies about a digest can answer with a circle.
    let fake = Fake::spoilt(|asked, state| {
        let (_, bytes) = state.tags.get("t").and_then(|digest| state.manifests.get(digest))?;
        let answer = selfsame_testing::server::Answer::ok(bytes.as_slice());
        asked.path().contains("/manifests/").then(|| answer.header("Content-Type", selfsame_core::media::INDEX))
    });
    fake.change(|state| {
        let image = state.put_image("linux/amd64", b"x");
        let inner = state.put_index(&[image]);
        let outer = state.put_index(&[inner]);
        state.tags.insert("t".to_owned(), outer.digest);
    });
    let reference = fake.reference("t");
    let registry = client();
    let wanted = platforms(&["linux/amd64"]);
    let error = registry.first(&reference, |repository| repository.image(&reference.target(), &wanted)).unwrap_err();
    assert!(matches!(error, RegistryError::WrongDigest { .. }), "{}", chain(&error));
}

#[test]
fn a_descriptor_that_lies_about_size_or_kind() {
    let lying = |change: fn(&mut Descriptor)| {
        move |state: &mut State| {
            let mut image = state.put_image("linux/amd64", b"x");
            change(&mut image);
            state.put_index(&[image])
        }
    };
    let error = chosen(lying(|image| image.size += 1), &["linux/amd64"]).unwrap_err();
    assert!(matches!(error, RegistryError::WrongSize { .. }), "{}", chain(&error));
    let error = chosen(lying(|image| image.size = 5 << 20), &["linux/amd64"]).unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{}", chain(&error));
    let error =
        chosen(lying(|image| image.media_type = selfsame_core::media::INDEX.to_owned()), &["linux/amd64"]).unwrap_err();
    assert!(matches!(error, RegistryError::Document { .. }), "{}", chain(&error));
}
