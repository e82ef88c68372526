//! What counts as a complete release without a key: the set of one signer, closed by its inventory.

use selfsame_attest::{Inventory, InventoryDocument, SigningKey, Statement, Subject, sign_statement};
use selfsame_core::{Digest, media, uri};
use selfsame_oci::Descriptor;
use serde_json::{Map, json};

use crate::OutlineError;
use crate::complete::{self, Complete, Document, Set};
use crate::outline::Item;

fn key(seed: u8) -> SigningKey {
    SigningKey::generate(|bytes| {
        bytes.fill(seed);
        Ok(())
    })
    .expect("a key")
}

fn image() -> Digest {
    Digest::of(b"image")
}

fn about(image: Digest, predicate_type: &str, predicate: Map<String, serde_json::Value>) -> Statement {
    Statement::raw(vec![Subject::new("x:1", image)], predicate_type, predicate)
}

/// Provenance, SBOM, signature.
fn documents(image: Digest) -> Vec<Statement> {
    let provenance = json!({
        "buildDefinition": {"buildType": uri::BUILD_TYPE, "externalParameters": {"name": "x", "version": "1"}},
        "runDetails": {"builder": {"id": uri::BUILDER_DEV}},
    });
    vec![
        about(image, uri::PROVENANCE, provenance.as_object().expect("an object").clone()),
        about(image, uri::CYCLONEDX, Map::new()),
        about(image, uri::COSIGN_SIGN, Map::new()),
    ]
}

fn inventory(image: Digest, documents: &[Statement]) -> Statement {
    let list = documents.iter().map(|statement| InventoryDocument {
        predicate_type: statement.predicate_type.clone(),
        sha256: Digest::of(&statement.to_payload()),
    });
    Statement::new(vec![Subject::new("x:1", image)], &Inventory::new(list.collect(), Some("development key")))
}

fn signed(statements: &[Statement], key: &SigningKey) -> Vec<Vec<u8>> {
    statements.iter().map(|statement| sign_statement(statement, key).expect("a signature").to_bytes()).collect()
}

fn release(key: &SigningKey) -> Vec<Vec<u8>> {
    let mut statements = documents(image());
    statements.push(inventory(image(), &statements));
    signed(&statements, key)
}

fn complete(bundles: &[Vec<u8>], image: Digest) -> Result<Complete, OutlineError> {
    complete_in(Set::Closed, bundles, image, &|_| false)
}

fn complete_in(
    set: Set,
    bundles: &[Vec<u8>],
    image: Digest,
    counts: &dyn Fn(&[u8]) -> bool,
) -> Result<Complete, OutlineError> {
    let documents: Vec<Document> =
        bundles.iter().filter_map(|bundle| Document::read(Some(image), bundle, counts)).collect();
    complete::complete(documents.iter(), set)
}

#[track_caller]
fn refused(bundles: &[Vec<u8>], because: &str) {
    let fault = complete(bundles, image()).expect_err(because).to_string();
    assert!(fault.contains(because), "{fault}");
}

#[test]
fn a_whole_set_is_complete_in_any_order_and_is_named_by_its_provenance() {
    let mut bundles = release(&key(1));
    let found = complete(&bundles, image()).expect("complete");
    assert_eq!(found.name, "x:1");
    bundles.reverse();
    assert_eq!(complete(&bundles, image()).expect("complete").release_id, found.release_id);
}

#[test]
fn without_one_document_it_is_not() {
    for (at, name) in ["provenance", "SBOM", "image signature", "inventory"].into_iter().enumerate() {
        let mut bundles = release(&key(1));
        bundles.remove(at);
        refused(&bundles, &format!("the {name} is missing"));
    }
    refused(&[], "no signed document is about the image");
    refused(&[b"{}".to_vec()], "no signed document is about the image");
}

#[test]
fn what_the_inventory_does_not_list_closes_nothing() {
    let by = key(1);
    let mut twice = release(&by);
    twice.extend(signed(&[about(image(), uri::CYCLONEDX, Map::from_iter([("a".to_owned(), json!(1))]))], &by));
    refused(&twice, "2 documents where one SBOM should be");
    let mut more = release(&by);
    more.extend(signed(&[about(image(), "https://example.com/more", Map::new())], &by));
    refused(&more, "that the inventory does not list");
    let mut later = release(&by);
    later.extend(signed(&[about(image(), uri::REBUILD, Map::new())], &by));
    assert!(complete(&later, image()).is_ok(), "a rebuild comes later");
    let mut other = documents(image());
    let listed = inventory(image(), &other);
    other[1] = about(image(), uri::CYCLONEDX, Map::from_iter([("a".to_owned(), json!(1))]));
    other.push(listed);
    refused(&signed(&other, &by), "the inventory lists a");
}

#[test]
fn documents_of_others_and_of_other_images_count_for_nothing() {
    let (ours, theirs) = (key(1), key(2));
    let mut mixed = release(&ours);
    let inventory = mixed.pop().expect("an inventory");
    mixed.push(signed(&[self::inventory(image(), &documents(image()))], &theirs).remove(0));
    refused(&mixed, "is missing");
    mixed.push(inventory);
    assert!(complete(&mixed, image()).is_ok(), "another's inventory does no harm");
    let elsewhere = Digest::of(b"another image");
    let mut statements = documents(elsewhere);
    statements.push(self::inventory(elsewhere, &statements));
    refused(&signed(&statements, &ours), "no signed document is about the image");
}

