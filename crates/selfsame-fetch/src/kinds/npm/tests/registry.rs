//! Registries that have, have not, refuse and lie.

use selfsame_core::{RelPath, Sha512Digest};
use selfsame_definition::NpmSpec;
use selfsame_lock::Part;
use selfsame_pins::npm::Integrity;
use selfsame_testing::server::{Answer, Asked, Server};

use super::super::{fetch, pins, pins_among, tree};
use crate::kinds::pinned::world::{World, targz};
use crate::kinds::pinned::{Claimed, PackagesError};

fn tarball(text: &str) -> Vec<u8> {
    targz(&[("package/package.json", &format!("{{\"name\":\"x\",\"license\":\"{text}\"}}"))])
}

fn lock(packages: &[(&str, &[u8])]) -> String {
    let entries = packages.iter().map(|(name, bytes)| {
        let integrity = Integrity::of(&Sha512Digest::of(bytes));
        format!("\"node_modules/{name}\":{{\"version\":\"1.0.0\",\"integrity\":\"{integrity}\"}}")
    });
    format!("{{\"lockfileVersion\":3,\"packages\":{{{}}}}}", entries.collect::<Vec<_>>().join(","))
}

fn pinned(world: &World, lock: &str) -> Result<Vec<Part>, PackagesError> {
    let source = world.source(&[("package-lock.json", lock)]);
    world.with(|cx| pins("x", &spec(), &source, cx))
}

fn spec() -> NpmSpec {
    NpmSpec { lock: RelPath::new("package-lock.json").unwrap() }
}

#[test]
fn tarballs_come_by_their_scopes_registry_with_its_token() {
    let (plain, scoped) = (tarball("MIT"), tarball("ISC"));
    let text = lock(&[("plain", &plain), ("@acme/scoped", &scoped)]);
    let public = Server::http({
        let plain = plain.clone();
        move |asked| match asked.path() {
            "/npm/plain/-/plain-1.0.0.tgz" if asked.header("authorization").is_none() => Answer::ok(plain.clone()),
            _ => Answer::status(404),
        }
    });
    // A registry that keeps its tarballs elsewhere and says so in the version's document.
    let private = Server::http({
        let scoped = scoped.clone();
        move |asked: &Asked| match (asked.header("authorization"), asked.path()) {
            (Some("Bearer t0ken"), "/@acme%2fscoped/1.0.0") => Answer::ok("{\"dist\":{\"tarball\":\"/blobs/7\"}}"),
            (Some("Bearer t0ken"), "/blobs/7") => Answer::ok(scoped.clone()),
            (Some("Bearer t0ken"), _) => Answer::status(404),
            _ => Answer::status(401),
        }
    });
    let world = World::new().set("TOKEN", "t0ken");
    let address = private.url("/");
    let host = address.trim_start_matches("http:");
    let npmrc = format!("registry={}\n@acme:registry={address}\n{host}:_authToken=${{TOKEN}}\n", public.url("/npm"));
    std::fs::write(world.path("home/.npmrc"), npmrc).unwrap();
    let mut world = world;
    let parts = pinned(&world, &text).unwrap();
    let purls: Vec<_> = parts.iter().map(|part| part.purl.as_str()).collect();
    assert_eq!(purls, ["pkg:npm/%40acme/scoped@1.0.0", "pkg:npm/plain@1.0.0"]);
    let laid = world.with(|cx| tree(&spec(), &parts, cx)).unwrap();
    let hex = Sha512Digest::of(&plain).hex();
    let place = format!("_cacache/content-v2/sha512/{}/{}/{}", &hex[..2], &hex[2..4], &hex[4..]);
    assert_eq!(laid.content(&place).unwrap().1, plain.len() as u64);
    world.offline = true;
    assert_eq!(pinned(&world, &text).unwrap(), parts);
    let mut fresh = World::new().set("npm_config_registry", &public.url("/npm"));
    fresh.with(|cx| fetch("x", &spec(), &parts[1..], cx)).unwrap();
    fresh.offline = true;
    let error = fresh.with(|cx| fetch("x", &spec(), &parts, cx)).unwrap_err();
    assert!(matches!(error, PackagesError::Offline { .. }), "{error}");
}

/// What a capsule brings: files, and no note of what they answered.
#[test]
fn tarballs_without_notes_answer_once_somebody_names_them() {
    let (bytes, other) = (tarball("MIT"), tarball("ISC"));
    let server = Server::http({
        let bytes = bytes.clone();
        move |_| Answer::ok(bytes.clone())
    });
    let text = lock(&[("plain", &bytes)]);
    let parts = pinned(&World::new().set("npm_config_registry", &server.url("/")), &text).unwrap();
    let mut world = World::new();
    world.offline = true;
    world.store.put_bytes(&bytes, false).unwrap();
    let again = |known: &[Part], text: &str| {
        let source = world.source(&[("package-lock.json", text)]);
        world.with(|cx| pins_among("x", &spec(), &source, Claimed { parts: known, to_note: false }, cx))
    };
    assert_eq!(again(&parts, &text).unwrap(), parts);
    for (known, text) in [(&parts[..0], text), (&parts[..], lock(&[("plain", &other)]))] {
        assert!(matches!(again(known, &text), Err(PackagesError::Offline { .. })), "{known:?}");
    }
}

#[test]
fn what_is_refused() {
    let wanted = tarball("MIT");
    let text = lock(&[("plain", &wanted)]);
    let at = |server: &Server| World::new().set("npm_config_registry", &server.url("/"));
    let lying = Server::http(|_| Answer::ok(tarball("GPL")));
    let error = pinned(&at(&lying), &text).unwrap_err();
    assert!(matches!(&error, PackagesError::Mismatch { expected, .. } if expected.starts_with("sha512-")), "{error}");
    let empty = Server::http(|_| Answer::status(404));
    let error = pinned(&at(&empty), &text).unwrap_err();
    assert!(matches!(&error, PackagesError::NotFound { package } if package == "plain@1.0.0"), "{error}");
    for (status, again) in [(401, false), (403, false), (429, true), (503, true)] {
        let server = Server::http(move |_| Answer::status(status));
        let error = pinned(&at(&server), &text).unwrap_err();
        assert_eq!((matches!(error, PackagesError::Http(_)), error.retry_may_help()), (true, again), "{error}");
    }
    let error = pinned(&World::new(), &text).unwrap_err();
    assert!(matches!(error, PackagesError::NoOrigin { tool: "npm", .. }), "{error}");
    let error = pinned(&World::new(), "{}").unwrap_err();
    assert!(matches!(error, PackagesError::Pins { .. }), "{error}");
}
