//! A capsule of several releases as one file or folder: read with care, and each release of it seen as a release.
//!
//! docs/capsule/v1.md. `index.json` lists the `index.json` of each release as a blob, so that blobs are shared and
//! nothing of a release is changed by standing beside another.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selfsame_build::capsule::{Class, Held, Kind};
use selfsame_core::{Digest, media};
use selfsame_oci::{Descriptor, Index, Manifest, layout};
use selfsame_verify::ReleaseFiles;

use crate::report::{Answer, Exit, Report};

/// The annotation of a part that says whose it is.
pub(crate) const CLASS: &str = "dev.selfsame.class";
/// The annotation of a part that says under which licence it may be had, where that is known.
pub(crate) const LICENSE: &str = "dev.selfsame.license";
/// The largest manifest or index that is read.
const DOCUMENT_BYTES: u64 = 16 << 20;
/// The most releases of one capsule.
const RELEASES: usize = 1024;
/// The most blobs that all releases of a capsule name together, each as often as it is named.
const NAMED: usize = 4_000_000;
/// The most bytes of manifests and indexes that are read of one capsule or release.
const ALL_DOCUMENTS_BYTES: u64 = 1 << 30;

/// A release as a layout has it: what its index lists, and what that names.
pub(crate) struct Listed {
    /// `name:version`.
    pub(crate) reference: String,
    /// The bytes of its `index.json`.
    pub(crate) index: Vec<u8>,
    /// The image, or the index of images.
    pub(crate) image: Descriptor,
    /// What refers to the image, capsules left out.
    pub(crate) referrers: Vec<Descriptor>,
    /// The manifests of its capsules.
    pub(crate) capsules: BTreeSet<Digest>,
    /// The inputs that it carries.
    pub(crate) parts: Vec<Descriptor>,
    /// Every blob that it names, the index itself left out.
    pub(crate) held: BTreeMap<Digest, Held>,
}

/// A folder or a tar.
pub(crate) type AnyFiles = dyn ReleaseFiles + Send;

/// What is wrong with a layout: the rest of a sentence.
type Fault = String;

impl Listed {
    /// Reads a release from its `index.json`, and the manifests that it lists from `files`.
    pub(crate) fn read(index: Vec<u8>, files: &dyn ReleaseFiles) -> Result<Self, Fault> {
        Self::from_documents(index, &Documents::of(files))
    }

    fn from_documents(index: Vec<u8>, files: &Documents<'_>) -> Result<Self, Fault> {
        let parsed = Index::parse(&index, media::INDEX).map_err(|error| format!("its index: {error}"))?;
        let mut manifests = parsed.manifests.into_iter();
        let mut image = manifests.next().ok_or("its index lists nothing")?;
        let reference = image.annotations.remove(layout::REF_NAME);
        let reference = reference.ok_or_else(|| format!("its index gives the image no `{}`", layout::REF_NAME))?;
        let mut listed = Self {
            reference,
            index,
            image: image.clone(),
            referrers: Vec::new(),
            capsules: BTreeSet::new(),
            parts: Vec::new(),
            held: BTreeMap::new(),
        };
        match image.media_type.as_str() {
            media::MANIFEST => listed.add_image(&image, files)?,
            media::INDEX => {
                listed.hold(&image, Kind::Image)?;
                let images = Index::parse(&files.document(&image)?, media::INDEX)
                    .map_err(|error| format!("{}: {error}", image.digest))?;
                for one in &images.manifests {
                    if one.media_type != media::MANIFEST {
                        return Err(format!("the index {} lists {}, which is not an image", image.digest, one.digest));
                    }
                    listed.add_image(one, files)?;
                }
            }
            _ => return Err(format!("{} is neither an image nor an index of images", image.digest)),
        }
        for referrer in manifests {
            if listed.held.contains_key(&referrer.digest) {
                return Err(format!("its index lists {} twice", referrer.digest));
            }
            listed.add_referrer(referrer, files)?;
        }
        Ok(listed)
    }

    fn add_image(&mut self, image: &Descriptor, files: &Documents<'_>) -> Result<(), Fault> {
        self.hold(image, Kind::Image)?;
        let manifest = files.manifest(image)?;
        self.hold(&manifest.config, Kind::Image)?;
        manifest.layers.iter().try_for_each(|layer| self.hold(layer, Kind::Image))
    }

