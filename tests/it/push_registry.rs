//! Releases to registries and back: nothing incomplete is ever seen, nothing wrong is ever believed.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_core::Digest;
use selfsame_testing::server::{Answer, Fault};
use selfsame_testing::{TestEnv, Tier, require};
use serde_json::json;

use crate::push_world::{Registry, push, real, released};
use crate::world::{DEV_KEY, RELEASE, one_error, start, verify, wait_until};

fn key(env: &TestEnv) -> String {
    env.at(DEV_KEY).display().to_string()
}

/// The files of a folder by their name below it, without the run record, which is never pushed.
fn files(env: &TestEnv, folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = env.at(folder);
    let name = |path: &std::path::Path| path.strip_prefix(&root).expect("below it").display().to_string();
    let files = crate::world::files_below(&root).into_iter();
    let files = files.map(|path| (name(&path), fs::read(&path).expect("a file of the test")));
    files.filter(|(name, _)| name != "run-record.sigstore.json").collect()
}

#[test]
fn sandbox_the_tag_comes_last_and_what_comes_back_is_the_same() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &["--with-capsule"]).succeeds();
    assert_eq!(registry.state().at_tag, [("1.0".to_owned(), 5)], "four documents and the capsule, then the tag");
    let puts: Vec<_> = registry.server.asked().into_iter().filter(|asked| asked.method == "PUT").collect();
    assert!(puts.last().is_some_and(|asked| asked.path().ends_with("/manifests/1.0")), "the tag is the last");

    env.selfsame(["pull", &reference, "-o", "back", "--with-capsule"]).succeeds();
    assert_eq!(files(&env, "project/back"), files(&env, RELEASE));
    verify(&env, "project/back").succeeds();
    env.selfsame(["pull", &reference, "-o", "slim"]).succeeds();
    verify(&env, "project/slim").succeeds();
    env.selfsame(["verify", &reference, "--key", &key(&env)]).succeeds();
    env.selfsame(["rebuild-verify", &reference, "--key", &key(&env)]).succeeds();
    // Nothing is there twice, and nothing is written over.
    one_error(env.selfsame(["pull", &reference, "-o", "back"]).exits(2));
    registry.state().sent.clear();
    push(&env, &reference, &[]).succeeds();
    assert!(registry.state().sent.is_empty(), "what is there is not sent again");
}

#[test]
fn sandbox_judging_documents_fetches_no_layer() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    fs::remove_dir_all(env.store()).expect("the store");
    let before = registry.server.asked().len();
    env.selfsame(["verify", &reference, "--depth", "evidence", "--key", &key(&env)]).succeeds();
    let asked = registry.server.asked();
    let blobs = asked[before..].iter().filter(|asked| asked.method == "GET" && asked.path().contains("/blobs/"));
    assert_eq!(blobs.count(), 5, "four documents and the config");
}

#[test]
fn sandbox_a_push_that_dies_leaves_no_tag_and_goes_on_where_it_ended() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    let uploads = AtomicUsize::new(0);
    registry.spoil(move |asked, _| {
        let is_upload = asked.method == "PUT" && asked.path().contains("/uploads/");
        (is_upload && uploads.fetch_add(1, Ordering::Relaxed) >= 3).then(|| Answer::ok("").fault(Fault::Hangup))
    });
    one_error(push(&env, &reference, &[]).exits(3));
    assert!(registry.state().tags.is_empty(), "no tag is seen");
    env.selfsame(["pull", &reference, "-o", "back"]).exits(2);
    let before = registry.state().sent.clone();
    assert!(!before.is_empty(), "some blobs were sent");
    registry.behave();
    push(&env, &reference, &[]).succeeds();
    let sent = registry.state().sent.clone();
    let again = sent[before.len()..].iter().filter(|digest| before.contains(digest)).count();
    assert_eq!(again, 0, "a blob was sent twice");
    env.selfsame(["verify", &reference, "--key", &key(&env)]).succeeds();
}

