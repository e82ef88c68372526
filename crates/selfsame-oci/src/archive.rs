//! A layout as one tar, for `docker load`, `podman load` and `skopeo`.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use selfsame_core::{Digest, RelPath, SourceEpoch};
use selfsame_tree::{Entry, Tree};

use crate::layer::{Compression, Contents, Layer, LayerError, with_parents, write_pack};
use crate::layout::{DOCKER_FILE, INDEX_FILE, LAYOUT_FILE, blob_path, layout_file};

/// Writes an uncompressed tar, in the dialect of layers, of a layout: `oci-layout`, `index.json` with these bytes, the
/// blobs (size by digest) with bytes from `contents`, and Docker's `manifest.json` if given (see
/// [`crate::layout::docker_file`]).
///
/// Every blob must have the size and digest under which it is listed.
pub fn write_archive(
    out: &mut impl Write,
    epoch: SourceEpoch,
    index: &[u8],
    docker: Option<&[u8]>,
    blobs: &BTreeMap<Digest, u64>,
    contents: &(dyn Contents + Sync),
) -> Result<Layer, LayerError> {
    let layout = layout_file();
    let mut own = vec![(LAYOUT_FILE, layout.as_slice()), (INDEX_FILE, index)];
    own.extend(docker.map(|docker| (DOCKER_FILE, docker)));
    let mut entries = Vec::new();
    let mut place = |path: &str, digest: Digest, size: u64| {
        entries.push((RelPath::new(path).expect("a name of the layout is a path"), Entry::file(digest, size, false)));
    };
    for (path, bytes) in &own {
        place(path, Digest::of(bytes), bytes.len() as u64);
    }
    for (&digest, &size) in blobs {
        place(&blob_path(digest), digest, size);
    }
    let tree = Tree::from_entries(entries).map_err(|source| LayerError::Tree { source })?;
    let own = own.into_iter().map(|(_, bytes)| (Digest::of(bytes), bytes)).collect();
    let contents = WithOwn { own, others: contents };
    write_pack(&with_parents(&tree), epoch, &contents, out, Compression::None, 1)
}

/// Contents held in memory, before those of somebody else.
struct WithOwn<'a> {
    own: BTreeMap<Digest, &'a [u8]>,
    others: &'a (dyn Contents + Sync),
}

impl Contents for WithOwn<'_> {
    fn open(&self, digest: &Digest, size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        match self.own.get(digest) {
            Some(bytes) => Ok(Box::new(*bytes)),
            None => self.others.open(digest, size),
        }
    }
}
