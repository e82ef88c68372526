//! Judges of other people's: what they say of our documents, and what we say of theirs. docs/judges.md.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use selfsame_core::Digest;
use selfsame_testing::{Output, TestEnv, Tier, require};
use serde_json::{Value, json};

use crate::contract::prints;
use crate::trust::world;

/// A way to call a judge: with a trusted root or `-`, a key, the SHA-256 that the bundles are about, and bundles. It says
/// `accepted` or `refused` of each.
pub(crate) type Judge = Vec<OsString>;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").canonicalize().expect("the tests")
}

/// The value of a variable that says where something of tier `foreign` is.
fn installed(variable: &str) -> Option<OsString> {
    let value = std::env::var_os(variable);
    let ability = value.as_ref().map(drop).ok_or_else(|| format!("{variable} is not set"));
    value.filter(|_| require(Tier::Foreign, ability))
}

/// One of the judges of tests/foreign/judge.py.
fn in_python(name: &str) -> Option<Judge> {
    let script = tests().join("foreign/judge.py").into_os_string();
    Some(vec![installed("SELFSAME_PYTHON")?, "-B".into(), script, name.into()])
}

/// The judges that verify a log entry as well.
pub(crate) fn judges() -> Vec<(&'static str, Judge)> {
    let mut found = Vec::new();
    if let Some(modules) = installed("SELFSAME_SIGSTORE_JS") {
        let script = tests().join("foreign/verify_sigstore.mjs").into_os_string();
        found.push(("sigstore-js", vec!["node".into(), script, modules]));
    }
    found.extend(installed("SELFSAME_SIGSTORE_RUST").map(|program| ("sigstore-rust", vec![program])));
    found.extend(in_python("sigstore-python").map(|judge| ("sigstore-python", judge)));
    if Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        let script = tests().join("reader/selfsame_reader.py").into_os_string();
        found.push(("the reader in Python", vec!["python3".into(), "-B".into(), script, "bundles".into()]));
    } else {
        let _ = require(Tier::Foreign, Err("there is no python3".to_owned()));
    }
    found
}

/// Whether a judge accepts every bundle, and what it says.
pub(crate) fn judge(judge: &[OsString], root: &Path, key: &Path, about: &str, bundles: &[PathBuf]) -> (bool, String) {
    let mut command = Command::new(&judge[0]);
    command.args(&judge[1..]).arg(root).arg(key).arg(about).args(bundles);
    let output = command.output().expect("a judge");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let accepted = said.lines().filter(|line| line.ends_with(": accepted")).count() == bundles.len();
    assert_eq!(accepted, output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    (accepted, said)
}

/// The documents of a release, as files in a folder.
pub(crate) fn bundles(release: &Path, to: &Path) -> Vec<PathBuf> {
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(release.join(name)).unwrap()).unwrap() };
    let blob = |digest: &Value| format!("blobs/sha256/{}", &digest.as_str().unwrap()["sha256:".len()..]);
    let mut found = Vec::new();
    for referrer in read("index.json")["manifests"].as_array().unwrap() {
        if referrer["artifactType"].as_str().is_some_and(|kind| kind.contains("sigstore")) {
            let layer = &read(&blob(&referrer["digest"]))["layers"][0]["digest"];
            let path = to.join(format!("{}.sigstore.json", found.len()));
            fs::copy(release.join(blob(layer)), &path).unwrap();
            found.push(path);
        }
    }
    found
}

