//! Root file systems from packages made by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;
use selfsame_core::{Digest, RelPath};
use selfsame_deb::Control;
use selfsame_store::Store;
use selfsame_tree::{Entry, Kind, Tree};

use super::configure::to_be_configured;
use super::error::DebInputError;
use super::normalise::normalise;
use super::root::Root;
use super::unpack::Unpacked;

/// A package with these fields beside its name, and these entries: `PATH = CONTENT`, `PATH -> TARGET`, `PATH/`, and
/// `PATH == PATH` for a second name.
fn package(name: &str, fields: &str, entries: &[&str]) -> Unpacked {
    try_package(name, fields, entries).expect("entries that make a tree")
}

fn try_package(name: &str, fields: &str, entries: &[&str]) -> Option<Unpacked> {
    let control = Control::parse(&format!("Package: {name}\nVersion: 1.0\nArchitecture: amd64\n{fields}")).unwrap();
    let file = |text: &str| Entry::file(Digest::of(text.as_bytes()), text.len() as u64, false);
    let mut tree: BTreeMap<RelPath, Entry> = BTreeMap::new();
    for text in entries {
        let (at, entry) = if let Some((at, content)) = text.split_once(" = ") {
            (at, file(content))
        } else if let Some((at, target)) = text.split_once(" -> ") {
            (at, Entry::symlink(target))
        } else if let Some((at, target)) = text.split_once(" == ") {
            let target = RelPath::new(target).unwrap();
            (at, Entry { kind: Kind::HardLink { target: target.clone() }, ..tree[&target].clone() })
        } else {
            (text.trim_end_matches('/'), Entry::directory())
        };
        tree.insert(RelPath::new(at).unwrap(), entry);
    }
    Some(Unpacked { control, info: BTreeMap::new(), data: Tree::from_entries(tree).ok()? })
}

/// The tree in short, one line an entry.
fn laid_out(packages: &[Unpacked]) -> Result<Vec<String>, DebInputError> {
    let entries = Root::of(packages)?.entries;
    Ok(short(&Tree::from_entries(entries).unwrap()))
}

fn short(tree: &Tree) -> Vec<String> {
    let line = |(path, entry): (&RelPath, &Entry)| match &entry.kind {
        Kind::Directory => format!("{path}/"),
        Kind::File { size, .. } => format!("{path} {size}"),
        Kind::Symlink { target } => format!("{path} -> {target}"),
        Kind::HardLink { target } => format!("{path} == {target}"),
    };
    tree.iter().map(line).collect()
}

const MERGED: [&str; 3] = ["bin -> usr/bin", "lib -> usr/lib", "sbin -> usr/sbin"];

/// What is there beside the links that every root has, and their folders.
fn beside_merged(packages: &[Unpacked]) -> Vec<String> {
    let mut lines = laid_out(packages).unwrap();
    for line in MERGED.iter().copied().chain(["usr/bin/", "usr/lib/", "usr/sbin/"]) {
        lines.retain(|own| own != line);
    }
    lines
}

#[test]
fn old_places_are_links_to_usr() {
    let one = package("one", "", &["bin/", "bin/a = x", "usr/bin/", "usr/bin/b = y", "lib64/ld.so -> /lib/ld.so"]);
    let two = package("two", "", &["lib/", "lib/ld.so = 1", "usr/lib/z == lib/ld.so"]);
    assert_eq!(
        laid_out(&[one, two]).unwrap(),
        [
            "bin -> usr/bin",
            "lib -> usr/lib",
            "lib64 -> usr/lib64",
            "sbin -> usr/sbin",
            "usr/bin/",
            "usr/bin/a 1",
            "usr/bin/b 1",
            "usr/lib/",
            "usr/lib/ld.so 1",
            "usr/lib/z == usr/lib/ld.so",
            "usr/lib64/",
            "usr/lib64/ld.so -> /lib/ld.so",
            "usr/sbin/",
        ]
    );
    // `base-files` of Debian 13 brings the links itself.
    let own = package("base-files", "", &["bin -> usr/bin", "lib64 -> usr/lib64", "usr/bin/", "usr/lib64/"]);
    assert_eq!(beside_merged(&[own]), ["lib64 -> usr/lib64", "usr/lib64/"]);
    for lie in ["var/lib/dpkg/status = x", "var/lib/dpkg/info/libc6.list = x", "var/lib/dpkg/status -> /tmp/x"] {
        let lying = laid_out(&[package("lying", "", &[lie])]);
        assert!(
            matches!(&lying, Err(DebInputError::Conflict { other, .. }) if other == "dpkg's database"),
            "{lying:?}"
        );
    }
    // dpkg itself brings the folders.
    laid_out(&[package("dpkg", "", &["var/lib/dpkg/", "var/lib/dpkg/info/"])]).unwrap();
    let strange = package("strange", "", &["bin -> opt/bin"]);
    assert!(matches!(laid_out(&[strange]), Err(DebInputError::Conflict { .. })));
}

