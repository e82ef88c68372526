//! What a verdict hands to a policy: facts that were verified, as docs/policy/v1.md lists them, and no others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use selfsame_attest::Provenance;
use selfsame_core::json::Node;
use selfsame_core::{Day, SourceEpoch, uri};
use selfsame_policy::{FACTS_SCHEMA, Reads};

use crate::checks::{Claimed, external, is_input, is_unlocked, said, text};
use crate::options::Options;
use crate::trust::Trust;
use crate::verified::Evidence;

/// What stands behind the facts, all of it verified.
pub(crate) struct Known<'a> {
    pub(crate) evidence: &'a Evidence,
    /// What the layers showed, where they were read.
    pub(crate) claimed: Option<&'a Claimed>,
    /// When enough witnesses had seen the inventory in a log.
    pub(crate) seen: Option<u64>,
    /// Who signed a whole release that stands: identity and key's name.
    pub(crate) signers: &'a BTreeMap<String, String>,
    /// Who else rebuilt it.
    pub(crate) rebuilders: &'a BTreeMap<String, String>,
    pub(crate) trust: &'a Trust,
    pub(crate) options: &'a Options,
}

impl Known<'_> {
    /// The facts. Long lists are left out where nobody reads them.
    pub(crate) fn facts(&self, reads: &Reads) -> Value {
        let Self { evidence, trust, options, .. } = self;
        let provenance = &evidence.provenance;
        let mut facts = Map::new();
        let mut put = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
        put("schema", json!(FACTS_SCHEMA));
        put("depth", json!(options.depth.as_str()));
        if let Some(day) = options.day {
            put("day", json!({ "date": day.to_string(), "number": number(day) }));
        }
        put("release", self.release());
        let builder = &provenance.run_details.builder.id;
        put("builder", json!({ "development": builder.starts_with(uri::BUILDER_DEV), "id": builder }));
        put("signers", people(self.signers));
        put("rebuilders", people(self.rebuilders));
        let internal = &provenance.build_definition.internal_parameters;
        let achieved = internal.get("level").and_then(Value::as_str);
        let asked = external(provenance, "level").unwrap_or_default();
        put("level", with_some(json!({ "asked": asked }), [("achieved", achieved.map(Value::from))]));
        put("profile", internal.get("profile").cloned().unwrap_or_default());
        let inventory = &evidence.inventory;
        put("checked", json!({ "because": inventory.not_checked_because, "twice": inventory.checked }));
        put("relaxations", relaxations(provenance));
        put("source", source(provenance));
        if reads.wants("inputs") {
            put("inputs", inputs(provenance));
        }
        if reads.wants("components") {
            put("components", packages(evidence).map(component).collect());
        }
        if let Some(claimed) = self.claimed {
            let one = |it: &crate::checks::Package| json!({ "name": it.name, "purl": it.purl, "version": it.version });
            put("untraced", claimed.untraced.iter().map(one).collect());
            put("files", files(claimed));
        }
        put("log", with_some(json!({ "trusted": trust.logs().len() }), [("seen", self.seen.map(Value::from))]));
        let expected: BTreeMap<&str, &str> = options.expect.iter().collect();
        put("expected", json!(expected));
        if let Some(source) = trust.source() {
            put("trust", json!({ "serial": source.serial, "sha256": source.digest.hex() }));
        }
        Value::Object(facts)
    }

    fn release(&self) -> Value {
        let provenance = &self.evidence.provenance;
        let text = |name: &str| external(provenance, name).unwrap_or_default();
        let epoch = provenance.build_definition.internal_parameters.get("epoch").and_then(Value::as_u64);
        let day = epoch.and_then(SourceEpoch::new).map(|epoch| number(Day::of(epoch)));
        let release = json!({
            "id": self.evidence.release_id.to_string(),
            "image": self.evidence.image.to_string(),
            "name": text("name"),
            "platform": text("platform"),
            "platforms": [text("platform")],
            "version": text("version"),
        });
        with_some(release, [("epoch", epoch.map(Value::from)), ("day", day.map(Value::from))])
    }
}

/// An object, and what of this is there. What is not known is no fact: `null` would be one.
fn with_some<const N: usize>(mut object: Value, more: [(&str, Option<Value>); N]) -> Value {
    for (name, value) in more {
        if let Some(value) = value {
            object[name] = value;
        }
    }
    object
}

/// Days since 1970.
fn number(day: Day) -> u32 {
    SourceEpoch::new(0).map_or(0, |first| day.since(Day::of(first)))
}

/// Identities, each with a key's name.
pub(crate) fn people(people: &BTreeMap<String, String>) -> Value {
    people.iter().map(|(identity, name)| json!({ "identity": identity, "name": name })).collect()
}

fn relaxations(provenance: &Provenance) -> Value {
    let relaxations = provenance.build_definition.external_parameters.get("relaxations").and_then(Value::as_object);
    relaxations.into_iter().flatten().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect()
}

fn source(provenance: &Provenance) -> Value {
    let uri = said(provenance, "source").pop().unwrap_or_default();
    let bound = provenance.build_definition.resolved_dependencies.iter().find(|input| input.uri == uri);
    let dirty = bound.and_then(|input| input.annotations.get("dirty")).filter(|dirty| dirty.is_boolean()).cloned();
    // Two commits would be two facts, and there is one place.
    let commit = match said(provenance, "commit").as_slice() {
        [commit] => Some(json!(commit)),
        _ => None,
    };
    with_some(json!({ "uri": uri }), [("commit", commit), ("dirty", dirty)])
}

fn inputs(provenance: &Provenance) -> Value {
    let input = |input: &selfsame_attest::ResourceDescriptor| {
        let digest: BTreeMap<&str, &str> = input.digest.entries().collect();
        json!({ "digest": digest, "name": input.name, "uri": input.uri })
    };
    provenance.build_definition.resolved_dependencies.iter().map(input).collect()
}

/// The components that are no single files.
fn packages(evidence: &Evidence) -> impl Iterator<Item = Node<'_>> {
    evidence.sbom.objects("components").filter(|it| !it.get("type").is_some_and(|kind| kind.is("file")))
}

fn component(component: Node<'_>) -> Value {
    let word = |name: &str| text(component, name).unwrap_or_default();
    json!({
        "input": is_input(component),
        "licenses": licenses(component),
        "locked": !is_unlocked(component),
        "name": word("name"),
        "purl": word("purl"),
        "type": word("type"),
        "version": word("version"),
    })
}

/// Expressions, ids and names, each once.
fn licenses(component: Node<'_>) -> BTreeSet<String> {
    let one = |entry: Node<'_>| {
        let named = || entry.get("license").and_then(|it| text(it, "id").or_else(|| text(it, "name")));
        text(entry, "expression").or_else(named).map(Cow::into_owned)
    };
    component.objects("licenses").filter_map(one).collect()
}

fn files(claimed: &Claimed) -> Value {
    json!({
        "bytes": claimed.bytes,
        "count": claimed.files,
        "setuid": claimed.setuid,
        "unclaimed": {
            "bytes": claimed.unclaimed_bytes,
            "count": claimed.unclaimed_files,
            "paths": claimed.unclaimed,
            "permille": permille(claimed.unclaimed_bytes, claimed.bytes),
        },
    })
}

/// Rounded up, so that something is never nothing.
fn permille(part: u64, whole: u64) -> u64 {
    let share = (u128::from(part) * 1000).div_ceil(u128::from(whole.max(1)));
    u64::try_from(share).unwrap_or(u64::MAX)
}
