//! What selfsame-log reads, writes, proves and refuses.

mod entries;
mod histories;
mod notes;
mod trees;
mod vectors;

use std::cell::RefCell;
use std::collections::BTreeMap;

use selfsame_attest::{Bundle, SigningKey, Statement, Subject, sign_statement};
use selfsame_core::Digest;
use selfsame_log::{
    Body, Checkpoint, LogEntry, LogKey, LogSigner, SignedCheckpoint, Tile, Tiles, Tree, append, leaf_hash,
};

const ORIGIN: &str = "log.example/releases";

/// The key of documents whose secret number is the SHA-256 of `text`.
fn key(text: &str) -> SigningKey {
    SigningKey::generate(|seed| {
        seed.copy_from_slice(Digest::of(text.as_bytes()).as_bytes());
        Ok(())
    })
    .unwrap()
}

/// The log's key whose seed is the SHA-256 of `text`.
fn log_signer(text: &str) -> LogSigner {
    LogSigner::from_seed(Digest::of(text.as_bytes()).as_bytes())
}

fn log_key() -> LogKey {
    log_signer("selfsame test log").key(ORIGIN).unwrap()
}

/// A signed document; each name gives another.
fn bundle(name: &str) -> Bundle {
    let subject = Subject::new(name, Digest::of(name.as_bytes()));
    sign_statement(&Statement::cosign_sign(vec![subject]), &key("selfsame test key")).unwrap()
}

/// A log in memory.
#[derive(Default)]
struct Memory {
    tiles: BTreeMap<Tile, Vec<Digest>>,
    size: u64,
    /// How many tiles were read.
    reads: RefCell<usize>,
}

impl Tiles for Memory {
    type Error = String;

    fn tile(&self, tile: Tile) -> Result<Vec<Digest>, String> {
        *self.reads.borrow_mut() += 1;
        self.tiles.get(&tile).cloned().ok_or_else(|| tile.path())
    }
}

impl Memory {
    fn of(leaves: &[Digest]) -> Self {
        let mut log = Self::default();
        log.push(leaves);
        log
    }

    fn push(&mut self, leaves: &[Digest]) {
        let written = append(self.size, leaves, self).unwrap();
        self.tiles.extend(written);
        self.size += leaves.len() as u64;
    }

    fn tree(&self) -> Tree<'_, Self> {
        Tree::new(self.size, self)
    }

    fn checkpoint(&self, signer: &LogSigner) -> SignedCheckpoint {
        let root = self.tree().root().unwrap();
        signer.sign(Checkpoint { origin: ORIGIN.to_owned(), size: self.size, root, extensions: Vec::new() }).unwrap()
    }
}

/// Bundles in a log, each with its entry.
fn logged(bundles: &[Bundle], signer: &LogSigner) -> Vec<LogEntry> {
    let public = key("selfsame test key").public();
    let bodies: Vec<Body> = bundles.iter().map(|bundle| Body::of(bundle.envelope(), &public)).collect();
    let leaves: Vec<Digest> = bodies.iter().map(|body| leaf_hash(&body.to_bytes())).collect();
    let log = Memory::of(&leaves);
    let checkpoint = log.checkpoint(signer);
    let id = signer.key(ORIGIN).unwrap().log_id();
    let entry = |(index, body)| {
        let index = index as u64;
        LogEntry::new(id, index, body, log.tree().inclusion(index).unwrap(), &checkpoint)
    };
    bodies.iter().enumerate().map(entry).collect()
}

/// Asserts that the error says `because`.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, impl std::error::Error>, because: &str) {
    let error = result.expect_err(because).to_string();
    assert!(error.contains(because), "`{error}` does not say `{because}`");
    assert!(!error.contains('\u{1b}'), "{error:?}");
}
