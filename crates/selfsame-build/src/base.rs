//! An image's base, and how the definition's files stand on it.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_core::{Digest, RelPath};
use selfsame_oci::{ImageConfig, Lookup, apply_tree};
use selfsame_tree::{Entry, Kind, Tree};

use crate::error::BuildError;
use crate::record::Layer;

/// What an image stands on. All its blobs and files are in the store.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// The definition's name for it.
    pub name: String,
    /// The image that it is; nothing for a root file system that was never one, which becomes one layer.
    pub image: Option<KeptImage>,
    /// All its files, flattened.
    pub tree: Tree,
    /// What its package databases say is installed.
    pub packages: Vec<InputPackage>,
}

/// An image whose layers are kept byte for byte.
#[derive(Clone, Debug)]
pub struct KeptImage {
    /// Of its manifest.
    pub manifest: Digest,
    /// How the definition calls it, where that is the reference of a registry.
    pub reference: Option<String>,
    /// What it runs.
    pub config: ImageConfig,
    /// Lowest first, as our manifest names them (see [`selfsame_oci::kept_layer`]).
    pub layers: Vec<Layer>,
    /// Where each of its files lies.
    pub files: BTreeMap<RelPath, LayerFile>,
}

/// Where a file of a base lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerFile {
    /// Which of the layers, from 0.
    pub layer: usize,
    /// Its modification time there, in seconds since 1970.
    pub modified: i64,
}

/// A package of an input: one that a base's database lists, or one of the files of which others consist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPackage {
    /// `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm`.
    pub purl: String,
    /// `libc6`.
    pub name: String,
    /// `2.36-9`.
    pub version: String,
    /// As the package declares it, where that can be read.
    pub license: Option<String>,
    /// Who distributes it.
    pub supplier: Option<String>,
    /// The paths of its files in the input's tree, where the package or its database lists them.
    pub files: BTreeSet<RelPath>,
    /// The purls of what it cannot work without, where that is installed too.
    pub depends_on: BTreeSet<String>,
}

/// Files that stand on a base.
#[derive(Debug)]
pub(crate) struct Stacked {
    /// What the layer above the base holds: what the base lacks or has differently.
    pub(crate) layer: Tree,
    /// The base with the layer on it.
    pub(crate) whole: Tree,
    /// Where each of the files was taken from, by its place in the image.
    pub(crate) origins: BTreeMap<RelPath, String>,
}

