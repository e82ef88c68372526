//! Databases as texts, and a root that has them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// Files by path; folders are no links here.
struct Texts(BTreeMap<String, String>);

impl Files for Texts {
    type Error = Infallible;

    fn text(&mut self, path: &str) -> Result<Option<String>, Infallible> {
        Ok(self.0.get(path).cloned())
    }

    fn names(&mut self, folder: &str) -> Result<Vec<String>, Infallible> {
        let below = self.0.keys().filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/')?.split('/').next());
        Ok(below.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect())
    }
}

impl Locate for Texts {
    fn locate(&mut self, path: &str) -> Option<String> {
        Some(path.trim_start_matches('/').to_owned())
    }
}

fn texts(files: &[(&str, &str)]) -> Texts {
    Texts(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

#[test]
fn a_root_without_dpkg_has_one_file_for_each_package() {
    let mut files = texts(&[
        ("var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\nDepends: libgcc-s1\n"),
        ("var/lib/dpkg/status.d/libc6.md5sums", "0123456789abcdef0123456789abcdef  lib/x86_64-linux-gnu/libc.so.6\n"),
        (
            "var/lib/dpkg/status.d/base",
            "Package: base-files\nVersion: 12\nArchitecture: amd64\nMaintainer: A <a@b.example>\n",
        ),
    ]);
    let Ok(database) = dpkg(&mut files);
    let database = database.expect("a database");
    let known: Vec<_> = database.packages().map(|(key, record)| (key, record.files.clone())).collect();
    let libc = vec!["/lib/x86_64-linux-gnu/libc.so.6".to_owned()];
    assert_eq!(known, [("base-files:amd64", Vec::new()), ("libc6:amd64", libc)]);
    let owners = database.owners("lib/x86_64-linux-gnu/libc.so.6", &mut files);
    assert_eq!(owners.into_iter().collect::<Vec<_>>(), ["libc6:amd64"]);
    assert!(database.depends("libc6:amd64", &mut files).is_empty(), "what is needed and not there");
}

#[test]
fn packages_are_called_by_their_distribution() {
    let record = |version: &str| Record {
        name: "g++".to_owned(),
        version: version.to_owned(),
        architecture: "amd64".to_owned(),
        ..Record::default()
    };
    let purl = |release: &str, kind, version: &str| {
        Distribution::parse(release).purl(kind, &record(version)).expect("a purl").to_string()
    };
    let debian = "PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    assert_eq!(purl(debian, Kind::Deb, "4:12.2-3"), "pkg:deb/debian/g%2B%2B@4:12.2-3?arch=amd64&distro=bookworm");
    assert_eq!(
        purl("ID='fedora'\nVERSION_ID=41\n", Kind::Rpm, "1:2-3"),
        "pkg:rpm/fedora/g%2B%2B@2-3?arch=amd64&distro=fedora-41&epoch=1"
    );
    assert_eq!(purl("", Kind::Apk, "1-r0"), "pkg:apk/g%2B%2B@1-r0?arch=amd64");
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "(\\PC|\n|:|\t|%|Package: |P:|F:|R:|%FILES%){0,80}") {
        let mut files = texts(&[
            ("var/lib/dpkg/status", &text),
            ("var/lib/dpkg/diversions", &text),
            ("var/lib/dpkg/info/a.list", &text),
            ("var/lib/dpkg/status.d/a", &text),
            ("var/lib/dpkg/status.d/a.md5sums", &text),
            ("lib/apk/db/installed", &text),
            ("var/lib/pacman/local/a/desc", &text),
            ("var/lib/pacman/local/a/files", &text),
            ("usr/share/doc/a/copyright", &text),
        ]);
        let (Ok(dpkg), Ok(apk), Ok(pacman)) = (dpkg(&mut files), apk(&mut files), pacman(&mut files));
        for database in [dpkg, apk, pacman].into_iter().flatten() {
            for (key, record) in database.packages() {
                database.depends(key, &mut files);
                let Ok(_) = licence_of(&mut files, database.kind, record);
                let _ = Distribution::parse(&text).purl(database.kind, record);
            }
        }
        let _ = rpm_packages(&text);
    }
}
