//! The rebuild statement: somebody built a release again and says what came out. docs/rebuild/v1.md.

use serde::{Deserialize as _, Deserializer, Serializer};

use selfsame_core::{Digest, uri};

use super::run_record::Tool;
use super::{Predicate, null_is_empty};

/// The outcome of one rebuild of one release. The statement's subject is the original image.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildStatement {
    /// What came out.
    #[serde(serialize_with = "print_verdict", deserialize_with = "parse_verdict")]
    pub verdict: RebuildVerdict,
    /// The release that was built again.
    pub release_id: Digest,
    /// The image digest that the release signed.
    pub original: Digest,
    /// The image digest that came out; absent when nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuilt: Option<Digest>,
    /// What was compared, in the order image, provenance, SBOM, inventory.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Comparison>,
    /// Why not `same`, in one line. Empty for `same`.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// The first action whose inputs agreed and whose output did not. Empty when there is none.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "String::is_empty")]
    pub first_differing_action: String,
    /// The program that rebuilt it.
    pub selfsame: Tool,
}

impl Predicate for RebuildStatement {
    const TYPE: &'static str = uri::REBUILD;
}

/// One compared thing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Comparison {
    /// `image`, `provenance`, `sbom` or `inventory`.
    pub name: String,
    /// The published digest: of the image manifest, or of the document's payload.
    pub original: Digest,
    /// The rebuilt one.
    pub rebuilt: Digest,
}

/// The four answers of a rebuild. docs/verdicts.md says what each proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RebuildVerdict {
    /// Every compared digest is equal.
    Same,
    /// The image is equal, or its content is; the named cause explains the rest.
    Equivalent,
    /// The content differs.
    Differs,
    /// Nothing came out to compare.
    CouldNotRebuild,
}

impl RebuildVerdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Same, Self::Equivalent, Self::Differs, Self::CouldNotRebuild];

    /// `same`, `equivalent`, `differs` or `could-not-rebuild`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Equivalent => "equivalent",
            Self::Differs => "differs",
            Self::CouldNotRebuild => "could-not-rebuild",
        }
    }
}

fn print_verdict<S: Serializer>(verdict: &RebuildVerdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.as_str())
}

fn parse_verdict<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RebuildVerdict, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let known = RebuildVerdict::ALL.into_iter().find(|verdict| verdict.as_str() == text);
    known.ok_or_else(|| serde::de::Error::custom("`verdict` is none of same, equivalent, differs, could-not-rebuild"))
}