/// Puts files, each with its origin, on a base.
///
/// A folder of a path that is a symbolic link in the base is followed, as a process of the image would: on a system
/// whose `/bin` is `usr/bin`, `/bin/hello` is `/usr/bin/hello`, and the link stays. A file replaces a file or link; a
/// file over a folder, or a folder over a file, is an error. The base's folders keep their modes and owners.
pub(crate) fn stack(
    base: &BaseImage,
    files: &BTreeMap<RelPath, Entry>,
    from: &BTreeMap<RelPath, String>,
) -> Result<Stacked, BuildError> {
    let below = Lookup::new(&base.tree);
    let origin = |path: &RelPath| from.get(path).cloned().unwrap_or_else(|| "image".to_owned());
    let conflict = |path: &RelPath, there| BuildError::BaseConflict {
        path: path.clone(),
        from: origin(path),
        base: base.name.clone(),
        there,
    };
    let mut places: BTreeMap<&RelPath, RelPath> = BTreeMap::new();
    let (mut taken, mut origins) = (BTreeSet::new(), BTreeMap::new());
    for (path, entry) in files {
        let is_folder = entry.kind == Kind::Directory;
        let place = below.place(path, is_folder).map_err(|obstacle| conflict(path, obstacle.name()))?;
        match (below.kind(&place), is_folder) {
            (Some(Kind::Directory), false) => return Err(conflict(path, "a folder")),
            (Some(Kind::Directory) | None, true) | (_, false) => {}
            (Some(_), true) => return Err(conflict(path, "a file")),
        }
        if !is_folder {
            if !taken.insert(place.clone()) {
                return Err(BuildError::ImageConflict { path: place, from: origin(path) });
            }
            origins.insert(place.clone(), origin(path));
        }
        places.insert(path, place);
    }
    let mut entries = BTreeMap::new();
    for (file, names) in names_of_files(files) {
        // Of the names of one file the first by its place has the content, as trees have it.
        let placed = |path: &RelPath| places.get(path).cloned().expect("every path has a place");
        let mut names: Vec<RelPath> = names.into_iter().map(placed).collect();
        names.sort();
        let first = names.remove(0);
        for name in names {
            entries.insert(name, Entry { kind: Kind::HardLink { target: first.clone() }, ..file.clone() });
        }
        entries.insert(first, file.clone());
    }
    for (path, entry) in files {
        let place = places.get(path).expect("every path has a place");
        match entry.kind {
            Kind::Directory if below.kind(place).is_none() => {
                _ = entries.entry(place.clone()).or_insert_with(|| entry.clone())
            }
            Kind::Symlink { .. } => _ = entries.insert(place.clone(), entry.clone()),
            Kind::Directory | Kind::File { .. } | Kind::HardLink { .. } => {}
        }
    }
    let linked: BTreeSet<RelPath> = entries
        .values()
        .filter_map(|entry| match &entry.kind {
            Kind::HardLink { target } => Some(target.clone()),
            _ => None,
        })
        .collect();
    entries.retain(|path, entry| linked.contains(path) || base.tree.entry(path.as_str()) != Some(entry));
    let parents: Vec<RelPath> = entries.keys().flat_map(ancestors).collect();
    for parent in parents {
        if below.kind(&parent).is_none() {
            entries.entry(parent).or_insert_with(Entry::directory);
        }
    }
    let layer = Tree::from_entries(entries).map_err(|fault| BuildError::ImageTree { fault })?;
    let whole = apply_tree(&base.tree, &layer).map_err(|fault| BuildError::ImageTree { fault })?;
    Ok(Stacked { layer, whole, origins })
}

/// Each file with all its names.
fn names_of_files(files: &BTreeMap<RelPath, Entry>) -> Vec<(&Entry, Vec<&RelPath>)> {
    let mut names: BTreeMap<&RelPath, (&Entry, Vec<&RelPath>)> = BTreeMap::new();
    for (path, entry) in files {
        match &entry.kind {
            Kind::File { .. } => _ = names.insert(path, (entry, vec![path])),
            // A link's target sorts before it, so it has been seen.
            Kind::HardLink { target } => {
                if let Some((_, others)) = names.get_mut(target) {
                    others.push(path);
                }
            }
            Kind::Directory | Kind::Symlink { .. } => {}
        }
    }
    names.into_values().collect()
}

