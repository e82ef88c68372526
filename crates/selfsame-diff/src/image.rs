//! Two images, from the manifest down to the bytes of a file.

use std::collections::BTreeSet;
use std::io::{self, Read};

use selfsame_core::{Digest, RelPath};
use selfsame_tree::{Change, Entry, Kind, compare};

use crate::cause::{Guess, Known};
use crate::content::{ContentDifference, Finding, Pair, Place, difference, explain_content};
use crate::explanation::{EntryChange, Explanation, Extent, LayerChange, LayerId, Limits, What};
use crate::kinds::{self, nested, tarball};
use crate::view::{ImageView, LayerView};
use crate::{escape, explain_json};

/// The most fields of manifest and config that are listed.
const MOST_FIELDS: usize = 200;

/// Explains why two images differ. Fails only if the tar of a layer cannot be opened; a file that its holder cannot
/// give is listed as such.
pub fn explain(a: &dyn ImageView, b: &dyn ImageView, known: &Known, limits: &Limits) -> io::Result<Explanation> {
    let (digest_a, digest_b) = (a.manifest_digest(), b.manifest_digest());
    let manifest = match (a.manifest(), b.manifest()) {
        (Some(x), Some(y)) => explain_json(x, y, known, MOST_FIELDS).0,
        _ => Vec::new(),
    };
    let config = explain_json(a.config(), b.config(), known, MOST_FIELDS).0;
    let (layers_a, layers_b) = (a.layers(), b.layers());
    let mut layers = Vec::new();
    let mut extent = Extent::None;
    // Also where the same values are spelled in other bytes.
    let other_digest = digest_a.is_some() && digest_b.is_some() && digest_a != digest_b;
    if !manifest.is_empty() || other_digest {
        extent = Extent::Manifest;
    }
    let compressed =
        |layers: &[LayerView]| -> Vec<Option<Digest>> { layers.iter().map(|layer| layer.digest).collect() };
    let other_compression =
        compressed(layers_a).iter().zip(&compressed(layers_b)).any(|(x, y)| x.is_some() && y.is_some() && x != y);
    if other_compression {
        extent = Extent::Compressor;
    }
    if config.iter().any(|change| !change.pointer.starts_with("/rootfs/diff_ids")) {
        extent = Extent::Config;
    }
    for index in 0..layers_a.len().max(layers_b.len()) {
        let (x, y) = (layers_a.get(index), layers_b.get(index));
        if let (Some(x), Some(y)) = (x, y)
            && x.diff_id == y.diff_id
        {
            continue;
        }
        let change = layer(index, (a, x), (b, y), known, limits)?;
        extent = extent.max(if change.form.is_some() { Extent::LayerForm } else { Extent::LayerContent });
        layers.push(change);
    }
    Ok(Explanation {
        equal: extent == Extent::None,
        extent,
        a: digest_a,
        b: digest_b,
        manifest,
        config,
        layers_a: layers_a.len(),
        layers_b: layers_b.len(),
        layers,
    })
}

type Side<'a> = (&'a dyn ImageView, Option<&'a LayerView>);

fn layer(
    index: usize,
    (image_a, a): Side<'_>,
    (image_b, b): Side<'_>,
    known: &Known,
    limits: &Limits,
) -> io::Result<LayerChange> {
    let id = |layer: &LayerView| LayerId { digest: layer.digest, diff_id: layer.diff_id };
    let mut change = LayerChange {
        index,
        a: a.map(id),
        b: b.map(id),
        entries_a: a.map_or(0, |layer| layer.tree.len()),
        entries_b: b.map_or(0, |layer| layer.tree.len()),
        changes: Vec::new(),
        more: 0,
        form: None,
    };
    let (Some(a), Some(b)) = (a, b) else { return Ok(change) };
    let changes = compare(&a.tree, &b.tree);
    change.changes = marks(a, b);
    let marked = change.changes.len();
    change.changes.truncate(limits.entries);
    if changes.is_empty() && marked == 0 {
        let (tar_a, tar_b) = (image_a.tar(index)?, image_b.tar(index)?);
        change.form = Some(tarball::explain_form(tar_a, tar_b, known, limits));
        return Ok(change);
    }
    let room = limits.entries - change.changes.len();
    change.more = (marked + changes.len()).saturating_sub(limits.entries);
    let mut contents_left = limits.contents;
    for found in changes.into_iter().take(room) {
        let what = match &found {
            Change::Added(_, entry) => vec![What::Added { kind: entry.kind.name() }],
            Change::Removed(_, entry) => vec![What::Removed { kind: entry.kind.name() }],
            Change::Changed(path, x, y) => {
                let mut what = attributes(x, y);
                let content = (a.tree.content(path.as_str()), b.tree.content(path.as_str()));
                if let (Some((digest_a, size_a)), Some((digest_b, size_b))) = content
                    && digest_a != digest_b
                    && matches!((&x.kind, &y.kind), (Kind::File { .. }, Kind::File { .. }))
                {
                    what.push(match contents_left.checked_sub(1) {
                        None => What::ContentNotRead { a_size: size_a, b_size: size_b },
                        Some(left) => {
                            contents_left = left;
                            let files = Files { a: (image_a, digest_a, size_a), b: (image_b, digest_b, size_b) };
                            files.explain(index, path.as_str(), known, limits)
                        }
                    });
                }
                what
            }
        };
        change.changes.push(EntryChange { path: found.path().clone(), what });
    }
    change.changes.sort_by(|x, y| x.path.cmp(&y.path));
    Ok(change)
}

