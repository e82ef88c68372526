//! An image's files: its layers read side by side into the store, then put on top of one another.

use std::collections::BTreeMap;

use selfsame_core::json::Limits;
use selfsame_core::{Digest, RelPath, json};
use selfsame_oci::{Descriptor, ReadError, ReadLayer, apply, read_layer};
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree, TreeError};

use super::error::OciError;
use super::locked::Locked;
use super::visitor::Storing;
use crate::{memo, parallel};

/// The flattened files. What was laid out before is not read again.
///
/// Devices and FIFOs are refused: what is shipped holds none, and a runtime makes its own `/dev`. Attributes that only
/// mean something to the machine that wrote the layer are left out.
pub(super) fn tree(input: &str, image: &Locked, store: &Store) -> Result<Tree, OciError> {
    if let Some(tree) = memo::recall(store, &tree_key(image))? {
        return Ok(tree);
    }
    Ok(lay_out(input, image, store)?.0)
}

fn tree_key(image: &Locked) -> Digest {
    // Changing how an image is laid out changes this text.
    Digest::of(format!("selfsame-oci-tree v1\n{}\n", image.manifest).as_bytes())
}

/// Where each file of the flattened tree lies.
pub(super) fn files(input: &str, image: &Locked, store: &Store) -> Result<BTreeMap<RelPath, LayerFile>, OciError> {
    if let Some(known) = store.action_result(&files_key(image))?.and_then(|bytes| read_files(&bytes)) {
        return Ok(known);
    }
    Ok(lay_out(input, image, store)?.1)
}

/// Where a file of an image lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerFile {
    /// Which of the layers, from 0.
    pub layer: usize,
    /// Its modification time there, in seconds since 1970.
    pub modified: i64,
}

/// What is remembered at most of where files lie. More is found out each time.
const FILES: Limits = Limits { size_bytes: 48 << 20, ..Limits::DOCUMENT };

fn files_key(image: &Locked) -> Digest {
    // Changing what is remembered changes this text.
    Digest::of(format!("selfsame-oci-files v1\n{}\n", image.manifest).as_bytes())
}

/// Nothing for what is not what was written.
fn read_files(bytes: &[u8]) -> Option<BTreeMap<RelPath, LayerFile>> {
    let wire: BTreeMap<String, (usize, i64)> = json::parse_as(bytes, FILES).ok()?;
    let file = |(path, (layer, modified))| Some((RelPath::new(path).ok()?, LayerFile { layer, modified }));
    wire.into_iter().map(file).collect()
}

fn lay_out(input: &str, image: &Locked, store: &Store) -> Result<(Tree, BTreeMap<RelPath, LayerFile>), OciError> {
    let layers: Vec<(&Descriptor, Digest)> = image.layers.iter().zip(image.config.diff_ids.iter().copied()).collect();
    let read = parallel::try_map(&layers, |(layer, diff_id)| read_one(input, layer, *diff_id, store))?;
    let (read, times): (Vec<ReadLayer>, Vec<_>) = read.into_iter().unzip();
    let tree = apply(&read).map_err(|source| OciError::Apply { input: input.to_owned(), source })?;
    let tree = portable(&tree).map_err(|source| {
        let (number, layers) = (read.len(), read.len());
        OciError::Apply { input: input.to_owned(), source: selfsame_oci::ApplyError { number, layers, source } }
    })?;
    let mut files = BTreeMap::new();
    for (path, _) in tree.iter().filter(|(_, entry)| entry.kind != Kind::Directory) {
        let holds = |layer: &ReadLayer| layer.tree.entry(path.as_str()).is_some();
        let Some(layer) = read.iter().rposition(holds) else { continue };
        let modified = times.get(layer).and_then(|times| times.get(path)).copied().unwrap_or_default();
        files.insert(path.clone(), LayerFile { layer, modified });
    }
    let wire: BTreeMap<&str, (usize, i64)> =
        files.iter().map(|(path, file)| (path.as_str(), (file.layer, file.modified))).collect();
    let wire = json::canonical(&wire);
    if wire.len() <= FILES.size_bytes {
        store.put_action_result(&files_key(image), &wire)?;
    }
    memo::note(store, &tree_key(image), &tree)?;
    Ok((tree, files))
}

fn read_one(
    input: &str,
    layer: &Descriptor,
    expected: Digest,
    store: &Store,
) -> Result<(ReadLayer, BTreeMap<RelPath, i64>), OciError> {
    let refused = |source| OciError::Layer { input: input.to_owned(), digest: layer.digest, source };
    let blob = store.open_blob(&layer.digest)?;
    let limits = selfsame_oci::Limits::LAYER;
    let (read, times) = Storing::run(store, |visitor| read_layer(blob, &layer.media_type, limits, visitor))?;
    let read = read.map_err(|source| match source {
        // The store says what is wrong with a blob of its own.
        ReadError::Stream { source } => match source.downcast() {
            Ok(source) => OciError::Store { source },
            Err(source) => refused(ReadError::Stream { source }),
        },
        source => refused(source),
    })?;
    if (read.digest, read.size) != (layer.digest, layer.size) {
        return Err(OciError::OtherBytes {
            input: input.to_owned(),
            expected: layer.digest,
            expected_bytes: layer.size,
            found: read.digest,
            found_bytes: read.size,
        });
    }
    if read.diff_id != expected {
        let (input, digest, found) = (input.to_owned(), layer.digest, read.diff_id);
        return Err(OciError::DiffId { input, digest, expected, found });
    }
    Ok((read, times))
}

/// Without `security.selinux`, `trusted.overlay.*` and their like.
fn portable(tree: &Tree) -> Result<Tree, TreeError> {
    let portable =
        |name: &str| name == "security.capability" || name.starts_with("user.") && !name.starts_with("user.overlay.");
    let own = |(path, entry): (&RelPath, &Entry)| {
        let mut entry = entry.clone();
        entry.xattrs.retain(|name, _| portable(name));
        (path.clone(), entry)
    };
    Tree::from_entries(tree.iter().map(own))
}
