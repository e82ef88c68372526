//! Log entries in bundles: each attack is refused for its own reason.

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_log::{Body, LogEntry, verify_entry};
use serde_json::{Value, json};

use crate::{bundle, key, log_key, log_signer, logged, refused};

fn bundles() -> Vec<Bundle> {
    ["one", "two", "three", "four", "five"].map(bundle).into()
}

fn entries() -> Vec<LogEntry> {
    logged(&bundles(), &log_signer("selfsame test log"))
}

fn check(entry: &LogEntry, bundle: &Bundle) -> Result<Option<u64>, selfsame_log::VerifyError> {
    let keys = [log_signer("another log").key("other.example").unwrap(), log_key()];
    let logged = verify_entry(entry, bundle.envelope(), &key("selfsame test key").public(), &keys)?;
    Ok(logged.map(|logged| logged.index))
}

#[test]
fn every_entry_counts_for_its_own_document() {
    for (index, (entry, bundle)) in entries().iter().zip(bundles()).enumerate() {
        let text = entry.to_json();
        assert_eq!(&LogEntry::from_json(&text).unwrap(), entry);
        assert_eq!(check(entry, &bundle).unwrap(), Some(index as u64));
    }
}

#[test]
fn an_entry_of_an_unknown_log_says_nothing() {
    let entry = &logged(&bundles(), &log_signer("forger"))[1];
    assert_eq!(check(entry, &bundle("two")).unwrap(), None);
}

#[test]
fn an_attack_is_refused_for_its_reason() {
    let (good, two) = (entries().remove(1), bundle("two"));
    let with = |change: fn(&mut LogEntry)| {
        let mut entry = good.clone();
        change(&mut entry);
        entry
    };
    refused(check(&good, &bundle("three")), "another document than the bundle's");
    refused(check(&entries()[2], &two), "another document than the bundle's");
    refused(check(&with(|it| it.hashes[0] = Digest::of(b"x")), &two), "the proof leads to the root");
    refused(check(&with(|it| _ = it.hashes.pop()), &two), "too short or too long");
    refused(check(&with(|it| it.hashes.push(Digest::of(b"x"))), &two), "too short or too long");
    refused(check(&with(|it| it.index = 0), &two), "the proof leads to the root");
    refused(check(&with(|it| it.index = 5), &two), "is not in a tree of 5 entries");
    refused(check(&with(|it| it.tree_size = 6), &two), "says that the log has 6 entries");
    refused(check(&with(|it| it.root = Digest::of(b"x")), &two), "says that the log's root is");
    refused(check(&with(|it| it.checkpoint = it.checkpoint.replacen("\n5\n", "\n6\n", 1)), &two), "not over this");
    refused(check(&with(|it| it.checkpoint = "x".to_owned()), &two), "the note has no signatures");
    refused(check(&with(|it| it.kind = "dsse".to_owned()), &two), "another kind than the bundle says");

    // A forger's log under the real one's id.
    let mut forged = logged(&bundles(), &log_signer("forger")).remove(1);
    forged.log_id = log_key().log_id();
    refused(check(&forged, &two), "has no signature by the key of");

    // Things that a log may hold honestly, and that say nothing about this signature.
    let log = |body: Body| {
        let signer = log_signer("selfsame test log");
        let log = crate::Memory::of(&[selfsame_log::leaf_hash(&body.to_bytes())]);
        LogEntry::new(log_key().log_id(), 0, &body, Vec::new(), &log.checkpoint(&signer))
    };
    let envelope = two.envelope();
    let body = Body::of(envelope, &key("selfsame test key").public());
    assert_eq!(check(&log(body.clone()), &two).unwrap(), Some(0));
    let other_key = Body { key: key("other").public().to_spki(), ..body.clone() };
    refused(check(&log(other_key), &two), "another key than the signer's");
    let mut other = body.clone();
    other.signature[9] ^= 1;
    refused(check(&log(other), &two), "another signature than the bundle's");
    let payload = Body { digest: envelope.payload_digest(), ..body.clone() };
    refused(check(&log(payload), &two), "another document than the bundle's");
    // Rekor's other kind, which logs the payload's digest.
    let dsse = Body { is_dsse: true, digest: envelope.payload_digest(), ..body.clone() };
    assert_eq!(check(&log(dsse), &two).unwrap(), Some(0));
    refused(check(&log(Body { is_dsse: true, ..body }), &two), "another document than the bundle's");
}

#[test]
fn a_body_has_one_spelling() {
    let body = Body::of(bundle("two").envelope(), &key("selfsame test key").public());
    let text = String::from_utf8(body.to_bytes()).unwrap();
    assert_eq!(Body::parse(text.as_bytes()).unwrap(), body);
    for (changed, because) in [
        (text.replacen('{', "{ ", 1), "not the canonical form"),
        (text.replacen("{\"apiVersion\"", "{\"aa\":1,\"apiVersion\"", 1), "not the canonical form"),
        (text.replacen("SHA2_256", "SHA2_512", 1), "not the canonical form"),
        (text.replace("PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519"), "not the canonical form"),
        (text.replacen("0.0.2", "0.0.1", 1), "`hashedrekord` 0.0.1"),
        (text.replacen("hashedrekord", "intoto", 1), "`intoto` 0.0.2"),
        (text.replacen("\"kind\":", "\"apiVersion\":\"0.0.2\",\"kind\":", 1), "strict JSON"),
        (text.replacen("rawBytes", "rawbytes", 1), "`rawBytes` is missing"),
        ("[]".to_owned(), "`` "),
        (String::new(), "strict JSON"),
    ] {
        refused(Body::parse(changed.as_bytes()), because);
    }
}

#[test]
fn a_strange_entry_is_refused_for_its_field() {
    let good = entries().remove(1).to_json();
    let with = |path: &str, value: Value| {
        let mut entry = good.clone();
        *entry.pointer_mut(path).unwrap() = value;
        LogEntry::from_json(&entry)
    };
    refused(with("/kindVersion/version", json!("0.0.1")), "has version `0.0.1`");
    refused(with("/logIndex", json!("-1")), "`logIndex`");
    refused(with("/logIndex", json!("9223372036854775808")), "`logIndex`");
    refused(with("/logIndex", json!(true)), "`logIndex`");
    refused(with("/inclusionProof/logIndex", json!("0")), "`inclusionProof.logIndex`");
    refused(with("/inclusionProof/treeSize", json!("1e1")), "`treeSize`");
    refused(with("/inclusionProof/rootHash", json!("AAAA")), "`rootHash`");
    refused(with("/inclusionProof/hashes", json!(["AAAA"])), "`hashes`");
    refused(with("/inclusionProof/hashes", json!(vec!["AAAA"; 65])), "`hashes`");
    refused(with("/inclusionProof/checkpoint", json!({})), "`envelope`");
    refused(with("/inclusionProof/checkpoint/envelope", json!("x".repeat(70_000))), "`envelope`");
    refused(with("/logId/keyId", json!("AA==")), "`keyId`");
    refused(with("/canonicalizedBody", json!("A")), "`canonicalizedBody`");
    refused(with("/canonicalizedBody", json!("AAAA".repeat(30_000))), "`canonicalizedBody`");
    refused(with("/inclusionProof", Value::Null), "`inclusionProof`");
    refused(LogEntry::from_json(&json!([])), "`tlogEntries`");
    assert!(with("/logIndex", json!(1)).is_ok(), "protojson allows numbers");
}
