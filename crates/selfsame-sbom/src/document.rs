//! The document as a whole.

use std::collections::BTreeMap;

use selfsame_core::json::canonical_value;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::facts::{Facts, FactsError};
use crate::formulation::{Inputs, formulation};
use crate::graph::{Graph, file_ref};
use crate::properties::{Properties, put, put_array};
use crate::{SPEC_VERSION, component};

/// The namespace of serial numbers: UUIDv5 of `https://selfsame.dev/sbom/v1` in the URL namespace of RFC 9562.
/// Changing this changes digests.
pub const SERIAL_NAMESPACE: Uuid = Uuid::from_u128(0x3f05_93c1_4546_5b15_a886_1ee2_400e_ab2a);

/// The SBOM of one image: a CycloneDX 1.6 document.
///
/// Arrays are sorted by bom-ref (or by what stands for one), except steps, commands and authors, whose order is a
/// fact. `serialNumber` is the UUIDv5 of the canonical bytes of everything else, so equal facts give equal documents.
/// The version of selfsame is not in it: it decides nothing that the profile does not, and stands in the run record.
pub fn document(facts: &Facts) -> Result<Value, FactsError> {
    let application = component::application_purl(facts)?;
    let graph = Graph::of(facts, &application)?;
    let inputs: Inputs<'_> = facts.inputs.iter().map(|input| (input.uri.as_str(), input.sha256.hex())).collect();

    let mut components = BTreeMap::new();
    for file in &facts.files {
        let reference = file_ref(&file.path);
        let component = component::image_file(file, facts, &reference)?;
        insert_component(&mut components, reference, component)?;
    }
    for part in &facts.shipped {
        let is_input = part.sha256.is_some_and(|sha256| inputs.contains(&(part.purl.as_str(), sha256.hex())));
        let component = component::part(part, &part.purl, is_input, Properties::default())?;
        insert_component(&mut components, part.purl.clone(), component)?;
    }
    if components.contains_key(&application) {
        return Err(FactsError::Twice { reference: application });
    }

    let mut body = Map::new();
    body.insert("$schema".into(), "http://cyclonedx.org/schema/bom-1.6.schema.json".into());
    body.insert("bomFormat".into(), "CycloneDX".into());
    body.insert("specVersion".into(), SPEC_VERSION.into());
    body.insert("version".into(), 1.into());
    body.insert("metadata".into(), metadata(facts, &application)?);
    put_array(&mut body, "components", components.into_values().collect());
    put_array(&mut body, "dependencies", graph.dependencies());
    put_array(&mut body, "compositions", graph.compositions());
    body.insert("formulation".into(), formulation(facts, &graph, &inputs, &application)?);
    let mut document = Value::Object(body);
    let serial = Uuid::new_v5(&SERIAL_NAMESPACE, &canonical_value(&document));
    document["serialNumber"] = format!("urn:uuid:{serial}").into();
    Ok(document)
}

/// The canonical bytes of a document, as they are signed.
#[must_use]
pub fn bytes(document: &Value) -> Vec<u8> {
    canonical_value(document)
}

fn metadata(facts: &Facts, application: &str) -> Result<Value, FactsError> {
    let mut properties = Properties::default();
    properties.set("selfsame:profile", facts.profile.number().to_string());
    let publisher = component::publisher(&facts.publisher)?;
    let mut metadata = Map::new();
    metadata.insert("timestamp".into(), facts.epoch.rfc3339().into());
    metadata.insert("lifecycles".into(), json!([{ "phase": "build" }]));
    metadata.insert("tools".into(), json!({ "components": [{ "type": "application", "name": "selfsame" }] }));
    metadata.insert("component".into(), component::application(facts, application)?);
    put(&mut metadata, "manufacturer", publisher.clone());
    put(&mut metadata, "supplier", publisher);
    put(&mut metadata, "properties", properties.array());
    Ok(Value::Object(metadata))
}

/// Adds a component under its bom-ref. The same fact told twice is one; two facts under one name are refused.
pub(crate) fn insert_component(
    components: &mut BTreeMap<String, Value>,
    reference: String,
    component: Value,
) -> Result<(), FactsError> {
    match components.get(&reference) {
        Some(before) if *before != component => Err(FactsError::Twice { reference }),
        Some(_) => Ok(()),
        None => {
            components.insert(reference, component);
            Ok(())
        }
    }
}
