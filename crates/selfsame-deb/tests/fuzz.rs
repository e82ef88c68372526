//! Debian packages and the texts beside them, from anybody.

use selfsame_deb::{
    Control, Limits, Stanza, Stanzas, Version, alternatives, licence_of_copyright, parse_list, parse_sources,
    parse_uris, read, read_control, relations,
};
use selfsame_testing::fuzz::{Answer, answer, fuzz};

const CONTROL: &str = "Package: gcc\nVersion: 4:12.2.0-3\nArchitecture: amd64\nMaintainer: A <a@b.example>\nDepends: cpp (= 4:12.2.0-3), gcc-12 (>= 12.2.0-1~) | c-compiler [amd64]\nDescription: compiler\n long text\n .\n more\n";

/// `ar` around members.
fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, content) in members {
        file.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).bytes());
        file.extend_from_slice(content);
        file.resize(file.len().next_multiple_of(2), b'\n');
    }
    file
}

/// A tar with one file and its folder.
fn tar(name: &str, content: &str) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, content) in [("./", b'5', ""), (name, b'0', content)] {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000755");
        header[108..115].copy_from_slice(b"0000000");
        header[116..123].copy_from_slice(b"0000000");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        tar.extend(header);
        tar.extend(content.bytes());
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    selfsame_testing::fuzz::checksummed(&tar)
}

fn whole(data: &[u8], control: &[u8]) -> Answer {
    let deb = ar(&[("debian-binary", b"2.0\n"), ("control.tar", control), ("data.tar", data)]);
    answer(read(deb.as_slice(), Limits::PACKAGE, &mut ()).map_err(chain)).and(answer(read_control(deb.as_slice())))
}

fn chain(error: selfsame_deb::DebError) -> String {
    let source = std::error::Error::source(&error).map(ToString::to_string);
    format!("{error}: {}", source.unwrap_or_default())
}

#[test]
fn fuzz_deb() {
    let (control, data) = (tar("./control", CONTROL), tar("./usr", "x"));
    let deb = ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), ("data.tar", &data)]);
    let words = ["!<arch>\n", "`\n", "debian-binary   ", "control.tar.xz  ", "data.tar.zst    ", "_gpgorigin      "];
    fuzz("deb", &[&deb], &words, |bytes| {
        answer(read(bytes, Limits::PACKAGE, &mut ()).map_err(chain)).and(answer(read_control(bytes)))
    });
}

/// What stands in `data.tar` and in `control.tar`, with headers whose sums are right.
#[test]
fn fuzz_deb_data() {
    let (control, data) = (tar("./control", CONTROL), tar("./usr", "x"));
    let words = [
        "./",
        "../",
        "ustar\x0000",
        "ustar  \0",
        "0000755",
        "00000000000",
        "././@LongLink",
        "27 path=a",
        "11 size=1\n",
    ];
    fuzz("deb-data", &[&data, &control], &words, |bytes| {
        let bytes = selfsame_testing::fuzz::checksummed(bytes);
        whole(&bytes, &control).and(whole(&data, &bytes))
    });
}

#[test]
fn fuzz_control() {
    let sources = "Types: deb deb-src\nURIs: http://deb.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /usr/share/keyrings/x.gpg\n\n# end\n";
    let release = "Origin: Debian\nSuite: stable\nCodename: bookworm\nDate: Sat, 10 Jun 2026 08:50:00 UTC\nSHA256:\n e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 12 main/binary-amd64/Packages.xz\n";
    let list = "deb [arch=amd64 signed-by=/x.gpg] http://deb.example/debian bookworm main # c\n";
    let uris = "'http://deb.example/pool/g/gcc.deb' gcc_4%3a12_amd64.deb 5208 SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    let seeds = [CONTROL.as_bytes(), sources.as_bytes(), release.as_bytes(), list.as_bytes(), uris.as_bytes()];
    let words = [
        "Package: ",
        "\n ",
        "\n.\n",
        "\n\n",
        "(>= ",
        " | ",
        "[!amd64]",
        "<!nocheck>",
        "1:",
        "~",
        "deb [",
        "URIs:",
        "'",
    ];
    fuzz("control", &seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (parse_list(&text), parse_sources(&text), parse_uris(&text));
        let _ = relations(&text);
        if let (Ok(one), Ok(other)) = (text.trim().parse::<Version>(), "1:2.0-3".parse::<Version>()) {
            assert_eq!(one.cmp(&other), other.cmp(&one).reverse());
        }
        let count = Stanzas::new(&text).count();
        assert!(count <= text.len(), "{count}");
        answer(Stanza::parse(&text)).and(answer(Control::parse(&text)))
    });
}

#[test]
fn fuzz_copyright() {
    let copyright = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x\n\nFiles: *\nCopyright: 2020 A\nLicense: GPL-3+ and (MIT or BSD-3-clause) with OpenSSL exception\n text\n .\n more\n\nFiles: debian/*\nLicense: MIT\n";
    let script = "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n update-alternatives --install /usr/bin/cc cc /usr/bin/gcc 20 \\\n  --slave /usr/share/man/man1/cc.1.gz cc.1.gz /usr/share/man/man1/gcc.1.gz\nfi\n";
    let words = [
        "License: ",
        "Files: ",
        " and ",
        " or ",
        "(",
        ")",
        "update-alternatives --install ",
        "--slave ",
        "\\\n",
        "$(",
        "'",
    ];
    fuzz("copyright", &[copyright.as_bytes(), script.as_bytes()], &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let licence = licence_of_copyright(&text);
        let count = alternatives(&text).len();
        Err(format!(
            "{} licence, {} alternatives",
            licence.map_or("no", |_| "a"),
            if count > 0 { "some" } else { "no" }
        ))
    });
}
