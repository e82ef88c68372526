//! An image whose copy lost what refers to it, with the signed documents from elsewhere: tools that copy images leave
//! referrers behind.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use selfsame_core::{Digest, media};
use selfsame_oci::{Descriptor, Index, Manifest, layout};
use selfsame_verify::{ReleaseFiles, Trust};

use crate::network::Network;
use crate::prepare;
use crate::remote::{self, Moving, Release};
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal::{Verbosity, Voice};

/// The largest manifest or index that is read.
const MANIFEST_BYTES: u64 = 4 << 20;
/// The most images of an index.
const MOST_IMAGES: usize = 256;
/// The most manifests that a layout is read with.
const MOST_LISTED: usize = 4096;
/// What tools find an image of a layout by.
const DEPLOYED_BY: [&str; 2] = [layout::REF_NAME, "io.containerd.image.name"];

/// The image `named`, and the evidence about it that is at `from`; the layers only if they are wanted.
///
/// Every byte of the image is that of `named`: the other place says what it should be and lends none.
pub(crate) fn find(
    named: &Path,
    from: &Path,
    layers: bool,
    trust: &Trust,
    settings: &Settings,
) -> Answer<Box<dyn ReleaseFiles>> {
    let evidence = Release::find(from, false, false, Some(trust), settings)?.files()?;
    let (image, found, docker): (Box<dyn ReleaseFiles>, Digest, bool) = match remote::as_reference(named) {
        Some(reference) => {
            let cancel = crate::interrupt::flag()?;
            let network = Network::of(settings, Some(&cancel))?;
            let voice = Voice::new(Verbosity::Auto, settings);
            let progress = Moving::new("pull", &voice);
            let store = prepare::store(settings)?;
            let pulled = selfsame_publish::pull_image(network.registry()?, &reference, store, layers, &progress);
            let (files, digest) = pulled.map_err(|error| remote::fault(error, &reference.to_string()))?;
            voice.say("pulled", &progress.ended(&reference.to_string()));
            (Box::new(files), digest, false)
        }
        None => {
            let files = crate::files::open_layout(named)?;
            let first = sole(named, files.as_ref())?;
            (Box::new(files), first, true)
        }
    };
    let about = listed(evidence.as_ref()).map_err(|fault| unreadable(from, &fault))?;
    let about = about.first().map(|about| about.digest);
    let Some(about) = about.filter(|about| *about == found) else {
        let mut report =
            Report::new(Exit::No, format!("the documents of `{}` are about another image", from.display()));
        if let Some(digest) = about {
            report = report.fact("they are about", digest);
        }
        return Err(report.fact("found", found).into());
    };
    let mut names = names_of(image.as_ref(), about).map_err(|fault| unreadable(named, &fault))?;
    if docker {
        // What `docker load` would take from the copy is the copy's word, also where it has none.
        names.insert(layout::DOCKER_FILE.to_owned());
    }
    Ok(Box::new(Rejoined { image, evidence, names }))
}

fn unreadable(path: &Path, fault: &str) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("`{}` is no image that can be judged: {fault}", path.display())).into()
}

/// The one image or index of a layout: what else it lists is about that one, and has no name to be deployed by.
fn sole(named: &Path, files: &dyn ReleaseFiles) -> Answer<Digest> {
    let unreadable = |fault: String| unreadable(named, &fault);
    let listed = listed(files).map_err(unreadable)?;
    let first =
        listed.first().map(|first| first.digest).ok_or_else(|| unreadable("index.json lists nothing".to_owned()))?;
    let mut images = BTreeSet::from([first]);
    if let Ok(index) = Index::parse(&manifest(files, first).map_err(unreadable)?, media::INDEX) {
        images.extend(index.manifests.iter().map(|image| image.digest));
    }
    for other in listed.iter().skip(1).filter(|other| other.digest != first) {
        let is_named = DEPLOYED_BY.into_iter().any(|name| other.annotations.contains_key(name));
        let bytes = manifest(files, other.digest).ok();
        let subject = bytes.and_then(|bytes| Manifest::parse(&bytes, media::MANIFEST).ok()?.subject);
        if is_named || subject.is_none_or(|subject| !images.contains(&subject.digest)) {
            return Err(Report::new(
                Exit::No,
                format!(
                    "`{}` lists another image beside the first one: what of it is deployed is open",
                    named.display()
                ),
            )
            .fact("first", first)
            .fact("beside it", other.digest)
            .into());
        }
    }
    Ok(first)
}

/// What a layout lists, in its order.
fn listed(files: &dyn ReleaseFiles) -> Result<Vec<Descriptor>, String> {
    let bytes = files.read(layout::INDEX_FILE, MANIFEST_BYTES).map_err(|error| format!("index.json: {error}"))?;
    let bytes = bytes.ok_or("it has no index.json")?;
    let index = Index::parse(&bytes, media::INDEX).map_err(|error| format!("index.json: {error}"))?;
    if index.manifests.len() > MOST_LISTED {
        return Err(format!("index.json lists more than {MOST_LISTED} manifests"));
    }
    Ok(index.manifests)
}

/// The names of the files that make the image or index of this digest, whether they are there or not.
fn names_of(files: &dyn ReleaseFiles, top: Digest) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let bytes = manifest(files, top)?;
    names.insert(layout::blob_path(top));
    let images = match Index::parse(&bytes, media::INDEX) {
        Ok(index) if index.manifests.len() > MOST_IMAGES => return Err("its index lists too many images".to_owned()),
        Ok(index) => index.manifests.into_iter().map(|image| image.digest).collect(),
        Err(_) => vec![top],
    };
    for digest in images {
        let parsed = Manifest::parse(&manifest(files, digest)?, media::MANIFEST);
        let parsed = parsed.map_err(|error| format!("{digest}: {error}"))?;
        names.insert(layout::blob_path(digest));
        let blobs = [&parsed.config].into_iter().chain(&parsed.layers);
        names.extend(blobs.map(|blob| layout::blob_path(blob.digest)));
    }
    Ok(names)
}

fn manifest(files: &dyn ReleaseFiles, digest: Digest) -> Result<Vec<u8>, String> {
    let bytes = files.read(&layout::blob_path(digest), MANIFEST_BYTES).map_err(|error| format!("{digest}: {error}"))?;
    bytes.ok_or_else(|| format!("{digest} is not there"))
}

/// The image's files from one place, all others from another.
struct Rejoined {
    image: Box<dyn ReleaseFiles>,
    evidence: Box<dyn ReleaseFiles>,
    /// What is the image's.
    names: BTreeSet<String>,
}

impl Rejoined {
    fn place(&self, name: &str) -> &dyn ReleaseFiles {
        if self.names.contains(name) { self.image.as_ref() } else { self.evidence.as_ref() }
    }
}

impl ReleaseFiles for Rejoined {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.place(name).read(name, limit)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        self.place(name).open(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        // All of the copy, also what the documents do not speak of.
        let mut names: BTreeSet<String> = self.image.names()?.into_iter().collect();
        names.extend(self.evidence.names()?.into_iter().filter(|name| !self.names.contains(name)));
        Ok(names.into_iter().collect())
    }
}
