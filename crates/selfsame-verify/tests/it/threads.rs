//! However many threads read a release: one verdict, to the letter. The documents are large enough to be shared between
//! threads, and several layers and packs are read side by side.

use std::num::NonZeroUsize;

use serde_json::json;

use selfsame_attest::Signer as _;
use selfsame_attest::{Bundle, Envelope, Statement};
use selfsame_core::{Digest, media, uri};
use selfsame_oci::Descriptor;
use selfsame_verify::{CheckId, Depth, Options, Trust, Verdict, verify};

use crate::fake::{Parts, file_component, key, layer, signed};
use crate::signatures::{bundle, signed_as};
use crate::{Files, assert_fails, options, verifies};

/// The SBOM among the statements.
const SBOM: usize = 1;

/// The verdict, after it was the same with one thread and with several, twice.
#[track_caller]
fn one_verdict(files: &Files) -> Verdict {
    let trust = Trust::in_keys([key("signer").public()]);
    let judged = |threads| {
        let threads = NonZeroUsize::new(threads).unwrap();
        verify(files, &trust, &Options { threads, ..options(Depth::Content) })
    };
    let alone = judged(1);
    for threads in [2, 2, 3, 16] {
        assert_eq!(judged(threads).to_json(), alone.to_json(), "{threads} threads");
    }
    alone
}

/// A release with many components in its SBOM and three layers.
fn large() -> Parts {
    let mut parts = Parts::good();
    for number in 1..=2 {
        let (path, bytes) = (format!("opt/{number}"), number.to_string().repeat(300_000 * number));
        let (layer, diff_id) = layer(&[(&path, bytes.as_bytes())]);
        parts.add(&layer);
        parts.layers.push(Descriptor::of(media::LAYER_GZIP, &layer));
        parts.config.push_layer(diff_id, "more");
        components(&mut parts).push(file_component(&format!("/{path}"), bytes.as_bytes()));
    }
    for number in 0..3000 {
        let purl = format!("pkg:generic/library-number-{number}@1.0.0");
        let about = "What is this? \"It\" has to have some length.\n";
        let component = json!({"type": "library", "name": "it", "bom-ref": purl, "purl": purl, "description": about});
        components(&mut parts).push(component);
    }
    parts
}

fn components(parts: &mut Parts) -> &mut Vec<serde_json::Value> {
    parts.sbom["components"].as_array_mut().unwrap()
}

#[test]
fn a_large_release_verifies() {
    let parts = large();
    let bundles = signed(&parts.statements(), "signer");
    assert!(bundles[SBOM].1.len() > 512 << 10);
    let verdict = one_verdict(&parts.lay_out(&bundles));
    verifies(&verdict);
    let sbom = &verdict.evidence.unwrap().sbom;
    assert_eq!(sbom.to_json(), parts.sbom);
    assert_eq!(sbom.objects("components").count(), components(&mut large()).len());
}

/// What is read ahead of its signature is worth nothing before it.
#[test]
fn a_large_document_falls_for_its_own_reason() {
    let parts = large();
    let statements = parts.statements();
    let good = signed(&statements, "signer");
    let replaced = |with: Vec<u8>, id, because: &str| {
        let mut bundles = good.clone();
        bundles[SBOM].1 = with;
        assert_fails(&one_verdict(&parts.lay_out(&bundles)), id, because);
    };
    let envelope = || Bundle::parse(&good[SBOM].1).unwrap().envelope().clone();
    let payload = statements[SBOM].to_payload();
    let edited = |from: &str, to: &str| {
        let text = std::str::from_utf8(&payload).unwrap();
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    };

    let forged = edited("library-number-7@", "library-number-8@");
    replaced(
        bundle(&Envelope { payload: forged, ..envelope() }),
        CheckId::Signatures,
        "SBOM: the signature was not made",
    );
    let mut stolen = envelope();
    stolen.signatures[0].signature = key("forger").sign(&stolen.pae()).unwrap();
    replaced(bundle(&stolen), CheckId::Signatures, "SBOM: the signature was not made by this key");
    let nonsense = Envelope { payload: edited("{", "[").repeat(1), ..envelope() };
    replaced(bundle(&nonsense), CheckId::Signatures, "SBOM: the signature was not made by this key");
    let text = String::from_utf8(good[SBOM].1.clone()).unwrap();
    replaced(text[..text.len() - 1].into(), CheckId::Bundles, "EOF while parsing");
    replaced(
        text.replacen("\"payload\":\"", "\"payload\":\" ", 1).into(),
        CheckId::Bundles,
        "`payload` is not padded base64",
    );

    // Signed, and not to be understood in two ways all the same.
    let twice = edited("\"bomFormat\":", "\"bomFormat\":\"CycloneDX\",\"bomFormat\":");
    replaced(signed_as(media::IN_TOTO, &twice), CheckId::Statements, "duplicate key `bomFormat`");
    let deep = edited("\"bomFormat\":", &format!("\"a\":{}1{},\"bomFormat\":", "[".repeat(200), "]".repeat(200)));
    replaced(signed_as(media::IN_TOTO, &deep), CheckId::Statements, "recursion limit");
    let other = edited("library-number-7@", "library-number-8@");
    replaced(signed_as(media::IN_TOTO, &other), CheckId::Inventory, "the inventory lists another SBOM");

    // The blob is another one than its name says.
    let mut files = parts.lay_out(&good);
    let name = selfsame_oci::layout::blob_path(Digest::of(&good[SBOM].1));
    files.get_mut(&name).unwrap()[500_000] ^= 1;
    assert_fails(&one_verdict(&files), CheckId::Bundles, "does not have the digest that it is named for");
}

/// Spelled otherwise than canonically it is the same document, as long as the provenance names its canonical form.
#[test]
fn another_spelling_of_the_sbom_is_the_same_sbom() {
    let parts = large();
    let mut statements = parts.statements();
    let payload = String::from_utf8(statements[SBOM].to_payload()).unwrap();
    let spelled = payload.replacen("\"bomFormat\":", " \"bom\\u0046ormat\" : ", 1).into_bytes();
    let mut inventory: selfsame_attest::Inventory = statements[3].predicate_as().unwrap();
    let of_sbom = inventory.documents.iter_mut().find(|document| document.predicate_type == uri::CYCLONEDX).unwrap();
    of_sbom.sha256 = Digest::of(&spelled);
    statements[3] = Statement::new(vec![parts.subject()], &inventory);
    let mut bundles = signed(&statements, "signer");
    bundles[SBOM].1 = signed_as(media::IN_TOTO, &spelled);
    verifies(&one_verdict(&parts.lay_out(&bundles)));
}

/// The first of several faults is the one in the order of the image, whichever layer was read first.
#[test]
fn the_first_broken_layer_is_told() {
    let mut parts = large();
    for at in [1, 2] {
        let (other, _) = layer(&[("opt/other", at.to_string().repeat(10 + 900_000 * (2 - at)).as_bytes())]);
        parts.add(&other);
        parts.layers[at] = Descriptor::of(media::LAYER_GZIP, &other);
    }
    let used: Vec<Digest> = parts.layers.iter().chain(&parts.capsule).map(|it| it.digest).collect();
    let empty = Digest::of(Descriptor::EMPTY_BYTES);
    parts.blobs.retain(|digest, _| used.contains(digest) || *digest == empty);
    assert_fails(&one_verdict(&parts.release()), CheckId::Layers, "layer 2 has another diffID");
}
