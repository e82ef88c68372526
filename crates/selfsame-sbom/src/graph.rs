//! Who needs whom among the shipped, and how completely that is known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::facts::{Completeness, Facts, FactsError, Node};

/// The bom-refs of all nodes, and which exist.
pub(crate) struct Graph<'a> {
    application: &'a str,
    /// Of the application, the image's files and the shipped parts.
    shipped: BTreeSet<String>,
    build_only: BTreeSet<String>,
    needs: BTreeMap<String, BTreeSet<String>>,
    /// Which shipped components need a build-only part.
    needed_by: BTreeMap<String, BTreeSet<String>>,
    completeness: BTreeMap<Completeness, BTreeSet<String>>,
}

/// The bom-ref of an image file.
pub(crate) fn file_ref(path: &str) -> String {
    format!("file:{path}")
}

/// The bom-ref of a build-only part: one package can be both shipped and build-only, with different features.
pub(crate) fn build_ref(purl: &str) -> String {
    format!("build:{purl}")
}

impl<'a> Graph<'a> {
    /// Checks that each edge has both ends.
    pub(crate) fn of(facts: &Facts, application: &'a str) -> Result<Self, FactsError> {
        let mut graph = Self {
            application,
            shipped: BTreeSet::from([application.to_owned()]),
            build_only: facts.build_only.iter().map(|part| build_ref(&part.purl)).collect(),
            needs: BTreeMap::new(),
            needed_by: BTreeMap::new(),
            completeness: BTreeMap::new(),
        };
        graph.shipped.extend(facts.files.iter().map(|file| file_ref(&file.path)));
        graph.shipped.extend(facts.shipped.iter().map(|part| part.purl.clone()));
        let files = facts.files.iter().map(|file| file_ref(&file.path)).collect();
        graph.needs.insert(application.to_owned(), files);
        for edge in &facts.edges {
            let (from, to) = (graph.reference(&edge.from)?, graph.reference(&edge.to)?);
            if matches!(edge.to, Node::BuildOnly(_)) && !matches!(edge.from, Node::BuildOnly(_)) {
                graph.needed_by.entry(to.clone()).or_default().insert(from.clone());
            }
            if from != to {
                graph.needs.entry(from).or_default().insert(to);
            }
        }
        let mut known = BTreeMap::new();
        for (node, completeness) in &facts.completeness {
            known.insert(graph.reference(node)?, *completeness);
        }
        for reference in &graph.shipped {
            let completeness = known.get(reference).copied().unwrap_or(Completeness::Unknown);
            graph.completeness.entry(completeness).or_default().insert(reference.clone());
        }
        Ok(graph)
    }

    fn reference(&self, node: &Node) -> Result<String, FactsError> {
        let (reference, exists) = match node {
            Node::Application => return Ok(self.application.to_owned()),
            Node::File(path) => (file_ref(path), &self.shipped),
            Node::Shipped(purl) => (purl.clone(), &self.shipped),
            Node::BuildOnly(purl) => (build_ref(purl), &self.build_only),
        };
        if exists.contains(&reference) { Ok(reference) } else { Err(FactsError::Dangling { reference }) }
    }

    /// `dependencies`: one entry for each shipped component, also where it needs nothing, as the specification asks.
    pub(crate) fn dependencies(&self) -> Vec<Value> {
        let none = BTreeSet::new();
        let entry = |reference: &String| {
            let needs = self.needs.get(reference).unwrap_or(&none);
            let needs: Vec<&String> = needs.iter().filter(|to| self.shipped.contains(*to)).collect();
            let mut object = Map::new();
            object.insert("ref".into(), reference.as_str().into());
            if !needs.is_empty() {
                object.insert("dependsOn".into(), json!(needs));
            }
            Value::Object(object)
        };
        self.shipped.iter().map(entry).collect()
    }

    /// `compositions`: the image's list of files is complete; of each component, whether its `dependsOn` is.
    pub(crate) fn compositions(&self) -> Vec<Value> {
        let all = [
            (Completeness::Complete, "complete"),
            (Completeness::Incomplete, "incomplete"),
            (Completeness::Unknown, "unknown"),
        ];
        let mut compositions = Vec::new();
        for (completeness, aggregate) in all {
            let mut object = Map::from_iter([("aggregate".to_owned(), Value::from(aggregate))]);
            if completeness == Completeness::Complete {
                object.insert("assemblies".into(), json!([self.application]));
            }
            if let Some(references) = self.completeness.get(&completeness) {
                object.insert("dependencies".into(), json!(references));
            }
            if object.len() > 1 {
                compositions.push(Value::Object(object));
            }
        }
        compositions
    }

    /// What a build-only part needs, and who needs it: kept off the graph of what is shipped.
    pub(crate) fn build_edges(&self, reference: &str) -> Vec<(&'static str, String)> {
        let needs = self.needs.get(reference).into_iter().flatten();
        let needs = needs.map(|to| ("selfsame:dependsOn", to.clone()));
        let needed = self.needed_by.get(reference).into_iter().flatten();
        needs.chain(needed.map(|from| ("selfsame:neededBy", from.clone()))).collect()
    }
}
