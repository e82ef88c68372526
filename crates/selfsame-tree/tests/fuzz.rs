//! Trees as texts, read from foreign bytes.

use selfsame_core::{Digest, RelPath};
use selfsame_testing::fuzz::{answer, fuzz};
use selfsame_tree::{Entry, Kind, Tree};

#[test]
fn fuzz_tree() {
    let path = |text: &str| RelPath::new(text).expect("a path");
    let owned = Entry { uid: 1000, gid: 1000, step_rank: 2, ..Entry::file(Digest::of(b"x"), 1, true) };
    let second = Entry { kind: Kind::HardLink { target: path("a") }, ..owned.clone() };
    let entries = [(path("a"), owned), (path("b"), second), (path("lib"), Entry::symlink("usr/lib \n\t\\"))];
    let text = Tree::from_entries(entries).expect("a tree").to_string();
    fuzz("tree", &[text.as_bytes()], &["file", "dir", "link", "hard", "sha256:", "\\x", "0755"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let tree = text.parse::<Tree>();
        if let Ok(tree) = &tree {
            assert_eq!(tree.to_string(), text, "two texts of one tree");
            let _ = (tree.size_bytes(), tree.contents(), tree.below(&path("a")));
        }
        answer(tree)
    });
}
