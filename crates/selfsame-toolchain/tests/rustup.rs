//! Rustup toolchains, in homes made for it.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use selfsame_core::Digest;
use selfsame_toolchain::{RustupToolchain, ToolchainError, recapture, rustup_folder, rustup_toolchain};
use support::elf::elf;
use support::{Fixture, paths, picture, write};

fn arch() -> &'static str {
    if cfg!(target_arch = "x86") { "i686" } else { std::env::consts::ARCH }
}

fn triple() -> String {
    format!("{}-unknown-linux-gnu", arch())
}

/// A toolchain as rustup leaves it.
fn install(home: &Path, folder: &str, version: &str) {
    let triple = triple();
    let at = |place: &str| home.join("toolchains").join(folder).join(place);
    let put = |place: &str, content: &str, mode: u32| write(&at(place), content.as_bytes(), mode);
    let hash = Digest::of(version.as_bytes()).hex();
    let target = |name: &str, target: &str| {
        format!(
            "[pkg.{name}.target.\"{target}\"]\navailable = true\nurl = \"https://dist.example/{name}.tar.gz\"\nhash = \"{hash}\"\n\
xz_url = \"https://dist.example/{name}-{target}.tar.xz\"\nxz_hash = \"{hash}\"\ncomponents = []\n"
        )
    };
    let channel = format!(
        "manifest-version = \"2\"\ndate = \"2026-04-16\"\n\
[pkg.rustc]\nversion = \"{version} (59807616e 2026-04-14)\"\n{}[pkg.cargo]\nversion = \"0.96.0 (f2d3ce0bd 2026-03-21)\"\n{}\
[pkg.rust-std]\nversion = \"{version}\"\n{}{}[pkg.clippy-preview]\nversion = \"0.1\"\n{}[pkg.rust-src]\nversion = \"{version}\"\n{}\
[renames.clippy]\nto = \"clippy-preview\"\n[profiles]\nminimal = [\"rustc\"]\n",
        target("rustc", &triple),
        target("cargo", &triple),
        target("rust-std", &triple),
        target("rust-std", "wasm32-unknown-unknown"),
        target("clippy-preview", &triple),
        target("rust-src", "*"),
    );
    put("lib/rustlib/multirust-channel-manifest.toml", &channel, 0o644);
    put(
        "lib/rustlib/components",
        &format!(
            "rust-std-{triple}\ncargo-{triple}\nrustc-{triple}\nclippy-preview-{triple}\nrust-src\nrust-std-wasm32-unknown-unknown\n"
        ),
        0o644,
    );
    let list = |component: &str, lines: &str| put(&format!("lib/rustlib/manifest-{component}"), lines, 0o644);
    list(
        &format!("rustc-{triple}"),
        "file:bin/rustc\nfile:lib/librustc_driver.so\nfile:share/doc/rust/README\nfile:share/man/man1/rustc.1\n",
    );
    list(&format!("cargo-{triple}"), "file:bin/cargo\nfile:etc/bash_completion.d/cargo\n");
    list(&format!("rust-std-{triple}"), &format!("dir:lib/rustlib/{triple}/lib\n"));
    list(&format!("clippy-preview-{triple}"), "file:bin/cargo-clippy\n");
    list("rust-src", "dir:lib/rustlib/src\n");
    list("rust-std-wasm32-unknown-unknown", "dir:lib/rustlib/wasm32-unknown-unknown\n");
    write(&at("bin/rustc"), &elf(&["librustc_driver.so", "libc.so.6"], None, Some("/lib64/ld.so")), 0o755);
    write(&at("lib/librustc_driver.so"), &elf(&["libz.so.1"], None, None), 0o644);
    put("bin/cargo", "cargo", 0o755);
    put("bin/cargo-clippy", "clippy", 0o755);
    put("share/doc/rust/README", "doc", 0o644);
    put("share/man/man1/rustc.1", "man", 0o644);
    put("etc/bash_completion.d/cargo", "completion", 0o644);
    put(&format!("lib/rustlib/{triple}/lib/libstd.rlib"), version, 0o644);
    put(&format!("lib/rustlib/{triple}/lib/self-contained/crt1.o"), "crt1", 0o644);
    put("lib/rustlib/wasm32-unknown-unknown/lib/libstd.rlib", "wasm", 0o644);
    put("lib/rustlib/src/rust/lib.rs", "source", 0o644);
    put("lib/rustlib/uninstall.sh", "#!/bin/sh", 0o755);
}

