//! An image's files: its layers read side by side into the store, then put on top of one another.

use selfsame_core::{Digest, RelPath};
use selfsame_oci::{Descriptor, Limits, ReadError, ReadLayer, apply, read_layer};
use selfsame_store::Store;
use selfsame_tree::{Entry, Tree, TreeError};

use super::error::OciError;
use super::locked::Locked;
use super::visitor::Storing;
use crate::{memo, parallel};

/// The flattened files. What was laid out before is not read again.
///
/// Devices and FIFOs are refused: what is shipped holds none, and a runtime makes its own `/dev`. Attributes that only
/// mean something to the machine that wrote the layer are left out.
pub(super) fn tree(input: &str, image: &Locked, store: &Store) -> Result<Tree, OciError> {
    // Changing how an image is laid out changes this text.
    let key = Digest::of(format!("selfsame-oci-tree v1\n{}\n", image.manifest).as_bytes());
    if let Some(tree) = memo::recall(store, &key)? {
        return Ok(tree);
    }
    let layers: Vec<(&Descriptor, Digest)> = image.layers.iter().zip(image.config.diff_ids.iter().copied()).collect();
    let read = parallel::try_map(&layers, |(layer, diff_id)| read_one(input, layer, *diff_id, store))?;
    let tree = apply(&read).map_err(|source| OciError::Apply { input: input.to_owned(), source })?;
    let tree = portable(&tree).map_err(|source| {
        let (number, layers) = (read.len(), read.len());
        OciError::Apply { input: input.to_owned(), source: selfsame_oci::ApplyError { number, layers, source } }
    })?;
    memo::note(store, &key, &tree)?;
    Ok(tree)
}

fn read_one(input: &str, layer: &Descriptor, expected: Digest, store: &Store) -> Result<ReadLayer, OciError> {
    let refused = |source| OciError::Layer { input: input.to_owned(), digest: layer.digest, source };
    let blob = store.open_blob(&layer.digest)?;
    let read = Storing::run(store, |visitor| read_layer(blob, &layer.media_type, Limits::LAYER, visitor))?;
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
    Ok(read)
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
