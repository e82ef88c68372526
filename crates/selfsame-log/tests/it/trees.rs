//! Roots and proofs, against RFC 6962's definition and other people's numbers.

use proptest::prelude::*;
use selfsame_core::Digest;
use selfsame_log::{ProofError, Tile, leaf_hash, node_hash, verify_consistency, verify_inclusion};

use crate::Memory;

/// The Merkle tree hash as RFC 6962 section 2.1 defines it.
fn defined(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            node_hash(defined(&leaves[..half]), defined(&leaves[half..]))
        }
    }
}

fn leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|number| leaf_hash(format!("entry {number}").as_bytes())).collect()
}

/// The entries and roots that the tests of Certificate Transparency have had since 2012.
#[test]
fn roots_are_those_of_certificate_transparency() {
    let entries: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut log = Memory::default();
    assert_eq!(log.tree().root().unwrap(), Digest::of(b""));
    for (entry, root) in entries.into_iter().zip(roots) {
        log.push(&[leaf_hash(entry)]);
        assert_eq!(log.tree().root().unwrap().hex(), root, "{} entries", log.size);
    }
}

/// Every size around the width of a tile, appended in steps of several sizes.
#[test]
fn tiles_give_the_defined_root_however_they_were_filled() {
    let all = leaves(600);
    for step in [1, 7, 255, 256, 257, 600] {
        let mut log = Memory::default();
        for chunk in all.chunks(step) {
            log.push(chunk);
            let expected = defined(&all[..usize::try_from(log.size).unwrap()]);
            assert_eq!(log.tree().root().unwrap(), expected, "step {step}, size {}", log.size);
        }
        assert!(Tile::of_tree(600).all(|tile| log.tiles.contains_key(&tile)), "step {step}");
    }
}

#[test]
fn a_large_log_is_proved_from_few_tiles() {
    let log = Memory::of(&leaves(70_000));
    *log.reads.borrow_mut() = 0;
    let tree = log.tree();
    let (root, proof) = (tree.root().unwrap(), tree.inclusion(12_345).unwrap());
    verify_inclusion(leaf_hash(b"entry 12345"), 12_345, 70_000, &proof, root).unwrap();
    assert!(*log.reads.borrow() <= 6, "{} tiles were read", log.reads.borrow());
}

#[test]
fn every_proof_of_small_trees_holds() {
    let all = leaves(40);
    for size in 1..=40u64 {
        let log = Memory::of(&all[..usize::try_from(size).unwrap()]);
        let (tree, root) = (log.tree(), log.tree().root().unwrap());
        for index in 0..size {
            let leaf = all[usize::try_from(index).unwrap()];
            let proof = tree.inclusion(index).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()), "{index} of {size}");
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify_inclusion(leaf, other, size, &proof, root).is_err(), "{index} as {other} of {size}");
            }
        }
        for old in 0..=size {
            let old_root = defined(&all[..usize::try_from(old).unwrap()]);
            let proof = tree.consistency(old).unwrap();
            assert_eq!(verify_consistency(old, old_root, size, root, &proof), Ok(()), "{old} of {size}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A proof with a hash changed, taken out or put in, or for another size, proves nothing.
    #[test]
    fn a_changed_proof_does_not_hold(size in 2u64..300, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let all = leaves(usize::try_from(size).unwrap());
        let log = Memory::of(&all);
        let root = log.tree().root().unwrap();
        let index = a.index(all.len());
        let proof = log.tree().inclusion(index as u64).unwrap();
        let check = |proof: &[Digest], size| verify_inclusion(all[index], index as u64, size, proof, root);
        prop_assert_eq!(check(&proof, size), Ok(()));
        let at = b.index(proof.len());
        let mut changed = proof.clone();
        changed[at] = Digest::of(b"other");
        let wrong_root = matches!(check(&changed, size), Err(ProofError::Root { .. }));
        prop_assert!(wrong_root);
        let mut shorter = proof.clone();
        shorter.remove(at);
        prop_assert!(check(&shorter, size).is_err());
        let mut longer = proof.clone();
        longer.insert(at, Digest::of(b"other"));
        prop_assert!(check(&longer, size).is_err());
        let past_the_end = matches!(check(&proof, index as u64), Err(ProofError::Index { .. }));
        prop_assert!(past_the_end);

        let old = 1 + b.index(all.len() - 1) as u64;
        let old_root = Memory::of(&all[..usize::try_from(old).unwrap()]).tree().root().unwrap();
        let proof = log.tree().consistency(old).unwrap();
        let check = |proof: &[Digest], old_root| verify_consistency(old, old_root, size, root, proof);
        prop_assert_eq!(check(&proof, old_root), Ok(()));
        prop_assert!(check(&proof, Digest::of(b"other")).is_err());
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at] = Digest::of(b"other");
            prop_assert!(check(&changed, old_root).is_err());
            let mut shorter = proof.clone();
            shorter.remove(at);
            prop_assert!(check(&shorter, old_root).is_err());
        }
        let mut longer = proof.clone();
        longer.push(Digest::of(b"other"));
        prop_assert!(check(&longer, old_root).is_err());
    }
}

#[test]
fn a_log_that_was_rewritten_or_cut_is_not_consistent() {
    let (all, mut other) = (leaves(20), leaves(20));
    other[3] = leaf_hash(b"another");
    let (log, forked) = (Memory::of(&all), Memory::of(&other));
    let (root, old) = (forked.tree().root().unwrap(), Memory::of(&all[..10]).tree().root().unwrap());
    let proof = forked.tree().consistency(10).unwrap();
    assert!(matches!(verify_consistency(10, old, 20, root, &proof), Err(ProofError::OldRoot { .. })));
    let now = log.tree().root().unwrap();
    assert!(matches!(verify_consistency(20, now, 10, old, &[]), Err(ProofError::Shrunk { .. })));
    assert!(matches!(verify_consistency(20, now, 20, root, &[]), Err(ProofError::OldRoot { .. })));
    assert!(matches!(verify_consistency(0, old, 20, root, &[]), Err(ProofError::OldRoot { .. })));
    assert!(matches!(verify_consistency(10, old, 20, now, &[]), Err(ProofError::Length { .. })));
}
