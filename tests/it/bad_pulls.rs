//! A registry that lies about the inputs of a release: what is missing, changed, cut short, endless or named by strangers.

use std::fs;

use selfsame_core::Digest;
use selfsame_testing::server::{Answer, Fault};
use selfsame_testing::{Output, TestEnv};
use serde_json::{Value, json};

use crate::push_world::{Registry, push, released};
use crate::world::{DEV_KEY, assert_store_intact, bounded, one_error, verify};

const CAPSULE: &str = "application/vnd.selfsame.capsule.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Of everything that the program may have in its address space, in KiB: far more than it needs.
const ADDRESSES_KIB: u64 = 1_500_000;

/// `selfsame pull --with-capsule` into a store that has nothing.
#[track_caller]
fn pull(env: &TestEnv, reference: &str) -> Output {
    let _ = fs::remove_dir_all(env.store());
    let _ = fs::remove_dir_all(env.at("project/back"));
    bounded(env, ADDRESSES_KIB, &["pull", reference, "-o", "back", "--with-capsule"])
}

/// It fails, says why in one line that names `what`, and leaves nothing.
#[track_caller]
fn refused(env: &TestEnv, reference: &str, what: &str) -> i32 {
    let output = pull(env, reference);
    assert!(!env.at("project/back").exists(), "something is there: {}", output.stderr);
    assert!(one_error(&output).contains(what), "not about `{what}`: {}", output.stderr);
    assert!(matches!(output.code, 1..=3), "{}", output.stderr);
    assert_store_intact(env);
    output.code
}

/// The digests of what the capsules of the image hold.
fn parts(registry: &Registry) -> Vec<Digest> {
    let state = registry.state();
    let manifests = state.manifests.values().filter_map(|(_, bytes)| serde_json::from_slice::<Value>(bytes).ok());
    let capsules = manifests.filter(|manifest| manifest["artifactType"] == CAPSULE);
    let layers = capsules.flat_map(|manifest| manifest["layers"].as_array().cloned().unwrap_or_default());
    let mut parts: Vec<Digest> =
        layers.filter_map(|layer| layer["digest"].as_str().and_then(|digest| digest.parse().ok())).collect();
    parts.sort();
    parts.dedup();
    parts
}

#[test]
fn sandbox_parts_of_a_capsule_that_are_missing_changed_or_cut_short() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &["--with-capsule"]).succeeds();
    let parts = parts(&registry);
    assert!(parts.len() >= 3, "definition, source and its files: {parts:?}");
    // Nobody knows whose the capsule is: what is not whole does not come, and that is said.
    let passed_over = |part: &Digest| {
        let output = pull(&env, &reference);
        output.succeeds().says(&part.to_string()).says("is not whole in the registry");
        let name = format!("blobs/sha256/{}", part.to_string().trim_start_matches("sha256:"));
        assert!(!env.at("project/back").join(name).exists(), "{part} came");
        verify(&env, "project/back").succeeds();
        assert_store_intact(&env);
    };
    for part in &parts {
        let whole = registry.state().blobs.remove(part).expect("it was pushed");
        passed_over(part);
        registry.state().blobs.insert(*part, vec![b'x'; whole.len()]);
        passed_over(part);
        registry.state().blobs.insert(*part, [whole.as_slice(), b"more"].concat());
        passed_over(part);
        registry.state().blobs.insert(*part, whole);
    }
    // The same for the first of them where the answer has another length; and where the connection is at fault, which may be
    // better the next time.
    let path = format!("/blobs/{}", parts[0]);
    for fault in [Fault::Endless, Fault::Length(1 << 40), Fault::CutAfter(1)] {
        let path = path.clone();
        registry.spoil(move |asked, state| {
            let digest: Digest = asked.path().rsplit('/').next()?.parse().ok()?;
            asked.path().ends_with(&path).then(|| Answer::ok(state.blobs[&digest].as_slice()).fault(fault))
        });
        match fault {
            Fault::Endless | Fault::Length(_) => passed_over(&parts[0]),
            _ => assert_eq!(refused(&env, &reference, &parts[0].to_string()), 3),
        }
    }
    registry.behave();
    pull(&env, &reference).succeeds();
    verify(&env, "project/back").succeeds();
}

