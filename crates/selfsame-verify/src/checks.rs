//! The checks in their order. Each file answers the rows that it is named for and hands on what it read.

mod blob;
mod blobs;
mod capsule;
mod claims;
mod content;
mod demands;
mod documents;
mod expectations;
mod image;
mod inventory;
mod layout;
pub(crate) mod log;
mod names;
mod opened;
pub(crate) mod policy;
mod privileges;
mod provenance;
mod referrers;
mod sbom;
mod side;
pub(crate) mod stamps;

pub(crate) use claims::{Claimed, Package};
pub(crate) use demands::{SignedRebuild, level, rebuilders, rollback};
pub(crate) use documents::{LATER, note};
pub(crate) use expectations::said;
pub(crate) use provenance::{external, parameter_fault, relaxation_names, relaxed};
pub(crate) use sbom::{is_input, is_unlocked, text};
pub(crate) use side::{may_stand_beside, read_run_record, rebuilds};

use std::collections::{BTreeMap, BTreeSet};

use selfsame_attest::RunRecord;
use selfsame_core::{Digest, uri};
use selfsame_log::Histories;
use selfsame_policy::Ruled;

use self::demands::Voices;
use crate::facts::Known;
use crate::files::ReleaseFiles;
use crate::options::Options;
use crate::rows::Rows;
use crate::trust::{Trust, TrustedKey};
use crate::verdict::{CheckId, Fact, Unlisted, Verdict};
use crate::verified::{Evidence, Verified};

/// The most releases of one image by different signers that are judged.
const MOST_SIGNERS: usize = 16;

/// Judges a release.
///
/// Reads through `release` alone, and only as much as the depth asks for. Never fails and never panics on what it
/// reads: what cannot be read or does not parse is a failed check, and every check has its row.
///
/// Where several trusted keys signed a whole release of the image, each is judged by itself. The verdict is that of the
/// first that stands, in the order of the trust, so one that falls takes nothing from the others.
#[must_use]
pub fn verify(release: &dyn ReleaseFiles, trust: &Trust, options: &Options) -> Verdict {
    judge(release, trust, options, true, None).verdict
}

/// A verdict, and what those want to know who join several releases.
pub(crate) struct Answered {
    pub(crate) verdict: Verdict,
    /// The releases of all signers that stand, in the order of the trust.
    pub(crate) standing: Vec<Stands>,
    /// Who rebuilt the one that was judged, by identity: a key's name.
    pub(crate) rebuilt: BTreeMap<String, String>,
    /// What a policy may be asked over, if all else is verified.
    pub(crate) facts: Option<serde_json::Value>,
}

/// A release that stands.
pub(crate) struct Stands {
    pub(crate) evidence: Evidence,
    /// The logs that its documents are in.
    pub(crate) histories: Histories,
}

