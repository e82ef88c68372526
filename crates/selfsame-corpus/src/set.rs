//! The documents of one release belong together, and none is missing.

use std::borrow::Borrow;

use selfsame_attest::{Inventory, Statement};
use selfsame_core::{Digest, uri};
use serde_json::json;

use crate::attack::Answer::{self, No};
use crate::attack::release_case;
use crate::case::Grounds::{Content, Forged};
use crate::case::{Case, Class};
use crate::draft::Draft;
use crate::keys;
use crate::release::{Files, Parts, bundle_manifest};

fn case(item: u8, name: &str, says: &str, answer: Answer, release: impl Borrow<Files>) -> Case {
    release_case(item, Class::Set, name, says, Content, answer, release.borrow())
}

/// A release with another image: its program says something else.
pub(crate) fn another() -> Parts {
    let mut parts = Parts::good();
    parts.config.cmd = vec!["--another".into()];
    parts
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = missing();
    cases.extend(more());
    cases.extend(mixed());
    cases.extend(inventories());
    cases
}

fn missing() -> Vec<Case> {
    let parts = Parts::good();
    let all = Parts::signed(&parts.all_statements(), false);
    let mut cases = Vec::new();
    for (at, name, because) in [
        (0, "provenance", "no provenance"),
        (1, "sbom", "no SBOM"),
        (2, "image-signature", "no image signature"),
        (3, "inventory", "no trusted key signed an inventory"),
    ] {
        let mut rest = all.clone();
        rest.remove(at);
        let says = format!("one of the four documents is not there: {}", name.replace('-', " "));
        cases.push(case(45, &format!("no-{name}"), &says, No("evidence-set", because), parts.lay_out(&rest)));
        if at == 3 {
            continue;
        }
        // Nor does whoever may write inventories help by leaving it out.
        let mut statements = parts.statements();
        statements.remove(at);
        let says = format!("{}, and the inventory does not list it", name.replace('-', " "));
        let release = parts.release_of(statements);
        cases.push(case(45, &format!("no-{name}-listed"), &says, No("evidence-set", because), &release));
    }
    let says = "the image is not there";
    let mut release = parts.release();
    release.remove(&selfsame_oci::layout::blob_path(parts.image().1.digest));
    cases.push(case(45, "no-image", says, No("image", "is missing"), &release));
    cases
}

fn more() -> Vec<Case> {
    let parts = Parts::good();
    let mut extra = parts.release();
    extra.insert("blobs/sha256/README".into(), b"read me\n".to_vec());
    let mut unsigned = parts.release();
    let blob = b"{\"SPDXID\":\"SPDXRef-DOCUMENT\"}";
    unsigned.insert(selfsame_oci::layout::blob_path(Digest::of(blob)), blob.to_vec());
    let with = |more: Statement| {
        let mut statements = parts.statements();
        statements.push(more);
        parts.release_of(statements)
    };
    let second = |kind: &str| {
        let mut twin = parts.statements()[2].clone();
        twin.predicate_type = kind.to_owned();
        twin.subjects[0].name = "another name".into();
        twin
    };
    // A second SBOM by the right key, which the inventory does not know.
    let mut unlisted = Parts::signed(&parts.all_statements(), false);
    let mut sbom = parts.statements().remove(1);
    sbom.predicate.insert("version".to_owned(), json!(2));
    unlisted.push((uri::CYCLONEDX.to_owned(), Draft::statement(&sbom).to_bytes()));
    vec![
        case(
            45,
            "a-file-more",
            "a file that nothing names lies in the folder",
            No("nothing-extra", "nothing names"),
            &extra,
        ),
        case(
            45,
            "a-blob-more",
            "an unsigned document that nothing names",
            No("nothing-extra", "nothing names"),
            &unsigned,
        ),
        case(
            45,
            "a-kind-more",
            "a fifth document by the right key, of a kind that no release has",
            No("evidence-set", "which no release has"),
            with(second("https://spdx.dev/Document")),
        ),
        case(
            45,
            "a-kind-twice",
            "two image signatures by the right key",
            No("evidence-set", "two documents of the kind image signature"),
            with(second(uri::COSIGN_SIGN)),
        ),
        case(
            45,
            "an-sbom-more",
            "a second SBOM by the right key, which the inventory does not list",
            No("evidence-set", "two documents of the kind SBOM"),
            parts.lay_out(&unlisted),
        ),
    ]
}

