//! Which documents make a complete release, by their own word: one signer's set, closed by that signer's inventory.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::{Bundle, Inventory, InventoryDocument, Provenance, ResourceDescriptor, Statement, StatementText};
use selfsame_core::{Digest, json, uri};
use selfsame_oci::Descriptor;

use crate::outline::{EVIDENCE, Item, OutlineError, incomplete};

/// What the signer of a release may add later without listing it.
const LATER: [&str; 3] = [uri::RUN_RECORD, uri::REBUILD, "https://slsa.dev/verification_summary/v1"];

/// The most inventories under the name of one key that are looked at.
const MOST_LISTS: usize = 256;

/// The most inventories that are looked at under the names of all keys together that nobody says he trusts: whoever attaches
/// documents invents as many names as he likes.
const MOST_LISTS_OF_STRANGERS: usize = 1024;

/// The longest `name:version`, in bytes: an index.json has to have room for it.
const MOST_NAME_BYTES: usize = 64 << 10;

/// The place of a document among those that a registry has; the lowest first.
pub(crate) type Rank = (bool, bool, bool);

/// A signed document that could be a release's. Many are held at once, most of them of strangers: of what it says only
/// the text is kept, and that only where it is asked for more than its kind.
#[derive(Debug)]
pub(crate) struct Document {
    /// What its manifest refers to.
    about: Option<Digest>,
    /// Whether it says so itself.
    is_about: bool,
    /// Whether whoever asks trusts the key that signed it.
    counts: bool,
    /// Who is said to have signed it.
    key_id: String,
    predicate_type: String,
    /// The payload of an inventory or a provenance; of others nothing.
    payload: Vec<u8>,
    /// Of the payload.
    sha256: Digest,
    /// `name:version` of a provenance, once it was asked for: however many inventories list it, it is read once for that.
    name: OnceCell<Result<String, String>>,
}

impl Document {
    /// Nothing where it is a certificate's or another tool's, or no statement.
    pub(crate) fn read(about: Option<Digest>, bundle: &[u8], counts: &dyn Fn(&[u8]) -> bool) -> Option<Self> {
        let counts = counts(bundle);
        let bundle = Bundle::parse(bundle).ok()?;
        let payload = bundle.unverified_payload();
        let said = StatementText::parse(payload).ok()?.head;
        let sha256 = Digest::of(payload);
        let is_asked = [uri::INVENTORY, uri::PROVENANCE].contains(&said.predicate_type.as_str());
        Some(Self {
            about,
            is_about: about.is_some_and(|about| said.is_about(about)),
            counts,
            key_id: bundle.key_id().to_owned(),
            payload: if is_asked { payload.to_vec() } else { Vec::new() },
            predicate_type: said.predicate_type,
            sha256,
            name: OnceCell::new(),
        })
    }

    fn provenance(&self) -> Result<Provenance, String> {
        let statement = Statement::parse(&self.payload).map_err(|error| error.to_string())?;
        statement.predicate_as().map_err(|error| error.to_string())
    }

    fn name(&self) -> Result<&str, String> {
        let read = || {
            let definition = self.provenance()?.build_definition;
            let text = |name: &str| definition.external_parameters.get(name).and_then(|value| value.as_str());
            let name = format!("{}:{}", text("name").unwrap_or_default(), text("version").unwrap_or_default());
            if name.len() > MOST_NAME_BYTES {
                return Err(format!("its name has {} bytes; at most {MOST_NAME_BYTES} are read", name.len()));
            }
            Ok(name)
        };
        self.name.get_or_init(read).as_deref().map_err(Clone::clone)
    }

    /// Whether it is by a key that counts; after that, whether it is of this set, and said to be by this key.
    pub(crate) fn rank(&self, complete: &Complete) -> Rank {
        let is_mine = complete.key_id == self.key_id;
        (!self.counts, !(is_mine && complete.documents.contains(&self.sha256)), !is_mine)
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
    /// The payloads of its documents, and of those of the sets that it joins.
    pub(crate) documents: BTreeSet<Digest>,
    /// `name:version` of the provenance.
    pub(crate) name: String,
}

/// A set that its inventory closes: what tells it from others, while it is not chosen.
#[derive(Clone, Copy)]
struct Closed<'a> {
    release_id: Digest,
    list: &'a Document,
    key_id: &'a str,
    name: &'a str,
    provenance: &'a Document,
}

