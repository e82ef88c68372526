//! The checks in their order. Each file answers the rows that it is named for and hands on what it read.

mod blob;
mod blobs;
mod capsule;
mod content;
mod documents;
mod expectations;
mod image;
mod inventory;
mod layout;
pub(crate) mod log;
mod names;
mod provenance;
mod referrers;
mod sbom;
mod side;

pub(crate) use documents::LATER;
pub(crate) use side::{may_stand_beside, read_run_record};

use selfsame_attest::RunRecord;
use selfsame_core::{Digest, uri};

use crate::files::ReleaseFiles;
use crate::options::Options;
use crate::rows::Rows;
use crate::trust::Trust;
use crate::verdict::{CheckId, Fact, Unlisted, Verdict};
use crate::verified::{Evidence, Verified};

/// Judges a release.
///
/// Reads through `release` alone, and only as much as the depth asks for. Never fails and never panics on what it
/// reads: what cannot be read or does not parse is a failed check, and every check has its row.
#[must_use]
pub fn verify(release: &dyn ReleaseFiles, trust: &Trust, options: &Options) -> Verdict {
    let mut rows = Rows::new(options.depth);
    let mut seen = Seen::default();
    judge(release, trust, options, &mut rows, &mut seen);
    let (class, checks) = rows.finish();
    let verified = class == crate::Class::Verified;
    let evidence = seen.evidence.filter(|_| verified);
    Verdict {
        class,
        depth: options.depth,
        checks,
        image: seen.image,
        release_id: seen.release_id,
        provenance: evidence.as_ref().map(|evidence| Verified::new(evidence.provenance.clone())),
        evidence: evidence.map(Verified::new),
        run_record: seen.run_record.filter(|_| verified).map(Verified::new),
        unlisted: seen.unlisted,
    }
}

/// What is known beside the rows, once it is known.
#[derive(Default)]
struct Seen {
    image: Option<Digest>,
    release_id: Option<Digest>,
    evidence: Option<Evidence>,
    run_record: Option<RunRecord>,
    unlisted: Vec<Unlisted>,
}

/// Goes as far as there is something to look at; `None` when a later check has nothing to stand on.
fn judge(release: &dyn ReleaseFiles, trust: &Trust, options: &Options, rows: &mut Rows, seen: &mut Seen) -> Option<()> {
    match trust.keys().len() {
        0 => rows.unreadable(CheckId::Trust, "no trusted key was given"),
        count => rows.pass(CheckId::Trust, vec![Fact::new("keys", count.to_string())]),
    }
    layout::check(release, rows);
    let index = layout::index(release, rows)?;
    seen.image = Some(index.image.digest);
    let image = image::read(release, &index, rows)?;
    let referrers = referrers::read(release, &index, &image, rows);

    let mut documents = documents::read(release, trust, &image, &referrers, rows, &mut seen.unlisted);
    if let Some(documents) = &mut documents
        && let Some(evidence) = inventory::check(documents, &image, rows)
    {
        seen.release_id = Some(evidence.release_id);
        provenance::check(&evidence, documents.signer, &image, options, rows);
        let sbom = documents.by_type.get(uri::CYCLONEDX);
        sbom::check(&evidence, sbom.and_then(|sbom| sbom.predicate), rows);
        names::check(release, &index, &image, &evidence, rows);
        expectations::check(&evidence, options, rows);
        seen.evidence = Some(evidence);
    }
    blobs::check(release, &image, &referrers, options, rows);
    if let Some(evidence) = &seen.evidence {
        capsule::check(release, &referrers, evidence, options, rows);
    }
    content::check(release, &image, seen.evidence.as_ref(), options, rows);
    if let Some(evidence) = &seen.evidence {
        seen.run_record = side::run_record(release, evidence, rows);
        side::rebuilds(release, trust, evidence, &mut seen.unlisted);
    }
    side::report(&seen.unlisted, rows);
    log::report(documents.as_ref(), trust, rows);
    Some(())
}
