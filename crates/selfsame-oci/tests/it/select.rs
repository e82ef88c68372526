//! Which of an index's manifests is meant.

use selfsame_core::media;
use selfsame_oci::layout::REF_NAME;
use selfsame_oci::{Descriptor, SelectError, for_platform, named, same_platform};

fn image(text: &str, name: &str, platform: &str) -> Descriptor {
    let mut image = Descriptor::of(media::MANIFEST, text.as_bytes());
    if !name.is_empty() {
        image = image.annotated(REF_NAME, name);
    }
    if platform.is_empty() { image } else { image.for_platform(platform.parse().unwrap()) }
}

fn referrer(text: &str) -> Descriptor {
    Descriptor { artifact_type: Some(media::BUNDLE.to_owned()), ..Descriptor::of(media::MANIFEST, text.as_bytes()) }
}

/// The digests of `named`, as the texts they were made from; or the error.
#[track_caller]
fn names(manifests: &[Descriptor], wanted: Option<&str>, expect: &str) {
    let said = match named(manifests, wanted) {
        Ok(found) => {
            let text = |image: &Descriptor| {
                ["1", "2", "3"].into_iter().find(|text| image.digest == selfsame_core::Digest::of(text.as_bytes()))
            };
            found.iter().map(|image| text(image).unwrap()).collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(said, expect);
}

#[test]
fn an_image_is_found_by_its_name_or_by_being_the_only_one() {
    let two = [image("1", "app:1", ""), image("2", "app:2", ""), referrer("3")];
    names(&two, Some("app:2"), "2");
    names(&two, Some("2"), "2");
    names(&two, None, "there are several images: app:1, app:2");
    names(&two, Some("3"), "there is no image `3`; there is app:1, app:2");
    names(&two[1..], None, "2");
    names(&two[2..], None, "there is no image `(any)`; there is none");
    names(&[image("1", "a", ""), image("1", "b", "")], None, "1 1");
    let docker = image("1", "", "").annotated("io.containerd.image.name", "registry.example/team/app:9");
    names(&[docker, image("2", "8", "")], Some("registry.example/team/app:9"), "1");
}

#[test]
fn one_name_may_be_there_for_several_platforms() {
    let many = [image("1", "x", "linux/amd64"), image("2", "x", "linux/arm64"), image("3", "y", "linux/amd64")];
    names(&many, Some("x"), "1 2");
    names(&many, None, "there are several images: x, y");
    names(&[image("1", "", "linux/amd64"), image("2", "", "linux/arm64")], None, "1 2");
}

#[test]
fn the_first_for_a_platform_counts() {
    let attestation = image("3", "", "unknown/unknown");
    let many = [attestation, image("2", "", "linux/arm64/v8"), image("1", "", "linux/amd64")];
    let digest = |wanted: &str| for_platform(&many, &wanted.parse().unwrap()).map(|image| image.digest);
    assert_eq!(digest("linux/amd64").unwrap(), many[2].digest);
    assert_eq!(digest("linux/arm64").unwrap(), many[1].digest, "v8 goes without saying");
    let none = digest("linux/riscv64").unwrap_err();
    assert_eq!(none.to_string(), "there is no image for linux/riscv64; there is linux/amd64, linux/arm64/v8");
    let silent = [image("1", "", "")];
    assert_eq!(for_platform(&silent, &"linux/amd64".parse().unwrap()).unwrap().digest, silent[0].digest);
    let two = [image("1", "", ""), image("2", "", "")];
    assert!(matches!(for_platform(&two, &"linux/amd64".parse().unwrap()), Err(SelectError::Platform { .. })));
}

#[test]
fn variants_that_go_without_saying() {
    for (one, other, same) in [
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/arm", "linux/arm/v7", true),
        ("linux/arm/v6", "linux/arm/v7", false),
        ("linux/amd64/v1", "linux/amd64", true),
        ("linux/amd64/v3", "linux/amd64", false),
        ("linux/amd64", "windows/amd64", false),
    ] {
        assert_eq!(same_platform(&one.parse().unwrap(), &other.parse().unwrap()), same, "{one} {other}");
    }
}
