//! `selfsame capsule import`: what a capsule holds, into the store; and its releases as folders, all of them or none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selfsame_attest::Provenance;
use selfsame_build::capsule::{self, TREE_ANNOTATION};
use selfsame_core::{Digest, media, uri};
use selfsame_oci::{Descriptor, layout};
use selfsame_store::{Replace, Staging, Store};

use super::{Opened, write};
use crate::cli::CapsuleImport;
use crate::commands::{errors, inspect, judged};
use crate::prepare;
use crate::report::{Answer, Exit, Report, printable};
use crate::settings::Settings;
use crate::terminal::{self, Voice, size};

pub(super) fn run(arguments: &CapsuleImport, settings: &Settings) -> Answer {
    let voice = Voice::new(arguments.progress, settings);
    let (releases, capsule) = super::releases(&arguments.capsule, settings)?;
    for release in &releases {
        only_inputs(release)?;
    }
    let store = prepare::store(settings)?;
    let staging = arguments.output.as_deref().map(Staging::beside).transpose().map_err(errors::publish)?;

    let mut done = BTreeSet::new();
    let mut bytes = 0_u64;
    for release in &releases {
        voice.say("release", &printable(&release.listed.reference));
        bytes = bytes.saturating_add(bring(release, &store, &mut done)?);
    }
    if let Some(capsule) = &capsule {
        for other in [&capsule.absent, &capsule.tool].into_iter().flatten() {
            let mut reader = capsule.open(other.digest).map_err(|error| unreadable(other.digest, &error))?;
            store.put_expecting(&mut reader, &other.digest, other.size, false).map_err(errors::store)?;
        }
    }
    if let (Some(staging), Some(output)) = (staging, &arguments.output) {
        let folder = staging.create_dir().map_err(errors::publish)?;
        for (name, release) in folder_names(&releases) {
            write_release(release, &folder.join(&name))?;
        }
        staging.publish(Replace::Never).map_err(errors::publish)?;
        voice.say("wrote", &output.display().to_string());
    }
    terminal::data(&format!("{} releases, {} blobs, {}", releases.len(), done.len(), size(bytes)));
    if let Some(tool) = capsule.as_ref().and_then(|capsule| capsule.tool.as_ref()) {
        let version = tool.annotations.get("dev.selfsame.version").map_or("of no version", String::as_str);
        terminal::talk(&printable(&format!(
            "the program that it carries, selfsame {version}, {}, was not run",
            tool.digest
        )));
    }
    Ok(Exit::Yes)
}

/// Every part is one that the release's provenance names. Whose word that is, `verify` says.
fn only_inputs(release: &Opened) -> Answer<()> {
    let listed = &release.listed;
    let mut inputs: BTreeSet<Digest> = BTreeSet::new();
    for (_, files) in judged::each(release.files.as_ref(), &listed.reference)? {
        let statements = inspect::statements(files.as_ref())?;
        let provenance: Option<Provenance> =
            statements.get(uri::PROVENANCE).and_then(|statement| statement.predicate_as().ok());
        let provenance = provenance.ok_or_else(|| {
            Report::new(Exit::Unanswered, format!("release `{}` has no provenance", listed.reference))
                .consequence("Nothing was imported.")
        })?;
        let named = provenance.build_definition.resolved_dependencies;
        inputs.extend(named.iter().filter_map(|input| input.digest.sha256()));
    }
    for part in &listed.parts {
        let named = match part.media_type.as_str() {
            media::PACK => part.annotations.get(TREE_ANNOTATION).and_then(|tree| tree.parse().ok()),
            _ => Some(part.digest),
        };
        if named.is_none_or(|digest| !inputs.contains(&digest)) {
            let report = Report::new(Exit::Unanswered, "the capsule holds something that is no input of its release")
                .fact("release", &listed.reference)
                .fact("media type", &part.media_type)
                .fact("digest", part.digest)
                .consequence("Nothing was imported.");
            return Err(report.into());
        }
    }
    Ok(())
}

/// Brings every blob that is not there yet; of a pack its files. Gives the bytes that were read.
fn bring(release: &Opened, store: &Store, done: &mut BTreeSet<Digest>) -> Answer<u64> {
    let mut bytes = 0_u64;
    let mut one = |blob: &Descriptor, done: &mut BTreeSet<Digest>| -> Answer<()> {
        if !done.insert(blob.digest) {
            return Ok(());
        }
        let reader = release.files.open(&layout::blob_path(blob.digest));
        let reader = reader.map_err(|error| unreadable(blob.digest, &error))?;
        let reader = reader.ok_or_else(|| unreadable(blob.digest, &"it is missing"))?;
        bytes = bytes.saturating_add(blob.size);
        capsule::import(blob, reader, store).map_err(|error| {
            let mut report = errors::build(error, store);
            report.exit = Exit::Unanswered;
            report
        })
    };
    // In their order: the list of a tree's files stands before its pack.
    for part in &release.listed.parts {
        one(part, done)?;
    }
    let packs: BTreeSet<Digest> =
        release.listed.parts.iter().filter(|part| part.media_type == media::PACK).map(|part| part.digest).collect();
    for (digest, held) in release.listed.held.iter().filter(|(digest, _)| !packs.contains(digest)) {
        one(&Descriptor::new(media::INPUT, *digest, held.size), done)?;
    }
    Ok(bytes)
}

/// `NAME-VERSION.release`, and a part of the image's digest behind it where two have one name.
fn folder_names(releases: &[Opened]) -> BTreeMap<String, &Opened> {
    let plain = |release: &Opened| {
        let letter = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let name: String = release.listed.reference.chars().take(160).map(letter).collect();
        name.trim_start_matches('.').to_owned()
    };
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for release in releases {
        *counts.entry(plain(release)).or_default() += 1;
    }
    let name = |release: &Opened| {
        let plain = plain(release);
        match counts[&plain] {
            1 => format!("{plain}.release"),
            _ => format!("{plain}-{}.release", Digest::of(&release.listed.index).hex()),
        }
    };
    releases.iter().map(|release| (name(release), release)).collect()
}

fn write_release(release: &Opened, folder: &Path) -> Answer<()> {
    let failed = |error: std::io::Error| {
        Report::new(Exit::Unanswered, format!("cannot write a release: {error}")).consequence("No release was written.")
    };
    std::fs::create_dir_all(folder.join(layout::BLOBS)).map_err(failed)?;
    for (digest, held) in &release.listed.held {
        let name = layout::blob_path(*digest);
        let reader = release.files.open(&name).map_err(|error| unreadable(*digest, &error))?;
        let reader = reader.ok_or_else(|| unreadable(*digest, &"it is missing"))?;
        write::copy(reader, *digest, held.size, &folder.join(name))?;
    }
    std::fs::write(folder.join(layout::LAYOUT_FILE), layout::layout_file()).map_err(failed)?;
    std::fs::write(folder.join(layout::INDEX_FILE), &release.listed.index).map_err(failed)?;
    Ok(())
}

fn unreadable(digest: Digest, fault: &dyn std::fmt::Display) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("a blob of the capsule cannot be read: {digest}: {fault}")).into()
}