/// The SHA-256 of a release's image in hex.
pub(crate) fn image(release: &Path) -> String {
    let index: Value = serde_json::from_slice(&fs::read(release.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap()["sha256:".len()..].to_owned()
}

/// Their statement's type, as a bundle's payload says it.
fn predicate_type(bundle: &Path) -> String {
    let bundle = selfsame_attest::Bundle::parse(&fs::read(bundle).unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(bundle.unverified_payload()).unwrap();
    statement["predicateType"].as_str().unwrap().to_owned()
}

#[test]
fn foreign_libraries_read_a_release_that_is_in_no_log() {
    let env = world();
    let release = env.project().join("one.release");
    let (key, other) = (env.project().join("old.pub"), env.project().join("new.pub"));
    let documents = bundles(&release, env.root());
    assert_eq!(documents.len(), 4);
    let (image, none) = (image(&release), Path::new("-"));
    let rust = installed("SELFSAME_SIGSTORE_RUST").map(|program| vec![program]);
    for (name, judge_words) in [
        ("securesystemslib", in_python("securesystemslib")),
        ("sigstore-python", in_python("sigstore-python")),
        ("sigstore-rust", rust),
    ] {
        let Some(words) = judge_words else { continue };
        let (accepted, said) = judge(&words, none, &key, &image, &documents);
        if name == "sigstore-rust" {
            // It wants a time or a log entry of every bundle, also where the log is not asked for.
            assert!(!accepted && said.contains("at least one tlog entry or timestamp"), "{said}");
            continue;
        }
        assert!(accepted, "{name}: {said}");
        let (accepted, said) = judge(&words, none, &other, &image, &documents);
        assert!(!accepted && !said.contains(": accepted"), "{name} by another key: {said}");
    }
    // No keys here: the statements themselves. One is known to be refused: cosign's has an empty predicate, which the
    // specification allows.
    let Some(words) = in_python("in-toto") else { return };
    for document in &documents {
        let (accepted, said) = judge(&words, none, &key, &image, std::slice::from_ref(document));
        let kind = predicate_type(document);
        assert_eq!(accepted, !kind.ends_with("/cosign/sign/v1"), "{kind}: {said}");
        assert!(accepted || said.contains("Predicate object required"), "{said}");
    }
}

#[test]
fn foreign_cdx_validate_finds_the_sbom_valid() {
    let Some(modules) = installed("SELFSAME_SIGSTORE_JS") else { return };
    let env = world();
    env.selfsame(["sbom", "one.release", "-o", "sboms"]).succeeds();
    let sbom = env.project().join("sboms/sbom.cdx.json");
    let validate = |file: &Path| -> (bool, Value) {
        let mut command = Command::new("node");
        command.arg(Path::new(&modules).join("node_modules/.bin/cdx-validate")).arg("--input").arg(file);
        // The scorecards want what an SBOM of one file cannot have. Into a file: a pipe gets 64 KiB of the report.
        let report = env.at("report.json");
        command.args(["--strict", "--fail-severity", "critical", "--report", "json", "--report-file"]).arg(&report);
        let output = command.output().expect("node");
        let said = fs::read(&report).expect("a report");
        fs::remove_file(&report).expect("a report");
        (output.status.success(), serde_json::from_slice(&said).expect("a report in JSON"))
    };
    let (fine, said) = validate(&sbom);
    assert!(fine && said["schemaValid"] == true && said["deepValid"] == true, "{}", said["summary"]);
    // That it would find something.
    let mut broken: Value = serde_json::from_slice(&fs::read(&sbom).unwrap()).unwrap();
    broken["components"][0]["type"] = json!("nothing");
    fs::write(env.at("broken.json"), broken.to_string()).unwrap();
    let (fine, said) = validate(&env.at("broken.json"));
    assert!(!fine && said["schemaValid"] == false, "{}", said["summary"]);
}

/// A statement about bytes, as text.
fn statement(about: &[u8], change: impl FnOnce(&mut Value)) -> String {
    let mut statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "artifact", "digest": { "sha256": Digest::of(about).hex() } }],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": { "buildType": "https://example.com/built-by-others/v1", "externalParameters": {} },
            "runDetails": { "builder": { "id": "https://example.com/others" } },
        },
    });
    change(&mut statement);
    statement.to_string()
}

