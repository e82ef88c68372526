//! What the provenance says: builder, build type, parameters, relaxations, profile, inputs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use selfsame_attest::text::quote;
use selfsame_attest::{DigestSet, Provenance};
use selfsame_core::{Level, Platform, Profile, suggest, uri};

use super::image::Image;
use crate::options::Options;
use crate::rows::Rows;
use crate::trust::TrustedKey;
use crate::verdict::{CheckId, Fact};
use crate::verified::Evidence;

/// What stands under a name in `externalParameters`.
#[derive(Clone, Copy)]
enum Shape {
    /// A text.
    Text,
    /// An object with these texts and digest sets, the first of which are required.
    Source,
    /// An object of texts under any name.
    Texts,
    /// At least two platforms, sorted by their names.
    Platforms,
}

/// The fields of `externalParameters` that build type v1 has, and whether each must be there. "Verifiers should reject
/// unrecognised fields" (SLSA build provenance, "externalParameters"): what nobody reads may have changed the build.
/// docs/build-type/v1.md is the page for readers; this is the one place in code.
const EXTERNAL_PARAMETERS: [(&str, Shape, bool); 8] = [
    ("definition", Shape::Text, true),
    ("level", Shape::Text, true),
    ("name", Shape::Text, true),
    ("platform", Shape::Text, true),
    ("platforms", Shape::Platforms, false),
    ("relaxations", Shape::Texts, false),
    ("source", Shape::Source, true),
    ("version", Shape::Text, true),
];

/// The fields of `externalParameters.source`.
const SOURCE_FIELDS: [&str; 2] = ["digest", "uri"];

/// The most entries of `resolvedDependencies`.
const MOST_INPUTS: usize = 200_000;

/// The rows `builder` to `inputs`.
pub(super) fn check(evidence: &Evidence, signer: &TrustedKey, image: &Image, options: &Options, rows: &mut Rows) {
    let provenance = &evidence.provenance;
    builder(provenance, signer, rows);
    build_type(provenance, rows);
    parameters(provenance, image, rows);
    relaxations(provenance, options, rows);
    profile(provenance, rows);
    inputs(provenance, rows);
}

/// A text among the external parameters.
pub(crate) fn external<'a>(provenance: &'a Provenance, name: &str) -> Option<&'a str> {
    provenance.build_definition.external_parameters.get(name)?.as_str()
}

