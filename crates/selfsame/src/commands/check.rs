//! `selfsame check`: whether a release is still complete, and its inputs are still to be had. For a job that runs now and
//! then: 0 yes, 1 no, 2 not known, 3 not now.
//!
//! Without a key it says nothing about who signed what.

mod origins;

use std::collections::BTreeSet;
use std::path::Path;

use selfsame_attest::ResourceDescriptor;
use selfsame_build::capsule::TREE_ANNOTATION;
use selfsame_core::{Digest, media};
use selfsame_definition::Definition;
use selfsame_oci::Descriptor;
use selfsame_oci::layout;
use selfsame_publish::{Item, Outline, Silent};
use selfsame_registry::Reference;
use selfsame_verify::{Depth, ReleaseFiles};
use serde_json::{Value, json};

use super::verify;
use crate::cli::Check;
use crate::network::Network;
use crate::prepare;
use crate::remote;
use crate::report::{Answer, Exit, printable, with_schema};
use crate::settings::Settings;
use crate::shared;
use crate::terminal;

/// The largest definition that is read.
const DEFINITION_BYTES: u64 = 16 << 20;

/// How it is with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Here,
    Absent,
    /// Nobody who could say was asked.
    NotAsked,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Here => "there",
            Self::Absent => "absent",
            Self::NotAsked => "not asked",
        }
    }
}

struct Row {
    name: String,
    state: State,
    note: String,
}

impl Row {
    fn new(name: impl Into<String>, state: State, note: impl Into<String>) -> Self {
        Self { name: name.into(), state, note: note.into() }
    }
}

pub(super) fn run(arguments: &Check, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let cancel = crate::interrupt::flag()?;
    let network = Network::of(settings, Some(&cancel))?;
    let Looked { files, outline, mut rows, in_capsule, definition } = match remote::as_reference(&arguments.release) {
        Some(reference) => in_registry(&reference, &network, settings)?,
        None => in_folder(&arguments.release)?,
    };
    let mut asked = None;
    if !arguments.trust.keys.is_empty() {
        let verdict = verify::verdict(files.as_ref(), &arguments.trust, &[], Depth::Evidence)?;
        let reason = verdict.failed().next().and_then(|check| check.outcome.reason()).unwrap_or_default();
        let state = if verdict.is_verified() { State::Here } else { State::Absent };
        rows.push(Row::new("verified documents", state, reason));
        asked = definition.filter(|_| verdict.is_verified());
    }
    rows.extend(inputs(&outline.inputs, &in_capsule, asked.as_ref(), &network)?);
    let worst = rows.iter().map(|row| row.state).filter(|state| *state != State::Here).min();
    let (class, exit) = match worst {
        None => ("complete", Exit::Yes),
        Some(State::Absent) => ("incomplete", Exit::No),
        Some(_) => ("unknown", Exit::Unanswered),
    };
    let shown = arguments.release.display().to_string();
    if arguments.json {
        let list: Vec<Value> =
            rows.iter().map(|row| json!({"name": row.name, "note": row.note, "state": row.state.word()})).collect();
        let image = outline.subject.descriptor.digest;
        let body = json!({
            "class": class,
            "image": image,
            "name": outline.name,
            "release": shown,
            "releaseId": outline.release_id,
            "rows": list,
        });
        terminal::data(&with_schema("https://selfsame.dev/check/v1", &body));
    } else {
        terminal::data(&text(&shown, &outline, &rows, exit));
    }
    Ok(exit)
}

/// The headline, what is not there, and how much is.
fn text(shown: &str, outline: &Outline, rows: &[Row], exit: Exit) -> String {
    let headline = match exit {
        Exit::Yes => "complete, and every input of it can be had",
        Exit::No => "not complete, or not to be built again",
        _ => "complete; not everything could be asked for",
    };
    let mut text = format!("{shown}: {headline}\n  image    {}\n", outline.subject.descriptor.digest);
    text += &format!("  release  {}\n", outline.release_id);
    for row in rows.iter().filter(|row| row.state != State::Here) {
        text += &format!("  {:<9}  {}: {}\n", row.state.word(), printable(&row.name), printable(&row.note));
    }
    let there = rows.iter().filter(|row| row.state == State::Here).count();
    text += &format!("  {there} of {} there\n", rows.len());
    text
}

/// What was found of a release.
struct Looked {
    files: Box<dyn ReleaseFiles>,
    outline: Outline,
    rows: Vec<Row>,
    /// Everything that its capsules hold.
    in_capsule: BTreeSet<Digest>,
    /// From a capsule.
    definition: Option<Definition>,
}

/// What a registry has: every manifest is read, and every blob is asked for by name.
fn in_registry(reference: &Reference, network: &Network, settings: &Settings) -> Answer<Looked> {
    let pull = selfsame_publish::Pull { layers: false, capsule: false, progress: &Silent };
    let registry = network.registry()?;
    let shown = reference.to_string();
    let fault = |error| remote::fault(error, &shown);
    let pulled = selfsame_publish::pull(registry, reference, prepare::store(settings)?, &pull).map_err(fault)?;
    let outline = pulled.outline;
    let digest = outline.subject.descriptor.digest;
    let mut rows = vec![
        Row::new("image", State::Here, digest.to_string()),
        Row::new("inventory", State::Here, format!("closed: {}", outline.release_id)),
    ];
    let image = outline.blobs(false);
    let capsule: Vec<Descriptor> = pulled.capsules.iter().flat_map(|item| item.blobs.clone()).collect();
    let by_digest = reference.with(&selfsame_registry::Target::Digest(digest));
    let absent = |blobs: &[Descriptor]| selfsame_publish::absent(registry, &by_digest, blobs).map_err(fault);
    rows.extend(blob_rows(&image, &absent(&image)?));
    let gone: BTreeSet<Digest> = absent(&capsule)?.iter().map(|blob| blob.digest).collect();
    let in_capsule = capsule_digests(&pulled.capsules, &gone);
    let definition = match definition_blob(&pulled.capsules).filter(|blob| in_capsule.contains(&blob.digest)) {
        Some(blob) => {
            let (repository, _) = registry.find(&by_digest).map_err(remote::registry)?;
            parsed(&repository.blob_bytes(blob, DEFINITION_BYTES).map_err(remote::registry)?)
        }
        None => None,
    };
    Ok(Looked { files: Box::new(pulled.files), outline, rows, in_capsule, definition })
}