/// Makers of bundles with a key of their own: how each is called with a folder, a statement, and an artifact.
fn makers() -> Vec<(&'static str, Judge)> {
    let mut found = Vec::new();
    if let Some(modules) = installed("SELFSAME_SIGSTORE_JS") {
        let script = tests().join("foreign/make_bundles.mjs").into_os_string();
        found.push(("sigstore-js", vec!["node".into(), script, modules]));
    }
    found.extend(installed("SELFSAME_SIGSTORE_RUST").map(|program| ("sigstore-rust", vec![program, "make".into()])));
    if let Some(python) = installed("SELFSAME_PYTHON") {
        let script = tests().join("foreign/make_bundles.py").into_os_string();
        for name in ["securesystemslib", "sigstore-python"] {
            found.push((name, vec![python.clone(), "-B".into(), script.clone(), name.into()]));
        }
    }
    if Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success()) {
        let script = tests().join("foreign/make_bundles.sh").into_os_string();
        found.push(("openssl and a shell", vec!["sh".into(), script]));
    } else {
        let _ = require(Tier::Foreign, Err("there is no openssl".to_owned()));
    }
    found
}

/// The bundles of a maker about an artifact, in a folder.
fn made(maker: &[OsString], folder: &Path, statement: &str, artifact: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    let (text, file) = (folder.join("statement.json"), folder.join("artifact"));
    fs::write(&text, statement).unwrap();
    fs::write(&file, artifact).unwrap();
    prints(Command::new(&maker[0]).args(&maker[1..]).arg(folder).arg(&text).arg(&file));
}

/// `verify-file` of what stands in a folder, by the key in another.
fn verify_file(env: &TestEnv, folder: &Path, key: &Path, more: &[&str]) -> Output {
    let key = fs::read_to_string(key.join("key.pub")).unwrap();
    let named = env.at("maker.pub");
    fs::write(&named, format!("selfsame-builder-id: https://example.com/others\n{key}")).unwrap();
    let mut words: Vec<OsString> = vec!["verify-file".into(), folder.join("artifact").into()];
    words.extend(["--bundle".into(), folder.join("statement.sigstore.json").into(), "--key".into(), named.into()]);
    words.push("--json".into());
    words.extend(["--expect", "build-type=https://example.com/built-by-others/v1"].map(OsString::from));
    words.extend(more.iter().map(OsString::from));
    env.selfsame(words)
}

/// The row that failed, and why.
fn failed(output: &Output) -> (String, String) {
    let verdict = output.exits(1).json();
    let check = verdict["checks"].as_array().unwrap().iter().find(|check| check["outcome"] == "failed").unwrap();
    (check["id"].as_str().unwrap().to_owned(), check["reason"].as_str().unwrap().to_owned())
}

