//! Provenance from a build record, and the request back from provenance: inverses, kept side by side.
//!
//! docs/build-type/v1.md is the page for readers.

use std::collections::BTreeMap;

use selfsame_action::Normalised;
use selfsame_attest::{BuildDefinition, Builder, Provenance, ResourceDescriptor, RunDetails};
use selfsame_core::{Digest, Level, Platform, Profile, SourceEpoch, json, media, uri};
use serde_json::{Map, Value, json};

use crate::record::BuildRecord;
use crate::request::{
    Component, CrateInput, InputPart, InputSet, Origin, Request, Source, ToolchainInput, ToolchainKind,
};

/// The name of the SBOM among the byproducts.
pub const SBOM_NAME: &str = "sbom.cdx.json";

/// The provenance of a build. Holds no time, host, user or path: a second build of the same request says the same.
#[must_use]
pub fn provenance_of(record: &BuildRecord) -> Provenance {
    let request = &record.request;
    Provenance {
        build_definition: BuildDefinition {
            build_type: uri::BUILD_TYPE.to_owned(),
            external_parameters: external_parameters(request),
            internal_parameters: internal_parameters(record),
            resolved_dependencies: dependencies(request),
        },
        run_details: RunDetails {
            builder: Builder { id: request.builder_id.clone() },
            byproducts: vec![ResourceDescriptor {
                name: SBOM_NAME.to_owned(),
                digest: record.sbom_digest.into(),
                media_type: media::CYCLONEDX.to_owned(),
                ..ResourceDescriptor::default()
            }],
        },
    }
}

/// The identity of a request: of everything in it, since provenance gives the request back.
#[must_use]
pub fn request_digest(request: &Request) -> Digest {
    Digest::of(&json::canonical(&json!({
        "buildPlatform": request.build_platform.to_string(),
        "builder": request.builder_id,
        "dependencies": dependencies(request),
        "epoch": request.epoch,
        "parameters": external_parameters(request),
        "profile": request.profile.number(),
    })))
}

