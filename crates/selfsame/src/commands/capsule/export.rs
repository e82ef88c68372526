//! `selfsame capsule export`: releases and every input, deduplicated; the same arguments make the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selfsame_build::capsule::{self, Class, Holds};
use selfsame_core::{Digest, Platform, Profile, SourceEpoch, json, media};
use selfsame_oci::layout::{self, CREATED, REF_NAME};
use selfsame_oci::{Descriptor, MAX_LAYERS, referrer_manifest};
use selfsame_store::{Replace, Staging, Store};
use serde_json::json;

use super::parts::{self, Key, Planned, PlannedBuild};
use super::write::{Blobs, Place};
use crate::capsule_file::{CLASS, LICENSE};
use crate::cli::CapsuleExport;
use crate::commands::{errors, threads};
use crate::prepare;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal::{self, Voice, size};

const TITLE: &str = "org.opencontainers.image.title";

pub(super) fn run(arguments: &CapsuleExport, settings: &Settings) -> Answer {
    let voice = Voice::new(arguments.progress, settings);
    let store = prepare::store(settings)?;
    let without: BTreeSet<Class> = arguments.without.iter().copied().collect();
    // Whether there is room for it is asked before anything is compressed.
    let staging = Staging::beside(&arguments.output).map_err(errors::publish)?;
    let mut planned = Vec::new();
    for path in &arguments.releases {
        for opened in super::releases(path, settings)?.0 {
            voice.say("release", &opened.listed.reference);
            planned.push(parts::plan(opened, &store)?);
        }
    }
    let choice = Choice::of(&planned, &without);
    let mut missing = BTreeMap::new();
    for release in &planned {
        parts::missing(release, &choice.carried, &store, &mut missing)?;
    }
    if !missing.is_empty() {
        let releases: Vec<&Path> = arguments.releases.iter().map(AsRef::as_ref).collect();
        return Err(parts::incomplete(&missing, &releases).into());
    }

    let mut blobs = Blobs {
        store: &store,
        releases: planned.iter().map(|release| release.opened.files.as_ref()).collect(),
        blobs: BTreeMap::new(),
    };
    let mut listed = BTreeMap::new();
    for (number, release) in planned.iter().enumerate() {
        let (reference, descriptor) = add_release(release, number, &choice, &mut blobs, &voice)?;
        listed.insert((reference, descriptor.digest), descriptor);
    }
    let count = listed.len();
    let mut index: Vec<Descriptor> = listed.into_values().collect();
    let absent = absent(&planned, &choice, &without);
    if !without.is_empty() {
        index.push(add_artifact(&mut blobs, media::ABSENT, Descriptor::of(media::ABSENT, &absent.bytes)));
        blobs.own(absent.bytes);
    }
    if arguments.with_tool {
        let tool = tool(&store)?;
        blobs.blobs.insert(tool.digest, (tool.size, Place::Store));
        index.push(add_artifact(&mut blobs, media::TOOL, tool));
    }
    let index = selfsame_oci::index(&index, &BTreeMap::new()).bytes;

    if arguments.output.extension().is_some_and(|extension| extension == "tar") {
        // The newest release's own time: none of this machine's.
        let newest = planned.iter().flat_map(|release| &release.builds).map(|build| build.request.epoch).max();
        let epoch = newest.unwrap_or(SourceEpoch::new(0).expect("the first second"));
        blobs.write_tar(&staging.path(), epoch, &index)?;
    } else {
        blobs.write_folder(&staging.create_dir().map_err(errors::publish)?, &index)?;
    }
    staging.publish(Replace::Release).map_err(errors::publish)?;

    terminal::data(&format!(
        "capsule  {}  ({count} releases, {} blobs, {})",
        Digest::of(&index),
        blobs.blobs.len(),
        size(blobs.size())
    ));
    if absent.count > 0 {
        let classes: Vec<&str> = without.iter().map(|class| class.name()).collect();
        terminal::data(&format!("absent   {} parts, {}: {}", absent.count, size(absent.size), classes.join(", ")));
    }
    Ok(Exit::Yes)
}

/// Which parts are carried, and whose they are: one answer for all releases, so that no blob is both there and absent.
struct Choice {
    classes: BTreeMap<Key, Class>,
    carried: BTreeSet<Key>,
}

impl Choice {
    fn of(planned: &[Planned], without: &BTreeSet<Class>) -> Self {
        let mut classes: BTreeMap<Key, Class> = BTreeMap::new();
        for owned in planned.iter().flat_map(Planned::parts) {
            // What one release keeps no other gives away.
            let class = classes.entry(owned.key()).or_insert(owned.class);
            *class = owned.class.max(*class);
        }
        // A layer of the base is in the image, too, and the image is always there.
        let shipped: BTreeSet<&Digest> =
            planned.iter().flat_map(|release| release.opened.listed.held.iter()).filter_map(shipped).collect();
        let stays = |(key, class): (&Key, &Class)| {
            let stays = !without.contains(class) || key.0 == Holds::Blob && shipped.contains(&key.1);
            stays.then_some(*key)
        };
        Self { carried: classes.iter().filter_map(stays).collect(), classes }
    }
}

fn shipped<'a>((digest, held): (&'a Digest, &capsule::Held)) -> Option<&'a Digest> {
    matches!(held.kind, capsule::Kind::Image | capsule::Kind::Evidence).then_some(digest)
}

