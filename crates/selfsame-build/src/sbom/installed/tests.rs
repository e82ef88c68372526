//! Trees made by hand, as pip, npm and dpkg leave them, and as nobody should.

mod judges;

use proptest::prelude::*;
use selfsame_tree::Entry;

use super::*;

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    tree: Tree,
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

fn world(files: &[(&str, &str)]) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("store")).expect("a store");
    let entry = |(at, text): &(&str, &str)| {
        let digest = store.put_bytes(text.as_bytes(), false).expect("a store");
        (path(at), Entry::file(digest, text.len() as u64, false))
    };
    let tree = Tree::from_entries(files.iter().map(entry)).expect("a tree");
    World { _folder: folder, store, tree }
}

impl World {
    fn languages(&self, owned: &[&str]) -> Vec<Found> {
        let owned = owned.iter().map(|at| path(at)).collect();
        let platform = "linux/amd64".parse().expect("a platform");
        of_languages(&Root::new(&self.tree, &self.store), &platform, &owned).expect("packages")
    }
}

/// `purl (licence): files; needs` each.
fn lines(found: &[Found]) -> Vec<String> {
    let purls: BTreeMap<&Identity, &str> =
        found.iter().map(|package| (&package.identity, package.purl.as_str())).collect();
    let line = |package: &Found| {
        let files: Vec<&str> = package.files.iter().map(RelPath::as_str).collect();
        let needs: Vec<&str> = package.needs.iter().map(|needed| purls[needed]).collect();
        let licence = package.license.as_deref().unwrap_or("?");
        format!("{} ({licence}): {}; {}", package.purl, files.join(" "), needs.join(" "))
    };
    found.iter().map(line).collect()
}

/// SHA-256 of nothing, as RECORD writes it.
const NOTHING: &str = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";

#[test]
fn python_packages_have_the_files_that_their_lists_name_and_that_are_still_theirs() {
    let record = format!(
        "x/__init__.py,{NOTHING},0\nx/changed.py,{NOTHING},0\nx/gone.py,{NOTHING},0\n../../bin/x,{NOTHING},0\n\
         /etc/passwd,,\n../../../../../etc/passwd,,\nX_y-1.0.dist-info/RECORD,,\n"
    );
    let world = world(&[
        ("etc/passwd", ""),
        (
            "srv/site/X_y-1.0.dist-info/METADATA",
            "Name: X.y\nVersion: 1.0\nLicense: MIT\nRequires-Dist: Z\nRequires-Dist: q; extra == 'e'\n",
        ),
        ("srv/site/X_y-1.0.dist-info/RECORD", &record),
        ("srv/site/X_y-1.0.dist-info/licenses/LICENSE", "text"),
        ("srv/site/bin/x", ""),
        ("srv/site/q-1.dist-info/METADATA", "Name: q\nVersion: 1\n"),
        ("srv/site/x/__init__.py", ""),
        ("srv/site/x/changed.py", "other"),
        ("srv/site/z-2.dist-info/METADATA", "Name: z\nVersion: 2\nRequires-Dist: x-y\n"),
        ("usr/lib/python3/z-3.dist-info/METADATA", "Name: z\nVersion: 3\n"),
    ]);
    assert_eq!(
        lines(&world.languages(&["usr/lib/python3/z-3.dist-info/METADATA"])),
        [
            "pkg:pypi/x-y@1.0 (MIT): srv/site/X_y-1.0.dist-info/METADATA srv/site/X_y-1.0.dist-info/RECORD \
             srv/site/X_y-1.0.dist-info/licenses/LICENSE srv/site/bin/x srv/site/x/__init__.py; pkg:pypi/z@2",
            "pkg:pypi/q@1 (?): srv/site/q-1.dist-info/METADATA; ",
            "pkg:pypi/z@2 (?): srv/site/z-2.dist-info/METADATA; pkg:pypi/x-y@1.0",
        ]
    );
    assert_eq!(world.languages(&[]).len(), 4, "what no package of the distribution owns is listed");
}

#[test]
fn python_packages_of_old_tools() {
    let world = world(&[
        ("site/a.egg-info/PKG-INFO", "Name: a\nVersion: 1\n"),
        ("site/a.egg-info/installed-files.txt", "../a.py\n../../out\n/x\n"),
        ("site/a.py", "a"),
        ("site/b-2-py3.11.egg-info", "Name: b\nVersion: 2\n"),
        ("out", ""),
    ]);
    assert_eq!(
        lines(&world.languages(&[])),
        [
            "pkg:pypi/a@1 (?): out site/a.egg-info/PKG-INFO site/a.egg-info/installed-files.txt site/a.py; ",
            "pkg:pypi/b@2 (?): site/b-2-py3.11.egg-info; ",
        ]
    );
}

