//! Entries that are right one by one, and cannot be of one log that only grows.

use selfsame_attest::Bundle;
use selfsame_core::Digest;
use selfsame_log::{Body, Fork, Histories, LogEntry, LogKey, Logged, leaf_hash, verify_entry};

use crate::{Memory, bundle, key, log_key, log_signer};

/// Documents by name in a log, each with its body's hash.
struct Log {
    bundles: Vec<Bundle>,
    leaves: Vec<Digest>,
    bodies: Vec<Body>,
}

impl Log {
    fn of(names: impl IntoIterator<Item = String>) -> Self {
        let public = key("selfsame test key").public();
        let bundles: Vec<Bundle> = names.into_iter().map(|name| bundle(&name)).collect();
        let bodies: Vec<Body> = bundles.iter().map(|it| Body::of(it.envelope(), &public)).collect();
        let leaves = bodies.iter().map(|body| leaf_hash(&body.to_bytes())).collect();
        Self { bundles, leaves, bodies }
    }

    /// What a reader learns of entry `index` when the log has `size` of them.
    fn look<'a>(&self, log: &'a LogKey, index: usize, size: usize) -> Logged<'a> {
        let memory = Memory::of(&self.leaves[..size]);
        let proof = memory.tree().inclusion(index as u64).unwrap();
        let at = memory.checkpoint(&log_signer("selfsame test log"));
        let entry = LogEntry::new(log.log_id(), index as u64, &self.bodies[index], proof, &at);
        let public = key("selfsame test key").public();
        verify_entry(&entry, self.bundles[index].envelope(), &public, [log]).unwrap().unwrap()
    }
}

/// Names of documents, from place `fork` on those of another history.
fn names(count: usize, fork: usize, history: &str) -> Vec<String> {
    (0..count).map(|at| if at < fork { format!("document {at}") } else { format!("{history} {at}") }).collect()
}

#[test]
fn a_log_that_only_grows_has_one_history() {
    const MOST: usize = 21;
    let (log, documents) = (log_key(), Log::of(names(MOST, MOST, "")));
    let mut all = Histories::default();
    for size in 1..=MOST {
        let mut of_size = Histories::default();
        for index in 0..size {
            of_size.add(&documents.look(&log, index, size));
        }
        assert_eq!(of_size.fork(), None, "size {size}");
        all.merge(&of_size);
    }
    assert_eq!(all.fork(), None);
}

#[test]
fn two_trees_of_one_size_have_one_root() {
    let log = log_key();
    for (size, fork) in [(1, 0), (4, 3), (5, 4), (7, 2), (16, 9)] {
        let [one, other] = ["one", "other"].map(|history| Log::of(names(size, fork, history)));
        // Two documents that both trees have, in one place: only the roots differ, or the way to them.
        let mut seen = Histories::default();
        seen.add(&one.look(&log, 0, size));
        assert_eq!(seen.fork(), None);
        seen.add(&other.look(&log, 0, size));
        let found = seen.fork().unwrap();
        assert!(matches!(found, Fork::Roots { .. }), "{found}");
        let text = found.to_string();
        assert!(text.starts_with("the log `log.example/releases` has two histories: with"), "{text}");
    }
}

#[test]
fn one_place_holds_one_entry() {
    let log = log_key();
    let [one, other] = ["one", "other"].map(|history| Log::of(names(9, 5, history)));
    let mut seen = Histories::default();
    seen.add(&one.look(&log, 5, 6));
    seen.add(&other.look(&log, 5, 9));
    let found = seen.fork().unwrap();
    assert_eq!(found, Fork::Entries { origin: crate::ORIGIN.to_owned(), index: 5 });
    assert_eq!(found.to_string(), "the log `log.example/releases` has two histories: its entry 5 is two");
}

/// Trees of two sizes: their proofs have parts in common, or give the older root when put together.
#[test]
fn a_tree_is_found_again_in_a_larger_one() {
    let log = log_key();
    let [one, other] = ["one", "other"].map(|history| Log::of(names(24, 6, history)));
    let fork = |looks: &[(&Log, usize, usize)]| {
        let mut seen = Histories::default();
        let mut each = Vec::new();
        for (documents, index, size) in looks {
            let logged = documents.look(&log, *index, *size);
            seen.add(&logged);
            let mut alone = Histories::default();
            alone.add(&logged);
            assert_eq!(alone.fork(), None);
            each.push(alone);
        }
        // The order says nothing, nor whether it was read at once.
        let mut merged = Histories::default();
        each.iter().rev().for_each(|it| merged.merge(it));
        assert_eq!(merged.fork().is_some(), seen.fork().is_some());
        seen.fork()
    };
    // Entry 1 is in both; the proofs have the entries 4 to 7 in common, which are others.
    let found = fork(&[(&one, 1, 9), (&other, 1, 17)]).unwrap();
    assert_eq!(found, Fork::Trees { origin: crate::ORIGIN.to_owned(), first: 4, last: 7 });
    assert_eq!(fork(&[(&one, 1, 9), (&one, 1, 17)]), None);
    // The older root is that of eight entries, which the newer proof has as one hash.
    assert!(fork(&[(&one, 0, 8), (&other, 8, 16)]).is_some());
    assert_eq!(fork(&[(&one, 0, 8), (&one, 8, 16)]), None);
    // The older tree has eleven entries, of which its own proof shows the first eight; the newer proofs together have all
    // the parts that its root is made of.
    let [early, late] = ["one", "other"].map(|history| Log::of(names(24, 8, history)));
    let parts = [(&late, 8, 16), (&late, 10, 16)];
    let found = fork(&[(&early, 0, 11), parts[0], parts[1]]).unwrap();
    assert!(matches!(found, Fork::Roots { size: 11, .. }), "{found}");
    assert_eq!(fork(&[(&late, 0, 11), parts[0], parts[1]]), None);
    assert_eq!(fork(&[(&early, 0, 11), parts[0]]), None, "not all parts are known");
    // What lies before the fork contradicts nothing.
    assert_eq!(fork(&[(&one, 1, 4), (&other, 1, 4)]), None);
}

#[test]
fn a_witness_sees_a_log_grow() {
    let (log, documents) = (log_key(), Log::of(names(8, 8, "")));
    let [small, large] = [4, 8].map(|size| documents.look(&log, 1, size));
    let seen = |looks: &[(&Logged<'_>, &str, u64)]| {
        let mut seen = Histories::default();
        for (logged, witness, time) in looks {
            seen.add(logged);
            seen.saw(logged, witness, *time);
        }
        seen.fork()
    };
    assert_eq!(seen(&[(&small, "w", 10), (&large, "w", 20), (&small, "w", 20), (&large, "w", 30)]), None);
    assert_eq!(seen(&[(&small, "w", 30), (&large, "another", 20)]), None, "two clocks say nothing of each other");
    let found = seen(&[(&large, "w", 20), (&small, "w", 5), (&small, "w", 21)]).unwrap();
    let (origin, witness) = (crate::ORIGIN.to_owned(), "w".to_owned());
    assert_eq!(found, Fork::Shrunk { origin, witness, larger: 8, smaller: 4 });
    assert!(found.to_string().contains("saw 8 entries in it, and 4 at a later time"), "{found}");
}
