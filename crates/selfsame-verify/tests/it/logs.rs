//! Transparency logs: once one is trusted, every evidence document has to be in it, and in it for itself.

use std::collections::BTreeMap;
use std::convert::Infallible;

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_log::{Body, Checkpoint, LogEntry, LogKey, LogSigner, Tile, Tiles, Tree, append, leaf_hash};
use selfsame_verify::{CheckId, Class, Depth, Outcome, Trust, Verdict, verify};
use serde_json::Value;

use crate::fake::{Parts, key, signed};
use crate::options;

const ORIGIN: &str = "log.example/releases";

struct Memory(BTreeMap<Tile, Vec<Digest>>);

impl Tiles for Memory {
    type Error = Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<Digest>, Infallible> {
        Ok(self.0[&tile].clone())
    }
}

fn log_signer(text: &str) -> LogSigner {
    LogSigner::from_seed(Digest::of(text.as_bytes()).as_bytes())
}

fn log_key(text: &str) -> LogKey {
    log_signer(text).key(ORIGIN).unwrap()
}

/// The release's bundles, in the log of this key.
fn logged(log: &str) -> Vec<(String, Bundle)> {
    let bundles: Vec<_> = signed(&Parts::good().statements(), "signer")
        .into_iter()
        .map(|(kind, bytes)| (kind, Bundle::parse(&bytes).unwrap()))
        .collect();
    let public = key("signer").public();
    let bodies: Vec<Body> = bundles.iter().map(|(_, bundle)| Body::of(bundle.envelope(), &public)).collect();
    let leaves: Vec<Digest> = bodies.iter().map(|body| leaf_hash(&body.to_bytes())).collect();
    let tiles = Memory(append(0, &leaves, &Memory(BTreeMap::new())).unwrap());
    let tree = Tree::new(leaves.len() as u64, &tiles);
    let (size, root) = (leaves.len() as u64, tree.root().unwrap());
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root, extensions: Vec::new() };
    let checkpoint = log_signer(log).sign(checkpoint).unwrap();
    let with_entry = |(index, ((kind, bundle), body)): (usize, ((String, Bundle), Body))| {
        let proof = tree.inclusion(index as u64).unwrap();
        let entry = LogEntry::new(log_key(log).log_id(), index as u64, &body, proof, &checkpoint);
        (kind, bundle.with_log_entries(vec![entry.to_json()]))
    };
    bundles.into_iter().zip(bodies).enumerate().map(with_entry).collect()
}

fn judged(bundles: &[(String, Bundle)], logs: &[&str]) -> Verdict {
    let bundles: Vec<_> = bundles.iter().map(|(kind, bundle)| (kind.clone(), bundle.to_bytes())).collect();
    let trust = Trust::in_keys([key("signer").public()]).with_logs(logs.iter().map(|log| log_key(log)).collect());
    verify(&Parts::good().lay_out(&bundles), &trust, &options(Depth::Content))
}

#[track_caller]
fn refused(verdict: &Verdict, because: &str) {
    let reason = verdict.check(CheckId::Log).outcome.reason().unwrap_or("it passed");
    assert!(reason.contains(because), "`{reason}` does not say `{because}`");
    assert_eq!(verdict.class, Class::NotVerified);
    assert_eq!(verdict.failed().map(|check| check.id).collect::<Vec<_>>(), [CheckId::Log]);
    assert!(verdict.evidence.is_none());
}

#[test]
fn a_release_in_the_log_verifies_and_says_where() {
    let verdict = judged(&logged("the log"), &["another log", "the log"]);
    assert!(verdict.is_verified(), "{:?}", verdict.failed().collect::<Vec<_>>());
    let check = verdict.check(CheckId::Log);
    assert_eq!(check.outcome, Outcome::Passed);
    let facts: Vec<String> = check.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect();
    assert!(facts.contains(&"inventory: log.example/releases, entry 3 of 4".to_owned()), "{facts:?}");
    // Nobody asked for the log: its entries say nothing, and are not in the way.
    let unasked = judged(&logged("the log"), &[]);
    assert!(unasked.is_verified());
    assert!(matches!(unasked.check(CheckId::Log).outcome, Outcome::NotPerformed { .. }));
    // Entries decide nothing about what the release is, and are no part of what a rebuild compares.
    let evidence = |verdict: &Verdict| verdict.evidence.clone().unwrap().into_inner();
    let without: Vec<_> =
        logged("the log").into_iter().map(|(kind, bundle)| (kind, bundle.with_log_entries(Vec::new()))).collect();
    assert_eq!(evidence(&judged(&without, &[])), evidence(&verdict));
}

