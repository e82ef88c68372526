//! Blobs, pulled into the store and read from where they are to be pushed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use selfsame_core::Digest;
use selfsame_http::{Download, HttpError, Method, Progress};
use selfsame_oci::Descriptor;
use selfsame_store::Store;

use crate::repository::Ask;
use crate::{RegistryError, Repository, Target};

/// Where the bytes of a blob are that is pushed. They are streamed, also when they are sent again.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// In memory.
    Bytes(&'a [u8]),
    /// In the store, under the blob's own digest.
    Store(&'a Store),
    /// In a file: of a release folder, for one.
    File(&'a Path),
}

impl<'a> Source<'a> {
    /// The `len` bytes from `offset` on.
    pub(crate) fn open(self, digest: &Digest, offset: u64, len: u64) -> io::Result<Box<dyn Read + 'a>> {
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Box::new(bytes[start..].take(len)))
            }
            Self::File(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file.take(len)))
            }
            Self::Store(store) => {
                let mut reader = store.open_blob(digest).map_err(io::Error::other)?;
                io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
                Ok(Box::new(reader.take(len)))
            }
        }
    }
}

/// Told how far a blob is. Several are pulled at once.
pub type BlobProgress<'a> = dyn Fn(&Digest, Progress) + Sync + 'a;

impl Repository<'_> {
    /// Brings a blob into the store, checked while it streams and taken up where it was cut. One that is there is not
    /// asked for, and an address in a descriptor (`urls` of foreign layers) is never followed.
    pub fn blob(
        &self,
        descriptor: &Descriptor,
        store: &Store,
        progress: Option<&BlobProgress<'_>>,
    ) -> Result<(), RegistryError> {
        let Descriptor { digest, size, .. } = *descriptor;
        let what = self.blob_name(&digest);
        let ask = self.ask(Method::Head, &format!("blobs/{digest}"))?;
        let url = ask.address.to_string();
        let tell = |now| progress.map_or((), |progress| progress(&digest, now));
        let mut first = true;
        loop {
            let mut download = Download::new(&url, size).expecting(digest, size);
            download.credential = self.registry.shown(self.base()?, &ask.scope);
            download.plain_http = !ask.address.https;
            download.chosen = true;
            download.progress = Some(&tell);
            match self.registry.client().download(&download, store) {
                Ok(_) => return Ok(()),
                // Nothing was shown, or what was shown is no longer good.
                Err(HttpError::Refused { status: 401, .. }) if first => {
                    first = false;
                    let answer = self.send(&ask, &what)?;
                    if answer.response.status != 200 {
                        return Err(self.fault(&what, answer));
                    }
                }
                Err(HttpError::OtherBytes { expected, expected_bytes, found, found_bytes, .. }) => {
                    let host = self.host();
                    return Err(if found_bytes == expected_bytes {
                        RegistryError::WrongDigest { host, what, expected, found }
                    } else {
                        RegistryError::WrongSize { host, what, expected_bytes, found_bytes }
                    });
                }
                // As many bytes as were announced are read, and one.
                Err(HttpError::TooLarge { .. }) => {
                    let (host, expected_bytes, found_bytes) = (self.host(), size, size.saturating_add(1));
                    return Err(RegistryError::WrongSize { host, what, expected_bytes, found_bytes });
                }
                Err(HttpError::Store { source, .. }) => return Err(RegistryError::Store { what, source }),
                Err(source) => return Err(self.http(&what, source)),
            }
        }
    }

    /// A blob of at most `limit_bytes`, in memory.
    pub fn blob_bytes(&self, descriptor: &Descriptor, limit_bytes: u64) -> Result<Vec<u8>, RegistryError> {
        let Descriptor { digest, size, .. } = *descriptor;
        let what = self.blob_name(&digest);
        if size > limit_bytes {
            return Err(RegistryError::TooLarge { host: self.host(), what, limit_bytes });
        }
        let ask = Ask { limit_bytes: size.saturating_add(1), ..self.ask(Method::Get, &format!("blobs/{digest}"))? };
        let answer = self.send(&ask, &what)?;
        if answer.response.status != 200 {
            return Err(self.fault(&what, answer));
        }
        let bytes = self.body(&what, answer, size).map_err(|error| match error {
            RegistryError::TooLarge { host, what, .. } => {
                RegistryError::WrongSize { host, what, expected_bytes: size, found_bytes: size.saturating_add(1) }
            }
            error => error,
        })?;
        let (found, found_bytes) = (Digest::of(&bytes), bytes.len() as u64);
        if found_bytes != size {
            return Err(RegistryError::WrongSize { host: self.host(), what, expected_bytes: size, found_bytes });
        }
        if found != digest {
            return Err(RegistryError::WrongDigest { host: self.host(), what, expected: digest, found });
        }
        Ok(bytes)
    }

    /// Whether the registry has a blob in this repository, and how large it says that it is.
    pub fn has_blob(&self, digest: &Digest) -> Result<Option<u64>, RegistryError> {
        let what = self.blob_name(digest);
        let ask = self.ask(Method::Head, &format!("blobs/{digest}"))?;
        let answer = self.send(&ask, &what)?;
        match answer.response.status {
            200 => Ok(Some(answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0))),
            404 => Ok(None),
            _ => Err(self.fault(&what, answer)),
        }
    }

    /// Whether the registry has a manifest, by its digest or a tag.
    pub fn has_manifest(&self, target: &Target) -> Result<bool, RegistryError> {
        match self.head(target) {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn blob_name(&self, digest: &Digest) -> String {
        format!("blob {digest} of {}", self.name())
    }
}