#[test]
fn foreign_we_read_what_others_make() {
    let env = TestEnv::new(crate::world::SELFSAME);
    let artifact = b"an artifact\n";
    let at = |name: &str, case: &str| env.at("made").join(name).join(case);
    let mut keys = Vec::new();
    for (name, maker) in makers() {
        let good = at(name, "good");
        made(&maker, &good, &statement(artifact, |_| ()), artifact);
        verify_file(&env, &good, &good, &[]).succeeds();
        verify_file(&env, &good, &good, &["--expect", "builder=https://example.com/others"]).succeeds();
        for (case, row, because, bad) in [
            ("elsewhere", "subject", "about something else", statement(b"another artifact\n", |_| ())),
            (
                "type",
                "type",
                "of another type",
                statement(artifact, |it| it["predicateType"] = json!("https://x.example")),
            ),
            (
                "builder",
                "builder",
                "a builder that its key does not speak for",
                statement(artifact, |it| it["predicate"]["runDetails"]["builder"]["id"] = json!("https://x.example")),
            ),
            (
                "build",
                "build-type",
                "neither selfsame's nor one that was expected",
                statement(artifact, |it| it["predicate"]["buildDefinition"]["buildType"] = json!("https://x.example")),
            ),
            (
                "hash",
                "subject",
                "about something else",
                statement(artifact, |it| {
                    let hex = it["subject"][0]["digest"]["sha256"].take();
                    it["subject"][0]["digest"] = json!({ "sha512": hex });
                }),
            ),
        ] {
            let folder = at(name, case);
            made(&maker, &folder, &bad, artifact);
            let (found, why) = failed(&verify_file(&env, &folder, &folder, &[]));
            assert!(found == row && why.contains(because), "{name}, {case}: {found}: {why}");
        }
        keys.push((name, good));
    }
    // Each by another's key.
    for (at, (name, good)) in keys.iter().enumerate() {
        let (other, key) = &keys[(at + 1) % keys.len()];
        if name != other {
            let (found, why) = failed(&verify_file(&env, good, key, &[]));
            assert!(found == "signature" && why.contains("no signature by a trusted key"), "{name} by {other}: {why}");
        }
    }
    // A statement of an older form, where the maker does not refuse it itself: sigstore-python does.
    for (name, maker) in makers().into_iter().filter(|(name, _)| *name != "sigstore-python") {
        let folder = at(name, "old");
        let old = statement(artifact, |it| it["_type"] = json!("https://in-toto.io/Statement/v0.1"));
        made(&maker, &folder, &old, artifact);
        assert_eq!(failed(&verify_file(&env, &folder, &folder, &[])).0, "statement", "{name}");
    }
}

/// The protocol of sigstore-conformance, in the order in which the suite gives its words.
fn conforms(env: &TestEnv, bundle: &Path, key: &Path, file: impl Into<OsString>) -> Output {
    let words: [OsString; 6] =
        ["conformance".into(), "verify-bundle".into(), "--bundle".into(), bundle.into(), "--key".into(), key.into()];
    env.selfsame(words.into_iter().chain([file.into()]))
}

#[test]
fn foreign_conformance_judges_what_others_make() {
    let env = TestEnv::new(crate::world::SELFSAME);
    let artifact = b"an artifact\n";
    let digest = format!("sha256:{}", Digest::of(artifact).hex());
    env.write("other", "another file\n");
    let mut keys = Vec::new();
    for (name, maker) in makers() {
        let folder = env.at("made").join(name);
        made(&maker, &folder, &statement(artifact, |_| ()), artifact);
        let key = folder.join("key.pub");
        for (kind, said) in [("statement", "a signed statement about it"), ("message", "a signature over it")] {
            let bundle = folder.join(format!("{kind}.sigstore.json"));
            if name == "securesystemslib" && kind == "message" {
                assert!(!bundle.exists(), "it knows none");
                continue;
            }
            for file in [folder.join("artifact").into_os_string(), OsString::from(&digest)] {
                let output = conforms(&env, &bundle, &key, file);
                assert!(output.succeeds().stdout.contains(said), "{name}: {}", output.stdout);
            }
            let other = conforms(&env, &bundle, &key, env.project().join("other"));
            assert!(other.exits(1).stdout.starts_with("not verified: "), "{name}: {}", other.stdout);
            keys.push((name, bundle, key.clone()));
        }
    }
    for (at, (name, bundle, _)) in keys.iter().enumerate() {
        let (other, _, key) = &keys[(at + 2) % keys.len()];
        if name != other {
            let output = conforms(&env, bundle, key, &digest);
            assert!(
                output.exits(1).stdout.contains("was not made by this key"),
                "{name} by {other}: {}",
                output.stdout
            );
        }
    }
}

