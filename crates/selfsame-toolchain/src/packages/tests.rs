use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use selfsame_packages::{Kind, rpm_packages};

use super::*;

/// A root of text files and links (`-> TARGET`).
fn root(entries: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    for (place, content) in entries {
        let path = folder.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => symlink(target, path).unwrap(),
            None => fs::write(path, content).unwrap(),
        }
    }
    let host = Host::new(folder.path());
    (folder, host)
}

fn owners(database: &Database, host: &Host, place: &str) -> Vec<String> {
    database.owners(place, &mut Walk::new(host)).into_iter().map(str::to_owned).collect()
}

fn depends(database: &Database, host: &Host, key: &str) -> Vec<String> {
    database.depends(key, &mut Walk::new(host)).into_iter().map(str::to_owned).collect()
}

const STATUS: &str = "Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9
Maintainer: Somebody <a@b.example>
Description: GNU C Library
 Depends: not-a-field

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9

Package: gcc
Status: install ok installed
Architecture: amd64
Version: 4:12.2.0-3
Pre-Depends: dpkg (>= 1.17)
Depends: libc6 (>= 2.36) | libc6.1, missing | c-shell, python3:any,
 not-continued

Package: dash
Status: install ok installed
Architecture: amd64
Version: 0.5
Provides: c-shell (= 1), sh

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
";

#[test]
fn dpkg_multiarch_lists_diversions_and_merged_usr() {
    let (_folder, host) = root(&[
        ("var/lib/dpkg/status", STATUS),
        ("var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n"),
        ("var/lib/dpkg/info/libc6:i386.list", "/lib/i386-linux-gnu/libc.so.6\n"),
        ("var/lib/dpkg/info/gcc.list", "/usr/bin/gcc\n/usr/share/man/man1/sh.1.gz\n"),
        ("var/lib/dpkg/info/dash.list", "/bin/sh\n/usr/share/man/man1/sh.1.gz\n"),
        ("var/lib/dpkg/diversions", "/usr/share/man/man1/sh.1.gz\n/usr/share/man/man1/sh.real.1.gz\ndash\n"),
        ("lib", "-> usr/lib"),
        ("bin", "-> usr/bin"),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", ""),
        ("usr/bin/gcc", ""),
        ("usr/bin/sh", ""),
        ("usr/share/man/man1/sh.1.gz", ""),
    ]);
    let [database] = &databases(&host).unwrap()[..] else { panic!("one database") };
    assert_eq!(database.kind, Kind::Deb);
    assert_eq!(owners(database, &host, "usr/lib/x86_64-linux-gnu/libc.so.6"), ["libc6:amd64"]);
    assert_eq!(owners(database, &host, "usr/bin/sh"), ["dash:amd64"]);
    assert_eq!(owners(database, &host, "usr/bin/gcc"), ["gcc:amd64"]);
    assert_eq!(owners(database, &host, "usr/share/man/man1/sh.1.gz"), ["dash:amd64"], "the file of who diverts");
    assert_eq!(owners(database, &host, "usr/share/man/man1/sh.real.1.gz"), ["gcc:amd64"], "the diverted file");
    assert_eq!(owners(database, &host, "usr/bin/nothing"), [""; 0]);
    assert_eq!(depends(database, &host, "gcc:amd64"), ["dash:amd64", "libc6:amd64"], "by name, provided, of one's own");
    let libc = database.package("libc6:amd64").unwrap();
    assert_eq!((libc.version.as_str(), libc.supplier.as_deref()), ("2.36-9", Some("Somebody <a@b.example>")));
    assert!(database.package("gone:amd64").is_none(), "removed, configuration kept");
}

#[test]
fn apk_files_and_capabilities() {
    let installed = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\nm:Some One <a@b.example>\np:so:libc.musl-x86_64.so.1=1\nF:lib\n\
R:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1x=\nR:libc.musl-x86_64.so.1\n\nP:tcc\nV:0.9.27-r1\nA:x86_64\nL:LGPL-2.1-only\n\
D:so:libc.musl-x86_64.so.1 musl-dev>=1 !uclibc /bin/sh\nF:\nF:usr/bin\nR:tcc\n\nP:busybox\nV:1\nA:x86_64\nF:bin\nR:sh\n\n";
    let (_folder, host) =
        root(&[("lib/apk/db/installed", installed), ("lib/libc.musl-x86_64.so.1", ""), ("bin/sh", "")]);
    let [database] = &databases(&host).unwrap()[..] else { panic!("one database") };
    assert_eq!(owners(database, &host, "lib/libc.musl-x86_64.so.1"), ["musl"]);
    assert_eq!(owners(database, &host, "usr/bin/tcc"), ["tcc"]);
    assert_eq!(depends(database, &host, "tcc"), ["busybox", "musl"], "by capability and by path");
    let musl = database.package("musl").unwrap();
    assert_eq!((musl.licence.as_deref(), musl.architecture.as_str()), (Some("MIT"), "x86_64"));
}

