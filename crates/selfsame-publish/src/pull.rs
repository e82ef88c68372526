//! A release out of a registry: the image that a reference names, what refers to it, and on request the inputs.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, media};
use selfsame_oci::{Descriptor, ImageConfig, layout};
use selfsame_registry::{Document, Fetched, Reference, Registry, RegistryError, Repository, Target};
use selfsame_store::Store;

use crate::MANIFEST_BYTES;
use crate::complete::{Document as Signed, Rank, Set, complete_all, inputs_of_all};
use crate::error::PublishError;
use crate::outline::{self, DOCUMENT_BYTES, Item, MOST_REFERRERS, Outline, OutlineError};
use crate::parallel::{Progress, each};
use crate::remote::RemoteRelease;

/// The most images that an index of a release may list: each is fetched and kept in memory.
const MOST_IMAGES: usize = 256;

/// The most bytes that the signed documents of a release may have together: they are kept in memory.
const ALL_DOCUMENTS_BYTES: u64 = 512 << 20;

/// The most documents, and the most capsules, that are looked at of what refers to one image: a registry may list more,
/// which anybody can have attached.
pub(crate) const MOST_LOOKED_AT: usize = 4096;

/// The most bytes that the manifests of all of them may have together.
const ALL_MANIFESTS_BYTES: u64 = 64 << 20;

/// The most capsules that are listed among them.
const MOST_CAPSULES: usize = 64;

/// The longest entry of an index.json, in bytes: what a registry lists under more, in the annotations of its manifest, is
/// none of a release's.
const ENTRY_BYTES: usize = 64 << 10;

/// The most bytes that the entries of all documents may have together in an index.json, which others read as far as 4 MiB.
const DOCUMENT_ENTRIES_BYTES: usize = 3 << 20;

/// The same of all capsules.
const CAPSULE_ENTRIES_BYTES: usize = 512 << 10;

/// How many are asked for before it is seen how large they are.
const AT_ONCE: usize = 16;

