use super::images::{Blobs, gz};
use super::*;

const STATUS: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\
Maintainer: Some One <a@b.example>\n\nPackage: dash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.5-1\n\
Pre-Depends: libc6 (>= 2.36), missing\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n";

const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
Files: *\nCopyright: 2020 Somebody\nLicense: Expat\n The text.\n";

#[test]
fn what_is_installed_stands_in_the_databases() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let layers = [
        gz(&[
            ("bin", "-> usr/bin"),
            ("usr/bin/dash", "shell"),
            ("usr/bin/sh", "-> dash"),
            ("usr/lib/libc.so.6", "c"),
            ("usr/share/doc/dash/copyright", COPYRIGHT),
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"),
            ("var/lib/dpkg/status", STATUS),
            ("var/lib/dpkg/info/dash.list", "/.\n/bin\n/bin/dash\n/bin/sh\n/usr/share/doc/dash/copyright\n/bin/gone\n"),
        ]),
        gz(&[
            ("lib/apk/db/installed", "P:musl\nV:1.2-r0\nA:x86_64\nL:MIT\nF:lib\nR:ld-musl.so\n\n"),
            ("lib/ld-musl.so", "m"),
        ]),
    ];
    let image = blobs.image("linux/amd64", &layers);
    blobs.list("", image).folder(&world.folder.path().join("l"));
    let parts = world.resolve(&layout("l", None)).unwrap();
    let lines: Vec<String> = world
        .describe(&parts)
        .into_iter()
        .map(|package| {
            let files: Vec<&str> = package.files.iter().map(selfsame_core::RelPath::as_str).collect();
            let supplier = package.supplier.unwrap_or_default();
            let (licenses, needs) = (package.licenses.join(","), package.depends_on.join(" "));
            format!("{} [{licenses}] {supplier} files {} needs {needs}", package.purl, files.join(" "))
        })
        .collect();
    assert_eq!(
        lines,
        [
            "pkg:apk/debian/musl@1.2-r0?arch=x86_64&distro=debian-12 [MIT]  files lib/ld-musl.so needs ",
            "pkg:deb/debian/dash@0.5-1?arch=amd64&distro=bookworm [MIT]  files usr/bin/dash usr/bin/sh \
             usr/share/doc/dash/copyright needs pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm",
            "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm [] Some One <a@b.example> files  needs ",
        ]
    );
}

#[test]
fn an_image_without_a_database_has_no_packages() {
    let world = World::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("linux/amd64", &[gz(&[("a", "1")])]);
    blobs.list("", image).folder(&world.folder.path().join("l"));
    let parts = world.resolve(&layout("l", None)).unwrap();
    assert!(world.describe(&parts).is_empty());
}
