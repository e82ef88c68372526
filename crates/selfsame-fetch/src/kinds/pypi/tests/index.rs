//! Indexes that have, have not, refuse and lie.

use std::collections::BTreeMap;

use selfsame_core::{Digest, RelPath};
use selfsame_definition::{PypiFrom, PypiSpec};
use selfsame_lock::{Claim, Part};
use selfsame_testing::server::{Answer, Asked, Server};

use super::super::{describe, fetch, pins, pins_among, resolve, tree};
use crate::kinds::pinned::world::{World, targz, wheel};
use crate::kinds::pinned::{Claimed, PackagesError};

/// What an index serves: pages by project, files by name.
#[derive(Clone, Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    /// Said to be the digest, where it is not.
    lies: BTreeMap<String, Digest>,
}

impl Shelf {
    fn with(mut self, file: &str, content: Vec<u8>) -> Self {
        self.files.insert(file.to_owned(), content);
        self
    }

    fn lying(mut self, file: &str, digest: Digest) -> Self {
        self.lies.insert(file.to_owned(), digest);
        self
    }

    fn digest(&self, file: &str) -> Digest {
        Digest::of(&self.files[file])
    }

    /// Pages are at `/simple/NAME/` as HTML or JSON.
    fn answer(&self, asked: &Asked, json: bool) -> Answer {
        if let Some(file) = asked.path().strip_prefix("/files/") {
            return self
                .files
                .get(file)
                .map_or_else(|| Answer::status(404), |content| Answer::file(asked, content, "\"x\""));
        }
        let Some(project) = asked.path().strip_prefix("/simple/") else { return Answer::status(404) };
        let project = project.trim_end_matches('/');
        let of_project = self.files.keys().filter(|file| file.replace('_', "-").starts_with(&format!("{project}-")));
        let said = |file: &String| self.lies.get(file).copied().unwrap_or_else(|| self.digest(file)).hex();
        let files: Vec<&String> = of_project.collect();
        if files.is_empty() {
            return Answer::status(404);
        }
        if json {
            let files = files.iter().map(|file| {
                let (hash, size) = (said(file), self.files[*file].len());
                format!("{{\"filename\":\"{file}\",\"url\":\"../../files/{file}\",\"hashes\":{{\"sha256\":\"{hash}\"}},\"size\":{size}}}")
            });
            let files = files.collect::<Vec<_>>().join(",");
            let text = format!("{{\"meta\":{{\"api-version\":\"1.1\"}},\"name\":\"{project}\",\"files\":[{files}]}}");
            return Answer::ok(text).header("content-type", "application/vnd.pypi.simple.v1+json");
        }
        let links = files.iter().map(|file| format!("<a href=\"/files/{file}#sha256={}\">{file}</a>", said(file)));
        Answer::ok(links.collect::<String>()).header("content-type", "text/html")
    }

    fn serve(self) -> Server {
        Server::http(move |asked| self.answer(asked, true))
    }
}

fn shelf() -> Shelf {
    let source = targz(&[("apple-1.0/PKG-INFO", "Name: apple\nVersion: 1.0\nLicense: MIT\nRequires-Dist: pear\n\n")]);
    Shelf::default()
        .with("apple-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", wheel("apple", "1.0", &[("apple.py", b"1", 0)]))
        .with("apple-1.0-cp311-cp311-manylinux_2_17_aarch64.whl", wheel("apple", "1.0", &[("apple.py", b"2", 0)]))
        .with("apple-1.0.tar.gz", source)
        .with("pear-2.0-py3-none-any.whl", wheel("pear", "2.0", &[("pear.py", b"3", 0)]))
}

fn index(server: &Server) -> World {
    World::new().set("PIP_INDEX_URL", &server.url("/simple"))
}

fn list(packages: &[&str]) -> PypiSpec {
    let from = PypiFrom::Packages(packages.iter().map(|&package| package.to_owned()).collect());
    PypiSpec { from, python: Some("3.11".to_owned()) }
}

