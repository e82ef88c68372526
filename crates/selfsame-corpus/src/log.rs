//! A small log in memory, and what it says of one entry.

use std::collections::BTreeMap;
use std::convert::Infallible;

use selfsame_core::Digest;
use selfsame_log::{Body, Checkpoint, LogEntry, SignedCheckpoint, Tile, Tiles, Tree, append, leaf_hash};

use crate::keys::{self, ORIGIN};

/// How many entries of others stand before the first of ours.
pub(crate) const BEFORE: u64 = 2;

struct Memory(BTreeMap<Tile, Vec<Digest>>);

impl Tiles for Memory {
    type Error = Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<Digest>, Infallible> {
        Ok(self.0[&tile].clone())
    }
}

fn infallible<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
    }
}

/// The entry of this body among others, under a checkpoint by the trusted log.
pub(crate) fn entry(body: &Body) -> LogEntry {
    entry_in(body, "log")
}

/// The same in the log of this name.
pub(crate) fn entry_in(body: &Body, log: &str) -> LogEntry {
    entries(std::slice::from_ref(body), log, 0).remove(0)
}

/// The entries of these bodies under one checkpoint of the log of this name, among entries of others, which are other ones
/// for each number.
pub(crate) fn entries(bodies: &[Body], log: &str, others: u64) -> Vec<LogEntry> {
    let other = |at: u64| leaf_hash(format!("entry {at} of {others}").as_bytes());
    let ours = bodies.iter().map(|body| leaf_hash(&body.to_bytes()));
    let leaves: Vec<Digest> = (0..BEFORE).map(other).chain(ours).chain((7..9).map(other)).collect();
    let size = leaves.len() as u64;
    let tiles = Memory(infallible(append(0, &leaves, &Memory(BTreeMap::new()))));
    let tree = Tree::new(size, &tiles);
    let checkpoint = checkpoint(log, ORIGIN, size, infallible(tree.root()));
    let id = keys::log_signer(log).key(ORIGIN).expect("an origin is a name").log_id();
    let entry = |(at, body): (u64, &Body)| {
        let index = BEFORE + at;
        LogEntry::new(id, index, body, infallible(tree.inclusion(index)), &checkpoint)
    };
    (0..).zip(bodies).map(entry).collect()
}

/// A checkpoint that the log of this name signs.
pub(crate) fn checkpoint(log: &str, origin: &str, size: u64, root: Digest) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() };
    keys::log_signer(log).sign(checkpoint).expect("a key in memory signs")
}
