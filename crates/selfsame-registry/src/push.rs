//! Pushing: blobs first, then manifests by digest, a tag last.

use selfsame_core::Digest;
use selfsame_http::{Body, Method};

use crate::blob::Source;
use crate::manifest::Document;
use crate::repository::Ask;
use crate::scope::Scope;
use crate::upload::{Upload, mount_query};
use crate::{MANIFEST_BYTES, RegistryError, Repository, Target};

/// How a blob came to be where it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was there.
    Present,
    /// The registry took it from another repository of its own.
    Mounted,
    /// It was uploaded.
    Uploaded,
}

impl Repository<'_> {
    /// Sees to it that the registry has a blob, sending it only if it must. `from` are other repositories of the same
    /// registry that may have it.
    pub fn push_blob(
        &self,
        digest: &Digest,
        size: u64,
        source: Source<'_>,
        from: &[String],
    ) -> Result<Sent, RegistryError> {
        if self.has_blob(digest)?.is_some() {
            return Ok(Sent::Present);
        }
        let what = format!("the upload of {}", self.blob_name(digest));
        let mut scope = self.scope();
        let mut session = None;
        for other in from.iter().filter(|other| *other != self.name()) {
            let both = Scope { from: Some(other.clone()), ..scope.clone() };
            let ask = Ask { scope: both, ..self.ask(Method::Post, &mount_query(digest, other))? };
            // A registry that may not say whether the other repository exists refuses; then it is uploaded.
            let Ok(answer) = self.send(&ask, &what) else { continue };
            match answer.response.status {
                201 => return Ok(Sent::Mounted),
                202 => {
                    session = Some(self.session(&what, &answer)?);
                    scope = ask.scope;
                    break;
                }
                _ => {}
            }
        }
        self.upload(&Upload { digest: *digest, size, source, scope, what }, session)?;
        Ok(Sent::Uploaded)
    }

    /// Puts a manifest or index under its digest or a tag, and among the referrers of its subject, if it has one. What it
    /// names must be there.
    pub fn push_manifest(&self, bytes: &[u8], media_type: &str, target: &Target) -> Result<Digest, RegistryError> {
        let what = self.manifest_name(target);
        let (host, digest) = (self.host(), Digest::of(bytes));
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(RegistryError::TooLarge { host, what, limit_bytes: MANIFEST_BYTES });
        }
        if let Target::Digest(expected) = *target
            && expected != digest
        {
            return Err(RegistryError::WrongDigest { host, what, expected, found: digest });
        }
        let document = Document::parse(bytes, media_type).map_err(|source| RegistryError::Document {
            host: self.host(),
            what: what.clone(),
            source,
        })?;
        let mut ask = self.ask(Method::Put, &format!("manifests/{target}"))?;
        ask.headers.push(("Content-Type", media_type.to_owned()));
        ask.body = Body::Bytes(bytes);
        let answer = self.send(&ask, &what)?;
        if !matches!(answer.response.status, 200..=204) {
            return Err(self.fault(&what, answer));
        }
        if let Some(found) = answer.header("docker-content-digest").and_then(|found| found.parse::<Digest>().ok())
            && found != digest
        {
            return Err(RegistryError::WrongDigest { host, what, expected: digest, found });
        }
        // The header says that the registry lists it by itself (distribution-spec, "Pushing Manifests with Subject").
        if let Some(subject) = document.subject()
            && answer.header("oci-subject").is_none()
        {
            self.list_referrer(&subject.digest, bytes, media_type, &document)?;
        }
        Ok(digest)
    }
}
