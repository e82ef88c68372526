//! The unsigned part: layout, index, image and referrer manifests, relinked after each change as an attacker would.

use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, media};
use selfsame_oci::{Descriptor, Index, Manifest, image_manifest, layout, referrer_manifest};
use selfsame_verify::CheckId;

use crate::fake::{self, Parts, signed};
use crate::{Files, fails};

fn with(name: &str, bytes: impl Into<Vec<u8>>) -> Files {
    let mut files = fake::good();
    files.insert(name.into(), bytes.into());
    files
}

#[test]
fn the_layout_file() {
    fails(&with(layout::LAYOUT_FILE, r#"{"imageLayoutVersion":"2.0.0"}"#), CheckId::Layout, "`1.0.0` is read");
    fails(
        &with(layout::LAYOUT_FILE, r#"{"imageLayoutVersion":"1.0.0","x":1}"#),
        CheckId::Layout,
        "more than its version",
    );
    fails(&with(layout::LAYOUT_FILE, vec![b' '; 5 << 20]), CheckId::Layout, "more than 4194304 bytes");
    let mut files = fake::good();
    files.remove(layout::LAYOUT_FILE);
    fails(&files, CheckId::Layout, "oci-layout is missing");
}

/// The good release with its index taken apart, changed and put together again, and the referrers' manifests.
fn relinked(edit: impl Fn(&mut Vec<Descriptor>)) -> Files {
    let mut files = fake::good();
    let mut index = Index::parse(&files[layout::INDEX_FILE], media::INDEX).unwrap();
    edit(&mut index.manifests);
    let bytes = selfsame_oci::index(&index.manifests, &BTreeMap::new()).bytes;
    files.insert(layout::INDEX_FILE.into(), bytes);
    files
}

#[test]
fn the_index() {
    for (bytes, because) in [
        ("".to_owned(), "EOF"),
        ("[]".to_owned(), "not an object"),
        (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), "lists nothing"),
        (r#"{"schemaVersion":1,"manifests":[]}"#.to_owned(), "schemaVersion"),
        (r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#.to_owned(), "duplicate key"),
        (r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#.to_owned(), "another kind of document"),
        (format!("{}\n", String::from_utf8(fake::good()[layout::INDEX_FILE].clone()).unwrap()), "not canonical"),
    ] {
        fails(&with(layout::INDEX_FILE, bytes), CheckId::Index, because);
    }
    fails(&relinked(|manifests| manifests.swap(0, 1)), CheckId::Index, "gives the image no");
    fails(&relinked(|manifests| manifests.push(manifests[1].clone())), CheckId::Index, "twice");
    fails(
        &relinked(|manifests| manifests[1].media_type = media::INDEX.into()),
        CheckId::Index,
        "not an image manifest",
    );
    fails(&relinked(|manifests| manifests[0].annotations.clear()), CheckId::Index, "gives the image no");
    fails(
        &relinked(|manifests| *manifests = vec![manifests[0].clone(); 1]),
        CheckId::Signatures,
        "no evidence document",
    );
    let another = |manifests: &mut Vec<Descriptor>| {
        manifests[0].annotations.insert("org.example.more".into(), "x".into());
    };
    fails(&relinked(another), CheckId::Index, "holds more than");
    // An older name on a newer image, or the reverse: the annotation is nobody's word.
    let renamed = |manifests: &mut Vec<Descriptor>| {
        manifests[0].annotations.insert(layout::REF_NAME.into(), "hello:2.0.0".into());
    };
    fails(&relinked(renamed), CheckId::Names, "another name than the signed one");
    let platform = |manifests: &mut Vec<Descriptor>| {
        manifests[0].platform = Some(Platform { os: "linux".into(), architecture: "arm64".into(), variant: None });
    };
    fails(&relinked(platform), CheckId::Image, "its config says linux/amd64");
    let larger = |manifests: &mut Vec<Descriptor>| manifests[0].size += 1;
    fails(&relinked(larger), CheckId::Image, "its descriptor says");
    let huge = |manifests: &mut Vec<Descriptor>| manifests[0].size = 1 << 40;
    fails(&relinked(huge), CheckId::Image, "at most 4194304");
}

/// The good release with another image under the good one's evidence.
fn other_image(manifest: Vec<u8>) -> Files {
    let descriptor = Descriptor::of(media::MANIFEST, &manifest);
    let mut files = relinked(|manifests| {
        let annotations = manifests[0].annotations.clone();
        manifests[0] = Descriptor { annotations, ..descriptor.clone() };
    });
    files.insert(layout::blob_path(descriptor.digest), manifest);
    files
}

#[test]
fn the_image() {
    let parts = Parts::good();
    let config = parts.config.document().descriptor;
    let image = |config: &Descriptor, layers: &[Descriptor]| image_manifest(config, layers, &BTreeMap::new()).bytes;
    fails(&other_image(image(&config, &[])), CheckId::Image, "rootfs has 1 layers and the manifest 0");
    let mut packed = parts.layers[0].clone();
    packed.media_type += "+xz";
    fails(&other_image(image(&config, &[packed])), CheckId::Image, "is none of");
    let odd = Descriptor { media_type: "application/json".into(), ..config.clone() };
    fails(&other_image(image(&odd, &parts.layers)), CheckId::Image, "config has another media type");
    let absent = Descriptor::of(media::CONFIG, b"absent");
    fails(&other_image(image(&absent, &parts.layers)), CheckId::Image, "is missing");
    let artifact = referrer_manifest(&config, media::CAPSULE, &[], &BTreeMap::new()).bytes;
    fails(&other_image(artifact), CheckId::Image, "is not read");
    // Another image, well formed: the referrers are about the one that was signed.
    let annotated = image_manifest(&config, &parts.layers, &BTreeMap::from([("a".into(), "b".into())])).bytes;
    fails(&other_image(annotated), CheckId::Referrers, "not about this image");
}

/// The good release with the first referrer's manifest changed, and the index with it.
fn other_referrer(edit: impl Fn(&mut Manifest)) -> Files {
    let mut files = fake::good();
    let mut index = Index::parse(&files[layout::INDEX_FILE], media::INDEX).unwrap();
    let old = layout::blob_path(index.manifests[1].digest);
    let mut manifest = Manifest::parse(&files.remove(&old).unwrap(), media::MANIFEST).unwrap();
    edit(&mut manifest);
    let mut text = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "config": wire(&manifest.config),
        "layers": manifest.layers.iter().map(wire).collect::<Vec<_>>(),
        "annotations": manifest.annotations,
    });
    if let Some(artifact_type) = &manifest.artifact_type {
        text["artifactType"] = artifact_type.as_str().into();
    }
    if let Some(subject) = &manifest.subject {
        text["subject"] = wire(subject);
    }
    let bytes = selfsame_core::json::canonical(&text);
    index.manifests[1] = Descriptor {
        annotations: manifest.annotations.clone(),
        artifact_type: manifest.artifact_type.clone(),
        ..Descriptor::of(media::MANIFEST, &bytes)
    };
    files.insert(layout::blob_path(Digest::of(&bytes)), bytes);
    files.insert(layout::INDEX_FILE.into(), selfsame_oci::index(&index.manifests, &BTreeMap::new()).bytes);
    files
}

fn wire(descriptor: &Descriptor) -> serde_json::Value {
    serde_json::json!({"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size})
}

#[test]
fn the_referrers() {
    crate::verifies(&crate::verdict(&other_referrer(|_| {}), selfsame_verify::Depth::Content));
    let other = Descriptor::of(media::MANIFEST, b"other");
    fails(
        &other_referrer(|manifest| manifest.subject = Some(other.clone())),
        CheckId::Referrers,
        "not about this image",
    );
    fails(&other_referrer(|manifest| manifest.subject = None), CheckId::Referrers, "has no subject");
    fails(
        &other_referrer(|manifest| manifest.subject.as_mut().unwrap().size += 1),
        CheckId::Referrers,
        "not about this image",
    );
    fails(&other_referrer(|manifest| manifest.artifact_type = None), CheckId::Referrers, "has no artifact type");
    let sbom = |manifest: &mut Manifest| manifest.artifact_type = Some("application/vnd.cyclonedx+json\u{1b}".into());
    fails(&other_referrer(sbom), CheckId::Referrers, "which no release has");
    fails(&other_referrer(|manifest| manifest.layers.clear()), CheckId::Referrers, "holds 0 files");
    fails(
        &other_referrer(|manifest| manifest.layers.push(manifest.layers[0].clone())),
        CheckId::Referrers,
        "holds 2 files",
    );
    let json = |manifest: &mut Manifest| manifest.layers[0].media_type = "application/json".into();
    fails(&other_referrer(json), CheckId::Referrers, "something else than");
    let config = Parts::good().config.document().descriptor;
    fails(&other_referrer(|manifest| manifest.config = config.clone()), CheckId::Referrers, "has a config");
    // The SBOM filed as the provenance: the label lies about what was signed.
    let relabel = |manifest: &mut Manifest| {
        manifest.annotations.insert("dev.sigstore.bundle.predicateType".into(), "https://cyclonedx.org/bom".into());
    };
    fails(&other_referrer(relabel), CheckId::Statements, "is labelled `https://cyclonedx.org/bom`");
    fails(&other_referrer(|manifest| manifest.annotations.clear()), CheckId::Statements, "is labelled ``");
    // Listed as something else than it is.
    let listed = relinked(|manifests| manifests[1].annotations.clear());
    fails(&listed, CheckId::Referrers, "is listed with another artifact type or other annotations");
}

#[test]
fn evidence_of_another_image() {
    let mut other = Parts::good();
    other.config.cmd = vec!["--other".into()];
    let statements = other.statements();
    fails(
        &Parts::good().lay_out(&signed(&statements, "signer")),
        CheckId::Subjects,
        "about something else than this image",
    );
}
