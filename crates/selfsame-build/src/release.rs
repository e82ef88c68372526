//! The release folder: an OCI image layout with image, evidence and capsule, put in place by one rename.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use selfsame_core::{Digest, Platform, SourceEpoch, media};
use selfsame_oci::layout::{self, CREATED, DockerImage};
use selfsame_oci::{Contents, Descriptor, Document, referrer_manifest, write_archive as layout_archive};
use selfsame_store::Store;

use crate::build::Built;
use crate::error::BuildError;
use crate::evidence::Evidence;
use crate::layer::StoreContents;
use crate::record::Image;
use crate::request::Request;
use crate::subject::Subject;

/// The signed run record's name in a release folder. Outside of the compared set.
pub const RUN_RECORD: &str = "run-record.sigstore.json";

/// The annotation with which cosign v3 marks what kind of bundle a referrer holds.
const BUNDLE_CONTENT: &str = "dev.sigstore.bundle.content";
/// The annotation with which cosign v3 finds a predicate without fetching the bundle.
const BUNDLE_PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// The files of a release by their name below its folder.
#[derive(Clone, Debug)]
pub struct ReleaseFiles {
    /// Name to content.
    pub files: BTreeMap<String, Content>,
    /// `name:version`, as index.json names the image.
    pub reference: String,
    /// The image.
    pub image: Descriptor,
}

/// Where a file's bytes are.
#[derive(Clone, Debug)]
pub enum Content {
    /// Here.
    Bytes(Vec<u8>),
    /// In the store.
    Blob(Digest, u64),
}

impl Content {
    /// In bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(_, size) => *size,
        }
    }
}

/// Documents about one manifest of a release.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What they are about.
    pub subject: &'a Descriptor,
    /// The signed ones.
    pub evidence: &'a Evidence,
    /// The inputs, where they are its own.
    pub capsule: Option<&'a [Descriptor]>,
}

/// Lays a release out. The image's descriptor comes first, then a referrer for each bundle, then the capsule.
#[must_use]
pub fn lay_out(built: &Built, evidence: &Evidence, capsule: &[Descriptor]) -> ReleaseFiles {
    let image = &built.record.image;
    let about = About { subject: &image.manifest, evidence, capsule: Some(capsule) };
    lay_out_subject(&Subject::one(image), &built.record.request, &[about])
}