#[test]
fn a_document_that_is_in_no_trusted_log_is_refused() {
    refused(&judged(&logged("a forger's log"), &["the log"]), "is in no log that was given");
    let mut bundles = logged("the log");
    bundles[1].1 = bundles[1].1.clone().with_log_entries(Vec::new());
    refused(&judged(&bundles, &["the log"]), "the SBOM has no log entry");
    // Entries of two documents exchanged.
    let mut bundles = logged("the log");
    let entries: Vec<Vec<Value>> = bundles.iter().map(|(_, bundle)| bundle.log_entries().to_vec()).collect();
    bundles[0].1 = bundles[0].1.clone().with_log_entries(entries[3].clone());
    refused(
        &judged(&bundles, &["the log"]),
        "the provenance has a log entry that does not count: the log holds another document",
    );
}

/// A good entry does not make up for a broken one that says it is of the same log.
#[test]
fn a_broken_entry_is_refused_beside_a_good_one() {
    for (path, value, because) in [
        ("/logIndex", "1", "`inclusionProof.logIndex`"),
        ("/inclusionProof/treeSize", "5", "says that the log has 5 entries"),
        ("/kindVersion/version", "0.0.1", "has version `0.0.1`"),
        ("/inclusionProof/checkpoint/envelope", "x", "the note has no signatures"),
    ] {
        let mut bundles = logged("the log");
        let mut entries = bundles[2].1.log_entries().to_vec();
        let mut broken = entries[0].clone();
        *broken.pointer_mut(path).unwrap() = Value::String(value.to_owned());
        entries.push(broken);
        bundles[2].1 = bundles[2].1.clone().with_log_entries(entries);
        let verdict = judged(&bundles, &["the log"]);
        refused(&verdict, because);
    }
}

mod witnessed {
    //! Witnesses say when: what that is worth to a key that no longer counts by itself.

    use ed25519_dalek::{Signer as _, SigningKey};
    use selfsame_log::{NoteSignature, WitnessKey};
    use selfsame_verify::{KeyEntry, TrustFile};

    use super::*;
    use crate::trust::day;

    /// 2026-05-31T12:00:00Z.
    const BEFORE: u64 = 1_780_228_800;
    const DAY: u64 = 86_400;

    fn secret(name: &str) -> SigningKey {
        SigningKey::from_bytes(Digest::of(name.as_bytes()).as_bytes())
    }

    fn witness(name: &str) -> WitnessKey {
        WitnessKey::new(name, secret(name).verifying_key().as_bytes()).unwrap()
    }

    /// The bundles, each entry's checkpoint cosigned by these at their times.
    fn cosigned(by: &[(&str, u64)]) -> Vec<(String, Bundle)> {
        let cosign = |(kind, bundle): (String, Bundle)| {
            let mut entry = LogEntry::from_json(&bundle.log_entries()[0]).unwrap();
            let mut checkpoint = selfsame_log::SignedCheckpoint::parse(entry.checkpoint.as_bytes()).unwrap();
            for (name, time) in by {
                let text = format!("cosignature/v1\ntime {time}\n{}", checkpoint.note.text());
                let signature = secret(name).sign(text.as_bytes()).to_bytes();
                let signature = [&time.to_be_bytes()[..], &signature].concat();
                let (name, key_hash) = ((*name).to_owned(), witness(name).key_hash());
                checkpoint.note.signatures.push(NoteSignature { name, key_hash, signature });
            }
            entry.checkpoint = checkpoint.note.to_string();
            (kind, bundle.with_log_entries(vec![entry.to_json()]))
        };
        logged("log").into_iter().map(cosign).collect()
    }

    fn judge(bundles: &[(String, Bundle)], change: impl FnOnce(&mut TrustFile)) -> Verdict {
        let mut file = TrustFile::empty();
        file.keys.push(KeyEntry::new("release", key("signer").public()));
        file.logs.push(log_key("log"));
        file.witnesses = ["w1.example", "w2.example"].map(witness).to_vec();
        change(&mut file);
        let text = file.to_string();
        let trust = TrustFile::parse(&text).unwrap().at(day("2026-11-20"), &text);
        let bundles: Vec<_> = bundles.iter().map(|(kind, bundle)| (kind.clone(), bundle.to_bytes())).collect();
        verify(&Parts::good().lay_out(&bundles), &trust, &options(Depth::Content))
    }

    fn compromised(file: &mut TrustFile) {
        file.keys[0].compromised = Some(day("2026-06-01"));
    }

    fn retired(file: &mut TrustFile) {
        file.keys[0].retired = Some(day("2026-06-01"));
    }

