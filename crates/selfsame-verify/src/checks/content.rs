//! What is in the layers: safe, as the config says, and as the SBOM says.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use selfsame_attest::text::quote;
use selfsame_core::Digest;
use selfsame_oci::{Descriptor, Limits, ReadError, ReadLayer, apply, layout, read_layer};
use selfsame_tree::Tree;

use super::capsule::{Pack, Packs};
use super::claims::{self, Claimed};
use super::image::Image;
use super::privileges;
use super::sbom::{is_input, sha256_of, text};
use crate::at_once;
use crate::files::ReleaseFiles;
use crate::options::{Depth, Options};
use crate::rows::{Rows, told};
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// The rows `layers`, `files` and `claims`, and what is left of `capsule`.
///
/// Layers are opened only when a trusted key has signed their digests and they have them: what a stranger sent is
/// hashed, not decompressed.
pub(super) fn check(
    release: &dyn ReleaseFiles,
    image: &Image,
    evidence: Option<&Evidence>,
    packs: Option<Packs<'_>>,
    options: &Options,
    rows: &mut Rows,
) -> Option<Claimed> {
    let wanted = options.depth >= Depth::Content && rows.passed(CheckId::Subjects) && rows.passed(CheckId::Blobs);
    let evidence = evidence.filter(|_| wanted);
    let layers = evidence.map(|_| &image.manifest.layers[..]).unwrap_or_default();
    let unpacked = read_all(release, layers, packs.as_ref(), options);
    if let Some(packs) = packs {
        packs.report(unpacked.packs, rows);
    }
    let evidence = evidence?;
    let layers = self::layers(image, unpacked.layers, options, rows)?;
    let tree = files(&layers, evidence, rows)?;
    claims::check(&tree, evidence, rows)
}

fn layers(
    image: &Image,
    read: Vec<Result<ReadLayer, LayerFault>>,
    options: &Options,
    rows: &mut Rows,
) -> Option<Vec<ReadLayer>> {
    const ID: CheckId = CheckId::Layers;
    // First and alone, for which of several faults is met first is up to the threads.
    let sizes = read.iter().filter_map(|read| Some(read.as_ref().ok()?.diff_size));
    let too_large = read.iter().any(|read| matches!(read, Err(LayerFault::TooLarge)));
    if too_large || sizes.fold(0, u64::saturating_add) > options.content_bytes {
        let limit = options.content_bytes;
        rows.fail(ID, format!("the layers unpack to more than {limit} bytes; no more are read"), Vec::new());
        return None;
    }
    let mut layers = Vec::new();
    for (number, (read, diff_id)) in read.into_iter().zip(&image.config.diff_ids).enumerate() {
        let number = number + 1;
        match read {
            Ok(layer) if layer.diff_id == *diff_id => layers.push(layer),
            Ok(layer) => {
                let facts =
                    vec![Fact::new("expected", diff_id.to_string()), Fact::new("found", layer.diff_id.to_string())];
                rows.fail(ID, format!("layer {number} has another diffID than the config says"), facts);
            }
            Err(LayerFault::Io(reason)) => rows.unreadable(ID, format!("layer {number}: {reason}")),
            Err(LayerFault::Refused(reason)) => rows.fail(ID, format!("layer {number}: {reason}"), Vec::new()),
            Err(LayerFault::TooLarge) => {}
        }
    }
    if layers.len() != image.manifest.layers.len() {
        rows.fail(ID, "not every layer was read", Vec::new());
        return None;
    }
    let bytes: u64 = layers.iter().map(|layer| layer.diff_size).fold(0, u64::saturating_add);
    let mut facts = vec![Fact::new("layers", layers.len().to_string()), Fact::new("bytes", bytes.to_string())];
    facts.extend(privileges::facts(&layers));
    rows.pass(ID, facts);
    Some(layers)
}

enum LayerFault {
    Io(String),
    Refused(String),
    /// More than there is room for.
    TooLarge,
}

/// Something compressed.
enum Job<'a> {
    Layer(&'a Descriptor),
    Pack(&'a Packs<'a>, Pack<'a>),
}

/// What came of it.
enum Done {
    Layer(Result<ReadLayer, LayerFault>),
    Pack(Result<(), String>),
}

/// What came of all, each kind in its order.
#[derive(Default)]
struct Unpacked {
    layers: Vec<Result<ReadLayer, LayerFault>>,
    packs: Vec<Result<(), String>>,
}

/// Reads every layer and every pack, `options.threads` at a time.
fn read_all<'a>(
    release: &dyn ReleaseFiles,
    layers: &'a [Descriptor],
    packs: Option<&'a Packs<'a>>,
    options: &Options,
) -> Unpacked {
    let mut jobs: Vec<Job<'a>> = layers.iter().map(Job::Layer).collect();
    jobs.extend(packs.into_iter().flat_map(|packs| packs.iter().map(move |pack| Job::Pack(packs, pack))));
    let used_bytes = AtomicU64::new(0);
    let size = |job: &Job<'_>| match job {
        Job::Layer(layer) => layer.size,
        Job::Pack(_, pack) => pack.descriptor.size,
    };
    let done = at_once::each(options.threads, &jobs, size, |job| match job {
        Job::Layer(layer) => Done::Layer(read_one(release, layer, options.content_bytes, &used_bytes)),
        Job::Pack(packs, pack) => Done::Pack(packs.open(release, *pack, options.content_bytes)),
    });
    let mut unpacked = Unpacked::default();
    for done in done {
        match done {
            Done::Layer(layer) => unpacked.layers.push(layer),
            Done::Pack(pack) => unpacked.packs.push(pack),
        }
    }
    unpacked
}

