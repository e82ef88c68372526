//! Who signed what: keys, payload types, statements, the set and its inventory.

use selfsame_attest::{
    Bundle, DigestSet, Envelope, EnvelopeSignature, Inventory, Signer as _, Statement, Subject, pae, sign_statement,
};
use selfsame_core::{Digest, media, uri};
use selfsame_verify::{CheckId, Depth, Trust, verify};

use crate::fake::{Parts, key, signed};
use crate::{assert_fails, fails, options, verdict, verifies};

/// A bundle of any envelope, by hand.
pub(crate) fn bundle(envelope: &Envelope) -> Vec<u8> {
    selfsame_core::json::canonical(&serde_json::json!({
        "dsseEnvelope": envelope.to_json(),
        "mediaType": media::BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": envelope.signatures[0].key_id}, "tlogEntries": []},
    }))
}

/// A payload signed as something, by the release's key.
pub(crate) fn signed_as(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let signer = key("signer");
    let signature = signer.sign(&pae(payload_type, payload)).unwrap();
    let signatures = vec![EnvelopeSignature { key_id: signer.public().key_id(), signature }];
    bundle(&Envelope { payload_type: payload_type.into(), payload: payload.to_vec(), signatures })
}

/// The good release with one bundle replaced.
#[track_caller]
fn replaced(at: usize, bundle: Vec<u8>, id: CheckId, because: &str) {
    let parts = Parts::good();
    let mut bundles = signed(&parts.statements(), "signer");
    bundles[at].1 = bundle;
    fails(&parts.lay_out(&bundles), id, because);
}

#[test]
fn bundles_that_are_none() {
    for (text, because) in [("", "EOF"), ("{}", "`mediaType` is missing"), ("[]", "not an object")] {
        replaced(0, text.into(), CheckId::Bundles, because);
    }
    let good = String::from_utf8(signed(&Parts::good().statements(), "signer").remove(0).1).unwrap();
    replaced(0, good.replace("v0.3+json", "v0.1+json").into(), CheckId::Bundles, "media type");
    replaced(0, good.replace("\"hint\":\"", "\"hint\":\"x").into(), CheckId::Bundles, "is not its signature's keyid");
}

#[test]
fn signatures_that_do_not_count() {
    let parts = Parts::good();
    let statements = parts.statements();
    let good = Bundle::parse(&signed(&statements, "signer")[0].1).unwrap();
    let mut changed = good.envelope().clone();
    changed.payload.push(b' ');
    replaced(0, bundle(&changed), CheckId::Signatures, "provenance: the signature was not made by this key");
    // Another key under the right hint.
    let mut forged = good.envelope().clone();
    forged.signatures[0].signature = key("forger").sign(&forged.pae()).unwrap();
    replaced(0, bundle(&forged), CheckId::Signatures, "not made by this key");
    // Over the payload instead of the PAE.
    let mut bare = good.envelope().clone();
    bare.signatures[0].signature = key("signer").sign(&bare.payload).unwrap();
    replaced(0, bundle(&bare), CheckId::Signatures, "not made by this key");
    let mut junk = good.envelope().clone();
    junk.signatures[0].signature = vec![0; 64];
    replaced(0, bundle(&junk), CheckId::Signatures, "not strict ASN.1 DER");

    // The right key under another hint: the hint decides nothing.
    let mut unhinted = good.envelope().clone();
    unhinted.signatures[0].key_id = "somebody".into();
    let mut bundles = signed(&statements, "signer");
    bundles[0].1 = bundle(&unhinted);
    verifies(&verdict(&parts.lay_out(&bundles), Depth::Content));
}

#[test]
fn everything_signed_by_somebody_else() {
    let parts = Parts::good();
    let files = parts.lay_out(&signed(&parts.statements(), "stranger"));
    fails(&files, CheckId::Signatures, "no evidence document has a signature by a trusted key");
    let facts = verdict(&files, Depth::Content).check(CheckId::Signatures).facts.clone();
    let stranger = key("stranger").public().key_id();
    assert!(facts.iter().any(|fact| fact.value == format!("provenance by key {stranger}")), "{facts:?}");
    // A forger's key file says what it likes.
    let claimed = key("stranger").public().with_builder_id(Some(uri::BUILDER_LOCAL)).unwrap();
    assert_fails(
        &verify(&files, &Trust::in_keys([key("signer").public()]), &options(Depth::Blobs)),
        CheckId::Signatures,
        "",
    );
    verifies(&verify(&files, &Trust::in_keys([claimed]), &options(Depth::Content)));
}

#[test]
fn one_document_by_somebody_else() {
    let names = ["provenance", "SBOM", "image signature", "inventory"];
    for (at, name) in names.into_iter().enumerate() {
        let parts = Parts::good();
        let statements = parts.statements();
        let mut bundles = signed(&statements, "signer");
        bundles[at] = signed(&statements[at..=at], "stranger").remove(0);
        let because = if at == 3 {
            "no trusted key signed an inventory".to_owned()
        } else {
            format!("no {name} with a signature")
        };
        fails(&parts.lay_out(&bundles), CheckId::EvidenceSet, &because);
        // Nor does a second trusted key complete the set of the first.
        let trust = Trust::in_keys([key("signer").public(), key("stranger").public()]);
        let verdict = verify(&parts.lay_out(&bundles), &trust, &options(Depth::Content));
        assert_fails(&verdict, CheckId::EvidenceSet, "");
    }
}

