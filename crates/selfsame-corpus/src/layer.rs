//! What is inside of layers: archives that do harm to who unpacks them, by the right key.

use std::borrow::Borrow;

use selfsame_core::{Digest, media};
use selfsame_oci::Compression;

use crate::attack::Answer::No;
use crate::attack::release_case;
use crate::case::Grounds::Content;
use crate::case::{Case, Class};
use crate::release::{DATA, HELLO, Parts, layer};

/// One member of a tar.
struct Member {
    header: [u8; 512],
    content: Vec<u8>,
}

fn member(name: &str, kind: u8, content: &[u8]) -> Member {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    for (at, digits) in [(100, "0000644"), (108, "0000000"), (116, "0000000"), (136, "00000000000")] {
        header[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    }
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    Member { header, content: content.to_vec() }
}

impl Member {
    fn set(mut self, at: usize, bytes: &[u8]) -> Self {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn link(self, target: &str) -> Self {
        self.set(157, target.as_bytes())
    }

    fn bytes(mut self) -> Vec<u8> {
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|&byte| u32::from(byte)).sum();
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.raw()
    }

    fn raw(self) -> Vec<u8> {
        let mut bytes = self.header.to_vec();
        bytes.extend_from_slice(&self.content);
        bytes.resize(bytes.len().div_ceil(512) * 512, 0);
        bytes
    }
}

fn file(name: &str) -> Vec<u8> {
    member(name, b'0', b"x").bytes()
}

/// An extended header with one record.
fn extended(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let digits = (1..8).find(|digits| (rest + digits).to_string().len() == *digits).expect("a length");
    let text = [format!("{} {key}=", rest + digits).as_bytes(), value, b"\n"].concat();
    member("x", b'x', &text).bytes()
}

fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

fn case(item: u8, name: &str, says: &str, because: &'static str, parts: impl Borrow<Parts>) -> Case {
    release_case(item, Class::Layer, name, says, Content, No("layers", because), parts.borrow().release())
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = streams();
    cases.extend(tars());
    cases
}

/// Compressed streams that go on, or end early.
fn streams() -> Vec<Case> {
    let (good, diff_id) = layer(&[("bin/hello", HELLO), ("etc/data", DATA)], Compression::Gzip);
    let gzip = |bytes: &[u8]| Parts::good().with_layer(media::LAYER_GZIP, bytes, diff_id);
    let sum = {
        let mut bytes = good.clone();
        let at = bytes.len() - 8;
        bytes[at] ^= 1;
        bytes
    };
    vec![
        case(56, "bytes-behind-gzip", "bytes stand behind the gzip stream of a layer", "behind the gzip member", {
            gzip(&[&good[..], b"more"].concat())
        }),
        case(56, "zeros-behind-gzip", "zeros stand behind the gzip stream of a layer", "behind the gzip member", {
            gzip(&[&good[..], &[0; 512]].concat())
        }),
        case(56, "second-member", "a second gzip stream stands behind that of a layer", "behind the gzip member", {
            gzip(&[&good[..], &good[..]].concat())
        }),
        case(56, "gzip-cut", "a layer's gzip stream ends early", "layer 1", gzip(&good[..good.len() - 9])),
        case(56, "gzip-of-another-sum", "a layer's gzip stream has another sum than its bytes", "layer 1", gzip(&sum)),
        case(56, "not-gzip", "a layer that is not what its media type says", "layer 1", gzip(b"no gzip stream")),
    ]
}

/// Item, name, what it says, the reason, the members.
type Archive = (u8, &'static str, &'static str, &'static str, Vec<Vec<u8>>);

fn tars() -> Vec<Case> {
    let link = member("a", b'2', b"").link("/etc").bytes();
    let hard = |target: &str| member("l", b'1', b"").link(target).bytes();
    let device = |kind: u8| vec![member("dev/x", kind, b"").bytes()];
    let long = "a".repeat(65_536);
    let archives: Vec<Archive> = vec![
        (57, "name-that-leaves", "a member's name leads out of the root", "`../escape`", vec![file("../escape")]),
        (
            57,
            "name-that-leaves-later",
            "a member's name leads out behind a folder",
            "`a/../../x`",
            vec![file("a/../../x")],
        ),
        (57, "name-from-the-root", "a member's name begins at the root", "`/etc/passwd`", vec![file("/etc/passwd")]),
        (57, "extended-name-that-leaves", "the longer name of a member leads out of the root", "../x", {
            vec![extended("path", b"../x"), file("x")]
        }),
        (57, "through-a-link", "a file is written through a symbolic link of the layer", "layer 1", {
            vec![link.clone(), file("a/passwd")]
        }),
        (57, "link-over-a-folder", "a symbolic link takes the place of a folder with files", "layer 1", {
            vec![file("a/passwd"), link]
        }),
        (57, "hard-link-out", "a hard link leads out of the layer", "layer 1", vec![hard("../../etc/passwd")]),
        (57, "hard-link-to-nothing", "a hard link to what is not there", "layer 1", vec![hard("missing")]),
        (57, "same-name-twice", "two members have one name", "layer 1", vec![file("a"), file("a")]),
        (57, "same-name-twice-spelled-apart", "two members have one name in two spellings", "layer 1", {
            vec![file("a"), file("./a")]
        }),
        (58, "two-sizes", "a member says two sizes: who believes the other reads another archive", "layer 1", {
            vec![extended("size", b"1024"), file("a")]
        }),
        (58, "name-with-a-nul", "a member's longer name ends at a NUL for some readers", "layer 1", {
            vec![extended("path", b"a\0b"), file("x")]
        }),
        (58, "long-name-cut", "a long name with a NUL in it", "layer 1", {
            vec![member("x", b'L', b"a\0b").bytes(), file("x")]
        }),
        (58, "name-of-64-kib", "a name of 65,536 letters", "layer 1", {
            vec![member("x", b'L', long.as_bytes()).bytes(), file("x")]
        }),
        (58, "sparse", "a file with holes, which readers fill differently", "layer 1", {
            vec![member("a", b'S', b"").bytes()]
        }),
        (58, "character-device", "a device", "`dev/x`", device(b'3')),
        (58, "block-device", "a disk", "`dev/x`", device(b'4')),
        (58, "named-pipe", "a named pipe", "`dev/x`", device(b'6')),
        (58, "whiteout-of-nothing", "a file that takes away what has no name", "layer 1", {
            vec![member(".wh...", b'0', b"").bytes()]
        }),
        (58, "whiteout-of-the-folder-above", "a file that takes away what is above it", "layer 1", {
            vec![member("a/.wh..", b'0', b"").bytes()]
        }),
        (58, "wrong-sum", "a header whose sum is wrong", "layer 1", {
            vec![member("a", b'0', b"").set(148, b"0001234\0").raw()]
        }),
        (58, "negative-size", "a member of less than nothing", "layer 1", {
            vec![member("a", b'0', b"").set(124, &[0xff; 12]).bytes()]
        }),
        (58, "size-without-end", "a member of more bytes than there are", "the layers unpack to more than", {
            let size = [0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255];
            vec![member("a", b'0', b"").set(124, &size).bytes()]
        }),
    ];
    let mut cases: Vec<Case> = archives
        .into_iter()
        .map(|(item, name, says, because, members)| {
            let bytes = tar(&members);
            case(item, name, says, because, Parts::good().with_layer(media::LAYER_TAR, &bytes, Digest::of(&bytes)))
        })
        .collect();
    let whole = |bytes: Vec<u8>| Parts::good().with_layer(media::LAYER_TAR, &bytes, Digest::of(&bytes));
    cases.push(case(58, "cut", "an archive that ends within a file", "layer 1", whole(file("a")[..700].to_vec())));
    let behind = [tar(&[file("a")]), file("b")].concat();
    cases.push(case(
        58,
        "member-behind-the-end",
        "a file stands behind the end of the archive",
        "layer 1",
        whole(behind),
    ));
    cases.push(case(58, "empty", "an archive of no bytes", "layer 1", whole(Vec::new())));
    cases
}
