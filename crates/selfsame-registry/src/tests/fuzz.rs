//! What registries answer and what this machine's files say about them, from anybody.

use std::path::Path;

use selfsame_core::media;
use selfsame_testing::fuzz::{all, answer, fuzz};

use crate::Reference;
use crate::auth_file::AuthFile;
use crate::challenge::Challenge;
use crate::containers_conf::ContainersConf;
use crate::docker_daemon::DockerDaemon;
use crate::link::next_page;
use crate::manifest::Document;

#[test]
fn fuzz_registry_headers() {
    let seeds: [&[u8]; 4] = [
        br#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull""#,
        b"NTLM YWJj==, Basic realm=\"a\\\"b\"",
        b"</v2/a/tags/list?last=x&n=2>; rel=\"next\", <b>; rel=prev",
        b"registry.example:5000/team/app:1.0@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    let words = [
        "Bearer ",
        "Basic ",
        "realm=\"",
        "\\\"",
        ",",
        "rel=\"next\"",
        "<",
        ">;",
        "@sha256:",
        "localhost",
        "[::1]:5000",
    ];
    fuzz("registry-headers", &seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let challenges = Challenge::parse_all(&text);
        assert!(challenges.len() <= text.len());
        let _ = next_page(&text);
        let reference = text.parse::<Reference>();
        if let Ok(reference) = &reference {
            assert_eq!(reference.to_string().parse::<Reference>().expect("what is printed is read"), *reference);
        }
        answer(reference)
    });
}

#[test]
fn fuzz_registry_files() {
    let auth = r#"{"auths":{"registry.example":{"auth":"dXNlcjpzZWNyZXQ="},"https://index.example/v1/":{"identitytoken":"x"}},"credHelpers":{"a.example":"pass"},"credsStore":"desktop"}"#;
    let conf = "unqualified-search-registries = [\"registry.example\"]\nshort-name-mode = \"enforcing\"\n[[registry]]\nprefix = \"*.example\"\nlocation = \"mirror.example/a\"\ninsecure = true\n[[registry.mirror]]\nlocation = \"localhost:5000\"\npull-from-mirror = \"digest-only\"\n[aliases]\n\"debian\" = \"registry.example/library/debian\"\n";
    let daemon =
        r#"{"registry-mirrors":["https://mirror.example"],"insecure-registries":["10.0.0.0/8","a.example:5000"]}"#;
    let manifest = r#"{"schemaVersion":2,"manifests":[]}"#;
    let words = [
        "\"auths\":{",
        "\"auth\":\"",
        "\"credHelpers\":{",
        "[[registry]]\n",
        "prefix = ",
        "[aliases]\n",
        "*.",
        "0.0.0.0/0",
        "null",
        "\"manifests\":[",
    ];
    fuzz(
        "registry-files",
        &[auth.as_bytes(), conf.as_bytes(), daemon.as_bytes(), manifest.as_bytes()],
        &words,
        |bytes| {
            let path = Path::new("file");
            let reference: Reference = "registry.example/a/b:c".parse().expect("a reference");
            let host = reference.host.expect("a host");
            let auth = AuthFile::parse(path, bytes);
            if let Ok(auth) = &auth {
                let _ = auth.find(&host, "a/b");
            }
            let mut conf = ContainersConf::default();
            let read = conf.add(path, bytes);
            let _ = (conf.alias("debian"), conf.rule("registry.example/a/b").is_some(), conf.is_insecure(&host));
            let daemon = DockerDaemon::parse(path, bytes);
            if let Ok(daemon) = &daemon {
                let _ = daemon.is_insecure(&host);
            }
            let manifest = Document::parse(bytes, media::INDEX);
            all([answer(auth), answer(daemon), answer(read), answer(manifest)])
        },
    );
}
