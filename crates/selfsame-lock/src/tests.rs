use proptest::prelude::*;
use selfsame_core::{Digest, Profile};
use selfsame_definition::Definition;

use super::*;

const LOCK: &str = include_str!("../tests/golden/lock/selfsame-v1.lock");
const HOST: &str = include_str!("../tests/golden/lock/selfsame-host-v1.lock");

#[test]
fn version_1_specimens_are_read_and_printed_in_the_same_spelling() {
    let lock = Lock::parse(LOCK).unwrap();
    assert_eq!(lock.to_string(), LOCK);
    assert_eq!(lock.inputs["source"].parts[0].sha256, Digest::of(b"hello"));
    assert_eq!(lock.inputs["data"].parts[0].claim, Claim::TlsOnly);
    assert_eq!(lock.inputs["gcc"].size(), 5216 + 1_904_508);
    assert_eq!(lock.inputs["gcc"].parts[1].platform.as_ref().unwrap().to_string(), "linux/arm/v7");
    let some = [Normaliser::DpkgBackups, Normaliser::Logs, Normaliser::MachineId];
    assert_eq!(lock.inputs["service"].normalisers, some);
    let host = HostLock::parse(HOST).unwrap();
    assert_eq!(host.to_string(), HOST);
    assert_eq!(host.toolchains["cc"].packages[0].licenses[1], "a \"quoted\"\n\\ text\u{7}");
    assert_eq!(host.toolchains["rust"].platform.variant.as_deref(), Some("v7"));
}

#[test]
fn the_documented_examples_are_locks_as_printed() {
    let page = include_str!("../../../docs/lock/v1.md");
    let mut examples = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let (lock, host) = (examples.next().unwrap(), examples.next().unwrap());
    assert_eq!(Lock::parse(lock).unwrap().to_string(), lock);
    assert_eq!(HostLock::parse(host).unwrap().to_string(), host);
}

#[track_caller]
fn refused(from: &str, to: &str, because: &str) {
    let (text, error) = if LOCK.contains(from) {
        let text = LOCK.replace(from, to);
        (text.clone(), Lock::parse(&text).expect_err(to))
    } else {
        assert!(HOST.contains(from), "{from}");
        let text = HOST.replace(from, to);
        (text.clone(), HostLock::parse(&text).expect_err(to))
    };
    assert!(error.to_string().contains(because), "{error}");
    assert!(text.lines().any(|line| line == error.source_line), "{error:?}");
}

#[test]
fn strangers_are_refused() {
    refused("version = 1\nprofile", "version = 2\nfuture = true\nprofile", "one that reads version 2 is needed");
    refused("version = 1\nprofile", "version = 0\nprofile", "the first one is 1");
    refused("version = 1\nprofile", "profile", "`version` is missing");
    refused("profile = 1", "profile = 2", "profile 2 is not known here");
    refused("size = 374097", "size = 374097, url = \"x\"", "unknown key `url` in `input[0].parts[0]`");
    refused("kind = \"deb\"", "kind = \"deb\"\nurl = \"x\"", "unknown key `url` in `input[1]`");
    refused("as_of = \"2024-02-29\"", "as_of = \"2023-02-29\"", "not a day like");
    refused("pkg:deb/debian/gcc@", "pkg:deb/debian/zcc@", "out of order");
    refused("size = 374097", "size = -1", "not from 0");
    refused("name = \"data\"", "name = \"source\"", "input `source` stands twice");
    refused("\"crate\"", "\"rpm\"", "`rpm` is none of archive, crate, deb");
    refused("\"tls-only\"", "\"trust-me\"", "none of definition, ecosystem-lock, signed-release, registry-checksum");
    refused("purl = \"pkg:cargo/ripgrep@14.1.1", "purl = \"ripgrep", "not a package URL");
    refused(
        "purl = \"pkg:cargo/ripgrep@14.1.1",
        "purl = \"pkg:Cargo/ripgrep@14.1.1",
        "it would be `pkg:cargo/ripgrep@14.1.1`",
    );
    refused("\"logs\", \"machine-id\"", "\"machine-id\", \"logs\"", "twice or out of order; they are sorted");
    refused("\"dpkg-backups\", \"logs\"", "\"everything\"", "`everything` is none of apt-caches, debconf-backups");
    refused("9fbf5e28", "9FBF5E28", "64 lowercase hex digits");
    refused("version = 1\n\n[[toolchain]]", "version = 3\n\n[[toolchain]]", "one that reads version 3 is needed");
    refused("entries = 1712", "entries = 1712\nnote = \"\"", "unknown key `note` in `toolchain[0]`");
    refused("kind = \"captured\"", "kind = \"captured\"\nchannel = \"1.95.0\"", "goes with kind `rustup`");
    refused("channel = \"1.95.0\"\n", "", "goes with kind `rustup`");
    refused("files = 12", "", "`toolchain[0].package[0].files` is missing");
    refused("name = \"rust\"", "name = \"cc\"", "toolchain `cc` stands twice");
}

#[test]
fn package_urls() {
    let text = |purl: Result<Purl, PurlError>| purl.unwrap().to_string();
    assert_eq!(text(Purl::cargo("lua-src", "547.0.0")), "pkg:cargo/lua-src@547.0.0");
    assert_eq!(text(Purl::cargo("x", "1.0.0+zstd.1.5")), "pkg:cargo/x@1.0.0%2Bzstd.1.5");
    assert_eq!(text(Purl::generic("lua", Some("5.4.7"))), "pkg:generic/lua@5.4.7");
    assert_eq!(
        text(Purl::deb("debian", "libstdc++6", "1:12.2.0-14", "amd64")),
        "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14?arch=amd64"
    );
    for wrong in ["", "pkg:", "pkg:cargo", "http://x", "pkg:cargo/", "pkg:deb/debian/x@1?b=1&a=2"] {
        assert!(wrong.parse::<Purl>().is_err(), "{wrong}");
    }
    assert!(Purl::cargo("", "1.0.0").is_err());
}

