//! Every platform of a release made again, and what is said of them together.

use std::path::Path;

use selfsame_attest::RebuildVerdict;
use selfsame_build::rebuild::{OriginalJoin, Outcome, compare_joined};
use selfsame_build::{About, Built, Evidence, Subject, lay_out_subject};
use selfsame_core::{Digest, Platform};
use selfsame_diff::{Explanation, Known, Limits};
use selfsame_store::Store;
use selfsame_verify::ReleaseFiles;

use super::{Machine, MissingInput, again};
use crate::commands::judged::{self, Judged};
use crate::commands::{errors, image};
use crate::remote::Release;
use crate::report::{Answer, Exit, Report};
use crate::run_record;

/// A release that was made again.
pub(in crate::commands) struct Whole {
    pub(super) parts: Vec<Rebuilt>,
    /// Of the release: of its one image, or of all.
    pub(in crate::commands) outcome: Outcome,
    /// What the release says it is.
    pub(super) image: Digest,
    pub(super) release_id: Digest,
    /// What came out.
    pub(super) subject: Subject,
}

/// One platform of it.
pub(super) struct Rebuilt {
    /// Where it is one of several.
    pub(super) platform: Option<Platform>,
    pub(super) built: Built,
    pub(super) outcome: Outcome,
    pub(super) release_id: Digest,
    /// What the run record says about the machine of the original.
    host: Option<selfsame_diff::HostFacts>,
}

/// Makes a verified release again, each of its platforms, and compares; or says what cannot be had.
pub(in crate::commands) fn all_again(
    files: &dyn ReleaseFiles,
    judged: &Judged,
    machine: &Machine<'_>,
) -> Answer<Result<Whole, Vec<MissingInput>>> {
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    for part in judged.parts(files)? {
        if let Some(platform) = part.platform {
            machine.voice.say("platform", &platform.to_string());
        }
        let platform = part.platform.cloned();
        match again(part.files.as_ref(), part.evidence, machine)? {
            Ok((built, outcome)) => {
                let host = part.run_record.map(run_record::facts);
                parts.push(Rebuilt { platform, built, outcome, release_id: part.evidence.release_id, host });
            }
            // What several lack is said once.
            Err(lacks) => missing.extend(
                lacks
                    .into_iter()
                    .filter_map(|input| {
                        let known = missing
                            .iter()
                            .any(|known: &MissingInput| known.digest == input.digest && known.name == input.name);
                        (!known).then_some(input)
                    })
                    .collect::<Vec<_>>(),
            ),
        }
    }
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    let failed = |error| errors::build(error, machine.store);
    let whole = match judged {
        Judged::One(_) => {
            let [part] = &parts[..] else { return Err(unverified()) };
            let (outcome, image) = (part.outcome.clone(), part.outcome.compared.first().map(|pair| pair.original));
            let (subject, release_id) = (Subject::one(&part.built.record.image), part.release_id);
            Whole { outcome, image: image.ok_or_else(unverified)?, release_id, subject, parts }
        }
        Judged::Several(verdict) => {
            let joining = verdict.joining.as_ref().ok_or_else(unverified)?;
            let why = &joining.inventory.not_checked_because;
            let original = OriginalJoin {
                name: verdict.name.clone(),
                index: joining.index,
                payloads: joining.payloads.clone(),
                together: joining.provenance.is_some(),
                not_checked_because: (!joining.inventory.checked).then(|| why.clone()),
            };
            let pairs: Vec<(&Built, &Outcome)> = parts.iter().map(|part| (&part.built, &part.outcome)).collect();
            let outcome = compare_joined(&original, &pairs).map_err(failed)?;
            let images = parts.iter().map(|part| part.built.record.image.clone()).collect();
            let subject = match parts.first().filter(|_| original.together) {
                Some(part) => Subject::index(images, &part.built.record.request),
                None => Subject::joined(images),
            };
            let (image, release_id) = (joining.index, joining.release_id);
            Whole { outcome, image, release_id, subject: subject.map_err(failed)?, parts }
        }
    };
    Ok(Ok(whole))
}

fn unverified() -> Box<Report> {
    Report::new(Exit::Unanswered, "the release changed while it was read").into()
}

impl Whole {
    /// Why each that differs does, in the order of the parts: the same explainers as `diff`, with what the run record
    /// says about the machine of the original.
    pub(super) fn explain(&self, release: &Release, shown: &Path, store: &Store) -> Answer<Vec<Option<Explanation>>> {
        self.parts.iter().map(|part| part.explain(release, shown, store)).collect()
    }

    /// The rebuilt image alone, as an OCI layout without evidence: nobody signed it.
    pub(super) fn write_layout(&self, folder: &Path, store: &Store) -> Answer<()> {
        let Some(part) = self.parts.first() else { return Err(unverified()) };
        write_layout(&self.subject, &part.built, folder, store)
    }
}

impl Rebuilt {
    fn explain(&self, release: &Release, shown: &Path, store: &Store) -> Answer<Option<Explanation>> {
        let equal = self.outcome.compared.first().is_none_or(|pair| pair.original == pair.rebuilt);
        if self.outcome.verdict == RebuildVerdict::Same || equal {
            return Ok(None);
        }
        let name = shown.display().to_string();
        let files = release.files()?;
        let files: Box<dyn ReleaseFiles> = match (&self.platform, judged::taken_apart(files.as_ref(), &name)?) {
            (Some(platform), Some(joined)) => Box::new(joined.part(platform).ok_or_else(unverified)?.of(files)),
            _ => files,
        };
        let original = image::of(files, shown)?;
        let folder = tempfile::tempdir_in(store.scratch_folder().map_err(errors::store)?)
            .map_err(|error| Report::new(Exit::Unanswered, format!("cannot create a folder: {error}")))?;
        let path = folder.path().join("rebuilt");
        std::fs::create_dir(&path)
            .map_err(|error| Report::new(Exit::Unanswered, format!("cannot create a folder: {error}")))?;
        write_layout(&Subject::one(&self.built.record.image), &self.built, &path, store)?;
        let rebuilt = image::open(&path)?;
        let known = Known { a: self.host.clone().unwrap_or_default(), b: run_record::facts_here() };
        let explanation = selfsame_diff::explain(&original, &rebuilt, &known, &Limits::STANDARD)
            .map_err(|error| Report::new(Exit::Unanswered, format!("the images cannot be compared: {error}")))?;
        Ok(Some(explanation))
    }
}

fn write_layout(subject: &Subject, built: &Built, folder: &Path, store: &Store) -> Answer<()> {
    let evidence = Evidence { bundles: Vec::new(), release_id: Digest::of(b"") };
    let about = About { subject: &subject.descriptor, evidence: &evidence, capsule: Some(&[]) };
    let release = lay_out_subject(subject, &built.record.request, &[about]);
    release.write(folder, store).map_err(|error| errors::build(error, store))
}
