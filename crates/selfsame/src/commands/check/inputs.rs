//! The inputs of a release: where each can be had, if anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selfsame_attest::ResourceDescriptor;
use selfsame_build::provenance::is_of_private_registry;
use selfsame_core::{Digest, Platform, media};
use selfsame_definition::Definition;
use selfsame_fetch::{Context, Obtainable, Silent};
use selfsame_lock::{Claim, Lock, Part, Purl};

use super::origins;
use super::rows::{Group, Row, State};
use crate::commands::errors;
use crate::network::Network;
use crate::people;
use crate::prepare;
use crate::report::Answer;
use crate::settings::Settings;
use crate::shared;

/// For so many packages of a release origins are asked where nobody vouched for it: it would choose what this machine asks,
/// with its credentials.
const MOST_OF_STRANGERS: usize = 5000;

/// What is known of a release.
pub(super) struct Known<'a> {
    /// Everything that its capsules hold.
    pub(super) in_capsule: &'a BTreeSet<Digest>,
    /// Only where a trusted key vouched for the release: its addresses are asked.
    pub(super) definition: Option<&'a Definition>,
    /// Whether one did.
    pub(super) vouched: bool,
    /// Says how large packages are, and of which source.
    pub(super) lock: Option<&'a Lock>,
}

/// A row for each input that the provenance names.
pub(super) fn rows(
    inputs: &[ResourceDescriptor],
    known: &Known<'_>,
    network: &Network,
    settings: &Settings,
) -> Answer<Vec<Row>> {
    // A tree that is laid out from other inputs of the list is there when they are.
    let made_of_others = |input: &&ResourceDescriptor| {
        input.annotations.contains_key("kind") || input.annotations.contains_key("unpackedFrom")
    };
    let named: Vec<(&ResourceDescriptor, Digest)> = inputs
        .iter()
        .filter(|input| !made_of_others(input))
        .filter_map(|input| Some((input, input.digest.sha256()?)))
        .collect();
    let elsewhere: Vec<Digest> =
        named.iter().map(|(_, digest)| *digest).filter(|digest| !known.in_capsule.contains(digest)).collect();
    let shared = shared::kept(network, &elsewhere)?;
    let open: Vec<(&ResourceDescriptor, Digest)> = named
        .iter()
        .filter(|(_, digest)| !known.in_capsule.contains(digest) && !shared.contains(digest))
        .copied()
        .collect();
    let asked = ask(&open, known, network, settings)?;
    let kinds = kinds(inputs);
    let row = |(input, digest): &(&ResourceDescriptor, Digest)| {
        let (state, note) = match asked.get(&(input.uri.as_str(), *digest)) {
            _ if known.in_capsule.contains(digest) => (State::There, "in the capsule".to_owned()),
            _ if shared.contains(digest) => (State::There, "in the shared store".to_owned()),
            Some(Obtainable::Yes) => (State::There, "its origin has it".to_owned()),
            Some(Obtainable::No { why }) => (State::Absent, format!("in no capsule, and {why}")),
            Some(Obtainable::Unknown { why }) => (State::Unknown, format!("in no capsule; {why}")),
            None => (State::Absent, "in no capsule, and nobody else keeps it".to_owned()),
        };
        let role = text(input, "role");
        let uri = input.uri.starts_with("pkg:").then(|| input.uri.clone());
        let name = match &uri {
            Some(uri) => people::part(uri, role, digest),
            None => input.name.clone(),
        };
        Row { group: group(input, &kinds), name, uri, state, note }
    };
    Ok(named.iter().map(row).collect())
}

