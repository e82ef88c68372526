//! Releases for several platforms: built together or joined, taken apart, mixed up, re-signed.

mod stamped;

use std::collections::BTreeMap;

use selfsame_attest::bundle::{ANNOTATION_CONTENT, ANNOTATION_PREDICATE_TYPE, CONTENT};
use selfsame_attest::{Bundle, Inventory, InventoryDocument, Provenance, Statement, Subject};
use selfsame_core::{Digest, media, uri};
use selfsame_oci::{Descriptor, Index, Manifest, image_index, index, layout, referrer_manifest};
use selfsame_verify::{Class, Depth, JoinedFiles, JoinedVerdict, Options, Outcome, Trust, verify, verify_joined};
use serde_json::json;

use crate::fake::{Parts, key, signed};
use crate::{Files, expecting, options, table};

mod disks;
mod fuzz;
mod policies;

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];
const NAME: &str = "hello:1.0.0";

fn part(platform: &str, together: &[&str]) -> Parts {
    let mut parts = Parts::good();
    parts.config.platform = platform.parse().expect("a platform");
    let parameters = &mut parts.provenance.build_definition.external_parameters;
    parameters.insert("platform".to_owned(), json!(platform));
    if !together.is_empty() {
        parameters.insert("platforms".to_owned(), json!(together));
    }
    parts
}

/// A release that can be changed before it is laid out.
struct Whole {
    parts: Vec<Files>,
    index: Vec<u8>,
    /// About the index: provenance where there is some, signature, inventory.
    statements: Vec<Statement>,
    signer: &'static str,
    /// Who signs the same about the index as well.
    also: Option<&'static str>,
    /// How many referrers hold one and the same document by a stranger.
    strangers: usize,
    /// Documents about the index that are not there, by their size.
    announced: Vec<u64>,
}

fn descriptor(files: &Files) -> Descriptor {
    let listed = Index::parse(&files[layout::INDEX_FILE], media::INDEX).expect("an index");
    let mut image = listed.manifests[0].clone();
    image.annotations.clear();
    image
}

fn provenance(parts: &[Parts]) -> Result<Provenance, String> {
    let each: Vec<Provenance> = parts.iter().map(|part| part.statements()[0].predicate_as().expect("ours")).collect();
    Provenance::of_several(&each.iter().collect::<Vec<_>>())
}

impl Whole {
    /// Everything as it should be; provenance of all where the parts say that they were asked for together.
    fn of(parts: &[Parts]) -> Self {
        let files: Vec<Files> = parts.iter().map(Parts::release).collect();
        let images: Vec<Descriptor> = files.iter().map(descriptor).collect();
        let index = image_index(&images, &BTreeMap::new()).expect("an index");
        let subject = || Subject::new(NAME, index.descriptor.digest);
        let mut statements = Vec::new();
        if let Ok(provenance) = provenance(parts) {
            let image = |image: &Descriptor| Subject::new(image.digest.to_string(), image.digest);
            let subjects = [subject()].into_iter().chain(images.iter().map(image)).collect();
            statements.push(Statement::new(subjects, &provenance));
        }
        statements.push(Statement::cosign_sign(vec![subject()]));
        let mut whole = Self {
            parts: files,
            index: index.bytes,
            statements,
            signer: "signer",
            also: None,
            strangers: 0,
            announced: Vec::new(),
        };
        whole.close(parts.iter().map(Parts::release_id).collect());
        whole
    }

    /// The digest of the joining inventory.
    fn release_id(&self) -> Digest {
        Digest::of(&self.statements.last().expect("an inventory").to_payload())
    }

    fn subject(&self) -> Subject {
        Subject::new(NAME, Digest::of(&self.index))
    }

    /// Lists what is about the index, and these inventories.
    fn close(&mut self, inventories: Vec<Digest>) {
        let named = |kind: &str, sha256| InventoryDocument { predicate_type: kind.to_owned(), sha256 };
        let own = self.statements.iter().map(|it| named(&it.predicate_type, Digest::of(&it.to_payload())));
        let documents = own.chain(inventories.into_iter().map(|sha256| named(uri::INVENTORY, sha256))).collect();
        self.statements.push(Statement::new(vec![self.subject()], &Inventory::new(documents, None)));
    }

