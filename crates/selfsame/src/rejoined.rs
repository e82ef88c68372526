//! An image whose copy lost what refers to it, with the signed documents from elsewhere: tools that copy images leave
//! referrers behind.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use selfsame_core::{Digest, media};
use selfsame_oci::{Index, Manifest, layout};
use selfsame_verify::ReleaseFiles;

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

/// The image `named`, and the evidence about it that is at `from`; the layers only if they are wanted.
///
/// Every byte of the image is that of `named`: the other place says what it should be and lends none.
pub(crate) fn find(named: &Path, from: &Path, layers: bool, settings: &Settings) -> Answer<Box<dyn ReleaseFiles>> {
    let evidence = Release::find(from, false, false, settings)?.files()?;
    let (image, found): (Box<dyn ReleaseFiles>, Vec<Digest>) = match remote::as_reference(named) {
        Some(reference) => {
            let cancel = crate::interrupt::flag()?;
            let network = Network::of(settings, Some(&cancel))?;
            let voice = Voice::new(Verbosity::Auto, settings);
            let progress = Moving::new("pull", &voice);
            let store = prepare::store(settings)?;
            let pulled = selfsame_publish::pull_image(network.registry()?, &reference, store, layers, &progress);
            let (files, digest) = pulled.map_err(|error| remote::fault(error, &reference.to_string()))?;
            voice.say("pulled", &progress.ended(&reference.to_string()));
            (Box::new(files), vec![digest])
        }
        None => {
            let files = crate::files::open_layout(named)?;
            let listed = listed(files.as_ref()).map_err(|fault| unreadable(named, &fault))?;
            (Box::new(files), listed)
        }
    };
    let about = listed(evidence.as_ref()).map_err(|fault| unreadable(from, &fault))?;
    let Some(about) = about.first().filter(|about| found.contains(about)) else {
        let mut report =
            Report::new(Exit::No, format!("the documents of `{}` are about another image", from.display()));
        for digest in about.iter().take(1) {
            report = report.fact("they are about", digest);
        }
        for digest in found.iter().take(8) {
            report = report.fact("found", digest);
        }
        return Err(report.into());
    };
    let names = names_of(image.as_ref(), *about).map_err(|fault| unreadable(named, &fault))?;
    Ok(Box::new(Rejoined { image, evidence, names }))
}

fn unreadable(path: &Path, fault: &str) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("`{}` is no image that can be judged: {fault}", path.display())).into()
}

/// The digests that a layout lists, in its order.
fn listed(files: &dyn ReleaseFiles) -> Result<Vec<Digest>, String> {
    let bytes = files.read(layout::INDEX_FILE, MANIFEST_BYTES).map_err(|error| format!("index.json: {error}"))?;
    let bytes = bytes.ok_or("it has no index.json")?;
    let index = Index::parse(&bytes, media::INDEX).map_err(|error| format!("index.json: {error}"))?;
    Ok(index.manifests.into_iter().map(|manifest| manifest.digest).collect())
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
        let mut names = self.image.names()?;
        names.retain(|name| self.names.contains(name));
        names.extend(self.evidence.names()?.into_iter().filter(|name| !self.names.contains(name)));
        Ok(names)
    }
}
