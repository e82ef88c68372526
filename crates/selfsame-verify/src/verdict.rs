//! The answer: every check with its outcome, in one fixed order.

mod json;

pub(crate) use json::policies as policies_json;

use std::collections::BTreeSet;

use selfsame_attest::{Provenance, RunRecord};
use selfsame_core::Digest;
use selfsame_policy::Ruled;

use crate::options::Depth;
use crate::trust::TrustSource;
use crate::verified::{Evidence, Verified};

/// The `schema` of a verdict's JSON form.
pub const VERDICT_SCHEMA: &str = "https://selfsame.dev/verdict/v1";

/// What `verify` found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The answer.
    pub class: Class,
    /// How thoroughly was looked.
    pub depth: Depth,
    /// Every check, also those that were not reached, in the order of [`CheckId::ALL`].
    pub checks: Vec<Check>,
    /// The digest of the image that the index lists first, as soon as it is known. Believe it only when verified.
    pub image: Option<Digest>,
    /// The release id, once an inventory with a trusted signature was read. Believe it only when verified.
    pub release_id: Option<Digest>,
    /// The signed documents, when verified.
    pub evidence: Option<Verified<Evidence>>,
    /// The provenance out of them, when verified: what a rebuild starts from.
    pub provenance: Option<Verified<Provenance>>,
    /// The run record by the same key about this release, when verified and there is one.
    pub run_record: Option<Verified<RunRecord>>,
    /// Every attestation that the verdict rests on, when verified: each kind with the SHA-256 of its bundle as it lies in
    /// the release. None where it rests on those of other signers and rebuilders, too: a part of them would not be all.
    pub attestations: BTreeSet<(String, Digest)>,
    /// Statements that are there and were not used.
    pub unlisted: Vec<Unlisted>,
    /// The trust file that was judged by, where it was one.
    pub trust: Option<TrustSource>,
    /// Every policy, and what it said where it was asked: of what is not verified otherwise, none is.
    pub policies: Vec<Ruled>,
    /// What the policies were asked over, where [`Options::keep_facts`](crate::Options::keep_facts) says so and they were
    /// asked: whatever they said, it is verified.
    pub facts: Option<Verified<serde_json::Value>>,
}

impl Verdict {
    /// Whether every check that the depth asks for passed.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.class == Class::Verified
    }

    /// The check of this id.
    ///
    /// # Panics
    /// Never: a verdict has every check.
    #[must_use]
    pub fn check(&self, id: CheckId) -> &Check {
        self.checks.iter().find(|check| check.id == id).expect("a verdict has every check")
    }

    /// Says whether the process closed itself off from the network before it judged. The caller knows; nothing here does.
    pub fn judged_offline(&mut self, closed: Result<String, String>) {
        let (outcome, facts) = match closed {
            Ok(how) => (Outcome::Passed, vec![Fact::new("how", how)]),
            Err(reason) => (Outcome::NotPerformed { reason }, Vec::new()),
        };
        if let Some(check) = self.checks.iter_mut().find(|check| check.id == CheckId::Offline) {
            (check.outcome, check.facts) = (outcome, facts);
        }
    }

    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed { .. }))
    }
}

/// The three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Every check that the depth asks for passed.
    Verified,
    /// At least one failed.
    NotVerified,
    /// The question could not be put: no key was given, or a file could not be read. Not verified either.
    Unanswered,
}

impl Class {
    /// `verified`, `not-verified` or `unanswered`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotVerified => "not-verified",
            Self::Unanswered => "unanswered",
        }
    }
}

/// One question to the release, and the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which one.
    pub id: CheckId,
    /// The answer.
    pub outcome: Outcome,
    /// What the answer rests on.
    pub facts: Vec<Fact>,
}

impl Check {
    /// What is asked, as a phrase that is true when the check passes.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.id.title()
    }
}

/// Something seen while checking. Words from the release are escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is: `expected`, `found`, `key`.
    pub label: String,
    /// The value.
    pub value: String,
}

impl Fact {
    /// A fact.
    #[must_use]
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// The answer to one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Yes.
    Passed,
    /// No.
    Failed {
        /// The first fault in one line: the thing and what is wrong with it.
        reason: String,
    },
    /// It was not asked.
    NotPerformed {
        /// Why not.
        reason: String,
    },
}

impl Outcome {
    /// `passed`, `failed` or `not-performed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::NotPerformed { .. } => "not-performed",
        }
    }

    /// Why, unless it passed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed { reason } | Self::NotPerformed { reason } => Some(reason),
        }
    }
}

impl CheckId {
    /// The step of SLSA's "Verifying artifacts" (v1.2) that the check is a part of, if it is part of one.
    #[must_use]
    pub const fn slsa(self) -> Option<&'static str> {
        match self {
            Self::Trust | Self::Signatures | Self::Key => Some("1 build level: the signature, by the roots of trust"),
            Self::Subjects => Some("1 build level: the subject"),
            Self::Statements | Self::EvidenceSet => Some("1 build level: the predicate type"),
            Self::Builder => Some("1 build level: the builder, bound to the key"),
            Self::BuildType => Some("2 expectations: the build type"),
            Self::Parameters | Self::Relaxations => Some("2 expectations: the external parameters"),
            Self::Expectations | Self::Names => Some("2 expectations: the source and the package"),
            Self::Inputs | Self::Components => Some("3 dependencies: named, with their digests"),
            _ => None,
        }
    }
}

/// A statement that is there and decided nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// Its file in the release.
    pub file: String,
    /// Its predicate type as far as it could be read.
    pub predicate_type: Option<String>,
    /// Whose it is and why it was not used.
    pub note: String,
}