/// Whiteouts and special files that only one layer has, or that differ.
fn marks(a: &LayerView, b: &LayerView) -> Vec<EntryChange> {
    let paths: BTreeSet<&RelPath> = a.marks.keys().chain(b.marks.keys()).collect();
    let differing = paths.into_iter().filter(|path| a.marks.get(*path) != b.marks.get(*path));
    let change = |path: &RelPath| {
        let side = |layer: &LayerView| layer.marks.get(path).map(|mark| escape::clip(mark.as_bytes()));
        EntryChange { path: path.clone(), what: vec![What::Mark { a: side(a), b: side(b) }] }
    };
    differing.map(change).collect()
}

fn attributes(x: &Entry, y: &Entry) -> Vec<What> {
    let mut what = Vec::new();
    match (&x.kind, &y.kind) {
        (Kind::File { .. }, Kind::File { .. }) | (Kind::Directory, Kind::Directory) => {}
        (Kind::Symlink { target: a }, Kind::Symlink { target: b }) => {
            if a != b {
                what.push(What::LinkTarget { a: escape::clip(a.as_bytes()), b: escape::clip(b.as_bytes()) });
            }
        }
        (Kind::HardLink { target: a }, Kind::HardLink { target: b }) => {
            if a != b {
                what.push(What::LinkTarget {
                    a: escape::clip(a.as_str().as_bytes()),
                    b: escape::clip(b.as_str().as_bytes()),
                });
            }
        }
        (a, b) => what.push(What::Kind { a: a.name(), b: b.name() }),
    }
    if x.mode != y.mode {
        what.push(What::Mode { a: x.mode, b: y.mode, guess: Guess::mode(x.mode, y.mode) });
    }
    if (x.uid, x.gid) != (y.uid, y.gid) {
        let wide = |entry: &Entry| (u64::from(entry.uid), u64::from(entry.gid));
        what.push(What::Owner { a: (x.uid, x.gid), b: (y.uid, y.gid), guess: Guess::owner(wide(x), wide(y)) });
    }
    let names: BTreeSet<&String> = x.xattrs.keys().chain(y.xattrs.keys()).collect();
    for name in names {
        let (a, b) = (x.xattrs.get(name), y.xattrs.get(name));
        if a != b {
            let hex = |value: Option<&Vec<u8>>| value.map(|value| escape::hex(value, 32));
            what.push(What::Xattr { name: escape::clip(name.as_bytes()), a: hex(a), b: hex(b) });
        }
    }
    what
}

/// Two files whose digests differ.
struct Files<'a> {
    a: (&'a dyn ImageView, Digest, u64),
    b: (&'a dyn ImageView, Digest, u64),
}

impl Files<'_> {
    fn explain(&self, layer: usize, path: &str, known: &Known, limits: &Limits) -> What {
        let open = |(image, digest, _): &(&dyn ImageView, Digest, u64)| image.content(layer, digest).map(drop);
        let unreadable =
            |fault: io::Error| What::ContentUnreadable { fault: escape::clip(fault.to_string().as_bytes()) };
        if let Err(fault) = open(&self.a).and_then(|()| open(&self.b)) {
            return unreadable(fault);
        }
        let explained = if self.a.2.max(self.b.2) <= limits.file_bytes {
            self.held(layer, path, known, limits)
        } else {
            self.streamed(layer, known, limits)
        };
        explained.map_or_else(unreadable, What::Content)
    }

    fn held(&self, layer: usize, path: &str, known: &Known, limits: &Limits) -> io::Result<ContentDifference> {
        let read = |(image, digest, size): &(&dyn ImageView, Digest, u64)| {
            nested::read_bounded(image.content(layer, digest)?, *size)
                .filter(|bytes| bytes.len() as u64 == *size)
                .ok_or_else(|| io::Error::other("the content is not as long as its layer says"))
        };
        let (a, b) = (read(&self.a)?, read(&self.b)?);
        Ok(explain_content(path, &a, &b, known, limits))
    }

    /// The first difference of two files that are too long to hold, and how many bytes differ.
    fn streamed(&self, layer: usize, known: &Known, limits: &Limits) -> io::Result<ContentDifference> {
        const BLOCK: usize = 1 << 20;
        let mut left = self.a.0.content(layer, &self.a.1)?;
        let mut right = self.b.0.content(layer, &self.b.1)?;
        let (mut offset, mut differing, mut place) = (0u64, 0u64, None);
        let pair = Pair { path: "", a: b"", b: b"", known, limits, depth: 0 };
        loop {
            let (x, y) = (block(&mut left, BLOCK)?, block(&mut right, BLOCK)?);
            if x.is_empty() || y.is_empty() {
                break;
            }
            let at = kinds::bytes::first_difference(&x, &y);
            if at < x.len().min(y.len()) {
                differing += x.iter().zip(&y).filter(|(p, q)| p != q).count() as u64;
                place.get_or_insert_with(|| {
                    let found = kinds::bytes::place(&Pair { a: &x, b: &y, ..pair }, String::new(), at);
                    Place { at: format!("offset {}", offset + at as u64), ..found }
                });
            }
            offset += x.len() as u64;
        }
        let place = place.unwrap_or_else(|| {
            pair.place(
                format!("offset {}", self.a.2.min(self.b.2)),
                b"",
                b"",
                Guess::unknown("one is the beginning of the other"),
            )
        });
        let summary = format!("{differing} bytes differ; too long to be taken apart");
        Ok(difference(kinds::bytes::KIND, (self.a.2, self.b.2), Finding::one(summary, place), limits))
    }
}

/// The next `size` bytes, fewer only at the end.
fn block(reader: &mut dyn Read, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    reader.take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
