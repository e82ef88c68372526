//! One kind of file each: the explainer that takes it, the place it names, the cause.

use super::fixtures::{ar, build_id, elf, gzip, png, pyc, tar, zip};
use super::{caused, explained, picture};
use selfsame_core::Level;

use crate::{Cause, ContentDifference};

#[track_caller]
fn at(difference: &ContentDifference, kind: &str, places: &[&str]) {
    assert_eq!(difference.kind, kind);
    assert_eq!(difference.places.iter().map(|place| place.at.as_str()).collect::<Vec<_>>(), places);
}

#[test]
fn text_names_the_first_differing_line() {
    let found = explained("x.h", b"one\nbuilt 2026-11-20\nthree\n", b"one\nbuilt 2026-11-21\nthree\n");
    at(&found, "text", &["line 2"]);
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
    insta::assert_snapshot!(picture("x.h", b"one\nbuilt 2026-11-20\nthree\n", b"one\nbuilt 2026-11-21\nthree\n"));
}

#[test]
fn text_with_the_same_lines_in_another_order_is_an_order() {
    let found = explained("list", b"head\nc\na\nb\ntail\n", b"head\nb\nc\na\ntail\n");
    at(&found, "text", &["lines 2-4"]);
    caused(&found, Cause::Order, Some(Level::Deterministic));
}

#[test]
fn text_sorted_by_two_locales_is_a_locale() {
    let found = explained("list", b"Beta\nDelta\nalpha\ngamma\n", b"alpha\nBeta\nDelta\ngamma\n");
    caused(&found, Cause::Locale, Some(Level::Isolated));
}

#[test]
fn an_inserted_line_is_not_an_order() {
    let found = explained("list", b"a\nb\nc\nd\n", b"a\nnew\nb\nc\nd\n");
    at(&found, "text", &["line 2"]);
    caused(&found, Cause::Unknown, None);
    let found = explained("list", b"a\nb\nc\nd\nx\n", b"a\nnew\nb\nc\nd\ny\n");
    assert!(found.causes.iter().all(|guess| guess.cause != Cause::Order), "{found:#?}");
}

#[test]
fn text_without_its_last_newline() {
    let found = explained("x", b"one\ntwo\n", b"one\ntwo");
    assert_eq!(found.kind, "bytes");
    at(&found, "bytes", &["offset 7 (0x7)"]);
}

#[test]
fn elf_with_a_drawn_build_id() {
    let program = |id: &[u8]| elf(&[(".text", b"\x90\x90"), (".note.gnu.build-id", &build_id(id)), (".symtab", b"s")]);
    let found = explained("app", &program(&[7; 16]), &program(&[9; 16]));
    at(&found, "ELF", &["note .note.gnu.build-id"]);
    caused(&found, Cause::BuildId, Some(Level::Deterministic));
    // Twenty bytes are SHA-1 of the sections, which are equal here: something was hashed that is no longer there.
    let stripped = |id: &[u8]| elf(&[(".text", b"\x90\x90"), (".note.gnu.build-id", &build_id(id))]);
    let found = explained("app", &stripped(&[7; 20]), &stripped(&[9; 20]));
    caused(&found, Cause::Opaque, None);
    assert!(found.guess().evidence.contains("stripped since"));
}

#[test]
fn elf_build_id_follows_from_another_section() {
    let program = |text: &[u8], id: u8| elf(&[(".rodata", text), (".note.gnu.build-id", &build_id(&[id; 20]))]);
    let (a, b) = (program(b"\0built 09:26:22\0", 1), program(b"\0built 09:27:01\0", 2));
    let found = explained("app", &a, &b);
    at(&found, "ELF", &[".rodata + 7", "note .note.gnu.build-id"]);
    caused(&found, Cause::Timestamp, Some(Level::Normalized));
    assert_eq!(found.causes[1].cause, Cause::Derived);
    insta::assert_snapshot!(picture("app", &a, &b));
}

#[test]
fn elf_code_alone_has_no_known_cause_and_beside_a_text_follows_from_it() {
    let program = |code: &[u8], text: &[u8]| elf(&[(".text", code), (".rodata", text)]);
    let found = explained("app", &program(b"\x90\x01", b"same text"), &program(b"\x90\x02", b"same text"));
    caused(&found, Cause::Unknown, None);
    let found = explained("app", &program(b"\x90\x01", b"in /home/ada/x"), &program(b"\x90\x02", b"in /home/bob/x"));
    caused(&found, Cause::BuildPath, Some(Level::Isolated));
}

#[test]
fn elf_with_a_build_path_in_its_debug_information() {
    let program = |path: &[u8]| elf(&[(".text", b"\x90"), (".debug_line_str", path)]);
    let found = explained("app", &program(b"/home/ada/src/app\0main.c\0"), &program(b"/home/bob/src/app\0main.c\0"));
    caused(&found, Cause::BuildPath, Some(Level::Isolated));
}