    /// The statement of this type, anew; the inventory lists what it listed, and this.
    fn exchange(&mut self, statement: Statement) {
        let inventory = self.statements.pop().expect("an inventory");
        let list: Inventory = inventory.predicate_as().expect("ours");
        let of_parts = list.documents.iter().filter(|it| it.predicate_type == uri::INVENTORY);
        let of_parts = of_parts.map(|it| it.sha256).collect();
        self.statements.retain(|it| it.predicate_type != statement.predicate_type);
        self.statements.push(statement);
        self.close(of_parts);
    }

    fn lay_out(&self) -> Files {
        let mut files = Files::new();
        let mut listed = Vec::new();
        let top = Descriptor::of(media::INDEX, &self.index);
        let mut blob = |bytes: &[u8]| drop(files.insert(layout::blob_path(Digest::of(bytes)), bytes.to_vec()));
        blob(&self.index);
        blob(b"{}");
        let mut documents: Vec<(String, Descriptor)> = Vec::new();
        for (label, bundle) in [self.signer].into_iter().chain(self.also).flat_map(|by| signed(&self.statements, by)) {
            blob(&bundle);
            documents.push((label, Descriptor::of(media::BUNDLE, &bundle)));
        }
        let (_, strange) = signed(&self.statements, "stranger").remove(0);
        for number in 0..self.strangers {
            blob(&strange);
            documents.push((format!("https://example.com/{number}"), Descriptor::of(media::BUNDLE, &strange)));
        }
        for (number, size) in self.announced.iter().enumerate() {
            let absent = Descriptor::of(media::BUNDLE, number.to_string().as_bytes());
            documents.push((format!("https://example.com/{number}"), Descriptor { size: *size, ..absent }));
        }
        for (label, layer) in documents {
            let annotations = BTreeMap::from([
                (ANNOTATION_CONTENT.to_owned(), CONTENT.to_owned()),
                (ANNOTATION_PREDICATE_TYPE.to_owned(), label),
            ]);
            let layers = [layer];
            let manifest = referrer_manifest(&top, media::BUNDLE, &layers, &annotations);
            blob(&manifest.bytes);
            listed.push(manifest.descriptor);
        }
        for part in &self.parts {
            let index = Index::parse(&part[layout::INDEX_FILE], media::INDEX).expect("an index");
            listed.extend(index.manifests.into_iter().skip(1));
            files.extend(part.iter().map(|(name, bytes)| (name.clone(), bytes.clone())));
        }
        files.insert(layout::INDEX_FILE.into(), layout::index_file(&top, NAME, &listed).bytes);
        files
    }
}

fn both() -> [Parts; 2] {
    BOTH.map(|platform| part(platform, &BOTH))
}

fn judged(files: &Files, options: &Options) -> JoinedVerdict {
    let trust = Trust::in_keys([key("signer").public(), key("other").public()]);
    verify_joined(files, &trust, options).expect("an index is first")
}

#[track_caller]
fn verifies(files: &Files) -> JoinedVerdict {
    let verdict = judged(files, &options(Depth::Content));
    let tables: Vec<String> = verdict.parts.iter().map(|(_, part)| table(part)).collect();
    assert_eq!(verdict.class(), Class::Verified, "{:?}\n{}", verdict.checks, tables.join("\n"));
    verdict
}

/// Exactly this check is the first that fails, for this reason; and nothing is handed out.
#[track_caller]
fn refused(files: &Files, id: &str, because: &str) {
    for depth in Depth::ALL {
        let verdict = judged(files, &options(depth));
        assert_eq!(verdict.class(), Class::NotVerified, "{because}");
        assert!(verdict.joining.is_none(), "{because}");
        let failed = verdict.checks.iter().find(|check| matches!(check.outcome, Outcome::Failed { .. }));
        let failed = failed.unwrap_or_else(|| panic!("nothing failed: {:?}", verdict.checks));
        let reason = failed.outcome.reason().unwrap_or_default();
        assert_eq!(failed.id, id, "{reason}");
        assert!(reason.contains(because), "`{reason}` does not say `{because}`");
    }
}

