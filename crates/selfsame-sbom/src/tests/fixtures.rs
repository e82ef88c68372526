//! Three releases: the smallest, a Rust-like one, a C-like one with a captured toolchain.

use std::collections::BTreeMap;

use selfsame_core::{Digest, Platform, Profile, Sha512Digest, SourceEpoch};

use crate::{Completeness, Edge, Entity, Facts, Form, ImageFile, Input, Node, Part, PartKind, Publisher, Step};

pub(crate) fn file(path: &str, content: &[u8], executable: bool, origin: &str) -> ImageFile {
    ImageFile {
        path: path.to_owned(),
        sha256: Digest::of(content),
        sha512: Sha512Digest::of(content),
        size: content.len() as u64,
        form: Form::of(path, executable, content),
        origin: Some(origin.to_owned()),
        layer: Some(Digest::of(b"the layer")),
        modified: SourceEpoch::new(1_700_000_000),
        by_others: false,
    }
}

fn input(uri: &str, name: &str, captured: bool) -> Input {
    Input { uri: uri.to_owned(), name: name.to_owned(), sha256: Digest::of(uri.as_bytes()), size: None, captured }
}

fn step(name: &str, command: &[&str]) -> Step {
    Step {
        name: name.to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        action: Digest::of(name.as_bytes()),
        output: Digest::of(b"its output"),
    }
}

pub(crate) fn minimal() -> Facts {
    Facts {
        name: "hello".into(),
        version: "1.0.0".into(),
        license: Some("MIT".into()),
        purl: None,
        publisher: Publisher {
            name: Some("Example Ltd".into()),
            url: Some("https://example.com".into()),
            email: Some("build@example.com".into()),
            security_contact: Some("security@example.com".into()),
        },
        epoch: SourceEpoch::new(1_700_000_000).unwrap(),
        platform: "linux/amd64".parse::<Platform>().unwrap(),
        profile: Profile::CURRENT,
        image: Some(Digest::of(b"the manifest")),
        files: vec![file("/bin/hello", b"\x7fELF hello", true, "compile:hello")],
        shipped: Vec::new(),
        build_only: Vec::new(),
        edges: Vec::new(),
        completeness: BTreeMap::from([(Node::Application, Completeness::Complete)]),
        inputs: vec![input("selfsame:source", "source", false)],
        steps: vec![step("compile", &["sh", "-c", "cc -o hello hello.c && echo 'done'"])],
    }
}

pub(crate) fn rust_like(crates: usize) -> Facts {
    let purl = |index: usize| format!("pkg:cargo/part-{index}@0.1.{index}");
    let mut facts = minimal();
    facts.name = "app".into();
    facts.publisher.security_contact = Some("https://example.com/security".into());
    facts.files = vec![file("/bin/app", b"\x7fELF app", true, "build:app")];
    facts.inputs.clear();
    facts.shipped.clear();
    for index in 0..crates {
        let mut part = Part::new(PartKind::Library, purl(index), format!("part-{index}"), format!("0.1.{index}"));
        part.filename = Some(format!("part-{index}-0.1.{index}.crate"));
        part.sha256 = Some(Digest::of(part.purl.as_bytes()));
        part.sha512 = (index % 2 == 0).then(|| Sha512Digest::of(part.purl.as_bytes()));
        part.license = ["MIT/Apache-2.0", "MIT OR Apache-2.0", "Unlicense OR MIT", "see LICENSE", ""]
            .get(index % 5)
            .map(|text| (*text).to_owned());
        part.authors = vec!["Ada Lovelace <ada@example.com>".into(), "Someone".into(), "  ".into()];
        part.description = Some("Does \u{1f980} things\nwell.".into());
        part.homepage = Some(if index % 3 == 0 { "not a url".into() } else { "https://example.com/p?a=b#c".into() });
        part.repository = Some("https://example.com/git/part%20x".into());
        part.features = ["std", "default"].map(str::to_owned).into();
        part.locations = ["Cargo.lock".to_owned()].into();
        facts.inputs.push(input(&part.purl, part.filename.as_deref().unwrap(), false));
        facts.shipped.push(part);
        let from = if index == 0 { Node::File("/bin/app".into()) } else { Node::Shipped(purl(index / 2)) };
        facts.edges.push(Edge { from, to: Node::Shipped(purl(index)) });
        facts.completeness.insert(Node::Shipped(purl(index)), Completeness::Complete);
    }
    let mut macros = Part::new(PartKind::Library, "pkg:cargo/derive-macro@1.0.0", "derive-macro", "1.0.0");
    macros.sha256 = Some(Digest::of(macros.purl.as_bytes()));
    facts.inputs.push(input(&macros.purl, "derive-macro-1.0.0.crate", false));
    facts.edges.push(Edge { from: Node::Shipped(purl(0)), to: Node::BuildOnly(macros.purl.clone()) });
    facts.build_only = vec![macros];
    facts.inputs.push(input("selfsame:toolchain/rust", "rust", true));
    facts.completeness.insert(Node::File("/bin/app".into()), Completeness::Complete);
    facts.steps = vec![step("build", &["cargo", "build", "--release", "--locked", "--offline"])];
    facts
}

pub(crate) fn c_like() -> Facts {
    let mut facts = minimal();
    facts.name = "app".into();
    facts.files = vec![
        file("/bin/app", b"\x7fELF app", true, "link:app"),
        file("/etc/app.conf", b"key = value\n", false, "source:app.conf"),
    ];
    let debian = Entity { name: Some("Debian".into()), url: Some("https://www.debian.org".into()), email: None };
    let package = |name: &str, version: &str| {
        let mut part = Part::new(PartKind::Application, format!("pkg:deb/debian/{name}@{version}"), name, version);
        part.supplier = Some(debian.clone());
        part.captured = true;
        part
    };
    facts.shipped = vec![package("libc6-dev", "2.36-9")];
    facts.build_only =
        vec![package("gcc-12", "12.2.0-14"), package("binutils", "2.40-2"), package("libc6-dev", "2.36-9")];
    let libc = Node::Shipped("pkg:deb/debian/libc6-dev@2.36-9".into());
    facts.edges = vec![Edge { from: Node::File("/bin/app".into()), to: libc }];
    facts.completeness.insert(Node::File("/bin/app".into()), Completeness::Incomplete);
    facts.completeness.insert(Node::File("/etc/app.conf".into()), Completeness::Complete);
    facts.inputs = vec![
        input("https://example.com/app-1.0.0.tar.gz", "app-1.0.0.tar.gz", false),
        input("selfsame:toolchain/cc", "cc", true),
    ];
    facts.steps = vec![step("compile", &["make", "-j2"]), step("link", &["make", "app"])];
    facts
}
