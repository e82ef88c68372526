//! A CycloneDX document as the checks see it: careful reading of a value that may be anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::strings;

/// A document, with its graph read once.
pub(crate) struct Document<'a> {
    pub(crate) value: &'a Value,
    /// Each `ref` of `dependencies` and what it depends on.
    pub(crate) needs: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// What some composition says about each ref's dependencies or assembly.
    pub(crate) declared: BTreeMap<&'a str, &'a str>,
    /// What can be reached from the described component.
    pub(crate) reached: BTreeSet<&'a str>,
}

/// A component that is delivered: the described one or one of `components`.
pub(crate) struct Component<'a> {
    pub(crate) value: &'a Value,
    /// Whether it is `metadata.component`.
    pub(crate) described: bool,
}

impl<'a> Document<'a> {
    pub(crate) fn of(value: &'a Value) -> Self {
        let mut document = Self { value, needs: BTreeMap::new(), declared: BTreeMap::new(), reached: BTreeSet::new() };
        for entry in items(value, "/dependencies") {
            if let Some(reference) = text(entry, "/ref") {
                document.needs.entry(reference).or_default().extend(strings(entry, "/dependsOn"));
            }
        }
        for composition in items(value, "/compositions") {
            let Some(aggregate) = text(composition, "/aggregate") else { continue };
            for reference in strings(composition, "/dependencies") {
                document.declared.insert(reference, aggregate);
            }
            for reference in strings(composition, "/assemblies") {
                document.declared.entry(reference).or_insert(aggregate);
            }
        }
        let mut next: Vec<&str> = text(value, "/metadata/component/bom-ref").into_iter().collect();
        while let Some(reference) = next.pop() {
            if document.reached.insert(reference) {
                next.extend(document.needs.get(reference).into_iter().flatten());
            }
        }
        document
    }

    pub(crate) fn components(&self) -> Vec<Component<'a>> {
        let described = self.value.pointer("/metadata/component").map(|value| Component { value, described: true });
        let others = items(self.value, "/components").map(|value| Component { value, described: false });
        described.into_iter().chain(others).collect()
    }

    /// Whether anything is known by that `bom-ref` among what is delivered.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(|value| !is_empty(value))
    }
}

impl<'a> Component<'a> {
    pub(crate) fn reference(&self) -> &'a str {
        text(self.value, "/bom-ref").or_else(|| text(self.value, "/name")).unwrap_or("a component without a name")
    }

    pub(crate) fn is_file(&self) -> bool {
        text(self.value, "/type") == Some("file")
    }

    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.value.pointer(pointer).is_some_and(|value| !is_empty(value))
    }

    pub(crate) fn property(&self, name: &str) -> Option<&'a str> {
        items(self.value, "/properties")
            .find(|property| text(property, "/name") == Some(name))
            .and_then(|property| text(property, "/value"))
    }

    /// The hash by an algorithm: of the component, or of its distribution.
    pub(crate) fn hash(&self, algorithm: &str) -> bool {
        let of = |value: &Value| items(value, "/hashes").any(|hash| text(hash, "/alg") == Some(algorithm));
        of(self.value) || self.references("distribution").any(of)
    }

    pub(crate) fn references(&self, kind: &'static str) -> impl Iterator<Item = &'a Value> {
        items(self.value, "/externalReferences").filter(move |reference| text(reference, "/type") == Some(kind))
    }

    /// The licences: how each is acknowledged, and whether it is an SPDX identifier or expression.
    pub(crate) fn licenses(&self) -> Vec<(Option<&'a str>, bool)> {
        items(self.value, "/licenses")
            .map(|choice| match choice.get("license") {
                Some(license) => (text(license, "/acknowledgement"), license.get("id").is_some()),
                None => (text(choice, "/acknowledgement"), text(choice, "/expression").is_some()),
            })
            .collect()
    }
}

/// The items of an array, none if it is none.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A text that is there and not empty.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
