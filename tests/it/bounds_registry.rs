//! A registry in which others write, too: what they attach, and what becomes of a tag meanwhile.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_testing::server::Answer;
use selfsame_testing::{Output, TestEnv};
use serde_json::{Value, json};

use crate::push_world::{Registry, push, released};
use crate::world::{DEV_KEY, RELEASE, bounded, build, define, one_error, verify};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// `selfsame WORDS REF --key KEY MORE`, in a store that has nothing.
fn judged(env: &TestEnv, command: &str, reference: &str, more: &[&str]) -> Output {
    let _ = fs::remove_dir_all(env.store());
    let key = env.at(DEV_KEY).into_os_string().into_string().expect("UTF-8");
    env.selfsame([command, reference, "--key", &key].iter().chain(more))
}

/// The image that a tag names.
fn image(registry: &Registry, tag: &str) -> Digest {
    registry.state().tags[tag]
}

/// Attaches a bundle to an image, as anybody with the right to write may, with the annotations of a release's document.
fn attach(registry: &Registry, image: Digest, kind: &str, bundle: &[u8]) {
    attach_noted(registry, image, kind, bundle, "");
}

/// The same with one annotation more, unless it is empty.
fn attach_noted(registry: &Registry, image: Digest, kind: &str, bundle: &[u8], note: &str) {
    let mut state = registry.state();
    let size = state.manifests[&image].1.len();
    let (empty, layer) = (Digest::of(b"{}"), Digest::of(bundle));
    state.blobs.insert(empty, b"{}".to_vec());
    state.blobs.insert(layer, bundle.to_vec());
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "layers": [{"mediaType": BUNDLE, "digest": layer, "size": bundle.len()}],
        "subject": {"mediaType": MANIFEST, "digest": image, "size": size},
        "annotations": {"dev.sigstore.bundle.predicateType": kind},
    });
    if !note.is_empty() {
        manifest["annotations"]["note"] = json!(note);
    }
    let bytes = manifest.to_string().into_bytes();
    state.manifests.insert(Digest::of(&bytes), (MANIFEST.to_owned(), bytes));
}

/// The bundles about an image, by predicate type.
fn bundles(registry: &Registry, image: Digest) -> Vec<(String, Vec<u8>)> {
    let state = registry.state();
    let listed = state.referrers(&image.to_string()).into_iter().filter(|item| item["artifactType"] == BUNDLE);
    let read = |item: Value| {
        let digest: Digest = item["digest"].as_str()?.parse().ok()?;
        let manifest: Value = serde_json::from_slice(&state.manifests[&digest].1).ok()?;
        let layer: Digest = manifest["layers"][0]["digest"].as_str()?.parse().ok()?;
        let kind = item["annotations"]["dev.sigstore.bundle.predicateType"].as_str()?.to_owned();
        Some((kind, state.blobs[&layer].clone()))
    };
    listed.filter_map(read).collect()
}

/// The same statement with something more in it, under the same key's name and with its signature, which is none now.
fn forged(bundle: &[u8], number: usize) -> Vec<u8> {
    let parsed = Bundle::parse(bundle).expect("a bundle");
    let mut statement: Value = serde_json::from_slice(parsed.unverified_payload()).expect("a statement");
    statement["predicate"]["number"] = json!(number);
    let mut bundle: Value = serde_json::from_slice(bundle).expect("JSON");
    bundle["dsseEnvelope"]["payload"] = json!(base64(statement.to_string().as_bytes()));
    bundle.to_string().into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let four = |three: &[u8]| {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let sign = move |at: usize| match at <= three.len() {
            true => char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize]),
            false => '=',
        };
        [sign(0), sign(1), sign(2), sign(3)]
    };
    bytes.chunks(3).flat_map(four).collect()
}

/// Two releases of one project, at the tags `1.0` and `2.0`, with what a rebuild needs.
fn two_releases() -> Option<(TestEnv, Registry)> {
    let env = released()?;
    let registry = Registry::new();
    push(&env, &registry.reference("1.0"), &["--with-capsule"]).succeeds();
    fs::rename(env.at(RELEASE), env.at("project/first")).expect("the first release");
    env.write("seed", "another seed\n");
    define(&env, "cat seed > out; ls > /dev/null", "");
    build(&env, &[]).succeeds();
    push(&env, &registry.reference("2.0"), &["--with-capsule"]).succeeds();
    assert_ne!(image(&registry, "1.0"), image(&registry, "2.0"));
    Some((env, registry))
}

