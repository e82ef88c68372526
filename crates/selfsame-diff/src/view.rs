//! An image as its holder lends it: folder, tar or docker-save archive.

use std::collections::BTreeMap;
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath};
use selfsame_tree::Tree;
use serde_json::Value;

/// One layer of a lent image.
#[derive(Clone, Debug)]
pub struct LayerView {
    /// Of the stored (usually compressed) bytes, where the image names it; docker-save archives do not.
    pub digest: Option<Digest>,
    /// Of the uncompressed tar.
    pub diff_id: Digest,
    /// What the layer holds.
    pub tree: Tree,
    /// What a layer can say and a tree cannot, in words: `whiteout`, `opaque`, `device 1:3`, `fifo`.
    pub marks: BTreeMap<RelPath, String>,
}

/// Read access to one image. Methods that give bytes are called only where the layers differ.
pub trait ImageView {
    /// The digest of the manifest bytes, where there is a manifest.
    fn manifest_digest(&self) -> Option<Digest>;

    /// The manifest, where there is one.
    fn manifest(&self) -> Option<&Value>;

    /// The image config.
    fn config(&self) -> &Value;

    /// The layers, lowest first.
    fn layers(&self) -> &[LayerView];

    /// The content of a file of the layer with this index, by the digest that the layer's tree names.
    fn content(&self, layer: usize, digest: &Digest) -> io::Result<Box<dyn Read + '_>>;

    /// The uncompressed tar of the layer with this index: read where two trees agree and their tars do not.
    fn tar(&self, layer: usize) -> io::Result<Box<dyn Read + '_>>;
}
