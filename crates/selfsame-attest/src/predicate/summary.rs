//! SLSA verification summary v1: somebody judged an artifact by a policy and says what came out. docs/vsa/v1.md.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize as _, Deserializer, Serializer};
use serde_json::{Map, Value};

use selfsame_core::{SourceEpoch, uri};

use super::resource::ResourceDescriptor;
use super::{Predicate, PredicateError, null_is_empty};
use crate::text;

/// What a verifier found out about the statement's subjects (SLSA v1.2, "Verification Summary Attestation").
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationSummary {
    /// Who judged.
    pub verifier: Verifier,
    /// When: RFC 3339 in UTC. Empty where it is not said.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub time_verified: String,
    /// Where whoever uses the artifact gets it.
    pub resource_uri: String,
    /// What it was judged by; its `uri` is never empty.
    pub policy: ResourceDescriptor,
    /// Every attestation that the judgement rests on, each by digest; empty where they are not said.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub input_attestations: Vec<ResourceDescriptor>,
    /// The answer.
    #[serde(serialize_with = "print_result", deserialize_with = "parse_result")]
    pub verification_result: VerificationResult,
    /// One level for each track, `SLSA_BUILD_LEVEL_1`, and properties; exactly `FAILED` for the answer no.
    pub verified_levels: Vec<String>,
    /// The version of SLSA that was judged by: `1.2`. Empty where it is not said.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub slsa_version: String,
}

/// Who judges, by id. Readers believe a key for exactly the ids that they bound to it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verifier {
    /// A URI.
    pub id: String,
    /// The versions of the programs that judged, by name.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
}

/// The two answers of a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerificationResult {
    /// Every demand of the policy is met.
    Passed,
    /// At least one is not.
    Failed,
}

impl VerificationResult {
    /// `PASSED` or `FAILED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Failed => "FAILED",
        }
    }
}

impl VerificationSummary {
    /// The version of SLSA whose steps `verify` follows.
    pub const SLSA_VERSION: &'static str = "1.2";
    /// What stands in place of levels where the answer is no.
    pub const NO_LEVEL: &'static str = "FAILED";
    /// The most attestations that a summary from outside may name.
    pub const MOST_ATTESTATIONS: usize = 1024;
    /// The most levels and properties that a summary from outside may name.
    pub const MOST_LEVELS: usize = 64;

    /// Why this is not a summary that says what it has to.
    fn fault(&self) -> Option<String> {
        let is_level = |level: &&String| level.starts_with("SLSA_");
        let failed = self.verified_levels.iter().any(|level| level == Self::NO_LEVEL);
        let fault = match () {
            () if !text::is_uri(&self.verifier.id) => "`verifier.id` is not a URI",
            () if !text::is_uri(&self.resource_uri) => "`resourceUri` is not a URI",
            () if !text::is_uri(&self.policy.uri) => "`policy.uri` is not a URI",
            () if !self.time_verified.is_empty() && !is_time(&self.time_verified) => {
                "`timeVerified` is not a time in UTC like 2026-11-20T12:00:00Z"
            }
            () if self.input_attestations.len() > Self::MOST_ATTESTATIONS => {
                "`inputAttestations` names more than 1024 attestations"
            }
            () if self.input_attestations.iter().any(|it| it.digest.is_empty()) => {
                "`inputAttestations` names one without a digest"
            }
            () if self.verified_levels.len() > Self::MOST_LEVELS => "`verifiedLevels` names more than 64",
            () if failed != (self.verification_result == VerificationResult::Failed)
                || (failed && self.verified_levels.len() != 1) =>
            {
                "`verifiedLevels` is `FAILED` alone where the result is FAILED, and only there"
            }
            () => {
                let mut tracks = BTreeSet::new();
                for level in self.verified_levels.iter().filter(is_level) {
                    let Some((track, number)) = level.rsplit_once("_LEVEL_") else { continue };
                    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                        return Some(format!("`{}` is not a level", text::quote(level)));
                    }
                    if !tracks.insert(track) {
                        return Some(format!("`verifiedLevels` has two levels of `{}`", text::quote(track)));
                    }
                }
                return None;
            }
        };
        Some(fault.to_owned())
    }
}

impl Predicate for VerificationSummary {
    const TYPE: &'static str = uri::VSA;

    fn parse(predicate: &Map<String, Value>) -> Result<Self, PredicateError> {
        let error = |fault| PredicateError { predicate_type: Self::TYPE, fault };
        let summary = Self::deserialize(predicate).map_err(|fault| error(text::quote(&fault.to_string())))?;
        match summary.fault() {
            None => Ok(summary),
            Some(fault) => Err(error(fault)),
        }
    }
}

/// RFC 3339 in UTC, with or without parts of a second (in-toto field_types.md, "Timestamp").
fn is_time(time: &str) -> bool {
    let whole = match time.strip_suffix('Z').and_then(|time| time.split_once('.')) {
        Some((whole, part)) if (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{whole}Z")
        }
        _ => time.to_owned(),
    };
    SourceEpoch::from_rfc3339(&whole).is_some()
}

fn print_result<S: Serializer>(result: &VerificationResult, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(result.as_str())
}

fn parse_result<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VerificationResult, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    [VerificationResult::Passed, VerificationResult::Failed]
        .into_iter()
        .find(|result| result.as_str() == text)
        .ok_or_else(|| serde::de::Error::custom("`verificationResult` is neither PASSED nor FAILED"))
}
