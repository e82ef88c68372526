//! docs/verify-by-hand.md, run as it stands there.

use std::fs;
use std::process::Command;

use selfsame_testing::{TestEnv, Tier, require};

use crate::trust::world;

/// The commands of the page, in order.
fn commands() -> String {
    let page = include_str!("../../docs/verify-by-hand.md");
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(blocks.len() > 4, "found only {} blocks", blocks.len());
    format!("set -euo pipefail\n{}\n", blocks.join("\n"))
}

fn by_hand(env: &TestEnv, release: &str, key: &str) -> (bool, String) {
    let folder = env.project();
    let scratch = tempfile::tempdir_in(&folder).expect("a folder");
    let output = Command::new("bash")
        .args(["-c", &commands()])
        .env("R", folder.join(release))
        .env("K", folder.join(key))
        .env("T", scratch.path().join("t"))
        .output()
        .expect("bash runs");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), told)
}

#[test]
fn foreign_the_page_finds_what_verify_finds() {
    let tools = ["bash", "jq", "openssl", "sha256sum", "tar", "gzip", "base64"];
    let missing = tools.into_iter().find(|tool| {
        Command::new("sh").args(["-c", "command -v \"$0\"", tool]).output().is_ok_and(|found| !found.status.success())
    });
    if !require(Tier::Foreign, missing.map_or(Ok(()), |tool| Err(format!("no `{tool}`")))) {
        return;
    }
    let env = world();
    let (found, told) = by_hand(&env, "one.release", "old.pub");
    assert!(found, "{told}");
    assert_eq!(told.matches("Verified OK").count(), 4, "{told}");
    let verdict = env.selfsame(["verify", "one.release", "--key", "old.pub"]);
    let line = |word: &str| {
        let line =
            verdict.stdout.lines().find_map(|line| line.trim().strip_prefix(word)).expect("a line of the verdict");
        format!("{word} {}", line.trim())
    };
    for line in [line("image"), line("release")] {
        assert!(told.contains(&line), "{line}: {told}");
    }

    // Another key, a bent layer, a document taken away, and one added: each found by its own command.
    assert!(!by_hand(&env, "one.release", "new.pub").0);
    env.selfsame(["tamper", "one.release", "-o", "bent.release"]).succeeds();
    let (found, told) = by_hand(&env, "bent.release", "old.pub");
    assert!(!found && told.contains("FAILED"), "{told}");
    let index = fs::read_to_string(env.project().join("one.release/index.json")).expect("an index");
    let mut parsed: serde_json::Value = serde_json::from_str(&index).expect("JSON");
    let manifests = parsed["manifests"].as_array_mut().expect("manifests");
    let kind = |manifest: &serde_json::Value| manifest["annotations"]["dev.sigstore.bundle.predicateType"].clone();
    manifests.retain(|manifest| kind(manifest) != "https://sigstore.dev/cosign/sign/v1");
    fs::write(env.project().join("one.release/index.json"), parsed.to_string()).expect("an index");
    let (found, told) = by_hand(&env, "one.release", "old.pub");
    assert!(!found && told.contains("listed"), "{told}");
    env.selfsame(["verify", "one.release", "--key", "old.pub"]).exits(1);
}

/// Standard library alone: it says of each release what `verify` says, and names the fault.
#[test]
fn foreign_the_reader_in_python_agrees_about_releases() {
    let ability = Command::new("python3").arg("--version").output().map(drop).map_err(|error| error.to_string());
    if !require(Tier::Foreign, ability) {
        return;
    }
    let env = world();
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reader/selfsame_reader.py");
    let both = |release: &str, key: &str| {
        let mut command = Command::new("python3");
        command.arg("-B").arg(&script).args([release, key]).current_dir(env.project());
        let output = command.output().expect("python3");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), said.starts_with("verified: "), "{said}");
        let verdict = env.selfsame(["verify", release, "--key", key]);
        assert_eq!(output.status.success(), verdict.code == 0, "{said}{}", verdict.stdout);
        said
    };
    assert!(both("one.release", "old.pub").starts_with("verified: one.release"));
    assert!(both("one.release", "new.pub").contains("no document has a signature by this key"));
    // One bit of any file.
    let folder = env.project().join("one.release/blobs/sha256");
    let mut names = vec!["index.json".to_owned(), "oci-layout".to_owned()];
    names.extend(
        fs::read_dir(folder)
            .expect("blobs")
            .map(|blob| format!("blobs/sha256/{}", blob.expect("a blob").file_name().to_str().expect("hex"))),
    );
    for name in &names {
        env.selfsame(["tamper", "one.release", "--file", name, "-o", "bent.release"]).succeeds();
        assert!(both("bent.release", "old.pub").starts_with("not verified: bent.release"), "{name}");
        fs::remove_dir_all(env.project().join("bent.release")).expect("the copy");
    }
    assert!(names.len() > 10, "{names:?}");
    fs::write(env.project().join("one.release/blobs/more"), "x").expect("a file");
    assert!(both("one.release", "old.pub").contains("nothing names 'blobs/more'"));
}
