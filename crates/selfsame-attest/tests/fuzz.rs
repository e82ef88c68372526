//! What is signed and who signed it, from anybody.

use selfsame_attest::{
    Bundle, Envelope, Inventory, Provenance, PublicKey, RebuildStatement, RunRecord, SigningKey, Statement,
    VerificationSummary,
};
use selfsame_testing::fuzz::{all, answer, fuzz};

const BUNDLE: &[u8] = include_bytes!("../../../tests/vectors/attest/bundle-v0.3.sigstore.json");
const KEY: &[u8] = include_bytes!("../../../tests/vectors/attest/bundle-v0.3.pub");
const STATEMENTS: [&[u8]; 5] = [
    include_bytes!("../../../tests/vectors/attest/provenance.json"),
    include_bytes!("../../../tests/vectors/attest/inventory.json"),
    include_bytes!("../../../tests/vectors/attest/rebuild.json"),
    include_bytes!("../../../tests/vectors/attest/vsa.json"),
    include_bytes!("../../../tests/vectors/attest/run-record.json"),
];

#[test]
fn fuzz_bundle() {
    let key = PublicKey::parse(KEY).expect("the vector's key");
    let words =
        ["\"dsseEnvelope\":", "\"payload\":", "\"signatures\":[", "\"payloadType\":", "\"sig\":", "=", "AAAA", "null"];
    fuzz("bundle", &[BUNDLE], &words, |bytes| {
        let bundle = Bundle::parse(bytes);
        let envelope = Envelope::parse(bytes);
        // A signature is of these very bytes: whatever else is read as them is signed by nobody.
        let _ = key.verify(b"message", bytes);
        answer(bundle).and(answer(envelope))
    });
}

#[test]
fn fuzz_statement() {
    let words = [
        "\"subject\":[",
        "\"digest\":{",
        "\"sha256\":",
        "\"predicate\":{",
        "\"predicateType\":",
        "\"resolvedDependencies\":[",
        "\"verifiedLevels\":[",
        "\"SLSA_BUILD_LEVEL_1\"",
    ];
    fuzz("statement", &STATEMENTS, &words, |bytes| {
        let statement = Statement::parse(bytes).map_err(|error| error.to_string())?;
        let _ = statement.predicate_bytes(bytes);
        let provenance = answer(statement.predicate_as::<Provenance>());
        let inventory = answer(statement.predicate_as::<Inventory>());
        let rebuild = answer(statement.predicate_as::<RebuildStatement>());
        let record = answer(statement.predicate_as::<RunRecord>());
        let summary = answer(statement.predicate_as::<VerificationSummary>());
        all([provenance, inventory, rebuild, record, summary])
    });
}

#[test]
fn fuzz_key() {
    let private = SigningKey::generate(|seed| {
        seed.fill(7);
        Ok(())
    });
    let private = private.expect("a key").to_pem();
    let words = [
        "-----BEGIN PUBLIC KEY-----\n",
        "-----END PUBLIC KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n",
        "AAAA",
        "====",
        "MFkwEwYHKoZI",
    ];
    fuzz("key", &[KEY, private.as_bytes()], &words, |bytes| {
        let public = PublicKey::parse(bytes);
        if let Ok(key) = &public {
            assert_eq!(PublicKey::from_spki(&key.to_spki()).expect("our own").key_id(), key.key_id());
        }
        answer(public).and(answer(SigningKey::parse(bytes))).and(answer(PublicKey::from_spki(bytes)))
    });
}

/// The DER within, which base64 hides from a change of bytes.
#[test]
fn fuzz_der() {
    let key = PublicKey::parse(KEY).expect("the vector's key");
    let signature = b"\x30\x06\x02\x01\x01\x02\x01\x01".to_vec();
    fuzz("der", &[&key.to_spki(), &signature], &["\x30\x06", "\x02\x01", "\x03\x42\0", "\x30\u{80}"], |bytes| {
        assert!(key.verify(b"a message that nobody signed", bytes).is_err());
        answer(key.verify(b"another", bytes)).and(answer(PublicKey::from_spki(bytes)))
    });
}
