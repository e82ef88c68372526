//! The store that machines share: inputs by their digest, and on request results of actions. docs/store/shared.md.
//!
//! A folder, or a repository of a registry. Nothing that comes out of it is believed but by its digest.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use selfsame_core::Digest;
use selfsame_http::RemoteStore;
use selfsame_registry::{Host, Reference, Registry, RegistryError};
use selfsame_store::{Store, StoreError};

use crate::parallel::each;
use crate::pins::KeptPins;
use crate::results::KeptResult;
use crate::shared_folder::SharedFolder;
use crate::shared_registry::SharedRegistry;

/// Why the shared store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The folder is not there: not mounted, perhaps.
    #[error("the shared store `{}` is not there", path.display())]
    NotThere {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something else.
    #[error("`{}` is no shared store: it holds `{stranger}`", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// Something in it.
        stranger: String,
    },
    /// The folder was written by another version.
    #[error("the shared store `{}` is of another version: `{found}`", path.display())]
    Version {
        /// The folder.
        path: PathBuf,
        /// What its marker says.
        found: String,
    },
    /// A file of the folder.
    #[error("cannot {operation} `{}` of the shared store", path.display())]
    Io {
        /// A verb.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other bytes than their name promises.
    #[error("{place} has other bytes for {digest}")]
    Damaged {
        /// The shared store.
        place: String,
        /// What was asked for.
        digest: Digest,
    },
    /// More files than one result may have there.
    #[error("a result with {files} files is not kept in {place}: at most {limit} are")]
    TooMany {
        /// The shared store.
        place: String,
        /// How many there are.
        files: usize,
        /// How many are kept.
        limit: usize,
    },
    /// The registry.
    #[error("the shared store: {source}")]
    Registry {
        /// What it was.
        source: RegistryError,
    },
    /// The store of this machine.
    #[error("{source}")]
    Store {
        /// Why.
        source: StoreError,
    },
}

impl SharedError {
    /// Whether the same may succeed later, as it is.
    #[must_use]
    pub fn retry_may_help(&self) -> bool {
        match self {
            Self::Registry { source } => source.retry_may_help(),
            Self::NotThere { .. } => true,
            _ => false,
        }
    }
}

impl From<RegistryError> for SharedError {
    fn from(source: RegistryError) -> Self {
        Self::Registry { source }
    }
}

impl From<StoreError> for SharedError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}

/// A store that machines share. Safe to use by many at once.
#[derive(Debug)]
pub struct SharedStore<'a> {
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    Folder(SharedFolder),
    Registry(SharedRegistry<'a>),
}

impl fmt::Display for SharedStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(folder) => write!(f, "`{}`", folder.path().display()),
            Place::Registry(registry) => write!(f, "oci://{}", registry.reference()),
        }
    }
}

impl<'a> SharedStore<'a> {
    /// The one that is configured. A folder is looked at, a registry not yet.
    ///
    /// # Errors
    /// The folder is not there, or is something else.
    pub fn open(remote: &RemoteStore, registry: &'a Registry) -> Result<Self, SharedError> {
        let place = match remote {
            RemoteStore::Folder(path) => Place::Folder(SharedFolder::open(path)?),
            RemoteStore::Registry { host, repository } => {
                let named = |source| SharedError::Registry { source: RegistryError::Origin { source } };
                let host = Some(host.parse::<Host>().map_err(named)?);
                let reference = Reference { host, repository: repository.clone(), tag: None, digest: None };
                Place::Registry(SharedRegistry::new(registry, reference))
            }
        };
        Ok(Self { place })
    }

