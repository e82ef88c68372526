//! Proxies that have, have not, and lie.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath};
use selfsame_definition::GoSpec;
use selfsame_lock::Part;
use selfsame_pins::go::DirHash;
use selfsame_testing::server::{Answer, Server};

use super::super::{fetch, pins, pins_among, tree};
use crate::kinds::pinned::world::{World, zip};
use crate::kinds::pinned::{Claimed, PackagesError};

const GO_MOD: &[u8] = b"module example.com/leaf\n";
const PREFIX: &str = "/example.com/leaf/@v/v1.0.0";

fn module(code: &[u8]) -> Vec<u8> {
    zip(&[("example.com/leaf@v1.0.0/go.mod", GO_MOD, 0), ("example.com/leaf@v1.0.0/x.go", code, 0)])
}

fn sum(code: &[u8]) -> String {
    let files: BTreeMap<String, Digest> = [("go.mod", GO_MOD), ("x.go", code)]
        .map(|(name, content)| (format!("example.com/leaf@v1.0.0/{name}"), Digest::of(content)))
        .into();
    let (all, alone) = (DirHash::of(&files).unwrap(), DirHash::of_go_mod(GO_MOD));
    format!("example.com/leaf v1.0.0 {all}\nexample.com/leaf v1.0.0/go.mod {alone}\n")
}

fn serving(code: &'static [u8]) -> Server {
    Server::http(move |asked| match asked.path().strip_prefix(PREFIX) {
        Some(".zip") => Answer::ok(module(code)),
        Some(".mod") => Answer::ok(GO_MOD),
        _ => Answer::status(404),
    })
}

fn spec() -> GoSpec {
    GoSpec { sum: RelPath::new("go.sum").unwrap() }
}

fn pinned(world: &World, sum: &str) -> Result<Vec<Part>, PackagesError> {
    let source = world.source(&[("go.sum", sum)]);
    world.with(|cx| pins("x", &spec(), &source, cx))
}

#[test]
fn proxies_are_asked_in_their_order_and_the_second_time_nobody() {
    let (empty, full) = (Server::http(|_| Answer::status(404)), serving(b"package leaf\n"));
    let mut world = World::new();
    // From go's own file of settings.
    std::fs::create_dir_all(world.path("home/.config/go")).unwrap();
    std::fs::write(world.path("home/.config/go/env"), format!("GOPROXY={},{},direct\n", empty.url(""), full.url("")))
        .unwrap();
    let parts = pinned(&world, &sum(b"package leaf\n")).unwrap();
    let roles: Vec<_> = parts.iter().map(|part| (part.purl.as_str(), part.role.as_deref())).collect();
    let purl = "pkg:golang/example.com/leaf@v1.0.0";
    assert_eq!(roles.len(), 2);
    assert!(roles.contains(&(purl, Some("zip"))) && roles.contains(&(purl, Some("mod"))), "{roles:?}");
    let laid = world.with(|cx| tree(&spec(), &parts, cx)).unwrap();
    let names: Vec<_> = laid.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, [".info", ".mod", ".zip"].map(|end| format!("{}{end}", &PREFIX[1..])));
    let asked = full.asked().len();
    world.offline = true;
    assert_eq!(pinned(&world, &sum(b"package leaf\n")).unwrap(), parts);
    assert_eq!(full.asked().len(), asked);
    let fresh = World::new().set("GOPROXY", &full.url("/"));
    fresh.with(|cx| fetch("x", &spec(), &parts, cx)).unwrap();
}

/// What a capsule brings: files, and no note of what they answered.
#[test]
fn files_without_notes_answer_once_somebody_names_them() {
    let code = b"package leaf\n";
    let server = serving(code);
    let parts = pinned(&World::new().set("GOPROXY", &server.url("/")), &sum(code)).unwrap();
    let mut world = World::new();
    world.offline = true;
    world.store.put_bytes(&module(code), false).unwrap();
    world.store.put_bytes(GO_MOD, false).unwrap();
    let again = |known: &[Part], sum: &str| {
        let source = world.source(&[("go.sum", sum)]);
        world.with(|cx| pins_among("x", &spec(), &source, Claimed { parts: known, to_note: false }, cx))
    };
    assert_eq!(again(&parts, &sum(code)).unwrap(), parts);
    for (known, sum) in [(&parts[..0], sum(code)), (&parts[..], sum(b"package other\n"))] {
        assert!(matches!(again(known, &sum), Err(PackagesError::Offline { .. })), "{known:?}");
    }
}

