//! sigstore-rust as a judge of bundles signed with a managed key, and as a maker of such bundles.
//!
//! `sigstore-rust-judge TRUSTED_ROOT KEY.pub SHA256 [type=URI] BUNDLE...`: its whole verification about the bytes with that
//! digest, transparency log included; with `-` for TRUSTED_ROOT everything but the log. The statement's type, which it leaves to
//! its caller, is asked for here. One line a bundle; status 1 if one is refused.
//!
//! `sigstore-rust-judge make FOLDER STATEMENT ARTIFACT`: FOLDER/key.pub, FOLDER/statement.sigstore.json with the bytes
//! of STATEMENT in an envelope, and FOLDER/message.sigstore.json about ARTIFACT.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use sigstore_verify::bundle::builder::{BundleV03, VerificationMaterialV03};
use sigstore_verify::crypto::{KeyPair, hash::sha256};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::bundle::{MessageDigest, MessageSignature, SignatureContent};
use sigstore_verify::types::dsse::{DsseSignature, pae};
use sigstore_verify::types::{Bundle, DerPublicKey, DsseEnvelope, HashAlgorithm, KeyId, PayloadBytes, Sha256Hash, Statement};
use sigstore_verify::{PublicKeyVerificationPolicy, Verifier};

/// A trusted root that names nobody.
const NOBODY: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [make, folder, statement, artifact] if make == "make" => {
            make_bundles(Path::new(folder), &read(statement), &read(artifact));
            ExitCode::SUCCESS
        }
        [root, key, digest, bundles @ ..] if !bundles.is_empty() => judge(root, key, digest, bundles),
        _ => {
            eprintln!("usage: sigstore-rust-judge TRUSTED_ROOT|- KEY.pub SHA256 BUNDLE...");
            ExitCode::from(2)
        }
    }
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn judge(root: &str, key: &str, digest: &str, bundles: &[String]) -> ExitCode {
    let (kind, bundles) = match bundles.split_first().map(|(first, rest)| (first.strip_prefix("type="), rest)) {
        Some((Some(kind), rest)) => (Some(kind), rest),
        _ => (None, bundles),
    };
    let logged = root != "-";
    let root = if logged { text(root) } else { NOBODY.to_owned() };
    let root = TrustedRoot::from_json(&root).expect("a trusted root");
    let Some(key) = fs::read_to_string(key).ok().and_then(|text| DerPublicKey::from_pem(&text).ok()) else {
        println!("{key}: refused: no public key");
        return ExitCode::from(1);
    };
    let digest = Sha256Hash::from_hex(digest).expect("a SHA-256 in hex");
    let verifier = Verifier::new(&root).expect("a verifier");
    let mut refused = false;
    for path in bundles {
        let mut policy = PublicKeyVerificationPolicy::new(key.clone());
        if !logged {
            policy = policy.skip_tlog_unsafe();
        }
        let answer = fs::read_to_string(path)
            .map_err(|error| error.to_string())
            .and_then(|text| Bundle::from_json(&text).map_err(|error| error.to_string()))
            .and_then(|bundle| match verifier.verify(digest, &bundle, &policy) {
                Ok(_) if kind.is_some_and(|kind| !is_of_type(&bundle, kind)) => Err("of another type".to_owned()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            });
        match answer {
            Ok(()) => println!("{path}: accepted"),
            Err(error) => {
                println!("{path}: refused: {error}");
                refused = true;
            }
        }
    }
    ExitCode::from(u8::from(refused))
}

fn is_of_type(bundle: &Bundle, kind: &str) -> bool {
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else { return false };
    let statement = serde_json::from_slice::<Statement>(envelope.payload.as_bytes());
    statement.is_ok_and(|statement| statement.predicate_type == kind)
}

fn make_bundles(folder: &Path, statement: &[u8], artifact: &[u8]) {
    const IN_TOTO: &str = "application/vnd.in-toto+json";
    let pair = KeyPair::generate_ecdsa_p256().expect("a key");
    let key = pair.public_key_der().expect("its public half");
    let hint = sha256(key.as_bytes()).to_base64();
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
    write("key.pub", key.to_pem());
    let bundle = |content| {
        let material = VerificationMaterialV03::PublicKey { hint: hint.clone() };
        BundleV03::new(material, content).into_bundle().to_json().expect("a bundle")
    };
    let signature = pair.sign(&pae(IN_TOTO, statement)).expect("a signature");
    let signature = DsseSignature::new(signature, KeyId::new(hint.clone()));
    let envelope = DsseEnvelope::new(IN_TOTO, PayloadBytes::from_bytes(statement), signature);
    write("statement.sigstore.json", bundle(SignatureContent::DsseEnvelope(envelope)));
    let digest = MessageDigest::new(HashAlgorithm::Sha2256, sha256(artifact).into());
    let message = MessageSignature::new(pair.sign(artifact).expect("a signature")).with_message_digest(digest);
    write("message.sigstore.json", bundle(SignatureContent::MessageSignature(message)));
}
