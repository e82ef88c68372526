//! The client of sigstore-conformance: both kinds of bundles, both versions of Rekor, and what is wrong with them.

use selfsame_attest::base64::{decode, encode};
use selfsame_attest::{Bundle, PublicKey, Signer as _, SigningKey, Statement, Subject, sign_statement};
use selfsame_core::{Digest, json};
use selfsame_log::{LogKey, RootLog, leaf_hash, node_hash};
use selfsame_verify::conformance::{Conforming, TrustedRoot, verify_bundle};
use serde_json::{Value, json};

use crate::fake::key;

const FILE: &[u8] = b"a file\n";
const TYPE: &str = "https://example.com/anything";

fn signer() -> SigningKey {
    key("signer")
}

fn log() -> SigningKey {
    key("a log")
}

/// What a test changes in an entry.
#[derive(Clone, Copy, Default)]
struct Change<'a> {
    file: Option<&'a [u8]>,
    by: Option<&'a str>,
    log: Option<&'a str>,
}

fn statement() -> Vec<u8> {
    let subject = Subject::new("a", Digest::of(FILE));
    let statement = json!({ "_type": "https://in-toto.io/Statement/v1", "predicate": {}, "predicateType": TYPE,
        "subject": [{ "digest": { "sha256": subject.digest.sha256().unwrap().hex() }, "name": "a" }] });
    let statement = Statement::parse(&json::canonical(&statement)).unwrap();
    sign_statement(&statement, &signer()).unwrap().to_bytes()
}

fn message(file: &[u8]) -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "messageSignature": {
            "messageDigest": { "algorithm": "SHA2_256", "digest": encode(Digest::of(file).as_bytes()) },
            "signature": encode(&signer().sign(file).unwrap()),
        },
        "verificationMaterial": { "publicKey": { "hint": signer().public().key_id() } },
    })
}

fn trusted_root() -> Value {
    let key = LogKey::p256("rekor.example", log().public()).unwrap();
    serde_json::from_slice(&selfsame_log::trusted_root(&[RootLog::new(&key)], &[])).unwrap()
}

pub(super) fn root() -> TrustedRoot {
    TrustedRoot::parse(trusted_root().to_string().as_bytes()).unwrap()
}

/// An entry as Rekor's first version writes it: the second of two in its tree, number 7,000,001 of all.
fn entry(kind: &str, version: &str, spec: &Value, change: Change<'_>) -> Value {
    let body = json::canonical(&json!({ "apiVersion": version, "kind": kind, "spec": spec }));
    let other = Digest::of(b"the first");
    let tree = node_hash(other, leaf_hash(&body));
    let text = format!("rekor.example - 42\n2\n{}\nTimestamp: 1\n", encode(tree.as_bytes()));
    let by = key(change.log.unwrap_or("a log"));
    let id = log().public().fingerprint();
    let note = [&id.as_bytes()[..4], &by.sign(text.as_bytes()).unwrap()].concat();
    let promise = json::canonical(&json!({ "body": encode(&body), "integratedTime": 1_700_000_000,
        "logID": id.hex(), "logIndex": 7_000_001 }));
    json!({
        "canonicalizedBody": encode(&body),
        "inclusionPromise": { "signedEntryTimestamp": encode(&log().sign(&promise).unwrap()) },
        "inclusionProof": {
            "checkpoint": { "envelope": format!("{text}\n\u{2014} rekor.example {}\n", encode(&note)) },
            "hashes": [encode(other.as_bytes())],
            "logIndex": "1",
            "rootHash": encode(tree.as_bytes()),
            "treeSize": "2",
        },
        "integratedTime": "1700000000",
        "kindVersion": { "kind": kind, "version": version },
        "logId": { "keyId": encode(id.as_bytes()) },
        "logIndex": "7000001",
    })
}