fn definition(lines: &str) -> Definition {
    let image = "[image]\n[[image.file]]\nfrom = \"source:x\"\nto = \"/x\"\n";
    Definition::parse(&format!("name = \"a\"\nversion = \"1\"\n{lines}\n{image}")).unwrap()
}

fn source(line: &str) -> Definition {
    definition(&format!("[source]\nepoch = 1\n{line}"))
}

fn locked(lines: &str) -> Lock {
    let (kind, asked) = lines.split_once(' ').unwrap();
    let purl = asked.split_whitespace().next().unwrap().parse().unwrap();
    let input = Locked {
        kind: kind.parse().unwrap(),
        asked: asked.to_owned(),
        as_of: "2026-11-20".parse().unwrap(),
        normalisers: Vec::new(),
        parts: vec![Part::new(purl, Digest::of(b"hello"), 5, Claim::TlsOnly)],
    };
    Lock { profile: Profile::CURRENT, inputs: [("source".parse().unwrap(), input)].into() }
}

#[test]
fn a_lock_answers_what_it_was_made_for() {
    let hello = Digest::of(b"hello").hex();
    for (line, lock) in [
        ("crate = \"ripgrep@14.1.1\"".to_owned(), "crate pkg:cargo/ripgrep@14.1.1"),
        ("archive = \"https://a.example/lua-5.4.7.tar.gz\"".to_owned(), "archive pkg:generic/lua@5.4.7"),
        ("archive = \"http://b.example/x/lua-5.4.7.tar.gz?y#z\"".to_owned(), "archive pkg:generic/lua@5.4.7"),
        (format!("archive = \"d/lua-5.4.7.tgz\"\nsha256 = \"{hello}\""), "archive pkg:generic/lua@5.4.7"),
        ("archive = \"vendor-lib-v2.tar\"".to_owned(), "archive pkg:generic/vendor-lib@v2"),
        ("archive = \"data.tar\"".to_owned(), "archive pkg:generic/data"),
    ] {
        assert_eq!(answers(&source(&line), &locked(lock)), Ok(()), "{line}");
    }
    assert_eq!(answers(&definition(""), &Lock::empty(Profile::CURRENT)), Ok(()));
}

#[test]
fn a_stale_lock_is_told_in_words() {
    let stale = |definition: &Definition, lock: &Lock| {
        answers(definition, lock).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let crates = locked("crate pkg:cargo/ripgrep@14.1.1");
    insta::assert_snapshot!(stale(&source("crate = \"ripgrep@14.1.2\""), &crates), @r"source: the definition has crate pkg:cargo/ripgrep@14.1.2, locked is crate pkg:cargo/ripgrep@14.1.1");
    insta::assert_snapshot!(stale(&source("archive = \"a-1.tar\""), &Lock::empty(Profile::CURRENT)), @r"source: the definition has archive pkg:generic/a@1, nothing is locked");
    insta::assert_snapshot!(stale(&definition(""), &crates), @r"source: locked is crate pkg:cargo/ripgrep@14.1.1, the definition has nothing");
    let stated = source(&format!("archive = \"a-1.tar\"\nsha256 = \"{}\"", Digest::of(b"").hex()));
    insta::assert_snapshot!(stale(&stated, &locked("archive pkg:generic/a@1")), @r"source: the definition has archive pkg:generic/a@1 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, locked is archive pkg:generic/a@1 sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

#[test]
fn a_host_lock_answers_by_kind_channel_and_components() {
    let host = HostLock::parse(HOST).unwrap();
    let asks = |lines: &str| host_answers(&definition(lines), &host).map_err(|stale| stale[0].to_string());
    assert_eq!(asks("[toolchain.cc]\nhost = true"), Ok(()));
    assert_eq!(asks("[toolchain.rust]\nrustup = \"1.95.0\"\ncomponents = [\"cargo\"]"), Ok(()));
    insta::assert_snapshot!(asks("[toolchain.rust]\nrustup = \"1.96.0\"").unwrap_err(), @r"toolchain.rust: the definition has rustup 1.96.0 with cargo, rust-std, rustc, locked is rustup 1.95.0 with cargo");
    insta::assert_snapshot!(asks("[toolchain.rust]\nhost = true").unwrap_err(), @r"toolchain.rust: the definition has captured, locked is rustup 1.95.0 with cargo");
    insta::assert_snapshot!(asks("[toolchain.go]\nhost = true").unwrap_err(), @r"toolchain.go: the definition has captured, nothing is locked");
}

proptest! {
    #[test]
    fn any_text_in_a_host_lock_comes_back(licenses in prop::collection::vec("[^\u{0}]{0,20}", 0..3), supplier in "[^\u{0}]{1,20}") {
        let mut host = HostLock::parse(HOST).unwrap();
        let package = &mut host.toolchains.get_mut("cc").unwrap().packages[0];
        package.licenses = licenses;
        package.supplier = Some(supplier);
        prop_assert_eq!(HostLock::parse(&host.to_string()).unwrap(), host);
    }

    #[test]
    fn never_panics(at in 0_usize..700, with in "[\\[\\]\"'=.a-z0-9\\n\u{e9}]{0,4}", cut in 0_usize..8) {
        let at = at % LOCK.len();
        let text = format!("{}{with}{}", &LOCK[..at], &LOCK[(at + cut).min(LOCK.len())..]);
        if let Err(error) = Lock::parse(&text) {
            prop_assert!(error.line >= 1);
        }
    }
}