#[test]
fn a_release_for_several_platforms_is_verified_whole_and_part_by_part() {
    let whole = Whole::of(&both());
    let files = whole.lay_out();
    let verdict = verifies(&files);
    let joining = verdict.joining.as_deref().expect("verified");
    assert_eq!(joining.index, Digest::of(&whole.index));
    assert_eq!(joining.provenance.as_ref().and_then(Provenance::platforms), Some(BOTH.to_vec()));
    let ids: Vec<(&str, &str)> = verdict.checks.iter().map(|check| (check.id, check.outcome.as_str())).collect();
    let expected = [
        ("index", "passed"),
        ("parts", "passed"),
        ("signature", "passed"),
        ("platforms", "passed"),
        ("inventory", "passed"),
        ("log", "not-performed"),
        ("time-stamps", "not-performed"),
        ("expectations", "passed"),
        ("nothing-extra", "passed"),
        ("threshold", "passed"),
        ("policy", "passed"),
        ("run-record", "not-performed"),
    ];
    assert_eq!(ids, expected);
    let taken = JoinedFiles::open(&files).expect("an index").expect("whole");
    for (part, (platform, of_part)) in taken.parts.iter().zip(&verdict.parts) {
        assert_eq!(&part.platform, platform);
        let alone = verify(&part.of(&files), &Trust::in_keys([key("signer").public()]), &options(Depth::Content));
        assert!(alone.is_verified() && of_part.is_verified(), "{}", table(&alone));
    }
    let apart = Whole::of(&BOTH.map(|platform| part(platform, &[])));
    let verdict = verifies(&apart.lay_out());
    assert!(verdict.joining.as_deref().is_some_and(|joining| joining.provenance.is_none()));
    assert_eq!(verdict.checks[3].outcome.as_str(), "not-performed", "nobody asked for them together");
    assert!(verify_joined(&both()[0].release(), &Trust::default(), &options(Depth::Evidence)).is_none());
}

#[test]
fn without_a_key_nothing_is_answered() {
    let files = Whole::of(&both()).lay_out();
    let verdict = verify_joined(&files, &Trust::default(), &options(Depth::Content)).expect("an index");
    assert_eq!((verdict.class(), verdict.release_id), (Class::Unanswered, None));
}

#[test]
fn an_expectation_is_of_the_whole_or_of_a_part() {
    let parts = both();
    let whole = Whole::of(&parts);
    let files = whole.lay_out();
    let of = |text: &str| judged(&files, &expecting(&[text])).class();
    let index = Digest::of(&whole.index);
    for text in [
        format!("image={index}"),
        format!("image={}", parts[1].image_digest()),
        format!("release={}", parts[0].release_id()),
        "platform=linux/arm64".to_owned(),
        "version=1.0.0".to_owned(),
    ] {
        assert_eq!(of(&text), Class::Verified, "{text}");
    }
    // An image that the index does not name, however good it may be elsewhere.
    let child = part("linux/riscv64", &[]).image_digest();
    for text in [format!("image={child}"), "platform=linux/riscv64".to_owned(), "version=2.0.0".to_owned()] {
        assert_eq!(of(&text), Class::NotVerified, "{text}");
    }
    let verdict = judged(&files, &expecting(&[&format!("image={child}")]));
    assert!(verdict.faults().next().is_some_and(|fault| fault.contains("neither the release nor a part of it")));
}

