//! `selfsame rebuild-verify`: makes a release again from itself, cold, and says whether it came out the same.

mod fetching;
mod show;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use selfsame_action::ExecutionError;
use selfsame_attest::RebuildVerdict;
use selfsame_build::build::Inputs;
use selfsame_build::provenance::request_from;
use selfsame_build::rebuild::{self, Original, Outcome, actions_of};
use selfsame_build::request::{Origin, Request};
use selfsame_build::sbom::ToolchainPackage;
use selfsame_build::{BuildError, Built, Mode, capsule};
use selfsame_core::{Digest, Platform, media};
use selfsame_definition::{Definition, SourceOrigin, Toolchain};
use selfsame_executor::LocalExecutor;
use selfsame_lock::{HostLock, Lock};
use selfsame_oci::{ImageConfig, Index, Manifest, layout};
use selfsame_store::Store;
use selfsame_tree::Tree;
use selfsame_verify::{Depth, Evidence, ReleaseFiles};

use super::judged::Judged;
use super::summary::Wanted;
use super::{agreement, errors};
use crate::cli::RebuildVerify;
use crate::network::Network;
use crate::people;
use crate::prepare::{self, executor_settings, toolchain_package};
use crate::remote::Release;
use crate::report::{Answer, Exit, Report};
use crate::settings::Settings;
use crate::terminal::{self, Voice};
use crate::timestamp::TimeStamps;

pub(super) use fetching::fetch;
pub(super) use whole::all_again;

/// The largest manifest, lock or definition of a release that is read.
const DOCUMENT_BYTES: u64 = 64 << 20;

pub(super) fn run(arguments: &RebuildVerify, settings: &Settings) -> Answer {
    settings.json.set(arguments.json);
    let voice = Voice::new(arguments.progress, settings);
    let cancel = crate::interrupt::flag()?;
    let sign_as = arguments.sign_as.as_deref().map(|key| crate::keys::signer(key, false)).transpose()?;
    let reference = crate::remote::as_reference(&arguments.release);
    let stamps = TimeStamps::named(arguments.stamp.timestamp.as_deref())?;
    let text = arguments.sign_as.as_deref();
    let summary = Wanted::of(&arguments.summary, &arguments.trust, text, reference.as_ref())?;
    let trust = crate::trust::of(&arguments.trust)?;
    let release = Release::find(&arguments.release, true, true, Some(&trust), settings)?;
    let files = release.files()?;
    let judged = Judged::of(files.as_ref(), &arguments.trust, &arguments.policy.policies, Depth::Content)?;
    if !judged.is_verified() {
        if let Some(summary) = &summary {
            summary.write(judged.judgement(Depth::Content))?;
        }
        terminal::talk(&judged.text(&arguments.release));
        let report = Report::new(
            judged.exit(),
            format!("`{}` is not verified, so it is not rebuilt", arguments.release.display()),
        )
        .consequence("A rebuild starts from what a trusted signature says, and from nothing else.");
        return Err(report.into());
    }
    voice.say("verified", &arguments.release.display().to_string());

    let store = prepare::store(settings)?;
    let no_host = arguments.no_host;
    let machine = Machine { store: &store, settings, voice: &voice, cancel: &cancel, no_host, shared: true };
    let whole = match all_again(files.as_ref(), &judged, &machine)? {
        Ok(whole) => whole,
        Err(missing) => return show::could_not_rebuild(arguments, &missing),
    };
    let explanations = whole.explain(&release, &arguments.release, &store)?;
    if let Some(output) = &arguments.output {
        show::keep(output, &whole, &store)?;
    }
    if let Some(key) = sign_as {
        let path = arguments.statement.clone().unwrap_or_else(|| PathBuf::from("rebuild.sigstore.json"));
        show::sign(&key, stamps.as_ref(), &path, &whole)?;
        voice.say("signed", &path.display().to_string());
    }
    let exit = match whole.outcome.verdict {
        RebuildVerdict::Same => Exit::Yes,
        RebuildVerdict::Equivalent if arguments.accept.as_deref() == Some("equivalent") => Exit::Yes,
        _ => Exit::No,
    };
    if let Some(summary) = &summary {
        let outcome = whole.outcome.verdict.as_str();
        summary.write(judged.judgement(Depth::Content).rebuilt(outcome, exit == Exit::Yes))?;
    }
    show::verdict(arguments, &whole, &explanations);
    Ok(exit)
}

/// Where a release is made again.
pub(super) struct Machine<'a> {
    pub(super) store: &'a Store,
    pub(super) settings: &'a Settings,
    pub(super) voice: &'a Voice,
    pub(super) cancel: &'a Arc<AtomicBool>,
    /// Use nothing of this machine for what the release does not hold.
    pub(super) no_host: bool,
    /// Whether the store that machines share is asked for what the release does not hold.
    pub(super) shared: bool,
}

