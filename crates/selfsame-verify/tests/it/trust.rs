//! Verdicts by a trust file: whose key counts, on which day, for what; and what is asked beside a signature.

use std::collections::BTreeSet;

use serde_json::json;

use selfsame_attest::{Comparison, RebuildStatement, RebuildVerdict, Rotation, Statement, Tool, sign_statement};
use selfsame_core::{Day, Digest, uri};
use selfsame_verify::{CheckId, Class, Depth, KeyEntry, Trust, TrustFile, Verdict, verify};

use crate::fake::{self, Parts, key, signed};
use crate::{Files, assert_fails, options, table, verifies};

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A trust file with the fake release's key in it, changed.
pub(crate) fn file(change: impl FnOnce(&mut TrustFile)) -> TrustFile {
    let mut file = TrustFile::empty();
    file.keys.push(KeyEntry::new("release", key("signer").public()));
    change(&mut file);
    // What is asked of a file goes through its text: what cannot be written is not tested here.
    TrustFile::parse(&file.to_string()).unwrap()
}

fn trust(file: &TrustFile, at: &str) -> Trust {
    file.at(day(at), &file.to_string())
}

fn judge(files: &Files, file: &TrustFile, at: &str) -> Verdict {
    verify(files, &trust(file, at), &options(Depth::Content))
}

fn judge_good(change: impl FnOnce(&mut KeyEntry), at: &str) -> Verdict {
    judge(&fake::good(), &file(|file| change(&mut file.keys[0])), at)
}

#[test]
fn a_key_in_use_counts_and_the_verdict_names_the_file() {
    let file = file(|_| {});
    let verdict = judge(&fake::good(), &file, "2026-11-20");
    verifies(&verdict);
    let source = verdict.trust.as_ref().unwrap();
    assert_eq!(
        (source.serial, source.at, source.digest),
        (1, day("2026-11-20"), Digest::of(file.to_string().as_bytes()))
    );
    let json: serde_json::Value = serde_json::from_str(&verdict.to_json()).unwrap();
    assert_eq!(json["trust"], json!({"at": "2026-11-20", "serial": 1, "sha256": source.digest.hex()}));
    assert!(verdict.check(CheckId::Key).facts.iter().any(|fact| fact.value == "in use on 2026-11-20"));
}

#[test]
fn an_empty_trust_file_verifies_nothing() {
    let empty = TrustFile::parse(&TrustFile::empty().to_string()).unwrap();
    let verdict = judge(&fake::good(), &empty, "2026-11-20");
    assert_eq!(verdict.class, Class::Unanswered, "{}", table(&verdict));
    assert_eq!(verdict.check(CheckId::Trust).outcome.reason(), Some("the trust file has no key"));
    assert!(verdict.evidence.is_none());
}

#[test]
fn a_key_counts_between_its_days() {
    let within = |key: &mut KeyEntry| (key.from, key.until) = (Some(day("2026-02-01")), Some(day("2026-03-01")));
    for at in ["2026-02-01", "2026-02-15", "2026-03-01"] {
        verifies(&judge_good(within, at));
    }
    assert_fails(&judge_good(within, "2026-01-31"), CheckId::Key, "counts from 2026-02-01 on");
    assert_fails(&judge_good(within, "2026-03-02"), CheckId::Key, "counted until 2026-03-01");
}

#[test]
fn a_retired_key_counts_until_that_day() {
    let retired = |key: &mut KeyEntry| key.retired = Some(day("2026-06-01"));
    verifies(&judge_good(retired, "2026-05-31"));
    assert_fails(&judge_good(retired, "2026-06-01"), CheckId::Key, "is retired since 2026-06-01, and nothing shows");
}

#[test]
fn a_compromised_key_counts_on_no_day() {
    let compromised = |key: &mut KeyEntry| key.compromised = Some(day("2026-06-01"));
    // To ask about an earlier day does not show that anything was signed then.
    for at in ["2020-01-01", "2026-05-31", "2026-06-01", "2030-01-01"] {
        assert_fails(&judge_good(compromised, at), CheckId::Key, "is compromised since 2026-06-01");
    }
}

/// A file in which `signer` is followed by `second`, whose rotation accepts these releases.
fn rotated(accepted: &[Digest]) -> TrustFile {
    let envelope = Rotation::sign(
        &key("signer"),
        &key("second").public(),
        day("2026-06-01"),
        accepted.iter().copied().collect::<BTreeSet<_>>(),
    );
    file(|file| drop(file.rotate(envelope.unwrap(), "release-2", day("2026-01-01")).unwrap()))
}

