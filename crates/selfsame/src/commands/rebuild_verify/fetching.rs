//! What registries have of a release's inputs.

use std::path::Path;

use selfsame_build::Request;
use selfsame_build::provenance::request_from;
use selfsame_build::request::{InputPart, Origin};
use selfsame_core::{Digest, RelPath, uri};
use selfsame_definition::{ArchiveLocation, Command, Definition, InputSpec, OciSpec, SourceOrigin};
use selfsame_lock::{Claim, Lock, Part, PurlError};
use selfsame_store::Store;
use selfsame_verify::ReleaseFiles;

use super::{DOCUMENT_BYTES, import_capsule, tree, unpacked};
use crate::commands::{errors, inspect, judged};
use crate::network::Network;
use crate::remote::Release;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal::{self, Voice};

/// Brings what registries have of a release's inputs: the archive of its source, its crates, and what files of its source
/// pin, each by digest. Whose
/// release it is does not matter for that; `rebuild-verify` asks.
pub(in crate::commands) fn fetch(release: &Path, store: &Store, settings: &Settings) -> Answer<usize> {
    let files = Release::find(release, false, true, None, settings)?.files()?;
    let mut most = 0;
    // Of several platforms most inputs are the same.
    for (_, files) in judged::each(files.as_ref(), &release.display().to_string())? {
        most = most.max(of_one(files.as_ref(), release, store, settings)?);
    }
    Ok(most)
}

fn of_one(files: &dyn ReleaseFiles, release: &Path, store: &Store, settings: &Settings) -> Answer<usize> {
    let statements = inspect::statements(files)?;
    let provenance = statements
        .get(uri::PROVENANCE)
        .and_then(|statement| statement.predicate_as().ok())
        .ok_or_else(|| Report::new(Exit::Unanswered, format!("`{}` has no provenance", release.display())))?;
    let request = request_from(&provenance).map_err(|error| Report::new(Exit::Unanswered, error.to_string()))?;
    import_capsule(files, store)?;
    if !store.has(&request.definition) {
        let fault = format!("`{}` does not hold its definition: nothing says what to fetch", release.display());
        return Err(Report::new(Exit::Unanswered, fault).hint(super::show::no_capsule(release)).into());
    }
    let text = |digest: Digest| -> Answer<String> {
        let bytes = store.read_blob(&digest, DOCUMENT_BYTES).map_err(errors::store)?;
        String::from_utf8(bytes).map_err(|_| Report::new(Exit::Unanswered, format!("{digest} is not UTF-8")).into())
    };
    let definition = Definition::parse(&text(request.definition)?)
        .map_err(|error| errors::text(Path::new(Definition::FILE_NAME), &error))?;
    let mut count = 0;
    if let Some(lock) = request.lock {
        let lock = Lock::parse(&text(lock)?).map_err(|error| errors::text(Path::new(Lock::FILE_NAME), &error))?;
        let network = Network::of(settings, None)?;
        crate::shared::bring(&network, &lock, store, &Voice::new(terminal::Verbosity::Auto, settings))?;
        refuse_local(&definition, &lock, store)?;
        let platform = &request.platform;
        let cx = crate::inputs::context(Path::new("."), &definition, &network, store, platform, false);
        selfsame_fetch::fetch(&definition, &lock, &cx).map_err(errors::fetch)?;
        count += lock.parts().count();
    }
    count += pinned(&definition, &request, store, settings)?;
    let mut missing = Vec::new();
    let source = match &request.source.origin {
        Origin::Path { .. } => tree(request.source.tree, "source", store, &mut missing)?,
        Origin::Locked { purl, sha256 } => {
            unpacked(&definition, purl, *sha256, request.source.tree, store, &mut missing)?
        }
    };
    let uses_cargo = definition.actions.iter().any(|action| matches!(action.command, Command::Cargo(_)));
    if let Some(source) = source.filter(|_| missing.is_empty() && uses_cargo) {
        let lock = RelPath::new("Cargo.lock").expect("a constant");
        let crates = request.crates.iter().map(|krate| (krate.sha256, None));
        let network = Network::of(settings, None)?;
        crate::shared::bring_blobs(&network, crates, store, &Voice::new(terminal::Verbosity::Auto, settings))?;
        count +=
            selfsame_fetch::fetch_pinned(&source, &lock, &settings.environment(), store).map_err(errors::crates)?;
    }
    Ok(count)
}

/// Brings what files of the source pinned, as the provenance names it: by name from where this machine has such packages,
/// and by digest. How many files there are.
fn pinned(definition: &Definition, request: &Request, store: &Store, settings: &Settings) -> Answer<usize> {
    let mut count = 0;
    for (name, spec) in definition.all_inputs().filter(|(_, spec)| spec.pins().is_some()) {
        let name = name.as_str();
        let Some(set) = request.inputs.get(name) else { continue };
        let network = Network::of(settings, None)?;
        let voice = Voice::new(terminal::Verbosity::Auto, settings);
        let digests = set.parts.iter().map(|part| (part.sha256, None));
        crate::shared::bring_blobs(&network, digests, store, &voice)?;
        let part = |part: &InputPart| -> Answer<Part> {
            let purl = part.purl.parse();
            let purl = purl.map_err(|error: PurlError| Report::new(Exit::Unanswered, error.to_string()))?;
            // How large it is the provenance does not say.
            let mut wanted = Part::new(purl, part.sha256, 0, Claim::EcosystemLock);
            wanted.role.clone_from(&part.role);
            Ok(wanted)
        };
        let parts = set.parts.iter().map(part).collect::<Answer<Vec<Part>>>()?;
        let cx = crate::inputs::context(Path::new("."), definition, &network, store, &request.platform, false);
        let cx = cx.of(definition, name);
        selfsame_fetch::fetch_input(name, spec, &parts, &cx).map_err(|error| errors::fetch(error.of(name)))?;
        count += parts.len();
    }
    Ok(count)
}

/// Nobody has vouched for a release that is only fetched for, and its paths are those of another machine: no file of
/// this one is opened because it says so. What the store has is not looked for.
fn refuse_local(definition: &Definition, lock: &Lock, store: &Store) -> Answer<()> {
    for (name, input) in &lock.inputs {
        let Some(path) = local_path(definition, name.as_str()) else { continue };
        let Some(part) = input.parts.iter().find(|part| !store.has(&part.sha256)) else { continue };
        return Err(Report::new(Exit::Unanswered, format!("input `{name}`: `{path}` was a file of its builder"))
            .fact("wanted", part.sha256)
            .consequence("A release's own paths are not looked for on this machine.")
            .hint("ask for a release that was built with `--capsule`: it carries its inputs")
            .into());
    }
    Ok(())
}

/// The path or login of the builder's machine that an input of a definition came from, if it came from one.
fn local_path<'a>(definition: &'a Definition, name: &str) -> Option<&'a str> {
    let location = match (definition.input(name), &definition.source.origin) {
        (Some(InputSpec::File(file)), _) => &file.location,
        // By ssh this user's keys would be offered to whatever host the release names.
        (Some(InputSpec::Git(git)), _) => {
            return (!git.repository.starts_with("https://")).then_some(git.repository.as_str());
        }
        (Some(InputSpec::Oci(OciSpec::Layout { path, .. } | OciSpec::DockerArchive { path, .. })), _) => {
            return Some(path);
        }
        (None, SourceOrigin::Archive { location, .. }) => location,
        _ => return None,
    };
    match location {
        ArchiveLocation::Path(path) => Some(path),
        ArchiveLocation::Url(_) => None,
    }
}
