//! What a release consists of, and whether that is all of it: by its own word, which nobody has verified.
//!
//! Whoever moves a release must not move half of one, and has no key to judge it with. So this looks at what `verify`
//! looks at first: the index, the manifests, and that one signer's inventory lists exactly that signer's documents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use selfsame_attest::bundle::ANNOTATION_PREDICATE_TYPE;
use selfsame_attest::{Bundle, Inventory, InventoryDocument, Provenance, ResourceDescriptor, Statement, release_id};
use selfsame_core::{Digest, Hasher, media, uri};
use selfsame_oci::{Descriptor, Index, Manifest, layout};
use selfsame_verify::ReleaseFiles;

use crate::MANIFEST_BYTES;

/// The largest signed document that is read.
pub(crate) const DOCUMENT_BYTES: u64 = 64 << 20;
/// The most documents that may refer to an image.
pub(crate) const MOST_REFERRERS: usize = 1024;

/// The documents that make a release, in the order in which an index lists them.
pub(crate) const EVIDENCE: [(&str, &str); 4] = [
    (uri::PROVENANCE, "provenance"),
    (uri::CYCLONEDX, "SBOM"),
    (uri::COSIGN_SIGN, "image signature"),
    (uri::INVENTORY, "inventory"),
];
/// The annotation of a pack that names the tree whose files it holds.
const TREE_ANNOTATION: &str = "dev.selfsame.tree";
/// What the signer of a release may add later without listing it.
const LATER: [&str; 3] = [uri::RUN_RECORD, uri::REBUILD, "https://slsa.dev/verification_summary/v1"];

/// Why a folder, a tar or what a registry has is not a complete release.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutlineError {
    /// A file that cannot be read.
    #[error("`{name}` of the release cannot be read")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Something is missing, of another kind, or more than there may be.
    #[error("not a complete release: {fault}")]
    Incomplete {
        /// What.
        fault: String,
    },
}

pub(crate) fn incomplete(fault: impl Into<String>) -> OutlineError {
    OutlineError::Incomplete { fault: fault.into() }
}

/// A manifest and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// As the index lists it.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its config and its layers; nothing of an index.
    pub blobs: Vec<Descriptor>,
    /// What it refers to: the image, the index, or an image of the index.
    pub about: Option<Digest>,
}

/// A release, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// `name:version`, as the index files the image.
    pub name: String,
    /// What the documents are about: an image, or an index of images.
    pub subject: Item,
    /// The images that an index names.
    pub images: Vec<Item>,
    /// A signed document each.
    pub bundles: Vec<Item>,
    /// The inputs of the build, as far as they are here.
    pub capsules: Vec<Item>,
    /// The digest of the inventory's payload.
    pub release_id: Digest,
    /// The key that the complete set says it is by. Not verified.
    pub key_id: String,
    /// What the release says that it was made from. Not verified.
    pub inputs: Vec<ResourceDescriptor>,
}

impl Outline {
    /// Reads manifests and signed documents, and refuses what is not a whole release. No layer is read.
    ///
    /// # Errors
    /// The first thing that is missing, or that is not what a release has there.
    pub fn read(files: &dyn ReleaseFiles) -> Result<Self, OutlineError> {
        let marker = whole(files, layout::LAYOUT_FILE, MANIFEST_BYTES)?;
        layout::check_layout_file(&marker).map_err(|error| incomplete(error.to_string()))?;
        let (top, name, referrers) = index(&whole(files, layout::INDEX_FILE, MANIFEST_BYTES)?)?;
        let (subject, images) = subject(files, top)?;
        let subjects: Vec<&Descriptor> =
            images.iter().map(|image| &image.descriptor).chain([&subject.descriptor]).collect();
        let (mut bundles, mut capsules) = (Vec::new(), Vec::new());
        let mut signed = Vec::new();
        for descriptor in referrers {
            let bytes = blob(files, &descriptor, MANIFEST_BYTES)?;
            let item = referrer(descriptor, bytes, &subjects)?;
            if item.descriptor.artifact_type.as_deref() == Some(media::CAPSULE) {
                capsules.push(item);
                continue;
            }
            signed.push((item.about, blob(files, &item.blobs[1], DOCUMENT_BYTES)?));
            bundles.push(item);
        }
        let complete = complete_all(&signed, &subject.descriptor, &images)?;
        let Complete { release_id, key_id, inputs, .. } = complete;
        Ok(Self { name, subject, images, bundles, capsules, release_id, key_id, inputs })
    }