/// Every kind of entry that can be about a bundle.
fn entries(bundle: &Value, change: Change<'_>) -> Vec<Value> {
    let by = key(change.by.unwrap_or("signer")).public();
    let pem = encode(by.to_pem().as_bytes());
    let file = change.file.unwrap_or(FILE);
    if let Some(signature) = bundle.pointer("/messageSignature/signature") {
        let verifier =
            json!({ "keyDetails": "PKIX_ECDSA_P256_SHA_256", "publicKey": { "rawBytes": encode(&by.to_spki()) } });
        return vec![
            entry(
                "hashedrekord",
                "0.0.1",
                &json!({
                    "data": { "hash": { "algorithm": "sha256", "value": Digest::of(file).hex() } },
                    "signature": { "content": signature, "publicKey": { "content": pem } },
                }),
                change,
            ),
            entry(
                "hashedrekord",
                "0.0.2",
                &json!({ "hashedRekordV002": {
                "data": { "algorithm": "SHA2_256", "digest": encode(Digest::of(file).as_bytes()) },
                "signature": { "content": signature, "verifier": verifier },
            } }),
                change,
            ),
        ];
    }
    let parsed = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
    let payload = change.file.map_or(parsed.payload_digest(), Digest::of).hex();
    let signature = encode(&parsed.envelope().signatures[0].signature);
    let hash = json!({ "algorithm": "sha256", "value": payload });
    vec![
        entry(
            "dsse",
            "0.0.1",
            &json!({ "envelopeHash": hash, "payloadHash": hash,
            "signatures": [{ "signature": signature, "verifier": pem }] }),
            change,
        ),
        entry(
            "intoto",
            "0.0.2",
            &json!({ "content": {
            "envelope": { "payloadType": "application/vnd.in-toto+json",
                "signatures": [{ "publicKey": pem, "sig": encode(signature.as_bytes()) }] },
            "hash": hash, "payloadHash": hash } }),
            change,
        ),
    ]
}

fn bundles() -> [Value; 2] {
    [serde_json::from_slice(&statement()).unwrap(), message(FILE)]
}

fn with(bundle: &Value, entries: Vec<Value>) -> Value {
    let mut bundle = bundle.clone();
    bundle["verificationMaterial"]["tlogEntries"] = Value::Array(entries);
    bundle
}

/// A bundle with an entry, each way there is, and the file's digest.
pub(super) fn logged() -> (Digest, Vec<String>) {
    let all = bundles().into_iter().flat_map(|bundle| {
        let entries = entries(&bundle, Change::default());
        entries.into_iter().map(move |entry| with(&bundle, vec![entry]).to_string())
    });
    (Digest::of(FILE), all.collect())
}