/// The same for a subject that may be an index: it comes first, with the images that it names; then what is about each,
/// in the order given.
#[must_use]
pub fn lay_out_subject(subject: &Subject, request: &Request, documents: &[About<'_>]) -> ReleaseFiles {
    let top = &subject.descriptor;
    let mut files = BTreeMap::new();
    let created = BTreeMap::from([(CREATED.to_owned(), request.epoch.rfc3339())]);
    let blob = |files: &mut BTreeMap<String, Content>, descriptor: &Descriptor| {
        files.insert(layout::blob_path(descriptor.digest), Content::Blob(descriptor.digest, descriptor.size));
    };
    for image in &subject.images {
        blob(&mut files, &image.manifest);
        blob(&mut files, &image.config);
        for layer in &image.layers {
            blob(&mut files, &layer.descriptor);
        }
    }
    let bytes = |files: &mut BTreeMap<String, Content>, document: Document| {
        files.insert(layout::blob_path(document.descriptor.digest), Content::Bytes(document.bytes));
        document.descriptor
    };
    if let Some(index) = &subject.index {
        bytes(&mut files, index.clone());
    }
    let mut referrers = Vec::new();
    for About { subject, evidence, capsule } in documents {
        for signed in &evidence.bundles {
            let mut annotations = created.clone();
            annotations.insert(BUNDLE_CONTENT.to_owned(), "dsse-envelope".to_owned());
            annotations.insert(BUNDLE_PREDICATE.to_owned(), signed.predicate_type.clone());
            let layer = Descriptor::of(media::BUNDLE, &signed.bundle);
            files.insert(layout::blob_path(layer.digest), Content::Bytes(signed.bundle.clone()));
            referrers.push(bytes(&mut files, referrer_manifest(subject, media::BUNDLE, &[layer], &annotations)));
        }
        let Some(capsule) = capsule else { continue };
        for descriptor in *capsule {
            blob(&mut files, descriptor);
        }
        referrers.push(bytes(&mut files, referrer_manifest(subject, media::CAPSULE, capsule, &created)));
    }
    files.insert(layout::blob_path(Descriptor::empty().digest), Content::Bytes(Descriptor::EMPTY_BYTES.to_vec()));

    let reference = format!("{}:{}", request.name, request.version);
    let index = layout::index_file(top, &reference, &referrers);
    files.insert(layout::INDEX_FILE.to_owned(), Content::Bytes(index.bytes));
    files.insert(layout::LAYOUT_FILE.to_owned(), Content::Bytes(layout::layout_file()));
    ReleaseFiles { files, reference, image: top.clone() }
}

impl ReleaseFiles {
    /// Writes every file below `folder`, which exists and is empty. Blobs are checked on the way out of the store.
    pub fn write(&self, folder: &Path, store: &Store) -> Result<(), BuildError> {
        let failed = |path: &Path, source| BuildError::Io { what: format!("write `{}`", path.display()), source };
        let blobs = folder.join(layout::BLOBS);
        std::fs::create_dir_all(&blobs).map_err(|source| failed(&blobs, source))?;
        for (name, content) in &self.files {
            let path = folder.join(name);
            let written = match content {
                Content::Bytes(bytes) => std::fs::write(&path, bytes),
                Content::Blob(digest, _) => {
                    let mut reader = store.open_blob(digest)?;
                    File::create_new(&path).and_then(|mut file| io::copy(&mut reader, &mut file)).map(drop)
                }
            };
            written.map_err(|source| failed(&path, source))?;
        }
        Ok(())
    }

    /// Writes the release as one tar with Docker's `manifest.json`, for `docker load` and `podman load`.
    ///
    /// That list knows no platforms. Of an index it has every image, each under a name of its own; or only the one
    /// `for_one`, under the release's name.
    pub fn write_archive(
        &self,
        subject: &Subject,
        for_one: Option<&Platform>,
        epoch: SourceEpoch,
        store: &Store,
        out: &mut impl Write,
    ) -> Result<(), BuildError> {
        let is_wanted = |image: &&Image| for_one.is_none() || image.manifest.platform.as_ref() == for_one;
        let docker = subject.images.iter().filter(is_wanted).map(|image| {
            let layers: Vec<Descriptor> = image.layers.iter().map(|layer| layer.descriptor.clone()).collect();
            let tag = match (&subject.index, for_one, &image.manifest.platform) {
                (Some(_), None, Some(platform)) => layout::docker_tag(&self.reference, platform),
                _ => self.reference.clone(),
            };
            DockerImage::new(&image.config, &layers, &[tag])
        });
        let docker = layout::docker_file_of(&docker.collect::<Vec<_>>());
        let mut index: &[u8] = &[];
        let mut contents = ArchiveContents { own: BTreeMap::new(), store: StoreContents(store) };
        let mut blobs = BTreeMap::new();
        for (name, content) in &self.files {
            match content {
                Content::Bytes(bytes) if name == layout::INDEX_FILE => index = bytes,
                Content::Bytes(_) if name == layout::LAYOUT_FILE => {}
                Content::Bytes(bytes) => {
                    let digest = Digest::of(bytes);
                    contents.own.insert(digest, bytes);
                    blobs.insert(digest, bytes.len() as u64);
                }
                Content::Blob(digest, size) => _ = blobs.insert(*digest, *size),
            }
        }
        layout_archive(out, epoch, index, Some(&docker), &blobs, &contents)
            .map(drop)
            .map_err(|fault| BuildError::Layer { fault: fault.to_string() })
    }
}

struct ArchiveContents<'a> {
    own: BTreeMap<Digest, &'a [u8]>,
    store: StoreContents<'a>,
}

impl Contents for ArchiveContents<'_> {
    fn open(&self, digest: &Digest, size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        match self.own.get(digest) {
            Some(bytes) => Ok(Box::new(*bytes)),
            None => self.store.open(digest, size),
        }
    }
}
