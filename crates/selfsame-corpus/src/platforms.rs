//! Releases for several platforms: an index is signed and a child is given, or the reverse.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use selfsame_attest::{Inventory, InventoryDocument, Provenance, Statement, Subject};
use selfsame_core::{Digest, json, media, uri};
use selfsame_oci::{Descriptor, Index, image_index, index, layout};
use serde_json::json;

use crate::attack::Answer::{self, No, Yes};
use crate::attack::release_case;
use crate::case::Grounds::{Content, Good};
use crate::case::{Case, Class};
use crate::release::{Files, NAME, Parts, bundle_manifest};

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// A release of several, before it is laid out.
struct Whole {
    parts: Vec<Files>,
    index: Vec<u8>,
    /// About the index: provenance of all, signature, inventory.
    statements: Vec<Statement>,
}

fn image(files: &Files) -> Descriptor {
    let listed = Index::parse(&files[layout::INDEX_FILE], media::INDEX).expect("an index");
    let mut image = listed.manifests[0].clone();
    image.annotations.clear();
    image
}

fn listed(files: &Files) -> Vec<Descriptor> {
    Index::parse(&files[layout::INDEX_FILE], media::INDEX).expect("an index").manifests.split_off(1)
}

impl Whole {
    fn of(parts: &[Parts]) -> Self {
        let files: Vec<Files> = parts.iter().map(Parts::release).collect();
        let images: Vec<Descriptor> = files.iter().map(image).collect();
        let bytes = image_index(&images, &BTreeMap::new()).expect("an index").bytes;
        let ids = parts.iter().map(Parts::release_id).collect();
        let each: Vec<Provenance> =
            parts.iter().map(|part| part.statements()[0].predicate_as().expect("provenance")).collect();
        // None where they were not asked for together.
        let provenance = Provenance::of_several(&each.iter().collect::<Vec<_>>()).ok();
        Self { parts: files, index: bytes, statements: Vec::new() }.stated(provenance.as_ref(), &images, ids)
    }

    /// The same with these statements about its index.
    fn stated(mut self, provenance: Option<&Provenance>, images: &[Descriptor], ids: Vec<Digest>) -> Self {
        let own = self.subject();
        let of = |image: &Descriptor| Subject::new(image.digest.to_string(), image.digest);
        let subjects = [own.clone()].into_iter().chain(images.iter().map(of)).collect();
        self.statements.extend(provenance.map(|provenance| Statement::new(subjects, provenance)));
        self.statements.push(Statement::cosign_sign(vec![own]));
        self.close(ids);
        self
    }

    fn subject(&self) -> Subject {
        Subject::new(NAME, Digest::of(&self.index))
    }

    /// Lists what is about the index, and these inventories of its parts.
    fn close(&mut self, inventories: Vec<Digest>) {
        let named = |kind: &str, sha256| InventoryDocument { predicate_type: kind.to_owned(), sha256 };
        let own = self.statements.iter().map(|it| named(&it.predicate_type, Digest::of(&it.to_payload())));
        let documents = own.chain(inventories.into_iter().map(|sha256| named(uri::INVENTORY, sha256))).collect();
        self.statements.push(Statement::new(vec![self.subject()], &Inventory::new(documents, None)));
    }

    fn lay_out(&self) -> Files {
        let top = Descriptor::of(media::INDEX, &self.index);
        let mut files = Files::new();
        let mut referrers = Vec::new();
        files.insert(layout::blob_path(top.digest), self.index.clone());
        for (label, bundle) in Parts::signed(&self.statements, false) {
            let manifest = bundle_manifest(&top, &label, &bundle);
            files.insert(layout::blob_path(Digest::of(&bundle)), bundle);
            files.insert(layout::blob_path(manifest.descriptor.digest), manifest.bytes);
            referrers.push(manifest.descriptor);
        }
        for part in &self.parts {
            referrers.extend(listed(part));
            files.extend(part.iter().map(|(name, bytes)| (name.clone(), bytes.clone())));
        }
        files.insert(layout::INDEX_FILE.into(), layout::index_file(&top, NAME, &referrers).bytes);
        files
    }
}

