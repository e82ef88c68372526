//! Locks resolved and fetched, and crates found, with no network but this machine's own.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::World;
use selfsame_core::{Digest, RelPath};
use selfsame_definition::Definition;
use selfsame_fetch::{
    CratesError, Environment, FetchError, HttpError, fetch, fetch_crates, resolve, source_tree, vendor_tree,
};
use selfsame_lock::{Claim, Lock, answers};
use selfsame_tree::{Entry, Tree};

use crate::disk::Disk;

fn definition(source: &str) -> Definition {
    let image = "[image]\n[[image.file]]\nfrom = \"source:x\"\nto = \"/x\"\n";
    Definition::parse(&format!("name = \"a\"\nversion = \"1\"\n[source]\nepoch = 1\n{source}\n{image}")).unwrap()
}

/// A gzip tar with these files.
fn targz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Answers every request with what `answer` makes of its path, and counts them.
struct Server {
    address: String,
    requests: std::sync::Arc<AtomicUsize>,
}

impl Server {
    fn new(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = std::sync::Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                counter.fetch_add(1, Ordering::SeqCst);
                let mut request = Vec::new();
                let mut buffer = [0; 1024];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&buffer[..read]),
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
                let _ = stream.write_all(&answer(&path));
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// No proxy, whatever the machine has.
fn direct(disk: &Disk) -> Environment {
    let mut environment = disk.environment();
    environment.variables.retain(|name, _| !name.to_string_lossy().to_lowercase().ends_with("_proxy"));
    environment
}

#[test]
fn an_archive_beside_the_definition() {
    let disk = Disk::new();
    let archive = targz(&[("lua-5.4.7/lua.c", "int main;")]);
    disk.write("a", &[]);
    std::fs::create_dir_all(disk.path("a/dist")).unwrap();
    std::fs::write(disk.path("a/dist/lua-5.4.7.tar.gz"), &archive).unwrap();
    let (folder, environment) = (disk.path("a"), direct(&disk));
    let stated =
        |sha256: &Digest| definition(&format!("archive = \"dist/lua-5.4.7.tar.gz\"\nsha256 = \"{}\"", sha256.hex()));
    let unstated = definition("archive = \"dist/lua-5.4.7.tar.gz\"");
    let lock =
        resolve(&unstated, None, |_| false, &World::new(&folder, &environment, &disk.store).context(false)).unwrap();
    insta::assert_snapshot!(lock.to_string().replace(&Digest::of(&archive).hex(), "DIGEST").replace(&format!("size = {}", archive.len()), "size = SIZE"), @r#"
    # selfsame.lock: every input by content. Written by `selfsame lock`; commit it.
    version = 1
    profile = 1

    [[input]]
    name = "source"
    kind = "archive"
    asked = "pkg:generic/lua@5.4.7"
    as_of = "2026-11-20"
    parts = [
      { purl = "pkg:generic/lua@5.4.7", sha256 = "DIGEST", size = SIZE, claim = "local-file" },
    ]
    "#);
    let by_author = resolve(
        &stated(&Digest::of(&archive)),
        None,
        |_| false,
        &World::new(&folder, &environment, &disk.store).context(false),
    )
    .unwrap();
    assert_eq!(by_author.inputs["source"].parts[0].claim, Claim::Definition);
    answers(&unstated, &by_author).unwrap();
    let tree = source_tree(&unstated, &lock, &disk.store).unwrap().unwrap();
    assert_eq!(tree.content("lua.c"), Some((Digest::of(b"int main;"), 9)));

    let error = resolve(
        &stated(&Digest::of(b"other")),
        None,
        |_| false,
        &World::new(&folder, &environment, &disk.store).context(false),
    )
    .unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { by: "stated in the definition", .. }), "{error}");
    std::fs::write(disk.path("a/dist/lua-5.4.7.tar.gz"), targz(&[("lua-5.4.7/lua.c", "edited")])).unwrap();
    fetch(&unstated, &lock, &World::new(&folder, &environment, &disk.store).context(true))
        .expect("the store has it still");
    let other = Disk::new();
    let error = fetch(&unstated, &lock, &World::new(&folder, &environment, &other.store).context(true)).unwrap_err();
    assert!(matches!(error, FetchError::Mismatch { by: "locked", .. }), "{error}");
    // The file may be anybody's, where the lock is a stranger's.
    assert_eq!(other.store.check(&mut |_| {}).unwrap().blobs, 0, "nothing else is kept");
    std::fs::remove_file(disk.path("a/dist/lua-5.4.7.tar.gz")).unwrap();
    let error = fetch(&unstated, &lock, &World::new(&folder, &environment, &other.store).context(true)).unwrap_err();
    assert!(matches!(error, FetchError::File { .. }) && !error.retry_may_help(), "{error}");
}