/// Anybody may attach hundreds of documents, also under the name of the signer's key and of a release's kinds. With a key
/// they are in nobody's way; without one they are not in the way of those that are listed by an inventory.
#[test]
fn sandbox_what_hundreds_of_strangers_attach_pushes_nothing_out() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    let image = image(&registry, "1.0");
    let real = bundles(&registry, image);
    assert_eq!(real.len(), 4, "four documents");
    let mut attached = 0;
    for count in [500, 1100] {
        while attached < count {
            let (kind, bundle) = &real[attached % real.len()];
            attach(&registry, image, kind, &forged(bundle, attached));
            attached += 1;
        }
        let verdict = judged(&env, "verify", &reference, &["--print-digest"]);
        assert_eq!(
            verdict.succeeds().stdout.trim_end().rsplit('@').next(),
            Some(image.to_string().as_str()),
            "{count}"
        );
        let _ = fs::remove_dir_all(env.at("project/back"));
        let pulled = env.selfsame(["pull", &reference, "-o", "back"]);
        pulled.succeeds();
        // What is left out is said: 80 of 1100 + 4.
        assert_eq!(pulled.stderr.contains("144 of the 1104 documents"), count == 1100, "{}", pulled.stderr);
    }
    // Of those that are left out without a key, some may be the real ones; what is said of them is never a good verdict
    // about another release.
    let verdict = verify(&env, "project/back");
    assert!(matches!(verdict.code, 0 | 1), "{}", verdict.stderr);
}

/// What strangers write into the annotations of a manifest is copied into the index.json of what is pulled, which nobody
/// reads beyond 4 MiB.
#[test]
fn sandbox_annotations_of_strangers_do_not_fill_the_index() {
    let Some(env) = released() else { return };
    // Two that are too long by themselves; and many that are so together.
    for (count, bytes, said) in [(2, 2_100_000, "bytes of an index.json"), (955, 5_000, "documents about it")] {
        let registry = Registry::new();
        let reference = registry.reference("1.0");
        push(&env, &reference, &[]).succeeds();
        let image = image(&registry, "1.0");
        let (kind, bundle) = bundles(&registry, image).swap_remove(0);
        for number in 0..count {
            let note = "n".repeat(bytes);
            attach_noted(&registry, image, &kind, &forged(&bundle, number), &note);
        }
        // As registries list them that give long lists in pages, or without annotations.
        registry.spoil(move |asked, state| {
            asked.path().ends_with(&format!("/referrers/{image}")).then(|| {
                let mut listed = state.referrers(&image.to_string());
                listed.iter_mut().for_each(|item| drop(item["annotations"].as_object_mut().map(|it| it.remove("note"))));
                let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": listed});
                Answer::ok(index.to_string()).header("Content-Type", "application/vnd.oci.image.index.v1+json")
            })
        });
        let verdict = judged(&env, "verify", &reference, &["--print-digest"]);
        assert!(verdict.succeeds().stdout.contains(&image.to_string()), "{count}: {}", verdict.stderr);
        let _ = fs::remove_dir_all(env.at("project/back"));
        env.selfsame(["pull", &reference, "-o", "back"]).succeeds().says(said);
        verify(&env, "project/back").succeeds();
    }
}

