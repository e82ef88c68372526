//! The capsule: a release's inputs beside it, each named by content in the signed provenance.
//!
//! *Slim* holds definition, locks, the source, and the list of every toolchain's files. *Full* holds the files too, and
//! every crate and archive. docs/capsule/v1.md.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use selfsame_core::{Digest, Hasher, Profile, RelPath, SourceEpoch, media};
use selfsame_oci::{Descriptor, LayerVisitor, Limits, read_pack};
use selfsame_store::{Store, StoreError};
use selfsame_tree::Tree;

use crate::build::Inputs;
use crate::error::BuildError;
use crate::layer::{Form, remembered_layer};
use crate::provenance::dependencies;
use crate::request::Request;

mod class;
mod usage;

pub use class::{Class, ClassError, Classes};
pub use usage::{Held, Kind, ReleaseUsage, Usage, usage};

/// The annotation of a pack that names the tree whose files it holds.
pub const TREE_ANNOTATION: &str = "dev.selfsame.tree";
/// The annotation that names a blob for people.
const TITLE: &str = "org.opencontainers.image.title";

/// How much a capsule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What only the author has.
    Slim,
    /// Everything: a rebuild needs no network, no source folder and no host files.
    Full,
}

/// One part of a capsule, named and not yet had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What is carried of it.
    pub holds: Holds,
    /// Of the content: for [`Holds::Files`] of the tree whose files they are.
    pub digest: Digest,
    /// Of the blob.
    pub media_type: String,
    /// A name for people.
    pub name: String,
    /// As the provenance names it: a package URL, or a word of selfsame's own.
    pub uri: String,
    /// The input that it is a part of.
    pub input: Option<String>,
}

/// What a capsule carries of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holds {
    /// A file, as it is.
    Blob,
    /// The list of a tree's files.
    List,
    /// The files of a tree, as one pack.
    Files,
}

/// What a capsule of this extent has to hold, in the order of `resolvedDependencies`.
#[must_use]
pub fn parts(request: &Request, extent: Extent) -> Vec<Part> {
    let mut parts = Vec::new();
    for dependency in dependencies(request) {
        let digest = dependency.digest.sha256().expect("ours have one");
        let part = |holds, media_type: &str, name: String| Part {
            holds,
            digest,
            media_type: media_type.to_owned(),
            name,
            uri: dependency.uri.clone(),
            input: dependency.annotations.get("input").and_then(|name| name.as_str()).map(str::to_owned),
        };
        if dependency.media_type == media::TREE {
            parts.push(part(Holds::List, media::TREE, format!("{}.tree", dependency.name)));
            let is_source = digest == request.source.tree;
            // An unpacked archive is carried as the archive.
            let has_archive = is_source && matches!(request.source.origin, crate::request::Origin::Locked { .. });
            // An input's parts are carried, and make its tree again.
            let has_parts = request.inputs.values().any(|input| input.tree == digest);
            if !has_archive && !has_parts && (is_source || extent == Extent::Full) {
                parts.push(part(Holds::Files, media::PACK, format!("{}.tar.gz", dependency.name)));
            }
        } else if dependency.media_type != media::INPUT || extent == Extent::Full {
            parts.push(part(Holds::Blob, &dependency.media_type, dependency.name.clone()));
        }
    }
    parts
}

/// The blobs of a capsule, in the order of `resolvedDependencies`. All are in the store then.
pub fn contents(inputs: &Inputs, extent: Extent, store: &Store, threads: usize) -> Result<Vec<Descriptor>, BuildError> {
    let profile = inputs.request.profile;
    parts(&inputs.request, extent).iter().map(|part| blob(part, profile, store, threads)).collect()
}

/// The blob of one part, which is in the store then: a pack is written if it is not known.
///
/// The files of a pack have no time of their own, so releases with one toolchain carry one pack, whenever they were made.
pub fn blob(part: &Part, profile: Profile, store: &Store, threads: usize) -> Result<Descriptor, BuildError> {
    let descriptor = if part.holds == Holds::Files {
        let tree = store.tree(&part.digest)?;
        let epoch = SourceEpoch::new(0).expect("the first second");
        let pack = remembered_layer(&tree, Form::Pack, epoch, profile, store, threads)?;
        Descriptor::new(media::PACK, pack.digest, pack.size).annotated(TREE_ANNOTATION, part.digest.to_string())
    } else {
        Descriptor::new(&part.media_type, part.digest, size_of(store, part.digest)?)
    };
    Ok(descriptor.annotated(TITLE, &part.name))
}

