//! Statements beside the release: reported, never used, and no way around the inventory.

use selfsame_attest::{Bundle, RebuildStatement, RebuildVerdict, Statement, Tool, sign_statement};
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
}

/// Whoever can attach something to an image says nothing against it.
#[test]
fn what_no_trusted_key_signed_takes_nothing_away() {
    let parts = Parts::good();
    let ours = signed(&parts.statements(), "signer");
    let text = String::from_utf8(ours[0].1.clone()).unwrap();
    // The signer's key id on what it did not sign.
    let mut forged = parts.statements()[0].clone();
    forged.subjects[0].name = "another".into();
    let forged = sign_statement(&forged, &key("stranger")).unwrap();
    let stranger = key("stranger").public().key_id();
    let forged = String::from_utf8(forged.to_bytes()).unwrap().replace(&stranger, &key("signer").public().key_id());
    let attached: [(&str, Vec<u8>, &str); 5] = [
        (uri::PROVENANCE, b"{}".to_vec(), "`mediaType` is missing"),
        (uri::PROVENANCE, b"no JSON".to_vec(), "not strict JSON"),
        (uri::PROVENANCE, text.replace("v0.3+json", "v0.2+json").into(), "media type"),
        (uri::PROVENANCE, forged.into(), "the signature was not made by this key"),
        // The signer's own document under another label, which anybody can put on it.
        ("https://example.com/other", ours[0].1.clone(), "is labelled `https://example.com/other`"),
    ];
    for (label, bytes, because) in attached {
        for first in [true, false] {
            let mut bundles = ours.clone();
            bundles.insert(if first { 0 } else { bundles.len() }, (label.to_owned(), bytes.clone()));
            let told = notes(&parts.lay_out(&bundles));
            assert!(told.len() == 1 && told[0].contains(because), "{told:?}");
        }
        // In the place of a document of ours it is the reason why that one is missing.
        let mut bundles = ours.clone();
        bundles[0] = (label.to_owned(), bytes);
        let verdict = verdict(&parts.lay_out(&bundles), Depth::Content);
        let reason = verdict.failed().next().and_then(|check| check.outcome.reason()).unwrap_or_default();
        assert!(!verdict.is_verified() && reason.contains(because), "{reason}");
    }
}

/// What is wrong with one signer's documents is that signer's.
#[test]
fn a_signer_whose_documents_fall_takes_nothing_from_another() {
    let parts = Parts::good();
    let mut bundles = signed(&parts.statements(), "signer");
    let mut others = signed(&parts.statements(), "lab");
    others[0].0 = "https://example.com/other".to_owned();
    let trust = |first: &str, second: &str| selfsame_verify::Trust::in_keys([first, second].map(|by| key(by).public()));
    for at in [0, bundles.len()] {
        let mut all = bundles.clone();
        all.splice(at..at, others.clone());
        for trust in [trust("signer", "lab"), trust("lab", "signer")] {
            let files = parts.lay_out(&all);
            let verdict = selfsame_verify::verify(&files, &trust, &crate::options(Depth::Content));
            verifies(&verdict);
            assert_eq!(verdict.evidence.as_ref().unwrap().signer, key("signer").public());
        }
    }
    // Alone they are a no.
    bundles.remove(0);
    bundles.extend(others);
    let verdict =
        selfsame_verify::verify(&parts.lay_out(&bundles), &trust("signer", "lab"), &crate::options(Depth::Content));
    assert!(!verdict.is_verified());
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
    // What no digest covers and nobody signed is not put into it either.
    let record = || Bundle::parse(&parts.run_record(parts.release_id(), "signer")).unwrap();
    assert!(reason(record().with_timestamps(vec![b"a stamp".to_vec()]).to_bytes()).contains("canonical"));
    assert!(reason(record().with_log_entries(vec![serde_json::json!({})]).to_bytes()).contains("canonical"));
    let provenance = signed(&parts.statements(), "signer").remove(0).1;
    assert!(reason(provenance).contains("predicate type"));
}
