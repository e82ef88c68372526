//! Writing a layout, each blob once and checked on its way: as a tar or as a folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use selfsame_core::{Digest, Hasher, SourceEpoch};
use selfsame_oci::{Contents, layout, write_archive};
use selfsame_store::Store;
use selfsame_verify::ReleaseFiles;

use crate::report::{Answer, Exit, Report};

/// What a layout consists of, and where it is had.
pub(super) struct Blobs<'a> {
    pub(super) store: &'a Store,
    /// Whose files are copied.
    pub(super) releases: Vec<&'a dyn ReleaseFiles>,
    /// Sizes and places by digest.
    pub(super) blobs: BTreeMap<Digest, (u64, Place)>,
}

/// Where a blob is had.
pub(super) enum Place {
    /// Here.
    Bytes(Vec<u8>),
    /// In the store.
    Store,
    /// In the release of this number.
    Release(usize),
}

impl Contents for Blobs<'_> {
    fn open(&self, digest: &Digest, _size: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        match self.blobs.get(digest) {
            Some((_, Place::Bytes(bytes))) => Ok(Box::new(bytes.as_slice())),
            Some((_, Place::Release(number))) => {
                let reader = self.releases[*number].open(&layout::blob_path(*digest))?;
                reader.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{digest} is missing")))
            }
            Some((_, Place::Store)) => {
                let reader = self.store.open_blob(digest).map_err(|error| io::Error::other(error.to_string()))?;
                Ok(Box::new(reader))
            }
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("{digest} is missing"))),
        }
    }
}

impl Blobs<'_> {
    /// Bytes of its own, by their digest.
    pub(super) fn own(&mut self, bytes: Vec<u8>) {
        self.blobs.insert(Digest::of(&bytes), (bytes.len() as u64, Place::Bytes(bytes)));
    }

    /// All bytes, `index.json` left out.
    pub(super) fn size(&self) -> u64 {
        self.blobs.values().fold(0, |sum, (size, _)| sum.saturating_add(*size))
    }

    /// Writes the layout to a file that does not exist yet.
    pub(super) fn write_tar(&self, path: &Path, epoch: SourceEpoch, index: &[u8]) -> Answer<()> {
        let file = File::create_new(path).map_err(|error| fault(&error))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let sizes = self.blobs.iter().map(|(digest, (size, _))| (*digest, *size)).collect();
        write_archive(&mut out, epoch, index, None, &sizes, self)
            .map_err(|error| fault(&crate::commands::errors::chain(&error)))?;
        out.flush().map_err(|error| fault(&error).into())
    }

    /// Writes the layout into a folder that is there and empty.
    pub(super) fn write_folder(&self, folder: &Path, index: &[u8]) -> Answer<()> {
        std::fs::create_dir_all(folder.join(layout::BLOBS)).map_err(|error| fault(&error))?;
        for (digest, (size, _)) in &self.blobs {
            let reader = self.open(digest, *size).map_err(|error| fault(&error))?;
            copy(reader, *digest, *size, &folder.join(layout::blob_path(*digest)))?;
        }
        for (name, bytes) in [(layout::LAYOUT_FILE, layout::layout_file().as_slice()), (layout::INDEX_FILE, index)] {
            std::fs::write(folder.join(name), bytes).map_err(|error| fault(&error))?;
        }
        Ok(())
    }
}

/// Copies a blob to a file that does not exist yet; other bytes than its digest's are refused.
pub(super) fn copy(reader: impl Read, digest: Digest, size: u64, path: &Path) -> Answer<()> {
    let mut file = File::create_new(path).map_err(|error| fault(&error))?;
    let mut reader = reader.take(size.saturating_add(1));
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = reader.read(&mut buffer).map_err(|error| fault(&format!("{digest}: {error}")))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(|error| fault(&error))?;
    }
    let (found, bytes) = hasher.finish();
    if (found, bytes) == (digest, size) {
        return Ok(());
    }
    let report = Report::new(Exit::Unanswered, format!("a blob is not what it is named for: {digest}"))
        .fact("expected", format!("{digest}, {size} bytes"))
        .fact("found", format!("{found}, {bytes} bytes"))
        .consequence("Nothing was written.");
    Err(report.into())
}

fn fault(fault: &dyn std::fmt::Display) -> Report {
    Report::new(Exit::Unanswered, format!("cannot write the capsule: {fault}")).consequence("Nothing was written.")
}
