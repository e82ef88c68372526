//! What maintainer scripts would have made, as far as it follows from the packages alone. docs/inputs/deb.md lists it.
//!
//! Nothing is run: scripts are read as text, for the one kind of line that says what it does.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::RelPath;
use selfsame_deb::{Alternative, alternatives};
use selfsame_store::{Store, StoreError};
use selfsame_tree::{Entry, Kind};

use super::root::Root;
use super::unpack::Unpacked;

pub(super) const SCRIPT_BYTES: u64 = 16 << 20;
const TEXT_BYTES: u64 = 4 << 20;

/// All of it, in this order.
pub(super) fn normalise(root: &mut Root, packages: &[Unpacked], store: &Store) -> Result<(), StoreError> {
    users(root);
    certificates(root, store)?;
    offer_alternatives(root, packages, store)?;
    database(root, packages, &|_| Vec::new(), store)
}

/// `/etc/passwd` and `/etc/group` of a root with base-passwd: its masters, as its script copies them.
fn users(root: &mut Root) {
    for (master, copy) in
        [("usr/share/base-passwd/passwd.master", "etc/passwd"), ("usr/share/base-passwd/group.master", "etc/group")]
    {
        if let Some((digest, size)) = root.content(&path(master)) {
            root.add(&path(copy), Entry::file(digest, size, false));
        }
    }
}

/// The bundle of a root with ca-certificates: all of its certificates in the order of their names, as its script writes
/// it where nobody chose among them.
fn certificates(root: &mut Root, store: &Store) -> Result<(), StoreError> {
    let folder = path("usr/share/ca-certificates");
    let mut bundle = Vec::new();
    for path in root.entries.range(folder.clone()..).map(|(path, _)| path) {
        if path.below(&folder).is_none() {
            break;
        }
        if path.file_name().ends_with(".crt")
            && let Some((digest, _)) = root.content(path)
        {
            bundle.extend(store.read_blob(&digest, TEXT_BYTES)?);
            if !bundle.ends_with(b"\n") {
                bundle.push(b'\n');
            }
        }
    }
    if !bundle.is_empty() {
        let digest = store.put_bytes(&bundle, false)?;
        root.add(&path("etc/ssl/certs/ca-certificates.crt"), Entry::file(digest, bundle.len() as u64, false));
    }
    Ok(())
}

/// Links to the best of the alternatives that scripts install with literal words: `/usr/bin/cc` for one.
fn offer_alternatives(root: &mut Root, packages: &[Unpacked], store: &Store) -> Result<(), StoreError> {
    let mut best: BTreeMap<String, Alternative> = BTreeMap::new();
    for package in packages {
        let Some(Entry { kind: Kind::File { digest, .. }, .. }) = package.info.get("postinst") else { continue };
        let script = store.read_blob(digest, SCRIPT_BYTES)?;
        for alternative in alternatives(&String::from_utf8_lossy(&script)) {
            let is_there = parsed(&alternative.path).is_some_and(|path| root.find(&path).is_some());
            let better = best.get(&alternative.name).is_none_or(|known| known.priority < alternative.priority);
            if is_there && better {
                best.insert(alternative.name.clone(), alternative);
            }
        }
    }
    for Alternative { link, name, path, slaves, .. } in best.into_values() {
        let all = std::iter::once((link, name, path)).chain(slaves);
        for (link, name, path) in all {
            let (Some(link), Some(target), Some(chosen)) =
                (parsed(&link), parsed(&path), parsed(&format!("etc/alternatives/{name}")))
            else {
                continue;
            };
            // A root without manual pages has no links to them.
            if root.find(&target).is_none() || root.find(&link).is_some() {
                continue;
            }
            if root.add(&chosen, Entry::symlink(format!("/{target}"))) {
                root.add(&link, Entry::symlink(format!("/{chosen}")));
            }
        }
    }
    Ok(())
}

/// What dpkg knows: the packages, unpacked and not configured, with their control files, the paths of their files, and the
/// configuration files that it is still to put in place.
pub(super) fn database(
    root: &mut Root,
    packages: &[Unpacked],
    new_files: &dyn Fn(usize) -> Vec<String>,
    store: &Store,
) -> Result<(), StoreError> {
    let mut status = String::new();
    let mut files: BTreeMap<String, Entry> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        let Unpacked { control, info, data } = package;
        let mut fields = control.stanza.fields();
        if let Some((name, value)) = fields.next() {
            status += &selfsame_deb::Stanza::new(vec![
                (name.to_owned(), value.to_owned()),
                ("Status".to_owned(), "install ok unpacked".to_owned()),
            ])
            .to_string();
        }
        let rest = fields.filter(|(name, _)| !name.eq_ignore_ascii_case("Status"));
        status += &selfsame_deb::Stanza::new(rest.map(|(a, b)| (a.to_owned(), b.to_owned())).collect()).to_string();
        let new_files = new_files(at);
        if !new_files.is_empty() {
            status += "Conffiles:\n";
            status.extend(new_files.iter().map(|path| format!(" {path} newconffile\n")));
        }
        status.push('\n');
        let prefix = name_for_dpkg(package);
        let mut list = String::from("/.\n");
        let mut paths: BTreeSet<&RelPath> = data.iter().map(|(path, _)| path).collect();
        paths.remove(&RelPath::root());
        for path in paths {
            list += &format!("/{path}\n");
        }
        let digest = store.put_bytes(list.as_bytes(), false)?;
        files.insert(format!("info/{prefix}.list"), Entry::file(digest, list.len() as u64, false));
        for (name, entry) in info {
            files.insert(format!("info/{prefix}.{name}"), entry.clone());
        }
    }
    for (name, text) in [("status", status.as_str()), ("available", ""), ("info/format", "1\n")] {
        let digest = store.put_bytes(text.as_bytes(), false)?;
        files.insert(name.to_owned(), Entry::file(digest, text.len() as u64, false));
    }
    for (name, entry) in files {
        if let Some(path) = parsed(&format!("var/lib/dpkg/{name}")) {
            root.add(&path, entry);
        }
    }
    Ok(())
}

/// As dpkg names a package: one that may be there for several architectures says which one it is of.
pub(super) fn name_for_dpkg(package: &Unpacked) -> String {
    let control = &package.control;
    match control.multi_arch_same {
        true => format!("{}:{}", control.package, control.architecture),
        false => control.package.clone(),
    }
}

fn parsed(text: &str) -> Option<RelPath> {
    RelPath::new(text).ok()
}

fn path(text: &'static str) -> RelPath {
    RelPath::new(text).expect("a literal path")
}
