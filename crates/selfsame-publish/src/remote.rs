//! A release out of a registry, as files: manifests in memory, the rest in the store.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use selfsame_core::Digest;
use selfsame_oci::layout;
use selfsame_store::Store;
use selfsame_verify::ReleaseFiles;

/// The files that its folder would have, by name.
#[derive(Debug)]
pub struct RemoteRelease {
    store: Store,
    documents: BTreeMap<String, Vec<u8>>,
    blobs: BTreeMap<String, Digest>,
}

impl RemoteRelease {
    pub(crate) fn new(store: Store) -> Self {
        let documents = BTreeMap::from([(layout::LAYOUT_FILE.to_owned(), layout::layout_file())]);
        Self { store, documents, blobs: BTreeMap::new() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// A file that is here.
    pub(crate) fn add(&mut self, name: impl Into<String>, bytes: &[u8]) {
        self.documents.insert(name.into(), bytes.to_vec());
    }

    /// A manifest or another small blob that is here.
    pub(crate) fn add_small(&mut self, bytes: &[u8]) {
        self.add(layout::blob_path(Digest::of(bytes)), bytes);
    }

    /// A blob that is in the store.
    pub(crate) fn add_stored(&mut self, digest: Digest) {
        self.blobs.insert(layout::blob_path(digest), digest);
    }

    /// Writes every file below `folder`, which exists and is empty; blobs are checked on their way.
    ///
    /// # Errors
    /// What the disk or the store said, with the name of the file.
    pub fn write(&self, folder: &Path) -> Result<(), (String, io::Error)> {
        std::fs::create_dir_all(folder.join(layout::BLOBS)).map_err(|error| (layout::BLOBS.to_owned(), error))?;
        let write = |name: &str| {
            let mut reader = self.open(name)?.ok_or(io::ErrorKind::NotFound)?;
            io::copy(&mut reader, &mut std::fs::File::create_new(folder.join(name))?)
        };
        let names = self.documents.keys().chain(self.blobs.keys().filter(|name| !self.documents.contains_key(*name)));
        for name in names {
            write(name).map_err(|error| (name.clone(), error))?;
        }
        Ok(())
    }
}

impl ReleaseFiles for RemoteRelease {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        if self.documents.contains_key(name) {
            return self.documents.read(name, limit);
        }
        let Some(digest) = self.blobs.get(name) else { return Ok(None) };
        match self.store.read_blob(digest, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(selfsame_store::StoreError::TooLarge { .. }) => Err(io::ErrorKind::FileTooLarge.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        if let Some(bytes) = self.documents.get(name) {
            return Ok(Some(Box::new(&bytes[..])));
        }
        let Some(digest) = self.blobs.get(name) else { return Ok(None) };
        let reader = self.store.open_blob(digest).map_err(io::Error::other)?;
        Ok(Some(Box::new(reader)))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names: std::collections::BTreeSet<&String> = self.documents.keys().chain(self.blobs.keys()).collect();
        Ok(names.into_iter().cloned().collect())
    }
}
