//! An image on a base: the base's config under the image's own, and the base's layers as an OCI manifest names them.

use std::collections::BTreeMap;

use selfsame_core::media;

use crate::config::{History, ImageConfig};
use crate::descriptor::{Descriptor, DocumentError};
use crate::layout::{Encoding, LAYER_ZSTD, layer_encoding};

/// The annotation with the digest of the manifest that an image stands on (image-spec, annotations.md).
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// The annotation with the reference of the image that an image stands on (image-spec, annotations.md).
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";

impl ImageConfig {
    /// This config of an image's own, which has no layers yet, over the config of its base.
    ///
    /// - Variables keep the base's order; one that both have has the image's value at the base's place; new ones
    ///   follow.
    /// - The image's entrypoint takes the base's away, and its command with it: arguments of another program. Without
    ///   one, both are the base's, and the image's command takes the base's place.
    /// - User, working folder, stop signal, health check and shell are the base's where the image states none.
    /// - Labels, ports and volumes are those of both; the image's label wins.
    /// - The base's layers stay lowest, with its lines of history, whose times become this config's: when the base
    ///   was made is no argument of this image.
    ///
    /// `OnBuild` is for builders and ends here, as it does with Docker.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        let mut history: Vec<_> = base.history.iter().map(|line| self.line_of(line)).collect();
        if history.is_empty() {
            // A config may leave history out, and then it must be left out for no layer or for all.
            history = base.diff_ids.iter().map(|_| self.line_of(&History::default())).collect();
        }
        let stated = |own: String, base: &String| if own.is_empty() { base.clone() } else { own };
        let (entrypoint, cmd) = match (self.entrypoint.is_empty(), self.cmd.is_empty()) {
            (false, _) => (self.entrypoint, self.cmd),
            (true, false) => (base.entrypoint.clone(), self.cmd),
            (true, true) => (base.entrypoint.clone(), base.cmd.clone()),
        };
        Self {
            platform: self.platform,
            created: self.created,
            env: merged_env(&base.env, self.env),
            entrypoint,
            cmd,
            user: stated(self.user, &base.user),
            workdir: stated(self.workdir, &base.workdir),
            labels: base.labels.clone().into_iter().chain(self.labels).collect(),
            ports: &base.ports | &self.ports,
            volumes: &base.volumes | &self.volumes,
            stop_signal: stated(self.stop_signal, &base.stop_signal),
            healthcheck: self.healthcheck.or_else(|| base.healthcheck.clone()),
            shell: if self.shell.is_empty() { base.shell.clone() } else { self.shell },
            diff_ids: [&base.diff_ids[..], &self.diff_ids[..]].concat(),
            history: [history, self.history].concat(),
        }
    }

    /// A base's line with this config's time.
    fn line_of(&self, line: &History) -> History {
        History { created: self.created.clone(), ..line.clone() }
    }
}

fn merged_env(base: &[String], own: Vec<String>) -> Vec<String> {
    let name = |variable: &str| variable.split_once('=').map_or(variable, |(name, _)| name).to_owned();
    let mut rest: BTreeMap<String, String> = own.iter().map(|variable| (name(variable), variable.clone())).collect();
    let mut env: Vec<String> =
        base.iter().map(|variable| rest.remove(&name(variable)).unwrap_or_else(|| variable.clone())).collect();
    env.extend(own.into_iter().filter(|variable| rest.contains_key(&name(variable))));
    env
}

/// A base's layer as an image's manifest names it: the same bytes, and Docker's media types by OCI's name.
///
/// Layers that may not be passed on (`foreign`, `nondistributable`) and those of media types that are not read are
/// refused.
pub fn kept_layer(layer: &Descriptor) -> Result<Descriptor, DocumentError> {
    let refuse = |fault: String| Err(DocumentError::Value { what: "base image", fault });
    let shown = layer.media_type.escape_debug();
    if ["foreign", "nondistributable"].iter().any(|word| layer.media_type.contains(word)) {
        return refuse(format!("layer {} is of the media type `{shown}`, which may not be passed on", layer.digest));
    }
    let media_type = match layer_encoding(&layer.media_type) {
        // A pack is read as a layer is, and is none.
        Some(Encoding::Gzip) if layer.media_type != media::PACK => media::LAYER_GZIP,
        Some(Encoding::Plain) => media::LAYER_TAR,
        Some(Encoding::Zstd) => LAYER_ZSTD,
        _ => return refuse(format!("layer {} is of the media type `{shown}`, which is not read", layer.digest)),
    };
    Ok(Descriptor { media_type: media_type.to_owned(), artifact_type: None, platform: None, ..layer.clone() })
}
