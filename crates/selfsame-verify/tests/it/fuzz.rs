//! A release with any statement in it, signed by the key that is trusted: what it says is looked at, and nothing of it may
//! end the program.

use selfsame_attest::{SigningKey, Statement, sign_statement};
use selfsame_core::uri;
use selfsame_testing::fuzz::{answer, fuzz};
use selfsame_verify::{Class, Depth, Outcome, TrustFile};

use crate::fake::{self, Parts};
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

/// A file of whom a machine believes, as somebody may send it around.
#[test]
fn fuzz_trust() {
    let key = include_str!("../../../../tests/vectors/attest/bundle-v0.3.pub");
    let text = format!(
        "version = 1\nserial = 3\nminimum-level = \"normalized\"\n\n[[key]]\nname = \"release\"\npublic = '''\n{key}'''\nfrom = \"2026-01-01\"\n\n[[rollback]]\nname = \"hello\"\nfloor = \"1.2.0\"\n"
    );
    let words = [
        "[[key]]\n",
        "[[log]]\n",
        "[[witness]]\n",
        "[[rotation]]\n",
        "[threshold]\nrelease = ",
        "version = ",
        "'''",
        "retired = ",
        "compromised = ",
    ];
    fuzz("trust", &[text.as_bytes(), b"version = 1\nserial = 1\n"], &words, |bytes| {
        answer(TrustFile::parse(&String::from_utf8_lossy(bytes)))
    });
}
