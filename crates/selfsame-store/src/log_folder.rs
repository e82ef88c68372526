//! A transparency log as a folder: tiles, entries and a checkpoint, as C2SP tlog-tiles lays them out.
//!
//! ```text
//! checkpoint                 the one file that changes; whoever reads it finds all that it speaks of
//! log.pub                    the log's key, for convenience: trust it from elsewhere
//! tile/0/000.p/7             hashes
//! tile/entries/000.p/7       what they are hashes of
//! .lock, .tmp/               the writer's
//! ```
//!
//! A writer holds the lock, writes entries and tiles, then the checkpoint, each beside its place, synced and renamed. So a
//! writer that dies anywhere leaves the old checkpoint with all that it needs, and the next one removes what is beyond it.
//! docs/log/v1.md.

mod check;
mod disk;
mod error;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selfsame_core::Digest;
use selfsame_log::tile::{MOST_ENTRY_BYTES, TILE_WIDTH};
use selfsame_log::{
    Body, Checkpoint, LogEntry, LogKey, LogSigner, SignedCheckpoint, Tile, Tiles, Tree, append, entries_path,
    leaf_hash, parse_entries, print_entries, verify_consistency, verify_inclusion,
};

use crate::publish::Replace;
use crate::{Staging, sys};

pub use check::{LogFault, LogReport};
pub use error::LogFolderError;

use disk::Disk;

/// The file that says how many entries there are.
const CHECKPOINT: &str = "checkpoint";
/// The file with the log's key.
const KEY: &str = "log.pub";
/// The longest key file that is read.
const MOST_KEY_BYTES: u64 = 4096;
/// The writer's lock.
const LOCK: &str = ".lock";

/// How often a writer that finds the log taken looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A log in a folder.
#[derive(Clone, Debug)]
pub struct LogFolder {
    path: PathBuf,
    key: LogKey,
}

impl LogFolder {
    /// Makes a log without entries at `path`, where nothing may be.
    pub fn create(path: &Path, origin: &str, signer: &LogSigner) -> Result<Self, LogFolderError> {
        let key = signer.key(origin).map_err(LogFolderError::Sign)?;
        let empty = Checkpoint {
            origin: origin.to_owned(),
            size: 0,
            root: selfsame_log::merkle::empty_root(),
            extensions: Vec::new(),
        };
        let checkpoint = signer.sign(empty).map_err(LogFolderError::Sign)?;
        let staging = Staging::beside(path).map_err(LogFolderError::Publish)?;
        let folder = staging.create_dir().map_err(LogFolderError::Publish)?;
        for (name, content) in [(KEY, format!("{key}\n")), (CHECKPOINT, checkpoint.note.to_string())] {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(|error| LogFolderError::io("write", &path, error))?;
        }
        staging.publish(Replace::Never).map_err(LogFolderError::Publish)?;
        Self::open(path)
    }

    /// A log that is there, with the key that its folder names.
    pub fn open(path: &Path) -> Result<Self, LogFolderError> {
        let file = path.join(KEY);
        let text = match read(path, KEY, MOST_KEY_BYTES)? {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => return Err(LogFolderError::NotALog { path: path.to_owned(), missing: KEY }),
        };
        let key = LogKey::parse(&text).map_err(|fault| LogFolderError::Key { path: file, fault })?;
        let log = Self { path: path.to_owned(), key };
        log.checkpoint()?;
        Ok(log)
    }

    /// The key that the folder names. Whoever can write the folder can write another one.
    #[must_use]
    pub const fn key(&self) -> &LogKey {
        &self.key
    }

    /// The newest checkpoint, whose signature is by [`LogFolder::key`].
    pub fn checkpoint(&self) -> Result<SignedCheckpoint, LogFolderError> {
        let path = self.path.join(CHECKPOINT);
        let bytes = read(&self.path, CHECKPOINT, selfsame_log::note::MOST_NOTE_BYTES as u64)?;
        let bytes = bytes.ok_or_else(|| LogFolderError::NotALog { path: self.path.clone(), missing: CHECKPOINT })?;
        let checkpoint = SignedCheckpoint::parse(&bytes).and_then(|checkpoint| {
            checkpoint.verify(&self.key)?;
            Ok(checkpoint)
        });
        checkpoint.map_err(|fault| LogFolderError::Checkpoint { path, fault })
    }

