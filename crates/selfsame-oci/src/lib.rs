//! Deterministic layers, configs, manifests and layouts, and the careful reading of other people's.
//!
//! Values in, bytes to a `Write`; bytes from a `Read` that the caller opened. Opens no file, asks no clock, and what
//! it writes depends on nothing but its arguments: not on the number of threads, not on the CPU. Reading believes
//! nothing: every count, length and name is bounded and checked before it is used, and nothing is ever unpacked.
#![forbid(unsafe_code)]

mod archive;
mod base;
mod config;
mod deflate;
mod descriptor;
mod dialect;
mod entries;
mod flatten;
mod gzip;
mod header;
mod inflate;
mod layer;
pub mod layout;
mod lookup;
mod manifest;
mod pipeline;
mod read;
mod readahead;
mod select;

pub use archive::write_archive;
pub use base::{BASE_DIGEST, BASE_NAME, kept_layer};
pub use config::{History, ImageConfig};
pub use descriptor::{Descriptor, Document, DocumentError, MAX_BLOB_BYTES};
pub use entries::{EntryFault, Special};
pub use flatten::{ApplyError, apply, apply_tree};
pub use layer::{Compression, Contents, Layer, LayerError, with_parents, write_layer, write_pack};
pub use lookup::{Lookup, Obstacle, Places};
pub use manifest::{
    Index, MAX_LAYERS, MAX_MANIFESTS, Manifest, artifact_manifest, image_index, image_manifest, index,
    referrer_manifest,
};
pub use read::{LayerVisitor, Limits, ReadError, ReadLayer, ReadPack, Specials, Whiteout, read_layer, read_pack};
pub use select::{DocumentKind, SelectError, for_platform, named, same_platform};
