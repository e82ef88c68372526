//! The verdict on one file and one bundle about it: what other tools sign, or a part of a release that went its own way.

use selfsame_attest::text::quote;
use selfsame_attest::{
    Bundle, EnvelopeError, Provenance, SignatureError, Statement, VerificationResult, VerificationSummary,
};
use selfsame_core::{Day, Digest, uri};
use serde_json::{Value, json};

use crate::checks::log::Entries;
use crate::checks::stamps::{NO_AUTHORITY, NO_STAMP, Stamps, seen};
use crate::checks::{level, parameter_fault, relaxation_names, relaxed, rollback, said};
use crate::joined::JoinedCheck;
use crate::options::Expectations;
use crate::trust::{Signed, Trust, TrustSource, TrustedKey};
use crate::verdict::{Class, Fact, Outcome};

/// The `schema` of a file verdict's JSON form.
pub const FILE_VERDICT_SCHEMA: &str = "https://selfsame.dev/file-verdict/v1";

/// What is asked, in this order. The last one only informs.
const CHECKS: [(&str, &str); 19] = [
    ("trust", "a trusted key was given"),
    ("bundle", "the bundle is one well-formed Sigstore bundle"),
    ("signature", "a trusted key signed it"),
    ("statement", "what it signed is an in-toto statement"),
    ("type", "the statement is of the type that was asked for"),
    ("subject", "the statement is about this file by its SHA-256"),
    ("key", "the key counts for what it signed"),
    ("builder", "the key may speak for the builder"),
    ("build-type", "the build type is selfsame's, or the one that was expected"),
    ("parameters", "the external parameters hold known fields only"),
    ("expectations", "the provenance is the expected one"),
    ("relaxations", "the build was relaxed only as it was expected to be"),
    ("level", "the build achieved the level that the trust asks for"),
    ("rollback", "the release is not older than the trust allows"),
    ("summary", "the verification summary says PASSED"),
    ("threshold", "as many identities vouch for it as the trust asks for"),
    ("log", "the signature is in a trusted transparency log"),
    ("time-stamps", "what trusted authorities stamped is this signature"),
    ("offline", "the kernel refused the network while it was judged"),
];

/// What was found about one file.
#[derive(Clone, Debug)]
pub struct FileVerdict {
    /// The answer.
    pub class: Class,
    /// The file's SHA-256.
    pub file: Digest,
    /// Every check in its order, also those that were not reached.
    pub checks: Vec<JoinedCheck>,
    /// The id of the key that signed, when verified.
    pub key_id: Option<String>,
    /// The trust file that was judged by, where it was one.
    pub trust: Option<TrustSource>,
}

/// Judges one bundle about the file with this digest.
///
/// Only statements of `predicate_type` count: a bundle about the right file that says something else is no answer to
/// what was asked. Expectations are for provenance, whoever built it.
#[must_use]
pub fn verify_file(
    file: Digest,
    bundle: &[u8],
    trust: &Trust,
    predicate_type: &str,
    expect: &Expectations,
) -> FileVerdict {
    let mut judge = Judge { answers: Vec::new(), unanswered: false };
    let signer = judge.all(file, bundle, trust, predicate_type, expect);
    let unanswered = judge.unanswered;
    let checks = judge.finish();
    let failed = checks.iter().any(|check| matches!(check.outcome, Outcome::Failed { .. }));
    let class = match (signer.is_some() && !failed, unanswered) {
        (true, _) => Class::Verified,
        (false, true) => Class::Unanswered,
        (false, false) => Class::NotVerified,
    };
    let key_id = signer.filter(|_| class == Class::Verified).map(|signer| signer.key.key_id());
    FileVerdict { class, file, checks, key_id, trust: trust.source().cloned() }
}

impl FileVerdict {
    /// The first check that failed.
    #[must_use]
    pub fn failed(&self) -> Option<&JoinedCheck> {
        self.checks.iter().find(|check| matches!(check.outcome, Outcome::Failed { .. }))
    }