    /// Puts entries behind the last one, those aside that are there already, and gives each its proof at one checkpoint.
    ///
    /// Waits as long as `patience` for another writer. All of them are in the log when this returns, or a prefix of what
    /// this would have written lies beyond the checkpoint and counts for nothing.
    pub fn append(
        &self,
        bodies: &[Body],
        signer: &LogSigner,
        patience: Duration,
    ) -> Result<Vec<LogEntry>, LogFolderError> {
        self.append_on(&Disk::new(&self.path), bodies, signer, patience)
    }

    fn append_on(
        &self,
        disk: &Disk<'_>,
        bodies: &[Body],
        signer: &LogSigner,
        patience: Duration,
    ) -> Result<Vec<LogEntry>, LogFolderError> {
        if signer.key(self.key.origin()).map_err(LogFolderError::Sign)? != self.key {
            return Err(LogFolderError::WrongSigner { path: self.path.clone() });
        }
        let _lock = self.lock(patience)?;
        // Read under the lock: another writer may have been here since.
        let old = self.checkpoint()?;
        let size = old.checkpoint.size;
        self.heal(disk, size)?;
        let tree = Tree::new(size, self);
        let root = tree.root()?;
        if root != old.checkpoint.root {
            return Err(LogFolderError::Damaged { path: self.path.clone(), root, signed: old.checkpoint.root });
        }

        let leaves: Vec<(Digest, Vec<u8>)> = bodies
            .iter()
            .map(|body| {
                let bytes = body.to_bytes();
                (leaf_hash(&bytes), bytes)
            })
            .collect();
        let mut places = self.places(size, leaves.iter().map(|(leaf, _)| *leaf))?;
        let mut new: Vec<(Digest, &[u8])> = Vec::new();
        for (leaf, bytes) in &leaves {
            places.entry(*leaf).or_insert_with(|| {
                new.push((*leaf, bytes));
                size + new.len() as u64 - 1
            });
        }
        let at = if new.is_empty() { old } else { self.grow(disk, &old, &new, signer)? };
        self.proofs(bodies, &leaves, &places, &at)
    }

    /// Puts a cosigned checkpoint in the place of the newest one, if it is that one still.
    ///
    /// Entries that are looked up again afterwards carry it; the next new entry makes a checkpoint without it.
    pub fn put_cosigned(&self, cosigned: &SignedCheckpoint, patience: Duration) -> Result<(), LogFolderError> {
        let _lock = self.lock(patience)?;
        if self.checkpoint()?.note.text() != cosigned.note.text() {
            return Err(LogFolderError::Moved { path: self.path.clone() });
        }
        let disk = Disk::new(&self.path);
        disk.put(CHECKPOINT, cosigned.note.to_string().as_bytes())?;
        disk.settle()
    }

    /// The entry at `index`, and its proof at the newest checkpoint.
    pub fn prove(&self, index: u64) -> Result<LogEntry, LogFolderError> {
        let at = self.checkpoint()?;
        let size = at.checkpoint.size;
        if index >= size {
            return Err(LogFolderError::NoEntry { index, size });
        }
        let bytes = self.entry(index, size)?;
        let body = Body::parse(&bytes).map_err(|fault| LogFolderError::Body { index, fault })?;
        let tree = Tree::new(size, self);
        let proof = tree.inclusion(index)?;
        self.proved(leaf_hash(&bytes), index, &proof, &at)?;
        Ok(LogEntry::new(self.key.log_id(), index, &body, proof, &at))
    }

    /// The bytes of one entry of a log of `size` entries.
    fn entry(&self, index: u64, size: u64) -> Result<Vec<u8>, LogFolderError> {
        let tile = Tile::at(0, index / TILE_WIDTH, size).ok_or(LogFolderError::NoEntry { index, size })?;
        let (name, bytes) = self.entries(tile)?;
        let damaged = || LogFolderError::NotATile { path: self.path.join(&name) };
        let entries = parse_entries(&bytes, tile.width).ok_or_else(damaged)?;
        let offset = usize::try_from(index % TILE_WIDTH).expect("below 256");
        Ok(entries[offset].to_vec())
    }

