//! The manifests behind the image in the index: each is about this image and of a kind that a release has.

use selfsame_attest::text::quote;
use selfsame_core::media;
use selfsame_oci::{Descriptor, Manifest};

use super::blob::{self, MOST_MANIFEST_BYTES};
use super::image::Image;
use super::layout::ReleaseIndex;
use crate::files::ReleaseFiles;
use crate::rows::{Rows, told};
use crate::verdict::{CheckId, Fact};

/// Something that says which image it is about.
pub(super) struct Referrer {
    pub(super) descriptor: Descriptor,
    pub(super) manifest: Manifest,
}

/// Referrers by kind, in the index's order.
pub(super) struct Referrers {
    /// One bundle each.
    pub(super) bundles: Vec<Referrer>,
    /// Inputs of the build; any number, none in most releases.
    pub(super) capsules: Vec<Referrer>,
}

/// The `referrers` row. Those that fail are left out.
pub(super) fn read(release: &dyn ReleaseFiles, index: &ReleaseIndex, image: &Image, rows: &mut Rows) -> Referrers {
    const ID: CheckId = CheckId::Referrers;
    let mut referrers = Referrers { bundles: Vec::new(), capsules: Vec::new() };
    for descriptor in &index.referrers {
        let digest = descriptor.digest;
        let bytes = match blob::read(release, descriptor, MOST_MANIFEST_BYTES) {
            Ok(bytes) => bytes,
            Err(fault) => {
                fault.report(ID, "referrer", rows);
                continue;
            }
        };
        let manifest = match Manifest::parse(&bytes, media::MANIFEST) {
            Ok(manifest) => manifest,
            Err(error) => {
                rows.fail(ID, format!("referrer {digest}: {}", told(&error)), Vec::new());
                continue;
            }
        };
        if let Some(fault) = fault(descriptor, &manifest, image) {
            rows.fail(ID, format!("referrer {digest} {fault}"), Vec::new());
            continue;
        }
        let kind = match manifest.artifact_type.as_deref() {
            Some(media::BUNDLE) => &mut referrers.bundles,
            _ => &mut referrers.capsules,
        };
        kind.push(Referrer { descriptor: descriptor.clone(), manifest });
    }
    rows.pass(
        ID,
        vec![
            Fact::new("bundles", referrers.bundles.len().to_string()),
            Fact::new("capsules", referrers.capsules.len().to_string()),
        ],
    );
    referrers
}

/// The rest of a sentence that begins with the referrer.
fn fault(descriptor: &Descriptor, manifest: &Manifest, image: &Image) -> Option<String> {
    let Some(subject) = &manifest.subject else { return Some("has no subject".to_owned()) };
    if *subject != image.descriptor {
        return Some(format!("is about {}, not about this image", subject.digest));
    }
    if descriptor.artifact_type != manifest.artifact_type || descriptor.annotations != manifest.annotations {
        return Some("is listed with another artifact type or other annotations than it has".to_owned());
    }
    if manifest.config.bare() != Descriptor::empty() {
        return Some("has a config; a referrer's is empty".to_owned());
    }
    match manifest.artifact_type.as_deref() {
        Some(media::BUNDLE) => match &manifest.layers[..] {
            [bundle] if bundle.media_type == media::BUNDLE => None,
            [_] => Some(format!("holds something else than a `{}`", media::BUNDLE)),
            layers => Some(format!("holds {} files; a bundle is one", layers.len())),
        },
        Some(media::CAPSULE) => None,
        Some(other) => Some(format!("is of the artifact type `{}`, which no release has", quote(other))),
        None => Some("has no artifact type".to_owned()),
    }
}