/// What of a release is fetched.
pub struct Pull<'a> {
    /// The layers. Without them the documents can be judged, and no more.
    pub layers: bool,
    /// The inputs of the build that were pushed with it; they hold the source.
    pub capsule: bool,
    /// Whether a bundle is by somebody whom the caller trusts. What is comes before all that others attached; where nobody is
    /// trusted, documents are told apart by what they say.
    pub counts: &'a dyn Fn(&[u8]) -> bool,
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
    let (repository, top) = top(registry, reference)?;
    let digest = top.descriptor.digest;
    let mut files = RemoteRelease::new(store);
    let subject = Item { descriptor: top.descriptor.bare(), bytes: top.bytes, blobs: Vec::new(), about: None };
    let images = images_of(&repository, &top.document, &subject)?;
    files.add_small(&subject.bytes);
    files.add_small(Descriptor::EMPTY_BYTES);
    for image in &images {
        files.add_small(&image.bytes);
    }

    let mut found = Found::default();
    // Of an index each image may be a release of its own.
    let subjects: Vec<&Descriptor> = std::iter::once(&subject.descriptor)
        .chain(images.iter().map(|image| &image.descriptor).filter(|image| image.digest != digest))
        .collect();
    for about in &subjects {
        found.look(&repository, about, ALL_MANIFESTS_BYTES / subjects.len() as u64, pull.progress)?;
    }
    let Found { documents, capsules, left_out } = found;
    let (documents, no_room) = fetch_documents(&repository, documents, pull)?;
    let left_out = left_out + no_room;
    let read = |(item, bytes): &Bundled| Signed::read(item.about, bytes, pull.counts);
    let signed: Vec<Option<Signed>> = documents.iter().map(read).collect();
    let of_all: Vec<&Signed> = signed.iter().flatten().collect();
    // What it is called stands in no manifest; the signed name is checked against this one by whoever verifies.
    let complete = match complete_all(&of_all, &subject.descriptor, &images, Set::Open) {
        Ok(complete) => complete,
        // What was not looked at may be what is missing: that is no answer.
        Err(fault) if left_out > 0 => {
            return Err(PublishError::TooManyReferrers { image: digest, left_out, fault: fault.to_string() });
        }
        Err(fault) => return Err(fault.into()),
    };
    // Whoever may write to the repository may attach what he calls inputs of this image.
    let inputs = if capsules.is_empty() { BTreeSet::new() } else { inputs_of_all(&of_all) };
    let rank = |signed: &Option<Signed>| signed.as_ref().map_or((true, true, true), |signed| signed.rank(&complete));
    let ranks: Vec<Rank> = signed.iter().map(rank).collect();
    drop(of_all);
    drop(signed);
    let mut bundles: Vec<Item> = Vec::new();
    for (item, bytes) in kept(ranks, documents, pull.progress) {
        files.add_small(&bytes);
        bundles.push(item);
    }
    let capsules = kept_capsules(capsules, &inputs, pull.progress);

    let mut blobs: Vec<Descriptor> = images.iter().map(|image| image.blobs[0].clone()).collect();
    if pull.layers {
        blobs.extend(images.iter().flat_map(|image| image.blobs[1..].iter().cloned()));
    }
    fetch(&repository, &mut files, blobs, pull.progress)?;
    let mut wanted = bundles;
    if pull.capsule {
        wanted.extend(fetch_capsules(&repository, &mut files, &capsules, pull)?);
    }
    // In the order in which a release lists it.
    wanted.sort_by_key(|item| {
        let place = subjects.iter().position(|subject| Some(subject.digest) == item.about);
        let is_capsule = item.descriptor.artifact_type.as_deref() == Some(media::CAPSULE);
        (place, is_capsule, outline::rank(&item.descriptor), item.descriptor.digest)
    });
    for item in &wanted {
        files.add_small(&item.bytes);
    }
    let listed: Vec<Descriptor> = wanted.iter().map(|item| item.descriptor.clone()).collect();
    let name = complete.name;
    let mut listed_as = subject.descriptor.clone();
    if matches!(top.document, Document::Manifest(_)) {
        let config = files.store().read_blob(&images[0].blobs[0].digest, MANIFEST_BYTES)?;
        let config = ImageConfig::parse(&config);
        let fault = |error: selfsame_oci::DocumentError| error.to_string();
        let config = config.map_err(|error| PublishError::NotAnImage { found: digest, fault: fault(error) })?;
        listed_as.platform = Some(config.platform);
    }
    files.add(layout::INDEX_FILE, &layout::index_file(&listed_as, &name, &listed).bytes);
    let outline = Outline::read_of(&files, Set::Open, pull.counts)?;
    Ok(Pulled { files, outline, capsules })
}