/// Told to end by the terminal, or killed: neither leaves a tag.
#[test]
fn sandbox_a_push_that_is_ended_leaves_no_tag() {
    let Some(env) = released() else { return };
    let release = env.at(RELEASE).display().to_string();
    for (signal, code) in [("INT", Some(3)), ("KILL", None)] {
        let registry = Registry::new();
        // Never begins to answer, once it is asked to take something.
        registry.spoil(|asked, _| {
            (asked.method == "POST").then(|| Answer::ok("").fault(Fault::HeadDrip(std::time::Duration::from_secs(1))))
        });
        let mut child = start(&env, &["push", &release, &registry.reference("1.0")]);
        wait_until("it begins to push", || registry.server.asked().iter().any(|asked| asked.method == "POST"));
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()));
        assert_eq!(child.wait().expect("it ends").code(), code, "{signal}: {}", env.read("talk"));
        assert!(registry.state().tags.is_empty(), "{signal}: a tag is seen");
        registry.behave();
        push(&env, &registry.reference("1.0"), &[]).succeeds();
    }
}

#[test]
fn sandbox_a_registry_that_takes_nothing_is_named_and_ends_as_it_should() {
    let Some(env) = released() else { return };
    // At the blobs, at the documents, at the tag.
    for place in ["/blobs/uploads/", "/manifests/sha256:", "/manifests/1.0"] {
        for (status, code) in [(401, 2), (403, 2), (429, 3), (500, 3)] {
            let registry = Registry::new();
            registry.spoil(move |asked, _| {
                let write = asked.method == "POST" || asked.method == "PUT";
                (write && asked.path().contains(place)).then(|| Answer::status(status).header("Retry-After", "0"))
            });
            let output = push(&env, &registry.reference("1.0"), &[]);
            let headline = one_error(output.exits(code)).to_owned();
            assert!(headline.contains(&status.to_string()), "{place}, {status}: {headline}");
            assert!(registry.state().tags.is_empty(), "{place}, {status}: a tag is seen");
        }
    }
}

#[test]
fn sandbox_what_is_no_complete_release_is_not_pushed() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let whole = files(&env, RELEASE);
    for (name, bytes) in &whole {
        let path = env.at(RELEASE).join(name);
        let mut broken = bytes.clone();
        broken[0] ^= 1;
        // Of the capsule nothing is pushed, so nothing of it is looked at, but for its manifest.
        let mut spoilt = 0;
        for (how, content) in [("removed", None), ("changed", Some(broken))] {
            match content {
                None => fs::remove_file(&path).expect("a file of the release"),
                Some(content) => fs::write(&path, content).expect("a file of the release"),
            }
            let output = push(&env, &registry.reference("1.0"), &["--with-capsule"]);
            assert_eq!(output.code, 1, "{name} {how}: {}", output.stderr);
            one_error(&output);
            fs::write(&path, bytes).expect("a file of the release");
            spoilt += 1;
        }
        assert_eq!(spoilt, 2);
    }
    assert!(registry.server.asked().is_empty(), "somebody was asked");
    push(&env, &registry.reference("1.0"), &["--with-capsule"]).succeeds();
}

