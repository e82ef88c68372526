//! What a release consists of, and whether that is all of it: by its own word, which nobody has verified.
//!
//! Whoever moves a release must not move half of one, and has no key to judge it with. So this looks at what `verify`
//! looks at first: the index, the manifests, and that one signer's inventory lists exactly that signer's documents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use selfsame_attest::ResourceDescriptor;
use selfsame_attest::bundle::ANNOTATION_PREDICATE_TYPE;
use selfsame_core::{Digest, Hasher, media, uri};
use selfsame_oci::{Descriptor, Index, Manifest, layout};
use selfsame_verify::ReleaseFiles;

use crate::MANIFEST_BYTES;
use crate::complete::{Complete, Document, Set, complete_all};

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
        Self::read_of(files, Set::Closed, &|_| false)
    }

    /// The same of what came out of a registry, where others may have attached documents under any name.
    pub(crate) fn read_of(
        files: &dyn ReleaseFiles,
        set: Set,
        counts: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Self, OutlineError> {
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
            let bytes = blob(files, &item.blobs[1], DOCUMENT_BYTES)?;
            signed.extend(Document::read(item.about, &bytes, counts));
            bundles.push(item);
        }
        let signed: Vec<&Document> = signed.iter().collect();
        let complete = complete_all(&signed, &subject.descriptor, &images, set)?;
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

/// What the parts of a capsule are, by digest; of a pack the tree whose files it holds, or nothing where it names none.
fn identities(capsule: &Item) -> impl Iterator<Item = (&Descriptor, Option<Digest>)> {
    capsule.blobs.iter().skip(1).map(|part| match part.media_type.as_str() {
        media::PACK => (part, part.annotations.get(TREE_ANNOTATION).and_then(|tree| tree.parse().ok())),
        _ => (part, Some(part.digest)),
    })
}

/// The first part of a capsule that is none of these inputs.
pub(crate) fn foreign_part(capsule: &Item, inputs: &BTreeSet<Digest>) -> Option<Digest> {
    let named = |identity: &Option<Digest>| identity.is_some_and(|identity| inputs.contains(&identity));
    identities(capsule).find(|(_, identity)| !named(identity)).map(|(part, _)| part.digest)
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