    /// Every blob that is no manifest, once each, by digest: of the images and their documents, and of the capsule if
    /// that is wanted.
    #[must_use]
    pub fn blobs(&self, with_capsule: bool) -> Vec<Descriptor> {
        let capsules = self.capsules.iter().filter(|_| with_capsule);
        let items = self.images.iter().chain(std::iter::once(&self.subject)).chain(&self.bundles).chain(capsules);
        let blobs = items.flat_map(|item| &item.blobs).map(|blob| (blob.digest, blob.bare()));
        blobs.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// Reads every blob once and compares it with its digest, so that nothing damaged is sent.
    ///
    /// # Errors
    /// The first one, by digest, that is missing or is not what it is named for.
    pub fn check_blobs(&self, files: &dyn ReleaseFiles, with_capsule: bool) -> Result<(), OutlineError> {
        for descriptor in self.blobs(with_capsule) {
            let name = layout::blob_path(descriptor.digest);
            let unreadable = |source| OutlineError::Unreadable { name: name.clone(), source };
            let reader = files.open(&name).map_err(unreadable)?;
            let reader = reader.ok_or_else(|| incomplete(format!("{name} is missing")))?;
            let read = Hasher::of_reader(reader.take(descriptor.size.saturating_add(1))).map_err(unreadable)?;
            if read != (descriptor.digest, descriptor.size) {
                return Err(incomplete(format!("{name} is not what it is named for")));
            }
        }
        Ok(())
    }
}

/// A manifest that says something about one of `subjects`: a signed document, or a capsule.
pub(crate) fn referrer(descriptor: Descriptor, bytes: Vec<u8>, subjects: &[&Descriptor]) -> Result<Item, OutlineError> {
    let digest = descriptor.digest;
    let fault = |fault: &str| incomplete(format!("referrer {digest} {fault}"));
    let manifest = Manifest::parse(&bytes, media::MANIFEST).map_err(|error| fault(&format!("is not read: {error}")))?;
    let about = manifest.subject.as_ref().filter(|about| subjects.iter().any(|subject| subject.bare() == **about));
    let about = about.ok_or_else(|| fault("is not about this image"))?.digest;
    if descriptor.artifact_type != manifest.artifact_type || descriptor.annotations != manifest.annotations {
        return Err(fault("is listed with another artifact type or other annotations than it has"));
    }
    if manifest.config.bare() != Descriptor::empty() {
        return Err(fault("has a config; a referrer's is empty"));
    }
    match (manifest.artifact_type.as_deref(), &manifest.layers[..]) {
        (Some(media::BUNDLE), [bundle]) if bundle.media_type == media::BUNDLE => {}
        (Some(media::CAPSULE), _) => {}
        _ => return Err(fault("is neither a signed document nor a capsule")),
    }
    let blobs = std::iter::once(manifest.config).chain(manifest.layers).collect();
    Ok(Item { descriptor, bytes, blobs, about: Some(about) })
}

/// What any provenance among these documents names as an input, whoever signed it.
pub(crate) fn inputs_of_all<'a>(bundles: impl Iterator<Item = &'a [u8]>) -> BTreeSet<Digest> {
    let read = |bytes: &[u8]| {
        let statement = Statement::parse(Bundle::parse(bytes).ok()?.unverified_payload()).ok()?;
        statement.predicate_as::<Provenance>().ok()
    };
    let dependencies =
        bundles.filter_map(read).flat_map(|provenance| provenance.build_definition.resolved_dependencies);
    dependencies.filter_map(|dependency| dependency.digest.sha256()).collect()
}

/// The first part of a capsule that is none of these inputs. Of a pack the tree counts whose files it holds.
pub(crate) fn foreign_part(capsule: &Item, inputs: &BTreeSet<Digest>) -> Option<Digest> {
    let tree = |part: &Descriptor| part.annotations.get(TREE_ANNOTATION).and_then(|tree| tree.parse().ok());
    let named = |part: &&Descriptor| match part.media_type.as_str() {
        media::PACK => tree(part).is_some_and(|tree| inputs.contains(&tree)),
        _ => inputs.contains(&part.digest),
    };
    capsule.blobs.iter().skip(1).find(|part| !named(part)).map(|part| part.digest)
}

/// What one signer's complete set of documents says.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) release_id: Digest,
    pub(crate) key_id: String,
    pub(crate) inputs: Vec<ResourceDescriptor>,
    /// `name:version` of the provenance.
    pub(crate) name: String,
}

