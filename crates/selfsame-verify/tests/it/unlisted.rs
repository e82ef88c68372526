//! Statements beside the release: reported, never used, and no way around the inventory.

use selfsame_attest::{RebuildStatement, RebuildVerdict, Statement, Tool, sign_statement};
use selfsame_core::{Digest, uri};
use selfsame_verify::{CheckId, Depth, Outcome, RUN_RECORD_FILE};

use crate::fake::{self, Parts, key, signed};
use crate::{Files, fails, verdict, verifies};

fn rebuild(parts: &Parts, verdict: RebuildVerdict) -> Statement {
    let statement = RebuildStatement {
        verdict,
        release_id: parts.release_id(),
        original: parts.image_digest(),
        rebuilt: None,
        compared: Vec::new(),
        cause: String::new(),
        first_differing_action: String::new(),
        selfsame: Tool { version: "0.1.0".into(), sha256: Digest::of(b"selfsame") },
    };
    Statement::new(vec![parts.subject()], &statement)
}

/// The notes of a release that verifies.
#[track_caller]
fn notes(files: &Files) -> Vec<String> {
    let verdict = verdict(files, Depth::Content);
    verifies(&verdict);
    verdict.unlisted.into_iter().map(|it| it.note).collect()
}

#[test]
fn rebuild_statements_are_reported() {
    let parts = Parts::good();
    let beside = |bundle: Vec<u8>| {
        let mut files = fake::good();
        files.insert("rebuild-lab.sigstore.json".into(), bundle);
        files
    };
    let sign =
        |signer: &str| beside(sign_statement(&rebuild(&parts, RebuildVerdict::Same), &key(signer)).unwrap().to_bytes());
    assert_eq!(
        notes(&sign("signer")),
        [format!("by trusted key {}: a rebuild of this image", key("signer").public().key_id())]
    );
    let lab = key("lab").public().key_id();
    assert_eq!(notes(&sign("lab")), [format!("by key {lab}, which is not trusted: a rebuild of this image")]);
    let provenance = beside(signed(&parts.statements(), "lab").remove(0).1);
    assert_eq!(notes(&provenance), [format!("by key {lab}, which is not trusted: not a rebuild statement")]);
    assert_eq!(notes(&beside(b"{}".to_vec())), ["bundle: `mediaType` is missing"]);
}

#[test]
fn statements_of_others_in_the_index_are_reported() {
    let parts = Parts::good();
    let with = |more: Vec<(String, Vec<u8>)>| {
        let mut bundles = signed(&parts.statements(), "signer");
        bundles.extend(more);
        parts.lay_out(&bundles)
    };
    let scanner = key("scanner").public().key_id();
    let scan = Statement::raw(vec![parts.subject()], "https://example.com/scan/v1", Default::default());
    assert_eq!(notes(&with(signed(&[scan], "scanner"))), [format!("by key {scanner}, which is not trusted")]);
    // A second builder's provenance neither counts nor harms.
    assert_eq!(notes(&with(signed(&parts.statements(), "scanner"))).len(), 4);
    // Statements that the signer made after the inventory.
    let later = signed(&[rebuild(&parts, RebuildVerdict::Differs)], "signer");
    assert_eq!(notes(&with(later)), ["by the release's signer, made after the inventory"]);
    // A keyless bundle of another tool.
    let keyless = format!(
        r#"{{"mediaType":"{}","verificationMaterial":{{"certificate":{{"rawBytes":""}}}},"dsseEnvelope":{{}}}}"#,
        selfsame_core::media::BUNDLE
    );
    let keyless = with(vec![(uri::PROVENANCE.into(), keyless.into_bytes())]);
    assert_eq!(notes(&keyless), ["the bundle holds a certificate; only an envelope signed with a plain key is read"]);
    // But nothing by the signer slips past the inventory.
    let mut older = Parts::good();
    older.provenance.build_definition.internal_parameters.insert("older".into(), true.into());
    fails(
        &with(signed(&older.statements()[..1], "signer")),
        CheckId::EvidenceSet,
        "two documents of the kind provenance",
    );
    fails(&with(vec![(uri::PROVENANCE.into(), b"{}".to_vec())]), CheckId::Bundles, "`mediaType` is missing");
}

#[test]
fn a_run_record_counts_only_for_its_release_and_signer() {
    let parts = Parts::good();
    let reason = |record: Vec<u8>| {
        let mut files = fake::good();
        files.insert(RUN_RECORD_FILE.into(), record);
        let verdict = verdict(&files, Depth::Content);
        verifies(&verdict);
        assert!(verdict.run_record.is_none());
        match verdict.check(CheckId::RunRecord).outcome.clone() {
            Outcome::NotPerformed { reason } => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(reason(parts.run_record(Digest::of(b"other release"), "signer")).contains("about another release"));
    assert!(reason(parts.run_record(parts.release_id(), "stranger")).contains("not made by this key"));
    assert!(reason(b"junk".to_vec()).contains("not strict JSON"));
    let mut other = Parts::good();
    other.config.cmd = vec!["x".into()];
    assert!(reason(other.run_record(parts.release_id(), "signer")).contains("about another image"));
    let spaced = [&parts.run_record(parts.release_id(), "signer")[..], b"\n"].concat();
    assert!(reason(spaced).contains("canonical"));
    let provenance = signed(&parts.statements(), "signer").remove(0).1;
    assert!(reason(provenance).contains("predicate type"));
}
