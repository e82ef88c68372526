//! What a verdict says as a whole.

use std::io::{self, Read};

use selfsame_core::{Digest, uri};
use selfsame_verify::{
    CheckId, Class, Depth, ExpectError, Expectations, Outcome, ReleaseFiles, Trust, TrustedKey, verify,
};

use crate::fake::{self, Parts, key};
use crate::{Files, assert_fails, expecting, options, table, verdict, verifies};

#[test]
fn a_good_release_verifies_at_every_depth() {
    insta::assert_snapshot!(table(&verdict(&fake::good(), Depth::Content)), @r"
    verified (content)
    trust          passed
    layout         passed
    index          passed
    image          passed
    referrers      passed
    bundles        passed
    signatures     passed
    statements     passed
    subjects       passed
    evidence-set   passed
    inventory      passed
    key            passed
    builder        passed
    build-type     passed
    parameters     passed
    relaxations    passed
    profile        passed
    inputs         passed
    sbom-digest    passed
    components     passed
    names          passed
    expectations   passed
    level          not-performed  the trust asks for no level
    rollback       not-performed  the trust has no floor under releases of this name
    blobs          passed
    nothing-extra  passed
    capsule        passed
    layers         passed
    files          passed
    claims         passed
    threshold      passed
    policy         passed
    run-record     passed
    unlisted       passed
    offline        not-performed  the caller did not say
    log            not-performed  the trust that was given names no log
    time-stamps    not-performed  the trust that was given names no time stamp authority
    ");
    insta::assert_snapshot!(table(&verdict(&fake::good(), Depth::Evidence)), @r"
    verified (evidence)
    trust          passed
    layout         passed
    index          passed
    image          passed
    referrers      passed
    bundles        passed
    signatures     passed
    statements     passed
    subjects       passed
    evidence-set   passed
    inventory      passed
    key            passed
    builder        passed
    build-type     passed
    parameters     passed
    relaxations    passed
    profile        passed
    inputs         passed
    sbom-digest    passed
    components     passed
    names          passed
    expectations   passed
    level          not-performed  the trust asks for no level
    rollback       not-performed  the trust has no floor under releases of this name
    blobs          not-performed  not asked for at depth `evidence`
    nothing-extra  not-performed  not asked for at depth `evidence`
    capsule        passed
    layers         not-performed  not asked for at depth `evidence`
    files          not-performed  not asked for at depth `evidence`
    claims         not-performed  not asked for at depth `evidence`
    threshold      passed
    policy         passed
    run-record     passed
    unlisted       passed
    offline        not-performed  the caller did not say
    log            not-performed  the trust that was given names no log
    time-stamps    not-performed  the trust that was given names no time stamp authority
    ");
    let verdict = verdict(&fake::good(), Depth::Blobs);
    verifies(&verdict);
    let evidence = verdict.evidence.as_ref().unwrap();
    let parts = Parts::good();
    assert_eq!((evidence.image, verdict.image), (parts.image_digest(), Some(parts.image_digest())));
    assert_eq!((evidence.release_id, verdict.release_id), (parts.release_id(), Some(parts.release_id())));
    assert_eq!(evidence.signer, key("signer").public());
    assert_eq!(evidence.payloads[uri::COSIGN_SIGN], Digest::of(&parts.statements()[2].to_payload()));
    assert_eq!(verdict.provenance.as_ref().unwrap().run_details.builder.id, uri::BUILDER_LOCAL);
    assert_eq!(verdict.run_record.as_ref().unwrap().release_id, parts.release_id());
}

#[test]
fn every_check_stands_in_every_verdict_in_order() {
    let nothing = Files::new();
    for files in [fake::good(), nothing] {
        let checks = verdict(&files, Depth::Content).checks;
        assert!(checks.iter().map(|check| check.id).eq(CheckId::ALL.iter().copied()));
    }
    insta::assert_snapshot!(table(&verdict(&Files::new(), Depth::Content)), @r"
    not-verified (content)
    trust          passed
    layout         failed  oci-layout is missing
    index          failed  index.json is missing
    image          not-performed  not reached: `index` failed
    referrers      not-performed  not reached: `index` failed
    bundles        not-performed  not reached: `index` failed
    signatures     not-performed  not reached: `index` failed
    statements     not-performed  not reached: `index` failed
    subjects       not-performed  not reached: `index` failed
    evidence-set   not-performed  not reached: `index` failed
    inventory      not-performed  not reached: `index` failed
    key            not-performed  not reached: `index` failed
    builder        not-performed  not reached: `index` failed
    build-type     not-performed  not reached: `index` failed
    parameters     not-performed  not reached: `index` failed
    relaxations    not-performed  not reached: `index` failed
    profile        not-performed  not reached: `index` failed
    inputs         not-performed  not reached: `index` failed
    sbom-digest    not-performed  not reached: `index` failed
    components     not-performed  not reached: `index` failed
    names          not-performed  not reached: `index` failed
    expectations   not-performed  not reached: `index` failed
    level          not-performed  not reached: `index` failed
    rollback       not-performed  not reached: `index` failed
    blobs          not-performed  not reached: `index` failed
    nothing-extra  not-performed  not reached: `index` failed
    capsule        not-performed  not reached: `index` failed
    layers         not-performed  not reached: `index` failed
    files          not-performed  not reached: `index` failed
    claims         not-performed  not reached: `index` failed
    threshold      not-performed  not reached: `index` failed
    policy         not-performed  not reached: `index` failed
    run-record     not-performed  not reached: `index` failed
    unlisted       not-performed  not reached: `index` failed
    offline        not-performed  the caller did not say
    log            not-performed  not reached: `index` failed
    time-stamps    not-performed  not reached: `index` failed
    ");
}

#[test]
fn the_json_form_begins_with_schema_and_class() {
    let verdict = verdict(&fake::good(), Depth::Content);
    let json = verdict.to_json();
    assert!(
        json.starts_with(
            r#"{"schema":"https://selfsame.dev/verdict/v1","class":"verified","depth":"content","image":"sha256:"#
        ),
        "{json}"
    );
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["checks"].as_array().unwrap().len(), CheckId::ALL.len());
    assert_eq!(value["builderId"], uri::BUILDER_LOCAL);
    let refused = crate::verdict(&Files::new(), Depth::Content).to_json();
    let value: serde_json::Value = serde_json::from_str(&refused).unwrap();
    assert_eq!((&value["class"], &value["builderId"]), (&"not-verified".into(), &serde_json::Value::Null));
}

#[test]
fn without_trust_nothing_is_answered() {
    let verdict = verify(&fake::good(), &Trust::default(), &options(Depth::Content));
    assert_eq!(verdict.class, Class::Unanswered, "{}", table(&verdict));
    assert!(verdict.evidence.is_none());
    assert!(
        matches!(&verdict.check(CheckId::Trust).outcome, Outcome::Failed { reason } if reason.contains("no trusted key"))
    );
    // What does not need trust was looked at all the same.
    assert_eq!(verdict.check(CheckId::Blobs).outcome, Outcome::Passed);
    // A fault that needs no trust to be seen is an answer.
    let mut files = fake::good();
    files.insert("blobs/sha256/x".into(), Vec::new());
    assert_eq!(verify(&files, &Trust::default(), &options(Depth::Content)).class, Class::NotVerified);
}

/// A release one of whose files cannot be read.
struct Unreadable(Files, String);

impl ReleaseFiles for Unreadable {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if name == self.1 { Err(io::Error::other("input/output error")) } else { self.0.read(name, limit) }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        if name == self.1 { Err(io::Error::other("input/output error")) } else { self.0.open(name) }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        if self.1 == "names" { Err(io::Error::other("input/output error")) } else { self.0.names() }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_no_answer_and_never_a_yes() {
    let trust = Trust::in_keys([key("signer").public()]);
    let names = fake::good().into_keys().chain(["names".to_owned()]);
    for name in names.filter(|name| name != selfsame_verify::RUN_RECORD_FILE) {
        let verdict = verify(&Unreadable(fake::good(), name.clone()), &trust, &options(Depth::Content));
        assert_ne!(verdict.class, Class::Verified, "{name}");
        assert!(
            verdict.failed().any(|check| check.outcome.reason().unwrap().contains("input/output error")),
            "{name}\n{}",
            table(&verdict)
        );
    }
    let verdict = verify(&Unreadable(fake::good(), "index.json".into()), &trust, &options(Depth::Content));
    assert_eq!(verdict.class, Class::Unanswered);
    let record = Unreadable(fake::good(), selfsame_verify::RUN_RECORD_FILE.into());
    let verdict = verify(&record, &trust, &options(Depth::Content));
    verifies(&verdict);
    assert!(verdict.check(CheckId::RunRecord).outcome.reason().unwrap().contains("input/output error"));
}

#[test]
fn expectations() {
    let trust = Trust::in_keys([key("signer").public()]);
    let parts = Parts::good();
    let (image, release) = (format!("image={}", parts.image_digest()), format!("release={}", parts.release_id()));
    let met = [
        "name=hello",
        "version=1.0.0",
        "platform=linux/amd64",
        "level=normalized",
        "source=selfsame:source",
        "builder=https://selfsame.dev/builder/local",
        "checked=true",
        &image,
        &release,
    ];
    verifies(&verify(&fake::good(), &trust, &expecting(&met)));
    for text in met {
        let (name, _) = text.split_once('=').unwrap();
        let verdict = verify(&fake::good(), &trust, &expecting(&[&format!("{name}=else")]));
        assert_fails(&verdict, CheckId::Expectations, &format!("the release's {name} is another"));
    }
    let verdict = verify(&fake::good(), &trust, &expecting(&["source-digest=00"]));
    assert_fails(&verdict, CheckId::Expectations, "source-digest");

    assert_eq!(Expectations::parse(["name"]), Err(ExpectError::NoEquals { text: "name".into() }));
    assert_eq!(
        Expectations::parse(["nmae=x"]),
        Err(ExpectError::Unknown { name: "nmae".into(), nearest: Some("name") })
    );
    assert_eq!(Expectations::parse(["name=x", "name=x"]), Err(ExpectError::Twice { name: "name" }));
    assert_eq!(Expectations::parse(["source=a=b"]).unwrap().get("source"), Some("a=b"));
}

#[test]
fn a_key_speaks_for_its_builder_only() {
    let release = |builder: &str| {
        let mut parts = Parts::good();
        parts.provenance.run_details.builder.id = builder.into();
        parts.release()
    };
    let key = |declared: Option<&str>| key("signer").public().with_builder_id(declared).unwrap();
    let judge = |files: &Files, declared: Option<&str>, listed: &[&str]| {
        let builder_ids: Vec<String> = listed.iter().map(|id| (*id).to_owned()).collect();
        let builder_ids = (!builder_ids.is_empty()).then_some(builder_ids);
        let trust = Trust::new(vec![TrustedKey { builder_ids, ..TrustedKey::new(key(declared)) }]);
        verify(files, &trust, &options(Depth::Evidence))
    };
    let (ours, other) = ("https://example.com/a", "https://example.com/b");
    verifies(&judge(&release(ours), Some(ours), &[]));
    verifies(&judge(&release(ours), None, &[other, ours]));
    verifies(&judge(&release(ours), Some(ours), &[other, ours]));
    // A development release verifies only because that very key was given, and its file says what it is.
    verifies(&judge(&release(uri::BUILDER_DEV), Some(uri::BUILDER_DEV), &[]));
    for (builder, declared, listed) in [
        (other, Some(ours), &[][..]),
        (ours, None, &[]),
        (uri::BUILDER_LOCAL, Some(ours), &[]),
        (uri::BUILDER_DEV, None, &[]),
        (ours, None, &[other]),
        (ours, Some(other), &[ours]),
        (ours, Some(ours), &[other]),
        ("https://example.com/a/", Some(ours), &[]),
    ] {
        assert_fails(&judge(&release(builder), declared, listed), CheckId::Builder, "does not speak for");
    }
}

#[test]
fn relaxations_must_be_accepted_by_name() {
    let trust = Trust::in_keys([key("signer").public()]);
    let mut parts = Parts::good();
    parts
        .provenance
        .build_definition
        .external_parameters
        .insert("relaxations".into(), serde_json::json!({"proc": "CI", "aslr": "CI"}));
    parts.provenance.run_details.builder.id = format!("{}/relaxed", uri::BUILDER_LOCAL);
    let files = parts.release();
    verifies(&verify(&files, &trust, &expecting(&["relaxations=aslr,proc"])));
    for accepted in [&[][..], &["relaxations=aslr"], &["relaxations=aslr,proc,x"]] {
        assert_fails(&verify(&files, &trust, &expecting(accepted)), CheckId::Relaxations, "other relaxations");
    }
    // A relaxation hides under no other builder's id.
    parts.provenance.run_details.builder.id = uri::BUILDER_LOCAL.into();
    assert_fails(&verify(&parts.release(), &trust, &expecting(&["relaxations=aslr,proc"])), CheckId::Builder, "");
    // And none is needed where none was used.
    assert_fails(&verify(&fake::good(), &trust, &expecting(&["relaxations=proc"])), CheckId::Relaxations, "");
}

#[test]
fn the_verdict_does_not_depend_on_the_number_of_threads() {
    let trust = Trust::in_keys([key("signer").public()]);
    let mut broken = fake::good();
    for (_, bytes) in broken.iter_mut().filter(|(name, _)| name.starts_with("blobs")).skip(2) {
        bytes.push(0);
    }
    for files in [fake::good(), broken] {
        let verdicts = [1, 2, 16].map(|threads| {
            let threads = std::num::NonZeroUsize::new(threads).unwrap();
            verify(&files, &trust, &selfsame_verify::Options { threads, ..options(Depth::Content) }).to_json()
        });
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
    }
}

#[test]
fn the_page_for_readers_has_every_check_in_order() {
    let page = include_str!("../../../../docs/verdicts.md");
    let rows: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter_map(|(id, rest)| Some((id, rest.split_once(" | ")?.0)))
        .filter(|(_, depth)| ["evidence", "blobs", "content", "-"].contains(depth))
        .collect();
    let checks: Vec<(&str, &str)> =
        CheckId::ALL.iter().map(|id| (id.as_str(), id.required_from().map_or("-", Depth::as_str))).collect();
    assert_eq!(rows, checks);
    for id in CheckId::ALL {
        let row = id.slsa().map(|step| page.lines().find(|line| line.starts_with(&format!("| {step} |"))).unwrap());
        assert!(row.is_none_or(|row| row.contains(&format!("`{}`", id.as_str()))), "{}", id.as_str());
    }
    for (name, _) in Expectations::NAMES {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
