//! The image manifest and its config.

use selfsame_core::media;
use selfsame_oci::layout::LAYER_ZSTD;
use selfsame_oci::{Descriptor, ImageConfig, Manifest};

use super::blob::{self, MOST_MANIFEST_BYTES};
use super::layout::ReleaseIndex;
use crate::files::ReleaseFiles;
use crate::rows::{Rows, told};
use crate::verdict::{CheckId, Fact};

/// The image as its two documents say it is.
pub(super) struct Image {
    /// Media type, digest and size of the manifest.
    pub(super) descriptor: Descriptor,
    pub(super) manifest: Manifest,
    pub(super) config: ImageConfig,
}

/// The `image` row.
pub(super) fn read(release: &dyn ReleaseFiles, index: &ReleaseIndex, rows: &mut Rows) -> Option<Image> {
    const ID: CheckId = CheckId::Image;
    let bytes = blob::read(release, &index.image, MOST_MANIFEST_BYTES)
        .map_err(|fault| fault.report(ID, "image manifest", rows))
        .ok()?;
    let manifest =
        Manifest::parse(&bytes, media::MANIFEST).map_err(|error| rows.fail(ID, told(&error), Vec::new())).ok()?;
    let config = blob::read(release, &manifest.config, MOST_MANIFEST_BYTES)
        .map_err(|fault| fault.report(ID, "image config", rows))
        .ok()?;
    let config = ImageConfig::parse(&config).map_err(|error| rows.fail(ID, told(&error), Vec::new())).ok()?;
    if let Some(reason) = fault(index, &manifest, &config) {
        rows.fail(ID, reason, Vec::new());
        return None;
    }
    rows.pass(
        ID,
        vec![
            Fact::new("layers", manifest.layers.len().to_string()),
            Fact::new("platform", config.platform.to_string()),
        ],
    );
    Some(Image { descriptor: index.image.bare(), manifest, config })
}

fn fault(index: &ReleaseIndex, manifest: &Manifest, config: &ImageConfig) -> Option<String> {
    if manifest.artifact_type.is_some() || manifest.subject.is_some() {
        return Some("what index.json lists first is a referrer, not an image".to_owned());
    }
    if manifest.config.media_type != media::CONFIG {
        return Some(format!("the image's config has another media type than `{}`", media::CONFIG));
    }
    // Layers of a base are as others compressed them.
    let known = [media::LAYER_GZIP, media::LAYER_TAR, LAYER_ZSTD];
    if let Some(layer) = manifest.layers.iter().find(|layer| !known.contains(&layer.media_type.as_str())) {
        return Some(format!("layer {} is none of `{}`", layer.digest, known.join("`, `")));
    }
    if let Err(error) = config.agrees_with(manifest) {
        return Some(told(&error));
    }
    match &index.image.platform {
        Some(platform) if *platform != config.platform => {
            Some(format!("index.json says the image is for {platform}; its config says {}", config.platform))
        }
        _ => None,
    }
}
