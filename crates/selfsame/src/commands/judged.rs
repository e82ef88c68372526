//! A release of one platform or of several, judged; and its parts, each a release of its own.

use std::path::{Path, PathBuf};

use selfsame_attest::{Provenance, RunRecord};
use selfsame_core::{Digest, Platform, uri};
use selfsame_verify::{
    Class, Depth, Evidence, JoinedFault, JoinedFiles, JoinedVerdict, ReleaseFiles, Verdict, Verified,
};

use super::summary::Judgement;
use super::{inspect, joined, verify};
use crate::cli::TrustArgs;
use crate::report::{Answer, Exit, Report};

/// A verdict of either kind.
pub(super) enum Judged {
    One(Box<Verdict>),
    Several(Box<JoinedVerdict>),
}

/// A verified release of one platform.
pub(super) struct VerifiedPart<'a> {
    /// Where it is one of several.
    pub(super) platform: Option<&'a Platform>,
    pub(super) evidence: &'a Verified<Evidence>,
    pub(super) files: Box<dyn ReleaseFiles + 'a>,
    pub(super) run_record: Option<&'a RunRecord>,
}

impl Judged {
    /// Judges a release.
    pub(super) fn of(files: &dyn ReleaseFiles, trust: &TrustArgs, policies: &[PathBuf], depth: Depth) -> Answer<Self> {
        let (trust, options) = verify::questions(trust, &[], policies, depth)?;
        Ok(match selfsame_verify::verify_joined(files, &trust, &options) {
            Some(joined) => Self::Several(Box::new(joined)),
            None => Self::One(Box::new(selfsame_verify::verify(files, &trust, &options))),
        })
    }

    fn class(&self) -> Class {
        match self {
            Self::One(verdict) => verdict.class,
            Self::Several(verdict) => verdict.class(),
        }
    }

    pub(super) fn is_verified(&self) -> bool {
        self.class() == Class::Verified
    }

    pub(super) fn exit(&self) -> Exit {
        match self.class() {
            Class::Verified => Exit::Yes,
            Class::NotVerified => Exit::No,
            Class::Unanswered => Exit::Unanswered,
        }
    }

    /// The first thing that does not hold; nothing where all does.
    pub(super) fn reason(&self) -> String {
        let of_one =
            |verdict: &Verdict| verdict.failed().next().and_then(|check| check.outcome.reason().map(str::to_owned));
        let reason = match self {
            Self::One(verdict) => of_one(verdict),
            Self::Several(verdict) => {
                let of_parts = || verdict.parts.iter().find_map(|(_, part)| of_one(part));
                verdict.faults().next().map(str::to_owned).or_else(of_parts)
            }
        };
        reason.unwrap_or_default()
    }

    /// As a summary says it.
    pub(super) fn judgement(&self, depth: Depth) -> Judgement {
        match self {
            Self::One(verdict) => Judgement::of_one(verdict, &[]),
            Self::Several(verdict) => Judgement::of_joined(verdict, depth, &[]),
        }
    }

    /// As `verify` shows it.
    pub(super) fn text(&self, release: &Path) -> String {
        match self {
            Self::One(verdict) => verify::text(verdict, release),
            Self::Several(verdict) => joined::text(verdict, self.exit(), release),
        }
    }

    /// Of the whole.
    pub(super) fn release_id(&self) -> Option<Digest> {
        match self {
            Self::One(verdict) => verdict.release_id,
            Self::Several(verdict) => verdict.release_id,
        }
    }

    /// Every platform, where all of it is verified.
    pub(super) fn parts<'a>(&'a self, files: &'a dyn ReleaseFiles) -> Answer<Vec<VerifiedPart<'a>>> {
        let joined = match self {
            Self::One(verdict) => {
                let run_record = verdict.run_record.as_deref();
                let part = verdict.evidence.as_ref().map(|evidence| VerifiedPart {
                    platform: None,
                    evidence,
                    files: Box::new(files) as Box<dyn ReleaseFiles>,
                    run_record,
                });
                return Ok(part.into_iter().collect());
            }
            Self::Several(joined) => joined,
        };
        let run_record = joined.joining.as_ref().and_then(|joining| joining.run_record.as_ref());
        let again = each(files, "the release")?;
        let mut parts = Vec::with_capacity(again.len());
        for ((platform, verdict), (_, files)) in joined.parts.iter().zip(again) {
            let Some(evidence) = &verdict.evidence else { continue };
            parts.push(VerifiedPart { platform: Some(platform), evidence, files, run_record });
        }
        Ok(parts)
    }
}

/// A release for one platform, which is named where it is one of several.
type OnePlatform<'a> = (Option<Platform>, Box<dyn ReleaseFiles + 'a>);

/// A release's platforms, each as a release of its own; nobody has judged them. A release of one image is that.
pub(super) fn each<'a>(files: &'a dyn ReleaseFiles, shown: &str) -> Answer<Vec<OnePlatform<'a>>> {
    match taken_apart(files, shown)? {
        None => Ok(vec![(None, Box::new(files))]),
        Some(joined) => {
            let part = |part: &selfsame_verify::Part| {
                (Some(part.platform.clone()), Box::new(part.of(files)) as Box<dyn ReleaseFiles>)
            };
            Ok(joined.parts.iter().map(part).collect())
        }
    }
}

/// What a release for several platforms consists of; nothing where it is for one.
pub(super) fn taken_apart(files: &dyn ReleaseFiles, shown: &str) -> Answer<Option<JoinedFiles>> {
    let fault = |fault: JoinedFault| Report::new(Exit::Unanswered, format!("`{shown}` is not a release: {fault}"));
    Ok(JoinedFiles::open(files).transpose().map_err(fault)?)
}

/// The one for this platform, out of several or the only one.
pub(super) fn one<'a>(
    files: &'a dyn ReleaseFiles,
    shown: &str,
    wanted: &Platform,
) -> Answer<Box<dyn ReleaseFiles + 'a>> {
    let mut parts = each(files, shown)?;
    if let [(platform @ None, files)] = &mut parts[..] {
        let statements = inspect::statements(files.as_ref())?;
        let provenance = statements.get(uri::PROVENANCE);
        let provenance: Option<Provenance> = provenance.and_then(|statement| statement.predicate_as().ok());
        let parameters = provenance.map(|provenance| provenance.build_definition.external_parameters);
        *platform = parameters.as_ref().and_then(|parameters| parameters.get("platform")?.as_str()?.parse().ok());
    }
    let fits =
        |there: &Option<Platform>| there.as_ref().is_some_and(|there| selfsame_oci::same_platform(there, wanted));
    if let Some(place) = parts.iter().position(|(platform, _)| fits(platform)) {
        return Ok(parts.swap_remove(place).1);
    }
    let names: Vec<String> = parts.iter().flat_map(|(platform, _)| platform).map(ToString::to_string).collect();
    let report = Report::new(Exit::Unanswered, format!("`{shown}` has no image for {wanted}"));
    Err(report.fact("platforms", names.join(", ")).into())
}
