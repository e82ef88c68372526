//! An image in a registry, asked for through this machine's configuration and credentials.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use selfsame_core::{Digest, Platform};
use selfsame_http::Progress;
use selfsame_lock::{Claim, Purl};
use selfsame_oci::Descriptor;
use selfsame_registry::{Configuration, Credentials, Reference, Registry, Scheme, Target};
use selfsame_store::Store;

use super::error::OciError;
use super::files::DOCUMENT_BYTES;
use super::place::{Found, check_image};
use crate::context::{Context, FetchProgress};
use crate::parallel;
use crate::resolve::FetchError;

/// A blob of which only digest and size are known.
const BLOB: &str = "application/octet-stream";

/// How much of each blob was told. What comes to nothing is taken back.
struct Told<'a> {
    progress: &'a dyn FetchProgress,
    bytes: Mutex<BTreeMap<Digest, u64>>,
}

impl Told<'_> {
    fn now(&self, digest: &Digest, bytes: u64) {
        let mut all = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(*digest, bytes).unwrap_or(0);
        if bytes >= before {
            self.progress.bytes(bytes - before);
        } else {
            self.progress.lost(before - bytes);
        }
    }
}

/// What a reference means on this machine.
pub(super) struct Remote {
    input: String,
    reference: Reference,
    registry: Registry,
    /// Whether every place that may be asked speaks https.
    encrypted: bool,
}

impl Remote {
    /// Asks nothing yet. Without a network there is nobody to ask.
    pub(super) fn open(input: &str, reference: &str, cx: &Context<'_>) -> Result<Self, FetchError> {
        let reference: Reference = reference.parse().map_err(OciError::from)?;
        if cx.offline {
            let name = reference.repository.rsplit('/').next().unwrap_or(&reference.repository);
            let version = reference.digest.map(|digest| digest.to_string());
            let purl = Purl::new("oci", None, name, version.as_deref(), &[])?;
            return Err(FetchError::Offline { input: input.to_owned(), purl });
        }
        let configuration = Configuration::read(cx.environment, cx.http.origins()).map_err(OciError::from)?;
        let places = configuration.to_pull(&reference).map_err(OciError::from)?;
        let encrypted = places.iter().all(|place| place.scheme == Scheme::Https);
        let credentials = Credentials::read(cx.environment).map_err(OciError::from)?;
        let registry = Registry::new(cx.http, configuration, credentials);
        Ok(Self { input: input.to_owned(), reference, registry, encrypted })
    }

    /// Who vouches for the manifest: the definition where it names a digest, else who answered.
    pub(super) fn claim(&self) -> Claim {
        match (self.reference.target(), self.encrypted) {
            (Target::Digest(_), _) => Claim::Definition,
            (Target::Tag(_), true) => Claim::TlsOnly,
            (Target::Tag(_), false) => Claim::Plaintext,
        }
    }

    /// The image for each platform.
    pub(super) fn find(&self, wanted: &[Platform]) -> Result<Vec<Found>, OciError> {
        let target = self.reference.target();
        let (repository, image) = self.registry.first(&self.reference, |place| place.image(&target, wanted))?;
        let name = self.reference.repository.rsplit('/').next().map(str::to_owned);
        let mut found = Vec::new();
        for image in image.platforms {
            let (descriptor, manifest) = (image.descriptor, image.manifest);
            let config = repository.blob_bytes(&manifest.config, DOCUMENT_BYTES)?;
            let platform = check_image(&self.input, &descriptor, &manifest, &config, image.platform.as_ref())?;
            found.push(Found { platform, descriptor, bytes: image.bytes, manifest, name: name.clone() });
        }
        Ok(found)
    }

    /// Puts blobs into the store, several at once. What is there is not asked for.
    pub(super) fn bring(&self, blobs: &[(Digest, u64)], cx: &Context<'_>) -> Result<(), OciError> {
        let mut missing = Vec::new();
        for &(digest, size) in blobs {
            if cx.store.blob_size(&digest)? != Some(size) {
                missing.push((digest, size));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let size = missing.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        cx.progress.expect(&self.input, missing.len() as u64, Some(size));
        let told = Told { progress: cx.progress, bytes: Mutex::default() };
        let tell = |digest: &Digest, progress: Progress| told.now(digest, progress.done_bytes);
        self.registry.first(&self.reference, |place| {
            parallel::try_map(&missing, |&(digest, size)| {
                let brought = place.blob(&Descriptor::new(BLOB, digest, size), cx.store, Some(&tell));
                match &brought {
                    Ok(()) => cx.progress.came(&self.input, &digest.to_string(), size),
                    Err(_) => told.now(&digest, 0),
                }
                brought
            })
        })?;
        Ok(())
    }

    /// Puts a manifest into the store.
    pub(super) fn bring_manifest(&self, digest: &Digest, store: &Store) -> Result<(), OciError> {
        let target = Target::Digest(*digest);
        let (_, manifest) = self.registry.first(&self.reference.with(&target), |place| place.manifest(&target))?;
        store.put_bytes(&manifest.bytes, false)?;
        Ok(())
    }
}