fn take(host: &Fixture, channel: &str, components: &[&str]) -> Result<RustupToolchain, ToolchainError> {
    let components: Vec<String> = components.iter().map(|&name| name.to_owned()).collect();
    rustup_toolchain(channel, "rust", &host.home(), &components, &host.store)
}

fn home() -> Fixture {
    let host = Fixture::new();
    install(&host.home(), &format!("stable-{}", triple()), "1.95.0");
    host
}

const DEFAULT: [&str; 3] = ["rustc", "cargo", "rust-std"];

#[test]
fn components_by_their_lists() {
    let host = home();
    let rust = take(&host, "1.95.0", &DEFAULT).unwrap();
    insta::assert_snapshot!(picture(&rust.tree).replace(arch(), "ARCH"), @r"
    toolchain/rust/bin/cargo file 0755
    toolchain/rust/bin/rustc file 0755
    toolchain/rust/lib/librustc_driver.so file 0644
    toolchain/rust/lib/rustlib/ARCH-unknown-linux-gnu/lib/libstd.rlib file 0644
    toolchain/rust/lib/rustlib/ARCH-unknown-linux-gnu/lib/self-contained/crt1.o file 0644
    ");
    assert_eq!((rust.version.as_str(), &rust.host), ("1.95.0", &triple()));
    let names: Vec<_> = rust.components.iter().map(|c| (c.name.as_str(), c.version.as_str())).collect();
    assert_eq!(names, [("cargo", "0.96.0"), ("rust-std", "1.95.0"), ("rustc", "1.95.0")]);
    assert_eq!(rust.components[0].url, format!("https://dist.example/cargo-{}.tar.xz", triple()));
    assert_eq!(rust.components[0].sha256, Digest::of(b"1.95.0"));
    if cfg!(target_arch = "x86_64") {
        assert_eq!(rust.needs.iter().collect::<Vec<_>>(), ["/lib64/ld.so", "libc.so.6", "libz.so.1"]);
    }
    assert_eq!(host.store.missing(&rust.tree).unwrap(), []);
}

#[test]
fn other_components_by_their_own_names() {
    let host = home();
    let rust = take(&host, "stable", &["rust-src", "rust-std-wasm32-unknown-unknown", "clippy"]).unwrap();
    assert_eq!(
        paths(&rust.tree),
        [
            "toolchain/rust/bin/cargo-clippy",
            "toolchain/rust/lib/rustlib/src/rust/lib.rs",
            "toolchain/rust/lib/rustlib/wasm32-unknown-unknown/lib/libstd.rlib"
        ]
    );
    assert_eq!(rust.components[1].url, "https://dist.example/rust-src-*.tar.xz");
    let error = take(&host, "stable", &["rustc", "miri"]).unwrap_err();
    let ToolchainError::NoComponent { component, found, .. } = &error else { panic!("{error}") };
    assert_eq!(component, "miri");
    assert!(found.contains(&"cargo".to_owned()) && found.contains(&"rust-src".to_owned()), "{found:?}");
}

#[test]
fn the_folder_of_a_name_or_a_version() {
    let host = home();
    install(&host.home(), &format!("nightly-2026-01-01-{}", triple()), "1.94.0-nightly");
    install(&host.home(), &format!("nightly-{}", triple()), "1.97.0-nightly");
    let toolchains = host.home().join("toolchains");
    symlink(format!("stable-{}", triple()), toolchains.join(format!("1.95-{}", triple()))).unwrap();
    let find = |channel: &str| {
        let folder = rustup_folder(channel, &host.home()).unwrap_or_else(|error| panic!("{channel}: {error}"));
        folder.file_name().unwrap().to_str().unwrap().replace(&triple(), "T")
    };
    assert_eq!(find("1.95.0"), "stable-T", "by the version of its rustc");
    assert_eq!(find("stable"), "stable-T");
    assert_eq!(find("1.95"), "stable-T", "an alias");
    assert_eq!(find("nightly"), "nightly-T", "not the nightly of a day");
    assert_eq!(find("nightly-2026-01-01"), "nightly-2026-01-01-T");
    assert_eq!(find(&format!("stable-{}", triple())), "stable-T");
    for channel in ["1.94.0", "beta", "stabl", "..", ""] {
        let error = rustup_folder(channel, &host.home()).unwrap_err();
        assert!(matches!(error, ToolchainError::NoToolchain { .. }), "{channel}: {error}");
    }
}

#[test]
fn a_linked_toolchain_is_refused() {
    let host = home();
    let build = host.home().join("build");
    fs::create_dir_all(&build).unwrap();
    symlink(&build, host.home().join("toolchains/mine")).unwrap();
    let error = take(&host, "mine", &DEFAULT).unwrap_err();
    assert!(matches!(&error, ToolchainError::Linked { name, .. } if name == "mine"), "{error}");
}

#[test]
fn a_folder_named_after_another_version_is_refused() {
    let host = home();
    install(&host.home(), &format!("1.90.0-{}", triple()), "1.89.0");
    let error = take(&host, "1.90.0", &DEFAULT).unwrap_err();
    assert_eq!(error.to_string(), "rustup toolchain `1.90.0` holds rustc 1.89.0");
}

#[test]
fn damaged_lists_are_refused_by_name() {
    for (file, content, because) in [
        ("lib/rustlib/components", "cargo-mars\n", "names no rustc"),
        ("lib/rustlib/multirust-channel-manifest.toml", "pkg = 1", "no channel manifest"),
        ("lib/rustlib/manifest-rustc-T", "file:../../../etc/passwd\n", "`file:PATH` or `dir:PATH` is wanted"),
        ("lib/rustlib/manifest-rustc-T", "file:/etc/passwd\n", "is wanted"),
        ("lib/rustlib/manifest-rustc-T", "exec:bin/rustc\n", "is wanted"),
        ("lib/rustlib/manifest-rustc-T", "bin/rustc\n", "is wanted"),
        ("lib/rustlib/manifest-rustc-T", "file:bin/missing\n", "cannot read"),
        ("lib/rustlib/manifest-rustc-T", "file:bin\n", "neither a file nor a link"),
    ] {
        let host = home();
        let folder = host.home().join("toolchains").join(format!("stable-{}", triple()));
        fs::write(folder.join(file.replace('T', &triple())), content).unwrap();
        let error = take(&host, "stable", &DEFAULT).unwrap_err().to_string();
        assert!(error.contains(because), "{content:?}: {error}");
    }
}

#[test]
fn the_same_components_give_the_same_tree() {
    let (one, other) = (home(), home());
    install(&other.home(), &format!("1.95.0-{}", triple()), "1.95.0");
    write(&other.home().join(format!("toolchains/1.95.0-{}/bin/cargo", triple())), b"cargo", 0o700);
    let (one, other) =
        (take(&one, "1.95.0", &DEFAULT).unwrap(), take(&other, "1.95.0", &["cargo", "rust-std", "rustc"]).unwrap());
    assert_ne!(one.folder.file_name(), other.folder.file_name());
    assert_eq!((one.tree, one.components), (other.tree, other.components));
}

#[test]
fn recapture_looks_into_the_named_root() {
    let (one, other) = (home(), home());
    let rust = take(&one, "1.95.0", &DEFAULT).unwrap();
    let folder = rustup_folder("1.95.0", &other.home()).unwrap();
    let host = other.host().with_named_root("rust", folder).unwrap();
    assert_eq!(recapture(&rust.tree, &host, &other.store).unwrap(), []);
    assert_eq!(other.store.missing(&rust.tree).unwrap(), []);
}
