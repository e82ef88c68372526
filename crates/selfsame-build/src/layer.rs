//! Layers and packs between the store and the tar writer: read from blobs, written to a blob, nothing held in memory.

use std::io::{self, Read, Write};

use selfsame_core::{Digest, SourceEpoch};
use selfsame_oci::{Compression, Contents, Layer, write_layer, write_pack};
use selfsame_store::Store;
use selfsame_tree::Tree;

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
