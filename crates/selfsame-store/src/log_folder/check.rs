//! Everything in a log hashed again, and held against its checkpoint and an older one.

use selfsame_core::Digest;
use selfsame_log::merkle::{empty_root, node_hash, perfect_root};
use selfsame_log::tile::TILE_WIDTH;
use selfsame_log::{
    CheckpointError, LogKey, ProofError, SignedCheckpoint, Tile, Tiles, Tree, leaf_hash, parse_entries,
    verify_consistency,
};

use super::{LogFolder, LogFolderError};

/// The most faults that are listed.
const MOST_FAULTS: usize = 20;

/// What was found.
#[derive(Clone, Debug)]
pub struct LogReport {
    /// The newest checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// Entries that were hashed.
    pub entries: u64,
    /// Tiles that were compared.
    pub tiles: u64,
    /// In order; none if the log is whole and only grew. At most twenty: with the twentieth, or a checkpoint that is not by
    /// the key, nothing more is looked at.
    pub faults: Vec<LogFault>,
}

/// Something that is not as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogFault {
    /// A file that is missing, or not as long as its place asks for.
    #[error("`{path}` is missing or damaged")]
    File {
        /// Below the log's folder.
        path: String,
    },
    /// An entry that is not the one that was hashed.
    #[error("entry {index} is not the one that `{path}` has the hash of")]
    Entry {
        /// Its place.
        index: u64,
        /// The tile.
        path: String,
    },
    /// A hash that is not that of the tile below it.
    #[error("hash {offset} of `{path}` is not that of the tile below it")]
    Hash {
        /// The tile.
        path: String,
        /// Its place in there.
        offset: usize,
    },
    /// The whole does not give the signed root.
    #[error("the entries give the root {computed}, and the checkpoint has {signed}")]
    Root {
        /// Of the entries.
        computed: Digest,
        /// Signed.
        signed: Digest,
    },
    /// A checkpoint that is not by this log.
    #[error("{which}: {fault}")]
    Checkpoint {
        /// Which one.
        which: &'static str,
        /// What is wrong with it.
        fault: CheckpointError,
    },
    /// The older checkpoint's tree is not the beginning of this one's.
    #[error("the log did not only grow since the older checkpoint: {0}")]
    Rewritten(ProofError),
}

impl LogFolder {
    /// Reads and hashes everything. With `since`, an older checkpoint that somebody kept, also proves that nothing was
    /// taken out or changed between it and now. Both have to be by `key`.
    ///
    /// What is wrong with the log is in the report; an error is what kept this from looking.
    pub fn check(&self, key: &LogKey, since: Option<&SignedCheckpoint>) -> Result<LogReport, LogFolderError> {
        let checkpoint = self.checkpoint()?;
        let mut check = Checking { log: self, entries: 0, tiles: 0, faults: Vec::new() };
        // Whoever wrote the size into it decides how much there is to do: nobody but the log's owner does.
        if let Err(fault) = checkpoint.verify(key) {
            let faults = vec![LogFault::Checkpoint { which: "the newest checkpoint", fault }];
            return Ok(LogReport { checkpoint, entries: 0, tiles: 0, faults });
        }
        let size = checkpoint.checkpoint.size;
        let root = match check.leaves(size)? {
            Some(leaves) => check.upward(size, leaves)?,
            None => None,
        };
        if let Some(computed) = root.filter(|root| *root != checkpoint.checkpoint.root) {
            check.fault(LogFault::Root { computed, signed: checkpoint.checkpoint.root });
        }
        if let Some(since) = since.filter(|_| !check.full()) {
            check.since(key, since, &checkpoint)?;
        }
        let Checking { entries, tiles, faults, .. } = check;
        Ok(LogReport { checkpoint, entries, tiles, faults })
    }
}

struct Checking<'a> {
    log: &'a LogFolder,
    entries: u64,
    tiles: u64,
    faults: Vec<LogFault>,
}

