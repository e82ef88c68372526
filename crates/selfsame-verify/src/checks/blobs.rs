//! Every blob that something names, and no file that nothing names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use selfsame_attest::text::quote;
use selfsame_core::Digest;
use selfsame_oci::{Descriptor, layout};

use super::blob::{self, BlobFault};
use super::image::Image;
use super::referrers::Referrers;
use super::side::may_stand_beside;
use crate::files::ReleaseFiles;
use crate::options::{Depth, Options};
use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};

/// The rows `blobs` and `nothing-extra`.
pub(super) fn check(
    release: &dyn ReleaseFiles,
    image: &Image,
    referrers: &Referrers,
    options: &Options,
    rows: &mut Rows,
) {
    if options.depth < Depth::Blobs {
        return;
    }
    let named = named(image, referrers, rows);
    blobs(release, &named, options, rows);
    nothing_extra(release, &named, rows);
}

/// Every descriptor that a manifest of the release names, and those of the manifests.
fn named(image: &Image, referrers: &Referrers, rows: &mut Rows) -> BTreeMap<Digest, Descriptor> {
    let mut named: BTreeMap<Digest, Descriptor> = BTreeMap::new();
    let manifests = referrers.bundles.iter().chain(&referrers.capsules);
    let of_manifests = manifests.flat_map(|it| {
        std::iter::once(&it.descriptor).chain(std::iter::once(&it.manifest.config)).chain(&it.manifest.layers)
    });
    let of_image = [&image.descriptor, &image.manifest.config].into_iter().chain(&image.manifest.layers);
    for descriptor in of_image.chain(of_manifests) {
        let before = named.entry(descriptor.digest).or_insert_with(|| descriptor.bare());
        if before.size != descriptor.size {
            let reason =
                format!("{} is named with {} and with {} bytes", descriptor.digest, before.size, descriptor.size);
            rows.fail(CheckId::Blobs, reason, Vec::new());
        }
    }
    named
}

fn blobs(release: &dyn ReleaseFiles, named: &BTreeMap<Digest, Descriptor>, options: &Options, rows: &mut Rows) {
    let mut faults = hash_all(release, named, options);
    // The first by digest, whichever thread was first.
    faults.sort_by_key(|(digest, _)| *digest);
    for (_, fault) in &faults {
        fault.report(CheckId::Blobs, "blob", rows);
    }
    let bytes: u64 = named.values().map(|descriptor| descriptor.size).fold(0, u64::saturating_add);
    rows.pass(CheckId::Blobs, vec![Fact::new("blobs", named.len().to_string()), Fact::new("bytes", bytes.to_string())]);
}

/// Hashes every blob, `options.threads` at a time, the largest first.
fn hash_all(
    release: &dyn ReleaseFiles,
    named: &BTreeMap<Digest, Descriptor>,
    options: &Options,
) -> Vec<(Digest, BlobFault)> {
    let mut queue: Vec<&Descriptor> = named.values().collect();
    queue.sort_by_key(|descriptor| (std::cmp::Reverse(descriptor.size), descriptor.digest));
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(descriptor) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(fault) = blob::check(release, descriptor) {
                let mut faults = faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                faults.push((descriptor.digest, fault));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.get().min(queue.len()) {
            scope.spawn(work);
        }
        work();
    });
    faults.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn nothing_extra(release: &dyn ReleaseFiles, named: &BTreeMap<Digest, Descriptor>, rows: &mut Rows) {
    const ID: CheckId = CheckId::NothingExtra;
    let mut names = match release.names() {
        Ok(names) => names,
        Err(error) => return rows.unreadable(ID, format!("the release's files cannot be listed: {error}")),
    };
    names.sort();
    let mut wanted: BTreeSet<String> = named.keys().map(|digest| layout::blob_path(*digest)).collect();
    // Docker's list was compared in `names`.
    wanted.extend([layout::LAYOUT_FILE, layout::INDEX_FILE, layout::DOCKER_FILE].map(str::to_owned));
    let extra: Vec<&String> = names.iter().filter(|name| !wanted.contains(*name) && !may_stand_beside(name)).collect();
    if let Some(first) = extra.first() {
        let facts = extra.iter().map(|name| Fact::new("file", quote(name))).collect();
        return rows.fail(ID, format!("nothing names `{}`", quote(first)), facts);
    }
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return rows.fail(ID, format!("there are two files `{}`", quote(&twice[0])), Vec::new());
    }
    rows.pass(ID, vec![Fact::new("files", names.len().to_string())]);
}