#[test]
fn two_signers_of_one_release() {
    let parts = Parts::good();
    let mut bundles = signed(&parts.statements(), "signer");
    bundles.extend(signed(&parts.statements(), "second"));
    let files = parts.lay_out(&bundles);
    verifies(&verdict(&files, Depth::Content));
    verifies(&verify(&files, &Trust::in_keys([key("second").public()]), &options(Depth::Content)));
    // With both, one of them is enough, and a set that falls takes nothing from the other.
    let both = Trust::in_keys([key("signer").public(), key("second").public()]);
    let verdict = verify(&files, &both, &options(Depth::Content));
    verifies(&verdict);
    let signed = verdict.check(CheckId::Threshold).facts.iter().filter(|fact| fact.label == "signed by").count();
    assert_eq!(signed, 2, "{verdict:?}");
    let mut other = parts.provenance.clone();
    other.run_details.builder.id = "https://example.com/elsewhere".into();
    let broken = crate::fake::Parts { provenance: other, ..Parts::good() };
    let mut bundles = signed_by(&broken, "signer");
    bundles.extend(signed_by(&parts, "second"));
    let verdict = verify(&parts.lay_out(&bundles), &both, &options(Depth::Content));
    verifies(&verdict);
    assert_eq!(verdict.evidence.as_ref().unwrap().signer, key("second").public());
    let fallen = verdict.check(CheckId::Threshold).facts.iter().find(|fact| fact.label == "does not count").unwrap();
    assert!(fallen.value.contains("does not speak for"), "{fallen:?}");
    // Alone it falls for its own reason.
    let verdict = verify(&broken.release(), &both, &options(Depth::Content));
    assert_fails(&verdict, CheckId::Builder, "does not speak for");
}

fn signed_by(parts: &Parts, signer: &str) -> Vec<(String, Vec<u8>)> {
    signed(&parts.statements(), signer)
}

#[test]
fn payloads_that_are_no_statements() {
    let payload = Parts::good().statements()[0].to_payload();
    let text = String::from_utf8(payload.clone()).unwrap();
    replaced(0, signed_as("application/json", &payload), CheckId::Signatures, "payload type is `application/json`");
    for (payload, because) in [
        (text.replace("Statement/v1", "Statement/v0.1"), "`_type` is"),
        (text.replace("\"subject\":", "\"subject\":[],\"subject\":"), "duplicate key `subject`"),
        (text.replace("\"predicateType\":", "\"predicateType\":\"x:y\",\"predicateType\":"), "duplicate key"),
        (format!("{text}{text}"), "trailing"),
        ("[".repeat(100_000), "recursion limit"),
        (String::new(), "EOF"),
    ] {
        replaced(0, signed_as(media::IN_TOTO, payload.as_bytes()), CheckId::Statements, because);
    }
}

#[test]
fn statements_about_something_else() {
    let image = Parts::good().image_digest();
    let under = |name: &str, text: String| DigestSet::git(name, &text);
    for digest in [
        under("sha512", image.hex()),
        under("SHA256", image.hex()),
        under("sha256", image.to_string()),
        under("sha256", image.hex().to_uppercase()),
        under("sha1", image.hex()[..40].into()),
        DigestSet::sha256_of(Digest::of(b"other")),
    ] {
        let parts = Parts::good();
        let mut statements = parts.statements();
        statements[2].subjects = vec![Subject { name: image.hex(), digest }];
        statements.pop();
        statements.push(parts.inventory(&statements));
        fails(
            &parts.lay_out(&signed(&statements, "signer")),
            CheckId::Subjects,
            "the image signature is about something else",
        );
    }
}

/// The good statements, changed before the inventory is made of them.
#[track_caller]
fn set(edit: impl Fn(&mut Vec<Statement>), id: CheckId, because: &str) {
    let parts = Parts::good();
    let mut statements = parts.statements();
    statements.pop();
    edit(&mut statements);
    statements.push(parts.inventory(&statements));
    fails(&parts.lay_out(&signed(&statements, "signer")), id, because);
}

#[test]
fn the_set_is_exactly_four() {
    for (at, name) in ["provenance", "SBOM", "image signature"].into_iter().enumerate() {
        set(|statements| drop(statements.remove(at)), CheckId::EvidenceSet, &format!("no {name}"));
    }
    let again = |statements: &mut Vec<Statement>| {
        let mut twin = statements[2].clone();
        twin.subjects[0].name = "another name".into();
        statements.push(twin);
    };
    set(again, CheckId::EvidenceSet, "two documents of the kind image signature");
    let more = |statements: &mut Vec<Statement>| {
        let mut more = statements[2].clone();
        more.predicate_type = "https://spdx.dev/Document".into();
        statements.push(more);
    };
    set(more, CheckId::EvidenceSet, "which no release has");
    // The SBOM's body under the provenance's type.
    let swap = |statements: &mut Vec<Statement>| {
        statements[0].predicate = statements[1].predicate.clone();
    };
    set(swap, CheckId::BuildType, "missing field `buildDefinition`");
    let parts = Parts::good();
    fails(
        &parts.lay_out(&signed(&parts.statements()[..3], "signer")),
        CheckId::EvidenceSet,
        "no trusted key signed an inventory",
    );
    fails(
        &parts.lay_out(&signed(&parts.statements()[3..], "signer")),
        CheckId::EvidenceSet,
        "no provenance, no SBOM, no image signature",
    );
    fails(&parts.lay_out(&[]), CheckId::Signatures, "no evidence document");
}