#[test]
fn a_rotation_keeps_the_releases_that_it_lists_and_no_other() {
    let parts = Parts::good();
    let (listed, unlisted) = (rotated(&[parts.release_id()]), rotated(&[Digest::of(b"another")]));
    assert_eq!(listed.keys[1].successor_of.as_deref(), Some("release"));
    assert_eq!(listed.serial, 2);
    let verdict = judge(&fake::good(), &listed, "2026-07-01");
    verifies(&verdict);
    let standing = verdict.check(CheckId::Key).facts.iter().find(|fact| fact.label == "standing").unwrap();
    assert!(standing.value.contains("on the list that it signed"), "{standing:?}");
    assert_fails(&judge(&fake::good(), &unlisted, "2026-07-01"), CheckId::Key, "is retired since 2026-06-01");
    // The successor signs what comes.
    verifies(&judge(&parts.lay_out(&signed(&parts.statements(), "second")), &unlisted, "2026-07-01"));
}

#[test]
fn what_a_compromised_key_signed_when_it_was_retired_is_no_proof() {
    let parts = Parts::good();
    let mut file = rotated(&[parts.release_id()]);
    file.keys[0].compromised = Some(day("2026-08-01"));
    // The list may be the thief's.
    assert_fails(&judge(&fake::good(), &file, "2026-09-01"), CheckId::Key, "is compromised since 2026-08-01");
    // And so may the successor.
    let by_second = parts.lay_out(&signed(&parts.statements(), "second"));
    assert_fails(&judge(&by_second, &file, "2026-09-01"), CheckId::Key, "was named by `release`, which is compromised");
    // Whoever knows the successor otherwise says so in the file.
    file.keys[1].successor_of = None;
    verifies(&judge(&by_second, &TrustFile::parse(&file.to_string()).unwrap(), "2026-09-01"));
}

#[test]
fn a_successor_without_its_predecessors_signature_does_not_count() {
    let parts = Parts::good();
    let by_second = parts.lay_out(&signed(&parts.statements(), "second"));
    let mut file = rotated(&[]);
    file.rotations.clear();
    let file = TrustFile::parse(&file.to_string()).unwrap();
    assert_fails(
        &judge(&by_second, &file, "2026-07-01"),
        CheckId::Key,
        "is the successor of `release` without its signature",
    );
}

#[test]
fn a_chain_breaks_at_any_link() {
    let parts = Parts::good();
    let mut file = rotated(&[]);
    let next = Rotation::sign(&key("second"), &key("third").public(), day("2026-07-01"), BTreeSet::new()).unwrap();
    file.rotate(next, "release-3", day("2026-01-01")).unwrap();
    let by_third = parts.lay_out(&signed(&parts.statements(), "third"));
    verifies(&judge(&by_third, &file, "2026-08-01"));
    file.keys[0].compromised = Some(day("2026-09-01"));
    assert_fails(&judge(&by_third, &file, "2026-08-01"), CheckId::Key, "was named by `release`");
}

#[test]
fn a_key_signs_only_what_it_may() {
    let only = |types: &[&str]| {
        let types = types.iter().map(|kind| (*kind).to_owned()).collect();
        judge_good(|key| key.predicates = Some(types), "2026-11-20")
    };
    let all = [uri::PROVENANCE, uri::CYCLONEDX, uri::COSIGN_SIGN, uri::INVENTORY];
    verifies(&only(&all));
    for (missing, name) in all.into_iter().zip(["provenance", "SBOM", "image signature", "inventory"]) {
        let rest: Vec<&str> = all.into_iter().filter(|kind| *kind != missing).collect();
        // A file in which nobody may sign an inventory asks for what cannot be: it needs one who may.
        let types = rest.iter().map(|kind| (*kind).to_owned()).collect();
        let file = file(|file| {
            file.keys[0].predicates = Some(types);
            file.keys.push(KeyEntry::new("somebody-else", key("second").public()));
        });
        assert_fails(&judge(&fake::good(), &file, "2026-11-20"), CheckId::Key, &format!("may not sign this: {name}"));
    }
}