fn pinned(world: &World, text: &str) -> Result<Vec<Part>, PackagesError> {
    let spec =
        PypiSpec { from: PypiFrom::Pins(RelPath::new("requirements.txt").unwrap()), python: Some("3.11".to_owned()) };
    let source = world.source(&[("requirements.txt", text)]);
    world.with(|cx| pins("x", &spec, &source, cx))
}

fn hashed(package: &str, digests: &[Digest]) -> String {
    let hashes = digests.iter().map(|digest| format!(" --hash=sha256:{}", digest.hex()));
    format!("{package}{}\n", hashes.collect::<String>())
}

#[track_caller]
fn files(parts: &[Part]) -> Vec<String> {
    let name = |part: &Part| part.purl.as_str().split_once("file_name=").unwrap().1.to_owned();
    parts.iter().map(name).collect()
}

#[test]
fn a_list_is_locked_for_each_platform_and_laid_out() {
    for json in [true, false] {
        let shelf = shelf();
        let server = Server::http(move |asked| shelf.answer(asked, json));
        let mut world = index(&server);
        world.platforms = vec!["linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap()];
        let spec = list(&["apple==1.0", "pear==2.0"]);
        let parts = world.with(|cx| resolve("x", &spec, cx)).unwrap();
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.claim == Claim::IndexHash));
        assert_eq!(parts.iter().filter(|part| part.platform.is_none()).count(), 1, "pear is for any");
        let laid = world.with(|cx| tree(&spec, &parts, cx)).unwrap();
        let names: Vec<_> = laid.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(names, ["apple-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "pear-2.0-py3-none-any.whl"]);
        world.platform = "linux/arm64".parse().unwrap();
        let laid = world.with(|cx| tree(&spec, &parts, cx)).unwrap();
        assert!(laid.entry("apple-1.0-cp311-cp311-manylinux_2_17_aarch64.whl").is_some() && laid.len() == 2);

        // Another machine with an empty store fetches the same and no more.
        let other = index(&server);
        other.with(|cx| fetch("x", &spec, &parts, cx)).unwrap();
        assert_eq!(other.with(|cx| tree(&spec, &parts, cx)).unwrap().len(), 2);
        let described = other.with(|cx| describe(&spec, &parts, cx)).unwrap();
        assert_eq!(
            described.iter().map(|one| one.licenses.as_slice()).collect::<Vec<_>>(),
            [["MIT".to_owned()], ["MIT".to_owned()]]
        );
    }
}

#[test]
fn pins_choose_among_their_hashes_and_the_second_time_ask_nobody() {
    let shelf = shelf();
    let (source, wheel) =
        (shelf.digest("apple-1.0.tar.gz"), shelf.digest("apple-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"));
    let pear = shelf.digest("pear-2.0-py3-none-any.whl");
    let server = shelf.serve();
    let mut world = index(&server);
    let text = hashed("apple==1.0", &[source, wheel]) + &hashed("pear==2.0", &[pear]);
    let parts = pinned(&world, &text).unwrap();
    assert_eq!(files(&parts), ["apple-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "pear-2.0-py3-none-any.whl"]);
    assert!(parts.iter().all(|part| part.claim == Claim::EcosystemLock));
    let only_source = pinned(&world, &hashed("apple==1.0", &[source])).unwrap();
    assert_eq!(files(&only_source), ["apple-1.0.tar.gz"]);
    let no_binary = pinned(&world, &format!("--no-binary=:all:\n{}", hashed("apple==1.0", &[source, wheel]))).unwrap();
    assert_eq!(files(&no_binary), ["apple-1.0.tar.gz"]);

    let asked = server.asked().len();
    world.offline = true;
    assert_eq!(pinned(&world, &text).unwrap(), parts);
    assert_eq!(server.asked().len(), asked);
    let error = pinned(&world, &hashed("pear==2.0", &[pear, wheel])).unwrap_err();
    assert!(matches!(&error, PackagesError::Offline { packages } if packages == &["pear==2.0"]), "{error}");

    let mut described = only_source.clone();
    described.extend(parts.iter().filter(|part| part.sha256 == pear).cloned());
    let described = world.with(|cx| describe(&list(&[]), &described, cx)).unwrap();
    assert_eq!(described[0].depends_on, [described[1].purl.clone()], "of PKG-INFO in a source archive");
}

/// What a capsule brings: files, and no note of what they answered. Who built chose, and a pin is all that is asked of it.
#[test]
fn files_without_notes_answer_once_somebody_names_them() {
    let shelf = shelf();
    let (source, wheel) =
        (shelf.digest("apple-1.0.tar.gz"), shelf.digest("apple-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"));
    let server = shelf.serve();
    let text = hashed("apple==1.0", &[source, wheel]);
    let by_wheel = pinned(&index(&server), &text).unwrap();
    let by_source = pinned(&index(&server), &hashed("apple==1.0", &[source])).unwrap();
    let mut world = World::new();
    world.offline = true;
    let spec =
        PypiSpec { from: PypiFrom::Pins(RelPath::new("requirements.txt").unwrap()), python: Some("3.11".to_owned()) };
    let again = |known: &[Part], text: &str| {
        let source = world.source(&[("requirements.txt", text)]);
        world.with(|cx| pins_among("x", &spec, &source, Claimed { parts: known, to_note: false }, cx))
    };
    for known in [&by_wheel, &by_source] {
        assert_eq!(again(known, &text).unwrap(), *known);
    }
    let other = hashed("apple==1.1", &[source, wheel]);
    for (known, text) in
        [(&by_wheel[..0], &text), (&by_wheel[..], &hashed("apple==1.0", &[source])), (&by_wheel, &other)]
    {
        assert!(matches!(again(known, text), Err(PackagesError::Offline { .. })), "{known:?}");
    }
}

#[test]
fn other_bytes_than_pinned_are_refused() {
    let other = Digest::of(b"another file");
    let server = shelf().serve();
    let world = index(&server);
    let error = pinned(&world, &hashed("pear==2.0", &[other])).unwrap_err();
    assert!(matches!(&error, PackagesError::Mismatch { by, .. } if by == "line 1 of requirements.txt"), "{error}");
    assert!(!error.retry_may_help());

    // The index says what is pinned, and gives something else.
    let file = "pear-2.0-py3-none-any.whl";
    for json in [true, false] {
        let lying = shelf().lying(file, other);
        let found = lying.digest(file);
        let server = Server::http(move |asked| lying.answer(asked, json));
        let world = index(&server);
        let error = pinned(&world, &hashed("pear==2.0", &[other])).unwrap_err().to_string();
        assert!(error.contains(&found.to_string()) && error.contains(&other.to_string()), "{error}");
        let error = world.with(|cx| resolve("x", &list(&["pear==2.0"]), cx)).unwrap_err().to_string();
        assert!(error.contains(&found.to_string()), "{error}");
    }
    // A lock that was edited.
    let mut parts = world.with(|cx| resolve("x", &list(&["pear==2.0"]), cx)).unwrap();
    parts[0].sha256 = other;
    let fresh = index(&server);
    let error = fresh.with(|cx| fetch("x", &list(&["pear==2.0"]), &parts, cx)).unwrap_err();
    assert!(matches!(error, PackagesError::Mismatch { .. }), "{error}");
}

#[test]
fn versions_that_are_not_there_or_do_not_fit() {
    let server = shelf().serve();
    let world = index(&server);
    let resolve = |package: &str| world.with(|cx| resolve("x", &list(&[package]), cx)).unwrap_err();
    for package in ["pear==9.9", "plum==1.0"] {
        assert!(matches!(resolve(package), PackagesError::NotFound { .. }));
    }
    let shelf = Shelf::default().with("fig-1.0-cp39-cp39-manylinux_2_17_x86_64.whl", wheel("fig", "1.0", &[]));
    let server = shelf.serve();
    let world = index(&server);
    let error = world.with(|cx| super::super::resolve("x", &list(&["fig==1.0"]), cx)).unwrap_err();
    assert_eq!(error.to_string(), "fig==1.0 has no file for Python 3.11 on linux/amd64");
}

#[test]
fn a_second_index_does_not_replace_what_the_first_has() {
    let (first, second) =
        (shelf(), Shelf::default().with("pear-2.0-py3-none-any.whl", wheel("pear", "2.0", &[("evil.py", b"x", 0)])));
    let (ours, theirs) = (first.digest("pear-2.0-py3-none-any.whl"), second.digest("pear-2.0-py3-none-any.whl"));
    let (first, second) = (first.serve(), second.serve());
    let world = index(&first).set("PIP_EXTRA_INDEX_URL", &second.url("/simple"));
    let parts = world.with(|cx| resolve("x", &list(&["pear==2.0"]), cx)).unwrap();
    assert_eq!(parts[0].sha256, ours);
    assert!(second.asked().is_empty());
    // What is pinned may be in either.
    assert_eq!(pinned(&world, &hashed("pear==2.0", &[theirs])).unwrap()[0].sha256, theirs);
}

#[test]
fn a_password_in_pips_settings_is_shown_to_its_server_and_to_nobody_else() {
    let shelf = shelf();
    let pear = shelf.digest("pear-2.0-py3-none-any.whl");
    let server = Server::http(move |asked| Answer::guarded(asked, "me", "hunter2", || shelf.answer(asked, true)));
    let with_password = server.url("/simple").replace("://", "://me:hunter2@");
    let world = World::new();
    std::fs::write(world.path("pip.conf"), format!("[global]\nindex-url = {with_password}\n")).unwrap();
    let file = world.path("pip.conf").display().to_string();
    let world = world.set("PIP_CONFIG_FILE", &file);
    let parts = pinned(&world, &hashed("pear==2.0", &[pear])).unwrap();
    assert!(!parts[0].purl.as_str().contains("hunter2"));
    for error in [
        pinned(&world, &hashed("pear==2.0", &[Digest::of(b"x")])).unwrap_err(),
        pinned(
            &world.set("PIP_INDEX_URL", &with_password.replace("hunter2", "wrong-secret")),
            &hashed("pear==2.0", &[pear, Digest::of(b"y")]),
        )
        .unwrap_err(),
    ] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && !text.contains("wrong-secret"), "{text}");
    }
}

#[test]
fn answers_that_are_none() {
    let pear = Digest::of(b"pear");
    let text = hashed("pear==2.0", &[pear]);
    for (status, again) in [(401, false), (403, false), (429, true), (500, true)] {
        let server = Server::http(move |_| Answer::status(status));
        let error = pinned(&index(&server), &text).unwrap_err();
        assert!(matches!(error, PackagesError::Http(_)), "{error}");
        assert_eq!(error.retry_may_help(), again, "{status}");
    }
    // A page where a file should be.
    let page = Server::http(|asked| match asked.path().starts_with("/simple/") {
        true => Answer::ok("<a href=\"/files/pear-2.0-py3-none-any.whl\">pear-2.0-py3-none-any.whl</a>")
            .header("content-type", "text/html"),
        false => Answer::ok("<html>log in</html>").header("content-type", "text/html"),
    });
    let error = pinned(&index(&page), &text).unwrap_err().to_string();
    assert!(error.contains("web page"), "{error}");
    let world = World::new();
    let error = pinned(&world, &text).unwrap_err();
    assert!(matches!(error, PackagesError::NoOrigin { tool: "pip", .. }), "{error}");
}

#[test]
fn includes_are_read_from_the_source_and_a_circle_ends() {
    let shelf = shelf();
    let pear = shelf.digest("pear-2.0-py3-none-any.whl");
    let server = shelf.serve();
    let world = index(&server);
    let spec = PypiSpec { from: PypiFrom::Pins(RelPath::new("app/all.txt").unwrap()), python: None };
    let run = |files: &[(&str, &str)]| {
        let source = world.source(files);
        world.with(|cx| pins("x", &spec, &source, cx))
    };
    let more = hashed("pear==2.0", &[pear]);
    assert_eq!(run(&[("app/all.txt", "-r ../more.txt"), ("more.txt", &more)]).unwrap().len(), 1);
    for (files, because) in [
        (&[("app/all.txt", "-r all.txt")][..], "includes itself"),
        (&[("app/all.txt", "-r ../../more.txt")], "no file of the source"),
        (&[("app/all.txt", "-r none.txt")], "has no `app/none.txt`"),
        (&[], "has no `app/all.txt`"),
        (&[("app/all.txt", "pear")], "line 1 of the requirements file"),
    ] {
        let error = run(files).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    }
}

/// A shared store may name any file: one that no pin has, or that does not fit, is not taken, and one that fits is known the
/// next time.
#[test]
fn what_anybody_said_is_taken_only_where_it_is_pinned_and_fits() {
    let shelf = shelf();
    let names = ["apple-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "apple-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"];
    let mut world = World::new();
    world.offline = true;
    for name in names {
        world.store.put_bytes(&shelf.files[name], false).unwrap();
    }
    let hashes = names.map(|name| format!("--hash=sha256:{}", shelf.digest(name).hex())).join(" ");
    let source = world.source(&[("requirements.txt", &format!("apple==1.0 {hashes}\n"))]);
    let spec =
        PypiSpec { from: PypiFrom::Pins(RelPath::new("requirements.txt").unwrap()), python: Some("3.11".to_owned()) };
    let claim = |name: &str| {
        let purl = format!("pkg:pypi/apple@1.0?file_name={name}").parse().unwrap();
        Part::new(purl, shelf.digest(name), shelf.files[name].len() as u64, Claim::EcosystemLock)
    };
    let among =
        |known: &[Part]| world.with(|cx| pins_among("x", &spec, &source, Claimed { parts: known, to_note: true }, cx));
    assert!(matches!(among(&[claim(names[1])]), Err(PackagesError::Offline { .. })), "for another processor");
    assert_eq!(among(&[claim(names[1]), claim(names[0])]).unwrap(), [claim(names[0])]);
    assert_eq!(among(&[]).unwrap(), [claim(names[0])], "it is known");
}

/// Whoever is refused by one index has the others still.
#[test]
fn an_index_that_refuses_does_not_end_the_question() {
    let shelf = shelf();
    let name = "pear-2.0-py3-none-any.whl";
    let purl = format!("pkg:pypi/pear@2.0?file_name={name}").parse().unwrap();
    let part = Part::new(purl, shelf.digest(name), shelf.files[name].len() as u64, Claim::IndexHash);
    let (refusing, having) = (Server::http(|_| Answer::status(401)), shelf.serve());
    let world =
        World::new().set("PIP_INDEX_URL", &refusing.url("/simple")).set("PIP_EXTRA_INDEX_URL", &having.url("/simple"));
    let said = world.with(|cx| crate::obtainable(std::slice::from_ref(&part), cx)).unwrap();
    assert_eq!(said, [crate::Obtainable::Yes]);
    world.with(|cx| fetch("x", &list(&[]), std::slice::from_ref(&part), cx)).unwrap();
    // Where no other has it, nobody knows.
    let world = World::new().set("PIP_INDEX_URL", &refusing.url("/simple"));
    let said = world.with(|cx| crate::obtainable(std::slice::from_ref(&part), cx)).unwrap();
    assert!(matches!(said[..], [crate::Obtainable::Unknown { .. }]), "{said:?}");
}
