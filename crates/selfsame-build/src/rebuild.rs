//! The comparison of a release with what came out when it was built again.

use std::collections::BTreeMap;

use selfsame_attest::{Comparison, RebuildVerdict};
use selfsame_core::{Digest, uri};
use serde_json::Value;

use crate::build::Built;
use crate::error::BuildError;
use crate::evidence::statements;
use crate::joining::{Joined, joining_statements, provenance_of_several};
use crate::subject::Subject;

/// What a verified release says it is: the digests that a rebuild is held against.
#[derive(Clone, Debug)]
pub struct Original {
    /// Of the image manifest.
    pub image: Digest,
    /// The diffIDs of its layers.
    pub diff_ids: Vec<Digest>,
    /// The digest of each evidence document's payload, by predicate type.
    pub payloads: BTreeMap<String, Digest>,
    /// Name, action digest and output tree digest of each action, in order: `internalParameters.actions`.
    pub actions: Vec<OriginalAction>,
    /// Whether the release was checked when it was built, and why not: it stands in the inventory.
    pub not_checked_because: Option<String>,
}

/// An action as the provenance has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalAction {
    /// Its name.
    pub name: String,
    /// Its action digest.
    pub action: Digest,
    /// The digest of its output tree.
    pub output: Digest,
}

/// How a rebuild compares.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answer.
    pub verdict: RebuildVerdict,
    /// Everything that was compared: image first, then provenance, SBOM, signature statement and inventory.
    pub compared: Vec<Comparison>,
    /// Why not `same`, in one line; empty for `same`.
    pub cause: String,
    /// The first action whose inputs agree and whose output does not.
    pub first_differing_action: Option<String>,
}

/// Holds a rebuild against the release.
///
/// The image decides between `same` and `differs`. Where diffIDs agree, the content does, and what is left
/// (compressor, evidence mapping) is `equivalent`.
#[must_use]
pub fn compare(original: &Original, built: &Built) -> Outcome {
    let image = &built.record.image;
    let mut compared =
        vec![Comparison { name: "image".to_owned(), original: original.image, rebuilt: image.manifest.digest }];
    for statement in statements(built, original.not_checked_because.as_deref()) {
        let Some(&payload) = original.payloads.get(&statement.predicate_type) else { continue };
        compared.push(Comparison {
            name: document_name(&statement.predicate_type).to_owned(),
            original: payload,
            rebuilt: Digest::of(&statement.to_payload()),
        });
    }
    let differing: Vec<&str> =
        compared.iter().filter(|pair| pair.original != pair.rebuilt).map(|pair| pair.name.as_str()).collect();
    let diff_ids: Vec<Digest> = image.layers.iter().map(|layer| layer.diff_id).collect();
    let (verdict, cause) = match differing.first() {
        None => (RebuildVerdict::Same, String::new()),
        Some(&"image") if diff_ids != original.diff_ids => {
            (RebuildVerdict::Differs, "the content of the image differs".to_owned())
        }
        Some(&"image") => {
            let cause = "the diffIDs agree: layer content is equal, its compression or the image's metadata is not";
            (RebuildVerdict::Equivalent, cause.to_owned())
        }
        Some(_) => {
            let cause = format!("the image is equal; the evidence differs in {}", differing.join(", "));
            (RebuildVerdict::Equivalent, cause)
        }
    };
    Outcome { verdict, compared, cause, first_differing_action: first_differing_action(original, built) }
}

/// What joins the parts of a verified release.
#[derive(Clone, Debug)]
pub struct OriginalJoin {
    /// `name:version`.
    pub name: String,
    /// Of the index.
    pub index: Digest,
    /// The digest of the payload of each document about the index, by predicate type.
    pub payloads: BTreeMap<String, Digest>,
    /// Whether the parts were built together: then there is provenance of all.
    pub together: bool,
    /// Whether all was checked, and why not: it stands in the inventory.
    pub not_checked_because: Option<String>,
}