#[test]
fn an_index_names_one_image_for_each_platform_and_no_index() {
    let mut nested = Whole::of(&both());
    let inner = Descriptor::of(media::INDEX, &nested.index).for_platform("linux/s390x".parse().expect("a platform"));
    let images: Vec<Descriptor> = nested.parts.iter().map(descriptor).chain([inner]).collect();
    let bytes = std::mem::replace(&mut nested.index, image_index(&images, &BTreeMap::new()).expect("an index").bytes);
    let mut files = nested.lay_out();
    files.insert(layout::blob_path(Digest::of(&bytes)), bytes);
    refused(&files, "index", "which is an index itself");

    let mut twice = Whole::of(&both());
    let mut images: Vec<Descriptor> = twice.parts.iter().map(descriptor).collect();
    images[1].platform = images[0].platform.clone();
    twice.index = index(&images, &BTreeMap::new()).bytes;
    refused(&twice.lay_out(), "index", "two manifests are for linux/amd64");

    let mut same = Whole::of(&both());
    images[1] = images[0].clone().for_platform(BOTH[1].parse().expect("a platform"));
    same.index = image_index(&images, &BTreeMap::new()).expect("an index").bytes;
    refused(&same.lay_out(), "index", "for two platforms");

    let mut unsorted = Whole::of(&both());
    let images: Vec<Descriptor> = unsorted.parts.iter().rev().map(descriptor).collect();
    unsorted.index = index(&images, &BTreeMap::new()).bytes;
    refused(&unsorted.lay_out(), "index", "not canonical");

    let mut lying = Whole::of(&both());
    let mut images: Vec<Descriptor> = lying.parts.iter().map(descriptor).collect();
    images[1].platform = Some("linux/riscv64".parse().expect("a platform"));
    lying.index = image_index(&images, &BTreeMap::new()).expect("an index").bytes;
    refused(&lying.lay_out(), "parts", "its config says linux/arm64");

    let mut empty = Whole::of(&both());
    empty.index = index(&[], &BTreeMap::new()).bytes;
    refused(&empty.lay_out(), "index", "names 0 images");
}

#[test]
fn what_the_index_does_not_name_is_no_part() {
    let mut whole = Whole::of(&both());
    whole.parts.push(part("linux/riscv64", &[]).release());
    refused(&whole.lay_out(), "index", "which the index does not name");
}

#[test]
fn a_platform_that_was_asked_for_may_not_be_missing() {
    let all = ["linux/amd64", "linux/arm64", "linux/riscv64"];
    let parts = BOTH.map(|platform| part(platform, &all));
    let because = "was asked for among linux/amd64, linux/arm64, linux/riscv64";
    refused(&Whole::of(&parts).lay_out(), "platforms", because);
    // Nor may a stranger stand among those that were asked for.
    let mixed = [part(BOTH[0], &BOTH), part(BOTH[1], &BOTH), part("linux/riscv64", &[])];
    refused(&Whole::of(&mixed).lay_out(), "platforms", "among linux/amd64, linux/arm64");
    // A part says it of itself, too.
    let alone = part("linux/riscv64", &BOTH).release();
    crate::fails(&alone, selfsame_verify::CheckId::Parameters, "none of those that were asked for together");
    for list in [json!(["linux/arm64", "linux/amd64"]), json!(["linux/amd64"]), json!("linux/amd64"), json!([1, 2])] {
        let mut parts = part(BOTH[0], &[]);
        parts.provenance.build_definition.external_parameters.insert("platforms".to_owned(), list);
        crate::fails(&parts.release(), selfsame_verify::CheckId::Parameters, "`platforms` is not a");
    }
}

#[test]
fn the_documents_of_one_platform_are_none_of_another() {
    let parts = both();
    let mut whole = Whole::of(&parts);
    // The signatures are good; they are about the other image.
    whole.parts[1] = parts[1].lay_out(&signed(&parts[0].statements(), "signer"));
    refused(&whole.lay_out(), "parts", "about something else than this image");
}

#[test]
fn the_provenance_of_all_says_what_those_of_each_say() {
    let parts = both();
    let good = || Whole::of(&parts);
    let mut none = good();
    none.statements.retain(|it| it.predicate_type == uri::COSIGN_SIGN);
    none.close(parts.iter().map(Parts::release_id).collect());
    refused(&none.lay_out(), "platforms", "no provenance of all platforms");

    let mut other = good();
    let mut changed = other.statements[0].clone();
    let mut provenance: Provenance = changed.predicate_as().expect("ours");
    provenance.build_definition.resolved_dependencies.pop();
    changed.predicate = Statement::new(changed.subjects.clone(), &provenance).predicate;
    other.exchange(changed);
    refused(&other.lay_out(), "platforms", "says something else than those of each");

    let mut fewer = good();
    let mut changed = fewer.statements[0].clone();
    changed.subjects.pop();
    fewer.exchange(changed);
    refused(&fewer.lay_out(), "platforms", "about other images than those of the index");

    let mut stranger = good();
    stranger.signer = "other";
    refused(&stranger.lay_out(), "platforms", "by another key than their index");

    let apart = BOTH.map(|platform| part(platform, &[]));
    let mut pretended = Whole::of(&apart);
    let provenance = self::provenance(&parts).expect("together");
    pretended.exchange(Statement::new(vec![pretended.subject()], &provenance));
    refused(&pretended.lay_out(), "platforms", "nobody asked for together");
    // Parts that were built apart may be joined by another.
    let mut joined = Whole::of(&apart);
    joined.signer = "other";
    verifies(&joined.lay_out());
}

