//! Indexes of crates on loopback, looked through by this machine's cargo.

use selfsame_core::Digest;
use selfsame_lock::{Claim, Purl};
use selfsame_testing::server::{Answer, Server};

use super::*;
use crate::kinds::pinned::world::World;

fn part(name: &str, sha256: Digest) -> Part {
    Part::new(Purl::cargo(name, "1.0.0").unwrap(), sha256, 0, Claim::EcosystemLock)
}

/// A sparse index with these crates, each of version 1.0.0, in place of the one that cargo knows.
fn world(crates: &'static [&'static str]) -> (World, Server) {
    let server = Server::http(move |asked| match asked.path() {
        "/index/config.json" => Answer::ok("{\"dl\":\"http://127.0.0.1:9/never\"}"),
        path => match path.rsplit('/').next().filter(|name| crates.contains(name)) {
            Some(name) => Answer::ok(format!(
                "{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[],\"cksum\":\"{}\",\"features\":{{}},\"yanked\":{}}}\n",
                Digest::of(name.as_bytes()).hex(),
                name == "withdrawn"
            )),
            None => Answer::status(404),
        },
    });
    // The machine's own cargo, and nothing of its settings.
    let world = World::real();
    let home = world.path("cargo-home");
    std::fs::create_dir_all(&home).unwrap();
    let config = format!(
        "[source.crates-io]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"sparse+{}\"\n",
        server.url("/index/")
    );
    std::fs::write(home.join("config.toml"), config).unwrap();
    let world = world.set("CARGO_HOME", home.to_str().unwrap());
    (world, server)
}

#[test]
fn the_missing_ones_among_many_are_named() {
    let (world, server) = world(&["alpha", "beta", "gamma", "withdrawn", "other"]);
    let of = |name: &str| part(name, Digest::of(name.as_bytes()));
    let all = [
        of("alpha"),
        of("gone"),
        of("beta"),
        part("other", Digest::of(b"republished")),
        of("gamma"),
        of("withdrawn"),
        Part::new("pkg:cargo/a%2Fb@1".parse().unwrap(), Digest::of(b"x"), 0, Claim::EcosystemLock),
    ];
    let said = world.with(|cx| ask(&all.iter().collect::<Vec<_>>(), cx)).unwrap();
    let absent = |at: usize, word: &str| matches!(&said[at], Obtainable::No { why } if why.contains(word));
    for at in [0, 2, 4, 5] {
        assert_eq!(said[at], Obtainable::Yes, "{}", all[at].purl);
    }
    assert!(absent(1, "does not list it"), "{:?}", said[1]);
    assert!(absent(3, "other bytes"), "{:?}", said[3]);
    assert!(
        matches!(said[6], Obtainable::Unknown { .. }),
        "no text of a package URL gets into a manifest: {:?}",
        said[6]
    );
    assert!(server.asked().iter().all(|asked| asked.path().starts_with("/index/")), "no crate was downloaded");
}

#[test]
fn an_index_that_is_away_is_for_later() {
    let (world, server) = world(&[]);
    drop(server);
    let alpha = part("alpha", Digest::of(b"alpha"));
    let error = world.with(|cx| ask(&[&alpha], cx)).unwrap_err();
    assert!(error.retry_may_help(), "{error}");
}
