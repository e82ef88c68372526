//! A release to a registry: blobs, then what refers to the image, then the image by its digest, then its tag.
//!
//! Whoever looks meanwhile sees nothing under the tag, or what was there before. A push that ended somewhere is taken up
//! by doing it again: what is there is not sent twice.

use std::path::Path;

use selfsame_core::{Digest, media};
use selfsame_oci::{Descriptor, layout};
use selfsame_registry::{Repository, Sent, Source, Target};
use selfsame_store::Store;
use selfsame_verify::ReleaseFiles;

use crate::cosign::{self, CosignSignature};
use crate::error::PublishError;
use crate::outline::{Outline, incomplete};
use crate::parallel::{Progress, each};

/// What is pushed, and what with.
pub struct Push<'a> {
    /// The release.
    pub outline: &'a Outline,
    /// Where its files are.
    pub files: &'a dyn ReleaseFiles,
    /// The folder of those files, if they are files: then nothing is copied before it is sent.
    pub folder: Option<&'a Path>,
    /// Where blobs are copied to that are not files.
    pub store: &'a Store,
    /// Whether the inputs that the release carries go with it. They hold the source.
    pub with_capsule: bool,
    /// An image signature in cosign's older form.
    pub cosign: Option<CosignSignature>,
    /// Is told how far it is.
    pub progress: &'a dyn Progress,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The image, or the index of images.
    pub image: Digest,
    /// What the tag named before, if that was something else.
    pub replaced: Option<Digest>,
    /// Blobs that were sent, and their bytes.
    pub sent: (u64, u64),
    /// Blobs that were there, and their bytes.
    pub present: (u64, u64),
    /// How many documents and capsules refer to the image.
    pub referrers: u64,
}

/// Pushes a release and gives it a tag, or none where `target` is its own digest.
///
/// # Errors
/// What the release lacks, found before anything is sent; then what the registry does not take. Without an `Ok` the tag
/// is as it was.
pub fn push(push: &Push<'_>, repository: &Repository<'_>, target: &Target) -> Result<Pushed, PublishError> {
    let Push { outline, files, with_capsule, progress, .. } = push;
    let image = outline.subject.descriptor.digest;
    if let Target::Digest(asked) = *target
        && asked != image
    {
        return Err(PublishError::OtherImage { asked, found: image });
    }
    outline.check_blobs(*files, *with_capsule)?;
    let replaced = before(repository, target)?.filter(|before| *before != image);

    let blobs = outline.blobs(*with_capsule);
    progress.expect(blobs.len() as u64, blobs.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size)));
    let sent = each(&blobs, |blob| {
        let sent = send(push, repository, blob)?;
        progress.done(blob.size, sent != Sent::Present);
        Ok::<_, PublishError>((blob.size, sent))
    })?;
    for item in &outline.images {
        put(repository, &item.bytes, &item.descriptor.media_type, &by_digest(&item.descriptor))?;
    }
    // Before the image itself: whoever finds it by its digest finds its documents.
    let capsules = outline.capsules.iter().filter(|_| *with_capsule);
    let referrers: Vec<_> = outline.bundles.iter().chain(capsules).collect();
    for item in &referrers {
        put(repository, &item.bytes, media::MANIFEST, &by_digest(&item.descriptor))?;
    }
    let top = &outline.subject;
    put(repository, &top.bytes, &top.descriptor.media_type, &by_digest(&top.descriptor))?;
    let mut missing = 0;
    for subject in std::iter::once(top).chain(&outline.images) {
        let digest = subject.descriptor.digest;
        let wanted: Vec<_> = referrers.iter().filter(|item| item.about == Some(digest)).collect();
        if wanted.is_empty() {
            continue;
        }
        let listed = repository.referrers(&digest, None)?;
        let is_listed = |wanted: &Descriptor| listed.iter().any(|found| found.digest == wanted.digest);
        missing += wanted.iter().filter(|item| !is_listed(&item.descriptor)).count();
    }
    if missing > 0 {
        return Err(PublishError::NotListed { host: repository.host(), image, missing });
    }
    if let Some(signature) = &push.cosign {
        cosign::push(signature, image, repository)?;
    }
    if matches!(target, Target::Tag(_)) {
        put(repository, &top.bytes, &top.descriptor.media_type, target)?;
    }
    let count = |moved: bool| {
        let those = sent.iter().filter(|(_, how)| (*how != Sent::Present) == moved);
        those.fold((0, 0), |(blobs, bytes), (size, _)| (blobs + 1, bytes + size))
    };
    Ok(Pushed { image, replaced, sent: count(true), present: count(false), referrers: referrers.len() as u64 })
}

fn by_digest(descriptor: &Descriptor) -> Target {
    Target::Digest(descriptor.digest)
}

fn put(repository: &Repository<'_>, bytes: &[u8], media_type: &str, target: &Target) -> Result<(), PublishError> {
    repository.push_manifest(bytes, media_type, target)?;
    Ok(())
}

/// What a tag names now. A repository that is not there yet has none.
fn before(repository: &Repository<'_>, target: &Target) -> Result<Option<Digest>, PublishError> {
    if !matches!(target, Target::Tag(_)) {
        return Ok(None);
    }
    match repository.head(target) {
        Ok(found) => Ok(Some(found.digest)),
        Err(selfsame_registry::RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sends a blob unless it is there.
fn send(push: &Push<'_>, repository: &Repository<'_>, blob: &Descriptor) -> Result<Sent, PublishError> {
    let name = layout::blob_path(blob.digest);
    let sent = match push.folder {
        Some(folder) => repository.push_blob(&blob.digest, blob.size, Source::File(&folder.join(&name)), &[])?,
        // A part of a tar goes through the store: an upload may have to begin anew.
        None => {
            if repository.has_blob(&blob.digest)?.is_some() {
                return Ok(Sent::Present);
            }
            let failed = |source| PublishError::File { name: name.clone(), source };
            let reader = push.files.open(&name).map_err(failed)?;
            let mut reader = reader.ok_or_else(|| incomplete(format!("{name} is missing")))?;
            push.store.put_expecting(&mut reader, &blob.digest, blob.size, false)?;
            repository.push_blob(&blob.digest, blob.size, Source::Store(push.store), &[])?
        }
    };
    Ok(sent)
}