#[test]
fn the_joining_inventory_is_closed() {
    let parts = both();
    let ids: Vec<Digest> = parts.iter().map(Parts::release_id).collect();
    let with = |inventories: Vec<Digest>| {
        let mut whole = Whole::of(&parts);
        whole.statements.pop();
        whole.close(inventories);
        whole.lay_out()
    };
    let because = "does not list exactly";
    refused(&with(vec![ids[0]]), "inventory", because);
    refused(&with(vec![ids[0], ids[1], Digest::of(b"a third")]), "inventory", because);
    refused(&with(vec![ids[0], ids[1], ids[1]]), "inventory", "twice");

    let mut unsigned = Whole::of(&parts);
    unsigned.statements.retain(|it| it.predicate_type != uri::COSIGN_SIGN);
    refused(&unsigned.lay_out(), "signature", "no image signature about the index");
    let mut open = Whole::of(&parts);
    open.statements.pop();
    refused(&open.lay_out(), "inventory", "no inventory joins");
    let mut more = Whole::of(&parts);
    more.exchange(Statement::raw(vec![more.subject()], "https://example.com/more/v1", serde_json::Map::new()));
    refused(&more.lay_out(), "inventory", "that no release has");
    let mut strangers = Whole::of(&parts);
    strangers.signer = "stranger";
    refused(&strangers.lay_out(), "signature", "no trusted key signed what joins");

    let mut unchecked = both();
    unchecked[1].not_checked_because = Some("development key");
    refused(&Whole::of(&unchecked).lay_out(), "inventory", "and a part was not");
}

#[test]
fn files_beside_it_are_known_or_refused_and_what_is_attached_later_counts_for_nothing() {
    let whole = Whole::of(&both());
    let mut files = whole.lay_out();
    files.insert("stray".into(), b"x".to_vec());
    let verdict = judged(&files, &options(Depth::Blobs));
    assert!(verdict.faults().any(|fault| fault == "nothing names `stray`"), "{:?}", verdict.checks);
    let mut docker = whole.lay_out();
    docker.insert(layout::DOCKER_FILE.into(), b"[]".to_vec());
    refused(&docker, "nothing-extra", "manifest.json lists something else");
    let listed = JoinedFiles::open(&whole.lay_out()).expect("an index").expect("whole").docker_file();
    docker.insert(layout::DOCKER_FILE.into(), listed);
    verifies(&docker);

    let mut later = Whole::of(&both());
    later.statements.push(Statement::raw(vec![later.subject()], uri::REBUILD, serde_json::Map::new()));
    let verdict = verifies(&later.lay_out());
    assert_eq!(verdict.unlisted.len(), 1);
    assert!(verdict.unlisted[0].note.contains("after the inventory"));

    let mut recorded = whole.lay_out();
    recorded.insert(selfsame_verify::RUN_RECORD_FILE.into(), both()[0].run_record(Digest::of(b"another"), "signer"));
    let record = verifies(&recorded).checks.pop().expect("checks");
    assert!(record.outcome.reason().is_some_and(|reason| reason.contains("not used")), "{record:?}");
}

