//! Releases for several platforms.

use selfsame_attest::release_id;
use selfsame_core::media;
use selfsame_oci::{Index, Manifest, layout};

use super::*;
use crate::release::About;
use crate::{Content, Joined, Subject, joining_statements, lay_out_subject, provenance_of_several};

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn built_for(platform: &str, store: &Store) -> Built {
    let mut inputs = inputs(store);
    inputs.request.platform = platform.parse().expect("a platform");
    inputs.request.platforms = BOTH.map(|platform| platform.parse().expect("a platform")).to_vec();
    build(&inputs, store, &Fake { store, variation: "" }, COLD, 1, &Quiet).expect("a build")
}

fn images(builds: [&Built; 2]) -> Vec<crate::record::Image> {
    builds.map(|built| built.record.image.clone()).to_vec()
}

/// Golden: what profile 1 makes of one image for two platforms.
#[test]
fn an_index_is_the_subject_of_a_release_for_several_platforms() {
    let (_folder, store) = world();
    let (amd, arm) = (built_for(BOTH[0], &store), built_for(BOTH[1], &store));
    let request = &amd.record.request;
    let subject = Subject::index(images([&arm, &amd]), request).expect("an index");
    let index = subject.index.clone().expect("an index");
    insta::assert_snapshot!(String::from_utf8(index.bytes.clone()).expect("text"), @r#"{"annotations":{"org.opencontainers.image.created":"2023-11-14T22:13:20Z","org.opencontainers.image.title":"hello","org.opencontainers.image.version":"1.0.0"},"manifests":[{"digest":"sha256:519d586aeac3769164c7fec8142b63559ab86ea3c3d5746c0eeec1ff5d62647e","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"amd64","os":"linux"},"size":559},{"digest":"sha256:8091a8a8a2220870409276a8203056a35de2f50d04fd2e489aa56dfb18615463","mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"architecture":"arm64","os":"linux"},"size":559}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#);
    assert_eq!(Subject::index(images([&amd, &arm]), request).expect("an index").index, Some(index.clone()));
    let twice = Subject::index(images([&amd, &amd]), request).expect_err("one platform twice").to_string();
    assert_eq!(twice, "the images of several platforms: image index: two manifests are for linux/amd64");
}

/// Each platform's documents are about its own manifest, and what joins them is about the index; the provenance of all
/// names every manifest.
#[test]
fn each_platform_has_its_documents_and_the_index_those_that_join_them() {
    let (_folder, store) = world();
    let builds = BOTH.map(|platform| built_for(platform, &store));
    let request = &builds[0].record.request;
    let subject = Subject::index(images([&builds[0], &builds[1]]), request).expect("an index");
    let evidence = builds.each_ref().map(|built| sign(&statements(built, None), &key()).expect("signatures"));
    let parts: Vec<Joined> = builds.iter().zip(&evidence).map(|(built, signed)| Joined::of(built, signed)).collect();
    let provenance = provenance_of_several(&[&builds[1], &builds[0]]).expect("together");
    let top = subject.descriptor.digest;
    let joining = joining_statements("hello:1.0.0", top, &parts, Some(&provenance), None);
    let kinds: Vec<&str> = joining.iter().map(|statement| statement.predicate_type.as_str()).collect();
    assert_eq!(kinds, [uri::PROVENANCE, uri::COSIGN_SIGN, uri::INVENTORY]);
    let about = [top, parts[0].image, parts[1].image];
    assert!(about.iter().all(|digest| joining[0].is_about(*digest)) && joining[0].subjects.len() == 3);
    assert_eq!(selfsame_attest::Statement::parse(&joining[0].to_payload()).ok().as_ref(), Some(&joining[0]));

    let signed = sign(&joining, &key()).expect("signatures");
    assert_eq!(signed.release_id, release_id(&joining[2].to_payload()));
    let mut documents = vec![About { subject: &subject.descriptor, evidence: &signed, capsule: None }];
    for (image, evidence) in subject.images.iter().zip(&evidence) {
        documents.push(About { subject: &image.manifest, evidence, capsule: Some(&[]) });
    }
    let release = lay_out_subject(&subject, request, &documents);
    let file = |name: &str| match &release.files[name] {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Blob(digest, _) => store.read_blob(digest, 1 << 20).expect("a blob"),
    };
    let listed = Index::parse(&file("index.json"), media::INDEX).expect("an index");
    assert_eq!((listed.manifests[0].digest, listed.manifests[0].media_type.as_str()), (top, media::INDEX));
    let subjects: Vec<Digest> = listed.manifests[1..]
        .iter()
        .map(|referrer| {
            let manifest = Manifest::parse(&file(&layout::blob_path(referrer.digest)), media::MANIFEST);
            manifest.expect("a referrer").subject.expect("a subject").digest
        })
        .collect();
    let expected = [vec![top; 3], vec![about[1]; 5], vec![about[2]; 5]].concat();
    assert_eq!(subjects, expected, "what joins them first, then each with its capsule");
    for image in &subject.images {
        assert!(release.files.contains_key(&layout::blob_path(image.manifest.digest)));
        assert!(release.files.contains_key(&layout::blob_path(image.config.digest)));
    }
}

#[test]
fn a_rebuild_of_several_is_as_good_as_the_worst_and_names_it() {
    use crate::rebuild::{Original, OriginalJoin, compare, compare_joined};
    let (_folder, store) = world();
    let builds = BOTH.map(|platform| built_for(platform, &store));
    let payloads = |statements: &[selfsame_attest::Statement]| {
        let pair = |it: &selfsame_attest::Statement| (it.predicate_type.clone(), Digest::of(&it.to_payload()));
        statements.iter().map(pair).collect::<BTreeMap<_, _>>()
    };
    let original = |built: &Built| Original {
        image: built.record.image.manifest.digest,
        diff_ids: built.record.image.layers.iter().map(|layer| layer.diff_id).collect(),
        payloads: payloads(&statements(built, None)),
        actions: actions_of(&provenance_of(&built.record).build_definition.internal_parameters),
        not_checked_because: None,
    };
    let same = builds.each_ref().map(|built| compare(&original(built), built));
    let parts: Vec<Joined> = builds
        .iter()
        .map(|built| Joined {
            platform: built.record.request.platform.clone(),
            image: built.record.image.manifest.digest,
            release_id: original(built).payloads[uri::INVENTORY],
        })
        .collect();
    let subject = Subject::index(images([&builds[0], &builds[1]]), &builds[0].record.request).expect("an index");
    let provenance = provenance_of_several(&[&builds[0], &builds[1]]).expect("together");
    let index = subject.descriptor.digest;
    let joining = joining_statements("hello:1.0.0", index, &parts, Some(&provenance), None);
    let mut join = OriginalJoin {
        name: "hello:1.0.0".to_owned(),
        index,
        payloads: payloads(&joining),
        together: true,
        not_checked_because: None,
    };
    let of = |join: &OriginalJoin, outcomes: [&rebuild::Outcome; 2]| {
        let parts: Vec<_> = builds.iter().zip(outcomes).collect();
        compare_joined(join, &parts).expect("compared")
    };
    let whole = of(&join, [&same[0], &same[1]]);
    assert_eq!((whole.verdict, whole.cause.as_str(), whole.compared.len()), (RebuildVerdict::Same, "", 4 + 2 * 5));
    assert_eq!(whole.compared[4].name, "linux/amd64 image");

    let mut other = original(&builds[1]);
    other.diff_ids = vec![Digest::of(b"another")];
    other.image = Digest::of(b"another");
    other.actions[1].output = Digest::of(b"another");
    let differs = compare(&other, &builds[1]);
    let whole = of(&join, [&same[0], &differs]);
    assert_eq!(whole.verdict, RebuildVerdict::Differs);
    assert_eq!(whole.cause, "linux/arm64: the content of the image differs");
    assert_eq!(whole.first_differing_action.as_deref(), Some("strip for linux/arm64"));

    join.payloads.insert(uri::PROVENANCE.to_owned(), Digest::of(b"another"));
    let whole = of(&join, [&same[0], &same[1]]);
    assert_eq!(whole.verdict, RebuildVerdict::Equivalent);
    assert_eq!(whole.cause, "every platform is equal; what joins them differs in provenance");
    join.together = false;
    assert_ne!(of(&join, [&same[0], &same[1]]).verdict, RebuildVerdict::Same, "an index of others has no annotations");
}

#[test]
fn a_request_for_one_of_several_comes_back_from_its_provenance() {
    let (_folder, store) = world();
    let built = built_for(BOTH[1], &store);
    assert_eq!(request_from(&provenance_of(&built.record)).as_ref(), Ok(&built.record.request));
    let mut alone = built.record.request.clone();
    alone.platforms.clear();
    assert_ne!(request_digest(&alone), request_digest(&built.record.request));
    let mut other = provenance_of(&built.record);
    other.build_definition.external_parameters.insert("platforms".to_owned(), serde_json::json!(["linux/amd64", 1]));
    assert_eq!(request_from(&other).map_err(|fault| fault.field), Err("platforms"));
}
