//! Releases of one image for several platforms, built together or built apart and joined: docs/release/joined.md.
//!
//! Each part is a release, judged by [`verify`](crate::verify) as if it stood alone. What joins them is an index, a signature over it,
//! and an inventory that lists that signature and the inventory of every part; and where they were built together, the
//! provenance of all.

mod documents;
mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use selfsame_attest::text::quote;
use selfsame_attest::{Inventory, Provenance, PublicKey, RunRecord};
use selfsame_core::{Digest, Platform};
use selfsame_oci::layout;
use selfsame_policy::Ruled;
use serde_json::Value;

pub use parts::{JoinedFault, JoinedFiles, Part, PartFiles};

use crate::checks::rebuilds as statements_beside;
use crate::checks::stamps::{NO_AUTHORITY, NO_STAMP};
use crate::checks::{judge, may_stand_beside, policy, read_run_record, rebuilders};
use crate::facts::people;
use crate::files::{RUN_RECORD_FILE, ReleaseFiles};
use crate::options::{Depth, Expectations, Options};
use crate::trust::{Trust, TrustedKey};
use crate::verdict::{Class, Fact, Outcome, Unlisted, Verdict, policies_json};
use crate::verified::Verified;
use documents::Closed;

const DOCUMENT_BYTES: u64 = 64 << 20;

/// The verdict on a release for several platforms.
#[derive(Clone, Debug)]
pub struct JoinedVerdict {
    /// The digest of the index, once it is known. Believe it only when verified.
    pub index: Option<Digest>,
    /// What the index is filed under.
    pub name: String,
    /// The digest of the joining inventory's payload, once it is known.
    pub release_id: Option<Digest>,
    /// The parts in the order of the index, each with its own verdict.
    pub parts: Vec<(Platform, Verdict)>,
    /// What was asked of that which joins them, in order.
    pub checks: Vec<JoinedCheck>,
    /// What joins them, when all of it is verified.
    pub joining: Option<Verified<Joining>>,
    /// Statements about the index that are there and were not used.
    pub unlisted: Vec<Unlisted>,
    /// Whether a check of what joins them failed for what was seen, not for what could not be seen.
    refuted: bool,
    /// Every policy, and what it said: of the first platform that it does not allow, or of the last one.
    pub policies: Vec<Ruled>,
}

impl JoinedVerdict {
    /// One JSON text for each policy: `{"allow":true,"denied":[],"name":"default","sha256":"..."}`.
    #[must_use]
    pub fn policies_json(&self) -> serde_json::Value {
        policies_json(&self.policies)
    }
}

/// One question to what joins the parts, and the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedCheck {
    /// Its stable name.
    pub id: &'static str,
    /// What is asked, as a phrase that is true when the check passes.
    pub title: &'static str,
    /// The answer.
    pub outcome: Outcome,
    /// What it rests on.
    pub facts: Vec<Fact>,
}

impl JoinedCheck {
    /// `{"facts":[...],"id":"...","outcome":"...","reason":null,"title":"..."}`
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let fact = |fact: &Fact| serde_json::json!({ "label": fact.label, "value": fact.value });
        serde_json::json!({
            "facts": self.facts.iter().map(fact).collect::<Vec<_>>(),
            "id": self.id,
            "outcome": self.outcome.as_str(),
            "reason": self.outcome.reason(),
            "title": self.title,
        })
    }
}

/// What joins the parts of a release.
#[derive(Clone, Debug, PartialEq)]
pub struct Joining {
    /// The digest of the index.
    pub index: Digest,
    /// The SHA-256 of the joining inventory's payload.
    pub release_id: Digest,
    /// The key that signed it.
    pub signer: PublicKey,
    /// The joining inventory.
    pub inventory: Inventory,
    /// The provenance of all, where they were built together.
    pub provenance: Option<Provenance>,
    /// SHA-256 of each DSSE payload about the index by predicate type.
    pub payloads: BTreeMap<String, Digest>,
    /// The run record about the whole, where there is one by the signer.
    pub run_record: Option<RunRecord>,
}