/// In a registry anybody attaches what he likes, also under the name of the signer's key.
#[test]
fn in_an_open_set_a_stranger_spoils_nothing() {
    let (ours, theirs) = (key(1), key(2));
    let good = release(&ours);
    let found = complete(&good, image()).expect("complete");
    // Under our key's name, with a signature that is none.
    let forged = |statement: Statement| -> Vec<u8> {
        let text = String::from_utf8(signed(&[statement], &theirs).remove(0)).expect("JSON");
        text.replace(&theirs.public().key_id(), &ours.public().key_id()).into_bytes()
    };
    let more = || Map::from_iter([("a".to_owned(), json!(1))]);
    let kinds = [uri::PROVENANCE, uri::CYCLONEDX, uri::COSIGN_SIGN, uri::INVENTORY, "https://example.com/more"];
    for kind in kinds {
        let mut spoilt = good.clone();
        spoilt.insert(0, forged(about(image(), kind, more())));
        assert!(complete(&spoilt, image()).is_err(), "{kind}: what is sent has to be closed");
        let open = complete_in(Set::Open, &spoilt, image(), &|_| false).expect(kind);
        assert_eq!((open.release_id, open.name.as_str()), (found.release_id, "x:1"), "{kind}");
    }
    // A whole release of a stranger's comes first only if nobody says who counts.
    let counts = |of: &SigningKey| {
        let key = of.public();
        move |bundle: &[u8]| selfsame_attest::Bundle::parse(bundle).is_ok_and(|it| it.verify(&key).is_ok())
    };
    for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let mut both = release(one);
        both.extend(release(other));
        for by in [one, other] {
            let chosen = complete_in(Set::Open, &both, image(), &counts(by)).expect("two releases");
            assert_eq!(chosen.key_id, by.public().key_id());
        }
    }
}

/// A stranger's inventories under as many names as he likes: of those of no trusted key each has its turn before any has a
/// second one, and a trusted one is looked at whatever others there are.
#[test]
fn names_without_number_push_no_whole_release_out() {
    let (ours, theirs) = (key(1), key(2));
    let listed = signed(&[inventory(image(), &documents(image()))], &theirs).remove(0);
    let listed = String::from_utf8(listed).expect("JSON");
    let id = theirs.public().key_id();
    let mut bundles: Vec<Vec<u8>> =
        (0..1100).map(|number| listed.replace(&id, &format!("{number:064}")).into_bytes()).collect();
    bundles.extend(release(&ours));
    let by_ours =
        |bundle: &[u8]| selfsame_attest::Bundle::parse(bundle).is_ok_and(|it| it.verify(&ours.public()).is_ok());
    let found = complete_in(Set::Open, &bundles, image(), &by_ours).expect("a trusted release");
    assert_eq!(found.key_id, ours.public().key_id());
    // Under one name there are not more than before the others have their turn.
    let more = |number: u32| Map::from_iter([("number".to_owned(), json!(number))]);
    let many = (0..1100).map(|number| about(image(), uri::INVENTORY, more(number))).collect::<Vec<_>>();
    let mut bundles: Vec<Vec<u8>> = Vec::new();
    for bundle in signed(&many, &theirs) {
        let text = String::from_utf8(bundle).expect("JSON");
        let name = bundles.len() % 5;
        bundles.push(text.replace(&id, &format!("{name:064}")).into_bytes());
    }
    bundles.extend(release(&ours));
    let found = complete_in(Set::Open, &bundles, image(), &|_| false).expect("a release among strangers");
    assert_eq!(found.key_id, ours.public().key_id());
}

/// Two platforms that were made from the same inputs: comparing each with each would take minutes.
#[test]
fn many_inputs_of_several_platforms_are_named_once_each() {
    const INPUTS: usize = 60_000;
    let by = key(1);
    let index = Descriptor::of(media::INDEX, b"an index");
    let (mut read, mut images) = (Vec::new(), Vec::new());
    let mut lists = Vec::new();
    let mut add = |about: Digest, statements: &[Statement]| {
        let bundles = signed(statements, &by);
        read.extend(bundles.iter().map(|it| Document::read(Some(about), it, &|_| false).expect("a document")));
    };
    for part in ["one", "two"] {
        let image = Descriptor::of(media::MANIFEST, part.as_bytes());
        let mut statements = documents(image.digest);
        let input = |at: usize| json!({"uri": format!("pkg:generic/{at:080}"), "name": "the same name"});
        let mut inputs: Vec<_> = (0..INPUTS).map(input).collect();
        inputs.push(json!({"name": part}));
        statements[0].predicate["buildDefinition"]["resolvedDependencies"] = inputs.into();
        let list = inventory(image.digest, &statements);
        lists.push(list.clone());
        statements.push(list);
        add(image.digest, &statements);
        images.push(Item { descriptor: image, bytes: Vec::new(), blobs: Vec::new(), about: None });
    }
    let signature = about(index.digest, uri::COSIGN_SIGN, Map::new());
    lists.push(signature.clone());
    add(index.digest, &[signature, inventory(index.digest, &lists)]);
    let read: Vec<&Document> = read.iter().collect();
    let found = complete::complete_all(&read, &index, &images, Set::Closed).expect("a joined release");
    assert_eq!(found.inputs.len(), INPUTS + 2);
    assert_eq!((found.inputs[INPUTS].name.as_str(), found.inputs[INPUTS + 1].name.as_str()), ("one", "two"));
}