#[test]
fn links_left_of_a_move_to_usr_are_no_second_entry() {
    for leftover in ["usr/bin/which -> ../../bin/which", "usr/bin/which -> /bin/which"] {
        let package = package("debianutils", "", &["bin/which = program", leftover]);
        assert_eq!(beside_merged(&[package]), ["usr/bin/which 7"], "{leftover}");
    }
}

#[test]
fn names_of_one_file_stay_one_wherever_they_go() {
    // Below `usr` the names sort in another order than in the package.
    let one = package("one", "", &["bin/z = same", "sbin/a == bin/z", "usr/a == bin/z"]);
    assert_eq!(beside_merged(&[one]), ["usr/a 4", "usr/bin/z == usr/a", "usr/sbin/a == usr/a"]);
}

#[test]
fn folders_of_one_package_may_be_links_of_another() {
    let doc = package("doc", "", &["usr/share/doc/a -> b", "usr/share/doc/b/", "usr/share/doc/b/x = 1"]);
    let other = package("other", "", &["usr/share/doc/a/", "usr/share/doc/a/y = 22"]);
    for packages in [[doc.clone(), other.clone()], [other, doc]] {
        assert_eq!(
            beside_merged(&packages),
            ["usr/share/doc/a -> b", "usr/share/doc/b/", "usr/share/doc/b/x 1", "usr/share/doc/b/y 2"]
        );
    }
}

#[test]
fn what_two_packages_have_differently_is_an_error_unless_one_replaces_the_other() {
    let old = package("old", "", &["usr/bin/x = 1"]);
    let same = package("same", "", &["bin/x = 1"]);
    assert_eq!(beside_merged(&[old.clone(), same]), ["usr/bin/x 1"]);
    let other = package("other", "", &["bin/x = 22"]);
    assert_eq!(
        laid_out(&[old.clone(), other]).unwrap_err().to_string(),
        "`usr/bin/x` is in `old` and, different, in `other`, and neither says that it replaces the other"
    );
    let new = package("new", "Replaces: old (<< 2)\n", &["usr/bin/x = 22"]);
    for packages in [[old.clone(), new.clone()], [new, old.clone()]] {
        assert_eq!(beside_merged(&packages), ["usr/bin/x 2"]);
    }
    for fields in ["Replaces: old (<< 1)\n", "Replaces: older\n"] {
        let new = package("new", fields, &["usr/bin/x = 22"]);
        assert!(matches!(laid_out(&[new, old.clone()]), Err(DebInputError::Conflict { .. })), "{fields}");
    }
    let twice = package("twice", "Replaces: twice\n", &["bin/x = 1", "usr/bin/x = 22"]);
    assert!(matches!(laid_out(&[twice]), Err(DebInputError::Conflict { .. })));
    let folder = package("folder", "", &["usr/bin/x/"]);
    assert!(matches!(laid_out(&[old, folder]), Err(DebInputError::Conflict { .. })));
}

#[test]
fn the_name_that_is_replaced_takes_its_second_names_along() {
    let old = package("old", "", &["usr/a = old", "usr/b == usr/a", "usr/c == usr/a"]);
    let new = package("new", "Replaces: old\n", &["usr/a = newer"]);
    assert_eq!(beside_merged(&[new, old]), ["usr/a 5", "usr/b 3", "usr/c == usr/b"]);
}

#[test]
fn links_that_never_end_are_named() {
    let one = package("one", "", &["usr/x -> y", "usr/y -> x"]);
    let two = package("two", "", &["usr/x/", "usr/x/z = 1"]);
    assert!(matches!(laid_out(&[one, two]), Err(DebInputError::Links { .. })));
}

#[test]
fn links_stay_below_the_root() {
    let one = package("one", "", &["usr/x -> ../../../../etc"]);
    let two = package("two", "", &["usr/x/", "usr/x/passwd = root"]);
    assert_eq!(beside_merged(&[one, two]), ["etc/", "etc/passwd 4", "usr/x -> ../../../../etc"]);
}

