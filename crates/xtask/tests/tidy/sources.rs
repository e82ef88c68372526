//! Rules about single files.

use crate::files::{File, none, ours, root};

/// The longest file of ours, in lines. A longer one holds two nouns.
const LINES: usize = 700;

/// The one crate with unsafe code.
const UNSAFE: &str = "crates/selfsame-sandbox/";

/// Hosts that a file may name: our own, those of specifications and of projects that we speak of, and reserved ones
/// (RFC 2606). Where bytes are fetched from is the configuration of the machine that fetches, never of this project.
const HOSTS: &[&str] = &[
    "arxiv.org",
    "c2sp.org",
    "cyclonedx.org",
    "docs.kernel.org",
    "git-lfs.github.com",
    // As Cargo.lock spells the registry of crates.
    "github.com",
    "in-toto.io",
    "keepachangelog.com",
    "localhost",
    "opencontainers.org",
    "reproducible-builds.org",
    "selfsame.dev",
    "sigstore.dev",
    "slsa.dev",
    "spdx.dev",
    "spdx.org",
    "www.apache.org",
    "www.debian.org",
    "www.rfc-editor.org",
];

#[test]
fn no_file_is_too_long() {
    let files = ours();
    let long = files.iter().filter(|file| file.text.lines().count() > LINES);
    let faults = long.map(|file| format!("{}: {} lines", file.path, file.text.lines().count())).collect();
    none("a file has at most 700 lines:", faults);
}

#[test]
fn text_is_clean() {
    let mut faults = Vec::new();
    for file in ours() {
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            faults.push(format!("{}: does not end with one newline", file.path));
        }
        for (number, line) in file.text.lines().enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                faults.push(format!("{}: white space at the end", file.at(number)));
            }
            if file.is("rs") && line.contains('\t') {
                faults.push(format!("{}: a tab", file.at(number)));
            }
        }
    }
    none("text has no white space at line ends and one newline at the end:", faults);
}

#[test]
fn unsafe_code_is_in_one_crate() {
    let forbid = concat!("#![forbid(", "unsafe_code)]");
    let mut faults = Vec::new();
    for file in ours().iter().filter(|file| file.is("rs") && !file.path.starts_with(UNSAFE)) {
        if is_crate_root(file) && !file.text.contains(forbid) {
            faults.push(format!("{}: does not say {forbid}", file.path));
        }
    }
    none("every crate but selfsame-sandbox forbids unsafe code:", faults);
}

/// `lib.rs`, `main.rs` and programs below `bin`, of crates; their tests and examples have the workspace's lint.
fn is_crate_root(file: &File) -> bool {
    let mut parts = file.path.split('/').skip(2);
    file.path.starts_with("crates/")
        && parts.next() == Some("src")
        && (file.path.ends_with("/src/lib.rs")
            || file.path.ends_with("/src/main.rs")
            || file.path.contains("/src/bin/"))
}

#[test]
fn every_library_opens_with_its_sentence() {
    let files = ours();
    let roots = files.iter().filter(|file| file.path.starts_with("crates/") && file.path.ends_with("/src/lib.rs"));
    let silent = roots.filter(|file| !file.text.starts_with("//! "));
    none("a library opens with its sentence:", silent.map(|file| file.path.clone()).collect());
}

#[test]
fn no_test_file_is_forgotten() {
    let files = ours();
    let mut faults = Vec::new();
    for main in files.iter().filter(|file| file.path.contains("tests/") && file.path.ends_with("/main.rs")) {
        let folder = main.path.trim_end_matches("main.rs");
        for file in files.iter().filter(|file| file.is("rs")) {
            let Some(name) = file.path.strip_prefix(folder) else { continue };
            let module = name.trim_end_matches("/mod.rs").trim_end_matches(".rs");
            if module != "main" && !module.contains('/') && !main.text.contains(&format!("mod {module};")) {
                faults.push(format!("{}: {} does not declare it", file.path, main.path));
            }
        }
    }
    none("every file of a test binary is part of it:", faults);
}

#[test]
fn hosts_are_known_ones() {
    let mut faults = Vec::new();
    for file in ours() {
        for (number, line) in file.text.lines().enumerate() {
            for scheme in ["http://", "https://"] {
                for (start, _) in line.match_indices(scheme) {
                    let host = host(&line[start + scheme.len()..]);
                    if !is_known(&host) {
                        faults.push(format!("{}: `{host}`", file.at(number)));
                    }
                }
            }
        }
    }
    none("files name only hosts in HOSTS of crates/xtask/tests/tidy/sources.rs, and reserved ones:", faults);
}

/// The host behind `scheme://`, without user, port and path, lowercase.
fn host(rest: &str) -> String {
    let end = |c: char| !(c.is_ascii_alphanumeric() || ".-_:@%[]".contains(c));
    let authority = rest.split(end).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default().trim_end_matches('.').to_lowercase()
}

fn is_known(host: &str) -> bool {
    let reserved = |suffix: &str| host == suffix || host.ends_with(&format!(".{suffix}"));
    let below_example = ["example.com", "example.net", "example.org", "example", "invalid", "test"];
    // No name at all, one without a dot, or a number: a pattern, a test's word, or this machine.
    let no_name = !host.contains('.') || host.chars().all(|c| c.is_ascii_digit() || c == '.');
    no_name || below_example.into_iter().any(reserved) || HOSTS.contains(&host)
}

#[test]
fn no_path_of_the_machine_it_was_written_on() {
    let root = root();
    let here = root.to_str().expect("a UTF-8 path");
    if here.matches('/').count() < 2 {
        // `/src` and the like are words, too.
        return;
    }
    let mut faults = Vec::new();
    for file in ours() {
        for (number, line) in file.text.lines().enumerate() {
            if line.contains(here) {
                faults.push(format!("{}: `{here}`", file.at(number)));
            }
        }
    }
    none("no file names the folder that it was written in:", faults);
}

#[test]
fn reads_hosts() {
    assert_eq!(host("user:secret@Files.Example.com:8080/x"), "files.example.com");
    assert!(is_known("a.example") && is_known("127.0.0.1") && is_known("slsa.dev") && is_known("{host}"));
    assert!(!is_known("files.somewhere.dev") && !is_known("slsa.dev.somewhere.dev"));
}