/// Attaches a manifest to the image, as anybody with the right to write may.
fn attach(registry: &Registry, layers: &[Value]) -> Digest {
    let mut state = registry.state();
    let image = state.tags["1.0"];
    let (media_type, bytes) = state.manifests[&image].clone();
    let empty = Digest::of(b"{}");
    state.blobs.insert(empty, b"{}".to_vec());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": CAPSULE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "layers": layers,
        "subject": {"mediaType": media_type, "digest": image, "size": bytes.len()},
    });
    let bytes = manifest.to_string().into_bytes();
    let digest = Digest::of(&bytes);
    state.manifests.insert(digest, (MANIFEST.to_owned(), bytes));
    digest
}

#[test]
fn sandbox_capsules_of_strangers() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &["--with-capsule"]).succeeds();
    let part = |number: usize, size: u64| json!({"mediaType": "application/octet-stream", "digest": Digest::of(&number.to_le_bytes()), "size": size});
    // More bytes than a number of 64 bits holds; a million parts; sizes that no file has.
    let huge: Vec<Value> = (0..4096).map(|number| part(number, 1 << 53)).collect();
    let many: Vec<Value> = (0..1_000_000).map(|number| part(number, 1)).collect();
    let cases: [(&[Value], &str); 4] = [
        (&huge, "which no provenance names"),
        (&many, "has more than 4194304 bytes"),
        (&[part(0, u64::MAX)], "is not understood"),
        (&[part(0, 1)], "which no provenance names"),
    ];
    for (layers, because) in cases {
        let attached = attach(&registry, layers);
        let output = pull(&env, &reference);
        output.succeeds().says(&attached.to_string()).says(because);
        verify(&env, "project/back").succeeds();
        assert_store_intact(&env);
        registry.state().manifests.remove(&attached);
    }
    pull(&env, &reference).succeeds();
}

/// A release without inputs, and a stranger's capsule that says it holds them.
#[test]
fn sandbox_a_strangers_broken_capsule_changes_no_answer() {
    let Some(env) = released() else { return };
    let (whole, registry) = (Registry::new(), Registry::new());
    push(&env, &whole.reference("1.0"), &["--with-capsule"]).succeeds();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    let asked = || {
        let _ = fs::remove_dir_all(env.store());
        let key = env.at(DEV_KEY).into_os_string().into_string().expect("UTF-8");
        env.selfsame(["rebuild-verify", &reference, "--key", &key])
    };
    let before = asked();
    let is_capsule =
        |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).is_ok_and(|manifest| manifest["artifactType"] == CAPSULE);
    let capsules: Vec<_> = whole.state().manifests.clone().into_iter().filter(|(_, it)| is_capsule(&it.1)).collect();
    assert_eq!(capsules.len(), 1);
    registry.state().manifests.extend(capsules);
    pull(&env, &reference).succeeds().says("is not whole in the registry");
    verify(&env, "project/back").succeeds();
    assert_store_intact(&env);
    let after = asked();
    let error = |output: &Output| output.stderr.lines().find(|line| line.starts_with("error")).map(str::to_owned);
    assert_eq!((after.code, error(&after)), (before.code, error(&before)), "{}", after.stderr);
    assert!(after.stderr.contains("is not whole in the registry"), "{}", after.stderr);
}

#[test]
fn sandbox_indexes_that_lead_nowhere() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    let image = registry.state().tags["1.0"];
    let mut inner = registry.state().manifests[&image].1.clone();
    let mut media_type = MANIFEST;
    // Indexes of indexes: nobody follows them down.
    for _ in 0..3 {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": media_type, "digest": Digest::of(&inner), "size": inner.len()}]});
        inner = index.to_string().into_bytes();
        media_type = INDEX;
        let mut state = registry.state();
        state.manifests.insert(Digest::of(&inner), (INDEX.to_owned(), inner.clone()));
        state.tags.insert("1.0".to_owned(), Digest::of(&inner));
    }
    assert!(matches!(refused(&env, &reference, &Digest::of(&inner).to_string()), 1 | 2));
    // One that says that it lists itself.
    registry.spoil(|asked, _| {
        let own = format!("sha256:{}", "a".repeat(64));
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": INDEX, "digest": own, "size": 250}]});
        (asked.method == "GET" && asked.path().contains("/manifests/"))
            .then(|| Answer::ok(index.to_string()).header("Content-Type", INDEX))
    });
    assert!(matches!(refused(&env, &reference, "sha256:"), 1 | 2));
    // A manifest without end.
    registry.spoil(|asked, _| {
        (asked.method == "GET" && asked.path().contains("/manifests/"))
            .then(|| Answer::ok(" ".repeat(65_536)).header("Content-Type", INDEX).fault(Fault::Endless))
    });
    assert!(matches!(refused(&env, &reference, "1.0"), 1 | 2));
}