    /// Says whether the process closed itself off from the network before it judged.
    pub fn judged_offline(&mut self, closed: Result<String, String>) {
        let (outcome, facts) = match closed {
            Ok(how) => (Outcome::Passed, vec![Fact::new("how", how)]),
            Err(reason) => (Outcome::NotPerformed { reason }, Vec::new()),
        };
        if let Some(check) = self.checks.iter_mut().find(|check| check.id == "offline") {
            (check.outcome, check.facts) = (outcome, facts);
        }
    }

    /// The fields of the JSON form but for its `schema`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let checks = self.checks.iter().map(JoinedCheck::to_json).collect::<Vec<_>>();
        let trust = self.trust.as_ref().map(TrustSource::to_json);
        json!({
            "checks": checks,
            "class": self.class.as_str(),
            "file": self.file,
            "keyId": self.key_id,
            "trust": trust,
        })
    }
}

/// The answers so far.
struct Judge {
    answers: Vec<(&'static str, Outcome, Vec<Fact>)>,
    unanswered: bool,
}

impl Judge {
    fn pass(&mut self, id: &'static str, facts: Vec<Fact>) {
        self.answers.push((id, Outcome::Passed, facts));
    }

    fn fail(&mut self, id: &'static str, reason: impl Into<String>, facts: Vec<Fact>) {
        self.answers.push((id, Outcome::Failed { reason: reason.into() }, facts));
    }

    fn skip(&mut self, id: &'static str, reason: impl Into<String>) {
        self.answers.push((id, Outcome::NotPerformed { reason: reason.into() }, Vec::new()));
    }

