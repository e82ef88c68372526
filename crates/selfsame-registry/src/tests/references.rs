use proptest::prelude::*;

use crate::{Host, Reference, Target};

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// `host|repository|tag|digest?`, as it was understood.
#[track_caller]
fn read(text: &str, expected: &str) {
    let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{error}"));
    let host = reference.host.as_ref().map_or("-".to_owned(), ToString::to_string);
    let tag = reference.tag.as_deref().unwrap_or("-");
    let digest = if reference.digest.is_some() { "digest" } else { "-" };
    assert_eq!(format!("{host}|{}|{tag}|{digest}", reference.repository), expected, "{text}");
    assert_eq!(reference.to_string().parse(), Ok(reference), "prints as it is read");
}

#[test]
fn names_as_docker_reads_them() {
    read("debian", "-|debian|-|-");
    read("debian:12", "-|debian|12|-");
    read("team/app:1.2", "-|team/app|1.2|-");
    read("registry.example/app", "registry.example|app|-|-");
    read("registry.example:5000/team/app:v1", "registry.example:5000|team/app|v1|-");
    read("Registry.Example/app", "registry.example|app|-|-");
    read("Registry/app", "registry|app|-|-");
    read("localhost/app", "localhost|app|-|-");
    read("localhost:5000/app", "localhost:5000|app|-|-");
    read("registry:5000/app", "registry:5000|app|-|-");
    read("127.0.0.1:5000/app:x", "127.0.0.1:5000|app|x|-");
    read("[::1]:5000/app:x", "[::1]:5000|app|x|-");
    read("[2001:DB8::0:1]/app", "[2001:db8::1]|app|-|-");
    read(&format!("a.example/b@sha256:{HEX}"), "a.example|b|-|digest");
    read(&format!("a.example/b:c@sha256:{HEX}"), "a.example|b|c|digest");
    read("a/b/c/d_e__f-g--h.i", "-|a/b/c/d_e__f-g--h.i|-|-");
    // One part with a dot is a name, not a registry: there is nothing behind it.
    read("registry.example", "-|registry.example|-|-");
}

#[test]
fn texts_that_are_no_references() {
    for (text, because) in [
        ("", "has a name"),
        ("https://registry.example/app", "is a URL"),
        ("App", "has a name"),
        ("registry.example/App", "has a name"),
        ("a//b", "has a name"),
        ("a/", "has a name"),
        ("/a", "has a name"),
        ("a..b/c", "no host name"),
        ("x/a..b", "has a name"),
        ("x/a___b", "has a name"),
        ("x/a.-b", "has a name"),
        ("-a", "has a name"),
        ("a b", "has a name"),
        ("../../etc/passwd", "no host name"),
        ("a/../b", "has a name"),
        ("a:", "has a tag"),
        ("a:.b", "has a tag"),
        ("a:b/c", "has a port"),
        ("a.example:0/b", "has a port"),
        ("a.example:65536/b", "has a port"),
        ("a.example:+1/b", "has a port"),
        ("a.example:/b", "has a port"),
        ("-a.example/b", "no host name"),
        ("1.2.3/b", "no host name"),
        ("[::1/b", "without its `]`"),
        ("[::g]/b", "no IPv6 address"),
        ("user@registry.example/a", "has a digest"),
        ("a@sha512:00", "has a digest"),
        ("a@sha256:00", "has a digest"),
        (HEX, "64 hex digits"),
        ("a\u{e9}", "has a name"),
    ] {
        let error = text.parse::<Reference>().expect_err(text).to_string();
        assert!(error.contains(because), "{text}: {error}");
    }
    let long = format!("a:{}", "t".repeat(129));
    assert!(long.parse::<Reference>().unwrap_err().fault.contains("tag"));
    let long = format!("registry.example/{}", "n".repeat(240));
    assert_eq!(long.parse::<Reference>().unwrap_err().fault, "is longer than 255 bytes");
}

#[test]
fn a_digest_is_asked_for_before_a_tag() {
    let target = |text: &str| text.parse::<Reference>().unwrap().target();
    assert_eq!(target("a"), Target::Tag("latest".to_owned()));
    assert_eq!(target("a:b"), Target::Tag("b".to_owned()));
    assert!(matches!(target(&format!("a:b@sha256:{HEX}")), Target::Digest(_)));
    let reference: Reference = "a.example/b:c".parse().unwrap();
    let digest = target(&format!("a@sha256:{HEX}"));
    assert_eq!(reference.with(&digest).to_string(), format!("a.example/b@sha256:{HEX}"));
    assert_eq!(reference.with(&Target::tag("d").unwrap()).to_string(), "a.example/b:d");
    assert!(Target::tag("a/b").is_err());
}

#[test]
fn this_machine_by_its_name() {
    let loopback = |text: &str| text.parse::<Host>().unwrap().is_loopback();
    for here in ["localhost", "LOCALHOST:5000", "127.0.0.1", "127.9.8.7:1", "[::1]:5000", "[0:0:0:0:0:0:0:1]"] {
        assert!(loopback(here), "{here}");
    }
    for there in ["localhost.example", "128.0.0.1", "0.0.0.0", "[::2]", "[::ffff:127.0.0.1]", "notlocalhost"] {
        assert!(!loopback(there), "{there}");
    }
}

proptest! {
    #[test]
    fn never_panics_and_prints_what_it_read(text in "[a-zA-Z0-9.:/@_\\[\\]-]{0,40}|\\PC{0,40}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
        }
    }
}
