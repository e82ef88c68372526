//! The JSON form of a verdict. docs/verdicts.md describes it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use selfsame_policy::Ruled;

use super::{Check, VERDICT_SCHEMA, Verdict};
use crate::trust::TrustSource;

impl Verdict {
    /// One JSON object on one line, `schema` and `class` first.
    ///
    /// ```json
    /// {"schema":"https://selfsame.dev/verdict/v1","class":"verified","depth":"content","image":"sha256:...",
    ///  "releaseId":"sha256:...","builderId":"...","keyId":"...","checks":[{"facts":[{"label":"keys","value":"1"}],
    ///  "id":"trust","outcome":"passed","reason":null,"slsa":"1 build level: ...","title":"..."},...],
    ///  "trust":{"at":"2026-11-20","serial":3,"sha256":"..."},
    ///  "policies":[{"allow":true,"denied":[],"name":"default","sha256":"..."}],
    ///  "unlisted":[{"file":"...","note":"...","predicateType":"..."}]}
    /// ```
    ///
    /// `image` and `releaseId` are claims until `class` is `verified`; `builderId` and `keyId` are null until then.
    #[must_use]
    pub fn to_json(&self) -> String {
        let evidence = self.evidence.as_deref();
        let unlisted: Vec<Value> = self
            .unlisted
            .iter()
            .map(|it| json!({ "file": it.file, "predicateType": it.predicate_type, "note": it.note }))
            .collect();
        let fields = [
            ("schema", json!(VERDICT_SCHEMA)),
            ("class", json!(self.class.as_str())),
            ("depth", json!(self.depth.as_str())),
            ("image", json!(self.image)),
            ("releaseId", json!(self.release_id)),
            ("builderId", json!(evidence.map(|evidence| &evidence.provenance.run_details.builder.id))),
            ("keyId", json!(evidence.map(|evidence| evidence.signer.key_id()))),
            ("checks", self.checks.iter().map(check).collect()),
            ("trust", self.trust.as_ref().map_or(Value::Null, TrustSource::to_json)),
            ("policies", policies(&self.policies)),
            ("unlisted", Value::Array(unlisted)),
        ];
        // Written by hand so that the order of the fields is this one whatever map serde_json is built with.
        let mut text = String::from("{");
        for (index, (name, value)) in fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(text, "{comma}\"{name}\":{value}").expect("writing to memory");
        }
        text.push('}');
        text
    }
}

/// What each policy said; `allow` is null where it was not asked or gave no answer.
pub(crate) fn policies(policies: &[Ruled]) -> Value {
    let one = |it: &Ruled| {
        let ruling = it.ruling.as_ref();
        json!({
            "allow": ruling.map(|ruling| ruling.allow),
            "denied": ruling.map(|ruling| ruling.denied.as_slice()).unwrap_or_default(),
            "name": it.name,
            "sha256": it.digest.hex(),
        })
    };
    policies.iter().map(one).collect()
}

fn check(check: &Check) -> Value {
    let facts: Vec<Value> =
        check.facts.iter().map(|fact| json!({ "label": fact.label, "value": fact.value })).collect();
    json!({
        "id": check.id.as_str(),
        "title": check.title(),
        "outcome": check.outcome.as_str(),
        "reason": check.outcome.reason(),
        "slsa": check.id.slsa(),
        "facts": facts,
    })
}
