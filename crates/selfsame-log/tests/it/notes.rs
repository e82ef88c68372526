//! Notes, checkpoints and keys: other people's, ours, and damaged ones.

use selfsame_core::Digest;
use selfsame_log::note::{MOST_NOTE_BYTES, MOST_SIGNATURES};
use selfsame_log::{Checkpoint, LogKey, LogSigner, Note, SignedCheckpoint, WitnessKey, WitnessSigner};

use crate::{Memory, ORIGIN, key, log_key, log_signer, refused};

/// The example in the documentation of Go's `sumdb/note`.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn good() -> SignedCheckpoint {
    Memory::of(&[Digest::of(b"leaf")]).checkpoint(&log_signer("selfsame test log"))
}

#[test]
fn a_note_of_go_verifies() {
    let key = LogKey::parse(GO_KEY).unwrap();
    assert_eq!(key.to_string(), GO_KEY);
    let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), GO_NOTE);
    let signature = &note.signatures[0];
    assert_eq!((signature.name.as_str(), signature.key_hash), (key.origin(), key.key_hash()));
    assert!(key.verify(note.text().as_bytes(), &signature.signature));
    assert!(!key.verify(note.text().replace("your problem", "my problem").as_bytes(), &signature.signature));
}

#[test]
fn a_checkpoint_is_signed_and_read_back() {
    for signer in [log_signer("selfsame test log"), LogSigner::p256(Box::new(key("a log's P-256 key")))] {
        let key = signer.key(ORIGIN).unwrap();
        let signed = Memory::of(&[Digest::of(b"leaf")]).checkpoint(&signer);
        let read = SignedCheckpoint::parse(signed.note.to_string().as_bytes()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.verify(&key), Ok(()));
        assert_eq!(LogKey::parse(&format!("{key}\n")).unwrap(), key);
        // The other log of the same name has another key.
        let other = log_signer("another").key(ORIGIN).unwrap();
        refused(read.verify(&other), "has no signature by the key of");
    }
}

#[test]
fn a_key_file_of_openssl_is_read() {
    let seed = *Digest::of(b"seed").as_bytes();
    let signer = LogSigner::parse(LogSigner::seed_to_pem(&seed).as_bytes()).unwrap();
    assert_eq!(signer.key(ORIGIN).unwrap(), LogSigner::from_seed(&seed).key(ORIGIN).unwrap());
    let p256 = LogSigner::parse(key("a log's P-256 key").to_pem().as_bytes()).unwrap();
    assert_eq!(p256.key(ORIGIN).unwrap().details(), "PKIX_ECDSA_P256_SHA_256");
    refused(LogSigner::parse(b""), "the key file is empty");
    refused(LogSigner::parse(b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), "Ed25519, too");
    refused(signer.key("two words"), "cannot name a log");
    assert!(!format!("{signer:?}").contains("seed"));
}

#[test]
fn a_changed_checkpoint_is_refused_for_its_reason() {
    let text = good().note.to_string();
    let check = |text: &str| SignedCheckpoint::parse(text.as_bytes()).unwrap().verify(&log_key());
    assert_eq!(check(&text), Ok(()));
    refused(check(&text.replacen("\n1\n", "\n2\n", 1)), "is not over this checkpoint");
    refused(check(&text.replacen(ORIGIN, "log.example/others", 1)), "is of the log `log.example/others`, not of");
    let (body, signature) = text.split_once("\n\n").unwrap();
    refused(check(&format!("{body}\nextension\n\n{signature}")), "is not over this checkpoint");
    // A signature by somebody else counts for nothing, and a second one by the log has to be right, too.
    let line = signature.trim_end();
    let stranger = log_signer("stranger").sign(good().checkpoint).unwrap().note.signatures.remove(0);
    assert_eq!(check(&format!("{body}\n\n{stranger}\n{line}\n")), Ok(()));
    refused(check(&format!("{body}\n\n{stranger}\n")), "has no signature by the key of");
    let mut broken = good().note.signatures.remove(0);
    broken.signature[7] ^= 1;
    refused(check(&format!("{body}\n\n{line}\n{broken}\n")), "is not over this checkpoint");
}