/// The request that made this provenance.
pub fn request_from(provenance: &Provenance) -> Result<Request, NotOurs> {
    let definition = &provenance.build_definition;
    if definition.build_type != uri::BUILD_TYPE {
        return Err(NotOurs { field: "buildType", fault: format!("is `{}`", definition.build_type) });
    }
    let text = |parameters: &Map<String, Value>, field: &'static str| match parameters.get(field) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(NotOurs { field, fault: "is missing or not a text".to_owned() }),
    };
    let external = &definition.external_parameters;
    let internal = &definition.internal_parameters;
    let number = |field: &'static str| {
        let fault = || NotOurs { field, fault: "is missing or not a number".to_owned() };
        internal.get(field).and_then(Value::as_u64).ok_or_else(fault)
    };
    let profile = number("profile")?;
    let profile = u32::try_from(profile)
        .ok()
        .and_then(Profile::known)
        .ok_or_else(|| NotOurs { field: "profile", fault: format!("{profile} is not known to this version") })?;
    let level = text(external, "level")?
        .parse::<Level>()
        .map_err(|error| NotOurs { field: "level", fault: format!(": {error}") })?;
    let platform: Platform = text(external, "platform")?
        .parse()
        .map_err(|error| NotOurs { field: "platform", fault: format!(": {error}") })?;
    let platforms = match external.contains_key("platforms") {
        false => Vec::new(),
        true => {
            let fault = || NotOurs { field: "platforms", fault: "is not a list of platforms".to_owned() };
            let names = provenance.platforms().ok_or_else(fault)?;
            names.iter().map(|name| name.parse().map_err(|_| fault())).collect::<Result<_, _>>()?
        }
    };
    let build_platform = match internal.contains_key("buildPlatform") {
        false => platform.clone(),
        true => text(internal, "buildPlatform")?
            .parse()
            .map_err(|error| NotOurs { field: "buildPlatform", fault: format!(": {error}") })?,
    };
    let epoch = SourceEpoch::new(number("epoch")?)
        .ok_or_else(|| NotOurs { field: "epoch", fault: "is after the year 9999".to_owned() })?;
    let mut relaxations = BTreeMap::new();
    for (name, reason) in external.get("relaxations").and_then(Value::as_object).into_iter().flatten() {
        let Value::String(reason) = reason else {
            return Err(NotOurs { field: "relaxations", fault: "holds something other than texts".to_owned() });
        };
        relaxations.insert(name.clone(), reason.clone());
    }

    let mut request = Request {
        name: text(external, "name")?,
        version: text(external, "version")?,
        definition: Digest::of(b""),
        lock: None,
        host_lock: None,
        source: Source { tree: Digest::of(b""), origin: Origin::Path { commit: None, dirty: false } },
        toolchains: BTreeMap::new(),
        inputs: BTreeMap::new(),
        crates: Vec::new(),
        epoch,
        profile,
        level,
        platform,
        platforms,
        build_platform,
        relaxations,
        builder_id: provenance.run_details.builder.id.clone(),
    };
    let mut seen = (false, false);
    for dependency in &definition.resolved_dependencies {
        let digest = dependency.digest.sha256().ok_or_else(|| NotOurs {
            field: "resolvedDependencies",
            fault: format!("names `{}` without a SHA-256", dependency.name),
        })?;
        match dependency.uri.as_str() {
            DEFINITION => (request.definition, seen.0) = (digest, true),
            LOCK => request.lock = Some(digest),
            HOST_LOCK => request.host_lock = Some(digest),
            SOURCE => {
                request.source = source_from(dependency, digest, &definition.resolved_dependencies)?;
                seen.1 = true;
            }
            other => {
                if let Some(name) = other.strip_prefix(INPUT) {
                    let kind = annotation(dependency, "kind")?.ok_or_else(|| not_said(dependency, "kind"))?;
                    let set = request.inputs.entry(name.to_owned());
                    let set = set.or_insert(InputSet {
                        kind: String::new(),
                        tree: digest,
                        configured: None,
                        parts: Vec::new(),
                    });
                    (set.kind, set.tree, set.configured) = (kind, digest, normalisers_from(dependency)?);
                } else if let Some(name) = annotation(dependency, "input")? {
                    let part = InputPart {
                        purl: other.to_owned(),
                        sha256: digest,
                        role: annotation(dependency, "role")?,
                        platform: annotation(dependency, "platform")?,
                    };
                    // The tree of an input stands before its parts.
                    let set = request.inputs.get_mut(&name).ok_or_else(|| not_said(dependency, "input"))?;
                    set.parts.push(part);
                } else if let Some(name) = other.strip_prefix(TOOLCHAIN) {
                    request.toolchains.insert(name.to_owned(), toolchain_from(dependency, digest)?);
                } else if let Some(krate) = crate_from(dependency, digest) {
                    request.crates.push(krate);
                }
            }
        }
    }
    match seen {
        (true, true) => Ok(request),
        (false, _) => Err(NotOurs { field: "resolvedDependencies", fault: "names no definition".to_owned() }),
        (_, false) => Err(NotOurs { field: "resolvedDependencies", fault: "names no source".to_owned() }),
    }
}

/// Provenance that is not of this build type, or lacks a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("provenance: `{field}` {fault}")]
pub struct NotOurs {
    /// Which field.
    pub field: &'static str,
    /// The rest of the sentence.
    pub fault: String,
}

const DEFINITION: &str = "selfsame:definition";
const LOCK: &str = "selfsame:lock";
const HOST_LOCK: &str = "selfsame:host-lock";
const SOURCE: &str = "selfsame:source";
const TOOLCHAIN: &str = "selfsame:toolchain/";
const INPUT: &str = "selfsame:input/";
/// The annotation of a package whose registry is not the public one. Which one it is stands nowhere.
const REGISTRY: &str = "registry";
const PRIVATE_REGISTRY: &str = "private";
/// Marks the archive or crate that the source was unpacked from.
pub(crate) const SOURCE_ARCHIVE: &str = "source archive";

fn external_parameters(request: &Request) -> Map<String, Value> {
    let mut source = Map::from_iter([
        ("uri".to_owned(), json!(SOURCE)),
        ("digest".to_owned(), json!({"sha256": request.source.tree.hex()})),
    ]);
    match &request.source.origin {
        Origin::Path { commit: Some(commit), .. } => {
            source.insert("digest".to_owned(), json!({"sha256": request.source.tree.hex(), "gitCommit": commit}));
        }
        Origin::Path { commit: None, .. } => {}
        Origin::Locked { purl, .. } => {
            source.insert("uri".to_owned(), json!(purl));
        }
    }
    let mut parameters = Map::from_iter([
        ("definition".to_owned(), json!(DEFINITION)),
        ("level".to_owned(), json!(request.level.name())),
        ("name".to_owned(), json!(request.name)),
        ("platform".to_owned(), json!(request.platform.to_string())),
        ("source".to_owned(), Value::Object(source)),
        ("version".to_owned(), json!(request.version)),
    ]);
    if !request.platforms.is_empty() {
        let platforms: Vec<String> = request.platforms.iter().map(ToString::to_string).collect();
        parameters.insert("platforms".to_owned(), json!(platforms));
    }
    if !request.relaxations.is_empty() {
        parameters.insert("relaxations".to_owned(), json!(request.relaxations));
    }
    parameters
}