/// The complete set about an image or an index; or, where the images of an index have sets of their own, those and what
/// joins them.
pub(crate) fn complete_all(
    signed: &[(Option<Digest>, Vec<u8>)],
    top: &Descriptor,
    images: &[Item],
) -> Result<Complete, OutlineError> {
    let about = |digest: Digest| -> Vec<Vec<u8>> {
        signed.iter().filter(|(about, _)| *about == Some(digest)).map(|(_, bytes)| bytes.clone()).collect()
    };
    let is_image = |about: Digest| about != top.digest && images.iter().any(|image| image.descriptor.digest == about);
    if !signed.iter().any(|(about, _)| about.is_some_and(is_image)) {
        return complete(&about(top.digest), top.digest);
    }
    let part = |image: &Item| complete(&about(image.descriptor.digest), image.descriptor.digest);
    let parts: Vec<Complete> = images.iter().map(part).collect::<Result<_, _>>()?;
    let name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
    if parts.iter().any(|part| part.name != name) {
        return Err(incomplete("its parts are not of one name and version"));
    }
    let inventories: BTreeSet<Digest> = parts.iter().map(|part| part.release_id).collect();
    let (key_id, release_id) = joined(&about(top.digest), top.digest, &inventories)?;
    let mut inputs: Vec<ResourceDescriptor> = Vec::new();
    for input in parts.into_iter().flat_map(|part| part.inputs) {
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    Ok(Complete { release_id, key_id, inputs, name })
}

/// The signature over an index and the inventory that lists it and those of the parts, by one signer; and the provenance
/// of what was built together.
fn joined(
    bundles: &[Vec<u8>],
    index: Digest,
    inventories: &BTreeSet<Digest>,
) -> Result<(String, Digest), OutlineError> {
    for (key_id, documents) in &by_signer(bundles, index) {
        let Some([list]) = documents.get(uri::INVENTORY).map(Vec::as_slice) else { continue };
        let Ok(inventory) = Statement::parse(list).and_then(|list| list.predicate_as::<Inventory>()) else { continue };
        let named = |kind: &str, sha256: Digest| InventoryDocument { predicate_type: kind.to_owned(), sha256 };
        let mut wanted: BTreeSet<_> = inventories.iter().map(|digest| named(uri::INVENTORY, *digest)).collect();
        for (kind, payloads) in documents.iter().filter(|(kind, _)| kind.as_str() != uri::INVENTORY) {
            let own = payloads.iter().filter(|_| !LATER.contains(&kind.as_str()));
            wanted.extend(own.map(|payload| named(kind, Digest::of(payload))));
        }
        let is_signed = documents.contains_key(uri::COSIGN_SIGN);
        if is_signed && inventory.documents.into_iter().collect::<BTreeSet<_>>() == wanted {
            return Ok((key_id.clone(), release_id(list)));
        }
    }
    Err(incomplete("nothing joins its parts: no inventory lists exactly theirs"))
}

/// The set of documents of one signer that is closed. Signers are told apart by the name of their key, which is all
/// that is known without one; documents of others do not count, for or against.
pub(crate) fn complete(bundles: &[Vec<u8>], image: Digest) -> Result<Complete, OutlineError> {
    let signers = by_signer(bundles, image);
    let mut first = None;
    for (key_id, documents) in &signers {
        match closed(key_id, documents) {
            Ok(complete) => return Ok(complete),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    Err(incomplete(first.unwrap_or_else(|| "no signed document is about the image".to_owned())))
}

/// Payloads by the name of the key that is said to have signed them, and by predicate type.
fn by_signer(bundles: &[Vec<u8>], image: Digest) -> BTreeMap<String, BTreeMap<String, Vec<Vec<u8>>>> {
    let mut signers: BTreeMap<String, BTreeMap<String, Vec<Vec<u8>>>> = BTreeMap::new();
    for bytes in bundles {
        // A certificate or a message signature is another tool's.
        let Ok(bundle) = Bundle::parse(bytes) else { continue };
        let payload = bundle.unverified_payload();
        let Ok(statement) = Statement::parse(payload) else { continue };
        if statement.is_about(image) {
            let of_signer = signers.entry(bundle.key_id().to_owned()).or_default();
            of_signer.entry(statement.predicate_type).or_default().push(payload.to_vec());
        }
    }
    signers
}

fn closed(key_id: &str, documents: &BTreeMap<String, Vec<Vec<u8>>>) -> Result<Complete, String> {
    let one = |predicate_type: &str, name: &str| match documents.get(predicate_type).map(Vec::as_slice) {
        None | Some([]) => Err(format!("the {name} is missing")),
        Some([payload]) => Ok(payload.clone()),
        Some(several) => Err(format!("there are {} documents where one {name} should be", several.len())),
    };
    for (predicate_type, name) in EVIDENCE {
        one(predicate_type, name)?;
    }
    let payload = one(uri::INVENTORY, "inventory")?;
    let read = |payload: &[u8]| Statement::parse(payload).map_err(|error| error.to_string());
    let inventory: Inventory = read(&payload)?.predicate_as().map_err(|error| error.to_string())?;
    let listed: BTreeSet<InventoryDocument> = inventory.documents.into_iter().collect();
    let counts = |predicate_type: &str| predicate_type != uri::INVENTORY && !LATER.contains(&predicate_type);
    let present: BTreeSet<InventoryDocument> = documents
        .iter()
        .filter(|(predicate_type, _)| counts(predicate_type))
        .flat_map(|(predicate_type, payloads)| payloads.iter().map(move |payload| (predicate_type, payload)))
        .map(|(kind, payload)| InventoryDocument { predicate_type: kind.clone(), sha256: Digest::of(payload) })
        .collect();
    if let Some(missing) = listed.difference(&present).next() {
        return Err(format!("the inventory lists a {} that is not there", missing.predicate_type));
    }
    if let Some(extra) = present.difference(&listed).next() {
        return Err(format!("a {} is there that the inventory does not list", extra.predicate_type));
    }
    let provenance = read(&one(uri::PROVENANCE, "provenance")?)?;
    let provenance: Provenance = provenance.predicate_as().map_err(|error| error.to_string())?;
    let definition = provenance.build_definition;
    let text = |name: &str| definition.external_parameters.get(name).and_then(|value| value.as_str());
    let name = format!("{}:{}", text("name").unwrap_or_default(), text("version").unwrap_or_default());
    let inputs = definition.resolved_dependencies;
    Ok(Complete { release_id: release_id(&payload), key_id: key_id.to_owned(), inputs, name })
}

/// `index.json`: the image, its name, and what refers to it.
fn index(bytes: &[u8]) -> Result<(Descriptor, String, Vec<Descriptor>), OutlineError> {
    let index = Index::parse(bytes, media::INDEX).map_err(|error| incomplete(error.to_string()))?;
    let mut manifests = index.manifests.into_iter();
    let mut image = manifests.next().ok_or_else(|| incomplete("index.json lists nothing"))?;
    let referrers: Vec<Descriptor> = manifests.collect();
    if referrers.len() > MOST_REFERRERS {
        return Err(incomplete(format!("index.json lists more than {MOST_REFERRERS} referrers")));
    }
    let name = image.annotations.remove(layout::REF_NAME);
    let name = name.ok_or_else(|| incomplete("index.json does not list a named image first"))?;
    Ok((image, name, referrers))
}

/// The image, or the index with its images.
fn subject(files: &dyn ReleaseFiles, top: Descriptor) -> Result<(Item, Vec<Item>), OutlineError> {
    let bytes = blob(files, &top, MANIFEST_BYTES)?;
    if top.media_type != media::INDEX {
        return Ok((image(top, bytes)?, Vec::new()));
    }
    let index = Index::parse(&bytes, media::INDEX).map_err(|error| incomplete(error.to_string()))?;
    let read = |descriptor: Descriptor| image(descriptor.clone(), blob(files, &descriptor, MANIFEST_BYTES)?);
    let images = index.manifests.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok((Item { descriptor: top, bytes, blobs: Vec::new(), about: None }, images))
}

/// An image manifest with its config and layers.
pub(crate) fn image(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Item, OutlineError> {
    let manifest = Manifest::parse(&bytes, &descriptor.media_type).map_err(|error| incomplete(error.to_string()))?;
    if manifest.artifact_type.is_some() || manifest.subject.is_some() {
        return Err(incomplete(format!("{} is a referrer, not an image", descriptor.digest)));
    }
    let blobs = std::iter::once(manifest.config).chain(manifest.layers).collect();
    Ok(Item { descriptor, bytes, blobs, about: None })
}

/// The place of a document in an index, by the predicate type that its manifest is annotated with: those of a release
/// first and in their order.
pub(crate) fn rank(descriptor: &Descriptor) -> usize {
    let kind = descriptor.annotations.get(ANNOTATION_PREDICATE_TYPE).map(String::as_str);
    let place = EVIDENCE.iter().position(|(predicate_type, _)| Some(*predicate_type) == kind);
    place.unwrap_or(EVIDENCE.len())
}

fn whole(files: &dyn ReleaseFiles, name: &str, limit_bytes: u64) -> Result<Vec<u8>, OutlineError> {
    let unreadable = |source| OutlineError::Unreadable { name: name.to_owned(), source };
    files.read(name, limit_bytes).map_err(unreadable)?.ok_or_else(|| incomplete(format!("{name} is missing")))
}

fn blob(files: &dyn ReleaseFiles, descriptor: &Descriptor, limit_bytes: u64) -> Result<Vec<u8>, OutlineError> {
    let name = layout::blob_path(descriptor.digest);
    if descriptor.size > limit_bytes {
        return Err(incomplete(format!("{name} has more than {limit_bytes} bytes")));
    }
    let bytes = whole(files, &name, descriptor.size)?;
    if Digest::of(&bytes) != descriptor.digest {
        return Err(incomplete(format!("{name} is not what it is named for")));
    }
    Ok(bytes)
}