#[test]
fn elf_sections_named_by_hashes_are_paired() {
    let object = |hash: &str, byte: u8| elf(&[(&format!(".data.llvm.{hash}"), &[byte; 9])]);
    let found = explained("a.o", &object("1234567890123456789", 1), &object("9876543210987654321", 1));
    // Only the table of section names differs.
    assert!(found.places.iter().all(|place| place.at.starts_with(".shstrtab")), "{found:#?}");
    caused(&found, Cause::Derived, None);
}

#[test]
fn ar_tells_headers_from_contents() {
    let library = |time, mode| ar(&[("a.o", time, 0, mode, b"code"), ("b.o", time, 0, mode, b"more!")]);
    let found = explained("x.a", &library(1_700_000_000, 0o100_644), &library(1_700_000_007, 0o100_600));
    at(
        &found,
        "ar archive",
        &["member a.o: modification time", "member a.o: mode", "member b.o: modification time", "member b.o: mode"],
    );
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
    assert_eq!(found.causes[1].cause, Cause::FileMode);
    assert!(found.summary.contains("2 have other headers and 0 other contents"), "{}", found.summary);
}

#[test]
fn ar_tells_the_order_of_members() {
    let (a, b) = (("a.o", 0, 0, 0o644, &b"a"[..]), ("b.o", 0, 0, 0o644, &b"b"[..]));
    let found = explained("x.a", &ar(&[a, b]), &ar(&[b, a]));
    at(&found, "ar archive", &["member order"]);
    caused(&found, Cause::Order, Some(Level::Deterministic));
}

#[test]
fn gzip_tells_header_from_content() {
    let found = explained(
        "x.gz",
        &gzip(b"same content here", 1_700_000_000, "x"),
        &gzip(b"same content here", 1_700_000_060, "x"),
    );
    at(&found, "gzip", &["gzip header: modification time"]);
    assert_eq!(found.summary, "only the header; the content is equal");
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));

    let found = explained("x.gz", &gzip(b"on host alpha\n", 0, ""), &gzip(b"on host gamma\n", 0, ""));
    at(&found, "gzip", &["content: line 1"]);
    caused(&found, Cause::Unknown, None);
}

#[test]
fn gzip_of_equal_content_by_two_compressors() {
    use std::io::Write;
    let level = |level| {
        let mut writer = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::new(level));
        writer.write_all(&b"abcabcabdabcabcabe".repeat(50)).unwrap();
        writer.finish().unwrap()
    };
    let (stored, best) = (level(0), level(9));
    let found = explained("x.gz", &stored, &best);
    caused(&found, Cause::Compressor, None);
}

#[test]
fn a_tar_inside_a_gzip() {
    let archive = |time| gzip(&tar(&[("pkg/a", b"a", 0o644, time), ("pkg/b", b"b", 0o644, 1_700_000_000)]), 0, "");
    let found = explained("pkg.tar.gz", &archive(1_700_000_001), &archive(1_700_000_002));
    at(&found, "gzip", &["content: entry pkg/a: modification time"]);
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
}

#[test]
fn zip_tells_times_and_contents() {
    // 2026-11-20 09:26:22 and four seconds later, in MS-DOS form.
    let time = |seconds: u32| (((46 << 9) | (11 << 5) | 20) << 16) | (9 << 11) | (26 << 5) | (seconds / 2);
    let jar = |seconds, content| {
        zip(&[("META-INF/MANIFEST.MF", time(seconds), b"Version: 1\n"), ("A.class", time(0), content)])
    };
    let found = explained("x.jar", &jar(22, b"one"), &jar(26, b"one"));
    at(&found, "zip", &["entry META-INF/MANIFEST.MF: modification time"]);
    assert_eq!(
        (found.places[0].a.as_str(), found.places[0].b.as_str()),
        ("2026-11-20 09:26:22", "2026-11-20 09:26:26")
    );
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
    let found = explained("x.jar", &jar(22, b"one"), &jar(22, b"two"));
    at(&found, "zip", &["entry A.class: line 1"]);
}

#[test]
fn python_bytecode_tells_header_from_code() {
    let found = explained("m.pyc", &pyc(1_700_000_000, b"code"), &pyc(1_700_000_009, b"code"));
    at(&found, "Python bytecode", &["header: source modification time"]);
    caused(&found, Cause::Timestamp, Some(Level::Normalized));
    let found = explained("m.pyc", &pyc(7, b"{foo}{bar}{quux}"), &pyc(7, b"{quux}{foo}{bar}"));
    at(&found, "Python bytecode", &["code + 1"]);
    caused(&found, Cause::Order, Some(Level::Normalized));
}