#[test]
fn base_files_says_what_folders_are_for_everybody() {
    let mut base = package("base-files", "", &["tmp/"]);
    let entries = base.data.iter().map(|(path, entry)| (path.clone(), Entry { mode: 0o1777, ..entry.clone() }));
    base.data = Tree::from_entries(entries.collect::<Vec<_>>()).unwrap();
    let other = package("a-first", "", &["tmp/"]);
    let root = Root::of(&[other, base]).unwrap();
    assert_eq!(root.entries["tmp"].mode, 0o1777);
}

#[test]
fn what_scripts_would_have_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let put = |text: &str, executable| {
        Entry::file(store.put_bytes(text.as_bytes(), executable).unwrap(), text.len() as u64, executable)
    };
    let mut gcc = package("gcc", "Multi-Arch: same\n", &["usr/bin/gcc = x", "usr/share/man/gcc.1 = y"]);
    let script = "update-alternatives --install /usr/bin/cc cc /usr/bin/gcc 20 \\\n --slave /usr/share/man/cc.1 cc.1 \
        /usr/share/man/gcc.1 --slave /usr/share/man/x.1 x.1 /usr/share/man/gone.1\n\
        update-alternatives --install /usr/bin/c++ c++ /usr/bin/g++ 20\n";
    gcc.info.insert("postinst".to_owned(), put(script, true));
    let mut tcc = package("tcc", "", &["usr/bin/tcc = x"]);
    let script = "update-alternatives --install /usr/bin/cc cc /usr/bin/tcc 10\n";
    tcc.info.insert("postinst".to_owned(), put(script, true));
    let certificates = "usr/share/ca-certificates/mozilla";
    let mut ca = package("ca-certificates", "", &[]);
    let certificate = |name: &str, text| (RelPath::new(format!("{certificates}/{name}")).unwrap(), put(text, false));
    ca.data = Tree::from_entries([certificate("b.crt", "B\n"), certificate("a.crt", "A"), certificate("c.txt", "C")])
        .unwrap();
    let base = package("base-passwd", "", &["usr/share/base-passwd/passwd.master = root:x"]);
    let packages = [base, ca, gcc, tcc];
    let mut root = Root::of(&packages).unwrap();
    normalise(&mut root, &packages, &store).unwrap();
    let tree = Tree::from_entries(root.entries).unwrap();
    let lines: Vec<String> = short(&tree)
        .into_iter()
        .filter(|line| !line.starts_with("usr/share/") || line.contains("->"))
        .filter(|line| !MERGED.contains(&line.as_str()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    etc/alternatives/cc -> /usr/bin/gcc
    etc/alternatives/cc.1 -> /usr/share/man/gcc.1
    etc/passwd 6
    etc/ssl/certs/ca-certificates.crt 4
    usr/bin/
    usr/bin/cc -> /etc/alternatives/cc
    usr/bin/gcc 1
    usr/bin/tcc 1
    usr/lib/
    usr/sbin/
    usr/share/man/cc.1 -> /etc/alternatives/cc.1
    var/lib/dpkg/available 0
    var/lib/dpkg/info/base-passwd.list 40
    var/lib/dpkg/info/ca-certificates.list 126
    var/lib/dpkg/info/format 2
    var/lib/dpkg/info/gcc:amd64.list 37
    var/lib/dpkg/info/gcc:amd64.postinst 234
    var/lib/dpkg/info/tcc.list 16
    var/lib/dpkg/info/tcc.postinst 61
    var/lib/dpkg/status 337
    ");
    let read = |path: &str| String::from_utf8(store.read_blob(&tree.content(path).unwrap().0, 9999).unwrap()).unwrap();
    assert_eq!(read("etc/ssl/certs/ca-certificates.crt"), "A\nB\n");
    assert!(read("var/lib/dpkg/status").contains("Package: gcc\nStatus: install ok unpacked\nVersion: 1.0\n"));
    assert_eq!(read("var/lib/dpkg/info/gcc:amd64.list"), "/.\n/usr/bin/gcc\n/usr/share/man/gcc.1\n");
}

/// An entry of a package at a path out of few, so that packages meet.
fn any_entry() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("bin"), Just("lib"), Just("usr"), Just("a"), Just("b")];
    let path = proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let target = prop_oneof![Just("/"), Just("../"), Just("../../"), Just("")];
    (path.clone(), 0..3, path, target).prop_map(|(at, kind, target, lead)| match kind {
        0 => format!("{at} = {}", at.len() % 2),
        1 => format!("{at} -> {lead}{target}"),
        _ => format!("{at}/"),
    })
}

fn any_package(name: &'static str, fields: &'static str) -> impl Strategy<Value = Unpacked> {
    // Not every set of entries is a tree, and so not every one could have come out of a package.
    proptest::collection::vec(any_entry(), 0..6).prop_filter_map("entries that make a tree", move |entries| {
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        try_package(name, fields, &entries)
    })
}