#[test]
fn sandbox_what_a_registry_has_lost_or_changed_is_not_pulled() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    let image = registry.state().tags["1.0"];
    let listed = registry.state().referrers(&image.to_string());
    // In a store that has nothing, so that everything is asked for.
    let pull = || {
        let _ = fs::remove_dir_all(env.store());
        let output = env.selfsame(["pull", &reference, "-o", "back"]);
        assert!(!env.at("project/back").exists(), "something is there: {}", output.stderr);
        one_error(&output);
        output.code
    };
    for referrer in &listed {
        let digest: Digest = referrer["digest"].as_str().expect("a digest").parse().expect("a digest");
        let lost = registry.state().manifests.remove(&digest).expect("it was pushed");
        assert_eq!(pull(), 1, "without {referrer}");
        assert_eq!(env.selfsame(["check", &reference]).code, 1);
        registry.state().manifests.insert(digest, lost);
    }
    let blobs: Vec<Digest> = registry.state().blobs.keys().copied().collect();
    for digest in blobs {
        if digest == Digest::of(b"{}") {
            continue;
        }
        let whole = registry.state().blobs[&digest].clone();
        registry.state().blobs.insert(digest, vec![b'x'; whole.len()]);
        let code = pull();
        assert!(matches!(code, 1 | 2), "{digest} changed: exit {code}");
        registry.state().blobs.insert(digest, whole);
    }
    let _ = fs::remove_dir_all(env.store());
    env.selfsame(["pull", &reference, "-o", "back"]).succeeds();
}

#[test]
fn sandbox_what_strangers_attach_spoils_nothing() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    push(&env, &reference, &[]).succeeds();
    {
        let mut state = registry.state();
        let image = state.tags["1.0"];
        let size = state.manifests[&image].1.len();
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        for layers in [json!([]), json!([{"mediaType": bundle, "digest": Digest::of(b"nowhere"), "size": 7}])] {
            let bytes = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": bundle,
                "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
                "layers": layers,
                "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image, "size": size},
            })
            .to_string()
            .into_bytes();
            let media_type = "application/vnd.oci.image.manifest.v1+json".to_owned();
            state.manifests.insert(Digest::of(&bytes), (media_type, bytes));
        }
    }
    env.selfsame(["pull", &reference, "-o", "back"]).succeeds().says("not used");
    verify(&env, "project/back").succeeds();
}

#[test]
fn sandbox_a_build_pushes_and_a_push_that_fails_says_what_exists() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    registry.spoil(|asked, _| (asked.method == "POST").then(|| Answer::status(403)));
    let output = env.selfsame(["build", "--dev-key", "-o", "pushed.release", "--push", &reference]);
    output.exits(2).says("is published and whole").says("The tag `1.0` is as it was");
    verify(&env, "project/pushed.release").succeeds();
    registry.behave();
    env.selfsame(["build", "--dev-key", "-o", "pushed.release", "--push", &reference]).succeeds();
    env.selfsame(["verify", &reference, "--key", &key(&env)]).succeeds();
    // Found out before anything is built.
    one_error(env.selfsame(["build", "--dev-key", "--push", "registry.example/app"]).exits(2));
}

