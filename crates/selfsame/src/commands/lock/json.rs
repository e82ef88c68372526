//! A difference between locks as JSON. docs/lock/diff.md describes it.

use selfsame_lock::{InputDiff, LockDiff, Part, PartDiff, Standing};
use serde_json::{Value, json};

use super::hosts::Hosts;
use crate::report::with_schema;

pub(super) fn difference(diff: &LockDiff, new_hosts: &Hosts) -> String {
    let class = if diff.is_empty() { "same" } else { "changed" };
    let hosts: Vec<Value> = new_hosts.iter().map(|(host, inputs)| json!({"host": host, "inputs": inputs})).collect();
    let body = json!({
        "class": class, "counts": counts(diff), "inputs": inputs(diff), "newHosts": hosts, "profile": profile(diff),
    });
    with_schema("https://selfsame.dev/lock-diff/v1", &body)
}

pub(super) fn counts(diff: &LockDiff) -> Value {
    let counts = diff.counts();
    json!({
        "added": counts.added, "changed": counts.changed, "inputs": diff.inputs.len(), "removed": counts.removed,
        "republished": counts.republished, "unvouched": counts.unvouched, "vouchedLess": counts.vouched_less,
    })
}

pub(super) fn profile(diff: &LockDiff) -> Value {
    diff.profile.map_or(Value::Null, |(before, after)| json!({"after": after.number(), "before": before.number()}))
}

pub(super) fn inputs(diff: &LockDiff) -> Value {
    let of = |(name, input): (&selfsame_definition::Name, &InputDiff)| {
        json!({
            "after": input.after.as_ref().map(standing), "before": input.before.as_ref().map(standing),
            "change": input.change().name(), "name": name.as_str(),
            "parts": input.parts.iter().map(part_diff).collect::<Vec<Value>>(), "sameParts": input.same_parts,
        })
    };
    diff.inputs.iter().map(of).collect()
}

fn standing(standing: &Standing) -> Value {
    json!({
        "asOf": standing.as_of.to_string(), "asked": standing.asked, "kind": standing.kind.name(),
        "size": standing.size,
    })
}

fn part_diff(diff: &PartDiff) -> Value {
    json!({
        "after": diff.after().map(part), "before": diff.before().map(part), "change": diff.change().name(),
        "republished": diff.is_republished(), "unvouched": diff.is_unvouched(),
        "vouchedLess": diff.is_vouched_less(),
    })
}

fn part(part: &Part) -> Value {
    json!({
        "claim": part.claim.name(), "platform": part.platform.as_ref().map(ToString::to_string),
        "purl": part.purl.as_str(), "role": part.role, "sha256": part.sha256.hex(), "size": part.size,
        "source": part.source,
    })
}
