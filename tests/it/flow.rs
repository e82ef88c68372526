//! What a newcomer does, in order, and what everybody may rely on: streams, exit codes, `--json`, keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use selfsame_testing::{Filter, Output, TestEnv, picture};

use crate::world::{DEV_KEY, RELEASE, build, define, empty, recorded, sandboxed, shown, verify};

/// The project is `examples/hello-c` as it comes from version control.
fn hello() -> Option<TestEnv> {
    let env = sandboxed()?;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hello-c");
    for name in ["hello.c", "selfsame.toml"] {
        env.write(name, fs::read(example.join(name)).expect("a file of the example"));
    }
    Some(env)
}

/// Fails unless stdout is one JSON object whose first field is `schema`, of this kind.
#[track_caller]
fn has_schema(output: &Output, schema: &str) -> serde_json::Value {
    let value = output.json();
    let first = output.stdout.trim_start().trim_start_matches('{').trim_start();
    assert!(first.starts_with("\"schema\""), "schema is not first: {}", output.transcript(Filter::NONE));
    assert_eq!(value["schema"], format!("https://selfsame.dev/{schema}"));
    value
}

#[test]
fn sandbox_a_newcomer_tries_everything() {
    let Some(env) = hello() else { return };
    let built = build(&env, &[]);
    insta::assert_snapshot!(shown(&built), @r"
    exit 0
    --- stdout
    image    sha256:[DIGEST]  (hello:1.0.0, [N] KiB in 1 files)
    release  sha256:[DIGEST]
    --- stderr
           key a development key was made for this machine; releases by it are for trying out
        source 2 files, [N] bytes, epoch [TIME]
       observe the actions, once, to record which of this machine's tools they use
        record [TOOLS]
           ran compile in [TIME]
      assemble image from [N] KiB
          sign provenance, SBOM, image, inventory
         built hello-1.0.0.release in [TIME]

    try:
      selfsame verify hello-1.0.0.release --key [TMP]/home/.local/share/selfsame/dev.pub
      selfsame rebuild-verify hello-1.0.0.release --key [TMP]/home/.local/share/selfsame/dev.pub
      selfsame tamper hello-1.0.0.release -o hello-1.0.0.tampered && selfsame verify hello-1.0.0.tampered --key [TMP]/home/.local/share/selfsame/dev.pub   # must fail

    This release is signed by this machine's development key: fine to try, not to ship.
    ");
    let release = "project/hello-1.0.0.release";
    let path = env.at(release);
    let key = env.at(DEV_KEY);
    let (release_path, key) = (path.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    insta::assert_snapshot!(shown(&verify(&env, release)), @r"
    exit 0
    --- stdout
    verified: `[TMP]/project/hello-1.0.0.release`, down to every file in its layers
      image    sha256:[DIGEST]
      release  sha256:[DIGEST]
      passed   a trusted key was given
      passed   the release is an OCI layout of a known version
      passed   index.json lists one image and what refers to it
      passed   image manifest and config have their digests and agree
      passed   every referrer is about this image
      passed   every evidence document is one well-formed bundle
      passed   one trusted key signed every evidence document
      passed   every signed payload is an in-toto statement
      passed   every statement is about this image by its SHA-256
      passed   provenance, SBOM, image signature and inventory are there once each
      passed   the inventory lists exactly the evidence that is there
      passed   the key counts for what it signed
      passed   the key may speak for the builder
      passed   the build type is selfsame's
      passed   the external parameters hold known fields only
      passed   the build used no relaxation but those accepted
      passed   the profile is one that this version knows
      passed   every input is named with its digest
      passed   the SBOM is the one that the provenance names
      passed   every input in the SBOM is an input of the provenance
      passed   the release is filed under its signed name and version
      passed   the release is the expected one
      not run  the build achieved the level that the trust asks for: the trust asks for no level
      not run  the release is not older than the trust allows: the trust has no floor under releases of this name
      passed   every blob that is named is there with its digest and size
      passed   there is no file that nothing names
      passed   every part of the capsule is an input of the provenance
      passed   every layer is safe to unpack and has its diffID
      passed   the SBOM's files are the image's files
      passed   what the SBOM says is a package's is in the image
      passed   as many vouch for it as the trust asks for
      passed   the policy allows the release
      passed   the run record is about this release and by its signer
      passed   statements outside the inventory were not used
      passed   the kernel refused the network while it was judged
      not run  every evidence document is in a trusted transparency log: the trust that was given names no log
      not run  what trusted authorities stamped are these signatures: the trust that was given names no time stamp authority
      claimed by no package: 1 of 1 files, 100.0 % of the bytes
    ");

    let rebuilt = env.selfsame(["rebuild-verify", release_path, "--key", key]);
    insta::assert_snapshot!(shown(&rebuilt), @r"
    exit 0
    --- stdout
    same: `[TMP]/project/hello-1.0.0.release` was built again, and every digest is equal
      image       sha256:[DIGEST]
      provenance  sha256:[DIGEST]
      sbom        sha256:[DIGEST]
      signature   sha256:[DIGEST]
      inventory   sha256:[DIGEST]
    --- stderr
      verified [TMP]/project/hello-1.0.0.release
           ran compile in [TIME]
      assemble image from [N] KiB
    ");

    let tampered = env.at("tampered").to_str().expect("UTF-8").to_owned();
    env.selfsame(["tamper", release_path, "-o", &tampered]).succeeds();
    insta::assert_snapshot!(shown(&verify(&env, "tampered")), @r"
    exit 1
    --- stdout
    not verified: blob: blobs/sha256/[DIGEST] does not have the digest that it is named for
      image    sha256:[DIGEST]
      release  sha256:[DIGEST]
      passed   a trusted key was given
      passed   the release is an OCI layout of a known version
      passed   index.json lists one image and what refers to it
      passed   image manifest and config have their digests and agree
      passed   every referrer is about this image
      passed   every evidence document is one well-formed bundle
      passed   one trusted key signed every evidence document
      passed   every signed payload is an in-toto statement
      passed   every statement is about this image by its SHA-256
      passed   provenance, SBOM, image signature and inventory are there once each
      passed   the inventory lists exactly the evidence that is there
      passed   the key counts for what it signed
      passed   the key may speak for the builder
      passed   the build type is selfsame's
      passed   the external parameters hold known fields only
      passed   the build used no relaxation but those accepted
      passed   the profile is one that this version knows
      passed   every input is named with its digest
      passed   the SBOM is the one that the provenance names
      passed   every input in the SBOM is an input of the provenance
      passed   the release is filed under its signed name and version
      passed   the release is the expected one
      not run  the build achieved the level that the trust asks for: the trust asks for no level
      not run  the release is not older than the trust allows: the trust has no floor under releases of this name
      FAILED   every blob that is named is there with its digest and size: blob: blobs/sha256/[DIGEST] does not have the digest that it is named for
                 expected  sha256:[DIGEST]
                 found     sha256:[DIGEST]
      passed   there is no file that nothing names
      not run  every part of the capsule is an input of the provenance: not reached: `blobs` failed
      not run  every layer is safe to unpack and has its diffID: not reached: `blobs` failed
      not run  the SBOM's files are the image's files: not reached: `blobs` failed
      not run  what the SBOM says is a package's is in the image: not reached: `blobs` failed
      not run  as many vouch for it as the trust asks for: not reached: `blobs` failed
      not run  the policy allows the release: not reached: `blobs` failed
      passed   the run record is about this release and by its signer
      passed   statements outside the inventory were not used
      passed   the kernel refused the network while it was judged
      not run  every evidence document is in a trusted transparency log: the trust that was given names no log
      not run  what trusted authorities stamped are these signatures: the trust that was given names no time stamp authority
    ");

    // What it shows of itself.
    let inspected = env.selfsame(["inspect", release_path]);
    inspected.succeeds();
    for line in ["(not verified)", "hello", "compile", "toolchain cc", "builder    https://selfsame.dev/"] {
        assert!(inspected.stdout.contains(line), "no `{line}` in {}", inspected.stdout);
    }
    let sbom = env.selfsame(["sbom", release_path]);
    assert_eq!((sbom.succeeds().json()["bomFormat"].as_str(), sbom.stderr.as_str()), (Some("CycloneDX"), ""));
    let check = env.selfsame(["sbom", release_path, "--check"]);
    assert!(matches!(check.code, 0 | 1) && check.stdout.contains("NTIA"), "{}", check.transcript(Filter::NONE));

    // And beside another.
    insta::assert_snapshot!(shown(&env.selfsame(["diff", release_path, release_path])), @r"
    exit 0
    --- stdout
    same: the images are equal
    ");
    let source = env.read("project/hello.c");
    env.write("hello.c", source.replace("hello", "hullo"));
    assert_ne!(source, env.read("project/hello.c"));
    build(&env, &["-o", "other.release"]).succeeds();
    let other = env.at("project/other.release").to_str().expect("UTF-8").to_owned();
    let differs = env.selfsame(["diff", release_path, &other]);
    differs.exits(1);
    assert!(differs.stdout.starts_with("differs\n"), "{}", differs.stdout);
    for word in ["layer", "hello"] {
        assert!(differs.stdout.contains(word), "no `{word}` in {}", differs.stdout);
    }

    // The same as JSON, `schema` first.
    let json = |arguments: &[&str]| env.selfsame(arguments.iter().chain(&["--json"]));
    assert_eq!(
        has_schema(json(&["build", "--dev-key", "-o", "json.release"]).succeeds(), "built/v1")["class"],
        "built"
    );
    let verified = json(&["verify", release_path, "--key", key]);
    verified.succeeds();
    let value = verified.json();
    assert!(value["schema"].as_str().is_some_and(|schema| schema.starts_with("https://selfsame.dev/")));
    assert!(verified.stdout.trim_start_matches(['{', '\n', ' ']).starts_with("\"schema\""));
    let tampered = json(&["verify", &tampered, "--key", key]);
    assert_eq!(tampered.exits(1).json()["class"], "not-verified");
    let rebuilt = json(&["rebuild-verify", &other, "--key", key]);
    assert_eq!(has_schema(rebuilt.succeeds(), "rebuild-verdict/v1")["class"], "same");
    assert_eq!(has_schema(json(&["diff", &other, &other]).succeeds(), "diff/v1")["class"], "same");
    assert_eq!(has_schema(json(&["diff", release_path, &other]).exits(1), "diff/v1")["class"], "differs");
    assert_eq!(has_schema(json(&["inspect", &other]).succeeds(), "inspect/v1")["verified"], false);
    has_schema(&json(&["sbom", &other, "--check"]), "sbom-check/v1");
    assert_eq!(has_schema(json(&["store", "check"]).succeeds(), "store-check/v1")["class"], "ok");
    assert!(has_schema(json(&["store", "du"]).succeeds(), "store-usage/v1")["blobs"].as_u64() > Some(0));
    assert_eq!(has_schema(json(&["doctor"]).succeeds(), "doctor/v1")["class"], "ready");
    has_schema(json(&["toolchain", "list"]).succeeds(), "toolchains/v1");
}

#[test]
fn errors_are_json_too_where_that_was_asked_for() {
    let env = empty();
    let output = env.selfsame(["build", "--dev-key", "--json", "nowhere"]);
    let value = has_schema(output.exits(2), "report/v1");
    assert_eq!((value["class"].as_str(), value["exit"].as_u64()), (Some("error"), Some(2)));
    assert!(value["headline"].as_str().is_some_and(|text| text.contains("nowhere")), "{value}");
}

#[test]
fn completions_and_help_are_data() {
    let env = empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = env.selfsame(["completions", shell]);
        assert!(output.succeeds().stdout.contains("rebuild-verify"), "{shell}");
        assert_eq!(output.stderr, "");
    }
    for topic in [
        "release",
        "verdicts",
        "keys",
        "levels",
        "definition",
        "lock",
        "origins",
        "registry",
        "shared-store",
        "capsules",
        "capsule",
        "build",
        "rebuild-verify",
        "store",
    ] {
        let output = env.selfsame(["help", topic]);
        assert!(output.succeeds().stdout.lines().count() > 5, "{topic}: {}", output.stdout);
        assert_eq!(output.stderr, "");
    }
    env.selfsame(["help"]).succeeds();
    env.selfsame(["--version"]).succeeds();
    insta::assert_snapshot!(env.selfsame(["help", "verdict"]).transcript(Filter::NONE), @r"
    exit 2
    --- stderr
    error: there is no topic `verdict`
      topics  release, verdicts, keys, levels, definition, lock, origins, registries, shared-store, capsules, init, doctor, keygen, lock, fetch, toolchain, build, verify, verify-file, rebuild-verify, trust, policy, push, pull, check, index, diff, inspect, sbom, tamper, selftest, log, store, capsule, conformance, completions, help

    hint: selfsame help verdicts
    ");
}

#[test]
fn usage_that_is_not_understood_is_no_answer() {
    let env = empty();
    insta::assert_snapshot!(env.selfsame(["build", "--dev-kye"]).transcript(Filter::NONE), @r"
    exit 2
    --- stderr
    error: unexpected argument '--dev-kye' found

      tip: a similar argument exists: '--dev-key'

    Usage: selfsame build --dev-key [PATH]

    For more information, try '--help'.
    ");
    for words in [&["bild"][..], &[], &["verify"], &["verify", "x"], &["build", "--relax", "proc"], &["diff", "x"]] {
        let output = env.selfsame(words);
        assert_eq!((output.exits(2).stdout.as_str(), output.stderr.is_empty()), ("", false), "{words:?}");
    }
    env.selfsame(["verify", "nowhere", "--key", "nothing"]).exits(2).says("nothing");
    assert_eq!(picture(&env.project()), "");
}

#[test]
fn a_key_is_never_made_in_silence() {
    let mut env = empty();
    define(&env, "true", "");
    insta::assert_snapshot!(env.selfsame(["build"]).transcript(Filter::NONE), @r"
    exit 2
    --- stderr
    error: no key was given, and there is no terminal
      Nothing was built.

    hint: pass `--key FILE`, `--key env:NAME` or `--key exec:COMMAND`; `selfsame keygen` makes a key
    hint: or `--dev-key`, to try: such releases are refused unless that very key is given
    ");
    env.set("CI", "true");
    env.selfsame(["build"]).exits(2).says("CI is set");
    assert!(!env.at("home/.local").exists(), "a key was made");
    env.selfsame(["build", "--key", "a", "--dev-key"]).exits(2);
}

#[test]
fn sandbox_ci_may_have_a_development_key_that_it_asks_for() {
    let Some(mut env) = recorded() else { return };
    env.set("CI", "true");
    build(&env, &[]).succeeds();
    verify(&env, RELEASE).succeeds();
    // Flags can come from the environment.
    env.set("SELFSAME_OUTPUT", env.project().join("named.release"));
    build(&env, &[]).succeeds();
    verify(&env, "project/named.release").succeeds();
}

#[test]
fn keygen_never_replaces_a_key() {
    let env = empty();
    let made = env.selfsame(["keygen", "-o", "release"]);
    made.succeeds();
    assert!(!made.stdout.contains("PRIVATE"), "{}", made.stdout);
    let private = env.project().join("release.key");
    assert_eq!(fs::metadata(&private).expect("the key").permissions().mode() & 0o777, 0o600);
    let before = picture(&env.project());
    insta::assert_snapshot!(env.selfsame(["keygen", "-o", "release"]).transcript(Filter::NONE), @r"
    exit 2
    --- stderr
    error: `release.pub` exists, and a key is never replaced

    hint: choose another name with `selfsame keygen -o PREFIX`
    ");
    assert_eq!(picture(&env.project()), before);
    // Half a pair is a pair.
    fs::remove_file(&private).expect("the private half");
    env.selfsame(["keygen", "-o", "release"]).exits(2).says("release.pub");
    assert!(!private.exists());
}

#[test]
fn sandbox_a_release_key_wants_a_clean_source_and_says_where_it_is_not() {
    let Some(env) = recorded() else { return };
    env.selfsame(["keygen", "-o", "../release", "--builder-id", "https://example.com/builder"]).succeeds();
    let key = "../release.key";
    env.write(".gitignore", "*.release\nselfsame.host.lock\n");
    let commit = env.git_commit("first");
    env.selfsame(["build", "--key", key]).succeeds();
    let inspect = |release: &str| {
        let output = env.selfsame(["inspect", release, "--json"]);
        output.succeeds().json()["predicates"]["https://slsa.dev/provenance/v1"]["buildDefinition"].to_string()
    };
    assert!(inspect("probe-1.0.0.release").contains(&commit));

    env.write("seed", "another seed\n");
    let before = picture(&env.at(RELEASE));
    insta::assert_snapshot!(shown(&env.selfsame(["build", "--key", key])), @r"
    exit 2
    --- stderr
        source 3 files, [N] bytes, epoch [TIME]
    error: the source has changes that no commit holds, and this is a release key
      commit   dd01210f8f5cfa710b94e3d87347027745cf244b
      changed  seed
      Nothing was built.

    hint: commit the changes, or pass `--allow-dirty`: the provenance then says that the source was dirty
    ");
    assert_eq!(picture(&env.at(RELEASE)), before, "a release was replaced");
    env.selfsame(["build", "--key", key, "--allow-dirty", "-o", "dirty.release"]).succeeds();
    let dirty = inspect("dirty.release");
    assert!(dirty.contains("dirty") && !dirty.contains(&commit), "{dirty}");
    let public = env.at("release.pub").to_str().expect("UTF-8").to_owned();
    env.selfsame(["verify", "dirty.release", "--key", &public]).succeeds();
    env.selfsame(["rebuild-verify", "dirty.release", "--key", &public]).succeeds();

    // Another key says no; a private one says nothing.
    env.selfsame(["keygen", "-o", "../other"]).succeeds();
    let other = env.selfsame(["verify", "dirty.release", "--key", "../other.pub"]);
    assert!(other.exits(1).stdout.starts_with("not verified: "), "{}", other.stdout);
    env.selfsame(["rebuild-verify", "dirty.release", "--key", "../other.pub"]).exits(1).says("is not verified");
    insta::assert_snapshot!(shown(&env.selfsame(["verify", "dirty.release", "--key", key])), @r"
    exit 2
    --- stderr
    error: `../release.key` is not a public key: the key file holds a `PRIVATE KEY` block; a `PUBLIC KEY` block is wanted

    hint: `selfsame keygen -o KEY` writes KEY.pub beside KEY.key; give the .pub file
    ");
}

#[test]
fn sandbox_keys_come_from_the_environment() {
    let Some(mut env) = recorded() else { return };
    env.selfsame(["keygen", "-o", "../release"]).succeeds();
    let arguments = ["build", "--no-check", "--key", "env:RELEASE_KEY"];
    env.selfsame(arguments).exits(2).says("the variable `RELEASE_KEY` is not set");
    env.set("RELEASE_KEY", "not a key");
    let wrong = env.selfsame(arguments);
    wrong.exits(2).says("`env:RELEASE_KEY` cannot be used");
    assert!(!wrong.stderr.contains("not a key\n"), "the value was printed: {}", wrong.stderr);
    let key = env.read("release.key");
    env.set("RELEASE_KEY", &key);
    let built = env.selfsame(arguments);
    built.succeeds();
    env.selfsame(["verify", "probe-1.0.0.release", "--key", "../release.pub"]).succeeds();
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(!built.stdout.contains(&body[..40]) && !built.stderr.contains(&body[..40]), "the key was printed");
}