impl Checking<'_> {
    fn fault(&mut self, fault: LogFault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }

    /// Whether no more faults are listed: a checkpoint may speak of more tiles than there are files on this earth.
    fn full(&self) -> bool {
        self.faults.len() == MOST_FAULTS
    }

    /// Hashes the entries and compares level 0. Gives the roots of its tiles, each with the number of its hashes; nothing
    /// for one that could not be read, of which there are fewer than [`MOST_FAULTS`]. Nothing at all if it stopped there.
    fn leaves(&mut self, size: u64) -> Result<Option<Vec<Option<Vec<Digest>>>>, LogFolderError> {
        let mut rows = Vec::new();
        for tile in Tile::of_tree(size).take_while(|tile| tile.level == 0) {
            if self.full() {
                return Ok(None);
            }
            let stored = self.stored(tile)?;
            let Some(bytes) = self.readable(self.log.entries(tile))? else {
                rows.push(None);
                continue;
            };
            let (name, bytes) = bytes;
            let Some(entries) = parse_entries(&bytes, tile.width) else {
                self.fault(LogFault::File { path: name });
                rows.push(None);
                continue;
            };
            let hashes: Vec<Digest> = entries.into_iter().map(leaf_hash).collect();
            self.entries += hashes.len() as u64;
            for (offset, (found, stored)) in hashes.iter().zip(stored.unwrap_or_default()).enumerate() {
                if *found != stored {
                    let index = tile.index * TILE_WIDTH + offset as u64;
                    self.fault(LogFault::Entry { index, path: tile.path() });
                }
            }
            // Only the root of a full tile goes up; the last tile's hashes are needed for the whole's root.
            rows.push(Some(if u64::from(tile.width) == TILE_WIDTH { vec![perfect_root(&hashes)] } else { hashes }));
        }
        Ok(Some(rows))
    }

    /// Compares every level above and gives the root, if all could be read.
    fn upward(&mut self, size: u64, rows: Vec<Option<Vec<Digest>>>) -> Result<Option<Digest>, LogFolderError> {
        let mut right: Vec<Vec<Digest>> = Vec::new();
        let mut whole = true;
        let mut row: Vec<Option<Digest>> = Vec::new();
        let (full, mut last) = (size / TILE_WIDTH, Vec::new());
        for (index, found) in rows.into_iter().enumerate() {
            whole &= found.is_some();
            if (index as u64) < full {
                row.push(found.and_then(|hashes| hashes.first().copied()));
            } else {
                last = found.unwrap_or_default();
            }
        }
        right.push(last);
        for level in 1..8u8 {
            if row.is_empty() {
                break;
            }
            let mut above = Vec::new();
            let mut last = Vec::new();
            for (index, hashes) in row.chunks(256).enumerate() {
                let width = u16::try_from(hashes.len()).expect("at most 256");
                let tile = Tile { level, index: index as u64, width };
                if let Some(stored) = self.stored(tile)? {
                    for (offset, (found, stored)) in hashes.iter().zip(stored).enumerate() {
                        if found.is_some_and(|found| found != stored) {
                            self.fault(LogFault::Hash { path: tile.path(), offset });
                        }
                    }
                }
                let known: Option<Vec<Digest>> = hashes.iter().copied().collect();
                if hashes.len() == 256 {
                    above.push(known.map(|known| perfect_root(&known)));
                } else {
                    last = known.unwrap_or_default();
                }
            }
            right.push(last);
            row = above;
        }
        Ok(whole.then(|| root_of(&right)))
    }

    fn since(&mut self, key: &LogKey, since: &SignedCheckpoint, now: &SignedCheckpoint) -> Result<(), LogFolderError> {
        if let Err(fault) = since.verify(key) {
            self.fault(LogFault::Checkpoint { which: "the older checkpoint", fault });
            return Ok(());
        }
        let (old, new) = (&since.checkpoint, &now.checkpoint);
        let proof = if old.size > new.size {
            Some(Vec::new())
        } else {
            self.readable(Tree::new(new.size, self.log).consistency(old.size))?
        };
        let Some(proof) = proof else { return Ok(()) };
        if let Err(fault) = verify_consistency(old.size, old.root, new.size, new.root, &proof) {
            self.fault(LogFault::Rewritten(fault));
        }
        Ok(())
    }

    /// A tile as it lies there.
    fn stored(&mut self, tile: Tile) -> Result<Option<Vec<Digest>>, LogFolderError> {
        self.tiles += 1;
        self.readable(self.log.tile(tile))
    }

    /// What was read; a damaged file is a fault of the log, any other error keeps us from looking.
    fn readable<T>(&mut self, read: Result<T, LogFolderError>) -> Result<Option<T>, LogFolderError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(LogFolderError::NotATile { path }) => {
                let path = path.strip_prefix(&self.log.path).unwrap_or(&path).display().to_string();
                let fault = LogFault::File { path };
                if !self.faults.contains(&fault) {
                    self.fault(fault);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The root of a tree whose right edge has these hashes, by level: complete subtrees from the smallest to the largest.
fn root_of(right: &[Vec<Digest>]) -> Digest {
    let mut root = None;
    for hashes in right {
        // From the right: the parts of a row are powers of two, the largest first.
        let mut rest = hashes.as_slice();
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (part, later) = rest.split_at(1 << rest.len().ilog2());
            parts.push(perfect_root(part));
            rest = later;
        }
        for part in parts.into_iter().rev() {
            root = Some(root.map_or(part, |root| node_hash(part, root)));
        }
    }
    root.unwrap_or_else(empty_root)
}
