//! Every blob that something names, and no file that nothing names.

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::text::quote;
use selfsame_core::Digest;
use selfsame_oci::{Descriptor, layout};

use super::blob;
use super::image::Image;
use super::referrers::Referrers;
use super::side::may_stand_beside;
use crate::at_once;
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
    let all: Vec<&Descriptor> = named.values().collect();
    let hashed = at_once::each(options.threads, &all, |blob| blob.size, |blob| blob::check(release, blob));
    for fault in hashed.iter().filter_map(|hashed| hashed.as_ref().err()) {
        fault.report(CheckId::Blobs, "blob", rows);
    }
    let bytes: u64 = named.values().map(|descriptor| descriptor.size).fold(0, u64::saturating_add);
    rows.pass(CheckId::Blobs, vec![Fact::new("blobs", named.len().to_string()), Fact::new("bytes", bytes.to_string())]);
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