proptest! {
    /// Whatever packages hold, what they make is a tree or an error, and the order in which they come decides nothing.
    #[test]
    fn any_packages_make_one_root_or_none(
        one in any_package("one", ""),
        two in any_package("two", "Replaces: one\n"),
        three in any_package("three", ""),
    ) {
        let root = |packages: &[Unpacked]| {
            let root = Root::of(packages).map_err(|error| error.to_string())?;
            Tree::from_entries(root.entries).map_err(|error| error.to_string())
        };
        let forwards = root(&[one.clone(), two.clone(), three.clone()]);
        let backwards = root(&[three, two, one]);
        prop_assert_eq!(forwards.is_ok(), backwards.is_ok(), "{:?} and {:?}", &forwards, &backwards);
        if let (Ok(forwards), Ok(backwards)) = (forwards, backwards) {
            prop_assert_eq!(forwards, backwards);
        }
    }
}

/// What a configuration begins with: packages as dpkg leaves them unpacked, and the order in which they are configured.
#[test]
fn a_root_to_be_configured_is_as_dpkg_unpacks() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let put = |text: &str| Entry::file(store.put_bytes(text.as_bytes(), false).unwrap(), text.len() as u64, false);
    let shell = package("dash", "Essential: yes\nPre-Depends: libc6\n", &["bin/sh = sh"]);
    let rm = package("coreutils", "Essential: yes\n", &["bin/rm = rm"]);
    let passwd = package("base-passwd", "Essential: yes\n", &["usr/share/base-passwd/passwd.master = root"]);
    let mut libc = package("libc6", "Multi-Arch: same\nDepends: libgcc-s1\n", &["etc/ld.conf = x", "lib/libc = y"]);
    libc.info.insert("conffiles".to_owned(), put("/etc/ld.conf\n/etc/absent\nremove-on-upgrade /etc/old\n"));
    let gcc = package("libgcc-s1", "", &["lib/libgcc = z"]);
    let mut dpkg = package("dpkg", "Essential: yes\n", &["usr/bin/dpkg = dpkg", "var/lib/dpkg/"]);
    dpkg.info
        .insert("triggers".to_owned(), put("interest-noawait /usr/share/x\ninterest ldconfig # why\nactivate y\n"));
    let late = package("adduser", "Depends: base-passwd\n", &["usr/sbin/adduser = a"]);
    let packages = [late, passwd, rm, shell, dpkg, libc, gcc];
    let root = Root::of(&packages).unwrap();
    let tree = to_be_configured(root, &packages, &store).unwrap();
    let text = |path: &str| {
        let (digest, _) = tree.content(path).unwrap_or_else(|| panic!("{path} in {tree}"));
        String::from_utf8(store.read_blob(&digest, 1 << 20).unwrap()).unwrap()
    };
    // The essential ones and what they need, the makers of users before them; each name is dpkg's.
    insta::assert_snapshot!(text("var/lib/selfsame/first"), @r"
    base-passwd base-passwd amd64
    coreutils coreutils amd64
    dash dash amd64
    dpkg dpkg amd64
    libc6:amd64 libc6 amd64
    libgcc-s1 libgcc-s1 amd64
    ");
    assert_eq!(text("var/lib/selfsame/rest"), "adduser adduser amd64\n");
    assert_eq!(text("var/lib/dpkg/triggers/File"), "/usr/share/x dpkg/noawait\n");
    assert_eq!(text("var/lib/dpkg/triggers/ldconfig"), "dpkg\n");
    let status = text("var/lib/dpkg/status");
    assert!(status.contains("Status: install ok unpacked\n"));
    assert_eq!(status.matches("Conffiles:\n /etc/ld.conf newconffile\n\n").count(), 1, "{status}");
    // Dpkg puts it in place, and what scripts make is not made in their place.
    assert!(tree.entry("etc/ld.conf").is_none() && tree.entry("etc/ld.conf.dpkg-new").is_some());
    assert!(text("var/lib/dpkg/info/libc6:amd64.list").contains("/etc/ld.conf\n"));
    assert!(tree.entry("etc/passwd").is_none() && tree.entry("var/lib/dpkg/available").is_none());
}

#[test]
fn scripts_need_a_shell_and_dpkg() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let alone = [package("busybox", "", &["usr/bin/busybox = x"])];
    let error = to_be_configured(Root::of(&alone).unwrap(), &alone, &store).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "maintainer scripts need `/usr/bin/dpkg`, which none of the packages has");
}