/// The good release with another inventory.
#[track_caller]
fn inventory(edit: impl Fn(&mut Inventory), because: &str) {
    let parts = Parts::good();
    let mut statements = parts.statements();
    let mut inventory: Inventory = statements[3].predicate_as().unwrap();
    edit(&mut inventory);
    statements[3] = Statement::new(vec![parts.subject()], &inventory);
    fails(&parts.lay_out(&signed(&statements, "signer")), CheckId::Inventory, because);
}

#[test]
fn the_inventory_is_closed() {
    inventory(|inventory| drop(inventory.documents.remove(0)), "the SBOM is not in the inventory");
    inventory(|inventory| inventory.documents[2].sha256 = Digest::of(b"older"), "lists another provenance");
    inventory(|inventory| inventory.documents.push(inventory.documents[0].clone()), "lists a document twice");
    inventory(|inventory| inventory.checked = false, "both that the actions were checked and why not");
    let unlisted = |inventory: &mut Inventory| {
        let mut more = inventory.documents[0].clone();
        more.predicate_type = "https://spdx.dev/Document".into();
        inventory.documents.push(more);
    };
    inventory(unlisted, "lists another statement of type `https://spdx.dev/Document`");
    // Evidence of an older build of the same image under today's inventory.
    let mut older = Parts::good();
    older.provenance.build_definition.internal_parameters.insert("older".into(), true.into());
    let parts = Parts::good();
    let mut bundles = signed(&parts.statements(), "signer");
    bundles[0] = signed(&older.statements(), "signer").remove(0);
    fails(&parts.lay_out(&bundles), CheckId::Inventory, "lists another provenance");

    let mut parts = Parts::good();
    parts.not_checked_because = Some("--no-check");
    let verdict = verdict(&parts.release(), Depth::Content);
    verifies(&verdict);
    assert_eq!(verdict.check(CheckId::Inventory).facts[1].value, "not run twice: --no-check");
    assert!(!verdict.evidence.unwrap().inventory.checked);
}

/// The other signature that the same signing makes valid: `s` is `n - s` in it. Anybody can make it.
fn twin(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    // SEQUENCE of two INTEGERs, each of one byte of length.
    let r_end = 4 + usize::from(signature[3]);
    let s = &signature[r_end + 2..];
    let s = &s[s.len().saturating_sub(32)..];
    let mut padded = [0; 32];
    padded[32 - s.len()..].copy_from_slice(s);
    let (mut other, mut borrow) = (vec![0; 32], 0);
    for at in (0..32).rev() {
        let left = i16::from(ORDER[at]) - i16::from(padded[at]) - borrow;
        borrow = i16::from(left < 0);
        other[at] = u8::try_from(left.rem_euclid(256)).unwrap();
    }
    // The shortest form that is not negative.
    let zeros = other.iter().take_while(|byte| **byte == 0).count();
    other.drain(..zeros);
    if other[0] >= 0x80 {
        other.insert(0, 0);
    }
    let mut twin = signature[..r_end].to_vec();
    twin.extend([2, u8::try_from(other.len()).unwrap()]);
    twin.extend(&other);
    twin[1] = u8::try_from(twin.len() - 2).unwrap();
    twin
}

#[test]
fn the_high_s_twin_is_the_same_release() {
    let parts = Parts::good();
    let statements = parts.statements();
    let good = sign_statement(&statements[0], &key("signer")).unwrap();
    let ours = verdict(&parts.release(), Depth::Evidence);
    let mut envelope = good.envelope().clone();
    envelope.signatures[0].signature = twin(&envelope.signatures[0].signature);
    assert_ne!(envelope.signatures, good.envelope().signatures);
    let mut bundles = signed(&statements, "signer");
    bundles[0].1 = bundle(&envelope);
    let other = verdict(&parts.lay_out(&bundles), Depth::Evidence);
    verifies(&other);
    assert_eq!(other.release_id, ours.release_id);
    let of = |verdict: &selfsame_verify::Verdict| verdict.evidence.as_ref().unwrap().bundles[uri::PROVENANCE];
    assert_ne!(of(&other), of(&ours), "a signature is not what a release is told by");
    // Both beside one another are one statement.
    let mut both = signed(&statements, "signer");
    both.push((uri::PROVENANCE.to_owned(), bundle(&envelope)));
    let both = verdict(&parts.lay_out(&both), Depth::Content);
    verifies(&both);
    assert_eq!(both.unlisted[0].note, "the same statement once more");
}