    /// Goes as far as there is something to look at. The key that signed, if all was looked at.
    fn all<'a>(
        &mut self,
        file: Digest,
        bytes: &[u8],
        trust: &'a Trust,
        predicate_type: &str,
        expect: &Expectations,
    ) -> Option<&'a TrustedKey> {
        if trust.keys().is_empty() {
            self.unanswered = true;
            self.fail("trust", "no trusted key was given", Vec::new());
            return None;
        }
        self.pass("trust", vec![Fact::new("keys", trust.keys().len().to_string())]);
        let bundle = match Bundle::parse(bytes) {
            Ok(bundle) => bundle,
            Err(error) => {
                self.fail("bundle", error.to_string(), Vec::new());
                return None;
            }
        };
        self.pass("bundle", Vec::new());
        let signer = match signer_of(&bundle, trust) {
            Ok(signer) => signer,
            Err(why) => {
                let facts = vec![Fact::new("says it is by", quote(bundle.key_id()))];
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                self.fail("signature", format!("the bundle has no signature by a trusted key{why}"), facts);
                return None;
            }
        };
        self.pass("signature", vec![Fact::new("key", signer.key.key_id()), Fact::new("name", quote(&signer.name))]);
        let statement = match Statement::parse(&bundle.envelope().payload) {
            Ok(statement) => statement,
            Err(error) => {
                self.fail("statement", error.to_string(), Vec::new());
                return None;
            }
        };
        self.pass("statement", Vec::new());
        let found = quote(&statement.predicate_type);
        if statement.predicate_type != predicate_type {
            let facts = vec![Fact::new("asked for", quote(predicate_type)), Fact::new("found", found)];
            self.fail("type", "the statement is of another type than was asked for", facts);
            return None;
        }
        self.pass("type", vec![Fact::new("type", found)]);
        if statement.is_about(file) {
            self.pass("subject", vec![Fact::new("file", file.to_string())]);
        } else {
            let mut facts = vec![Fact::new("file", file.to_string())];
            let subjects = statement.subjects.iter().flat_map(|subject| subject.digest.entries());
            facts.extend(
                subjects.take(16).map(|(name, text)| Fact::new("subject", format!("{}:{}", quote(name), quote(text)))),
            );
            self.fail("subject", "the statement is about something else than this file", facts);
        }
        let log = Entries::of(&bundle, &signer.key, trust);
        let stamps = Stamps::of(&bundle, trust);
        self.key(signer, &statement, seen(&log, &stamps));
        self.provenance(signer, trust, &statement, expect);
        self.summary(&statement);
        self.threshold(trust);
        match (trust.logs().is_empty(), log.refusal()) {
            (true, _) => self.skip("log", "the trust that was given names no log"),
            (false, Some(refusal)) => self.fail("log", format!("the bundle {refusal}"), Vec::new()),
            (false, None) => self.pass("log", log.found.iter().map(|found| Fact::new("log", found.clone())).collect()),
        }
        match (trust.authorities().is_empty(), stamps.refusal(), stamps.found.is_empty()) {
            (true, ..) => self.skip("time-stamps", NO_AUTHORITY),
            (false, Some(refusal), _) => self.fail("time-stamps", format!("the bundle {refusal}"), Vec::new()),
            (false, None, true) => self.skip("time-stamps", NO_STAMP),
            (false, None, false) => {
                self.pass(
                    "time-stamps",
                    stamps.found.iter().map(|found| Fact::new("stamped", found.clone())).collect(),
                );
            }
        }
        Some(signer)
    }

    fn key(&mut self, signer: &TrustedKey, statement: &Statement, by: Option<Day>) {
        let name = quote(&signer.name);
        match signer.standing.counts(Signed { release: None, by }) {
            Err(why) => self.fail("key", format!("the key `{name}` {why}"), Vec::new()),
            Ok(_) if !signer.may_sign(&statement.predicate_type) => {
                self.fail("key", format!("the key `{name}` may not sign statements of this type"), Vec::new());
            }
            Ok(told) => self.pass("key", vec![Fact::new("standing", told)]),
        }
    }

    /// One bundle is one voice: where more are asked for, this answers for one of them.
    fn threshold(&mut self, trust: &Trust) {
        let (release, rebuild) = (trust.release_threshold.unwrap_or(1), trust.rebuild_threshold);
        let reason = match release > 1 || rebuild > 0 {
            true => format!(
                "one bundle is one voice; of a release the trust asks for {release}, and for {rebuild} rebuilds"
            ),
            false => "the trust asks for one voice".to_owned(),
        };
        self.skip("threshold", reason);
    }

    /// The rows `builder` to `rollback`, which only provenance has an answer to.
    fn provenance(&mut self, signer: &TrustedKey, trust: &Trust, statement: &Statement, expect: &Expectations) {
        if statement.predicate_type != uri::PROVENANCE {
            for id in ["builder", "build-type", "parameters", "relaxations", "level", "rollback"] {
                self.skip(id, "the statement is no provenance");
            }
            return match expect.iter().next() {
                None => self.skip("expectations", "nothing is expected"),
                Some(_) => self.fail("expectations", "only provenance says what is expected", Vec::new()),
            };
        }
        let provenance: Provenance = match statement.predicate_as() {
            Ok(provenance) => provenance,
            Err(error) => return self.fail("builder", error.to_string(), Vec::new()),
        };
        let id = &provenance.run_details.builder.id;
        let accepted = signer.accepted_builder_ids(!relaxation_names(&provenance).is_empty());
        if accepted.contains(id) {
            self.pass("builder", vec![Fact::new("builder", quote(id))]);
        } else {
            let mut facts: Vec<Fact> = accepted.iter().map(|id| Fact::new("key speaks for", quote(id))).collect();
            facts.push(Fact::new("found", quote(id)));
            self.fail("builder", "the provenance names a builder that its key does not speak for", facts);
        }
        let known = self.request(&provenance, expect);
        match relaxed(&provenance, expect.get("relaxations").unwrap_or_default()) {
            Ok(facts) => self.pass("relaxations", facts),
            Err((reason, facts)) => self.fail("relaxations", reason, facts),
        }
        for (id, asked, (outcome, facts)) in [
            ("level", trust.minimum_level.is_some(), level(trust, &provenance)),
            ("rollback", !trust.floors.is_empty(), rollback(trust, &provenance)),
        ] {
            match known || !asked {
                true => self.answers.push((id, outcome, facts)),
                false => self.fail(id, "what this build type's parameters mean is not known here", Vec::new()),
            }
        }
        for (name, expected) in expect.iter().filter(|(name, _)| *name != "relaxations") {
            let found = said(&provenance, name);
            if !found.iter().any(|found| found == expected) {
                let mut facts = vec![Fact::new("expected", quote(expected))];
                facts.extend(found.iter().map(|found| Fact::new("found", quote(found))));
                return self.fail(
                    "expectations",
                    format!("the provenance's {name} is another one than expected"),
                    facts,
                );
            }
        }
        self.pass("expectations", expect.iter().map(|(name, value)| Fact::new(name, quote(value))).collect());
    }

    /// The rows `build-type` and `parameters`: what may stand in the parameters is known of one build type only.
    /// Whether it is that one.
    fn request(&mut self, provenance: &Provenance, expect: &Expectations) -> bool {
        let found = &provenance.build_definition.build_type;
        let facts = vec![Fact::new("build type", quote(found))];
        if found == uri::BUILD_TYPE {
            self.pass("build-type", facts);
            match parameter_fault(&provenance.build_definition.external_parameters) {
                Some(fault) => self.fail("parameters", fault, Vec::new()),
                None => self.pass("parameters", Vec::new()),
            }
        } else if expect.get("build-type") == Some(found) {
            self.pass("build-type", facts);
            self.skip("parameters", "what this build type's parameters mean is not known here");
        } else {
            let reason = "the build type is neither selfsame's nor one that was expected";
            self.fail("build-type", reason, facts);
        }
        found == uri::BUILD_TYPE
    }

    /// A summary is somebody's answer: no other than yes is one.
    fn summary(&mut self, statement: &Statement) {
        if statement.predicate_type != uri::VSA {
            return self.skip("summary", "the statement is no verification summary");
        }
        let summary: VerificationSummary = match statement.predicate_as() {
            Ok(summary) => summary,
            Err(error) => return self.fail("summary", error.to_string(), Vec::new()),
        };
        let mut facts = vec![
            Fact::new("verifier", quote(&summary.verifier.id)),
            Fact::new("resource", quote(&summary.resource_uri)),
            Fact::new("policy", quote(&summary.policy.uri)),
        ];
        facts.extend(summary.verified_levels.iter().map(|level| Fact::new("level", quote(level))));
        if summary.verification_result != VerificationResult::Passed {
            let said = summary.verification_result.as_str();
            return self.fail("summary", format!("the verification summary says {said}"), facts);
        }
        if summary.verified_levels.is_empty() {
            return self.fail("summary", "the verification summary names no level", facts);
        }
        self.pass("summary", facts);
    }

    /// Every check in its order; what nobody answered was not reached.
    fn finish(mut self) -> Vec<JoinedCheck> {
        let mut last_failed = None;
        let check = |(id, title): (&'static str, &'static str)| {
            let answer = self.answers.iter().position(|(answered, ..)| *answered == id);
            let (outcome, facts) = match answer.map(|place| self.answers.swap_remove(place)) {
                Some((_, outcome, facts)) => (outcome, facts),
                None if id == "offline" => {
                    (Outcome::NotPerformed { reason: "the caller did not say".to_owned() }, Vec::new())
                }
                None => {
                    let reason = last_failed
                        .map_or("not reached".to_owned(), |failed| format!("not reached: `{failed}` failed"));
                    (Outcome::NotPerformed { reason }, Vec::new())
                }
            };
            if matches!(outcome, Outcome::Failed { .. }) {
                last_failed = Some(id);
            }
            JoinedCheck { id, title, outcome, facts }
        };
        CHECKS.into_iter().map(check).collect()
    }
}

/// The trusted key that signed. If none did: what is wrong with the signature of the one that the bundle names, or with
/// what one of them signed.
fn signer_of<'a>(bundle: &Bundle, trust: &'a Trust) -> Result<&'a TrustedKey, Option<EnvelopeError>> {
    let mut why = None;
    for trusted in trust.keys() {
        match bundle.envelope().verify(&trusted.key) {
            Ok(()) => return Ok(trusted),
            Err(EnvelopeError::Signature(SignatureError::Mismatch)) if bundle.key_id() != trusted.key.key_id() => {}
            Err(fault) => why = Some(fault),
        }
    }
    Err(why)
}
