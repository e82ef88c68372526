use selfsame_core::Digest;
use selfsame_definition::OciSpec;
use selfsame_testing::server::{Answer, Server};

use super::images::{Blobs, gz};
use super::*;

/// A registry on loopback that has one repository, `team/app`, with the layout's blobs and names.
fn serve(blobs: &Blobs) -> Server {
    let blobs = blobs.clone();
    Server::http(move |asked| {
        let path = asked.path();
        let Some(rest) = path.strip_prefix("/v2/team/app/") else { return Answer::status(404) };
        let named = |name: &str| {
            let named = |image: &&selfsame_oci::Descriptor| {
                image.annotations.get(selfsame_oci::layout::REF_NAME).is_some_and(|known| known == name)
            };
            blobs.listed.iter().find(named).map(|image| image.digest)
        };
        let (what, name) = rest.split_once('/').unwrap_or((rest, ""));
        let digest = name.parse::<Digest>().ok().or_else(|| named(name));
        let Some((digest, bytes)) = digest.and_then(|digest| Some((digest, blobs.blobs.get(&digest)?))) else {
            return Answer::status(404);
        };
        let media_type = match what {
            "manifests" if bytes.windows(11).any(|word| word == b"\"manifests\"") => selfsame_core::media::INDEX,
            "manifests" => selfsame_core::media::MANIFEST,
            _ => "application/octet-stream",
        };
        Answer::ok(bytes.clone())
            .header("content-type", media_type)
            .header("docker-content-digest", &digest.to_string())
    })
}

fn reference(server: &Server, name: &str) -> OciSpec {
    OciSpec::Registry { reference: format!("{}/team/app{name}", server.address()) }
}

#[test]
fn a_tag_is_resolved_once_and_brought_by_digest() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let amd = blobs.image("linux/amd64", &[gz(&[("a", "1")]), gz(&[("b", "2")])]);
    let arm = blobs.image("linux/arm64", &[gz(&[("c", "3")])]);
    let platform = |text: &str| text.parse().unwrap();
    let index =
        blobs.index(&[amd.clone().for_platform(platform("linux/amd64")), arm.for_platform(platform("linux/arm64"))]);
    let blobs = blobs.list("1", index);
    let server = serve(&blobs);
    let parts = world.resolve(&reference(&server, ":1")).unwrap();
    assert_eq!(parts[0].sha256, amd.digest);
    let (claim, named) = ("plaintext linux/amd64", "manifest-digest linux/amd64");
    assert_eq!(roles(&parts), format!("config {named}, layer {named}, layer {named}, manifest {claim}"));
    assert_eq!(picture(&world.tree(&parts).unwrap()), "a=1 b=1");
    // Another image gets the tag; what is locked is brought all the same, and the tag is not asked for.
    let mut moved = blobs.clone();
    let other = moved.image("linux/amd64", &[gz(&[("z", "")])]);
    moved.listed.clear();
    let server = serve(&moved.list("1", other));
    for part in &parts {
        world.lose(part);
    }
    world.fetch(&reference(&server, ":1"), &parts).unwrap();
    assert!(server.asked().iter().all(|asked| !asked.path().ends_with("/manifests/1")));
    assert_eq!(picture(&world.tree(&parts).unwrap()), "a=1 b=1");
    let image = world.with(|cx| super::super::image("base", &reference(&server, ":1"), &parts, cx)).unwrap();
    assert_eq!(image.reference, Some(format!("{}/team/app:1", server.address())));
}

#[test]
fn a_digest_in_the_definition_vouches_for_itself() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &[gz(&[("a", "1")])]);
    let server = serve(&blobs);
    let parts = world.resolve(&reference(&server, &format!("@{}", image.digest))).unwrap();
    assert_eq!((parts[0].sha256, parts[0].claim.name()), (image.digest, "definition"));
    let absent = format!("@{}", Digest::of(b"nothing"));
    let refused = world.refused(&reference(&server, &absent));
    assert!(
        refused.contains("has no manifest") || refused.contains("404") || refused.contains("not found"),
        "{refused}"
    );
}

#[test]
fn without_a_network_nobody_is_asked() {
    let world = World::new();
    let spec = OciSpec::Registry { reference: "registry.example/team/app:1".to_owned() };
    let said = world.with(|cx| super::super::resolve("base", &spec, &Context { offline: true, ..*cx })).unwrap_err();
    assert_eq!(said.to_string(), "input `base` (app) is not here, and the network may not be used");
}

#[test]
fn a_registry_that_is_out_of_order_is_worth_another_try() {
    let world = World::new();
    for (status, later) in [(503, true), (403, false)] {
        let server = Server::http(move |_| Answer::status(status));
        let spec = reference(&server, ":1");
        let error = world.with(|cx| super::super::resolve("base", &spec, cx)).unwrap_err();
        assert_eq!(error.retry_may_help(), later, "{error}");
    }
}
