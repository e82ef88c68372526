//! What a log, or a bundle that says it is in one, could hold.

use selfsame_attest::{Bundle, PublicKey};
use selfsame_log::{
    Body, LogEntry, LogKey, LogSigner, SignedCheckpoint, Tile, WitnessKey, parse_entries, print_entries, verify_entry,
};
use selfsame_testing::fuzz::{all, answer, fuzz};

const CHECKPOINT: &[u8] = include_bytes!("../../../tests/vectors/log/folder/checkpoint");
const KEY: &[u8] = include_bytes!("../../../tests/vectors/log/folder/log.pub");
const ECDSA_CHECKPOINT: &[u8] = include_bytes!("../../../tests/vectors/log/ecdsa-checkpoint");
const ECDSA_KEY: &[u8] = include_bytes!("../../../tests/vectors/log/ecdsa.pub");
const BUNDLE: &[u8] = include_bytes!("../../../tests/vectors/log/document-257.sigstore.json");
const SIGNER: &[u8] = include_bytes!("../../../tests/vectors/log/signer.pub");
const ENTRIES: &[u8] = include_bytes!("../../../tests/vectors/log/folder/tile/entries/001.p/44");

fn log_key(line: &[u8]) -> LogKey {
    LogKey::parse(std::str::from_utf8(line).expect("a line")).expect("the vector's key")
}

/// What is read is printed as it was, and no change of it is signed.
#[test]
fn fuzz_checkpoint() {
    let keys = [log_key(KEY), log_key(ECDSA_KEY)];
    let words = ["\n\n", "\u{2014} ", "log.example/releases", "300", "\n", "=", "9223372036854775807"];
    fuzz("checkpoint", &[CHECKPOINT, ECDSA_CHECKPOINT], &words, |bytes| {
        let checkpoint = SignedCheckpoint::parse(bytes).map_err(|error| error.to_string())?;
        assert_eq!(checkpoint.note.to_string().as_bytes(), bytes);
        assert_eq!(checkpoint.checkpoint.to_string(), checkpoint.note.text());
        let answers = keys.each_ref().map(|key| answer(checkpoint.verify(key)));
        let original = [CHECKPOINT, ECDSA_CHECKPOINT].map(|it| SignedCheckpoint::parse(it).expect("the vector"));
        let signed = original.iter().any(|it| it.note.text() == checkpoint.note.text());
        assert!(signed || answers.iter().all(Result::is_err), "a changed checkpoint is signed");
        all(answers)
    });
}

#[test]
fn fuzz_log_key() {
    let words = ["+", "log.example/releases", "AQ", "BA", "=", "\n", "00000000"];
    fuzz("log-key", &[KEY, ECDSA_KEY], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let key = LogKey::parse(&text);
        if let Ok(key) = &key {
            assert_eq!(&LogKey::parse(&key.to_string()).expect("our own"), key);
        }
        all([answer(key), answer(WitnessKey::parse(&text)), answer(LogSigner::parse(bytes))])
    });
}

/// An entry of a bundle, changed in any way, is never of another place or another document.
#[test]
fn fuzz_log_entry() {
    let keys = [log_key(KEY)];
    let signer = PublicKey::parse(SIGNER).expect("the vector's key");
    let good = Bundle::parse(BUNDLE).expect("the vector");
    let entry = selfsame_core::json::canonical(&good.log_entries()[0]);
    let words = ["\"hashes\":[", "\"logIndex\":\"257\"", "\"treeSize\":\"300\"", "\"0.0.2\"", "\"dsse\"", "null", "[]"];
    fuzz("log-entry", &[&entry], &words, |bytes| {
        let limits = selfsame_core::json::Limits::DOCUMENT;
        let value = selfsame_core::json::parse(bytes, limits).map_err(|error| error.to_string())?;
        let entry = LogEntry::from_json(&value).map_err(|error| error.to_string())?;
        let logged = verify_entry(&entry, good.envelope(), &signer, &keys).map_err(|error| error.to_string())?;
        assert!(logged.is_none_or(|logged| logged.index == 257));
        Ok(())
    });
}

#[test]
fn fuzz_log_entries() {
    let one = parse_entries(ENTRIES, 44).expect("the vector")[0].to_vec();
    fuzz("log-entries", &[ENTRIES, &one], &["\0\0", "\0\x01", "\u{7f}", "\"spec\":{", "\"kind\":"], |bytes| {
        for width in [1, 44, 256] {
            if let Some(entries) = parse_entries(bytes, width) {
                assert_eq!(print_entries(entries).as_deref(), Some(bytes));
            }
            assert!(
                Tile { level: 0, index: 0, width }.parse(bytes).is_none_or(|hashes| hashes.len() * 32 == bytes.len())
            );
        }
        let body = Body::parse(bytes);
        if let Ok(body) = &body {
            assert_eq!(body.to_bytes(), bytes);
        }
        answer(body)
    });
}