#[test]
fn a_path_source_locks_nothing() {
    let disk = Disk::new();
    let definition = definition("");
    let lock =
        resolve(&definition, None, |_| false, &World::new(Path::new("/"), &direct(&disk), &disk.store).context(false))
            .unwrap();
    assert_eq!(lock, Lock::empty(selfsame_core::Profile::CURRENT));
    assert_eq!(source_tree(&definition, &lock, &disk.store).unwrap(), None);
}

#[test]
fn an_archive_by_address() {
    let disk = Disk::new();
    let archive = targz(&[("x-1/x", "x")]);
    let body = archive.clone();
    let server = Server::new(move |path| match path {
        "/x-1.tar.gz" => response("200 OK", "Content-Type: application/gzip\r\nContent-Encoding: gzip\r\n", &body),
        "/moved/x-1.tar.gz" => response("302 Found", "Location: /x-1.tar.gz\r\n", b""),
        "/page/x-1.tar.gz" => response("200 OK", "Content-Type: text/html; charset=utf-8\r\n", b"sign in"),
        "/plain/x-1.tar.gz" => response("200 OK", "", b"\n<!DOCTYPE html><title>sign in</title>"),
        "/secret/x-1.tar.gz" => response("403 Forbidden", "", b""),
        "/busy/x-1.tar.gz" => response("503 Service Unavailable", "", b""),
        "/cut/x-1.tar.gz" => response("200 OK", "", &body).split_last_chunk::<10>().unwrap().0.to_vec(),
        "/loop/x-1.tar.gz" => response("302 Found", "Location: /loop/x-1.tar.gz\r\n", b""),
        _ => response("404 Not Found", "", b""),
    });
    let environment = direct(&disk);
    let at = |path: &str| definition(&format!("archive = \"{}{path}/x-1.tar.gz\"", server.address));
    let resolved = |path: &str| {
        resolve(&at(path), None, |_| false, &World::new(Path::new("/"), &environment, &disk.store).context(false))
    };
    for path in ["", "/moved"] {
        let lock = resolved(path).unwrap();
        let input = &lock.inputs["source"].parts[0];
        assert_eq!(
            (input.sha256, input.size, input.claim),
            (Digest::of(&archive), archive.len() as u64, Claim::Plaintext)
        );
    }
    let http = |path| match resolved(path) {
        Err(FetchError::Http(error)) => error,
        other => panic!("{path}: {other:?}"),
    };
    assert!(matches!(http("/none"), HttpError::NotFound { status: 404, .. }));
    assert!(matches!(http("/secret"), HttpError::Refused { status: 403, .. }));
    assert!(matches!(http("/page"), HttpError::WebPage { .. }));
    assert!(matches!(http("/plain"), HttpError::WebPage { .. }));
    assert!(matches!(http("/busy"), HttpError::Busy { status: 503, .. }));
    assert!(matches!(http("/cut"), HttpError::Network { .. }));
    assert!(!http("/loop").retry_may_help() && !http("/page").retry_may_help());
    assert!(http("/busy").retry_may_help() && http("/cut").retry_may_help());

    // What the author vouches for and the store has is not asked for; nor is what is locked and here.
    let before = server.requests();
    let source =
        format!("archive = \"{}/gone/x-1.tar.gz\"\nsha256 = \"{}\"", server.address, Digest::of(&archive).hex());
    let lock = resolve(
        &definition(&source),
        None,
        |_| false,
        &World::new(Path::new("/"), &environment, &disk.store).context(false),
    )
    .unwrap();
    fetch(&definition(&source), &lock, &World::new(Path::new("/"), &environment, &disk.store).context(false)).unwrap();
    assert_eq!(server.requests(), before);
    let other = Disk::new();
    let error =
        fetch(&at(""), &lock, &World::new(Path::new("/"), &environment, &other.store).context(true)).unwrap_err();
    assert!(matches!(error, FetchError::Offline { .. }), "{error}");
    assert_eq!(server.requests(), before, "offline means offline");
    fetch(&at(""), &lock, &World::new(Path::new("/"), &environment, &other.store).context(false)).unwrap();
    assert!(other.store.has(&Digest::of(&archive)));
}

