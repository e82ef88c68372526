//! The SBOM's facts: what was locked, joined with what is in the image.

mod identity;
mod installed;
mod locked;
mod shipped;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use selfsame_action::action::STDOUT;
use selfsame_action::plan::metadata_step;
use selfsame_core::{Digests, SourceEpoch};
use selfsame_definition::Command;
use selfsame_sbom::{Completeness, Edge, Entity, Facts, ImageFile, Input, Node, Part, PartKind, Publisher, Step};
use selfsame_store::Store;
use selfsame_tree::Kind;

use crate::base::BaseImage;
use crate::build::Inputs;
use crate::cargo::{self, CargoPackages};
use crate::error::BuildError;
use crate::hashed::{Hashed, remembered};
use crate::image::base_origin;
use crate::provenance::dependencies;
use crate::record::{Image, StepRecord};
use crate::request::{CrateInput, Origin, Request};
use crate::sbom::locked::Locked;

/// A package of a captured toolchain, as the host lock names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolchainPackage {
    /// `pkg:deb/debian/gcc-12@12.2.0-14?arch=amd64`.
    pub purl: String,
    /// `gcc-12`.
    pub name: String,
    /// `12.2.0-14`.
    pub version: String,
    /// As its copyright file declares it, where that can be read.
    pub license: Option<String>,
    /// Who distributes it.
    pub supplier: Option<String>,
}

/// The largest message stream or metadata document of cargo that is read.
const CARGO_BYTES: u64 = 256 << 20;

/// Everything that the SBOM says.
pub fn facts(inputs: &Inputs, image: &Image, steps: &[StepRecord], store: &Store) -> Result<Facts, BuildError> {
    let Inputs { definition, request, toolchain_packages, .. } = inputs;
    let base = inputs.base.as_ref();
    let locked = Locked::all(inputs);
    let mut facts = Facts {
        name: request.name.clone(),
        version: request.version.clone(),
        license: definition.license.clone(),
        purl: None,
        publisher: Publisher {
            name: definition.publisher.name.clone(),
            url: definition.publisher.url.clone(),
            email: definition.publisher.email.clone(),
            security_contact: definition.publisher.security_contact.clone(),
        },
        epoch: request.epoch,
        platform: request.platform.clone(),
        profile: request.profile,
        image: Some(image.manifest.digest),
        files: image_files(request, image, base, store)?,
        shipped: Vec::new(),
        build_only: toolchain_packages.iter().map(toolchain_part).collect(),
        edges: Vec::new(),
        completeness: BTreeMap::new(),
        inputs: dependency_inputs(request),
        steps: steps.iter().map(step).collect(),
    };
    let mut all_known = true;
    for action in &definition.actions {
        let Command::Cargo(_) = action.command else {
            // What a compiler or script links in is not told by anything that can be believed.
            all_known = false;
            continue;
        };
        let packages = cargo_packages(action.name.as_str(), request, steps, store)?;
        add_cargo(&mut facts, &packages, request, store)?;
    }
    if let Some(base) = base {
        add_base(&mut facts, base, request);
    }
    shipped::add(&mut facts, &locked, inputs, image, store)?;
    // Even a Rust program holds parts of the captured C library, so the application itself is never called complete;
    // nor is one on a base, whose databases list packages and not what these were made of.
    let known = all_known && toolchain_packages.is_empty() && locked.is_empty() && base.is_none();
    let application =
        if known && !definition.actions.is_empty() { Completeness::Complete } else { Completeness::Incomplete };
    facts.completeness.insert(Node::Application, application);
    facts.build_only.sort_by(|a, b| a.purl.cmp(&b.purl));
    facts.build_only.dedup_by(|a, b| a.purl == b.purl);
    Ok(facts)
}