    #[test]
    fn what_was_seen_before_stays_good() {
        for change in [compromised as fn(&mut TrustFile), retired] {
            crate::verifies(&judge(&cosigned(&[("w1.example", BEFORE)]), change));
            for (bundles, because) in [
                (cosigned(&[("w1.example", BEFORE + DAY)]), "2026-06-01"),
                (cosigned(&[("w1.example", BEFORE + 100 * DAY)]), "2026-06-01"),
                // A log states no time, and of a witness that nobody named one is no evidence.
                (logged("log"), "and nothing shows"),
                (cosigned(&[("stranger.example", BEFORE)]), "and nothing shows"),
            ] {
                crate::assert_fails(&judge(&bundles, change), CheckId::Key, because);
            }
        }
        // A log that is not trusted makes no witness of anybody.
        let verdict = judge(&cosigned(&[("w1.example", BEFORE)]), |file| {
            compromised(file);
            file.logs = vec![log_key("another")];
        });
        crate::assert_fails(&verdict, CheckId::Key, "and nothing shows");
    }

    #[test]
    fn compromise_gives_back_nothing_that_retirement_took() {
        // Witnessed on the day BEFORE, 2026-05-31: too late for each of these, and before the compromise.
        let bundles = cosigned(&[("w1.example", BEFORE)]);
        type Take = (fn(&mut TrustFile), &'static str);
        let takes: [Take; 3] = [
            (|file| file.keys[0].retired = Some(day("2026-05-01")), "is retired since 2026-05-01"),
            (|file| file.keys[0].until = Some(day("2026-04-30")), "counted until 2026-04-30"),
            (|file| file.keys[0].from = Some(day("2030-01-01")), "counts from 2030-01-01 on"),
        ];
        for (take, because) in takes {
            crate::assert_fails(&judge(&bundles, take), CheckId::Key, because);
            let both = |file: &mut TrustFile| {
                take(file);
                compromised(file);
            };
            crate::assert_fails(&judge(&bundles, both), CheckId::Key, because);
        }
        crate::verifies(&judge(&bundles, |file| {
            retired(file);
            compromised(file);
        }));
    }

    #[test]
    fn as_many_witnesses_as_are_asked_for_say_when() {
        let both = |file: &mut TrustFile| {
            compromised(file);
            file.witness_threshold = 2;
        };
        crate::verifies(&judge(&cosigned(&[("w1.example", BEFORE), ("w2.example", BEFORE - DAY)]), both));
        // One who lies about an earlier day moves nothing.
        let verdict = judge(&cosigned(&[("w1.example", BEFORE), ("w2.example", BEFORE + 9 * DAY)]), both);
        crate::assert_fails(&verdict, CheckId::Key, "this was seen on 2026-06-09");
        // Too few are a fault of the entry, whatever the key is.
        let verdict = judge(&cosigned(&[("w1.example", BEFORE)]), |file| file.witness_threshold = 2);
        crate::assert_fails(&verdict, CheckId::Log, "is cosigned by 1 of the 2 witnesses");
        let verdict =
            judge(&cosigned(&[("w1.example", BEFORE), ("w1.example", BEFORE)]), |file| file.witness_threshold = 2);
        crate::assert_fails(&verdict, CheckId::Log, "is cosigned by 1 of the 2 witnesses");
    }

    #[test]
    fn a_broken_cosignature_spoils_the_entry() {
        let mut bundles = cosigned(&[("w1.example", BEFORE)]);
        for (_, bundle) in &mut bundles {
            let mut entry = LogEntry::from_json(&bundle.log_entries()[0]).unwrap();
            let mut checkpoint = selfsame_log::SignedCheckpoint::parse(entry.checkpoint.as_bytes()).unwrap();
            checkpoint.note.signatures.last_mut().unwrap().signature[7] ^= 1;
            entry.checkpoint = checkpoint.note.to_string();
            *bundle = bundle.clone().with_log_entries(vec![entry.to_json()]);
        }
        crate::assert_fails(&judge(&bundles, |_| {}), CheckId::Log, "the signature of `w1.example` is not over");
        crate::assert_fails(&judge(&bundles, compromised), CheckId::Key, "and nothing shows");
    }

    #[test]
    fn thresholds_that_nobody_could_meet_are_refused() {
        let base = "version = 1\nserial = 1\n[threshold]\nwitness = 1\n";
        let (log, name) = (log_key("log"), witness("w1.example"));
        let log = format!("[[log]]\nkey = \"{log}\"\n");
        let one = format!("[[witness]]\nkey = \"{name}\"\n");
        TrustFile::parse(&format!("{base}{log}{one}")).unwrap();
        for (text, because) in [
            (format!("{base}{log}"), "asks for 1 witnesses of a log, and the file has 1 logs and 0 witnesses"),
            (format!("{base}{one}"), "and the file has 0 logs and 1 witnesses"),
            (format!("{base}{log}{one}{one}"), "stands there twice"),
            (format!("{base}{log}{}", log.replace("[[log]]", "[[witness]]")), "`witness[0].key`"),
            (base.replace("[threshold]", "[[log]]\nkey = \"x\"\n[threshold]"), "`log[0].key`"),
        ] {
            let error = TrustFile::parse(&text).unwrap_err();
            assert!(error.message.contains(because), "`{}` does not say `{because}`", error.message);
        }
    }
}
