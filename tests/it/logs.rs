//! A transparency log from outside: made, written by builds, checked, proved, tampered with, and read by others.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use selfsame_testing::{Filter, Output, TestEnv, Tier, require};
use serde_json::Value;

use crate::judges::{bundles, image, judge, judges};
use crate::world::{RELEASE, define, definition, empty, sandboxed};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log").canonicalize().expect("the vectors")
}

/// `selfsame WORDS...`, where `@NAME` is a path below the vectors and `%NAME` one below the test's root.
fn run(env: &TestEnv, words: &[&str]) -> Output {
    let word = |word: &&str| match (word.strip_prefix('@'), word.strip_prefix('%')) {
        (Some(name), _) => vectors().join(name).into_os_string(),
        (_, Some(name)) => env.at(name).into_os_string(),
        _ => OsString::from(word),
    };
    env.selfsame(words.iter().map(word))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let to = to.join(entry.file_name().expect("a name"));
        match entry.is_dir() {
            true => copy(&entry, &to),
            false => _ = fs::copy(&entry, to).expect("a copy"),
        }
    }
}

/// Fails unless standard output holds each of these texts.
#[track_caller]
fn shows(output: &Output, texts: &[&str]) {
    for text in texts {
        assert!(output.stdout.contains(text), "no `{text}` in:\n{}", output.transcript(Filter::NONE));
    }
}

