//! `selfsame check`: whether a release is still complete, and its inputs are still to be had. For a job that runs now and
//! then: 0 yes, 1 no, 2 not known, 3 not now.
//!
//! Without a key it says nothing about who signed what.

mod inputs;
mod origins;
mod rows;

use std::collections::BTreeSet;
use std::path::Path;

use selfsame_build::capsule::TREE_ANNOTATION;
use selfsame_core::{Digest, media};
use selfsame_definition::Definition;
use selfsame_lock::Lock;
use selfsame_oci::Descriptor;
use selfsame_oci::layout;
use selfsame_publish::{Item, Outline, Silent};
use selfsame_registry::Reference;
use selfsame_verify::{Depth, ReleaseFiles};
use serde_json::json;

use self::rows::{Row, State};
use super::judged::Judged;
use crate::cli::Check;
use crate::network::Network;
use crate::prepare;
use crate::remote;
use crate::report::{Answer, Exit, with_schema};
use crate::settings::Settings;
use crate::terminal;

/// The largest definition or lock that is read.
const TEXT_BYTES: u64 = 64 << 20;
const DEFINITION_FILE: &str = Definition::FILE_NAME;
const LOCK_FILE: &str = Lock::FILE_NAME;

pub(super) fn run(arguments: &Check, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let cancel = crate::interrupt::flag()?;
    let network = Network::of(settings, Some(&cancel))?;
    let Looked { files, outline, mut rows, in_capsule, definition, lock } =
        match remote::as_reference(&arguments.release) {
            Some(reference) => in_registry(&reference, &network, settings)?,
            None => in_folder(&arguments.release)?,
        };
    let (mut vouched, mut is_vouched) = (None, false);
    if !arguments.trust.is_empty() {
        let judged = Judged::of(files.as_ref(), &arguments.trust, &[], Depth::Evidence)?;
        let state = if judged.is_verified() { State::There } else { State::Absent };
        rows.push(Row::document("verified documents", state, judged.reason()));
        is_vouched = judged.is_verified();
        vouched = definition.filter(|_| is_vouched);
    }
    let known = inputs::Known {
        in_capsule: &in_capsule,
        definition: vouched.as_ref(),
        vouched: is_vouched,
        lock: lock.as_ref(),
    };
    rows.extend(inputs::rows(&outline.inputs, &known, &network, settings)?);
    let worst = rows.iter().map(|row| row.state).filter(|state| *state != State::There).min();
    let (class, exit) = match worst {
        None => ("complete", Exit::Yes),
        Some(State::Absent) => ("incomplete", Exit::No),
        Some(_) => ("unknown", Exit::Unanswered),
    };
    let shown = arguments.release.display().to_string();
    if arguments.json {
        let image = outline.subject.descriptor.digest;
        let body = json!({
            "class": class,
            "groups": rows::groups_json(&rows),
            "image": image,
            "name": outline.name,
            "release": shown,
            "releaseId": outline.release_id,
            "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        terminal::data(&with_schema("https://selfsame.dev/check/v1", &body));
    } else {
        let headline = match exit {
            Exit::Yes => "complete, and every input of it can be had",
            Exit::No => "not complete, or not to be built again",
            _ => "complete; of some inputs it is not known whether they can be had",
        };
        let mut text = format!("{shown}: {headline}\n  image    {}\n", outline.subject.descriptor.digest);
        text += &format!("  release  {}\n", outline.release_id);
        text += &rows::text(&rows);
        terminal::data(&text);
        for hint in rows::hints(&rows, &arguments.release, vouched.is_some()) {
            terminal::talk(&format!("hint: {hint}"));
        }
    }
    Ok(exit)
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
    /// From a capsule.
    lock: Option<Lock>,
}

/// What a registry has: every manifest is read, and every blob is asked for by name.
fn in_registry(reference: &Reference, network: &Network, settings: &Settings) -> Answer<Looked> {
    let pull = selfsame_publish::Pull { layers: false, capsule: false, counts: &|_| false, progress: &Silent };
    let registry = network.registry()?;
    let shown = reference.to_string();
    let fault = |error| remote::fault(error, &shown);
    let pulled = selfsame_publish::pull(registry, reference, prepare::store(settings)?, &pull).map_err(fault)?;
    let outline = pulled.outline;
    let digest = outline.subject.descriptor.digest;
    let mut rows = vec![
        Row::document("image", State::There, digest.to_string()),
        Row::document("inventory", State::There, format!("closed: {}", outline.release_id)),
    ];
    let image = outline.blobs(false);
    let capsule: Vec<Descriptor> = pulled.capsules.iter().flat_map(|item| item.blobs.clone()).collect();
    let by_digest = reference.with(&selfsame_registry::Target::Digest(digest));
    let absent = |blobs: &[Descriptor]| selfsame_publish::absent(registry, &by_digest, blobs).map_err(fault);
    rows.extend(blob_rows(&image, &absent(&image)?));
    let gone: BTreeSet<Digest> = absent(&capsule)?.iter().map(|blob| blob.digest).collect();
    let in_capsule = capsule_digests(&pulled.capsules, &gone);
    let text = |digest: Option<Digest>| -> Answer<Option<String>> {
        let of_capsule = || pulled.capsules.iter().flat_map(|item| &item.blobs);
        let wanted = digest.filter(|digest| in_capsule.contains(digest));
        let Some(blob) = wanted.and_then(|digest| of_capsule().find(|blob| blob.digest == digest)) else {
            return Ok(None);
        };
        let (repository, _) = registry.find(&by_digest).map_err(remote::registry)?;
        let bytes = repository.blob_bytes(blob, TEXT_BYTES).map_err(remote::registry)?;
        Ok(String::from_utf8(bytes).ok())
    };
    let definition = text(named(&outline, DEFINITION_FILE))?.and_then(|text| Definition::parse(&text).ok());
    let lock = text(named(&outline, LOCK_FILE))?.and_then(|text| Lock::parse(&text).ok());
    Ok(Looked { files: Box::new(pulled.files), outline, rows, in_capsule, definition, lock })
}

/// What a folder or tar has: every blob is read.
fn in_folder(path: &Path) -> Answer<Looked> {
    let files = crate::files::open(path)?;
    let shown = path.display().to_string();
    let outline = Outline::read(files.as_ref()).map_err(|error| remote::outline(&error, &shown))?;
    outline.check_blobs(files.as_ref(), true).map_err(|error| remote::outline(&error, &shown))?;
    let mut rows = vec![
        Row::document("image", State::There, outline.subject.descriptor.digest.to_string()),
        Row::document("inventory", State::There, format!("closed: {}", outline.release_id)),
    ];
    rows.extend(blob_rows(&outline.blobs(false), &[]));
    let in_capsule = capsule_digests(&outline.capsules, &BTreeSet::new());
    let text = |digest: Option<Digest>| {
        let digest = digest.filter(|digest| in_capsule.contains(digest))?;
        let bytes = files.read(&layout::blob_path(digest), TEXT_BYTES).ok().flatten()?;
        String::from_utf8(bytes).ok()
    };
    let definition = text(named(&outline, DEFINITION_FILE)).and_then(|text| Definition::parse(&text).ok());
    let lock = text(named(&outline, LOCK_FILE)).and_then(|text| Lock::parse(&text).ok());
    Ok(Looked { files, outline, rows, in_capsule, definition, lock })
}

/// A document that the provenance names.
fn named(outline: &Outline, name: &str) -> Option<Digest> {
    outline.inputs.iter().find(|input| input.name == name).and_then(|input| input.digest.sha256())
}

fn blob_rows(blobs: &[Descriptor], absent: &[Descriptor]) -> Vec<Row> {
    let row = |blob: &Descriptor| {
        let gone = absent.iter().any(|absent| absent.digest == blob.digest);
        let (state, note) = if gone { (State::Absent, "the registry does not have it") } else { (State::There, "") };
        Row::document(format!("blob {}", blob.digest), state, note)
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
