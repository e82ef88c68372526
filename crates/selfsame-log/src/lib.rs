//! Transparency logs: Merkle tree, tiles, checkpoints, and the entry that binds a signed document to them.
//!
//! Opens no file, asks no clock and draws no random number: tiles arrive through [`Tiles`], keys as text. Nothing here
//! decides which log is trusted.
//!
//! ```text
//! envelope + key -> body -> leaf -> tiles -> root -> checkpoint -> signed note
//!                                     '---- inclusion proof ----'-> LogEntry, for a bundle
//! ```
//!
//! The tree is that of RFC 6962 section 2.1; tiles, notes, checkpoints and cosignatures are those of C2SP; the entry is
//! the one that Rekor v2 writes. docs/log/v1.md.
#![forbid(unsafe_code)]

mod base64;

pub mod append;
pub mod body;
pub mod checkpoint;
pub mod entry;
pub mod history;
pub mod key;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod sign;
pub mod tile;
pub mod tree;
pub mod trusted_root;
pub mod verify;

pub use append::append;
pub use body::{Body, BodyError};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use entry::{LogEntry, LogEntryError};
pub use history::{Fork, Histories};
pub use key::{LogKey, LogKeyError, WitnessKey};
pub use merkle::{leaf_hash, node_hash};
pub use note::{Note, NoteError, NoteSignature};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use sign::{LogSigner, LogSignerError, WitnessSigner};
pub use tile::{Tile, entries_path, parse_entries, print_entries};
pub use tree::{Tiles, Tree};
pub use trusted_root::{RootAuthority, RootLog, trusted_root};
pub use verify::{Logged, VerifyError, verify_entry};
