//! What the caller expects of the release.

use serde_json::Value;

use selfsame_attest::Provenance;
use selfsame_attest::text::quote;

use super::provenance::external;
use crate::options::Options;
use crate::rows::Rows;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// The `expectations` row. Relaxations have a row of their own.
pub(super) fn check(evidence: &Evidence, options: &Options, rows: &mut Rows) {
    const ID: CheckId = CheckId::Expectations;
    let mut facts = Vec::new();
    for (name, expected) in options.expect.iter().filter(|(name, _)| *name != "relaxations") {
        let found = found(evidence, name);
        if !found.iter().any(|found| found == expected) {
            let mut facts = vec![Fact::new("expected", quote(expected))];
            facts.extend(found.iter().map(|found| Fact::new("found", quote(found))));
            rows.fail(ID, format!("the release's {name} is another one than expected"), facts);
        }
        facts.push(Fact::new(name, quote(expected)));
    }
    rows.pass(ID, facts);
}

/// What the signed documents say under a name of [`crate::Expectations::NAMES`].
fn found(evidence: &Evidence, name: &str) -> Vec<String> {
    match name {
        "image" => vec![evidence.image.to_string()],
        "release" => vec![evidence.release_id.to_string()],
        "checked" => vec![evidence.inventory.checked.to_string()],
        name => said(&evidence.provenance, name),
    }
}

/// What provenance says under one of these names.
pub(crate) fn said(provenance: &Provenance, name: &str) -> Vec<String> {
    let source = provenance.build_definition.external_parameters.get("source");
    let one = |text: Option<&str>| text.map(str::to_owned).into_iter().collect();
    match name {
        "name" | "version" | "platform" | "level" => one(external(provenance, name)),
        "source" => one(source.and_then(|source| source.get("uri")).and_then(Value::as_str)),
        "source-digest" => {
            let digests = source.and_then(|source| source.get("digest")).and_then(Value::as_object);
            digests.into_iter().flatten().filter_map(|(_, text)| text.as_str().map(str::to_owned)).collect()
        }
        "commit" => commits(provenance, source.and_then(|source| source.get("uri")).and_then(Value::as_str)),
        "build-type" => vec![provenance.build_definition.build_type.clone()],
        "builder" => vec![provenance.run_details.builder.id.clone()],
        _ => Vec::new(),
    }
}

/// The commit of the source: named by the request itself, or by the input that it was bound to.
fn commits(provenance: &Provenance, source: Option<&str>) -> Vec<String> {
    let asked = provenance.build_definition.external_parameters.get("source");
    let asked = asked.and_then(|source| source.get("digest")?.get("gitCommit")?.as_str());
    let bound = provenance.build_definition.resolved_dependencies.iter();
    let bound = bound.filter(|input| source == Some(input.uri.as_str())).filter_map(|input| input.digest.git_commit());
    let mut commits: Vec<String> = asked.into_iter().map(str::to_owned).chain(bound.map(str::to_owned)).collect();
    commits.dedup();
    commits
}
