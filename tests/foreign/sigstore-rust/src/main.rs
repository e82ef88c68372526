//! `sigstore-rust-judge TRUSTED_ROOT KEY.pub BUNDLE...`: the whole verification of sigstore-rust for a managed key, its
//! transparency log included. One line a bundle; status 1 if one is refused.

use std::process::ExitCode;

use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey, Sha256Hash};
use sigstore_verify::{PublicKeyVerificationPolicy, Verifier};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, key, image, bundles @ ..] = &arguments[..] else {
        eprintln!("usage: sigstore-rust-judge TRUSTED_ROOT KEY.pub IMAGE_SHA256 BUNDLE...");
        return ExitCode::from(2);
    };
    let text = |path: &String| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let root = TrustedRoot::from_json(&text(root)).expect("a trusted root");
    let key = DerPublicKey::from_pem(&text(key)).expect("a public key");
    let image = Sha256Hash::from_hex(image).expect("a SHA-256 in hex");
    let verifier = Verifier::new(&root).expect("a verifier");
    let mut refused = bundles.is_empty();
    for path in bundles {
        let policy = PublicKeyVerificationPolicy::new(key.clone());
        let answer = Bundle::from_json(&text(path))
            .map_err(|error| error.to_string())
            .and_then(|bundle| verifier.verify(image, &bundle, &policy).map_err(|error| error.to_string()));
        match answer {
            Ok(_) => println!("{path}: accepted"),
            Err(error) => {
                println!("{path}: refused: {error}");
                refused = true;
            }
        }
    }
    ExitCode::from(u8::from(refused))
}
