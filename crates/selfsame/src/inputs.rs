//! The inputs of a definition: locked or pinned, fetched, laid out, described.

use std::collections::BTreeMap;
use std::path::Path;

use selfsame_build::record::Layer;
use selfsame_build::request::{InputPart, InputSet};
use selfsame_build::{BaseImage, InputPackage, KeptImage, LayerFile};
use selfsame_core::{Digest, Platform, SourceEpoch};
use selfsame_definition::{Base, Definition, InputSpec, Rootfs};
use selfsame_fetch::{self as fetch, Context, Described};
use selfsame_lock::{Claim, Day, Lock, Normaliser, Part};
use selfsame_store::Store;
use selfsame_tree::Tree;

use crate::commands::errors;
use crate::network::Network;
use crate::people;
use crate::report::{Answer, Exit, Report};
use crate::shared::PinnedInput;
use crate::terminal::{Voice, size};

/// Inputs that are in the store, laid out.
#[derive(Default)]
pub(crate) struct BoundInputs {
    /// As the request names them.
    pub(crate) sets: BTreeMap<String, InputSet>,
    /// Their trees.
    pub(crate) trees: BTreeMap<String, Tree>,
    /// The packages that they hold.
    pub(crate) packages: BTreeMap<String, Vec<Described>>,
}

impl BoundInputs {
    /// The packages as the SBOM is told of them.
    pub(crate) fn described(&self) -> BTreeMap<String, Vec<InputPackage>> {
        let packages = |of: &Vec<Described>| of.iter().map(input_package).collect();
        self.packages.iter().map(|(name, of)| (name.clone(), packages(of))).collect()
    }
}

fn input_package(package: &Described) -> InputPackage {
    InputPackage {
        purl: package.purl.clone(),
        name: package.name.clone(),
        version: package.version.clone(),
        license: (!package.licenses.is_empty()).then(|| package.licenses.join(" AND ")),
        supplier: package.supplier.clone(),
        files: package.files.iter().cloned().collect(),
        depends_on: package.depends_on.iter().cloned().collect(),
    }
}

/// The input that the image stands on.
fn base_name(definition: &Definition) -> Option<&str> {
    match &definition.image.base {
        Base::Scratch => None,
        Base::Input(name) => Some(name.as_str()),
    }
}

/// What the image stands on, from inputs that are laid out.
pub(crate) fn base(
    definition: &Definition,
    lock: Option<&Lock>,
    bound: &BoundInputs,
    cx: &Context<'_>,
) -> Answer<Option<BaseImage>> {
    let Some(name) = base_name(definition) else { return Ok(None) };
    let absent = || Report::new(Exit::Unanswered, format!("input `{name}` is in no lock")).hint("run `selfsame lock`");
    let spec = definition.input(name).ok_or_else(absent)?;
    let parts = lock.and_then(|lock| lock.inputs.iter().find(|(known, _)| known.as_str() == name));
    let (_, locked) = parts.ok_or_else(absent)?;
    let image = fetch::input_image(name, spec, &locked.parts, cx).map_err(|error| errors::fetch(error.of(name)))?;
    let image = image.map(|image| KeptImage {
        manifest: image.manifest,
        reference: image.reference,
        config: image.config,
        layers: image.layers.into_iter().map(|(descriptor, diff_id)| Layer { descriptor, diff_id }).collect(),
        files: image
            .files
            .into_iter()
            .map(|(path, file)| (path, LayerFile { layer: file.layer, modified: file.modified }))
            .collect(),
    });
    let packages = bound.packages.get(name).into_iter().flatten().map(input_package);
    let tree = bound.trees.get(name).cloned().ok_or_else(absent)?;
    Ok(Some(BaseImage { name: name.to_owned(), image, tree, packages: packages.collect() }))
}

/// Today, which only locks are told.
#[expect(clippy::disallowed_methods, reason = "the day on which a lock is written stands in it")]
pub(crate) fn today() -> Day {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Day::of(SourceEpoch::new(now.as_secs()).unwrap_or(SourceEpoch::new(0).expect("the first second")))
}