/// What any provenance among these documents names as an input, whoever signed it; only that of keys that count, where
/// there is any by one.
pub(crate) fn inputs_of_all(documents: &[&Document]) -> BTreeSet<Digest> {
    let some_count = documents.iter().any(|document| document.counts);
    let provenance = documents.iter().filter(|document| document.predicate_type == uri::PROVENANCE);
    let provenance = provenance.filter(|document| document.counts || !some_count);
    let provenance = provenance.filter_map(|document| document.provenance().ok());
    let dependencies = provenance.flat_map(|provenance| provenance.build_definition.resolved_dependencies);
    dependencies.filter_map(|dependency| dependency.digest.sha256()).collect()
}

/// The complete set about an image or an index; or, where the images of an index have sets of their own, those and what
/// joins them.
pub(crate) fn complete_all(
    documents: &[&Document],
    top: &Descriptor,
    images: &[Item],
    set: Set,
) -> Result<Complete, OutlineError> {
    let about = |digest: Digest| documents.iter().copied().filter(move |document| document.about == Some(digest));
    let is_image = |about: Digest| about != top.digest && images.iter().any(|image| image.descriptor.digest == about);
    if !documents.iter().any(|document| document.about.is_some_and(is_image)) {
        return complete(about(top.digest), set);
    }
    let signers: Vec<Vec<Signer<'_>>> = images.iter().map(|image| by_signer(about(image.descriptor.digest))).collect();
    let parts = signers.iter().map(|signers| closed_sets(signers, set, usize::MAX));
    let parts: Vec<Vec<Closed<'_>>> = parts.collect::<Result<_, _>>()?;
    joined(about(top.digest), &parts, set)
}

/// The signature over an index and the inventory that lists it and those of the parts, by one signer; and the provenance
/// of what was built together.
fn joined<'a>(
    documents: impl Iterator<Item = &'a Document>,
    parts: &[Vec<Closed<'_>>],
    set: Set,
) -> Result<Complete, OutlineError> {
    let named = |sha256: Digest| InventoryDocument { predicate_type: uri::INVENTORY.to_owned(), sha256 };
    let mut fault = "nothing joins its parts: no inventory lists exactly theirs";
    let signers = by_signer(documents);
    for (at, list) in lists(&signers, set) {
        let Signer { key_id, present: own, .. } = &signers[at];
        let Ok(listed) = listed(list) else { continue };
        let inventories = listed.iter().filter(|document| document.predicate_type == uri::INVENTORY);
        let inventories: BTreeSet<Digest> = inventories.map(|document| document.sha256).collect();
        // Of a platform that several signed, the release that is listed.
        let chosen = parts.iter().map(|part| part.iter().find(|part| inventories.contains(&part.release_id)));
        let Some(chosen) = chosen.collect::<Option<Vec<&Closed<'_>>>>() else { continue };
        let inventories: BTreeSet<_> = chosen.iter().map(|part| named(part.release_id)).collect();
        let is_whole = match set {
            Set::Closed => listed == &inventories | own,
            Set::Open => listed.is_subset(&(&inventories | own)) && inventories.is_subset(&listed),
        };
        if !is_whole || !listed.iter().any(|document| document.predicate_type == uri::COSIGN_SIGN) {
            continue;
        }
        let name = chosen.first().map_or("", |part| part.name);
        if chosen.iter().any(|part| part.name != name) {
            fault = "its parts are not of one name and version";
            continue;
        }
        let inputs = inputs_of(&chosen)?;
        let (key_id, name) = ((*key_id).to_owned(), name.to_owned());
        let documents = documents_of(std::iter::once(list).chain(chosen.iter().map(|part| part.list)))?;
        return Ok(Complete { release_id: list.sha256, key_id, inputs, documents, name });
    }
    Err(incomplete(fault))
}

/// The payloads of these inventories, and of what they list.
fn documents_of<'a>(lists: impl Iterator<Item = &'a Document>) -> Result<BTreeSet<Digest>, OutlineError> {
    let mut documents = BTreeSet::new();
    for list in lists {
        documents.insert(list.sha256);
        documents.extend(listed(list).map_err(incomplete)?.into_iter().map(|document| document.sha256));
    }
    Ok(documents)
}

/// The inputs of these sets, each once, in the order in which they are named first.
fn inputs_of(chosen: &[&Closed<'_>]) -> Result<Vec<ResourceDescriptor>, OutlineError> {
    let (mut inputs, mut seen) = (Vec::new(), BTreeSet::new());
    for part in chosen {
        let named = part.provenance.provenance().map_err(incomplete)?.build_definition.resolved_dependencies;
        inputs.extend(named.into_iter().filter(|input| seen.insert(Digest::of(&json::canonical(input)))));
    }
    Ok(inputs)
}

/// The set of documents of one signer that is closed. Signers are told apart by the name of their key, which is all
/// that is known without one, and by whether they count; documents of others do not count, for or against.
pub(crate) fn complete<'a>(documents: impl Iterator<Item = &'a Document>, set: Set) -> Result<Complete, OutlineError> {
    let signers = by_signer(documents);
    let found = closed_sets(&signers, set, 1)?.swap_remove(0);
    let Closed { release_id, list, key_id, name, provenance } = found;
    let inputs = provenance.provenance().map_err(incomplete)?.build_definition.resolved_dependencies;
    let documents = documents_of(std::iter::once(list))?;
    Ok(Complete { release_id, key_id: key_id.to_owned(), inputs, documents, name: name.to_owned() })
}