#[test]
fn conformance_speaks_the_protocol() {
    let env = world();
    let release = env.project().join("one.release");
    let documents = bundles(&release, env.root());
    let (image, key) = (image(&release), env.project().join("old.pub"));
    let manifest = release.join("blobs/sha256").join(&image);
    let digest = format!("sha256:{image}");
    for document in &documents {
        conforms(&env, document, &key, manifest.as_os_str()).succeeds();
        conforms(&env, document, &key, &digest).succeeds();
        conforms(&env, document, &env.project().join("new.pub"), &digest).exits(1);
    }
    // A digest only if there is no such file, and if it is one.
    fs::write(env.project().join(&digest), "a file\n").unwrap();
    let named = conforms(&env, &documents[0], &key, &digest);
    assert!(named.exits(1).stdout.contains("about something else"), "{}", named.stdout);
    fs::remove_file(env.project().join(&digest)).unwrap();
    conforms(&env, &documents[0], &key, &digest[..70]).exits(2).says("cannot read `sha256:");
    // With a trusted root whose logs it is in none of; staging changes nothing.
    let logs = tests().join("vectors/log");
    let asked = |more: &[&str], bundle: &Path| {
        let words = ["conformance", "verify-bundle", "--staging", "--bundle"].map(OsString::from);
        let more = more.iter().map(|word| match word.strip_prefix('@') {
            Some(name) => logs.join(name).into_os_string(),
            None => OsString::from(word),
        });
        env.selfsame(words.into_iter().chain([bundle.into()]).chain(more))
    };
    let root = ["--key", "old.pub", "--trusted-root", "@trusted_root.json", &digest];
    assert!(asked(&root, &documents[0]).exits(1).stdout.contains("has no log entry"));
    let about = format!("sha256:{}", Digest::of(b"document-257").hex());
    let logged = logs.join("document-257.sigstore.json");
    let root = ["--key", "@signer.pub", "--trusted-root", "@trusted_root.json", &about];
    assert!(asked(&root, &logged).succeeds().stdout.contains("in a trusted log"));
    let unasked = asked(&["--key", "@signer.pub", &about], &logged);
    assert!(unasked.succeeds().stdout.contains("not judged: no trusted root was given"), "{}", unasked.stdout);
    asked(&["--key", "@signer.pub", "--trusted-root", "@signer.pub", &about], &logged)
        .exits(2)
        .says("is not a trusted root");
    // Certificates are for others: alone, and beside a key.
    let identity = ["--certificate-identity", "x", "--certificate-oidc-issuer", "https://example.com", &digest];
    asked(&identity, &documents[0]).exits(2).says("bundles with certificates are not judged");
    asked(&[&["--key", "old.pub"], &identity[..]].concat(), &documents[0]).exits(2).says("cannot be used with");
}

/// The attacks of `selfsame selftest` on sigstore-js: what it lets through of these classes is known, and why
/// (docs/judges.md); what it lets through elsewhere was measured by hand.
#[test]
fn foreign_attacks_are_put_to_sigstore_js() {
    let Some(modules) = installed("SELFSAME_SIGSTORE_JS") else { return };
    let env = TestEnv::new(crate::world::SELFSAME);
    let script = tests().join("foreign/verify_sigstore.mjs");
    let command = format!(
        "node '{}' '{}' {{trusted_root}} {{key}} {{digest}} type={{type}} {{bundle}}",
        script.display(),
        Path::new(&modules).display()
    );
    let output = env.selfsame(["selftest", "--only", "control,signature,log", "--against", &command, "--json"]);
    let said = output.exits(1).json();
    assert_eq!(said["accepted"], said["good"], "a good one was refused");
    let cases = said["cases"].as_array().unwrap();
    assert!(cases.len() > 40 && cases.iter().all(|case| case["said"] != "broke"), "{}", cases.len());
    let wrong = cases.iter().filter(|case| case["right"] == false && case["case"]["grounds"] != "strict");
    let mut let_through: Vec<&str> = wrong.map(|case| case["case"]["name"].as_str().unwrap()).collect();
    let_through.sort_unstable();
    let known = ["another-root", "another-size", "index-negative", "index-too-large", "of-another-key"];
    assert_eq!(let_through, known.map(|name| format!("log/{name}.file")));
}
