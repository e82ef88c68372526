//! Transparency logs: once one is trusted, every evidence document has to be in it, and in it for itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::process::Command;

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_log::{Body, Checkpoint, LogEntry, LogKey, LogSigner, Tile, Tiles, Tree, append, leaf_hash};
use selfsame_testing::{Tier, require};
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

pub(crate) fn log_key(text: &str) -> LogKey {
    log_signer(text).key(ORIGIN).unwrap()
}

/// The release's bundles, in the log of this key.
fn logged(log: &str) -> Vec<(String, Bundle)> {
    among(log, "", 0)
}

/// The same where the log has this many other entries before them, and as many behind them.
fn among(log: &str, history: &str, others: u64) -> Vec<(String, Bundle)> {
    let bundles: Vec<_> = signed(&Parts::good().statements(), "signer")
        .into_iter()
        .map(|(kind, bytes)| (kind, Bundle::parse(&bytes).unwrap()))
        .collect();
    let entries = entries(log, history, others, &bundles.iter().map(|(_, bundle)| bundle.clone()).collect::<Vec<_>>());
    let with_entry =
        |((kind, bundle), entry): ((String, Bundle), LogEntry)| (kind, bundle.with_log_entries(vec![entry.to_json()]));
    bundles.into_iter().zip(entries).map(with_entry).collect()
}

/// Entries of documents by the key `signer`.
pub(crate) fn entries(log: &str, history: &str, others: u64, bundles: &[Bundle]) -> Vec<LogEntry> {
    let public = key("signer").public();
    let bodies: Vec<Body> = bundles.iter().map(|bundle| Body::of(bundle.envelope(), &public)).collect();
    let other = |number: u64| leaf_hash(format!("{history} {number}").as_bytes());
    let own = bodies.iter().map(|body| leaf_hash(&body.to_bytes()));
    let leaves: Vec<Digest> = (0..others).map(other).chain(own).chain((others..2 * others).map(other)).collect();
    let tiles = Memory(append(0, &leaves, &Memory(BTreeMap::new())).unwrap());
    let tree = Tree::new(leaves.len() as u64, &tiles);
    let (size, root) = (leaves.len() as u64, tree.root().unwrap());
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root, extensions: Vec::new() };
    let checkpoint = log_signer(log).sign(checkpoint).unwrap();
    let entry = |(index, body): (u64, &Body)| {
        LogEntry::new(log_key(log).log_id(), index, body, tree.inclusion(index).unwrap(), &checkpoint)
    };
    (others..).zip(&bodies).map(entry).collect()
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

/// Each entry is right in itself, and the log told two stories.
#[test]
fn a_log_with_two_histories_is_refused() {
    // All in one tree, among others.
    assert!(judged(&among("the log", "one", 4), &["the log"]).is_verified());
    // The SBOM's tree has as many entries as that of the others, and another root.
    let mut bundles = among("the log", "one", 4);
    bundles[1] = among("the log", "other", 4).remove(1);
    refused(&judged(&bundles, &["the log"]), "the log `log.example/releases` has two histories: with 12 entries");
    // Two trees of other sizes: one document's place is another's in the other tree.
    let mut bundles = among("the log", "one", 4);
    bundles[3] = among("the log", "one", 3).remove(3);
    refused(&judged(&bundles, &["the log"]), "has two histories: its entries 4 to 5 are others in another tree of it");
    // Both in one bundle.
    let mut bundles = among("the log", "one", 4);
    let more = among("the log", "one", 3)[2].1.log_entries()[0].clone();
    let both = vec![bundles[2].1.log_entries()[0].clone(), more];
    bundles[2].1 = bundles[2].1.clone().with_log_entries(both);
    refused(&judged(&bundles, &["the log"]), "has two histories: its entr");
    // Two keys that say that they are of one log speak of one log.
    let mut bundles = logged("the log");
    bundles[0] = among("another key of it", "one", 0).remove(0);
    assert!(judged(&bundles, &["the log", "another key of it"]).is_verified());
    bundles[0] = among("another key of it", "one", 4).remove(0);
    refused(&judged(&bundles, &["the log", "another key of it"]), "has two histories");
    // Of a log that nobody gave nothing is said.
    let mut bundles = logged("the log");
    let entries = [logged("the log"), among("a stranger's", "one", 4), among("a stranger's", "other", 4)];
    let entries = entries.iter().map(|it| it[0].1.log_entries()[0].clone()).collect();
    bundles[0].1 = bundles[0].1.clone().with_log_entries(entries);
    assert!(judged(&bundles, &["the log"]).is_verified());
}