fn internal_parameters(record: &BuildRecord) -> Map<String, Value> {
    let actions: Vec<Value> = record
        .steps
        .iter()
        .map(|step| {
            let mut action = json!({
                "name": step.name,
                "actionDigest": {"sha256": step.action.hex()},
                "outputTree": {"sha256": step.output.hex()},
            });
            if !step.normalised.is_empty() {
                let counts = |it: &Normalised| json!({"name": it.name.name(), "before": it.before, "after": it.after});
                action["normalisers"] = step.normalised.iter().map(counts).collect();
            }
            action
        })
        .collect();
    let mut parameters = Map::from_iter([
        ("actions".to_owned(), Value::Array(actions)),
        ("epoch".to_owned(), json!(record.request.epoch)),
        ("level".to_owned(), json!(record.level.name())),
        ("profile".to_owned(), json!(record.request.profile.number())),
        ("sandbox".to_owned(), json!(record.sandbox)),
    ]);
    let Request { platform, build_platform, .. } = &record.request;
    if build_platform != platform {
        parameters.insert("buildPlatform".to_owned(), json!(build_platform.to_string()));
    }
    parameters
}

/// Every input of a request, as `resolvedDependencies` and the SBOM name them.
#[must_use]
pub fn dependencies(request: &Request) -> Vec<ResourceDescriptor> {
    let file = |uri: &str, name: &str, digest: Digest, media_type: &str| ResourceDescriptor {
        uri: uri.to_owned(),
        name: name.to_owned(),
        digest: digest.into(),
        media_type: media_type.to_owned(),
        ..ResourceDescriptor::default()
    };
    let mut all = vec![file(DEFINITION, "selfsame.toml", request.definition, media::DEFINITION)];
    all.extend(request.lock.map(|digest| file(LOCK, "selfsame.lock", digest, media::LOCK)));
    all.extend(request.host_lock.map(|digest| file(HOST_LOCK, "selfsame.host.lock", digest, media::LOCK)));

    let mut source = file(SOURCE, "source", request.source.tree, media::TREE);
    match &request.source.origin {
        Origin::Path { commit, dirty } => {
            if let Some(commit) = commit {
                source.digest = source.digest.with("gitCommit", &unhex(commit));
            }
            source.annotations.insert("dirty".to_owned(), json!(dirty));
            all.push(source);
        }
        Origin::Locked { purl, sha256 } => {
            source.annotations.insert("unpackedFrom".to_owned(), json!(purl));
            all.push(source);
            all.push(file(purl, SOURCE_ARCHIVE, *sha256, media::INPUT));
        }
    }
    for (name, toolchain) in &request.toolchains {
        let mut descriptor =
            file(&format!("{TOOLCHAIN}{name}"), &format!("toolchain {name}"), toolchain.tree, media::TREE);
        descriptor.annotations.insert("captured".to_owned(), json!(true));
        if let ToolchainKind::Rustup { components } = &toolchain.kind {
            let components: Vec<Value> = components
                .iter()
                .map(|part| json!({"name": part.name, "digest": {"sha256": part.sha256.hex()}, "uri": part.url}))
                .collect();
            descriptor.annotations.insert("components".to_owned(), Value::Array(components));
        }
        all.push(descriptor);
    }
    for (name, input) in &request.inputs {
        let mut descriptor = file(&format!("{INPUT}{name}"), &format!("input {name}"), input.tree, media::TREE);
        descriptor.annotations.insert("kind".to_owned(), json!(input.kind));
        if let Some(normalisers) = &input.configured {
            descriptor.annotations.insert("normalisers".to_owned(), json!(normalisers));
        }
        all.push(descriptor);
        for part in &input.parts {
            let mut descriptor = file(&part.purl, &title(&part.purl), part.sha256, media::INPUT);
            descriptor.annotations.insert("input".to_owned(), json!(name));
            for (key, value) in [("role", &part.role), ("platform", &part.platform)] {
                if let Some(value) = value {
                    descriptor.annotations.insert(key.to_owned(), json!(value));
                }
            }
            all.push(descriptor);
        }
    }
    all.extend(request.crates.iter().map(|krate| {
        let title = format!("{}-{}.crate", krate.name, krate.version);
        let mut descriptor = file(&krate.purl(), &title, krate.sha256, media::INPUT);
        if krate.is_private {
            descriptor.annotations.insert(REGISTRY.to_owned(), json!(PRIVATE_REGISTRY));
        }
        descriptor
    }));
    all
}