/// What inputs are resolved, fetched and laid out with.
pub(crate) fn context<'a>(
    folder: &'a Path,
    definition: &'a Definition,
    network: &'a Network,
    store: &'a Store,
    platform: &'a Platform,
    offline: bool,
) -> Context<'a> {
    let platforms = &definition.image.platforms;
    let Network { environment, http, .. } = network;
    let offline = offline || http.options().offline;
    let (today, progress) = (today(), network.progress());
    Context { folder, environment, http, store, platform, platforms, offline, today, progress }
}

/// Brings every input of a definition into the store and lays it out.
pub(crate) fn bind(
    definition: &Definition,
    lock: Option<&Lock>,
    source: &Tree,
    network: &Network,
    cx: &Context<'_>,
    voice: &Voice,
) -> Answer<BoundInputs> {
    let mut bound = BoundInputs::default();
    for (name, spec) in definition.all_inputs() {
        let name = name.as_str();
        let cx = &cx.of(definition, name);
        let parts = match spec.pins() {
            Some(_) => {
                let pinned = PinnedInput { name, spec, source, cx };
                let parts = pinned.bring(network, voice)?;
                pinned.offer(&parts, false, network, voice)?;
                parts
            }
            None => parts(name, spec, lock, source, cx)?,
        };
        fetch::fetch_input(name, spec, &parts, cx).map_err(|error| errors::fetch(error.of(name)))?;
        let tree = lay_out(definition, name, spec, lock, &parts, cx, &mut bound)?;
        voice.say("input", &format!("{name}: {}, {} parts, {}", spec.kind(), parts.len(), size(tree)));
    }
    Ok(bound)
}

/// The parts of an input for the context's platform: by its ecosystem's lock where it has one, else by ours. Of several
/// platforms no build names what is there for another.
pub(crate) fn parts(
    name: &str,
    spec: &InputSpec,
    lock: Option<&Lock>,
    source: &Tree,
    cx: &Context<'_>,
) -> Answer<Vec<Part>> {
    if spec.pins().is_some() {
        return fetch::pinned_input(name, spec, source, cx).map_err(|error| errors::fetch(error.of(name)));
    }
    let locked = lock.and_then(|lock| lock.inputs.iter().find(|(known, _)| known.as_str() == name));
    let (_, locked) = locked.ok_or_else(|| {
        Report::new(Exit::Unanswered, format!("input `{name}` is in no lock")).hint("run `selfsame lock`")
    })?;
    let is_meant = |part: &&Part| {
        let own = part.platform.as_ref();
        cx.platforms.len() < 2 || own.is_none_or(|own| selfsame_oci::same_platform(own, cx.platform))
    };
    Ok(locked.parts.iter().filter(is_meant).cloned().collect())
}

/// The parts that a file of the source pins, of those that provenance names and the store has.
fn pinned_again(name: &str, spec: &InputSpec, source: &Tree, set: &InputSet, cx: &Context<'_>) -> Answer<Vec<Part>> {
    let mut claimed = Vec::with_capacity(set.parts.len());
    for part in &set.parts {
        let size = cx.store.blob_size(&part.sha256).map_err(errors::store)?;
        // A purl that is none answers no pin; what is not here was reported as missing.
        let Some((purl, size)) = part.purl.parse().ok().zip(size) else { continue };
        let mut known = Part::new(purl, part.sha256, size, Claim::EcosystemLock);
        known.role = part.role.clone();
        claimed.push(known);
    }
    fetch::pinned_again(name, spec, source, &claimed, cx).map_err(|error| errors::fetch(error.of(name)))
}