fn judged(bundle: &Value, by: &PublicKey, root: Option<&TrustedRoot>) -> Result<Conforming, String> {
    verify_bundle(Digest::of(FILE), bundle.to_string().as_bytes(), by, root).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(bundle: &Value, root: Option<&TrustedRoot>, because: &str) {
    let why = judged(bundle, &signer().public(), root).unwrap_err();
    assert!(why.contains(because), "{because}: {why}");
}

#[test]
fn a_key_is_enough_where_nobody_names_a_log() {
    for (bundle, is_statement) in bundles().into_iter().zip([true, false]) {
        let good = Conforming { is_statement, entries: 0, entries_not_judged: 0 };
        assert_eq!(judged(&bundle, &signer().public(), None), Ok(good));
        let nobody =
            TrustedRoot::parse(br#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#);
        assert_eq!(judged(&bundle, &signer().public(), Some(&nobody.unwrap())), Ok(good));
        let why = judged(&bundle, &key("another").public(), None).unwrap_err();
        assert!(why.contains("was not made by this key"), "{why}");
        refused(&bundle, Some(&root()), "no log entry");
        let logged = with(&bundle, vec![json!({})]);
        let unjudged = judged(&logged, &signer().public(), None).unwrap();
        assert_eq!((unjudged.entries, unjudged.entries_not_judged), (0, 1));
    }
}

#[test]
fn entries_of_both_versions_of_rekor_are_verified() {
    for bundle in bundles() {
        for entry in entries(&bundle, Change::default()) {
            let kind = entry["kindVersion"].to_string();
            let logged = with(&bundle, vec![entry.clone()]);
            let found =
                judged(&logged, &signer().public(), Some(&root())).unwrap_or_else(|why| panic!("{kind}: {why}"));
            assert_eq!((found.entries, found.entries_not_judged), (1, 0), "{kind}");
            let changed = |pointer: &str, value: Value| {
                let mut entry = entry.clone();
                *entry.pointer_mut(pointer).unwrap() = value;
                with(&bundle, vec![entry])
            };
            let checkpoint = entry["inclusionProof"]["checkpoint"]["envelope"].as_str().unwrap();
            let body = String::from_utf8(decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap()).unwrap();
            let root = root();
            for (pointer, value, because) in [
                ("/logId/keyId", json!(encode(&[7; 32])), "does not name"),
                ("/canonicalizedBody", json!(encode(body.replacen(':', ": ", 1).as_bytes())), "inclusion proof"),
                ("/inclusionProof/logIndex", json!("0"), "inclusion proof"),
                ("/inclusionProof/hashes", json!([]), "inclusion proof"),
                ("/inclusionProof/treeSize", json!("3"), "inclusion proof"),
                ("/inclusionProof/treeSize", json!("-2"), "treeSize"),
                (
                    "/inclusionProof/checkpoint/envelope",
                    json!(checkpoint.replacen(": 1", ": 2", 1)),
                    "did not make over it",
                ),
                (
                    "/inclusionProof/checkpoint/envelope",
                    json!(checkpoint.replacen("\n2\n", "\n3\n", 1)),
                    "another tree",
                ),
                ("/inclusionPromise/signedEntryTimestamp", json!(encode(b"a promise")), "inclusion promise"),
                ("/logIndex", json!("7000002"), "inclusion promise"),
                ("/logIndex", json!("9007199254740993"), "`logIndex`"),
                ("/logIndex", json!(i64::MAX.to_string()), "`logIndex`"),
                ("/integratedTime", json!("9007199254740993"), "`integratedTime`"),
                ("/integratedTime", json!("9007199254740992"), "inclusion promise"),
                ("/kindVersion/version", json!("0.0.3"), "another kind"),
            ] {
                refused(&changed(pointer, value), Some(&root), because);
            }
            refused(&with(&bundle, vec![entry.clone(), json!({})]), Some(&root), "logId");
        }
    }
}

#[test]
fn an_entry_about_something_else_does_not_count() {
    for bundle in bundles() {
        for (change, because) in [
            (Change { file: Some(b"another file\n"), ..Change::default() }, "another document"),
            (Change { by: Some("another"), ..Change::default() }, "another key"),
            (Change { log: Some("another"), ..Change::default() }, "did not make over it"),
        ] {
            for entry in entries(&bundle, change) {
                refused(&with(&bundle, vec![entry]), Some(&root()), because);
            }
        }
        // Of another signature by the same key over the same bytes.
        let [statement, file] = bundles();
        let other = if bundle == file { statement } else { file };
        for entry in entries(&other, Change::default()) {
            let why = judged(&with(&bundle, vec![entry]), &signer().public(), Some(&root())).unwrap_err();
            assert!(why.contains("another document"), "{why}");
        }
    }
}

#[test]
fn messages_that_are_none() {
    let good = message(FILE);
    let change = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    refused(&message(b"another file\n"), None, "not that of the file");
    refused(&change("/messageSignature/messageDigest/algorithm", json!("SHA2_512")), None, "messageDigest");
    refused(&change("/messageSignature/signature", json!("")), None, "0 bytes");
    refused(&change("/mediaType", json!("application/vnd.dev.sigstore.bundle+json;version=0.1")), None, "media type");
    refused(&change("/verificationMaterial", json!({ "certificate": {} })), None, "a certificate");
    let mut both = good.clone();
    both["dsseEnvelope"] = bundles()[0]["dsseEnvelope"].clone();
    refused(&both, None, "an envelope beside a message signature");
    // The signature of an envelope is over its own encoding and over no file.
    let envelope = Bundle::parse(&statement()).unwrap();
    let signature = encode(&envelope.envelope().signatures[0].signature);
    refused(&change("/messageSignature/signature", json!(signature)), None, "not made by this key over these bytes");
    // Without its digest, which nobody signed, it is the same.
    let mut bare = good.clone();
    bare["messageSignature"].as_object_mut().unwrap().remove("messageDigest");
    assert!(judged(&bare, &signer().public(), None).is_ok());
    // As sigstore-js writes them.
    assert!(
        judged(
            &change("/mediaType", json!("application/vnd.dev.sigstore.bundle+json;version=0.2")),
            &signer().public(),
            None
        )
        .is_ok()
    );
}

#[test]
fn trusted_roots_that_are_none() {
    let good = trusted_root();
    assert_eq!(root().logs.len(), 1);
    let refused = |change: &dyn Fn(&mut Value), because: &str| {
        let mut root = good.clone();
        change(&mut root);
        let why = TrustedRoot::parse(root.to_string().as_bytes()).unwrap_err().to_string();
        assert!(why.contains(because), "{because}: {why}");
    };
    refused(&|root| root["mediaType"] = json!("x"), "media type");
    refused(&|root| root["tlogs"] = json!({}), "tlogs");
    refused(&|root| root["tlogs"][0]["logId"]["keyId"] = json!(encode(&[0; 32])), "is not that of its key");
    refused(&|root| root["tlogs"][0]["publicKey"]["rawBytes"] = json!(encode(&[0; 91])), "rawBytes");
    refused(&|root| root["tlogs"][0]["publicKey"]["validFor"] = json!({}), "validFor.start");
    refused(&|root| root["tlogs"][0]["baseUrl"] = json!("https://two words"), "name");
    // A key of a kind that is not read is nobody's.
    let mut other = good;
    other["tlogs"][0]["publicKey"]["keyDetails"] = json!("PKIX_RSA_PKCS1V15_4096_SHA256");
    let other = TrustedRoot::parse(other.to_string().as_bytes()).unwrap();
    assert!(other.logs.is_empty() && other.names_logs);
    for bundle in bundles() {
        self::refused(&bundle, Some(&other), "no log entry");
    }
}