#[test]
fn what_is_refused() {
    let lying = serving(b"package evil\n");
    let error = pinned(&World::new().set("GOPROXY", &lying.url("")), &sum(b"package leaf\n")).unwrap_err();
    assert!(matches!(&error, PackagesError::Mismatch { expected, .. } if expected.starts_with("h1:")), "{error}");
    let full = serving(b"package leaf\n");
    for (status, separator, goes_on) in
        [(404, ",", true), (410, ",", true), (500, ",", false), (500, "|", true), (403, ",", false)]
    {
        let first = Server::http(move |_| Answer::status(status));
        let world = World::new().set("GOPROXY", &format!("{}{separator}{}", first.url(""), full.url("")));
        assert_eq!(pinned(&world, &sum(b"package leaf\n")).is_ok(), goes_on, "{status} {separator}");
    }
    for goproxy in ["direct", "off"] {
        let error = pinned(&World::new().set("GOPROXY", goproxy), &sum(b"package leaf\n")).unwrap_err();
        assert!(matches!(error, PackagesError::NoOrigin { tool: "go", .. }), "{error}");
    }
    let empty = Server::http(|_| Answer::status(404));
    let error = pinned(&World::new().set("GOPROXY", &empty.url("")), &sum(b"package leaf\n")).unwrap_err();
    assert!(matches!(&error, PackagesError::NotFound { package } if package == "example.com/leaf@v1.0.0"), "{error}");
    let error = pinned(&World::new(), "nonsense").unwrap_err();
    assert!(matches!(error, PackagesError::Pins { .. }), "{error}");
}

/// Zip files whose hash a hostile go.sum has: readers would disagree about them, or go refuses them later.
#[test]
fn hostile_zips_are_refused_by_name() {
    let go_mod = ("example.com/leaf@v1.0.0/go.mod", GO_MOD, 0);
    let refused = |bytes: Vec<u8>, because: &str| {
        let server = Server::http(move |asked| match asked.path().strip_prefix(PREFIX) {
            Some(".zip") => Answer::ok(bytes.clone()),
            Some(".mod") => Answer::ok(GO_MOD),
            _ => Answer::status(404),
        });
        let error = pinned(&World::new().set("GOPROXY", &server.url("")), &sum(b"")).unwrap_err().to_string();
        assert!(error.starts_with("package `example.com/leaf@v1.0.0` ") && error.contains(because), "{error}");
    };
    let beside = |name: &str, mode: u32| zip(&[go_mod, (name, b"x", mode)]);
    refused(beside("other.com/x@v1.0.0/x.go", 0), "not below `example.com/leaf@v1.0.0/`");
    refused(beside("example.com/leaf@v1.0.0/../x.go", 0), "leaves the archive");
    refused(beside("/example.com/leaf@v1.0.0/x.go", 0), "has an absolute name");
    refused(beside("example.com/leaf@v1.0.0/x.go", 0o120_777), "is a symbolic link");
    refused(beside("example.com/leaf@v1.0.0/x.go", 0o020_644), "is neither a file nor a folder");
    refused(beside("example.com/leaf@v1.0.0/go.mod", 0), "stands twice");
    refused(beside("example.com/leaf@v1.0.0/go.mod/x", 0), "below another member, which is a file");
    refused(beside("example.com/leaf@v1.0.0/x\ny.go", 0), "a backslash, a line end or NUL");
    let mut not_utf8 = beside("example.com/leaf@v1.0.0/x\u{e9}.go", 0);
    for at in (0..not_utf8.len() - 1).filter(|&at| not_utf8[at..].starts_with(b"\xc3\xa9")).collect::<Vec<_>>() {
        not_utf8[at] = 0xff;
    }
    refused(not_utf8, "not marked as UTF-8");
    // A central directory that says another name than the header before the content.
    let mut other = beside("example.com/leaf@v1.0.0/x.go", 0);
    let at = other.windows(4).position(|window| window == b"x.go").unwrap();
    other[at] = b'y';
    refused(other, "a local header that contradicts the directory");
    // Two entries for the same bytes of the file.
    let mut shared = zip(&[go_mod, ("example.com/leaf@v1.0.0/x.go", b"x", 0)]);
    let directory = shared.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    shared[directory + 42..directory + 46].fill(0);
    refused(shared, "a local header that contradicts the directory");
    let cut = beside("example.com/leaf@v1.0.0/x.go", 0);
    refused(cut[..cut.len() - 10].to_vec(), "end record");
}

/// Go itself would ask repositories for such a module, and no proxy: its name is not told to one.
#[test]
fn private_modules_are_named_to_no_proxy() {
    let server = serving(b"package leaf\n");
    let private = |name: &str, patterns: &str| World::new().set("GOPROXY", &server.url("")).set(name, patterns);
    for (name, patterns) in [("GOPRIVATE", "*.corp.example,example.com"), ("GONOPROXY", "example.*/leaf")] {
        let error = pinned(&private(name, patterns), &sum(b"package leaf\n")).unwrap_err();
        assert!(matches!(&error, PackagesError::Private { by, .. } if *by == name), "{error}");
    }
    // From go's own file of settings.
    let world = World::new().set("GOPROXY", &server.url(""));
    std::fs::create_dir_all(world.path("home/.config/go")).unwrap();
    std::fs::write(world.path("home/.config/go/env"), "GOPRIVATE=example.com/*\n").unwrap();
    let error = pinned(&world, &sum(b"package leaf\n")).unwrap_err();
    assert!(error.to_string().contains("is private by `example.com/*` of GOPRIVATE"), "{error}");
    assert_eq!(server.asked().len(), 0, "a proxy was told a private name");
    // A proxy of one's own may be asked all the same.
    let own = private("GOPRIVATE", "example.com").set("GONOPROXY", "none");
    assert_eq!(pinned(&own, &sum(b"package leaf\n")).unwrap().len(), 2);
}