/// The documents that are listed: the first by rank, and of those of one rank the shortest entries, as many as there is
/// room for. What others wrote into the annotations of a manifest takes no room from those that go before.
fn kept(ranks: Vec<Rank>, documents: Vec<Bundled>, progress: &dyn Progress) -> Vec<Bundled> {
    let all = documents.len();
    let entry = |(item, _): &Bundled| entry_bytes(&item.descriptor);
    let mut ranked: Vec<_> = ranks.into_iter().zip(documents).map(|(rank, it)| ((rank, entry(&it)), it)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    // Room for a capsule or two is kept.
    ranked.truncate(MOST_REFERRERS - MOST_CAPSULES);
    let entries = ranked.iter().map(|((_, bytes), _)| *bytes);
    ranked.truncate(how_many_fit(entries, DOCUMENT_ENTRIES_BYTES));
    if all > ranked.len() {
        progress.passed_over(&format!("{} of the {all} documents about it", all - ranked.len()));
    }
    ranked.into_iter().map(|(_, document)| document).collect()
}

/// How long the entry of an index.json is that lists this, with what separates it from others.
fn entry_bytes(descriptor: &Descriptor) -> usize {
    selfsame_oci::index(std::slice::from_ref(descriptor), &BTreeMap::new()).bytes.len()
}

/// How many of these, from the first on, have so many bytes together at most.
fn how_many_fit(entries: impl Iterator<Item = usize>, most_bytes: usize) -> usize {
    let all = entries.scan(0_usize, |sum, bytes| {
        *sum = sum.saturating_add(bytes);
        Some(*sum)
    });
    all.take_while(|sum| *sum <= most_bytes).count()
}

/// The capsules that are listed: those whose parts are inputs, the shortest entries first, as many as there is room for.
fn kept_capsules(capsules: Vec<Item>, inputs: &BTreeSet<Digest>, progress: &dyn Progress) -> Vec<Item> {
    let is_ours = |item: &Item| match outline::foreign_part(item, inputs) {
        Some(part) => {
            let capsule = item.descriptor.digest;
            progress.passed_over(&format!("capsule {capsule} holds {part}, which no provenance names"));
            false
        }
        None => true,
    };
    let mut capsules: Vec<Item> = capsules.into_iter().filter(is_ours).collect();
    let all = capsules.len();
    capsules.sort_by_key(|item| entry_bytes(&item.descriptor));
    capsules.truncate(MOST_CAPSULES);
    let entries = capsules.iter().map(|item| entry_bytes(&item.descriptor));
    capsules.truncate(how_many_fit(entries, CAPSULE_ENTRIES_BYTES));
    if all > capsules.len() {
        progress.passed_over(&format!("{} of {all} capsules", all - capsules.len()));
    }
    capsules
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
    let (repository, top) = top(registry, reference)?;
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

/// What the reference names. The tag is asked once: all that follows is asked by digest, whatever becomes of the tag.
fn top<'a>(registry: &'a Registry, reference: &Reference) -> Result<(Repository<'a>, Fetched), PublishError> {
    let target = reference.target();
    let (repository, top) = registry.first(reference, |repository| repository.manifest(&target))?;
    if let (Some(tag), Some(asked)) = (&reference.tag, reference.digest) {
        let found = repository.manifest(&Target::Tag(tag.clone()))?.descriptor.digest;
        if found != asked {
            return Err(PublishError::TagAndDigest { tag: tag.clone(), asked, found });
        }
    }
    Ok((repository, top))
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

/// What refers to an image or to the images of an index, and could be part of a release.
#[derive(Default)]
struct Found {
    documents: Vec<Item>,
    capsules: Vec<Item>,
    /// How many more the registry lists, which nobody looked at.
    left_out: usize,
}

impl Found {
    /// Asks for what refers to one image: by its kind, so that what else is attached is not in the way. Whoever may write to
    /// the repository may attach anything; what is none of a release's kinds is left where it is, and said.
    fn look(
        &mut self,
        repository: &Repository<'_>,
        subject: &Descriptor,
        limit_bytes: u64,
        progress: &dyn Progress,
    ) -> Result<(), PublishError> {
        for (kind, name) in [(media::BUNDLE, "documents"), (media::CAPSULE, "capsules")] {
            let mut listed = repository.referrers(&subject.digest, Some(kind))?;
            // Those that say that they are a release's documents first, then the small ones: nobody is trusted yet.
            listed.sort_by_key(|item| (outline::rank(item), item.size, item.digest));
            let all = listed.len();
            listed.truncate(MOST_LOOKED_AT);
            let (mut asked, mut bytes) = (0, 0);
            let mut items = Vec::new();
            for some in listed.chunks(AT_ONCE) {
                if bytes > limit_bytes {
                    break;
                }
                asked += some.len();
                let answers =
                    each(some, |listed| given(repository.manifest(&Target::Digest(listed.digest)), progress))?;
                for fetched in answers.into_iter().flatten() {
                    bytes += fetched.bytes.len() as u64;
                    let mut descriptor = Descriptor::of(media::MANIFEST, &fetched.bytes);
                    if let Document::Manifest(manifest) = &fetched.document {
                        descriptor.artifact_type.clone_from(&manifest.artifact_type);
                        descriptor.annotations.clone_from(&manifest.annotations);
                    }
                    let entry_bytes = entry_bytes(&descriptor);
                    if entry_bytes > ENTRY_BYTES {
                        let digest = descriptor.digest;
                        progress.passed_over(&format!("{digest} would take {entry_bytes} bytes of an index.json"));
                        continue;
                    }
                    match outline::referrer(descriptor, fetched.bytes, &[subject]) {
                        Ok(item) if item.descriptor.artifact_type.as_deref() == Some(kind) => items.push(item),
                        Ok(item) => {
                            let digest = item.descriptor.digest;
                            progress.passed_over(&format!("{digest} is listed with another artifact type"));
                        }
                        Err(error) => progress.passed_over(&error.to_string()),
                    }
                }
            }
            if all > asked {
                let text =
                    format!("{} of the {all} {name} that the registry lists about {}", all - asked, subject.digest);
                progress.passed_over(&text);
                self.left_out += all - asked;
            }
            match kind {
                media::CAPSULE => self.capsules.extend(items),
                _ => self.documents.extend(items),
            }
        }
        Ok(())
    }
}

/// A document: its manifest, and the bundle that it names.
type Bundled = (Item, Vec<u8>);

/// The bundles themselves, as far as there is room for them; and how many there was none for.
fn fetch_documents(
    repository: &Repository<'_>,
    documents: Vec<Item>,
    pull: &Pull<'_>,
) -> Result<(Vec<Bundled>, usize), PublishError> {
    let mut left_bytes = ALL_DOCUMENTS_BYTES;
    let all = documents.len();
    let fits = |item: &Item| {
        let size = item.blobs[1].size;
        let fits = size <= left_bytes;
        left_bytes -= if fits { size } else { 0 };
        fits
    };
    let documents: Vec<Item> = documents.into_iter().filter(fits).collect();
    let left_out = all - documents.len();
    if left_out > 0 {
        pull.progress.passed_over(&format!("{left_out} of {all} documents: all together have too many bytes"));
    }
    let progress = pull.progress;
    let read = each(&documents, |item| given(repository.blob_bytes(&item.blobs[1], DOCUMENT_BYTES), progress))?;
    let read = documents.into_iter().zip(read).filter_map(|(item, bytes)| Some((item, bytes?)));
    Ok((read.collect(), left_out))
}

/// What the capsules hold. One that is not whole in the registry is passed over: a stranger may have attached it, and who
/// needs what it should hold finds out that it is not there.
fn fetch_capsules(
    repository: &Repository<'_>,
    files: &mut RemoteRelease,
    capsules: &[Item],
    pull: &Pull<'_>,
) -> Result<Vec<Item>, PublishError> {
    let mut whole: Vec<Item> = Vec::new();
    for capsule in capsules {
        match fetch(repository, files, capsule.blobs[1..].to_vec(), pull.progress) {
            Ok(()) => whole.push(capsule.clone()),
            Err(PublishError::Registry { source }) if !matches!(source, RegistryError::Store { .. }) => {
                if given::<()>(Err(source), pull.progress)?.is_none() {
                    let digest = capsule.descriptor.digest;
                    pull.progress.passed_over(&format!("capsule {digest} is not whole in the registry"));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(whole)
}

/// What a registry gave. What it lists and has not is passed over, and the release is seen to be incomplete if that was
/// a part of it; only what may be had later ends the matter at once.
fn given<T>(answer: Result<T, RegistryError>, progress: &dyn Progress) -> Result<Option<T>, PublishError> {
    match answer {
        Ok(given) => Ok(Some(given)),
        Err(error) if error.retry_may_help() || matches!(error, RegistryError::Refused { .. }) => Err(error.into()),
        Err(error) => {
            progress.passed_over(&error.to_string());
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