/// The relaxations that were asked for.
pub(crate) fn relaxation_names(provenance: &Provenance) -> Vec<&str> {
    match provenance.build_definition.external_parameters.get("relaxations") {
        Some(Value::Object(relaxations)) => relaxations.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What the sandbox says it made use of: names with spaces between, ` or ` where actions disagree.
fn relaxations_made_use_of(provenance: &Provenance) -> impl Iterator<Item = &str> {
    let sandbox = provenance.build_definition.internal_parameters.get("sandbox");
    let relaxed = sandbox.and_then(|sandbox| sandbox.get("relaxed")).and_then(Value::as_str).unwrap_or_default();
    relaxed.split_whitespace().filter(|word| *word != "or")
}

fn builder(provenance: &Provenance, signer: &TrustedKey, rows: &mut Rows) {
    const ID: CheckId = CheckId::Builder;
    let id = &provenance.run_details.builder.id;
    let accepted = signer.accepted_builder_ids(!relaxation_names(provenance).is_empty());
    if accepted.contains(id) {
        let mut facts = vec![Fact::new("builder", quote(id))];
        if id.starts_with(uri::BUILDER_DEV) {
            facts.push(Fact::new("note", "a development key, accepted because it was given"));
        }
        return rows.pass(ID, facts);
    }
    let mut facts: Vec<Fact> = accepted.into_iter().map(|id| Fact::new("key speaks for", quote(&id))).collect();
    facts.push(Fact::new("found", quote(id)));
    rows.fail(ID, "the provenance names a builder that its key does not speak for", facts);
}

fn build_type(provenance: &Provenance, rows: &mut Rows) {
    let found = &provenance.build_definition.build_type;
    if found == uri::BUILD_TYPE {
        return rows.pass(CheckId::BuildType, vec![Fact::new("build type", found.clone())]);
    }
    let facts = vec![Fact::new("expected", uri::BUILD_TYPE), Fact::new("found", quote(found))];
    rows.fail(CheckId::BuildType, "the build type is another one than selfsame's", facts);
}

fn parameters(provenance: &Provenance, image: &Image, rows: &mut Rows) {
    const ID: CheckId = CheckId::Parameters;
    let parameters = &provenance.build_definition.external_parameters;
    if let Some(reason) = parameter_fault(parameters) {
        return rows.fail(ID, reason, Vec::new());
    }
    let fact = |name: &str| Fact::new(name, quote(external(provenance, name).unwrap_or_default()));
    let platform = external(provenance, "platform").unwrap_or_default();
    if platform != image.config.platform.to_string() {
        let facts = vec![fact("platform"), Fact::new("image", image.config.platform.to_string())];
        return rows.fail(ID, "the provenance and the image are for different platforms", facts);
    }
    if provenance.platforms().is_some_and(|platforms| !platforms.contains(&platform)) {
        return rows.fail(ID, "the platform is none of those that were asked for together", vec![fact("platform")]);
    }
    if external(provenance, "level").is_none_or(|level| level.parse::<Level>().is_err()) {
        return rows.fail(ID, "externalParameters: `level` is none that this version knows", vec![fact("level")]);
    }
    // Nothing is weakened in silence: what was achieved is at least what was asked for.
    let achieved = provenance.build_definition.internal_parameters.get("level").and_then(Value::as_str);
    let parsed = |level: Option<&str>| level.and_then(|level| level.parse::<Level>().ok());
    if parsed(achieved) < parsed(external(provenance, "level")) {
        let facts = vec![fact("level"), Fact::new("achieved", quote(achieved.unwrap_or("none")))];
        return rows.fail(ID, "the build achieved a lower level than was asked for", facts);
    }
    rows.pass(ID, vec![fact("name"), fact("version"), fact("platform"), fact("level")]);
}

/// Why these are not the parameters of build type v1, if they are not.
pub(crate) fn parameter_fault(parameters: &Map<String, Value>) -> Option<String> {
    let known = || EXTERNAL_PARAMETERS.into_iter().map(|(name, _, _)| name);
    if let Some(unknown) = parameters.keys().find(|name| !known().any(|known| known == name.as_str())) {
        let near = suggest::nearest(unknown, known()).map(|near| format!(", near to `{near}`")).unwrap_or_default();
        return Some(format!("externalParameters has the unknown field `{}`{near}", quote(unknown)));
    }
    EXTERNAL_PARAMETERS.into_iter().find_map(|(name, shape, required)| {
        let value = match parameters.get(name) {
            Some(value) => value,
            None if required => return Some(format!("externalParameters: `{name}` is missing")),
            None => return None,
        };
        shape_fault(value, shape).map(|fault| format!("externalParameters: `{name}` {fault}"))
    })
}

/// The rest of a sentence that begins with the field.
fn shape_fault(value: &Value, shape: Shape) -> Option<String> {
    match (shape, value) {
        (Shape::Text, Value::String(text)) if !text.is_empty() => None,
        (Shape::Text, _) => Some("is not a text".to_owned()),
        (Shape::Texts, Value::Object(texts)) if texts.values().all(Value::is_string) => None,
        (Shape::Texts, _) => Some("is not an object of texts".to_owned()),
        (Shape::Platforms, Value::Array(names)) => {
            let parsed = |name: &Value| name.as_str()?.parse::<Platform>().ok().map(|platform| platform.to_string());
            let again: Option<BTreeSet<String>> = names.iter().map(parsed).collect();
            let sorted = again.is_some_and(|again| {
                names.len() > 1 && again.iter().map(String::as_str).eq(names.iter().filter_map(Value::as_str))
            });
            (!sorted).then(|| "is not a sorted list of several platforms".to_owned())
        }
        (Shape::Platforms, _) => Some("is not a list".to_owned()),
        (Shape::Source, Value::Object(source)) => {
            if let Some(unknown) = source.keys().find(|name| !SOURCE_FIELDS.contains(&name.as_str())) {
                return Some(format!("has the unknown field `{}`", quote(unknown)));
            }
            if !source.get("uri").is_some_and(Value::is_string) {
                return Some("has no `uri`".to_owned());
            }
            source_digests(source).is_none().then(|| "has no `digest` that is an object of texts".to_owned())
        }
        (Shape::Source, _) => Some("is not an object".to_owned()),
    }
}

fn source_digests(source: &Map<String, Value>) -> Option<DigestSet> {
    serde_json::from_value(source.get("digest")?.clone()).ok().filter(|set: &DigestSet| !set.is_empty())
}

fn relaxations(provenance: &Provenance, options: &Options, rows: &mut Rows) {
    const ID: CheckId = CheckId::Relaxations;
    match relaxed(provenance, options.expect.get("relaxations").unwrap_or_default()) {
        Ok(facts) => rows.pass(ID, facts),
        Err((reason, facts)) => rows.fail(ID, reason, facts),
    }
}

/// The row `relaxations`, of provenance alone: exactly these names, with commas between them.
pub(crate) fn relaxed(provenance: &Provenance, accepted: &str) -> Result<Vec<Fact>, (String, Vec<Fact>)> {
    let asked = relaxation_names(provenance);
    if let Some(silent) = relaxations_made_use_of(provenance).find(|name| !asked.contains(name)) {
        let reason = format!("the build used the relaxation `{}`, which nobody asked for", quote(silent));
        return Err((reason, Vec::new()));
    }
    let used = asked.join(",");
    if used == accepted {
        let facts = if used.is_empty() { Vec::new() } else { vec![Fact::new("accepted", quote(&used))] };
        return Ok(facts);
    }
    let told = |names: &str| if names.is_empty() { "none".to_owned() } else { quote(names) };
    let facts = vec![Fact::new("accepted", told(accepted)), Fact::new("used", told(&used))];
    Err(("the build used other relaxations than those accepted".to_owned(), facts))
}

fn profile(provenance: &Provenance, rows: &mut Rows) {
    const ID: CheckId = CheckId::Profile;
    let found = provenance.build_definition.internal_parameters.get("profile");
    let number = found.and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    match number.and_then(Profile::known) {
        Some(profile) => rows.pass(ID, vec![Fact::new("profile", profile.number().to_string())]),
        None => {
            let found = found.map_or_else(|| "none".to_owned(), |value| quote(&value.to_string()));
            rows.fail(ID, "the profile is not one that this version knows", vec![Fact::new("found", found)]);
        }
    }
}

fn inputs(provenance: &Provenance, rows: &mut Rows) {
    const ID: CheckId = CheckId::Inputs;
    let inputs = &provenance.build_definition.resolved_dependencies;
    if inputs.len() > MOST_INPUTS {
        return rows.fail(ID, format!("{} inputs; at most {MOST_INPUTS} are read", inputs.len()), Vec::new());
    }
    for input in inputs {
        let name = if input.name.is_empty() { &input.uri } else { &input.name };
        if input.uri.is_empty() {
            return rows.fail(ID, format!("input `{}` has no URI", quote(name)), Vec::new());
        }
        let malformed =
            |algorithm: &str, fine: bool| !fine && input.digest.entries().any(|(name, _)| name == algorithm);
        let (sha256, git) = (input.digest.sha256().is_some(), input.digest.git_commit().is_some());
        if !(sha256 || git) || malformed("sha256", sha256) || malformed("gitCommit", git) {
            let facts = input.digest.entries().map(|(name, text)| Fact::new(quote(name), quote(text))).collect();
            return rows.fail(ID, format!("input `{}` has no well-formed sha256 or gitCommit", quote(name)), facts);
        }
    }
    let definition = external(provenance, "definition").unwrap_or_default();
    if !inputs.iter().any(|input| input.uri == definition) {
        let facts = vec![Fact::new("definition", quote(definition))];
        return rows.fail(ID, "the definition of the external parameters is not among the inputs", facts);
    }
    // The source that was asked for is one of the inputs, with every digest that the request gave it.
    let source = provenance.build_definition.external_parameters.get("source").and_then(Value::as_object);
    if let Some(asked) = source.and_then(source_digests) {
        let bound =
            inputs.iter().any(|input| asked.entries().all(|asked| input.digest.entries().any(|found| found == asked)));
        if !bound {
            let facts = asked.entries().map(|(name, text)| Fact::new(quote(name), quote(text))).collect();
            return rows.fail(ID, "the source of the external parameters is not among the inputs", facts);
        }
    }
    rows.pass(ID, vec![Fact::new("inputs", inputs.len().to_string())]);
}