/// Standard library alone, and the same answers.
#[test]
fn foreign_the_reader_in_python_finds_two_histories() {
    let ability = Command::new("python3").arg("--version").output().map(drop).map_err(|error| error.to_string());
    if !require(Tier::Foreign, ability) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        fs::write(scratch.path().join(name), bytes).unwrap();
        scratch.path().join(name)
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reader/selfsame_reader.py");
    let (root, public) = (
        file("root.json", &selfsame_log::trusted_root(&[selfsame_log::RootLog::new(&log_key("the log"))], &[])),
        file("key.pub", key("signer").public().to_pem().as_bytes()),
    );
    let reads = |bundles: &[(String, Bundle)]| {
        let paths = (0..).zip(bundles).map(|(at, (_, bundle))| file(&format!("{at}.json"), &bundle.to_bytes()));
        let image = Parts::good().image_digest().hex();
        let mut command = Command::new("python3");
        command.arg("-B").arg(&script).arg("bundles").args([&root, &public]).arg(image).args(paths);
        let output = command.output().expect("python3");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), judged(bundles, &["the log"]).is_verified(), "{said}");
        said
    };
    let [one, other, another] =
        [("one", 4), ("other", 4), ("one", 3)].map(|(history, others)| among("the log", history, others));
    assert!(!reads(&one).contains("refused"));
    for place in 0..4 {
        for bundle in [&other[place], &another[place]] {
            let mut bundles = one.clone();
            bundles[place] = bundle.clone();
            assert!(reads(&bundles).contains("two histories"), "{place}");
        }
    }
    let mut bundles = one.clone();
    bundles[3].1 = one[3].1.clone().with_log_entries(vec![one[3].1.log_entries()[0].clone(); 2]);
    assert!(reads(&bundles).contains("stands there twice"));
}

/// Whoever counts entries must not count one twice.
#[test]
fn an_entry_that_stands_twice_in_a_bundle_is_refused() {
    let mut bundles = logged("the log");
    let twice = vec![bundles[3].1.log_entries()[0].clone(); 2];
    bundles[3].1 = bundles[3].1.clone().with_log_entries(twice);
    refused(&judged(&bundles, &["the log"]), "entry 3 of `log.example/releases` stands there twice");
}

mod witnessed {
    //! Witnesses say when: what that is worth to a key that no longer counts by itself.

    use ed25519_dalek::{Signer as _, SigningKey};
    use selfsame_core::uri;
    use selfsame_log::{NoteSignature, WitnessKey};
    use selfsame_verify::trust::LogLine;
    use selfsame_verify::{Expectations, KeyEntry, TrustFile};

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
        file.logs.push(LogLine::new(log_key("log")));
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
            file.logs = vec![LogLine::new(log_key("another"))];
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

    #[test]
    fn a_log_s_key_counts_in_its_days() {
        // Seen on 2026-05-31, asked on 2026-11-20.
        let seen = cosigned(&[("w1.example", BEFORE)]);
        let days = |from: Option<&str>, until: Option<&str>| {
            let [from, until] = [from, until].map(|text| text.map(day));
            move |file: &mut TrustFile| (file.logs[0].from, file.logs[0].until) = (from, until)
        };
        for (from, until) in [
            (None, None),
            (Some("2026-05-31"), None),
            (None, Some("2026-11-20")),
            (None, Some("2026-05-31")),
            (Some("2026-05-31"), Some("2026-05-31")),
        ] {
            crate::verifies(&judge(&seen, days(from, until)));
        }
        for (from, until, because) in [
            (
                Some("2026-06-01"),
                None,
                "the log's key counts from 2026-06-01 on, and its checkpoint was seen on 2026-05-31",
            ),
            (Some("2027-01-01"), None, "the log's key counts from 2027-01-01 on"),
            (None, Some("2026-05-30"), "the log's key counted until 2026-05-30, and nothing shows"),
        ] {
            let verdict = judge(&seen, days(from, until));
            crate::assert_fails(&verdict, CheckId::Log, because);
            assert_eq!(verdict.failed().map(|check| check.id).collect::<Vec<_>>(), [CheckId::Log]);
        }
        // Without a witness a log says no time: its days are those on which it is asked.
        crate::verifies(&judge(&logged("log"), days(Some("2026-06-01"), Some("2026-11-20"))));
        let over = judge(&logged("log"), days(None, Some("2026-11-19")));
        crate::assert_fails(&over, CheckId::Log, "is in no log that counts: the log's key counted until 2026-11-19");
        // What a log whose days are over has seen is no evidence for the key that signed.
        let both = judge(&seen, |file| {
            compromised(file);
            days(None, Some("2026-05-30"))(file);
        });
        crate::assert_fails(&both, CheckId::Key, "and nothing shows");
    }