fn mixed() -> Vec<Case> {
    let (parts, other) = (Parts::good(), another());
    let (ours, theirs) = (Parts::signed(&parts.all_statements(), false), Parts::signed(&other.all_statements(), false));
    let mut older = Parts::good();
    older.provenance.build_definition.internal_parameters.insert("older".into(), json!(true));
    let exchanged = |at: usize, from: &[(String, Vec<u8>)]| {
        let mut bundles = ours.clone();
        bundles[at] = from[at].clone();
        parts.lay_out(&bundles)
    };
    let older_bundles = Parts::signed(&older.all_statements(), false);
    let mut sbom = parts.statements();
    sbom[1].predicate.insert("version".to_owned(), json!(2));
    let mut by_another = ours.clone();
    let mut forged = Draft::statement(&parts.statements()[1]);
    forged.hint = keys::forger().public().key_id();
    forged.sign(&keys::forger());
    by_another[1].1 = forged.to_bytes();
    // The referrers of another image beside this one.
    let mut attached = parts.lay_out(&ours[..3]);
    attach(&parts, &mut attached, &bundle_manifest(&other.image().1, uri::INVENTORY, &ours[3].1), &ours[3].1);
    let mut cases = vec![
        case(
            44,
            "another-sbom",
            "an SBOM by the right key that is not the one of the provenance, and the inventory lists it",
            No("sbom-digest", "another one than the provenance names"),
            parts.release_of(sbom),
        ),
        case(46, "all-of-another", "every document is of another image", No("subjects", "about something else"), {
            parts.lay_out(&theirs)
        }),
        case(
            46,
            "a-referrer-of-another",
            "a referrer is about another image",
            No("referrers", "not about this image"),
            &attached,
        ),
        case(
            46,
            "of-an-older-build",
            "the provenance is of an older build of the same image",
            No("inventory", "lists another provenance"),
            exchanged(0, &older_bundles),
        ),
        case(45, "sbom-by-another", "the SBOM is signed by another key", No("evidence-set", "no SBOM"), {
            parts.lay_out(&by_another)
        }),
    ];
    for (at, name) in ["provenance", "sbom", "image-signature", "inventory"].into_iter().enumerate() {
        let says = format!("the {} is of another image", name.replace('-', " "));
        cases.push(case(
            46,
            &format!("{name}-of-another"),
            &says,
            No("subjects", "about something else"),
            exchanged(at, &theirs),
        ));
    }
    cases
}

/// One more referrer in a release that is laid out.
fn attach(parts: &Parts, release: &mut Files, manifest: &selfsame_oci::Document, blob: &[u8]) {
    use selfsame_oci::{Index, layout};
    let index = Index::parse(&release[layout::INDEX_FILE], selfsame_core::media::INDEX).expect("an index");
    let mut referrers: Vec<_> = index.manifests.into_iter().skip(1).collect();
    referrers.push(manifest.descriptor.clone());
    let (_, image) = parts.image();
    let text = layout::index_file(&image, crate::release::NAME, &referrers).bytes;
    release.insert(layout::INDEX_FILE.into(), text);
    release.insert(layout::blob_path(manifest.descriptor.digest), manifest.bytes.clone());
    release.insert(layout::blob_path(Digest::of(blob)), blob.to_vec());
}

fn inventories() -> Vec<Case> {
    let parts = Parts::good();
    let inventory = |change: fn(&mut Inventory)| {
        let mut statements = parts.all_statements();
        let mut inventory: Inventory = statements[3].predicate_as().expect("an inventory");
        change(&mut inventory);
        statements[3] = Statement::new(vec![parts.subject()], &inventory);
        parts.lay_out(&Parts::signed(&statements, false))
    };
    let mut forged = Parts::signed(&parts.all_statements(), false);
    let mut draft = Draft::statement(&parts.all_statements()[3]);
    draft.sign(&keys::forger());
    forged[3].1 = draft.to_bytes();
    let mut cases = vec![
        case(
            45,
            "an-open-inventory",
            "the inventory does not list the SBOM",
            No("inventory", "the SBOM is not in the inventory"),
            inventory(|it| drop(it.documents.remove(0))),
        ),
        case(
            45,
            "an-inventory-of-another",
            "the inventory lists another provenance",
            No("inventory", "lists another provenance"),
            inventory(|it| it.documents[2].sha256 = Digest::of(b"another")),
        ),
        case(
            45,
            "listed-twice",
            "the inventory lists one document twice",
            No("inventory", "lists a document twice"),
            inventory(|it| it.documents.push(it.documents[0].clone())),
        ),
        case(
            45,
            "listed-and-not-there",
            "the inventory lists a document that is not there",
            No("inventory", "lists another statement of type"),
            inventory(|it| {
                let mut more = it.documents[0].clone();
                more.predicate_type = "https://spdx.dev/Document".into();
                it.documents.push(more);
            }),
        ),
    ];
    cases.push(release_case(
        3,
        Class::Set,
        "a-forged-inventory",
        "the inventory's signature is by another key, under the hint of the trusted one",
        Forged,
        No("signatures", "not made by this key"),
        parts.lay_out(&forged),
    ));
    cases
}
