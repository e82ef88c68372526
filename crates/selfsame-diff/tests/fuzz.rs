//! Files of two images of which nothing is known but that they differ.

use selfsame_diff::{Known, Limits, explain_content, explain_json};
use selfsame_testing::fuzz::{checksummed, fuzz};

fn known() -> Known {
    Known::default()
}

/// A pair: what stands before and behind the first `\xff\xff\xff\xff`, or the bytes and a fixed other side.
fn pair(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.windows(4).position(|window| window == [0xff; 4]);
    at.map_or((bytes, b"\x7fELF\x02\x01\x01".as_slice()), |at| (&bytes[..at], &bytes[at + 4..]))
}

#[test]
fn fuzz_diff() {
    let archive = include_bytes!("../../../tests/corpus/zip/two-members.zip");
    let gzip = |content: &[u8], time: u32| {
        let encoder = flate2::GzBuilder::new().mtime(time).filename("a");
        let mut encoder = encoder.write(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, content).expect("memory");
        encoder.finish().expect("memory")
    };
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    (elf[16], elf[18], elf[20], elf[52], elf[54], elf[58]) = (3, 62, 1, 64, 56, 64);
    elf.extend(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0aaaaaaaaaaaaaaaaaaaa");
    let mut tar = vec![0_u8; 512];
    tar[..5].copy_from_slice(b"a.txt");
    tar[100..107].copy_from_slice(b"0000644");
    tar[124..135].copy_from_slice(b"00000000005");
    tar[156] = b'0';
    tar[257..265].copy_from_slice(b"ustar\x0000");
    tar.extend(b"hello");
    tar.resize(2048, 0);
    let tar = checksummed(&tar);
    let ar = b"!<arch>\na.o/            1700000000  0     0     100644  4         `\nabcd".to_vec();
    let pyc = b"\xa7\x0d\x0d\x0a\0\0\0\0\x01\x02\x03\x04\x10\0\0\0\xe3\0\0\0\0".to_vec();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x07tIME\x07\xea\x01\x01\0\0\0".to_vec();
    let json = b"{\"time\":1700000000,\"a\":[1,2]}".to_vec();
    let both = |one: &[u8]| {
        let mut other = one.to_vec();
        let last = other.len() - 1;
        other[last] ^= 1;
        [one, &[0xff; 4], &other].concat()
    };
    let seeds: Vec<Vec<u8>> =
        [archive.to_vec(), gzip(&tar, 7), elf, tar, ar, pyc, png, json].iter().map(|one| both(one)).collect();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let words = [
        "\u{7f}ELF",
        "!<arch>\n",
        "PK\x03\x04",
        "\x1f\u{8b}\x08\0",
        "\u{89}PNG\r\n\x1a\n",
        "ustar\x0000",
        "tIME",
        "GNU\0",
    ];
    fuzz("diff", &seeds, &words, |bytes| {
        let (a, b) = pair(bytes);
        let mut said = String::new();
        for path in ["usr/lib/x", "a.json", "a.py", "a.jar"] {
            let difference = explain_content(path, a, b, &known(), &Limits::STANDARD);
            said += &format!("{:?}", difference.guess());
        }
        Err(said)
    });
}

#[test]
fn fuzz_diff_json() {
    let seed = b"{\"a\":{\"b\":[1,2,{\"c\":null}]}}\xff\xff\xff\xff{\"a\":{\"b\":[1,3]}}";
    fuzz("diff-json", &[seed], &["{\"a\":", "[", "\u{ff}", "null"], |bytes| {
        let (a, b) = pair(bytes);
        let a = serde_json::from_slice(a).map_err(|error| error.to_string())?;
        let b = serde_json::from_slice(b).map_err(|error| error.to_string())?;
        let (changes, more) = explain_json(&a, &b, &known(), 5);
        Err(["none", "one", "more"][(changes.len() + more).min(2)].to_owned())
    });
}