#[test]
fn a_python_package_does_not_hide_behind_broken_metadata() {
    let world = world(&[
        ("s/a-1.dist-info/METADATA", "nonsense"),
        ("s/a-1.dist-info/RECORD", "a,md5=x,1\n\"never ending"),
        ("s/b.dist-info/METADATA", "nonsense"),
        ("s/c-1.dist-info/METADATA", "Name: ../../c\nVersion: 1\n"),
        ("s/d.egg-info/PKG-INFO", "nonsense"),
    ]);
    assert_eq!(
        lines(&world.languages(&[])),
        [
            "pkg:pypi/a@1 (?): s/a-1.dist-info/METADATA s/a-1.dist-info/RECORD; ",
            "pkg:pypi/c@1 (?): s/c-1.dist-info/METADATA; ",
        ],
        "one whose folder names no version either is files and nothing more"
    );
}

#[test]
fn node_packages_are_nested_and_found_as_node_finds_them() {
    let package = |name: &str, version: &str, needs: &str| {
        format!("{{\"name\":\"{name}\",\"version\":\"{version}\",\"license\":\"ISC\",\"dependencies\":{{{needs}}}}}")
    };
    let (a, b, old, scoped) = (
        package("a", "1.0.0", "\"b\":\"1\",\"@s/c\":\"1\""),
        package("b", "2.0.0", ""),
        package("b", "1.0.0", "\"a\":\"1\",\"gone\":\"1\",\"../x\":\"1\""),
        package("@s/c", "1.0.0", "\"b\":\"*\""),
    );
    let world = world(&[
        ("srv/node_modules/.package-lock.json", "{}"),
        ("srv/node_modules/.bin/package.json", &b),
        ("srv/node_modules/@s/c/package.json", &scoped),
        ("srv/node_modules/@s/package.json", &b),
        ("srv/node_modules/a/lib/index.js", "a"),
        ("srv/node_modules/a/lib/package.json", "{\"type\":\"module\"}"),
        ("srv/node_modules/a/node_modules/b/package.json", &old),
        ("srv/node_modules/a/package.json", &a),
        ("srv/node_modules/alias/package.json", &package("real", "3.0.0", "")),
        ("srv/node_modules/b/package.json", &b),
        ("srv/node_modules/none/package.json", "{\"name\":\"none\"}"),
        ("srv/node_modules/broken/package.json", "{"),
        ("srv/package.json", &package("app", "1.0.0", "\"a\":\"1\"")),
    ]);
    assert_eq!(
        lines(&world.languages(&[])),
        [
            "pkg:npm/%40s/c@1.0.0 (ISC): srv/node_modules/@s/c/package.json; pkg:npm/b@2.0.0",
            "pkg:npm/b@1.0.0 (ISC): srv/node_modules/a/node_modules/b/package.json; pkg:npm/a@1.0.0",
            "pkg:npm/a@1.0.0 (ISC): srv/node_modules/a/lib/index.js srv/node_modules/a/lib/package.json \
             srv/node_modules/a/package.json; pkg:npm/%40s/c@1.0.0 pkg:npm/b@1.0.0",
            "pkg:npm/real@3.0.0 (ISC): srv/node_modules/alias/package.json; ",
            "pkg:npm/b@2.0.0 (ISC): srv/node_modules/b/package.json; ",
        ]
    );
}

#[test]
fn a_database_of_dpkg_in_a_tree_that_has_no_base() {
    let status = "Package: libx\nStatus: install ok unpacked\nVersion: 1-1\nArchitecture: amd64\nMaintainer: A <a@example.org>\n\n\
        Package: x\nStatus: install ok installed\nVersion: 2\nArchitecture: all\nDepends: libx (>= 1)\n\n\
        Package: gone\nStatus: deinstall ok config-files\nVersion: 2\nArchitecture: all\n";
    let world = world(&[
        ("etc/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n"),
        ("usr/lib/libx.so", "libx"),
        ("var/lib/dpkg/status", status),
        ("var/lib/dpkg/info/libx:amd64.list", "/.\n/usr\n/usr/lib\n/usr/lib/libx.so\n/usr/share/gone\n"),
    ]);
    let found = of_debian(&mut Root::new(&world.tree, &world.store)).expect("packages");
    assert_eq!(
        lines(&found),
        [
            "pkg:deb/debian/libx@1-1?arch=amd64&distro=bookworm (?): usr/lib/libx.so; ",
            "pkg:deb/debian/x@2?arch=all&distro=bookworm (?): ; pkg:deb/debian/libx@1-1?arch=amd64&distro=bookworm",
        ]
    );
    assert_eq!(found[0].supplier.as_deref(), Some("A <a@example.org>"));
    assert!(is_dpkg_database("var/lib/dpkg/status.d/x") && !is_dpkg_database("var/lib/dpkg/status-old"));
}