/// What origins say of what is nowhere else. What is not among it, only the author has.
fn ask<'a>(
    open: &[(&'a ResourceDescriptor, Digest)],
    known: &Known<'_>,
    network: &Network,
    settings: &Settings,
) -> Answer<BTreeMap<(&'a str, Digest), Obtainable>> {
    let mut answers = BTreeMap::new();
    let mut parts: Vec<(&str, Part)> = Vec::new();
    for (input, digest) in open {
        // What has a package URL came from somebody who keeps it under that name.
        if !input.uri.starts_with("pkg:") || input.media_type != media::INPUT {
            continue;
        }
        let key = (input.uri.as_str(), *digest);
        if let Some(why) = unasked(input, parts.len(), known.vouched) {
            answers.insert(key, Obtainable::Unknown { why });
            continue;
        }
        let by_definition = match known.definition {
            Some(definition) if !network.http.options().offline => origins::has(definition, input, digest, network)?,
            _ => None,
        };
        match (by_definition, input.uri.parse::<Purl>()) {
            (Some(answer), _) => _ = answers.insert(key, answer),
            (None, Ok(purl)) => parts.push((&input.uri, part(purl, *digest, input, known.lock))),
            (None, Err(_)) => {
                let why = "nobody is asked for what has no proper package URL".to_owned();
                answers.insert(key, Obtainable::Unknown { why });
            }
        }
    }
    if parts.is_empty() {
        return Ok(answers);
    }
    let store = prepare::store(settings)?;
    let platform = Platform::native();
    // The machine's own configuration says whom to ask, and the release none of it.
    let cx = Context {
        folder: Path::new("."),
        environment: &network.environment,
        http: &network.http,
        store: &store,
        platform: &platform,
        platforms: &[],
        offline: network.http.options().offline,
        today: crate::inputs::today(),
        progress: &Silent,
    };
    let (uris, parts): (Vec<&str>, Vec<Part>) = parts.into_iter().unzip();
    let said = selfsame_fetch::obtainable(&parts, &cx).map_err(|error| {
        let mut report = errors::fetch(error);
        report.consequence = Some("Whether every input can be had is not known.".to_owned());
        report
    })?;
    for ((uri, part), answer) in uris.into_iter().zip(&parts).zip(said) {
        answers.insert((uri, part.sha256), answer);
    }
    Ok(answers)
}

/// Why nobody is asked for an input, after so many others; nothing where somebody may be.
fn unasked(input: &ResourceDescriptor, asked: usize, vouched: bool) -> Option<String> {
    if is_of_private_registry(input) {
        return Some(
            "it is of a registry of its author's own, which is not asked, and neither is another one".to_owned(),
        );
    }
    let too_many = !vouched && asked >= MOST_OF_STRANGERS;
    too_many.then(|| {
        format!(
            "it was not asked for: without a key that vouches for the release, {MOST_OF_STRANGERS} packages are at most"
        )
    })
}

/// A part by the provenance, with what only the lock says about it.
fn part(purl: Purl, sha256: Digest, input: &ResourceDescriptor, lock: Option<&Lock>) -> Part {
    let locked = lock.and_then(|lock| lock.parts().map(|(_, part)| part).find(|part| part.sha256 == sha256));
    let size = locked.map_or(0, |locked| locked.size);
    let mut part = Part::new(purl, sha256, size, Claim::EcosystemLock);
    part.source = locked.and_then(|locked| locked.source.clone());
    part.role = text(input, "role").map(str::to_owned);
    part
}

fn text<'a>(input: &'a ResourceDescriptor, key: &str) -> Option<&'a str> {
    input.annotations.get(key).and_then(|value| value.as_str())
}

/// The kind of each input, by its name.
fn kinds(inputs: &[ResourceDescriptor]) -> BTreeMap<&str, &str> {
    let kind = |input: &'_ ResourceDescriptor| input.annotations.get("kind").and_then(|kind| kind.as_str()).is_some();
    let named = inputs.iter().filter(|input| kind(input));
    named
        .filter_map(|input| Some((input.name.strip_prefix("input ").unwrap_or(&input.name), text(input, "kind")?)))
        .collect()
}

/// What an input belongs to: one of the definition's by name, the crates, or the project itself.
fn group(input: &ResourceDescriptor, kinds: &BTreeMap<&str, &str>) -> Group {
    if let Some(name) = text(input, "input") {
        let kind = kinds.get(name).copied().unwrap_or("input");
        return Group { name: name.to_owned(), kind: kind.to_owned() };
    }
    if input.uri.starts_with("pkg:cargo/") && input.media_type == media::INPUT {
        return Group { name: "crates".to_owned(), kind: "cargo".to_owned() };
    }
    Group { name: "project".to_owned(), kind: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a private crate is told to no public index; and a stranger's release decides how much is asked only so far.
    #[test]
    fn what_nobody_is_asked_for() {
        let mut krate = ResourceDescriptor { uri: "pkg:cargo/own@1.0.0".to_owned(), ..ResourceDescriptor::default() };
        assert_eq!(unasked(&krate, 0, false), None);
        assert_eq!(unasked(&krate, MOST_OF_STRANGERS - 1, false), None);
        assert!(unasked(&krate, MOST_OF_STRANGERS, false).is_some_and(|why| why.contains("5000 packages")));
        assert_eq!(unasked(&krate, MOST_OF_STRANGERS, true), None);
        krate.annotations.insert("registry".to_owned(), "private".into());
        assert!(unasked(&krate, 0, true).is_some_and(|why| why.contains("of its author's own")));
    }
}
