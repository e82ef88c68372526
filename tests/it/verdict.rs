//! What `verify` and `verify-file` say from outside: how deep, where from, and that nothing is asked while judging.

use std::fs;
use std::path::Path;

use selfsame_core::{Digest, media};
use selfsame_testing::server::Answer;
use selfsame_testing::{Output, TestEnv};
use serde_json::Value;

use crate::push_world::Registry;
use crate::trust::world;

#[track_caller]
fn ended(output: Output, code: i32) -> Output {
    output.exits(code);
    output
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON")
}

fn outcome(verdict: &Value, id: &str) -> String {
    let checks = verdict["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["id"] == id).expect("a check of this name");
    check["outcome"].as_str().expect("an outcome").to_owned()
}

/// The release as a tool leaves it that copies images and knows nothing of referrers: the image's files alone.
fn copied(env: &TestEnv, to: &str) {
    let (from, to) = (env.project().join("one.release"), env.project().join(to));
    let read = |path: &Path| fs::read(path).expect("a file of the release");
    let mut index: Value = serde_json::from_slice(&read(&from.join("index.json"))).expect("an index");
    let manifests = index["manifests"].as_array_mut().expect("manifests");
    manifests.truncate(1);
    manifests[0]["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": "x" });
    let digest = |value: &Value| value["digest"].as_str().expect("a digest").replace("sha256:", "blobs/sha256/");
    let image = digest(&manifests[0]);
    let manifest: Value = serde_json::from_slice(&read(&from.join(&image))).expect("a manifest");
    fs::create_dir_all(to.join("blobs/sha256")).expect("a folder");
    let layers = manifest["layers"].as_array().expect("layers").iter().map(digest);
    for name in layers.chain([image, digest(&manifest["config"])]) {
        fs::copy(from.join(&name), to.join(&name)).expect("a blob");
    }
    fs::write(to.join("index.json"), index.to_string()).expect("an index");
    fs::write(to.join("oci-layout"), "{\"imageLayoutVersion\": \"1.0.0\"}\n").expect("a layout");
}

#[test]
fn the_depth_goes_with_the_place_and_the_verdict_says_which() {
    let env = world();
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    env.selfsame(["push", "one.release", &reference]).succeeds();
    let headline = |arguments: &[&str]| {
        let output = ended(env.selfsame(["verify"].iter().chain(arguments).chain(&["--trust", "t.toml"])), 0);
        output.stdout.lines().next().expect("a headline").to_owned()
    };
    assert!(headline(&["one.release"]).ends_with("down to every file in its layers"));
    assert!(headline(&[&reference]).ends_with("manifests and signed documents only: blobs were not read"));
    assert!(headline(&[&reference, "--depth", "content"]).ends_with("down to every file in its layers"));
    assert!(headline(&["one.release", "--depth", "blobs"]).contains("every blob by its digest"));
    // What the deploy step gets: the place, by digest.
    let printed = ended(env.selfsame(["verify", &reference, "--trust", "t.toml", "--print-digest"]), 0);
    let place = registry.reference("").trim_end_matches(':').to_owned();
    assert!(
        printed.stdout.starts_with(&format!("{place}@sha256:")) && printed.stdout.trim().lines().count() == 1,
        "{}",
        printed.stdout
    );
    let printed = ended(env.selfsame(["verify", "one.release", "--trust", "t.toml", "--print-digest"]), 0);
    assert!(printed.stdout.starts_with("probe:1.0.0@sha256:"), "{}", printed.stdout);
    let refused = ended(env.selfsame(["verify", "one.release", "--key", "new.pub", "--print-digest"]), 1);
    assert_eq!(refused.stdout, "");
}

/// A registry that has no time says nothing about the release.
#[test]
fn a_registry_that_is_busy_is_not_a_registry_without_attestations() {
    let env = world();
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    env.selfsame(["push", "one.release", &reference]).succeeds();
    for (status, code) in [(429, 3), (500, 3), (503, 3)] {
        registry.spoil(move |asked, _| {
            let about = asked.path().contains("/referrers/") || asked.path().contains("/manifests/sha256-");
            about.then(|| Answer::status(status).header("Retry-After", "0"))
        });
        let output = ended(env.selfsame(["verify", &reference, "--trust", "t.toml"]), code);
        assert!(!output.stdout.contains("verified") && !output.stderr.contains("no evidence"), "{}", output.stderr);
        let output =
            ended(env.selfsame(["verify", "one.release", "--trust", "t.toml", "--referrers-from", &reference]), code);
        assert_eq!(output.stdout, "");
    }
    registry.behave();
    env.selfsame(["verify", &reference, "--trust", "t.toml"]).succeeds();
}

