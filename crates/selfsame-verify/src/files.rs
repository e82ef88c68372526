//! The release as named files, wherever they lie: a folder, a tar.

use std::collections::BTreeMap;
use std::io::{self, Read};

/// The run record beside the layout. Signed, outside the compared set.
pub const RUN_RECORD_FILE: &str = "run-record.sigstore.json";
/// What the names of rebuild statements beside the layout begin with.
pub const REBUILD_PREFIX: &str = "rebuild-";
/// What the names of verification summaries beside the layout begin with: envelopes, and no bundles.
pub const SUMMARY_PREFIX: &str = "vsa-";
/// What they end with.
pub const SUMMARY_SUFFIX: &str = ".dsse.json";
/// What the names of bundles beside the layout end with.
pub const SIDE_SUFFIX: &str = ".sigstore.json";

/// Access to the files of one release.
///
/// Names are relative, `/` between their parts: `index.json`, `blobs/sha256/<hex>`. Implementations follow no link,
/// and give an error for a name that stands for anything but a regular file or that stands for two.
pub trait ReleaseFiles: Sync {
    /// The whole file, or nothing where there is none of that name. A file of more than `limit` bytes is an error of
    /// the kind [`io::ErrorKind::FileTooLarge`], found without reading it whole.
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// The file from its beginning, or nothing where there is none of that name.
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>>;

    /// Every name that is not a folder, links and special files included, in any order. A name that is not UTF-8 is
    /// given with replacement characters: it is none that a release has.
    fn names(&self) -> io::Result<Vec<String>>;
}

impl<F: ReleaseFiles + ?Sized> ReleaseFiles for &F {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        (**self).read(name, limit)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        (**self).open(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        (**self).names()
    }
}

impl<F: ReleaseFiles + ?Sized> ReleaseFiles for Box<F> {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        (**self).read(name, limit)
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        (**self).open(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        (**self).names()
    }
}

/// A release in memory.
impl ReleaseFiles for BTreeMap<String, Vec<u8>> {
    fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match self.get(name) {
            Some(bytes) if bytes.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            bytes => Ok(bytes.cloned()),
        }
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(self.get(name).map(|bytes| Box::new(&bytes[..]) as Box<dyn Read + Send>))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.keys().cloned().collect())
    }
}
