//! What several entries show of a log together: whether it has one history.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use selfsame_attest::text::quote;
use selfsame_core::Digest;

use crate::merkle::node_hash;
use crate::verify::Logged;

/// The trees of which entries that count say that they are in, by the log's origin.
///
/// Each entry's proof is right in itself; two of them may be of logs that told one reader one thing and another reader
/// another. Seen side by side they contradict each other: by size and root, by a part of the tree that both have, or by
/// the time at which one witness saw them.
#[derive(Clone, Debug, Default)]
pub struct Histories {
    logs: BTreeMap<String, History>,
}

/// What is known of one log.
#[derive(Clone, Debug, Default)]
struct History {
    /// By the tree's size.
    roots: BTreeMap<u64, Digest>,
    /// Hashes of whole subtrees, which a tree keeps as it grows, by level and place.
    nodes: BTreeMap<(u32, u64), Digest>,
    /// By witness and size: when it first and last cosigned that tree, in seconds since 1970.
    seen: BTreeMap<(String, u64), (u64, u64)>,
    /// The first contradiction that was met.
    fork: Option<Fork>,
}

/// Two statements of one log that cannot both be of a log that only grows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fork {
    /// Two trees of one size.
    #[error("the log `{origin}` has two histories: with {size} entries its root is {one}, and it is {other}")]
    Roots {
        /// The log.
        origin: String,
        /// Entries.
        size: u64,
        /// One root.
        one: Digest,
        /// The other.
        other: Digest,
    },
    /// Two entries in one place.
    #[error("the log `{origin}` has two histories: its entry {index} is two")]
    Entries {
        /// The log.
        origin: String,
        /// The place.
        index: u64,
    },
    /// Two trees that both have the same entries, and differ there.
    #[error("the log `{origin}` has two histories: its entries {first} to {last} are others in another tree of it")]
    Trees {
        /// The log.
        origin: String,
        /// The first of the entries.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// A smaller tree after a larger one.
    #[error(
        "the log `{origin}` went back: the witness `{witness}` saw {larger} entries in it, and {smaller} at a later time"
    )]
    Shrunk {
        /// The log.
        origin: String,
        /// Who saw both.
        witness: String,
        /// Entries before.
        larger: u64,
        /// Entries later.
        smaller: u64,
    },
}

impl Histories {
    /// Takes in an entry that counts.
    pub fn add(&mut self, logged: &Logged<'_>) {
        let log = self.logs.entry(logged.log.origin().to_owned()).or_default();
        let checkpoint = &logged.checkpoint.checkpoint;
        log.root(&checkpoint.origin, checkpoint.size, checkpoint.root);
        for (&place, &hash) in &logged.subtrees {
            log.node(&checkpoint.origin, place, hash);
        }
    }

    /// Takes in that a witness cosigned the entry's checkpoint, at a time in seconds since 1970.
    pub fn saw(&mut self, logged: &Logged<'_>, witness: &str, time: u64) {
        let log = self.logs.entry(logged.log.origin().to_owned()).or_default();
        log.saw(witness, logged.checkpoint.checkpoint.size, time, time);
    }

    /// Takes in what is known from elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (origin, theirs) in &other.logs {
            let ours = self.logs.entry(origin.clone()).or_default();
            ours.fork = ours.fork.take().or_else(|| theirs.fork.clone());
            for (&size, &root) in &theirs.roots {
                ours.root(origin, size, root);
            }
            for (&place, &hash) in &theirs.nodes {
                ours.node(origin, place, hash);
            }
            for ((witness, size), &(first, last)) in &theirs.seen {
                ours.saw(witness, *size, first, last);
            }
        }
    }

    /// What cannot be of one history, if something cannot: all trees are held against each other as far as the proofs
    /// reach. Two trees whose proofs have no part in common may still be of two histories: `log check --since` reads the
    /// log itself.
    #[must_use]
    pub fn fork(&self) -> Option<Fork> {
        self.logs.iter().find_map(|(origin, log)| log.clone().contradiction(origin))
    }
}

impl History {
    fn root(&mut self, origin: &str, size: u64, root: Digest) {
        let before = *self.roots.entry(size).or_insert(root);
        if before != root {
            let origin = quote(origin);
            self.fork.get_or_insert(Fork::Roots { origin, size, one: before.min(root), other: before.max(root) });
        }
    }

    fn node(&mut self, origin: &str, place: (u32, u64), hash: Digest) {
        match self.nodes.entry(place) {
            Entry::Vacant(vacant) => _ = vacant.insert(hash),
            Entry::Occupied(before) if *before.get() == hash => {}
            Entry::Occupied(_) => _ = self.fork.get_or_insert(differing(origin, place)),
        }
    }

    fn saw(&mut self, witness: &str, size: u64, first: u64, last: u64) {
        let seen = self.seen.entry((witness.to_owned(), size)).or_insert((first, last));
        *seen = (seen.0.min(first), seen.1.max(last));
    }

    fn contradiction(mut self, origin: &str) -> Option<Fork> {
        self.grow(origin);
        for (&size, &root) in &self.roots {
            if let Some(computed) = self.root_of(size).filter(|computed| *computed != root) {
                let origin = quote(origin);
                let (one, other) = (computed.min(root), computed.max(root));
                self.fork.get_or_insert(Fork::Roots { origin, size, one, other });
            }
        }
        let mut before: Option<(&String, u64, u64)> = None;
        for ((witness, size), &(first, last)) in &self.seen {
            let same = before.filter(|(name, ..)| *name == witness);
            // Sizes of one witness come in order: none of an earlier one may be seen after this one's first time.
            if let Some((_, smaller, _)) = same.filter(|(_, _, latest)| *latest > first) {
                let (origin, witness, larger) = (quote(origin), quote(witness), *size);
                self.fork.get_or_insert(Fork::Shrunk { origin, witness, larger, smaller });
            }
            before = match same {
                Some((_, smaller, latest)) if latest > last => Some((witness, smaller, latest)),
                _ => Some((witness, *size, last)),
            };
        }
        self.fork
    }

    /// Every subtree whose two halves are known, too.
    fn grow(&mut self, origin: &str) {
        for level in 0..63 {
            let row: Vec<(u64, Digest)> =
                self.nodes.range((level, 0)..(level + 1, 0)).map(|(&(_, index), &hash)| (index, hash)).collect();
            for pair in row.windows(2) {
                let [(left, one), (right, other)] = [pair[0], pair[1]];
                if left % 2 == 0 && right == left + 1 {
                    self.node(origin, (level + 1, left / 2), node_hash(one, other));
                }
            }
        }
    }

    /// The root of the tree of this size, if the subtrees are known that it is made of.
    fn root_of(&self, size: u64) -> Option<Digest> {
        let mut root = None;
        // From the right: the smallest subtree first.
        for level in (0..63_u32).filter(|level| size >> level & 1 == 1) {
            let node = *self.nodes.get(&(level, (size >> level) - 1))?;
            root = Some(root.map_or(node, |right| node_hash(node, right)));
        }
        root
    }
}

fn differing(origin: &str, (level, index): (u32, u64)) -> Fork {
    let origin = quote(origin);
    match level {
        0 => Fork::Entries { origin, index },
        _ => Fork::Trees { origin, first: index << level, last: (index << level) + ((1 << level) - 1) },
    }
}
