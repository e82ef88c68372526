//! What a capsule has to hold of one release: its parts, whose they are, and what cannot be had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selfsame_attest::{Provenance, Statement};
use selfsame_build::capsule::{self, Class, Classes, Holds, Part};
use selfsame_build::provenance::request_from;
use selfsame_build::{Extent, Request};
use selfsame_core::{Digest, uri};
use selfsame_definition::Definition;
use selfsame_lock::Lock;
use selfsame_oci::Descriptor;
use selfsame_store::Store;
use selfsame_verify::ReleaseFiles;
use serde_json::Value;

use super::Opened;
use crate::commands::{errors, inspect, judged, rebuild_verify};
use crate::report::{Answer, Exit, Report};

/// The largest definition or lock that is read.
const DOCUMENT_BYTES: u64 = 64 << 20;
/// How many absent parts are shown.
const SHOWN: usize = 20;

/// A part of a release's capsule.
pub(super) struct Owned {
    pub(super) part: Part,
    pub(super) class: Class,
    /// An SPDX expression, where one is known.
    pub(super) license: Option<String>,
    /// In bytes: of the file, or of all files of the tree. Nothing where nobody says.
    pub(super) size: Option<u64>,
}

/// A release, and all that its provenance names.
pub(super) struct Planned {
    pub(super) opened: Opened,
    /// Of each platform; at least one.
    pub(super) builds: Vec<PlannedBuild>,
}

/// One platform of a release.
pub(super) struct PlannedBuild {
    /// Its image, which its inputs refer to.
    pub(super) image: Descriptor,
    pub(super) request: Request,
    pub(super) parts: Vec<Owned>,
}

impl Planned {
    /// The parts of every platform. What several have stands here for each.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Owned> {
        self.builds.iter().flat_map(|build| &build.parts)
    }
}

/// The same part has the same key in every release.
pub(super) type Key = (Holds, Digest);

impl Owned {
    pub(super) fn key(&self) -> Key {
        (self.part.holds, self.part.digest)
    }
}

/// Brings what the release carries into the store, and says what a full capsule of it has to hold.
pub(super) fn plan(opened: Opened, store: &Store) -> Answer<Planned> {
    let files = opened.files.as_ref();
    let builds = match judged::taken_apart(files, &opened.listed.reference)? {
        None => vec![plan_one(files, &opened.listed.image, &opened.listed.reference, store)?],
        Some(joined) => {
            let one = |part: &selfsame_verify::Part| {
                let reference = format!("{} {}", opened.listed.reference, part.platform);
                plan_one(&part.of(files), &part.image, &reference, store)
            };
            joined.parts.iter().map(one).collect::<Answer<_>>()?
        }
    };
    Ok(Planned { opened, builds })
}

fn plan_one(files: &dyn ReleaseFiles, image: &Descriptor, reference: &str, store: &Store) -> Answer<PlannedBuild> {
    let statements = inspect::statements(files)?;
    let request = request(reference, &statements)?;
    rebuild_verify::import_capsule(files, store)?;
    let text = |digest: Digest, name: &str| -> Answer<String> {
        if !store.has(&digest) {
            let report = Report::new(Exit::Unanswered, format!("`{reference}` lacks its `{name}`"))
                .fact("wanted", digest)
                .consequence("Without it nobody can say whose its parts are. Nothing was written.")
                .hint("export the release that `selfsame build` wrote: each has a capsule with its definition");
            return Err(report.into());
        }
        let bytes = store.read_blob(&digest, DOCUMENT_BYTES).map_err(errors::store)?;
        String::from_utf8(bytes).map_err(|_| Report::new(Exit::Unanswered, format!("`{name}` is not UTF-8")).into())
    };
    let definition = Definition::parse(&text(request.definition, Definition::FILE_NAME)?)
        .map_err(|error| errors::text(Path::new(Definition::FILE_NAME), &error))?;
    let lock = request.lock.map(|digest| text(digest, Lock::FILE_NAME)).transpose()?;
    let lock = lock.as_deref().map(Lock::parse).transpose();
    let lock = lock.map_err(|error| errors::text(Path::new(Lock::FILE_NAME), &error))?;
    let classes = Classes::new(&request, &definition, lock.as_ref());
    let licenses = licenses(&statements);
    let sizes: BTreeMap<Digest, u64> =
        lock.iter().flat_map(|lock| lock.parts()).map(|(_, part)| (part.sha256, part.size)).collect();
    let mut parts = Vec::new();
    for part in capsule::parts(&request, Extent::Full) {
        let license = classes.own_license(&part).map(str::to_owned);
        let size = match part.holds {
            Holds::Files if store.has(&part.digest) => {
                Some(store.tree(&part.digest).map_err(errors::store)?.size_bytes())
            }
            Holds::Files => None,
            Holds::Blob | Holds::List => {
                let here = store.blob_size(&part.digest).map_err(errors::store)?;
                here.or_else(|| sizes.get(&part.digest).copied())
            }
        };
        let license = license.or_else(|| licenses.get(&part.uri).cloned());
        parts.push(Owned { class: classes.of(&part), license, size, part });
    }
    Ok(PlannedBuild { image: image.clone(), request, parts })
}

