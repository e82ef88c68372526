//! Releases of one image for several platforms that were built apart and joined: docs/release/joined.md.
//!
//! Each part is a release, judged by [`verify`] as if it stood alone. What joins them is an index, a signature over it,
//! and an inventory that lists that signature and the inventory of every part.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use selfsame_attest::{Bundle, Inventory, InventoryDocument, Statement};
use selfsame_core::{Digest, Platform, media, uri};
use selfsame_oci::{Descriptor, Index, Manifest, image_index, layout};

use crate::checks::verify;
use crate::files::ReleaseFiles;
use crate::options::{Depth, Options};
use crate::trust::Trust;
use crate::verdict::{Class, Verdict};

const MANIFEST_BYTES: u64 = 4 << 20;
const DOCUMENT_BYTES: u64 = 64 << 20;
/// The most platforms that are read.
const MOST_PARTS: usize = 64;
/// The most documents that an index is read with.
const MOST_REFERRERS: usize = 4000;

/// The verdict on a joined release.
#[derive(Clone, Debug)]
pub struct JoinedVerdict {
    /// The digest of the index.
    pub index: Digest,
    /// What the index is filed under.
    pub name: String,
    /// The digest of the joining inventory's payload, once it is known.
    pub release_id: Option<Digest>,
    /// The parts in the order of the index, each with its own verdict.
    pub parts: Vec<(Platform, Verdict)>,
    /// What does not hold of that which joins them, in the order in which it was found.
    pub faults: Vec<String>,
}

impl JoinedVerdict {
    /// Verified if every part is and nothing is wrong with what joins them.
    #[must_use]
    pub fn class(&self) -> Class {
        let is = |class: Class| self.parts.iter().any(|(_, verdict)| verdict.class == class);
        match () {
            () if is(Class::NotVerified) || !self.faults.is_empty() => Class::NotVerified,
            () if is(Class::Unanswered) || self.release_id.is_none() => Class::Unanswered,
            () => Class::Verified,
        }
    }
}

/// Judges a release whose first descriptor is an index; nothing where it is another, which [`verify`] judges.
///
/// Expectations are those of each part.
#[must_use]
pub fn verify_joined(release: &dyn ReleaseFiles, trust: &Trust, options: &Options) -> Option<JoinedVerdict> {
    let bytes = release.read(layout::INDEX_FILE, MANIFEST_BYTES).ok()??;
    let index = Index::parse(&bytes, media::INDEX).ok()?;
    let mut manifests = index.manifests.into_iter();
    let mut top = manifests.next().filter(|top| top.media_type == media::INDEX)?;
    let name = top.annotations.remove(layout::REF_NAME).unwrap_or_default();
    let mut verdict =
        JoinedVerdict { index: top.digest, name, release_id: None, parts: Vec::new(), faults: Vec::new() };
    let referrers: Vec<Descriptor> = manifests.collect();
    let canonical = layout::index_file(&top, &verdict.name, &referrers).bytes == bytes;
    if !canonical || top != top.bare() || referrers.len() > MOST_REFERRERS {
        verdict.faults.push("index.json holds more than the index, its name and its referrers".to_owned());
        return Some(verdict);
    }
    if let Err(fault) = judge(release, trust, options, &top, &referrers, &mut verdict) {
        verdict.faults.push(fault);
    }
    Some(verdict)
}

fn judge(
    release: &dyn ReleaseFiles,
    trust: &Trust,
    options: &Options,
    top: &Descriptor,
    referrers: &[Descriptor],
    verdict: &mut JoinedVerdict,
) -> Result<(), String> {
    let bytes = blob(release, top, MANIFEST_BYTES)?;
    let index = Index::parse(&bytes, media::INDEX).map_err(|error| error.to_string())?;
    let images = index.manifests;
    if images.is_empty() || images.len() > MOST_PARTS {
        return Err(format!("the index names {} images; from 1 to {MOST_PARTS} are read", images.len()));
    }
    let again = image_index(&images, &index.annotations).map_err(|error| error.to_string())?;
    if again.bytes != bytes || images.iter().any(|image| image.media_type != media::MANIFEST) {
        return Err("the index holds more than one image for each platform, or is not canonical".to_owned());
    }
    let mut parts: BTreeMap<Digest, Part<'_>> = BTreeMap::new();
    for image in &images {
        let part = Part::new(release, image)?;
        if parts.insert(image.digest, part).is_some() {
            return Err(format!("the index names {} for two platforms", image.digest));
        }
    }
    let mut wanted: BTreeSet<String> =
        [layout::LAYOUT_FILE.to_owned(), layout::INDEX_FILE.to_owned(), layout::blob_path(top.digest)].into();
    let mut joining = Vec::new();
    for descriptor in referrers {
        let bytes = blob(release, descriptor, MANIFEST_BYTES)?;
        let manifest = Manifest::parse(&bytes, media::MANIFEST).map_err(|error| error.to_string())?;
        let subject = manifest.subject.clone().ok_or_else(|| format!("{} is about nothing", descriptor.digest))?;
        if let Some(part) = parts.get_mut(&subject.digest) {
            part.add(descriptor, &manifest);
            continue;
        }
        let listed =
            descriptor.artifact_type == manifest.artifact_type && descriptor.annotations == manifest.annotations;
        let [layer] = &manifest.layers[..] else { return Err(format!("{} is no signed document", descriptor.digest)) };
        let is_document = manifest.artifact_type.as_deref() == Some(media::BUNDLE) && layer.media_type == media::BUNDLE;
        if subject != *top || !listed || !is_document || manifest.config.bare() != Descriptor::empty() {
            return Err(format!("{} is about nothing of this release, or no signed document", descriptor.digest));
        }
        joining.push(blob(release, layer, DOCUMENT_BYTES)?);
        for descriptor in [descriptor, &manifest.config, layer] {
            wanted.insert(layout::blob_path(descriptor.digest));
        }
    }
    let mut inventories = BTreeSet::new();
    for image in &images {
        let part = &parts[&image.digest];
        let view = part.view(release, &verdict.name);
        wanted.extend(part.names.iter().cloned());
        let judged = verify(&view, trust, options);
        inventories.extend(judged.evidence.as_ref().map(|evidence| evidence.release_id));
        let platform = image.platform.clone().ok_or("an image of the index is for no platform")?;
        verdict.parts.push((platform, judged));
    }
    if options.depth >= Depth::Blobs {
        let names = release.names().map_err(|error| format!("the files cannot be listed: {error}"))?;
        if let Some(extra) = names.iter().find(|name| !wanted.contains(*name)) {
            return Err(format!("nothing names `{}`", extra.escape_debug()));
        }
    }
    // Without trust nothing is answered, by the parts neither.
    if trust.keys().is_empty() {
        return Ok(());
    }
    verdict.release_id = Some(closed(&joining, trust, top.digest, &inventories)?);
    Ok(())
}