#[test]
fn builders_of_the_file_bind() {
    let ours = |ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        judge_good(|key| key.builder_ids = Some(ids), "2026-11-20")
    };
    verifies(&ours(&[uri::BUILDER_LOCAL]));
    assert_fails(&ours(&["https://example.com/builder"]), CheckId::Builder, "does not speak for");
    assert_fails(&ours(&[]), CheckId::Builder, "does not speak for");
}

#[test]
fn the_least_level() {
    let at_least = |level: &str| file(|file| file.minimum_level = Some(level.parse().unwrap()));
    verifies(&judge(&fake::good(), &at_least("isolated"), "2026-11-20"));
    verifies(&judge(&fake::good(), &at_least("normalized"), "2026-11-20"));
    let verdict = judge(&fake::good(), &at_least("deterministic"), "2026-11-20");
    assert_fails(&verdict, CheckId::Level, "lower level than the trust asks for");
    let verdict = judge(&fake::good(), &file(|_| {}), "2026-11-20");
    assert_eq!(verdict.check(CheckId::Level).outcome.reason(), Some("the trust asks for no level"));
}

#[test]
fn an_older_release_is_refused_with_its_reason() {
    let parts = |epoch: Option<u64>| {
        let mut parts = Parts::good();
        if let Some(epoch) = epoch {
            parts.provenance.build_definition.internal_parameters.insert("epoch".into(), epoch.into());
        }
        parts.release()
    };
    let floor = |text: &str| {
        let text = format!("{}\n[[rollback]]\nname = \"hello\"\n{text}\n", file(|_| {}));
        TrustFile::parse(&text).unwrap()
    };
    for (floor_text, epoch, because) in [
        ("version = \"1.0.0\"", None, ""),
        ("version = \"0.9.9\"", None, ""),
        ("epoch = 1700000000", Some(1_700_000_000), ""),
        ("version = \"1.0.1\"", None, "older than the least version"),
        ("version = \"latest\"", None, "cannot be put in an order"),
        ("epoch = 1700000001", Some(1_700_000_000), "older than the least epoch"),
        ("epoch = 1", None, "says no source epoch"),
    ] {
        let verdict = judge(&parts(epoch), &floor(floor_text), "2026-11-20");
        match because {
            "" => verifies(&verdict),
            because => assert_fails(&verdict, CheckId::Rollback, because),
        }
    }
    // Another name's floor is not this one's.
    let text = floor("version = \"9\"").to_string().replace("\"hello\"", "\"other\"");
    verifies(&judge(&parts(None), &TrustFile::parse(&text).unwrap(), "2026-11-20"));
}

#[test]
fn thresholds_count_who_signs_not_keys() {
    let parts = Parts::good();
    let both = |identities: [&str; 2]| {
        file(|file| {
            file.keys.push(KeyEntry::new("second", key("second").public()));
            file.keys.push(KeyEntry::new("third", key("third").public()));
            for (entry, identity) in file.keys.iter_mut().zip(identities) {
                entry.identity = identity.to_owned();
            }
            file.release_threshold = 2;
        })
    };
    let release = |signers: &[&str]| {
        let bundles: Vec<_> = signers.iter().flat_map(|signer| signed(&parts.statements(), signer)).collect();
        parts.lay_out(&bundles)
    };
    verifies(&judge(&release(&["signer", "second"]), &both(["a", "b"]), "2026-11-20"));
    let verdict = judge(&release(&["signer", "second"]), &both(["a", "a"]), "2026-11-20");
    assert_fails(&verdict, CheckId::Threshold, "1 of the 2 identities");
    let verdict = judge(&release(&["signer"]), &both(["a", "b"]), "2026-11-20");
    assert_fails(&verdict, CheckId::Threshold, "1 of the 2 identities");
    // Twice the same is not two; nor is a key that nobody trusts.
    let verdict = judge(&release(&["signer", "stranger"]), &both(["a", "b"]), "2026-11-20");
    assert_fails(&verdict, CheckId::Threshold, "1 of the 2 identities");
    // A key that does not count has no voice.
    let mut lapsed = both(["a", "b"]);
    lapsed.keys[1].compromised = Some(day("2026-01-01"));
    let verdict = judge(&release(&["signer", "second"]), &lapsed, "2026-11-20");
    assert_fails(&verdict, CheckId::Threshold, "1 of the 2 identities");
}