/// What joins the platforms is signed by a key that counts, like everything else.
#[test]
fn who_joins_has_to_count() {
    use crate::trust::day;
    // Built apart, so that another key may join them.
    let parts = BOTH.map(|platform| part(platform, &[]));
    let mut whole = Whole::of(&parts);
    whole.signer = "other";
    let files = whole.lay_out();
    let judged = |change: &dyn Fn(&mut selfsame_verify::KeyEntry)| {
        let mut file = selfsame_verify::TrustFile::empty();
        file.keys.push(selfsame_verify::KeyEntry::new("builder", key("signer").public()));
        let mut joiner = selfsame_verify::KeyEntry::new("joiner", key("other").public());
        change(&mut joiner);
        file.keys.push(joiner);
        let trust = file.at(day("2026-11-20"), &file.to_string());
        verify_joined(&files, &trust, &options(Depth::Content)).expect("an index is first")
    };
    let good = judged(&|_| {});
    assert_eq!(good.class(), Class::Verified, "{:?}", good.faults().collect::<Vec<_>>());
    let refused = |change: &dyn Fn(&mut selfsame_verify::KeyEntry), because: &str| {
        let verdict = judged(change);
        assert_eq!(verdict.class(), Class::NotVerified);
        let faults: Vec<&str> = verdict.faults().collect();
        assert!(faults.iter().any(|fault| fault.contains(because)), "{faults:?}");
        assert!(verdict.joining.is_none() && verdict.parts.iter().all(|(_, part)| part.is_verified()));
    };
    refused(&|key| key.compromised = Some(day("2026-06-01")), "the key `joiner` is compromised since 2026-06-01");
    refused(&|key| key.retired = Some(day("2026-06-01")), "the key `joiner` is retired since 2026-06-01");
    refused(&|key| key.from = Some(day("2027-01-01")), "the key `joiner` counts from 2027-01-01 on");
    refused(
        &|key| key.predicates = Some([uri::COSIGN_SIGN.to_owned()].into()),
        "may not sign `https://selfsame.dev/inventory/v1`",
    );
    // A key that speaks for no builder, or for others, joins nothing of theirs.
    refused(&|key| key.builder_ids = Some(Vec::new()), "does not speak for the builder `https://selfsame.dev/");
    refused(&|key| key.builder_ids = Some(vec!["https://example.com/b".into()]), "does not speak for the builder");
    let named = judged(&|key| key.builder_ids = Some(vec![uri::BUILDER_LOCAL.into()]));
    assert_eq!(named.class(), Class::Verified, "{:?}", named.faults().collect::<Vec<_>>());
}