/// What a folder or tar has: every blob is read.
fn in_folder(path: &Path) -> Answer<Looked> {
    let files = crate::files::open(path)?;
    let shown = path.display().to_string();
    let outline = Outline::read(files.as_ref()).map_err(|error| remote::outline(&error, &shown))?;
    outline.check_blobs(files.as_ref(), true).map_err(|error| remote::outline(&error, &shown))?;
    let mut rows = vec![
        Row::new("image", State::Here, outline.subject.descriptor.digest.to_string()),
        Row::new("inventory", State::Here, format!("closed: {}", outline.release_id)),
    ];
    rows.extend(blob_rows(&outline.blobs(false), &[]));
    let in_capsule = capsule_digests(&outline.capsules, &BTreeSet::new());
    let bytes = definition_blob(&outline.capsules)
        .and_then(|blob| files.read(&layout::blob_path(blob.digest), DEFINITION_BYTES).ok().flatten());
    let definition = bytes.and_then(|bytes| parsed(&bytes));
    Ok(Looked { files, outline, rows, in_capsule, definition })
}

fn definition_blob(capsules: &[Item]) -> Option<&Descriptor> {
    capsules.iter().flat_map(|item| &item.blobs).find(|blob| blob.media_type == media::DEFINITION)
}

/// A definition that this version reads.
fn parsed(bytes: &[u8]) -> Option<Definition> {
    Definition::parse(std::str::from_utf8(bytes).ok()?).ok()
}

fn blob_rows(blobs: &[Descriptor], absent: &[Descriptor]) -> Vec<Row> {
    let row = |blob: &Descriptor| {
        let gone = absent.iter().any(|absent| absent.digest == blob.digest);
        let (state, note) = if gone { (State::Absent, "the registry does not have it") } else { (State::Here, "") };
        Row::new(format!("blob {}", blob.digest), state, note)
    };
    blobs.iter().map(row).collect()
}

/// What capsules hold: blobs by their digest, and the files of a tree by that tree's.
fn capsule_digests(capsules: &[Item], gone: &BTreeSet<Digest>) -> BTreeSet<Digest> {
    let blobs = || capsules.iter().flat_map(|item| &item.blobs).filter(|blob| !gone.contains(&blob.digest));
    let is_tree = |blob: &&Descriptor| blob.media_type == media::TREE;
    let packed: BTreeSet<Digest> =
        blobs().filter_map(|blob| blob.annotations.get(TREE_ANNOTATION)?.parse().ok()).collect();
    // A tree is a list of files: without a pack of them it is not there.
    let there = |blob: &&Descriptor| !is_tree(blob) || packed.contains(&blob.digest);
    blobs().filter(there).map(|blob| blob.digest).collect()
}

/// What the release says that it was made from.
fn inputs(
    inputs: &[ResourceDescriptor],
    in_capsule: &BTreeSet<Digest>,
    asked: Option<&Definition>,
    network: &Network,
) -> Answer<Vec<Row>> {
    let made_of_others = |input: &&ResourceDescriptor| {
        input.annotations.contains_key("kind") || input.annotations.contains_key("unpackedFrom")
    };
    let named: Vec<(&ResourceDescriptor, Digest)> = inputs
        .iter()
        // A tree that is laid out from other inputs of the list is there when they are.
        .filter(|input| !made_of_others(input))
        .filter_map(|input| Some((input, input.digest.sha256()?)))
        .collect();
    let elsewhere: Vec<Digest> =
        named.iter().map(|(_, digest)| *digest).filter(|digest| !in_capsule.contains(digest)).collect();
    let shared = shared::kept(network, &elsewhere)?;
    let row = |(input, digest): &(&ResourceDescriptor, Digest)| -> Answer<Row> {
        let name = format!("input {}", input.name);
        if in_capsule.contains(digest) {
            return Ok(Row::new(name, State::Here, "in the capsule"));
        }
        if shared.contains(digest) {
            return Ok(Row::new(name, State::Here, "in the shared store"));
        }
        let origin = match asked {
            Some(definition) => origins::has(definition, input, digest, network)?,
            None => None,
        };
        Ok(match origin {
            Some(true) => Row::new(name, State::Here, "its origin has it"),
            Some(false) => Row::new(name, State::Absent, "in no capsule, and its origin does not have it any more"),
            // What has a package URL came from somebody who keeps it under that name; the rest only the author has.
            None if input.uri.starts_with("pkg:") && input.media_type == media::INPUT => {
                let note = format!("neither in a capsule nor in the shared store; its origin may have {}", input.uri);
                Row::new(name, State::NotAsked, note)
            }
            None => Row::new(name, State::Absent, "in no capsule, and nobody else keeps it"),
        })
    };
    named.iter().map(row).collect()
}
