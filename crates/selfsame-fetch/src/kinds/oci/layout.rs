//! An OCI image layout, a folder or a tar.

use std::collections::BTreeMap;
use std::path::PathBuf;

use selfsame_core::{Digest, Platform, media};
use selfsame_oci::layout::{INDEX_FILE, LAYOUT_FILE, REF_NAME, blob_path, check_layout_file};
use selfsame_oci::{Descriptor, DocumentError, DocumentKind, Index, Manifest, SelectError, for_platform, named};
use selfsame_store::Store;

use super::error::OciError;
use super::files::Files;
use super::place::{Found, check_image};

/// Indexes within indexes, as deep as is read.
const DEPTH: usize = 4;

/// A layout, and which of its images is meant.
pub(super) struct Layout {
    input: String,
    files: Files,
    tag: Option<String>,
}

impl Layout {
    pub(super) fn open(input: &str, path: PathBuf, tag: Option<String>) -> Result<Self, OciError> {
        let files = Files::open(path)?;
        if !Self::is_one(&files)? {
            let (path, fault) = (files.path().to_owned(), format!("is no OCI layout: it has no `{LAYOUT_FILE}`"));
            return Err(OciError::NotOne { path, fault });
        }
        Self::of(input, files, tag)
    }

    /// Whether there is the file that marks a layout.
    pub(super) fn is_one(files: &Files) -> Result<bool, OciError> {
        Ok(files.read(LAYOUT_FILE)?.is_some())
    }

    /// Files that are a layout.
    pub(super) fn of(input: &str, files: Files, tag: Option<String>) -> Result<Self, OciError> {
        let layout = Self { input: input.to_owned(), files, tag };
        let marked = layout.files.read(LAYOUT_FILE)?.unwrap_or_default();
        check_layout_file(&marked).map_err(|source| layout.document(source))?;
        Ok(layout)
    }

    pub(super) fn into_files(self) -> Files {
        self.files
    }

    /// The images that are meant: several where one name stands for several platforms.
    pub(super) fn named(&self) -> Result<Vec<Descriptor>, OciError> {
        let Some(index) = self.files.read(INDEX_FILE)? else {
            let (path, fault) = (self.files.path().to_owned(), format!("has no `{INDEX_FILE}`"));
            return Err(OciError::NotOne { path, fault });
        };
        let index = Index::parse(&index, media::INDEX).map_err(|source| self.document(source))?;
        named(&index.manifests, self.tag.as_deref()).map_err(|source| self.select(source))
    }

    /// The image for a platform.
    pub(super) fn find(&self, wanted: &Platform) -> Result<Found, OciError> {
        let mut list = self.named()?;
        let name = list.iter().find_map(|image| image.annotations.get(REF_NAME)).and_then(|name| repository_of(name));
        for _ in 0..DEPTH {
            let chosen = for_platform(&list, wanted).map_err(|source| self.select(source))?.clone();
            let bytes = self.read_document(&chosen)?;
            if DocumentKind::of(&chosen.media_type) == DocumentKind::Index {
                let index = Index::parse(&bytes, &chosen.media_type).map_err(|source| self.document(source))?;
                list = index.manifests;
                continue;
            }
            let manifest = Manifest::parse(&bytes, &chosen.media_type).map_err(|source| self.document(source))?;
            let config = self.read_document(&manifest.config)?;
            let platform = check_image(&self.input, &chosen, &manifest, &config, Some(wanted))?;
            return Ok(Found { platform, descriptor: chosen.bare(), bytes, manifest, name });
        }
        Err(OciError::TooDeep { input: self.input.clone(), limit: DEPTH })
    }

    /// Puts blobs into the store.
    pub(super) fn bring(&self, blobs: &[(Digest, u64)], store: &Store) -> Result<(), OciError> {
        let names: BTreeMap<_, _> = blobs.iter().map(|&(digest, size)| (blob_path(digest), (digest, size))).collect();
        self.files.store(&self.input, &names, store)
    }

    /// A blob's bytes, of the size and digest that its descriptor says.
    fn read_document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        let lacks = || OciError::Lacks {
            input: self.input.clone(),
            path: self.files.path().to_owned(),
            digest: descriptor.digest,
        };
        let bytes = self.files.read(&blob_path(descriptor.digest))?.ok_or_else(lacks)?;
        let found = Digest::of(&bytes);
        if (found, bytes.len() as u64) != (descriptor.digest, descriptor.size) {
            return Err(OciError::OtherBytes {
                input: self.input.clone(),
                expected: descriptor.digest,
                expected_bytes: descriptor.size,
                found,
                found_bytes: bytes.len() as u64,
            });
        }
        Ok(bytes)
    }

    fn document(&self, source: DocumentError) -> OciError {
        OciError::Document { input: self.input.clone(), source }
    }

    fn select(&self, source: SelectError) -> OciError {
        OciError::Select { input: self.input.clone(), source }
    }
}

/// `app` of `registry.example/team/app:1.0`; nothing for a tag alone.
pub(super) fn repository_of(reference: &str) -> Option<String> {
    let (path, tag) = reference.rsplit_once(':')?;
    (!tag.contains('/')).then(|| path.rsplit('/').next().unwrap_or(path).to_owned())
}