/// So many of these sets, at least one: those by keys that count first.
fn closed_sets<'a>(signers: &'a [Signer<'a>], set: Set, most: usize) -> Result<Vec<Closed<'a>>, OutlineError> {
    let mut found = Vec::new();
    // What the first signer lacks.
    let mut faults: BTreeMap<usize, String> = BTreeMap::new();
    for (at, list) in lists(signers, set) {
        match closed(&signers[at], list, set) {
            Ok(complete) => found.push(complete),
            Err(fault) => _ = faults.entry(at).or_insert(fault),
        }
        if found.len() == most {
            break;
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    for (at, signer) in signers.iter().enumerate().filter(|(_, signer)| signer.lists(set).is_empty()) {
        if let Err(fault) = one(&signer.documents, set) {
            faults.entry(at).or_insert(fault);
        }
    }
    let first = faults.into_values().next();
    Err(incomplete(first.unwrap_or_else(|| "no signed document is about the image".to_owned())))
}

/// Documents by predicate type.
type Payloads<'a> = BTreeMap<&'a str, Vec<&'a Document>>;

/// The documents under the name of one key.
struct Signer<'a> {
    counts: bool,
    key_id: &'a str,
    documents: Payloads<'a>,
    /// What an inventory would have to list.
    present: BTreeSet<InventoryDocument>,
}

impl<'a> Signer<'a> {
    /// The inventories that could close a set: the only one, or any.
    fn lists(&self, set: Set) -> &[&'a Document] {
        let lists = self.documents.get(uri::INVENTORY).map(Vec::as_slice).unwrap_or_default();
        if set == Set::Closed && lists.len() > 1 { &[] } else { &lists[..lists.len().min(MOST_LISTS)] }
    }
}

/// Documents that are about what they are attached to, by whether the key counts (those that do first) and the name of the
/// key that is said to have signed them.
fn by_signer<'a>(documents: impl Iterator<Item = &'a Document>) -> Vec<Signer<'a>> {
    let mut signers: BTreeMap<(bool, &str), Payloads<'a>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for document in documents.filter(|document| document.is_about) {
        // Whoever attaches a document once more has said nothing more.
        if !seen.insert((document.counts, document.key_id.as_str(), document.sha256)) {
            continue;
        }
        let of_signer = signers.entry((!document.counts, document.key_id.as_str())).or_default();
        of_signer.entry(document.predicate_type.as_str()).or_default().push(document);
    }
    let signer = |((is_strange, key_id), documents): ((bool, &'a str), Payloads<'a>)| {
        let present = present(&documents);
        Signer { counts: !is_strange, key_id, documents, present }
    };
    signers.into_iter().map(signer).collect()
}

/// The inventories that could close a set, each with the place of its signer: those of keys that count; then of all others,
/// as far as they are looked at, the first of each before the second of any.
fn lists<'a>(signers: &[Signer<'a>], set: Set) -> Vec<(usize, &'a Document)> {
    let of = |counts: bool| {
        let signers = signers.iter().enumerate().filter(move |(_, signer)| signer.counts == counts);
        signers.flat_map(move |(at, signer)| signer.lists(set).iter().enumerate().map(move |(nth, it)| (nth, at, *it)))
    };
    let mut strangers: Vec<_> = of(false).collect();
    strangers.sort_by_key(|(nth, at, _)| (*nth, *at));
    strangers.truncate(MOST_LISTS_OF_STRANGERS);
    of(true).chain(strangers).map(|(_, at, list)| (at, list)).collect()
}

/// What an inventory lists.
fn listed(list: &Document) -> Result<BTreeSet<InventoryDocument>, String> {
    let statement = Statement::parse(&list.payload).map_err(|error| error.to_string())?;
    let inventory: Inventory = statement.predicate_as().map_err(|error| error.to_string())?;
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

fn closed<'a>(signer: &Signer<'a>, list: &'a Document, set: Set) -> Result<Closed<'a>, String> {
    let Signer { key_id, documents, present, .. } = signer;
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
    Ok(Closed { release_id: list.sha256, list, key_id, name: provenance.name()?, provenance })
}
