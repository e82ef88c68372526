//! SLSA provenance v1: what was built, from what, by whom. No times: they would differ between two equal builds.

use serde_json::{Map, Value};

use selfsame_core::uri;

use super::resource::ResourceDescriptor;
use super::{Predicate, null_is_empty};

/// `{"buildDefinition":{...},"runDetails":{...}}`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// What was asked for and what went in.
    pub build_definition: BuildDefinition,
    /// Who built it, and what else came out.
    pub run_details: RunDetails,
}

impl Predicate for Provenance {
    const TYPE: &'static str = uri::PROVENANCE;
}

/// The inputs of the build, complete enough to run it again.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// How to read the parameters; docs/build-type/v1.md for ours.
    pub build_type: String,
    /// What the person who asked for the build could choose.
    pub external_parameters: Map<String, Value>,
    /// What the builder chose: profile, sandbox facts, actions.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Map::is_empty")]
    pub internal_parameters: Map<String, Value>,
    /// Every input, by digest.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub resolved_dependencies: Vec<ResourceDescriptor>,
}

/// The run, without anything that a second run would do otherwise.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// Who vouches for the build.
    pub builder: Builder,
    /// What came out beside the subject: the SBOM.
    #[serde(default, deserialize_with = "null_is_empty", skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<ResourceDescriptor>,
}

/// The builder, by its id.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Builder {
    /// A URI; one per set of guarantees (SLSA build provenance, "builder.id").
    pub id: String,
}
