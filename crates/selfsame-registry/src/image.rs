//! An image: from a tag or digest through indexes to the manifests of the wanted platforms, then their blobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use selfsame_core::{Digest, Platform, media};
use selfsame_oci::{Descriptor, Manifest};
use selfsame_store::Store;
use serde::Deserialize;

use crate::manifest::{Document, Fetched, is_index, is_manifest};
use crate::{BlobProgress, RegistryError, Repository, Target};

/// Indexes in indexes, as deep as is followed.
const DEPTH: usize = 4;
/// Indexes below one, as many as are read.
const INDEXES: usize = 64;
/// The largest image config that is read for its platform.
const CONFIG_BYTES: u64 = 4 << 20;
/// Docker's spelling of an image config.
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// How many blobs are pulled at once.
const AT_ONCE: usize = 4;

/// What a reference means, for some platforms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The manifest or index that the reference names.
    pub root: Fetched,
    /// One for each wanted platform, in their order. Of an artifact that is no image: its manifest, once.
    pub platforms: Vec<PlatformImage>,
}

/// The image of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformImage {
    /// As the index or the config says it; none for an artifact.
    pub platform: Option<Platform>,
    /// Of the manifest.
    pub descriptor: Descriptor,
    /// The manifest as it came.
    pub bytes: Vec<u8>,
    /// What it says.
    pub manifest: Manifest,
}

impl Repository<'_> {
    /// The manifests of an image for the wanted platforms; their blobs are not read, but for a config that alone says the
    /// platform. A platform without a variant takes the first that has its operating system and architecture.
    pub fn image(&self, target: &Target, wanted: &[Platform]) -> Result<Image, RegistryError> {
        let root = self.manifest(target)?;
        let what = self.manifest_name(target);
        let index = match &root.document {
            Document::Manifest(manifest) => {
                let image = self.alone(&root, manifest, wanted, &what)?;
                return Ok(Image { root, platforms: vec![image] });
            }
            Document::Index(index) => index.manifests.clone(),
        };
        let mut candidates = Vec::new();
        self.collect(&what, &index, 1, &mut BTreeSet::from([root.descriptor.digest]), &mut candidates)?;
        let mut platforms = Vec::new();
        for platform in wanted {
            let found = candidates.iter().find(|(found, _)| fits(found, platform)).ok_or_else(|| {
                let has: BTreeSet<String> = candidates.iter().map(|(platform, _)| platform.to_string()).collect();
                RegistryError::NoPlatform {
                    host: self.host(),
                    what: what.clone(),
                    wanted: platform.to_string(),
                    has: has.into_iter().take(32).collect(),
                }
            })?;
            let fetched = self.described(&found.1)?;
            let Document::Manifest(manifest) = fetched.document else {
                return Err(self.unexpected(&what, 200, " an index where a manifest is announced"));
            };
            let (descriptor, bytes) = (fetched.descriptor, fetched.bytes);
            platforms.push(PlatformImage { platform: Some(found.0.clone()), descriptor, bytes, manifest });
        }
        Ok(Image { root, platforms })
    }

    /// Brings every manifest, config and layer of an image into the store, several at once; what is there is not asked for.
    pub fn pull(&self, image: &Image, store: &Store, progress: Option<&BlobProgress<'_>>) -> Result<(), RegistryError> {
        let stored = |what: &str, source| RegistryError::Store { what: what.to_owned(), source };
        let mut blobs: BTreeMap<Digest, Descriptor> = BTreeMap::new();
        let manifests = image.platforms.iter().map(|image| (&image.descriptor, &image.bytes));
        for (descriptor, bytes) in manifests.chain([(&image.root.descriptor, &image.root.bytes)]) {
            store.put_bytes(bytes, false).map_err(|source| stored(&descriptor.digest.to_string(), source))?;
        }
        for image in &image.platforms {
            for descriptor in std::iter::once(&image.manifest.config).chain(&image.manifest.layers) {
                blobs.insert(descriptor.digest, descriptor.clone());
            }
        }
        let queue = Mutex::new(blobs.into_values());
        let failed = Mutex::new(None);
        let next = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(descriptor) = next() {
                        if let Err(error) = self.blob(&descriptor, store, progress) {
                            failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
                            // Nobody begins another one.
                            while next().is_some() {}
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// A manifest that no index describes: of an image, its config says the platform.
    fn alone(
        &self,
        root: &Fetched,
        manifest: &Manifest,
        wanted: &[Platform],
        what: &str,
    ) -> Result<PlatformImage, RegistryError> {
        #[derive(Deserialize)]
        struct Wire {
            os: String,
            architecture: String,
            #[serde(default)]
            variant: Option<String>,
        }
        let is_image = [media::CONFIG, DOCKER_CONFIG].contains(&manifest.config.media_type.as_str());
        let mut platform = None;
        if is_image {
            let name = format!("config {} of {}", manifest.config.digest, self.name());
            let bytes = self.blob_bytes(&manifest.config, CONFIG_BYTES)?;
            let wire: Wire = selfsame_core::json::parse_as(&bytes, selfsame_core::json::Limits::DOCUMENT)
                .map_err(|error| self.unexpected(&name, 200, &format!(" {error}")))?;
            let Wire { os, architecture, variant } = wire;
            platform = Some(Platform { os, architecture, variant: variant.filter(|variant| !variant.is_empty()) });
        }
        if let Some(found) = &platform
            && let Some(missing) = wanted.iter().find(|wanted| !fits(found, wanted))
        {
            return Err(RegistryError::NoPlatform {
                host: self.host(),
                what: what.to_owned(),
                wanted: missing.to_string(),
                has: vec![found.to_string().chars().take(100).flat_map(char::escape_debug).collect()],
            });
        }
        let (descriptor, bytes) = (root.descriptor.clone(), root.bytes.clone());
        Ok(PlatformImage { platform, descriptor, bytes, manifest: manifest.clone() })
    }

    /// The manifests with a platform, in order, those of indexes in the index at its place.
    fn collect(
        &self,
        what: &str,
        manifests: &[Descriptor],
        depth: usize,
        seen: &mut BTreeSet<Digest>,
        found: &mut Vec<(Platform, Descriptor)>,
    ) -> Result<(), RegistryError> {
        for descriptor in manifests {
            if is_manifest(&descriptor.media_type) {
                found.extend(descriptor.platform.clone().map(|platform| (platform, descriptor.clone())));
                continue;
            }
            if !is_index(&descriptor.media_type) || !seen.insert(descriptor.digest) {
                continue;
            }
            if depth >= DEPTH {
                return Err(RegistryError::TooDeep { host: self.host(), what: what.to_owned(), limit: DEPTH });
            }
            if seen.len() > INDEXES {
                let (host, what) = (self.host(), what.to_owned());
                return Err(RegistryError::TooMany { host, what, items: "indexes", limit: INDEXES });
            }
            if let Document::Index(index) = self.described(descriptor)?.document {
                self.collect(what, &index.manifests, depth + 1, seen, found)?;
            }
        }
        Ok(())
    }
}

/// Whether `found` runs what is `wanted`. 64-bit ARM has one variant in use, `v8`, which is written or not.
fn fits(found: &Platform, wanted: &Platform) -> bool {
    let variant = |platform: &Platform| match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("arm64", Some("v8")) => None,
        (_, variant) => variant.map(str::to_owned),
    };
    let same_variant = || variant(wanted).is_none_or(|wanted| variant(found).is_some_and(|found| found == wanted));
    found.os == wanted.os && found.architecture == wanted.architecture && same_variant()
}
