//! `oci-layout` and `index.json`.

use std::collections::BTreeSet;
use std::io;

use selfsame_core::media;
use selfsame_oci::{Descriptor, Index, layout};

use super::blob::MOST_MANIFEST_BYTES;
use crate::files::ReleaseFiles;
use crate::rows::{Rows, told};
use crate::verdict::{CheckId, Fact};

/// The most referrers that an index is read with.
const MOST_REFERRERS: usize = 1024;

/// `index.json`, taken apart.
pub(super) struct ReleaseIndex {
    /// The image, with its platform if it is named.
    pub(super) image: Descriptor,
    /// What the image is filed under: `name:version`.
    pub(super) name: String,
    /// What refers to it.
    pub(super) referrers: Vec<Descriptor>,
}

/// The `layout` row.
pub(super) fn check(release: &dyn ReleaseFiles, rows: &mut Rows) {
    let Some(bytes) = read(release, layout::LAYOUT_FILE, CheckId::Layout, rows) else { return };
    if let Err(error) = layout::check_layout_file(&bytes) {
        return rows.fail(CheckId::Layout, told(&error), Vec::new());
    }
    if bytes != layout::layout_file() {
        return rows.fail(CheckId::Layout, "oci-layout holds more than its version", Vec::new());
    }
    rows.pass(CheckId::Layout, Vec::new());
}

/// The `index` row.
pub(super) fn index(release: &dyn ReleaseFiles, rows: &mut Rows) -> Option<ReleaseIndex> {
    let bytes = read(release, layout::INDEX_FILE, CheckId::Index, rows)?;
    match parse(&bytes) {
        Ok(index) => {
            rows.pass(
                CheckId::Index,
                vec![
                    Fact::new("image", index.image.digest.to_string()),
                    Fact::new("referrers", index.referrers.len().to_string()),
                ],
            );
            Some(index)
        }
        Err(reason) => {
            rows.fail(CheckId::Index, reason, Vec::new());
            None
        }
    }
}

fn parse(bytes: &[u8]) -> Result<ReleaseIndex, String> {
    let index = Index::parse(bytes, media::INDEX).map_err(|error| told(&error))?;
    let mut manifests = index.manifests.into_iter();
    let mut image = manifests.next().ok_or("index.json lists nothing")?;
    let referrers: Vec<Descriptor> = manifests.collect();
    if referrers.len() > MOST_REFERRERS {
        return Err(format!("index.json lists {} referrers; at most {MOST_REFERRERS} are read", referrers.len()));
    }
    let name = image.annotations.remove(layout::REF_NAME);
    let name = name.ok_or_else(|| format!("index.json gives the image no `{}`", layout::REF_NAME))?;
    if image.artifact_type.is_some() {
        return Err("index.json does not list the image first".to_owned());
    }
    let mut digests = BTreeSet::new();
    for manifest in std::iter::once(&image).chain(&referrers) {
        if manifest.media_type != media::MANIFEST {
            return Err(format!("index.json lists {}, which is not an image manifest", manifest.digest));
        }
        if !digests.insert(manifest.digest) {
            return Err(format!("index.json lists {} twice", manifest.digest));
        }
    }
    // The index is the one document that no digest covers: what it says beyond this is nobody's word.
    if !image.annotations.is_empty() || layout::index_file(&image, &name, &referrers).bytes != bytes {
        return Err("index.json holds more than the image, its name and its referrers, or is not canonical".to_owned());
    }
    Ok(ReleaseIndex { image, name, referrers })
}

fn read(release: &dyn ReleaseFiles, name: &str, id: CheckId, rows: &mut Rows) -> Option<Vec<u8>> {
    match release.read(name, MOST_MANIFEST_BYTES) {
        Ok(Some(bytes)) => Some(bytes),
        Ok(None) => {
            rows.fail(id, format!("{name} is missing"), Vec::new());
            None
        }
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            rows.fail(id, format!("{name} has more than {MOST_MANIFEST_BYTES} bytes"), Vec::new());
            None
        }
        Err(error) => {
            rows.unreadable(id, format!("{name} cannot be read: {error}"));
            None
        }
    }
}