/// Makes a release that is verified again, and compares; or says what cannot be had.
pub(super) fn again(
    files: &dyn ReleaseFiles,
    evidence: &Evidence,
    machine: &Machine<'_>,
) -> Answer<Result<(Built, Outcome), Vec<MissingInput>>> {
    let Machine { store, voice, cancel, .. } = *machine;
    let original = original(files, evidence)?;
    let request = request_from(&evidence.provenance).map_err(|error| {
        Report::new(Exit::Unanswered, error.to_string()).hint("another version of selfsame may know this profile")
    })?;
    let inputs = match inputs(files, request, machine)? {
        Ok(inputs) => inputs,
        Err(missing) => return Ok(Err(missing)),
    };

    let executor = LocalExecutor::new(executor_settings(store, voice, cancel)?);
    let mode = Mode { use_cache: false, check: false };
    let built = match selfsame_build::build(&inputs, store, &executor, mode, super::threads(), voice) {
        Ok(built) => built,
        Err(BuildError::Action(error @ (ExecutionError::Failed { .. } | ExecutionError::Output { .. }))) => {
            // The release says that this action succeeded with these inputs; here it does not: that is a difference.
            let mut report = errors::build(BuildError::Action(error), store);
            report.headline = format!("could not rebuild: {}", report.headline);
            report.exit = Exit::Unanswered;
            return Err(report);
        }
        Err(error) => return Err(errors::build(error, store)),
    };
    let outcome = rebuild::compare(&original, &built);
    Ok(Ok((built, outcome)))
}

/// What the verified release says came out.
fn original(files: &dyn ReleaseFiles, evidence: &Evidence) -> Answer<Original> {
    let read = |digest: Digest| {
        let name = layout::blob_path(digest);
        let bytes = files.read(&name, DOCUMENT_BYTES).map_err(|error| changed(&name, &error))?;
        bytes.filter(|bytes| Digest::of(bytes) == digest).ok_or_else(|| changed(&name, &"it is not what was verified"))
    };
    let manifest =
        Manifest::parse(&read(evidence.image)?, media::MANIFEST).map_err(|error| changed("manifest", &error))?;
    let config = ImageConfig::parse(&read(manifest.config.digest)?).map_err(|error| changed("config", &error))?;
    let inventory = &evidence.inventory;
    Ok(Original {
        image: evidence.image,
        diff_ids: config.diff_ids,
        payloads: evidence.payloads.clone(),
        actions: actions_of(&evidence.provenance.build_definition.internal_parameters),
        not_checked_because: (!inventory.checked).then(|| inventory.not_checked_because.clone()),
    })
}

/// A release that changed between being verified and being read again.
fn changed(name: &str, fault: &dyn std::fmt::Display) -> Box<Report> {
    Report::new(Exit::Unanswered, format!("the release changed while it was read: `{name}`: {fault}")).into()
}

/// An input that is nowhere to be had.
pub(super) struct MissingInput {
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) note: String,
}

