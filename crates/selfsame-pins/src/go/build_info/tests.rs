//! Programs made by hand, byte for byte as Go's linker lays them out, and what is wrong with others.

use proptest::prelude::*;

use super::*;

const MODULES: &str = "path\texample.com/app/cmd\nmod\texample.com/app\t(devel)\t\n\
    dep\tgithub.com/BurntSushi/toml\tv1.3.2\th1:x\n\
    dep\texample.com/old\tv1.0.0\th1:x\n=>\texample.com/new\tv1.1.0\th1:y\n\
    dep\texample.com/beside\tv0.0.0\n=>\t../beside\t\n\
    dep\tgolang.org/x/text\tv0.14.0\th1:z\nbuild\t-trimpath=true\n";

fn framed(modules: &str) -> Vec<u8> {
    let frame = [0x30_u8, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6];
    [&frame[..], modules.as_bytes(), &frame[..]].concat()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let (mut length, mut out) = (bytes.len(), Vec::new());
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(bytes);
    out
}

/// How a program is laid out.
#[derive(Clone, Copy)]
struct Shape {
    wide: bool,
    big: bool,
    sections: bool,
    inline: bool,
}

const TODAY: Shape = Shape { wide: true, big: false, sections: true, inline: true };
const ADDRESS: u64 = 0x40_0000;

impl Shape {
    fn number(self, value: u64, count: usize) -> Vec<u8> {
        let mut bytes = value.to_le_bytes()[..count].to_vec();
        if self.big {
            bytes.reverse();
        }
        bytes
    }

    fn word(self, value: u64) -> Vec<u8> {
        self.number(value, if self.wide { 8 } else { 4 })
    }

    /// Header, one writable segment that starts with it, the data, names of sections, two sections.
    fn program(self, version: &str, modules: &str) -> Vec<u8> {
        let (head, segment, word) = if self.wide { (64, 56, 8) } else { (52, 32, 4) };
        let start = ((head + segment) as usize).next_multiple_of(ALIGNMENT) + ALIGNMENT;
        let mut data = MAGIC.to_vec();
        let texts = [version.as_bytes().to_vec(), framed(modules)];
        if self.inline {
            data.extend([word, INLINE]);
            data.resize(HEADER_BYTES, 0);
            texts.iter().for_each(|text| data.extend(counted(text)));
        } else {
            data.extend([word, u8::from(self.big)]);
            let at = ADDRESS + start as u64 + HEADER_BYTES as u64;
            let (headers, wide) = (4 * u64::from(word), u64::from(word));
            data.extend([at, at + 2 * wide].into_iter().flat_map(|pointer| self.word(pointer)));
            data.resize(HEADER_BYTES, 0);
            let first = at + headers;
            for (place, text) in [(first, &texts[0]), (first + texts[0].len() as u64, &texts[1])] {
                data.extend(self.word(place));
                data.extend(self.word(text.len() as u64));
            }
            texts.iter().for_each(|text| data.extend(text));
        }
        let names = b"\0.go.buildinfo\0";
        let names_at = start + data.len();
        let sections_at = names_at + names.len();
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 1 + u8::from(self.wide), 1 + u8::from(self.big), 1];
        bytes.resize(16, 0);
        bytes.extend([self.number(2, 2), self.number(62, 2), self.number(1, 4), self.word(ADDRESS)].concat());
        let (sections, count) = if self.sections { (sections_at as u64, 2) } else { (0, 0) };
        bytes.extend([self.word(head), self.word(sections), self.number(0, 4), self.number(head, 2)].concat());
        let section = if self.wide { 64 } else { 40 };
        for value in [segment, 1, section, count, 1] {
            bytes.extend(self.number(value, 2));
        }
        let size = (start + data.len()) as u64;
        let [kind, flags] = [self.number(1, 4), self.number(6, 4)];
        let rest = [0, ADDRESS, ADDRESS, size, size].map(|value| self.word(value)).concat();
        bytes.extend(if self.wide { [kind, flags, rest].concat() } else { [kind, rest, flags].concat() });
        bytes.resize(start, 0);
        bytes.extend(&data);
        bytes.extend(names);
        for (name, offset, size) in [(1, start, data.len()), (0, names_at, names.len())] {
            let mut header = [self.number(name, 4), self.number(1, 4), self.word(0), self.word(0)].concat();
            header.extend([self.word(offset as u64), self.word(size as u64)].concat());
            header.resize(section as usize, 0);
            bytes.extend(header);
        }
        bytes
    }
}

fn read(bytes: &[u8]) -> Option<BuildInfo> {
    BuildInfo::read(bytes).expect("bytes can be read")
}

fn names(info: &BuildInfo) -> Vec<String> {
    info.modules.iter().map(Module::to_string).collect()
}

