use std::collections::BTreeMap;

use proptest::prelude::*;
use selfsame_core::{Digest, RelPath};

use super::*;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn sample() -> Tree {
    let mut ping = Entry::file(Digest::of(b"ping"), 4, true);
    ping.xattrs.insert("security.capability".to_owned(), vec![1, 0, 0, 2]);
    ping.step_rank = 3;
    Tree::from_entries([
        (path("bin"), Entry::directory()),
        (path("bin/hello"), Entry::file(Digest::of(b"hello"), 5, true)),
        (path("bin/hi"), Entry::new(Kind::HardLink { target: path("bin/hello") }, 0o755)),
        (path("bin/ping"), ping),
        (path("lib"), Entry::symlink("usr/lib")),
        (path("name with space\n\u{e9}\\"), Entry::file(Digest::of(b""), 0, false)),
    ])
    .unwrap()
}

#[test]
fn golden_text_and_digest() {
    insta::assert_snapshot!(sample(), @r"
    selfsame-tree v1
    bin dir 0755 0:0 r0
    bin/hello file 0755 0:0 r0 5 sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    bin/hi hardlink 0755 0:0 r0 bin/hello
    bin/ping file 0755 0:0 r3 4 sha256:758d61f26a44448384e5c4468a0dcb7a2abe456067b0f7b505bc28b9411fe931 security.capability=01000002
    lib symlink 0777 0:0 r0 usr/lib
    name\x20with\x20space\x0a\xc3\xa9\x5c file 0644 0:0 r0 0 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    ");
    insta::assert_snapshot!(sample().digest(), @"sha256:46ffd4cd0672f3e875a77a51434ac8ca2fabfaeeeed0f643ba02ca18a6886063");
}

#[track_caller]
fn refused(lines: &str, because: &str) {
    let error = format!("selfsame-tree v1\n{lines}").parse::<Tree>().unwrap_err().to_string();
    assert!(error.contains(because), "{error}");
}

#[test]
fn one_spelling_only() {
    refused("a dir 755 0:0 r0\n", "four octal digits");
    refused("a dir 0755 00:0 r0\n", "for a number");
    refused("a dir 0755 0:0 r0", "newline");
    refused("b dir 0755 0:0 r0\na dir 0755 0:0 r0\n", "does not sort after");
    refused("a dir 0755 0:0 r0\na dir 0755 0:0 r0\n", "does not sort after");
    refused("../a dir 0755 0:0 r0\n", "leaves its root");
    refused("\\x61 dir 0755 0:0 r0\n", "needs none");
    refused("\\xZZ dir 0755 0:0 r0\n", "escape");
    refused("a fifo 0755 0:0 r0\n", "unknown kind");
    refused("a dir 0755 0:0 r0 x\n", "without `=`");
    refused("a symlink 0777 0:0 r0 b\na/c dir 0755 0:0 r0\n", "which is a symlink");
    refused("a hardlink 0755 0:0 r0 b\nb dir 0755 0:0 r0\n", "not a file before it");
    refused("\n", "has no path");
    assert!("selfsame-tree v2\n".parse::<Tree>().unwrap_err().to_string().contains("line 1"));
}

#[test]
fn moves_and_unions() {
    let moved = sample().below(&path("opt/x")).unwrap();
    assert_eq!(moved.content("opt/x/bin/hi"), Some((Digest::of(b"hello"), 5)));
    assert_eq!(moved.subtree(&path("opt/x")).unwrap(), sample());
    assert_eq!(sample().union(&sample()).unwrap(), sample());
    let other = Tree::from_entries([(path("lib"), Entry::symlink("elsewhere"))]).unwrap();
    assert_eq!(sample().union(&other), Err(TreeError::Twice { path: path("lib") }));
}

#[test]
fn compares_all_but_ranks() {
    let other = Tree::from_entries(sample().iter().map(|(path, entry)| {
        let mut entry = entry.clone();
        entry.step_rank += 1;
        if path.as_str() == "bin/hello" {
            entry.mode = 0o700;
        }
        (path.clone(), entry)
    }))
    .unwrap();
    let tree = sample();
    let changes = compare(&tree, &other);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path().as_str(), "bin/hello");
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let name = "[a-c \\\\\u{e9}\n=]{1,3}";
    let entry =
        (0..3u8, 0..0o7777u32, any::<u32>(), any::<u32>(), any::<u64>(), proptest::collection::vec(any::<u8>(), 0..4));
    let entries = proptest::collection::btree_map(proptest::collection::vec(name, 1..3), entry, 0..12);
    entries.prop_map(|entries| {
        let mut tree = BTreeMap::new();
        for (parts, (kind, mode, uid, rank, size, bytes)) in entries {
            let Ok(path) = RelPath::new(parts.join("/")) else { continue };
            let kind = match kind {
                0 => Kind::Directory,
                1 => Kind::File { digest: Digest::of(&bytes), size },
                _ => Kind::Symlink { target: parts[0].clone() },
            };
            let xattrs = BTreeMap::from([(format!("user.{}", parts[0]), bytes)]);
            tree.insert(path, Entry { kind, mode, uid, gid: uid, xattrs, step_rank: rank });
        }
        Tree::from_entries(tree).unwrap_or_default()
    })
}

proptest! {
    #[test]
    fn text_is_reversible(tree in any_tree()) {
        prop_assert_eq!(tree.to_string().parse::<Tree>().unwrap(), tree);
    }

    #[test]
    fn parsing_never_panics(text in "(selfsame-tree v1\n)?.{0,80}\n?") {
        let _ = text.parse::<Tree>();
    }
}
