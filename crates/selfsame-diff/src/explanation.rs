//! What `explain` gives: data that the screen, the JSON and the tests print alike.

use selfsame_core::{Digest, RelPath};

use crate::{ContentDifference, FieldChange, Guess};

/// How much is read and listed. What is beyond is counted, never dropped without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one file that are held and taken apart; a longer file is compared as a stream.
    pub file_bytes: u64,
    /// The most bytes that come out of one compressed file.
    pub inflated_bytes: u64,
    /// The most changed entries that are listed for one layer.
    pub entries: usize,
    /// The most changed files for one layer whose content is read.
    pub contents: usize,
    /// The most places that are listed for one file.
    pub places: usize,
    /// The most archives inside archives.
    pub depth: usize,
}

impl Limits {
    /// What `diff` and `rebuild-verify` use: 64 MiB a file, 500 entries, 100 contents, 20 places, four archives deep.
    pub const STANDARD: Self =
        Self { file_bytes: 64 << 20, inflated_bytes: 64 << 20, entries: 500, contents: 100, places: 20, depth: 4 };
}

/// Why two images differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether they are the same image.
    pub equal: bool,
    /// The deepest level at which they differ.
    pub extent: Extent,
    /// The manifest digest of the left image, where it has one.
    pub a: Option<Digest>,
    /// The manifest digest of the right image.
    pub b: Option<Digest>,
    /// The manifest's fields that differ, by JSON pointer.
    pub manifest: Vec<FieldChange>,
    /// The config's fields that differ, by JSON pointer.
    pub config: Vec<FieldChange>,
    /// How many layers the left image has.
    pub layers_a: usize,
    /// How many layers the right image has.
    pub layers_b: usize,
    /// The layers that differ.
    pub layers: Vec<LayerChange>,
}

/// How deep a difference goes. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Not at all.
    None,
    /// Only the manifest: annotations, media types.
    Manifest,
    /// The layers' compressed bytes differ and their diffIDs agree: another compressor, the same content.
    Compressor,
    /// The config: entry point, environment, labels, history. The content is the same.
    Config,
    /// The tars differ and the trees in them agree: times, header dialect, order of entries.
    LayerForm,
    /// What is in the layers.
    LayerContent,
}

/// One layer's two digests.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerId {
    /// Of the stored bytes.
    pub digest: Option<Digest>,
    /// Of the uncompressed tar.
    pub diff_id: Digest,
}

/// A layer that differs, or that only one image has.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerChange {
    /// Counted from 0, lowest first.
    pub index: usize,
    /// The left layer.
    pub a: Option<LayerId>,
    /// The right layer.
    pub b: Option<LayerId>,
    /// Entries in the left layer.
    pub entries_a: usize,
    /// Entries in the right layer.
    pub entries_b: usize,
    /// Changed entries, in path order.
    pub changes: Vec<EntryChange>,
    /// Changed entries that are not listed.
    pub more: usize,
    /// Where the trees agree and the tars do not: the first tar headers that differ.
    pub form: Option<ContentDifference>,
}

/// A path at which two layers differ.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EntryChange {
    /// In the layer.
    pub path: RelPath,
    /// Everything that differs there, at least one.
    pub what: Vec<What>,
}

/// One thing that differs at a path.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "what", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum What {
    /// Only the right layer has it.
    Added {
        /// `dir`, `file`, `symlink` or `hardlink`.
        kind: &'static str,
    },
    /// Only the left layer has it.
    Removed {
        /// `dir`, `file`, `symlink` or `hardlink`.
        kind: &'static str,
    },
    /// Another kind of entry.
    Kind {
        /// Left.
        a: &'static str,
        /// Right.
        b: &'static str,
    },
    /// Other permissions.
    Mode {
        /// Left, the lower twelve bits.
        a: u32,
        /// Right.
        b: u32,
        /// What probably did it.
        guess: Guess,
    },
    /// Another owner or group.
    Owner {
        /// Left: user and group.
        a: (u32, u32),
        /// Right.
        b: (u32, u32),
        /// What probably did it.
        guess: Guess,
    },
    /// Another extended attribute; `None` where a side lacks it.
    Xattr {
        /// Its full name.
        name: String,
        /// Left, in hex.
        a: Option<String>,
        /// Right, in hex.
        b: Option<String>,
    },
    /// A symbolic or hard link to somewhere else.
    LinkTarget {
        /// Left.
        a: String,
        /// Right.
        b: String,
    },
    /// A whiteout, device or FIFO; `None` where a side lacks it.
    Mark {
        /// Left, in words.
        a: Option<String>,
        /// Right.
        b: Option<String>,
    },
    /// Other bytes in a file.
    Content(ContentDifference),
    /// Other bytes in a file, which were not read because enough others were.
    ContentNotRead {
        /// Left length in bytes.
        a_size: u64,
        /// Right length in bytes.
        b_size: u64,
    },
    /// Other bytes in a file that its holder could not give.
    ContentUnreadable {
        /// What the holder said.
        fault: String,
    },
}