#[test]
fn every_layout_that_go_has_had() {
    for wide in [true, false] {
        for big in [true, false] {
            for sections in [true, false] {
                for inline in [true, false] {
                    let shape = Shape { wide, big, sections, inline };
                    let info = read(&shape.program("go1.27.3", MODULES)).expect("a program of Go");
                    assert_eq!((info.go.as_str(), info.release()), ("go1.27.3", Some("1.27.3")));
                    assert_eq!((info.main.as_str(), &info.main_version), ("example.com/app", &None));
                    let expected =
                        ["example.com/new@v1.1.0", "github.com/BurntSushi/toml@v1.3.2", "golang.org/x/text@v0.14.0"];
                    assert_eq!(names(&info), expected, "what replaces, and not what is a folder");
                }
            }
        }
    }
}

#[test]
fn versions_of_go_and_of_the_program() {
    let released = read(&TODAY.program("go1.22.1 X:loopvar", "mod\texample.com/tool\tv2.0.1\th1:x\n")).unwrap();
    assert_eq!(released.release(), Some("1.22.1"));
    assert_eq!(released.main_version.map(|module| module.to_string()).as_deref(), Some("example.com/tool@v2.0.1"));
    assert_eq!(read(&TODAY.program("devel +abc", "")).unwrap().release(), None);
    assert_eq!(read(&TODAY.program("go\u{1}", "")).unwrap().release(), None);
    assert!(read(&TODAY.program("go1.12", "no frame")).unwrap().modules.is_empty());
}

#[test]
fn what_is_no_program_of_go() {
    assert_eq!(read(b""), None, "empty");
    assert_eq!(read(b"#!/bin/sh\n"), None, "a script");
    assert_eq!(read(b"\x7fELF"), None, "cut in the first header");
    let whole = TODAY.program("go1.27.3", MODULES);
    let magic = whole.windows(MAGIC.len()).position(|window| window == MAGIC).unwrap();
    for at in [0, 16, 63, magic + 20, magic + HEADER_BYTES + 4] {
        assert_eq!(read(&whole[..at]), None, "cut at {at}");
    }
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        read(&changed)
    };
    assert_eq!(with(magic, b"\0"), None, "no magic number");
    assert_eq!(with(4, &[3]), None, "a class that there is not");
    assert_eq!(with(magic + HEADER_BYTES, &[0xff; 10]), None, "a length without an end");
    assert_eq!(with(magic + HEADER_BYTES, &[0xff, 0xff, 0xff, 0x7f]), None, "a version longer than the file");
    assert_eq!(with(magic + HEADER_BYTES, &[0]), None, "no version");
    assert_eq!(with(magic + HEADER_BYTES + 1, &[0xff]), None, "a version that is no text");
    // Sections that lie far outside: the segment is searched instead.
    assert!(with(40, &[0xff; 8]).is_some());
    let old = Shape { inline: false, ..TODAY }.program("go1.17", MODULES);
    let mut astray = old.clone();
    astray[magic + 16..magic + 24].fill(0xff);
    assert_eq!(read(&astray), None, "a pointer to nowhere");
    let mut endless = old;
    endless[magic + 40..magic + 48].fill(0xff);
    assert_eq!(read(&endless), None, "a version without end");
}

#[test]
fn a_list_of_modules_is_bounded() {
    let many: String = (0..60_000).map(|at| format!("dep\texample.com/m{at}\tv1.0.0\n")).collect();
    assert_eq!(read(&TODAY.program("go1.27.3", &many)).unwrap().modules.len(), LIMIT_COUNT);
    let names = "dep\t../x\tv1\ndep\tx y\tv1.0.0\ndep\texample.com/a\tv1.0.0\x1b[2J\ndep\n\tdep\ndep\t\t\n";
    assert!(read(&TODAY.program("go1.27.3", names)).unwrap().modules.is_empty(), "names that no module has");
}

struct Unreadable;

impl ReadAt for Unreadable {
    fn size_bytes(&self) -> u64 {
        4096
    }

    fn read_exact_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_another_program() {
    assert_eq!(BuildInfo::read(&Unreadable).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
}

proptest! {
    #[test]
    fn damage_never_panics(shape in any::<[bool; 4]>(), at in 0..600_usize, bytes in proptest::collection::vec(any::<u8>(), 1..16)) {
        let [wide, big, sections, inline] = shape;
        let mut program = Shape { wide, big, sections, inline }.program("go1.27.3", MODULES);
        let end = (at + bytes.len()).min(program.len());
        let count = end.saturating_sub(at);
        program[at.min(end)..end].copy_from_slice(&bytes[..count]);
        let _ = BuildInfo::read(program.as_slice());
        let _ = BuildInfo::read(&program[..at.min(program.len())]);
    }

    #[test]
    fn modules_come_back(versions in proptest::collection::btree_set((0..30_u32, 0..30_u32), 0..20)) {
        let modules: BTreeSet<Module> =
            versions.iter().map(|(name, version)| Module::new(&format!("example.com/m{name}"), &format!("v1.{version}.0")).unwrap()).collect();
        let text: String = modules.iter().map(|module| format!("dep\t{}\t{}\n", module.path, module.version)).collect();
        prop_assert_eq!(read(&TODAY.program("go1.27.3", &text)).unwrap().modules, modules);
    }
}
