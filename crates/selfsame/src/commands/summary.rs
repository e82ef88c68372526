//! A verdict as a signed SLSA verification summary, for whoever asks for no more than that: docs/vsa/v1.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selfsame_attest::{
    ResourceDescriptor, Statement, Subject, VerificationResult, VerificationSummary, Verifier, sign_bare,
};
use selfsame_core::{Digest, SourceEpoch, uri};
use selfsame_policy::Ruled;
use selfsame_registry::Reference;
use selfsame_verify::trust::TrustSource;
use selfsame_verify::{Class, Depth, JoinedVerdict, Verdict};
use serde_json::{Value, json};

use crate::cli::{SummaryArgs, TrustArgs};
use crate::keys::{self, Key};
use crate::report::{Answer, Exit, Report, printable};
use crate::settings::wall_clock_secs;
use crate::terminal;

/// All that a verified release of ours proves of SLSA's build track: it has provenance that says how it was built. Who
/// built it, and how isolated, is a matter of trust in the builder, and no bytes show it.
const PROVEN_LEVEL: &str = "SLSA_BUILD_LEVEL_1";

/// A summary that was asked for. Everything that could be wrong with the asking is found before anything is judged.
pub(super) struct Wanted<'a> {
    arguments: &'a SummaryArgs,
    file: &'a Path,
    key: Key,
    /// Whether another program signs.
    pub(super) signed_elsewhere: bool,
    resource_uri: String,
    time_verified: String,
}

/// What a summary says of a verdict.
pub(super) struct Judgement {
    class: Class,
    /// The image, and the images of its platforms, by name.
    subjects: Vec<Subject>,
    attestations: BTreeSet<(String, Digest)>,
    trust: Option<TrustSource>,
    /// What was asked beside the trust file.
    asked: BTreeMap<String, Value>,
}

impl<'a> Wanted<'a> {
    /// What was asked for, if it was.
    pub(super) fn of(
        arguments: &'a SummaryArgs,
        trust: &TrustArgs,
        sign_as: Option<&str>,
        reference: Option<&Reference>,
    ) -> Answer<Option<Self>> {
        let Some(file) = arguments.emit_vsa.as_deref() else { return Ok(None) };
        let refused = |headline: &str| Report::new(Exit::Unanswered, headline);
        let Some(sign_as) = sign_as else {
            return Err(refused("a verification summary is signed, and no key was given")
                .hint("`--sign-as KEY.key` names the key; `selfsame keygen -o KEY` makes one")
                .into());
        };
        if trust.trust.is_none() {
            return Err(refused("a verification summary names the policy by its digest, and keys alone have none")
                .hint("`selfsame trust init FILE --key PUB` writes a trust file; give it with `--trust FILE`")
                .into());
        }
        let resource_uri = match (&arguments.resource_uri, reference) {
            (Some(given), _) => given.clone(),
            (None, Some(reference)) => format!("oci://{reference}"),
            (None, None) => {
                return Err(refused("a verification summary says where the image is had from, and a file does not")
                    .hint("`--resource-uri URI` says it: `--resource-uri oci://registry.example/team/app:1.0.0`")
                    .into());
            }
        };
        let verifier_id = arguments.verifier_id.as_deref().unwrap_or(uri::VERIFIER_LOCAL);
        for (flag, given) in [("--resource-uri", resource_uri.as_str()), ("--verifier-id", verifier_id)] {
            if !selfsame_attest::text::is_uri(given) {
                return Err(refused(&format!("{flag}: `{}` is not a URI", printable(given))).into());
            }
        }
        // What an earlier run found must not be taken for what this one did.
        if file.symlink_metadata().is_ok() {
            let headline = format!("`{}` exists, and a verification summary is never replaced", file.display());
            return Err(refused(&headline).hint("choose another name, or move it away").into());
        }
        let time_verified = match trust.at {
            Some(day) => format!("{day}T00:00:00Z"),
            None => SourceEpoch::new(wall_clock_secs()).map(SourceEpoch::rfc3339).unwrap_or_default(),
        };
        let signed_elsewhere = sign_as.starts_with("exec:");
        let key = keys::signer(sign_as, false)?;
        Ok(Some(Self { arguments, file, key, signed_elsewhere, resource_uri, time_verified }))
    }