/// What one trusted key says about the index: its signature, and the inventory that lists it and those of the parts.
fn closed(joining: &[Vec<u8>], trust: &Trust, index: Digest, inventories: &BTreeSet<Digest>) -> Result<Digest, String> {
    let mut fault = "no trusted key signed what joins the parts".to_owned();
    for trusted in trust.keys() {
        let by_key = joining.iter().filter_map(|bytes| {
            let bundle = Bundle::parse(bytes).ok()?;
            let statement = bundle.verify(&trusted.key).ok()?;
            statement.is_about(index).then(|| (statement, bundle.payload_digest()))
        });
        let by_key: Vec<(Statement, Digest)> = by_key.collect();
        let of =
            |kind: &str| by_key.iter().filter(|(statement, _)| statement.predicate_type == kind).collect::<Vec<_>>();
        let (signatures, lists) = (of(uri::COSIGN_SIGN), of(uri::INVENTORY));
        match (&signatures[..], &lists[..]) {
            ([], []) => continue,
            ([(_, signature)], [(list, release_id)]) if by_key.len() == 2 => {
                let list: Inventory = list.predicate_as().map_err(|error| error.to_string())?;
                let named = |kind: &str, sha256: Digest| InventoryDocument { predicate_type: kind.to_owned(), sha256 };
                let mut present: BTreeSet<_> =
                    inventories.iter().map(|inventory| named(uri::INVENTORY, *inventory)).collect();
                present.insert(named(uri::COSIGN_SIGN, *signature));
                let count = list.documents.len();
                let listed: BTreeSet<_> = list.documents.into_iter().collect();
                if listed.len() == count && listed == present {
                    return Ok(*release_id);
                }
                fault = "the joining inventory does not list exactly the inventories of the parts".to_owned();
            }
            _ => fault = "one signature and one inventory join the parts, and there are others".to_owned(),
        }
    }
    Err(fault)
}

/// One image and what is about it.
struct Part<'a> {
    image: &'a Descriptor,
    referrers: Vec<Descriptor>,
    /// Every file that belongs to it.
    names: BTreeSet<String>,
}

impl<'a> Part<'a> {
    fn new(release: &dyn ReleaseFiles, image: &'a Descriptor) -> Result<Self, String> {
        let bytes = blob(release, image, MANIFEST_BYTES)?;
        let manifest = Manifest::parse(&bytes, media::MANIFEST).map_err(|error| error.to_string())?;
        let mut part = Self { image, referrers: Vec::new(), names: BTreeSet::new() };
        part.name(image, &manifest);
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

    /// The part as a release of its own.
    fn view<'r>(&self, release: &'r dyn ReleaseFiles, name: &str) -> View<'r> {
        let index = layout::index_file(self.image, name, &self.referrers).bytes;
        View { release, index, names: self.names.clone() }
    }
}

struct View<'r> {
    release: &'r dyn ReleaseFiles,
    index: Vec<u8>,
    names: BTreeSet<String>,
}

impl View<'_> {
    fn has(&self, name: &str) -> bool {
        name == layout::LAYOUT_FILE || self.names.contains(name)
    }
}

impl ReleaseFiles for View<'_> {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match name {
            layout::INDEX_FILE if self.index.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            layout::INDEX_FILE => Ok(Some(self.index.clone())),
            name if self.has(name) => self.release.read(name, limit),
            _ => Ok(None),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        match name {
            layout::INDEX_FILE => Ok(Some(Box::new(&self.index[..]))),
            name if self.has(name) => self.release.open(name),
            _ => Ok(None),
        }
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = self.release.names()?;
        names.retain(|name| name == layout::INDEX_FILE || self.has(name));
        Ok(names)
    }
}

fn blob(release: &dyn ReleaseFiles, descriptor: &Descriptor, limit_bytes: u64) -> Result<Vec<u8>, String> {
    let name = layout::blob_path(descriptor.digest);
    if descriptor.size > limit_bytes {
        return Err(format!("{name} has more than {limit_bytes} bytes"));
    }
    let bytes = release.read(&name, descriptor.size).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let bytes = bytes.ok_or_else(|| format!("{name} is missing"))?;
    if bytes.len() as u64 != descriptor.size || Digest::of(&bytes) != descriptor.digest {
        return Err(format!("{name} is not what it is named for"));
    }
    Ok(bytes)
}
