//! Good packages, and what they are read as.

use std::io::Read;

use selfsame_core::RelPath;
use selfsame_oci::LayerVisitor;

use super::making::{ar, control, deb, deb_of, file, folder, gzip, link, tar, xz, zst};
use crate::{DebError, Limits, read, read_control};

#[derive(Default)]
struct Seen(Vec<(String, u32, String)>, u32);

impl LayerVisitor for Seen {
    fn mode(&mut self, _: &RelPath, mode: u32) {
        self.1 = mode;
    }

    fn file(&mut self, path: &RelPath, _: u64, content: &mut dyn Read) -> std::io::Result<()> {
        let mut text = String::new();
        content.read_to_string(&mut text)?;
        self.0.push((path.to_string(), self.1, text));
        Ok(())
    }
}

#[test]
fn every_compression_gives_the_same_tree() {
    let mut program = file("./usr/bin/hello", "\x7fELF");
    program.mode = 0o4755;
    let data = tar(&[
        folder("./"),
        folder("./usr/bin/"),
        program,
        link("./usr/bin/hi", b'1', "./usr/bin/hello"),
        link("./usr/bin/hey", b'2', "hello"),
    ]);
    let mut trees = Vec::new();
    for (name, bytes) in [
        ("data.tar", data.clone()),
        ("data.tar.gz", gzip(&data)),
        ("data.tar.xz", xz(&data)),
        ("data.tar.zst", zst(&data)),
    ] {
        let mut seen = Seen::default();
        let deb = read(&deb_of(name, bytes)[..], Limits::PACKAGE, &mut seen).unwrap();
        assert_eq!(seen.0, [("usr/bin/hello".to_owned(), 0o4755, "\x7fELF".to_owned())]);
        assert_eq!(deb.control.control.package, "hello");
        assert_eq!(deb.control.conffiles(), ["etc/hello.conf"]);
        trees.push(deb.tree.to_string());
    }
    assert!(trees.iter().all(|tree| tree == &trees[0]));
    insta::assert_snapshot!(trees[0], @r"
    selfsame-tree v1
    . dir 0755 0:0 r0
    usr/bin dir 0755 0:0 r0
    usr/bin/hello file 4755 0:0 r0 4 sha256:3bdbb4fe8397cd2b842430b39ccff01a8663c751945ef5e9a09e267fb8b1d359
    usr/bin/hey symlink 0777 0:0 r0 hello
    usr/bin/hi hardlink 4755 0:0 r0 usr/bin/hello
    ");
}

#[test]
fn control_is_read_without_the_data() {
    let mut bytes = deb(&[file("./a", "x")]);
    bytes.truncate(bytes.len() - 600);
    let files = read_control(&bytes[..]).unwrap();
    let control = files.control;
    assert_eq!((control.source.0.as_str(), control.source.1.as_str()), ("hello-src", "2.9"));
    assert_eq!(control.file_name(), "hello_2.10-3_amd64.deb");
    assert_eq!(control.maintainer.as_deref(), Some("A B <a@example.com>"));
    assert_eq!(control.depends.len(), 2);
    assert!(matches!(read(&bytes[..], Limits::PACKAGE, &mut ()), Err(DebError::Tar { .. })));
}

#[test]
fn names_with_an_underscore_are_passed_over() {
    let bytes = ar(&[
        ("debian-binary/", b"2.1\n".to_vec()),
        ("_gpgorigin/", b"x".to_vec()),
        ("control.tar/", control()),
        ("data.tar/", tar(&[file("./a", "x")])),
        ("_more/", b"xyz".to_vec()),
    ]);
    assert_eq!(read(&bytes[..], Limits::PACKAGE, &mut ()).unwrap().tree.len(), 1);
}
