//! What is recorded of a host, on hosts made for it.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use selfsame_core::Digest;
use selfsame_toolchain::{SkipReason, capture, close_over_libraries, recapture, visible};
use support::elf::{elf, elf_for};
use support::{Fixture, paths, picture, write};

/// A merged-/usr Debian with a compiler in three packages, a library, and much that has nothing to do with it.
fn debian() -> Fixture {
    let host = Fixture::new();
    host.link("bin", "usr/bin").link("lib", "usr/lib").link("lib64", "usr/lib64");
    host.file("usr/lib64/ld.so.2", elf(&[], None, None), 0o755);
    host.file("usr/lib/x86_64-linux-gnu/libc.so.6", elf(&[], None, None), 0o755);
    host.file("usr/lib/x86_64-linux-gnu/libisl.so.23.1", elf(&["libc.so.6"], None, None), 0o644);
    host.link("usr/lib/x86_64-linux-gnu/libisl.so.23", "libisl.so.23.1");
    host.file(
        "usr/bin/x86_64-linux-gnu-gcc-12",
        elf(&["libisl.so.23", "libc.so.6"], None, Some("/lib64/ld.so.2")),
        0o755,
    );
    host.link("usr/bin/gcc-12", "x86_64-linux-gnu-gcc-12").link("usr/bin/gcc", "gcc-12");
    host.link("usr/bin/cc", "/etc/alternatives/cc").link("etc/alternatives/cc", "/usr/bin/gcc");
    host.link("usr/bin/c99", "/etc/alternatives/c99").link("etc/alternatives/c99", "/usr/bin/c99-gcc");
    host.link("usr/bin/awk", "/etc/alternatives/awk").link("etc/alternatives/awk", "/usr/bin/mawk");
    host.file("var/lib/dpkg/alternatives/cc", "auto\n/usr/bin/cc\n\n/usr/bin/gcc\n20\n\n", 0o644);
    host.file("var/lib/dpkg/alternatives/c99", "auto\n/usr/bin/c99\n\n/usr/bin/c99-gcc\n20\n\n", 0o644);
    host.file("var/lib/dpkg/alternatives/awk", "auto\n/usr/bin/awk\n\n/usr/bin/mawk\n20\n\n", 0o644);
    host.file("usr/share/doc/libisl23/copyright", COPYRIGHT, 0o644);
    host.file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n", 0o644);
    host.package("gcc", "Depends: gcc-12\n", &["/usr", "/usr/bin", "/usr/bin/gcc", "/usr/bin/c99-gcc"]);
    host.package(
        "gcc-12",
        "Depends: libisl23, libc6-dev\nMaintainer: GCC People <gcc@lists.example>\n",
        &[
            "/usr/bin/gcc-12",
            "/usr/bin/x86_64-linux-gnu-gcc-12",
            "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
            "/usr/share/doc/gcc-12/README",
            "/usr/share/man/man1/gcc.1.gz",
            "/usr/share/locale/de/LC_MESSAGES/gcc.mo",
        ],
    );
    host.package(
        "libisl23",
        "Depends: libc6\n",
        &[
            "/usr/lib/x86_64-linux-gnu/libisl.so.23",
            "/usr/lib/x86_64-linux-gnu/libisl.so.23.1",
            "/usr/share/doc/libisl23/copyright",
        ],
    );
    host.package("libc6", "", &["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld.so.2", "/lib", "/lib64"]);
    host.package("libc6-dev", "Depends: linux-libc-dev\n", &["/usr/include/stdio.h", "/usr/include/math.h"]);
    host.package("linux-libc-dev", "", &["/usr/include/linux/errno.h"]);
    host.package("mawk", "", &["/usr/bin/mawk"]);
    host.package("clang", "", &["/usr/bin/clang", "/lib"]);
    host
}

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2008-2020 Somebody
License: Expat
 The text.
";

const OBSERVED: [&str; 9] = [
    "/usr/local/bin/cc",
    "/usr/bin/cc",
    "/lib/.",
    "/usr/lib/gcc/x86_64-linux-gnu/12/../../../../include/stdio.h",
    "/etc/passwd",
    "/build/hello.c",
    "/proc/self/maps",
    "relative",
    "/usr/include/nothing.h",
];