/// The packages that a base's databases list, and the files that are theirs. What stands in the image in place of a
/// package's file is not the package's.
fn add_base(facts: &mut Facts, base: &BaseImage, request: &Request) {
    let origin = Some(base_origin(&base.name));
    let files: BTreeSet<String> =
        facts.files.iter().filter(|file| file.origin == origin).map(|file| file.path.clone()).collect();
    let listed: BTreeSet<&str> = base.packages.iter().map(|package| package.purl.as_str()).collect();
    for package in &base.packages {
        let node = Node::Shipped(package.purl.clone());
        if !facts.shipped.iter().any(|known| known.purl == package.purl) {
            let mut part = Part::new(PartKind::Library, &package.purl, &package.name, &package.version);
            part.license.clone_from(&package.license);
            part.supplier = package.supplier.clone().map(|name| Entity { name: Some(name), ..Entity::default() });
            part.sha256 = locked::archive(request, &base.name, &package.purl);
            part.locations = BTreeSet::from([base_origin(&base.name)]);
            facts.shipped.push(part);
        }
        facts.edges.push(Edge { from: Node::Application, to: node.clone() });
        let needed = package.depends_on.iter().filter(|purl| listed.contains(purl.as_str()));
        facts.edges.extend(needed.map(|purl| Edge { from: node.clone(), to: Node::Shipped(purl.clone()) }));
        let own = package.files.iter().map(|path| format!("/{}", path.as_str())).filter(|path| files.contains(path));
        facts.edges.extend(own.map(|path| Edge { from: node.clone(), to: Node::File(path) }));
    }
    facts.edges.sort();
    facts.edges.dedup();
}

fn image_files(
    request: &Request,
    image: &Image,
    base: Option<&BaseImage>,
    store: &Store,
) -> Result<Vec<ImageFile>, BuildError> {
    let own_layer = image.layers.last().map(|layer| layer.diff_id);
    // A root file system as base is one layer of ours, with the source epoch as every time.
    let base_layer = image.layers.first().map(|layer| layer.diff_id);
    let from_base = base.map(|base| base_origin(&base.name));
    let kept = base.and_then(|base| base.image.as_ref());
    let mut files = Vec::new();
    let mut hashed = base.map(|base| remembered(&base.tree, store)).transpose()?.unwrap_or_default();
    for (path, entry) in image.tree.iter() {
        if !matches!(entry.kind, Kind::File { .. } | Kind::HardLink { .. }) {
            continue;
        }
        let (digest, size) = image.tree.content(path.as_str()).expect("a file or a link to one");
        let hashed = match hashed.entry(digest) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Hashed::of(&digest, store)?),
        };
        let absolute = format!("/{}", path.as_str());
        let origin = image.origins.get(&absolute).cloned();
        let by_others = origin.is_some() && origin == from_base;
        let (layer, modified) = match kept {
            _ if !by_others => (own_layer, Some(request.epoch)),
            None => (base_layer, Some(request.epoch)),
            Some(kept) => match kept.files.get(path) {
                Some(file) => (
                    kept.layers.get(file.layer).map(|layer| layer.diff_id),
                    u64::try_from(file.modified).ok().and_then(SourceEpoch::new),
                ),
                None => (None, None),
            },
        };
        files.push(ImageFile {
            form: hashed.form(&absolute, entry.mode & 0o111 != 0),
            path: absolute,
            sha256: digest,
            sha512: hashed.sha512,
            size,
            layer,
            modified,
            by_others,
            origin,
        });
    }
    Ok(files)
}

fn cargo_packages(
    action: &str,
    request: &Request,
    steps: &[StepRecord],
    store: &Store,
) -> Result<CargoPackages, BuildError> {
    let stdout = |name: &str| {
        let step = steps.iter().find(|step| step.name == name).expect("every step of the plan ran");
        let (digest, _) = step.tree.content(STDOUT).ok_or_else(|| BuildError::Cargo {
            action: action.to_owned(),
            fault: "its standard output was not kept".to_owned(),
        })?;
        Ok::<_, BuildError>(store.read_blob(&digest, CARGO_BYTES)?)
    };
    let (messages, metadata) = (stdout(action)?, stdout(&metadata_step(action))?);
    let target = selfsame_action::plan::rust_triple(&request.platform);
    cargo::packages(&messages, &metadata, &target)
        .map_err(|fault| BuildError::Cargo { action: action.to_owned(), fault })
}

