//! Proxies that have, have not, and lie.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath};
use selfsame_definition::GoSpec;
use selfsame_lock::Part;
use selfsame_pins::go::DirHash;
use selfsame_testing::server::{Answer, Server};

use super::super::{fetch, pins, pins_among, tree};
use crate::kinds::pinned::PackagesError;
use crate::kinds::pinned::world::{World, zip};

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
        world.with(|cx| pins_among("x", &spec(), &source, known, cx))
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
