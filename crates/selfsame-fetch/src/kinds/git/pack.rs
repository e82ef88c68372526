//! A tree as the one blob that a lock names, and back.
//!
//! The blob is a tar in the dialect of layers (docs/profile/layer.md), uncompressed: files, links and, for a submodule
//! that was not followed, an empty folder; in the order of their paths' bytes; owner 0:0, every time 0, modes 0644 and
//! 0755. It says nothing of where the files came from. Changing any of it changes the digests in locks.

use std::io::{self, Read, Write};

use selfsame_core::{Digest, RelPath, SourceEpoch, media};
use selfsame_oci::{Compression, Contents, LayerVisitor, Limits, Specials, read_pack, write_pack};
use selfsame_store::{Store, StoreError};
use selfsame_tree::Tree;

use super::GitError;
use crate::memo;

/// The time of every member.
const TIME_SECS: u64 = 0;
const LIMITS: Limits =
    Limits { members: 2_000_000, diff_size_bytes: 20 << 30, metadata_bytes: 1 << 30, specials: Specials::Refuse };

/// Writes a tree whose files are in the store into the store: the blob's digest and size.
pub(super) fn pack(tree: &Tree, commit: &str, store: &Store) -> Result<(Digest, u64), GitError> {
    let epoch = SourceEpoch::new(TIME_SECS).expect("1970 is an epoch");
    let pipe = |source| GitError::Io { operation: "open", path: "a pipe".into(), source };
    let stored = |source| GitError::Store { place: commit.to_owned(), source };
    let (mut reader, writer) = io::pipe().map_err(pipe)?;
    std::thread::scope(|scope| {
        let written = scope.spawn(|| {
            let mut writer = io::BufWriter::with_capacity(1 << 20, writer);
            let layer = write_pack(tree, epoch, &FromStore(store), &mut writer, Compression::None, 1);
            layer.and_then(|layer| {
                writer.flush().map(|()| layer).map_err(|source| selfsame_oci::LayerError::Write { source })
            })
        });
        let found = store.put(&mut reader, false);
        // Closed before the writer is waited for, so that a full disk ends both.
        drop(reader);
        let written = written.join().expect("the writer does not panic");
        let found = found.map_err(stored)?;
        let layer = written.map_err(|source| GitError::Pack { commit: commit.to_owned(), source })?;
        if found != (layer.digest, layer.size) {
            let (expected, expected_bytes) = (layer.digest, layer.size);
            let (found, found_bytes) = found;
            return Err(stored(StoreError::Unexpected { expected, expected_bytes, found, found_bytes }));
        }
        memo::note(store, &key(&found.0), tree).map_err(stored)?;
        Ok(found)
    })
}

/// The tree of such a blob, from the store alone; its files are in the store then.
pub(super) fn unpack(packed: &Digest, input: &str, store: &Store) -> Result<Tree, GitError> {
    let stored = |source| GitError::Store { place: input.to_owned(), source };
    if let Some(tree) = memo::recall(store, &key(packed)).map_err(stored)? {
        return Ok(tree);
    }
    let blob = store.open_blob(packed).map_err(stored)?;
    let mut visitor = Storing { store, executable: false, failed: None };
    let read = read_pack(blob, media::LAYER_TAR, LIMITS, &mut visitor);
    if let Some(source) = visitor.failed {
        return Err(stored(source));
    }
    let tree = read.map_err(|source| GitError::Unpack { input: input.to_owned(), source })?.tree;
    memo::note(store, &key(packed), &tree).map_err(stored)?;
    Ok(tree)
}

/// Changing what unpacking does changes this text.
fn key(packed: &Digest) -> Digest {
    Digest::of(format!("selfsame-git-unpack v1\n{packed}\n").as_bytes())
}

struct FromStore<'a>(&'a Store);

impl Contents for FromStore<'_> {
    fn open(&self, digest: &Digest, _: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let blob = self.0.open_blob(digest).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(blob))
    }
}

/// Puts the files of a tar into the store.
struct Storing<'a> {
    store: &'a Store,
    executable: bool,
    failed: Option<StoreError>,
}

impl LayerVisitor for Storing<'_> {
    fn mode(&mut self, _: &RelPath, mode: u32) {
        self.executable = mode & 0o100 != 0;
    }

    fn file(&mut self, _: &RelPath, _: u64, content: &mut dyn Read) -> io::Result<()> {
        match self.store.put(content, self.executable) {
            Ok(_) => Ok(()),
            Err(StoreError::Source { source }) => Err(source),
            Err(error) => {
                self.failed = Some(error);
                Err(io::Error::other("the store failed"))
            }
        }
    }
}