#[test]
fn png_time_chunk() {
    let image = |second| png(&[("IHDR", &[0; 13]), ("tIME", &[7, 0xea, 11, 20, 9, 26, second]), ("IEND", b"")]);
    let found = explained("x.png", &image(1), &image(2));
    at(&found, "PNG", &["chunk tIME"]);
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
}

#[test]
fn json_names_the_pointer() {
    let found = explained("x.json", br#"{"a":{"b/c":[1,{"t":1700000000}]}}"#, br#"{"a":{"b/c":[1,{"t":1700000050}]}}"#);
    at(&found, "JSON", &["/a/b~1c/1/t"]);
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
    // Another spelling of the same value is told as text.
    assert_eq!(explained("x.json", b"{\"a\":1}", b"{ \"a\":1}").kind, "text");
    let found = explained("x.json", br#"{"a":["x","y"]}"#, br#"{"a":["y","x"]}"#);
    at(&found, "JSON", &["/a"]);
    caused(&found, Cause::Order, Some(Level::Deterministic));
}

#[test]
fn any_bytes_are_shown_with_what_is_around_them() {
    let (mut a, mut b) = (vec![0x80u8; 100], vec![0x80u8; 100]);
    a[40..44].copy_from_slice(&1_700_000_000u32.to_le_bytes());
    b[40..44].copy_from_slice(&1_700_000_923u32.to_le_bytes());
    let found = explained("x.bin", &a, &b);
    at(&found, "bytes", &["offset 40 (0x28)"]);
    caused(&found, Cause::Timestamp, Some(Level::Deterministic));
    let (a, b): (Vec<u8>, Vec<u8>) =
        ((0..32u8).map(|i| i.wrapping_mul(7) | 128).collect(), (0..32u8).map(|i| i.wrapping_mul(11) & 127).collect());
    let (a, b) = ([&[0x80; 16][..], &a, &[0x80; 16]].concat(), [&[0x80; 16][..], &b, &[0x80; 16]].concat());
    caused(&explained("x.bin", &a, &b), Cause::Opaque, None);
}

#[test]
fn archives_are_opened_only_so_deep() {
    let (mut a, mut b) = (b"one\n".to_vec(), b"two\n".to_vec());
    for _ in 0..10 {
        (a, b) = (gzip(&a, 0, ""), gzip(&b, 0, ""));
    }
    let found = explained("x.gz", &a, &b);
    assert_eq!(found.places[0].at.matches("content").count(), crate::Limits::STANDARD.depth + 1);
}

#[test]
fn a_compressed_bomb_is_compared_as_bytes() {
    let limits = crate::Limits { inflated_bytes: 1 << 16, ..crate::Limits::STANDARD };
    let bomb = |byte| gzip(&vec![byte; 1 << 20], 0, "");
    let found = crate::explain_content("x.gz", &bomb(1), &bomb(2), &crate::Known::default(), &limits);
    assert_eq!(found.kind, "bytes");
}

/// What a check of a build says ends in the logs of a CI that many read.
#[test]
fn what_is_in_a_private_key_is_never_shown() {
    let pem = |text: &str, kind: &str| format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n").into_bytes();
    let (one, other) =
        ("MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0waxxxxxxx");
    let hidden = |path: &str, a: &[u8], b: &[u8]| {
        let found = explained(path, a, b);
        let shown = format!("{found:?}");
        assert!(!shown.contains("wawIBAQQg") && !shown.contains("xxxxx"), "{path}: {shown}");
        assert!(!shown.contains("77 61 77"), "{path}: {shown}");
        assert!(shown.contains("not shown"), "{path}: {shown}");
    };
    for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"] {
        hidden("etc/server.pem", &pem(one, kind), &pem(other, kind));
        // Where it stands in something else, and where only one side has one.
        hidden(
            "config.json",
            &serde_json::to_vec(&serde_json::json!({ "k": String::from_utf8_lossy(&pem(one, kind)) })).unwrap(),
            b"{\"k\":\"xxxxxxx\"}",
        );
        let (a, b) = (tar(&[("in.pem", &pem(one, kind), 0o644, 0)]), tar(&[("in.pem", &pem(other, kind), 0o644, 0)]));
        hidden("x.tar", &a, &b);
        hidden("x.tar.gz", &gzip(&a, 0, ""), &gzip(&b, 0, ""));
    }
    hidden(
        "etc/ssl/private/host.key",
        &[b"0\x82\x01".as_slice(), one.as_bytes()].concat(),
        &[b"0\x82\x01".as_slice(), other.as_bytes()].concat(),
    );
    hidden("etc/shadow", b"root:wawIBAQQg:1::::::\n", b"root:xxxxx:1::::::\n");
    let found = explained("public.pem", &pem(one, "PUBLIC KEY"), &pem(other, "PUBLIC KEY"));
    assert!(format!("{found:?}").contains("wawIBAQQg"), "a public key is no secret");
}