/// A trust file in which each of these keys is held by somebody else.
fn several(names: &[&'static str], change: impl FnOnce(&mut selfsame_verify::TrustFile)) -> Trust {
    let mut file = selfsame_verify::TrustFile::empty();
    file.keys.extend(names.iter().map(|name| selfsame_verify::KeyEntry::new(*name, key(name).public())));
    change(&mut file);
    file.at(crate::trust::day("2026-11-20"), &file.to_string())
}

fn faults(files: &Files, trust: &Trust) -> Vec<String> {
    let verdict = verify_joined(files, trust, &options(Depth::Content)).expect("an index is first");
    assert_eq!(verdict.joining.is_some(), verdict.class() == Class::Verified);
    verdict.faults().map(str::to_owned).collect()
}

/// What two have to sign for each platform, one alone cannot join, nor leave platforms out of.
#[test]
fn as_many_join_the_platforms_as_have_to_sign_each() {
    for together in [&BOTH[..], &[]] {
        let parts = BOTH.map(|platform| part(platform, together));
        let by_both = |parts: &[Parts]| {
            let mut whole = Whole::of(parts);
            whole.parts = parts
                .iter()
                .map(|part| {
                    let bundles = ["signer", "other"].map(|by| signed(&part.statements(), by)).concat();
                    part.lay_out(&bundles)
                })
                .collect();
            whole
        };
        let trust = several(&["signer", "other", "third"], |file| file.release_threshold = 2);
        let because = ["1 of the 2 identities that the trust asks for joined the platforms"];
        let one = by_both(&parts).lay_out();
        assert_eq!(faults(&one, &trust), because);
        if together.is_empty() {
            assert_eq!(faults(&by_both(&parts[..1]).lay_out(), &trust), because);
        }
        let mut two = by_both(&parts);
        two.also = Some("other");
        assert_eq!(faults(&two.lay_out(), &trust), [""; 0]);
        // Two keys of one identity are one voice.
        let same = several(&["signer", "other", "third"], |file| {
            file.release_threshold = 2;
            file.keys[1].identity = "signer".into();
        });
        assert!(faults(&two.lay_out(), &same).iter().any(|fault| fault.contains("1 of the 2 identities")));
        // Who does not count has no voice.
        let lapsed = several(&["signer", "third", "other"], |file| {
            file.release_threshold = 2;
            file.keys[2].predicates = Some([uri::REBUILD.to_owned()].into());
        });
        assert!(!faults(&two.lay_out(), &lapsed).is_empty());
    }
}

/// Who makes the index again has made every image of it again.
#[test]
fn a_rebuild_of_the_index_is_one_of_the_whole() {
    use selfsame_attest::{Comparison, RebuildStatement, RebuildVerdict, Tool, sign_statement};
    let whole = Whole::of(&both());
    let release = |index: Digest, by: &str, change: fn(&mut RebuildStatement)| {
        let mut statement = RebuildStatement {
            verdict: RebuildVerdict::Same,
            release_id: whole.release_id(),
            original: index,
            rebuilt: Some(index),
            compared: vec![Comparison { name: "image".into(), original: index, rebuilt: index }],
            cause: String::new(),
            first_differing_action: String::new(),
            selfsame: Tool { version: "0.1.0".into(), sha256: Digest::of(b"selfsame") },
        };
        change(&mut statement);
        let statement = Statement::new(vec![Subject::new(NAME, index)], &statement);
        let mut files = whole.lay_out();
        files.insert(
            "rebuild-1.sigstore.json".into(),
            sign_statement(&statement, &key(by)).expect("a signature").to_bytes(),
        );
        files
    };
    let index = Digest::of(&whole.index);
    let trust = several(&["signer", "lab", "own"], |file| {
        file.rebuild_threshold = 1;
        file.keys[2].identity = "signer".into();
    });
    assert_eq!(faults(&release(index, "lab", |_| {}), &trust), [""; 0]);
    let because = ["0 of the 1 other identities that the trust asks for rebuilt it"];
    assert_eq!(faults(&whole.lay_out(), &trust), because);
    for (files, why) in [
        (release(index, "stranger", |_| {}), "a stranger's"),
        (release(index, "signer", |_| {}), "the signer's own"),
        (release(index, "own", |_| {}), "the signer's other key"),
        (release(both()[0].image_digest(), "lab", |_| {}), "of one image alone"),
        (release(index, "lab", |it| it.verdict = RebuildVerdict::Differs), "differs"),
        (release(index, "lab", |it| it.release_id = Digest::of(b"another")), "of another release"),
        (release(index, "lab", |it| it.compared.clear()), "nothing was compared"),
    ] {
        assert_eq!(faults(&files, &trust), because, "{why}");
    }
}

/// Strangers' documents are read one at a time and once, however often they are attached and however many keys there are.
#[test]
fn documents_about_the_index_are_read_once() {
    struct Counted(Files, std::sync::Mutex<BTreeMap<String, usize>>);
    impl selfsame_verify::ReleaseFiles for Counted {
        fn read(&self, name: &str, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
            *self.1.lock().expect("no panic").entry(name.to_owned()).or_default() += 1;
            self.0.read(name, limit)
        }
        fn open(&self, name: &str) -> std::io::Result<Option<Box<dyn std::io::Read + Send + '_>>> {
            self.0.open(name)
        }
        fn names(&self) -> std::io::Result<Vec<String>> {
            selfsame_verify::ReleaseFiles::names(&self.0)
        }
    }
    let mut whole = Whole::of(&both());
    whole.strangers = 3;
    let files = Counted(whole.lay_out(), std::sync::Mutex::default());
    let taken = JoinedFiles::open(&files).expect("an index").expect("whole");
    // Three of ours, and the stranger's one, though three referrers hold it.
    assert_eq!(taken.joining.len(), 4);
    let document = |layer: &Descriptor| layout::blob_path(layer.digest);
    let reads = |layer: &Descriptor| files.1.lock().expect("no panic").get(&document(layer)).copied().unwrap_or(0);
    assert!(taken.joining.iter().all(|layer| reads(layer) == 0), "to take a release apart reads no document about it");
    let trust = several(&["third", "fourth", "signer", "other"], |_| {});
    let verdict = verify_joined(&files, &trust, &options(Depth::Evidence)).expect("an index");
    assert_eq!(verdict.class(), Class::Verified, "{:?}", verdict.faults().collect::<Vec<_>>());
    assert!(taken.joining.iter().all(|layer| reads(layer) == 1));
    assert_eq!(verdict.unlisted.len(), 1);
}

