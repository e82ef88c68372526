//! Manifests, read by tag or digest and checked over their raw bytes.

use selfsame_core::{Digest, media};
use selfsame_http::Method;
use selfsame_oci::{Descriptor, Index, Manifest};

use crate::repository::Answer;
use crate::{MANIFEST_BYTES, RegistryError, Repository, Target};

/// Docker's spelling of a manifest and an index.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What is read, the better known first.
const READ: [&str; 4] = [media::MANIFEST, media::INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

/// A manifest or an index as it came, with its digest checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Of the bytes.
    pub descriptor: Descriptor,
    /// As they came.
    pub bytes: Vec<u8>,
    /// What they say.
    pub document: Document,
}

/// A manifest or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image or artifact.
    Manifest(Manifest),
    /// A list of them.
    Index(Index),
}

impl Document {
    /// Reads what has been announced with `media_type`.
    pub(crate) fn parse(bytes: &[u8], media_type: &str) -> Result<Self, selfsame_oci::DocumentError> {
        if is_index(media_type) {
            return Index::parse(bytes, media_type).map(Self::Index);
        }
        Manifest::parse(bytes, media_type).map(Self::Manifest)
    }

    /// The manifest that this one says something about.
    #[must_use]
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Manifest(manifest) => manifest.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }
}

/// Whether a media type is that of an index, OCI's or Docker's.
pub(crate) fn is_index(media_type: &str) -> bool {
    [media::INDEX, DOCKER_INDEX].contains(&media_type)
}

/// Whether a media type is that of a manifest, OCI's or Docker's.
pub(crate) fn is_manifest(media_type: &str) -> bool {
    [media::MANIFEST, DOCKER_MANIFEST].contains(&media_type)
}

impl Repository<'_> {
    /// What a target is now, without its bytes: one HEAD request, or the whole manifest where the registry does not say
    /// enough. The registry's word; whoever wants to be sure asks for [`Repository::manifest`].
    pub fn head(&self, target: &Target) -> Result<Descriptor, RegistryError> {
        let what = self.manifest_name(target);
        let mut ask = self.ask(Method::Head, &format!("manifests/{target}"))?;
        ask.headers.push(("Accept", READ.join(", ")));
        let answer = self.send(&ask, &what)?;
        match answer.response.status {
            200 => {}
            // Not everybody has HEAD.
            405 | 501 => return Ok(self.manifest(target)?.descriptor),
            _ => return Err(self.fault(&what, answer)),
        }
        let digest = answer.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        let size = answer.header("content-length").and_then(|length| length.parse::<u64>().ok());
        let media_type = media_type(&answer);
        match (digest, size) {
            (Some(found), _) if matches!(target, Target::Digest(expected) if *expected != found) => {
                let Target::Digest(expected) = *target else { unreachable!("matched above") };
                Err(RegistryError::WrongDigest { host: self.host(), what, expected, found })
            }
            (Some(digest), Some(size)) if READ.contains(&media_type.as_str()) => {
                Ok(Descriptor::new(media_type, digest, size))
            }
            _ => Ok(self.manifest(target)?.descriptor),
        }
    }

    /// A manifest or an index of at most 4 MiB.
    pub fn manifest(&self, target: &Target) -> Result<Fetched, RegistryError> {
        let what = self.manifest_name(target);
        let mut ask = self.ask(Method::Get, &format!("manifests/{target}"))?;
        ask.headers.push(("Accept", READ.join(", ")));
        ask.limit_bytes = MANIFEST_BYTES + 1;
        let answer = self.send(&ask, &what)?;
        if answer.response.status != 200 {
            return Err(self.fault(&what, answer));
        }
        let announced = answer.header("docker-content-digest").and_then(|digest| digest.parse::<Digest>().ok());
        let media_type = media_type(&answer);
        let bytes = self.body(&what, answer, MANIFEST_BYTES)?;
        let found = Digest::of(&bytes);
        // Of a tag, the registry's own word; of a digest, the asker's, and then the word does not count.
        let expected = match target {
            Target::Digest(expected) => Some(*expected),
            Target::Tag(_) => announced,
        };
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(RegistryError::WrongDigest { host: self.host(), what, expected, found });
        }
        self.read(&what, &media_type, bytes)
    }

    /// The manifest or index that a descriptor describes: its digest, its size and its media type.
    pub fn described(&self, descriptor: &Descriptor) -> Result<Fetched, RegistryError> {
        let target = Target::Digest(descriptor.digest);
        let what = self.manifest_name(&target);
        if descriptor.size > MANIFEST_BYTES {
            return Err(RegistryError::TooLarge { host: self.host(), what, limit_bytes: MANIFEST_BYTES });
        }
        let fetched = self.manifest(&target)?;
        let found_bytes = fetched.descriptor.size;
        if found_bytes != descriptor.size {
            let expected_bytes = descriptor.size;
            return Err(RegistryError::WrongSize { host: self.host(), what, expected_bytes, found_bytes });
        }
        if fetched.descriptor.media_type != descriptor.media_type {
            return self.read(&what, &descriptor.media_type, fetched.bytes);
        }
        Ok(fetched)
    }

    fn read(&self, what: &str, announced: &str, bytes: Vec<u8>) -> Result<Fetched, RegistryError> {
        // Servers of plain files announce `application/json` or nothing; then the document's own word counts.
        let media_type =
            if READ.contains(&announced) { announced.to_owned() } else { own_media_type(&bytes, announced) };
        if !READ.contains(&media_type.as_str()) {
            let media_type = media_type.chars().take(100).flat_map(char::escape_debug).collect();
            return Err(RegistryError::MediaType { host: self.host(), what: what.to_owned(), media_type });
        }
        let document = Document::parse(&bytes, &media_type).map_err(|source| {
            let (host, what) = (self.host(), what.to_owned());
            RegistryError::Document { host, what, source }
        })?;
        Ok(Fetched { descriptor: Descriptor::of(media_type, &bytes), bytes, document })
    }

    pub(crate) fn manifest_name(&self, target: &Target) -> String {
        format!("manifest {target} of {}", self.name())
    }
}

/// `Content-Type` without its parameters.
fn media_type(answer: &Answer) -> String {
    let header = answer.header("content-type").unwrap_or_default();
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `mediaType` in the document; the announced one where it has none.
fn own_media_type(bytes: &[u8], announced: &str) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Own {
        media_type: Option<String>,
    }
    let own = serde_json::from_slice::<Own>(bytes).ok().and_then(|own| own.media_type);
    own.unwrap_or_else(|| announced.to_owned())
}