fn size_of(store: &Store, digest: Digest) -> Result<u64, BuildError> {
    let missing = || BuildError::Capsule { fault: format!("{digest} is not in the store") };
    store.blob_size(&digest)?.ok_or_else(missing)
}

/// Brings a capsule's blob into the store.
///
/// A pack is not believed to be anything: each of its files is stored under its own digest, and counts only where a
/// tree that the signed provenance names asks for it. One with a file that its tree does not have is refused. What the
/// store has already, of a pack all files, is not read.
pub fn import(descriptor: &Descriptor, mut content: impl Read + Send, store: &Store) -> Result<(), BuildError> {
    if descriptor.media_type != media::PACK {
        store.put_expecting(&mut content, &descriptor.digest, descriptor.size, false)?;
        return Ok(());
    }
    let fault = |fault: String| BuildError::Capsule { fault };
    let named = descriptor.annotations.get(TREE_ANNOTATION).and_then(|text| text.parse::<Digest>().ok());
    let named = named.ok_or_else(|| fault(format!("pack {} names no tree that it belongs to", descriptor.digest)))?;
    // The list of its files stands before a pack; without it the pack has to be the whole tree.
    let tree = if store.has(&named) { Some(store.tree(&named)?) } else { None };
    if let Some(tree) = &tree
        && store.missing(tree)?.is_empty()
    {
        return Ok(());
    }
    let wanted = tree.map(|tree| tree.contents());
    let sizes = wanted.iter().flatten().map(|(_, size)| *size).collect();
    let mut unpack = Unpack { store, wanted: wanted.as_ref(), sizes, failed: None };
    let mut content = Hashing { inner: &mut content, hasher: Hasher::new(), left: descriptor.size };
    let read = read_pack(&mut content, media::LAYER_GZIP, Limits::LAYER, &mut unpack);
    match unpack.failed {
        // Not the store's fault: the pack itself cannot be read on.
        Some(BuildError::Store(StoreError::Source { source })) => {
            return Err(fault(format!("pack {}: {source}", descriptor.digest)));
        }
        Some(error) => return Err(error),
        None => {}
    }
    let read = read.map_err(|error| fault(format!("pack {}: {error}", descriptor.digest)))?;
    std::io::copy(&mut content, &mut std::io::sink())
        .map_err(|error| fault(format!("pack {}: {error}", descriptor.digest)))?;
    if content.left > 0 || content.hasher.finish().0 != descriptor.digest {
        return Err(fault(format!("pack {} is not what it is named for", descriptor.digest)));
    }
    if wanted.is_none() && read.tree.digest() != named {
        return Err(fault(format!("pack {} holds another tree than {named}", descriptor.digest)));
    }
    Ok(())
}

/// Hashes what is read, and lets no more through than was announced.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
    left: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is longer than it is named for"))?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

struct Unpack<'a> {
    store: &'a Store,
    /// Sizes by content, where the list of the tree's files is known.
    wanted: Option<&'a BTreeMap<Digest, u64>>,
    /// The same by size alone.
    sizes: BTreeSet<u64>,
    failed: Option<BuildError>,
}

impl LayerVisitor for Unpack<'_> {
    fn file(&mut self, path: &RelPath, size: u64, content: &mut dyn Read) -> std::io::Result<()> {
        let foreign = || BuildError::Capsule { fault: format!("a pack holds `{path}`, which its tree does not have") };
        let stored = match self.wanted {
            // What cannot be a file of the tree is not written at all.
            Some(_) if !self.sizes.contains(&size) => Err(foreign()),
            wanted => match self.store.put(content, false) {
                Ok((digest, _)) if wanted.is_some_and(|wanted| !wanted.contains_key(&digest)) => Err(foreign()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            },
        };
        stored.map_err(|error| {
            let text = error.to_string();
            self.failed.get_or_insert(error);
            std::io::Error::other(text)
        })
    }
}

/// What a tree still lacks in the store, by path.
pub fn missing_files(tree: &Tree, store: &Store) -> Result<BTreeMap<RelPath, Digest>, BuildError> {
    Ok(store.missing(tree)?.into_iter().map(|(path, digest, _)| (path, digest)).collect())
}