/// Inventories without number, under one invented name, that list one long provenance: it is read once, and kept once.
#[test]
fn sandbox_one_long_provenance_in_many_inventories_takes_little_memory() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    let image = image(&registry, "1.0");
    let renamed = |bundle: &[u8], statement: &Value| {
        let mut bundle: Value = serde_json::from_slice(bundle).expect("JSON");
        let payload = statement.to_string().into_bytes();
        bundle["dsseEnvelope"]["payload"] = json!(base64(&payload));
        let id = bundle.pointer_mut("/verificationMaterial/publicKey/hint").expect("a hint");
        *id = json!("0".repeat(64));
        for signature in bundle["dsseEnvelope"]["signatures"].as_array_mut().expect("signatures") {
            signature["keyid"] = json!("0".repeat(64));
        }
        (bundle.to_string().into_bytes(), Digest::of(&payload))
    };
    let statement = |bundle: &[u8]| -> Value {
        let parsed = Bundle::parse(bundle).expect("a bundle");
        serde_json::from_slice(parsed.unverified_payload()).expect("a statement")
    };
    let (lists, others): (Vec<_>, Vec<_>) =
        bundles(&registry, image).into_iter().partition(|(kind, _)| kind.contains("inventory"));
    let mut listed = Vec::new();
    for (kind, bundle) in &others {
        let mut said = statement(bundle);
        if kind.contains("provenance") {
            let inputs = (0..60_000)
                .map(|number| json!({"name": number.to_string(), "uri": format!("pkg:generic/{number:0100}")}));
            said["predicate"]["buildDefinition"]["resolvedDependencies"] = inputs.collect();
        }
        let (bundle, sha256) = renamed(bundle, &said);
        listed.push((kind, sha256));
        attach(&registry, image, kind, &bundle);
    }
    let (kind, list) = &lists[0];
    for number in 0..250 {
        let mut said = statement(list);
        let documents = said["predicate"]["documents"].as_array_mut().expect("documents");
        for document in documents {
            let (_, sha256) = listed.iter().find(|(kind, _)| document["predicateType"] == **kind).expect("its kind");
            document["sha256"] = json!(sha256.to_string().trim_start_matches("sha256:"));
        }
        said["predicate"]["number"] = json!(number);
        attach(&registry, image, kind, &renamed(list, &said).0);
    }
    let _ = fs::remove_dir_all(env.store());
    let output = bounded(&env, 1_500_000, &["pull", &reference, "-o", "back"]);
    output.succeeds();
    verify(&env, "project/back").succeeds();
}

/// A whole release of somebody else's, about the same image and under another name.
#[test]
fn sandbox_a_strangers_whole_release_of_the_same_image_gives_it_no_name() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    let ours = env.at(DEV_KEY);
    let key = fs::read(&ours).expect("the key");
    // The same content, built by others who call it otherwise: another key and another name.
    for seed in 1..=3 {
        let private = ours.with_extension("key");
        fs::remove_file(&private).expect("the private half");
        fs::remove_file(&ours).expect("the public half");
        let _ = fs::remove_dir_all(env.at(RELEASE));
        let text =
            env.read("project/selfsame.toml").replace("license = \"MIT\"", &format!("license = \"0BSD\"\n# {seed}"));
        env.write("selfsame.toml", text);
        build(&env, &[]).succeeds();
        push(&env, &reference, &[]).succeeds();
        let theirs = judged(&env, "verify", &reference, &[]);
        theirs.succeeds();
    }
    fs::write(&ours, key).expect("the first key again");
    judged(&env, "verify", &reference, &[]).succeeds();
}

/// Documents about another image, listed as if they were about this one: by a registry that lies, and by a stranger's
/// manifest around them.
#[test]
fn sandbox_documents_of_another_image_do_not_count_for_this_one() {
    let Some((env, registry)) = two_releases() else { return };
    let (one, other) = (image(&registry, "1.0"), image(&registry, "2.0"));
    for (kind, bundle) in bundles(&registry, other) {
        attach(&registry, one, &kind, &bundle);
    }
    let verdict = judged(&env, "verify", &registry.reference("1.0"), &["--print-digest"]);
    assert!(verdict.succeeds().stdout.contains(&one.to_string()), "{}", verdict.stdout);
    // The list of the other image under this one's name, and no document of its own.
    registry.spoil(move |asked, state| {
        asked.path().ends_with(&format!("/referrers/{one}")).then(|| {
            let listed = state.referrers(&other.to_string());
            let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": listed});
            Answer::ok(index.to_string()).header("Content-Type", "application/vnd.oci.image.index.v1+json")
        })
    });
    let verdict = judged(&env, "verify", &registry.reference("1.0"), &["--print-digest"]);
    assert_eq!((verdict.exits(1).code, verdict.stdout.as_str()), (1, ""));
    assert!(one_error(&verdict).contains("no signed document is about the image"), "{}", verdict.stderr);
}

