//! What holds for all facts: unique bom-refs, sorted arrays, no influence of the order of lists.

use std::collections::BTreeSet;

use proptest::prelude::*;
use selfsame_core::Digest;
use serde_json::Value;

use super::fixtures::{file, minimal};
use crate::{Completeness, Edge, Facts, Input, Node, Part, PartKind, document};

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("bom-ref").and_then(Value::as_str));
            fields.values().for_each(|item| references(item, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn sorted_by(value: &Value, pointer: &str, key: &str) -> bool {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .is_none_or(|items| items.iter().map(|item| item[key].as_str().unwrap_or_default()).is_sorted())
}

prop_compose! {
    fn facts()(
        paths in prop::collection::btree_set("/[a-z0-9 \u{e9}#%?/]{0,8}[a-z]", 0..6),
        shipped in prop::collection::btree_set("[a-z]{1,3}", 0..8),
        build in prop::collection::btree_set("[a-z]{1,3}", 0..8),
        edges in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..20),
        license in prop::option::of(".{0,20}"),
        url in prop::option::of("[ -~]{0,20}"),
        author in "[ -~]{0,20}",
        command in prop::collection::vec(".{0,6}", 0..4),
    ) -> Facts {
        let mut facts = minimal();
        facts.files = paths.iter().map(|path| file(path, path.as_bytes(), false, "source:x")).collect();
        facts.completeness.clear();
        let part = |name: &String| {
            let mut part = Part::new(PartKind::Library, format!("pkg:cargo/{name}@1.0.0"), name.as_str(), "1.0.0");
            part.sha256 = Some(Digest::of(name.as_bytes()));
            part.license = license.clone();
            part.homepage = url.clone();
            part.authors = vec![author.clone()];
            part
        };
        facts.shipped = shipped.iter().map(part).collect();
        facts.build_only = build.iter().map(part).collect();
        facts.inputs = shipped.iter().chain(&build).map(|name| Input {
            uri: format!("pkg:cargo/{name}@1.0.0"),
            name: name.clone(),
            sha256: Digest::of(if name.len() == 2 { b"else" } else { name.as_bytes() }),
            size: None,
            captured: name.len() == 3,
        }).collect();
        let mut nodes = vec![Node::Application];
        nodes.extend(facts.files.iter().map(|file| Node::File(file.path.clone())));
        nodes.extend(facts.shipped.iter().map(|part| Node::Shipped(part.purl.clone())));
        nodes.extend(facts.build_only.iter().map(|part| Node::BuildOnly(part.purl.clone())));
        facts.edges = edges.iter()
            .map(|(from, to)| Edge { from: from.get(&nodes).clone(), to: to.get(&nodes).clone() })
            .collect();
        for (index, node) in nodes.iter().enumerate().filter(|(index, _)| index % 2 == 0) {
            let completeness = if index % 4 == 0 { Completeness::Complete } else { Completeness::Incomplete };
            facts.completeness.insert(node.clone(), completeness);
        }
        facts.steps[0].command = command;
        facts
    }
}

proptest! {
    #[test]
    fn bom_refs_are_unique_and_arrays_sorted(facts in facts()) {
        let document = document(&facts).unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        let unique: BTreeSet<&str> = found.iter().copied().collect();
        prop_assert_eq!(unique.len(), found.len());
        for (pointer, key) in [
            ("/components", "bom-ref"),
            ("/dependencies", "ref"),
            ("/formulation/0/components", "bom-ref"),
        ] {
            prop_assert!(sorted_by(&document, pointer, key), "{}", pointer);
        }
        let delivered = 1 + document["components"].as_array().map_or(0, Vec::len);
        prop_assert_eq!(document["dependencies"].as_array().map_or(0, Vec::len), delivered);
        // Every end of the graph is a component that is delivered.
        for entry in document["dependencies"].as_array().into_iter().flatten() {
            for to in entry["dependsOn"].as_array().into_iter().flatten() {
                prop_assert!(unique.contains(to.as_str().unwrap()) && !to.as_str().unwrap().starts_with("build:"));
            }
        }
        for input in document["formulation"][0]["workflows"][0]["inputs"].as_array().into_iter().flatten() {
            prop_assert!(unique.contains(input["resource"]["ref"].as_str().unwrap()));
        }
    }

    #[test]
    fn the_order_of_lists_does_not_count(facts in facts()) {
        let once = document(&facts).unwrap();
        let mut other = facts;
        other.files.reverse();
        other.shipped.reverse();
        other.build_only.reverse();
        other.edges.reverse();
        other.inputs.reverse();
        prop_assert_eq!(document(&other).unwrap(), once);
    }
}
