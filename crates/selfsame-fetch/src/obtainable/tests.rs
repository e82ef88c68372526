//! Servers that have a file, have it no more, have another one, and are busy.

use std::path::Path;

use selfsame_core::Digest;
use selfsame_http::Origins;
use selfsame_lock::Claim;
use selfsame_testing::server::{Answer, Server};

use super::*;
use crate::kinds::pinned::world::World;

const FILE: &[u8] = b"the file";

/// A part of each kind but crates, and where its server is asked for it.
fn parts() -> Vec<(Part, &'static str)> {
    let part = |purl: &str, claim| Part::new(purl.parse().unwrap(), Digest::of(FILE), FILE.len() as u64, claim);
    let mut deb = part("pkg:deb/debian/gcc@4:12.2.0-3?arch=amd64", Claim::SignedRelease);
    deb.source = Some("gcc-defaults@1.203".to_owned());
    let mut zip = part("pkg:golang/example.com/leaf@v1.0.0", Claim::EcosystemLock);
    zip.role = Some("zip".to_owned());
    let wheel = part("pkg:pypi/pear@2.0?file_name=pear-2.0-py3-none-any.whl", Claim::IndexHash);
    let tarball = part("pkg:npm/%40acme/scoped@1.0.0", Claim::EcosystemLock);
    vec![
        (deb, "/debian/pool/main/g/gcc-defaults/gcc_12.2.0-3_amd64.deb"),
        (wheel, "/files/pear-2.0-py3-none-any.whl"),
        (tarball, "/npm/@acme/scoped/-/scoped-1.0.0.tgz"),
        (zip, "/go/example.com/leaf/@v/v1.0.0.zip"),
    ]
}

/// A machine that has one server for everything; `answer` is what it says to HEAD of a file.
fn ask(
    part: &Part,
    answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
) -> (Result<Obtainable, FetchError>, Server) {
    let index = |hash: Digest| {
        let (file, hash) = ("pear-2.0-py3-none-any.whl", hash.hex());
        let page = format!(
            "{{\"meta\":{{\"api-version\":\"1.1\"}},\"name\":\"pear\",\"files\":[{{\"filename\":\"{file}\",\
             \"url\":\"/files/{file}\",\"hashes\":{{\"sha256\":\"{hash}\"}}}}]}}"
        );
        Answer::ok(page).header("content-type", "application/vnd.pypi.simple.v1+json")
    };
    let server = Server::http(move |asked| match asked.path() {
        "/simple/pear/" => index(Digest::of(FILE)),
        path => answer(path),
    });
    let mut world = World::new()
        .set("PIP_INDEX_URL", &server.url("/simple"))
        .set("npm_config_registry", &server.url("/npm"))
        .set("GOPROXY", &server.url("/go"));
    let origins = format!("[origin.debian]\nupstream = \"{}\"\n", server.url("/debian"));
    world.origins = Origins::parse(&origins, Path::new("/")).unwrap();
    let said = world.with(|cx| obtainable(std::slice::from_ref(part), cx));
    (said.map(|mut answers| answers.remove(0)), server)
}

#[test]
fn what_is_there_is_asked_for_and_not_brought() {
    for (part, path) in parts() {
        let (said, server) = ask(&part, move |at| match at == path {
            true => Answer::ok(FILE),
            false => Answer::status(404),
        });
        assert_eq!(said.unwrap(), Obtainable::Yes, "{}", part.purl);
        let asked = server.asked();
        let of_file = asked.iter().filter(|asked| asked.path() == path).collect::<Vec<_>>();
        assert!(!of_file.is_empty() && of_file.iter().all(|asked| asked.method == "HEAD"), "{}: {asked:?}", part.purl);
    }
}

#[test]
fn what_is_gone_and_what_is_another_file_is_not_to_be_had() {
    for (part, path) in parts() {
        let (said, _) = ask(&part, |_| Answer::status(404));
        assert_eq!(said.unwrap(), Obtainable::gone(), "{}", part.purl);
        let (said, _) = ask(&part, move |at| match at == path {
            true => Answer::ok("another file, and longer"),
            false => Answer::status(404),
        });
        assert_eq!(said.unwrap(), Obtainable::other_bytes(), "{}", part.purl);
    }
}

