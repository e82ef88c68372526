//! Releases for several platforms, built apart and joined: as good as each alone, and nothing less.

use std::fs;

use selfsame_testing::{Output, TestEnv};

use crate::push_world::Registry;
use crate::world::{DEV_KEY, build, definition, files_below, one_error, sandboxed};

/// Two releases, `amd64.release` and `arm64.release`, by the development key.
#[track_caller]
fn parts() -> Option<TestEnv> {
    let env = sandboxed()?;
    env.write("seed", "a seed\n");
    for platform in ["amd64", "arm64"] {
        release(&env, platform, "1.0.0", &format!("{platform}.release"));
    }
    Some(env)
}

fn release(env: &TestEnv, platform: &str, version: &str, output: &str) {
    let text = definition("script = \"cat seed > out; ls > /dev/null\"\noutputs = [\"out\"]");
    let text = text.replace("[image]\n", &format!("[image]\nplatforms = [\"linux/{platform}\"]\n"));
    env.write("selfsame.toml", text.replace("\"1.0.0\"", &format!("\"{version}\"")));
    build(env, &["-o", output]).succeeds();
}

fn public(env: &TestEnv) -> String {
    env.at(DEV_KEY).display().to_string()
}

fn join(env: &TestEnv, parts: &[&str], output: &str, more: &[&str]) -> Output {
    let private = env.at("home/.local/share/selfsame/dev.key").display().to_string();
    let public = public(env);
    let ours = ["-o", output, "--key", &public, "--sign-as", &private];
    let words: Vec<&str> =
        ["index"].into_iter().chain(parts.iter().copied()).chain(ours).chain(more.iter().copied()).collect();
    env.selfsame(words)
}

fn verify(env: &TestEnv, release: &str) -> Output {
    env.selfsame(["verify", release, "--key", &public(env)])
}

/// Every file, by its name below the folder.
fn files(env: &TestEnv, folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = env.project().join(folder);
    let name = |path: &std::path::Path| path.strip_prefix(&root).expect("below it").display().to_string();
    files_below(&root).into_iter().map(|path| (name(&path), fs::read(&path).expect("a file"))).collect()
}

#[test]
fn sandbox_joined_is_verified_part_by_part_and_goes_through_a_registry() {
    let Some(env) = parts() else { return };
    join(&env, &["amd64.release", "arm64.release"], "both", &[]).succeeds();
    join(&env, &["arm64.release", "amd64.release"], "again", &[]).succeeds();
    assert_eq!(files(&env, "both"), files(&env, "again"), "the order of the arguments is in the bytes");
    let verdict = verify(&env, "both");
    let said = &verdict.succeeds().stdout;
    assert!(
        said.contains("2 platforms")
            && said.contains("linux/amd64, verified")
            && said.contains("linux/arm64, verified"),
        "{said}"
    );
    let json = env.selfsame(["verify", "both", "--key", &public(&env), "--json"]).succeeds().json();
    assert_eq!((json["class"].as_str(), json["parts"].as_array().map(Vec::len)), (Some("verified"), Some(2)));

    env.selfsame(["verify", "both"]).exits(2);
    let again = env.selfsame(["rebuild-verify", "both", "--key", &public(&env), "--json"]).succeeds().json();
    assert_eq!(again["class"], "same");
    assert_eq!(again["platforms"].as_object().map(|of| of.values().all(|it| it["class"] == "same")), Some(true));

    let registry = Registry::new();
    let reference = registry.reference("1.0");
    env.selfsame(["push", "both", &reference, "--with-capsule"]).succeeds();
    env.selfsame(["pull", &reference, "-o", "back", "--with-capsule"]).succeeds();
    assert_eq!(files(&env, "both"), files(&env, "back"));
    verify(&env, &reference).succeeds();
    env.selfsame(["pull", &reference, "-o", "slim"]).succeeds();
    verify(&env, "slim").succeeds();
    let one = env.selfsame(["push", "both", &reference, "--json"]).succeeds().json();
    assert_eq!(one["referrers"], 10, "four of each part, and two that join them");
}

#[test]
fn sandbox_nothing_of_a_joined_release_can_be_taken_changed_or_added() {
    let Some(env) = parts() else { return };
    join(&env, &["amd64.release", "arm64.release"], "both", &[]).succeeds();
    for (name, bytes) in files(&env, "both") {
        let path = env.project().join("both").join(&name);
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        for (how, content) in [("removed", None), ("changed", Some(changed))] {
            match content {
                None => fs::remove_file(&path).expect("a file"),
                Some(content) => fs::write(&path, content).expect("a file"),
            }
            let code = verify(&env, "both").code;
            assert!(matches!(code, 1 | 2), "{name} {how}: exit {code}");
            fs::write(&path, &bytes).expect("a file");
        }
    }
    let stranger = env.project().join("both/blobs/sha256/stranger");
    fs::write(&stranger, "x").expect("a file");
    assert_eq!(verify(&env, "both").code, 1, "a file that nothing names");
    fs::remove_file(stranger).expect("a file");
    verify(&env, "both").succeeds();

    // A part taken out of the index, with everything about it, and the rest laid out as it should be.
    let text = fs::read_to_string(env.project().join("both/index.json")).expect("the index");
    let mut index: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let manifests = index["manifests"].as_array_mut().expect("manifests");
    let inventory = manifests.iter().position(|item| {
        item["annotations"]["dev.sigstore.bundle.predicateType"] == "https://selfsame.dev/inventory/v1"
    });
    manifests.remove(inventory.expect("the joining inventory"));
    fs::write(env.project().join("both/index.json"), index.to_string()).expect("the index");
    let output = env.selfsame(["verify", "both", "--depth", "evidence", "--key", &public(&env)]);
    output.exits(1);
    assert!(output.stdout.starts_with("not verified"), "{}", output.stdout);
}

#[test]
fn sandbox_what_does_not_belong_together_is_not_joined() {
    let Some(env) = parts() else { return };
    release(&env, "arm64", "2.0.0", "other.release");
    let refused = |parts: &[&str], code: i32| {
        let output = join(&env, parts, "both", &[]);
        let headline = one_error(output.exits(code)).to_owned();
        assert!(!env.project().join("both").exists(), "{headline}");
        headline
    };
    assert!(refused(&["amd64.release", "amd64.release"], 1).contains("linux/amd64"));
    assert!(refused(&["amd64.release", "other.release"], 1).contains("name and version"));
    refused(&["amd64.release", "nothing.release"], 2);
    // Half of a part; and one that no given key signed.
    let layer = files(&env, "arm64.release").into_iter().max_by_key(|(_, bytes)| bytes.len()).expect("files");
    fs::remove_file(env.project().join("arm64.release").join(&layer.0)).expect("a file");
    refused(&["amd64.release", "arm64.release"], 1);
    fs::write(env.project().join("arm64.release").join(&layer.0), &layer.1).expect("a file");
    env.selfsame(["keygen", "-o", "release"]).succeeds();
    let words =
        ["index", "amd64.release", "arm64.release", "-o", "both", "--key", "release.pub", "--sign-as", "release.key"];
    assert!(one_error(env.selfsame(words).exits(1)).contains("is not verified"));

    // Joined by a key that does not count, however good the parts are.
    let public = public(&env);
    let words = ["index", "amd64.release", "arm64.release", "-o", "both", "--key", &public, "--sign-as", "release.key"];
    env.selfsame(words).succeeds();
    verify(&env, "both").exits(1);
    env.selfsame(["verify", "both", "--key", &public, "--key", "release.pub"]).succeeds();
}
