//! Which documents make a complete release, by their own word: one signer's set, closed by that signer's inventory.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::{Bundle, Inventory, InventoryDocument, Provenance, ResourceDescriptor, Statement, release_id};
use selfsame_core::{Digest, uri};
use selfsame_oci::Descriptor;

use crate::outline::{EVIDENCE, Item, OutlineError, incomplete};

/// What the signer of a release may add later without listing it.
const LATER: [&str; 3] = [uri::RUN_RECORD, uri::REBUILD, "https://slsa.dev/verification_summary/v1"];

/// The most inventories under the name of one key that are looked at.
const MOST_LISTS: usize = 256;

/// A signed document that could be a release's.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// What its manifest refers to.
    about: Option<Digest>,
    /// Whether whoever asks trusts the key that signed it.
    counts: bool,
    /// Who is said to have signed it.
    key_id: String,
    payload: Vec<u8>,
    sha256: Digest,
    statement: Statement,
}

impl Document {
    /// Nothing where it is a certificate's or another tool's, or no statement.
    pub(crate) fn read(about: Option<Digest>, bundle: &[u8], counts: &dyn Fn(&[u8]) -> bool) -> Option<Self> {
        let counts = counts(bundle);
        let bundle = Bundle::parse(bundle).ok()?;
        let payload = bundle.unverified_payload().to_vec();
        let statement = Statement::parse(&payload).ok()?;
        let sha256 = Digest::of(&payload);
        Some(Self { about, counts, key_id: bundle.key_id().to_owned(), payload, sha256, statement })
    }

    /// Whether it is by a key that counts; after that, whether it is said to be by this one.
    pub(crate) fn rank(&self, complete: &Complete) -> (bool, bool) {
        (!self.counts, complete.key_id != self.key_id)
    }
}

/// What may lie beside a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// No other document under the name of its signer: what is sent is what somebody signed as a whole.
    Closed,
    /// Whatever: in a registry anybody attaches documents, under any name. Whose they are is judged by who verifies.
    Open,
}

/// What one signer's complete set of documents says.
#[derive(Clone, Debug)]
pub(crate) struct Complete {
    pub(crate) release_id: Digest,
    pub(crate) key_id: String,
    pub(crate) inputs: Vec<ResourceDescriptor>,
    /// `name:version` of the provenance.
    pub(crate) name: String,
}

/// What any provenance among these documents names as an input, whoever signed it; only that of keys that count, where
/// there is any by one.
pub(crate) fn inputs_of_all(documents: &[Document]) -> BTreeSet<Digest> {
    let some_count = documents.iter().any(|document| document.counts);
    let provenance = documents.iter().filter(|document| document.counts || !some_count);
    let provenance = provenance.filter_map(|document| document.statement.predicate_as::<Provenance>().ok());
    let dependencies = provenance.flat_map(|provenance| provenance.build_definition.resolved_dependencies);
    dependencies.filter_map(|dependency| dependency.digest.sha256()).collect()
}

/// The complete set about an image or an index; or, where the images of an index have sets of their own, those and what
/// joins them.
pub(crate) fn complete_all(
    documents: &[Document],
    top: &Descriptor,
    images: &[Item],
    set: Set,
) -> Result<Complete, OutlineError> {
    let about = |digest: Digest| documents.iter().filter(move |document| document.about == Some(digest));
    let is_image = |about: Digest| about != top.digest && images.iter().any(|image| image.descriptor.digest == about);
    if !documents.iter().any(|document| document.about.is_some_and(is_image)) {
        return complete(about(top.digest), top.digest, set);
    }
    let part = |image: &Item| all_complete(about(image.descriptor.digest), image.descriptor.digest, set);
    let parts: Vec<Vec<Complete>> = images.iter().map(part).collect::<Result<_, _>>()?;
    joined(about(top.digest), top.digest, parts, set)
}

/// The signature over an index and the inventory that lists it and those of the parts, by one signer; and the provenance
/// of what was built together.
fn joined<'a>(
    documents: impl Iterator<Item = &'a Document>,
    index: Digest,
    parts: Vec<Vec<Complete>>,
    set: Set,
) -> Result<Complete, OutlineError> {
    let named = |kind: &str, sha256: Digest| InventoryDocument { predicate_type: kind.to_owned(), sha256 };
    let mut fault = "nothing joins its parts: no inventory lists exactly theirs";
    for ((_, key_id), documents) in &by_signer(documents, index) {
        let own = present(documents);
        for list in lists(documents, set) {
            let Ok(listed) = listed(list) else { continue };
            // Of a platform that several signed, the release that is listed.
            let chosen = parts
                .iter()
                .map(|part| part.iter().find(|part| listed.contains(&named(uri::INVENTORY, part.release_id))));
            let Some(chosen) = chosen.collect::<Option<Vec<&Complete>>>() else { continue };
            let inventories: BTreeSet<_> = chosen.iter().map(|part| named(uri::INVENTORY, part.release_id)).collect();
            let is_whole = match set {
                Set::Closed => listed == &inventories | &own,
                Set::Open => listed.is_subset(&(&inventories | &own)) && inventories.is_subset(&listed),
            };
            if !is_whole || !listed.iter().any(|document| document.predicate_type == uri::COSIGN_SIGN) {
                continue;
            }
            let name = chosen.first().map(|part| part.name.clone()).unwrap_or_default();
            if chosen.iter().any(|part| part.name != name) {
                fault = "its parts are not of one name and version";
                continue;
            }
            let mut inputs: Vec<ResourceDescriptor> = Vec::new();
            for input in chosen.into_iter().flat_map(|part| &part.inputs) {
                if !inputs.contains(input) {
                    inputs.push(input.clone());
                }
            }
            return Ok(Complete { release_id: release_id(&list.payload), key_id: key_id.clone(), inputs, name });
        }
    }
    Err(incomplete(fault))
}

