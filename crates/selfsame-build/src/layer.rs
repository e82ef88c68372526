//! Layers and packs between the store and the tar writer: read from blobs, written to a blob, nothing held in memory.

use std::io::{self, Read, Write};

use selfsame_core::json::{self, Limits};
use selfsame_core::{Digest, Profile, SourceEpoch};
use selfsame_oci::{Compression, Contents, Layer, write_layer, write_pack};
use selfsame_store::Store;
use selfsame_tree::Tree;
use serde::{Deserialize, Serialize};

use crate::error::BuildError;

/// The store as the place where a layer's file contents are. Each is checked against its digest as it is read.
pub struct StoreContents<'a>(pub &'a Store);

impl Contents for StoreContents<'_> {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let reader = self.0.open_blob(digest).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(reader))
    }
}

/// What the tree becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A layer of an image.
    Layer,
    /// The files of a tree in a capsule.
    Pack,
}

/// What the store remembers of a layer or pack, so that an unchanged one is not compressed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLayer {
    /// Of the tar.
    pub diff_id: Digest,
    /// Of the compressed bytes.
    pub digest: Digest,
    /// Of the compressed bytes.
    pub size: u64,
}

/// The layer or pack of `tree`, as the store has it or written now. A function of tree, epoch and profile alone.
pub fn remembered_layer(
    tree: &Tree,
    form: Form,
    epoch: SourceEpoch,
    profile: Profile,
    store: &Store,
    threads: usize,
) -> Result<StoredLayer, BuildError> {
    let form_name = match form {
        Form::Layer => "selfsame-layer v1",
        Form::Pack => "selfsame-pack v1",
    };
    let key = Digest::of(&json::canonical(&serde_json::json!({
        "epoch": epoch,
        "layer": form_name,
        "profile": profile.number(),
        "tree": tree.digest(),
    })));
    let known =
        store.action_result(&key)?.and_then(|bytes| json::parse_as::<StoredLayer>(&bytes, Limits::DOCUMENT).ok());
    if let Some(layer) = known
        && store.blob_size(&layer.digest)? == Some(layer.size)
    {
        return Ok(layer);
    }
    let Layer { diff_id, digest, size, .. } = store_layer(tree, form, epoch, store, threads)?;
    let layer = StoredLayer { diff_id, digest, size };
    store.put_action_result(&key, &json::canonical(&layer))?;
    Ok(layer)
}

/// Writes `tree` as a gzip tar into the store and says its digests.
pub fn store_layer(
    tree: &Tree,
    form: Form,
    epoch: SourceEpoch,
    store: &Store,
    threads: usize,
) -> Result<Layer, BuildError> {
    let failed = |what: &str, source| BuildError::Io { what: what.to_owned(), source };
    let contents = StoreContents(store);
    let (mut reader, writer) = io::pipe().map_err(|error| failed("open a pipe", error))?;
    std::thread::scope(|scope| {
        let written = scope.spawn(|| {
            let mut writer = io::BufWriter::with_capacity(1 << 20, writer);
            let gzip = Compression::Gzip;
            let layer = match form {
                Form::Layer => write_layer(tree, epoch, &contents, &mut writer, gzip, threads),
                Form::Pack => write_pack(tree, epoch, &contents, &mut writer, gzip, threads),
            };
            let layer = layer.map_err(|fault| BuildError::Layer { fault: fault.to_string() })?;
            writer.flush().map_err(|error| failed("write a layer", error))?;
            Ok::<_, BuildError>(layer)
        });
        let stored = store.put(&mut reader, false);
        // The reader is closed before the writer is waited for, so that a full disk ends both.
        drop(reader);
        let written = written.join().expect("the layer writer does not panic");
        let (digest, _) = stored?;
        let layer = written?;
        if digest != layer.digest {
            let fault = format!("written as {}, stored as {digest}", layer.digest);
            return Err(BuildError::Layer { fault });
        }
        Ok(layer)
    })
}

#[cfg(test)]
mod tests {
    use selfsame_core::RelPath;
    use selfsame_tree::Entry;

    use super::*;

    #[test]
    fn an_unchanged_layer_is_remembered_and_a_lost_one_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store")).expect("a store");
        let digest = store.put_bytes(b"content", false).expect("a store");
        let entry = (RelPath::new("file").expect("a path"), Entry::file(digest, 7, false));
        let tree = Tree::from_entries([entry]).expect("a tree");
        let epoch = |seconds| SourceEpoch::new(seconds).expect("an epoch");
        let layer = |form, seconds| {
            remembered_layer(&tree, form, epoch(seconds), Profile::CURRENT, &store, 1).expect("a layer")
        };
        let first = layer(Form::Layer, 1);
        assert_eq!(store.actions().expect("a store").len(), 1);
        assert_eq!(layer(Form::Layer, 1), first);
        assert_eq!(store.actions().expect("a store").len(), 1);
        // Epoch and form are part of what is asked for, whether or not they make other bytes of this tree.
        assert_ne!(layer(Form::Layer, 2), first);
        layer(Form::Pack, 1);
        assert_eq!(store.actions().expect("a store").len(), 3);

        let path = store.blob_path(&first.digest, false).expect("a store").expect("a blob");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(layer(Form::Layer, 1), first);
        assert!(path.exists());
    }
}
