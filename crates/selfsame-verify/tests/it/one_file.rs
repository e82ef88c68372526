//! Verdicts on one file and a bundle about it.

use std::collections::BTreeSet;

use selfsame_attest::{Statement, Subject, sign_statement};
use selfsame_core::{Digest, uri};
use selfsame_verify::{Class, Expectations, FileVerdict, KeyEntry, Trust, TrustFile, verify_file};

use crate::fake::{Parts, key, signed};
use crate::trust::day;

const FILE: &[u8] = b"an artifact\n";

fn trust() -> Trust {
    Trust::in_keys([key("signer").public()])
}

/// Provenance about the file, by this key.
fn bundle(signer: &str, change: impl FnOnce(&mut Statement)) -> Vec<u8> {
    let mut statement = Parts::good().statements().remove(0);
    statement.subjects = vec![Subject::new("artifact", Digest::of(FILE))];
    change(&mut statement);
    sign_statement(&statement, &key(signer)).unwrap().to_bytes()
}

fn judge(bundle: &[u8], trust: &Trust, expect: &[&str]) -> FileVerdict {
    let expect = Expectations::parse(expect.iter().copied()).unwrap();
    verify_file(Digest::of(FILE), bundle, trust, uri::PROVENANCE, &expect)
}

#[track_caller]
fn fails(verdict: &FileVerdict, id: &str, because: &str) {
    let failed = verdict.failed().unwrap();
    let reason = failed.outcome.reason().unwrap();
    assert!(failed.id == id && reason.contains(because), "{}: {reason}", failed.id);
    assert_eq!((verdict.class, &verdict.key_id), (Class::NotVerified, &None));
}

#[test]
fn a_statement_about_the_file_by_a_trusted_key() {
    let expect =
        ["name=hello", "version=1.0.0", "source=selfsame:source", "builder=https://selfsame.dev/builder/local"];
    let verdict = judge(&bundle("signer", |_| {}), &trust(), &expect);
    assert_eq!((verdict.class, verdict.key_id), (Class::Verified, Some(key("signer").public().key_id())));
    let told: Vec<String> =
        verdict.checks.iter().map(|check| format!("{} {}", check.id, check.outcome.as_str())).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    trust passed
    bundle passed
    signature passed
    statement passed
    type passed
    subject passed
    key passed
    builder passed
    build-type passed
    parameters passed
    expectations passed
    relaxations passed
    level not-performed
    rollback not-performed
    summary not-performed
    threshold not-performed
    log not-performed
    time-stamps not-performed
    offline not-performed
    ");
}

#[test]
fn everything_that_is_wrong_has_its_own_row() {
    let good = bundle("signer", |_| {});
    let nobody = judge(&good, &Trust::default(), &[]);
    assert_eq!((nobody.class, nobody.failed().unwrap().id), (Class::Unanswered, "trust"));
    fails(&judge(b"{}", &trust(), &[]), "bundle", "");
    fails(&judge(&[&good[..], b" {}"].concat(), &trust(), &[]), "bundle", "");
    fails(&judge(&bundle("stranger", |_| {}), &trust(), &[]), "signature", "no signature by a trusted key");
    let mut bent = good.clone();
    let at = bent.windows(7).position(|window| window == b"payload").unwrap() + 20;
    bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
    fails(&judge(&bent, &trust(), &[]), "signature", "no signature by a trusted key");
    // The right file and the wrong kind of statement is no answer to what was asked.
    let sbom = |statement: &mut Statement| statement.predicate_type = uri::CYCLONEDX.into();
    fails(&judge(&bundle("signer", sbom), &trust(), &[]), "type", "another type than was asked for");
    let other = |statement: &mut Statement| statement.subjects = vec![Subject::new("artifact", Digest::of(b"other"))];
    fails(&judge(&bundle("signer", other), &trust(), &[]), "subject", "about something else");
    let builder = |statement: &mut Statement| {
        statement.predicate["runDetails"]["builder"]["id"] = "https://example.com/elsewhere".into();
    };
    fails(&judge(&bundle("signer", builder), &trust(), &[]), "builder", "does not speak for");
    let parameter = |statement: &mut Statement| {
        statement.predicate["buildDefinition"]["externalParameters"]["sources"] = "elsewhere".into();
    };
    fails(&judge(&bundle("signer", parameter), &trust(), &[]), "parameters", "unknown field `sources`");
    // Of another build type nobody here knows what its parameters mean; somebody has to expect it.
    let other = |statement: &mut Statement| {
        statement.predicate["buildDefinition"]["buildType"] = "https://example.com/build/v1".into();
        statement.predicate["buildDefinition"]["externalParameters"] = serde_json::json!({ "workflow": "x" });
    };
    fails(
        &judge(&bundle("signer", other), &trust(), &[]),
        "build-type",
        "neither selfsame's nor one that was expected",
    );
    let expected = judge(&bundle("signer", other), &trust(), &["build-type=https://example.com/build/v1"]);
    assert_eq!(expected.class, Class::Verified);
    let row = expected.checks.iter().find(|check| check.id == "parameters").unwrap();
    assert_eq!(row.outcome.as_str(), "not-performed");
    fails(&judge(&good, &trust(), &["build-type=https://example.com/build/v1"]), "expectations", "build-type");
    fails(&judge(&good, &trust(), &["version=2.0.0"]), "expectations", "the provenance's version is another");
    // What no provenance says is not met by silence.
    fails(&judge(&good, &trust(), &["checked=true"]), "expectations", "checked");
    // A bundle out of a release is about its image, not about any file.
    let of_image = &signed(&Parts::good().statements(), "signer")[0].1;
    fails(&judge(of_image, &trust(), &[]), "subject", "about something else");
}