/// The set of documents of one signer that is closed. Signers are told apart by the name of their key, which is all
/// that is known without one, and by whether they count; documents of others do not count, for or against.
pub(crate) fn complete<'a>(
    documents: impl Iterator<Item = &'a Document>,
    image: Digest,
    set: Set,
) -> Result<Complete, OutlineError> {
    Ok(all_complete(documents, image, set)?.swap_remove(0))
}

/// Every such set, at least one: those by keys that count first.
fn all_complete<'a>(
    documents: impl Iterator<Item = &'a Document>,
    image: Digest,
    set: Set,
) -> Result<Vec<Complete>, OutlineError> {
    let (mut found, mut first) = (Vec::new(), None);
    for ((_, key_id), documents) in &by_signer(documents, image) {
        let present = present(documents);
        for list in lists(documents, set) {
            match closed(key_id, documents, &present, list, set) {
                Ok(complete) => found.push(complete),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        if lists(documents, set).is_empty() {
            first = first.or_else(|| one(documents, set).err());
        }
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(incomplete(first.unwrap_or_else(|| "no signed document is about the image".to_owned()))),
    }
}

/// One signer's documents by predicate type.
type Payloads<'a> = BTreeMap<&'a str, Vec<&'a Document>>;

/// Payloads by whether the key counts (those that do first) and the name of the key that is said to have signed them.
fn by_signer<'a>(
    documents: impl Iterator<Item = &'a Document>,
    image: Digest,
) -> BTreeMap<(bool, String), Payloads<'a>> {
    let mut signers: BTreeMap<(bool, String), Payloads<'a>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for document in documents.filter(|document| document.statement.is_about(image)) {
        // Whoever attaches a document once more has said nothing more.
        if !seen.insert((document.counts, document.key_id.as_str(), document.sha256)) {
            continue;
        }
        let of_signer = signers.entry((!document.counts, document.key_id.clone())).or_default();
        of_signer.entry(document.statement.predicate_type.as_str()).or_default().push(document);
    }
    signers
}

/// The inventories that could close a set: the only one, or any.
fn lists<'a, 'b>(documents: &'b Payloads<'a>, set: Set) -> &'b [&'a Document] {
    let lists = documents.get(uri::INVENTORY).map(Vec::as_slice).unwrap_or_default();
    if set == Set::Closed && lists.len() > 1 { &[] } else { &lists[..lists.len().min(MOST_LISTS)] }
}

/// What an inventory lists.
fn listed(list: &Document) -> Result<BTreeSet<InventoryDocument>, String> {
    let inventory: Inventory = list.statement.predicate_as().map_err(|error| error.to_string())?;
    Ok(inventory.documents.into_iter().collect())
}

/// What an inventory would have to list: all, but those and what may come later.
fn present(documents: &Payloads<'_>) -> BTreeSet<InventoryDocument> {
    let counts = |predicate_type: &str| predicate_type != uri::INVENTORY && !LATER.contains(&predicate_type);
    let counted = documents.iter().filter(|(predicate_type, _)| counts(predicate_type));
    let each = counted.flat_map(|(kind, payloads)| payloads.iter().map(move |payload| (kind, payload)));
    each.map(|(kind, it)| InventoryDocument { predicate_type: (*kind).to_owned(), sha256: it.sha256 }).collect()
}

/// That there is one document of each kind that a release has; in an open set, at least one.
fn one(documents: &Payloads<'_>, set: Set) -> Result<(), String> {
    for (predicate_type, name) in EVIDENCE {
        match documents.get(predicate_type).map_or(0, Vec::len) {
            0 => return Err(format!("the {name} is missing")),
            1 => {}
            several if set == Set::Closed => {
                return Err(format!("there are {several} documents where one {name} should be"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn closed(
    key_id: &str,
    documents: &Payloads<'_>,
    present: &BTreeSet<InventoryDocument>,
    list: &Document,
    set: Set,
) -> Result<Complete, String> {
    one(documents, set)?;
    let listed = listed(list)?;
    if let Some(missing) = listed.difference(present).next() {
        return Err(format!("the inventory lists a {} that is not there", missing.predicate_type));
    }
    if let Some(extra) = present.difference(&listed).next().filter(|_| set == Set::Closed) {
        return Err(format!("a {} is there that the inventory does not list", extra.predicate_type));
    }
    for (predicate_type, name) in EVIDENCE.into_iter().filter(|(kind, _)| *kind != uri::INVENTORY) {
        match listed.iter().filter(|document| document.predicate_type == predicate_type).count() {
            1 => {}
            count => return Err(format!("the inventory lists {count} documents where one {name} should be")),
        }
    }
    let sha256 = listed.iter().find(|it| it.predicate_type == uri::PROVENANCE).map(|it| it.sha256);
    let provenance = documents.get(uri::PROVENANCE).into_iter().flatten().find(|it| Some(it.sha256) == sha256);
    let provenance = provenance.ok_or("the provenance is missing")?;
    let provenance: Provenance = provenance.statement.predicate_as().map_err(|error| error.to_string())?;
    let definition = provenance.build_definition;
    let text = |name: &str| definition.external_parameters.get(name).and_then(|value| value.as_str());
    let name = format!("{}:{}", text("name").unwrap_or_default(), text("version").unwrap_or_default());
    let inputs = definition.resolved_dependencies;
    Ok(Complete { release_id: release_id(&list.payload), key_id: key_id.to_owned(), inputs, name })
}
