//! A release out of a registry: the image that a reference names, what refers to it, and on request the inputs.

use selfsame_core::{Digest, media};
use selfsame_oci::{Descriptor, ImageConfig, layout};
use selfsame_registry::{Document, Reference, Registry, RegistryError, Repository, Target};
use selfsame_store::Store;

use crate::MANIFEST_BYTES;
use crate::error::PublishError;
use crate::outline::{self, DOCUMENT_BYTES, Item, MOST_REFERRERS, Outline, OutlineError};
use crate::parallel::{Progress, each};
use crate::remote::RemoteRelease;

/// The most images that an index of a release may list: each is fetched and kept in memory.
const MOST_IMAGES: usize = 256;

/// The most bytes that the signed documents of a release may have together: they are kept in memory.
const ALL_DOCUMENTS_BYTES: u64 = 512 << 20;

/// What of a release is fetched.
pub struct Pull<'a> {
    /// The layers. Without them the documents can be judged, and no more.
    pub layers: bool,
    /// The inputs of the build that were pushed with it; they hold the source.
    pub capsule: bool,
    /// Is told how far it is, and what is passed over.
    pub progress: &'a dyn Progress,
}

/// A release that was fetched. It is complete by its own word, and not verified.
#[derive(Debug)]
pub struct Pulled {
    /// Its files.
    pub files: RemoteRelease,
    /// What it consists of.
    pub outline: Outline,
    /// The capsules that the registry has of it, fetched or not.
    pub capsules: Vec<Item>,
}

/// Fetches a release. Blobs go through the store, where those that are there are not asked for.
///
/// # Errors
/// What the registry does not give; or that what it gives is no complete release.
pub fn pull(registry: &Registry, reference: &Reference, store: Store, pull: &Pull<'_>) -> Result<Pulled, PublishError> {
    let target = reference.target();
    let (repository, top) = registry.first(reference, |repository| repository.manifest(&target))?;
    let digest = top.descriptor.digest;
    let mut files = RemoteRelease::new(store);
    let subject = Item { descriptor: top.descriptor.bare(), bytes: top.bytes, blobs: Vec::new(), about: None };
    let images = images_of(&repository, &top.document, &subject)?;
    files.add_small(&subject.bytes);
    files.add_small(Descriptor::EMPTY_BYTES);
    for image in &images {
        files.add_small(&image.bytes);
    }

    let mut referrers = referrers_of(&repository, &subject.descriptor, pull)?;
    // Of an index each image may be a release of its own.
    for image in images.iter().filter(|image| image.descriptor.digest != digest) {
        referrers.extend(referrers_of(&repository, &image.descriptor, pull)?);
    }
    let (mut bundles, mut read) = (Vec::new(), Vec::new());
    let mut left_bytes = ALL_DOCUMENTS_BYTES;
    for item in referrers.iter().filter(|item| !is_capsule(item)) {
        let Some(bytes) = given(repository.blob_bytes(&item.blobs[1], DOCUMENT_BYTES.min(left_bytes)), pull)? else {
            continue;
        };
        left_bytes = left_bytes.saturating_sub(bytes.len() as u64);
        files.add_small(&bytes);
        bundles.push((item.about, bytes));
        read.push(item.descriptor.digest);
    }
    // What it is called stands in no manifest; the signed name is checked against this one by whoever verifies.
    let name = outline::complete_all(&bundles, &subject.descriptor, &images)?.name;
    // Whoever may write to the repository may attach what he calls inputs of this image.
    let inputs = outline::inputs_of_all(bundles.iter().map(|(_, bytes)| bytes.as_slice()));
    referrers.retain(|item| match outline::foreign_part(item, &inputs).filter(|_| is_capsule(item)) {
        Some(part) => {
            let capsule = item.descriptor.digest;
            pull.progress.passed_over(&format!("capsule {capsule} holds {part}, which no provenance names"));
            false
        }
        None => true,
    });
    let capsules = referrers.iter().filter(|item| is_capsule(item)).cloned().collect();
    let is_wanted = |item: &&Item| {
        if is_capsule(item) { pull.capsule } else { read.contains(&item.descriptor.digest) }
    };
    let wanted: Vec<&Item> = referrers.iter().filter(is_wanted).collect();
    for item in &wanted {
        files.add_small(&item.bytes);
    }
    let listed: Vec<Descriptor> = wanted.iter().map(|item| item.descriptor.clone()).collect();

    let mut blobs: Vec<Descriptor> = images.iter().map(|image| image.blobs[0].clone()).collect();
    if pull.layers {
        blobs.extend(images.iter().flat_map(|image| image.blobs[1..].iter().cloned()));
    }
    blobs.extend(wanted.iter().filter(|item| is_capsule(item)).flat_map(|item| item.blobs[1..].iter().cloned()));
    fetch(&repository, &mut files, blobs, pull.progress)?;
    let mut listed_as = subject.descriptor.clone();
    if matches!(top.document, Document::Manifest(_)) {
        let config = files.store().read_blob(&images[0].blobs[0].digest, MANIFEST_BYTES)?;
        let config = ImageConfig::parse(&config);
        let fault = |error: selfsame_oci::DocumentError| error.to_string();
        let config = config.map_err(|error| PublishError::NotAnImage { found: digest, fault: fault(error) })?;
        listed_as.platform = Some(config.platform);
    }
    files.add(layout::INDEX_FILE, &layout::index_file(&listed_as, &name, &listed).bytes);
    let outline = Outline::read(&files)?;
    Ok(Pulled { files, outline, capsules })
}

