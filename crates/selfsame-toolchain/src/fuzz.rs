//! Programs, the loader's cache and channel manifests of hosts and toolchains.

use std::io::Cursor;

use selfsame_testing::fuzz::{answer, fuzz};

use crate::channel::Channel;
use crate::elf::Elf;
use crate::ldcache;

#[test]
fn fuzz_elf() {
    // Of this machine and small: an interpreter and libraries are needed.
    let program = std::fs::read("/bin/true").unwrap_or_else(|_| b"\x7fELF\x02\x01\x01".to_vec());
    let words = [
        "\u{7f}ELF\x02\x01\x01",
        "\x03\0\x3e\0",
        "\x02\0\0\0",
        "\x1d\0\0\0",
        "/lib64/ld-linux-x86-64.so.2\0",
        "$ORIGIN",
    ];
    fuzz("elf", &[&program], &words, |bytes| answer(Elf::read(&mut Cursor::new(bytes))));
}

#[test]
fn fuzz_ldcache() {
    // One library: the header, its row, and its two texts.
    let mut cache = b"glibc-ld.so.cache1.1".to_vec();
    cache.extend([1_u32, 27].map(u32::to_ne_bytes).concat());
    cache.resize(48, 0);
    cache.extend([0x0303_u32, 72, 82, 0, 0, 0].map(u32::to_ne_bytes).concat());
    cache.extend(b"libc.so.6\0/lib/libc.so.6\0");
    assert_eq!(ldcache::parse(&cache).map(|rows| rows.len()), Some(1));
    fuzz("ldcache", &[&cache], &["glibc-ld.so.cache1.1", "ld.so-1.7.0\0", "\0\0\0\u{80}"], |bytes| {
        let rows = ldcache::parse(bytes);
        answer(rows.map(drop).ok_or("no cache"))
    });
}

#[test]
fn fuzz_channel() {
    let text = "manifest-version = \"2\"\ndate = \"2026-01-01\"\n[pkg.rustc]\nversion = \"1.95.0 (x 2026)\"\n[pkg.rustc.target.x86_64-unknown-linux-gnu]\navailable = true\nxz_url = \"https://static.example/a.tar.xz\"\nxz_hash = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n[renames.clippy]\nto = \"clippy-preview\"\n";
    fuzz("channel", &[text.as_bytes()], &["[pkg.", "[renames.", "available = ", "\"*\"", "xz_hash = "], |bytes| {
        let channel: Result<Channel, _> = toml::from_str(&String::from_utf8_lossy(bytes));
        if let Ok(channel) = &channel {
            let _ = (channel.archive("rustc", "x"), channel.rustc_version().is_some());
        }
        answer(channel)
    });
}