    fn add_referrer(&mut self, referrer: Descriptor, files: &Documents<'_>) -> Result<(), Fault> {
        if referrer.media_type != media::MANIFEST {
            return Err(format!("its index lists {}, which is not a manifest", referrer.digest));
        }
        self.hold(&referrer, Kind::Evidence)?;
        let manifest = files.manifest(&referrer)?;
        self.hold(&manifest.config, Kind::Evidence)?;
        if referrer.artifact_type.as_deref() != Some(media::CAPSULE) {
            for layer in &manifest.layers {
                self.hold(layer, Kind::Evidence)?;
            }
            self.referrers.push(referrer);
            return Ok(());
        }
        self.capsules.insert(referrer.digest);
        for part in manifest.layers {
            let class = part.annotations.get(CLASS).and_then(|class| class.parse().ok());
            self.hold(&part, Kind::Input(class.unwrap_or(Class::Private)))?;
            self.parts.push(part);
        }
        Ok(())
    }

    fn hold(&mut self, blob: &Descriptor, kind: Kind) -> Result<(), Fault> {
        let held = self.held.entry(blob.digest).or_insert(Held { size: blob.size, kind });
        if held.size != blob.size {
            return Err(format!("{} is named with {} and with {} bytes", blob.digest, held.size, blob.size));
        }
        Ok(())
    }

    /// The names of its files, as a folder of this release alone has them.
    pub(crate) fn names(&self) -> Vec<String> {
        let own = [layout::INDEX_FILE, layout::LAYOUT_FILE].map(str::to_owned);
        own.into_iter().chain(self.held.keys().map(|digest| layout::blob_path(*digest))).collect()
    }
}

/// Manifests and indexes, as many bytes of them as are read.
struct Documents<'a> {
    files: &'a dyn ReleaseFiles,
    left: Cell<u64>,
}

impl<'a> Documents<'a> {
    fn of(files: &'a dyn ReleaseFiles) -> Self {
        Self { files, left: Cell::new(ALL_DOCUMENTS_BYTES) }
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, Fault> {
        let bytes = self.document(descriptor)?;
        Manifest::parse(&bytes, media::MANIFEST).map_err(|error| format!("{}: {error}", descriptor.digest))
    }

    /// A document by its descriptor: that size and that digest.
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Fault> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > DOCUMENT_BYTES {
            return Err(format!("{digest} has {size} bytes; documents of at most {DOCUMENT_BYTES} are read"));
        }
        let left = self.left.get().checked_sub(*size);
        self.left.set(left.ok_or_else(|| format!("it has more than {ALL_DOCUMENTS_BYTES} bytes of manifests"))?);
        let bytes = self.files.read(&layout::blob_path(*digest), DOCUMENT_BYTES);
        let bytes =
            bytes.map_err(|error| format!("{digest}: {error}"))?.ok_or_else(|| format!("{digest} is missing"))?;
        if bytes.len() as u64 != *size || Digest::of(&bytes) != *digest {
            return Err(format!("{digest} is not what it is named for"));
        }
        Ok(bytes)
    }
}

/// A capsule.
pub(crate) struct CapsuleFile {
    files: Arc<AnyFiles>,
    /// By reference and digest.
    pub(crate) releases: Vec<Arc<Listed>>,
    /// What belongs to no release: the list of what is absent, the program; and what names releases.
    pub(crate) others: BTreeMap<Digest, Held>,
    /// The list of what it was written without.
    pub(crate) absent: Option<Descriptor>,
    /// The program of selfsame.
    pub(crate) tool: Option<Descriptor>,
}

impl CapsuleFile {
    /// Whether an `index.json` is a capsule's. One that cannot be read is nobody's.
    fn is_one(files: &dyn ReleaseFiles) -> bool {
        let bytes = files.read(layout::INDEX_FILE, DOCUMENT_BYTES).ok().flatten();
        let index = bytes.and_then(|bytes| Index::parse(&bytes, media::INDEX).ok());
        let ours = |listed: &Descriptor| listed.artifact_type.as_deref() == Some(media::RELEASE);
        index.is_some_and(|index| index.manifests.iter().any(ours))
    }

