//! A release of one image for several platforms, taken apart: what joins it, and each platform's release as one of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use selfsame_core::{Digest, Platform, media};
use selfsame_oci::layout::{self, DockerImage};
use selfsame_oci::{Descriptor, Index, Manifest, image_index};

use crate::files::ReleaseFiles;

const MANIFEST_BYTES: u64 = 4 << 20;
const DOCUMENT_BYTES: u64 = 64 << 20;
/// The most that all documents about an index have together.
const JOINING_BYTES: u64 = 512 << 20;
/// The most documents that an index is read with.
const MOST_REFERRERS: usize = 4000;

/// Why a release for several platforms cannot be judged as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinedFault {
    /// What is there is not such a release.
    #[error("{0}")]
    Refused(String),
    /// A file of it could not be read, so nobody knows what it is.
    #[error("{0}")]
    Unreadable(String),
}

impl From<String> for JoinedFault {
    fn from(fault: String) -> Self {
        Self::Refused(fault)
    }
}

/// A release whose first descriptor is an index, by its own word: nobody's signature was looked at.
#[derive(Debug)]
pub struct JoinedFiles {
    /// The index.
    pub index: Descriptor,
    /// Its bytes.
    pub index_bytes: Vec<u8>,
    /// What it is filed under: `name:version`.
    pub name: String,
    /// In the order of the index.
    pub parts: Vec<Part>,
    /// The bundles about the index, each once. What is in them was not looked at: [`JoinedFiles::document`] reads one.
    pub joining: Vec<Descriptor>,
    /// The files that belong to all of them.
    names: BTreeSet<String>,
}

impl JoinedFiles {
    /// The most platforms that are read.
    pub const MOST_PARTS: usize = 64;

    /// Takes a release apart; nothing where its first descriptor is no index.
    ///
    /// # Errors
    /// The first thing that is no part of such a release, or is not what it is named for.
    pub fn open(release: &dyn ReleaseFiles) -> Option<Result<Self, JoinedFault>> {
        let bytes = release.read(layout::INDEX_FILE, MANIFEST_BYTES).ok()??;
        let listed = Index::parse(&bytes, media::INDEX).ok()?;
        let mut manifests = listed.manifests.into_iter();
        let mut top = manifests.next().filter(|top| top.media_type == media::INDEX)?;
        let name = top.annotations.remove(layout::REF_NAME).unwrap_or_default();
        Some(Self::read(release, &bytes, top, name, manifests.collect()))
    }

    fn read(
        release: &dyn ReleaseFiles,
        listing: &[u8],
        top: Descriptor,
        name: String,
        referrers: Vec<Descriptor>,
    ) -> Result<Self, JoinedFault> {
        // The one document that no digest covers: what it says beyond this is nobody's word.
        let canonical = layout::index_file(&top, &name, &referrers).bytes == listing;
        if !canonical || top != top.bare() || referrers.len() > MOST_REFERRERS {
            return Err("index.json holds more than the index, its name and its referrers".to_owned().into());
        }
        match release.read(layout::LAYOUT_FILE, MANIFEST_BYTES) {
            Ok(Some(bytes)) if bytes == layout::layout_file() => {}
            Ok(Some(_)) => return Err("oci-layout is not that of a version that is read".to_owned().into()),
            Ok(None) => return Err("oci-layout is missing".to_owned().into()),
            Err(error) => return Err(unreadable(layout::LAYOUT_FILE, &error)),
        }
        let index_bytes = blob(release, &top, MANIFEST_BYTES)?;
        let images = images(&index_bytes)?;
        let mut parts = Vec::with_capacity(images.len());
        for (platform, image) in images {
            parts.push(Part::new(release, platform, image)?);
        }
        let names = [layout::LAYOUT_FILE.to_owned(), layout::INDEX_FILE.to_owned(), layout::blob_path(top.digest)];
        let mut joined = Self { index: top, index_bytes, name, parts, joining: Vec::new(), names: names.into() };
        let places: BTreeMap<Digest, usize> =
            joined.parts.iter().enumerate().map(|(place, part)| (part.image.digest, place)).collect();
        for descriptor in &referrers {
            joined.refer(release, descriptor, &places)?;
        }
        for part in &mut joined.parts {
            part.index = layout::index_file(&part.image, &joined.name, &part.referrers).bytes;
            joined.names.extend(part.names.iter().cloned());
        }
        Ok(joined)
    }

