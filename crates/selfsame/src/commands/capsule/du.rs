//! `selfsame capsule du`: what releases take, whose it is, and what each adds to the others.

use std::collections::BTreeMap;

use selfsame_build::capsule::{Classes, Held, Kind, parts, usage};
use selfsame_build::{Extent, provenance::request_from};
use selfsame_core::{Digest, uri};
use selfsame_definition::Definition;
use selfsame_lock::Lock;
use selfsame_oci::layout;
use serde_json::json;

use super::Opened;
use crate::cli::CapsuleDu;
use crate::commands::inspect;
use crate::report::{Answer, Exit, printable, with_schema};
use crate::settings::Settings;
use crate::terminal::{self, size};

/// The largest definition or lock that is read.
const DOCUMENT_BYTES: u64 = 64 << 20;

pub(super) fn run(arguments: &CapsuleDu, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let (mut names, mut held, mut others) = (Vec::new(), Vec::new(), BTreeMap::new());
    for path in &arguments.paths {
        let (releases, capsule) = super::releases(path, settings)?;
        let of_capsule = capsule.is_some();
        others.extend(capsule.into_iter().flat_map(|capsule| capsule.others));
        for release in &releases {
            names.push((release.listed.reference.clone(), release.listed.image.digest));
            let classes = if of_capsule { BTreeMap::new() } else { classes(release).unwrap_or_default() };
            let mut blobs = release.listed.held.clone();
            for (digest, held) in &mut blobs {
                if let (Kind::Input(_), Some(kind)) = (held.kind, classes.get(digest)) {
                    held.kind = *kind;
                }
            }
            if !of_capsule {
                let index = &release.listed.index;
                blobs.insert(Digest::of(index), Held { size: index.len() as u64, kind: Kind::Evidence });
            }
            held.push(blobs);
        }
    }
    let all = usage(&held, &others);
    if arguments.json {
        let of = |name: &(String, Digest), one: &selfsame_build::capsule::ReleaseUsage| {
            json!({
                "bytes": one.bytes, "classes": one.by_kind, "image": name.1, "marginal": one.marginal, "name": name.0,
            })
        };
        let releases: Vec<_> = names.iter().zip(&all.releases).map(|(name, one)| of(name, one)).collect();
        let body = json!({
            "blobs": all.blobs, "bytes": all.bytes, "classes": all.by_kind, "releases": releases, "saved": all.saved,
            "shared": all.shared,
        });
        terminal::data(&with_schema("https://selfsame.dev/capsule-usage/v1", &body));
        return Ok(Exit::Yes);
    }
    for (kind, bytes) in &all.by_kind {
        terminal::data(&format!("{kind:<10}  {:>10}  {}", size(*bytes), meaning(kind)));
    }
    let width = names.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for ((name, _), one) in names.iter().zip(&all.releases) {
        let (bytes, marginal) = (size(one.bytes), size(one.marginal));
        terminal::data(&printable(&format!("{name:<width$}  {bytes:>10}  adds {marginal}")));
    }
    let (bytes, shared, saved) = (size(all.bytes), size(all.shared), size(all.saved));
    terminal::data(&format!("all         {bytes:>10}  {} blobs; {shared} are shared, which saves {saved}", all.blobs));
    Ok(Exit::Yes)
}

fn meaning(kind: &str) -> &'static str {
    match kind {
        "image" => "manifests, configs, layers",
        "evidence" => "signed documents, and what lists them",
        "own-source" => "definition, locks, source, lists of files",
        "private" => "captured toolchains, and what only some can have",
        "public" => "what anybody can have from elsewhere",
        _ => "what belongs to no release",
    }
}

/// The classes of a release's parts by the digest of their blob, by its own definition and lock; nothing where it lacks
/// one of them.
fn classes(release: &Opened) -> Option<BTreeMap<Digest, Kind>> {
    let statements = inspect::statements(release.files.as_ref()).ok()?;
    let provenance = statements.get(uri::PROVENANCE)?.predicate_as().ok()?;
    let request = request_from(&provenance).ok()?;
    let text = |digest: Digest| {
        let bytes = release.files.read(&layout::blob_path(digest), DOCUMENT_BYTES).ok()??;
        String::from_utf8(bytes).ok()
    };
    let definition = Definition::parse(&text(request.definition)?).ok()?;
    let lock = request.lock.and_then(text).and_then(|text| Lock::parse(&text).ok());
    let classes = Classes::new(&request, &definition, lock.as_ref());
    let by_content: BTreeMap<(bool, Digest), Kind> = parts(&request, Extent::Full)
        .iter()
        .map(|part| ((part.holds == selfsame_build::capsule::Holds::Files, part.digest), Kind::Input(classes.of(part))))
        .collect();
    let kind = |part: &selfsame_oci::Descriptor| {
        let tree = part.annotations.get(selfsame_build::capsule::TREE_ANNOTATION).and_then(|tree| tree.parse().ok());
        let key = tree.map_or((false, part.digest), |tree| (true, tree));
        Some((part.digest, *by_content.get(&key)?))
    };
    Some(release.listed.parts.iter().filter_map(kind).collect())
}