    fn read(files: Arc<AnyFiles>) -> Result<Self, Fault> {
        let own = |name: &str| {
            let bytes = files.read(name, DOCUMENT_BYTES).map_err(|error| format!("{name}: {error}"))?;
            bytes.ok_or_else(|| format!("{name} is missing"))
        };
        if own(layout::LAYOUT_FILE)? != layout::layout_file() {
            return Err("oci-layout is not that of a version that is read".to_owned());
        }
        let bytes = own(layout::INDEX_FILE)?;
        let index = Index::parse(&bytes, media::INDEX).map_err(|error| format!("index.json: {error}"))?;
        // No digest covers it: what it says beyond what is read is nobody's word.
        if selfsame_oci::index(&index.manifests, &BTreeMap::new()).bytes != bytes {
            return Err("index.json holds more than what it lists, or is not canonical".to_owned());
        }
        let documents = Documents::of(files.as_ref());
        let mut capsule =
            Self { files: files.clone(), releases: Vec::new(), others: BTreeMap::new(), absent: None, tool: None };
        let mut last: Option<(String, Digest)> = None;
        let mut named = 0;
        for listed in &index.manifests {
            let kind = listed.artifact_type.as_deref().unwrap_or_default();
            capsule.others.insert(listed.digest, Held { size: listed.size, kind: Kind::Other });
            match (kind, listed.media_type.as_str()) {
                (media::RELEASE, media::INDEX) => {
                    let release =
                        documents.document(listed).and_then(|index| Listed::from_documents(index, &documents));
                    let release = release.map_err(|fault| format!("release {}: {fault}", listed.digest))?;
                    if listed.annotations.get(layout::REF_NAME) != Some(&release.reference) {
                        return Err(format!("index.json files release {} under another name", listed.digest));
                    }
                    let place = Some((release.reference.clone(), listed.digest));
                    if last >= place {
                        return Err(format!("index.json lists release {} twice or out of order", listed.digest));
                    }
                    last = place;
                    named += release.held.len();
                    if capsule.releases.len() >= RELEASES || named > NAMED {
                        return Err(format!("at most {RELEASES} releases that name {NAMED} blobs are read"));
                    }
                    capsule.releases.push(Arc::new(release));
                }
                (media::ABSENT, media::MANIFEST) if capsule.absent.is_none() => {
                    capsule.absent = Some(capsule.single(listed, media::ABSENT, &documents)?);
                }
                (media::TOOL, media::MANIFEST) if capsule.tool.is_none() => {
                    capsule.tool = Some(capsule.single(listed, media::TOOL, &documents)?);
                }
                _ => return Err(format!("index.json lists {}, which is nothing that a capsule has", listed.digest)),
            }
        }
        capsule.nothing_extra()?;
        Ok(capsule)
    }

    /// The one blob of an artifact that belongs to no release.
    fn single(&mut self, listed: &Descriptor, kind: &str, documents: &Documents<'_>) -> Result<Descriptor, Fault> {
        let manifest = documents.manifest(listed)?;
        let [layer] = &manifest.layers[..] else {
            return Err(format!("{} holds {} files; one is wanted", listed.digest, manifest.layers.len()));
        };
        if layer.media_type != kind || manifest.config.bare() != Descriptor::empty() {
            return Err(format!("{} is not what index.json says that it is", listed.digest));
        }
        for blob in [layer, &manifest.config] {
            self.others.insert(blob.digest, Held { size: blob.size, kind: Kind::Other });
        }
        Ok(layer.clone())
    }

    /// Every file is named by something, and what is named is there.
    fn nothing_extra(&self) -> Result<(), Fault> {
        let names = self.files.names().map_err(|error| format!("its files cannot be listed: {error}"))?;
        if self.files.read(layout::DOCKER_FILE, 0).is_ok_and(|file| file.is_none()) {
            let mut extra: BTreeSet<String> = names.into_iter().collect();
            for name in [layout::INDEX_FILE, layout::LAYOUT_FILE] {
                extra.remove(name);
            }
            let all = self.releases.iter().flat_map(|release| release.held.keys()).chain(self.others.keys());
            let wanted: BTreeSet<&Digest> = all.collect();
            for digest in wanted {
                if !extra.remove(&layout::blob_path(*digest)) {
                    return Err(format!("{digest} is missing"));
                }
            }
            return match extra.first() {
                Some(name) => Err(format!("nothing names its file `{}`", name.escape_debug())),
                None => Ok(()),
            };
        }
        Err(format!("nothing names its file `{}`", layout::DOCKER_FILE))
    }

    /// A blob of it, as it lies there.
    pub(crate) fn open(&self, digest: Digest) -> io::Result<Box<dyn Read + Send + '_>> {
        let reader = self.files.open(&layout::blob_path(digest))?;
        reader.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{digest} is missing")))
    }

    /// One of its releases, as if it stood alone.
    pub(crate) fn view(&self, release: &Arc<Listed>) -> View {
        View { files: self.files.clone(), release: release.clone() }
    }
}