#[test]
fn a_server_that_is_not_there() {
    let disk = Disk::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let definition = definition(&format!("archive = \"http://{address}/x-1.tar\""));
    let error =
        resolve(&definition, None, |_| false, &World::new(Path::new("/"), &direct(&disk), &disk.store).context(false))
            .unwrap_err();
    assert!(error.retry_may_help(), "{error}");
}

#[test]
fn the_machines_proxy_is_asked() {
    let disk = Disk::new();
    let body = targz(&[("x-1/x", "x")]);
    let archive = body.clone();
    let server = Server::new(move |_| response("200 OK", "", &body));
    let mut environment = direct(&disk);
    environment.variables.insert("http_proxy".into(), server.address.clone().into());
    let definition = definition("archive = \"http://nowhere.invalid/x-1.tar.gz\"");
    // A proxy that does not speak CONNECT answers with the file itself; either way it is the proxy that was asked.
    match resolve(&definition, None, |_| false, &World::new(Path::new("/"), &environment, &disk.store).context(false)) {
        Ok(lock) => assert_eq!(lock.inputs["source"].parts[0].sha256, Digest::of(&archive)),
        Err(error) => assert!(matches!(error, FetchError::Http(_)), "{error}"),
    }
    assert!(server.requests() > 0);
    let before = server.requests();
    environment.variables.insert("no_proxy".into(), "x.example,nowhere.invalid".into());
    resolve(&definition, None, |_| false, &World::new(Path::new("/"), &environment, &disk.store).context(false))
        .unwrap_err();
    assert_eq!(server.requests(), before);
}

/// A Rust project with one dependency, in the store.
fn project(disk: &Disk, more: &[(&str, &str)], dependency: &str) -> Tree {
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"dep\"\nversion = \"1.2.3\"\n{dependency}\n\n[[package]]\nname = \"me\"\nversion = \"0.0.0\"\n"
    );
    let files = [
        ("Cargo.lock", lock.as_str()),
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/me\"]\n"),
        ("crates/me/Cargo.toml", "[package]\nname = \"me\"\n"),
        ("crates/me/src/main.rs", "fn main() {}"),
    ];
    let entry = |(path, content): &(&str, &str)| {
        let digest = disk.store.put_bytes(content.as_bytes(), false).unwrap();
        (RelPath::new(*path).unwrap(), Entry::file(digest, content.len() as u64, false))
    };
    Tree::from_entries(files.iter().chain(more).map(entry)).unwrap()
}