#[test]
fn a_login_page_a_refusal_and_a_busy_server_are_no_answer() {
    for (part, _) in parts() {
        let page = |_: &str| Answer::ok("<html>").header("content-type", "text/html; charset=utf-8");
        let (said, _) = ask(&part, page);
        assert!(matches!(said, Ok(Obtainable::Unknown { .. })), "{}: {said:?}", part.purl);
        let (said, _) = ask(&part, |_| Answer::status(401));
        assert!(matches!(&said, Ok(Obtainable::Unknown { why }) if why.contains("401")), "{}: {said:?}", part.purl);
        let (said, _) = ask(&part, |_| Answer::status(503));
        assert!(said.is_err_and(|error| error.retry_may_help()), "{}", part.purl);
    }
}

#[test]
fn a_server_without_head_is_asked_for_a_byte() {
    let (part, _) = parts().remove(2);
    let server = Server::http(|asked| match (asked.method.as_str(), asked.header("range")) {
        ("HEAD", _) => Answer::status(405),
        (_, Some("bytes=0-0")) => Answer::status(206).header("content-range", "bytes 0-0/8"),
        _ => Answer::status(500),
    });
    let world = World::new().set("npm_config_registry", &server.url("/npm"));
    assert_eq!(world.with(|cx| obtainable(std::slice::from_ref(&part), cx)).unwrap(), [Obtainable::Yes]);
}

#[test]
fn nobody_is_asked_without_a_network_or_a_place() {
    let mut world = World::new();
    let parts: Vec<Part> = parts().into_iter().map(|(part, _)| part).collect();
    let unknown = |world: &World| {
        let said = world.with(|cx| obtainable(&parts, cx)).unwrap();
        assert!(said.iter().all(|answer| matches!(answer, Obtainable::Unknown { .. })), "{said:?}");
    };
    unknown(&world);
    world.offline = true;
    unknown(&world);
}

/// A mirror that has dropped a version, and an archive that keeps it.
#[test]
fn dropped_versions_are_named_and_had_from_an_archive_that_keeps_them() {
    let (deb, path) = parts().remove(0);
    let mut kept = deb.clone();
    kept.purl = "pkg:deb/debian/cpp@4:12.2.0-3?arch=amd64".parse().unwrap();
    let other = Digest::of(b"another");
    (kept.sha256, kept.size) = (other, 7);
    let mirror = Server::http(|asked| match asked.path().ends_with("/cpp_12.2.0-3_amd64.deb") {
        true => Answer::ok("another"),
        false => Answer::status(404),
    });
    let archive = Server::http(move |asked| match asked.path().strip_prefix("/archive") {
        Some(below) if below == path => Answer::ok(FILE),
        _ => Answer::status(404),
    });
    let spec = selfsame_definition::InputSpec::Deb(selfsame_definition::DebSpec {
        packages: vec!["gcc".to_owned()],
        suite: None,
        rootfs: selfsame_definition::Rootfs::Unpacked,
        essential: false,
        recommends: false,
    });
    let fetch = |upstreams: &[String]| {
        let mut world = World::new();
        let origins = format!("[origin.debian]\nupstream = {upstreams:?}\n");
        world.origins = Origins::parse(&origins, Path::new("/")).unwrap();
        let all = [kept.clone(), deb.clone()];
        world.with(|cx| crate::kinds::fetch_input("gcc", &spec, &all, cx))
    };
    let error = fetch(&[mirror.url("/debian")]).unwrap_err();
    assert_eq!(error.to_string(), "no archive of this machine has `gcc 4:12.2.0-3` any more");
    assert!(chain(&error).contains("404") && !error.retry_may_help(), "{}", chain(&error));
    fetch(&[mirror.url("/debian"), archive.url("/archive/debian")]).unwrap();
}