fn both() -> [Parts; 2] {
    BOTH.map(|platform| Parts::of(platform, &BOTH))
}

pub(crate) fn cases() -> Vec<Case> {
    let parts = both();
    let mut cases = vec![release_case(
        0,
        Class::Control,
        "platforms",
        "a release for two platforms",
        Good,
        Yes,
        Whole::of(&parts).lay_out(),
    )];
    cases.extend(children(&parts));
    cases.extend(indexes(&parts));
    cases.extend(joined(&parts));
    cases
}

fn case(item: u8, name: &str, says: &str, answer: Answer, release: impl Borrow<Files>) -> Case {
    release_case(item, Class::Platforms, name, says, Content, answer, release)
}

/// One image of an index, with what is about the index.
fn children(parts: &[Parts; 2]) -> Vec<Case> {
    let whole = Whole::of(parts);
    let (child, top) = (image(&whole.parts[0]), Descriptor::of(media::INDEX, &whole.index));
    // The referrers of the index beside the child: every signature is good.
    let mut beside = whole.lay_out();
    let index = Index::parse(&beside[layout::INDEX_FILE], media::INDEX).expect("an index");
    let of_index: Vec<Descriptor> = index.manifests[1..=3].to_vec();
    beside.insert(layout::INDEX_FILE.into(), layout::index_file(&child, NAME, &of_index).bytes);
    // The same documents, filed as if they were about the child.
    let bundles = Parts::signed(&whole.statements, false);
    let refiled = parts[0].lay_out(&bundles);
    // The child's own documents but for one about the index.
    let own = Parts::signed(&parts[0].all_statements(), false);
    let mut one = own.clone();
    one[2] = bundles[1].clone();
    // The child of a release that was joined, alone: it is a release.
    let alone = release_case(
        0,
        Class::Control,
        "platform-alone",
        "one platform of a release for two, with its own documents",
        Good,
        Yes,
        parts[0].release(),
    );
    assert_ne!(child.digest, top.digest);
    vec![
        alone,
        case(
            27,
            "child-beside-the-indexs-documents",
            "an image, and documents about the index that names it",
            No("referrers", "not about this image"),
            beside,
        ),
        case(
            27,
            "child-under-the-indexs-documents",
            "documents about the index, filed under an image that it names",
            No("subjects", "about something else"),
            refiled,
        ),
        case(
            27,
            "child-with-the-indexs-signature",
            "one document of an image is about the index that names it",
            No("subjects", "about something else"),
            parts[0].lay_out(&one),
        ),
    ]
}

/// An index, with what is about one image of it.
fn indexes(parts: &[Parts; 2]) -> Vec<Case> {
    let with = |statements: &dyn Fn(&mut Whole)| {
        let mut whole = Whole::of(parts);
        statements(&mut whole);
        whole.lay_out()
    };
    let of_child = |whole: &mut Whole| whole.statements = parts[0].all_statements();
    let without = |whole: &mut Whole| whole.statements.clear();
    let ids: Vec<Digest> = parts.iter().map(Parts::release_id).collect();
    let listing = |inventories: Vec<Digest>| {
        with(&|whole| {
            whole.statements.pop();
            whole.close(inventories.clone());
        })
    };
    vec![
        case(
            27,
            "index-under-a-childs-documents",
            "an index, and documents about one image of it",
            No("signature", "no trusted key signed what joins the parts"),
            with(&of_child),
        ),
        case(
            27,
            "index-without-documents",
            "an index that nobody signed, of images that are signed",
            No("signature", "no trusted key signed what joins the parts"),
            with(&without),
        ),
        case(
            27,
            "index-that-lists-one",
            "what joins the platforms does not list one of them",
            No("inventory", "does not list exactly"),
            listing(vec![ids[0]]),
        ),
        case(
            27,
            "index-that-lists-a-third",
            "what joins the platforms lists one that is not there",
            No("inventory", "does not list exactly"),
            listing(vec![ids[0], ids[1], Digest::of(b"a third")]),
        ),
    ]
}