/// Adds a release with its capsule, and gives its name and the descriptor of its `index.json`.
fn add_release(
    release: &Planned,
    number: usize,
    choice: &Choice,
    blobs: &mut Blobs<'_>,
    voice: &Voice,
) -> Answer<(String, Descriptor)> {
    let listed = &release.opened.listed;
    for (digest, held) in &listed.held {
        if matches!(held.kind, capsule::Kind::Image | capsule::Kind::Evidence)
            // This export's own capsule takes the place of the one that the release had.
            && !listed.capsules.contains(digest)
        {
            blobs.blobs.entry(*digest).or_insert((held.size, Place::Release(number)));
        }
    }
    let mut referrers = listed.referrers.clone();
    for build in &release.builds {
        let carried = carried(build, choice, blobs, voice)?;
        let created = BTreeMap::from([(CREATED.to_owned(), build.request.epoch.rfc3339())]);
        // As many manifests as it takes: readers bound each.
        let chunks: Vec<&[Descriptor]> =
            if carried.is_empty() { vec![&[]] } else { carried.chunks(MAX_LAYERS).collect() };
        for chunk in chunks {
            let document = referrer_manifest(&build.image.bare(), media::CAPSULE, chunk, &created);
            blobs.own(document.bytes);
            referrers.push(document.descriptor);
        }
    }
    blobs.own(Descriptor::EMPTY_BYTES.to_vec());
    let index = layout::index_file(&listed.image, &listed.reference, &referrers);
    blobs.own(index.bytes);
    let mut descriptor = index.descriptor.annotated(REF_NAME, &listed.reference);
    descriptor.artifact_type = Some(media::RELEASE.to_owned());
    Ok((listed.reference.clone(), descriptor))
}

/// The inputs of one build that are carried, each with whose it is.
fn carried(build: &PlannedBuild, choice: &Choice, blobs: &mut Blobs<'_>, voice: &Voice) -> Answer<Vec<Descriptor>> {
    let mut carried = Vec::new();
    for owned in build.parts.iter().filter(|owned| choice.carried.contains(&owned.key())) {
        if owned.part.holds == Holds::Files {
            voice.say("pack", &format!("{}, {}", owned.part.name, size(owned.size.unwrap_or(0))));
        }
        let blob = capsule::blob(&owned.part, build.request.profile, blobs.store, threads())
            .map_err(|error| errors::build(error, blobs.store))?;
        blobs.blobs.entry(blob.digest).or_insert((blob.size, Place::Store));
        let mut blob = blob.annotated(CLASS, choice.classes[&owned.key()].name());
        if let Some(license) = &owned.license {
            blob = blob.annotated(LICENSE, license);
        }
        carried.push(blob);
    }
    Ok(carried)
}

/// The manifest of something that belongs to no release.
fn add_artifact(blobs: &mut Blobs<'_>, kind: &str, blob: Descriptor) -> Descriptor {
    let document = selfsame_oci::artifact_manifest(kind, &[blob]);
    blobs.own(document.bytes);
    blobs.own(Descriptor::EMPTY_BYTES.to_vec());
    document.descriptor
}

/// The list of what is absent.
struct Absent {
    bytes: Vec<u8>,
    count: usize,
    size: u64,
}

fn absent(planned: &[Planned], choice: &Choice, without: &BTreeSet<Class>) -> Absent {
    let mut by_key: BTreeMap<Key, (&parts::Owned, BTreeSet<&str>)> = BTreeMap::new();
    for release in planned {
        for owned in release.parts().filter(|owned| !choice.carried.contains(&owned.key())) {
            let (_, releases) = by_key.entry(owned.key()).or_insert((owned, BTreeSet::new()));
            releases.insert(&release.opened.listed.reference);
        }
    }
    let (mut list, mut bytes) = (Vec::new(), 0_u64);
    for (key, (owned, releases)) in &by_key {
        let mut item = json!({
            "class": choice.classes[key].name(),
            "holds": match key.0 {
                Holds::Blob => "file",
                Holds::List => "list",
                Holds::Files => "files",
            },
            "name": owned.part.name,
            "releases": releases,
            "sha256": key.1.hex(),
        });
        if owned.part.uri.starts_with("pkg:") {
            item["purl"] = json!(owned.part.uri);
        }
        if let Some(size) = owned.size {
            item["size"] = json!(size);
            bytes = bytes.saturating_add(size);
        }
        if let Some(license) = &owned.license {
            item["license"] = json!(license);
        }
        list.push(item);
    }
    let without: Vec<&str> = without.iter().map(|class| class.name()).collect();
    let schema = "https://selfsame.dev/capsule-absent/v1";
    let bytes_of = json::canonical(&json!({"absent": list, "schema": schema, "without": without}));
    Absent { bytes: bytes_of, count: by_key.len(), size: bytes }
}

/// This program, in the store.
fn tool(store: &Store) -> Answer<Descriptor> {
    let mut program = std::fs::File::open("/proc/self/exe").map_err(|error| {
        Report::new(Exit::Unanswered, format!("cannot read this program itself: {error}"))
            .consequence("Nothing was written.")
    })?;
    let (digest, bytes) = store.put(&mut program, false).map_err(errors::store)?;
    let mut tool = Descriptor::new(media::TOOL, digest, bytes);
    for (key, value) in [
        (TITLE, "selfsame".to_owned()),
        ("dev.selfsame.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("dev.selfsame.profile", Profile::CURRENT.number().to_string()),
        ("dev.selfsame.platform", Platform::native().to_string()),
    ] {
        tool = tool.annotated(key, value);
    }
    Ok(tool)
}