#[test]
fn sandbox_a_signature_as_cosign_2_wants_it() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    let private = env.at("home/.local/share/selfsame/dev.key").display().to_string();
    let more = ["--cosign-signatures", "--key", &private];
    push(&env, &reference, &more).succeeds();
    push(&env, &reference, &more).succeeds();
    let state = registry.state();
    let image = state.tags["1.0"];
    let signed = state.tags[&format!("sha256-{}.sig", image.hex())];
    let manifest: serde_json::Value = serde_json::from_slice(&state.manifests[&signed].1).expect("a manifest");
    let layers = manifest["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 1, "signing twice is signing once");
    let payload: Digest = layers[0]["digest"].as_str().expect("a digest").parse().expect("a digest");
    let payload = &state.blobs[&payload];
    let said: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
    assert_eq!(said["critical"]["image"]["docker-manifest-digest"], image.to_string());
    assert_eq!(said["critical"]["type"], "cosign container image signature");
    let signature = layers[0]["annotations"]["dev.cosignproject.cosign/signature"].as_str().expect("a signature");
    fs::write(env.at("payload"), payload).expect("a file");
    fs::write(env.at("signature"), signature).expect("a file");
    drop(state);
    if !require(Tier::Foreign, openssl()) {
        return;
    }
    let script =
        "openssl base64 -d -A -in signature -out der && openssl dgst -sha256 -verify \"$1\" -signature der payload";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh", &key(&env)]).current_dir(env.root());
    let output = command.output().expect("sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn openssl() -> Result<(), String> {
    let ran = std::process::Command::new("openssl").arg("version").output();
    ran.map(|_| ()).map_err(|error| format!("no `openssl`: {error}"))
}

#[test]
fn foreign_real_registries_give_back_what_they_took() {
    let registries = real();
    let Some(env) = released().filter(|_| !registries.is_empty()) else { return };
    for (number, registry) in registries.iter().enumerate() {
        let reference = format!("{}/team/app:1.0", registry.address());
        push(&env, &reference, &["--with-capsule"]).succeeds();
        let again = push(&env, &reference, &["--with-capsule", "--json"]).succeeds().json();
        assert_eq!(again["sent"]["blobs"], 0, "{again}");
        assert_eq!(again["referrers"], 5);
        let folder = format!("back-{number}");
        let _ = fs::remove_dir_all(env.store());
        env.selfsame(["pull", &reference, "-o", &folder, "--with-capsule"]).succeeds();
        assert_eq!(files(&env, &format!("project/{folder}")), files(&env, RELEASE));
        verify(&env, &format!("project/{folder}")).succeeds();
        env.selfsame(["verify", &reference, "--key", &key(&env)]).succeeds();
    }
}

#[test]
fn foreign_two_pushes_at_once_lose_nothing() {
    let registries = real();
    let Some(env) = released().filter(|_| !registries.is_empty()) else { return };
    for registry in &registries {
        let references = ["a", "b", "c"].map(|tag| format!("{}/team/app:{tag}", registry.address()));
        std::thread::scope(|scope| {
            for reference in &references {
                scope.spawn(|| push(&env, reference, &["--with-capsule"]).succeeds().code);
            }
        });
        let _ = fs::remove_dir_all(env.store());
        for (number, reference) in references.iter().enumerate() {
            let folder = format!("at-once-{}-{number}", registry.address().port());
            env.selfsame(["pull", reference, "-o", &folder, "--with-capsule"]).succeeds();
            verify(&env, &format!("project/{folder}")).succeeds();
        }
    }
}

#[test]
fn sandbox_check_says_what_a_rebuild_would_lack() {
    let Some(env) = released() else { return };
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    let check = |more: &[&str]| env.selfsame(["check", &reference, "--json"].iter().chain(more));
    let absent = |output: &selfsame_testing::Output| {
        let report = output.json();
        let rows = report["rows"].as_array().expect("rows").clone();
        rows.iter().filter(|row| row["state"] == "absent").map(|row| row["name"].to_string()).collect::<Vec<_>>()
    };
    push(&env, &reference, &[]).succeeds();
    let without = check(&[]);
    without.exits(1);
    assert!(absent(&without).iter().any(|name| name.contains("source")), "{}", without.stdout);
    push(&env, &reference, &["--with-capsule"]).succeeds();
    let slim = check(&[]);
    slim.exits(1);
    assert_eq!(absent(&slim), ["\"toolchain sh\""], "the host's files are nowhere else");
    env.selfsame(["build", "--dev-key", "--capsule"]).succeeds();
    push(&env, &reference, &["--with-capsule"]).succeeds();
    assert_eq!(check(&["--key", &key(&env)]).succeeds().json()["class"], "complete");
    env.selfsame(["check".into(), env.at(RELEASE).into_os_string()]).succeeds();
    // A layer that is gone.
    let image = registry.state().tags["1.0"];
    let manifest: serde_json::Value =
        serde_json::from_slice(&registry.state().manifests[&image].1).expect("a manifest");
    let layer: Digest = manifest["layers"][0]["digest"].as_str().expect("a digest").parse().expect("a digest");
    registry.state().blobs.remove(&layer);
    let gone = check(&[]);
    gone.exits(1);
    assert_eq!(absent(&gone), [format!("\"blob {layer}\"")]);
}