/// Reads a layer that may have all the room: what it may have is the same whichever was read before. None is begun when
/// those that were read have more than there is.
fn read_one(
    release: &dyn ReleaseFiles,
    layer: &Descriptor,
    most_bytes: u64,
    used_bytes: &AtomicU64,
) -> Result<ReadLayer, LayerFault> {
    if used_bytes.load(Ordering::Relaxed) > most_bytes {
        return Err(LayerFault::TooLarge);
    }
    let name = layout::blob_path(layer.digest);
    let reader = match release.open(&name) {
        Ok(Some(reader)) => reader,
        Ok(None) => return Err(LayerFault::Io(format!("{name} is gone"))),
        Err(error) => return Err(LayerFault::Io(format!("{name} cannot be read: {error}"))),
    };
    let limits = Limits { diff_size_bytes: most_bytes, ..Limits::LAYER };
    let read = read_layer(reader, &layer.media_type, limits, &mut ()).map_err(|error| match error {
        ReadError::TooLarge { .. } => LayerFault::TooLarge,
        error => LayerFault::Refused(told(&error)),
    })?;
    if (read.digest, read.size) != (layer.digest, layer.size) {
        return Err(LayerFault::Refused(format!("{name} changed while it was read")));
    }
    let used = |used: u64| Some(used.saturating_add(read.diff_size));
    let _ = used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, used);
    Ok(read)
}

/// The `files` row: both ways, by path and SHA-256. The image's files, if it passes.
fn files(layers: &[ReadLayer], evidence: &Evidence, rows: &mut Rows) -> Option<Tree> {
    const ID: CheckId = CheckId::Files;
    let tree = match apply(layers) {
        Ok(tree) => tree,
        Err(error) => {
            rows.fail(ID, told(&error), Vec::new());
            return None;
        }
    };
    let mut present: BTreeMap<String, Digest> = BTreeMap::new();
    for (path, _) in tree.iter() {
        if let Some((digest, _)) = tree.content(path.as_str()) {
            present.insert(format!("/{path}"), digest);
        }
    }
    let claimed = match claimed(evidence) {
        Ok(claimed) => claimed,
        Err(reason) => {
            rows.fail(ID, reason, Vec::new());
            return None;
        }
    };
    let differing: Vec<&str> = present
        .iter()
        .filter_map(|(path, digest)| claimed.get(path.as_str()).filter(|claim| *claim != digest).map(|_| path.as_str()))
        .collect();
    let unclaimed: Vec<&str> = present.keys().map(String::as_str).filter(|path| !claimed.contains_key(*path)).collect();
    let absent: Vec<&str> = claimed.keys().map(|path| &**path).filter(|path| !present.contains_key(*path)).collect();
    for (paths, what) in [
        (differing, "has another content in the image than in the SBOM"),
        (unclaimed, "is in the image and not in the SBOM"),
        (absent, "is in the SBOM and not in the image"),
    ] {
        if let Some(first) = paths.first() {
            let facts = paths.iter().map(|path| Fact::new("file", quote(path))).collect();
            rows.fail(ID, format!("`{}` {what}", quote(first)), facts);
            return None;
        }
    }
    rows.pass(ID, vec![Fact::new("files", present.len().to_string())]);
    Some(tree)
}

/// The files that the SBOM says are in the image: components of type `file` under an absolute path.
fn claimed(evidence: &Evidence) -> Result<BTreeMap<Cow<'_, str>, Digest>, String> {
    let mut claimed = BTreeMap::new();
    for component in evidence.sbom.objects("components") {
        let is_file = component.get("type").is_some_and(|kind| kind.is("file"));
        let Some(name) = text(component, "name").filter(|_| is_file) else { continue };
        if !name.starts_with('/') || is_input(component) {
            continue;
        }
        let digest =
            sha256_of(component).ok_or_else(|| format!("the SBOM has no one SHA-256 for `{}`", quote(&name)))?;
        if claimed.contains_key(&name) {
            return Err(format!("the SBOM has `{}` twice", quote(&name)));
        }
        claimed.insert(name, digest);
    }
    Ok(claimed)
}
