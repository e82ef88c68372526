//! A release with any statement in it, signed by the key that is trusted: what it says is looked at, and nothing of it may
//! end the program.

use selfsame_attest::{Rotation, SigningKey, Statement, canonical_of, sign_statement};
use selfsame_core::{Digest, uri};
use selfsame_testing::fuzz::fuzz;
use selfsame_verify::{Class, Depth, Expectations, Export, KeyEntry, Outcome, Trust, TrustFile};

use crate::fake::{self, Parts};
use crate::trust::day;
use crate::verdict;

#[test]
fn fuzz_release() {
    let parts = Parts::good();
    let statements = parts.statements();
    let seeds: Vec<Vec<u8>> = statements.iter().map(Statement::to_payload).collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let words = [
        "\"subject\":[",
        "\"sha256\":\"",
        "\"resolvedDependencies\":[",
        "\"components\":[",
        "\"purl\":",
        "\"hashes\":[",
        "\"formulation\":[",
        "\"externalParameters\":{",
        "\"documents\":[",
        "[]",
        "{}",
        "null",
        "\"level\":\"isolated\"",
    ];
    let key: SigningKey = fake::key("signer");
    fuzz("release", &seeds, &words, |bytes| {
        let Ok(statement) = Statement::parse(bytes) else { return Err("no statement".to_owned()) };
        // Printing it is the work of this test, and what has no canonical form is never printed.
        if canonical_of(&serde_json::Value::Object(statement.predicate.clone())).is_err() {
            return Err("no canonical form".to_owned());
        }
        // In the place of the one whose type it has, with an inventory that lists it.
        let mut changed: Vec<Statement> = statements.clone();
        match changed.iter().position(|known| known.predicate_type == statement.predicate_type) {
            Some(place) => changed[place] = statement,
            None => changed.push(statement),
        }
        if changed[3].predicate_type == uri::INVENTORY && changed[3] == statements[3] {
            changed[3] = parts.inventory(&changed[..3]);
        }
        let mut bundles = Vec::new();
        for statement in &changed {
            let Ok(bundle) = sign_statement(statement, &key) else { return Err("not to be signed".to_owned()) };
            bundles.push((statement.predicate_type.clone(), bundle.to_bytes()));
        }
        let verdict = verdict(&parts.lay_out(&bundles), Depth::Content);
        let _ = verdict.to_json();
        match verdict.class {
            Class::Verified => Ok(()),
            _ => Err(format!(
                "{:?}",
                verdict
                    .checks
                    .iter()
                    .map(|check| (check.id, matches!(check.outcome, Outcome::Passed)))
                    .collect::<Vec<_>>()
            )),
        }
    });
}

/// The index of a release and every manifest in it, in the bytes that a folder has them in.
#[test]
fn fuzz_release_files() {
    let files = fake::good();
    let index = files["index.json"].clone();
    let words = [
        "\"manifests\":[",
        "\"digest\":\"sha256:",
        "\"size\":",
        "\"annotations\":{",
        "\"artifactType\":",
        "\"platform\":{",
        "null",
    ];
    fuzz("release-files", &[&index], &words, |bytes| {
        let mut files = files.clone();
        files.insert("index.json".to_owned(), bytes.to_vec());
        let verdict = verdict(&files, Depth::Blobs);
        Err(format!("{:?}", verdict.class))
    });
}

/// A trust file, and everything that is made of one: what it says on a day, its text, the words of others.
#[test]
fn fuzz_trust() {
    let mut file = TrustFile::empty();
    file.keys.push(KeyEntry::new("a", fake::key("a").public()));
    let rotation = Rotation::sign(&fake::key("a"), &fake::key("b").public(), day("2026-06-01"), Default::default());
    file.rotate(rotation.expect("a signature"), "b", "2026-01-01".parse().expect("a day")).expect("a rotation");
    let log = "[[log]]\nkey = \"log.example/releases+78aa29ad+AR5QLMJkMJzfj0PdvZGlJlIlgFpsKqFhmNpb/qZcMuTZ\"\n";
    let more =
        format!("{file}\n{log}[[rollback]]\nname = \"x\"\nversion = \"1.0\"\nepoch = 1\n[threshold]\nrelease = 1\n");
    let words = [
        "[[key]]\n",
        "successor-of = \"",
        "retired = \"",
        "2026-06-01\"\n",
        "predicates = [\"",
        "compromised = \"",
        "\"\"\"\n",
    ];
    fuzz("trust", &[file.to_string().as_bytes(), more.as_bytes()], &words, |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let file = TrustFile::parse(text).map_err(|error| error.message)?;
        let again = file.to_string();
        assert_eq!(TrustFile::parse(&again).as_ref(), Ok(&file), "{again}");
        let trust = file.at(day("2026-11-20"), text);
        assert_eq!(trust.keys().len(), file.keys.len());
        for format in [Export::Cosign, Export::Kyverno, Export::PolicyController] {
            let _ = file.export(format, day("2026-11-20"), "*", None);
        }
        Ok(())
    });
}

/// A bundle about one file: whatever it holds, it verifies only if the key signed it.
#[test]
fn fuzz_one_file() {
    let subject = selfsame_attest::Subject::new("a", Digest::of(b"a"));
    let mut statement = Parts::good().statements().remove(0);
    statement.subjects = vec![subject];
    let bundle = sign_statement(&statement, &fake::key("signer")).expect("a signature").to_bytes();
    let trust = Trust::in_keys([fake::key("signer").public()]);
    let payload = selfsame_attest::Bundle::parse(&bundle).expect("a bundle").payload_digest();
    let words = ["\"tlogEntries\":[", "\"payload\":\"", "\"signatures\":[{", "\"keyid\":", "null", "\"hint\":"];
    fuzz("one-file", &[&bundle], &words, |bytes| {
        let expect = Expectations::default();
        let verdict = selfsame_verify::verify_file(Digest::of(b"a"), bytes, &trust, uri::PROVENANCE, &expect);
        match verdict.failed() {
            None => {
                let bundle = selfsame_attest::Bundle::parse(bytes).expect("what verifies is a bundle");
                assert_eq!(bundle.payload_digest(), payload, "nobody signed another");
                Ok(())
            }
            Some(check) => Err(format!("{} {}", check.id, check.outcome.reason().unwrap_or_default())),
        }
    });
}

/// A bundle of the client of sigstore-conformance, and its trusted root: whatever they hold, nothing verifies that the key
/// did not sign.
#[test]
fn fuzz_conformance() {
    use selfsame_verify::conformance::{TrustedRoot, verify_bundle};
    let signer = fake::key("signer").public();
    let (file, logged) = crate::conformance::logged();
    let log = crate::conformance::root();
    let root = br#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[]}"#;
    let far: Vec<String> = logged.iter().map(|bundle| bundle.replace("7000001", "9007199254740993")).collect();
    assert!(logged.iter().zip(&far).all(|(one, other)| one != other));
    let seeds = logged.iter().chain(&far).map(String::as_bytes).chain([&root[..]]).collect::<Vec<_>>();
    let words = ["\"tlogEntries\":[{", "\"messageDigest\":{", "\"logId\":{", "null", "-1", "9007199254740993"];
    fuzz("conformance", &seeds, &words, |bytes| {
        let parsed = TrustedRoot::parse(bytes).ok();
        for root in [parsed.as_ref(), Some(&log)] {
            verify_bundle(Digest::of(b"b"), bytes, &signer, root).expect_err("nobody signed this");
        }
        verify_bundle(file, bytes, &signer, Some(&log)).map(drop).map_err(|error| error.to_string())
    });
}