#[test]
fn documents_about_the_index_have_a_bound_together() {
    let mut whole = Whole::of(&both());
    // Announced, and never read.
    whole.announced = vec![60 << 20; 9];
    refused(&whole.lay_out(), "index", "the documents about the index have more than 536870912 bytes");
}

#[test]
fn a_page_about_several_platforms() {
    let trust = Trust::in_keys([key("signer").public(), key("other").public()]);
    let options = options(Depth::Content);
    let page = |files: &Files| {
        let expect = selfsame_verify::Expectations::default();
        let (program, verifier) = ("selfsame 0.0.0", Digest::of(b"the program"));
        let asked =
            selfsame_verify::page::Asked { name: "hello.release", program, verifier, trust: &trust, expect: &expect };
        let page = selfsame_verify::page::of_joined(&judged(files, &options), options.depth, &asked);
        crate::page::harmless(&page);
        page
    };
    let whole = Whole::of(&both());
    let good = page(&whole.lay_out());
    for words in [
        "<title>Verified: hello.release</title>",
        "images for 2 platforms",
        "<h2>What joins the platforms</h2>",
        "<h2>Platform linux/amd64</h2>\n<p>Verified.</p>",
        "<h2>Platform linux/arm64</h2>\n<p>Verified.</p>",
        &Digest::of(&whole.index).to_string(),
    ] {
        assert!(good.contains(words), "{words}");
    }
    // One platform falls: the whole does, and the page says which.
    let mut bent = whole.lay_out();
    let arm = Index::parse(&whole.index, media::INDEX).expect("an index").manifests[1].digest;
    bent.remove(&layout::blob_path(arm)).expect("a manifest");
    let bad = page(&bent);
    assert!(bad.contains("<title>Not") && !bad.contains("images for 2 platforms"), "{bad}");
}

/// The release with another bundle in place of each, by its place among all.
fn exchanged(files: &Files, change: impl Fn(usize, &[Bundle]) -> Bundle) -> Files {
    let mut files = files.clone();
    let listed = Index::parse(&files[layout::INDEX_FILE], media::INDEX).expect("an index").manifests;
    let parsed = |files: &Files, descriptor: &Descriptor| {
        Manifest::parse(&files[&layout::blob_path(descriptor.digest)], media::MANIFEST).expect("a manifest")
    };
    let of_bundle: Vec<usize> =
        (1..listed.len()).filter(|place| listed[*place].artifact_type.as_deref() == Some(media::BUNDLE)).collect();
    let manifests: Vec<Manifest> = of_bundle.iter().map(|place| parsed(&files, &listed[*place])).collect();
    let layer = |manifest: &Manifest| files[&layout::blob_path(manifest.layers[0].digest)].clone();
    let bundles: Vec<Bundle> = manifests.iter().map(|it| Bundle::parse(&layer(it)).expect("a bundle")).collect();
    let mut again = listed.clone();
    for (at, manifest) in manifests.iter().enumerate() {
        let bundle = change(at, &bundles).to_bytes();
        let layers = [Descriptor::of(media::BUNDLE, &bundle)];
        let subject = manifest.subject.as_ref().expect("a subject");
        let new = referrer_manifest(subject, media::BUNDLE, &layers, &manifest.annotations);
        for gone in [listed[of_bundle[at]].digest, manifest.layers[0].digest] {
            files.remove(&layout::blob_path(gone));
        }
        files.insert(layout::blob_path(new.descriptor.digest), new.bytes);
        files.insert(layout::blob_path(layers[0].digest), bundle);
        again[of_bundle[at]] = new.descriptor;
    }
    let top = again.remove(0).bare();
    files.insert(layout::INDEX_FILE.into(), layout::index_file(&top, NAME, &again).bytes);
    files
}