#[test]
fn what_a_compiler_touched_brings_its_packages() {
    let host = debian();
    let captured = host.capture(&OBSERVED);
    insta::assert_snapshot!(picture(&captured.tree), @r"
    bin -> usr/bin
    etc/alternatives/c99 -> /usr/bin/c99-gcc
    etc/alternatives/cc -> /usr/bin/gcc
    lib -> usr/lib
    lib64 -> usr/lib64
    usr/bin/c99 -> /etc/alternatives/c99
    usr/bin/c99-gcc file 0755
    usr/bin/cc -> /etc/alternatives/cc
    usr/bin/gcc -> gcc-12
    usr/bin/gcc-12 -> x86_64-linux-gnu-gcc-12
    usr/bin/x86_64-linux-gnu-gcc-12 file 0755
    usr/include/linux/errno.h file 0644
    usr/include/math.h file 0644
    usr/include/stdio.h file 0644
    usr/lib dir 0755
    usr/lib/gcc/x86_64-linux-gnu/12/cc1 file 0644
    usr/lib/x86_64-linux-gnu/libc.so.6 file 0755
    usr/lib/x86_64-linux-gnu/libisl.so.23 -> libisl.so.23.1
    usr/lib/x86_64-linux-gnu/libisl.so.23.1 file 0644
    usr/lib64/ld.so.2 file 0755
    ");
    let packages: Vec<String> =
        captured.packages.iter().map(|p| format!("{} {} {:?} {:?}", p.purl, p.files, p.licenses, p.supplier)).collect();
    insta::assert_snapshot!(packages.join("\n"), @r#"
    pkg:deb/debian/gcc-12@1.0-1?arch=amd64&distro=bookworm 3 [] Some("GCC People <gcc@lists.example>")
    pkg:deb/debian/gcc@1.0-1?arch=amd64&distro=bookworm 2 [] None
    pkg:deb/debian/libc6-dev@1.0-1?arch=amd64&distro=bookworm 2 [] None
    pkg:deb/debian/libc6@1.0-1?arch=amd64&distro=bookworm 2 [] None
    pkg:deb/debian/libisl23@1.0-1?arch=amd64&distro=bookworm 2 ["MIT"] None
    pkg:deb/debian/linux-libc-dev@1.0-1?arch=amd64&distro=bookworm 1 [] None
    "#);
    assert_eq!(captured.skipped, []);
    let roots: Vec<&str> = captured.roots.iter().map(|root| root.as_str()).collect();
    assert_eq!(roots, ["bin", "etc/alternatives", "lib", "lib64", "usr"]);
    assert_eq!(host.store.missing(&captured.tree).unwrap(), []);
}

#[test]
fn what_else_the_host_has_does_not_matter() {
    let plain = debian().capture(&OBSERVED);
    let host = debian();
    host.package("zlib1g-dev", "Depends: libc6-dev\n", &["/usr/include/zlib.h", "/usr/lib/x86_64-linux-gnu/libz.a"]);
    host.package("tcc", "Provides: c-compiler\n", &["/usr/bin/tcc"]);
    host.file("usr/include/own.h", "", 0o644).file("usr/local/include/own.h", "", 0o644);
    host.file("opt/else/bin/x", "", 0o755).file("usr/lib/locale/locale-archive", "admin's", 0o644);
    host.file("usr/lib/gcc/x86_64-linux-gnu/12/__pycache__/x.pyc", "", 0o644);
    host.file("usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", "of all modules", 0o644);
    host.file("var/lib/dpkg/alternatives/other", "auto\n/usr/bin/other\n\n/usr/bin/mawk\n", 0o644);
    let mut observed = OBSERVED.to_vec();
    observed.push("/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache");
    observed.extend(["/usr/lib/locale/locale-archive", "/usr/lib/gcc/x86_64-linux-gnu/12/__pycache__/x.pyc"]);
    let other = host.capture(&observed);
    assert_eq!(other.tree.to_string(), plain.tree.to_string());
    assert_eq!(other.packages, plain.packages);
}

#[test]
fn modes_are_two_and_private_files_stay_out() {
    let host = debian();
    host.file("usr/bin/su", "setuid", 0o4755).file("usr/bin/sudo", "private", 0o4711).file("usr/bin/own", "own", 0o700);
    host.package("tools", "", &["/usr/bin/su", "/usr/bin/sudo", "/usr/bin/odd", "/usr/bin/own"]);
    host.file("usr/bin/odd", "odd", 0o604);
    let captured = host.capture(&["/usr/bin/odd", "/usr/bin/own"]);
    let mode = |place: &str| captured.tree.entry(place).map(|entry| entry.mode);
    assert_eq!(mode("usr/bin/su"), Some(0o755), "setuid is dropped");
    assert_eq!(mode("usr/bin/odd"), Some(0o644));
    assert_eq!(mode("usr/bin/own"), None, "touched, and nobody else's to read");
    assert_eq!(mode("usr/bin/sudo"), None);
    let skipped: Vec<_> = captured.skipped.iter().map(|skipped| (skipped.path.as_str(), skipped.reason)).collect();
    assert_eq!(skipped, [("usr/bin/own", SkipReason::Private), ("usr/bin/sudo", SkipReason::Private)]);
}

/// An action that is watched runs as whoever builds, root perhaps, and may name what only that one can read.
#[test]
fn secrets_that_an_action_names_are_no_toolchain() {
    use std::os::unix::fs::PermissionsExt;
    let host = Fixture::new();
    host.file("opt/tool/bin/tool", "tool", 0o755).file("opt/tool/key", "secret", 0o600);
    host.file("opt/vault/key", "secret", 0o644).link("opt/tool/link", "/opt/vault/key");
    let vault = host.host().root().join("opt/vault");
    std::fs::set_permissions(&vault, std::fs::Permissions::from_mode(0o700)).unwrap();
    let captured = host.capture(&["/opt/tool/bin/tool", "/opt/tool/key", "/opt/vault/key", "/opt/tool/link"]);
    assert!(captured.tree.entry("opt/tool/bin/tool").is_some());
    for place in ["opt/tool/key", "opt/vault/key"] {
        assert!(captured.tree.entry(place).is_none(), "{place}");
        let skipped = captured.skipped.iter().find(|skipped| skipped.path == place);
        assert_eq!(skipped.map(|skipped| skipped.reason), Some(SkipReason::Private));
    }
}

#[test]
fn link_loops_end() {
    let host = Fixture::new();
    host.link("usr/bin/a", "b").link("usr/bin/b", "a").link("usr/lib/deep", "deep/deep");
    host.link("usr/bin/up", "../../../../etc/shadow").file("etc/shadow", "secret", 0o644);
    host.link("usr/bin/out", "/home/somebody/file");
    let captured = host.capture(&["/usr/bin/a", "/usr/lib/deep/x", "/usr/bin/up", "/usr/bin/out", "/../../etc/shadow"]);
    assert_eq!(
        paths(&captured.tree),
        ["usr/bin/a", "usr/bin/b", "usr/bin/out", "usr/bin/up", "usr/lib/deep"],
        "links are kept, what is not shown is not followed"
    );
    assert_eq!(captured.skipped, []);
}

#[test]
fn nothing_named_is_nothing_recorded() {
    let captured = debian().capture(&["/build/x", "/proc/self/exe", "/home/a/b", "/usr/bin/nothing"]);
    assert_eq!((paths(&captured.tree), captured.packages.len()), (vec![], 0));
}

#[test]
fn named_folders_stay_when_empty() {
    let host = debian();
    host.folder("usr/local/include/x").folder("usr/lib/empty");
    let captured = host.capture(&["/usr/local/include", "/usr/lib/empty/.", "/usr/share/../lib/empty/nothing", "/"]);
    insta::assert_snapshot!(picture(&captured.tree), @r"
    bin -> usr/bin
    lib -> usr/lib
    lib64 -> usr/lib64
    usr/lib/empty dir 0755
    usr/local/include dir 0755
    ");
}

#[test]
fn without_a_package_manager_folders_are_taken() {
    let host = Fixture::new();
    host.file("usr/bin/cc", elf(&["libc.so"], None, Some("/lib/ld-musl.so.1")), 0o755);
    host.file("lib/ld-musl.so.1", elf(&[], None, None), 0o755).link("usr/lib/libc.so", "/lib/ld-musl.so.1");
    host.file("usr/bin/unrelated", "", 0o755).file("usr/share/doc/cc/README", "", 0o644);
    for header in ["stdio.h", "math.h", "sys/stat.h"] {
        host.file(&format!("usr/include/{header}"), header, 0o644);
    }
    for file in ["crt1.o", "libm.a", "libz.so.1", "notes.txt", "pkg/inner.a"] {
        host.file(&format!("usr/lib/{file}"), file, 0o644);
    }
    for file in ["cc1", "include/stddef.h", "plugin/gcc.so"] {
        host.file(&format!("usr/lib/gcc/x86_64-linux-musl/14/{file}"), file, 0o644);
    }
    let captured = host.capture(&[
        "/usr/bin/cc",
        "/usr/include/stdio.h",
        "/usr/lib/crt1.o",
        "/usr/lib/gcc/x86_64-linux-musl/14/cc1",
        "/opt/nothing",
    ]);
    insta::assert_snapshot!(picture(&captured.tree), @r"
    lib/ld-musl.so.1 file 0755
    usr/bin/cc file 0755
    usr/include/math.h file 0644
    usr/include/stdio.h file 0644
    usr/include/sys/stat.h file 0644
    usr/lib/crt1.o file 0644
    usr/lib/gcc/x86_64-linux-musl/14/cc1 file 0644
    usr/lib/gcc/x86_64-linux-musl/14/include/stddef.h file 0644
    usr/lib/gcc/x86_64-linux-musl/14/plugin/gcc.so file 0644
    usr/lib/libc.so -> /lib/ld-musl.so.1
    usr/lib/libm.a file 0644
    usr/lib/libz.so.1 file 0644
    ");
    assert_eq!(captured.packages, []);
}

#[test]
fn a_folder_is_not_widened_to_what_packages_own() {
    let host = debian();
    host.file("usr/include/own.h", "own", 0o644).file("usr/include/beside.h", "beside", 0o644);
    let captured = host.capture(&["/usr/include/own.h"]);
    assert_eq!(paths(&captured.tree), ["bin", "lib", "lib64", "usr/include/beside.h", "usr/include/own.h"]);
}

#[test]
fn a_named_root_moves_to_toolchain() {
    let host = Fixture::new();
    let sdk = host.home().join("sdk");
    write(&sdk.join("bin/cc"), &elf(&["libown.so"], Some("$ORIGIN/../lib"), None), 0o700);
    write(&sdk.join("lib/libown.so"), &elf(&[], None, None), 0o600);
    write(&sdk.join("share/text"), b"text", 0o600);
    symlink(sdk.join("bin/cc"), sdk.join("bin/gcc")).unwrap();
    let root = host.host().with_named_root("sdk", &sdk).unwrap();
    let captured = capture(&BTreeSet::from(["/toolchain/sdk/bin/gcc".to_owned()]), &root, &host.store).unwrap();
    insta::assert_snapshot!(picture(&captured.tree), @r"
    toolchain/sdk/bin/cc file 0755
    toolchain/sdk/bin/gcc -> /toolchain/sdk/bin/cc
    toolchain/sdk/lib/libown.so file 0644
    toolchain/sdk/share/text file 0644
    ");
    assert_eq!(captured.roots.iter().map(|root| root.as_str()).collect::<Vec<_>>(), ["toolchain/sdk"]);
    assert!(!captured.tree.to_string().contains("home"), "no path of the host");
    for name in ["", "a/b", "..", "."] {
        assert!(host.host().with_named_root(name, &sdk).is_err(), "{name:?}");
    }
}

#[test]
fn libraries_are_found_as_the_loader_finds_them() {
    let host = Fixture::new();
    host.link("lib64", "usr/lib64").file("usr/lib64/ld.so", elf(&[], None, None), 0o755);
    host.file(
        "usr/bin/tool",
        elf(&["liba.so", "libb.so", "libmissing.so"], Some("$ORIGIN/../own"), Some("/lib64/ld.so")),
        0o755,
    );
    host.file("usr/own/liba.so", elf(&["libb.so"], None, None), 0o644);
    host.file("usr/lib/liba.so", elf(&[], None, None), 0o644);
    // Another machine's library of the same name stands first.
    host.file("usr/lib64/libb.so", elf_for(183, &[], None, None), 0o644).file(
        "usr/lib/libb.so",
        elf(&["libb.so"], None, None),
        0o644,
    );
    host.package("libs", "", &["/usr/lib/libb.so", "/usr/lib64/ld.so"]);
    let captured = host.capture(&["/usr/bin/tool"]);
    assert_eq!(
        paths(&captured.tree),
        ["lib64", "usr/bin/tool", "usr/lib/libb.so", "usr/lib64/ld.so", "usr/own/liba.so"]
    );
    if cfg!(target_arch = "x86_64") {
        let names = BTreeSet::from(["libb.so".to_owned(), "libmissing.so".to_owned()]);
        let (captured, missing) = close_over_libraries(&names, &host.host(), &host.store).unwrap();
        assert_eq!(paths(&captured.tree), ["lib64", "usr/lib/libb.so", "usr/lib64/ld.so"]);
        assert_eq!(missing, BTreeSet::from(["libmissing.so".to_owned()]));
    }
}

#[test]
fn plugins_of_others_are_not_the_compilers() {
    let host = debian();
    host.file("usr/lib/llvm/LLVMgold.so", elf(&["libLLVM.so"], None, None), 0o644);
    host.file("usr/lib/libLLVM.so", elf(&["libisl.so.23"], None, None), 0o644);
    host.package("llvm", "", &["/usr/lib/llvm/LLVMgold.so", "/usr/lib/libLLVM.so", "/usr/lib/bfd-plugins/LLVMgold.so"]);
    fs::remove_file(host.root().join("usr/lib/bfd-plugins/LLVMgold.so")).unwrap();
    host.link("usr/lib/bfd-plugins/LLVMgold.so", "../llvm/LLVMgold.so");
    host.package("lld", "Depends: llvm\n", &["/usr/bin/lld"]);
    // As the sandbox reports them: as written, and resolved.
    let mut observed = OBSERVED.to_vec();
    observed.extend([
        "/usr/bin/../lib/bfd-plugins/LLVMgold.so",
        "/usr/lib/llvm/LLVMgold.so",
        "/lib/libLLVM.so",
        "/usr/lib/libLLVM.so",
        "/usr/lib/x86_64-linux-gnu/libisl.so.23",
    ]);
    assert_eq!(host.capture(&observed).tree, debian().capture(&OBSERVED).tree);
    observed.push("/usr/bin/lld");
    let used = host.capture(&observed).tree;
    assert!(used.entry("usr/lib/bfd-plugins/LLVMgold.so").is_some() && used.entry("usr/lib/libLLVM.so").is_some());
}

#[test]
fn recapture_takes_only_the_recorded_content() {
    let host = debian();
    let tree = host.capture(&OBSERVED).tree;
    let elsewhere = debian();
    assert_eq!(recapture(&tree, &elsewhere.host(), &elsewhere.store).unwrap(), []);
    assert_eq!(elsewhere.store.missing(&tree).unwrap(), []);

    // The same content by another way: a header that became a link.
    let moved = debian();
    fs::rename(moved.root().join("usr/include/math.h"), moved.root().join("usr/include/math-1.h")).unwrap();
    moved.link("usr/include/math.h", "math-1.h");
    assert_eq!(recapture(&tree, &moved.host(), &moved.store).unwrap(), []);

    let newer = debian();
    newer.file("usr/include/math.h", "another", 0o644);
    fs::remove_file(newer.root().join("usr/include/stdio.h")).unwrap();
    let missing = recapture(&tree, &newer.host(), &newer.store).unwrap();
    let found: Vec<_> = missing.iter().map(|missing| (missing.path.as_str(), missing.found)).collect();
    assert_eq!(found, [("usr/include/math.h", Some(Digest::of(b"another"))), ("usr/include/stdio.h", None)]);
    assert!(!newer.store.has(&Digest::of(b"another")), "what is not wanted is not stored");
}

#[test]
fn the_view_is_an_allow_list() {
    let host = debian();
    host.folder("home/x").folder("run").folder("root").folder("opt").folder("lib.usr-is-merged").folder("lost+found");
    host.file("etc/passwd", "", 0o644)
        .file("etc/ld.so.conf", "", 0o644)
        .link("etc/localtime", "x")
        .link("etc/java-17", "x");
    let named = host.host().with_named_root("rust", "/elsewhere").unwrap();
    let view = visible(&named);
    let binds: Vec<&str> = view.binds.iter().map(|bind| bind.inside.as_str()).collect();
    assert_eq!(binds, ["etc/alternatives", "etc/ld.so.conf", "etc/os-release", "opt", "toolchain/rust", "usr"]);
    let links: Vec<String> = view.links.iter().map(|link| format!("{} -> {}", link.inside, link.target)).collect();
    assert_eq!(links, ["bin -> usr/bin", "etc/java-17 -> x", "lib -> usr/lib", "lib64 -> usr/lib64"]);
}