    /// Something about the index, or about an image that it names.
    fn refer(
        &mut self,
        release: &dyn ReleaseFiles,
        descriptor: &Descriptor,
        places: &BTreeMap<Digest, usize>,
    ) -> Result<(), JoinedFault> {
        let digest = descriptor.digest;
        let bytes = blob(release, descriptor, MANIFEST_BYTES)?;
        let manifest = Manifest::parse(&bytes, media::MANIFEST).map_err(|error| format!("{digest}: {error}"))?;
        let subject = manifest.subject.clone().ok_or_else(|| format!("{digest} is about nothing"))?;
        if let Some(place) = places.get(&subject.digest) {
            self.parts[*place].add(descriptor, &manifest);
            return Ok(());
        }
        if subject != self.index {
            return Err(format!("{digest} is about {}, which the index does not name", subject.digest).into());
        }
        if descriptor.artifact_type != manifest.artifact_type || descriptor.annotations != manifest.annotations {
            let fault = format!("{digest} is listed with another artifact type or other annotations than it has");
            return Err(fault.into());
        }
        let is_document = manifest.artifact_type.as_deref() == Some(media::BUNDLE);
        match &manifest.layers[..] {
            [layer]
                if is_document
                    && layer.media_type == media::BUNDLE
                    && manifest.config.bare() == Descriptor::empty() =>
            {
                let name = layout::blob_path(layer.digest);
                let again = self.joining.iter().any(|known| known.digest == layer.digest);
                self.names.extend([layout::blob_path(digest), layout::blob_path(manifest.config.digest), name]);
                // Whoever attaches a document once more has said nothing more.
                if !again {
                    self.joining.push(layer.bare());
                }
                let total = self.joining.iter().fold(0, |total: u64, known| total.saturating_add(known.size));
                match total > JOINING_BYTES {
                    true => Err(format!("the documents about the index have more than {JOINING_BYTES} bytes").into()),
                    false => Ok(()),
                }
            }
            _ => Err(format!("{digest} is about the index and is no signed document").into()),
        }
    }

    /// The bytes of one of [`JoinedFiles::joining`].
    ///
    /// # Errors
    /// It is not there, too large, or not what it is named for.
    pub fn document(release: &dyn ReleaseFiles, layer: &Descriptor) -> Result<Vec<u8>, JoinedFault> {
        blob(release, layer, DOCUMENT_BYTES)
    }

    /// Whether this file belongs to the release.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The part for this platform.
    #[must_use]
    pub fn part(&self, platform: &Platform) -> Option<&Part> {
        self.parts.iter().find(|part| part.platform == *platform)
    }

    /// Docker's list as an archive of this release has it: each image under a name of its own.
    #[must_use]
    pub fn docker_file(&self) -> Vec<u8> {
        let image = |part: &Part| {
            let tag = layout::docker_tag(&self.name, &part.platform);
            DockerImage { repo_tags: Some(vec![tag]), ..part.docker.clone() }
        };
        layout::docker_file_of(&self.parts.iter().map(image).collect::<Vec<_>>())
    }
}

/// What an index of one image for several platforms names.
fn images(bytes: &[u8]) -> Result<Vec<(Platform, Descriptor)>, String> {
    let index = Index::parse(bytes, media::INDEX).map_err(|error| error.to_string())?;
    let images = index.manifests;
    let most = JoinedFiles::MOST_PARTS;
    if images.is_empty() || images.len() > most {
        return Err(format!("the index names {} images; from 1 to {most} are read", images.len()));
    }
    if let Some(nested) = images.iter().find(|image| image.media_type == media::INDEX) {
        return Err(format!("the index names {}, which is an index itself", nested.digest));
    }
    if let Some(other) = images.iter().find(|image| image.media_type != media::MANIFEST) {
        return Err(format!("the index names {}, which is no image manifest", other.digest));
    }
    let again = image_index(&images, &index.annotations).map_err(|error| error.to_string())?;
    if again.bytes != bytes {
        return Err("the index is not canonical: sorted by platform, and nothing beside it".to_owned());
    }
    let mut seen = BTreeSet::new();
    let mut of_platforms = Vec::with_capacity(images.len());
    for image in images {
        if !seen.insert(image.digest) {
            return Err(format!("the index names {} for two platforms", image.digest));
        }
        let platform = image.platform.clone().ok_or_else(|| format!("{} is for no platform", image.digest))?;
        of_platforms.push((platform, image));
    }
    Ok(of_platforms)
}