    #[test]
    fn a_log_that_is_over_is_not_in_the_way_of_one_that_is_not() {
        let new = log_signer("new log").key("log.example/2027").unwrap();
        let mut bundles = cosigned(&[]);
        for (_, bundle) in &mut bundles {
            let public = key("signer").public();
            let body = Body::of(bundle.envelope(), &public);
            let leaf = leaf_hash(&body.to_bytes());
            let checkpoint =
                Checkpoint { origin: new.origin().to_owned(), size: 1, root: leaf, extensions: Vec::new() };
            let checkpoint = log_signer("new log").sign(checkpoint).unwrap();
            let entry = LogEntry::new(new.log_id(), 0, &body, Vec::new(), &checkpoint);
            let entries = [bundle.log_entries()[0].clone(), entry.to_json()].to_vec();
            *bundle = bundle.clone().with_log_entries(entries);
        }
        let old = |file: &mut TrustFile| file.logs[0].until = Some(day("2026-06-01"));
        crate::assert_fails(&judge(&bundles, old), CheckId::Log, "is in no log that counts");
        // Each document is the only entry of a log of this name: four histories.
        let added = |file: &mut TrustFile| {
            old(file);
            file.logs.push(LogLine::new(new.clone()));
        };
        crate::assert_fails(&judge(&bundles, added), CheckId::Log, "`log.example/2027` has two histories");
        let one = |bundles: &[(String, Bundle)]| {
            let mut file = TrustFile::empty();
            file.keys.push(KeyEntry::new("release", key("signer").public()));
            file.logs.push(LogLine::new(log_key("log")));
            added(&mut file);
            let text = file.to_string();
            let trust = TrustFile::parse(&text).unwrap().at(day("2026-11-20"), &text);
            let (image, sbom) = (Parts::good().subject(), bundles[1].1.to_bytes());
            let file = image.digest.sha256().unwrap();
            selfsame_verify::verify_file(file, &sbom, &trust, uri::CYCLONEDX, &Expectations::default())
        };
        assert_eq!(one(&bundles).class, Class::Verified, "{:?}", one(&bundles).checks);
    }

    #[test]
    fn a_log_has_one_key() {
        let base = "version = 1\nserial = 1\n";
        let line = |log: &LogKey, more: &str| format!("[[log]]\nkey = \"{log}\"\n{more}");
        let (log, other) = (log_key("log"), log_key("other"));
        for (text, because) in [
            (line(&log, "") + &line(&other, ""), "two logs are called `log.example/releases`"),
            (line(&log, "") + &line(&log, "until = \"2026-01-01\"\n"), "stands there twice"),
            (line(&log, "from = \"2026-02-01\"\nuntil = \"2026-01-01\"\n"), "is before `from`"),
            (line(&log, "retired = \"2026-02-01\"\n"), "unknown key `retired` in `log[0]`"),
            (line(&log, "until = \"someday\"\n"), "`log[0].until`"),
        ] {
            let error = TrustFile::parse(&format!("{base}{text}")).unwrap_err();
            assert!(error.message.contains(because), "`{}` does not say `{because}`", error.message);
        }
        let text = format!("{base}{}", line(&log, "from = \"2026-01-01\"\nuntil = \"2026-12-31\"\n"));
        let file = TrustFile::parse(&text).unwrap();
        assert_eq!((file.logs[0].from, file.logs[0].until), (Some(day("2026-01-01")), Some(day("2026-12-31"))));
        assert_eq!(TrustFile::parse(&file.to_string()).unwrap(), file);
    }
}
