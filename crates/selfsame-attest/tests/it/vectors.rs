//! Golden vectors of profile 1. To accept a change that is meant, run once with `SELFSAME_BLESS` set to `1` at compile
//! time and read the difference.

use std::path::Path;

use selfsame_attest::{
    Bundle, Envelope, Predicate, Statement, Subject, VerificationSummary, release_id, sign_bare, sign_statement,
};
use selfsame_core::Digest;

use crate::predicates::{inventory, provenance, rebuild, run_record, summary};
use crate::{key, test_key};

#[track_caller]
fn golden(name: &str, found: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/attest").join(name);
    if option_env!("SELFSAME_BLESS") == Some("1") {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read(&path).unwrap();
    assert_eq!(String::from_utf8_lossy(found), String::from_utf8_lossy(&expected), "{name}");
}

fn statement<P: Predicate>(predicate: &P) -> Statement {
    Statement::new(vec![Subject::new("hello:1.0.0", Digest::of(b"image"))], predicate)
}

#[test]
fn payloads_are_these_bytes() {
    golden("provenance.json", &statement(&provenance()).to_payload());
    golden("inventory.json", &statement(&inventory()).to_payload());
    golden("run-record.json", &statement(&run_record()).to_payload());
    golden("rebuild.json", &statement(&rebuild()).to_payload());
}

#[test]
fn a_bundle_is_these_bytes() {
    let bundle = sign_statement(&statement(&provenance()), &test_key()).unwrap();
    golden("bundle-v0.3.sigstore.json", &bundle.to_bytes());
    golden("bundle-v0.3.pub", test_key().public().to_pem().as_bytes());
    let read = Bundle::parse(&bundle.to_bytes()).unwrap();
    assert_eq!(
        read.verify(&test_key().public()).unwrap().predicate_as::<selfsame_attest::Provenance>().unwrap(),
        provenance()
    );
}

/// What `slsa-verifier verify-vsa` takes: an envelope and nothing around it, and no key id.
#[test]
fn a_summary_is_these_bytes() {
    let envelope = sign_bare(&statement(&summary()), &test_key()).unwrap();
    golden("vsa.json", &statement(&summary()).to_payload());
    golden("vsa.dsse.json", &envelope.to_bytes());
    let read = Envelope::parse(&envelope.to_bytes()).unwrap();
    assert_eq!(read.signatures[0].key_id, "");
    read.verify(&test_key().public()).unwrap();
    assert!(read.verify(&key("another").public()).is_err());
    let statement = Statement::parse(&read.payload).unwrap();
    assert_eq!(statement.predicate_as::<VerificationSummary>().unwrap(), summary());
}

#[test]
fn a_release_id_does_not_depend_on_the_key() {
    let payload = statement(&inventory()).to_payload();
    let of = |signer| release_id(&sign_statement(&statement(&inventory()), &signer).unwrap().envelope().payload);
    assert_eq!(of(test_key()), of(key("another")));
    assert_eq!(
        release_id(&payload).to_string(),
        "sha256:3195b8a5cd90ff6a188aaa8aac7cec108bddc273bfe494178da927985af1c9c5"
    );
}