fn request(reference: &str, statements: &BTreeMap<String, Statement>) -> Answer<Request> {
    let provenance: Provenance = statements
        .get(uri::PROVENANCE)
        .and_then(|statement| statement.predicate_as().ok())
        .ok_or_else(|| Report::new(Exit::Unanswered, format!("release `{reference}` has no provenance")))?;
    request_from(&provenance).map_err(|error| Report::new(Exit::Unanswered, error.to_string()).into())
}

/// The licences of an SBOM's components by package URL, as they stand there.
fn licenses(statements: &BTreeMap<String, Statement>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending: Vec<&Value> =
        statements.get(uri::CYCLONEDX).iter().flat_map(|statement| statement.predicate.values()).collect();
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(items) => pending.extend(items),
            Value::Object(fields) => {
                if let (Some(Value::String(purl)), Some(Value::Array(licenses))) =
                    (fields.get("purl"), fields.get("licenses"))
                    && let Some(license) = expression(licenses)
                {
                    found.entry(purl.clone()).or_insert(license);
                }
                pending.extend(fields.values());
            }
            _ => {}
        }
    }
    found
}

/// The one expression, or the identifiers of several licences.
fn expression(licenses: &[Value]) -> Option<String> {
    let word = |item: &Value| {
        let license = item.get("license");
        let named = |key: &str| license.and_then(|license| license.get(key)).and_then(Value::as_str);
        item.get("expression")
            .and_then(Value::as_str)
            .or_else(|| named("id"))
            .or_else(|| named("name"))
            .map(str::to_owned)
    };
    let words: Vec<String> = licenses.iter().filter_map(word).collect();
    (!words.is_empty()).then(|| words.join(" AND "))
}

/// What is to be carried and is nowhere: by name, with its digest.
pub(super) fn missing(
    planned: &Planned,
    carried: &BTreeSet<Key>,
    store: &Store,
    missing: &mut BTreeMap<String, Digest>,
) -> Answer<()> {
    let reference = &planned.opened.listed.reference;
    for owned in planned.parts().filter(|owned| carried.contains(&owned.key())) {
        let part = &owned.part;
        let label = format!("{reference}, {}", part.name);
        if !store.has(&part.digest) {
            missing.insert(label, part.digest);
        } else if part.holds == Holds::Files {
            let tree = store.tree(&part.digest).map_err(errors::store)?;
            for (path, digest, _) in store.missing(&tree).map_err(errors::store)? {
                missing.insert(format!("{label}, {path}"), digest);
            }
        }
    }
    Ok(())
}

/// That parts cannot be had, and how they can.
pub(super) fn incomplete(missing: &BTreeMap<String, Digest>, releases: &[&Path]) -> Report {
    let count = missing.len();
    let mut report = Report::new(Exit::Unanswered, format!("the capsule would lack {count} inputs"));
    for (name, digest) in missing.iter().take(SHOWN) {
        report = report.fact(name, digest);
    }
    if count > SHOWN {
        report = report.fact("and", format!("{} more", count - SHOWN));
    }
    let report = report.consequence("Nothing was written.");
    let fetch = releases.first().map_or_else(|| "RELEASE".to_owned(), |path| errors::quoted(path));
    report
        .hint(format!("`selfsame fetch {fetch}` brings what registries have"))
        .hint("files of a captured toolchain are in the store of the machine that built; export there")
        .hint("`--without private` or `--without public` leaves such parts out, and says so in the capsule")
}
