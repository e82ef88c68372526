//! An image's layers on top of one another: the tree that a container would see.

use std::collections::BTreeMap;

use selfsame_core::RelPath;
use selfsame_tree::{Entry, Kind, Tree, TreeError};

use crate::read::{ReadLayer, Whiteout};

/// Why layers do not go on top of one another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {number} of {layers} does not fit on those below it")]
pub struct ApplyError {
    /// Which, from 1.
    pub number: usize,
    /// Of how many.
    pub layers: usize,
    /// Why.
    pub source: TreeError,
}

/// The layers applied in order, lowest first (image-spec, layer.md, "Applying Changesets").
///
/// A whiteout takes away what the layers below have, never what its own layer adds. What is not a folder replaces
/// whatever is at its path, with all below it; a folder on a folder changes only its mode, owner and attributes.
/// Devices and FIFOs replace what is at their path and are not in the tree.
pub fn apply(layers: &[ReadLayer]) -> Result<Tree, ApplyError> {
    let mut tree = Tree::new();
    for (index, layer) in layers.iter().enumerate() {
        let placed = apply_one(&tree, layer);
        tree = placed.map_err(|source| ApplyError { number: index + 1, layers: layers.len(), source })?;
    }
    Ok(tree)
}

/// One more layer that only adds and replaces, as [`apply`] would.
pub fn apply_tree(below: &Tree, added: &Tree) -> Result<Tree, TreeError> {
    let mut entries = entries_of(below);
    let mut removed = BTreeMap::new();
    add(&mut entries, added, &mut removed);
    adopt(&mut entries, &removed);
    entries.extend(added.iter().map(|(path, entry)| (path.clone(), entry.clone())));
    Tree::from_entries(entries)
}

fn entries_of(tree: &Tree) -> BTreeMap<RelPath, Entry> {
    tree.iter().map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

fn apply_one(below: &Tree, layer: &ReadLayer) -> Result<Tree, TreeError> {
    let mut entries = entries_of(below);
    let mut removed = BTreeMap::new();
    for whiteout in &layer.whiteouts {
        match whiteout {
            Whiteout::Path(path) => {
                remove_below(&mut entries, path, &mut removed);
                remove(&mut entries, path, &mut removed);
            }
            Whiteout::Opaque(folder) => remove_below(&mut entries, folder, &mut removed),
        }
    }
    add(&mut entries, &layer.tree, &mut removed);
    for path in layer.specials.keys() {
        remove_below(&mut entries, path, &mut removed);
        remove(&mut entries, path, &mut removed);
    }
    adopt(&mut entries, &removed);
    entries.extend(layer.tree.iter().map(|(path, entry)| (path.clone(), entry.clone())));
    Tree::from_entries(entries)
}

/// Takes away what the entries of a layer replace.
fn add(entries: &mut BTreeMap<RelPath, Entry>, added: &Tree, removed: &mut BTreeMap<RelPath, Kind>) {
    for (path, entry) in added.iter() {
        if entry.kind != Kind::Directory {
            remove_below(entries, path, removed);
        }
        remove(entries, path, removed);
    }
}

/// Where a file lost its first name, the next of its names becomes the first.
fn adopt(entries: &mut BTreeMap<RelPath, Entry>, removed: &BTreeMap<RelPath, Kind>) {
    let mut heirs: BTreeMap<RelPath, RelPath> = BTreeMap::new();
    for (path, entry) in entries.iter_mut() {
        let Kind::HardLink { target } = &entry.kind else { continue };
        let Some(content) = removed.get(target) else { continue };
        entry.kind = match heirs.get(target) {
            Some(heir) => Kind::HardLink { target: heir.clone() },
            None => {
                heirs.insert(target.clone(), path.clone());
                content.clone()
            }
        };
    }
}

fn remove(entries: &mut BTreeMap<RelPath, Entry>, path: &RelPath, removed: &mut BTreeMap<RelPath, Kind>) {
    if let Some(Entry { kind: kind @ Kind::File { .. }, .. }) = entries.remove(path) {
        removed.insert(path.clone(), kind);
    }
}

fn remove_below(entries: &mut BTreeMap<RelPath, Entry>, folder: &RelPath, removed: &mut BTreeMap<RelPath, Kind>) {
    let below: Vec<_> = entries
        .range(folder.clone()..)
        .take_while(|(path, _)| path.as_str().starts_with(folder.as_str()))
        .filter(|(path, _)| *path != folder && path.below(folder).is_some())
        .map(|(path, _)| path.clone())
        .collect();
    for path in below {
        remove(entries, &path, removed);
    }
}