#[test]
fn evidence_from_elsewhere_for_a_copy_that_lost_it() {
    let env = world();
    copied(&env, "copy");
    let alone = ended(env.selfsame(["verify", "copy", "--trust", "t.toml"]), 1);
    assert!(alone.stdout.contains("hint: a copy of an image may have lost its signed documents"), "{}", alone.stdout);
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    env.selfsame(["push", "one.release", &reference]).succeeds();
    for from in ["one.release", &reference] {
        let output =
            ended(env.selfsame(["verify", "copy", "--trust", "t.toml", "--referrers-from", from, "--json"]), 0);
        let verdict = json(&output);
        assert_eq!((&verdict["class"], &verdict["depth"]), (&"verified".into(), &"content".into()), "{from}");
    }
    // The other way: the image from a registry, the documents from a folder.
    let output = ended(env.selfsame(["verify", &reference, "--trust", "t.toml", "--referrers-from", "one.release"]), 0);
    assert!(output.stdout.contains("manifests and signed documents only"), "{}", output.stdout);
    env.selfsame(["verify", &reference, "--trust", "t.toml", "--referrers-from", "one.release", "--depth", "content"])
        .succeeds();

    // The bytes that are judged are the copy's, not those of where the documents are.
    let manifest = fs::read(env.project().join("copy/index.json")).expect("an index");
    let index: Value = serde_json::from_slice(&manifest).expect("JSON");
    let image = index["manifests"][0]["digest"].as_str().expect("a digest").replace("sha256:", "copy/blobs/sha256/");
    let manifest: Value =
        serde_json::from_slice(&fs::read(env.project().join(image)).expect("a manifest")).expect("JSON");
    let layer = manifest["layers"][0]["digest"].as_str().expect("a digest").replace("sha256:", "copy/blobs/sha256/");
    let layer = env.project().join(layer);
    let good = fs::read(&layer).expect("a layer");
    let mut bent = good.clone();
    let at = bent.len() / 2;
    bent[at] ^= 1;
    fs::write(&layer, &bent).expect("a layer");
    let output = ended(env.selfsame(["verify", "copy", "--trust", "t.toml", "--referrers-from", "one.release"]), 1);
    assert!(output.stdout.contains("does not have the digest that it is named for"), "{}", output.stdout);
    fs::remove_file(&layer).expect("a layer");
    env.selfsame(["verify", "copy", "--trust", "t.toml", "--referrers-from", "one.release"]).exits(1);
    fs::write(&layer, &good).expect("a layer");
    env.selfsame(["verify", "copy", "--trust", "t.toml", "--referrers-from", "one.release"]).succeeds();

    // Documents of another image do not lend themselves.
    env.write("src/a", "b\n");
    env.selfsame(["build", "--key", "old.key", "-o", "two.release"]).succeeds();
    let output = ended(env.selfsame(["verify", "copy", "--trust", "t.toml", "--referrers-from", "two.release"]), 1);
    assert!(output.stderr.contains("are about another image") && output.stdout.is_empty(), "{}", output.stderr);
}