/// A registry that has it not, and then has it: never a good verdict about half of it, and none that stays.
#[test]
fn sandbox_what_is_there_only_now_and_then_is_never_half_a_release() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    for part in ["/referrers/", "/manifests/sha256:", "/blobs/"] {
        let before = AtomicBool::new(true);
        registry.spoil(move |asked, _| {
            let first = asked.path().contains(part) && before.swap(false, Ordering::Relaxed);
            first.then(|| Answer::status(404))
        });
        let verdict = judged(&env, "verify", &reference, &[]);
        assert!(matches!(verdict.code, 1 | 2) && verdict.stdout.is_empty(), "{part}: {}", verdict.stderr);
        one_error(&verdict);
        // The same answer once more: what was not there the first time is.
        judged(&env, "verify", &reference, &[]).succeeds();
    }
}

/// Whoever moves the tag between two questions gets one of both judged, and its digest printed.
#[test]
fn sandbox_a_tag_that_moves_meanwhile_is_one_image_all_along() {
    let Some((env, registry)) = two_releases() else { return };
    let (one, other) = (image(&registry, "1.0"), image(&registry, "2.0"));
    let reference = registry.reference("1.0");
    // From the first answer about the tag on, it names the other image.
    let moves = || {
        registry.state().tags.insert("1.0".to_owned(), one);
        let asked_before = AtomicBool::new(false);
        registry.spoil(move |asked, state| {
            if asked_before.load(Ordering::Relaxed) {
                state.tags.insert("1.0".to_owned(), other);
            }
            asked_before.fetch_or(asked.path().ends_with("/manifests/1.0"), Ordering::Relaxed);
            None
        });
    };
    let says_one = |output: &Output, what: &str| {
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains(&one.to_string()) && !all.contains(&other.to_string()), "{what}: {all}");
        assert_eq!(image(&registry, "1.0"), other, "{what}: the tag was not moved");
    };
    for depth in ["evidence", "blobs", "content"] {
        moves();
        let verdict = judged(&env, "verify", &reference, &["--depth", depth, "--print-digest"]);
        says_one(verdict.succeeds(), depth);
    }
    moves();
    says_one(judged(&env, "verify", &reference, &["--json"]).succeeds(), "--json");
    moves();
    says_one(judged(&env, "rebuild-verify", &reference, &["--json"]).succeeds(), "rebuild-verify");
    moves();
    let first = env.at("project/first").into_os_string().into_string().expect("UTF-8");
    let with = ["--referrers-from", first.as_str(), "--print-digest"];
    says_one(judged(&env, "verify", &reference, &with).succeeds(), "--referrers-from");
    // Documents from the moving place about an image that is here.
    moves();
    let release = env.at(RELEASE).into_os_string().into_string().expect("UTF-8");
    let verdict = judged(&env, "verify", &first, &["--referrers-from", &reference, "--depth", "evidence"]);
    assert!(verdict.succeeds().stdout.contains(&one.to_string()), "{}", verdict.stdout);
    moves();
    judged(&env, "verify", &release, &["--referrers-from", &reference]).exits(1);
    moves();
    let _ = fs::remove_dir_all(env.store());
    let check = env.selfsame(["check", &reference, "--json"]);
    says_one(&check, "check");
    moves();
    let _ = fs::remove_dir_all(env.at("project/back"));
    says_one(env.selfsame(["pull", &reference, "-o", "back", "--with-capsule"]).succeeds(), "pull");
}

/// A reference that names two images is no question.
#[test]
fn sandbox_a_tag_and_a_digest_that_disagree_are_refused() {
    let Some((env, registry)) = two_releases() else { return };
    let (one, other) = (image(&registry, "1.0"), image(&registry, "2.0"));
    let both = format!("{}@{one}", registry.reference("1.0"));
    assert!(judged(&env, "verify", &both, &["--print-digest"]).succeeds().stdout.contains(&one.to_string()));
    let wrong = format!("{}@{other}", registry.reference("1.0"));
    for command in ["verify", "rebuild-verify"] {
        let output = judged(&env, command, &wrong, &[]);
        assert!(one_error(output.exits(1)).contains("names two images"), "{}", output.stderr);
    }
    for arguments in [vec!["pull", wrong.as_str(), "-o", "back"], vec!["check", wrong.as_str()]] {
        assert!(one_error(env.selfsame(&arguments).exits(1)).contains("names two images"), "{arguments:?}");
    }
    // A tag that nobody knows says nothing; that is not the same as agreeing.
    let unknown = format!("{}@{one}", registry.reference("3.0"));
    one_error(judged(&env, "verify", &unknown, &[]).exits(2));
}