/// What is asked, in this order; the last one decides nothing.
const CHECKS: [(&str, &str); 12] = [
    ("index", "the index names one image for each platform, and every document is about one of them or about it"),
    ("parts", "the release of each platform is verified"),
    ("signature", "one trusted key signed the index"),
    ("platforms", "the platforms are exactly those that were asked for together"),
    ("inventory", "the inventory lists exactly what joins the platforms, and the inventory of each"),
    ("log", "every document that joins the platforms is in a trusted transparency log"),
    ("time-stamps", "what trusted authorities stamped are the signatures that join the platforms"),
    ("expectations", "the release is the expected one"),
    ("nothing-extra", "there is no file that nothing names"),
    ("threshold", "as many identities as the trust asks for joined the platforms and rebuilt all of them"),
    (POLICY, "the policy allows every platform"),
    ("run-record", "the run record is about this release and by its signer"),
];
const RUN_RECORD: &str = "run-record";
const POLICY: &str = "policy";

impl JoinedVerdict {
    /// Verified if every part is and nothing is wrong with what joins them.
    #[must_use]
    pub fn class(&self) -> Class {
        let is = |class: Class| self.parts.iter().any(|(_, verdict)| verdict.class == class);
        match () {
            () if is(Class::NotVerified) || self.refuted => Class::NotVerified,
            () if is(Class::Unanswered) || self.faults().next().is_some() => Class::Unanswered,
            () if self.joining.is_none() => Class::Unanswered,
            () => Class::Verified,
        }
    }

    /// What does not hold, in the order of the checks.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().filter_map(|check| match &check.outcome {
            Outcome::Failed { reason } => Some(reason.as_str()),
            Outcome::Passed | Outcome::NotPerformed { .. } => None,
        })
    }
}

/// Judges a release whose first descriptor is an index; nothing where it is another, which [`verify`](crate::verify) judges.
///
/// Of the expectations, `image`, `release` and `platform` are those of the whole or of one of its parts; the others are
/// those of each part.
#[must_use]
pub fn verify_joined(release: &dyn ReleaseFiles, trust: &Trust, options: &Options) -> Option<JoinedVerdict> {
    let files = JoinedFiles::open(release)?;
    let mut judge = Judge { answers: Vec::new(), refuted: false };
    let mut verdict = JoinedVerdict {
        index: None,
        name: String::new(),
        release_id: None,
        parts: Vec::new(),
        checks: Vec::new(),
        joining: None,
        unlisted: Vec::new(),
        refuted: false,
        policies: policy::unasked(options.policy.as_ref()),
    };
    match files {
        Ok(files) => {
            verdict.index = Some(files.index.digest);
            verdict.name.clone_from(&files.name);
            judge.pass("index", files.parts.iter().map(|part| fact(&part.platform, part.image.digest)).collect());
            judge.all(release, &files, trust, options, &mut verdict);
        }
        Err(fault) => judge.fault("index", fault),
    }
    verdict.refuted = judge.refuted;
    verdict.checks = judge.finish(options.depth);
    if verdict.faults().next().is_some() {
        verdict.joining = None;
    }
    Some(verdict)
}

/// What is known of all platforms together.
struct Whole<'a> {
    index: Digest,
    platforms: Vec<String>,
    joiners: &'a BTreeMap<&'a str, &'a str>,
    rebuilders: &'a BTreeMap<String, String>,
    /// All that was expected: what is asked of the whole is not asked of a part.
    expected: &'a Expectations,
}

impl Whole<'_> {
    fn add_to(&self, facts: &mut Value) {
        let named = |(identity, name): (&&str, &&str)| ((*identity).to_owned(), (*name).to_owned());
        facts["release"]["index"] = Value::from(self.index.to_string());
        facts["release"]["platforms"] = self.platforms.iter().map(String::as_str).collect();
        facts["joiners"] = people(&self.joiners.iter().map(named).collect());
        facts["rebuilders"] = people(self.rebuilders);
        facts["expected"] = self.expected.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    }
}

/// Who rebuilt every part, by identity.
fn by_all(parts: Vec<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    for part in parts {
        all.retain(|identity, _| part.contains_key(identity));
    }
    all
}

fn fact(label: &impl ToString, value: impl ToString) -> Fact {
    Fact::new(label.to_string(), value.to_string())
}

/// The answers so far.
struct Judge {
    answers: Vec<(&'static str, Outcome, Vec<Fact>)>,
    /// Whether one of them is a no.
    refuted: bool,
}

impl Judge {
    fn pass(&mut self, id: &'static str, facts: Vec<Fact>) {
        self.answers.push((id, Outcome::Passed, facts));
    }

    fn fail(&mut self, id: &'static str, reason: impl Into<String>) {
        self.fault(id, JoinedFault::Refused(reason.into()));
    }

