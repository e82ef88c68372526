//! Databases as texts, and a root that has them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

/// Files by path; folders are no links here.
pub(crate) struct Texts(pub(crate) BTreeMap<String, String>);

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

/// Headers as rpm 4.18 wrote them, of two packages, in a file as SQLite 3.40 wrote it: small pages, so that the table has
/// pages of both kinds and rows that go on elsewhere.
const RPM_SPECIMEN: &[u8] = include_bytes!("testdata/rpmdb.sqlite");

#[test]
fn rpms_database_is_read_from_its_bytes() {
    let database = rpmdb(RPM_SPECIMEN).expect("a database");
    let packages: BTreeMap<_, _> = database.packages().collect();
    assert_eq!(packages.keys().copied().collect::<Vec<_>>(), ["bash-0:5.2-3.x86_64", "glibc-1:2.40-3.x86_64"]);
    let (bash, glibc) = (packages["bash-0:5.2-3.x86_64"], packages["glibc-1:2.40-3.x86_64"]);
    assert_eq!(
        (bash.supplier.as_deref(), bash.licence.as_deref()),
        (Some("Example Project"), Some("GPL-3.0-or-later"))
    );
    assert_eq!(bash.files, ["/usr/bin/bash"]);
    assert_eq!(glibc.files.len(), 62);
    assert!(glibc.files.contains(&"/usr/share/glibc/file-with-a-long-name-number-60".to_owned()));
    let needs = database.depends("bash-0:5.2-3.x86_64", &mut texts(&[]));
    assert_eq!(needs.into_iter().collect::<Vec<_>>(), ["glibc-1:2.40-3.x86_64"], "by capability");
    let purl = Distribution::parse("ID=fedora\nVERSION_ID=41").purl(Kind::Rpm, glibc).expect("a purl");
    assert_eq!(purl.to_string(), "pkg:rpm/fedora/glibc@2.40-3?arch=x86_64&distro=fedora-41&epoch=1");
}

#[test]
fn a_damaged_rpm_database_is_refused() {
    let fault = |bytes: &[u8]| rpmdb(bytes).map(drop).map_err(|fault| fault.to_string());
    assert_eq!(fault(b""), Err("rpm's database is not an SQLite file".to_owned()));
    assert_eq!(fault(b"\x00\x05\x31\x62 Berkeley"), Err("rpm's database is not an SQLite file".to_owned()));
    assert_eq!(fault(&RPM_SPECIMEN[..512]), Err("rpm's database names a page that it does not have".to_owned()));
    // The table's own root as one of the pages below it.
    let mut circle = RPM_SPECIMEN.to_vec();
    let root = (1..).find(|page| circle[page * 512] == 5).expect("an interior page");
    let number = u32::try_from(root + 1).expect("a number").to_be_bytes();
    circle[root * 512 + 8..root * 512 + 12].copy_from_slice(&number);
    assert_eq!(fault(&circle), Err("rpm's database has pages that lead in a circle".to_owned()));
}

proptest! {
    #[test]
    fn no_damage_to_rpms_database_is_too_odd(at in 0..RPM_SPECIMEN.len(), byte: u8, cut in 0..RPM_SPECIMEN.len()) {
        let mut bytes = RPM_SPECIMEN.to_vec();
        bytes[at] = byte;
        let _ = rpmdb(&bytes);
        let _ = rpmdb(&bytes[..cut]);
    }

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
