//! Which of an index's manifests is meant: by name, then by platform.

use selfsame_core::{Platform, media};

use crate::descriptor::Descriptor;
use crate::layout::REF_NAME;
use crate::manifest::{DOCKER_INDEX, DOCKER_MANIFEST};

/// The annotation under which containerd's and Docker's layouts have an image's whole name.
const IMAGE_NAME: &str = "io.containerd.image.name";
/// The annotation with which BuildKit marks the manifest of an attestation.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// How many names an error lists.
const SHOWN: usize = 12;

/// What a descriptor announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A manifest, of an image or of an artifact.
    Manifest,
    /// An index.
    Index,
    /// Anything else: no manifest, or of a form that is not read.
    Other,
}

impl DocumentKind {
    /// By media type, OCI's or Docker's.
    #[must_use]
    pub fn of(media_type: &str) -> Self {
        match media_type {
            media::MANIFEST | DOCKER_MANIFEST => Self::Manifest,
            media::INDEX | DOCKER_INDEX => Self::Index,
            _ => Self::Other,
        }
    }
}

/// Why no manifest is meant, or none that can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// Nothing has this name.
    #[error("there is no image `{wanted}`; there is {}", list(there))]
    Name {
        /// What was asked for.
        wanted: String,
        /// The names that are there.
        there: Vec<String>,
    },
    /// Several images, and none was asked for by name; or several names fit.
    #[error("there are several images: {}", list(there))]
    Several {
        /// Their names, or digests where they have none.
        there: Vec<String>,
    },
    /// No image for this platform.
    #[error("there is no image for {wanted}; there is {}", list(there))]
    Platform {
        /// What was asked for.
        wanted: Platform,
        /// What is there.
        there: Vec<String>,
    },
}

fn list(items: &[String]) -> String {
    match items.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", items[..SHOWN].join(", "), count - SHOWN),
        _ => items.join(", "),
    }
}

/// The manifests of a layout's `index.json` that are the image `wanted`: several where it is there for several
/// platforms. Without a name: the only image that there is.
///
/// A name is the whole of [`REF_NAME`], its end behind a `/`, or its tag behind the last `:`. Artifacts that refer to images are none.
pub fn named(manifests: &[Descriptor], wanted: Option<&str>) -> Result<Vec<Descriptor>, SelectError> {
    let images: Vec<&Descriptor> = manifests.iter().filter(|manifest| is_image(manifest)).collect();
    let names = |manifest: &Descriptor| {
        let names = [REF_NAME, IMAGE_NAME].into_iter().filter_map(|key| manifest.annotations.get(key).cloned());
        names.collect::<Vec<_>>()
    };
    let there = |images: &[&Descriptor]| {
        let name = |image: &&Descriptor| names(image).into_iter().next().unwrap_or_else(|| image.digest.to_string());
        let mut there: Vec<String> = images.iter().map(name).collect();
        there.sort();
        there.dedup();
        there
    };
    let found = match wanted {
        None => images,
        Some(wanted) => {
            let whole = |image: &&&Descriptor| names(image).iter().any(|name| name == wanted);
            let behind = format!("/{wanted}");
            let end = |image: &&&Descriptor| names(image).iter().any(|name| name.ends_with(&behind));
            let tag = |image: &&&Descriptor| {
                names(image).iter().any(|name| name.rsplit_once(':').is_some_and(|(_, tag)| tag == wanted))
            };
            let mut found: Vec<&Descriptor> = images.iter().filter(whole).copied().collect();
            if found.is_empty() {
                found = images.iter().filter(end).copied().collect();
            }
            if found.is_empty() {
                found = images.iter().filter(tag).copied().collect();
            }
            if found.is_empty() {
                return Err(SelectError::Name { wanted: wanted.to_owned(), there: there(&images) });
            }
            found
        }
    };
    // One name, or none at all, may stand for several platforms; two names are two images. One image may be listed
    // under several names.
    let (several, mut digests) = (there(&found), found.iter().map(|image| image.digest).collect::<Vec<_>>());
    digests.sort();
    digests.dedup();
    let unnamed = found.iter().all(|image| names(image).is_empty() && image.platform.is_some());
    if found.is_empty() {
        return Err(SelectError::Name { wanted: wanted.unwrap_or("(any)").to_owned(), there: Vec::new() });
    }
    if digests.len() > 1 && several.len() > 1 && !unnamed {
        return Err(SelectError::Several { there: several });
    }
    Ok(found.into_iter().cloned().collect())
}

/// The first manifest for a platform (image-spec, image-index.md: "the first matching entry SHOULD be used"), or the
/// only one that does not say what it is for: what it is for stands in its config then.
pub fn for_platform<'a>(manifests: &'a [Descriptor], wanted: &Platform) -> Result<&'a Descriptor, SelectError> {
    let images: Vec<&Descriptor> = manifests.iter().filter(|manifest| is_image(manifest)).collect();
    let exact = images.iter().find(|image| image.platform.as_ref() == Some(wanted));
    let alike =
        || images.iter().find(|image| image.platform.as_ref().is_some_and(|there| same_platform(there, wanted)));
    let silent = || {
        let mut silent = images.iter().filter(|image| image.platform.is_none());
        let first = silent.next()?;
        silent.all(|other| other.digest == first.digest).then_some(first)
    };
    exact.or_else(alike).or_else(silent).copied().ok_or_else(|| {
        let name = |image: &&Descriptor| image.platform.as_ref().map_or("(unnamed)".to_owned(), ToString::to_string);
        let mut there: Vec<_> = images.iter().map(name).collect();
        there.sort();
        there.dedup();
        SelectError::Platform { wanted: wanted.clone(), there }
    })
}

/// Whether two names mean one platform: each architecture has a variant that may be left out.
#[must_use]
pub fn same_platform(one: &Platform, other: &Platform) -> bool {
    let usual = |platform: &Platform| match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("amd64", None) => Some("v1".to_owned()),
        ("arm64", None) => Some("v8".to_owned()),
        ("arm", None) => Some("v7".to_owned()),
        (_, variant) => variant.map(str::to_owned),
    };
    (&one.os, &one.architecture, usual(one)) == (&other.os, &other.architecture, usual(other))
}

/// Whether a listed manifest may be an image: no referrer, and nothing for the platform `unknown`.
fn is_image(manifest: &Descriptor) -> bool {
    let unknown = manifest.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
    let known = DocumentKind::of(&manifest.media_type) != DocumentKind::Other;
    known && manifest.artifact_type.is_none() && !unknown && !manifest.annotations.contains_key(REFERENCE_TYPE)
}