#[test]
fn pacman_desc_and_files() {
    let (_folder, host) = root(&[
        (
            "var/lib/pacman/local/gcc-14.2-1/desc",
            "%NAME%\ngcc\n\n%VERSION%\n14.2-1\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL-3.0-or-later\nMIT OR Zlib\n\n\
%PACKAGER%\nUnknown Packager\n\n%DEPENDS%\nglibc>=2.38\nlibisl.so=23-64\n\n",
        ),
        ("var/lib/pacman/local/gcc-14.2-1/files", "%FILES%\nusr/\nusr/bin/\nusr/bin/gcc\n\n%BACKUP%\netc/x\tabc\n"),
        ("var/lib/pacman/local/glibc-2.40-1/desc", "%NAME%\nglibc\n\n%VERSION%\n2.40-1\n"),
        ("var/lib/pacman/local/libisl-0.27-1/desc", "%NAME%\nlibisl\n\n%VERSION%\n1\n\n%PROVIDES%\nlibisl.so=23-64\n"),
        ("var/lib/pacman/local/ALPM_DB_VERSION", "9\n"),
    ]);
    let [database] = &databases(&host).unwrap()[..] else { panic!("one database") };
    assert_eq!(owners(database, &host, "usr/bin/gcc"), ["gcc"]);
    assert_eq!(database.package("gcc").unwrap().files, ["/usr/bin/gcc"]);
    assert_eq!(depends(database, &host, "gcc"), ["glibc", "libisl"]);
    let gcc = database.package("gcc").unwrap();
    assert_eq!((gcc.licence.as_deref(), gcc.supplier.as_deref()), (Some("GPL-3.0-or-later AND (MIT OR Zlib)"), None));
}

#[test]
fn rpm_answers() {
    let answer = "P\tgcc\t0:14.2.1-3.fc41\tx86_64\tFedora Project\tGPL-3.0-or-later\nF\t/usr/bin/gcc\nF\t/usr/libexec/gcc\n\
R\tlibc.so.6(GLIBC_2.34)(64bit)\nR\trpmlib(X)\nR\t(a if b)\nR\t/bin/sh\nV\tgcc(x86-64)\n\
P\tglibc\t1:2.40-1\tx86_64\t(none)\tLGPLv2+\nV\tlibc.so.6(GLIBC_2.34)(64bit)\nF\t/lib64/libc.so.6\n\
P\tgpg-pubkey\t0:1-2\t(none)\t(none)\tpubkey\nF\t/not/ours\nP\tbash\t0:5\tx86_64\t(none)\tGPL\nF\t/usr/bin/sh\n";
    let (_folder, host) =
        root(&[("bin", "-> usr/bin"), ("usr/bin/sh", ""), ("lib64", "-> usr/lib64"), ("usr/lib64/x", "")]);
    let database = Database::new(Kind::Rpm, rpm_packages(answer));
    assert_eq!(owners(&database, &host, "usr/lib64/libc.so.6"), ["glibc-1:2.40-1.x86_64"]);
    let gcc = "gcc-0:14.2.1-3.fc41.x86_64";
    assert_eq!(depends(&database, &host, gcc), ["bash-0:5.x86_64", "glibc-1:2.40-1.x86_64"]);
    assert_eq!(database.package(gcc).unwrap().files, ["/usr/bin/gcc", "/usr/libexec/gcc"]);
    assert_eq!(owners(&database, &host, "not/ours"), [""; 0]);
    assert_eq!(database.package("glibc-1:2.40-1.x86_64").unwrap().supplier, None);
}

#[test]
fn an_empty_or_broken_database_is_no_panic() {
    for status in
        ["", "\n\n\n", "Package:\n", "Package: a\nStatus: x\n", "Package: ../x\nStatus: a b installed\n", "\u{fffd}:"]
    {
        let (_folder, host) = root(&[
            ("var/lib/dpkg/status", status),
            ("lib/apk/db/installed", status),
            ("var/lib/pacman/local/x/desc", status),
        ]);
        for database in databases(&host).unwrap() {
            assert_eq!(owners(&database, &host, "usr/bin/cc"), [""; 0]);
        }
    }
    assert!(databases(&Host::new(Path::new("/nonexistent"))).unwrap().is_empty());
}
