//! The shared store as a repository of a registry.
//!
//! A blob alone would be collected as garbage. So each has a small manifest with the tag `blob-<hex>`, and a result one
//! with the tag `action-<hex>` that names everything in it.

use std::collections::BTreeMap;

use selfsame_core::{Digest, json, media};
use selfsame_oci::{Descriptor, Manifest};
use selfsame_registry::{Document, Reference, Registry, RegistryError, Repository, Source, Target};
use selfsame_store::{Store, StoreError};
use serde_json::json;

use crate::pins::PINS_BYTES;
use crate::results::{KeptResult, MOST_FILES, RESULT_BYTES};
use crate::shared::SharedError;

/// The artifact type of a manifest that keeps a blob.
const BLOB: &str = "application/vnd.selfsame.blob.v1";
/// The artifact type of a manifest that keeps a result, and the media type of its document.
const RESULT: &str = "application/vnd.selfsame.result.v1+json";
/// The same of a document that says which files answer pins.
const PINS: &str = "application/vnd.selfsame.pins.v1+json";
/// The largest blob whose size only the registry says.
const UNKNOWN_BYTES: u64 = 64 << 30;

/// A repository for blobs by their digest.
#[derive(Debug)]
pub(crate) struct SharedRegistry<'a> {
    registry: &'a Registry,
    reference: Reference,
}

impl<'a> SharedRegistry<'a> {
    pub(crate) fn new(registry: &'a Registry, reference: Reference) -> Self {
        Self { registry, reference }
    }

    pub(crate) const fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Where it is read: the repository itself, so that what was just written is there.
    fn to_read(&self) -> Result<Repository<'_>, SharedError> {
        let mut places = self.registry.to_pull(&self.reference)?;
        places.pop().ok_or_else(|| RegistryError::NoRegistry { reference: self.reference.to_string() }.into())
    }

    pub(crate) fn has(&self, digest: &Digest) -> Result<bool, SharedError> {
        Ok(self.to_read()?.has_manifest(&blob_tag(digest))?)
    }

    pub(crate) fn get(&self, digest: &Digest, size: Option<u64>, store: &Store) -> Result<Option<u64>, SharedError> {
        let repository = self.to_read()?;
        let size = match size {
            Some(size) => size,
            None => match repository.has_blob(digest)? {
                Some(size) => size.min(UNKNOWN_BYTES),
                None => return Ok(None),
            },
        };
        match repository.blob(&Descriptor::new(media::INPUT, *digest, size), store, None) {
            Ok(()) => Ok(Some(size)),
            Err(error) if not_found(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn put(&self, digest: &Digest, store: &Store) -> Result<bool, SharedError> {
        let repository = self.registry.to_push(&self.reference)?;
        let tag = blob_tag(digest);
        if repository.has_manifest(&tag)? && repository.has_blob(digest)?.is_some() {
            return Ok(false);
        }
        let blob = self.send(&repository, digest, media::INPUT, store)?;
        keep(&repository, BLOB, &[blob], &tag)?;
        Ok(true)
    }

    fn send(
        &self,
        repository: &Repository<'_>,
        digest: &Digest,
        media_type: &str,
        store: &Store,
    ) -> Result<Descriptor, SharedError> {
        let size = store.blob_size(digest)?.ok_or(StoreError::Absent { digest: *digest })?;
        repository.push_blob(digest, size, Source::Store(store), &[])?;
        Ok(Descriptor::new(media_type, *digest, size))
    }

    pub(crate) fn result(&self, action: &Digest) -> Result<Option<Vec<u8>>, SharedError> {
        self.document(&action_tag(action), RESULT, RESULT_BYTES)
    }

    pub(crate) fn pins(&self, key: &Digest) -> Result<Option<Vec<u8>>, SharedError> {
        self.document(&pins_tag(key), PINS, PINS_BYTES)
    }

    pub(crate) fn put_pins(&self, key: &Digest, bytes: &[u8]) -> Result<(), SharedError> {
        let repository = self.registry.to_push(&self.reference)?;
        let document = Descriptor::of(PINS, bytes);
        repository.push_blob(&document.digest, document.size, Source::Bytes(bytes), &[])?;
        keep(&repository, PINS, &[document], &pins_tag(key))
    }

    fn document(&self, tag: &Target, media_type: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, SharedError> {
        let repository = self.to_read()?;
        let fetched = match repository.manifest(tag) {
            Ok(fetched) => fetched,
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Document::Manifest(Manifest { layers, .. }) = fetched.document else { return Ok(None) };
        let Some(document) = layers.first().filter(|layer| layer.media_type == media_type) else { return Ok(None) };
        match repository.blob_bytes(document, limit_bytes) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.retry_may_help() => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    pub(crate) fn put_result(&self, action: &Digest, result: &KeptResult, store: &Store) -> Result<bool, SharedError> {
        let bytes = result.to_bytes();
        if self.result(action)?.as_deref() == Some(&bytes) {
            return Ok(false);
        }
        let contents: Vec<Digest> = result.tree(store)?.contents().into_keys().collect();
        if contents.len() > MOST_FILES {
            let place = format!("oci://{}", self.reference);
            return Err(SharedError::TooMany { place, files: contents.len(), limit: MOST_FILES });
        }
        let repository = self.registry.to_push(&self.reference)?;
        let document = Descriptor::of(RESULT, &bytes);
        repository.push_blob(&document.digest, document.size, Source::Bytes(&bytes), &[])?;
        let tree = Descriptor::new(media::TREE, result.output, result.output_bytes());
        self.send(&repository, &result.output, media::TREE, store)?;
        let blobs = crate::parallel::each(&contents, |digest| self.send(&repository, digest, media::INPUT, store))?;
        let layers: Vec<Descriptor> = [document, tree].into_iter().chain(blobs).collect();
        keep(&repository, RESULT, &layers, &action_tag(action))?;
        Ok(true)
    }
}

fn blob_tag(digest: &Digest) -> Target {
    Target::Tag(format!("blob-{}", digest.hex()))
}

fn action_tag(digest: &Digest) -> Target {
    Target::Tag(format!("action-{}", digest.hex()))
}

fn pins_tag(key: &Digest) -> Target {
    Target::Tag(format!("pins-{}", key.hex()))
}

fn not_found(error: &RegistryError) -> bool {
    matches!(error, RegistryError::NotFound { .. })
        || matches!(error, RegistryError::Http { source: selfsame_http::HttpError::NotFound { .. }, .. })
}

/// A manifest that names blobs, under a tag.
fn keep(
    repository: &Repository<'_>,
    artifact_type: &str,
    layers: &[Descriptor],
    tag: &Target,
) -> Result<(), SharedError> {
    let empty = Descriptor::empty();
    repository.push_blob(&empty.digest, empty.size, Source::Bytes(Descriptor::EMPTY_BYTES), &[])?;
    let wire = |descriptor: &Descriptor| {
        let Descriptor { media_type, digest, size, .. } = descriptor;
        BTreeMap::from([("digest", json!(digest)), ("mediaType", json!(media_type)), ("size", json!(size))])
    };
    let manifest = json::canonical(&json!({
        "artifactType": artifact_type,
        "config": wire(&empty),
        "layers": layers.iter().map(wire).collect::<Vec<_>>(),
        "mediaType": media::MANIFEST,
        "schemaVersion": 2,
    }));
    repository.push_manifest(&manifest, media::MANIFEST, tag)?;
    Ok(())
}
