//! What `docker save` and `podman save` write: a tar with `manifest.json`, and with an OCI layout beside it if it is a
//! newer one.
//!
//! The old form has no manifest: layers are tars, mostly uncompressed, and the config says their digests. The manifest
//! that stands for it is made: the config as it is, the layers in their order, each under the digest and media type of
//! the bytes in the archive, no annotations, in canonical JSON. So it depends on nothing but those bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use selfsame_core::{Digest, Platform, media};
use selfsame_oci::layout::{DOCKER_FILE, DockerImage, parse_docker_file};
use selfsame_oci::{Descriptor, DocumentError, ImageConfig, Manifest, SelectError, image_manifest};
use selfsame_store::Store;

use super::error::OciError;
use super::files::Files;
use super::layout::{Layout, repository_of};
use super::place::{Found, check_image};

/// An archive, and which of its images is meant.
pub(super) enum DockerArchive {
    /// It holds a layout with this image.
    Layout(Layout),
    /// It has Docker's list only.
    Old(Old),
}

/// Digest and size of the files of an archive that are blobs of its image.
type Names = BTreeMap<String, (Digest, u64)>;

pub(super) struct Old {
    input: String,
    files: Files,
    image: DockerImage,
}

impl DockerArchive {
    pub(super) fn open(input: &str, path: PathBuf, name: Option<String>) -> Result<Self, OciError> {
        let mut files = Files::open(path)?;
        let mut no_layout = None;
        if Layout::is_one(&files)? {
            let layout = Layout::of(input, files, name.clone())?;
            match layout.named() {
                Ok(_) => return Ok(Self::Layout(layout)),
                // Only Docker's list may have the whole name.
                Err(error) => (no_layout, files) = (Some(error), layout.into_files()),
            }
        }
        let Some(list) = files.read(DOCKER_FILE)? else {
            let fault = format!("is no image archive: it has no `{DOCKER_FILE}`");
            let error = OciError::NotOne { path: files.path().to_owned(), fault };
            return Err(no_layout.unwrap_or(error));
        };
        let failed = |source| OciError::Document { input: input.to_owned(), source };
        let images = parse_docker_file(&list).map_err(failed)?;
        let image = chosen(images, name.as_deref());
        let image = image.map_err(|source| OciError::Select { input: input.to_owned(), source })?;
        Ok(Self::Old(Old { input: input.to_owned(), files, image }))
    }

    /// The image, if it is for this platform.
    pub(super) fn find(&self, wanted: &Platform) -> Result<Found, OciError> {
        match self {
            Self::Layout(layout) => layout.find(wanted),
            Self::Old(old) => Ok(old.find(Some(wanted))?.0),
        }
    }

    /// Puts blobs into the store.
    pub(super) fn bring(&self, blobs: &[(Digest, u64)], store: &Store) -> Result<(), OciError> {
        match self {
            Self::Layout(layout) => layout.bring(blobs, store),
            Self::Old(old) => old.bring(blobs, store),
        }
    }

    /// The same for locked blobs, the made manifest among them.
    pub(super) fn bring_again(&self, blobs: &[(Digest, u64)], store: &Store) -> Result<(), OciError> {
        let Self::Old(old) = self else { return self.bring(blobs, store) };
        let (found, _) = old.find(None)?;
        let (made, others): (Vec<_>, Vec<_>) = blobs.iter().partition(|(digest, _)| *digest == found.descriptor.digest);
        if !made.is_empty() {
            store.put_bytes(&found.bytes, false)?;
        }
        old.bring(&others, store)
    }
}

impl Old {
    /// The image as a manifest would name it, and the name of each blob in the archive.
    fn find(&self, wanted: Option<&Platform>) -> Result<(Found, Names), OciError> {
        let failed = |fault: String| OciError::Document {
            input: self.input.clone(),
            source: DocumentError::Value { what: DOCKER_FILE, fault },
        };
        let absent = |name: &str| failed(format!("names `{}`, which the archive lacks", name.escape_debug()));
        let mut names = Names::new();
        let config = self.files.read(&self.image.config)?.ok_or_else(|| absent(&self.image.config))?;
        let descriptor = Descriptor::of(media::CONFIG, &config);
        names.insert(self.image.config.clone(), (descriptor.digest, descriptor.size));
        let parsed = ImageConfig::parse(&config);
        let parsed = parsed.map_err(|source| OciError::Document { input: self.input.clone(), source })?;
        let mut layers = Vec::new();
        for (number, name) in self.image.layers.iter().enumerate() {
            let member = self.files.member(name).ok_or_else(|| absent(name))?;
            // Of a plain tar the digest is its diffID; of others the tar is checked when it is read.
            if let Some(&expected) = parsed.diff_ids.get(number)
                && member.media_type == media::LAYER_TAR
                && expected != member.digest
            {
                let (input, digest, found) = (self.input.clone(), member.digest, member.digest);
                return Err(OciError::DiffId { input, digest, expected, found });
            }
            names.insert(name.clone(), (member.digest, member.size));
            layers.push(Descriptor::new(member.media_type, member.digest, member.size));
        }
        let made = image_manifest(&descriptor, &layers, &BTreeMap::new());
        let manifest = Manifest::parse(&made.bytes, media::MANIFEST);
        let manifest = manifest.map_err(|source| OciError::Document { input: self.input.clone(), source })?;
        let platform = check_image(&self.input, &made.descriptor, &manifest, &config, wanted)?;
        let name = self.image.repo_tags.iter().flatten().find_map(|tag| repository_of(tag));
        Ok((Found { platform, descriptor: made.descriptor, bytes: made.bytes, manifest, name }, names))
    }

    fn bring(&self, blobs: &[(Digest, u64)], store: &Store) -> Result<(), OciError> {
        let (_, names) = self.find(None)?;
        let mut wanted = BTreeMap::new();
        for &(digest, size) in blobs {
            let name = names.iter().find(|(_, blob)| **blob == (digest, size)).map(|(name, _)| name.clone());
            let path = || self.files.path().to_owned();
            let name = name.ok_or_else(|| OciError::Lacks { input: self.input.clone(), path: path(), digest })?;
            wanted.insert(name, (digest, size));
        }
        self.files.store(&self.input, &wanted, store)
    }
}

/// The image of this name, whole or without what stands before its last part; or the only one.
fn chosen(images: Vec<DockerImage>, wanted: Option<&str>) -> Result<DockerImage, SelectError> {
    let tags = |image: &DockerImage| image.repo_tags.clone().unwrap_or_default();
    let there = || {
        let name = |image: &DockerImage| tags(image).into_iter().next().unwrap_or_else(|| image.config.clone());
        images.iter().map(name).collect::<Vec<_>>()
    };
    let fits = |image: &&DockerImage| match wanted {
        None => true,
        Some(wanted) => {
            let behind = format!("/{wanted}");
            tags(image).iter().any(|tag| tag == wanted || tag.ends_with(&behind))
        }
    };
    let found: Vec<&DockerImage> = images.iter().filter(fits).collect();
    match found[..] {
        [image] => Ok(image.clone()),
        [] => Err(SelectError::Name { wanted: wanted.unwrap_or("(any)").to_owned(), there: there() }),
        _ => Err(SelectError::Several { there: there() }),
    }
}