#[test]
fn what_is_no_note_is_refused_for_its_reason() {
    let text = good().note.to_string();
    let parse = |text: &str| SignedCheckpoint::parse(text.as_bytes());
    refused(parse(""), "has no signatures");
    refused(parse(text.split_once("\n\n").unwrap().0), "has no signatures");
    refused(parse(text.trim_end()), "does not end with a newline");
    refused(parse(&format!("{text}more\n")), "`more` is not a signature");
    refused(parse(&text.replace('\u{2014}', "-")), "is not a signature");
    refused(parse(&text.replacen('\n', "\r\n", 1)), "a control character");
    refused(parse(&format!("{}{text}", "x".repeat(MOST_NOTE_BYTES))), "bytes; at most");
    refused(SignedCheckpoint::parse(b"\xff\n\n"), "not UTF-8");
    let line = text.lines().last().unwrap();
    refused(parse(&format!("{text}{}", format!("{line}\n").repeat(MOST_SIGNATURES))), "more than 64 signatures");
    for (from, to, because) in [
        ("\n1\n", "\n01\n", "has no size"),
        ("\n1\n", "\n+1\n", "has no size"),
        ("\n1\n", "\n9223372036854775808\n", "has no size"),
        ("\n1\n", "\n\n", "has no size"),
        (ORIGIN, "", "does not name its log"),
        (ORIGIN, "a b", "does not name its log"),
    ] {
        refused(parse(&text.replacen(from, to, 1)), because);
    }
    let root = text.lines().nth(2).unwrap();
    refused(parse(&text.replacen(root, "AAAA", 1)), "has no root");
    refused(parse(&text.replacen(root, &root.replace('=', ""), 1)), "has no root");
}

#[test]
fn a_key_line_is_read_only_whole() {
    let line = log_key().to_string();
    for (text, because) in [
        (String::new(), "one line NAME+HASH+KEY"),
        (line.replacen('+', " ", 1), "one line NAME+HASH+KEY"),
        (line.to_uppercase(), "one line NAME+HASH+KEY"),
        (format!("{line}\n\n"), "one line NAME+HASH+KEY"),
        (line.replacen("log.example", "log.sample", 1), "its hash is not that of its name and key"),
        (line.replacen("log.example", "log example", 1), "cannot name a log"),
        ("a+00000000+BAAA".to_owned(), "its kind is 4"),
        ("a+00000000+AQAA".to_owned(), "not 32 bytes"),
        // The neutral point, for which anybody can sign.
        (format!("a+00000000+AQE{}", "A".repeat(41)), "sound Ed25519 key"),
    ] {
        refused(LogKey::parse(&text), because);
    }
}

/// Witnesses sign the time with the checkpoint.
#[test]
fn a_cosignature_counts_with_its_time() {
    use ed25519_dalek::Signer as _;
    let seed = *Digest::of(b"witness").as_bytes();
    let witness = ed25519_dalek::SigningKey::from_bytes(&seed);
    let key = WitnessKey::new("witness.example/w1", witness.verifying_key().as_bytes()).unwrap();
    let signer = WitnessSigner::parse("witness.example/w1", LogSigner::seed_to_pem(&seed).as_bytes()).unwrap();
    assert_eq!(signer.key().unwrap(), key);
    let p256 = crate::key("a log's P-256 key").to_pem();
    refused(WitnessSigner::parse("witness.example/w1", p256.as_bytes()), "a witness signs with Ed25519");
    refused(WitnessSigner::parse("two words", LogSigner::seed_to_pem(&seed).as_bytes()), "cannot name");
    assert_eq!(WitnessKey::parse(&key.to_string()).unwrap(), key);
    refused(WitnessKey::parse(&log_key().to_string()), "a witness has 4");
    let mut checkpoint = good();
    assert_eq!(checkpoint.witnesses(std::slice::from_ref(&key)), Ok(Vec::new()));
    let time: u64 = 1_679_315_147;
    let message = format!("cosignature/v1\ntime {time}\n{}", checkpoint.note.text());
    let signature = [&time.to_be_bytes()[..], &witness.sign(message.as_bytes()).to_bytes()].concat();
    let line = selfsame_log::NoteSignature { name: key.name().to_owned(), key_hash: key.key_hash(), signature };
    checkpoint.note.signatures.push(line);
    assert_eq!(signer.cosign(good(), time).unwrap(), checkpoint, "by hand, and by its signer");
    assert_eq!(signer.cosign(signer.cosign(good(), 1).unwrap(), time).unwrap(), checkpoint, "the later one stays");
    let read = SignedCheckpoint::parse(checkpoint.note.to_string().as_bytes()).unwrap();
    assert_eq!(read.witnesses(std::slice::from_ref(&key)), Ok(vec![(&key, time)]));
    assert_eq!(read.verify(&log_key()), Ok(()), "the log's own signature is not touched by it");
    // Another time under the same signature.
    checkpoint.note.signatures[1].signature[7] ^= 1;
    refused(checkpoint.witnesses(&[key]), "is not over this checkpoint");
}

#[test]
fn extensions_of_others_are_kept() {
    let checkpoint = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 3,
        root: Digest::of(b"root"),
        extensions: vec!["one".to_owned(), "two words".to_owned()],
    };
    assert_eq!(Checkpoint::parse(&checkpoint.to_string()).unwrap(), checkpoint);
}
