//! Package databases of other people's images.

use std::collections::BTreeMap;

use selfsame_testing::fuzz::{answer, fuzz};

use crate::tests::Texts;
use crate::{Database, Distribution, apk, dpkg, licence_of, pacman, rpm_packages, rpmdb};

/// Everything that is asked of a database.
fn ask(database: &Database, files: &mut Texts) -> usize {
    let distribution = Distribution::parse("ID=debian\nVERSION_ID=12\n");
    for (key, record) in database.packages() {
        let _ = database.depends(key, files);
        let _ = record.files.first().map(|file| database.owners(file.trim_start_matches('/'), files).len());
        let _ = distribution.purl(database.kind, record);
        let Ok(_) = licence_of(files, database.kind, record);
    }
    database.packages().count()
}

const DPKG: &str = "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\nMulti-Arch: same\nDepends: libgcc-s1 | x (>= 1)\nProvides: libc (= 2)\nMaintainer: A <a@b.example>\n\nPackage: base\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n";
const APK: &str = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\nm:A <a@b.example>\nD:so:libc.musl so:x>=1\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\n";
const PACMAN: &str = "%NAME%\nbash\n\n%VERSION%\n5.2-3\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL\n\n%DEPENDS%\nglibc>=2\n\n%PROVIDES%\nsh\n\n%FILES%\nusr/\nusr/bin/bash\n";

#[test]
fn fuzz_databases() {
    let seeds = [DPKG.as_bytes(), APK.as_bytes(), PACMAN.as_bytes()];
    let words = [
        "Package: ",
        "Status: install ok installed\n",
        "Depends: ",
        "P:",
        "F:",
        "R:",
        "D:",
        "%NAME%\n",
        "%FILES%\n",
        "\n\n",
    ];
    fuzz("databases", &seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut files = Texts(BTreeMap::new());
        for path in [
            "var/lib/dpkg/status",
            "var/lib/dpkg/status.d/one",
            "var/lib/dpkg/info/libc6:amd64.list",
            "usr/share/doc/libc6/copyright",
            "lib/apk/db/installed",
            "var/lib/pacman/local/bash-5.2-3/desc",
            "var/lib/pacman/local/bash-5.2-3/files",
        ] {
            files.0.insert(path.to_owned(), text.clone());
        }
        let (Ok(dpkg), Ok(apk), Ok(pacman)) = (dpkg(&mut files), apk(&mut files), pacman(&mut files));
        let counts = [dpkg, apk, pacman].map(|found| found.map_or(0, |database| ask(&database, &mut files)));
        let _ = Distribution::parse(&text);
        Err(counts.map(|count| ["none", "one", "more"][count.min(2)]).join(" "))
    });
}

#[test]
fn fuzz_rpmdb() {
    let seed = include_bytes!("../src/testdata/rpmdb.sqlite");
    let words = ["SQLite format 3\0", "\0\0\x03\u{e9}", "\0\0\0\x06", "\0\0\0\x08", "\x05", "\x0d"];
    fuzz("rpmdb", &[seed], &words, |bytes| {
        let database = rpmdb(bytes).map_err(|fault| fault.to_string())?;
        ask(&database, &mut Texts(BTreeMap::new()));
        Ok(())
    });
}

#[test]
fn fuzz_rpm_query() {
    let seed = b"P\tbash\t0:5.2-3\tx86_64\tExample\tGPL-3.0-or-later\nF\t/usr/bin/bash\nR\tglibc\nV\tsh\n";
    fuzz("rpm-query", &[seed], &["P\t", "F\t", "R\t", "V\t", "(none)", "gpg-pubkey"], |bytes| {
        let packages = rpm_packages(&String::from_utf8_lossy(bytes));
        answer::<(), _>(Err(["none", "one", "more"][packages.len().min(2)]))
    });
}
