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
