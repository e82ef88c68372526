use std::io::Cursor;

use super::*;

#[path = "../../tests/support/elf.rs"]
mod build;

fn read(bytes: &[u8]) -> Option<Elf> {
    Elf::read(&mut Cursor::new(bytes)).unwrap()
}

#[test]
fn says_what_it_needs() {
    let bytes = build::elf(&["libm.so.6", "libc.so.6"], Some("$ORIGIN/../lib::/opt/x"), Some("/lib64/ld.so"));
    let elf = read(&bytes).unwrap();
    assert_eq!(elf.needed, ["libm.so.6", "libc.so.6"]);
    assert_eq!(elf.search, ["$ORIGIN/../lib", "/opt/x"]);
    assert_eq!(elf.interpreter.as_deref(), Some("/lib64/ld.so"));
    assert_eq!(elf.machine.multiarch(), Some("x86_64-linux-gnu"));
    assert_eq!(read(&build::elf(&[], None, None)).unwrap().needed, [""; 0]);
}

#[test]
fn this_test_itself_is_of_this_machine() {
    let mut file = std::fs::File::open("/proc/self/exe").unwrap();
    let elf = Elf::read(&mut file).unwrap().unwrap();
    assert_eq!(elf.machine, Machine::native());
    assert!(elf.interpreter.is_none() || elf.needed.iter().any(|name| name.starts_with("libc.")), "{elf:?}");
}

#[test]
fn other_files_need_nothing() {
    for bytes in [&b""[..], b"#!/bin/sh\n", b"!<arch>\n", b"\x7fELF", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"] {
        assert_eq!(read(bytes), None);
    }
    let mut object = build::elf(&["libc.so.6"], None, None);
    object[16] = 1;
    assert_eq!(read(&object), None, "an object file is linked, not started");
}

#[test]
fn damage_is_never_a_panic_and_never_memory() {
    let bytes = build::elf(&["libc.so.6"], Some("/x"), Some("/lib64/ld.so"));
    for length in 0..bytes.len() {
        let found = read(&bytes[..length]);
        assert!(found.is_none_or(|elf| elf.needed.len() <= 1), "cut at {length}");
    }
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _ = read(&damaged);
        }
    }
    // Sizes of 2^64 - 1 everywhere.
    let mut huge = bytes.clone();
    huge[64..64 + 3 * 56].fill(0xff);
    assert_eq!(read(&huge).unwrap().needed, [""; 0]);
    let mut many = bytes;
    many[56..58].fill(0xff);
    assert_eq!(read(&many), None, "65535 program headers");
}