macro_rules! check_ids {
    ($($(#[$doc:meta])* $id:ident, $text:literal, $depth:expr, $title:literal;)*) => {
        /// The checks in their order. docs/verdicts.md says what each proves.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CheckId {
            $($(#[$doc])* $id,)*
        }

        impl CheckId {
            /// All of them, in their order.
            pub const ALL: &'static [Self] = &[$(Self::$id),*];

            /// The stable name in the JSON form.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$id => $text,)* }
            }

            /// What is asked, as a phrase that is true when the check passes.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$id => $title,)* }
            }

            /// From which depth on a verdict needs it to pass; nothing for a check that only informs.
            #[must_use]
            pub const fn required_from(self) -> Option<Depth> {
                match self { $(Self::$id => $depth,)* }
            }
        }
    };
}

check_ids! {
    /// There is somebody to believe.
    Trust, "trust", Some(Depth::Evidence), "a trusted key was given";
    /// `oci-layout`.
    Layout, "layout", Some(Depth::Evidence), "the release is an OCI layout of a known version";
    /// `index.json`.
    Index, "index", Some(Depth::Evidence), "index.json lists one image and what refers to it";
    /// The image manifest and config.
    Image, "image", Some(Depth::Evidence), "image manifest and config have their digests and agree";
    /// The manifests that carry evidence.
    Referrers, "referrers", Some(Depth::Evidence), "every referrer is about this image";
    /// Bundle and envelope form.
    Bundles, "bundles", Some(Depth::Evidence), "every evidence document is one well-formed bundle";
    /// Who signed.
    Signatures, "signatures", Some(Depth::Evidence), "one trusted key signed every evidence document";
    /// Statement form.
    Statements, "statements", Some(Depth::Evidence), "every signed payload is an in-toto statement";
    /// What the statements are about.
    Subjects, "subjects", Some(Depth::Evidence), "every statement is about this image by its SHA-256";
    /// No document missing, none twice.
    EvidenceSet, "evidence-set", Some(Depth::Evidence), "provenance, SBOM, image signature and inventory are there once each";
    /// The closed list.
    Inventory, "inventory", Some(Depth::Evidence), "the inventory lists exactly the evidence that is there";
    /// The signer's key on the day that is asked about.
    Key, "key", Some(Depth::Evidence), "the key counts for what it signed";
    /// Key and builder.
    Builder, "builder", Some(Depth::Evidence), "the key may speak for the builder";
    /// SLSA `buildType`.
    BuildType, "build-type", Some(Depth::Evidence), "the build type is selfsame's";
    /// SLSA `externalParameters`.
    Parameters, "parameters", Some(Depth::Evidence), "the external parameters hold known fields only";
    /// Named exceptions.
    Relaxations, "relaxations", Some(Depth::Evidence), "the build used no relaxation but those accepted";
    /// The profile.
    Profile, "profile", Some(Depth::Evidence), "the profile is one that this version knows";
    /// SLSA `resolvedDependencies`.
    Inputs, "inputs", Some(Depth::Evidence), "every input is named with its digest";
    /// The SBOM in the provenance.
    SbomDigest, "sbom-digest", Some(Depth::Evidence), "the SBOM is the one that the provenance names";
    /// The SBOM against the inputs.
    Components, "components", Some(Depth::Evidence), "every input in the SBOM is an input of the provenance";
    /// Names outside the signature.
    Names, "names", Some(Depth::Evidence), "the release is filed under its signed name and version";
    /// `--expect`.
    Expectations, "expectations", Some(Depth::Evidence), "the release is the expected one";
    /// The least level of the trust.
    Level, "level", Some(Depth::Evidence), "the build achieved the level that the trust asks for";
    /// The trust's floor under versions and epochs.
    Rollback, "rollback", Some(Depth::Evidence), "the release is not older than the trust allows";
    /// Digest and size of everything named.
    Blobs, "blobs", Some(Depth::Blobs), "every blob that is named is there with its digest and size";
    /// Nothing that is not named.
    NothingExtra, "nothing-extra", Some(Depth::Blobs), "there is no file that nothing names";
    /// The capsule against the inputs.
    Capsule, "capsule", Some(Depth::Evidence), "every part of the capsule is an input of the provenance";
    /// Layers open and are what the config says.
    Layers, "layers", Some(Depth::Content), "every layer is safe to unpack and has its diffID";
    /// Files against the SBOM.
    Files, "files", Some(Depth::Content), "the SBOM's files are the image's files";
    /// Packages against files.
    Claims, "claims", Some(Depth::Content), "what the SBOM says is a package's is in the image";
    /// How many vouch for it.
    Threshold, "threshold", Some(Depth::Evidence), "as many vouch for it as the trust asks for";
    /// The policy over all that was found.
    Policy, "policy", Some(Depth::Evidence), "the policy allows the release";
    /// The run record beside the release.
    RunRecord, "run-record", None, "the run record is about this release and by its signer";
    /// Statements of others.
    Unlisted, "unlisted", None, "statements outside the inventory were not used";
    /// What the caller did to the process before it asked.
    Offline, "offline", None, "the kernel refused the network while it was judged";
    /// Transparency logs. Once a log is trusted, a document that is in none fails.
    Log, "log", None, "every evidence document is in a trusted transparency log";
    /// RFC 3161. Once an authority is trusted, a stamp that names it and does not hold fails.
    TimeStamps, "time-stamps", None, "what trusted authorities stamped are these signatures";
}