/// One release of a capsule.
pub(crate) struct View {
    files: Arc<AnyFiles>,
    release: Arc<Listed>,
}

impl View {
    fn has(&self, name: &str) -> bool {
        let hex = name.strip_prefix(layout::BLOBS).and_then(|rest| rest.strip_prefix('/'));
        let digest = hex.and_then(|hex| Digest::from_hex(hex).ok());
        name == layout::LAYOUT_FILE || digest.is_some_and(|digest| self.release.held.contains_key(&digest))
    }
}

impl ReleaseFiles for View {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if name == layout::INDEX_FILE {
            let fits = self.release.index.len() as u64 <= limit;
            return if fits { Ok(Some(self.release.index.clone())) } else { Err(io::ErrorKind::FileTooLarge.into()) };
        }
        if self.has(name) { self.files.read(name, limit) } else { Ok(None) }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        if name == layout::INDEX_FILE {
            return Ok(Some(Box::new(self.release.index.as_slice())));
        }
        if self.has(name) { self.files.open(name) } else { Ok(None) }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.release.names())
    }
}

/// What a path leads to.
pub(crate) enum Found {
    /// A capsule; and which of its releases is asked for, if one is.
    Capsule(Box<CapsuleFile>, Option<Arc<Listed>>),
    /// Something else: a release, perhaps.
    Other(Box<AnyFiles>),
}

/// Opens a capsule or a release: a path, or `CAPSULE#NAME:VERSION`.
pub(crate) fn open(path: &Path) -> Answer<Found> {
    let (file, wanted) = selected(path);
    let files = crate::files::open_layout(&file)?;
    if !CapsuleFile::is_one(files.as_ref()) {
        return match wanted {
            None => Ok(Found::Other(files)),
            Some(_) => Err(no_capsule(&file, "it lists no release").into()),
        };
    }
    let capsule = CapsuleFile::read(Arc::from(files)).map_err(|fault| no_capsule(&file, &fault))?;
    let capsule = Box::new(capsule);
    let Some(wanted) = wanted else { return Ok(Found::Capsule(capsule, None)) };
    let named = |release: &&Arc<Listed>| release.reference == wanted || release.image.digest.to_string() == wanted;
    let found: Vec<Arc<Listed>> = capsule.releases.iter().filter(named).cloned().collect();
    match &found[..] {
        [release] => Ok(Found::Capsule(capsule, Some(release.clone()))),
        [] => Err(listing(&capsule, &file, format!("capsule `{}` has no release `{wanted}`", file.display())).into()),
        _ => {
            let headline = format!("capsule `{}` has {} releases `{wanted}`", file.display(), found.len());
            Err(listing(&capsule, &file, headline).into())
        }
    }
}

/// The files of the one release that a path leads to.
pub(crate) fn open_release(path: &Path) -> Answer<Box<dyn ReleaseFiles>> {
    match open(path)? {
        Found::Other(files) => Ok(files),
        Found::Capsule(capsule, Some(release)) => Ok(Box::new(capsule.view(&release))),
        Found::Capsule(capsule, None) => match &capsule.releases[..] {
            [release] => Ok(Box::new(capsule.view(release))),
            several => {
                let headline =
                    format!("`{}` is a capsule of {} releases; one is wanted", path.display(), several.len());
                Err(listing(&capsule, path, headline).into())
            }
        },
    }
}

/// `CAPSULE#NAME:VERSION`, where no file has that name.
fn selected(path: &Path) -> (PathBuf, Option<String>) {
    let split = path.to_str().and_then(|text| text.rsplit_once('#')).filter(|_| path.symlink_metadata().is_err());
    match split {
        Some((file, wanted)) => (PathBuf::from(file), Some(wanted.to_owned())),
        None => (path.to_owned(), None),
    }
}

fn no_capsule(file: &Path, fault: &str) -> Report {
    Report::new(Exit::Unanswered, format!("`{}` is not a capsule that can be read: {fault}", file.display()))
}

fn listing(capsule: &CapsuleFile, file: &Path, headline: String) -> Report {
    let mut report = Report::new(Exit::Unanswered, headline);
    for release in capsule.releases.iter().take(20) {
        report = report.fact(&release.reference, release.image.digest);
    }
    let first = capsule.releases.first().map_or("NAME:VERSION", |release| release.reference.as_str());
    let path = PathBuf::from(format!("{}#{first}", file.display()));
    report.hint(format!("name one of them: {}", crate::commands::errors::quoted(&path)))
}
