//! The capsule: a release's inputs beside it, each named by content in the signed provenance.
//!
//! *Slim* holds definition, locks, the source, and the list of every toolchain's files. *Full* holds the files too, and
//! every crate and archive. docs/capsule/v1.md.

use std::collections::BTreeMap;
use std::io::Read;

use selfsame_core::{Digest, RelPath, media};
use selfsame_oci::{Descriptor, LayerVisitor, Limits, read_pack};
use selfsame_store::Store;
use selfsame_tree::Tree;

use crate::build::Inputs;
use crate::error::BuildError;
use crate::layer::{Form, remembered_layer};
use crate::provenance::dependencies;

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

/// The blobs of a capsule, in the order of `resolvedDependencies`. All are in the store then.
pub fn contents(inputs: &Inputs, extent: Extent, store: &Store, threads: usize) -> Result<Vec<Descriptor>, BuildError> {
    let mut blobs = Vec::new();
    for dependency in dependencies(&inputs.request) {
        let digest = dependency.digest.sha256().expect("ours have one");
        let titled = |descriptor: Descriptor, name: &str| descriptor.annotated(TITLE, name);
        if dependency.media_type == media::TREE {
            let text = size_of(store, digest)?;
            blobs.push(titled(Descriptor::new(media::TREE, digest, text), &format!("{}.tree", dependency.name)));
            let is_source = digest == inputs.request.source.tree;
            // An unpacked archive is carried as the archive.
            let has_archive =
                is_source && matches!(inputs.request.source.origin, crate::request::Origin::Locked { .. });
            // An input's parts are carried, and make its tree again.
            let has_parts = inputs.request.inputs.values().any(|input| input.tree == digest);
            if !has_archive && !has_parts && (is_source || extent == Extent::Full) {
                let tree = store.tree(&digest)?;
                let request = &inputs.request;
                let pack = remembered_layer(&tree, Form::Pack, request.epoch, request.profile, store, threads)?;
                let descriptor =
                    Descriptor::new(media::PACK, pack.digest, pack.size).annotated(TREE_ANNOTATION, digest.to_string());
                blobs.push(titled(descriptor, &format!("{}.tar.gz", dependency.name)));
            }
        } else if dependency.media_type != media::INPUT || extent == Extent::Full {
            let size = size_of(store, digest)?;
            blobs.push(titled(Descriptor::new(&dependency.media_type, digest, size), &dependency.name));
        }
    }
    Ok(blobs)
}

fn size_of(store: &Store, digest: Digest) -> Result<u64, BuildError> {
    let missing = || BuildError::Capsule { fault: format!("{digest} is not in the store") };
    store.blob_size(&digest)?.ok_or_else(missing)
}

/// Brings a capsule's blob into the store.
///
/// A pack is not believed to be anything: each of its files is stored under its own digest, and counts only where a
/// tree that the signed provenance names asks for it.
pub fn import(descriptor: &Descriptor, mut content: impl Read + Send, store: &Store) -> Result<(), BuildError> {
    if descriptor.media_type == media::PACK {
        let mut unpack = Unpack { store, failed: None };
        let read = read_pack(&mut content, media::LAYER_GZIP, Limits::LAYER, &mut unpack);
        if let Some(error) = unpack.failed {
            return Err(error.into());
        }
        return read.map(|_| ()).map_err(|fault| BuildError::Capsule { fault: fault.to_string() });
    }
    store.put_expecting(&mut content, &descriptor.digest, descriptor.size, false)?;
    Ok(())
}

struct Unpack<'a> {
    store: &'a Store,
    failed: Option<selfsame_store::StoreError>,
}

impl LayerVisitor for Unpack<'_> {
    fn file(&mut self, _path: &RelPath, _size: u64, content: &mut dyn Read) -> std::io::Result<()> {
        match self.store.put(content, false) {
            Ok(_) => Ok(()),
            Err(error) => {
                let text = error.to_string();
                self.failed.get_or_insert(error);
                Err(std::io::Error::other(text))
            }
        }
    }
}

/// What a tree still lacks in the store, by path.
pub fn missing_files(tree: &Tree, store: &Store) -> Result<BTreeMap<RelPath, Digest>, BuildError> {
    Ok(store.missing(tree)?.into_iter().map(|(path, digest, _)| (path, digest)).collect())
}