fn add_cargo(facts: &mut Facts, cargo: &CargoPackages, request: &Request, store: &Store) -> Result<(), BuildError> {
    let locked: BTreeMap<(&str, &str), &CrateInput> =
        request.crates.iter().map(|krate| ((krate.name.as_str(), krate.version.as_str()), krate)).collect();
    let mut nodes = Vec::with_capacity(cargo.packages.len());
    for package in &cargo.packages {
        let name_version = (package.name.as_str(), package.version.as_str());
        let input = locked.get(&name_version).filter(|_| package.from_registry);
        let purl = CrateInput {
            name: package.name.clone(),
            version: package.version.clone(),
            sha256: request.definition,
            is_private: false,
        }
        .purl();
        let mut part = Part::new(PartKind::Library, &purl, &package.name, &package.version);
        let archive = match (&request.source.origin, input) {
            (_, Some(input)) => Some((input.sha256, "Cargo.lock")),
            // The source itself, unpacked, is a path to cargo; the lock names the crate that it was.
            (Origin::Locked { purl: locked, sha256 }, None) if *locked == purl && !package.from_registry => {
                Some((*sha256, "selfsame.lock"))
            }
            _ => None,
        };
        if let Some((sha256, location)) = archive {
            let digests = Digests::of_reader(store.open_blob(&sha256)?)
                .map_err(|source| BuildError::Io { what: format!("read blob {sha256}"), source })?;
            part.filename = Some(format!("{}-{}.crate", package.name, package.version));
            (part.sha256, part.sha512) = (Some(sha256), Some(digests.sha512));
            part.locations = BTreeSet::from([location.to_owned()]);
        }
        part.license.clone_from(&package.license);
        part.authors.clone_from(&package.authors);
        part.description.clone_from(&package.description);
        part.homepage.clone_from(&package.homepage);
        part.repository.clone_from(&package.repository);
        part.features.clone_from(&package.features);
        let (list, node) = if package.shipped {
            (&mut facts.shipped, Node::Shipped(purl.clone()))
        } else {
            (&mut facts.build_only, Node::BuildOnly(purl.clone()))
        };
        if !list.iter().any(|known| known.purl == purl) {
            list.push(part);
        }
        if package.shipped {
            facts.completeness.insert(node.clone(), Completeness::Complete);
        }
        if package.linked {
            facts.edges.push(Edge { from: Node::Application, to: node.clone() });
        }
        nodes.push(node);
    }
    let edges = cargo.edges.iter().map(|&(from, to)| Edge { from: nodes[from].clone(), to: nodes[to].clone() });
    facts.edges.extend(edges);
    facts.edges.sort();
    facts.edges.dedup();
    Ok(())
}

fn toolchain_part(package: &ToolchainPackage) -> Part {
    let mut part = Part::new(PartKind::Application, &package.purl, &package.name, &package.version);
    part.captured = true;
    part.license.clone_from(&package.license);
    part.supplier = package.supplier.clone().map(|name| Entity { name: Some(name), ..Entity::default() });
    part
}

fn dependency_inputs(request: &Request) -> Vec<Input> {
    dependencies(request)
        .into_iter()
        .map(|dependency| Input {
            captured: dependency.annotations.contains_key("captured"),
            sha256: dependency.digest.sha256().expect("ours have one"),
            size: None,
            name: dependency.name,
            uri: dependency.uri,
        })
        .collect()
}

fn step(step: &StepRecord) -> Step {
    Step { name: step.name.clone(), command: step.argv.clone(), action: step.action, output: step.output }
}