/// Fetches an image, or an index and its images, without what refers to it: for a copy whose evidence is elsewhere. Gives
/// its files, which no index.json lists, and its digest; the layers only if they are wanted.
///
/// # Errors
/// What the registry does not give; or that what it gives is no image.
pub fn pull_image(
    registry: &Registry,
    reference: &Reference,
    store: Store,
    layers: bool,
    progress: &dyn Progress,
) -> Result<(RemoteRelease, Digest), PublishError> {
    let target = reference.target();
    let (repository, top) = registry.first(reference, |repository| repository.manifest(&target))?;
    let digest = top.descriptor.digest;
    let subject = Item { descriptor: top.descriptor.bare(), bytes: top.bytes, blobs: Vec::new(), about: None };
    let images = images_of(&repository, &top.document, &subject)?;
    let mut files = RemoteRelease::new(store);
    files.add_small(&subject.bytes);
    for image in &images {
        files.add_small(&image.bytes);
    }
    let wanted = images.iter().flat_map(|image| &image.blobs[..if layers { image.blobs.len() } else { 1 }]);
    fetch(&repository, &mut files, wanted.cloned().collect(), progress)?;
    Ok((files, digest))
}

/// The image, or the images of the index.
fn images_of(repository: &Repository<'_>, top: &Document, subject: &Item) -> Result<Vec<Item>, PublishError> {
    let mut images = Vec::new();
    let digest = subject.descriptor.digest;
    match top {
        Document::Manifest(_) => images.push(outline::image(subject.descriptor.clone(), subject.bytes.clone())),
        Document::Index(index) => {
            if index.manifests.len() > MOST_IMAGES {
                let fault = format!("it lists {} images; at most {MOST_IMAGES} are read", index.manifests.len());
                return Err(PublishError::NotAnImage { found: digest, fault });
            }
            for descriptor in &index.manifests {
                images.push(outline::image(descriptor.clone(), repository.described(descriptor)?.bytes));
            }
        }
    }
    let not_an_image = |error: OutlineError| PublishError::NotAnImage { found: digest, fault: error.to_string() };
    images.into_iter().collect::<Result<_, _>>().map_err(not_an_image)
}

fn is_capsule(item: &Item) -> bool {
    item.descriptor.artifact_type.as_deref() == Some(media::CAPSULE)
}

/// What refers to the image and could be part of a release, in the order in which a release lists it. Whoever may write
/// to the repository may attach anything; what is none of a release's kinds is left where it is, and said.
fn referrers_of(repository: &Repository<'_>, subject: &Descriptor, pull: &Pull<'_>) -> Result<Vec<Item>, PublishError> {
    let mut items = Vec::new();
    let listed = repository.referrers(&subject.digest, None)?;
    let of_ours =
        |listed: &&Descriptor| matches!(listed.artifact_type.as_deref(), Some(media::BUNDLE) | Some(media::CAPSULE));
    for listed in listed.iter().filter(of_ours).take(MOST_REFERRERS) {
        let Some(fetched) = given(repository.manifest(&Target::Digest(listed.digest)), pull)? else { continue };
        let mut descriptor = Descriptor::of(media::MANIFEST, &fetched.bytes);
        if let Document::Manifest(manifest) = &fetched.document {
            descriptor.artifact_type.clone_from(&manifest.artifact_type);
            descriptor.annotations.clone_from(&manifest.annotations);
        }
        match outline::referrer(descriptor, fetched.bytes, &[subject]) {
            Ok(item) => items.push(item),
            Err(error) => pull.progress.passed_over(&error.to_string()),
        }
    }
    items.sort_by_key(|item| (is_capsule(item), outline::rank(&item.descriptor), item.descriptor.digest));
    Ok(items)
}

/// What a registry gave. What it lists and has not is passed over, and the release is seen to be incomplete if that was
/// a part of it; only what may be had later ends the matter at once.
fn given<T>(answer: Result<T, RegistryError>, pull: &Pull<'_>) -> Result<Option<T>, PublishError> {
    match answer {
        Ok(given) => Ok(Some(given)),
        Err(error) if error.retry_may_help() || matches!(error, RegistryError::Refused { .. }) => Err(error.into()),
        Err(error) => {
            pull.progress.passed_over(&error.to_string());
            Ok(None)
        }
    }
}

fn fetch(
    repository: &Repository<'_>,
    files: &mut RemoteRelease,
    blobs: Vec<Descriptor>,
    progress: &dyn Progress,
) -> Result<(), PublishError> {
    let mut once: Vec<Descriptor> = blobs;
    once.sort_by_key(|blob| blob.digest);
    once.dedup_by_key(|blob| blob.digest);
    progress.expect(once.len() as u64, once.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size)));
    let store = files.store();
    each(&once, |blob| {
        let moved = !store.has(&blob.digest);
        repository.blob(blob, store, None)?;
        progress.done(blob.size, moved);
        Ok::<_, PublishError>(())
    })?;
    let digests: Vec<Digest> = once.iter().map(|blob| blob.digest).collect();
    digests.into_iter().for_each(|digest| files.add_stored(digest));
    Ok(())
}