/// One platform of a release: its image and what is about it.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is for, as the index says.
    pub platform: Platform,
    /// As the index names it.
    pub image: Descriptor,
    /// What is about the image.
    pub referrers: Vec<Descriptor>,
    docker: DockerImage,
    /// Every file that belongs to it.
    names: BTreeSet<String>,
    /// The `index.json` of a release of this part alone.
    index: Vec<u8>,
}

impl Part {
    fn new(release: &dyn ReleaseFiles, platform: Platform, image: Descriptor) -> Result<Self, JoinedFault> {
        let bytes = blob(release, &image, MANIFEST_BYTES)?;
        let manifest =
            Manifest::parse(&bytes, media::MANIFEST).map_err(|error| format!("{}: {error}", image.digest))?;
        let docker = DockerImage::new(&manifest.config, &manifest.layers, &[]);
        let mut part =
            Self { platform, docker, referrers: Vec::new(), names: BTreeSet::new(), index: Vec::new(), image };
        let image = part.image.clone();
        part.name(&image, &manifest);
        Ok(part)
    }

    fn add(&mut self, referrer: &Descriptor, manifest: &Manifest) {
        self.name(referrer, manifest);
        self.referrers.push(referrer.clone());
    }

    fn name(&mut self, descriptor: &Descriptor, manifest: &Manifest) {
        let blobs = [descriptor, &manifest.config].into_iter().chain(&manifest.layers);
        self.names.extend(blobs.map(|blob| layout::blob_path(blob.digest)));
    }

    /// The part as a release of its own, out of the files of the whole.
    #[must_use]
    pub fn of<F: ReleaseFiles>(&self, whole: F) -> PartFiles<F> {
        PartFiles { whole, index: self.index.clone(), names: self.names.clone() }
    }
}

/// The files of one part, as a release that stands alone has them.
#[derive(Debug)]
pub struct PartFiles<F> {
    whole: F,
    index: Vec<u8>,
    names: BTreeSet<String>,
}

impl<F> PartFiles<F> {
    fn has(&self, name: &str) -> bool {
        name == layout::LAYOUT_FILE || self.names.contains(name)
    }
}

impl<F: ReleaseFiles> ReleaseFiles for PartFiles<F> {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match name {
            layout::INDEX_FILE if self.index.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            layout::INDEX_FILE => Ok(Some(self.index.clone())),
            name if self.has(name) => self.whole.read(name, limit),
            _ => Ok(None),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        match name {
            layout::INDEX_FILE => Ok(Some(Box::new(&self.index[..]))),
            name if self.has(name) => self.whole.open(name),
            _ => Ok(None),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = self.whole.names()?;
        names.retain(|name| name == layout::INDEX_FILE || self.has(name));
        Ok(names)
    }
}

fn blob(release: &dyn ReleaseFiles, descriptor: &Descriptor, limit_bytes: u64) -> Result<Vec<u8>, JoinedFault> {
    let name = layout::blob_path(descriptor.digest);
    if descriptor.size > limit_bytes {
        return Err(format!("{name} has more than {limit_bytes} bytes").into());
    }
    let bytes = release.read(&name, descriptor.size).map_err(|error| unreadable(&name, &error))?;
    let bytes = bytes.ok_or_else(|| format!("{name} is missing"))?;
    if bytes.len() as u64 != descriptor.size || Digest::of(&bytes) != descriptor.digest {
        return Err(format!("{name} is not what it is named for").into());
    }
    Ok(bytes)
}

/// A file that is longer than was said is another one; any other failure says nothing of what is there.
fn unreadable(name: &str, error: &io::Error) -> JoinedFault {
    match error.kind() {
        io::ErrorKind::FileTooLarge => JoinedFault::Refused(format!("{name} is longer than its descriptor says")),
        _ => JoinedFault::Unreadable(format!("{name} cannot be read: {error}")),
    }
}