#[test]
fn where_go_itself_is() {
    let world = world(&[
        ("go/VERSION", "go1.27.3\ntime 2026-01-01T00:00:00Z\n"),
        ("go/src/runtime/proc.go", "package runtime"),
        ("other/VERSION", "go1.1\n"),
        ("VERSION", "1.0\n"),
    ]);
    let roots = go_roots(&Root::new(&world.tree, &world.store)).expect("roots");
    let standard = Identity::of("pkg:golang/stdlib@1.27.3", "stdlib", "1.27.3").expect("an identity");
    assert_eq!(roots, [(standard, path("go/VERSION"))]);
}

/// A program of Go with nothing in it but what it says of itself: a header, one writable segment, the build information.
fn program(modules: &str) -> Vec<u8> {
    let word = |value: u64| value.to_le_bytes();
    let mut bytes = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 9], &[2, 0, 62, 0, 1, 0, 0, 0]].concat();
    bytes.extend([word(0), word(64), word(0)].concat());
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    bytes.extend([[1, 0, 0, 0, 6, 0, 0, 0], word(128), word(0), word(0), word(4096), word(4096), word(0)].concat());
    bytes.resize(128, 0);
    bytes.extend(b"\xff Go buildinf:\x08\x02");
    bytes.resize(160, 0);
    let framed = [&[0; 16], modules.as_bytes(), &[0; 16]].concat();
    assert!((128..16_384).contains(&framed.len()), "a length of two digits");
    bytes.extend([&[8], b"go1.27.3".as_slice()].concat());
    bytes.extend([framed.len() as u8 & 0x7f | 0x80, (framed.len() >> 7) as u8]);
    bytes.extend(framed);
    bytes
}

#[test]
fn modules_of_programs_without_the_one_that_is_built() {
    let modules = "path\texample.com/app\nmod\texample.com/app\tv0.1.0\t\ndep\tgolang.org/x/text\tv0.14.0\th1:x\n\
        build\t-trimpath=true\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=amd64\nbuild\tGOOS=linux\n";
    let world = world(&[("src/go.mod", "module example.com/app\n")]);
    let candidates: Vec<Candidate> = [("bin/app", program(modules)), ("bin/sh", b"#!/bin/sh\n".to_vec())]
        .into_iter()
        .map(|(at, bytes)| Candidate {
            path: path(at),
            digest: world.store.put_bytes(&bytes, true).expect("a store"),
            size_bytes: bytes.len() as u64,
            executable: true,
        })
        .collect();
    let purls = |source: &Tree| -> Vec<String> {
        let found = programs(&candidates, &Root::new(source, &world.store)).expect("packages");
        assert!(found.iter().all(|package| package.within == BTreeSet::from([path("bin/app")])));
        found.into_iter().map(|package| package.purl).collect()
    };
    let needed = ["pkg:golang/golang.org/x/text@v0.14.0", "pkg:golang/stdlib@1.27.3"];
    assert_eq!(purls(&world.tree), needed);
    let elsewhere = [&["pkg:golang/example.com/app@v0.1.0"], &needed[..]].concat();
    assert_eq!(purls(&Tree::new()), elsewhere, "a program that the source did not make");
}

#[test]
fn paths_of_lists_stay_in_the_tree() {
    let from = |at: &str| from_folder(&path("a/b"), at).map(|path| path.as_str().to_owned());
    assert_eq!(from("c/./d").as_deref(), Some("a/b/c/d"));
    assert_eq!(from("../../c").as_deref(), Some("c"));
    assert_eq!(from("../../../c"), None);
    assert_eq!(from("/c"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever an image says about packages: it is read to the end, and each package's files are files of the image.
    #[test]
    fn nothing_that_an_image_says_stops_a_build(
        texts in proptest::collection::vec("(Name: [a./-]{0,3}\n|Version: [1./]{0,2}\n|[a./,=-]{0,9}\n|\"name\":\"[a@/.]{0,4}\"|[{},:\"]){0,6}", 6),
        folder in "(a|@a/b|\\.a|a/node_modules/a)",
    ) {
        let (package, nested) = (format!("node_modules/{folder}/package.json"), format!("{folder}/a-1.dist-info/METADATA"));
        let places = [package.as_str(), &nested, "a-1.dist-info/METADATA", "a-1.dist-info/RECORD", "var/lib/dpkg/status", "go/VERSION"];
        let files: Vec<(&str, &str)> = places.into_iter().zip(texts.iter().map(String::as_str)).collect();
        let world = world(&files);
        let mut found = world.languages(&[]);
        found.extend(of_debian(&mut Root::new(&world.tree, &world.store)).expect("packages"));
        for package in found {
            prop_assert!(package.purl.starts_with("pkg:"));
            prop_assert!(package.files.iter().all(|path| world.tree.content(path.as_str()).is_some()));
        }
    }
}