/// Lays out an input whose parts are in the store. Gives the bytes of its tree.
pub(crate) fn lay_out(
    definition: &Definition,
    name: &str,
    spec: &InputSpec,
    lock: Option<&Lock>,
    parts: &[Part],
    cx: &Context<'_>,
    bound: &mut BoundInputs,
) -> Answer<u64> {
    let is_toolchain = definition.toolchains.keys().any(|known| known.as_str() == name);
    let tree = if is_toolchain { fetch::toolchain_tree } else { fetch::input_tree }(name, spec, parts, cx);
    let tree = tree.map_err(|error| errors::fetch(error.of(name)))?;
    let digest = cx.store.put_tree(&tree).map_err(errors::store)?;
    let described = fetch::describe_input(name, spec, parts, cx).map_err(|error| errors::fetch(error.of(name)))?;
    let bytes = tree.size_bytes();
    let locked = lock.and_then(|lock| lock.inputs.iter().find(|(known, _)| known.as_str() == name));
    let normalisers = locked.map(|(_, locked)| locked.normalisers.as_slice()).unwrap_or_default();
    bound.sets.insert(name.to_owned(), set(spec, digest, normalisers, parts));
    bound.trees.insert(name.to_owned(), tree);
    bound.packages.insert(name.to_owned(), described);
    Ok(bytes)
}

/// An input as the request names it.
fn set(spec: &InputSpec, tree: Digest, normalisers: &[Normaliser], parts: &[Part]) -> InputSet {
    let mut parts: Vec<InputPart> = parts.iter().map(input_part).collect();
    parts.sort_unstable();
    let is_configured = matches!(spec, InputSpec::Deb(deb) if deb.rootfs == Rootfs::Configured);
    let configured = is_configured.then(|| normalisers.iter().map(|it| it.name().to_owned()).collect());
    InputSet { kind: spec.kind().to_owned(), tree, configured, parts }
}

/// A locked part as the request names it.
pub(crate) fn input_part(part: &Part) -> InputPart {
    InputPart {
        purl: part.purl.to_string(),
        sha256: part.sha256,
        role: part.role.clone(),
        platform: part.platform.as_ref().map(ToString::to_string),
    }
}

/// An input of a release that is nowhere to be had.
pub(crate) struct MissingPart {
    /// Of which input, and how it is called.
    pub(crate) name: String,
    /// What it has to be.
    pub(crate) sha256: Digest,
}

/// Lays out the inputs that signed provenance names, from parts that are in the store already. Every input has to be
/// the one that lock and source ask for, and to make the tree that was built with.
pub(crate) fn bind_again(
    definition: &Definition,
    claimed: &BTreeMap<String, InputSet>,
    lock: Option<&Lock>,
    source: &Tree,
    cx: &Context<'_>,
    missing: &mut Vec<MissingPart>,
) -> Answer<BoundInputs> {
    let contradiction = |name: &str, fault: &str| {
        Report::new(Exit::No, format!("the provenance contradicts itself: input `{name}` {fault}"))
    };
    let mut bound = BoundInputs::default();
    for (name, spec) in definition.all_inputs() {
        let name = name.as_str();
        let cx = &cx.of(definition, name);
        let set = claimed.get(name).ok_or_else(|| contradiction(name, "is not among its dependencies"))?;
        let before = missing.len();
        let absent = set.parts.iter().filter(|part| !cx.store.has(&part.sha256));
        missing.extend(absent.map(|part| {
            let called = people::part(&part.purl, part.role.as_deref(), &part.sha256);
            MissingPart { name: format!("input {name}, {called}"), sha256: part.sha256 }
        }));
        if missing.len() > before {
            continue;
        }
        let parts = match spec.pins() {
            Some(_) => pinned_again(name, spec, source, set, cx)?,
            None => parts(name, spec, lock, source, cx)?,
        };
        let mut locked: Vec<InputPart> = parts.iter().map(input_part).collect();
        locked.sort_unstable();
        if locked != set.parts {
            return Err(contradiction(name, "has other parts than its lock").into());
        }
        lay_out(definition, name, spec, lock, &parts, cx, &mut bound)?;
        if bound.sets[name].configured != set.configured {
            return Err(contradiction(name, "has other normalisers than its lock").into());
        }
        let again = bound.sets[name].tree;
        if again != set.tree {
            let report = Report::new(Exit::Unanswered, format!("input `{name}` makes another tree than it did"))
                .fact("release", set.tree)
                .fact("here", again);
            return Err(report.into());
        }
    }
    Ok(bound)
}