/// The inputs that the signed provenance names: from the release, then the store, then the store that machines share,
/// then this machine.
fn inputs(
    files: &dyn ReleaseFiles,
    request: Request,
    machine: &Machine<'_>,
) -> Answer<Result<Inputs, Vec<MissingInput>>> {
    let Machine { store, settings, voice, no_host, shared, .. } = *machine;
    if request.build_platform != Platform::native() {
        let fault = format!("the release was built on {}; this machine is another", request.build_platform);
        return Err(Report::new(Exit::Unanswered, fault).fact("here", Platform::native()).into());
    }
    import_capsule(files, store)?;
    let network = Network::of(settings, None)?;
    if shared {
        let blobs = digests(&request).into_iter().map(|digest| (digest, None));
        crate::shared::bring_blobs(&network, blobs, store, voice)?;
    }
    let mut missing = Vec::new();
    let mut text = |digest: Digest, name: &str| -> Answer<String> {
        if !store.has(&digest) {
            missing.push(MissingInput { name: name.to_owned(), digest, note: "not in the release".to_owned() });
            return Ok(String::new());
        }
        let bytes = store.read_blob(&digest, DOCUMENT_BYTES).map_err(errors::store)?;
        String::from_utf8(bytes).map_err(|_| Report::new(Exit::Unanswered, format!("`{name}` is not UTF-8")).into())
    };
    let definition_text = text(request.definition, Definition::FILE_NAME)?;
    let lock_text = request.lock.map(|digest| text(digest, Lock::FILE_NAME)).transpose()?;
    let host_text = request.host_lock.map(|digest| text(digest, HostLock::FILE_NAME)).transpose()?;
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    let definition =
        Definition::parse(&definition_text).map_err(|error| errors::text(Path::new(Definition::FILE_NAME), &error))?;
    let host_lock = host_text.as_deref().map(HostLock::parse).transpose();
    let host_lock = host_lock.map_err(|error| errors::text(Path::new(HostLock::FILE_NAME), &error))?;
    let lock = lock_text.as_deref().map(Lock::parse).transpose();
    let lock = lock.map_err(|error| errors::text(Path::new(Lock::FILE_NAME), &error))?;
    agreement::of_request(&request, &definition, lock.as_ref(), host_lock.as_ref())?;
    let toolchain_packages = packages(host_lock.as_ref(), &definition);

    let source = match &request.source.origin {
        Origin::Path { .. } => tree(request.source.tree, "source", store, &mut missing)?,
        Origin::Locked { purl, sha256 } => {
            unpacked(&definition, purl, *sha256, request.source.tree, store, &mut missing)?
        }
    };
    let mut toolchains = BTreeMap::new();
    for (name, input) in &request.toolchains {
        let label = format!("toolchain {name}");
        let Some(tree) = tree_text(input.tree, &label, store, &mut missing)? else { continue };
        complete_from_host(name, &tree, &definition, store, settings, voice, no_host, &mut missing)?;
        toolchains.insert(name.clone(), tree);
    }
    let cargo = match (&source, request.crates.is_empty()) {
        (Some(source), _) => vendored(&definition, source, &request, store, settings, voice, &mut missing)?,
        (None, _) => None,
    };
    let Some(source) = source else { return Ok(Err(missing)) };
    // Its paths are those of another machine: nothing is looked for there.
    let cx = crate::inputs::context(Path::new("."), &definition, &network, store, &request.platform, true);
    let mut parts = Vec::new();
    let bound = crate::inputs::bind_again(&definition, &request.inputs, lock.as_ref(), &source, &cx, &mut parts)?;
    missing.extend(parts.into_iter().map(|part| MissingInput {
        name: part.name,
        digest: part.sha256,
        note: "neither in the release nor in the store".to_owned(),
    }));
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    toolchains.extend(prepare::root_trees(&definition, &bound));
    let described = bound.described();
    let base = crate::inputs::base(&definition, lock.as_ref(), &bound, &cx)?;
    let inputs = bound.trees;
    Ok(Ok(Inputs { definition, request, source, toolchains, inputs, base, cargo, described, toolchain_packages }))
}

/// The files that a request names: what a shared store may have of it.
fn digests(request: &Request) -> Vec<Digest> {
    let parts = request.inputs.values().flat_map(|input| &input.parts).map(|part| part.sha256);
    let crates = request.crates.iter().map(|krate| krate.sha256);
    let archive = match &request.source.origin {
        Origin::Locked { sha256, .. } => Some(*sha256),
        Origin::Path { .. } => None,
    };
    parts.chain(crates).chain(archive).collect()
}

fn packages(host_lock: Option<&HostLock>, definition: &Definition) -> Vec<ToolchainPackage> {
    let used = definition.toolchains.keys().filter_map(|name| host_lock?.toolchains.get(name));
    used.flat_map(|toolchain| toolchain.packages.iter().map(toolchain_package)).collect()
}

/// Everything that the release carries, into the store. Nothing of it is believed: see [`capsule::import`].
pub(super) fn import_capsule(files: &dyn ReleaseFiles, store: &Store) -> Answer<()> {
    let fault = |name: &str, fault: &dyn std::fmt::Display| {
        Report::new(Exit::Unanswered, format!("the release's capsule: `{name}`: {fault}"))
    };
    let document = |name: &str| {
        let bytes = files.read(name, DOCUMENT_BYTES).map_err(|error| fault(name, &error))?;
        bytes.ok_or_else(|| fault(name, &"is missing"))
    };
    let index = document(layout::INDEX_FILE)?;
    let index = Index::parse(&index, media::INDEX).map_err(|error| fault(layout::INDEX_FILE, &error))?;
    for referrer in index.manifests.iter().filter(|d| d.artifact_type.as_deref() == Some(media::CAPSULE)) {
        let name = layout::blob_path(referrer.digest);
        let manifest = Manifest::parse(&document(&name)?, media::MANIFEST).map_err(|error| fault(&name, &error))?;
        for blob in &manifest.layers {
            let name = layout::blob_path(blob.digest);
            let reader = files.open(&name).map_err(|error| fault(&name, &error))?;
            let reader = reader.ok_or_else(|| fault(&name, &"is missing"))?;
            capsule::import(blob, reader, store).map_err(|error| errors::build(error, store))?;
        }
    }
    Ok(())
}

/// The text of a tree, without its files.
fn tree_text(digest: Digest, name: &str, store: &Store, missing: &mut Vec<MissingInput>) -> Answer<Option<Tree>> {
    if !store.has(&digest) {
        missing.push(MissingInput {
            name: name.to_owned(),
            digest,
            note: "its list of files is neither in the release nor in the store".to_owned(),
        });
        return Ok(None);
    }
    store.tree(&digest).map(Some).map_err(errors::store)
}