/// What is deployed is not chosen by where the documents are.
#[test]
fn a_copy_that_holds_another_image_too_is_not_verified_with_evidence_from_elsewhere() {
    let env = world();
    env.write("src/a", "evil\n");
    env.selfsame(["build", "--key", "new.key", "-o", "evil.release"]).succeeds();
    let at = |name: &str| env.project().join(name);
    let first = |name: &str| {
        let index: Value = serde_json::from_slice(&fs::read(at(name)).expect("an index")).expect("JSON");
        index["manifests"][0].clone()
    };
    let judge = |depth: &str, code: i32| {
        let more = ["--referrers-from", "one.release", "--depth", depth];
        ended(env.selfsame(["verify", "copy", "--trust", "t.toml"].iter().chain(&more)), code)
    };
    let fresh = || {
        fs::remove_dir_all(at("copy")).ok();
        copied(&env, "copy");
    };
    fresh();
    let good = first("copy/index.json");
    let evil = first("evil.release/index.json");
    judge("content", 0);
    // The other one's blobs, which nothing names.
    let copy_blobs = || {
        for entry in fs::read_dir(at("evil.release/blobs/sha256")).expect("blobs") {
            let entry = entry.expect("a blob");
            fs::copy(entry.path(), at("copy/blobs/sha256").join(entry.file_name())).expect("a blob");
        }
    };
    copy_blobs();
    let output = judge("content", 1);
    assert!(output.stdout.contains("nothing names `blobs/sha256/"), "{}", output.stdout);
    // Listed first or behind, with a name or without, and as what is about the good one but has a name of its own.
    let untagged = |descriptor: &Value| {
        let mut descriptor = descriptor.clone();
        descriptor.as_object_mut().expect("a descriptor").remove("annotations");
        descriptor
    };
    let bundle = {
        let index: Value = serde_json::from_slice(&fs::read(at("one.release/index.json")).expect("it")).expect("JSON");
        let mut referrer = index["manifests"][1].clone();
        let name = referrer["digest"].as_str().expect("a digest").replace("sha256:", "blobs/sha256/");
        fs::copy(at("one.release").join(&name), at("copy").join(&name)).expect("a referrer");
        assert!(referrer["annotations"]["org.opencontainers.image.ref.name"].is_null());
        referrer["annotations"]["org.opencontainers.image.ref.name"] = "probe:1.0.0".into();
        referrer
    };
    for (listed, because) in [
        ([&evil, &untagged(&good)], "are about another image"),
        ([&good, &evil], "lists another image beside the first one"),
        ([&untagged(&good), &evil], "lists another image beside the first one"),
        ([&good, &untagged(&evil)], "lists another image beside the first one"),
        ([&good, &bundle], "lists another image beside the first one"),
    ] {
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": listed,
        });
        fs::write(at("copy/index.json"), index.to_string()).expect("an index");
        for depth in ["evidence", "content"] {
            let output = judge(depth, 1);
            // Two images: the one refused is refused before anything is judged.
            let said = output.stdout + &output.stderr;
            assert!(said.contains(because) || said.contains("beside the first one"), "{because}: {said}");
            assert!(!said.contains("\nverified") && !said.starts_with("verified"), "{said}");
        }
    }
    // What `docker load` would take from it.
    fresh();
    copy_blobs();
    let name = evil["digest"].as_str().expect("a digest").replace("sha256:", "evil.release/blobs/sha256/");
    let manifest: Value = serde_json::from_slice(&fs::read(at(&name)).expect("a manifest")).expect("JSON");
    let path = |blob: &Value| blob["digest"].as_str().expect("a digest").replace("sha256:", "blobs/sha256/");
    let docker = serde_json::json!([{
        "Config": path(&manifest["config"]), "RepoTags": ["probe:1.0.0"], "Layers": [path(&manifest["layers"][0])],
    }]);
    fs::write(at("copy/manifest.json"), docker.to_string()).expect("Docker's list");
    for depth in ["evidence", "content"] {
        let output = judge(depth, 1);
        assert!(output.stdout.contains("manifest.json"), "{}", output.stdout);
    }
}

#[test]
fn judging_asks_nobody_and_says_so() {
    let env = world();
    let registry = Registry::new();
    let reference = registry.reference("1.0");
    env.selfsame(["push", "one.release", &reference]).succeeds();
    for release in ["one.release", &reference] {
        let verdict = json(&ended(env.selfsame(["verify", release, "--trust", "t.toml", "--json"]), 0));
        assert_eq!(outcome(&verdict, "offline"), "passed", "this kernel has seccomp");
    }
    // A release on disk needs no network from the first moment on: with none at all it is the same.
    let machine = "exec unshare -n \"$@\"";
    if crate::world::can_be(machine) {
        let arguments = ["verify", "one.release", "--trust", "t.toml"];
        let without = crate::world::on_a_machine(&env, machine, &arguments);
        assert_eq!((without.code, without.stdout), (0, env.selfsame(arguments).stdout));
    }
    let slsa: Vec<Value> = {
        let verdict = json(&ended(env.selfsame(["verify", "one.release", "--trust", "t.toml", "--json"]), 0));
        verdict["checks"].as_array().expect("checks").iter().map(|check| check["slsa"].clone()).collect()
    };
    for step in ["1 build level", "2 expectations", "3 dependencies"] {
        assert!(slsa.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with(step))), "{step}");
    }
}