#[test]
fn a_log_is_made_once_with_its_keys_beside_it() {
    let env = empty();
    run(&env, &["log", "init", "%releases.log", "--origin", "log.example/releases"]).succeeds();
    let show = run(&env, &["log", "show", "%releases.log", "--json"]);
    show.succeeds();
    let shown = show.json();
    assert_eq!((&shown["size"], &shown["origin"]), (&Value::from(0), &Value::from("log.example/releases")));
    assert_eq!(fs::read_to_string(env.at("releases.log.pub")).unwrap().trim_end(), shown["key"].as_str().unwrap());
    let private = fs::metadata(env.at("releases.log.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&private.permissions()) & 0o777, 0o600);
    let secret = fs::read_to_string(env.at("releases.log.key")).unwrap();
    let lines: Vec<&str> = secret.lines().filter(|line| !line.starts_with("---")).collect();
    for file in ["checkpoint", "log.pub"] {
        let public = fs::read_to_string(env.at("releases.log").join(file)).unwrap();
        assert!(lines.iter().all(|line| !public.contains(line)), "{file}");
    }
    run(&env, &["log", "init", "%releases.log"]).exits(2).says("there is something at");
    run(&env, &["log", "init", "%other", "--origin", "two words"]).exits(2).says("cannot be the name of a log");
    // A key that there is, and none is made; the log is called as its folder.
    run(&env, &["log", "init", "%second", "--key", "%releases.log.key"]).succeeds();
    assert!(!env.at("second.key").exists() && env.at("second.pub").exists());
    assert_eq!(run(&env, &["log", "show", "%second", "--json"]).json()["origin"], "second");
    run(&env, &["log", "show", "%nowhere"]).exits(2).says("is not a log: it has no file `log.pub`");
}

#[test]
fn a_log_is_checked_against_its_key_and_an_older_checkpoint() {
    let env = empty();
    let check = ["log", "check", "@folder", "--key", "@folder/log.pub", "--since", "@checkpoint-100"];
    shows(run(&env, &check).succeeds(), &["300 entries", "100 entries: all of them are there, unchanged"]);
    let alone = run(&env, &["log", "check", "@folder"]);
    alone.succeeds().says("the key was taken from the folder itself");
    run(&env, &["log", "check", "@folder", "--key", "@signer.pub"]).exits(2).says("this is a release key");
    run(&env, &["log", "check", "@folder", "--since", "@signer.pub"]).exits(2).says("is not a checkpoint");
    let other = run(&env, &["log", "check", "@folder", "--key", "@ecdsa.pub"]);
    shows(other.exits(1), &["the newest checkpoint: the checkpoint has no signature by the key of"]);

    copy(&vectors().join("folder"), &env.at("copy"));
    let damage = |name: &str, change: fn(&mut Vec<u8>)| {
        let path = env.at("copy").join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        change(&mut bad);
        fs::write(&path, bad).unwrap();
        let output = run(&env, &["log", "check", "%copy", "--json"]);
        fs::write(&path, good).unwrap();
        output
    };
    let entry = damage("tile/entries/001.p/44", |bytes| bytes[40] ^= 1);
    let found = entry.exits(1).json();
    assert_eq!(found["class"], "damaged");
    assert_eq!(found["faults"][0], "entry 256 is not the one that `tile/0/001.p/44` has the hash of");
    let cut = damage("tile/0/000", |bytes| bytes.truncate(64));
    shows(cut.exits(1), &["`tile/0/000` is missing or damaged"]);
    let above = damage("tile/1/000.p/1", |bytes| bytes[0] ^= 1);
    shows(above.exits(1), &["hash 0 of `tile/1/000.p/1`"]);
    shows(damage("checkpoint", |bytes| bytes[25] ^= 1).exits(1), &["is not over this checkpoint"]);
    // The older checkpoint of another history.
    run(&env, &["log", "init", "%forked", "--origin", "log.example/releases"]).succeeds();
    let forked = run(&env, &["log", "check", "%copy", "--since", "%forked/checkpoint"]);
    shows(forked.exits(1), &["fault    the older checkpoint: the checkpoint has no signature by the key of"]);
}

#[test]
fn a_proof_and_a_trusted_root_are_those_of_the_vectors() {
    let env = empty();
    let bundle: Value =
        serde_json::from_slice(&fs::read(vectors().join("document-257.sigstore.json")).unwrap()).unwrap();
    let proof = run(&env, &["log", "prove", "@folder", "257"]);
    assert_eq!(proof.succeeds().json(), bundle["verificationMaterial"]["tlogEntries"][0]);
    run(&env, &["log", "prove", "@folder", "300"]).exits(2).says("there is no entry 300 in a log of 300");
    let golden = fs::read_to_string(vectors().join("trusted_root.json")).unwrap();
    let root = run(&env, &["log", "trusted-root", "@folder"]);
    assert_eq!(root.succeeds().stdout.trim_end(), golden);
    run(&env, &["log", "trusted-root", "--key", "@folder/log.pub", "-o", "%root.json"]).succeeds();
    assert_eq!(fs::read_to_string(env.at("root.json")).unwrap().trim_end(), golden);
    run(&env, &["log", "trusted-root", "@folder", "--key", "@ecdsa.pub"]).exits(1).says("of another key");
    run(&env, &["log", "trusted-root"]).exits(2);
}

/// A project that was built into a log, with a release key.
fn logged() -> Option<TestEnv> {
    let env = sandboxed()?;
    env.write("seed", "a seed\n");
    define(&env, "cat seed > out; sleep 0; ls > /dev/null", "");
    run(&env, &["keygen", "-o", "%release"]).succeeds();
    // In the project itself, where it must not become a part of the source.
    run(&env, &["log", "init", "%project/releases.log", "--origin", "log.example/releases"]).succeeds();
    build(&env, &["--log", "releases.log"]).succeeds();
    Some(env)
}

fn build(env: &TestEnv, more: &[&str]) -> Output {
    run(env, &[&["build", "--no-check", "--key", "%release.key"], more].concat())
}

fn verify(env: &TestEnv, release: &str, more: &[&str]) -> Output {
    run(env, &[&["verify", release, "--key", "%release.pub"], more].concat())
}

const LOG_KEY: [&str; 2] = ["--log-key", "%project/releases.log.pub"];

#[test]
fn sandbox_a_release_in_the_log_is_the_same_release() {
    let Some(env) = logged() else { return };
    let release = format!("%{RELEASE}");
    let size = || run(&env, &["log", "show", "%project/releases.log", "--json"]).json()["size"].clone();
    assert_eq!(size(), 4);
    const ROW: &str = "every evidence document is in a trusted transparency log";
    shows(verify(&env, &release, &LOG_KEY).succeeds(), &[&format!("passed   {ROW}")]);
    shows(verify(&env, &release, &[]).succeeds(), &[&format!("not run  {ROW}")]);
    let again = run(&env, &[&["rebuild-verify", &release, "--key", "%release.pub"], &LOG_KEY[..]].concat());
    shows(again.succeeds(), &["same"]);

    // Without a log: another folder, the same release, and not in the log.
    build(&env, &["-o", "plain.release"]).succeeds();
    let id = |release: &str| verify(&env, release, &["--json"]).json()["releaseId"].clone();
    assert_eq!(id(&release), id("%project/plain.release"));
    shows(verify(&env, "%project/plain.release", &LOG_KEY).exits(1), &["has no log entry"]);
    // In another log of the same name.
    run(&env, &["log", "init", "%forged.log", "--origin", "log.example/releases"]).succeeds();
    build(&env, &["-o", "forged.release", "--log", "%forged.log"]).succeeds();
    shows(verify(&env, "%project/forged.release", &LOG_KEY).exits(1), &["is in no log that was given"]);

    // Made again: the same documents are found, not entered twice, and what stands is taken for what it is.
    build(&env, &["--log", "releases.log"]).succeeds().says("unchanged");
    build(&env, &["-o", "again.release", "--log", "releases.log"]).succeeds();
    assert_eq!(size(), 4);
    verify(&env, "%project/again.release", &LOG_KEY).succeeds();

    // A newer version, with an older checkpoint in somebody's hands.
    fs::copy(env.at("project/releases.log/checkpoint"), env.at("kept")).unwrap();
    env.write("seed", "another seed\n");
    build(&env, &["--log", "releases.log"]).succeeds();
    assert_eq!(size(), 8);
    let check = ["log", "check", "%project/releases.log", "--since", "%kept"];
    let check = run(&env, &[&check[..], &["--key", "%project/releases.log.pub"]].concat());
    shows(check.succeeds(), &["4 entries: all of them are there, unchanged"]);
}

#[test]
fn sandbox_a_log_that_cannot_be_written_leaves_no_release() {
    let Some(env) = logged() else { return };
    fs::remove_dir_all(env.at(RELEASE)).unwrap();
    let before = fs::read(env.at("project/releases.log/checkpoint")).unwrap();
    let none = || {
        assert!(!env.at(RELEASE).exists());
        assert_eq!(fs::read(env.at("project/releases.log/checkpoint")).unwrap(), before);
    };
    env.write("seed", "another seed\n");
    // Somebody else writes, and goes on.
    let lock = fs::File::options().write(true).open(env.at("project/releases.log/.lock")).unwrap();
    lock.lock().unwrap();
    build(&env, &["--log", "releases.log", "--log-wait", "0"]).exits(3).says("is being written by another process");
    none();
    drop(lock);
    build(&env, &["--log", "nowhere"]).exits(2).says("is not a log");
    run(&env, &["log", "init", "%other.log"]).succeeds();
    build(&env, &["--log", "releases.log", "--log-signer", "%other.log.key"])
        .exits(2)
        .says("the key is not the one of the log");
    none();
    let tile = env.at("project/releases.log/tile/0/000.p/4");
    let good = fs::read(&tile).unwrap();
    fs::write(&tile, vec![0; good.len()]).unwrap();
    build(&env, &["--log", "releases.log"]).exits(2).says("give another root than its checkpoint");
    none();
    fs::write(&tile, good).unwrap();
    fs::rename(env.at("project/releases.log.key"), env.at("away.key")).unwrap();
    build(&env, &["--log", "releases.log"]).exits(2).says("--log-signer KEY");
    none();
    // A copy of the log's key that lies in the source would be published with it.
    fs::copy(env.at("away.key"), env.at("project/copy")).unwrap();
    build(&env, &["--log", "releases.log", "--log-signer", "%away.key"]).exits(2).says("is a file of the source");
    none();
    fs::remove_file(env.at("project/copy")).unwrap();
    build(&env, &["--log", "releases.log", "--log-signer", "%away.key"]).succeeds();
}

/// A definition for two platforms, in the same place.
fn define_for_two(env: &TestEnv) {
    let action = "script = \"cat seed > out; echo $TARGETPLATFORM >> out; ls > /dev/null\"\noutputs = [\"out\"]";
    let platforms = "[image]\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n";
    env.write("selfsame.toml", definition(action).replace("[image]\n", platforms));
}

#[test]
fn sandbox_a_release_for_several_platforms_is_in_the_log_with_what_joins_them() {
    let Some(env) = logged() else { return };
    define_for_two(&env);
    build(&env, &["-o", "two.release", "--log", "releases.log"]).succeeds();
    build(&env, &["-o", "unlogged.release"]).succeeds();
    let size = run(&env, &["log", "show", "%project/releases.log", "--json"]).json()["size"].clone();
    assert_eq!(size, 4 + 4 + 4 + 3, "four of the first release, four of each platform, three that join them");
    let with_log = ["--json", LOG_KEY[0], LOG_KEY[1]];
    let verdict = verify(&env, "%project/two.release", &with_log);
    let verdict = verdict.succeeds().json();
    let log =
        |checks: &Value| checks.as_array().unwrap().iter().find(|it| it["id"] == "log").unwrap()["outcome"].clone();
    assert_eq!(log(&verdict["checks"]), "passed");
    assert!(verdict["parts"].as_array().unwrap().iter().all(|part| log(&part["verdict"]["checks"]) == "passed"));
    verify(&env, "%project/unlogged.release", &with_log).exits(1);

    // The parts are in the log, and what joins them is not: its bundles are those of the other build.
    let (logged, plain) = (env.project().join("two.release"), env.project().join("unlogged.release"));
    let read =
        |folder: &Path, name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
    let about_index = |folder: &Path| -> Vec<Value> {
        let index = read(folder, "index.json");
        let top = index["manifests"][0]["digest"].clone();
        let blob = |digest: &Value| format!("blobs/sha256/{}", &digest.as_str().unwrap()["sha256:".len()..]);
        let manifests = index["manifests"].as_array().unwrap().iter().skip(1);
        manifests.filter(|it| read(folder, &blob(&it["digest"]))["subject"]["digest"] == top).cloned().collect()
    };
    let (ours, theirs) = (about_index(&logged), about_index(&plain));
    assert_eq!((ours.len(), theirs.len()), (3, 3));
    let mut index = read(&logged, "index.json");
    for listed in index["manifests"].as_array_mut().unwrap() {
        if let Some(at) = ours.iter().position(|ours| ours == listed) {
            *listed = theirs[at].clone();
        }
    }
    for name in fs::read_dir(plain.join("blobs/sha256")).unwrap() {
        let name = Path::new("blobs/sha256").join(name.unwrap().file_name());
        if !logged.join(&name).exists() {
            fs::copy(plain.join(&name), logged.join(&name)).unwrap();
        }
    }
    fs::write(logged.join("index.json"), selfsame_core::json::canonical(&index)).unwrap();
    let at_evidence = ["--depth", "evidence", "--json", LOG_KEY[0], LOG_KEY[1]];
    let verdict = verify(&env, "%project/two.release", &at_evidence);
    let verdict = verdict.exits(1).json();
    assert_eq!(log(&verdict["checks"]), "failed", "{verdict}");
    assert!(verdict["parts"].as_array().unwrap().iter().all(|part| log(&part["verdict"]["checks"]) == "passed"));
    verify(&env, "%project/two.release", &["--depth", "evidence"]).succeeds();
}

#[test]
fn a_witness_signs_one_history_only() {
    let env = empty();
    run(&env, &["log", "init", "%witness", "--origin", "log.example/releases"]).succeeds();
    copy(&vectors().join("folder"), &env.at("log"));
    let cosign = |log: &str| {
        let name = ["--name", "witness.example", "--key", "%witness.key", "--seen", "%seen"];
        run(&env, &[&["log", "cosign", log, "--log-key", "@folder/log.pub"], &name[..]].concat())
    };
    // A memory of an older tree: the log goes on from there.
    fs::copy(vectors().join("checkpoint-100"), env.at("seen")).unwrap();
    shows(
        cosign("%log").succeeds(),
        &["300 entries", "since    100 entries: all of them are there", "witness.example+"],
    );
    let signed = || run(&env, &["log", "show", "%log", "--json"]).json()["signatures"].clone();
    assert_eq!(signed(), serde_json::json!(["log.example/releases", "witness.example"]));
    cosign("%log").succeeds();
    assert_eq!(signed(), serde_json::json!(["log.example/releases", "witness.example"]), "once, however often");
    shows(run(&env, &["log", "check", "%log", "--key", "@folder/log.pub"]).succeeds(), &["300 entries"]);
    // What others know, with and without a witness's line in it.
    run(&env, &["log", "prove", "%log", "257"]).succeeds();
    let seen = fs::read(env.at("seen")).unwrap();
    // The log as it was: all of it is right, and it is not what this witness has seen.
    fs::copy(vectors().join("checkpoint-100"), env.at("log/checkpoint")).unwrap();
    let older = cosign("%log");
    older.exits(1).says("the log is not cosigned").says("the log had 300 entries and now has 100");
    assert_eq!(fs::read(env.at("seen")).unwrap(), seen);
    assert_eq!(fs::read(env.at("log/checkpoint")).unwrap(), fs::read(vectors().join("checkpoint-100")).unwrap());
    cosign("%witness").exits(1).says("has no signature by the key of");
    // While another one of it is at work, it signs nothing: its memory may be of before.
    let held = fs::File::open(env.at("seen.lock")).unwrap();
    held.lock().unwrap();
    fs::copy(vectors().join("folder/checkpoint"), env.at("log/checkpoint")).unwrap();
    cosign("%log").exits(3).says("another witness is at work with the memory").says("Nothing was signed.");
    assert_eq!(signed(), serde_json::json!(["log.example/releases"]));
    drop(held);
    cosign("%log").succeeds();
}

#[test]
fn sandbox_a_release_whose_log_a_witness_has_seen() {
    let Some(env) = logged() else { return };
    run(&env, &["log", "init", "%witness"]).succeeds();
    let name = ["--name", "witness.example", "--key", "%witness.key", "--seen", "%seen"];
    let log = ["log", "cosign", "%project/releases.log", "--log-key", "%project/releases.log.pub"];
    let cosigned = run(&env, &[&log[..], &name[..]].concat());
    let witness =
        cosigned.succeeds().stdout.lines().find_map(|line| line.strip_prefix("witness  ")).unwrap().to_owned();
    fs::write(env.at("witness.line"), witness + "\n").unwrap();
    run(&env, &["trust", "init", "%trust.toml", "--key", "%release.pub"]).succeeds();
    run(&env, &["trust", "add", "%trust.toml", "%project/releases.log.pub"]).succeeds();
    run(&env, &["trust", "add", "%trust.toml", "%witness.line"]).succeeds();
    let trust = fs::read_to_string(env.at("trust.toml")).unwrap();
    fs::write(env.at("trust.toml"), trust.replacen("\n[[log]]", "\n[threshold]\nwitness = 1\n\n[[log]]", 1)).unwrap();
    let verify = |release: &str| run(&env, &["verify", release, "--trust", "%trust.toml"]);
    // Signed before the witness looked; the same documents, looked up again, carry the witness's word.
    let early = verify(&format!("%{RELEASE}"));
    shows(early.exits(1), &["cosigned by 0 of the 1 witnesses"]);
    build(&env, &["-o", "seen.release", "--log", "releases.log"]).succeeds();
    verify("%project/seen.release").succeeds();
}

#[test]
fn foreign_verifiers_agree_about_the_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = vectors().join("document-257.sigstore.json");
    let text = fs::read_to_string(&bundle).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let subject = selfsame_core::Digest::of(b"document-257").hex();
    let changed = |path: &str, value: &str| {
        let mut changed = document.clone();
        *changed.pointer_mut(&format!("/verificationMaterial/tlogEntries/0{path}")).expect(path) = Value::from(value);
        changed
    };
    let checkpoint = document["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = document["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"].as_str().unwrap();
    // sigstore-js reads the index of the proof, sigstore-rust the one beside it; selfsame wants both to be one.
    let mut index = changed("/logIndex", "256");
    index["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["logIndex"] = Value::from("256");
    let bad = [
        ("index", index),
        ("size", changed("/inclusionProof/checkpoint/envelope", &checkpoint.replacen("\n300\n", "\n301\n", 1))),
        ("origin", changed("/inclusionProof/checkpoint/envelope", &checkpoint.replace("log.example", "log.sample"))),
        ("hash", changed("/inclusionProof/hashes/0", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")),
        ("body", changed("/canonicalizedBody", &body.replacen('e', "f", 1))),
    ];
    for (name, judge_words) in judges() {
        let (root, key) = (vectors().join("trusted_root.json"), vectors().join("signer.pub"));
        let (accepted, said) = judge(&judge_words, &root, &key, &subject, std::slice::from_ref(&bundle));
        assert!(accepted, "{name}: {said}");
        for (fault, document) in &bad {
            let path = folder.path().join(format!("{fault}.sigstore.json"));
            fs::write(&path, document.to_string()).unwrap();
            let (accepted, said) = judge(&judge_words, &root, &key, &subject, &[path]);
            assert!(!accepted, "{name} accepts a changed {fault}: {said}");
        }
    }
}

#[test]
fn foreign_verifiers_accept_a_release_whole() {
    let Some(env) = logged() else { return };
    run(&env, &["log", "trusted-root", "%project/releases.log", "-o", "%root.json"]).succeeds();
    let bundles = bundles(&env.at(RELEASE), env.root());
    assert_eq!(bundles.len(), 4);
    let image = image(&env.at(RELEASE));
    for (name, words) in judges() {
        let (accepted, said) = judge(&words, &env.at("root.json"), &env.at("release.pub"), &image, &bundles);
        assert!(accepted, "{name}: {said}");
    }
}

/// Standard library alone, written from the specifications: it reads the log itself, and both kinds of its keys.
#[test]
fn foreign_the_reader_in_python_reads_the_log_and_finds_damage() {
    let ability = Command::new("python3").arg("--version").output().map(drop).map_err(|error| error.to_string());
    if !require(Tier::Foreign, ability) {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reader/selfsame_reader.py");
    let reads = |folder: &Path, key: &str, since: Option<&str>| {
        let mut command = Command::new("python3");
        command.arg("-B").arg(&script).arg("log").arg(folder).arg(vectors().join(key));
        command.args(since.map(|since| vectors().join(since)));
        let output = command.output().expect("python3");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), said.trim_end().ends_with(": accepted"), "{said}");
        said
    };
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    copy(&vectors().join("folder"), &log);
    assert!(reads(&log, "folder/log.pub", Some("checkpoint-100")).contains("accepted"));
    fs::copy(vectors().join("ecdsa-checkpoint"), log.join("checkpoint")).unwrap();
    assert!(reads(&log, "ecdsa.pub", None).contains("accepted"));
    assert!(reads(&log, "folder/log.pub", None).contains("is not signed by this log"));
    fs::copy(vectors().join("folder/checkpoint"), log.join("checkpoint")).unwrap();
    for (file, at, because) in [
        ("tile/entries/001.p/44", 40, "entry 256 is not the one"),
        ("tile/0/000", 0, "entry 0 is not the one"),
        ("tile/1/000.p/1", 5, "tile 0 of level 1"),
        ("checkpoint", 26, "is not over this checkpoint"),
    ] {
        let good = fs::read(log.join(file)).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(log.join(file), bad).unwrap();
        let said = reads(&log, "folder/log.pub", None);
        assert!(said.contains(because), "{file}: {said}");
        fs::write(log.join(file), good).unwrap();
    }
}
