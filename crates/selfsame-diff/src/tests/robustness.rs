//! Strangers' bytes: whatever they are, an explanation comes back, with a place and a cause.

use proptest::prelude::*;

use super::explained;
use super::fixtures::{ar, build_id, elf, gzip, png, pyc, tar, zip};

fn specimens() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a", elf(&[(".rodata", b"hello world"), (".note.gnu.build-id", &build_id(&[1; 20])), (".symtab", b"abc")])),
        ("a.a", ar(&[("a.o", 1, 2, 0o644, b"abc"), ("b.o", 1, 2, 0o644, b"abcd")])),
        ("a.gz", gzip(b"some content", 7, "name")),
        ("a.zip", zip(&[("x", 7, b"abc"), ("y", 8, b"defg")])),
        ("a.tar", tar(&[("x/y", b"abc", 0o644, 7), ("z", b"", 0o755, 8)])),
        ("a.pyc", pyc(7, b"some code")),
        ("a.png", png(&[("IHDR", &[0; 13]), ("tEXt", b"a text")])),
        ("a.json", br#"{"a":[1,2,{"b":"c"}]}"#.to_vec()),
        ("a.txt", b"one two\nthree 1700000000 /home/x/y\nfour\n".to_vec()),
    ]
}

/// Places are there, texts are clipped, and the same question has the same answer.
fn sound(path: &str, a: &[u8], b: &[u8]) {
    let found = explained(path, a, b);
    assert!(!found.places.is_empty() && !found.causes.is_empty(), "{path}: {found:?}");
    for place in &found.places {
        assert!(place.a.len() < 2_000 && place.b.len() < 2_000 && place.at.len() < 2_000, "{path}: {place:?}");
    }
    assert_eq!(found, explained(path, a, b));
}

#[test]
fn every_cut_of_every_kind() {
    for (path, whole) in specimens() {
        for length in 0..whole.len() {
            sound(path, &whole, &whole[..length]);
        }
    }
}

#[test]
fn every_flipped_byte_of_every_kind() {
    for (path, whole) in specimens() {
        for at in 0..whole.len() {
            for flip in [0xff, 0x01, 0x80] {
                let mut other = whole.clone();
                other[at] ^= flip;
                sound(path, &whole, &other);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_two_contents(a in prop::collection::vec(any::<u8>(), 0..300), b in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assume!(a != b);
        sound("x", &a, &b);
    }

    #[test]
    fn any_two_texts(a in "(?s).{0,80}", b in "(?s).{0,80}") {
        prop_assume!(a != b);
        sound("x", a.as_bytes(), b.as_bytes());
    }

    #[test]
    fn any_splice(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), with in prop::collection::vec(any::<u8>(), 0..16)) {
        let specimens = specimens();
        let (path, whole) = which.get(&specimens);
        let at = at.index(whole.len());
        let mut other = whole.clone();
        other.splice(at..(at + 4).min(whole.len()), with);
        prop_assume!(*whole != other);
        sound(path, whole, &other);
    }
}