#[test]
fn one_file_and_its_bundle() {
    let env = world();
    let folder = env.project().join("one.release/blobs/sha256");
    let mut bundle = None;
    for entry in fs::read_dir(&folder).expect("blobs") {
        let path = entry.expect("a blob").path();
        let bytes = fs::read(&path).expect("a blob");
        let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if manifest["annotations"]["dev.sigstore.bundle.predicateType"] == "https://slsa.dev/provenance/v1" {
            assert_eq!(manifest["layers"][0]["mediaType"], media::BUNDLE);
            let image = manifest["subject"]["digest"].as_str().expect("a digest").replace("sha256:", "");
            let layer = manifest["layers"][0]["digest"].as_str().expect("a digest").replace("sha256:", "");
            bundle = Some((folder.join(image), folder.join(layer)));
        }
    }
    let (image, bundle) = bundle.expect("provenance");
    let (image, bundle) = (image.display().to_string(), bundle.display().to_string());
    let judged = |file: &str, more: &[&str], code: i32| {
        let arguments = ["verify-file", file, "--bundle", &bundle, "--json"];
        json(&ended(env.selfsame(arguments.iter().chain(more)), code))
    };
    let trust = ["--trust", "t.toml", "--expect", "name=probe"];
    let verdict = judged(&image, &trust, 0);
    assert_eq!(
        (&verdict["schema"], &verdict["class"]),
        (&"https://selfsame.dev/file-verdict/v1".into(), &"verified".into())
    );
    assert_eq!(verdict["file"], Digest::of(&fs::read(&image).expect("a manifest")).to_string());
    assert_eq!(outcome(&verdict, "offline"), "passed");
    assert_eq!(outcome(&judged("selfsame.toml", &trust, 1), "subject"), "failed");
    assert_eq!(outcome(&judged(&image, &["--key", "new.pub"], 1), "signature"), "failed");
    assert_eq!(outcome(&judged(&image, &["--key", "old.pub", "--type", "sbom"], 1), "type"), "failed");
    assert_eq!(judged(&image, &[], 2)["class"], "unanswered");
    let output = ended(env.selfsame(["verify-file", "absent", "--bundle", &bundle, "--key", "old.pub"]), 2);
    assert!(output.stderr.contains("cannot read `absent`"), "{}", output.stderr);
    let output = ended(
        env.selfsame(["verify-file", &image, "--bundle", &bundle, "--key", "old.pub", "--type", "provenence"]),
        2,
    );
    assert!(output.stderr.contains("did you mean `provenance`?"), "{}", output.stderr);
}

/// Whatever the answer is, a page says it; twice the same bytes; and what is printed is what is printed without one.
#[test]
fn a_page_for_auditors() {
    let env = world();
    let read = |name: &str| fs::read_to_string(env.project().join(name)).expect("a page");
    let asked = ["verify", "one.release", "--trust", "t.toml", "--at", "2026-11-20"];
    let plain = ended(env.selfsame(asked), 0);
    for name in ["a.html", "b.html"] {
        let output = ended(env.selfsame(asked.iter().chain(&["--report", name])), 0);
        assert_eq!((&output.stdout, &output.stderr), (&plain.stdout, &plain.stderr));
    }
    let page = read("a.html");
    assert_eq!(page, read("b.html"));
    let verdict = json(&ended(env.selfsame(asked.iter().chain(&["--json"])), 0));
    assert!(page.contains("<title>Verified: one.release</title>") && page.contains("judged for the day"));
    for said in [&verdict["image"], &verdict["releaseId"], &verdict["keyId"], &verdict["trust"]["sha256"]] {
        assert!(page.contains(said.as_str().expect("text")), "{said}");
    }
    for check in verdict["checks"].as_array().expect("checks") {
        let row = format!("<th scope=\"row\"><bdi>{}</bdi></th><td>", check["id"].as_str().expect("an id"));
        assert!(page.contains(&row), "{row}");
    }
    let tool = Digest::of(&fs::read(crate::world::SELFSAME).expect("the program"));
    assert!(page.contains(&tool.to_string()), "who judged");

    env.selfsame(["tamper", "one.release", "-o", "bent.release"]).succeeds();
    ended(env.selfsame(["verify", "bent.release", "--key", "old.pub", "--json", "--report", "a.html"]), 1);
    let page = read("a.html");
    assert!(page.contains("<title>Not verified: bent.release</title>") && page.contains("does not have the digest"));
    // Where it cannot be written nothing is said to be verified.
    let output = ended(env.selfsame(asked.iter().chain(&["--report", "no/such/folder.html"])), 2);
    assert!(
        output.stdout.is_empty() && output.stderr.contains("cannot write `no/such/folder.html`"),
        "{}",
        output.stderr
    );
}