/// A tree with all of its files.
fn tree(digest: Digest, name: &str, store: &Store, missing: &mut Vec<MissingInput>) -> Answer<Option<Tree>> {
    let Some(tree) = tree_text(digest, name, store, missing)? else { return Ok(None) };
    for (path, digest, _) in store.missing(&tree).map_err(errors::store)? {
        missing.push(MissingInput {
            name: format!("{name}, {path}"),
            digest,
            note: "neither in the release nor in the store".to_owned(),
        });
    }
    Ok(Some(tree))
}

/// Files of a captured toolchain that only this machine may still have.
#[expect(clippy::too_many_arguments, reason = "one place asks for all of them")]
fn complete_from_host(
    name: &str,
    tree: &Tree,
    definition: &Definition,
    store: &Store,
    settings: &Settings,
    voice: &Voice,
    no_host: bool,
    missing: &mut Vec<MissingInput>,
) -> Answer<()> {
    let absent = store.missing(tree).map_err(errors::store)?;
    if absent.is_empty() {
        return Ok(());
    }
    let note = |found: Option<Digest>| match found {
        _ if no_host => "neither in the release nor in the store, and --no-host was given".to_owned(),
        Some(found) => format!("this machine has another file there: {found}"),
        None => "this machine has no such file".to_owned(),
    };
    let still = if no_host {
        absent.into_iter().map(|(path, digest, _)| (path, digest, None)).collect::<Vec<_>>()
    } else {
        voice.say("record", &format!("{} files of toolchain `{name}` from this machine, by digest", absent.len()));
        let host = host(name, definition, settings)?;
        let still = selfsame_toolchain::recapture(tree, &host, store).map_err(errors::toolchain)?;
        still.into_iter().map(|file| (file.path, file.digest, file.found)).collect()
    };
    missing.extend(still.into_iter().map(|(path, digest, found)| MissingInput {
        name: format!("toolchain {name}, /{path}"),
        digest,
        note: note(found),
    }));
    Ok(())
}

/// This machine, with the folder of a rustup toolchain where the build saw it.
fn host(name: &str, definition: &Definition, settings: &Settings) -> Answer<selfsame_toolchain::Host> {
    let host = prepare::host_with_roots(definition, settings)?;
    let kind = definition.toolchains.iter().find(|(known, _)| known.as_str() == name).map(|(_, kind)| kind);
    let (Some(Toolchain::Rustup { channel, .. }), Some(home)) = (kind, &settings.rustup_home) else { return Ok(host) };
    // Without that toolchain here, its files are simply missing.
    match selfsame_toolchain::rustup_folder(channel, home) {
        Ok(folder) => host.with_named_root(name, folder).map_err(errors::toolchain),
        Err(_) => Ok(host),
    }
}

/// The source of an archive or crate, unpacked again.
fn unpacked(
    definition: &Definition,
    purl: &str,
    sha256: Digest,
    tree: Digest,
    store: &Store,
    missing: &mut Vec<MissingInput>,
) -> Answer<Option<Tree>> {
    if !store.has(&sha256) {
        let note = "neither in the release nor in the store".to_owned();
        missing.push(MissingInput { name: purl.to_owned(), digest: sha256, note });
        return Ok(None);
    }
    let strip = match &definition.source.origin {
        SourceOrigin::Archive { strip, .. } => *strip,
        _ => 1,
    };
    let unpacked = selfsame_fetch::unpack_archive(store, &sha256, purl, strip, selfsame_fetch::Limits::SOURCE)
        .map_err(|error| errors::fetch(error.into()))?;
    if unpacked.digest() != tree {
        let report = Report::new(Exit::Unanswered, format!("`{purl}` unpacks to another tree than the release names"))
            .fact("release", tree)
            .fact("unpacked", unpacked.digest());
        return Err(report.into());
    }
    Ok(Some(unpacked))
}

/// The vendored crates, where an action is cargo's.
fn vendored(
    definition: &Definition,
    source: &Tree,
    request: &Request,
    store: &Store,
    settings: &Settings,
    voice: &Voice,
    missing: &mut Vec<MissingInput>,
) -> Answer<Option<Digest>> {
    match prepare::crates(definition, source, &settings.environment(), store, voice, true) {
        Ok((pinned, cargo)) => {
            agreement::of_crates(request, &pinned)?;
            Ok(cargo)
        }
        Err(report) => {
            for krate in request.crates.iter().filter(|krate| !store.has(&krate.sha256)) {
                let name = format!("crate {}", people::purl(&krate.purl()));
                missing.push(MissingInput { name, digest: krate.sha256, note: report.headline.clone() });
            }
            if missing.is_empty() { Err(report) } else { Ok(None) }
        }
    }
}