    /// A no, or the word that it could not be looked at.
    fn fault(&mut self, id: &'static str, fault: JoinedFault) {
        self.fail_with(id, fault, Vec::new());
    }

    fn unreadable(&mut self, id: &'static str, reason: String) {
        self.fault(id, JoinedFault::Unreadable(reason));
    }

    fn fail_with(&mut self, id: &'static str, fault: JoinedFault, facts: Vec<Fact>) {
        self.refuted |= matches!(fault, JoinedFault::Refused(_));
        self.answers.push((id, Outcome::Failed { reason: fault.to_string() }, facts));
    }

    fn skip(&mut self, id: &'static str, reason: impl Into<String>) {
        self.answers.push((id, Outcome::NotPerformed { reason: reason.into() }, Vec::new()));
    }

    fn all(
        &mut self,
        release: &dyn ReleaseFiles,
        files: &JoinedFiles,
        trust: &Trust,
        options: &Options,
        verdict: &mut JoinedVerdict,
    ) {
        let (whole, each) = options.expect.of_joined();
        let of_each = Options { expect: each, ..options.clone() };
        // Who rebuilt it is asked of the whole: a rebuild of the index is one of every image that it names.
        let mut of_parts = trust.clone();
        of_parts.rebuild_threshold = 0;
        let (mut standing, mut rebuilt, mut facts) = (Vec::new(), Vec::new(), Vec::new());
        for part in &files.parts {
            let mut answered = judge(&part.of(release), &of_parts, &of_each, false, None);
            // There are none before all of it is verified.
            answered.verdict.facts = None;
            verdict.parts.push((part.platform.clone(), answered.verdict));
            standing.push(answered.standing);
            facts.push(answered.facts);
            rebuilt.push(answered.rebuilt);
        }
        self.names(release, files, options.depth);
        // Without trust nothing is answered, by the parts neither; without every part there is nothing to join.
        let counts = verdict.parts.iter().map(|(platform, part)| fact(platform, part.class.as_str())).collect();
        match verdict.parts.iter().find(|(_, part)| !part.is_verified()) {
            None => {}
            Some((platform, part)) if part.class == Class::NotVerified => {
                let reason = part.failed().next().and_then(|check| check.outcome.reason()).unwrap_or_default();
                return self.fail("parts", format!("{platform}: {reason}"));
            }
            Some((platform, _)) => return self.skip("parts", format!("not answered for {platform}")),
        }
        let closed = match documents::closed(release, files, trust, &standing) {
            Ok(closed) => closed,
            Err((id, fault)) => {
                self.pass("parts", counts);
                return self.fault(id, fault);
            }
        };
        let Closed { mut joining, asked_together, stamps, joiners, fallen, mut rebuilds, unlisted } = closed;
        verdict.unlisted = unlisted;
        // Of a platform that several signed, what is told and asked is of the release that is joined.
        let joined: BTreeSet<Digest> = joining.inventory.documents.iter().map(|document| document.sha256).collect();
        for (place, part) in files.parts.iter().enumerate() {
            if verdict.parts[place].1.release_id.is_some_and(|id| joined.contains(&id)) {
                continue;
            }
            let mut answered = judge(&part.of(release), &of_parts, &of_each, false, Some(&joined));
            answered.verdict.facts = None;
            if !answered.verdict.is_verified() || !answered.verdict.release_id.is_some_and(|id| joined.contains(&id)) {
                return self.fail("parts", format!("{}: the release that is joined does not stand", part.platform));
            }
            verdict.parts[place].1 = answered.verdict;
            facts[place] = answered.facts;
            rebuilt[place] = answered.rebuilt;
        }
        let evidence: Vec<_> = verdict.parts.iter().filter_map(|(_, part)| part.evidence.as_deref()).collect();
        self.pass("parts", counts);
        self.pass("signature", vec![fact(&"key", joining.signer.key_id())]);
        match asked_together {
            true => self.pass("platforms", files.parts.iter().map(|part| fact(&"platform", &part.platform)).collect()),
            false => self.skip("platforms", "its parts were built apart, and joined"),
        }
        self.pass("inventory", vec![fact(&"release", joining.release_id)]);
        match trust.logs().is_empty() {
            true => self.skip("log", "the trust that was given names no log"),
            false => self.pass("log", Vec::new()),
        }
        match (trust.authorities().is_empty(), stamps.is_empty()) {
            (true, _) => self.skip("time-stamps", NO_AUTHORITY),
            (false, true) => self.skip("time-stamps", NO_STAMP),
            (false, false) => self.pass("time-stamps", stamps.iter().map(|found| fact(&"stamped", found)).collect()),
        }
        verdict.release_id = Some(joining.release_id);
        let images = [joining.index].into_iter().chain(evidence.iter().map(|part| part.image));
        let releases = [joining.release_id].into_iter().chain(evidence.iter().map(|part| part.release_id));
        let platforms = files.parts.iter().map(|part| part.platform.to_string());
        let found = [
            ("image", images.map(|image| image.to_string()).collect::<Vec<_>>()),
            ("release", releases.map(|release| release.to_string()).collect()),
            ("platform", platforms.collect()),
        ];
        self.expectations(&whole, &found);
        self.run_record(release, &mut joining);
        statements_beside(release, trust, joining.index, &mut rebuilds, &mut verdict.unlisted);
        let again = rebuilders(rebuilds, joining.index, joining.release_id, &joining.signer);
        let again = again.into_iter().chain(by_all(rebuilt)).collect();
        let signers = standing.iter().flatten().map(|part| part.evidence.signer.fingerprint()).collect();
        let again = self.threshold(trust, &joiners, &fallen, &again, &signers);
        // What is not verified otherwise has no facts.
        let sound = !self.answers.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed { .. }));
        if sound {
            let platforms = files.parts.iter().map(|part| part.platform.to_string()).collect();
            let (index, expected) = (joining.index, &options.expect);
            let whole = Whole { index, platforms, joiners: &joiners, rebuilders: &again, expected };
            self.policy(options, facts, &whole, verdict);
        }
        verdict.joining = Some(Verified::new(joining));
    }

    /// The policies over each platform, with what is known of the whole.
    fn policy(&mut self, options: &Options, facts: Vec<Option<Value>>, whole: &Whole<'_>, verdict: &mut JoinedVerdict) {
        let mut all = Vec::new();
        for ((platform, _), facts) in verdict.parts.iter().zip(facts) {
            let Some(mut facts) = facts else {
                return self.unreadable(POLICY, format!("{platform}: there are no facts"));
            };
            whole.add_to(&mut facts);
            all.push(facts);
        }
        if options.keep_facts {
            for ((_, part), facts) in verdict.parts.iter_mut().zip(&all) {
                part.facts = Some(Verified::new(facts.clone()));
            }
        }
        let mut told = Vec::new();
        for ((platform, _), facts) in verdict.parts.iter().zip(&all) {
            let (answer, ruled) = policy::ask(options.policy.as_ref(), facts);
            verdict.policies = ruled;
            match answer {
                policy::Answer::Allowed(allowed) => told = allowed,
                policy::Answer::Denied(reason, why) => {
                    let fault = JoinedFault::Refused(format!("{platform}: {reason}"));
                    return self.fail_with(POLICY, fault, why);
                }
                policy::Answer::Unanswered(reason) => {
                    return self.unreadable(POLICY, format!("{platform}: {reason}"));
                }
            }
        }
        self.pass(POLICY, told);
    }

    /// Who joined the parts and who rebuilt all of them, by identity, are as many as the trust asks for.
    fn threshold(
        &mut self,
        trust: &Trust,
        joiners: &BTreeMap<&str, &str>,
        fallen: &[String],
        again: &BTreeMap<String, String>,
        signers: &BTreeSet<Digest>,
    ) -> BTreeMap<String, String> {
        const ID: &str = "threshold";
        // Whoever signed a part or joined them is not independent of it, with another key neither.
        let signed = |identity: &str| {
            let of_part = |key: &&TrustedKey| signers.contains(&key.key.fingerprint());
            joiners.contains_key(identity) || trust.keys().iter().filter(of_part).any(|key| key.identity == identity)
        };
        let again: Vec<_> = again.iter().filter(|(identity, _)| !signed(identity)).collect();
        let who = |identity: &str, name: &str| format!("{} ({})", quote(identity), quote(name));
        let mut facts: Vec<Fact> =
            joiners.iter().map(|(identity, name)| fact(&"joined by", who(identity, name))).collect();
        facts.extend(fallen.iter().map(|why| fact(&"does not count", why)));
        facts.extend(again.iter().map(|(identity, name)| fact(&"rebuilt by", who(identity, name))));
        let (wanted, rebuilt) = (trust.release_threshold.unwrap_or(1), trust.rebuild_threshold);
        match (joiners.len(), again.len()) {
            (joined, _) if joined < wanted => {
                let reason =
                    format!("{joined} of the {wanted} identities that the trust asks for joined the platforms");
                self.fail_with(ID, JoinedFault::Refused(reason), facts);
            }
            (_, again) if again < rebuilt => {
                let reason = format!("{again} of the {rebuilt} other identities that the trust asks for rebuilt it");
                self.fail_with(ID, JoinedFault::Refused(reason), facts);
            }
            _ => self.pass(ID, facts),
        }
        again.into_iter().map(|(identity, name)| (identity.clone(), name.clone())).collect()
    }

    /// No file that nothing names, and Docker's list as it should be.
    fn names(&mut self, release: &dyn ReleaseFiles, files: &JoinedFiles, depth: Depth) {
        const ID: &str = "nothing-extra";
        match release.read(layout::DOCKER_FILE, DOCUMENT_BYTES) {
            Ok(None) => {}
            Ok(Some(bytes)) if bytes == files.docker_file() => {}
            Ok(Some(_)) => return self.fail(ID, "manifest.json lists something else than the images of the index"),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return self.fail(ID, format!("manifest.json has more than {DOCUMENT_BYTES} bytes"));
            }
            Err(error) => return self.unreadable(ID, format!("manifest.json cannot be read: {error}")),
        }
        if depth < Depth::Blobs {
            return;
        }
        let names = match release.names() {
            Ok(names) => names,
            Err(error) => return self.unreadable(ID, format!("the release's files cannot be listed: {error}")),
        };
        let belongs = |name: &str| files.has(name) || name == layout::DOCKER_FILE || may_stand_beside(name);
        match names.iter().find(|name| !belongs(name)) {
            Some(extra) => self.fail(ID, format!("nothing names `{}`", extra.escape_debug())),
            None => self.pass(ID, vec![fact(&"files", names.len())]),
        }
    }

    /// What is expected of the whole, or of one of its parts.
    fn expectations(&mut self, whole: &[(&str, &str)], found: &[(&str, Vec<String>)]) {
        const ID: &str = "expectations";
        for (name, expected) in whole {
            let there = found.iter().find(|(known, _)| known == name).map(|(_, there)| there.as_slice());
            if !there.unwrap_or_default().iter().any(|there| there == expected) {
                let expected = expected.escape_debug();
                return self.fail(ID, format!("neither the release nor a part of it has the {name} `{expected}`"));
            }
        }
        self.pass(ID, whole.iter().map(|(name, value)| fact(name, value.escape_debug())).collect());
    }

    /// It never decides: a run record is outside the compared set and may be taken away.
    fn run_record(&mut self, release: &dyn ReleaseFiles, joining: &mut Joining) {
        match release.read(RUN_RECORD_FILE, DOCUMENT_BYTES) {
            Ok(None) => self.skip(RUN_RECORD, "there is none"),
            Err(error) => self.skip(RUN_RECORD, format!("not used: {RUN_RECORD_FILE} cannot be read: {error}")),
            Ok(Some(bytes)) => match read_run_record(&bytes, &joining.signer, joining.index, joining.release_id) {
                Ok(record) => {
                    joining.run_record = Some(record);
                    self.pass(RUN_RECORD, vec![fact(&"file", RUN_RECORD_FILE)]);
                }
                Err(fault) => self.skip(RUN_RECORD, format!("not used: {RUN_RECORD_FILE}: {fault}")),
            },
        }
    }

    /// Every check in its order; what nobody answered was not reached.
    fn finish(mut self, depth: Depth) -> Vec<JoinedCheck> {
        let mut last_failed = None;
        CHECKS
            .into_iter()
            .map(|(id, title)| {
                let answer = self.answers.iter().position(|(answered, ..)| *answered == id);
                let (outcome, facts) = match answer.map(|place| self.answers.swap_remove(place)) {
                    Some((_, outcome, facts)) => (outcome, facts),
                    None => {
                        let reason = match last_failed {
                            _ if id == "nothing-extra" && depth < Depth::Blobs => {
                                format!("not asked for at depth `{}`", depth.as_str())
                            }
                            Some(failed) => format!("not reached: `{failed}` failed"),
                            None => "not reached".to_owned(),
                        };
                        (Outcome::NotPerformed { reason }, Vec::new())
                    }
                };
                if matches!(outcome, Outcome::Failed { .. }) {
                    last_failed = Some(id);
                }
                JoinedCheck { id, title, outcome, facts }
            })
            .collect()
    }
}