/// The folders above a path, without the root.
fn ancestors(path: &RelPath) -> impl Iterator<Item = RelPath> + use<> {
    std::iter::successors(path.parent(), RelPath::parent).filter(|above| !above.is_root())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text).expect("a path")
    }

    fn file(text: &str) -> Entry {
        Entry::file(Digest::of(text.as_bytes()), text.len() as u64, false)
    }

    fn link(target: &str) -> Entry {
        Entry::new(Kind::HardLink { target: path(target) }, 0o644)
    }

    fn base() -> BaseImage {
        let entries = [
            ("bin", Entry::symlink("usr/bin")),
            ("etc/hosts", file("hosts")),
            ("etc/self", Entry::symlink("self")),
            ("etc/up", Entry::symlink("../../../usr")),
            ("tmp", Entry::new(Kind::Directory, 0o1777)),
            ("usr/bin/sh", file("shell")),
            ("usr/bin/z", link("usr/bin/sh")),
        ];
        let tree = Tree::from_entries(entries.map(|(at, entry)| (path(at), entry))).expect("a tree");
        BaseImage { name: "debian".to_owned(), image: None, tree, packages: Vec::new() }
    }

    /// `path=size`, `path/ mode`, `path>first`, `path~target` of the layer, or the error.
    fn layer(files: &[(&str, Entry)]) -> String {
        let files: BTreeMap<_, _> = files.iter().map(|(at, entry)| (path(at), entry.clone())).collect();
        let from = files.keys().map(|path| (path.clone(), format!("make:{path}"))).collect();
        match stack(&base(), &files, &from) {
            Ok(stacked) => picture(&stacked.layer),
            Err(error) => error.to_string(),
        }
    }

    fn picture(tree: &Tree) -> String {
        let line = |(path, entry): (&RelPath, &Entry)| match &entry.kind {
            Kind::Directory => format!("{path}/{:o}", entry.mode),
            Kind::File { size, .. } => format!("{path}={size}"),
            Kind::Symlink { target } => format!("{path}~{target}"),
            Kind::HardLink { target } => format!("{path}>{target}"),
        };
        tree.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_layer_holds_what_the_base_lacks() {
        assert_eq!(layer(&[("opt/tool/run", file("run"))]), "opt/755 opt/tool/755 opt/tool/run=3");
        assert_eq!(layer(&[("etc/hosts", file("hosts"))]), "", "the base has this very file");
        assert_eq!(layer(&[("etc/hosts", file("others"))]), "etc/hosts=6");
        assert_eq!(layer(&[("tmp", Entry::directory()), ("tmp/x", file("x"))]), "tmp/x=1", "the base's mode stays");
    }

    #[test]
    fn links_of_the_base_are_followed_and_stay() {
        assert_eq!(layer(&[("bin/hello", file("hello"))]), "usr/bin/hello=5");
        assert_eq!(layer(&[("bin", Entry::directory()), ("bin/sh", file("other"))]), "usr/bin/sh=5");
        assert_eq!(layer(&[("etc/up/x", file("x"))]), "usr/x=1", "links cannot leave the image");
        assert_eq!(layer(&[("etc/up", file("x"))]), "etc/up=1", "a file takes the place of a link");
        let both = layer(&[("bin/x", file("1")), ("usr/bin/x", file("2"))]);
        assert_eq!(both, "image file `make:usr/bin/x` puts something at `/usr/bin/x`, where something else is");
    }

    #[test]
    fn a_file_and_a_folder_do_not_replace_one_another() {
        let folder = layer(&[("tmp", file("x"))]);
        assert_eq!(folder, "image file `make:tmp` is to stand at `/tmp`, where base `debian` has a folder");
        assert_eq!(layer(&[("usr", file("x"))]), folder.replace("tmp", "usr"), "also where it is implied");
        let file_there = layer(&[("etc/hosts", Entry::directory())]);
        assert_eq!(file_there, folder.replace("tmp", "etc/hosts").replace("a folder", "a file"));
        assert!(layer(&[("etc/hosts/x", file("x"))]).ends_with("has a file above it"));
        assert!(layer(&[("etc/self/x", file("x"))]).ends_with("has links that lead in a circle"));
    }

    #[test]
    fn names_of_one_file_stay_together() {
        let linked = layer(&[("bin/a", file("one")), ("opt/b", link("bin/a"))]);
        assert_eq!(linked, "opt/755 opt/b=3 usr/bin/a>opt/b");
        let known = layer(&[("etc/hosts", file("hosts")), ("etc/names", link("etc/hosts"))]);
        assert_eq!(known, "etc/hosts=5 etc/names>etc/hosts");
    }

    #[test]
    fn the_whole_keeps_what_is_not_replaced() {
        let files = BTreeMap::from([(path("bin/sh"), file("new shell"))]);
        let whole = stack(&base(), &files, &BTreeMap::new()).expect("stacked").whole;
        assert_eq!(
            picture(&whole),
            "bin~usr/bin etc/hosts=5 etc/self~self etc/up~../../../usr tmp/1777 usr/bin/sh=9 usr/bin/z=5"
        );
    }
}