    /// Writes the summary of a verdict: of a yes, and where it was asked for, of a no. Nothing that was not answered has
    /// one.
    pub(super) fn write(&self, judgement: Judgement) -> Answer<()> {
        let result = match judgement.class {
            Class::Verified => VerificationResult::Passed,
            Class::NotVerified if self.arguments.vsa_failed => VerificationResult::Failed,
            Class::NotVerified => {
                terminal::talk("no verification summary: it is not verified, and --vsa-failed was not given");
                return Ok(());
            }
            Class::Unanswered => {
                terminal::talk("no verification summary: nothing was answered");
                return Ok(());
            }
        };
        let (Some(trust), false) = (&judgement.trust, judgement.subjects.is_empty()) else {
            terminal::talk("no verification summary: there is no image that it could be about");
            return Ok(());
        };
        let failed = result == VerificationResult::Failed;
        let summary = VerificationSummary {
            verifier: Verifier {
                id: self.arguments.verifier_id.clone().unwrap_or_else(|| uri::VERIFIER_LOCAL.to_owned()),
                version: [("selfsame".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into(),
            },
            time_verified: self.time_verified.clone(),
            resource_uri: self.resource_uri.clone(),
            policy: ResourceDescriptor {
                uri: uri::TRUST.to_owned(),
                digest: trust.digest.into(),
                annotations: judgement.asked,
                ..ResourceDescriptor::default()
            },
            // A no does not rest on what is there.
            input_attestations: judgement.attestations.into_iter().filter(|_| !failed).map(attestation).collect(),
            verification_result: result,
            verified_levels: vec![if failed { VerificationSummary::NO_LEVEL } else { PROVEN_LEVEL }.to_owned()],
            slsa_version: VerificationSummary::SLSA_VERSION.to_owned(),
        };
        let envelope = sign_bare(&Statement::new(judgement.subjects, &summary), self.key.signer.as_ref())
            .map_err(|error| Report::new(Exit::Unanswered, error.to_string()))?;
        keys::write_new(self.file, &envelope.to_bytes(), 0o644, "a verification summary")?;
        let shown = printable(&self.file.display().to_string());
        terminal::talk(&format!("verification summary: {} in {shown}", result.as_str()));
        Ok(())
    }
}

fn attestation((predicate_type, digest): (String, Digest)) -> ResourceDescriptor {
    ResourceDescriptor { uri: predicate_type, digest: digest.into(), ..ResourceDescriptor::default() }
}

impl Judgement {
    /// Of a release for one platform.
    pub(super) fn of_one(verdict: &Verdict, expect: &[String]) -> Self {
        // Names are those of the signed provenance; where nothing is verified, nobody said them.
        let external = verdict.provenance.as_ref().map(|it| &it.build_definition.external_parameters);
        let signed = |field: &str| external.and_then(|it| it.get(field)?.as_str()).unwrap_or_default();
        let name = external.map(|_| format!("{}:{}", signed("name"), signed("version"))).unwrap_or_default();
        Self {
            class: verdict.class,
            subjects: verdict.image.map(|image| Subject::new(name, image)).into_iter().collect(),
            attestations: verdict.attestations.clone(),
            trust: verdict.trust.clone(),
            asked: asked(verdict.depth, verdict.trust.as_ref(), expect, &verdict.policies),
        }
    }

    /// Of a release for several: the index, and where all of it is verified, the image of each platform.
    pub(super) fn of_joined(joined: &JoinedVerdict, depth: Depth, expect: &[String]) -> Self {
        let verified = joined.class() == Class::Verified;
        let name = if verified { joined.name.clone() } else { String::new() };
        let mut subjects: Vec<Subject> = joined.index.map(|index| Subject::new(name, index)).into_iter().collect();
        let parts = joined.parts.iter().filter(|_| verified);
        subjects.extend(
            parts
                .clone()
                .filter_map(|(platform, part)| Some(Subject::new(format!("{} {platform}", joined.name), part.image?))),
        );
        let trust = joined.parts.iter().find_map(|(_, part)| part.trust.clone());
        Self {
            class: joined.class(),
            subjects,
            // All of them or none: which of several signers of a part somebody joined is not told here.
            attestations: BTreeSet::new(),
            asked: asked(depth, trust.as_ref(), expect, &joined.policies),
            trust,
        }
    }

    /// The same, and that it was made again, which had this outcome and answers so.
    pub(super) fn rebuilt(mut self, outcome: &str, answer: bool) -> Self {
        self.asked.insert("rebuild".to_owned(), json!(outcome));
        if !answer {
            self.class = Class::NotVerified;
        }
        self
    }
}

/// What was asked beside what the trust file says: part of the policy, and of the verdict's meaning.
fn asked(depth: Depth, trust: Option<&TrustSource>, expect: &[String], policies: &[Ruled]) -> BTreeMap<String, Value> {
    let mut asked = BTreeMap::from([("depth".to_owned(), json!(depth.as_str()))]);
    asked.extend(trust.map(|trust| ("day".to_owned(), json!(trust.at.to_string()))));
    let named = |it: &Ruled| json!({ "digest": { "sha256": it.digest.hex() }, "name": it.name });
    asked.insert("policies".to_owned(), policies.iter().map(named).collect());
    if !expect.is_empty() {
        let sorted: BTreeSet<&String> = expect.iter().collect();
        asked.insert("expect".to_owned(), json!(sorted));
    }
    asked
}
