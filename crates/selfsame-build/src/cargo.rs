//! What cargo itself said about a build: which packages were compiled for the target, which only for the build, with
//! which features; and from its metadata names, licences and edges.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;

use cargo_metadata::{DependencyKind, Message, Metadata, PackageId};

/// The packages of one cargo action.
#[derive(Clone, Debug, Default)]
pub struct CargoPackages {
    /// Every package that was compiled, sorted by name and version.
    pub packages: Vec<CargoPackage>,
    /// `(from, to)`: indices into [`Self::packages`], of normal dependencies among packages compiled for the target.
    pub edges: BTreeSet<(usize, usize)>,
}

/// A package that cargo compiled.
#[derive(Clone, Debug)]
pub struct CargoPackage {
    /// `memchr`.
    pub name: String,
    /// `2.7.4`.
    pub version: String,
    /// Whether it comes from a registry; else it is part of the source.
    pub from_registry: bool,
    /// Whether anything of it was compiled for the target. Procedural macros and build scripts were not.
    pub shipped: bool,
    /// Whether a program of it was linked for the target: it is what the image ships, and needs the rest.
    pub linked: bool,
    /// The features it was compiled with for the target; for the build, where it is build-only.
    pub features: BTreeSet<String>,
    /// As declared, an SPDX expression mostly.
    pub license: Option<String>,
    /// As declared.
    pub authors: Vec<String>,
    /// As declared.
    pub description: Option<String>,
    /// As declared.
    pub homepage: Option<String>,
    /// As declared.
    pub repository: Option<String>,
}

/// Reads `cargo build --message-format=json` and `cargo metadata` of the same build.
pub fn packages(messages: &[u8], metadata: &[u8], target: &str) -> Result<CargoPackages, String> {
    let metadata: Metadata = serde_json::from_slice(metadata).map_err(|error| format!("metadata: {error}"))?;
    let built = built(messages, target)?;
    let mut packages = Vec::new();
    let mut index: BTreeMap<&PackageId, usize> = BTreeMap::new();
    let mut known: Vec<_> = metadata.packages.iter().filter(|package| built.contains_key(&package.id)).collect();
    if known.len() != built.len() {
        return Err(format!("{} packages were built, and metadata knows {} of them", built.len(), known.len()));
    }
    known.sort_by(|a, b| (a.name.as_str(), &a.version, &a.id).cmp(&(b.name.as_str(), &b.version, &b.id)));
    for package in known {
        let artifact = &built[&package.id];
        index.insert(&package.id, packages.len());
        packages.push(CargoPackage {
            name: package.name.to_string(),
            version: package.version.to_string(),
            from_registry: package.source.is_some(),
            shipped: artifact.shipped,
            linked: artifact.linked,
            features: artifact.features.clone(),
            license: package.license.clone().filter(|text| !text.is_empty()),
            authors: package.authors.clone(),
            description: package.description.as_deref().map(one_line),
            homepage: package.homepage.clone(),
            repository: package.repository.clone(),
        });
    }
    let mut edges = BTreeSet::new();
    for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        let Some(&from) = index.get(&node.id).filter(|&&from| packages[from].shipped) else { continue };
        for dependency in &node.deps {
            let normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if let Some(&to) = index.get(&dependency.pkg).filter(|&&to| normal && packages[to].shipped) {
                edges.insert((from, to));
            }
        }
    }
    Ok(CargoPackages { packages, edges })
}

#[derive(Default)]
struct Built {
    shipped: bool,
    linked: bool,
    features: BTreeSet<String>,
}

fn built(messages: &[u8], target: &str) -> Result<BTreeMap<PackageId, Built>, String> {
    let mut built: BTreeMap<PackageId, Built> = BTreeMap::new();
    let target_folder = format!("/{target}/");
    for message in Message::parse_stream(BufReader::new(messages)) {
        let Message::CompilerArtifact(artifact) = message.map_err(|error| format!("messages: {error}"))? else {
            continue;
        };
        let for_target = artifact.filenames.iter().any(|file| file.as_str().contains(&target_folder));
        let entry = built.entry(artifact.package_id).or_default();
        if for_target && !entry.shipped {
            // A package compiled for both keeps the features of what is shipped.
            entry.features.clear();
        }
        if for_target || !entry.shipped {
            entry.features.extend(artifact.features);
        }
        entry.shipped |= for_target;
        entry.linked |= for_target && artifact.executable.is_some();
    }
    Ok(built)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