    /// Writes entries and tiles, then the checkpoint.
    fn grow(
        &self,
        disk: &Disk<'_>,
        old: &SignedCheckpoint,
        new: &[(Digest, &[u8])],
        signer: &LogSigner,
    ) -> Result<SignedCheckpoint, LogFolderError> {
        let size = old.checkpoint.size;
        let grown = size + new.len() as u64;
        for (name, bytes) in self.entry_files(size, new)? {
            disk.put(&name, &bytes)?;
        }
        let leaves: Vec<Digest> = new.iter().map(|(leaf, _)| *leaf).collect();
        for (tile, hashes) in append(size, &leaves, self)? {
            disk.put(&tile.path(), &Tile::print(&hashes))?;
        }
        disk.settle()?;

        // What is signed is read back from the disk, and proved to go on from what was signed before.
        let tree = Tree::new(grown, self);
        let root = tree.root()?;
        let proof = tree.consistency(size)?;
        verify_consistency(size, old.checkpoint.root, grown, root, &proof)
            .map_err(|fault| LogFolderError::Proof { path: self.path.clone(), fault })?;
        let origin = self.key.origin().to_owned();
        let checkpoint = Checkpoint { origin, size: grown, root, extensions: Vec::new() };
        let signed = signer.sign(checkpoint).map_err(LogFolderError::Sign)?;
        disk.put(CHECKPOINT, signed.note.to_string().as_bytes())?;
        disk.settle()?;
        self.drop_superseded(disk, size, grown)?;
        Ok(signed)
    }

    /// The files of entries that are new or longer.
    fn entry_files(&self, size: u64, new: &[(Digest, &[u8])]) -> Result<Vec<(String, Vec<u8>)>, LogFolderError> {
        let too_long = || LogFolderError::TooLong { most_bytes: MOST_ENTRY_BYTES };
        let mut index = size / TILE_WIDTH;
        let mut files = Vec::new();
        let (mut bytes, mut width) = match Tile::at(0, index, size) {
            Some(tile) => (self.entries(tile)?.1, u64::from(tile.width)),
            None => (Vec::new(), 0),
        };
        let mut rest = new;
        while !rest.is_empty() {
            let room = usize::try_from(TILE_WIDTH - width).expect("at most 256");
            let (now, later) = rest.split_at(room.min(rest.len()));
            bytes.extend(print_entries(now.iter().map(|(_, entry)| *entry)).ok_or_else(too_long)?);
            width += now.len() as u64;
            let name = entries_path(index, u16::try_from(width).expect("at most 256"));
            files.push((name, std::mem::take(&mut bytes)));
            (rest, width, index) = (later, 0, index + 1);
        }
        Ok(files)
    }

    /// Where leaves stand that are there already. Reads the hash of every entry, 32 bytes each.
    fn places(&self, size: u64, wanted: impl Iterator<Item = Digest>) -> Result<BTreeMap<Digest, u64>, LogFolderError> {
        let wanted: BTreeSet<Digest> = wanted.collect();
        let mut places = BTreeMap::new();
        for tile in Tile::of_tree(size).take_while(|tile| tile.level == 0) {
            for (offset, hash) in self.tile(tile)?.into_iter().enumerate() {
                if wanted.contains(&hash) {
                    places.entry(hash).or_insert(tile.index * TILE_WIDTH + offset as u64);
                }
            }
        }
        Ok(places)
    }

    fn proofs(
        &self,
        bodies: &[Body],
        leaves: &[(Digest, Vec<u8>)],
        places: &BTreeMap<Digest, u64>,
        at: &SignedCheckpoint,
    ) -> Result<Vec<LogEntry>, LogFolderError> {
        let tree = Tree::new(at.checkpoint.size, self);
        let mut entries = Vec::with_capacity(bodies.len());
        for (body, (leaf, _)) in bodies.iter().zip(leaves) {
            let index = places[leaf];
            let proof = tree.inclusion(index)?;
            self.proved(*leaf, index, &proof, at)?;
            entries.push(LogEntry::new(self.key.log_id(), index, body, proof, at));
        }
        Ok(entries)
    }