    /// Whether a blob is kept there.
    ///
    /// # Errors
    /// That it could not be asked.
    pub fn has(&self, digest: &Digest) -> Result<bool, SharedError> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.size(digest)?.is_some()),
            Place::Registry(registry) => registry.has(digest),
        }
    }

    /// [`SharedStore::has`] for many, some at once, in their order.
    ///
    /// # Errors
    /// Of the first that could not be asked for.
    pub fn has_each(&self, digests: &[Digest]) -> Result<Vec<bool>, SharedError> {
        each(digests, |digest| self.has(digest))
    }

    /// Brings a blob into the store of this machine, if it is there: how many bytes it has. `size` is what is known.
    ///
    /// # Errors
    /// That it could not be asked, or that it has other bytes; then nothing is stored.
    pub fn get(&self, digest: &Digest, size: Option<u64>, store: &Store) -> Result<Option<u64>, SharedError> {
        let got = match &self.place {
            Place::Folder(folder) => folder.get(digest, size, store),
            Place::Registry(registry) => registry.get(digest, size, store),
        };
        match got {
            Err(SharedError::Store { source: StoreError::Unexpected { .. } }) => Err(self.damaged(digest)),
            Err(SharedError::Registry {
                source: RegistryError::WrongDigest { .. } | RegistryError::WrongSize { .. },
            }) => Err(self.damaged(digest)),
            other => other,
        }
    }

    /// [`SharedStore::get`] for many, some at once; one result each, in their order. Once the store is away the others
    /// are not asked for: they count as not there.
    pub fn get_each(&self, blobs: &[(Digest, Option<u64>)], store: &Store) -> Vec<Result<Option<u64>, SharedError>> {
        let away = AtomicBool::new(false);
        let got = each(blobs, |(digest, size)| {
            if away.load(Ordering::Relaxed) {
                return Ok::<_, Infallible>(Ok(None));
            }
            let got = self.get(digest, *size, store);
            if got.as_ref().is_err_and(SharedError::retry_may_help) {
                away.store(true, Ordering::Relaxed);
            }
            Ok(got)
        });
        got.unwrap_or_else(|never| match never {})
    }

    /// [`SharedStore::put`] for many, some at once. How many were sent, and their bytes.
    ///
    /// # Errors
    /// Of the first that failed; others may be there all the same.
    pub fn put_each(&self, blobs: &[(Digest, u64)], store: &Store) -> Result<(u64, u64), SharedError> {
        let sent = each(blobs, |(digest, _)| self.put(digest, store))?;
        let sent = blobs.iter().zip(sent).filter(|(_, sent)| *sent);
        Ok(sent.fold((0, 0), |(files, bytes), ((_, size), _)| (files + 1, bytes + size)))
    }

    /// Keeps a blob of this machine's store there. Says whether it was sent.
    ///
    /// # Errors
    /// That the blob is not here, or could not be sent.
    pub fn put(&self, digest: &Digest, store: &Store) -> Result<bool, SharedError> {
        match &self.place {
            Place::Folder(folder) => folder.put(digest, store),
            Place::Registry(registry) => registry.put(digest, store),
        }
    }

    /// The result of an action, if one is kept there; its output and everything in it is in the store of this machine
    /// then. What is damaged or of another version counts as none.
    ///
    /// # Errors
    /// That it could not be asked.
    pub fn result(&self, action: &Digest, store: &Store) -> Result<Option<KeptResult>, SharedError> {
        let found = match &self.place {
            Place::Folder(folder) => folder.result(action)?,
            Place::Registry(registry) => registry.result(action)?,
        };
        let Some(found) = found.and_then(|bytes| KeptResult::parse(&bytes, action)) else { return Ok(None) };
        match found.bring(self, store) {
            Err(SharedError::Damaged { .. }) => Ok(None),
            brought => Ok(brought?.then_some(found)),
        }
    }

    /// Keeps the result of an action there, with its output. Says whether it was sent.
    ///
    /// # Errors
    /// That something of it is not here, or could not be sent.
    pub fn put_result(&self, action: &Digest, result: &KeptResult, store: &Store) -> Result<bool, SharedError> {
        match &self.place {
            Place::Folder(folder) => folder.put_result(action, result, store),
            Place::Registry(registry) => registry.put_result(action, result, store),
        }
    }

    /// Which files answer these pins, if somebody said so. What is damaged or of another version counts as nothing.
    ///
    /// # Errors
    /// That it could not be asked.
    pub fn pins(&self, key: &Digest) -> Result<Option<KeptPins>, SharedError> {
        let found = match &self.place {
            Place::Folder(folder) => folder.pins(key)?,
            Place::Registry(registry) => registry.pins(key)?,
        };
        Ok(found.and_then(|bytes| KeptPins::parse(&bytes, key)))
    }

    /// Says there which files answer pins; they themselves are [put](SharedStore::put_each) before. Whether that was new.
    ///
    /// # Errors
    /// That it could not be sent.
    pub fn put_pins(&self, pins: &KeptPins) -> Result<bool, SharedError> {
        if self.pins(pins.key())?.as_ref() == Some(pins) {
            return Ok(false);
        }
        match &self.place {
            Place::Folder(folder) => folder.put_pins(pins.key(), &pins.to_bytes())?,
            Place::Registry(registry) => registry.put_pins(pins.key(), &pins.to_bytes())?,
        }
        Ok(true)
    }

    fn damaged(&self, digest: &Digest) -> SharedError {
        SharedError::Damaged { place: self.to_string(), digest: *digest }
    }
}