fn registry(checksum: &Digest) -> String {
    format!("source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"", checksum.hex())
}

/// An environment whose `cargo` is this shell script, and whose cargo home is empty.
fn with_cargo(disk: &Disk, script: &str) -> Environment {
    disk.write("bin", &[("cargo*", &format!("#!/bin/sh\n{script}\n"))]);
    let mut environment = disk.environment();
    let path = format!("{}:/usr/bin:/bin", disk.path("bin").display());
    environment.variables.insert("PATH".into(), path.into());
    environment.variables.insert("CARGO_HOME".into(), disk.path("cargo").into());
    environment
}

fn lock_path() -> RelPath {
    RelPath::new("Cargo.lock").unwrap()
}

#[test]
fn crates_from_cargos_cache_laid_out() {
    let disk = Disk::new();
    let package = targz(&[("dep-1.2.3/Cargo.toml", "[package]\n"), ("dep-1.2.3/src/lib.rs", "")]);
    let source = project(&disk, &[], &registry(&Digest::of(&package)));
    let environment = with_cargo(&disk, "exit 99");
    let error = fetch_crates(&source, &lock_path(), &environment, &disk.store, true).unwrap_err();
    assert_eq!(error.to_string(), "not here, and the network may not be used: `dep@1.2.3`");
    // Another registry's file of the same name is passed over.
    for (registry, content) in [("a.example-0", &b"another"[..]), ("b.example-1", &package)] {
        let folder = disk.path("cargo/registry/cache").join(registry);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("dep-1.2.3.crate"), content).unwrap();
    }
    let set = fetch_crates(&source, &lock_path(), &environment, &disk.store, true).unwrap();
    assert_eq!(set.crates[0].purl.as_str(), "pkg:cargo/dep@1.2.3");
    assert_eq!(set.crates[0].size, package.len() as u64);
    let tree = vendor_tree(&set, "/inputs/cargo", &disk.store).unwrap();
    let text = |path: &str| {
        let bytes = disk.store.read_blob(&tree.content(path).unwrap().0, 4096).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let names: Vec<&str> = tree.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        names,
        [
            "config.toml",
            "vendor/dep-1.2.3/.cargo-checksum.json",
            "vendor/dep-1.2.3/Cargo.toml",
            "vendor/dep-1.2.3/src/lib.rs"
        ]
    );
    insta::assert_snapshot!(text("config.toml"), @r#"
    [source.crates-io]
    replace-with = "selfsame"

    [source.selfsame]
    directory = "/inputs/cargo/vendor"

    [net]
    offline = true
    "#);
    let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", Digest::of(&package).hex());
    assert_eq!(text("vendor/dep-1.2.3/.cargo-checksum.json"), checksum);
}

#[test]
fn other_registries_are_replaced_by_their_addresses() {
    let disk = Disk::new();
    let mut set = selfsame_fetch::CrateSet { crates: vec![], registries: Default::default() };
    set.registries.insert("registry+https://git.example/index".to_owned());
    set.registries.insert("sparse+https://sparse.example/a\"b/".to_owned());
    let tree = vendor_tree(&set, "/inputs/cargo", &disk.store).unwrap();
    let config = disk.store.read_blob(&tree.content("config.toml").unwrap().0, 4096).unwrap();
    insta::assert_snapshot!(String::from_utf8(config).unwrap(), @r#"
    [source.crates-io]
    replace-with = "selfsame"

    [source."https://git.example/index"]
    registry = "https://git.example/index"
    replace-with = "selfsame"

    [source.'sparse+https://sparse.example/a"b/']
    registry = 'sparse+https://sparse.example/a"b/'
    replace-with = "selfsame"

    [source.selfsame]
    directory = "/inputs/cargo/vendor"

    [net]
    offline = true
    "#);
}

#[test]
fn what_cargo_sees_of_a_project() {
    let disk = Disk::new();
    let package = targz(&[("dep-1.2.3/Cargo.toml", "")]);
    let config = "[registries.ours]\nindex = \"sparse+https://r.example/\"\ncredential-provider = [\"sh\", \"-c\", \"evil\"]\n\
                  [source.crates-io]\nreplace-with = \"m\"\n[source.m]\nregistry = \"sparse+https://m.example/\"\n\
                  [registry]\ndefault = \"ours\"\nglobal-credential-providers = [\"evil\"]\n\
                  [build]\nrustc-wrapper = \"evil\"\n[alias]\nfetch = \"evil\"\n[target.x]\nrunner = \"evil\"\n[env]\nPATH = \"evil\"\n";
    let more = [
        (".cargo/config.toml", config),
        ("rust-toolchain.toml", "evil"),
        ("build.rs", "evil"),
        ("Makefile", "evil"),
        ("sub/.cargo/config", "not TOML ["),
    ];
    let source = project(&disk, &more, &registry(&Digest::of(&package)));
    disk.write("out", &[("dep-1.2.3.crate", "")]);
    std::fs::write(disk.path("out/dep-1.2.3.crate"), &package).unwrap();
    // A cargo that shows where it was started and with what, and fetches.
    let script = format!(
        "cd \"$PWD\"; echo \"$@\" > {0}/arguments; find . -type f | sort > {0}/files; cat .cargo/config.toml > {0}/config\n\
         echo \"${{RUSTC_WRAPPER-unset}} ${{CARGO_TARGET_DIR-unset}} $MINE\" > {0}/variables\n\
         mkdir -p $CARGO_HOME/registry/cache/r && cp {0}/dep-1.2.3.crate $CARGO_HOME/registry/cache/r/",
        disk.path("out").display()
    );
    let mut environment = with_cargo(&disk, &script);
    for (name, value) in [("RUSTC_WRAPPER", "evil"), ("CARGO_TARGET_DIR", "/x"), ("MINE", "kept")] {
        environment.variables.insert(name.into(), value.into());
    }
    let set = fetch_crates(&source, &lock_path(), &environment, &disk.store, false).unwrap();
    assert_eq!(set.crates.len(), 1);
    let said = |name: &str| std::fs::read_to_string(disk.path("out").join(name)).unwrap();
    assert_eq!(said("arguments"), "fetch --locked\n");
    assert_eq!(said("variables"), "unset unset kept\n");
    insta::assert_snapshot!(said("files"), @r"
    ./.cargo/config.toml
    ./Cargo.lock
    ./Cargo.toml
    ./build.rs
    ./crates/me/Cargo.toml
    ./crates/me/src/main.rs
    ./sub/.cargo/config
    ");
    insta::assert_snapshot!(said("config"), @r#"
    [registries.ours]
    index = "sparse+https://r.example/"

    [registry]
    default = "ours"

    [source.crates-io]
    replace-with = "m"

    [source.m]
    registry = "sparse+https://m.example/"
    "#);
    assert!(!said("config").contains("evil"));
    let left = std::fs::read_dir(disk.store.root().join("tmp")).unwrap().count();
    assert_eq!(left, 1, "the folder that cargo worked in is gone; the store's own is there");
}

#[test]
fn what_cargo_may_come_back_with() {
    let disk = Disk::new();
    let source = project(&disk, &[], &registry(&Digest::of(b"locked")));
    let run = |script: &str| {
        let environment = with_cargo(&disk, script);
        fetch_crates(&source, &lock_path(), &environment, &disk.store, false).unwrap_err()
    };
    let error = run("exit 0");
    assert_eq!(error.to_string(), "cargo fetched no `dep@1.2.3`");
    let error = run(
        "echo 'warning: spurious network error (3 tries remaining): [28] Timeout' >&2; echo 'error: failed to get `dep`' >&2; exit 101",
    );
    assert!(error.retry_may_help());
    assert_eq!(error.to_string(), "cargo fetch could not reach its registry: error: failed to get `dep`");
    let error = run("printf 'error: no matching\\033[1m package\\n\\nCaused by:\\n  x\\n' >&2; exit 101");
    assert!(!error.retry_may_help());
    assert_eq!(error.to_string(), "cargo fetch failed: error: no matching [1m package; Caused by:; x");
    let error =
        run("mkdir -p $CARGO_HOME/registry/cache/r && echo other > $CARGO_HOME/registry/cache/r/dep-1.2.3.crate");
    assert!(matches!(error, CratesError::Mismatch { .. }), "{error}");
    let mut environment = disk.environment();
    environment.variables.insert("PATH".into(), "/nowhere".into());
    environment.variables.insert("CARGO_HOME".into(), disk.path("empty").into());
    let error = fetch_crates(&source, &lock_path(), &environment, &disk.store, false).unwrap_err();
    assert_eq!(error.to_string(), "the program `cargo` is not there");
}

#[test]
fn dependencies_that_cannot_be_pinned() {
    let disk = Disk::new();
    let environment = with_cargo(&disk, "exit 99");
    let refusal =
        |source: &Tree| fetch_crates(source, &lock_path(), &environment, &disk.store, true).unwrap_err().to_string();
    let git = project(&disk, &[], "source = \"git+https://g.example/dep#0123\"");
    assert!(refusal(&git).starts_with("crate `dep` 1.2.3 comes from git"), "{}", refusal(&git));
    let outside = project(&disk, &[], "");
    assert_eq!(refusal(&outside), "crate `dep` is a path dependency, and no manifest in the source has that name");
    let inside = project(&disk, &[("vendor/dep/Cargo.toml", "[package]\nname = \"dep\"\n")], "");
    assert!(fetch_crates(&inside, &lock_path(), &environment, &disk.store, true).unwrap().crates.is_empty());
    let none = Tree::from_entries([(RelPath::new("x").unwrap(), Entry::symlink("y"))]).unwrap();
    assert_eq!(refusal(&none), "the source has no `Cargo.lock`; a Rust program needs one, for its checksums");
}