/// Holds what joins the parts against what would join them now, and sums all up: as good as the worst of the parts. What
/// was compared of each part stands behind that, under the name of its platform.
pub fn compare_joined(original: &OriginalJoin, parts: &[(&Built, &Outcome)]) -> Result<Outcome, BuildError> {
    let images = parts.iter().map(|(built, _)| built.record.image.clone()).collect();
    let subject = match (parts.first(), original.together) {
        (Some((built, _)), true) => Subject::index(images, &built.record.request)?,
        _ => Subject::joined(images)?,
    };
    let index = subject.descriptor.digest;
    let builds: Vec<&Built> = parts.iter().map(|(built, _)| *built).collect();
    let provenance = if original.together { Some(provenance_of_several(&builds)?) } else { None };
    let joined: Vec<Joined> = parts
        .iter()
        .map(|(built, outcome)| {
            let inventory = outcome.compared.iter().find(|pair| pair.name == document_name(uri::INVENTORY));
            let release_id = inventory.map_or(Digest::of(b""), |pair| pair.rebuilt);
            let record = &built.record;
            Joined { platform: record.request.platform.clone(), image: record.image.manifest.digest, release_id }
        })
        .collect();
    let why = original.not_checked_because.as_deref();
    let mut compared = vec![Comparison { name: "image".to_owned(), original: original.index, rebuilt: index }];
    for statement in joining_statements(&original.name, index, &joined, provenance.as_ref(), why) {
        let Some(&payload) = original.payloads.get(&statement.predicate_type) else { continue };
        let name = document_name(&statement.predicate_type).to_owned();
        compared.push(Comparison { name, original: payload, rebuilt: Digest::of(&statement.to_payload()) });
    }
    let differing: Vec<&str> =
        compared.iter().filter(|pair| pair.original != pair.rebuilt).map(|pair| pair.name.as_str()).collect();
    let worst = parts.iter().max_by_key(|(_, outcome)| outcome.verdict);
    let platform = |built: &Built| built.record.request.platform.to_string();
    let (verdict, cause) = match worst {
        Some((built, outcome)) if outcome.verdict != RebuildVerdict::Same => {
            (outcome.verdict, format!("{}: {}", platform(built), outcome.cause))
        }
        _ if differing.is_empty() => (RebuildVerdict::Same, String::new()),
        _ => {
            let cause = format!("every platform is equal; what joins them differs in {}", differing.join(", "));
            (RebuildVerdict::Equivalent, cause)
        }
    };
    let first_differing_action = parts.iter().find_map(|(built, outcome)| {
        outcome.first_differing_action.as_ref().map(|action| format!("{action} for {}", platform(built)))
    });
    for (built, outcome) in parts {
        compared.extend(outcome.compared.iter().map(|pair| {
            let name = format!("{} {}", platform(built), pair.name);
            Comparison { name, ..pair.clone() }
        }));
    }
    Ok(Outcome { verdict, compared, cause, first_differing_action })
}

fn first_differing_action(original: &Original, built: &Built) -> Option<String> {
    let steps = built.record.steps.iter().zip(&original.actions);
    steps
        .filter(|(step, was)| step.action == was.action && step.output != was.output)
        .map(|(step, _)| step.name.clone())
        .next()
}

/// What a document is called in a verdict.
#[must_use]
pub fn document_name(predicate_type: &str) -> &str {
    match predicate_type {
        uri::PROVENANCE => "provenance",
        uri::CYCLONEDX => "sbom",
        uri::COSIGN_SIGN => "signature",
        uri::INVENTORY => "inventory",
        other => other,
    }
}

/// The actions of a provenance's `internalParameters`; what is not of that shape is left out.
#[must_use]
pub fn actions_of(internal_parameters: &serde_json::Map<String, Value>) -> Vec<OriginalAction> {
    let digest = |value: &Value, field: &str| Digest::from_hex(value.get(field)?.get("sha256")?.as_str()?).ok();
    let action = |value: &Value| {
        Some(OriginalAction {
            name: value.get("name")?.as_str()?.to_owned(),
            action: digest(value, "actionDigest")?,
            output: digest(value, "outputTree")?,
        })
    };
    let list = internal_parameters.get("actions").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(action).collect()
}