/// A rebuild statement about this release, as a file beside it.
pub(crate) fn rebuild(parts: &Parts, signer: &str, change: impl FnOnce(&mut RebuildStatement)) -> Vec<u8> {
    let image = parts.image_digest();
    let mut statement = RebuildStatement {
        verdict: RebuildVerdict::Same,
        release_id: parts.release_id(),
        original: image,
        rebuilt: Some(image),
        compared: vec![Comparison { name: "image".into(), original: image, rebuilt: image }],
        cause: String::new(),
        first_differing_action: String::new(),
        selfsame: Tool { version: "0.1.0".into(), sha256: Digest::of(b"selfsame") },
    };
    change(&mut statement);
    sign_statement(&Statement::new(vec![parts.subject()], &statement), &key(signer)).unwrap().to_bytes()
}

#[test]
fn rebuilders_count_when_they_are_others_and_say_same_of_this_release() {
    let parts = Parts::good();
    let wanting = |count: usize| {
        file(|file| {
            file.keys[0].identity = "vendor".into();
            for (name, secret) in [("lab", "second"), ("lab-too", "third"), ("vendor-too", "fourth")] {
                file.keys.push(KeyEntry::new(name, key(secret).public()));
            }
            file.keys[2].identity = "lab".into();
            file.keys[3].identity = "vendor".into();
            file.rebuild_threshold = count;
        })
    };
    let release = |statements: &[Vec<u8>]| {
        let mut files = parts.release();
        for (number, bytes) in statements.iter().enumerate() {
            files.insert(format!("rebuild-{number}.sigstore.json"), bytes.clone());
        }
        files
    };
    let good = rebuild(&parts, "second", |_| {});
    verifies(&judge(&release(std::slice::from_ref(&good)), &wanting(1), "2026-11-20"));
    let other = Digest::of(b"other");
    for (statements, why) in [
        (vec![], "none"),
        (vec![rebuild(&parts, "stranger", |_| {})], "a stranger's"),
        (vec![rebuild(&parts, "signer", |_| {})], "the signer's own"),
        (vec![rebuild(&parts, "fourth", |_| {})], "the signer's other key"),
        (vec![rebuild(&parts, "second", |it| it.verdict = RebuildVerdict::Differs)], "differs"),
        (vec![rebuild(&parts, "second", |it| it.release_id = other)], "another release"),
        (vec![rebuild(&parts, "second", |it| it.rebuilt = Some(other))], "another image came out"),
        (vec![rebuild(&parts, "second", |it| it.compared.clear())], "nothing was compared"),
        (vec![rebuild(&parts, "second", |it| it.compared[0].rebuilt = other)], "an unequal pair"),
    ] {
        let verdict = judge(&release(&statements), &wanting(1), "2026-11-20");
        assert_eq!(verdict.class, Class::NotVerified, "{why}");
        assert_fails(&verdict, CheckId::Threshold, "0 of the 1 other identities");
    }
    // Two keys of one rebuilder are one voice.
    let two = [good, rebuild(&parts, "third", |_| {})];
    let mut file = wanting(1);
    file.rebuild_threshold = 2;
    assert_fails(&judge(&release(&two), &file, "2026-11-20"), CheckId::Threshold, "1 of the 2 other identities");
}

#[test]
fn to_take_evidence_away_never_helps() {
    let parts = Parts::good();
    let mut bundles = signed(&parts.statements(), "signer");
    bundles.extend(signed(&parts.statements(), "second"));
    let trusts: Vec<TrustFile> = vec![
        file(|file| file.keys.push(KeyEntry::new("second", key("second").public()))),
        file(|file| {
            file.keys.push(KeyEntry::new("second", key("second").public()));
            file.release_threshold = 2;
        }),
    ];
    for trust in trusts {
        // Every subset of eight documents, with each of its own subsets but one.
        let verdicts: Vec<bool> = (0..256_usize)
            .map(|set| {
                let kept: Vec<_> =
                    bundles.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, it)| it.clone()).collect();
                let trust = self::trust(&trust, "2026-11-20");
                verify(&parts.lay_out(&kept), &trust, &options(Depth::Evidence)).is_verified()
            })
            .collect();
        assert!(verdicts[255]);
        for set in 0..256_usize {
            for at in (0..8).filter(|at| set >> at & 1 == 1) {
                // Of one signer's whole release nothing may be missing; more is no harm.
                assert!(!verdicts[set & !(1 << at)] || verdicts[set], "without {at} of {set:b}");
            }
        }
    }
}
