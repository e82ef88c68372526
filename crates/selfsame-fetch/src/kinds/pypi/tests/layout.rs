//! Wheels as toolchains.

use selfsame_core::Digest;
use selfsame_tree::Tree;

use super::super::layout::unpacked;
use crate::kinds::pinned::PackagesError;
use crate::kinds::pinned::world::{World, wheel, zip};

/// The head of an ELF file of this type.
fn elf(kind: u8) -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    head.resize(16, 0);
    head.extend([kind, 0]);
    head.resize(64, 0);
    head
}

fn unpack(world: &World, wheels: &[(&str, Vec<u8>)]) -> Result<Tree, PackagesError> {
    let files = wheels.iter().map(|(name, bytes)| {
        let digest = world.store.put_bytes(bytes, false).unwrap();
        ((*name).to_owned(), digest, bytes.len() as u64)
    });
    unpacked(&files.collect::<Vec<(String, Digest, u64)>>(), &world.store)
}

fn listed(tree: &Tree) -> Vec<String> {
    let line = |(path, entry): (&selfsame_core::RelPath, &selfsame_tree::Entry)| match &entry.kind {
        selfsame_tree::Kind::Symlink { target } => format!("{path} -> {target}"),
        _ => format!("{path}{}", if entry.mode & 0o100 != 0 { "*" } else { "" }),
    };
    tree.iter().filter(|(path, _)| !path.as_str().contains(".dist-info")).map(line).collect()
}

#[test]
fn schemes_executables_and_links() {
    let world = World::new();
    let script = b"#!/usr/bin/env node\nrequire('../lib/cli.js')\n";
    let bytes = wheel(
        "tool",
        "1.0",
        &[
            ("tool/__init__.py", b"", 0),
            ("tool/__main__.py", b"#!/usr/bin/env python3\n", 0),
            ("tool/engine", &elf(2), 0),
            ("tool/bin/run", &elf(3), 0),
            ("tool/bin/libx.so.1", &elf(3), 0),
            ("tool/bin/cli", script, 0),
            ("tool/lib/node/bin/cli.js", script, 0),
            ("tool/lib/object.o", &elf(1), 0),
            ("tool/marked", b"data", 0o100_755),
            ("tool-1.0.data/scripts/start", b"#!python\nimport tool\n", 0),
            ("tool-1.0.data/data/share/x.txt", b"x", 0),
            ("tool-1.0.data/purelib/more.py", b"y", 0),
            ("tool-1.0.data/headers/t.h", b"z", 0),
        ],
    );
    let tree = unpack(&world, &[("tool-1.0-py3-none-any.whl", bytes)]).unwrap();
    assert_eq!(
        listed(&tree),
        [
            "bin/cli -> ../tool/bin/cli",
            "bin/engine -> ../tool/engine",
            "bin/marked -> ../tool/marked",
            "bin/run -> ../tool/bin/run",
            "bin/start*",
            "include/tool/t.h",
            "more.py",
            "share/x.txt",
            "tool/__init__.py",
            "tool/__main__.py*",
            "tool/bin/cli -> ../lib/node/bin/cli.js",
            "tool/bin/libx.so.1",
            "tool/bin/run*",
            "tool/engine*",
            "tool/lib/node/bin/cli.js*",
            "tool/lib/object.o",
            "tool/marked*",
        ]
    );
    let (digest, _) = tree.content("bin/start").unwrap();
    assert_eq!(world.store.read_blob(&digest, 100).unwrap(), b"#!/usr/bin/env python3\nimport tool\n");
}

#[test]
fn wheels_that_contradict_themselves_or_each_other() {
    let world = World::new();
    let refused = |wheels: &[(&str, Vec<u8>)], because: &str| {
        let error = unpack(&world, wheels).expect_err(because).to_string();
        assert!(error.contains(because), "{error}");
    };
    let name = "a-1-py3-none-any.whl";
    let record = |text: &str| zip(&[("a.py", b"x", 0), ("a-1.dist-info/RECORD", text.as_bytes(), 0)]);
    let good = "LXEWQrcmsEQBYnyp--6wy9chTD7GQPMTbAiWHF5IaSI";
    refused(&[(name, record(&format!("a.py,sha256={good},2\na-1.dist-info/RECORD,,\n")))], "contradicts `a.py`");
    refused(&[(name, record(&format!("a.py,sha256={}A,1\n", "A".repeat(42))))], "contradicts `a.py`");
    refused(&[(name, record("a.py,,\n"))], "contradicts `a.py`");
    refused(&[(name, record(""))], "does not name `a.py`");
    refused(&[(name, record(&format!("a.py,sha256={good},1\nb.py,,\n")))], "lacks `b.py`");
    refused(&[(name, zip(&[("a.py", b"x", 0)]))], "`.dist-info` folder");
    refused(&[(name, wheel("a", "1", &[("a-1.data/moon/x", b"x", 0)]))], "no known scheme");
    refused(&[(name, wheel("a", "1", &[("../x", b"x", 0)]))], "leaves the archive");
    refused(&[(name, wheel("a", "1", &[("x", b"/etc/passwd", 0o120_777)]))], "symbolic link");
    refused(&[(name, b"no zip file".to_vec())], "no end record");
    refused(&[("a-1.tar.gz", b"x".to_vec())], "source archive");
    let one = wheel("a", "1", &[("shared.py", b"1", 0)]);
    let two = wheel("b", "1", &[("shared.py", b"2", 0)]);
    refused(&[(name, one), ("b-1-py3-none-any.whl", two)], "another `shared.py`");
}