/// A name for people: the last of a package URL's path, without qualifiers.
fn title(purl: &str) -> String {
    let path = purl.split(['?', '#']).next().unwrap_or(purl);
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// The normalisers of an input that is configured, where it is.
fn normalisers_from(dependency: &ResourceDescriptor) -> Result<Option<Vec<String>>, NotOurs> {
    const KEY: &str = "normalisers";
    let Some(value) = dependency.annotations.get(KEY) else { return Ok(None) };
    let names = value.as_array().ok_or_else(|| not_said(dependency, KEY))?;
    let name = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| not_said(dependency, KEY));
    names.iter().map(name).collect::<Result<Vec<_>, _>>().map(Some)
}

/// An annotation that is a text, where it is there.
fn annotation(dependency: &ResourceDescriptor, key: &str) -> Result<Option<String>, NotOurs> {
    match dependency.annotations.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(not_said(dependency, key)),
    }
}

fn not_said(dependency: &ResourceDescriptor, key: &str) -> NotOurs {
    let name = &dependency.name;
    NotOurs { field: "resolvedDependencies", fault: format!("has `{name}` without an annotation `{key}` that can be") }
}

fn source_from(source: &ResourceDescriptor, tree: Digest, all: &[ResourceDescriptor]) -> Result<Source, NotOurs> {
    let fault = |fault: &str| NotOurs { field: "source", fault: fault.to_owned() };
    let origin = match source.annotations.get("unpackedFrom") {
        Some(Value::String(purl)) => {
            let archive = all.iter().find(|d| d.name == SOURCE_ARCHIVE && d.uri == *purl);
            let sha256 = archive.and_then(|archive| archive.digest.sha256());
            let sha256 = sha256.ok_or_else(|| fault("was unpacked from an archive that is not named"))?;
            Origin::Locked { purl: purl.clone(), sha256 }
        }
        Some(_) => return Err(fault("has an `unpackedFrom` that is not a text")),
        None => Origin::Path {
            commit: source.digest.git_commit().map(str::to_owned),
            dirty: source.annotations.get("dirty").and_then(Value::as_bool).unwrap_or(false),
        },
    };
    Ok(Source { tree, origin })
}

fn toolchain_from(dependency: &ResourceDescriptor, tree: Digest) -> Result<ToolchainInput, NotOurs> {
    let Some(components) = dependency.annotations.get("components") else {
        return Ok(ToolchainInput { tree, kind: ToolchainKind::Captured });
    };
    let component = |value: &Value| {
        let sha256 = value.get("digest")?.get("sha256")?.as_str()?;
        Some(Component {
            name: value.get("name")?.as_str()?.to_owned(),
            url: value.get("uri")?.as_str()?.to_owned(),
            sha256: Digest::from_hex(sha256).ok()?,
        })
    };
    let components = components.as_array().and_then(|list| list.iter().map(component).collect());
    let components = components.ok_or_else(|| NotOurs {
        field: "components",
        fault: format!("of `{}` are not name, uri and digest", dependency.name),
    })?;
    Ok(ToolchainInput { tree, kind: ToolchainKind::Rustup { components } })
}

/// Whether a dependency is a package of a registry that not everybody can ask: its name means nothing to public ones.
#[must_use]
pub fn is_of_private_registry(dependency: &ResourceDescriptor) -> bool {
    dependency.annotations.get(REGISTRY).and_then(Value::as_str) == Some(PRIVATE_REGISTRY)
}

fn crate_from(dependency: &ResourceDescriptor, sha256: Digest) -> Option<CrateInput> {
    if dependency.name == SOURCE_ARCHIVE {
        return None;
    }
    let (name, version) = dependency.uri.strip_prefix("pkg:cargo/")?.rsplit_once('@')?;
    let is_private = is_of_private_registry(dependency);
    Some(CrateInput { name: name.to_owned(), version: version.replace("%2B", "+"), sha256, is_private })
}

/// The bytes of a commit id, which [`crate::request::Origin`] holds as hex.
fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}
