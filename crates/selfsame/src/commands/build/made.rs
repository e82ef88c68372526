//! What a build made, signed and laid out: one image, or one for each of several platforms under an index.

use std::collections::BTreeMap;

use selfsame_attest::{Signer, Statement, sign_statement};
use selfsame_build::{
    About, Built, Evidence, Extent, Inputs, Joined, ReleaseFiles, Request, Subject, capsule, joining_statements,
    lay_out_subject, provenance_of_several, sign, statements,
};
use selfsame_core::Platform;
use selfsame_oci::Descriptor;
use selfsame_store::Store;

use super::signing;
use crate::commands::{errors, threads};
use crate::log::Log;
use crate::report::Answer;
use crate::run_record::{self, Started};
use crate::standing::Summary;
use crate::timestamp::TimeStamps;

/// A release that is not published yet.
pub(super) struct Made {
    /// Of each platform.
    pub(super) builds: Vec<Built>,
    evidence: Vec<Evidence>,
    /// The documents about the index, where there is one.
    joining: Option<Evidence>,
    pub(super) subject: Subject,
    pub(super) release: ReleaseFiles,
}

/// Who sees what is signed before it is published.
pub(super) struct Seen<'a> {
    pub(super) log: Option<&'a Log>,
    pub(super) stamps: Option<&'a TimeStamps>,
}

impl Made {
    /// Signs everything, or nothing, has it stamped, and enters it into the log. `why` says why a build was not checked.
    pub(super) fn sign(
        builds: Vec<Built>,
        inputs: &[Inputs],
        why: impl Fn(&Built) -> Option<&'static str>,
        signer: &dyn Signer,
        seen: &Seen<'_>,
        extent: Extent,
        store: &Store,
    ) -> Answer<Self> {
        let failed = |error| errors::build(error, store);
        let request = &builds[0].record.request;
        let subject = match &builds[..] {
            [built] => Subject::one(&built.record.image),
            builds => {
                let images = builds.iter().map(|built| built.record.image.clone()).collect();
                Subject::index(images, request).map_err(failed)?
            }
        };
        let each = builds.iter().map(|built| sign(&statements(built, why(built)), signer).map_err(signing));
        let mut evidence = each.collect::<Answer<Vec<Evidence>>>()?;
        let mut joining = match &subject.index {
            None => None,
            Some(index) => {
                let parts: Vec<Joined> =
                    builds.iter().zip(&evidence).map(|(built, signed)| Joined::of(built, signed)).collect();
                let provenance = provenance_of_several(&builds.iter().collect::<Vec<_>>()).map_err(failed)?;
                let name = format!("{}:{}", request.name, request.version);
                let why = builds.iter().find_map(&why);
                let statements = joining_statements(&name, index.descriptor.digest, &parts, Some(&provenance), why);
                Some(sign(&statements, signer).map_err(signing)?)
            }
        };
        // The stamps first: what was entered into a log stays there.
        if let Some(stamps) = seen.stamps {
            let documents = evidence.iter_mut().chain(&mut joining).flat_map(|evidence| &mut evidence.bundles);
            stamps.stamp(documents.map(|signed| &mut signed.bundle))?;
        }
        if let Some(log) = seen.log {
            let documents = evidence.iter_mut().chain(&mut joining).flat_map(|evidence| &mut evidence.bundles);
            log.enter(documents.map(|signed| &mut signed.bundle).collect(), &signer.public_key().map_err(signing)?)?;
        }
        let capsules = inputs.iter().map(|inputs| capsule::contents(inputs, extent, store, threads()).map_err(failed));
        let capsules = capsules.collect::<Answer<Vec<Vec<Descriptor>>>>()?;
        let mut documents = Vec::new();
        documents.extend(joining.as_ref().map(|evidence| About {
            subject: &subject.descriptor,
            evidence,
            capsule: None,
        }));
        for ((built, evidence), capsule) in builds.iter().zip(&evidence).zip(&capsules) {
            documents.push(About { subject: &built.record.image.manifest, evidence, capsule: Some(capsule) });
        }
        let release = lay_out_subject(&subject, request, &documents);
        Ok(Self { builds, evidence, joining, subject, release })
    }

    /// What all platforms have in common: that of the first.
    pub(super) fn request(&self) -> &Request {
        &self.builds[0].record.request
    }

    /// The documents that close the release.
    fn closing(&self) -> &Evidence {
        self.joining.as_ref().unwrap_or(&self.evidence[0])
    }

    /// The image for this platform, where there is one among several.
    pub(super) fn image_for(&self, platform: &Platform) -> Option<Platform> {
        let mut platforms = self.subject.images.iter().filter_map(|image| image.manifest.platform.as_ref());
        platforms.find(|there| selfsame_oci::same_platform(there, platform)).cloned()
    }

    /// The signed run record of the whole.
    pub(super) fn run_record(&self, signer: &dyn Signer, started: &Started) -> Answer<Vec<u8>> {
        let record = run_record::record(&self.builds, self.closing().release_id, started)?;
        let request = self.request();
        let name = format!("{}:{}", request.name, request.version);
        let subject = selfsame_attest::Subject::new(name, self.subject.descriptor.digest);
        let statement = Statement::new(vec![subject], &record);
        Ok(sign_statement(&statement, signer).map_err(signing)?.to_bytes())
    }

    /// What is said about it.
    pub(super) fn summary(&self) -> Summary {
        let images = || self.subject.images.iter();
        let of_platform = |image: &selfsame_build::record::Image| {
            Some((image.manifest.platform.as_ref()?.to_string(), image.manifest.digest))
        };
        let several = self.subject.index.is_some();
        let level = self.builds.iter().map(|built| built.record.level).min();
        Summary {
            image: self.subject.descriptor.digest,
            images: if several { images().filter_map(of_platform).collect() } else { BTreeMap::new() },
            release_id: self.closing().release_id,
            level: level.map(|level| level.name().to_owned()).unwrap_or_default(),
            checked: self.builds.iter().all(|built| built.checked),
            layer_bytes: images().flat_map(|image| &image.layers).map(|layer| layer.descriptor.size).sum(),
            files: images().map(|image| image.origins.len()).sum(),
        }
    }
}
