//! How the image was made: build inputs, apart from what is shipped, and the actions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::Facts;
use crate::component;
use crate::document::insert_component;
use crate::facts::{FactsError, Input};
use crate::graph::{Graph, build_ref};
use crate::properties::{Properties, put, put_array};

/// The purl and SHA-256 of each locked input, to find the parts that are inputs.
pub(crate) type Inputs<'a> = BTreeSet<(&'a str, String)>;

/// The bom-ref of an input that no part stands for. The digest keeps two files with one URI apart.
fn input_ref(input: &Input) -> String {
    format!("input:{}#{}", input.uri, input.sha256)
}

/// The `formulation` array, of one formula.
pub(crate) fn formulation(
    facts: &Facts,
    graph: &Graph<'_>,
    inputs: &Inputs<'_>,
    application: &str,
) -> Result<Value, FactsError> {
    let mut components = BTreeMap::new();
    let mut of_input: BTreeMap<(&str, String), String> = BTreeMap::new();
    for part in &facts.shipped {
        if let Some(sha256) = part.sha256 {
            of_input.insert((&part.purl, sha256.hex()), part.purl.clone());
        }
    }
    for part in &facts.build_only {
        let reference = build_ref(&part.purl);
        let mut properties = Properties::default();
        for (name, value) in graph.build_edges(&reference) {
            properties.set(name, value);
        }
        let key = part.sha256.map(|sha256| (part.purl.as_str(), sha256.hex()));
        let is_input = key.as_ref().is_some_and(|key| inputs.contains(key));
        let component = component::part(part, &reference, is_input, properties)?;
        insert_component(&mut components, reference.clone(), component)?;
        if let Some(key) = key {
            of_input.entry(key).or_insert(reference);
        }
    }
    let mut resources = BTreeMap::new();
    for input in &facts.inputs {
        let reference = match of_input.get(&(input.uri.as_str(), input.sha256.hex())) {
            Some(reference) => reference.clone(),
            None => {
                let reference = input_ref(input);
                insert_component(&mut components, reference.clone(), component::bare_input(input, &reference))?;
                reference
            }
        };
        let captured = resources.entry(reference).or_insert(false);
        *captured |= input.captured;
    }
    let mut formula = Map::new();
    formula.insert("bom-ref".into(), "formulation".into());
    put_array(&mut formula, "components", components.into_values().collect());
    formula.insert("workflows".into(), json!([workflow(facts, &resources, application)]));
    Ok(json!([formula]))
}

fn workflow(facts: &Facts, resources: &BTreeMap<String, bool>, application: &str) -> Value {
    let input = |(reference, captured): (&String, &bool)| {
        let mut properties = Properties::default();
        properties.flag(crate::PROPERTY_CAPTURED, *captured);
        let mut object = Map::from_iter([("resource".to_owned(), json!({ "ref": reference }))]);
        put(&mut object, "properties", properties.array());
        Value::Object(object)
    };
    let step = |step: &crate::Step| {
        json!({
            "name": step.name,
            "commands": [{ "executed": shell_words(&step.command) }],
            "properties": [
                { "name": "selfsame:action:digest", "value": step.action.to_string() },
                { "name": "selfsame:action:outputTree", "value": step.output.to_string() },
            ],
        })
    };
    let mut object = Map::new();
    object.insert("bom-ref".into(), "workflow:build".into());
    object.insert("uid".into(), "selfsame-build".into());
    object.insert("taskTypes".into(), json!(["build"]));
    put_array(&mut object, "inputs", resources.iter().map(input).collect());
    object.insert("outputs".into(), json!([{ "type": "artifact", "resource": { "ref": application } }]));
    // Steps are an ordered, unique list; an equal name, command and digests would be one action.
    let mut steps: Vec<Value> = Vec::new();
    for value in facts.steps.iter().map(step) {
        if !steps.contains(&value) {
            steps.push(value);
        }
    }
    put_array(&mut object, "steps", steps);
    Value::Object(object)
}

/// The words as a POSIX shell would read them back.
fn shell_words(words: &[String]) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&b);
    let quoted = |word: &String| {
        if !word.is_empty() && word.bytes().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