    /// A proof that would not hold is never handed out.
    fn proved(&self, leaf: Digest, index: u64, proof: &[Digest], at: &SignedCheckpoint) -> Result<(), LogFolderError> {
        verify_inclusion(leaf, index, at.checkpoint.size, proof, at.checkpoint.root)
            .map_err(|fault| LogFolderError::Proof { path: self.path.clone(), fault })
    }

    fn lock(&self, patience: Duration) -> Result<File, LogFolderError> {
        let path = self.path.join(LOCK);
        let failed = |error| LogFolderError::io("lock", &path, error);
        let file = sys::open_lock(&path).map_err(failed)?;
        // Counted, not timed: this crate asks no clock.
        for look in 0..=patience.as_millis() / LOOK_AGAIN.as_millis() {
            if look > 0 {
                std::thread::sleep(LOOK_AGAIN);
            }
            if sys::try_lock(&file).map_err(failed)? {
                return Ok(file);
            }
        }
        Err(LogFolderError::Busy { path: self.path.clone() })
    }

    /// Removes what a writer that died has left: files half written, and whole ones beyond the checkpoint.
    fn heal(&self, disk: &Disk<'_>, size: u64) -> Result<(), LogFolderError> {
        disk.sweep()?;
        let hashes = |level: u8| size >> (8 * u32::from(level));
        disk.remove_beyond("tile/entries", size)?;
        (0..8).try_for_each(|level| disk.remove_beyond(&format!("tile/{level}"), hashes(level)))
    }

    /// Removes partial tiles whose full tile is there now (tlog-tiles, "Partial Tiles").
    fn drop_superseded(&self, disk: &Disk<'_>, old: u64, new: u64) -> Result<(), LogFolderError> {
        for level in 0..8u8 {
            let full = |size: u64| size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            for index in full(old)..full(new) {
                disk.remove_partial(&Tile { level, index, width: 256 }.path())?;
                if level == 0 {
                    disk.remove_partial(&entries_path(index, 256))?;
                }
            }
        }
        Ok(())
    }

    /// A file of entries, and its name. Where a partial one is gone, the full one that superseded it begins with it.
    fn entries(&self, tile: Tile) -> Result<(String, Vec<u8>), LogFolderError> {
        let most = TILE_WIDTH * (MOST_ENTRY_BYTES as u64 + 2);
        let name = entries_path(tile.index, tile.width);
        if let Some(bytes) = read(&self.path, &name, most)? {
            return Ok((name, bytes));
        }
        let missing = LogFolderError::NotATile { path: self.path.join(&name) };
        let full = entries_path(tile.index, 256);
        let bytes = read(&self.path, &full, most)?.ok_or(missing)?;
        let damaged = || LogFolderError::NotATile { path: self.path.join(&full) };
        let entries = parse_entries(&bytes, 256).ok_or_else(damaged)?;
        let first = entries.into_iter().take(usize::from(tile.width));
        Ok((full.clone(), print_entries(first).ok_or_else(damaged)?))
    }
}

impl Tiles for LogFolder {
    type Error = LogFolderError;

    fn tile(&self, tile: Tile) -> Result<Vec<Digest>, LogFolderError> {
        let path = self.path.join(tile.path());
        let damaged = |path| LogFolderError::NotATile { path };
        if let Some(bytes) = read(&self.path, &tile.path(), TILE_WIDTH * 32)? {
            return tile.parse(&bytes).ok_or_else(|| damaged(path));
        }
        let name = Tile { width: 256, ..tile }.path();
        let full = self.path.join(&name);
        let bytes = read(&self.path, &name, TILE_WIDTH * 32)?.ok_or_else(|| damaged(path))?;
        let mut hashes = Tile { width: 256, ..tile }.parse(&bytes).ok_or_else(|| damaged(full))?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }
}

/// A file's bytes; one that is longer than it may be is cut one byte behind that, which no reader takes. A log is written
/// by whoever may write its folder: below it no link is followed, and nothing but a regular file is opened.
fn read(root: &Path, name: &str, most_bytes: u64) -> Result<Option<Vec<u8>>, LogFolderError> {
    let mut bytes = Vec::new();
    match sys::open_below(root, name).and_then(|file| file.take(most_bytes + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LogFolderError::io("read", &root.join(name), error)),
    }
}
