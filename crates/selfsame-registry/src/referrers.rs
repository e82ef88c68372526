//! What refers to a manifest: the registry's own list, or the tag that clients keep where it has none (distribution-spec,
//! "Listing Referrers" and "Referrers Tag Schema").

use std::collections::BTreeSet;

use selfsame_core::{Digest, json, media};
use selfsame_http::{Body, Method};
use selfsame_oci::{Descriptor, Index};
use serde_json::{Value, json as value};

use crate::address::escape;
use crate::manifest::Document;
use crate::{MANIFEST_BYTES, RegistryError, Repository, Target};

/// How often a list is written anew because others write it, too.
const ATTEMPTS: u32 = 8;

impl Repository<'_> {
    /// The manifests whose subject is `digest`, each once, in the registry's order; of one `artifact_type` if one is wanted. An empty
    /// list where there is none.
    pub fn referrers(&self, digest: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>, RegistryError> {
        let what = format!("list of referrers of {digest} of {}", self.name());
        let query = artifact_type.map(|kind| format!("?artifactType={}", escape(kind))).unwrap_or_default();
        let mut found = Vec::new();
        let listed = self.pages(&format!("referrers/{digest}{query}"), &what, &mut |bytes| {
            let index = Index::parse(bytes, media::INDEX).map_err(|source| RegistryError::Document {
                host: self.host(),
                what: what.clone(),
                source,
            })?;
            found.extend(index.manifests);
            Ok(found.len())
        });
        match listed {
            Ok(()) => {}
            // No such list: the registry is older than it, so clients keep one.
            Err(RegistryError::NotFound { .. }) => match self.manifest(&Target::Tag(tag_of(digest))) {
                Ok(fetched) => {
                    let Document::Index(index) = fetched.document else {
                        return Err(self.unexpected(&what, 200, " its tag names no index"));
                    };
                    found = index.manifests;
                }
                Err(RegistryError::NotFound { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
        // A registry may list one as often as it was pushed.
        let mut seen = BTreeSet::new();
        found.retain(|descriptor| seen.insert(descriptor.digest));
        // Whether the registry filtered or not (`OCI-Filters-Applied`).
        found.retain(|descriptor| {
            artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted))
        });
        Ok(found)
    }

    /// Adds a manifest to the list of its subject's referrers that clients keep. What else stands in the list stays as it
    /// is.
    pub(crate) fn list_referrer(
        &self,
        subject: &Digest,
        bytes: &[u8],
        media_type: &str,
        document: &Document,
    ) -> Result<(), RegistryError> {
        let tag = tag_of(subject);
        let item = list_item(bytes, media_type, document);
        let _alone = self.registry.lists.lock();
        for attempt in 1..=ATTEMPTS {
            let (mut list, condition) = self.list(&tag)?;
            if holds(&list, &item) {
                return Ok(());
            }
            add(&mut list, item.clone());
            if self.put_list(&tag, &list, condition)? {
                // Without conditions on the server's side the last writer wins: whether it was us is seen by reading.
                let (now, _) = self.list(&tag)?;
                if holds(&now, &item) {
                    return Ok(());
                }
            }
            self.registry.pause(attempt.min(4), None);
        }
        Err(RegistryError::Contended { host: self.host(), tag, attempts: ATTEMPTS })
    }

    /// The list as it is, or a new one, and the condition under which it is still so.
    fn list(&self, tag: &str) -> Result<(Value, Option<Condition>), RegistryError> {
        let what = format!("list of referrers {tag} of {}", self.name());
        let mut ask = self.ask(Method::Get, &format!("manifests/{tag}"))?;
        ask.headers.push(("Accept", media::INDEX.to_owned()));
        let answer = self.send(&ask, &what)?;
        match answer.response.status {
            200 => {}
            404 => {
                let empty = value!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [] });
                return Ok((empty, Some(("If-None-Match", "*".to_owned()))));
            }
            _ => return Err(self.fault(&what, answer)),
        }
        // A weak one matches nothing (RFC 9110, 13.1.1).
        let etag = answer.header("etag").filter(|etag| etag.starts_with('"'));
        let condition = etag.map(|etag| ("If-Match", etag.to_owned()));
        let bytes = self.body(&what, answer, MANIFEST_BYTES)?;
        let document = |source| RegistryError::Document { host: self.host(), what: what.clone(), source };
        Index::parse(&bytes, media::INDEX).map_err(document)?;
        let list = json::parse(&bytes, json::Limits::DOCUMENT)
            .map_err(|source| document(selfsame_oci::DocumentError::Json { what: "index", source }))?;
        Ok((list, condition))
    }

    /// Whether it was written; not if somebody else was faster and the server noticed.
    fn put_list(&self, tag: &str, list: &Value, condition: Option<Condition>) -> Result<bool, RegistryError> {
        let what = format!("list of referrers {tag} of {}", self.name());
        let bytes = list.to_string().into_bytes();
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(RegistryError::TooLarge { host: self.host(), what, limit_bytes: MANIFEST_BYTES });
        }
        let mut ask = self.ask(Method::Put, &format!("manifests/{tag}"))?;
        ask.headers.push(("Content-Type", media::INDEX.to_owned()));
        ask.headers.extend(condition);
        ask.body = Body::Bytes(&bytes);
        let answer = self.send(&ask, &what)?;
        match answer.response.status {
            200..=204 => Ok(true),
            409 | 412 => Ok(false),
            _ => match self.fault(&what, answer) {
                // So docker-registry answers now and then where another writes the same tag at that moment.
                RegistryError::Answer { status: 400, said, .. } if said.contains("DIGEST_INVALID") => Ok(false),
                fault => Err(fault),
            },
        }
    }
}

/// A header with which a server that heeds it writes only over what was read.
type Condition = (&'static str, String);

/// `sha256-<hex>`, the tag of the list of a manifest's referrers.
fn tag_of(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}

/// What stands in the list for a manifest: its descriptor with its artifact type, of an image manifest without one the
/// media type of its config, and its annotations (distribution-spec, "Pushing Manifests with Subject").
fn list_item(bytes: &[u8], media_type: &str, document: &Document) -> Value {
    let (artifact_type, annotations) = match document {
        Document::Manifest(manifest) => {
            let kind = manifest.artifact_type.clone().filter(|kind| !kind.is_empty());
            (Some(kind.unwrap_or_else(|| manifest.config.media_type.clone())), &manifest.annotations)
        }
        Document::Index(index) => (index.artifact_type.clone(), &index.annotations),
    };
    let mut item = value!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() });
    if let Some(artifact_type) = artifact_type {
        item["artifactType"] = value!(artifact_type);
    }
    if !annotations.is_empty() {
        item["annotations"] = value!(annotations);
    }
    item
}

fn holds(list: &Value, item: &Value) -> bool {
    list["manifests"].as_array().is_some_and(|items| items.iter().any(|known| known["digest"] == item["digest"]))
}

fn add(list: &mut Value, item: Value) {
    if let Some(items) = list["manifests"].as_array_mut() {
        items.push(item);
    }
}