/// Indexes that lead somewhere else than to one image for each platform.
fn joined(parts: &[Parts; 2]) -> Vec<Case> {
    let images: Vec<Descriptor> = Whole::of(parts).parts.iter().map(image).collect();
    let of = |list: &[Descriptor]| {
        let mut whole = Whole::of(parts);
        whole.index = index(list, &BTreeMap::new()).bytes;
        let each: Vec<Provenance> =
            parts.iter().map(|part| part.statements()[0].predicate_as().expect("provenance")).collect();
        let provenance = Provenance::of_several(&each.iter().collect::<Vec<_>>()).ok();
        whole.statements.clear();
        whole.stated(provenance.as_ref(), list, parts.iter().map(Parts::release_id).collect())
    };
    let inner = Whole::of(parts).index;
    let nested = Descriptor::of(media::INDEX, &inner).for_platform("linux/s390x".parse().expect("a platform"));
    let mut with_index = of(&[images[0].clone(), images[1].clone(), nested.clone()]).lay_out();
    with_index.insert(layout::blob_path(nested.digest), inner);
    let mut lying = images.clone();
    lying[1].platform = Some("linux/riscv64".parse().expect("a platform"));
    let mut twice = images.clone();
    twice[1].platform = twice[0].platform.clone();
    let mut unnamed = Whole::of(parts);
    unnamed.parts.push(Parts::of("linux/riscv64", &[]).release());
    // No document can name its own digest; this one names another index that names it by what it was.
    let mut itself: serde_json::Value = serde_json::from_slice(&Whole::of(parts).index).expect("an index");
    let top = Descriptor::of(media::INDEX, &Whole::of(parts).index);
    itself["manifests"][0] = json!({"mediaType": media::INDEX, "digest": top.digest, "size": top.size});
    let mut circle = Whole::of(parts);
    let before = std::mem::replace(&mut circle.index, json::canonical_value(&itself));
    let mut circle = circle.lay_out();
    circle.insert(layout::blob_path(top.digest), before);
    let mut bent = Whole::of(parts);
    bent.parts[1] = parts[1].lay_out(&Parts::signed(&parts[0].all_statements(), false));
    let mut missing = Whole::of(parts).lay_out();
    missing.remove(&layout::blob_path(images[1].digest));
    let fewer = [Parts::of(BOTH[0], &["linux/amd64", "linux/arm64", "linux/riscv64"]), {
        Parts::of(BOTH[1], &["linux/amd64", "linux/arm64", "linux/riscv64"])
    }];
    vec![
        case(
            60,
            "index-of-an-index",
            "an index that names an index",
            No("index", "which is an index itself"),
            with_index,
        ),
        case(
            60,
            "index-of-another-index",
            "an index that names the one that it was made from",
            No("index", "which is an index itself"),
            circle,
        ),
        case(
            60,
            "one-platform-twice",
            "two images for one platform",
            No("index", "two manifests are for linux/amd64"),
            of(&twice).lay_out(),
        ),
        case(
            60,
            "another-platform",
            "an image for another platform than the index says",
            No("parts", "its config says linux/arm64"),
            of(&lying).lay_out(),
        ),
        case(
            60,
            "an-image-more",
            "an image that the index does not name",
            No("index", "which the index does not name"),
            unnamed.lay_out(),
        ),
        case(
            46,
            "documents-exchanged",
            "one platform has the documents of the other",
            No("parts", "about something else than this image"),
            bent.lay_out(),
        ),
        case(45, "an-image-less", "an image of the index is not there", No("index", "is missing"), missing),
        case(
            45,
            "a-platform-less",
            "a platform that was asked for with the others is not there",
            No("platforms", "was asked for among"),
            Whole::of(&fewer).lay_out(),
        ),
    ]
}