/// Judges a release. Unless `ruled`, no policy is asked, and the verdict does not need it. Where there is a list `of`
/// release ids, the verdict is that of the first in it that stands.
pub(crate) fn judge(
    release: &dyn ReleaseFiles,
    trust: &Trust,
    options: &Options,
    ruled: bool,
    of: Option<&BTreeSet<Digest>>,
) -> Answered {
    let first = Judged::new(release, trust, None, options);
    let others = first.signers.iter().skip(1).take(MOST_SIGNERS - 1);
    let others: Vec<Judged<'_>> = others.map(|key| Judged::new(release, trust, Some(key), options)).collect();
    let mut all = vec![first];
    all.extend(others);

    const OPEN: [CheckId; 2] = [CheckId::Threshold, CheckId::Policy];
    let stands = |judged: &Judged<'_>| judged.rows.complete_but(&OPEN);
    let mut voices = Voices { signed: BTreeMap::new(), fallen: Vec::new(), rebuilt: BTreeMap::new() };
    for judged in &all {
        let Some(signer) = judged.signer else { continue };
        if stands(judged) {
            voices.signed.entry(signer.identity.as_str()).or_insert(signer.name.as_str());
        } else {
            voices.fallen.push((signer.name.as_str(), judged.rows.first_failure().unwrap_or("not judged").to_owned()));
        }
    }
    let of_one = |it: &Judged<'_>| {
        let histories = it.seen.histories.clone();
        it.seen.evidence.clone().map(|evidence| Stands { evidence, histories })
    };
    let standing = all.iter().filter(|it| stands(it)).filter_map(of_one).collect();
    let listed = |it: &Judged<'_>| of.is_none_or(|of| it.seen.release_id.is_some_and(|id| of.contains(&id)));
    let order: Vec<usize> = (0..all.len()).filter(|at| stands(&all[*at]) && listed(&all[*at])).collect();
    let signers = voices.signed.iter().map(|(identity, name)| ((*identity).to_owned(), (*name).to_owned())).collect();
    let ruling = Ruling { trust, options, ruled, signers };
    // The first that stands, and that the policy allows where there is one.
    for at in &order {
        let judged = &mut all[*at];
        voices.rebuilt.clone_from(&judged.rebuilders);
        demands::threshold(trust, &voices, &mut judged.rows);
        ruling.ask(judged);
        if judged.rows.complete_but(&[]) || !judged.rows.passed(CheckId::Threshold) {
            break;
        }
    }
    let at = order.iter().copied().find(|at| all[*at].rows.complete_but(&[])).or_else(|| order.first().copied());
    let Judged { mut rows, seen, rebuilders: rebuilt, policies, facts, .. } = all.swap_remove(at.unwrap_or(0));
    if !ruled {
        rows.excuse(CheckId::Policy, "asked of all platforms together");
    }
    let (class, checks) = rows.finish();
    let verified = class == crate::Class::Verified;
    let evidence = seen.evidence.filter(|_| verified);
    let verdict = Verdict {
        class,
        depth: options.depth,
        checks,
        image: seen.image,
        release_id: seen.release_id,
        provenance: evidence.as_ref().map(|evidence| Verified::new(evidence.provenance.clone())),
        evidence: evidence.map(Verified::new),
        run_record: seen.run_record.filter(|_| verified).map(Verified::new),
        attestations: match verified && trust.release_threshold.unwrap_or(1) < 2 && trust.rebuild_threshold == 0 {
            true => seen.attestations,
            false => BTreeSet::new(),
        },
        unlisted: seen.unlisted,
        trust: trust.source().cloned(),
        policies: match policies.is_empty() && ruled {
            true => policy::unasked(options.policy.as_ref()),
            false => policies,
        },
        facts: facts.clone().filter(|_| options.keep_facts).map(Verified::new),
    };
    Answered { verdict, standing, rebuilt, facts }
}

/// What a policy is asked with.
struct Ruling<'a> {
    trust: &'a Trust,
    options: &'a Options,
    ruled: bool,
    /// Everybody whose release stands.
    signers: BTreeMap<String, String>,
}

impl Ruling<'_> {
    /// The `policy` row, once nothing else is open: a policy sees what is verified, and nothing else.
    fn ask(&self, judged: &mut Judged<'_>) {
        const ID: CheckId = CheckId::Policy;
        let Judged { rows, seen, rebuilders, .. } = judged;
        let (true, Some(evidence)) = (rows.complete_but(&[ID]), &seen.evidence) else { return };
        let ruler = self.options.policy.as_ref();
        // Nobody who signed it is independent of it.
        let rebuilders = rebuilders.iter().filter(|(identity, _)| !self.signers.contains_key(*identity));
        let known = Known {
            evidence,
            claimed: seen.claimed.as_ref(),
            seen: seen.logged,
            signers: &self.signers,
            rebuilders: &rebuilders.map(|(identity, name)| (identity.clone(), name.clone())).collect(),
            trust: self.trust,
            options: self.options,
        };
        let facts = known.facts(&policy::reads(ruler, self.options.keep_facts));
        if self.ruled {
            let (answer, ruled) = policy::ask(ruler, &facts);
            judged.policies = ruled;
            match answer {
                policy::Answer::Allowed(told) => rows.pass(ID, told),
                policy::Answer::Denied(reason, told) => rows.fail(ID, reason, told),
                policy::Answer::Unanswered(reason) => rows.unreadable(ID, reason),
            }
        } else {
            rows.excuse(ID, "asked of all platforms together");
        }
        judged.facts = Some(facts);
    }
}

/// A release as one signer's.
struct Judged<'a> {
    rows: Rows,
    seen: Seen,
    /// Whose release it was judged as.
    signer: Option<&'a TrustedKey>,
    /// Everybody whose it is.
    signers: Vec<&'a TrustedKey>,
    /// Who rebuilt it to the same bytes.
    rebuilders: BTreeMap<String, String>,
    /// What the policies said of it.
    policies: Vec<Ruled>,
    /// What they were asked over.
    facts: Option<serde_json::Value>,
}

