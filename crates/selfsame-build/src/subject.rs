//! What a release is about: one image, or the index of one image for several platforms.

use std::collections::BTreeMap;

use selfsame_oci::{Descriptor, Document, image_index};

use crate::error::BuildError;
use crate::image::annotations;
use crate::record::Image;
use crate::request::Request;

/// The top descriptor of a release, with the images behind it. Referrers and statements are about it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Of the manifest, or of the index.
    pub descriptor: Descriptor,
    /// The index's bytes, where there is one.
    pub index: Option<Document>,
    /// One for each platform, sorted by the platforms' names.
    pub images: Vec<Image>,
}

impl Subject {
    /// One image, without an index around it.
    #[must_use]
    pub fn one(image: &Image) -> Self {
        Self { descriptor: image.manifest.clone(), index: None, images: vec![image.clone()] }
    }

    /// The index of images for several platforms, or for one where the definition asks for a list of one. The same
    /// whichever was built first; name, version and epoch are the request's, which all have in common.
    pub fn index(images: Vec<Image>, request: &Request) -> Result<Self, BuildError> {
        Self::annotated(images, &annotations(request, None))
    }

    /// The same of images that were built apart: nobody asked for them together, so it says nothing but their platforms.
    pub fn joined(images: Vec<Image>) -> Result<Self, BuildError> {
        Self::annotated(images, &BTreeMap::new())
    }

    fn annotated(mut images: Vec<Image>, annotations: &BTreeMap<String, String>) -> Result<Self, BuildError> {
        images.sort_by_key(|image| image.manifest.platform.as_ref().map(ToString::to_string));
        let manifests: Vec<Descriptor> = images.iter().map(|image| image.manifest.clone()).collect();
        let index = image_index(&manifests, annotations);
        let index = index.map_err(|fault| BuildError::Index { fault: fault.to_string() })?;
        Ok(Self { descriptor: index.descriptor.clone(), index: Some(index), images })
    }
}