#[test]
fn the_key_has_to_count_and_may_have_to_be_logged() {
    let good = bundle("signer", |_| {});
    let with = |change: fn(&mut TrustFile)| {
        let mut file = TrustFile::empty();
        file.keys.push(KeyEntry::new("release", key("signer").public()));
        file.keys.push(KeyEntry::new("other", key("other").public()));
        change(&mut file);
        let text = file.to_string();
        TrustFile::parse(&text).unwrap().at(day("2026-11-20"), &text)
    };
    assert_eq!(judge(&good, &with(|_| {}), &[]).class, Class::Verified);
    let compromised = with(|file| file.keys[0].compromised = Some(day("2026-01-01")));
    fails(&judge(&good, &compromised, &[]), "key", "is compromised since 2026-01-01");
    // A list of releases says nothing about a file.
    let retired = with(|file| file.keys[0].retired = Some(day("2026-01-01")));
    fails(&judge(&good, &retired, &[]), "key", "is retired since 2026-01-01");
    let only_sbom = with(|file| file.keys[0].predicates = Some(BTreeSet::from([uri::CYCLONEDX.to_owned()])));
    fails(&judge(&good, &only_sbom, &[]), "key", "may not sign statements of this type");
    let logged = with(|file| {
        let log = selfsame_log::LogSigner::from_seed(&[7; 32]);
        file.logs.push(selfsame_verify::trust::LogLine::new(log.key("log.example").unwrap()));
    });
    fails(&judge(&good, &logged, &[]), "log", "has no log entry");
}

/// What a trust file asks of a release it asks of its provenance alone, too.
#[test]
fn the_demands_of_a_trust_file_hold_for_provenance() {
    let with = |more: &str| {
        let mut file = TrustFile::empty();
        file.keys.push(KeyEntry::new("release", key("signer").public()));
        file.keys.push(KeyEntry::new("other", key("other").public()));
        let text = file.to_string().replacen("\n\n[[key]]", &format!("\n{more}\n\n[[key]]"), 1);
        TrustFile::parse(&text).unwrap().at(day("2026-11-20"), &text)
    };
    let good = bundle("signer", |_| {});
    let level = |level: &str| with(&format!("minimum-level = \"{level}\""));
    assert_eq!(judge(&good, &level("isolated"), &[]).class, Class::Verified);
    fails(&judge(&good, &level("deterministic"), &[]), "level", "lower level than the trust asks for");
    let floor = |version: &str| with(&format!("[[rollback]]\nname = \"hello\"\nversion = \"{version}\""));
    assert_eq!(judge(&good, &floor("1.0.0"), &[]).class, Class::Verified);
    fails(&judge(&good, &floor("1.0.1"), &[]), "rollback", "older than the least version");
    let unperformed = judge(&good, &with("[threshold]\nrelease = 2"), &[]);
    let row = unperformed.checks.iter().find(|check| check.id == "threshold").unwrap();
    assert_eq!(
        row.outcome.reason(),
        Some("one bundle is one voice; of a release the trust asks for 2, and for 0 rebuilds")
    );
    // What another build type calls a level or a name is not what the trust means by it.
    let foreign = bundle("signer", |statement| {
        statement.predicate["buildDefinition"]["buildType"] = "https://example.com/other".into();
    });
    let accepted = &["build-type=https://example.com/other"][..];
    assert_eq!(judge(&foreign, &trust(), accepted).class, Class::Verified);
    let unknown = "parameters mean is not known";
    fails(&judge(&foreign, &level("isolated"), accepted), "level", unknown);
    fails(&judge(&foreign, &floor("1.0.0"), accepted), "rollback", unknown);
    // A relaxed build says so, its builder's id says so, and somebody has to expect it.
    let relaxed = |statement: &mut Statement| {
        let build = &mut statement.predicate["buildDefinition"]["externalParameters"];
        build["relaxations"] = serde_json::json!({ "network": "for a test" });
        statement.predicate["runDetails"]["builder"]["id"] = format!("{}/relaxed", uri::BUILDER_LOCAL).into();
    };
    let both = bundle("signer", relaxed);
    assert_eq!(judge(&both, &trust(), &["relaxations=network"]).class, Class::Verified);
    fails(&judge(&both, &trust(), &[]), "relaxations", "other relaxations than those accepted");
    fails(&judge(&good, &trust(), &["relaxations=network"]), "relaxations", "other relaxations");
    let only_id = |statement: &mut Statement| {
        statement.predicate["runDetails"]["builder"]["id"] = format!("{}/relaxed", uri::BUILDER_LOCAL).into();
    };
    fails(&judge(&bundle("signer", only_id), &trust(), &[]), "builder", "does not speak for");
}