/// What is known beside the rows, once it is known.
#[derive(Default)]
struct Seen {
    image: Option<Digest>,
    release_id: Option<Digest>,
    evidence: Option<Evidence>,
    run_record: Option<RunRecord>,
    /// What the layers showed.
    claimed: Option<Claimed>,
    /// When enough witnesses had seen the inventory in a log, seconds since 1970.
    logged: Option<u64>,
    /// The bundles of the documents, by predicate type.
    attestations: BTreeSet<(String, Digest)>,
    unlisted: Vec<Unlisted>,
    /// The logs that the documents are in.
    histories: Histories,
}

impl<'a> Judged<'a> {
    fn new(release: &dyn ReleaseFiles, trust: &'a Trust, by: Option<&TrustedKey>, options: &Options) -> Self {
        let rows = Rows::new(options.depth);
        let (signers, rebuilders) = (Vec::new(), BTreeMap::new());
        let (seen, policies) = (Seen::default(), Vec::new());
        let mut judged = Self { rows, seen, signer: None, signers, rebuilders, policies, facts: None };
        judged.judge(release, trust, by, options);
        judged
    }

    /// Goes as far as there is something to look at; `None` when a later check has nothing to stand on.
    fn judge(
        &mut self,
        release: &dyn ReleaseFiles,
        trust: &'a Trust,
        by: Option<&TrustedKey>,
        options: &Options,
    ) -> Option<()> {
        let Self { rows, seen, .. } = self;
        self::trust(trust, rows);
        layout::check(release, rows);
        let index = layout::index(release, rows)?;
        seen.image = Some(index.image.digest);
        let image = image::read(release, &index, rows)?;
        let referrers = referrers::read(release, &index, &image, rows);

        let asked = documents::Asked { trust, by, options };
        let found = documents::read(release, asked, &image, &referrers, rows, &mut seen.unlisted);
        (self.signer, self.signers) = (found.signer, found.signers);
        let mut documents = found.documents;
        if let Some(documents) = &mut documents
            && let Some(evidence) = inventory::check(documents, &image, rows)
        {
            seen.release_id = Some(evidence.release_id);
            let log = documents.by_type.get(uri::INVENTORY).map(|document| &document.log);
            seen.logged = log.filter(|log| log.fault.is_none()).and_then(|log| log.seen);
            let bundles = documents.by_type.iter().map(|(kind, document)| (kind.clone(), document.blob));
            seen.attestations = bundles.collect();
            provenance::check(&evidence, documents.signer, &image, options, rows);
            let sbom = documents.by_type.get(uri::CYCLONEDX);
            sbom::check(&evidence, sbom.and_then(|sbom| sbom.predicate), rows);
            names::check(release, &index, &image, &evidence, rows);
            expectations::check(&evidence, options, rows);
            demands::check(trust, &evidence, rows);
            seen.evidence = Some(evidence);
        }
        blobs::check(release, &image, &referrers, options, rows);
        let packs = seen.evidence.as_ref().and_then(|evidence| capsule::list(&referrers, evidence, options, rows));
        seen.claimed = content::check(release, &image, seen.evidence.as_ref(), packs, options, rows);
        if let Some(evidence) = &seen.evidence {
            seen.run_record = side::run_record(release, evidence, rows);
            let mut signed =
                documents.as_mut().map(|documents| std::mem::take(&mut documents.rebuilds)).unwrap_or_default();
            side::rebuilds(release, trust, evidence.image, &mut signed, &mut seen.unlisted);
            self.rebuilders = demands::rebuilders(signed, evidence.image, evidence.release_id, &evidence.signer);
        }
        side::report(&seen.unlisted, rows);
        seen.histories = log::report(documents.as_ref(), trust, rows);
        stamps::report(documents.as_ref(), trust, rows);
        Some(())
    }
}

/// The `trust` row.
fn trust(trust: &Trust, rows: &mut Rows) {
    const ID: CheckId = CheckId::Trust;
    let mut facts = vec![Fact::new("keys", trust.keys().len().to_string())];
    if let Some(source) = trust.source() {
        facts.push(Fact::new("trust file", format!("serial {}, {}", source.serial, source.digest)));
        facts.push(Fact::new("asked on", source.at.to_string()));
    }
    match (trust.keys().len(), trust.source()) {
        (0, None) => rows.unreadable(ID, "no trusted key was given"),
        (0, Some(_)) => rows.unreadable(ID, "the trust file has no key"),
        _ => rows.pass(ID, facts),
    }
}
